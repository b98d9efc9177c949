"""Trial balance with its proof, balance sheet and income statement, at the instant and over the days chosen.

Over all time they are what the store says of the instant. Over a period they go by the days on which things
happened, which a fold over the book's events adds up in the background, once.
"""

from __future__ import annotations

import asyncio
import time
from datetime import date

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult

from store import AccountId, StoreClosed, StoreError, TransactionPosted, TrialBalanceRow

from ..formatting import (
    ELLIPSIS,
    format_count,
    format_duration,
    group_plain,
    local,
    occurred_day,
    printable,
)
from ..parsing import ParseError
from ..statements.period import ALL, Period, parse_period
from ..statements.statement import (
    AccountFigures,
    AssetTotal,
    Statement,
    balance_sheet,
    income_statement,
    of_all_time,
    trial_totals,
)
from ..statements.turnover import DatedTurnover
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.row_detail import RowDetail
from ..widgets.virtual_table import READING_WIDTH, Cell, VirtualTable, value_of
from .ask import Ask
from .base import TaleaScreen
from .statement_rows import (
    ACCOUNTS_AT_A_TIME,
    KIND_WIDTH,
    STATEMENT_COLUMNS,
    TRIAL_COLUMNS,
    Page,
    Written,
    proof,
)

VIEWS = ("trial balance", "balance sheet", "income statement")
TITLE_MARGINS = 5
"""Cells of a title beside what it says, two of them between its sides."""

READINGS_MAX = 2
REPAINT_SECONDS = 0.1
RECENT_EVENTS = 100
"""So far back is looked for the day that a first period is to hold."""

BAR_CELLS = 24


