"""Which transaction ids a book has used.

The ids stand in the book's columns, so nothing holds them a second time. Bloom filters over the columns tell of a
new id that it was never used, but for one in 100,000; for such a one, and for ids that were used, the columns are
searched, which takes a millisecond a chunk.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import xor

from rbloom import Bloom

from .columns import CHUNK_EVENTS, MASK64
from .offload import Pace
from .state import BookState

FALSE_POSITIVES = 0.00001
_FIRST_FILTER = 2**15
_GROWTH = 3
"""A filter cannot grow: when all are full, one for three times as many ids as they hold is added."""


class TransactionIds:
    """The ids among the events of a book's state, as far as `take` has come."""

    def __init__(self, state: BookState) -> None:
        self._state = state
        self._filters: list[Bloom] = []
        self._room = 0
        """How many more events the newest filter is made for."""
        self._taken = 0
        """The last seq whose id is in a filter."""

    def take(self, most: int) -> int:
        """Take in `most` of the events that were applied since, or as many as there are; how many."""
        state, before = self._state, self._taken
        end = min(before + most, state.last_seq)
        while self._taken < end:
            if not self._room:
                self._room = max(_FIRST_FILTER, _GROWTH * self._taken, state.last_seq - self._taken)
                self._filters.append(Bloom(self._room, FALSE_POSITIVES))
            number, start = divmod(self._taken, CHUNK_EVENTS)
            count = min(end - self._taken, self._room, CHUNK_EVENTS - start)
            halves = state.chunks[number].txid[2 * start : 2 * (start + count)]
            self._filters[-1].update(map(xor, halves[::2], halves[1::2]))
            self._taken += count
            self._room -= count
        return end - before

    def perhaps_used(self, txids: Sequence[int]) -> list[bool]:
        """For each id False when it was surely not used by what was taken in."""
        folded = [txid >> 64 ^ txid & MASK64 for txid in txids]
        found = [False] * len(folded)
        for bloom in self._filters:
            found = [was or number in bloom for was, number in zip(found, folded, strict=True)]
        return found

    async def find(self, txid: int) -> int | None:
        """The seq of a transaction."""
        all_taken = self._taken == self._state.last_seq
        if all_taken and not any(self.perhaps_used([txid])):
            return None
        return await find_txid(self._state, txid)


async def find_txid(state: BookState, txid: int) -> int | None:
    """The seq of a transaction, looked for in the columns, newest first."""
    wanted = array("Q", [txid >> 64, txid & MASK64]).tobytes()
    pace = Pace()
    for chunk in reversed(state.chunks):
        data = chunk.txid.tobytes()
        at = data.find(wanted)
        while at >= 0:
            place, beside = divmod(at, len(wanted))
            if not beside and state.is_transaction(chunk.base_seq + place):
                return chunk.base_seq + place
            at = data.find(wanted, at + 1)
        if pace.due:
            await pace.rest()
    return None
