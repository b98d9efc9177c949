"""Many callers at once, callers that go away, and disks that fail under them."""

from __future__ import annotations

import asyncio
import errno
import os
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from store import AccountCfg, AccountKind, Committed, StoreClosed, StoreError, StoreIOError, WriterStopped
from store.files import Files
from tests.support import ledgers
from tests.support.build import BOOK, account, asset, definition, household, transfer
from tests.support.ledgers import CASH, last_seq
from tests.support.subjects import open_log_store

opened = partial(ledgers.opened, files=Files())
"""On a disk that takes its time: callers meet while it syncs."""
TINY: dict[str, int] = {"segment_max": 800, "snapshot_every": 20, "idem_hot_cap": 8}


def payment(n: int, book: str = BOOK) -> Any:
    return transfer("assets:cash", "income:salary", 1, key=f"key {n}", book=book)


# Callers that go away.


async def test_a_cancelled_commit_lands_once_or_not_at_all(tmp_path: Path) -> None:
    chance = Random(5)
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        for n in range(60):
            committing = asyncio.ensure_future(store.commit(payment(n)))
            neighbour = asyncio.ensure_future(store.commit(payment(1000 + n)))
            for _ in range(chance.randrange(8)):
                await asyncio.sleep(0)
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)
            await neighbour
            retried = await store.commit(payment(n))
            found = await store.by_key(BOOK, f"key {n}")
            assert (found.seq, found.transaction.id) == (retried.seq, retried.txid)
        assert (await store.balance(CASH)).amount.minor == 120
    assert await last_seq(tmp_path / "ledger") == 127


async def test_a_cancelled_batch_lands_in_order_without_holes(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", batch_max=3) as store:
        await household(store)
        for n in range(15):
            batch = [payment(100 * n + m) for m in range(20)]
            committing = asyncio.ensure_future(store.commit_batch(batch))
            for _ in range(n):
                await asyncio.sleep(0)
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)
            results = await store.commit_batch(batch)
            seqs = [result.seq for result in results]
            assert seqs == sorted(seqs)
        assert (await store.balance(CASH)).amount.minor == 300


async def test_cancelled_registrations_harm_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        for n in range(20):
            calls = [asyncio.ensure_future(store.register_asset(asset(f"A{n}"))) for _ in range(5)]
            calls += [asyncio.ensure_future(store.register_asset(asset(f"A{n}", 3)))]
            for _ in range(n % 5):
                await asyncio.sleep(0)
            calls[0].cancel()
            calls[2].cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert await store.asset(f"A{n}") is not None
            opening = asyncio.ensure_future(
                store.open_account(definition("cash", asset=f"A{n}", book=f"b{n}"), AccountCfg())
            )
            again = asyncio.ensure_future(
                store.open_account(definition("cash", asset=f"A{n}", book=f"b{n}"), AccountCfg())
            )
            await asyncio.sleep(0)
            opening.cancel()
            await asyncio.gather(opening, again, return_exceptions=True)
            assert len(await store.read_events(f"b{n}")) == 1
        assert len(await store.read_events("_system")) == 20
        assert len(await store.books()) == 20


async def test_every_waiting_caller_may_be_cancelled_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        waiting = [asyncio.ensure_future(store.commit(payment(n))) for n in range(3000)]
        for _ in range(3):
            await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        results = await store.commit_batch([payment(n) for n in range(3000)])
        assert len({result.seq for result in results}) == 3000
        assert (await store.balance(CASH)).amount.minor == 3000


# Many callers.


