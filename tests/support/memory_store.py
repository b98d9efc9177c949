"""`MemoryStore`: the `Store` protocol in memory, for tests of whatever needs a store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self
from uuid import UUID

from store.clock import system_clock
from store.errors import StoreClosed, StoreError, StoreIOError
from store.model import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountOpened,
    AssetDef,
    BalanceSnapshot,
    BookInfo,
    Committed,
    PostingRecord,
    Sequenced,
    StoredFrame,
    StoredTransaction,
    Transaction,
    TransactionPosted,
    TrialBalanceRow,
)
from store.protocol import Progress, Sieve, Sifted

from .reference import SYSTEM, AsOf, ReferenceLedger


class MemoryStore:
    """Everything is durable at once and nothing outlives the object. `clock` tells microseconds."""

    def __init__(self, clock: Callable[[], int] = system_clock) -> None:
        self.ledger = ReferenceLedger(clock)
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        self._seqs: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    def _open(self) -> ReferenceLedger:
        if self._closed:
            raise StoreClosed
        return self.ledger

    def _wake(self) -> None:
        self._seqs = {name: len(self.ledger.book(name).events) for name in self.ledger.names()}
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    async def shutdown(self) -> None:
        self._closed = True
        self._wake()

    async def snapshot_now(self, book: str) -> None:
        if not self._open().book(book).events and book != SYSTEM:
            raise StoreIOError(f"There is no book {book!r} to take a snapshot of.")

    async def verify(
        self,
        book: str,
        against: tuple[int, str] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        seq = len(self._open().book(book).events)
        if progress is not None:
            progress(book, seq, seq)

    async def register_asset(self, asset: AssetDef) -> None:
        self._open().register_asset(asset)
        self._wake()

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        self._open().open_account(definition, config)
        self._wake()

    async def commit(self, transaction: Transaction) -> Committed:
        committed = self._open().commit(transaction)
        self._wake()
        return committed

    async def commit_batch(self, transactions: Sequence[Transaction]) -> list[Committed | StoreError]:
        results = self._open().commit_batch(transactions)
        self._wake()
        return results

    async def balance(self, account: AccountId, as_of: AsOf = None) -> BalanceSnapshot:
        return self._open().balance(account, as_of)

    async def asset(self, id: str) -> AssetDef | None:
        return self._open().asset(id)

    async def account_history(
        self, account: AccountId, after_seq: int | None = None, limit: int = 100
    ) -> list[PostingRecord]:
        return self._open().account_history(account, after_seq, limit)

    async def transaction(self, txid: UUID, book: str | None = None) -> StoredTransaction | None:
        return self._open().transaction(txid, book)

    async def trial_balance(self, book: str, as_of: AsOf = None) -> list[TrialBalanceRow]:
        return self._open().trial_balance(book, as_of)

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        return self._open().read_events(book, from_seq, limit)

    def subscribe(self, book: str, from_seq: int = 1) -> AsyncGenerator[Sequenced, None]:
        return self._subscribed(book, from_seq, self._closed)

    async def _subscribed(self, book: str, from_seq: int, too_late: bool) -> AsyncGenerator[Sequenced, None]:
        if too_late:
            raise StoreClosed
        self.ledger.book(book)
        seq = max(from_seq, 1)
        while True:
            for event in self.ledger.read_events(book, seq):
                yield event
                seq = event.seq + 1
            if len(self.ledger.book(book).events) < seq:
                if self._closed:
                    return
                await self._change()

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        self._open()
        return self._watch(dict(self._seqs))

    async def _watch(self, seen: dict[str, int]) -> AsyncGenerator[frozenset[str], None]:
        while not self._closed:
            changed = frozenset(name for name, seq in self._seqs.items() if seen.get(name, 0) != seq)
            seen = dict(self._seqs)
            if changed:
                yield changed
            else:
                await self._change()

    async def assets(self) -> list[AssetDef]:
        return self._open().assets()

    async def books(self) -> list[BookInfo]:
        names = [name for name in self._open().names() if name != SYSTEM]
        return [info for name in names if (info := await self.book(name)) is not None]

    async def book(self, name: str) -> BookInfo | None:
        events = self._open().book(name).events
        if not events:
            return None
        head = hashlib.sha256(name.encode())
        for event in events:
            head = hashlib.sha256(head.digest() + repr(event).encode())
        return BookInfo(
            name=name,
            last_seq=len(events),
            head=(len(events), head.hexdigest()),
            last_at=events[-1].at,
            accounts=sum(isinstance(event.event, AccountOpened) for event in events),
            transactions=sum(isinstance(event.event, TransactionPosted) for event in events),
            bytes_on_disk=200 * len(events),
            segments=1,
            snapshots=0,
            runs=0,
            repairs=(),
            writer="stopped" if self._closed else "running",
            error=None,
            queued=0,
            batch_size=1.0,
            sync_micros=0.0,
        )

    async def accounts(self, book: str, as_of: AsOf = None) -> list[AccountInfo]:
        return self._open().accounts(book, as_of)

    async def account(self, id: AccountId, as_of: AsOf = None) -> AccountInfo | None:
        return self._open().account(id, as_of)

    async def posting_rows(self, account: AccountId, start: int, limit: int) -> list[PostingRecord]:
        return self._open().posting_rows(account, start, limit)

    async def by_key(self, book: str, key: str) -> StoredTransaction | None:
        return self._open().by_key(book, key)

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        return self._open().events_at(book, seqs)

    async def sift(self, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        first = max(1, from_seq)
        events = self._open().read_events(book, first, max(0, to_seq - first + 1))
        return [Sifted(event.seq, event.at, False, partial(_same, event)) for event in events]

    async def frame_of(self, book: str, seq: int) -> StoredFrame | None:
        self._open().book(book)
        return None

    async def reopen(self, book: str, progress: Progress | None = None) -> None:
        if not self._open().book(book).events and book != SYSTEM:
            raise StoreIOError(f"There is no book {book!r} to reopen.")

    async def seq_at(self, book: str, t: datetime) -> int:
        return self._open().seq_at(book, t)


def _same(event: Sequenced) -> Sequenced:
    return event
