"""The register of a branch of the chart: its accounts' postings of one asset in the order of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from store import AccountInfo, TransactionPosted

from ..events.text import signed_minor
from ..formatting import format_date, printable
from .columns import Cell, Column
from .register import COLUMNS, RegisterRow, day_of, money, words_cell
from .shell import Shell

MOST_ROWS = 50_000
"""Branches with more postings are not merged: their single registers open at once, a merge would not."""

ROWS_AT_A_TIME = 500

BRANCH_COLUMNS = tuple(
    Column("account", "account", min_width=8, max_width=400, flex=2, drop=4)
    if column.id == "with"
    else column
    for column in COLUMNS
)


class _Change(NamedTuple):
    """A posting of the branch, debit-positive, in minor units."""

    seq: int
    place: int
    minor: int


def branch_rows(infos: Sequence[AccountInfo]) -> int:
    return sum(info.postings for info in infos)


class BranchSource:
    """Rows of several accounts of one book and asset. `sign` -1 shows credits as positive."""

    def __init__(self, shell: Shell, infos: Sequence[AccountInfo], *, sign: int) -> None:
        self.shell = shell
        self.infos = list(infos)
        self.sign = sign
        self.book = infos[0].definition.id.book
        self.precision = shell.precision(infos[0].definition.asset)
        self.taken = [0] * len(self.infos)
        self.taking = asyncio.Lock()
        self.changes: list[_Change] = []
        self.balances: list[int] = []

    async def take(self, infos: Sequence[AccountInfo]) -> int:
        """Take in what `infos`, of the same accounts and order, count beyond what is here; the rows now."""
        async with self.taking:
            await self._take(infos)
        return len(self.changes)

    async def _take(self, infos: Sequence[AccountInfo]) -> None:
        fresh: list[_Change] = []
        for place, info in enumerate(infos):
            while self.taken[place] < info.postings:
                limit = min(ROWS_AT_A_TIME, info.postings - self.taken[place])
                rows = await self.shell.store.posting_rows(info.definition.id, self.taken[place], limit)
                if not rows:
                    break
                self.taken[place] += len(rows)
                fresh.extend(_Change(row.seq, place, signed_minor(row)) for row in rows)
                await asyncio.sleep(0)
        fresh.sort(key=lambda change: change.seq)
        if fresh:
            before = self.balances[-1] if self.balances else 0
            self.balances.extend(
                accumulate((change.minor for change in fresh[1:]), initial=before + fresh[0].minor)
            )
            self.changes.extend(fresh)

    async def fetch(self, start: int, limit: int) -> Sequence[RegisterRow]:
        changes = self.changes[start : start + limit]
        seqs = list(dict.fromkeys(change.seq for change in changes))
        events = {event.seq: event for event in await self.shell.store.events_at(self.book, seqs)}
        rows = []
        for number, change in enumerate(changes, start):
            event = events.get(change.seq)
            date: Cell | str = ""
            description: Cell | str = ""
            if event is not None and isinstance(event.event, TransactionPosted):
                transaction = event.event.transaction
                date, description = day_of(transaction, self.shell.zone), words_cell(transaction)
            elif event is not None:
                date = format_date(event.at, self.shell.zone)
            path = self.infos[change.place].definition.id.path
            rows.append(
                RegisterRow(
                    date=date,
                    description=description,
                    others=Cell(printable(path.rsplit(":", 1)[-1], 100), "dim", path),
                    amount=money(self.sign * change.minor, self.precision, signed=True),
                    balance=money(self.sign * self.balances[number], self.precision),
                    seq=change.seq,
                )
            )
        return rows
