"""Unposted drafts: a stack of them for each book, which survives leaving the form, a crash and a restart."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..json_text import TooManyDigits, exact_json, parse_json
from .draft import Draft

logger = logging.getLogger(__name__)

DRAFTS_MAX = 20
_VERSION = 1


class DraftShelf:
    """The drafts of one book of one ledger, oldest first, in one file that is replaced whole.

    `ledger` tells ledgers apart: the resolved directory. The file is private to its owner. Calls block on the
    disk for about a sync: run `save` off the loop.
    """

    def __init__(self, directory: Path, ledger: str, book: str) -> None:
        name = hashlib.sha256(f"{ledger}\0{book}".encode(errors="surrogatepass")).hexdigest()[:24]
        self._path = directory / "drafts" / f"{name}.json"
        self._book = book
        self._prepared = self._written = 0
        """How many times drafts were prepared, and which of these was written last."""
        self._writing = threading.Lock()

    @property
    def path(self) -> Path:
        return self._path

    def load(self) -> list[Draft]:
        """The drafts kept last; none when there is no file, or one that is not ours to understand."""
        try:
            kept = parse_json(self._path.read_text(encoding="utf-8"))
            if kept["version"] != _VERSION:
                return []
            drafts = [Draft.from_json(value) for value in kept["drafts"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []
        return [draft for draft in drafts if draft.book == self._book and draft.key]

    def prepare(self, drafts: list[Draft]) -> tuple[int, str | None]:
        """A number, and the file's text for the latest of `drafts` that hold anything; None when none does.

        Raises TooManyDigits.
        """
        self._prepared += 1
        kept = [draft.to_json() for draft in drafts if not draft.blank][-DRAFTS_MAX:]
        if not kept:
            return self._prepared, None
        whole = {"version": _VERSION, "book": self._book, "drafts": kept}
        return self._prepared, exact_json(whole, "a draft", "Post it before you leave.", indent=1)

    def write(self, number: int, text: str | None) -> None:
        """Replace the file in one step, or remove it, unless something prepared later was written before.

        Raises OSError. May run in a thread.
        """
        with self._writing:
            if number > self._written:
                self._write(text)
                self._written = number

    def _write(self, text: str | None) -> None:
        if text is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def save(self, drafts: list[Draft]) -> None:
        """Raises OSError and TooManyDigits."""
        self.write(*self.prepare(drafts))


def shelf_beside(settings: Path | None, ledger: Path | None, book: str) -> DraftShelf | None:
    """Where the drafts of a book are kept; None when nothing is remembered from one start to the next."""
    if settings is None:
        return None
    return DraftShelf(settings.parent, str(ledger.resolve()) if ledger is not None else "", book)


class DraftStack:
    """The drafts of a book; the last is the one in the form. `shelf` None keeps nothing on disk.

    Raises nothing for a disk that refuses: that costs the drafts' safety, not the entry. `trouble` says so.
    """

    def __init__(self, book: str, shelf: DraftShelf | None) -> None:
        self.book = book
        self._shelf = shelf
        self.trouble = ""
        """Why what is in the form would not survive the application, as a sentence; empty when it would."""
        self._drafts = (shelf.load() if shelf is not None else []) or [Draft(book=book)]

    @property
    def current(self) -> Draft:
        return self._drafts[-1]

    @property
    def waiting(self) -> int:
        """How many hold anything."""
        return sum(not draft.blank for draft in self._drafts)

    @property
    def is_kept(self) -> bool:
        return self._shelf is not None

    def __len__(self) -> int:
        return len(self._drafts)

    def begin(self, draft: Draft) -> None:
        """Put `draft` into the form, or the one under its key that waits; the current one waits under it."""
        waiting = [one for one in self._drafts if not one.blank]
        again = next((one for one in waiting if one.key == draft.key), draft)
        self._drafts = [*(one for one in waiting if one is not again), again]

    def another(self) -> None:
        """A blank one for the same day; from a blank one, the one that has waited longest."""
        if not self.current.blank:
            self.begin(Draft(book=self.book, date=self.current.whole_date))
        elif self.waiting:
            self._drafts = [*self._drafts[1:-1], self._drafts[0]]

    def drop(self, draft: Draft, *, date: str = "") -> None:
        """Forget one; the one before it comes back, or a blank one for `date`."""
        self._drafts = [kept for kept in self._drafts if kept.key != draft.key]
        if not self._drafts:
            self._drafts = [Draft(book=self.book, date=date)]

    def renew_key(self) -> None:
        """Make the current draft another entry: its text under a new key."""
        self._drafts[-1] = self.current.with_new_key()

    def save(self) -> None:
        if self._shelf is not None:
            with self._telling(self._shelf):
                self._shelf.save(self._drafts)

    async def save_behind(self) -> None:
        """Save without holding the loop."""
        if self._shelf is not None:
            with self._telling(self._shelf):
                await asyncio.to_thread(self._shelf.write, *self._shelf.prepare(self._drafts))

    @contextmanager
    def _telling(self, shelf: DraftShelf) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"Drafts are not kept: {shelf.path.parent} cannot be written ({error.strerror})."
            logger.warning("%s", why)
            self.trouble = f"{why} Post this entry before you leave, or make that directory writable."
        except TooManyDigits as error:
            logger.warning("%s", error)
            self.trouble = f"Drafts are not kept: {error}"
        else:
            self.trouble = ""
