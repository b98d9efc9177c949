"""A sealed segment that goes away, or grows, while the ledger is open is damage: told, and nothing goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from store import CorruptLog, LogTaleaStore, StoreIOError, WriterStopped
from tests.support.build import BOOK, household, transfer
from tests.support.disk import segments
from tests.support.ledgers import opened, pay

Ask = Callable[[LogTaleaStore], Awaitable[Any]]


async def fill(directory: Path) -> None:
    async with opened(directory, segment_max=450, snapshot_every=0) as store:
        await household(store)
        await pay(store, 10)
        await store.snapshot_now(BOOK)


async def first_of_subscription(store: LogTaleaStore) -> Any:
    async for event in store.subscribe(BOOK):
        return event


READERS: dict[str, Ask] = {
    "verify": lambda store: store.verify(BOOK),
    "read_events": lambda store: store.read_events(BOOK, 1, 5),
    "events_at": lambda store: store.events_at(BOOK, [1]),
    "subscribe": first_of_subscription,
}


@pytest.mark.parametrize("ask", READERS.values(), ids=READERS.keys())
async def test_who_reads_a_segment_that_is_gone_is_told_which_and_the_book_takes_nothing_more(
    tmp_path: Path, ask: Ask
) -> None:
    await fill(tmp_path)
    async with opened(tmp_path, snapshot_every=0) as store:
        first = segments(tmp_path, BOOK)[0]
        first.unlink()
        with pytest.raises(CorruptLog, match="its file is gone") as caught:
            await ask(store)
        assert (caught.value.book, caught.value.segment, caught.value.offset) == (BOOK, first.name, 0)
        info = await store.book(BOOK)
        assert info is not None
        assert (info.writer, info.error) == ("damaged", str(caught.value))
        with pytest.raises(WriterStopped):
            await store.commit(transfer("assets:cash", "income:salary", 1))


async def test_the_check_after_opening_finds_a_segment_that_went_away_since(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with opened(tmp_path, snapshot_every=0) as store:
        segments(tmp_path, BOOK)[0].unlink()
        async for _ in store.watch():
            info = await store.book(BOOK)
            assert info is not None
            if info.writer == "damaged":
                assert "its file is gone" in str(info.error)
                break


async def test_bytes_behind_a_sealed_segment_are_found_by_verify(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_max=450, snapshot_every=0) as store:
        await household(store)
        await pay(store, 10)
        await store.verify(BOOK)
        first = segments(tmp_path, BOOK)[0]
        size = first.stat().st_size
        with first.open("ab") as file:
            file.write(b"\0")
        with pytest.raises(CorruptLog, match="behind its last frame") as caught:
            await store.verify(BOOK)
        assert (caught.value.segment, caught.value.offset) == (first.name, size)


async def test_a_book_whose_whole_directory_is_gone_cannot_be_read_for_now(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_max=450, snapshot_every=0) as store:
        await household(store)
        await pay(store, 10)
        directory = segments(tmp_path, BOOK)[0].parent
        away = directory.rename(tmp_path / "away")
        with pytest.raises(StoreIOError, match="cannot be read") as caught:
            await store.verify(BOOK)
        assert not isinstance(caught.value, CorruptLog)
        away.rename(directory)
        await store.verify(BOOK)


async def test_a_refused_opening_leaves_no_task_behind(tmp_path: Path) -> None:
    await fill(tmp_path)
    final = segments(tmp_path, BOOK)[0]
    data = bytearray(final.read_bytes())
    data[-1] ^= 1
    final.write_bytes(data)
    for snapshot in final.parent.glob("snapshot-*"):
        snapshot.unlink()
    with pytest.raises(CorruptLog):
        await LogTaleaStore.open(tmp_path)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
