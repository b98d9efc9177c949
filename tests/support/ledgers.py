"""Ledgers on disk: write one, close it, look at it again."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from store.errors import CorruptLog, StoreError
from store.model import Committed
from store.protocol import Store

from .build import BOOK, account, household, transfer
from .disk import runs
from .observe import observe, tree
from .subjects import open_log_store

CASH = account("assets:cash")
NOISE = random.Random(7).randbytes(5000)


@asynccontextmanager
async def opened(directory: Path, **options: Any) -> AsyncIterator[Any]:
    store = await open_log_store(directory, **options)
    try:
        yield store
    finally:
        await store.shutdown()


async def pay(store: Store, count: int, start: int = 0, book: str = BOOK) -> list[Committed]:
    """Commits with the keys `key 0` and so on, one after the other."""
    return [
        await store.commit(transfer("assets:cash", "income:salary", n + 1, key=f"key {n}", book=book))
        for n in range(start, start + count)
    ]


async def written(
    directory: Path, count: int = 6, *, books: tuple[str, ...] = (BOOK,), **options: Any
) -> Path:
    """A ledger whose books stand at seq 7 + `count`, each commit in a batch of its own."""
    async with opened(directory, **options) as store:
        for book in books:
            await household(store, book)
            await pay(store, count, book=book)
    return directory


async def seen(directory: Path, *books: str, **options: Any) -> dict[str, Any]:
    async with opened(directory, **options) as store:
        return await observe(store, list(books or (BOOK,)), every_instant=False)


async def last_seq(directory: Path, book: str = BOOK, **options: Any) -> int:
    async with opened(directory, **options) as store:
        info = await store.book(book)
        return 0 if info is None else int(info.last_seq)


async def refused(directory: Path, expected: type[StoreError] = CorruptLog, **options: Any) -> Any:
    """Opening raises, has changed nothing, and leaves neither lock nor task nor thread behind."""
    before, tasks, threads = tree(directory), asyncio.all_tasks(), threading.active_count()
    errors = []
    for _ in range(2):
        with pytest.raises(expected) as caught:
            await open_log_store(directory, **options)
        errors.append(caught.value)
        assert tree(directory) == before
    assert asyncio.all_tasks() == tasks
    assert threading.active_count() <= threads
    return errors[-1]


async def spilled(directory: Path) -> tuple[Path, list[Any]]:
    """A ledger with runs, and the receipts of its commits."""
    async with opened(directory, idem_hot_cap=4, snapshot_every=0) as store:
        await household(store)
        receipts = await pay(store, 40)
        await store.snapshot_now(BOOK)
    assert runs(directory, BOOK)
    return directory, receipts
