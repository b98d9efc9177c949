"""Images of a book's state: write, load the newest good one, prune.

A snapshot holds the accounts and the columns of the chunk that is still growing; sealed chunks are written once,
to `index-chunk-*.cols` files, which may be deleted without loss. Both are sequences of frames: a header, what the
header announces, and an end frame that tells how many came before it.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import cbor2

from .codec import (
    MICROS_END,
    MICROS_START,
    Malformed,
    decode_account,
    decode_asset,
    decode_items,
    encode_account,
    encode_asset,
    from_micros,
)
from .columns import CHUNK_EVENTS, Chunk, Column
from .files import DurableFile, Entry, Files
from .frames import frame
from .model import SnapshotFile
from .offload import Offload, Pace
from .protocol import Progress
from .runs import FrameReader
from .segments import Segment
from .state import BookState

SNAPSHOT_NAME = re.compile(r"snapshot-([0-9]{20})\.snap")
CHUNK_NAME = re.compile(r"index-chunk-([0-9]{20})\.cols")
KEPT = 2

_SNAPSHOT_MAGIC, _CHUNK_MAGIC, _VERSION, _END = "talea snapshot", "talea chunk", 1, "end"
_ACCOUNTS_A_FRAME = 256
_COLUMN_PIECE_BYTES = 2**18
_NO_SALT = b"\0" * 8
_ROWS_AN_ACCOUNT = 16
"""From so many rows an account on, a sealed chunk lists them by account: to sort them on loading takes four times as
long, which is a sixth of opening a million events. With fewer it gains nothing."""


def snapshot_name(last_seq: int) -> str:
    return f"snapshot-{last_seq:020}.snap"


def snapshots_among(entries: Iterable[Entry]) -> tuple[SnapshotFile, ...]:
    """The snapshots in a book's directory, oldest first."""
    return tuple(
        SnapshotFile(int(match[1]), _within_calendar(entry.modified), entry.bytes)
        for entry in entries
        if (match := SNAPSHOT_NAME.fullmatch(entry.name))
    )


def _within_calendar(seconds: float) -> datetime:
    """A file's time, which a file system or a broken clock may have put outside the years that a datetime has."""
    return from_micros(min(max(int(seconds * 1e6), MICROS_START), MICROS_END - 1))


def chunk_name(base_seq: int) -> str:
    return f"index-chunk-{base_seq:020}.cols"


class Unusable(Exception):
    """A snapshot or index file that cannot be believed; the log is asked instead."""


class Snapshot:
    """What a snapshot says of a book, besides the state it restores."""

    __slots__ = ("segments", "state")

    def __init__(self, state: BookState, segments: list[tuple[int, int, int]]) -> None:
        self.state = state
        self.segments = segments
        """(base seq, bytes, crc32 of them) of each segment when the snapshot was taken."""


# ---------------------------------------------------------------- writing


