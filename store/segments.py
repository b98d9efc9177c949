"""One book's log files: append, sync, rotate, read at a seq. How they are opened and mended is in recovery.py."""

from __future__ import annotations

import contextlib
import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from errno import EEXIST, ENOENT
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from zlib import crc32

from .codec import SALT_BYTES, encode_segment_header, is_event
from .errors import CorruptLog, StoreIOError
from .files import (
    FULL,
    OUT_OF_DESCRIPTORS,
    Entry,
    Files,
    SyncError,
    make_directories,
    read_all,
    sync_directory,
    write_all,
)
from .frames import FRAME_HEAD_BYTES, bytes_of, frame, frame_bytes_wanted, frames_in
from .offload import Offload
from .state import BookState

SEGMENT_NAME = re.compile(r"segment-([0-9]{20})\.log")


def segment_name(base_seq: int) -> str:
    return f"segment-{base_seq:020}.log"


def bytes_beside_log(entries: Iterable[Entry]) -> int:
    """What the files of a book's directory take that are no segments: snapshots, runs and index files."""
    return sum(entry.bytes for entry in entries if not SEGMENT_NAME.fullmatch(entry.name))


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


READ_BYTES = 64 * 1024
READ_BYTES_MAX = 4 * 2**20
WINDOW_BYTES = 2**20
GROUP_FRAMES, GROUP_BYTES = 64, 32 * 1024
"""A group of frames that is worked on at one go ends with the frame that reaches either."""

ROOM_FROM_BYTES = 64 * 1024
ROOM_MAX_BYTES = 2**20
"""From this size on, a growing segment is filled with zeros ahead of its frames, a quarter of its size at a time and
at most this: a sync that needs not make the file longer takes a third less time. They are cut off when the segment
is closed; after a crash they are what stands behind the last frame."""
_ZEROS = bytes(ROOM_MAX_BYTES)
DELETED_WITHIN_SECONDS = 1.0
"""So long after its file was deleted a log may go on: to look is one more system call, so not done each time."""


def gets_room(size: int) -> bool:
    """Whether zeros are written ahead in a growing segment of this many bytes."""
    return size >= ROOM_FROM_BYTES


