"""Trial balance with its proof, balance sheet and income statement, at the instant that is shown."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from textual import events, on
from textual.app import ComposeResult

from store import AccountId, AccountInfo, TrialBalanceRow

from ..formatting import (
    ELLIPSIS,
    align_point,
    fit_amount,
    format_amount,
    format_amount_plain,
    fraction_cells,
    printable,
)
from ..statements import (
    AssetTotal,
    Section,
    Statement,
    balance_sheet,
    income_statement,
    trial_totals,
)
from ..widgets.chart import debit_positive
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import Cell, Column, Row, VirtualTable
from .base import TaleaScreen

VIEWS = ("trial balance", "balance sheet", "income statement")
TRIAL_COLUMNS = (
    Column("account", "account", min_width=16, max_width=200, flex=1),
    Column("debits", "debits", align="right", min_width=10, max_width=60, drop=1),
    Column("credits", "credits", align="right", min_width=10, max_width=60, drop=2),
    Column("balance", "balance", align="right", min_width=10, max_width=60),
    Column("asset", "", min_width=3, max_width=14),
    Column("kind", "kind", min_width=6, max_width=9),
)
READING_WIDTH, WIDE_WIDTH = 92, 140
"""An amount should not stand too far from its account on a wide screen."""

TITLE_WIDTH = 76
KIND_WIDTH = 100
"""Narrower than this, the room of the kind is better given to the account's name."""

STATEMENT_COLUMNS = (
    Column("account", "account", min_width=20, max_width=200, flex=1),
    Column("amount", "amount", align="right", min_width=12, max_width=60),
    Column("asset", "", min_width=3, max_width=14),
)
EMPTY = "Nothing has been posted here yet. Press p to post, or @ to look at another instant."
ACCOUNTS_AT_A_TIME = 500
READINGS_MAX = 2
SLOW_SECONDS = 0.02


