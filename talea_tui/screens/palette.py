"""The palette: every action, book and account, found by typing a part of its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from store import AccountId, AccountInfo, StoreError

from ..actions import SCOPE_NAMES, action_called, actions_of, key_name
from ..formatting import format_amount, printable
from ..widgets.chart import shown_sign
from ..widgets.keys import bindings_for, refused_actions
from ..widgets.virtual_table import Cell, Column, Row, VirtualTable
from .base import Dialog, KeyLine
from .help import live_actions

Run: TypeAlias = Callable[[], Awaitable[object]]

COLUMNS = (
    Column("name", "", min_width=16, max_width=300, flex=9, want=40),
    Column("what", "", min_width=6, max_width=60, flex=1, drop=1),
    Column("keys", "", align="right", min_width=6, max_width=14),
)
MATCHES_SHOWN = 500
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


def rank(offer: Offer, words: list[str]) -> tuple[int, bool, int, int] | None:
    """How well an offer fits: the smaller the better, None for not at all. Every word must occur."""
    text = offer.text
    if not all(word in text for word in words):
        return None
    first = words[0] if words else ""
    name = offer.name.casefold()
    named = 0 if name.startswith(first) else 1 if first in name else 2
    return named, offer.elsewhere, text.find(first), len(text)


class Palette(Dialog):
    BINDINGS = bindings_for("palette")

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.over = screen
        self.offers: list[Offer] = []
        self.found: list[Offer] = []

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
                    self.offers.append(
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
        if app.book is not None:
            try:
                infos = await app.accounts(app.book)
            except StoreError:
                infos = []
            for info in infos:
                account = info.definition.id
                what = f"{info.definition.kind.value}, {self._balance(info)}"
                run = partial(self._go_account, account)
                text = (
                    f"{account.path} {info.definition.kind.value} {info.definition.asset} account".casefold()
                )
                self.offers.append(Offer(account.path, what, "", run, text))
        self._add_elsewhere()
        self._search(self.query_one(Input).value)

    def _balance(self, info: AccountInfo) -> str:
        minor = info.balance.amount.minor * shown_sign(info, natural=self.app.natural_signs)
        asset = info.definition.asset
        return f"{format_amount(minor, self.app.precision(asset))} {printable(asset, 20)}"

    async def _go_book(self, book: str) -> None:
        await self.app.go("accounts", book=book)

    async def _go_account(self, account: AccountId) -> None:
        await self.app.go("accounts", account=account)

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, typed: str) -> None:
        words = typed.casefold().split()
        if words:
            ranked = [
                (fit, place)
                for place, offer in enumerate(self.offers)
                if (fit := rank(offer, words)) is not None
            ]
            ranked.sort()
            self.found = [self.offers[place] for _, place in ranked[:MATCHES_SHOWN]]
        else:
            self.found = self.offers[:MATCHES_SHOWN]
        rows: list[Row] = [
            [
                Cell(printable(offer.name, 300)),
                Cell(printable(offer.what, 200), "dim"),
                Cell(offer.keys, "accent"),
            ]
            for offer in self.found
        ]
        table = self.query_one(VirtualTable)
        table.set_rows(rows, cursor=0)

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
