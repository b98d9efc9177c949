"""Snapshots and runs are for speed: damaged or gone, the log alone is enough."""

from __future__ import annotations

import asyncio
import errno
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest

from store import CorruptLog, StoreIOError
from store.account import Account
from store.files import Files
from store.state import BookState
from tests.support.build import BOOK, household, transfer
from tests.support.disk import (
    book_directory,
    cut,
    flip,
    framed,
    frames,
    runs,
    segments,
    snapshots,
)
from tests.support.faulty_files import FailingDisk
from tests.support.ledgers import CASH, NOISE, last_seq, opened, pay, refused, seen, spilled, written
from tests.support.limits import tiny_limits
from tests.support.observe import differences, observe, plant, tree
from tests.support.subjects import open_log_store


async def test_a_snapshot_restores_what_replay_gives(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    await written(directory, count=12, segment_max=300, snapshot_every=0, idem_hot_cap=3)
    by_replay = await seen(directory, snapshot_every=0)
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
        await store.snapshot_now("_system")
        info = await store.book(BOOK)
        assert info.snapshots == 1
    assert len(snapshots(directory, BOOK)) == 1
    assert differences(await seen(directory, snapshot_every=0), by_replay) == {}
    async with opened(directory) as store:
        after = await store.book(BOOK)
        assert (after.head, after.last_at) == (info.head, info.last_at)
        await store.verify(BOOK, info.head)


@pytest.mark.parametrize("column", ["rows", "counts", None])
@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: numbers,
        lambda numbers: numbers[::-1],
        lambda numbers: [*numbers[:-1], numbers[-1] + 1],
        lambda numbers: [*numbers[:-1], 2**32 - 1],
        lambda numbers: [numbers[0] - 1, *numbers[1:]],
        lambda numbers: numbers[:-1],
        lambda numbers: [*numbers, 0],
        lambda numbers: [0] * len(numbers),
        lambda numbers: [],
    ],
)
async def test_rows_that_a_chunk_lists_by_account_are_those_that_replay_gives_or_not_believed(
    tmp_path: Path, column: str | None, change: Callable[[list[int]], list[int]]
) -> None:
    directory = tmp_path / "ledger"
    with tiny_limits():
        await written(directory, count=20, snapshot_every=0)
        by_replay = await seen(directory, snapshot_every=0)
        async with opened(directory, snapshot_every=0) as store:
            await store.snapshot_now(BOOK)
        chunk = sorted(book_directory(directory, BOOK).glob("index-chunk-*"))[1]
        items = [cbor2.loads(frame.payload) for frame in frames(chunk.read_bytes())]
        assert [item[0] for item in items].count("rows") == 1
        for item in items:
            if item[0] == column:
                numbers = change(array("I", item[1]).tolist())
                item[1] = array("I", numbers).tobytes()
        kept = [item for item in items if column is not None or item[0] not in ("rows", "counts")]
        kept[-1][1] = len(kept) - 1
        chunk.write_bytes(b"".join(framed(cbor2.dumps(item)) for item in kept))
        assert differences(await seen(directory, snapshot_every=0), by_replay) == {}


async def test_verify_looks_at_the_balances_that_a_snapshot_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = BookState.standing_at

    def richer(state: BookState, account: Account, seq: int | None) -> tuple[int, int, int, int, int]:
        rows, net, debits, credits, updated = honest(state, account, seq)
        return rows, net + 100, debits + 100, credits, updated

    directory = await written(tmp_path / "ledger", snapshot_every=0)
    with monkeypatch.context() as patch:
        patch.setattr(BookState, "standing_at", richer)
        async with opened(directory, snapshot_every=0) as store:
            await store.snapshot_now(BOOK)
    async with opened(directory, snapshot_every=0) as store:
        with pytest.raises(CorruptLog, match="does not give the balance"):
            await store.verify(BOOK)


async def test_a_snapshot_of_nothing_harms_nothing(tmp_path: Path) -> None:
    for n in range(3):
        async with opened(tmp_path / "ledger") as store:
            await store.snapshot_now("_system")
            assert await store.assets() == []
            if n == 2:
                await household(store)
    assert await last_seq(tmp_path / "ledger") == 7


