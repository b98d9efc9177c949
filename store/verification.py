"""Reading a book's log again, byte by byte: `verify` and the background scrub."""

from __future__ import annotations

import asyncio
from array import array
from hashlib import sha256
from typing import Any

from .codec import (
    KIND_TRANSACTION,
    checked_postings,
    decode_event,
    decode_items_checked,
    decode_segment_header,
    read_prefix,
)
from .errors import CorruptLog, HeadMismatch
from .files import Files, read_all
from .frames import FRAME_HEAD_BYTES, read_frame
from .model import AccountOpened
from .offload import Offload, Pace
from .protocol import Progress
from .segments import FrameGroups, Segment, SegmentLog, checksum_of, segment_name
from .state import BookState


async def check_segment(
    files: Files,
    offload: Offload,
    log: SegmentLog,
    book: str,
    segment: Segment,
    stop: int,
    seq: int,
    each: Any,
) -> int:
    """Read a segment's frames up to byte `stop`, the first being `seq`; the seq after the last.

    `each(payload, offset, seq)` is told of every event. Raises CorruptLog, OSError.
    """
    name = segment_name(segment.base_seq)
    fd = await offload.run_to_end(log.open, segment, undo=files.close)
    pace = Pace()
    try:
        payload = read_frame(await offload.run(read_all, files, fd, 4096, 0), 0)
        header = decode_segment_header(payload) if payload is not None else None
        if payload is None or header is None or header[1:] != (book, segment.base_seq, segment.salt):
            raise CorruptLog(book, name, 0, "its header is damaged")
        end = FRAME_HEAD_BYTES + len(payload)
        async for start, payloads in FrameGroups(files, offload, fd, end, stop):
            offset = start
            for payload in payloads:
                prefix = read_prefix(payload)
                if prefix is None or prefix.salt != segment.salt or prefix.seq != seq:
                    raise CorruptLog(book, name, offset, f"seq {seq} is not what stands there")
                if each is not None:
                    each(payload, offset, seq)
                offset += FRAME_HEAD_BYTES + len(payload)
                seq += 1
            end = offset
            if not payloads:
                raise CorruptLog(book, name, offset, "a frame is damaged")
            if pace.due:
                await pace.rest()
        if end != stop:
            raise CorruptLog(book, name, end, "bytes are missing")
        if log.is_sealed(segment) and await offload.run(files.size, fd) != segment.bytes:
            raise CorruptLog(book, name, segment.bytes, "something stands behind its last frame")
    finally:
        files.close(fd)
    return seq


class _Sums:
    """Balances, turnover and head as the log itself gives them."""

    def __init__(self, state: BookState, segment: str, note_head_at: int | None) -> None:
        self._state, self.segment, self._note_head_at = state, segment, note_head_at
        self.head = sha256(state.name.encode()).digest()
        self.noted: bytes | None = self.head if note_head_at == 0 else None
        self.net: list[int] = []
        self.debits: list[int] = []
        self.rows = array("Q")
        self._table = state.table

    def take(self, payload: bytes, offset: int, seq: int) -> None:
        self.head = sha256(self.head + payload).digest()
        if seq == self._note_head_at:
            self.noted = self.head
        try:
            items = decode_items_checked(payload)
            if items[4] == KIND_TRANSACTION:
                net, debits, rows = self.net, self.debits, self.rows
                for index, signed in checked_postings(items, range(len(net))):
                    net[index] += signed
                    rows[index] += 1
                    if signed > 0:
                        debits[index] += signed
            else:
                event = decode_event(self._state.name, payload, self._table).event
                if isinstance(event, AccountOpened):
                    self.net.append(0)
                    self.debits.append(0)
                    self.rows.append(0)
        except (ValueError, TypeError, OverflowError) as e:
            raise CorruptLog(self._state.name, self.segment, offset, f"a frame is no event: {e}") from e


