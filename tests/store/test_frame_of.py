"""Where an event stands on disk, told by the store and read by a stranger."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from store import FollowedLedger, InvalidBook, StoreClosed, StoredFrame
from store.files import Entry, Files
from store.protocol import Store
from tests.support.build import BOOK
from tests.support.disk import book_directory, frames
from tests.support.ledgers import opened, pay, written
from tests.support.subjects import Subject


def on_disk(directory: Path, frame: StoredFrame) -> bytes:
    """The payload that stands where the frame is said to be."""
    data = (book_directory(directory, BOOK) / frame.segment).read_bytes()
    found = {f.offset: f for f in frames(data)}[frame.offset]
    assert (len(found.payload), zlib.crc32(found.payload)) == (frame.payload_bytes, frame.crc32)
    return found.payload


async def checked(store: Store, directory: Path, last_seq: int) -> None:
    payloads = []
    for seq in range(1, last_seq + 1):
        frame = await store.frame_of(BOOK, seq)
        assert frame is not None
        payloads.append(on_disk(directory, frame))
    every = [
        f.payload
        for path in sorted(book_directory(directory, BOOK).glob("segment-*.log"))
        for f in frames(path.read_bytes())[1:]
    ]
    assert payloads == every


async def test_every_event_is_where_its_frame_is_said_to_be(
    home: Store, subject: Subject, tmp_path: Path
) -> None:
    await pay(home, 6)
    if subject.durable:
        await checked(home, tmp_path / "ledger", 13)
    else:
        assert await home.frame_of(BOOK, 1) is None


async def test_what_is_not_there_has_no_frame(home: Store) -> None:
    for seq in (-1, 0, 8):
        assert await home.frame_of(BOOK, seq) is None
    assert await home.frame_of("nothing", 1) is None
    with pytest.raises(InvalidBook):
        await home.frame_of("../nothing", 1)
    await home.shutdown()
    with pytest.raises(StoreClosed):
        await home.frame_of(BOOK, 1)


async def test_a_follower_tells_the_same_frames(tmp_path: Path) -> None:
    await written(tmp_path, segment_max=700)
    async with opened(tmp_path, segment_max=700), await FollowedLedger.open(tmp_path) as followed:
        await checked(followed, tmp_path, 13)


async def test_snapshots_are_listed_with_seq_size_and_age(tmp_path: Path) -> None:
    await written(tmp_path)
    async with opened(tmp_path) as store:
        assert (await store.book(BOOK)).snapshot_files == ()
        for start in (6, 7, 8):
            await store.snapshot_now(BOOK)
            await pay(store, 1, start=start)
        told = (await store.book(BOOK)).snapshot_files
    async with opened(tmp_path) as store:
        assert (await store.book(BOOK)).snapshot_files == told
    paths = sorted(book_directory(tmp_path, BOOK).glob("snapshot-*.snap"))
    assert [(f.last_seq, f.bytes, f.written_at.timestamp()) for f in told] == [
        (int(path.stem.removeprefix("snapshot-")), path.stat().st_size, pytest.approx(path.stat().st_mtime))
        for path in paths
    ]
    assert [f.last_seq for f in told] == [14, 15]


class OddClock(Files):
    """Real files, all of which were last written at this time."""

    def __init__(self, modified: float) -> None:
        self.modified = modified

    def entries(self, directory: Path) -> list[Entry]:
        return [entry._replace(modified=self.modified) for entry in super().entries(directory)]


@pytest.mark.parametrize(("modified", "year"), [(253_402_300_800.0, 9999), (-1e12, 1)])
async def test_a_snapshot_from_outside_the_calendar_is_used_and_told_as_from_its_edge(
    tmp_path: Path, modified: float, year: int
) -> None:
    async with opened(await written(tmp_path)) as store:
        await store.snapshot_now(BOOK)
    files = OddClock(modified)
    async with (
        opened(tmp_path, files=files) as store,
        await FollowedLedger.open(tmp_path, files=files) as other,
    ):
        for ledger in (store, other):
            info = await ledger.book(BOOK)
            assert info.last_seq == 13
            assert [file.written_at.year for file in info.snapshot_files] == [year]
