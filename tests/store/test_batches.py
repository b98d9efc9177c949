"""What a writer takes together: in the order of its callers, bounded in bytes, and whole for whoever looks at it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from store import AccountCfg, subscriptions
from store import segments as store_segments
from store import writer as store_writer
from store.files import Files
from store.subscriptions import Ring
from tests.support.build import BOOK, asset, definition, household, transfer
from tests.support.ledgers import CASH, opened, seen


class NotedFiles(Files):
    """Real files that note how many bytes each call moved."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.read_bytes: list[int] = []

    def read(self, fd: int, count: int, offset: int) -> bytes:
        data = super().read(fd, count, offset)
        self.read_bytes.append(len(data))
        return data

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        written = super().write(fd, data, offset)
        self.written.append(written)
        return written


def with_memo(n: int, size: int) -> Any:
    return transfer("assets:cash", "income:salary", 1, key=f"key {n}", metadata={"memo": "x" * size})


async def test_what_waits_behind_the_opening_of_its_account_is_posted_in_the_order_of_its_calls(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        opening = store.open_account(definition("assets:safe"), AccountCfg())
        posting = [store.commit(transfer("assets:safe", "income:salary", 1)) for _ in range(5)]
        _, *receipts = await asyncio.gather(opening, *posting)
        assert [receipt.seq for receipt in receipts] == [9, 10, 11, 12, 13]


async def test_a_batch_of_large_entries_is_written_piece_by_piece_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "BATCH_BYTES", 5000)
    files = NotedFiles()
    async with opened(tmp_path / "ledger", files=files) as store:
        await household(store)
        files.written.clear()
        receipts = await store.commit_batch([with_memo(n, 2000) for n in range(12)])
        assert [receipt.seq for receipt in receipts] == list(range(8, 20))
    assert max(files.written) < 5000 + 2 * 2000


async def test_what_repeats_an_entry_of_a_long_batch_is_answered_once_that_is_applied(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        count = 3 * store_writer.APPLY_SLICE
        entries = [transfer("assets:cash", "income:salary", 1, key=f"key {n}") for n in range(count)]
        answers = await store.commit_batch([*entries, *reversed(entries)])
        first, again = answers[:count], answers[count:]
        assert [receipt.seq for receipt in first] == list(range(8, 8 + count))
        assert again == first[::-1]
        assert all(receipt.deduplicated for receipt in again)


async def test_whoever_is_far_behind_is_read_large_entries_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_segments, "READ_BYTES", 512)
    monkeypatch.setattr(store_segments, "READ_BYTES_MAX", 5000)
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        await store.commit_batch([with_memo(n, 2000) for n in range(12)])
    files = NotedFiles()
    async with opened(tmp_path / "ledger", files=files) as store:
        files.read_bytes.clear()
        events = store.subscribe(BOOK, 8)
        assert (await anext(events)).seq == 8
        assert sum(files.read_bytes) < 5000 + 3 * 2000
        assert [(await anext(events)).seq for _ in range(11)] == list(range(9, 20))
        await events.aclose()


def test_of_large_entries_only_as_many_stay_in_memory_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "RING_BYTES", 5000)
    ring = Ring()
    for seq in range(1, 10):
        ring.add(seq, [b"x" * 2000], 2000)
    assert [seq for seq in range(1, 10) if ring.take(seq, 1, 9)] == [8, 9]


@pytest.mark.parametrize("look", ["verify", "snapshot", "backup"])
async def test_a_batch_that_is_being_applied_is_seen_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    monkeypatch.setattr(store_writer, "APPLY_SLICE", 1)
    directory, copy = tmp_path / "ledger", tmp_path / "copy"
    async with opened(directory, snapshot_every=0) as store:
        await household(store)
        posting = asyncio.ensure_future(store.commit_batch([with_memo(n, 0) for n in range(100)]))
        while (await store.book(BOOK)).last_seq < 20:  # noqa: ASYNC110 - it is to be met in its middle
            await asyncio.sleep(0)
        assert (await store.book(BOOK)).last_seq < 107
        match look:
            case "verify":
                await store.verify(BOOK)
            case "snapshot":
                await store.snapshot_now(BOOK)
            case "backup":
                manifest = await store.backup(copy)
                assert manifest["books"][BOOK]["last_seq"] == 107
        await posting
    async with opened(directory) as again:
        info = await again.book(BOOK)
        assert (info.last_seq, info.snapshots) == (107, look == "snapshot")
        await again.verify(BOOK)
        assert (await again.balance(CASH)).amount.minor == 100
    if look == "backup":
        assert await seen(copy) == await seen(directory)


async def test_the_registry_in_a_backup_knows_the_assets_of_all_its_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "APPLY_SLICE", 1)
    async with opened(tmp_path / "ledger", snapshot_every=0) as store:
        await household(store)
        await store.open_account(definition("cash", book="later"), AccountCfg())
        posting = asyncio.ensure_future(store.commit_batch([with_memo(n, 0) for n in range(1000)]))
        while (await store.book(BOOK)).last_seq < 20:  # noqa: ASYNC110 - it is to be met in its middle
            await asyncio.sleep(0)
        # it waits for that batch, and meanwhile another book gets an account of a new asset
        copying = asyncio.ensure_future(store.backup(tmp_path / "copy"))
        await store.register_asset(asset("GBP"))
        await store.open_account(definition("pounds", asset="GBP", book="later"), AccountCfg())
        await asyncio.gather(posting, copying)
    async with opened(tmp_path / "copy") as copy:
        used = {info.definition.asset for info in await copy.accounts("later")}
        assert used <= {asset.id for asset in await copy.assets()}
