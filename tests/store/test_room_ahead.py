"""A segment that grows has zeros written ahead of its frames; nobody ever takes them for more than that."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
from contextlib import aclosing
from pathlib import Path

import pytest

from store import Committed, CorruptLog, FollowedLedger, LogTaleaStore, StoreIOError, segments
from store.files import Files
from store.watermark import WATERMARK_NAME
from tests.support.build import BOOK, household, transfer
from tests.support.disk import frames
from tests.support.faulty_files import FaultyFiles, every, never
from tests.support.ledgers import CASH
from tests.support.observe import events_of, plant
from tests.support.subjects import open_log_store

ROOM = 4096


class SmallDisk(Files):
    """Every file has room for so many bytes; of what is too long, as much is written as there is room for."""

    capacity = 2**30

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if offset >= self.capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data[: self.capacity - offset], offset)


@pytest.fixture(autouse=True)
def room_from_the_first_frames_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ROOM_FROM_BYTES", 1000)
    monkeypatch.setattr(segments, "ROOM_MAX_BYTES", ROOM)


async def post(store: LogTaleaStore, count: int, prefix: str = "key") -> list[Committed]:
    return [
        await store.commit(transfer("assets:cash", "income:salary", 5, key=f"{prefix} {n}"))
        for n in range(count)
    ]


def the_segment(directory: Path) -> Path:
    (segment,) = directory.glob(f"books/{BOOK}/segment-*.log")
    return segment


def zeros_behind(segment: Path) -> int:
    data = segment.read_bytes()
    return len(data) - frames(data)[-1].end


def killed(directory: Path) -> Path:
    """The directory as a kill would leave it now."""
    return Path(shutil.copytree(directory, directory.with_name("killed")))


async def test_room_is_there_while_the_segment_grows_and_gone_once_it_is_closed(tmp_path: Path) -> None:
    store = await open_log_store(tmp_path)
    await household(store)
    await post(store, 30)
    segment = the_segment(tmp_path)
    data = segment.read_bytes()
    assert len(data) - len(data.rstrip(b"\0")) > 0
    before = segment.stat().st_size
    await post(store, 1, "one more")
    assert segment.stat().st_size == before, "the file need not grow"
    await store.shutdown()
    assert zeros_behind(segment) == 0
    async with await LogTaleaStore.open(tmp_path) as store:
        info = await store.book(BOOK)
        assert info is not None
        assert info.repairs == ()
        assert info.bytes_on_disk >= segment.stat().st_size


async def test_a_small_segment_is_as_long_as_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    async with await open_log_store(tmp_path) as store:
        await household(store)
        await post(store, 30)
        assert zeros_behind(the_segment(tmp_path)) == 0


async def test_what_a_kill_leaves_of_the_room_is_cut_off_and_told_without_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "ledger"
    async with await open_log_store(directory) as store:
        await household(store)
        receipts = await post(store, 30)
        copy = killed(directory)
    async with await LogTaleaStore.open(copy) as again:
        info = await again.book(BOOK)
        assert info is not None
        (repair,) = info.repairs
        assert "zero bytes that had been written ahead were cut" in repair
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        assert info.last_seq == receipts[-1].seq
        await again.verify(BOOK)
    assert zeros_behind(the_segment(copy)) == 0


async def test_zeros_in_the_place_of_what_had_been_durable_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "ledger"
    async with await open_log_store(directory) as store:
        await household(store)
        receipts = await post(store, 30)
        segment = the_segment(killed(directory))
    data = segment.read_bytes()
    last = frames(data)[-1]
    segment.write_bytes(data[: last.offset] + bytes(len(data) - last.offset))
    async with await LogTaleaStore.open(tmp_path / "killed") as again:
        info = await again.book(BOOK)
        assert info is not None
        assert info.last_seq == receipts[-1].seq - 1
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "later events are lost" in warning


async def test_zeros_behind_a_segment_that_gets_no_room_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with await open_log_store(tmp_path) as store:
        await household(store)
    segment = the_segment(tmp_path)
    assert segment.stat().st_size < 1000
    segment.write_bytes(segment.read_bytes() + bytes(50))
    async with await LogTaleaStore.open(tmp_path):
        assert "50 zero bytes" in caplog.text
        assert "WARNING" in caplog.text


async def test_a_frame_torn_within_the_room_is_cut_off(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with await open_log_store(directory) as store:
        await household(store)
        receipts = await post(store, 30)
        copy = killed(directory)
    segment = the_segment(copy)
    data = bytearray(segment.read_bytes())
    last = frames(bytes(data))[-1]
    data[last.end - 20 : last.end] = bytes(20)
    segment.write_bytes(data)
    (segment.parent / "index-watermark").unlink()
    async with await LogTaleaStore.open(copy) as again:
        info = await again.book(BOOK)
        assert info is not None
        assert "torn bytes were cut" in info.repairs[0]
        assert info.last_seq == receipts[-1].seq - 1


async def test_a_frame_that_had_been_synced_is_not_taken_for_room(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with await open_log_store(directory) as store:
        await household(store)
        await post(store, 30)
        copy = killed(directory)
    segment = the_segment(copy)
    data = bytearray(segment.read_bytes())
    some = frames(bytes(data))[20]
    data[some.offset : some.end] = bytes(some.end - some.offset)
    segment.write_bytes(data)
    with pytest.raises(CorruptLog):
        await LogTaleaStore.open(copy)


async def test_a_segment_is_sealed_without_room_before_the_next_one_begins(tmp_path: Path) -> None:
    async with await open_log_store(tmp_path, segment_max=3000) as store:
        await household(store)
        await post(store, 60)
        found = sorted(tmp_path.glob(f"books/{BOOK}/segment-*.log"))
        assert len(found) > 2
        assert [zeros_behind(segment) for segment in found[:-1]] == [0] * (len(found) - 1)
        await store.verify(BOOK)


async def test_a_disk_too_full_for_room_still_takes_what_is_posted(tmp_path: Path) -> None:
    disk = SmallDisk()
    async with await open_log_store(tmp_path, files=disk) as store:
        await household(store)
        await post(store, 20)
        end = frames(the_segment(tmp_path).read_bytes())[-1].end
        disk.capacity = end + 1000
        with pytest.raises(StoreIOError, match="nothing was posted"):
            await post(store, 100, "scarce")
        info = await store.book(BOOK)
        assert info is not None
        assert info.last_seq >= 27 + 3, "there was room for some"
        whole = the_segment(tmp_path).read_bytes()
        assert frames(whole)[-1].end == len(whole)
        disk.capacity = 2**30
        await post(store, 5, "ample")
        await store.verify(BOOK)
    assert zeros_behind(the_segment(tmp_path)) == 0


async def test_room_that_was_begun_on_a_full_disk_is_given_back(tmp_path: Path) -> None:
    disk = SmallDisk()
    async with await open_log_store(tmp_path, files=disk) as store:
        await household(store)
        await post(store, 20)
        filled = the_segment(tmp_path).stat().st_size
        disk.capacity = filled + 500
        while frames(the_segment(tmp_path).read_bytes())[-1].end <= filled:
            await post(store, 1, f"key at {len(await store.posting_rows(CASH, 0, 1000))}")
        assert zeros_behind(the_segment(tmp_path)) == 0
    assert zeros_behind(the_segment(tmp_path)) == 0


async def test_what_a_full_disk_took_of_a_refused_batch_is_gone_after_a_kill(tmp_path: Path) -> None:
    disk, directory = SmallDisk(), tmp_path / "ledger"
    async with await open_log_store(directory, files=disk) as store:
        await household(store)
        await post(store, 20)
        data = the_segment(directory).read_bytes()
        first, second = (
            transfer("assets:cash", "income:salary", 5, key=key, metadata={"memo": "x" * size})
            for key, size in (("first", 10), ("second", 1000))
        )
        disk.capacity = frames(data)[-1].end + 500
        for answer in await store.commit_batch([first, second]):
            assert isinstance(answer, StoreIOError)
        async with await LogTaleaStore.open(killed(directory)) as again:
            assert await again.by_key(BOOK, "first") is None
            info = await again.book(BOOK)
            assert info is not None
            assert (info.last_seq, info.repairs) == (27, ())


async def test_a_follower_takes_no_room_for_events(tmp_path: Path) -> None:
    async with await open_log_store(tmp_path) as store:
        await household(store)
        await post(store, 30)
        async with await FollowedLedger.open(tmp_path) as followed:
            assert await events_of(followed, BOOK) == await events_of(store, BOOK)
            (shown,) = [info for info in await followed.books() if info.name == BOOK]
            assert (shown.writer, shown.error) == ("running", None)
            seen = shown.last_seq
            await post(store, 3, "later")
            async for event in followed.subscribe(BOOK, seen + 1):
                if event.seq == seen + 3:
                    break


async def test_events_within_the_room_are_followed_though_no_watermark_tells_of_them(tmp_path: Path) -> None:
    class Unwatched(Files):
        def create(self, path: Path) -> int:
            if path.name == WATERMARK_NAME:
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
            return super().create(path)

    async with await open_log_store(tmp_path, files=Unwatched()) as store:
        await household(store)
        await post(store, 20)
        while zeros_behind(the_segment(tmp_path)) < 1000:
            await post(store, 1, f"key at {len(await store.posting_rows(CASH, 0, 1000))}")
        async with await FollowedLedger.open(tmp_path) as followed, asyncio.timeout(20):
            size = the_segment(tmp_path).stat().st_size
            async with aclosing(followed.subscribe(BOOK)) as events:
                for prefix in ("at first", "at rest"):
                    receipt, _ = await post(store, 2, prefix)
                    while (await anext(events)).seq < receipt.seq:
                        pass
            assert the_segment(tmp_path).stat().st_size == size


async def test_room_that_a_failed_cut_left_on_the_disk_never_stands_in_a_sealed_segment(
    tmp_path: Path,
) -> None:
    """The cut at the end of the first life is seen, but never reached the disk; then the power fails."""
    disk = FaultyFiles(tmp_path / "ledger")
    async with await open_log_store(disk.root, files=disk) as store:
        await household(store)
        await post(store, 30)
        disk.fails = every("sync")
    disk.fails = never
    assert zeros_behind(the_segment(disk.root)) == 0
    async with await open_log_store(disk.root, files=disk, segment_max=1000) as store:
        (last,) = await post(store, 1, "in a new segment")
        image = plant(disk.image(), tmp_path / "after the power cut")
    async with await LogTaleaStore.open(image) as again:
        info = await again.book(BOOK)
        assert info is not None
        assert (info.last_seq, info.segments) == (last.seq, 2)
        await again.verify(BOOK)
