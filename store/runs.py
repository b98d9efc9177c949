"""Sorted runs: files that map 16-byte digests to seqs, searched by reading one page.

A run is a sequence of frames: header, pages, Bloom filter, end. A page holds `PAGE_RECORDS` records (the last may
hold fewer) of 24 bytes, `digest | u64-BE seq`, in the order of their bytes. A run covers the events of a stretch
of seqs; the runs of a book cover it from seq 1 on without a gap.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENOENT
from hashlib import blake2b
from operator import index as as_int
from pathlib import Path

import cbor2
from rbloom import Bloom

from .codec import decode_items, key_in
from .errors import StoreIOError
from .files import UNREADABLE, DurableFile, Files, read_all
from .frames import FRAME_HEAD_BYTES, frame, read_frame
from .offload import Offload, Pace

RUN_NAME = re.compile(r"idem-([0-9]{6,})\.run")
DIGEST_BYTES = 16
RECORD_BYTES = DIGEST_BYTES + 8
PAGE_RECORDS = 256
_PAGE_BYTES = FRAME_HEAD_BYTES + PAGE_RECORDS * RECORD_BYTES
_MAGIC, _VERSION, _END = "talea run", 1, "end"
_BLOOM_FALSE_POSITIVES = (0.001, 0.01)
"""At most this share of new names costs a read of a page; the first is written, the second was, and is read, too."""
_BLOOM_PIECE_BYTES = 2**20
_WINDOW_BYTES = 2**20
_SORTED_AT_ONCE = 4096
_PAGES_AT_ONCE = 8
"""How many pages of each run are merged in one go."""
_STRETCHES, _STRETCH_EVENTS = 4, 64
"""In so many places, of so many events, a run is compared with the log when the book is opened."""

Payloads = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Up to so many payloads of a log from a seq on, at least one where there is any."""


def run_name(number: int) -> str:
    return f"idem-{number:06}.run"


def digests_of(names: Iterable[bytes]) -> list[bytes]:
    blank = blake2b(digest_size=DIGEST_BYTES).copy  # a copy is half the cost of a new one
    digests = []
    for name in names:
        hashed = blank()
        hashed.update(name)
        digests.append(hashed.digest())
    return digests


def bloom_numbers(digests: Iterable[bytes]) -> list[int]:
    """What Bloom filters are asked for: the same in every process, unlike Python's hash."""
    return [int.from_bytes(digest, "big", signed=True) for digest in digests]


class DamagedRun(Exception):
    """A run whose bytes are not what was written, or that is gone."""


