"""The palette: every action and book, and the accounts of all books, found by typing a part of a name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from store import AccountInfo, StoreError

from ..actions import SCOPE_NAMES, action_called, actions_of, key_name
from ..formatting import format_amount, printable
from ..widgets.chart import shown_sign
from ..widgets.keys import bindings_for, refused_actions
from ..widgets.shell import Shell
from ..widgets.virtual_table import Cell, Column, Row, VirtualTable
from .base import Dialog, KeyLine
from .help import live_actions

Run: TypeAlias = Callable[[], Awaitable[object]]
AnyOffer: TypeAlias = "Offer | AccountOffer"

COLUMNS = (
    Column("name", "", min_width=16, max_width=300, flex=9, want=40),
    Column("what", "", min_width=6, max_width=60, flex=1, drop=1),
    Column("keys", "", align="right", min_width=6, max_width=14),
)
MATCHES_SHOWN = 500
RANKED_MAX = 4000
"""Of so many fitting offers the best are looked for: more fit only while one has typed next to nothing."""
_AT_ONCE = 1000
"""How many accounts are taken in before the loop is looked after again."""
HOMES = {
    "books": "books",
    "accounts": "accounts",
    "account_tree": "accounts",
    "register": "accounts",
    "tail": "tail",
    "tails": "tail",
    "trial_balance": "trial_balance",
    "storage": "storage",
    "assets": "assets",
}
"""The screen on which the actions of a scope are to be found."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something the palette can do; `text` is what is searched, already case-folded."""

    name: str
    what: str
    keys: str
    run: Run
    text: str
    elsewhere: bool = False
    """Whether it only leads to the screen that can."""


@dataclass(slots=True, eq=False)
class AccountOffer:
    """An account to go to. There may be very many, so what is told of one is made up once it is shown."""

    name: str
    text: str
    info: AccountInfo
    app: Shell
    keys: ClassVar[str] = ""
    elsewhere: ClassVar[bool] = False

    @property
    def what(self) -> str:
        definition = self.info.definition
        minor = self.info.balance.amount.minor * shown_sign(self.info, natural=self.app.natural_signs)
        amount = format_amount(minor, self.app.precision(definition.asset))
        return f"{definition.kind.value}, {amount} {printable(definition.asset, 20)}"

    async def run(self) -> None:
        await self.app.go("accounts", account=self.info.definition.id)


def fitting(words: Sequence[str], offers: Sequence[AnyOffer]) -> list[AnyOffer]:
    """Those in whose text every word occurs, the best first."""
    for word in words:
        offers = [offer for offer in offers if word in offer.text]
    return sorted(offers[:RANKED_MAX], key=partial(_rank, words[0]))


def _rank(word: str, offer: AnyOffer) -> tuple[int, bool, int, int]:
    name = offer.name.casefold()
    named = 0 if name.startswith(word) else 1 if word in name else 2
    return named, offer.elsewhere, offer.text.find(word), len(offer.text)


