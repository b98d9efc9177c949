"""Opening one book: its memory from the newest good snapshot and the log after it, and what must be mended first.

`examine` reads only. What it wants changed on disk waits in `Examined.mend`, so that all books can be looked at
before any is touched.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from .codec import (
    READABLE_VERSIONS,
    SegmentHeader,
    decode_segment_header,
    encode_segment_header,
    read_identity,
    read_prefix,
    salt_marks,
    synced_in_order,
)
from .columns import CHUNK_EVENTS
from .errors import CorruptLog, UnsupportedFormat
from .files import TEMPORARY_SUFFIX, DurableFile, Entry, Files, read_all, write_all
from .frames import FRAME_HEAD_BYTES, bytes_of, frame, read_frame
from .idempotency import READ_BACK_TOGETHER, KeyIndex
from .offload import Offload, Pace
from .protocol import Progress
from .replay import NoEvent, replay
from .runs import RUN_NAME, DamagedRun, is_of_log
from .segments import (
    SEGMENT_NAME,
    WINDOW_BYTES,
    FrameGroups,
    Segment,
    SegmentLog,
    checksum_of,
    gets_room,
    new_salt,
    segment_name,
)
from .snapshots import CHUNK_NAME, SNAPSHOT_NAME, Snapshot, Unusable, load_snapshot, snapshot_name
from .state import BookState
from .watermark import WATERMARK_NAME, read_watermark

logger = logging.getLogger("store")

_FORMER_NAME = re.compile(r"index-txid-[0-9]{6,}\.run")
"""Of files that once said where transaction ids are, and that nothing reads any more."""
_KEPT_NAME = re.compile(r"segment-[0-9]{20}\.log\.cut-[0-9]+")
"""Of files with bytes that were cut off though they had been durable; nothing reads them but people."""
_EVENT_STARTS = re.compile(rb"[\x80-\x97]\x48")


class _Found(NamedTuple):
    """What stands in a book's directory, by kind."""

    entries: list[Entry]
    segments: list[int]
    snapshots: list[int]
    temporary: list[str]


class Examined:
    """A book's memory, and what has to be done on disk before it may be used."""

    def __init__(self, name: str, directory: Path, keys: KeyIndex) -> None:
        self.name, self.directory = name, directory
        self.state = BookState(name)
        self.segments: list[Segment] = []
        self.keys = keys
        self.snapshots: list[int] = []
        """Last seqs of the snapshots that stay, ascending."""
        self.useless_snapshots: list[int] = []
        """Last seqs of snapshots that cannot be read, to be removed when there is a better one."""
        self.sealed_chunks: set[int] = set()
        self.repairs: list[str] = []
        self.is_as_a_kill_leaves_it = False
        """Whether nothing was repaired but that room was cut off which a killed writer had made."""
        self.unchecked: list[Segment] = []
        """Sealed segments that the snapshot covers and nobody has read."""
        self.temporary: list[str] = []
        self.cut: tuple[Segment, int] | None = None
        """A final segment, and the size to cut it to."""
        self.header_wanted: Segment | None = None
        self.keep_as: str | None = None
        """The file for what is taken off the final segment, where some of it had been durable."""
        self.unproven_from: int | None = None
        """Offset in the final segment from which no frame is known to have been synced."""

    @classmethod
    def blank(cls, files: Files, offload: Offload, directory: Path, name: str, hot_cap: int) -> Examined:
        """A book that has no files yet."""
        return cls(name, directory, KeyIndex(files, offload, directory, name, hot_cap))

    async def mend(self, files: Files, offload: Offload) -> None:
        """Do on disk what `examine` found necessary. Raises OSError."""
        if self.segments:
            await offload.run(self._mend_final_segment, files)
        for name in self.temporary:
            await offload.run(files.remove, self.directory / name)
        await self.keys.remove_redundant()

    def _mend_final_segment(self, files: Files) -> None:
        final = self.segments[-1]
        if self.header_wanted is None and self.cut is None and self.unproven_from is None:
            return
        fd = files.open(self.directory / segment_name(final.base_seq), write=True)
        try:
            if self.keep_as is not None:
                start = self.cut[1] if self.cut is not None else 0
                _keep(files, fd, start, self.directory / self.keep_as)
            if self.header_wanted is not None:
                header = frame(encode_segment_header(self.name, final.base_seq, final.salt))
                files.truncate(fd, 0)
                write_all(files, fd, header, 0)
                final.bytes, final.checksum = len(header), crc32(header)
            elif self.cut is not None:
                files.truncate(fd, self.cut[1])
            if self.unproven_from is not None:
                # the page cache may show what the disk never got: dirty those pages, then sync
                data = read_all(files, fd, final.bytes - self.unproven_from, self.unproven_from)
                write_all(files, fd, data, self.unproven_from)
            files.sync(fd)
        finally:
            files.close(fd)
        files.sync_directory(self.directory)
        if final.base_seq == 1:
            # the life that made the book may have ended before it synced where it lies
            files.sync_directory(self.directory.parent)
            files.sync_directory(self.directory.parent.parent)