class Run:
    """A run on disk, with its fence keys and its Bloom filter in memory. Immutable."""

    def __init__(self, path: Path, first_seq: int, last_seq: int, count: int, pages_at: int) -> None:
        self.path, self.first_seq, self.last_seq, self.count = path, first_seq, last_seq, count
        self.bytes = 0
        self._pages_at = pages_at
        self._fences = array("Q")
        """The first 8 bytes of each page's first digest."""
        self._bloom: Bloom = _new_bloom(0)

    @property
    def pages(self) -> int:
        return -(-self.count // PAGE_RECORDS)

    def may_hold(self, numbers: Sequence[int]) -> list[bool]:
        """For each of these `bloom_numbers`, False when its digest is surely not here."""
        bloom = self._bloom
        return [number in bloom for number in numbers]

    def find(self, files: Files, digest: bytes) -> int | None:
        """The seq of a digest. Blocks; raises OSError, DamagedRun."""
        head = int.from_bytes(digest[:8], "big")
        first = max(0, bisect_left(self._fences, head) - 1)
        end = bisect_right(self._fences, head)
        fd = self.open(files)
        try:
            for records in self.read_pages(files, fd, first, end):
                at = records.find(digest)
                while at >= 0:
                    if at % RECORD_BYTES == 0:
                        return int.from_bytes(records[at + DIGEST_BYTES : at + RECORD_BYTES], "big")
                    at = records.find(digest, at + 1)
        finally:
            files.close(fd)
        return None

    def open(self, files: Files) -> int:
        """Blocks; raises OSError, DamagedRun."""
        with self._lost_is_damaged():
            return files.open(self.path)

    @contextmanager
    def _lost_is_damaged(self) -> Iterator[None]:
        """For what will not be there when asked again, unlike one that a process with too many files cannot open."""
        try:
            yield
        except OSError as e:
            if e.errno != ENOENT and e.errno not in UNREADABLE:
                raise
            raise DamagedRun(f"{self.path.name}: {e.strerror}") from e

    def read_pages(self, files: Files, fd: int, first: int, end: int) -> list[bytes]:
        """The records of the pages from `first` to before `end`. Blocks; raises OSError, DamagedRun."""
        with self._lost_is_damaged():
            data = read_all(files, fd, (end - first) * _PAGE_BYTES, self._pages_at + first * _PAGE_BYTES)
        pages = []
        for page in range(first, end):
            records = read_frame(data, (page - first) * _PAGE_BYTES)
            wanted = min(PAGE_RECORDS, self.count - page * PAGE_RECORDS) * RECORD_BYTES
            fence = self._fences[page]
            if records is None or len(records) != wanted or int.from_bytes(records[:8], "big") != fence:
                raise DamagedRun(f"{self.path.name}: page {page} is damaged")
            pages.append(records)
        return pages

    def add_page(self, records: bytes) -> None:
        self._fences.append(int.from_bytes(records[:8], "big"))


def _new_bloom(count: int, false_positives: float = _BLOOM_FALSE_POSITIVES[0]) -> Bloom:
    return Bloom(max(64, count), false_positives, as_int)


_BLOOM_HEAD_BYTES = 8
"""Where a saved filter says how many bits it sets for a name; a wrong number there would be counted to."""


def _load_bloom(data: bytes, run: Run) -> Bloom:
    for false_positives in _BLOOM_FALSE_POSITIVES:
        blank = _new_bloom(run.count, false_positives).save_bytes()
        if len(data) == len(blank) and data[:_BLOOM_HEAD_BYTES] == blank[:_BLOOM_HEAD_BYTES]:
            return Bloom.load_bytes(data, as_int)
    raise DamagedRun(f"{run.path.name}: its filter is unreadable")


class RunWriter:
    """Writes a run from records that come in order. `finish` or `abandon` ends it."""

    def __init__(
        self, files: Files, offload: Offload, path: Path, book: str, first_seq: int, last_seq: int, count: int
    ) -> None:
        self._files, self._offload, self._path = files, offload, path
        header = frame(cbor2.dumps([_MAGIC, _VERSION, book, first_seq, last_seq, count]))
        self._run = Run(path, first_seq, last_seq, count, len(header))
        self._bloom = _new_bloom(count)
        self._frames = [header]
        self._pending: list[bytes] = []
        self._written = 0
        self._file: DurableFile | None = None
        self._pace = Pace()

    async def add(self, records: Iterable[bytes]) -> None:
        """Records of 24 bytes, above all that came before."""
        self._pending += records
        while len(self._pending) >= PAGE_RECORDS:
            self._page(self._pending[:PAGE_RECORDS])
            del self._pending[:PAGE_RECORDS]
            if self._pace.due:
                await self._pace.rest()
        if len(self._frames) * _PAGE_BYTES > _WINDOW_BYTES:
            await self._flush()

    def _page(self, records: list[bytes]) -> None:
        page = b"".join(records)
        self._bloom.update(bloom_numbers([record[:DIGEST_BYTES] for record in records]))
        self._run.add_page(page)
        self._frames.append(frame(page))
        self._written += len(records)

    async def _flush(self) -> None:
        data = b"".join(self._frames)
        self._frames.clear()
        if self._file is None:
            self._file = await self._offload.run_to_end(
                DurableFile, self._files, self._path, undo=DurableFile.abandon
            )
        await self._offload.run(self._file.write, data)

    async def finish(self) -> Run:
        """The run, durable. Raises OSError."""
        if self._pending:
            self._page(self._pending)
        assert self._written == self._run.count
        bloom = self._bloom.save_bytes()
        pieces = [bloom[i : i + _BLOOM_PIECE_BYTES] for i in range(0, len(bloom), _BLOOM_PIECE_BYTES)]
        self._frames += map(frame, pieces)
        self._frames.append(frame(cbor2.dumps([_END, len(pieces)])))
        await self._flush()
        assert self._file is not None
        await self._offload.run(self._file.commit)
        self._run._bloom, self._run.bytes = self._bloom, self._file.bytes
        return self._run

    async def abandon(self) -> None:
        if self._file is not None:
            await self._offload.run(self._file.abandon)


async def load_run(files: Files, offload: Offload, path: Path, book: str) -> Run:
    """A run whose every byte was checked. Raises OSError, DamagedRun."""
    reader = FrameReader(files, offload, path, DamagedRun)
    try:
        header = decode_items(await reader.next())
        if (
            header is None
            or header[:3] != [_MAGIC, _VERSION, book]
            or [type(x) for x in header[3:]] != [int, int, int]
            or not (0 < header[3] <= header[4] and header[5] >= 0)
        ):
            raise DamagedRun(f"{path.name}: no header")
        run = Run(path, header[3], header[4], header[5], reader.offset)
        pace, last = Pace(), b""
        for page in range(run.pages):
            records = await reader.next()
            expected = min(PAGE_RECORDS, run.count - page * PAGE_RECORDS) * RECORD_BYTES
            if len(records) != expected or records[:DIGEST_BYTES] < last:
                raise DamagedRun(f"{path.name}: page {page} is out of order")
            last = records[-RECORD_BYTES:-8]
            run.add_page(records)
            if pace.due:
                await pace.rest()
        pieces: list[bytes] = []
        while True:
            piece = await reader.next()
            # a piece of the filter is never mistaken for the end: the end is the last frame of the file
            if reader.at_end:
                if decode_items(piece) != [_END, len(pieces)]:
                    raise DamagedRun(f"{path.name}: no end")
                break
            pieces.append(piece)
        run._bloom = _load_bloom(b"".join(pieces), run)
        run.bytes = reader.offset
        return run
    finally:
        await reader.close()


async def has_key(payloads: Payloads, seq: int, key: str) -> bool:
    """Whether the event at a seq is the transaction with this key. Raises what reading the log raises."""
    found = await payloads(seq, 1) if seq > 0 else []
    return bool(found) and key_in(found[0]) == key


async def is_of_log(files: Files, offload: Offload, run: Run, payloads: Payloads, last_seq: int) -> bool:
    """Whether a run was made from the log that ends at `last_seq`, rather than from another copy of the ledger.

    It is compared where both tell of the same events, from their first to their last: copies differ only after
    they were made, and so do runs and logs that got mixed. Raises OSError, DamagedRun.
    """
    span = min(run.last_seq, last_seq) - run.first_seq + 1
    room = max(0, span - _STRETCH_EVENTS)
    for first_seq in sorted({run.first_seq + room * n // (_STRETCHES - 1) for n in range(_STRETCHES)}):
        try:
            if not await _holds_stretch(files, offload, run, payloads, first_seq, min(_STRETCH_EVENTS, span)):
                return False
        except StoreIOError:
            continue  # what cannot be read proves nothing; whoever needs it is told
    return True


async def _holds_stretch(
    files: Files, offload: Offload, run: Run, payloads: Payloads, first_seq: int, count: int
) -> bool:
    """Whether a run may hold the keys of some events, and surely holds the last of them."""
    keys: list[str] = []
    found: Sequence[bytes] = [b""]
    while count > 0 and found:
        found = await payloads(first_seq, count)
        keys += [key for payload in found if (key := key_in(payload)) is not None]
        first_seq, count = first_seq + len(found), count - len(found)
    if not keys:
        return True
    digests = digests_of(map(str.encode, keys))
    if not all(run.may_hold(bloom_numbers(digests))):
        return False
    seq = await offload.run(run.find, files, digests[-1])
    return seq is not None and await has_key(payloads, seq, keys[-1])


class FrameReader:
    """The frames of a file, one after another; what is none is raised as `damaged`."""

    def __init__(
        self, files: Files, offload: Offload, path: Path, damaged: Callable[[str], Exception]
    ) -> None:
        self._files, self._offload, self._path, self._damaged = files, offload, path, damaged
        self._fd: int | None = None
        self._buffer, self._at = b"", 0
        self._size = 0
        self.offset = 0
        """Where the next frame begins."""

    @property
    def at_end(self) -> bool:
        return self.offset >= self._size

    async def next(self) -> bytes:
        if self._fd is None:
            self._fd = await self._offload.run_to_end(self._files.open, self._path, undo=self._files.close)
            self._size = self._files.size(self._fd)
        payload = read_frame(self._buffer, self._at)
        if payload is None:
            data: bytes = await self._offload.run(
                read_all, self._files, self._fd, 17 * _WINDOW_BYTES, self.offset
            )
            self._buffer, self._at = data, 0
            payload = read_frame(self._buffer, 0)
            if payload is None:
                raise self._damaged(f"{self._path.name}: byte {self.offset} is damaged")
        self._at += FRAME_HEAD_BYTES + len(payload)
        self.offset += FRAME_HEAD_BYTES + len(payload)
        return payload

    async def close(self) -> None:
        if self._fd is not None:
            self._files.close(self._fd)


class Buckets:
    """Records to be put in order, by their first byte: digests are uniform.

    In bytes, not in lists, which the collector of cycles would look through, record by record.
    """

    def __init__(self, place: int = 0) -> None:
        self._place = place
        """Of the byte that decides."""
        self._buckets = [bytearray() for _ in range(256)]

    @property
    def count(self) -> int:
        return sum(map(len, self._buckets)) // RECORD_BYTES

    def add(self, records: Iterable[bytes]) -> None:
        buckets, place = self._buckets, self._place
        for record in records:
            buckets[record[place]] += record

    async def in_order(self) -> AsyncGenerator[list[bytes], None]:
        """All records, a few hundred to thousand at a time, which ends the buckets. No step takes long."""
        pace = Pace()
        self._buckets.reverse()
        while self._buckets:
            bucket = self._buckets.pop()
            if len(bucket) > _SORTED_AT_ONCE * RECORD_BYTES:
                finer = Buckets(self._place + 1)
                for start in range(0, len(bucket), _SORTED_AT_ONCE * RECORD_BYTES):
                    finer.add(_records(bucket[start : start + _SORTED_AT_ONCE * RECORD_BYTES]))
                    if pace.due:
                        await pace.rest()
                async for part in finer.in_order():
                    yield part
            elif bucket:
                yield sorted(_records(bucket))
            if pace.due:
                await pace.rest()


def _records(data: bytes | bytearray) -> list[bytes]:
    data = bytes(data)
    return [data[i : i + RECORD_BYTES] for i in range(0, len(data), RECORD_BYTES)]


async def merged_pages(
    files: Files, offload: Offload, runs: Sequence[Run]
) -> AsyncGenerator[list[bytes], None]:
    """The records of some runs in order. Raises OSError, DamagedRun."""
    fds: list[int] = []
    try:
        for run in runs:
            fd = await offload.run_to_end(run.open, files, undo=files.close)
            fds.append(fd)
        next_page = [0 for _ in runs]
        rest: list[list[bytes]] = [[] for _ in runs]
        while True:
            for k, run in enumerate(runs):
                if not rest[k] and next_page[k] < run.pages:
                    end = min(next_page[k] + _PAGES_AT_ONCE, run.pages)
                    pages: list[bytes] = await offload.run(run.read_pages, files, fds[k], next_page[k], end)
                    rest[k] = _records(b"".join(pages))
                    next_page[k] = end
            left = [records for records in rest if records]
            if not left:
                return
            # what is not above the least of the last records is all there
            bound = min(records[-1] for records in left)
            out: list[bytes] = []
            for records in left:
                cut = bisect_right(records, bound)
                out += records[:cut]
                del records[:cut]
            out.sort()
            yield out
    finally:
        for fd in fds:
            files.close(fd)