class Palette(Dialog):
    BINDINGS = bindings_for("palette")

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.over = screen
        self.offers: list[Offer] = []
        self.elsewhere: list[Offer] = []
        self.accounts: list[AccountOffer] = []
        """Of the book that is shown."""
        self.others: list[AccountOffer] = []
        """Of all other books."""
        self.found: list[AnyOffer] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            line = Input(placeholder="an action, a book or an account", id="palette-line", compact=True)
            line.cursor_blink = False
            yield line
            yield VirtualTable(COLUMNS, id="palette", show_head=False, follow=False, empty="Nothing fits.")
            yield KeyLine(("enter", "do it", "run"), ("{palette.cancel}", "close", "cancel"))

    async def on_mount(self) -> None:
        table = self.query_one(VirtualTable)
        table.can_focus = False
        self._add_actions()
        self._search("")
        self.run_worker(self._add_places(), group="refresh")

    def _add_actions(self) -> None:
        """Actions of the pane first, then the global ones, also those without a key."""
        here = [action for action in live_actions(self.over) if action.palette]
        others = [action for action in actions_of("app") if action.palette and action not in here]
        for action in [*here, *others]:
            keys = "  ".join(key_name(key) for key in self.app.keys_of(action)[:2])
            text = f"{action.label} {action.help} {SCOPE_NAMES.get(action.scope, '')}".casefold()
            self.offers.append(Offer(action.label, action.help, keys, partial(self._act, action.run), text))

    def _add_elsewhere(self) -> None:
        """Actions of other screens lead there."""
        known = {action.id for action in live_actions(self.over)} | refused_actions(self.app)
        for scope, mode in HOMES.items():
            there = action_called(f"app.{mode}")
            key = key_name(self.app.keys_of(there)[0])
            for action in actions_of(scope):
                if action.palette and action.id not in known:
                    does = f"on {there.label}, {key_name(self.app.keys_of(action)[0])}: {action.help}"
                    text = f"{action.label} {does}".casefold()
                    self.elsewhere.append(
                        Offer(action.label, does, key, partial(self.app.go, mode), text, elsewhere=True)
                    )

    async def _act(self, run: str) -> None:
        """Run an action as its key would: for the focused widget, what it stands in, or the application."""
        node: Any = self.over.focused or self.over
        name = run.partition("(")[0].rpartition(".")[2]
        while node is not None and not hasattr(node, f"action_{name}"):
            node = node.parent
        await self.app.run_action(run, node if node is not None else self.app)

    async def _add_places(self) -> None:
        app = self.app
        for book in app.books:
            self.offers.append(
                Offer(book, "book", "", partial(self._go_book, book), f"{book} book".casefold())
            )
        self._add_elsewhere()
        if app.book is not None:
            await self._add_accounts(app.book, self.accounts, "")
        self._search(self.query_one(Input).value)
        for book in app.books:
            if book != app.book:
                await self._add_accounts(book, self.others, f"{book} › ")
        if self.others:
            # they stand below what had been found, so the cursor stays where it is
            self._search(self.query_one(Input).value, cursor=None)

    async def _add_accounts(self, book: str, offers: list[AccountOffer], before: str) -> None:
        try:
            infos = await self.app.accounts(book)
        except StoreError:
            return
        for place, info in enumerate(infos, 1):
            definition = info.definition
            name = before + definition.id.path
            text = f"{name} {definition.kind.value} {definition.asset} account of {book}".casefold()
            offers.append(AccountOffer(name, text, info, self.app))
            if place % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _go_book(self, book: str) -> None:
        await self.app.go("accounts", book=book)

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, typed: str, cursor: int | None = 0) -> None:
        words = typed.casefold().split()
        found: list[AnyOffer]
        if words:
            found = fitting(words, [*self.offers, *self.elsewhere, *self.accounts])
            if len(found) < MATCHES_SHOWN:
                found += fitting(words, self.others)
        else:
            found = [*self.offers, *self.accounts, *self.elsewhere, *self.others]
        self.found = found[:MATCHES_SHOWN]
        rows: list[Row] = [
            [
                Cell(printable(offer.name, 300)),
                Cell(printable(offer.what, 200), "dim"),
                Cell(offer.keys, "accent"),
            ]
            for offer in self.found
        ]
        table = self.query_one(VirtualTable)
        table.set_rows(rows, cursor=cursor)

    @on(Input.Submitted)
    async def run_first(self) -> None:
        await self._run(self.query_one(VirtualTable).cursor)

    @on(VirtualTable.Opened)
    async def run_row(self, event: VirtualTable.Opened) -> None:
        await self._run(event.row)

    async def _run(self, row: int) -> None:
        if 0 <= row < len(self.found):
            offer = self.found[row]
            app = self.app
            self.dismiss(None)
            app.call_later(offer.run)

    async def action_run(self) -> None:
        await self.run_first()

    def action_move(self, step: int) -> None:
        table = self.query_one(VirtualTable)
        table.move_to(table.cursor + step)

    def action_page(self, step: int) -> None:
        table = self.query_one(VirtualTable)
        table.move_to(table.cursor + step * table.visible_rows)
