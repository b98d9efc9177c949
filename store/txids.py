"""Which transaction ids a book has used.

The ids stand in the book's columns, so nothing holds them a second time. Bloom filters over the columns tell of a
new id that it was never used, but for one in 100,000; for such a one, and for ids that were used, the columns are
searched, which takes a millisecond a chunk for one id, and a few for a thousand.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from struct import Struct

from rbloom import Bloom

from .columns import CHUNK_EVENTS, Chunk
from .offload import Pace
from .state import BookState

FALSE_POSITIVES = 0.00001
_FILTER_LEAST, _FILTER_MOST, _FILTER_GROWTH = 2**10, 2**22, 7
"""A filter cannot grow: when all are full, one for so many times as many ids as they hold is added."""
_SEARCHED_AT_ONCE = 4096
_RECENT_MOST = 1024
_ID = Struct("16s")
_FEW = 4
"""So many ids are searched for one by one, more in one pass."""


class TransactionIds:
    """The ids among the events of a book's state, as far as `take` and after it `note` have come."""

    def __init__(self, state: BookState) -> None:
        self._state = state
        self._filters: list[Bloom] = []
        self._room = 0
        """How many more events the newest filter is made for."""
        self._taken = 0
        """The last seq whose id is in a filter."""
        self._recent: set[bytes] = set()
        """The ids of later events: a filter takes one about as fast as twenty."""
        self._known = 0
        """The last seq whose id is in either."""

    def take(self, most: int) -> int:
        """Take in `most` of the events that were applied since, or as many as there are; how many."""
        state, before = self._state, self._taken
        end = min(before + most, state.last_seq)
        while self._taken < end:
            if not self._room:
                left = state.last_seq - self._taken
                usual = min(_FILTER_MOST, _FILTER_GROWTH * self._taken)
                self._room = max(_FILTER_LEAST, usual, left + left // 4)
                self._filters.append(Bloom(self._room, FALSE_POSITIVES))
            number, start = divmod(self._taken, CHUNK_EVENTS)
            count = min(end - self._taken, self._room, CHUNK_EVENTS - start)
            self._filters[-1].update(_each(state.chunks[number].txids(start, count)))
            self._taken += count
            self._room -= count
        self._known = max(self._known, end)
        return end - before

    def note(self, txids: Sequence[bytes]) -> None:
        """These are the ids of the events just applied, after all before them became known."""
        self._recent.update(txids)
        self._known = self._state.last_seq
        if len(self._recent) >= _RECENT_MOST:
            self.take(self._known - self._taken)
            self._recent.clear()

    def perhaps_used(self, txids: Sequence[bytes]) -> set[bytes]:
        """Those of some ids that may have been used; all others surely were not by what is known."""
        found = self._recent.intersection(txids)
        found.update(txid for bloom in self._filters for txid in txids if txid in bloom)
        return found

    async def used_among(self, txids: Collection[bytes]) -> set[bytes]:
        """Those of some ids that were used."""
        if len(txids) <= _FEW:
            return {txid for txid in txids if await find_txid(self._state, txid) is not None}
        wanted, used = set(txids), set[bytes]()
        pace = Pace()
        for chunk in self._state.chunks:
            for start in range(0, len(chunk.at), _SEARCHED_AT_ONCE):
                for txid in wanted.intersection(_each(chunk.txids(start, _SEARCHED_AT_ONCE))):
                    if _seq_of(self._state, chunk, start, txid) is not None:
                        used.add(txid)
                    if pace.due:
                        await pace.rest()
                if pace.due:
                    await pace.rest()
        return used

    async def find(self, txid: bytes) -> int | None:
        """The seq of a transaction."""
        if self._known == self._state.last_seq and not self.perhaps_used([txid]):
            return None
        return await find_txid(self._state, txid)


def _each(ids: array[int]) -> list[bytes]:
    return [txid for (txid,) in _ID.iter_unpack(ids)]


async def find_txid(state: BookState, txid: bytes) -> int | None:
    """The seq of a transaction, looked for in the columns, newest first."""
    pace = Pace()
    for chunk in reversed(state.chunks):
        for start in reversed(range(0, len(chunk.at), _SEARCHED_AT_ONCE)):
            seq = _seq_of(state, chunk, start, txid)
            if seq is not None:
                return seq
            if pace.due:
                await pace.rest()
    return None


def _seq_of(state: BookState, chunk: Chunk, start: int, txid: bytes) -> int | None:
    """The seq of a transaction, if it is among the events of a chunk from `start` on that are searched at once."""
    data = chunk.txids(start, _SEARCHED_AT_ONCE).tobytes()
    at = data.find(txid)
    while at >= 0:
        place, beside = divmod(at, _ID.size)
        seq = chunk.base_seq + start + place
        if not beside and state.is_transaction(seq):
            return seq
        at = data.find(txid, at + _ID.size - beside)
    return None