def _keep(files: Files, fd: int, start: int, path: Path) -> None:
    """Copy what a file holds from byte `start` on to a new one. Raises OSError; then there is none."""
    kept = DurableFile(files, path)
    try:
        while data := read_all(files, fd, WINDOW_BYTES, start):
            kept.write(data)
            start += len(data)
        kept.commit()
    except BaseException:
        kept.abandon()
        raise


async def examine(
    files: Files,
    offload: Offload,
    directory: Path,
    name: str,
    hot_cap: int,
    progress: Progress | None,
) -> Examined | None:
    """A book as its files tell it, or None when the directory holds no book.

    Raises CorruptLog, UnsupportedFormat, OSError; nothing on disk is changed.
    """
    found = _classify(await offload.run(files.entries, directory), name)
    foreign, foreign_runs = set[int](), set[Path]()
    while True:
        book = Examined.blank(files, offload, directory, name, hot_cap)
        book.temporary = found.temporary
        if not found.segments:
            beside = [e.name for e in found.entries if _claims_a_log(e.name)]
            if beside:
                raise CorruptLog(name, None, None, f"{beside[0]} stands there without a log")
            noted = await offload.run(read_watermark, files, directory)
            if noted:
                raise CorruptLog(name, None, None, f"its log is gone, but seq {noted} had been durable")
            return book if found.temporary else None
        opening = _Opening(files, offload, book, found, foreign, foreign_runs, progress)
        try:
            await opening.run()
        except _ForeignSnapshot as e:
            foreign.add(e.last_seq)
        except _ForeignRuns as e:
            foreign_runs |= e.paths
        else:
            return book
        finally:
            opening.close()


def _claims_a_log(name: str) -> bool:
    return SNAPSHOT_NAME.fullmatch(name) is not None or RUN_NAME.fullmatch(name) is not None


def _classify(entries: list[Entry], book: str) -> _Found:
    found = _Found(entries, [], [], [])
    known = (SEGMENT_NAME, SNAPSHOT_NAME, CHUNK_NAME, RUN_NAME)
    for entry in entries:
        match = next((m for pattern in known if (m := pattern.fullmatch(entry.name))), None)
        is_ours = match is not None or entry.name == WATERMARK_NAME
        if is_ours and not entry.is_file:
            what = "a symbolic link" if entry.is_link else "a directory" if entry.is_directory else "a device"
            raise CorruptLog(book, entry.name, None, f"it is {what}, not a file of the ledger")
        if not is_ours:
            useless = entry.name.endswith(TEMPORARY_SUFFIX) or _FORMER_NAME.fullmatch(entry.name)
            if useless and not entry.is_directory:
                found.temporary.append(entry.name)
            elif not _KEPT_NAME.fullmatch(entry.name):
                logger.warning("Book %r: %r is no file of the ledger and is left alone", book, entry.name)
        elif match is None:
            continue  # the watermark
        elif match.re is SEGMENT_NAME:
            found.segments.append(int(match[1]))
        elif match.re is SNAPSHOT_NAME:
            found.snapshots.append(int(match[1]))
    found.segments.sort()
    found.snapshots.sort()
    return found