def _integers(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _column_frames(name: str, values: array[int]) -> Iterator[bytes]:
    step = _COLUMN_PIECE_BYTES // values.itemsize
    for start in range(0, len(values), step):
        yield frame(cbor2.dumps([name, _integers(values[start : start + step])]))


def _wide_frames(name: str, column: Column, stop: int) -> Iterator[bytes]:
    yield from _column_frames(name, column.low[:stop])
    if column.high is None:
        return
    if isinstance(column.high, array):
        yield from _column_frames(name + " high", column.high[:stop])
        return
    for start in range(0, stop, 1024):
        yield frame(cbor2.dumps([name + " huge", column.high[start : min(start + 1024, stop)]]))


def _chunk_frames(chunk: Chunk, events: int, rows: int) -> Iterator[bytes]:
    yield from _column_frames("at", chunk.at[:events])
    yield from _column_frames("offset", chunk.offset[:events])
    yield from _column_frames("txid", chunk.txid[: 2 * events])
    yield from _column_frames("print8", chunk.print8[:events])
    yield from _column_frames("event", chunk.row_event[:rows])
    yield from _column_frames("account", chunk.row_account[:rows])
    yield from _wide_frames("net", chunk.row_net, rows)
    yield from _wide_frames("debits", chunk.row_debits, rows)


def _mark_frames(state: BookState, first_row: int, last_row: int) -> Iterator[bytes]:
    for row, turnover in zip(state.mark_rows, state.marks, strict=True):
        if first_row < row <= last_row:
            yield frame(cbor2.dumps(["mark", row, list(turnover)]))


class Image:
    """What a snapshot will say, fixed at one seq while the writer goes on.

    Columns only grow, so the lengths of this moment are enough; where accounts stood is read back by seq.
    """

    def __init__(self, state: BookState, segments: list[Segment]) -> None:
        self.state = state
        self.last_seq, self.last_at, self.head = state.last_seq, state.last_at, state.head
        self.transactions, self.rows = state.transactions, state.rows
        self.accounts = len(state.by_index)
        self.assets = list(state.assets.values())
        self.turnover = list(state.turnover)
        self.segments = [(s.base_seq, s.bytes, s.checksum) for s in segments]
        self.origin = segments[0].salt
        assert state.head_seq == self.last_seq, "taken in the middle of a batch"

    @property
    def sealed(self) -> int:
        """How many chunks are full."""
        return self.last_seq // CHUNK_EVENTS

    def header(self) -> bytes:
        names = list(self.state.asset_index)[: len(self.turnover) // 2]
        return frame(
            cbor2.dumps(
                [
                    _SNAPSHOT_MAGIC,
                    _VERSION,
                    self.state.name,
                    self.last_seq,
                    self.last_at,
                    self.head,
                    self.origin,
                    self.transactions,
                    self.rows,
                    self.accounts,
                    len(self.assets),
                    names,
                    self.turnover,
                    [list(entry) for entry in self.segments],
                ]
            )
        )

    def frames(self) -> Iterator[bytes]:
        yield self.header()
        for asset in self.assets:
            yield frame(encode_asset(_NO_SALT, 0, 0, 0, asset))
        flat: list[Any] = []
        for index in range(self.accounts):
            account = self.state.by_index[index]
            _, net, debits, credits, updated = self.state.standing_at(account, self.last_seq)
            definition = encode_account(_NO_SALT, 0, 0, 0, index, account.definition, account.config)
            flat += [definition, account.seq, net, debits, credits, updated]
            if index % _ACCOUNTS_A_FRAME == _ACCOUNTS_A_FRAME - 1 or index == self.accounts - 1:
                yield frame(cbor2.dumps(flat))
                flat.clear()
            elif index % 16 == 0:
                yield b""
        if self.last_seq % CHUNK_EVENTS:
            chunk = self.state.chunks[self.sealed]
            yield from _chunk_frames(chunk, self.last_seq % CHUNK_EVENTS, self.rows - chunk.base_row)
            yield from _mark_frames(self.state, chunk.base_row, self.rows)


async def write_snapshot(
    files: Files,
    offload: Offload,
    directory: Path,
    image: Image,
    sealed: set[int],
    progress: Progress | None = None,
) -> int:
    """Write the chunks that have become full and are not in `sealed` yet, then the snapshot; its size in bytes.

    `progress` is told events. Raises OSError and what `progress` raises; nothing half written stays then.
    """
    state = image.state
    done = 0

    def told() -> None:
        if progress is not None:
            progress(state.name, done, image.last_seq)

    for k in range(image.sealed):
        done = k * CHUNK_EVENTS
        chunk = state.chunks[k]
        if chunk.base_seq in sealed:
            continue
        rows = (
            state.chunk_rows[k + 1] - chunk.base_row
            if k + 1 < len(state.chunks)
            else image.rows - chunk.base_row
        )
        header = [_CHUNK_MAGIC, _VERSION, state.name, image.origin, chunk.base_seq, chunk.base_row, rows]
        pieces = _with_end(_sealed_frames(state, chunk, rows, header))
        await _write(files, offload, directory / chunk_name(chunk.base_seq), pieces, told)
        sealed.add(chunk.base_seq)
    done = image.sealed * CHUNK_EVENTS
    path = directory / snapshot_name(image.last_seq)
    return await _write(files, offload, path, _with_end(image.frames()), told)


def _sealed_frames(state: BookState, chunk: Chunk, rows: int, header: list[Any]) -> Iterator[bytes]:
    yield frame(cbor2.dumps(header))
    yield from _chunk_frames(chunk, CHUNK_EVENTS, rows)
    yield from _frames_by_account(state, chunk, rows)
    yield from _mark_frames(state, chunk.base_row, chunk.base_row + rows)


def _frames_by_account(state: BookState, chunk: Chunk, rows: int) -> Iterator[bytes]:
    """The chunk's rows account by account, and how many each has; nothing when it is not worth it."""
    if rows < _ROWS_AN_ACCOUNT * len(state.by_index):
        return
    numbers, counts = array("I"), array("I")
    for n, account in enumerate(list(state.by_index)):
        start = bisect_left(account.rows, chunk.base_row)
        stop = bisect_left(account.rows, chunk.base_row + rows, start)
        numbers += account.rows[start:stop]
        counts.append(stop - start)
        if n % 16 == 0:
            yield b""
    yield from _column_frames("rows", numbers)
    yield from _column_frames("counts", counts)


def _with_end(frames: Iterator[bytes]) -> Iterator[bytes]:
    count = 0
    for data in frames:
        count += bool(data)
        yield data
    yield frame(cbor2.dumps([_END, count]))


async def _write(
    files: Files, offload: Offload, path: Path, pieces: Iterator[bytes], told: Callable[[], None]
) -> int:
    file = await offload.run_to_end(DurableFile, files, path, undo=DurableFile.abandon)
    try:
        pace = Pace()
        pending: list[bytes] = []
        size = 0
        for piece in pieces:
            pending.append(piece)
            size += len(piece)
            if size >= _COLUMN_PIECE_BYTES:
                told()
                await offload.run(file.write, b"".join(pending))
                pending.clear()
                size = 0
            elif pace.due:
                await pace.rest()
        told()
        await offload.run(file.write, b"".join(pending))
        await offload.run(file.commit)
    except BaseException:
        await offload.run(file.abandon)
        raise
    return file.bytes


# ---------------------------------------------------------------- loading


async def _frames_of(files: Files, offload: Offload, path: Path) -> AsyncGenerator[list[Any], None]:
    """The arrays in a file's frames, the end frame checked and left out. Raises OSError, Unusable."""
    reader, count = FrameReader(files, offload, path, Unusable), 0
    pace = Pace()
    try:
        while True:
            items = decode_items(await reader.next())
            if items is None:
                raise Unusable(f"{path.name}: a frame is no array")
            if items and items[0] == _END:
                if items != [_END, count] or not reader.at_end:
                    raise Unusable(f"{path.name}: its end does not fit")
                return
            count += 1
            yield items
            if pace.due:
                await pace.rest()
    finally:
        await reader.close()


class _ChunkReader:
    """Fills a chunk from the frames of its columns, and the state's marks."""

    def __init__(self, name: str, state: BookState, chunk: Chunk) -> None:
        self._name, self._state, self._chunk = name, state, chunk
        self._rows, self._counts = array("I"), array("I")
        self._narrow: dict[str, array[int]] = {
            "at": chunk.at,
            "offset": chunk.offset,
            "txid": chunk.txid,
            "print8": chunk.print8,
            "event": chunk.row_event,
            "account": chunk.row_account,
            "net": chunk.row_net.low,
            "debits": chunk.row_debits.low,
            "rows": self._rows,
            "counts": self._counts,
        }

    def take(self, items: list[Any]) -> None:
        """One frame's array. Raises Unusable."""
        try:
            self._take(items)
        except (TypeError, ValueError, IndexError, OverflowError) as e:
            raise Unusable(f"{self._name}: a column is malformed") from e

    def _take(self, items: list[Any]) -> None:
        name, value = items[0], items[1]
        if name == "mark":
            self._state.add_mark(value, tuple(items[2]))
            return
        column = self._narrow.get(name)
        if column is None:
            wide = {"net": self._chunk.row_net, "debits": self._chunk.row_debits}[str(name).partition(" ")[0]]
            if name.endswith(" huge"):
                high = wide.high if isinstance(wide.high, list) else []
                wide.high = high + value
                return
            column = wide.high if isinstance(wide.high, array) else array("q")
            wide.high = column
        values = array(column.typecode, value if sys.byteorder == "little" else b"")
        if sys.byteorder == "big":
            values.frombytes(value)
            values.byteswap()
        column.extend(values)

    def check(self, events: int, rows: int) -> None:
        """Raises Unusable unless every column is as long as it should be."""
        chunk = self._chunk
        lengths = [len(chunk.at), len(chunk.offset), len(chunk.print8), len(chunk.txid) // 2]
        row_lengths = [
            len(chunk.row_event),
            len(chunk.row_account),
            len(chunk.row_net.low),
            len(chunk.row_debits.low),
        ]
        row_lengths += [len(c.high) for c in (chunk.row_net, chunk.row_debits) if c.high is not None]
        if set(lengths) != {events} or set(row_lengths) != {rows}:
            raise Unusable(f"{self._name}: a column is too short or too long")

    async def link(self) -> None:
        """Give each account the numbers of its rows; that they are found by sound times, too. Raises Unusable."""
        chunk, by_index, pace = self._chunk, self._state.by_index, Pace()
        for start in range(0, len(chunk.at), 4096):
            times = chunk.at[start : start + 4096]
            if not 0 <= min(times) <= max(times) < MICROS_END:
                raise Unusable(f"{self._name}: a time lies outside the calendar")
            if pace.due:
                await pace.rest()
        if self._counts:
            await self._link_listed(pace)
            return
        add: list[Any] = [account.rows.append for account in by_index]
        accounts = chunk.row_account
        for start in range(0, len(accounts), 4096):
            for row, index in enumerate(accounts[start : start + 4096], chunk.base_row + start):
                add[index](row)
            if pace.due:
                await pace.rest()

    async def _link_listed(self, pace: Pace) -> None:
        first, rows = self._chunk.base_row, len(self._chunk.row_account)
        start = 0
        # accounts that were opened later have no rows here
        for account, count in zip(self._state.by_index, self._counts, strict=False):
            last, end = first - 1, start + count
            while start < end:
                numbers = self._rows[start : min(start + 4096, end)].tolist()
                if (
                    not numbers
                    or not last < numbers[0] <= numbers[-1] < first + rows
                    or numbers != sorted(numbers)
                ):
                    raise Unusable(
                        f"{self._name}: the rows of an account are not of this chunk, or out of order"
                    )
                account.rows.fromlist(numbers)
                last, start = numbers[-1], start + len(numbers)
                if pace.due:
                    await pace.rest()
        if not start == rows == len(self._rows):
            raise Unusable(f"{self._name}: its rows by account are too few or too many")


async def load_snapshot(files: Files, offload: Offload, directory: Path, name: str, book: str) -> Snapshot:
    """A snapshot whose every byte was checked, chunks included. Raises OSError, Unusable."""
    path = directory / name
    frames = _frames_of(files, offload, path)
    try:
        try:
            return await _load(files, offload, directory, path.name, book, frames)
        except (Malformed, TypeError, ValueError, IndexError, KeyError, AssertionError, OverflowError) as e:
            raise Unusable(f"{name}: {e}") from e
    finally:
        await frames.aclose()


async def _load(
    files: Files,
    offload: Offload,
    directory: Path,
    name: str,
    book: str,
    frames: AsyncGenerator[list[Any], None],
) -> Snapshot:
    header = await anext(frames, None)
    if header is None or header[:3] != [_SNAPSHOT_MAGIC, _VERSION, book] or len(header) != 14:
        raise Unusable(f"{name}: no header of this format")
    (last_seq, last_at, head, origin, transactions, rows, accounts, assets, names, turnover, segments) = (
        header[3:]
    )
    state = BookState(book)
    for _ in range(assets):
        asset = decode_asset(await _next(frames, name))
        state.assets[asset.id] = asset
    updated: list[int] = []
    while len(state.by_index) < accounts:
        updated += _restore_accounts(state, await _next(frames, name))
    if list(state.asset_index) != names or len(turnover) != 2 * len(names) or not _whole(turnover):
        raise Unusable(f"{name}: its assets do not fit its accounts")
    sealed, growing = divmod(last_seq, CHUNK_EVENTS)
    for k in range(sealed):
        await _load_chunk(files, offload, directory, state, origin, k)
    if growing:
        chunk = _add_chunk(state, sealed)
        reader = _ChunkReader(name, state, chunk)
        async for items in frames:
            reader.take(items)
        reader.check(growing, rows - chunk.base_row)
        await reader.link()
        state.rows = rows
    elif await anext(frames, None) is not None:
        raise Unusable(f"{name}: more than it announces")
    if state.rows != rows or state.chunks[-1].at[-1] != last_at:
        raise Unusable(f"{name}: its rows or its last time do not fit")
    for account, seq in zip(state.by_index, updated, strict=True):
        if bool(account.rows) != bool(seq):
            raise Unusable(f"{name}: an account's rows do not fit its balance")
    state.turnover[:] = turnover
    state.last_seq, state.last_at = last_seq, last_at
    state.head, state.head_seq, state.transactions = head, last_seq, transactions
    table = [(int(base), int(size), int(checksum)) for base, size, checksum in segments]
    if [list(entry) for entry in table] != segments or table != sorted(table) or table[0][0] != 1:
        raise Unusable(f"{name}: its segments are no table")
    return Snapshot(state, table)


def _whole(values: list[Any]) -> bool:
    return all(type(value) is int for value in values)


async def _next(frames: AsyncGenerator[list[Any], None], name: str) -> list[Any]:
    items = await anext(frames, None)
    if items is None:
        raise Unusable(f"{name}: it ends too soon")
    return items


def _restore_accounts(state: BookState, flat: list[Any]) -> list[int]:
    """Open the accounts of one frame; of each the seq of its last posting, 0 for none. Raises Malformed and its kin."""
    found = []
    for i in range(0, len(flat), 6):
        payload, opened, net, debits, credits, updated = flat[i : i + 6]
        items = decode_items(payload)
        if items is None:
            raise Malformed("an account is unreadable")
        index, definition, config = decode_account(state.name, items)
        if index != len(state.by_index) or definition.id.path in state.accounts:
            raise Malformed("an account is out of order")
        if not _whole([opened, net, debits, credits, updated]) or debits - credits != net:
            raise Malformed("an account is malformed")
        account = state.open(index, definition, config, opened)
        account.net = account.tip = net
        account.debits = debits
        found.append(updated)
    return found


def _add_chunk(state: BookState, k: int) -> Chunk:
    chunk = Chunk(k * CHUNK_EVENTS + 1, state.rows)
    state.chunks.append(chunk)
    state.chunk_rows.append(state.rows)
    return chunk


async def _load_chunk(
    files: Files, offload: Offload, directory: Path, state: BookState, origin: bytes, k: int
) -> None:
    chunk = _add_chunk(state, k)
    name = chunk_name(chunk.base_seq)
    frames = _frames_of(files, offload, directory / name)
    try:
        header = await anext(frames, None)
        expected = [_CHUNK_MAGIC, _VERSION, state.name, origin, chunk.base_seq, chunk.base_row]
        if header is None or header[:6] != expected or len(header) != 7:
            raise Unusable(f"{name}: no header that fits")
        reader = _ChunkReader(name, state, chunk)
        async for items in frames:
            reader.take(items)
        reader.check(CHUNK_EVENTS, header[6])
        await reader.link()
        state.rows += header[6]
    finally:
        await frames.aclose()