async def test_every_flipped_byte_of_a_snapshot_falls_back(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=3, snapshot_every=0)
    before = await seen(directory, snapshot_every=0)
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
    [snapshot] = snapshots(directory, BOOK)
    whole = snapshot.read_bytes()
    for offset in {*range(16), *range(16, len(whole), max(1, len(whole) // 60)), len(whole) - 1}:
        flip(snapshot, offset)
        assert differences(await seen(directory, snapshot_every=0), before) == {}, offset
        snapshot.write_bytes(whole)


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"short", NOISE], ids=range(4))
async def test_of_two_snapshots_the_older_serves_when_the_newer_is_bad(tmp_path: Path, data: bytes) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0)
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
        await pay(store, 3, start=6)
        await store.snapshot_now(BOOK)
        await pay(store, 3, start=9)
        before = await observe(store, [BOOK], every_instant=False)
    older, newer = snapshots(directory, BOOK)
    good = newer.read_bytes()
    for damaged in ((newer,), (older, newer)):
        for path in damaged:
            path.write_bytes(data)
        assert differences(await seen(directory, snapshot_every=0), before) == {}
        newer.write_bytes(good)
    for path in (older, newer):
        path.unlink(missing_ok=True)
    assert differences(await seen(directory, snapshot_every=0), before) == {}


async def test_at_most_two_snapshots_are_kept(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=20, snapshot_every=1)
    async with opened(directory, snapshot_every=1) as store:
        for n in range(5):
            await pay(store, 1, start=20 + n)
            await store.snapshot_now(BOOK)
    names = [path.name for path in snapshots(directory, BOOK)]
    assert 1 <= len(names) <= 2
    assert names[-1] == f"snapshot-{32:020}.snap"
    assert not list(directory.rglob("*.tmp"))


async def test_a_log_that_ends_before_its_snapshot_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0)
    async with opened(directory) as store:
        await store.snapshot_now(BOOK)
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    *_, before, last = frames(whole)
    for size in (last.offset, last.offset + 5, before.offset):
        segment.write_bytes(whole[:size])
        assert (await refused(directory)).book == BOOK
    segment.write_bytes(whole[: last.end - 1] + b"\0")
    await refused(directory)


async def test_a_snapshot_without_a_log_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0)
    async with opened(directory) as store:
        await store.snapshot_now(BOOK)
    segments(directory, BOOK)[0].unlink()
    assert (await refused(directory)).book == BOOK


async def test_a_log_without_its_last_segments_is_damage_beside_a_snapshot(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0, segment_max=300)
    async with opened(directory, segment_max=300) as store:
        await store.snapshot_now(BOOK)
    segments(directory, BOOK)[-1].unlink()
    await refused(directory)


@pytest.mark.parametrize("which", [0, 1, 2, -2])
async def test_a_missing_segment_that_a_snapshot_covers_is_damage(tmp_path: Path, which: int) -> None:
    directory = await written(tmp_path / "ledger", count=12, snapshot_every=0, segment_max=300)
    async with opened(directory, snapshot_every=0, segment_max=300) as store:
        await store.snapshot_now(BOOK)
        await pay(store, 3, start=12)
    segments(directory, BOOK)[which].unlink()
    assert (await refused(directory)).book == BOOK


async def test_a_sealed_segment_of_another_size_is_damage_even_under_a_snapshot(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=12, snapshot_every=0, segment_max=300)
    async with opened(directory, snapshot_every=0, segment_max=300) as store:
        await store.snapshot_now(BOOK)
    segment = segments(directory, BOOK)[1]
    whole = segment.read_bytes()
    for data in (whole[:-1], whole + b"\0", whole[: frames(whole)[-1].offset], b"", whole[:10]):
        segment.write_bytes(data)
        assert (await refused(directory)).segment == segment.name


async def test_damage_that_a_snapshot_covers_is_found_by_whoever_looks(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0, segment_max=300)
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
    damaged = segments(directory, BOOK)[0]
    flip(damaged, frames(damaged.read_bytes())[2].offset + 30)
    try:
        store = await open_log_store(directory, snapshot_every=0)
    except CorruptLog:
        return
    try:
        assert (await store.balance(CASH)).updated_seq == 13
        for call in (store.verify(BOOK), store.read_events(BOOK, 1, 5)):
            with pytest.raises(CorruptLog) as caught:
                await call
            assert (caught.value.book, caught.value.segment) == (BOOK, damaged.name)
        info = await store.book(BOOK)
        assert info.writer in ("stopped", "damaged")
        assert info.error
        with pytest.raises(StoreIOError):
            await store.commit(transfer("assets:cash", "income:salary", 1))
    finally:
        await store.shutdown()