class Extent:
    """How far a book's log reaches at one moment, between batches."""

    def __init__(self, state: BookState, log: SegmentLog) -> None:
        assert state.head_seq == state.last_seq, "taken in the middle of a batch"
        self.last_seq, self.head = state.last_seq, state.head
        self.segments = [(segment, segment.bytes, segment.checksum) for segment in log.segments]
        """Each with how many bytes of it are durable, and their crc32, 0 where it is not known."""


async def verify_book(
    files: Files,
    offload: Offload,
    state: BookState,
    log: SegmentLog,
    extent: Extent,
    against: tuple[int, str] | None,
    progress: Progress | None,
) -> None:
    """Check every frame within `extent`, then every balance against memory, then the head.

    Raises CorruptLog, HeadMismatch, OSError.
    """
    name, last_seq, head = state.name, extent.last_seq, extent.head
    sums = _Sums(state, "", against[0] if against is not None else None)
    seq = 1

    def each(payload: bytes, offset: int, seq: int) -> None:
        sums.take(payload, offset, seq)
        if progress is not None and seq % 1024 == 0:
            progress(name, seq, last_seq)

    for segment, stop, _ in extent.segments:
        sums.segment = segment_name(segment.base_seq)
        seq = await check_segment(files, offload, log, name, segment, stop, seq, each)
    if seq != last_seq + 1:
        raise CorruptLog(name, None, None, f"it holds {seq - 1} events, {last_seq} were durable")
    if sums.head != head:
        raise CorruptLog(name, None, None, "its head digest is not the one in memory")
    pace = Pace()
    for account, net, debits, rows in zip(state.by_index, sums.net, sums.debits, sums.rows, strict=False):
        if state.standing_at(account, last_seq)[:3] != (rows, net, debits):
            path = account.definition.id.path
            raise CorruptLog(name, None, None, f"the log does not give the balance of {path!r}")
        if pace.due:
            await pace.rest()
    if against is not None:
        found = sums.noted.hex() if sums.noted is not None else ""
        if found != against[1].lower():
            raise HeadMismatch(name, against[0], against[1], found)
    if progress is not None:
        progress(name, last_seq, last_seq)


async def check_continues(offload: Offload, before: BookState, state: BookState, log: SegmentLog) -> None:
    """That a log examined anew holds the history known `before`, perhaps with events after it.

    Raises CorruptLog, StoreIOError.
    """
    if state.last_seq < before.last_seq:
        reason = f"it ends at seq {state.last_seq}, but everything up to seq {before.last_seq} had been acknowledged"
        raise CorruptLog(before.name, None, None, reason)
    head, seq = before.head, before.head_seq + 1
    while seq <= state.last_seq:
        payloads = await log.payloads(offload, state, seq, state.last_seq)
        for payload in payloads:
            head = sha256(head + payload).digest()
        seq += len(payloads)
    if head != state.head:
        raise CorruptLog(
            before.name, None, None, f"it is not the history that was known up to seq {before.head_seq}"
        )


SCRUB_REST_SECONDS = 0.002


async def scrub(
    files: Files, offload: Offload, state: BookState, log: SegmentLog, segments: list[Segment]
) -> None:
    """Check sealed segments that opening did not read, unhurriedly. Raises CorruptLog, OSError."""
    while segments:
        segment = segments[0]
        await check_segment(files, offload, log, state.name, segment, segment.bytes, segment.base_seq, None)
        name = segment_name(segment.base_seq)
        checksum = await offload.run(_checksum_of_segment, files, log, segment)
        if segment.checksum not in (0, checksum):  # older snapshots told none
            raise CorruptLog(state.name, name, None, "its bytes are not those that were written")
        segment.checksum = checksum
        segments.pop(0)
        await asyncio.sleep(SCRUB_REST_SECONDS)


def _checksum_of_segment(files: Files, log: SegmentLog, segment: Segment) -> int:
    fd = log.open(segment)
    try:
        return checksum_of(files, fd, 0, segment.bytes)
    finally:
        files.close(fd)
