"""What each account of a book turned over on each day things happened, added up from the book's events.

The store answers for instants of the log; a bookkeeper's period goes by when something happened, which may be
years before it was recorded. So the events are folded once, page by page, and sums by day are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, MutableSequence
from datetime import date, tzinfo
from typing import TYPE_CHECKING

from store import AccountInfo, Direction, Sequenced, TransactionPosted

from ..formatting import occurred_day
from .period import Period
from .statement import AccountFigures

if TYPE_CHECKING:
    from store import Store

PAGE_EVENTS = 256
"""Events of a step; the loop has its turn after each."""


class DayTurnover:
    """One account's debits and credits by day, in minor units: twenty bytes a day on which it moved."""

    __slots__ = ("_credits", "_days", "_debits")

    def __init__(self) -> None:
        self._days = array("i")
        self._debits: MutableSequence[int] = array("q")
        self._credits: MutableSequence[int] = array("q")

    def add(self, day: int, minor: int, side: Direction) -> None:
        """Count `minor` on a day, as its proleptic ordinal; negative takes it away again."""
        days = self._days
        at = len(days) - 1
        if at < 0 or days[at] != day:
            at = bisect_left(days, day)
            if at == len(days) or days[at] != day:
                days.insert(at, day)
                self._debits.insert(at, 0)
                self._credits.insert(at, 0)
        if side is Direction.DEBIT:
            self._debits = _added(self._debits, at, minor)
        else:
            self._credits = _added(self._credits, at, minor)

    def before(self, day: date) -> int:
        """The debit-positive balance at the beginning of a day."""
        debits, credits = self._sums(0, bisect_left(self._days, day.toordinal()))
        return debits - credits

    def within(self, period: Period) -> tuple[int, int]:
        """Debits and credits of a period."""
        low = 0 if period.begin is None else bisect_left(self._days, period.begin.toordinal())
        high = len(self._days) if period.end is None else bisect_right(self._days, period.end.toordinal())
        return self._sums(low, high)

    def _sums(self, low: int, high: int) -> tuple[int, int]:
        return sum(self._debits[low:high]), sum(self._credits[low:high])


def _added(sums: MutableSequence[int], at: int, minor: int) -> MutableSequence[int]:
    """`sums` with `minor` added to one: eight bytes each until one needs more."""
    try:
        sums[at] += minor
    except OverflowError:
        sums = list(sums)
        sums[at] += minor
    return sums


class DatedTurnover:
    """The turnover by day of every account of a book, of its events 1 to `seq`.

    `zone` is where a moment becomes a day. Leaving a fold unfinished loses nothing: the next step goes on.
    """

    def __init__(self, book: str, zone: tzinfo) -> None:
        self.book, self.zone = book, zone
        self.seq = 0
        self._accounts: dict[str, DayTurnover] = {}

    async def step(self, store: Store, seq: int) -> None:
        """Come one page closer to `seq`, forwards or back, or begin anew where that is shorter."""
        if seq >= self.seq:
            events = await store.read_events(self.book, self.seq + 1, min(PAGE_EVENTS, seq - self.seq))
            self._fold(events, 1)
            self.seq = events[-1].seq if events else seq
            return
        if seq < self.seq - seq:
            self.seq = 0
            self._accounts.clear()
            return
        low = max(seq, self.seq - PAGE_EVENTS)
        self._fold(await store.read_events(self.book, low + 1, self.seq - low), -1)
        self.seq = low

    def _fold(self, events: Iterable[Sequenced], sign: int) -> None:
        accounts = self._accounts
        for event in events:
            if not isinstance(event.event, TransactionPosted):
                continue
            transaction = event.event.transaction
            day = occurred_day(transaction.occurred_at, self.zone).toordinal()
            for posting in transaction.postings:
                turnover = accounts.get(posting.account.path)
                if turnover is None:
                    turnover = accounts[posting.account.path] = DayTurnover()
                turnover.add(day, sign * posting.amount.minor, posting.direction)

    def figures(self, info: AccountInfo, period: Period) -> AccountFigures:
        """What an account did in a period, and what it had before."""
        turnover = self._accounts.get(info.definition.id.path)
        if turnover is None:
            return AccountFigures(info, 0, 0, 0)
        debits, credits = turnover.within(period)
        opening = 0 if period.begin is None else turnover.before(period.begin)
        return AccountFigures(info, opening, debits, credits)
