"""A large ledger, built once and then opened, read and looked after as copies."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from store import AccountCfg, AccountDef, AccountId, AccountKind, LogStoreOptions, LogTaleaStore

from .commits import BOOK, Bookkeeper, all_committed, copied, transactions_in
from .workload import Figures, Heartbeat, Skipped, Transfers, drive, quantile

BANK = AccountId(book=BOOK, path="assets:bank")
"""An account that every transaction of the large ledger posts to."""
ACCOUNTS = 1000
_PER_CALL, _CALLERS = 500, 4


def resident_bytes() -> int:
    """What this process holds in memory."""
    if not sys.platform.startswith("linux"):
        raise Skipped("memory is measured on Linux only")
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def build(place: Path, transactions: int) -> Figures:
    """Post through `commit_batch`: nine tenths with default options, a snapshot, then the tail without any."""
    directory = place / "ledger"
    keeper = Bookkeeper(Transfers(ACCOUNTS, "built"))
    started = perf_counter()
    body = transactions - transactions // 10
    before = resident_bytes() if sys.platform.startswith("linux") else 0
    async with await LogTaleaStore.open(directory) as store:
        await keeper.open_book(store)
        definition = AccountDef(id=BANK, asset="USD", kind=AccountKind.ASSET)
        await store.open_account(definition, AccountCfg())
        left = body - ACCOUNTS  # the accounts' opening balances are transactions too
        rates = [await _post(store, keeper, left * (n + 1) // 9 - left * n // 9) for n in range(9)]
        held = resident_bytes() - before if before else float("nan")
        await store.snapshot_now(BOOK)
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(snapshot_every=0)) as store:
        await _post(store, keeper, transactions - body)
        if await transactions_in(store, BOOK) != transactions:
            raise AssertionError("the ledger is not as large as it should be")
    return {
        "seconds": perf_counter() - started,
        "first_rate": rates[0],
        "last_rate": rates[-1],
        "bytes_per_transaction": held / body,
    }


async def _post(store: LogTaleaStore, keeper: Bookkeeper, count: int) -> float:
    """Post `count` transfers between the bank and others; how many a second."""
    left = count
    started = perf_counter()

    async def caller() -> None:
        nonlocal left
        while left:
            size = min(left, _PER_CALL)
            left -= size
            transactions = []
            for _ in range(size):
                transfer = keeper.transfers.next()
                ends = (keeper.accounts[transfer.source], BANK)
                source, target = ends if transfer.minor % 2 else ends[::-1]
                transactions.append(keeper.posted(source, target, transfer))
            all_committed(await store.commit_batch(transactions))

    await asyncio.gather(*[caller() for _ in range(_CALLERS)])
    return count / (perf_counter() - started)


async def opening(place: Path, ledger: Path, snapshot: bool) -> Figures:
    """Open with snapshot and indexes, or from the log alone."""
    directory = copied(ledger, place, derived=snapshot)
    before = resident_bytes() if sys.platform.startswith("linux") else 0
    async with Heartbeat() as heartbeat:
        started = perf_counter()
        store = await LogTaleaStore.open(directory)
        seconds = perf_counter() - started
        figures = heartbeat.figures()
    held = resident_bytes() - before if before else float("nan")
    count = await transactions_in(store, BOOK)
    await store.shutdown()
    return figures | {
        "seconds": seconds,
        "micros_per_transaction": seconds / count * 1e6,
        "bytes_per_transaction": held / count,
    }


async def snapshotting(place: Path, ledger: Path, clients: int) -> Figures:
    """A snapshot that has to write everything, while `clients` post flat out."""
    directory = copied(ledger, place, derived=False)
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(snapshot_every=0)) as store:
        figures = await _amid_commits(store, clients, lambda: store.snapshot_now(BOOK))
        info = await store.book(BOOK)
        if info is None or not info.snapshots:
            raise AssertionError("no snapshot was taken")
        return figures


async def verifying(place: Path, ledger: Path, clients: int) -> Figures:
    """All of the ledger read again and compared, while `clients` post flat out."""
    directory = copied(ledger, place)
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(snapshot_every=0)) as store:
        return await _amid_commits(store, clients, lambda: store.verify(BOOK))


async def _amid_commits(
    store: LogTaleaStore, clients: int, during: Callable[[], Awaitable[object]]
) -> Figures:
    keeper = Bookkeeper(Transfers(ACCOUNTS))

    async def call(_: int) -> None:
        await store.commit(keeper.next())

    return await drive(call, clients, 0.2, during=during)


async def reading(place: Path, ledger: Path, calls: int) -> Figures:
    """Single reads at places drawn at random, one after the other."""
    async with await LogTaleaStore.open(copied(ledger, place)) as store:
        info = await store.book(BOOK)
        assert info is not None
        (first,) = await store.read_events(BOOK, 1, 1)
        (last,) = await store.read_events(BOOK, info.last_seq, 1)
        draw = random.Random(calls)
        accounts = [BANK, *Bookkeeper(Transfers(ACCOUNTS)).accounts]

        def seq() -> int:
            return draw.randint(1, info.last_seq)

        def instant() -> int | datetime:
            span = (last.at - first.at) / timedelta(microseconds=1)
            return seq() if draw.random() < 0.5 else first.at + timedelta(microseconds=draw.uniform(0, span))

        figures = await _timed("balance", calls, lambda: store.balance(draw.choice(accounts), instant()))
        figures |= await _timed("bank_balance", calls, lambda: store.balance(BANK, instant()))
        figures |= await _timed("trial_balance", calls, lambda: store.trial_balance(BOOK, instant()))
        figures |= await _timed("read_events", calls, lambda: store.read_events(BOOK, seq(), 100))
        figures |= await _timed("account_history", calls, lambda: store.account_history(BANK, seq(), 100))
        return figures


async def _timed(name: str, calls: int, call: Callable[[], Awaitable[object]]) -> Figures:
    taken = []
    for _ in range(calls):
        awaitable = call()
        started = perf_counter()
        await awaitable
        taken.append(perf_counter() - started)
    taken.sort()
    return {f"{name}_p50_us": quantile(taken, 0.5) * 1e6, f"{name}_p99_us": quantile(taken, 0.99) * 1e6}


async def catching_up(place: Path, ledger: Path, events: int) -> Figures:
    """A subscription that reads from the first event on, while nothing is posted."""
    async with await LogTaleaStore.open(copied(ledger, place)) as store:
        subscription = store.subscribe(BOOK, 1)
        async with Heartbeat() as heartbeat:
            started = perf_counter()
            expected = 0
            async for event in subscription:
                expected += 1
                if event.seq != expected:
                    raise AssertionError(f"seq {event.seq} came instead of {expected}")
                if expected == events:
                    break
            seconds = perf_counter() - started
            figures = heartbeat.figures()
        await subscription.aclose()
        return figures | {"rate": events / seconds}
