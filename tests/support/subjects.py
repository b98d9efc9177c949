"""The stores that one contract is proven on. A backend that comes later needs a line in `SUBJECTS`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from store import LogStoreOptions, LogTaleaStore
from store.clock import Clock, system_clock
from store.errors import StoreError
from store.files import Files
from store.model import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AssetDef,
    BalanceSnapshot,
    BookInfo,
    Committed,
    PostingRecord,
    Sequenced,
    StoredFrame,
    StoredTransaction,
    Transaction,
    TrialBalanceRow,
)
from store.protocol import AsOf, Progress, Sieve, Sifted, Store

from .clock import FakeClock
from .faulty_files import UnsyncedFiles
from .limits import tiny_limits
from .memory_store import MemoryStore

Opener = Callable[[Path, FakeClock], AbstractAsyncContextManager[Store]]


@dataclass(frozen=True)
class Subject:
    name: str
    open: Opener
    durable: bool = True


async def open_log_store(
    directory: Path, clock: Clock = system_clock, files: Files | None = None, **options: Any
) -> Any:
    """A log store with these options and the defaults of all others.

    On real files, but no sync reaches the disk unless the files given do that: only a power cut would tell.
    """
    files = files or UnsyncedFiles()
    return await LogTaleaStore.open_with(directory, LogStoreOptions(**options), files=files, clock=clock)


class ReopenedStore:
    """A log store that is closed and opened again before every read."""

    def __init__(self, store: Any, directory: Path, clock: FakeClock, options: dict[str, Any]) -> None:
        self._store, self._directory, self._clock, self._options = store, directory, clock, options
        self._closed = False
        self._opening = asyncio.Lock()

    async def _reopened(self) -> Any:
        async with self._opening:
            if not self._closed:
                await self._store.shutdown()
                self._store = await open_log_store(self._directory, self._clock, **self._options)
        return self._store

    async def _current(self) -> Any:
        async with self._opening:
            return self._store

    async def shutdown(self) -> None:
        self._closed = True
        await self._store.shutdown()

    async def snapshot_now(self, book: str) -> None:
        await (await self._current()).snapshot_now(book)

    async def register_asset(self, asset: AssetDef) -> None:
        await (await self._current()).register_asset(asset)

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        await (await self._current()).open_account(definition, config)

    async def commit(self, transaction: Transaction) -> Committed:
        committed: Committed = await (await self._current()).commit(transaction)
        return committed

    async def commit_batch(self, transactions: Sequence[Transaction]) -> list[Committed | StoreError]:
        results: list[Committed | StoreError] = await (await self._current()).commit_batch(transactions)
        return results

    async def balance(self, account: AccountId, as_of: AsOf = None) -> BalanceSnapshot:
        answer: BalanceSnapshot = await (await self._reopened()).balance(account, as_of)
        return answer

    async def asset(self, id: str) -> AssetDef | None:
        answer: AssetDef | None = await (await self._reopened()).asset(id)
        return answer

    async def account_history(
        self, account: AccountId, after_seq: int | None = None, limit: int = 100
    ) -> list[PostingRecord]:
        answer: list[PostingRecord] = await (await self._reopened()).account_history(
            account, after_seq, limit
        )
        return answer

    async def transaction(self, txid: UUID, book: str | None = None) -> StoredTransaction | None:
        answer: StoredTransaction | None = await (await self._reopened()).transaction(txid, book)
        return answer

    async def trial_balance(self, book: str, as_of: AsOf = None) -> list[TrialBalanceRow]:
        answer: list[TrialBalanceRow] = await (await self._reopened()).trial_balance(book, as_of)
        return answer

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        answer: list[Sequenced] = await (await self._reopened()).read_events(book, from_seq, limit)
        return answer

    def subscribe(self, book: str, from_seq: int = 1) -> AsyncGenerator[Sequenced, None]:
        events: AsyncGenerator[Sequenced, None] = self._store.subscribe(book, from_seq)
        return events

    async def assets(self) -> list[AssetDef]:
        answer: list[AssetDef] = await (await self._reopened()).assets()
        return answer

    async def books(self) -> list[BookInfo]:
        answer: list[BookInfo] = await (await self._reopened()).books()
        return answer

    async def book(self, name: str) -> BookInfo | None:
        answer: BookInfo | None = await (await self._reopened()).book(name)
        return answer

    async def accounts(self, book: str, as_of: AsOf = None) -> list[AccountInfo]:
        answer: list[AccountInfo] = await (await self._reopened()).accounts(book, as_of)
        return answer

    async def account(self, id: AccountId, as_of: AsOf = None) -> AccountInfo | None:
        answer: AccountInfo | None = await (await self._reopened()).account(id, as_of)
        return answer

    async def posting_rows(self, account: AccountId, start: int, limit: int) -> list[PostingRecord]:
        answer: list[PostingRecord] = await (await self._reopened()).posting_rows(account, start, limit)
        return answer

    async def by_key(self, book: str, key: str) -> StoredTransaction | None:
        answer: StoredTransaction | None = await (await self._reopened()).by_key(book, key)
        return answer

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        answer: list[Sequenced] = await (await self._reopened()).events_at(book, seqs)
        return answer

    async def sift(self, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        answer: list[Sifted] = await (await self._reopened()).sift(book, sieve, from_seq, to_seq)
        return answer

    async def frame_of(self, book: str, seq: int) -> StoredFrame | None:
        answer: StoredFrame | None = await (await self._reopened()).frame_of(book, seq)
        return answer

    async def reopen(self, book: str, progress: Progress | None = None) -> None:
        await (await self._current()).reopen(book, progress)

    async def seq_at(self, book: str, t: datetime) -> int:
        seq: int = await (await self._reopened()).seq_at(book, t)
        return seq

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        changes: AsyncGenerator[frozenset[str], None] = self._store.watch()
        return changes


@asynccontextmanager
async def _memory(directory: Path, clock: FakeClock) -> AsyncIterator[Store]:
    async with MemoryStore(clock) as store:
        yield store


def _log(**options: Any) -> Opener:
    @asynccontextmanager
    async def opened(directory: Path, clock: FakeClock) -> AsyncIterator[Store]:
        store = await open_log_store(directory, clock, **options)
        try:
            yield store
        finally:
            await store.shutdown()

    return opened


def _reopened(**options: Any) -> Opener:
    @asynccontextmanager
    async def opened(directory: Path, clock: FakeClock) -> AsyncIterator[Store]:
        first = await open_log_store(directory, clock, **options)
        store = ReopenedStore(first, directory, clock, options)
        try:
            yield store
        finally:
            await store.shutdown()

    return opened


def _within_tiny_limits(opener: Opener) -> Opener:
    @asynccontextmanager
    async def opened(directory: Path, clock: FakeClock) -> AsyncIterator[Store]:
        with tiny_limits():
            async with opener(directory, clock) as store:
                yield store

    return opened


SUBJECTS = [
    Subject("memory", _memory, durable=False),
    Subject("plain", _log(files=Files())),
    Subject("one-frame-segments", _log(segment_max=1)),
    Subject("snapshot-after-every-event", _log(snapshot_every=1)),
    Subject("two-hot-keys", _log(idem_hot_cap=2)),
    Subject("batches-of-one", _log(batch_max=1)),
    Subject("reopened", _reopened()),
    Subject("reopened-tiny", _reopened(segment_max=1, snapshot_every=3, idem_hot_cap=2)),
    Subject("tiny-limits", _within_tiny_limits(_log(snapshot_every=5, idem_hot_cap=4, batch_max=3))),
]