class _ForeignSnapshot(Exception):
    """The log does not have the bytes that a good snapshot was made from."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq


class _ForeignRuns(Exception):
    """These tell of keys that the log does not have there, or lack some that it has."""

    def __init__(self, paths: set[Path]) -> None:
        self.paths = paths


class _Opening:
    """The work of `examine` on one book that has segments; what is `foreign` is not to be used."""

    def __init__(
        self,
        files: Files,
        offload: Offload,
        book: Examined,
        found: _Found,
        foreign: set[int],
        foreign_runs: set[Path],
        progress: Progress | None,
    ) -> None:
        self._files, self._offload, self._book, self._found = files, offload, book, found
        self._foreign, self._foreign_runs = foreign, foreign_runs
        self._progress = progress
        self._pace = Pace()
        self._fd: int | None = None
        self._claimed = 0
        """The last seq that a snapshot or run says was durable."""
        self._proven = 0
        """The last seq known to have been synced."""
        self._drops_bytes = False
        """Whether what is to be taken off the final segment is more than zeros."""
        self._read_bytes = 0
        self._all_bytes = sum(e.bytes for e in found.entries if SEGMENT_NAME.fullmatch(e.name))

    def close(self) -> None:
        if self._fd is not None:
            self._files.close(self._fd)
            self._fd = None

    async def run(self) -> None:
        book = self._book
        await book.keys.load(self._found.entries, self._foreign_runs)
        self._claimed = book.keys.witnessed
        if self._foreign:
            # the runs beside them will tell the same other history
            book.keys.discard()
        snapshot = await self._newest_snapshot()
        covered = 0
        if snapshot is not None:
            book.state = snapshot.state
            covered = snapshot.state.last_seq
        self._proven = self._claimed
        bases = self._found.segments
        if bases[0] != 1:
            raise CorruptLog(book.name, segment_name(1), None, "the log's first segment is missing")
        table = {base: (size, checksum) for base, size, checksum in snapshot.segments} if snapshot else {}
        known_bases = sorted(table)
        growing = max(table, default=0)
        next_seq = 1
        for i, base in enumerate(bases):
            final = i == len(bases) - 1
            if base != next_seq:
                last = book.segments[-1]
                raise CorruptLog(
                    book.name,
                    segment_name(last.base_seq),
                    last.bytes,
                    f"seq {next_seq} is missing, the next segment begins at {base}",
                )
            segment = await self._open_segment(base, final)
            if segment is None:
                break
            if base < growing and not final:
                following = known_bases[known_bases.index(base) + 1] if base in table else bases[i + 1]
                if base not in table or table[base][0] != segment.bytes:
                    raise CorruptLog(
                        book.name,
                        segment_name(base),
                        segment.bytes,
                        "its size is not what the snapshot knows",
                    )
                segment.checksum = table[base][1]
                book.unchecked.append(segment)
                next_seq = following
                self._read_bytes += segment.bytes
            else:
                if base == growing:
                    next_seq = await self._skip_covered(segment, *table[base], covered)
                next_seq = await self._read_segment(segment, next_seq, covered, final)
        await self._refuse_foreign_runs()
        await self._conclude(next_seq - 1, max(covered, self._claimed))
        await self._tell_what_is_missing(next_seq - 1)

    async def _newest_snapshot(self) -> Snapshot | None:
        """The newest good snapshot whose keys are all in runs."""
        book = self._book
        good: Snapshot | None = None
        for last_seq in reversed(self._found.snapshots):
            path = snapshot_name(last_seq)
            try:
                snapshot = await load_snapshot(self._files, self._offload, book.directory, path, book.name)
                if snapshot.state.last_seq != last_seq or not snapshot.segments:
                    raise Unusable(f"{path}: it is about another seq")
            except (OSError, Unusable) as e:
                logger.warning("Book %r: %s; the log is read instead", book.name, e)
                continue
            self._claimed = max(self._claimed, last_seq)
            if last_seq in self._foreign:
                logger.warning("Book %r: %s is not of this log; the log is read instead", book.name, path)
                continue
            book.snapshots.insert(0, last_seq)
            if good is None and last_seq <= book.keys.persisted:
                good = snapshot
            break
        newest = max(book.snapshots, default=0)
        book.snapshots = [s for s in self._found.snapshots if s <= newest]
        book.useless_snapshots = [s for s in self._found.snapshots if s > newest]
        if good is not None:
            book.sealed_chunks = {k * CHUNK_EVENTS + 1 for k in range(good.state.last_seq // CHUNK_EVENTS)}
        return good

    async def _open_segment(self, base: int, final: bool) -> Segment | None:
        """The segment with its header checked; None when it is final and has none, to be written anew."""
        book, files = self._book, self._files
        self.close()
        name = segment_name(base)
        self._fd = await self._offload.run_to_end(files.open, book.directory / name, undo=files.close)
        size = files.size(self._fd)
        data: bytes = await self._offload.run(read_all, files, self._fd, 4096, 0)
        payload = read_frame(data, 0)
        header = decode_segment_header(payload) if payload is not None else None
        if header is not None and header.version not in READABLE_VERSIONS:
            raise UnsupportedFormat(book.directory.parent.parent, header.version)
        if header is not None and payload is not None:
            self._check_header(header, base, name)
            segment = Segment(base, size, header.salt)
            book.segments.append(segment)
            self._read_from = FRAME_HEAD_BYTES + len(payload)
            self._summed = 0, 0
            return segment
        if not final or base <= self._claimed:
            raise CorruptLog(book.name, name, 0, "its header is damaged")
        await self._refuse_if_frames_were_synced(name, base, size)
        segment = Segment(base, 0, new_salt())
        book.segments.append(segment)
        book.header_wanted = segment
        self._drops_bytes = size > 0
        book.repairs.append(f"{name}: a torn header of {size} bytes was written anew, after seq {base - 1}")
        return None

    def _check_header(self, header: SegmentHeader, base: int, name: str) -> None:
        if header.book != self._book.name:
            raise CorruptLog(self._book.name, name, 0, f"it belongs to book {header.book!r}")
        if header.base_seq != base:
            raise CorruptLog(
                self._book.name, name, 0, f"its header says that it begins at seq {header.base_seq}"
            )

    async def _refuse_if_frames_were_synced(self, name: str, base: int, size: int) -> None:
        """Without its header a segment is torn, unless a frame says that one of its events had been synced."""
        assert self._fd is not None
        offset = 0
        while offset < size:
            data: bytes = await self._offload.run(read_all, self._files, self._fd, 17 * WINDOW_BYTES, offset)
            for match in _EVENT_STARTS.finditer(data):
                start = match.start() - FRAME_HEAD_BYTES
                if start > WINDOW_BYTES:
                    break
                if start >= 0:
                    payload = read_frame(data, start)
                    prefix = read_prefix(payload) if payload is not None else None
                    if prefix is not None and prefix.synced >= base:
                        raise CorruptLog(
                            self._book.name, name, 0, "its header, which had been synced, is damaged"
                        )
                if self._pace.due:
                    await self._pace.rest()
            offset += WINDOW_BYTES

    async def _skip_covered(self, segment: Segment, size: int, checksum: int, covered: int) -> int:
        """Check at one go the bytes that the snapshot covers; the seq to read on from.

        Raises _ForeignSnapshot if they differ: reading them all tells whether they are damaged.
        """
        assert self._fd is not None
        if segment.bytes < size:
            return segment.base_seq
        if await self._offload.run(checksum_of, self._files, self._fd, 0, size) != checksum:
            raise _ForeignSnapshot(covered)
        self._read_from = size
        self._summed = size, checksum
        return covered + 1

    async def _read_segment(self, segment: Segment, next_seq: int, covered: int, final: bool) -> int:
        """Check every byte, fold what the snapshot does not cover; the seq after the segment's last."""
        assert self._fd is not None
        book, state, salt = self._book, self._book.state, segment.salt
        name = segment_name(segment.base_seq)
        size, end = segment.bytes, self._read_from
        async for start, payloads in FrameGroups(self._files, self._offload, self._fd, end, size):
            offset = start
            sound = synced_in_order(payloads, salt, next_seq) if payloads else None
            for group in [payloads] if sound is not None else [[payload] for payload in payloads]:
                synced = sound if sound is not None else synced_in_order(group, salt, next_seq)
                if synced is None:
                    self._refuse_another_seq(name, offset, group[0], salt, next_seq)
                    break
                self._proven = max(self._proven, synced)
                known = max(0, min(covered - next_seq + 1, len(group)))
                if known < len(group):
                    self._fold(name, group[known:], offset + bytes_of(group[:known]))
                offset += bytes_of(group)
                next_seq += len(group)
            end = offset
            if offset < start + bytes_of(payloads) or not payloads:
                if not final:
                    raise CorruptLog(book.name, name, offset, "a frame is damaged")
                zeros = await self._refuse_if_synced(segment, offset, size, next_seq)
                book.cut = (segment, offset)
                self._drops_bytes = not zeros
                what = "zero bytes that had been written ahead" if zeros else "torn bytes"
                book.repairs.append(f"{name}: {size - offset} {what} were cut after seq {next_seq - 1}")
                book.is_as_a_kill_leaves_it = zeros and gets_room(offset)
                break
            if self._pace.due:
                self._tell(next_seq - 1, self._read_bytes + end)
                await self._pace.rest()
        segment.bytes = end
        summed, checksum = self._summed
        segment.checksum = await self._offload.run(checksum_of, self._files, self._fd, summed, end, checksum)
        self._read_bytes += size
        if final:
            proven = max(self._proven, segment.base_seq - 1)
            if proven < next_seq - 1:
                # with the first frame the header is unproven too
                book.unproven_from = state.offset_of(proven + 1) if proven >= segment.base_seq else 0
        return next_seq

    def _refuse_another_seq(
        self, segment: str, offset: int, payload: bytes, salt: bytes, next_seq: int
    ) -> None:
        """Raises CorruptLog for an event of this segment, and so no tear, that stands at the wrong place."""
        identity = read_identity(payload)
        if identity is not None and identity[0] == salt:
            seq = identity[2]
            raise CorruptLog(
                self._book.name, segment, offset, f"seq {seq} stands where seq {next_seq} belongs"
            )

    def _fold(self, segment: str, payloads: list[bytes], offset: int) -> None:
        """Apply events that no snapshot covers, and index what no run holds."""
        book = self._book
        try:
            found = replay(book.state, payloads, offset)
        except NoEvent as e:
            raise CorruptLog(book.name, segment, e.offset, f"a frame is no event: {e.reason}") from e
        keys_from = bisect_right(found.seqs, book.keys.persisted)
        book.keys.add(found.keys[keys_from:], found.seqs[keys_from:], READ_BACK_TOGETHER)

    async def _refuse_if_synced(self, segment: Segment, offset: int, size: int, seq: int) -> bool:
        """A bad frame is a tear unless something later shows that its seq had been synced; whether all is zeros."""
        assert self._fd is not None
        name = segment_name(segment.base_seq)
        refusal = CorruptLog(
            self._book.name, name, offset, f"the frame of seq {seq}, which had been synced, is damaged"
        )
        if seq <= self._claimed:
            await self._refuse_foreign_runs()
            raise refusal
        marks = salt_marks(segment.salt)
        zeros = True
        while offset < size:
            data: bytes = await self._offload.run(read_all, self._files, self._fd, 17 * WINDOW_BYTES, offset)
            for mark in marks:
                at = data.find(mark)
                while 0 <= at < WINDOW_BYTES + FRAME_HEAD_BYTES:
                    payload = read_frame(data, at - FRAME_HEAD_BYTES) if at >= FRAME_HEAD_BYTES else None
                    prefix = read_prefix(payload) if payload is not None else None
                    if prefix is not None and prefix.synced >= seq:
                        raise refusal
                    at = data.find(mark, at + 1)
            zeros = zeros and data.count(0) == len(data)
            offset += WINDOW_BYTES
            await self._pace.rest()
        return zeros

    async def _refuse_foreign_runs(self) -> None:
        """Raises _ForeignRuns when some were not made from this log, all of which has been read or is covered."""
        book = self._book
        log = SegmentLog(self._files, book.directory, book.name, 0, book.segments)
        payloads = partial(log.payloads, self._offload, book.state)
        foreign: set[Path] = set()
        for run in book.keys.loaded:
            try:
                if await is_of_log(self._files, self._offload, run, payloads, book.state.last_seq):
                    continue
                why = "its keys are not those of this log, but of another ledger or another copy of it"
            except (OSError, DamagedRun) as e:
                why = str(e)
            logger.warning("Book %r: %s: %s; keys are rebuilt from the log", book.name, run.path.name, why)
            foreign.add(run.path)
        if foreign:
            raise _ForeignRuns(foreign)

    async def _conclude(self, found: int, durable: int) -> None:
        """`found` is the last seq of the log, `durable` the last one that a snapshot or run knows of."""
        book, state = self._book, self._book.state
        if found < durable:
            last = book.segments[-1]
            raise CorruptLog(
                book.name,
                segment_name(last.base_seq),
                last.bytes,
                f"the log ends at seq {found}, but seq {durable} had been durable",
            )
        if book.header_wanted is None and found < book.segments[-1].base_seq:
            book.unproven_from = 0  # a header alone: neither it nor its name need have been synced
        state.settle()
        self._tell(state.last_seq, self._all_bytes)

    async def _tell_what_is_missing(self, found: int) -> None:
        """A tear never takes what had been synced, and so had been noted; a file that was cut or overwritten may."""
        book = self._book
        try:
            noted = await self._offload.run(read_watermark, self._files, book.directory)
        except OSError:
            return  # opening does not need it
        if noted <= found:
            return
        lost = f"but seq {noted} had been durable: later events are lost, unless a backup has them"
        if book.repairs:
            book.repairs[-1] += f", {lost}"
            if self._drops_bytes:
                book.keep_as = self._free_name()
                book.repairs[-1] += f"; what was cut is kept in {book.keep_as}"
            book.is_as_a_kill_leaves_it = False
        else:
            logger.warning("Book %r: the log ends at seq %d, %s", book.name, found, lost)

    def _free_name(self) -> str:
        """Of a file for what is taken off the final segment."""
        final, taken = segment_name(self._book.segments[-1].base_seq), {e.name for e in self._found.entries}
        return next(name for n in count(1) if (name := f"{final}.cut-{n}") not in taken)

    def _tell(self, seq: int, read_bytes: int) -> None:
        if self._progress is not None:
            guess = seq * self._all_bytes // max(1, read_bytes)
            self._progress(self._book.name, seq, max(seq, guess))
