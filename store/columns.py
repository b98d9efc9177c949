"""Columns of events and of their postings' rows: a posting takes a few numbers, not an object."""

from __future__ import annotations

import sys
from array import array

CHUNK_EVENTS = 65_536
"""No array grows larger than what so many events need, so that its growth is never felt."""

INT64_END = 2**63
MASK64 = 2**64 - 1


class Column:
    """Integers of any size, 8 bytes each until one needs more."""

    __slots__ = ("high", "low")

    def __init__(self) -> None:
        self.low = array("q")
        self.high: array[int] | list[int] | None = None
        """What is above the low 64 bits; a list once cumulated debits outgrow 128 bits."""

    def extend(self, values: list[int]) -> None:
        if self.high is None:
            try:
                self.low.fromlist(values)  # all of them or none
                return
            except OverflowError:
                pass
        for value in values:
            self._append_wide(value)

    def _append_wide(self, value: int) -> None:
        if self.high is None:
            self.high = array("q", [-1 if x < 0 else 0 for x in self.low])
        low = value & MASK64
        self.low.append(low - 2**64 if low >= INT64_END else low)
        high = value >> 64
        if type(self.high) is array and not -INT64_END <= high < INT64_END:
            self.high = self.high.tolist()
        self.high.append(high)

    def __getitem__(self, i: int) -> int:
        if self.high is None:
            return self.low[i]
        return (self.high[i] << 64) | (self.low[i] & MASK64)


class Chunk:
    """Columns of up to `CHUNK_EVENTS` consecutive events and of their postings' rows."""

    __slots__ = (
        "at",
        "base_row",
        "base_seq",
        "offset",
        "print8",
        "row_account",
        "row_debits",
        "row_event",
        "row_net",
        "txid",
    )

    def __init__(self, base_seq: int, base_row: int) -> None:
        self.base_seq, self.base_row = base_seq, base_row
        self.at = array("q")
        self.offset = array("Q")
        self.txid = array("Q")
        """Two numbers an event, high half first; zeros for what is no transaction."""
        self.print8 = array("Q")
        self.row_event = array("H")
        self.row_account = array("I")
        self.row_net = Column()
        """The account's balance after the row."""
        self.row_debits = Column()
        """The account's cumulated debits after the row."""

    def add_ids(self, txids: bytes, prints: bytes) -> None:
        """The next events' transaction ids, 16 bytes each, and fingerprints, 8 bytes each; else zeros."""
        for column, data in ((self.txid, txids), (self.print8, prints)):
            column.extend(_big_endian(array("Q", data)))

    def txids(self, start: int, count: int) -> array[int]:
        """The transaction ids of up to `count` events from place `start` on: a buffer, 16 bytes each."""
        return _big_endian(self.txid[2 * start : 2 * (start + count)])

    def txid_of(self, i: int) -> int:
        return self.txid[2 * i] << 64 | self.txid[2 * i + 1]


def _big_endian(numbers: array[int]) -> array[int]:
    """`numbers`, its items' bytes turned round where they are stored in the other order."""
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