class NothingWritten(Exception):
    """Nothing of a batch was kept; once its cause is gone, as a full disk is, the same writer goes on."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(str(error))


class Segment:
    """`bytes` counts what is durable, `checksum` is the crc32 of those bytes where the writer keeps it."""

    __slots__ = ("base_seq", "bytes", "checksum", "salt")

    def __init__(self, base_seq: int, size: int, salt: bytes, checksum: int = 0) -> None:
        self.base_seq, self.bytes, self.salt, self.checksum = base_seq, size, salt, checksum


class Appended(NamedTuple):
    """Durable bytes that the log does not count yet: from `start` to `end` of a segment."""

    segment: Segment
    start: int
    end: int
    checksum: int


class SegmentLog:
    """The log of one book. Calls that block say so."""

    def __init__(
        self, files: Files, directory: Path, book: str, segment_max: int, segments: list[Segment]
    ) -> None:
        self._files, self.directory, self._book, self._segment_max = files, directory, book, segment_max
        self.segments = segments
        self._bases = [segment.base_seq for segment in segments]
        self._fd: int | None = None
        self._end = self._filled = 0
        """Where the frames of the open file end, and where the file does."""
        self._found = False
        """Whether an earlier life wrote the open file: its end may be one that the disk never got."""
        self._looked_at = -DELETED_WITHIN_SECONDS
        """When the open file was last seen to be in its directory."""
        self._new_salt: bytes | None = None
        self.bytes = sum(segment.bytes for segment in segments)

    def salt_for_next(self, last_seq: int) -> bytes:
        """The salt that the batch after `last_seq` is to carry; decides whether it begins a new segment."""
        active = self.segments[-1] if self.segments else None
        if active is None or (active.bytes >= self._segment_max and active.base_seq <= last_seq):
            if self._new_salt is None:
                self._new_salt = new_salt()
            return self._new_salt
        return active.salt

    def append(self, data: bytes, first_seq: int) -> Appended:
        """Write and sync whole frames; `advance` makes them part of the log. Blocks.

        Raises NothingWritten when nothing was kept; any other OSError is fatal.
        """
        if self._new_salt is not None:
            return self._append_to_new(data, first_seq, self._new_salt)
        segment = self.segments[-1]
        if self._fd is None:
            self._open(segment)
        assert self._fd is not None
        self._refuse_if_deleted(self._fd)
        end = segment.bytes + len(data)
        try:
            if end > self._filled:
                self._make_room(self._fd, segment.bytes, end)
            write_all(self._files, self._fd, data, segment.bytes)
        except OSError as e:
            self._cut(self._fd, segment.bytes)
            if e.errno in FULL:
                self._files.sync(self._fd)  # or a crash may bring back what was written of it
                raise NothingWritten(e) from e
            raise
        self._sync(self._fd, segment.bytes)
        self._end = end
        return Appended(segment, segment.bytes, end, crc32(data, segment.checksum))

    def _refuse_if_deleted(self, fd: int) -> None:
        now = monotonic()
        if now - self._looked_at >= DELETED_WITHIN_SECONDS:
            if self._files.is_deleted(fd):
                raise FileNotFoundError(ENOENT, f"its log in {self.directory} was deleted")
            self._looked_at = now

    def _make_room(self, fd: int, size: int, end: int) -> None:
        """Fill the growing segment, of this size, with zeros from `end` on, if it is large and the disk is not full."""
        self._filled = end
        if not gets_room(size):
            return
        room = min(size // 4, ROOM_MAX_BYTES)
        try:
            write_all(self._files, fd, _ZEROS[:room], end)
        except OSError as e:
            if e.errno not in FULL:
                raise
            self._cut(fd, size)
            self._filled = end
        else:
            self._filled = end + room

    def _cut(self, fd: int, size: int) -> None:
        self._files.truncate(fd, size)
        self._filled = size

    def _open(self, segment: Segment) -> None:
        try:
            self._fd = self._files.open(self._path(segment), write=True)
        except OSError as e:
            if e.errno in OUT_OF_DESCRIPTORS:
                raise NothingWritten(e) from e
            raise
        self._end = self._filled = segment.bytes
        self._found = True

    def _seal(self) -> None:
        """Have the growing segment's file end with its last frame, on the disk too, and close it. Raises OSError."""
        if self._fd is None and self.segments:
            self._open(self.segments[-1])
        self._close(self._found)

    def _close(self, cut: bool) -> None:
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            if cut or self._filled > self._end:
                self._cut(fd, self._end)
                self._files.sync(fd)
        finally:
            self._files.close(fd)

    def _append_to_new(self, data: bytes, first_seq: int, salt: bytes) -> Appended:
        header = frame(encode_segment_header(self._book, first_seq, salt))
        path = self.directory / segment_name(first_seq)
        first_of_book = not self.segments
        if first_of_book and os.path.lexists(self.directory) and not self.directory.is_dir():
            raise NothingWritten(
                FileExistsError(EEXIST, f"{self.directory} is in the way of its directory; move it elsewhere")
            )
        fd: int | None = None
        if self._fd is not None:
            self._refuse_if_deleted(self._fd)
        self._seal()
        try:
            if first_of_book:
                make_directories(self._files, self.directory)
            fd = self._files.create(path)
            # first of all: where a directory cannot even be opened, nothing has been written
            sync_directory(self._files, self.directory)
            if first_of_book:
                # they may stem from an earlier life that ended before it synced them
                for directory in (self.directory.parent, self.directory.parent.parent):
                    sync_directory(self._files, directory)
            write_all(self._files, fd, header + data, 0)
        except OSError as e:
            self._remove_new(path, fd, first_of_book)
            if fd is not None and e.errno in FULL and not isinstance(e, SyncError):
                # or a crash may bring back what was written of it
                left = self.directory if self.directory.is_dir() else self.directory.parent
                sync_directory(self._files, left)
            if e.errno in FULL | OUT_OF_DESCRIPTORS and not isinstance(e, SyncError):
                raise NothingWritten(e) from e
            raise
        try:
            self._sync(fd, 0)
        except OSError:
            self._files.close(fd)
            raise
        segment = Segment(first_seq, 0, salt)
        end = len(header) + len(data)
        self._fd, self._end, self._filled, self._found = fd, end, end, False
        return Appended(segment, len(header), end, crc32(data, crc32(header)))

    def advance(self, appended: Appended) -> None:
        """What was appended is now part of the log. Called on the loop, as the batch is applied."""
        segment = appended.segment
        self.bytes += appended.end - segment.bytes
        segment.bytes, segment.checksum = appended.end, appended.checksum
        if not self.segments or segment is not self.segments[-1]:
            self._new_salt = None
            self.segments.append(segment)
            self._bases.append(segment.base_seq)

    def _remove_new(self, path: Path, fd: int | None, first_of_book: bool) -> None:
        if fd is not None:
            self._files.close(fd)
            self._files.remove(path)
        if first_of_book:
            with contextlib.suppress(OSError):  # not empty, or never made
                self._files.remove_directory(self.directory)

    def _sync(self, fd: int, durable: int) -> None:
        try:
            self._files.sync(fd)
        except OSError:
            # what a failed sync left in the page cache may never reach the disk: best not to find it there
            with contextlib.suppress(OSError):
                self._cut(fd, durable)
            self._end = self._filled  # what could not be cut off now is for opening to judge
            raise

    def replace_last(self, segment: Segment) -> None:
        """Count a segment that a reader found; one that it had found with this base seq before is forgotten."""
        if self.segments and self.segments[-1].base_seq == segment.base_seq:
            self.segments.pop()
            self._bases.pop()
        self.segments.append(segment)
        self._bases.append(segment.base_seq)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # zeros that stay are cut off when the book is opened
            self._close(False)

    # ------------------------------------------------------------ reading

    def segment_of(self, seq: int) -> Segment:
        return self.segments[bisect_right(self._bases, seq) - 1]

    def is_sealed(self, segment: Segment) -> bool:
        """Whether nothing will be appended to it any more."""
        return segment.base_seq < self._bases[-1]

    def last_seq_of(self, segment: Segment, last_seq: int) -> int:
        """The last seq in a segment of a log that ends at `last_seq`."""
        i = bisect_right(self._bases, segment.base_seq)
        return self._bases[i] - 1 if i < len(self._bases) else last_seq

    def _path(self, segment: Segment) -> Path:
        return self.directory / segment_name(segment.base_seq)

    def open(self, segment: Segment) -> int:
        """A segment's file, to read. Blocks; raises OSError, CorruptLog where it alone is gone."""
        path = self._path(segment)
        try:
            return self._files.open(path)
        except FileNotFoundError as e:
            if not self.directory.is_dir():
                raise
            raise CorruptLog(self._book, path.name, 0, "its file is gone") from e

    async def payloads(self, offload: Offload, state: BookState, from_seq: int, count: int) -> list[bytes]:
        """Up to `count` payloads from `from_seq` to the last seq of `state`, at least one if there is any.

        Raises CorruptLog, StoreIOError.
        """
        if from_seq > state.last_seq:
            return []
        segment = self.segment_of(from_seq)
        last = min(from_seq + count - 1, self.last_seq_of(segment, state.last_seq))
        offset = state.offset_of(from_seq)
        try:
            return await offload.run(self.read, segment, from_seq, offset, last - from_seq + 1)
        except OSError as e:
            raise StoreIOError(f"Book {self._book!r} cannot be read: {e.strerror or e}.") from e

    def read(self, segment: Segment, seq: int, offset: int, count: int) -> list[bytes]:
        """The payloads of `count` events from `seq` on, whose first frame is at `offset`. Blocks.

        Fewer when they are large, at least one. Raises OSError, CorruptLog.
        """
        fd = self.open(segment)
        payloads: list[bytes] = []
        try:
            at, size, wanted = offset, 0, READ_BYTES
            while len(payloads) < count and size < READ_BYTES_MAX:
                wanted = min(wanted, segment.bytes - at)
                data = read_all(self._files, fd, wanted, at)
                end = 0
                for payload in frames_in(data, count - len(payloads)):
                    if not is_event(payload, segment.salt, seq + len(payloads)):
                        break
                    payloads.append(payload)
                    end += FRAME_HEAD_BYTES + len(payload)
                at, size = at + end, size + end
                # a frame that does not fit is read whole the next time; one that then is still bad, is bad
                claimed = min(frame_bytes_wanted(data, end), segment.bytes - at)
                if end == 0 and (claimed <= len(data) or len(data) < wanted):
                    name = segment_name(segment.base_seq)
                    raise CorruptLog(self._book, name, at, "a frame is not what was written")
                wanted = max(READ_BYTES, claimed)
        finally:
            self._files.close(fd)
        return payloads


