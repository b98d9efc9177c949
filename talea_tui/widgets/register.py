"""An account's register: every posting with its running balance, any row at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, tzinfo
from typing import ClassVar, NamedTuple, cast

from store import (
    AccountId,
    AccountInfo,
    Direction,
    PostingRecord,
    Sequenced,
    StoredTransaction,
    StoreError,
    Transaction,
    TransactionPosted,
)

from ..events.text import description_of
from ..formatting import (
    format_amount,
    format_amount_plain,
    format_count,
    format_date,
    occurred_day,
    plural,
    printable,
)
from .chart import shown_sign
from .keys import bindings_for
from .row_pages import RowSource
from .shell import Instant, Shell
from .virtual_table import Cell, Column, VirtualTable, value_of

PROBED_ROWS, NEAR_ROWS = 9, 48
"""Rows of one look while searching for a day, and how far around its end is looked for that very day."""

ROWS_AT_A_TIME, SEARCHED_SILENTLY = 64, 20_000
"""Rows of one look at all of them, and how many are looked at without a word of it."""

COLUMNS = (
    Column("date", "date", min_width=10, max_width=10),
    Column("description", "description", min_width=10, max_width=400, flex=3, want=20),
    Column("with", "with", min_width=8, max_width=400, flex=2, drop=4, path=True),
    Column("amount", "amount", align="right", min_width=8, max_width=28, number=True, copied=True),
    Column("balance", "balance", align="right", min_width=8, max_width=28, drop=1, number=True),
    Column("seq", "seq", align="right", min_width=3, max_width=16, drop=6, least_room=90),
)

OTHER_SIDE: dict[Direction | None, Direction] = {
    Direction.DEBIT: Direction.CREDIT,
    Direction.CREDIT: Direction.DEBIT,
}
"""A clearing account has none."""


def day_of(transaction: Transaction, zone: tzinfo) -> str:
    """The day it happened, as it is shown."""
    return occurred_day(transaction.occurred_at, zone).isoformat()


class RegisterRow(list["Cell | str"]):
    """The cells of a posting in the order of `COLUMNS`, and the seq of its transaction."""

    def __init__(
        self,
        *,
        date: Cell | str,
        description: Cell | str,
        others: Cell | str,
        amount: Cell,
        balance: Cell,
        seq: int,
    ) -> None:
        number = Cell(format_count(seq), "dim", str(seq))
        super().__init__([date, description, others, amount, balance, number])
        self.seq = seq


def words_cell(transaction: Transaction) -> Cell:
    """What it is known by."""
    words = description_of(transaction)
    return Cell(words) if words else Cell(transaction.idempotency_key, "dim")


class RegisterSource:
    """Rows of one account from the store. `natural` shows more on the normal side as positive."""

    def __init__(self, shell: Shell, info: AccountInfo, *, natural: bool) -> None:
        self.shell = shell
        self.account: AccountId = info.definition.id
        self.precision = shell.precision(info.definition.asset)
        self.normal_side = info.config.normal_side or Direction.DEBIT
        self.other_side = OTHER_SIDE.get(info.config.normal_side)
        self.sign = shown_sign(info, natural=natural)

    async def fetch(self, start: int, limit: int) -> Sequence[RegisterRow]:
        store = self.shell.store
        postings = await store.posting_rows(self.account, start, limit)
        seqs = list(dict.fromkeys(posting.seq for posting in postings))
        events = {event.seq: event for event in await store.events_at(self.account.book, seqs)}
        return [self._row(posting, events.get(posting.seq)) for posting in postings]

    def _row(self, posting: PostingRecord, event: Sequenced | None) -> RegisterRow:
        change = posting.amount.minor if posting.direction is self.normal_side else -posting.amount.minor
        balance = posting.balance_after.minor
        date, description, others = self._words(posting, event)
        return RegisterRow(
            date=date,
            description=description,
            others=others,
            amount=money(self.sign * change, self.precision, signed=True),
            balance=money(
                self.sign * balance, self.precision, wrong_side=self.other_side if balance < 0 else None
            ),
            seq=posting.seq,
        )

    def _words(
        self, posting: PostingRecord, event: Sequenced | None
    ) -> tuple[Cell | str, Cell | str, Cell | str]:
        if event is None or not isinstance(event.event, TransactionPosted):
            return format_date(posting.at, self.shell.zone), "", ""
        transaction = event.event.transaction
        return (
            day_of(transaction, self.shell.zone),
            words_cell(transaction),
            counter_accounts(transaction, posting.account, posting.direction),
        )


def counter_accounts(transaction: Transaction, account: AccountId, direction: Direction) -> Cell:
    """The accounts on the other side."""
    others = [one for one in transaction.postings if one.account != account]
    opposite = [one for one in others if one.direction is not direction] or others
    paths = list(dict.fromkeys(one.account.path for one in opposite))
    return Cell(", ".join(printable(path, 100) for path in paths[:8]), "dim", ", ".join(paths))


def money(minor: int, precision: int, *, signed: bool = False, wrong_side: Direction | None = None) -> Cell:
    """An amount for a table, grouped, with a true minus; set off and named when its side is not its account's."""
    shown = precision if minor else min(precision, 2)
    text = format_amount(minor, shown, sign="plus" if signed else "minus")
    tone = "negative" if wrong_side else "dim" if minor == 0 else ""
    if wrong_side is not None:
        text = f"{'Dr' if wrong_side is Direction.DEBIT else 'Cr'} {text}"
    return Cell(text, tone, format_amount_plain(minor, precision))


class _Shown(NamedTuple):
    """Which rows are shown, told how, and as of when."""

    of: AccountId
    """An account, or the branch of this path."""
    told: object
    instant: Instant | None


