"""What screens and widgets may ask of the application."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.widget import Widget

from store import AccountId, AccountInfo, AssetDef, BookInfo, StoredTransaction, StoreError

from ..actions import Action, action_called, key_name
from ..formatting import format_count, local

if TYPE_CHECKING:
    from store import AsOf, Store

    from ..config import Config
    from ..settings import Settings
    from .under_way import UnderWay


NOTHING_FOLLOWED = (
    "Nothing has been written to this ledger yet. What is written where it is open appears here."
)
NO_BOOK = "There is no book yet: press {app.books}, then {books.new} to begin one."


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment of the past that every pane shows: `at`; in `book`, if one is named, exactly `seq`."""

    label: str
    at: datetime
    seq: int | None = None
    book: str | None = None

    def in_book(self, book: str) -> AsOf:
        """What to hand the store as `as_of` for this book."""
        return self.seq if self.seq is not None and book == self.book else self.at


class Shell(App[int]):
    """The application as screens see it; `TaleaApp` is the one that runs."""

    directory: Path | None = None
    """Where the ledger is; None for a store that is not a directory."""
    could_not_open = False
    """Whether the last try to open the ledger came to nothing."""
    book: str | None = None
    """The book the user works in."""
    instant: Instant | None = None
    """The past that is shown; None is live."""
    books: dict[str, BookInfo]
    """What is known of each book, kept current."""
    writer: int | None = None
    """The process that writes a ledger which is only followed here; None when there is none, or it is ours."""
    why_behind: str | None = None
    """One sentence while a ledger that is followed cannot be read, so that what is shown may be old."""
    assets: dict[str, AssetDef]
    """Registered assets by id, kept current."""
    settings: Settings
    config: Config
    """What the user's configuration file says."""
    under_way: UnderWay
    """What goes on whichever screen is shown."""
    zone: tzinfo
    """In which dates and times are shown and read."""

    @property
    def store(self) -> Store:
        """The open store; RuntimeError before it is open (screens are refreshed only once it is)."""
        raise NotImplementedError

    @property
    def is_open(self) -> bool:
        raise NotImplementedError

    @property
    def place(self) -> str:
        """The ledger's directory as people write it; empty when it has none."""
        raise NotImplementedError

    def writer_of(self, info: BookInfo) -> str:
        """How a book's writer fares; `nobody` where a sound book is followed that no process writes."""
        is_alone = self.is_followed and self.writer is None and info.writer == "running"
        return "nobody" if is_alone else info.writer

    def later_text(self, seq: int) -> str:
        """That the event with this seq is later than the instant shown."""
        label = self.instant.label if self.instant is not None else "now"
        back = self.with_keys("press {app.escape} to come back to now")
        return f"Seq {format_count(seq)} is later than this instant, {label}; {back}."

    def empty_text(self, what_to_do: str) -> str:
        """What an empty list says: how to begin, where one can."""
        return NOTHING_FOLLOWED if self.is_followed else self.with_keys(what_to_do)

    @property
    def is_followed(self) -> bool:
        """Whether the ledger is written elsewhere and only followed here."""
        raise NotImplementedError

    def open_ledger(self) -> None:
        """Begin to open the store, in the background."""
        raise NotImplementedError

    def follow_ledger(self) -> None:
        """Begin to follow, read only, the ledger that could not be opened."""
        raise NotImplementedError

    def now(self) -> datetime:
        """The wall clock, aware, handed in so that pictures and tests stand still."""
        raise NotImplementedError

    @property
    def today(self) -> date:
        """The day it is in `zone`."""
        return local(self.now(), self.zone).date()

    def as_of(self, book: str) -> AsOf:
        """The `as_of` for store calls on `book`: None when live."""
        return self.instant.in_book(book) if self.instant is not None else None

    def keys_of(self, action: Action) -> tuple[str, ...]:
        """The keys of an action, as the user may have chosen them."""
        return self.config.keys_of(action)

    def with_keys(self, text: str) -> str:
        """A text of ours with the first key of each action whose id stands in braces: `Press {app.post} to post.`"""
        return re.sub(
            r"\{([a-z_.]+)\}", lambda found: key_name(self.keys_of(action_called(found[1]))[0]), text
        )

    def nothing_posted(self, book: str | None, words: str = "No postings yet.") -> str:
        """`words`, and which key posts while `book` takes postings; without any book, how to begin one."""
        if book is None:
            return self.empty_text(NO_BOOK)
        return (
            words
            if self.why_read_only(book) is not None
            else self.with_keys(f"{words} Press {{app.post}} to post.")
        )

    def furniture(self) -> Iterable[Widget]:
        """What stands between body and footer of every screen."""
        return ()

    @property
    def precisions(self) -> Mapping[str, int]:
        """Decimal places by asset, of all that are registered."""
        return {id: asset.precision for id, asset in self.assets.items()}

    def precision(self, asset: str) -> int:
        """Decimal places of an asset; 0 for one that is not known."""
        found = self.assets.get(asset)
        return found.precision if found is not None else 0

    async def go(self, mode: str, **arrival: Any) -> None:
        """Switch to a mode, where one left it, or to its first screen if one is there already.

        `arrival` is handed to its first screen's `arrive`, and that screen is shown.
        """
        raise NotImplementedError

    def choose_book(self, book: str) -> None:
        """Make `book` the one to work in; screens are told."""
        raise NotImplementedError

    def show_instant(self, instant: Instant | None) -> None:
        """Show every pane as of `instant`; None is now."""
        raise NotImplementedError

    def may_write(self, book: str | None = None) -> bool:
        """Whether posting is possible now; when not, the user has been told why."""
        raise NotImplementedError

    def why_read_only(self, book: str | None = None) -> str | None:
        """One sentence when nothing can be written to `book` (default: the current one), else None."""
        raise NotImplementedError

    def why_unreadable(self, book: str | None = None) -> str | None:
        """One sentence when nothing of `book` (default: the current one) can be read, else None."""
        info = self.books.get((self.book if book is None else book) or "")
        return info.error if info is not None and info.is_unread else None

    def tell(self, text: str) -> None:
        """Say something in passing. The text is data, never markup."""
        raise NotImplementedError

    def tell_done(self, text: str) -> None:
        """Say what was done, or that it was not: it stays its time, whatever is told in passing meanwhile."""
        raise NotImplementedError

    def refuse(self, why: str | StoreError) -> None:
        """Say what was refused and why. The text is data, never markup."""
        raise NotImplementedError

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard and say so; `what` names it."""
        raise NotImplementedError

    @property
    def natural_signs(self) -> bool:
        """Whether every account reads positive on its normal side; else debits are positive everywhere."""
        raise NotImplementedError

    async def accounts(self, book: str, seq: int | None = None) -> list[AccountInfo]:
        """The accounts of a book as of `seq`, default the instant shown, without those opened later."""
        raise NotImplementedError

    async def last_seq(self, book: str) -> int:
        """The last seq of a book that is to be seen: as of the instant shown, else the last there is."""
        raise NotImplementedError

    async def open_account_form(self, *, path: str = "", new_book: bool = False) -> None:
        """Ask for a new account, in a new book if wanted, unless nothing can be written."""
        raise NotImplementedError

    async def open_transaction(self, book: str, seq: int) -> None:
        """Show one transaction, on top of the screen that asks."""
        raise NotImplementedError

    async def open_register(self, account: AccountId, day: date | None = None) -> None:
        """Show an account's register alone, on top of the screen that asks, from `day` on if given."""
        raise NotImplementedError

    async def start_posting(self, like: StoredTransaction | None = None) -> None:
        """Open the posting form, filled from a transaction if given, unless nothing can be written."""
        raise NotImplementedError

    async def start_reversal(self, stored: StoredTransaction, *, correct: bool = False) -> None:
        """Preview and post the opposite of a transaction; `correct` then opens the form with its contents."""
        raise NotImplementedError
