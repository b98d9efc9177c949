"""The events of one book, or of all books merged, as rows by number; all is asked of the store.

Merged rows stand by commit time, then book, then seq. Books commit independently, so an event may become
readable a moment after a later one of another book; `hold` pins what is there, so that such a straggler
takes its place after the pinned rows and moves none of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeAlias

from store import SYSTEM_BOOK

from .jump import just_before
from .text import BookEvent

if TYPE_CHECKING:
    from store import AsOf, Sequenced, Sieve, Sifted, Store

Position: TypeAlias = Mapping[str, int]
"""How many events of each book lie before a place in the stream."""

_PAGE_EVENTS = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def last_seq(store: Store, book: str) -> int:
    """The last seq of a book; 0 when there is no such book."""
    info = await store.book(book)
    return info.last_seq if info is not None else 0


async def event_pages(store: Store, book: str, last: int) -> AsyncIterator[list[Sequenced]]:
    """The events of a book from the first to seq `last`, some at a time."""
    seq = 1
    while seq <= last:
        page = await store.read_events(book, seq, min(_PAGE_EVENTS, last - seq + 1))
        yield page
        seq = page[-1].seq + 1


class Rows(Protocol):
    """What a view of events scrolls over: rows numbered from `first` to before `end`, which both may move.

    What a row holds never changes once it is held.
    """

    @property
    def first(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def position(self) -> Position:
        """What lies before `end`."""
        ...

    def end_at(self, position: Position) -> int:
        """Where `end` stood at an earlier position, as far as is known."""
        ...

    @property
    def held(self) -> int:
        """Rows before this one cannot change."""
        ...

    def hold(self) -> None:
        """Pin the rows there are: what comes later stands after them."""
        ...

    def release(self) -> None:
        """Pin nothing any more."""
        ...

    async def rows(self, start: int, stop: int) -> list[BookEvent]:
        """The rows from `start` to before `stop`, both within bounds."""
        ...

    async def row_of(self, book: str, seq: int) -> int:
        """The row of an event, or of the next one that is there; `end` when there is none."""
        ...

    async def row_at(self, at: datetime) -> int:
        """The first row committed at or after a time; `end` when there is none."""
        ...


class EventFeed:
    """Every event of `book`, or of all books and the registry when `book` is None, up to `as_of`."""

    def __init__(
        self, store: Store, book: str | None, as_of: Callable[[str], AsOf] = lambda book: None
    ) -> None:
        self._store = store
        self._as_of = as_of
        self.book = book
        self.heads: dict[str, int] = {} if book is None else {book: 0}
        self.last_at: datetime | None = None
        self._cuts: list[dict[str, int]] = []

    @property
    def first(self) -> int:
        return 0

    @property
    def end(self) -> int:
        return sum(self.heads.values())

    @property
    def position(self) -> Position:
        return dict(self.heads)

    def end_at(self, position: Position) -> int:
        return sum(position.values())

    async def refresh(self, changed: frozenset[str] | None = None) -> bool:
        """Learn how far the books have come (`changed`: only these); whether there is more than before."""
        before = self.end
        if self.book is not None:
            names = [self.book] if changed is None or self.book in changed else []
        elif changed is None:
            names = [info.name for info in await self._store.books()] + [SYSTEM_BOOK]
        else:
            names = sorted(changed)
        for name in names:
            head = await self._head(name)
            if head:
                self.heads[name] = head
        return self.end != before

    async def _head(self, name: str) -> int:
        info = await self._store.book(name)
        if info is None or not info.last_seq:
            return 0
        as_of = self._as_of(name)
        if as_of is None:
            if info.last_at is not None and (self.last_at is None or info.last_at > self.last_at):
                self.last_at = info.last_at
            return info.last_seq
        return min(info.last_seq, as_of if isinstance(as_of, int) else await self._store.seq_at(name, as_of))

    def hold(self) -> None:
        """Pin the rows there are: what comes later stands after them."""
        if len(self.heads) > 1 and (not self._cuts or self.end > sum(self._cuts[-1].values())):
            self._cuts.append(dict(self.heads))

    def release(self) -> None:
        """Let stragglers stand where their commit time puts them."""
        self._cuts.clear()

    @property
    def held(self) -> int:
        """Rows before this one cannot change."""
        if len(self.heads) <= 1:
            return self.end
        return sum(self._cuts[-1].values()) if self._cuts else 0

    async def rows(self, start: int, stop: int) -> list[BookEvent]:
        if len(self.heads) <= 1:
            for book in self.heads:
                return await self._read(book, start, stop)
            return []
        found: list[BookEvent] = []
        for low, high in self._groups():
            group_start, group_stop = sum(low.values()), sum(high.values())
            if start < group_stop and group_start < stop:
                begin = await self.locate(low, high, max(start, group_start) - group_start)
                finish = await self.locate(low, high, min(stop, group_stop) - group_start)
                found += await self.between(begin, finish)
        return found

    async def row_of(self, book: str, seq: int) -> int:
        if seq > self.heads.get(book, 0):
            return self.end
        if len(self.heads) <= 1:
            return max(0, seq - 1)
        events = await self._store.read_events(book, seq, 1)
        if not events:
            return self.end
        seq, at = events[0].seq, events[0].at
        for low, high in self._groups():
            if seq <= high.get(book, 0):
                row = sum(low.values()) + seq - 1 - low.get(book, 0)
                for other in high:
                    if other != book:
                        # Of what was committed at that very time, books earlier by name stand before it.
                        upto = at if other < book else just_before(at)
                        row += await self._count(other, upto, low, high)
                return row
        return self.end

    async def row_at(self, at: datetime) -> int:
        heads = dict(self.heads)
        return sum([await self._count(book, just_before(at), {}, heads) for book in heads])

    async def between(self, begin: Position, finish: Position) -> list[BookEvent]:
        """The events after one position up to another, in merged order."""
        found: list[BookEvent] = []
        for book, stop in finish.items():
            found += await self._read(book, begin.get(book, 0), stop)
        if len(finish) > 1:
            found.sort(key=lambda event: event.merge_key)
        return found

    async def sifted(self, begin: Position, finish: Position, sieve: Sieve) -> list[tuple[str, Sifted]]:
        """Those of the events after one position up to another that a sieve lets pass, in merged order."""
        found: list[tuple[str, Sifted]] = []
        for book, stop in finish.items():
            start = begin.get(book, 0)
            if start < stop:
                sifted = await self._store.sift(book, sieve, start + 1, stop)
                found += [(book, each) for each in sifted]
        if len(finish) > 1:
            found.sort(key=lambda each: (each[1].at, each[0], each[1].seq))
        return found

    async def earliest(self, begin: Position, finish: Position) -> datetime | None:
        """When the first of the events after one position up to another was committed; None when there is none."""
        times = []
        for book, stop in finish.items():
            if begin.get(book, 0) < stop:
                times += [event.at for event in await self._store.events_at(book, [begin.get(book, 0) + 1])]
        return min(times, default=None)

    async def locate(self, low: Position, high: Position, count: int) -> dict[str, int]:
        """The position after the first `count` events, in merged order, of those between `low` and `high`."""
        moving = [book for book, stop in high.items() if stop > low.get(book, 0)]
        if len(moving) <= 1:
            return {book: low.get(book, 0) + (count if book in moving else 0) for book in high}
        if count <= 0:
            return {book: low.get(book, 0) for book in high}
        if count >= sum(high[book] - low.get(book, 0) for book in moving):
            return dict(high)
        earliest, latest = 0, 0
        for book in moving:
            last = await self._store.read_events(book, high[book], 1)
            latest = max(latest, epoch_micros(last[0].at))
        while earliest < latest:
            middle = (earliest + latest) // 2
            if sum([await self._count(book, _moment(middle), low, high) for book in moving]) >= count:
                latest = middle
            else:
                earliest = middle + 1
        position = {book: low.get(book, 0) for book in high}
        for book in moving:
            position[book] += await self._count(book, _moment(earliest - 1), low, high)
        left = count - sum(position[book] - low.get(book, 0) for book in moving)
        for book in sorted(moving):
            there = low.get(book, 0) + await self._count(book, _moment(earliest), low, high)
            step = min(left, there - position[book])
            position[book] += step
            left -= step
        return position

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[BookEvent]:
        return [BookEvent(book, event) for event in await self._store.events_at(book, seqs)]

    def _groups(self) -> list[tuple[dict[str, int], dict[str, int]]]:
        edges: list[dict[str, int]] = [{}, *self._cuts, dict(self.heads)]
        return list(pairwise(edges))

    async def _count(self, book: str, upto: datetime, low: Position, high: Position) -> int:
        """Events of a book between two positions that were committed at or before a time."""
        start, stop = low.get(book, 0), high.get(book, 0)
        if start >= stop:
            return 0
        return min(max(await self._store.seq_at(book, upto), start), stop) - start

    async def _read(self, book: str, start: int, stop: int) -> list[BookEvent]:
        if start >= stop:
            return []
        return [
            BookEvent(book, event) for event in await self._store.read_events(book, start + 1, stop - start)
        ]


def epoch_micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