class _Place(NamedTuple):
    """Where one was among the rows of an account or a branch."""

    of: AccountId
    cursor: int
    top: int
    following: bool


class Register(VirtualTable):
    """The register of the account it was last given."""

    BINDINGS: ClassVar = bindings_for("register")
    DATED: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, id=id, empty="")
        self.info: AccountInfo | None = None
        self.book: str | None = None
        self._shown: _Shown | None = None
        self._left: _Place | None = None

    def show(self, info: AccountInfo | None, *, natural: bool) -> None:
        """Show an account as far as `info` counts its postings; the same one again only grows."""
        self.info = info
        if info is None:
            self._leave()
            if self._shown is not None:
                self._shown = None
                self.set_rows([])
            self.refresh()
            return
        account = info.definition.id
        self.book = account.book
        source = RegisterSource(cast(Shell, self.app), info, natural=natural)
        self._show(account, natural, source, info.postings, COLUMNS)

    def show_branch(
        self, path: str, book: str, source: RowSource, count: int, columns: Sequence[Column]
    ) -> None:
        """Show the rows of all accounts under `path`; the same source again only grows."""
        self.info, self.book = None, book
        self._show(AccountId(book=book, path=path), source, source, count, columns)

    def _show(
        self, of: AccountId, told: object, source: RowSource, count: int, columns: Sequence[Column]
    ) -> None:
        """Show the rows of an account or a branch. From the past one comes back to the place that one left."""
        shell = cast(Shell, self.app)
        self.empty = shell.nothing_posted(of.book)
        before, shown = self._shown, _Shown(of, told, shell.instant)
        if shown == before and count >= self.count:
            self.grow(count)
            return
        self._leave()
        self._shown = shown
        self.export_name = f"{of.book}-{of.path}"
        if self.columns != list(columns):
            self.set_columns(columns)
        left = self._left if shell.instant is None and self._left and self._left.of == of else None
        if left is not None and not left.following:
            self.set_source(source, count, cursor=left.cursor)
            self.set_scroll_top(left.top)
        elif shell.instant is not None and before is not None and before.of == of:
            self.set_source(source, count, cursor=max(0, min(self.cursor, count - 1)))
        else:
            self.set_source(source, count, cursor=max(0, count - 1))

    def _leave(self) -> None:
        """Remember where one is, if that is now."""
        if self._shown is not None and self._shown.instant is None:
            following = self.cursor == self.count - 1
            self._left = _Place(self._shown.of, self.cursor, self.scroll_top, following)

    async def row_on(self, day: date) -> int | None:
        """The first row of `day`, else of the next day that has one; None when there is none that late.

        Rows stand in the order in which they were recorded. Days mostly follow that, so it is looked first where
        they would have `day`; where that is not there, every row is looked at.
        """
        wanted, low, high = day.isoformat(), 0, self.count
        while high - low > PROBED_ROWS:
            middle = (low + high) // 2
            days = sorted(await self._days(middle, PROBED_ROWS))
            if days and days[len(days) // 2] < wanted:
                low = middle + 1
            else:
                high = middle
        first = max(0, low - NEAR_ROWS)
        near = await self._days(first, 2 * NEAR_ROWS + PROBED_ROWS)
        return first + near.index(wanted) if wanted in near else await self._search(wanted)

    async def _search(self, wanted: str) -> int | None:
        """Like `row_on`, by every row; the loop has its turn after a few."""
        if self.count > SEARCHED_SILENTLY:
            cast(Shell, self.app).tell(f"Looking for {wanted} in {plural(self.count, 'row')}…")
        found: tuple[str, int] | None = None
        for start in range(0, self.count, ROWS_AT_A_TIME):
            days = await self._days(start, ROWS_AT_A_TIME)
            if wanted in days:
                return start + days.index(wanted)
            later = min(((day, row) for row, day in enumerate(days, start) if day > wanted), default=found)
            found = later if found is None or (later is not None and later < found) else found
            await asyncio.sleep(0)
        return None if found is None else found[1]

    async def _days(self, start: int, limit: int) -> list[str]:
        return [value_of(row[0]) for row in await self.source.fetch(start, limit)]

    async def _stored(self) -> StoredTransaction | None:
        """The transaction under the cursor, whole."""
        shell, seq = cast(Shell, self.app), self.seq_under_cursor()
        if seq is None or self.book is None:
            return None
        try:
            found = await shell.store.events_at(self.book, [seq])
        except StoreError as error:
            shell.refuse(error)
            return None
        if not found or not isinstance(found[0].event, TransactionPosted):
            return None
        return StoredTransaction(transaction=found[0].event.transaction, seq=seq, at=found[0].at)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("reverse", "correct", "duplicate") and not self.count:
            return False
        return super().check_action(action, parameters)

    async def action_reverse(self) -> None:
        if (stored := await self._stored()) is not None:
            await cast(Shell, self.app).start_reversal(stored)

    async def action_correct(self) -> None:
        if (stored := await self._stored()) is not None:
            await cast(Shell, self.app).start_reversal(stored, correct=True)

    async def action_duplicate(self) -> None:
        if (stored := await self._stored()) is not None:
            await cast(Shell, self.app).start_posting(like=stored)

    def seq_under_cursor(self) -> int | None:
        row = self.row_at(self.cursor)
        return row.seq if isinstance(row, RegisterRow) else None


def span(table: VirtualTable) -> str:
    """`1,198–1,204 of 1,204 rows`: which rows are visible, of how many."""
    if not table.count:
        return "no rows"
    first = table.scroll_top + 1
    last = min(table.count, table.scroll_top + table.visible_rows)
    return f"{first:,}–{last:,} of {plural(table.count, 'row')}"