def checksum_of(files: Files, fd: int, start: int, stop: int, checksum: int = 0) -> int:
    """The crc32 of a stretch of a file, continuing `checksum`. Blocks; raises OSError."""
    while start < stop:
        data = read_all(files, fd, min(WINDOW_BYTES, stop - start), start)
        if not data:
            break
        checksum = crc32(data, checksum)
        start += len(data)
    return checksum


class FrameGroups:
    """(offset of the first, payloads) of consecutive frames; (offset, []) last where a frame is torn or damaged.

    `async for` reads them, raising OSError. Not a generator: who leaves one early has to close it.
    """

    def __init__(self, files: Files, offload: Offload, fd: int, start: int, stop: int) -> None:
        self._files, self._offload, self._fd = files, offload, fd
        self._offset, self._stop = start, stop
        self._window: bytes | None = None
        """What was read from `_offset` on."""
        self._at = 0
        self._window_bytes = WINDOW_BYTES

    def __aiter__(self) -> FrameGroups:
        return self

    async def __anext__(self) -> tuple[int, list[bytes]]:
        while True:
            if self._window is not None:
                payloads = list(frames_in(self._window, GROUP_FRAMES, self._at, GROUP_BYTES))
                if payloads:
                    start = self._offset + self._at
                    self._at += bytes_of(payloads)
                    return start, payloads
                if self._at:
                    self._offset += self._at
                    self._window_bytes = WINDOW_BYTES
                else:
                    wanted = frame_bytes_wanted(self._window, 0)
                    left = self._stop - self._offset
                    if not len(self._window) < wanted <= left or self._window_bytes >= wanted:
                        self._window, self._stop = None, self._offset
                        return self._offset, []
                    self._window_bytes = wanted
            if self._offset >= self._stop:
                raise StopAsyncIteration
            count = min(self._window_bytes, self._stop - self._offset)
            self._window = await self._offload.run(read_all, self._files, self._fd, count, self._offset)
            self._at = 0
