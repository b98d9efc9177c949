"""A book that stopped or is damaged comes back without the ledger being opened again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    Committed,
    CorruptLog,
    InvalidBook,
    LogStoreOptions,
    LogTaleaStore,
    Sequenced,
    StoreClosed,
    StoreIOError,
    WriterStopped,
)
from store.protocol import Store
from tests.support.build import BOOK, asset, definition, household, transfer
from tests.support.disk import append, book_directory, cut, flip, frames, segments
from tests.support.faulty_files import FailingDisk
from tests.support.ledgers import opened, pay, written
from tests.support.observe import differences, events_of, observe

OTHER = "studio"


@asynccontextmanager
async def ledger(directory: Path, **options: object) -> AsyncIterator[tuple[LogTaleaStore, FailingDisk]]:
    """Two books at seq 13, and the disk under them."""
    disk = FailingDisk(directory)
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(**options), files=disk) as store:  # type: ignore[arg-type]
        for book in (BOOK, OTHER):
            await household(store, book)
            await pay(store, 6, book=book)
        yield store, disk
        disk.failing.clear()


async def failing_sync(store: LogTaleaStore, disk: FailingDisk) -> None:
    """Stop the writer of `BOOK`; the entry with the key "lost" is refused."""
    disk.failing.add("sync")
    with pytest.raises(StoreIOError):
        await store.commit(transfer("assets:cash", "income:salary", 5, key="lost"))
    disk.failing.clear()


async def writer_of(store: Store, book: str = BOOK) -> str:
    info = await store.book(book)
    assert info is not None
    return info.writer


# On every store.


async def test_a_book_that_runs_is_left_alone(home: Store) -> None:
    before = await observe(home, [BOOK])
    await home.reopen(BOOK)
    await home.reopen("_system")
    assert differences(before, await observe(home, [BOOK])) == {}
    assert (await pay(home, 1))[0].seq == 8


async def test_a_book_that_was_never_written_cannot_be_reopened(store: Store) -> None:
    with pytest.raises(StoreIOError):
        await store.reopen("nothing")
    with pytest.raises(InvalidBook):
        await store.reopen("../nothing")


async def test_nothing_is_reopened_after_shutdown(home: Store) -> None:
    await home.shutdown()
    with pytest.raises(StoreClosed):
        await home.reopen(BOOK)


# A failed sync.


async def test_after_a_failed_sync_the_book_takes_postings_again_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    async with ledger(tmp_path) as (store, disk):
        before = await observe(store, [BOOK])
        await failing_sync(store, disk)
        with pytest.raises(WriterStopped):
            await pay(store, 1, start=6)
        assert await writer_of(store) == "stopped"
        assert await writer_of(store, OTHER) == "running"
        await store.reopen(BOOK)
        assert await writer_of(store) == "running"
        assert differences(before, await observe(store, [BOOK])) == {}
        lost = transfer("assets:cash", "income:salary", 5, key="lost")
        first, again = await store.commit(lost), await store.commit(lost)
        assert (first.seq, first.deduplicated) == (14, False)
        assert (again.seq, again.deduplicated) == (14, True)
        await store.verify(BOOK)
    async with opened(tmp_path) as after:
        assert (await after.book(BOOK)).last_seq == 14


async def test_what_the_failed_sync_had_written_after_all_is_found_once(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        disk.failing = {"sync", "truncate"}
        with pytest.raises(StoreIOError):
            await store.commit(transfer("assets:cash", "income:salary", 5, key="lost"))
        disk.failing.clear()
        await store.reopen(BOOK)
        info = await store.book(BOOK)
        assert info is not None
        assert info.last_seq == 14
        again = await store.commit(transfer("assets:cash", "income:salary", 5, key="lost"))
        assert (again.seq, again.deduplicated) == (14, True)
        await store.verify(BOOK)


@pytest.mark.parametrize("failing", [{"sync"}, {"sync", "truncate"}])
async def test_a_book_that_stopped_at_its_very_first_event_is_listed_and_comes_back(
    tmp_path: Path, failing: set[str]
) -> None:
    async with ledger(tmp_path) as (store, disk):
        disk.failing = set(failing)
        cash = definition("assets:cash", book="new")
        with pytest.raises(StoreIOError):
            await store.open_account(cash, AccountCfg())
        disk.failing.clear()
        info = await store.book("new")
        assert info in await store.books()
        assert (info.writer, info.last_seq, info.accounts) == ("stopped", 0, 0)
        assert "Input/output error" in info.error
        with pytest.raises(WriterStopped):
            await store.open_account(cash, AccountCfg())
        with pytest.raises(InvalidBook):
            await store.open_account(definition("assets:cash", book="NEW"), AccountCfg())
        assert (await store.accounts("new"), await store.read_events("new")) == ([], [])
        await store.reopen("new")
        await store.open_account(cash, AccountCfg())
        info = await store.book("new")
        assert (info.writer, info.last_seq, info.error) == ("running", 1, None)


async def test_while_the_disk_still_fails_reopening_says_so_and_reads_go_on(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        for failing in ({"entries"}, {"open"}, {"read"}):
            disk.failing = failing
            with pytest.raises(StoreIOError, match="cannot be reopened"):
                await store.reopen(BOOK)
            disk.failing = set()
            assert await writer_of(store) == "stopped"
            assert len(await events_of(store, BOOK)) == 13
            with pytest.raises(WriterStopped):
                await pay(store, 1, start=6)
            await store.snapshot_now(BOOK)
        await store.reopen(BOOK)
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_a_torn_tail_is_cut_and_told(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        append(segments(tmp_path, BOOK)[-1], b"torn")
        await store.reopen(BOOK)
        info = await store.book(BOOK)
        assert info is not None
        assert "4 torn bytes were cut after seq 13" in info.repairs[0]
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_a_book_whose_very_first_event_was_not_synced_can_begin_again(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        cash = definition("cash", book="fresh")
        disk.failing = {"sync"}
        with pytest.raises(StoreIOError):
            await store.open_account(cash, AccountCfg())
        disk.failing.clear()
        with pytest.raises(WriterStopped):
            await store.open_account(cash, AccountCfg())
        await store.reopen("fresh")
        await store.open_account(cash, AccountCfg())
        assert await store.account(cash.id) is not None


async def test_the_registry_can_be_reopened_too(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        disk.failing = {"sync"}
        with pytest.raises(StoreIOError):
            await store.register_asset(asset("GBP"))
        disk.failing.clear()
        await store.reopen("_system")
        await store.register_asset(asset("GBP"))
        assert await store.asset("GBP") == asset("GBP")


async def test_two_who_reopen_at_once_get_one_writer(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        await asyncio.gather(*[store.reopen(BOOK) for _ in range(3)], store.snapshot_now(BOOK))
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count(f"talea-writer:{BOOK}") == 1
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_progress_is_told_and_cancelling_leaves_the_book_stopped(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        told: list[int] = []

        def cancelled(book: str, seq: int, last_seq: int) -> None:
            told.append(seq)
            reopening.cancel()

        reopening = asyncio.ensure_future(store.reopen(BOOK, cancelled))
        with pytest.raises(asyncio.CancelledError):
            await reopening
        assert told
        assert await writer_of(store) == "stopped"
        await store.reopen(BOOK)
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_a_reopening_that_is_cancelled_ends_with_the_mending_it_had_begun(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        path = segments(tmp_path, BOOK)[-1]
        whole = path.read_bytes()
        append(path, b"torn")
        mending, go_on = threading.Event(), threading.Event()

        def held(call: str, number: int) -> None:
            if call == "truncate":
                mending.set()
                assert go_on.wait(60)

        disk.fails = held
        reopening = asyncio.ensure_future(store.reopen(BOOK))
        try:
            while not mending.is_set():  # noqa: ASYNC110 - it happens in a thread
                await asyncio.sleep(0)
            reopening.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
            assert not reopening.done()
        finally:
            go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await reopening
        assert path.read_bytes() == whole
        await store.reopen(BOOK)
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_shutdown_ends_a_reopening(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        reopening = asyncio.ensure_future(store.reopen(BOOK))
        await asyncio.sleep(0)
        await store.shutdown()
        with pytest.raises(StoreClosed):
            await reopening
    async with opened(tmp_path) as after:
        assert (await after.book(BOOK)).last_seq == 13


@pytest.mark.parametrize("then", ["reopen", "snapshot_now"])
async def test_what_waits_for_a_reopening_ends_with_the_ledger(tmp_path: Path, then: str) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        reopening = asyncio.ensure_future(store.reopen(BOOK))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(getattr(store, then)(BOOK))
        await asyncio.sleep(0)
        await store.shutdown()
        outcomes = await asyncio.gather(reopening, waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreClosed, StoreClosed]
        assert [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}] == []
    async with opened(tmp_path) as after:
        info = await after.book(BOOK)
        assert (info.last_seq, info.snapshots) == (13, 0)


async def test_reopening_shows_to_whoever_watches(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        async with aclosing(store.watch()) as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            await store.reopen(BOOK)
            assert await waiting == {BOOK}


# Subscriptions.


async def test_a_subscriber_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        got: list[Sequenced] = []

        async def follow() -> None:
            async with aclosing(store.subscribe(BOOK, len(got) + 1)) as events:
                async for event in events:
                    got.append(event)
                    if event.seq == 16:
                        return

        following = asyncio.ensure_future(follow())
        await failing_sync(store, disk)
        with pytest.raises(WriterStopped):
            await following
        await store.reopen(BOOK)
        following = asyncio.ensure_future(follow())
        await pay(store, 3, start=6)
        await following
        assert got == await events_of(store, BOOK)


async def test_a_slow_subscriber_does_not_even_notice(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk), aclosing(store.subscribe(BOOK)) as events:
        got = [await anext(events)]
        await failing_sync(store, disk)
        await store.reopen(BOOK)
        await pay(store, 3, start=6)
        while len(got) < 16:
            got.append(await anext(events))
        assert got == await events_of(store, BOOK)


# Damage.


async def test_damage_that_is_still_there_is_told_again_and_the_book_stays_read_only(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, _):
        path = segments(tmp_path, BOOK)[-1]
        offset = frames(path.read_bytes())[5].offset + 20
        flip(path, offset)
        with pytest.raises(CorruptLog):
            await store.verify(BOOK)
        with pytest.raises(CorruptLog, match=path.name):
            await store.reopen(BOOK)
        assert await writer_of(store) == "damaged"
        flip(path, offset)
        await store.reopen(BOOK)
        assert await writer_of(store) == "running"
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_damage_where_only_the_snapshot_looked_keeps_the_book_closed(tmp_path: Path) -> None:
    await written(tmp_path, 10, segment_max=1000)
    async with opened(tmp_path, segment_max=1000) as store:
        await store.snapshot_now(BOOK)
    sealed = segments(tmp_path, BOOK)[0]
    flip(sealed, -20)
    async with opened(tmp_path, segment_max=1000) as store:
        with pytest.raises(CorruptLog):
            await store.verify(BOOK)
        with pytest.raises(CorruptLog, match=sealed.name):
            await store.reopen(BOOK)
        assert await writer_of(store) == "damaged"
        flip(sealed, -20)
        await store.reopen(BOOK)
        await store.verify(BOOK)


async def test_what_only_the_snapshot_looked_at_is_checked_once_a_stopped_book_is_back(
    tmp_path: Path,
) -> None:
    async with ledger(tmp_path, segment_max=1000) as (store, disk), aclosing(store.watch()) as changes:
        await store.snapshot_now(BOOK)
        await failing_sync(store, disk)
        flip(segments(tmp_path, BOOK)[0], -20)
        await store.reopen(BOOK)
        async with asyncio.timeout(10):
            while await writer_of(store) != "damaged":
                assert BOOK in await anext(changes)


async def test_a_log_that_lost_what_was_acknowledged_is_refused(tmp_path: Path) -> None:
    async with ledger(tmp_path) as (store, disk):
        await failing_sync(store, disk)
        path = segments(tmp_path, BOOK)[-1]
        whole = path.read_bytes()
        cut(path, frames(whole)[-1].offset)
        with pytest.raises(CorruptLog, match="everything up to seq 13 had been acknowledged"):
            await store.reopen(BOOK)
        assert path.read_bytes() == whole[: frames(whole)[-1].offset]
        assert await writer_of(store) == "damaged"
        path.write_bytes(whole)
        await store.reopen(BOOK)
        assert (await pay(store, 1, start=6))[0].seq == 14


async def test_another_history_in_the_books_place_is_refused(tmp_path: Path) -> None:
    other = await written(tmp_path / "other", 9)
    async with ledger(tmp_path / "ledger") as (store, disk):
        await failing_sync(store, disk)
        path = segments(tmp_path / "ledger", BOOK)[-1]
        path.write_bytes(segments(other, BOOK)[-1].read_bytes())
        (book_directory(tmp_path / "ledger", BOOK) / "index-watermark").unlink()
        with pytest.raises(CorruptLog, match="not the history"):
            await store.reopen(BOOK)


async def test_a_book_that_was_skipped_as_damaged_comes_back_once_it_is_repaired(tmp_path: Path) -> None:
    await written(tmp_path, books=(BOOK, OTHER))
    path = segments(tmp_path, BOOK)[-1]
    offset = frames(path.read_bytes())[5].offset + 20
    flip(path, offset)
    async with opened(tmp_path, skip_damaged=True) as store:
        assert await writer_of(store) == "damaged"
        with pytest.raises(CorruptLog):
            await store.reopen(BOOK)
        assert await writer_of(store) == "damaged"
        flip(path, offset)
        await store.reopen(BOOK)
        assert await writer_of(store) == "running"
        assert [info.name for info in await store.books()] == [BOOK, OTHER]
        receipt = (await pay(store, 1, start=6))[0]
        assert isinstance(receipt, Committed)
        assert receipt.seq == 14
