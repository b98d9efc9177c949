"""`Store`: what any backend of the ledger offers, and what the screens are written against."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from .errors import StoreError
from .model import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AssetDef,
    BalanceSnapshot,
    BookInfo,
    Committed,
    Event,
    PostingRecord,
    Sequenced,
    StoredFrame,
    StoredTransaction,
    Transaction,
    TrialBalanceRow,
)

AsOf: TypeAlias = datetime | int | None
"""An instant: a time (`at <= t`, aware), a seq (`<=`), or None for now. A naive time is ValueError."""


Progress: TypeAlias = Callable[[str, int, int], None]
"""Told (book, seq, last seq as far as it can be guessed)."""


class Sieve(NamedTuple):
    """What is looked for among events, so that a store need not decode all of them; an empty one looks for all.

    Events of `kinds` are looked for (None: of all) that have a part for which `part` holds and none for which
    `no_part` does; of the transactions among them those for which `names` holds; and of all of these those in
    which each of `texts` occurs, whatever its case, and none of `no_texts`.

    The parts of a transaction are its postings, (path, asset, minor units). An account that is opened has one,
    (path, asset, None), and an asset that is registered has one, ("", asset, None). Either test may raise
    LookupError for an asset that it does not know. `names` is given the key, (kind, value) of each ref, and the id.

    A text is casefolded and free of control characters, `"` and `\\`. It occurs in a transaction when it is part
    of an account's path or asset, of the key, of `kind:value` or `kind value` of a ref, of the id, or of the
    metadata as JSON, where there is any.
    What texts occur in other events is for the caller to tell.
    """

    kinds: frozenset[type[Event]] | None = None
    part: Callable[[str, str, int | None], bool] | None = None
    no_part: Callable[[str, str, int | None], bool] | None = None
    names: Callable[[str, Sequence[tuple[str, str]], str], bool] | None = None
    texts: tuple[str, ...] = ()
    no_texts: tuple[str, ...] = ()


class Sifted(NamedTuple):
    """An event that a sieve let pass."""

    seq: int
    at: datetime
    is_certain: bool
    """Whether it is looked for; else whoever looks is to decide."""
    read: Callable[[], Sequenced]
    """The event itself, decoded when it is asked for. Raises CorruptLog."""


class Store(Protocol):
    """An event-sourced double-entry ledger of several books.

    Reads see exactly what is durable and applied. A book that was never written has no events, accounts or
    rows; an account that is not open raises UnknownAccount. Every call raises InvalidBook for an unsafe book
    name and StoreClosed after shutdown. `limit` 0 gives an empty list, a negative one ValueError.
    """

    async def register_asset(self, asset: AssetDef) -> None:
        """Add an asset; a second time with the same definition changes nothing.

        Raises InvalidDefinition, AlreadyExists (another definition), WriterStopped, StoreIOError.
        """
        ...

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        """Open an account, and with the first one its book; a second time with the same definition changes nothing.

        Raises InvalidBook, InvalidDefinition, UnknownAsset, AlreadyExists, in this order of checks.
        """
        ...

    def commit(self, transaction: Transaction) -> Coroutine[Any, Any, Committed]:
        """Post a transaction; returns once it is durable.

        A key committed before answers with the first commit's receipt, `deduplicated`, and posts nothing.
        Raises, first check first: InvalidBook, InvalidTransaction (Unbalanced), WriterStopped,
        IdempotencyConflict, AlreadyExists (id used), UnknownAccount, AssetMismatch, AmountOverflow,
        ConstraintViolation, StoreIOError.
        """
        ...

    def commit_batch(
        self, transactions: Sequence[Transaction]
    ) -> Coroutine[Any, Any, list[Committed | StoreError]]:
        """Post many; results stand where their transactions stood. One that is refused harms no other."""
        ...

    async def balance(self, account: AccountId, as_of: AsOf = None) -> BalanceSnapshot:
        """The effective balance; amount 0 and `updated_seq` 0 before the first posting."""
        ...

    async def asset(self, id: str) -> AssetDef | None: ...

    async def account_history(
        self, account: AccountId, after_seq: int | None = None, limit: int = 100
    ) -> list[PostingRecord]:
        """Postings with seq above `after_seq`. `limit` counts distinct seqs: a transaction is never split."""
        ...

    async def transaction(self, txid: UUID, book: str | None = None) -> StoredTransaction | None:
        """By id; without a book all are searched, by name."""
        ...

    async def trial_balance(self, book: str, as_of: AsOf = None) -> list[TrialBalanceRow]:
        """Turnover of each asset that has any posting, by asset id."""
        ...

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        """Events from `from_seq`, inclusive (below 1 reads as 1)."""
        ...

    def subscribe(self, book: str, from_seq: int = 1) -> AsyncGenerator[Sequenced, None]:
        """Every event from `from_seq`, inclusive, once and in order; then live, until shutdown.

        A book that does not exist yet is waited for. Raises WriterStopped after the last durable event.
        """
        ...

    async def assets(self) -> list[AssetDef]:
        """All assets, by id."""
        ...

    async def books(self) -> list[BookInfo]:
        """Books with an event, or that stopped at their first, by name, without `_system`."""
        ...

    async def book(self, name: str) -> BookInfo | None: ...

    async def accounts(self, book: str, as_of: AsOf = None) -> list[AccountInfo]:
        """All accounts of the book, by path; `as_of` bounds balances, counts and turnover."""
        ...

    async def account(self, id: AccountId, as_of: AsOf = None) -> AccountInfo | None: ...

    async def posting_rows(self, account: AccountId, start: int, limit: int) -> list[PostingRecord]:
        """Rows of the account's register by row number from 0; `limit` counts rows."""
        ...

    async def by_key(self, book: str, key: str) -> StoredTransaction | None:
        """The transaction that was committed under an idempotency key."""
        ...

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        """The events with these seqs, in the order asked; seqs the book does not have are left out."""
        ...

    async def sift(self, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        """Events between two seqs, both inclusive, in order: all that the sieve looks for, and those that may be.

        To be used for stretches of some thousand events.
        """
        ...

    async def frame_of(self, book: str, seq: int) -> StoredFrame | None:
        """Where an event stands on disk; None for a seq the book does not have, or where nothing is kept in files."""
        ...

    async def seq_at(self, book: str, t: datetime) -> int:
        """The last seq committed at or before `t`, else 0."""
        ...

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        """Names of books that changed since the last answer, coalesced; ends at shutdown."""
        ...

    async def reopen(self, book: str, progress: Progress | None = None) -> None:
        """Bring back a book that stopped or is damaged: its files are examined and mended as by opening.

        On return it takes postings again and holds everything that was acknowledged; whoever subscribes goes on
        with the next event. A book that runs is left alone. While it is under way, and when it fails, the book
        stays as it was. `progress` is told (book, seq, last seq as far as it can be guessed). Raises CorruptLog,
        StoreIOError (a book that was never written, too).
        """
        ...

    async def shutdown(self) -> None:
        """Answer what was accepted, stop the writers, release the storage. A second call does nothing."""
        ...