class TrialBalanceScreen(TaleaScreen):
    SHOWS_BOOK = True
    BINDINGS = bindings_for("trial_balance")
    TITLE = "Trial balance"

    def __init__(self) -> None:
        super().__init__()
        layout = self.app.settings.layout
        kept = layout.get("statement")
        self.view = kept if kept in VIEWS else VIEWS[0]
        self.empty = bool(layout.get("statement_empty"))
        self.period = ALL
        self.figures: list[AccountFigures] = []
        self.turnover: list[TrialBalanceRow] | None = None
        self.targets: list[AccountId | None] = []
        self._book: str | None = None
        self._dated: DatedTurnover | None = None
        self._figures_for: Period | None = None
        self._fold_due = False
        self._folding = False
        self._note = ""

    def compose_body(self) -> ComposeResult:
        yield PaneTitle("Trial balance", id="trial-title", lit_by="trial")
        yield VirtualTable(
            TRIAL_COLUMNS,
            id="trial",
            follow=False,
            opens=lambda row: self._target(row) is not None,
            reading_width=READING_WIDTH,
        )
        yield RowDetail(id="trial-detail")

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#trial", VirtualTable)

    def crumbs(self) -> list[str]:
        words = [self._book] if self._book else []
        return [*words, self.view.capitalize(), *([self.period.label] if self.period != ALL else [])]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        book = self.app.book
        if changed is not None and book not in changed and book == self._book:
            return
        if changed is not None and self.put_off(changed):
            return
        moved = book != self._book
        self._book = book
        if moved:
            self._dated = self._figures_for = None
        if self.period != ALL and book is not None:
            self._fold_soon()
            return
        began = time.monotonic()
        figures, turnover = await self._read(book) if book is not None else ([], [])
        if self.period == ALL:
            self.figures, self.turnover, self._figures_for = figures, turnover, ALL
            self._note = ""
            await self._show(reset=moved)
        self.rest_after(began)

    async def _read(self, book: str) -> tuple[list[AccountFigures], list[TrialBalanceRow]]:
        """Accounts and the log's turnover at one instant, also while postings arrive."""
        store, as_of = self.app.store, self.app.as_of(book)
        turnover = await store.trial_balance(book, as_of)
        for _ in range(READINGS_MAX):
            before = turnover
            accounts = await self.app.accounts(book)
            turnover = await store.trial_balance(book, as_of)
            if before == turnover:
                return of_all_time(accounts), turnover
        seq = await self.app.last_seq(book)
        return of_all_time(await self.app.accounts(book, seq)), await store.trial_balance(book, seq)

    # Periods

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        if self._fold_due:
            self._fold_soon()

    def _fold_soon(self) -> None:
        """Show the period; while one is being added up, the one that was chosen last.

        It stays due where one left before it was shown, or it could not be read.
        """
        self._fold_due = True
        if not self._folding and self.app.is_open:
            self._folding = True
            self.run_worker(self._fold(), group="fold")

    async def _fold(self) -> None:
        try:
            while self._fold_due and self.is_seen:
                self._fold_due = False
                if self._book is not None and self.period != ALL:
                    await self._show_period(self._book, self.period)
        except StoreClosed:
            return
        except StoreError as error:
            self._fold_due = True
            self.app.refuse(error)
        finally:
            self._folding = False

    async def _show_period(self, book: str, period: Period) -> None:
        """Add up what is not yet, then show; leaves off where something else is wanted, and goes on later."""
        if self._dated is None or self._dated.book != book:
            self._dated = DatedTurnover(book, self.app.zone)
        dated, seq = self._dated, await self.app.last_seq(book)
        start, began = dated.seq, time.monotonic()
        painted = began
        while dated.seq != seq:
            await dated.step(self.app.store, seq)
            self._fold_due = self._fold_due or not self.is_seen
            if self._fold_due:
                return
            if time.monotonic() - painted >= REPAINT_SECONDS:
                painted = time.monotonic()
                if dated.seq < start:
                    start, began = dated.seq, painted
                self._show_progress(dated.seq, seq, (dated.seq - start) / max(painted - began, 0.001))
            await asyncio.sleep(0)
        began = time.monotonic()
        accounts = await self.app.accounts(book, seq)
        figures = []
        for place, info in enumerate(accounts):
            figures.append(dated.figures(info, period))
            if place % ACCOUNTS_AT_A_TIME == ACCOUNTS_AT_A_TIME - 1:
                await asyncio.sleep(0)
        if (book, period) != (self._book, self.period):
            return
        self._note = ""
        reset = self._figures_for != period
        self.figures, self.turnover, self._figures_for = figures, None, period
        await self._show(reset=reset)
        self.refresh_chrome()
        self.rest_after(began)

    def _show_progress(self, done: int, of: int, per_second: float) -> None:
        share = done / max(1, of)
        left = f" · {format_duration((of - done) / per_second)} left" if per_second > 0 else ""
        self._note = f"adding up {share:.0%}{left}"
        if self._figures_for != self.period:
            bar = "█" * round(share * BAR_CELLS)
            self.table.empty = (
                "Adding up by the days on which things happened.\n"
                f"{bar.ljust(BAR_CELLS, '░')} {format_count(done)} of {format_count(of)} events, "
                f"{per_second:,.0f}/s{left}\n"
                "Go on elsewhere if you like: what is added up is kept."
            )
            self.targets = []
            self.table.set_rows([], cursor=0)
            self.table.refresh()
        self._show_title([self._note])

    async def _choose(self, period: Period) -> None:
        """Show another period."""
        if period == self.period:
            return
        self.period = period
        self.refresh_chrome()
        self._show_title([self._note])
        self.refresh_now()

    async def _latest_day(self) -> date:
        """A day that a first period should hold: the latest of the last postings that is not still to come."""
        today = self._today()
        book = self._book
        if book is None:
            return today
        last = await self.app.last_seq(book)
        events = await self.app.store.read_events(book, last - RECENT_EVENTS + 1, RECENT_EVENTS)
        days = [
            occurred_day(event.event.transaction.occurred_at, self.app.zone)
            for event in events
            if event.seq <= last and isinstance(event.event, TransactionPosted)
        ]
        return max((day for day in days if day <= today), default=min(days, default=today))

    def _today(self) -> date:
        instant = self.app.instant
        return local(instant.at if instant is not None else self.app.now(), self.app.zone).date()

    async def action_shorter(self) -> None:
        try:
            await self._choose(self.period.shorter(await self._latest_day()))
        except StoreError as error:
            self.app.refuse(error)

    async def action_longer(self) -> None:
        await self._choose(self.period.longer())

    async def action_step_period(self, by: int) -> None:
        if self.period == ALL:
            await self.action_shorter()
            return
        period = self.period.step(by)
        if period == self.period:
            lengths = "{trial_balance.shorter} is a shorter one, {trial_balance.longer} a longer one."
            self.app.tell(self.app.with_keys(f"There is no period that way: {lengths}"))
        await self._choose(period)

    def action_choose_period(self) -> None:
        self.run_worker(self._ask_period(), group="question", exclusive=True)

    async def _ask_period(self) -> None:
        today = self._today()

        def check(answer: str) -> str | None:
            try:
                parse_period(answer, today)
            except ParseError as error:
                return str(error)
            return None

        hint = "Both days count, and when it happened, not when it was recorded. Empty is all."
        answer = await self.app.push_screen_wait(
            Ask(
                "Show which period",
                hint=hint,
                value="" if self.period == ALL else self.period.label,
                placeholder="2024   2024q3   2024-07   2023-07-01 2024-06-30   last month",
                does="show it",
                check=check,
            )
        )
        if answer is not None:
            await self._choose(parse_period(answer, today))

    # Showing

    async def _show(self, *, reset: bool) -> None:
        totals = trial_totals(self.figures, self.turnover)
        statement = self._statement()
        page = Page(self.size.width, self.app.precision, self.app.natural_signs)
        if self.view == VIEWS[0]:
            shown = [one for one in self.figures if one.moved or self.empty]
            written = await page.trial_balance(shown, totals, by_days=self.period != ALL)
        else:
            written = page.statement(statement) if statement is not None else Written(STATEMENT_COLUMNS)
        self.targets = written.targets
        table = self.table
        if table.columns != list(written.columns):
            table.set_columns(written.columns)
        period = f"-{self.period.label}" if self.period != ALL else ""
        table.export_name = f"{self._book or 'ledger'}-{self.view.replace(' ', '-')}{period}"
        table.empty = self._nothing()
        table.set_rows(written.rows, cursor=0 if reset else None)
        self._show_title(self._result(totals, statement))
        self.call_after_refresh(self._show_detail)

    def _statement(self) -> Statement | None:
        """The balance sheet or the income statement, where one of them is shown."""
        if self.view == VIEWS[0] or not any(one.moved for one in self.figures):
            return None
        make = balance_sheet if self.view == VIEWS[1] else income_statement
        return make(self.figures, empty=self.empty)

    @on(VirtualTable.Highlighted)
    def _show_detail(self) -> None:
        """All of the row under the cursor, where the table has no room for it."""
        table, told = self.table, []
        cut = bool(table.cut_columns(table.cursor))
        for column, cell in zip(table.columns, table.row_at(table.cursor) or (), strict=False):
            text = value_of(cell)
            if column.align == "right" and isinstance(cell, Cell):
                text = f"{column.title} {group_plain(text)}"
                cut = cut or cell.text.rstrip().endswith(ELLIPSIS)
            if text:
                told.append(printable(text.strip()))
        self.query_one(RowDetail).show(" · ".join(told) if cut else "")

    def _nothing(self) -> str:
        info = self.app.books.get(self._book or "")
        by_then = any(figures.info.postings for figures in self.figures)
        if self.app.instant is not None and not by_then and info is not None and info.transactions:
            return self.app.with_keys(
                "Nothing had been recorded here by then: what this book holds was recorded later. "
                "Press {app.escape} for now, where {trial_balance.period} goes by the days on which things happened."
            )
        if self.period == ALL:
            return self.app.nothing_posted(self._book, "Nothing has been posted here yet.")
        return f"Nothing stands or happened here, {self.period.label}. " + self.app.with_keys(
            "Press {trial_balance.previous} or {trial_balance.next} for another period, "
            "{trial_balance.period} to name one, {trial_balance.longer} for a longer one."
        )

    def _show_title(self, told: list[str]) -> None:
        """The names of all statements, and the first of what is `told` that leaves them room.

        Where none does the period alone, or the statement's name: both stand in the way one came, too.
        """
        title, room = self.query_one("#trial-title", PaneTitle), self.size.width - TITLE_MARGINS
        when = [self.period.label] if self.period != ALL else []
        if self.app.instant is not None and self.size.width >= KIND_WIDTH:
            when.append(f"as of {self.app.instant.label}")
        names = "  ".join(map(self._named, VIEWS)) + (f"  │  {' '.join(when)}" if when else "")
        name = self.period.label if self.period != ALL else self.view.capitalize()
        for left, chosen in ((names, self._named(self.view)), (name, "")):
            for right in told:
                if cell_len(left) + cell_len(right) <= room:
                    title.show(left, right, chosen=chosen)
                    return
        title.show(name, told[-1])

    def _named(self, view: str) -> str:
        return f"[{view}]" if view == self.view else view

    def _result(self, totals: list[AssetTotal], statement: Statement | None) -> list[str]:
        """What is to be told first: in full, then in fewer and fewer words."""
        if not totals:
            return [""]
        wrong = [total.asset for total in totals if not total.proved]
        if wrong:
            said = f"✗ {printable(', '.join(wrong), 40)} does not balance: "
            return [said + self.app.with_keys("verify the book ({app.storage})")]
        return proof(totals, statement, self.app.precision)

    # Keys

    def _target(self, row: int) -> AccountId | None:
        return self.targets[row] if row < len(self.targets) else None

    @on(VirtualTable.Opened)
    async def open_account(self, event: VirtualTable.Opened) -> None:
        target = self._target(event.row)
        if target is not None:
            await self.app.open_register(target, self.period.begin)

    async def action_next_view(self) -> None:
        await self._choose_view(VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)])

    async def _choose_view(self, view: str) -> None:
        self.view = view
        self.app.settings.layout["statement"] = view
        if self._figures_for == self.period:
            await self._show(reset=True)
        self.refresh_chrome()

    @on(PaneTitle.Clicked)
    async def choose_view(self, event: PaneTitle.Clicked) -> None:
        """The statement that was clicked; where only one is named, the next."""
        if not event.title.chosen:
            await self.action_next_view()
            return
        begin = 0
        for view in VIEWS:
            end = begin + len(self._named(view))
            if begin <= event.at < end:
                await self._choose_view(view)
                return
            begin = end + 2

    async def action_toggle_empty(self) -> None:
        self.app.settings.layout["statement_empty"] = self.empty = not self.empty
        if self._figures_for == self.period:
            await self._show(reset=False)

    def on_resize(self, event: events.Resize) -> None:
        if self.figures and self._figures_for == self.period:
            self.call_later(self._show, reset=False)
