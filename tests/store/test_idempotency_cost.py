"""What keys cost: a bounded number of pages read, and work that grows little faster than their number."""

from __future__ import annotations

import asyncio
import errno
import math
import os
from pathlib import Path
from typing import Any

from store import LogStoreOptions, LogTaleaStore
from store.files import Files
from tests.support.build import BOOK, household, transfer
from tests.support.disk import runs
from tests.support.faulty_files import UnsyncedFiles
from tests.support.ledgers import CASH, opened, pay

PAGE_BYTES_MAX = 64 * 2**10


class CountingFiles(UnsyncedFiles):
    """Tells runs from other files, and counts what is read from them and written to them."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.written = 0
        self._runs: set[int] = set()

    def open(self, path: Path, write: bool = False) -> int:
        return self._noted(path, super().open(path, write))

    def create(self, path: Path) -> int:
        return self._noted(path, super().create(path))

    def _noted(self, path: Path, fd: int) -> int:
        (self._runs.add if ".run" in path.name else self._runs.discard)(fd)
        return fd

    def read(self, fd: int, count: int, offset: int) -> bytes:
        data = super().read(fd, count, offset)
        if fd in self._runs:
            self.reads.append(len(data))
        return data

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        written = super().write(fd, data, offset)
        if fd in self._runs:
            self.written += written
        return written


async def filled(directory: Path, files: Files, count: int, hot: int) -> Any:
    options = LogStoreOptions(idem_hot_cap=hot, snapshot_every=0)
    store = await LogTaleaStore.open_with(directory, options, files=files)
    await household(store)
    for start in range(0, count, 50):
        await store.commit_batch([payment(n) for n in range(start, start + 50)])
    return store


def payment(n: int) -> Any:
    return transfer("assets:cash", "income:salary", 1, key=f"key {n}")


async def test_a_lookup_touches_at_most_eight_runs_and_a_page_of_each(tmp_path: Path) -> None:
    files = CountingFiles()
    async with await filled(tmp_path / "ledger", files, 4000, hot=100) as store:
        await store.snapshot_now(BOOK)
        assert len(runs(tmp_path / "ledger", BOOK)) <= 8
        size = sum(run.stat().st_size for run in runs(tmp_path / "ledger", BOOK))
        assert size > 4000 * 16
        for n in range(0, 3500, 97):
            files.reads.clear()
            found = await store.by_key(BOOK, f"key {n}")
            assert found is not None
            assert 1 <= len(files.reads) <= 16
            assert all(read <= PAGE_BYTES_MAX for read in files.reads)
            assert (await store.commit(payment(n))).deduplicated


async def test_a_new_key_almost_never_costs_a_read(tmp_path: Path) -> None:
    files = CountingFiles()
    async with await filled(tmp_path / "ledger", files, 4000, hot=100) as store:
        await store.snapshot_now(BOOK)
        files.reads.clear()
        misses = [await store.by_key(BOOK, f"never {n}") for n in range(1000)]
        assert misses == [None] * 1000
        assert len(files.reads) < 100


async def test_merging_writes_every_key_a_logarithmic_number_of_times(tmp_path: Path) -> None:
    count, hot = 8000, 50
    files = CountingFiles()
    async with await filled(tmp_path / "ledger", files, count, hot) as store:
        await store.snapshot_now(BOOK)
        size = sum(run.stat().st_size for run in (tmp_path / "ledger" / "books" / BOOK).glob("*.run"))
        assert files.written < 2 * size * (1 + math.log2(count / hot))


async def test_old_keys_are_found_while_runs_are_being_merged(tmp_path: Path) -> None:
    async with await filled(tmp_path / "ledger", UnsyncedFiles(), 600, hot=4) as store:
        receipts = {n: (await store.by_key(BOOK, f"key {n}")).seq for n in range(600)}
        done = False

        async def look() -> None:
            n = 0
            while not done:
                n = (n + 77) % 600
                found = await store.by_key(BOOK, f"key {n}")
                assert found is not None
                assert found.seq == receipts[n]
                assert (await store.transaction(found.transaction.id)) == found
                await asyncio.sleep(0)

        async def retry() -> None:
            n = 0
            while not done:
                n = (n + 71) % 600
                again = await store.commit(payment(n))
                assert (again.seq, again.deduplicated) == (receipts[n], True)

        tasks = [asyncio.ensure_future(call()) for call in (look, look, look, retry, retry)]
        for start in range(1000, 3500, 5):
            results = await store.commit_batch([payment(n) for n in range(start, start + 5)])
            assert not any(result.deduplicated for result in results)
        done = True
        await asyncio.gather(*tasks)
        assert (await store.balance(CASH)).amount.minor == 600 + 2500


class NoRunsMade(UnsyncedFiles):
    """Refuses to make runs while it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.refusing, self.asked = True, 0

    def create(self, path: Path) -> int:
        if ".run" in path.name:
            self.asked += 1
            if self.refusing:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return super().create(path)


async def test_a_spill_that_failed_is_tried_again_with_the_next_generation_not_with_each_batch(
    tmp_path: Path,
) -> None:
    files = NoRunsMade()
    store = await filled(tmp_path, files, 0, hot=10)
    try:
        await pay(store, 100)
        assert 1 < files.asked <= 100 / 5
        files.refusing = False
        await pay(store, 10, start=100)
    finally:
        await store.shutdown()
    assert runs(tmp_path, BOOK)
    async with opened(tmp_path, idem_hot_cap=10) as store:
        receipts = await pay(store, 110)
    assert [(receipt.seq, receipt.deduplicated) for receipt in receipts] == [
        (n + 8, True) for n in range(110)
    ]
