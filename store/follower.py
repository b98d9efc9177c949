"""FollowedLedger: a ledger that another process writes, read live, without its lock and without writing a byte.

What it shows is durable: events up to the writer's watermark, or up to what a later frame says was synced. A torn
tail is looked at again until the writer, or its next life, has completed or cut it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from .backup import BackupProgress, copy_ledger
from .codec import (
    KIND_ACCOUNT,
    READABLE_VERSIONS,
    SegmentHeader,
    decode_segment_header,
    kind_in,
    read_identity,
)
from .errors import (
    CorruptLog,
    InvalidBook,
    StoreClosed,
    StoreError,
    StoreIOError,
    StoreReadOnly,
    UnsupportedFormat,
)
from .files import Entry, Files, read_all, reason
from .followed_keys import FollowedKeys, key_runs_among
from .frames import FRAME_HEAD_BYTES, read_frame
from .lock import BOOKS_NAME, holder_of
from .model import (
    AccountCfg,
    AccountDef,
    AssetDef,
    BookInfo,
    Committed,
    SnapshotFile,
    Transaction,
)
from .names import SYSTEM_BOOK, check_book_name, differs_only_by_case, folded
from .offload import Offload, Pace
from .protocol import Progress
from .reading import LedgerReads
from .replay import NoEvent, replay
from .segments import FrameGroups, Segment, SegmentLog, bytes_beside_log, checksum_of, segment_name
from .snapshots import Snapshot, Unusable, load_snapshot, snapshot_name, snapshots_among
from .state import BookState
from .subscriptions import Signal, Watchers
from .txids import find_txid
from .verification import Extent
from .watermark import read_watermark

logger = logging.getLogger("store")

_NOBODY = (b"", 0, 0)

_TICK_NANOSECONDS = 2 * 10**9

POLL_SECONDS = 0.1
LOOK_CLOSELY_EVERY = 10
"""At most so many glances that show nothing new come before a book is read all the same."""


class FollowedBook:
    """One book as far as it is durable; `advance` looks for more."""

    def __init__(
        self,
        files: Files,
        offload: Offload,
        directory: Path,
        name: str,
        learn_assets: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.name = name
        self._learn_assets = learn_assets
        """Called before accounts are shown, whose assets were registered before them."""
        self._files, self._offload, self._directory = files, offload, directory
        self.state = BookState(name)
        self.log = SegmentLog(files, directory, name, 0, [])
        self.news = Signal()
        self.error: StoreIOError | None = None
        self.closed = False
        self._keys = FollowedKeys(files, offload, directory, name, self.payloads)
        self._begun = False
        self._segment: Segment | None = None
        self._last: tuple[int, bytes] | None = None
        """Offset and payload of the last event that was read, if it is in that segment."""
        self._durable = self._noted = 0
        self._replaced: StoreIOError | None = None
        """Why the files are no longer those of what is in memory."""
        self._lacking: CorruptLog | None = None
        """What is known to be durable and cannot be read now."""
        self._snapshot_files: tuple[SnapshotFile, ...] = ()
        self._runs = self._side_bytes = 0
        self._listed: int | None = None
        """As of when the directory was listed, in its own time; None while that may change unnoticed."""

    def glance(self) -> tuple[int, int, int] | None:
        """What differs once the writer has written; None when that cannot be told. Blocks."""
        segment = self._segment
        names = [segment_name(seq) for seq in (segment.base_seq if segment else 0, self.state.last_seq + 1)]
        try:
            noted = read_watermark(self._files, self._directory)
            return noted, _size(self._directory / names[0]), _size(self._directory / names[1])
        except OSError:
            return None

    async def advance(self, progress: Progress | None = None) -> bool:
        """Take in what has become durable; whether anything is new. Raises StoreIOError, OSError."""
        if self.error is not None:
            return False
        await self._measure()
        if not self._begun:
            await self._begin()
            self._begun = True
        before, lacked = self.state.last_seq, self._lacking is not None
        noted = await self._offload.run(read_watermark, self._files, self._directory)
        if 0 < noted < self._noted:
            raise self._refusal(noted)
        self._noted = noted
        self._durable = max(self._durable, noted)
        while await self._advance_in_segment(progress):
            pass
        self._lacking = self._shortfall() if self.state.last_seq < self._durable else None
        if self.state.last_seq > before:
            self.news.fire()
            return True
        return lacked != (self._lacking is not None)

    async def _measure(self) -> None:
        """Learn what lies beside the log, if the directory has changed. Raises OSError."""
        listed = await self._offload.run(self._list)
        if listed is not None:
            self._listed, entries = listed
            self._snapshot_files = snapshots_among(entries)
            self._runs = len(key_runs_among(entries))
            self._side_bytes = bytes_beside_log(entries)

    def _list(self) -> tuple[int | None, list[Entry]] | None:
        """The entries of the directory and as of when; None if it has not changed. Blocks; raises OSError."""
        try:
            changed = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return None
        if changed == self._listed:
            return None
        # within one tick of its clock a directory may change twice and show only one time
        settled = abs(time.time_ns() - changed) > _TICK_NANOSECONDS
        return changed if settled else None, self._files.entries(self._directory)

    async def _begin(self) -> None:
        """Begin after the newest snapshot that fits the log, if there is one; what it says had been synced."""
        entries = await self._offload.run(self._files.entries, self._directory)
        for snapshot_file in reversed(snapshots_among(entries)):
            name = snapshot_name(snapshot_file.last_seq)
            try:
                snapshot = await load_snapshot(self._files, self._offload, self._directory, name, self.name)
                segments, last = await self._offload.run(self._segments_of, snapshot)
            except (OSError, Unusable) as e:
                logger.info("Book %r: %s; the log is read instead", self.name, e)
                continue
            if self._learn_assets is not None:
                await self._learn_assets()
            for segment in segments:
                self.log.replace_last(segment)
            self.state, self._segment, self._last = snapshot.state, segments[-1], last
            self._durable = self.state.last_seq
            self.news.fire()
            return

    def _segments_of(self, snapshot: Snapshot) -> tuple[list[Segment], tuple[int, bytes] | None]:
        """The segments that a snapshot speaks of, as far as it does, and `_last` of them.

        Blocks; raises OSError, Unusable.
        """
        segments: list[Segment] = []
        last_seq, last = snapshot.state.last_seq, None
        for base_seq, size, checksum in snapshot.segments:
            name = segment_name(base_seq)
            fd = self._files.open(self._directory / name)
            try:
                header, _ = self._header_in(read_all(self._files, fd, 4096, 0), base_seq)
                if base_seq == snapshot.segments[-1][0]:
                    fits = checksum_of(self._files, fd, 0, size) == checksum  # it may have grown since
                    if base_seq <= last_seq:  # else it is a header alone
                        offset = snapshot.state.offset_of(last_seq) + FRAME_HEAD_BYTES
                        last = offset, read_all(self._files, fd, size - offset, offset)
                else:
                    fits = self._files.size(fd) == size
                if header is None or not fits:
                    raise Unusable(f"{name} is not what the snapshot knows")
            finally:
                self._files.close(fd)
            segments.append(Segment(base_seq, size, header.salt))
        return segments, last

    def _shortfall(self) -> CorruptLog:
        segment, seq = self._segment, self.state.last_seq + 1
        name, offset = (segment_name(segment.base_seq), segment.bytes) if segment else (segment_name(seq), 0)
        return CorruptLog(self.name, name, offset, f"seq {seq} had been synced, but cannot be read")

    def _refusal(self, seq: int) -> StoreIOError:
        self._replaced = StoreIOError(
            f"Book {self.name!r} is not the one that was followed: its log ends at seq {seq} or is another there, as "
            "after a backup was restored; leave, and follow the ledger again."
        )
        return self._replaced

    async def _advance_in_segment(self, progress: Progress | None) -> bool:
        """Read on in the segment that grows, or begin the next one; whether there may be more."""
        state = self.state
        segment = self._segment
        if segment is None or state.last_seq < segment.base_seq:
            # until its first event is known, its header may still be written anew
            segment = await self._begin_segment(state.last_seq + 1)
            if segment is None:
                return False
        path = self._directory / segment_name(segment.base_seq)
        fd = await self._offload.run_to_end(self._files.open, path, undo=self._files.close)
        try:
            size = self._files.size(fd)
            if self._last is not None:
                offset, payload = self._last
                if await self._offload.run(read_all, self._files, fd, len(payload), offset) != payload:
                    raise self._refusal(state.last_seq)
            if size > segment.bytes:
                await self._read(fd, segment, size, progress)
        finally:
            self._files.close(fd)
        if segment.bytes == size and state.last_seq >= segment.base_seq:
            following = self._directory / segment_name(state.last_seq + 1)
            if await self._offload.run(os.path.exists, following):
                self._segment = None
                return True
        return False

    async def _begin_segment(self, base_seq: int) -> Segment | None:
        """The segment that begins at this seq, None while it has no header."""
        name = segment_name(base_seq)
        try:
            fd = await self._offload.run_to_end(
                self._files.open, self._directory / name, undo=self._files.close
            )
        except FileNotFoundError:
            return None
        try:
            data = await self._offload.run(read_all, self._files, fd, 4096, 0)
        finally:
            self._files.close(fd)
        header, size = self._header_in(data, base_seq)
        if header is None:
            return None
        self._segment, self._last = Segment(base_seq, size, header.salt), None
        self.log.replace_last(self._segment)
        return self._segment

    def _header_in(self, data: bytes, base_seq: int) -> tuple[SegmentHeader | None, int]:
        """The header of the segment that begins at this seq, and its bytes. Raises UnsupportedFormat, CorruptLog."""
        payload = read_frame(data, 0)
        header = decode_segment_header(payload) if payload is not None else None
        if payload is None or header is None:
            return None, 0
        if header.version not in READABLE_VERSIONS:
            raise UnsupportedFormat(self._directory.parent.parent, header.version)
        if (header.book, header.base_seq) != (self.name, base_seq):
            raise CorruptLog(self.name, segment_name(base_seq), 0, "its header is about something else")
        return header, FRAME_HEAD_BYTES + len(payload)

    async def _read(self, fd: int, segment: Segment, size: int, progress: Progress | None) -> None:
        """Fold the frames that are durable; those that are not yet are read again the next time."""
        state = self.state
        waiting: list[tuple[int, bytes]] = []
        """(offset, payload) of frames behind the last one that is known to be durable."""
        pace = Pace()
        async for start, payloads in FrameGroups(self._files, self._offload, fd, segment.bytes, size):
            offset, sound = start, True
            for payload in payloads:
                salt, synced, seq = read_identity(payload) or _NOBODY
                if salt != segment.salt or seq != state.last_seq + len(waiting) + 1:
                    sound = False
                    break
                waiting.append((offset, payload))
                offset += FRAME_HEAD_BYTES + len(payload)
                if synced > self._durable:
                    self._durable = synced
            durable = self._durable - state.last_seq
            if durable > 0 and waiting:
                known = waiting[:durable]
                if self._learn_assets is not None and any(
                    kind_in(payload) == KIND_ACCOUNT for _, payload in known
                ):
                    await self._learn_assets()
                self._fold(segment, known)
                waiting = waiting[durable:]
            if not sound:
                return
            if pace.due:
                if progress is not None:
                    progress(self.name, state.last_seq, max(state.last_seq, self._durable))
                await pace.rest()

    def _fold(self, segment: Segment, frames: list[tuple[int, bytes]]) -> None:
        try:
            found = replay(self.state, [payload for _, payload in frames], frames[0][0])
        except NoEvent as e:
            self._keys.add(e.found.keys, e.found.seqs)
            name, segment.bytes = segment_name(segment.base_seq), e.offset
            raise CorruptLog(self.name, name, e.offset, f"a frame is no event: {e.reason}") from e
        self._keys.add(found.keys, found.seqs)
        offset, payload = frames[-1]
        self._last = offset + FRAME_HEAD_BYTES, payload
        segment.bytes = offset + FRAME_HEAD_BYTES + len(payload)

    # ------------------------------------------------------------ what reading needs

    async def payloads(self, from_seq: int, count: int) -> Sequence[bytes]:
        if self._replaced is not None and from_seq <= self.state.last_seq:
            raise self._replaced
        return await self.log.payloads(self._offload, self.state, from_seq, count)

    async def find_key(self, key: str) -> int | None:
        return await self._keys.find(key, self.state.last_seq)

    async def find_txid(self, txid: bytes) -> int | None:
        return await find_txid(self.state, txid)

    @property
    def ended(self) -> bool:
        return self.error is not None

    def stopped_error(self) -> StoreIOError:
        return self.error or StoreIOError(f"Book {self.name!r} is no longer followed.")

    @property
    def trouble(self) -> StoreIOError | None:
        """Why not all that is known to be durable is shown; `error` is the kind that stays."""
        return self.error or self._lacking

    def info(self) -> BookInfo:
        error = self.trouble
        return self.state.info(
            bytes_on_disk=sum(segment.bytes for segment in self.log.segments) + self._side_bytes,
            segments=len(self.log.segments),
            snapshots=len(self._snapshot_files),
            snapshot_files=self._snapshot_files,
            runs=self._runs,
            writer="running" if error is None else "damaged",
            error=str(error) if error is not None else None,
        )


def _size(path: Path) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return -1


def _glances(books: Sequence[FollowedBook]) -> list[tuple[int, int, int] | None]:
    return [book.glance() for book in books]


class FollowedLedger(LedgerReads):
    """The ledger in a directory that another process has open, or nobody. Made by `open`; ends with `shutdown`.

    Offers the `Store` protocol; what writes raises StoreReadOnly.
    """

    def __init__(self, directory: Path, files: Files) -> None:
        super().__init__()
        self.directory = directory
        self._files = files
        self._offload = Offload(asyncio.get_running_loop(), 2, "talea-follow")
        self._watchers = Watchers()
        self._books: dict[str, FollowedBook] = {}
        self._born = Signal()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looks = 0
        self._glances: dict[str, tuple[int, int, int] | None] = {}
        self.trouble: str | None = None
        """Why what is shown may be old, in all books: the last look at the directory failed, the registry of assets
        cannot be read, or following has ended."""

    @classmethod
    async def open(
        cls,
        directory: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        files: Files | None = None,
    ) -> FollowedLedger:
        """Read what is durable now, then follow. Raises StoreIOError and its kinds."""
        ledger = cls(Path(directory), files or Files())
        try:
            ledger.directory = await ledger._offload.run(
                ledger.directory.absolute
            )  # the process may change its directory
            if not await ledger._offload.run(os.path.isdir, ledger.directory):
                raise StoreIOError(f"There is no ledger at {directory}.")
            await ledger._look(progress)
        except BaseException as e:
            ledger._offload.close()
            if isinstance(e, OSError):
                why = reason(e, "see that you may read there")
                raise StoreIOError(f"The ledger at {directory} cannot be read: {why}.") from e
            raise
        ledger._task = asyncio.create_task(ledger._follow(), name="talea-follow")
        ledger._task.add_done_callback(ledger._ended)
        return ledger

    async def writer_pid(self) -> int | None:
        """The process that has the ledger open, or had it last and may live; None when it is gone or not known."""
        return await self._offload.run(holder_of, self.directory)

    async def _close(self) -> None:
        self._closing.set()
        try:
            await self._end_long_work()
            if self._task is not None:
                await asyncio.wait([self._task])
        finally:
            # also when the loop ends and cancels this, as `asyncio.run` does
            self._offload.close()
            for book in self._books.values():
                book.closed = True
                book.news.fire()
            self._born.fire()
            self._watchers.close()

    async def _follow(self) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), POLL_SECONDS)
            try:
                await self._look(None)
            except OSError as e:
                self.trouble = e.strerror or str(e)
            else:
                registry = self._books.get(SYSTEM_BOOK)  # which `books` leaves out
                error = registry.trouble if registry is not None else None
                self.trouble = str(error).removesuffix(".") if error is not None else None

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Following that ends by a fault of the program says so, and leaves no reader waiting for what comes next."""
        if task.cancelled():
            why = "following was cancelled"
        elif (fault := task.exception()) is not None:
            logger.error("Following the ledger at %s ended", self.directory, exc_info=fault)
            why = f"following ended by a fault of the program ({fault!r})"
        else:
            return
        self.trouble = why
        for book in self._books.values():
            if book.error is None:
                error = f"Book {book.name!r} is as it was: {why}; leave, and follow the ledger again."
                self._give_up(book, StoreIOError(error))

    async def _look(self, progress: Progress | None) -> None:
        """Find new books, and take in what has become durable in each. Raises OSError."""
        root = self.directory / BOOKS_NAME
        for entry in await self._offload.run(self._files.entries, root):
            if entry.name in self._books or entry.is_link or not entry.is_directory:
                continue
            with contextlib.suppress(InvalidBook):
                check_book_name(entry.name)
                learn_assets = None if entry.name == SYSTEM_BOOK else self._learn_assets
                self._books[entry.name] = FollowedBook(
                    self._files, self._offload, root / entry.name, entry.name, learn_assets
                )
                self._born.fire()
        self._looks += 1
        trouble: OSError | None = None
        books = [self._books[name] for name in self._names()]
        # many books that rest cost one call, not several each
        glances = await self._offload.run(_glances, books)
        for book, glance in zip(books, glances, strict=True):
            if self._closed:
                return
            if (
                glance is not None
                and glance == self._glances.get(book.name)
                and self._looks % LOOK_CLOSELY_EVERY
            ):
                continue
            try:
                await self._advance(book, progress)
            except OSError as e:
                trouble = trouble or e  # the other books go on
            else:
                self._glances[book.name] = glance
        if trouble is not None:
            raise trouble

    async def _advance(self, book: FollowedBook, progress: Progress | None = None) -> None:
        try:
            if await book.advance(progress):
                self._watchers.changed(book.name)
        except StoreIOError as e:
            self._give_up(book, e)

    def _give_up(self, book: FollowedBook, error: StoreIOError) -> None:
        book.error = error
        book.news.fire()
        self._watchers.changed(book.name)

    async def _learn_assets(self) -> None:
        system = self._books.get(SYSTEM_BOOK)
        if system is None:
            root = self.directory / BOOKS_NAME / SYSTEM_BOOK
            system = FollowedBook(self._files, self._offload, root, SYSTEM_BOOK)
            self._books[SYSTEM_BOOK] = system
            self._born.fire()
        await self._advance(system)

    # ------------------------------------------------------------ books

    def _find(self, name: str) -> FollowedBook | None:
        self._refuse_if_closed()
        book = self._books.get(name) if type(name) is str else None
        if book is not None:
            return book
        check_book_name(name)
        other = next((other for other in self._books if folded(other) == folded(name)), None)
        if other is not None:
            raise differs_only_by_case(name, other)
        return None

    def _names(self) -> list[str]:
        return sorted(self._books)

    def _assets(self) -> dict[str, AssetDef]:
        system = self._find(SYSTEM_BOOK)
        return system.state.assets if system is not None else {}

    async def books(self) -> list[BookInfo]:
        self._refuse_if_closed()
        infos = [self._books[name].info() for name in self._names() if name != SYSTEM_BOOK]
        return [info for info in infos if info.last_seq or info.error is not None]

    async def book(self, name: str) -> BookInfo | None:
        book = self._find(name)
        info = book.info() if book is not None else None
        return info if info is not None and (info.last_seq or info.error is not None) else None

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        self._refuse_if_closed()
        return self._watchers.watch()

    async def backup(
        self, target: str | os.PathLike[str], progress: BackupProgress | None = None
    ) -> dict[str, Any]:
        """Copy what has been read to a new directory, while its writer goes on; the manifest of the copy.

        As `LogTaleaStore.backup`, but books that nothing was read of are left out. Raises StoreIOError.
        """
        self._refuse_if_closed()
        books = [self._books[name] for name in self._names()]
        extents = [(b.name, b.log, Extent(b.state, b.log)) for b in books if b.state.last_seq]
        for name, _, extent in extents:
            # a segment of which nothing is durable yet may stand last
            extent.segments = [s for s in extent.segments if s[0].base_seq <= extent.last_seq]
            error = self._books[name].info().error
            if error is not None:
                raise StoreIOError(f"The backup to {target} would not be whole: {error}")
        copying = copy_ledger(self._files, self._offload, Path(target), extents, progress)
        try:
            return await self._until_closed(copying, "backup")
        except OSError as e:
            raise StoreIOError(f"The backup to {target} failed: {e.strerror or e}.") from e

    # ------------------------------------------------------------ what only a writer does

    def _read_only(self) -> StoreError:
        return StoreClosed() if self._closed else StoreReadOnly(self.directory)

    async def reopen(self, book: str, progress: Progress | None = None) -> None:
        raise self._read_only()

    async def register_asset(self, asset: AssetDef) -> None:
        raise self._read_only()

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        raise self._read_only()

    async def commit(self, transaction: Transaction) -> Committed:
        raise self._read_only()

    async def commit_batch(self, transactions: Sequence[Transaction]) -> list[Committed | StoreError]:
        raise self._read_only()