class TrialBalanceScreen(TaleaScreen):
    SCOPE = "trial_balance"
    BINDINGS = bindings_for("trial_balance")
    TITLE = "Trial balance"

    def __init__(self) -> None:
        super().__init__()
        self.view = VIEWS[0]
        self.empty = False
        self.accounts: list[AccountInfo] = []
        self.turnover: list[TrialBalanceRow] = []
        self.targets: list[AccountId | None] = []
        self._book: str | None = None
        self._least_money = 10
        self._due = 0.0

    def compose_body(self) -> ComposeResult:
        yield PaneTitle("Trial balance", id="trial-title", lit_by="trial")
        yield VirtualTable(TRIAL_COLUMNS, id="trial", empty=EMPTY, follow=False)

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#trial", VirtualTable)

    def crumbs(self) -> list[str]:
        return [self._book or "", self.view.capitalize()] if self._book else [self.view.capitalize()]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        book = self.app.book
        if changed is not None and book not in changed and book == self._book:
            return
        if changed is not None and book is not None and time.monotonic() < self._due:
            self.set_timer(
                max(0.1, self._due - time.monotonic()), lambda: self.note_changes(frozenset({book}))
            )
            return
        began = time.monotonic()
        moved = book != self._book
        self._book = book
        self.accounts, self.turnover = await self._read(book) if book is not None else ([], [])
        await self._show(reset=moved)
        took = time.monotonic() - began
        self._due = time.monotonic() + 20 * took if took > SLOW_SECONDS else 0.0

    async def _read(self, book: str) -> tuple[list[AccountInfo], list[TrialBalanceRow]]:
        """Accounts and the log's turnover at one instant, also while postings arrive."""
        store, as_of = self.app.store, self.app.as_of(book)
        turnover = await store.trial_balance(book, as_of)
        for _ in range(READINGS_MAX):
            before = turnover
            accounts = await store.accounts(book, as_of)
            turnover = await store.trial_balance(book, as_of)
            if before == turnover:
                return accounts, turnover
        as_of = await self.app.last_seq(book)
        return await store.accounts(book, as_of), await store.trial_balance(book, as_of)

    async def _show(self, *, reset: bool) -> None:
        totals = trial_totals(self.accounts, self.turnover)
        rows, targets = await (self._trial(totals) if self.view == VIEWS[0] else self._statement())
        self.targets = targets
        table = self.table
        columns = TRIAL_COLUMNS if self.size.width >= KIND_WIDTH else TRIAL_COLUMNS[:-1]
        trial = tuple(replace(c, min_width=self._least_money) if c.align == "right" else c for c in columns)
        wanted = trial if self.view == VIEWS[0] else STATEMENT_COLUMNS
        if table.columns != list(wanted):
            table.set_columns(wanted)
        table.styles.max_width = READING_WIDTH if wanted is STATEMENT_COLUMNS else WIDE_WIDTH
        table.export_name = f"{self._book or 'ledger'}-{self.view.replace(' ', '-')}"
        table.set_rows(rows, cursor=0 if reset else None)
        self.query_one("#trial-title", PaneTitle).show(self._title(), self._proof(totals))

    def _title(self) -> str:
        if self.size.width < TITLE_WIDTH:
            return self.view.capitalize()
        told = self.app.instant is not None and self.size.width >= KIND_WIDTH
        instant = f" as of {self.app.instant.label}" if told and self.app.instant is not None else ""
        return "  ".join(f"[{view}]" if view == self.view else view for view in VIEWS) + instant

    def _proof(self, totals: list[AssetTotal]) -> str:
        """Whether debits equal credits, by the accounts and by the log."""
        if not totals:
            return ""
        wrong = [total.asset for total in totals if not total.proved]
        if wrong:
            return f"✗ {printable(', '.join(wrong), 40)} does not balance: verify the book (7)"
        assets = f"{len(totals)} assets" if len(totals) > 1 else printable(totals[0].asset, 20)
        return f"debits = credits ✓ {assets}"

    # Amounts in columns

    def _money(self, amounts: list[tuple[int, str]]) -> dict[tuple[int, str], Cell]:
        """Amounts of several assets as cells: points under each other where there is room for that.

        Where there is not, each stands right and gives up decimals only if it must.
        """
        room = max(10, (self.size.width - 34) // (3 if self.view == VIEWS[0] else 1) - 2)
        texts = {key: format_amount(key[0], self.app.precision(key[1])) for key in amounts}
        whole = max((len(text.partition(".")[0]) for text in texts.values()), default=0)
        point_room = fraction_cells(self.app.precision(asset) for _, asset in texts)
        if whole + point_room > room:
            point_room = 0
        self._least_money = max(10, whole + 1)
        cells = {}
        for key, text in texts.items():
            fitted = text if point_room or text.partition(".")[0] == text else fit_amount(text, room)
            if fitted.startswith("#"):
                fitted = text.partition(".")[0] + ELLIPSIS
            elif key[0] == 0 and fitted != text:
                fitted = "0"
            plain = format_amount_plain(key[0], self.app.precision(key[1]))
            cells[key] = Cell(align_point(fitted, point_room), "dim" if key[0] == 0 else "", plain)
        return cells

    async def _trial(self, totals: list[AssetTotal]) -> tuple[list[Row], list[AccountId | None]]:
        shown = [info for info in self.accounts if info.postings or self.empty]
        amounts = []
        for info in shown:
            asset = info.definition.asset
            amounts += [(info.debits, asset), (info.credits, asset), (self._balance(info), asset)]
        for total in totals:
            amounts += [(total.debits, total.asset), (total.credits, total.asset), (0, total.asset)]
            amounts.append((total.debits - total.credits, total.asset))
        money = self._money(amounts)
        rows: list[Row] = []
        targets: list[AccountId | None] = []
        for place, info in enumerate(shown):
            asset = info.definition.asset
            rows.append(
                [
                    Cell(printable(info.definition.id.path, 600), "", info.definition.id.path),
                    money[info.debits, asset],
                    money[info.credits, asset],
                    money[self._balance(info), asset],
                    Cell(printable(asset, 40), "dim", asset),
                    Cell(info.definition.kind.value, "dim"),
                ]
            )
            targets.append(info.definition.id)
            if place % ACCOUNTS_AT_A_TIME == ACCOUNTS_AT_A_TIME - 1:
                await asyncio.sleep(0)
        if rows:
            rows.append([""] * 6)
            targets.append(None)
        for total in totals:
            mark = "✓" if total.proved else "✗ does not balance"
            tone = "strong" if total.proved else "warning"
            rows.append(
                [
                    Cell(f"Total {mark}", tone),
                    money[total.debits, total.asset]._replace(tone=tone),
                    money[total.credits, total.asset]._replace(tone=tone),
                    money[total.debits - total.credits, total.asset]._replace(tone=tone),
                    Cell(printable(total.asset, 40), tone, total.asset),
                    "",
                ]
            )
            targets.append(None)
        return rows, targets

    def _balance(self, info: AccountInfo) -> int:
        return info.balance.amount.minor if self.app.natural_signs else debit_positive(info)

    async def _statement(self) -> tuple[list[Row], list[AccountId | None]]:
        if not any(info.postings for info in self.accounts):
            return [], []
        make = balance_sheet if self.view == VIEWS[1] else income_statement
        statement: Statement = make(self.accounts, empty=self.empty)
        amounts = [(line.minor, line.asset) for section in statement.sections for line in section.lines]
        for section in statement.sections:
            amounts += [(minor, asset) for asset, minor in section.totals]
        amounts += [(minor, asset) for asset, minor in statement.result]
        money = self._money(amounts)
        rows: list[Row] = []
        targets: list[AccountId | None] = []
        for section in statement.sections:
            self._section(section, money, rows, targets)
        balanced = not any(minor for _, minor in statement.result)
        mark = "" if self.view != VIEWS[1] else " ✓" if balanced else " ✗"
        for place, (asset, minor) in enumerate(statement.result):
            label = "" if place else statement.result_label + mark
            rows.append(
                [
                    Cell(label, "strong"),
                    money[minor, asset]._replace(tone="strong"),
                    Cell(printable(asset, 40), "strong", asset),
                ]
            )
            targets.append(None)
        return rows, targets

    def _section(
        self,
        section: Section,
        money: dict[tuple[int, str], Cell],
        rows: list[Row],
        targets: list[AccountId | None],
    ) -> None:
        rows.append([Cell(section.title, "accent"), "", ""])
        targets.append(None)
        for line in section.lines:
            rows.append(
                [
                    Cell(f"  {printable(line.label, 600)}", "" if line.account else "dim", line.label),
                    money[line.minor, line.asset],
                    Cell(printable(line.asset, 40), "dim", line.asset),
                ]
            )
            targets.append(line.account.definition.id if line.account is not None else None)
        for place, (asset, minor) in enumerate(section.totals):
            rows.append(
                [
                    Cell("" if place else f"Total {section.title.lower()}", "strong"),
                    money[minor, asset]._replace(tone="strong"),
                    Cell(printable(asset, 40), "strong", asset),
                ]
            )
            targets.append(None)
        rows.append(["", "", ""])
        targets.append(None)

    # Keys

    @on(VirtualTable.Opened)
    async def open_account(self, event: VirtualTable.Opened) -> None:
        if event.row < len(self.targets):
            target = self.targets[event.row]
            if target is not None:
                await self.app.open_register(target)

    async def action_next_view(self) -> None:
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        await self._show(reset=True)
        self.refresh_chrome()

    async def action_toggle_empty(self) -> None:
        self.empty = not self.empty
        await self._show(reset=False)

    def on_resize(self, event: events.Resize) -> None:
        if self.accounts:
            self.call_later(self._show, reset=False)