async def test_thousands_of_callers_are_all_answered_in_bounded_batches(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", batch_max=64) as store:
        await household(store)
        results = await asyncio.gather(*(store.commit(payment(n)) for n in range(5000)))
        assert sorted(result.seq for result in results) == list(range(8, 5008))
        assert (await store.book(BOOK)).queued == 0
        assert (await store.balance(CASH)).amount.minor == 5000


async def test_a_long_batch_needs_no_memory_for_its_queue(tmp_path: Path) -> None:
    """What waits is bounded: a batch of many costs its own objects and little more."""
    async with opened(tmp_path / "ledger", snapshot_every=0) as store:
        await household(store)
        batch = [payment(n) for n in range(40_000)]
        top = 0
        committing = asyncio.ensure_future(store.commit_batch(batch))
        while not committing.done():
            info = await store.book(BOOK)
            top = max(top, info.queued)
            await asyncio.sleep(0)
        assert len(await committing) == 40_000
        assert top <= 20_000


async def test_readers_and_writers_of_many_books_do_not_wait_for_each_other(tmp_path: Path) -> None:
    books = [f"book {n}" for n in range(8)]
    async with opened(tmp_path / "ledger", **TINY) as store:
        for book in books:
            await household(store, book)

        async def write(book: str) -> None:
            for n in range(40):
                receipt = await store.commit(payment(n, book))
                assert (await store.balance(account("assets:cash", book))).updated_seq >= receipt.seq

        async def read() -> None:
            while len(done) < len(books):
                for book in books:
                    events = await store.read_events(book, 1, 1000)
                    assert [event.seq for event in events] == list(range(1, len(events) + 1))
                    [row] = await store.trial_balance(book) or [None]
                    assert row is None or row.debits == row.credits
                    # answers from memory never wait, so a loop of them has to
                    await asyncio.sleep(0)

        done: list[None] = []
        reader = asyncio.ensure_future(read())
        done += await asyncio.gather(*(write(book) for book in books))
        await reader


async def test_constraints_hold_under_concurrent_commits(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        await store.open_account(definition("guarded", AccountKind.ASSET), AccountCfg(min_balance=0))
        await store.commit(transfer("guarded", "clearing", 25))
        results = await asyncio.gather(
            *(store.commit(transfer("clearing", "guarded", 2)) for _ in range(40)), return_exceptions=True
        )
        assert sum(isinstance(result, Committed) for result in results) == 12
        assert (await store.balance(account("guarded"))).amount.minor == 1


# Shutdown in the middle of everything.


@pytest.mark.parametrize("patience", [0, 1, 2, 5, 20, 60])
async def test_shutdown_in_the_middle_of_everything_keeps_what_was_told(
    tmp_path: Path, patience: int
) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, **TINY) as store:
        for book in ("alpha", "beta"):
            await household(store, book)
            await store.commit_batch([payment(n, book) for n in range(30)])
        calls: list[Any] = [store.commit(payment(100 + n, "alpha")) for n in range(200)]
        calls += [
            store.commit_batch([payment(400 + n, book) for n in range(50)]) for book in ("alpha", "beta")
        ]
        calls += [store.snapshot_now("alpha"), store.verify("beta"), store.read_events("alpha", 1, 1000)]
        calls += [store.register_asset(asset(f"A{n}")) for n in range(5)]
        calls += [store.open_account(definition(f"x{n}", book="gamma"), AccountCfg()) for n in range(5)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        followers = [asyncio.ensure_future(_all(store, book)) for book in ("alpha", "beta", "gamma")]
        for _ in range(patience):
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await store.shutdown()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            followed = await asyncio.gather(*followers, return_exceptions=True)
    told: list[Committed] = []
    for result in results:
        for each in result if isinstance(result, list) else [result]:
            if isinstance(each, Committed):
                told.append(each)
            elif isinstance(each, BaseException):
                assert isinstance(each, StoreClosed), each
    async with opened(directory) as store:
        for receipt in told:
            found = await store.transaction(receipt.txid)
            assert (found.seq, found.at) == (receipt.seq, receipt.at)
        for book, seqs in zip(("alpha", "beta"), followed, strict=False):
            if patience:
                assert seqs == list(range(1, (await store.book(book)).last_seq + 1))


async def _all(store: Any, book: str) -> list[int]:
    return [event.seq async for event in store.subscribe(book)]


# Subscriptions in bounded memory.


async def test_a_reader_that_stands_still_costs_no_memory(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", snapshot_every=0) as store:
        await household(store)
        async with aclosing(store.subscribe(BOOK)) as still:
            await anext(still)
            await store.commit_batch([payment(n) for n in range(2000)])

            async def growth(start: int, readers: int) -> int:
                """What 2,000 commits cost while so many readers stand still."""
                standing = [store.subscribe(BOOK) for _ in range(readers)]
                for reader in standing:
                    await anext(reader)
                tracemalloc.start()
                await store.commit_batch([payment(start + n) for n in range(2000)])
                size, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                for reader in standing:
                    await reader.aclose()
                return size

            alone, crowded = await growth(2000, 0), await growth(4000, 50)
            # 50 readers that each kept 2,000 events would cost tens of megabytes
            assert crowded - alone < 5_000_000
            rest = [event.seq async for event in _first(still, 6006)]
            assert rest == list(range(2, 6008))


async def _first(events: Any, count: int) -> Any:
    for _ in range(count):
        yield await anext(events)


# A disk that fails, seen through the operating system's own calls.


def failing(code: int) -> Callable[..., int]:
    def call(*_: Any, **__: Any) -> int:
        raise OSError(code, os.strerror(code))

    return call


WRITES = ["write", "pwrite", "writev", "pwritev"]
SYNCS = ["fsync", "fdatasync"]


def patch(monkeypatch: pytest.MonkeyPatch, names: list[str], code: int) -> None:
    for name in names:
        if hasattr(os, name):
            monkeypatch.setattr(os, name, failing(code))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
async def test_a_full_disk_is_survived_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, **TINY) as store:
        await household(store)
        await store.commit(payment(0))
        with monkeypatch.context() as full:
            patch(full, WRITES, code)
            for _ in range(3):
                results = await asyncio.gather(
                    *(store.commit(payment(n)) for n in range(1, 20)), return_exceptions=True
                )
                assert {type(result) for result in results} == {StoreIOError}
                with pytest.raises(StoreIOError):
                    await store.open_account(definition("new", book="new"), AccountCfg())
            assert (await store.balance(CASH)).amount.minor == 1
            assert (await store.book(BOOK)).writer == "running"
            assert await store.book("new") is None
        results = await asyncio.gather(*(store.commit(payment(n)) for n in range(1, 20)))
        assert not any(result.deduplicated for result in results)
        await store.open_account(definition("new", book="new"), AccountCfg())
    assert await last_seq(directory) == 27
    async with opened(directory) as store:
        assert (await store.book(BOOK)).repairs == ()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
async def test_a_failing_sync_stops_the_book_and_spares_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory) as store:
        for book in ("alpha", "beta"):
            await household(store, book)
            await store.commit(payment(0, book))
        with monkeypatch.context() as failing_disk:
            patch(failing_disk, SYNCS, code)
            results = await asyncio.gather(
                *(store.commit(payment(n, "alpha")) for n in range(1, 50)), return_exceptions=True
            )
        assert all(isinstance(result, StoreIOError) for result in results)
        with pytest.raises(WriterStopped):
            await store.commit(payment(1, "alpha"))
        assert (await store.balance(account("assets:cash", "alpha"))).amount.minor == 1
        await store.snapshot_now("alpha")
        await store.commit(payment(1, "beta"))
        assert {info.name: info.writer for info in await store.books()} == {
            "alpha": "stopped",
            "beta": "running",
        }
    async with opened(directory) as store:
        results = await store.commit_batch([payment(n, "alpha") for n in range(50)])
        assert len({result.seq for result in results}) == 50
        assert (await store.balance(account("assets:cash", "alpha"))).amount.minor == 50


async def test_a_queue_behind_a_failing_sync_is_answered_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path / "ledger", batch_max=4) as store:
        await household(store)
        patch(monkeypatch, SYNCS, errno.EIO)
        calls = [store.commit(payment(n)) for n in range(2000)]
        calls += [store.commit_batch([payment(5000 + n) for n in range(2000)])]
        async with asyncio.timeout(60):
            results = await asyncio.gather(*calls, return_exceptions=True)
        *singles, batch = results
        assert all(isinstance(result, StoreIOError) for result in [*singles, *batch])
        assert any(isinstance(result, WriterStopped) for result in batch)
        monkeypatch.undo()


async def test_an_unwritable_place_is_a_storage_error_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing_disk:
        patch(failing_disk, ["mkdir"], errno.EACCES)
        with pytest.raises(StoreIOError):
            await open_log_store(tmp_path / "a" / "ledger")
    async with opened(tmp_path / "a" / "ledger") as store:
        with monkeypatch.context() as failing_disk:
            patch(failing_disk, [*SYNCS, *WRITES], errno.EIO)
            with pytest.raises(StoreError):
                await store.register_asset(asset("EUR"))
    async with opened(tmp_path / "a" / "ledger") as store:
        await household(store)