async def test_the_scrub_finds_damage_that_nobody_looks_at(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", snapshot_every=0, segment_max=300)
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
    damaged = segments(directory, BOOK)[0]
    flip(damaged, frames(damaged.read_bytes())[2].offset + 30)
    try:
        store = await open_log_store(directory, snapshot_every=0)
    except CorruptLog:
        return
    try:
        async with asyncio.timeout(60):
            while (await store.book(BOOK)).error is None:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
    finally:
        await store.shutdown()


async def all_keys_are_known(directory: Path, receipts: list[Any]) -> None:
    async with opened(directory, idem_hot_cap=4, snapshot_every=0) as store:
        for n, receipt in enumerate(receipts):
            again = await store.commit(transfer("assets:cash", "income:salary", n + 1, key=f"key {n}"))
            assert (again, again.deduplicated) == (receipt, True)
            found = await store.by_key(BOOK, f"key {n}")
            assert found.seq == receipt.seq
        assert await store.by_key(BOOK, "key 40") is None
        assert (await store.book(BOOK)).last_seq == 47


async def test_keys_are_known_across_runs_and_snapshots(tmp_path: Path) -> None:
    await all_keys_are_known(*await spilled(tmp_path / "ledger"))


@pytest.mark.parametrize("damage", ["missing", "empty", "zeros", "cut", "first", "middle", "last", "noise"])
async def test_a_bad_run_is_made_again_from_the_whole_log(tmp_path: Path, damage: str) -> None:
    directory, receipts = await spilled(tmp_path / "ledger")
    for run in runs(directory, BOOK):
        whole = run.read_bytes()
        match damage:
            case "missing":
                run.unlink()
            case "empty":
                run.write_bytes(b"")
            case "zeros":
                run.write_bytes(bytes(len(whole)))
            case "cut":
                cut(run, len(whole) // 2)
            case "noise":
                run.write_bytes(NOISE[: len(whole)])
            case _:
                flip(run, {"first": 0, "middle": len(whole) // 2, "last": len(whole) - 1}[damage])
    await all_keys_are_known(directory, receipts)


async def test_a_merge_of_runs_that_was_cut_short_is_finished_by_opening(tmp_path: Path) -> None:
    disk = FailingDisk(tmp_path)
    disk.failing = {"remove"}
    async with opened(tmp_path, files=disk, idem_hot_cap=4, snapshot_every=0) as store:
        await household(store)
        for n in range(100):
            await pay(store, 1, start=n)
            if len(runs(tmp_path, BOOK)) > 3:
                break
    # three that became one; another may have been written since
    *_, merged = runs(tmp_path, BOOK)[:4]
    async with opened(tmp_path, snapshot_every=0):
        assert runs(tmp_path, BOOK)[0] == merged


async def test_a_snapshot_whose_runs_were_lost_is_made_good_by_the_next_one(tmp_path: Path) -> None:
    directory, receipts = await spilled(tmp_path / "ledger")
    for run in runs(directory, BOOK):
        run.unlink()
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
    assert runs(directory, BOOK)
    await all_keys_are_known(directory, receipts)


async def test_every_flipped_byte_of_a_run_loses_no_key(tmp_path: Path) -> None:
    directory, receipts = await spilled(tmp_path / "ledger")
    files = tree(directory)
    [name, *_] = [name for name in files if name.endswith(".run")]
    whole = files[name]
    assert whole is not None
    for offset in range(0, len(whole), max(1, len(whole) // 25)):
        damaged = whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :]
        copy = plant({**files, name: damaged}, tmp_path / f"byte {offset}")
        await all_keys_are_known(copy, receipts)


async def test_a_log_that_ends_before_its_runs_is_damage(tmp_path: Path) -> None:
    directory, _ = await spilled(tmp_path / "ledger")
    for snapshot in snapshots(directory, BOOK):
        snapshot.unlink()
    [segment] = segments(directory, BOOK)
    cut(segment, frames(segment.read_bytes())[10].end)
    await refused(directory)


async def test_a_snapshot_counts_though_those_it_replaces_cannot_be_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Sticky(Files):
        sticks = True

        def remove(self, path: Path) -> None:
            if self.sticks and path.suffix == ".snap":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().remove(path)

    files = Sticky()
    async with opened(tmp_path / "ledger", files=files) as store:
        await household(store)
        for n in range(3):
            await pay(store, 1, start=n)
            await store.snapshot_now(BOOK)
        assert len(snapshots(tmp_path / "ledger", BOOK)) == 3
        assert "removed later: [Errno 5]" in caplog.text
        files.sticks = False
        await pay(store, 1, start=3)
        await store.snapshot_now(BOOK)
        assert len(snapshots(tmp_path / "ledger", BOOK)) == 2
        snapshots(tmp_path / "ledger", BOOK)[0].unlink()
        await pay(store, 1, start=4)
        await store.snapshot_now(BOOK)
        assert len(snapshots(tmp_path / "ledger", BOOK)) == 2
