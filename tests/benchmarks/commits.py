"""The store under clients that post flat out, on the loop they share with it."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Sequence
from pathlib import Path

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    AssetDef,
    Committed,
    Direction,
    Fiat,
    LogStoreOptions,
    LogTaleaStore,
    Posting,
    StoreError,
    Transaction,
)

from .workload import OPENING_MINOR, Figures, Transfer, Transfers, drive

BOOK = "bench"
EQUITY = "equity:opening"
_USD = AssetDef(id="USD", asset_class=Fiat(), precision=2, name="US dollar")
_AT_ONCE = 500
_DERIVED = ("snapshot-*.snap", "index-*", "idem-*.run")
"""Files beside the log that may be deleted."""


class Bookkeeper:
    """Makes the transactions of one book as a user of the store would."""

    def __init__(self, transfers: Transfers, book: str = BOOK) -> None:
        self.transfers, self.book = transfers, book
        self.accounts = [AccountId(book=book, path=path) for path in transfers.paths]
        self.equity = AccountId(book=book, path=EQUITY)

    def posted(self, source: AccountId, target: AccountId, transfer: Transfer) -> Transaction:
        amount = Amount(minor=transfer.minor, asset=_USD.id)
        return Transaction(
            book=self.book,
            postings=(
                Posting(account=source, amount=amount, direction=Direction.CREDIT),
                Posting(account=target, amount=amount, direction=Direction.DEBIT),
            ),
            idempotency_key=transfer.key,
            metadata={"memo": transfer.memo},
        )

    def next(self) -> Transaction:
        transfer = self.transfers.next()
        return self.posted(self.accounts[transfer.source], self.accounts[transfer.target], transfer)

    async def open_book(self, store: LogTaleaStore) -> None:
        """Open the accounts, none of which may be overdrawn, and put something into each."""
        await store.register_asset(_USD)
        equity = AccountDef(id=self.equity, asset=_USD.id, kind=AccountKind.EQUITY)
        await store.open_account(equity, AccountCfg())
        for start in range(0, len(self.accounts), _AT_ONCE):
            some = self.accounts[start : start + _AT_ONCE]
            definitions = [AccountDef(id=id, asset=_USD.id, kind=AccountKind.ASSET) for id in some]
            await asyncio.gather(*[store.open_account(d, AccountCfg(min_balance=0)) for d in definitions])
            grants = [
                self.posted(self.equity, id, Transfer(f"opening:{id.path}", 0, 0, OPENING_MINOR, "opening"))
                for id in some
            ]
            all_committed(await store.commit_batch(grants))


def all_committed(answers: Sequence[Committed | StoreError]) -> None:
    for answer in answers:
        if isinstance(answer, StoreError):
            raise answer


async def transactions_in(store: LogTaleaStore, book: str) -> int:
    info = await store.book(book)
    return info.transactions if info is not None else 0


def log_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob(f"books/{BOOK}*/segment-*.log"))


def copied(ledger: Path, place: Path, derived: bool = True) -> Path:
    """A copy to change; with `derived` False only its log."""
    directory = place / "copy"
    shutil.copytree(ledger, directory, ignore=None if derived else shutil.ignore_patterns(*_DERIVED))
    return directory


async def commit(
    place: Path,
    seconds: float,
    clients: int,
    books: int = 1,
    per_call: int = 1,
    accounts: int = 1000,
    snapshots: bool = True,
    idem_hot_cap: int = LogStoreOptions().idem_hot_cap,
    ledger: Path | None = None,
) -> Figures:
    """Clients that call `commit`, or `commit_batch` with `per_call`, spread over `books`.

    With a `ledger` they continue a copy of it, else in new books.
    """
    directory = place / "new" if ledger is None else copied(ledger, place)
    every = LogStoreOptions().snapshot_every if snapshots else 0
    options = LogStoreOptions(snapshot_every=every, idem_hot_cap=idem_hot_cap)
    store = await LogTaleaStore.open_with(directory, options)
    keepers = [
        Bookkeeper(Transfers(accounts, f"run-{n}"), BOOK if books == 1 else f"{BOOK}-{n}")
        for n in range(books)
    ]
    if ledger is None:
        for keeper in keepers:
            await keeper.open_book(store)
    before = [await transactions_in(store, keeper.book) for keeper in keepers]
    bytes_before = log_bytes(directory)
    gc.collect()
    gc.freeze()  # as the application does: what was there before need not be looked through again

    async def call(client: int) -> None:
        await store.commit(keepers[client % books].next())

    async def call_batch(client: int) -> None:
        keeper = keepers[client % books]
        all_committed(await store.commit_batch([keeper.next() for _ in range(per_call)]))

    figures = await drive(call if per_call == 1 else call_batch, clients, seconds, per_call)
    for keeper, earlier in zip(keepers, before, strict=True):
        (row,) = await store.trial_balance(keeper.book)
        posted = await transactions_in(store, keeper.book) - earlier
        if row.debits != row.credits or posted != keeper.transfers.count:
            raise AssertionError(f"{keeper.book} holds something else than what was posted")
    infos = await store.books()
    await store.shutdown()
    count = sum(keeper.transfers.count for keeper in keepers)
    return figures | {
        "posted": count,
        "bytes_per_commit": (log_bytes(directory) - bytes_before) / count,
        "runs": sum(info.runs for info in infos),
        "micros_per_commit": 1e6 / figures["rate"],
    }


async def frame_bytes(directory: Path) -> int:
    """How many bytes the store writes for a commit of one client."""
    keeper = Bookkeeper(Transfers(10))
    async with await LogTaleaStore.open(directory) as store:
        await keeper.open_book(store)
        before = log_bytes(directory)
        for _ in range(100):
            await store.commit(keeper.next())
    return round((log_bytes(directory) - before) / 100)
