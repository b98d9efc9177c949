"""The events that meet a filter, as rows: found from the newest backwards, extended by what arrives."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from .feed import EventFeed, Position, epoch_micros
from .filter import Filter
from .text import BookEvent

if TYPE_CHECKING:
    from store import Sifted

BITE_EVENTS = 4_096
"""How far one step of the scan goes: where all match, letting go of more events at once would be felt."""

SLICE_EVENTS = 64
"""How many events are tested before the loop has its turn."""

_SEQ_BITS = 40


class MatchedFeed:
    """Rows below 0 are matches that were there when the scan began, newest last; from 0 on what arrived.

    Kept are 16 bytes a match. `feed` must have been refreshed.
    """

    def __init__(self, feed: EventFeed, filter: Filter) -> None:
        self.feed = feed
        self.filter = filter
        self._start = dict(feed.heads)
        self._low = dict(feed.heads)
        self._high = dict(feed.heads)
        self._bases: dict[str, int] = {}
        """What stands above the seq of a book's matches: its number."""
        self._older = _Matches()
        self._newer = _Matches()
        self._scanned_to: int | None = None

    @property
    def first(self) -> int:
        return -len(self._older)

    @property
    def end(self) -> int:
        return len(self._newer)

    @property
    def position(self) -> Position:
        return dict(self._high)

    def end_at(self, position: Position) -> int:
        def is_after(row: int) -> bool:
            book, seq = self._id(row)
            return seq > position.get(book, 0)

        return self.first + bisect_left(range(self.first, self.end), True, key=is_after)

    @property
    def held(self) -> int:
        return self.end

    def hold(self) -> None:
        """Matches stay in the order in which they were found."""

    def release(self) -> None:
        """There is nothing to release."""

    @property
    def matches(self) -> int:
        return len(self._older) + len(self._newer)

    @property
    def scanned(self) -> int:
        """Events that have been tested."""
        return sum(self._high.values()) - sum(self._low.values())

    @property
    def total(self) -> int:
        return sum(self._high.values())

    @property
    def is_complete(self) -> bool:
        """Whether all of history has been tested."""
        return not any(self._low.values())

    def has_reached(self, at: datetime) -> bool:
        """Whether everything committed at or after a time has been tested."""
        return self.is_complete or (self._scanned_to is not None and self._scanned_to < epoch_micros(at))

    async def step(self) -> None:
        """Test the next bite of history, from the newest backwards."""
        left = sum(self._low.values())
        if not left:
            return
        low = await self.feed.locate({}, self._start, max(0, left - BITE_EVENTS))
        found = await self._matches_between(low, self._low)
        reached = await self.feed.earliest(low, self._low)
        found.reverse()
        self._older.extend(found)
        self._low = low
        if reached is not None:
            self._scanned_to = epoch_micros(reached)

    async def _matches_between(self, begin: Position, finish: Position) -> _Matches:
        """What matches after one position up to another, in merged order."""
        finish = {book: stop for book, stop in finish.items() if self.filter.may_match_in(book)}
        sifted = await self.feed.sifted(begin, finish, self.filter.sieve)
        found = _Matches()
        for at in range(0, len(sifted), SLICE_EVENTS):
            self._take(found, sifted[at : at + SLICE_EVENTS])
            await asyncio.sleep(0)
        return found

    @property
    def waiting(self) -> int:
        """Events that have arrived and are not tested yet."""
        return sum(self.feed.heads.values()) - sum(self._high.values())

    async def catch_up(self) -> bool:
        """Test the next bite of what has arrived, every event once; whether there is more."""
        heads = dict(self.feed.heads)
        waiting = self.waiting
        if not waiting:
            return False
        upto = heads
        if waiting > BITE_EVENTS:
            upto = await self.feed.locate(self._high, heads, BITE_EVENTS)
        self._newer.extend(await self._matches_between(self._high, upto))
        self._high = upto
        return self.waiting > 0

    async def rows(self, start: int, stop: int) -> list[BookEvent]:
        wanted = [self._id(row) for row in range(start, stop)]
        seqs: dict[str, list[int]] = {}
        for book, seq in wanted:
            seqs.setdefault(book, []).append(seq)
        found: dict[tuple[str, int], BookEvent] = {}
        for book, of_book in seqs.items():
            found.update((event.id, event) for event in await self.feed.events_at(book, of_book))
        return [found[id] for id in wanted]

    async def row_of(self, book: str, seq: int) -> int:
        events = await self.feed.events_at(book, [seq])
        if not events:
            return self.end
        row = await self.row_at(events[0].sequenced.at)
        key = events[0].merge_key
        while row < self.end and self._micros(row) == epoch_micros(key[0]) and self._id(row) < (book, seq):
            row += 1
        return row

    async def row_at(self, at: datetime) -> int:
        rows = range(self.first, self.end)
        return self.first + bisect_left(rows, epoch_micros(at), key=self._micros)

    def _take(self, matches: _Matches, sifted: Iterable[tuple[str, Sifted]]) -> None:
        """Keep those that match."""
        admits, bases = self.filter.admits, self._bases
        at: datetime | None = None
        micros = 0
        for book, each in sifted:
            if not admits(book, each):
                continue
            if each.at is not at:  # a whole batch shares it
                at, micros = each.at, epoch_micros(each.at)
            if book not in bases:
                bases[book] = len(bases) << _SEQ_BITS
            matches.codes.append(bases[book] | each.seq)
            matches.micros.append(micros)

    def _id(self, row: int) -> tuple[str, int]:
        code = self._newer.codes[row] if row >= 0 else self._older.codes[-1 - row]
        return list(self._bases)[code >> _SEQ_BITS], code & ((1 << _SEQ_BITS) - 1)

    def _micros(self, row: int) -> int:
        return self._newer.micros[row] if row >= 0 else self._older.micros[-1 - row]


class _Matches:
    """Which events, and when they were committed, in the order of their finding."""

    def __init__(self) -> None:
        self.codes = array("Q")
        self.micros = array("q")

    def __len__(self) -> int:
        return len(self.codes)

    def extend(self, others: _Matches) -> None:
        self.codes.extend(others.codes)
        self.micros.extend(others.micros)

    def reverse(self) -> None:
        self.codes.reverse()
        self.micros.reverse()
