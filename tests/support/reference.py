"""The reference ledger: the contract's rules on plain lists and dicts, every answer counted afresh.

Slow on purpose. It keeps nothing but the events, so that there is no state to get wrong.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from store.errors import (
    AlreadyExists,
    AmountOverflow,
    AssetMismatch,
    ConstraintViolation,
    IdempotencyConflict,
    InvalidBook,
    InvalidDefinition,
    InvalidTransaction,
    StoreError,
    Unbalanced,
    UnknownAccount,
    UnknownAsset,
)
from store.model import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    AccountOpened,
    Amount,
    AssetDef,
    AssetRegistered,
    BalanceSnapshot,
    Committed,
    Commodity,
    Crypto,
    Direction,
    Event,
    ExternalRef,
    Fiat,
    Posting,
    PostingRecord,
    Sequenced,
    StoredTransaction,
    Transaction,
    TransactionPosted,
    TrialBalanceRow,
)

LIMIT = 2**127
EVENT_MAX_BYTES = 16 * 2**20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SYSTEM = "_system"

AsOf = datetime | int | None


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


# What text may be, and what JSON may be.


def is_text(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_name(text: object) -> bool:
    return (
        is_text(text)
        and isinstance(text, str)
        and 0 < len(text.encode()) <= 500
        and not any(unicodedata.category(character) == "Cc" for character in text)
    )


def book_name_fault(name: object) -> str | None:
    if not is_text(name) or not isinstance(name, str):
        return "it is no text"
    if not name or name == ".":
        return "it is empty"
    if "/" in name or "\\" in name or ".." in name:
        return "it would be a path"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "it holds a control character"
    if len(name.encode()) > 200:
        return "it is too long"
    return None


def folded(name: str) -> str:
    """What a careless file system may take a name for."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def json_fault(value: object, depth: int = 0) -> str | None:
    if value is None or type(value) in (bool, int):
        return None
    if type(value) is float:
        return None if math.isfinite(value) else "a number is not finite"
    if isinstance(value, str):
        return None if is_text(value) else "a text holds a lone surrogate"
    if depth >= 64:
        return "it is nested too deeply"
    if type(value) is list:
        return next(filter(None, (json_fault(item, depth + 1) for item in value)), None)
    if type(value) is dict:
        for key, item in value.items():
            if not is_text(key):
                return "a key is no text"
            if fault := json_fault(item, depth + 1):
                return fault
        return None
    return "it is no JSON"


def same_json(one: Any, other: Any) -> bool:
    """Equality of JSON values: keys unordered; 1, 1.0 and true differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def copied_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: copied_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied_json(item) for item in value]
    return value


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, int):
        return value.bit_length() // 8 + 1
    if isinstance(value, dict):
        return sum(_bytes_of(key) + _bytes_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_bytes_of, value))
    return 1


# Shapes.


def check_asset(asset: AssetDef) -> None:
    if type(asset) is not AssetDef:
        raise InvalidDefinition("it is no AssetDef, or more than one")
    if not is_name(asset.id):
        raise InvalidDefinition("its id is no name")
    if not isinstance(asset.asset_class, Fiat | Crypto | Commodity):
        raise InvalidDefinition("its class is none of Fiat, Crypto, Commodity")
    if isinstance(asset.asset_class, Crypto):
        native_id = asset.asset_class.native_id
        if not is_text(asset.asset_class.network) or not (native_id is None or is_text(native_id)):
            raise InvalidDefinition("its network is no text")
    if type(asset.precision) is not int or not 0 <= asset.precision <= 30:
        raise InvalidDefinition("its precision is not between 0 and 30")
    if not is_text(asset.name) or len(asset.name.encode()) > EVENT_MAX_BYTES:
        raise InvalidDefinition("its name is no text")


def resolved(definition: AccountDef, config: AccountCfg) -> AccountCfg:
    side = config.normal_side
    return AccountCfg(
        normal_side=definition.kind.normal_side if side is None else side, min_balance=config.min_balance
    )


def check_account(definition: AccountDef, config: AccountCfg) -> None:
    if (type(definition), type(definition.id), type(config)) != (AccountDef, AccountId, AccountCfg):
        raise InvalidDefinition("it is no AccountDef with an AccountId and an AccountCfg, or more than these")
    if not is_name(definition.id.path):
        raise InvalidDefinition("its path is no name")
    if not is_name(definition.asset):
        raise InvalidDefinition("its asset is no name")
    if not isinstance(definition.kind, AccountKind):
        raise InvalidDefinition("its kind is unknown")
    if not (config.normal_side is None or isinstance(config.normal_side, Direction)):
        raise InvalidDefinition("its normal side is neither debit nor credit")
    if not (config.min_balance is None or type(config.min_balance) is int):
        raise InvalidDefinition("its minimum is no int")
    if config.min_balance is not None and abs(config.min_balance) >= LIMIT:
        raise InvalidDefinition("its minimum is out of bounds")


def check_shape(transaction: Transaction) -> None:
    if not isinstance(transaction.id, UUID):
        raise InvalidTransaction("its id is no UUID")
    if not is_name(transaction.idempotency_key):
        raise InvalidTransaction("its idempotency key is no name")
    if not isinstance(transaction.occurred_at, datetime) or transaction.occurred_at.utcoffset() is None:
        raise InvalidTransaction("its time has no zone")
    try:
        transaction.occurred_at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidTransaction("its time is out of bounds") from error
    if not isinstance(transaction.postings, tuple | list) or not isinstance(
        transaction.external_refs, tuple | list
    ):
        raise InvalidTransaction("its postings or refs are no tuple")
    for ref in transaction.external_refs:
        if not isinstance(ref, ExternalRef) or not is_text(ref.kind) or not is_text(ref.value):
            raise InvalidTransaction("an external ref is no text")
    if fault := json_fault(transaction.metadata):
        raise InvalidTransaction(f"its metadata is not JSON: {fault}")
    if not transaction.postings:
        raise InvalidTransaction("it has no postings")
    sides: dict[str, dict[Direction, int]] = {}
    for posting in transaction.postings:
        if (
            not isinstance(posting, Posting)
            or not isinstance(posting.amount, Amount)
            or not isinstance(posting.account, AccountId)
        ):
            raise InvalidTransaction("a posting is none")
        minor = posting.amount.minor
        if type(minor) is not int or not 0 < minor < LIMIT:
            raise InvalidTransaction("an amount is not positive and below 2**127")
        if not is_name(posting.account.path) or not is_name(posting.amount.asset):
            raise InvalidTransaction("a name is not allowed")
        if not isinstance(posting.direction, Direction):
            raise InvalidTransaction("a direction is neither debit nor credit")
        side = sides.setdefault(posting.amount.asset, {Direction.DEBIT: 0, Direction.CREDIT: 0})
        side[posting.direction] += minor
    for asset, side in sides.items():
        if side[Direction.DEBIT] != side[Direction.CREDIT]:
            raise Unbalanced(asset, side[Direction.DEBIT], side[Direction.CREDIT])
    texts = sum(len(ref.kind.encode()) + len(ref.value.encode()) for ref in transaction.external_refs)
    if texts + _bytes_of(transaction.metadata) > EVENT_MAX_BYTES - 2**16:
        raise InvalidTransaction("it is larger than 16 MiB")


def as_stored(transaction: Transaction) -> Transaction:
    """The store's own copy: what the caller changes later has no effect."""
    return Transaction(
        id=transaction.id,
        book=transaction.book,
        postings=tuple(transaction.postings),
        idempotency_key=transaction.idempotency_key,
        external_refs=tuple(transaction.external_refs),
        metadata=copied_json(transaction.metadata),
        occurred_at=transaction.occurred_at.astimezone(UTC),
    )


Kept = TypeVar("Kept", StoredTransaction, Sequenced)


def handed_out(kept: Kept) -> Kept:
    """A copy for a reader, who may do with its metadata as it likes."""
    if isinstance(kept, StoredTransaction):
        return msgspec.structs.replace(kept, transaction=as_stored(kept.transaction))
    if isinstance(kept.event, TransactionPosted):
        return msgspec.structs.replace(
            kept, event=TransactionPosted(transaction=as_stored(kept.event.transaction))
        )
    return kept


def signed(posting: Posting) -> int:
    return posting.amount.minor if posting.direction is Direction.DEBIT else -posting.amount.minor


@dataclass
class ReferenceBook:
    """A book is its events."""

    name: str
    events: list[Sequenced] = field(default_factory=list)

    def append(self, event: Event, micros: int) -> Sequenced:
        at = from_micros(micros)
        if self.events:
            at = max(at, self.events[-1].at)
        self.events.append(Sequenced(seq=len(self.events) + 1, at=at, event=event))
        return self.events[-1]

    def up_to(self, as_of: AsOf) -> list[Sequenced]:
        if as_of is None:
            return list(self.events)
        if isinstance(as_of, datetime):
            if as_of.utcoffset() is None:
                raise ValueError("a time needs a zone")
            return [event for event in self.events if event.at <= as_of]
        return [event for event in self.events if event.seq <= as_of]

    def posted(self, as_of: AsOf = None) -> Iterator[StoredTransaction]:
        for event in self.up_to(as_of):
            if isinstance(event.event, TransactionPosted):
                yield StoredTransaction(transaction=event.event.transaction, seq=event.seq, at=event.at)

    def opened(self) -> dict[AccountId, AccountOpened]:
        return {
            event.event.definition.id: event.event
            for event in self.events
            if isinstance(event.event, AccountOpened)
        }

    def seq_of(self, event: Event) -> int:
        return next(stored.seq for stored in self.events if stored.event == event)

    def account(self, account: AccountId) -> AccountOpened:
        try:
            return self.opened()[account]
        except KeyError:
            raise UnknownAccount(account) from None

    def balance_of(self, account: AccountId, as_of: AsOf = None) -> int:
        """Debit-positive."""
        return sum(
            signed(posting)
            for stored in self.posted(as_of)
            for posting in stored.transaction.postings
            if posting.account == account
        )

    def sign(self, account: AccountId) -> int:
        return -1 if self.account(account).config.normal_side is Direction.CREDIT else 1

    def register(self, account: AccountId, as_of: AsOf = None) -> list[PostingRecord]:
        opened, sign, balance, rows = self.account(account), self.sign(account), 0, []
        for stored in self.posted(as_of):
            for posting in stored.transaction.postings:
                if posting.account != account:
                    continue
                balance += signed(posting)
                rows.append(
                    PostingRecord(
                        seq=stored.seq,
                        txid=stored.transaction.id,
                        account=account,
                        amount=posting.amount,
                        direction=posting.direction,
                        at=stored.at,
                        balance_after=Amount(minor=sign * balance, asset=opened.definition.asset),
                    )
                )
        return rows

    def commit(self, transaction: Transaction, micros: int) -> Committed:
        """Steps 4 to 8 of the contract's order of checks."""
        for stored in self.posted():
            first = stored.transaction
            if first.idempotency_key != transaction.idempotency_key:
                continue
            if (
                first.postings != tuple(transaction.postings)
                or first.external_refs != tuple(transaction.external_refs)
                or not same_json(first.metadata, transaction.metadata)
            ):
                raise IdempotencyConflict(transaction.idempotency_key, stored.seq)
            return Committed(txid=first.id, seq=stored.seq, at=stored.at, deduplicated=True)
        if any(stored.transaction.id == transaction.id for stored in self.posted()):
            raise AlreadyExists(f"Transaction {transaction.id}")
        opened = self.opened()
        for posting in transaction.postings:
            if posting.account not in opened:
                raise UnknownAccount(posting.account)
            asset = opened[posting.account].definition.asset
            if asset != posting.amount.asset:
                raise AssetMismatch(posting.account, asset, posting.amount.asset)
        balances: dict[AccountId, int] = {}
        for posting in transaction.postings:
            account = posting.account
            balances.setdefault(account, self.balance_of(account))
            balances[account] += signed(posting)
            if abs(balances[account]) >= LIMIT:
                raise AmountOverflow(account)
        for account, balance in balances.items():
            minimum, would_be = opened[account].config.min_balance, self.sign(account) * balance
            if minimum is not None and would_be < minimum:
                raise ConstraintViolation(account, minimum, would_be)
        event = self.append(TransactionPosted(transaction=as_stored(transaction)), micros)
        return Committed(txid=transaction.id, seq=event.seq, at=event.at)


class ReferenceLedger:
    """All books. `clock` tells microseconds since the epoch."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self._books: dict[str, ReferenceBook] = {}

    # Books.

    def names(self) -> list[str]:
        return sorted(self._books)

    def book(self, name: str) -> ReferenceBook:
        """The book, or an empty one that is not kept."""
        if fault := book_name_fault(name):
            raise InvalidBook(name, fault)
        if any(folded(other) == folded(name) and other != name for other in self._books):
            raise InvalidBook(name, "another book's name is too like it")
        return self._books.get(name) or ReferenceBook(name)

    def _writable(self, name: str) -> ReferenceBook:
        book = self.book(name)
        if name.startswith("_"):
            raise InvalidBook(name, "it is reserved")
        return book

    def _append(self, book: ReferenceBook, event: Event) -> None:
        book.append(event, self.clock())
        self._books[book.name] = book

    # Writes.

    def register_asset(self, asset: AssetDef) -> None:
        check_asset(asset)
        known = self.asset(asset.id)
        if known is None:
            self._append(self.book(SYSTEM), AssetRegistered(asset=asset))
        elif known != asset:
            raise AlreadyExists(f"Asset {asset.id!r}")

    def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        book = self._writable(definition.id.book)
        check_account(definition, config)
        if self.asset(definition.asset) is None:
            raise UnknownAsset(definition.asset)
        opened = AccountOpened(definition=definition, config=resolved(definition, config))
        known = book.opened().get(definition.id)
        if known is None:
            self._append(book, opened)
        elif known != opened:
            raise AlreadyExists(f"Account {definition.id.path!r}")

    def commit(self, transaction: Transaction) -> Committed:
        book = self._writable(transaction.book)
        check_shape(transaction)
        return book.commit(transaction, self.clock())

    def commit_batch(self, transactions: Sequence[Transaction]) -> list[Committed | StoreError]:
        results: list[Committed | StoreError] = []
        for transaction in transactions:
            try:
                results.append(self.commit(transaction))
            except StoreError as error:
                results.append(error)
        return results

    # Reads.

    def assets(self) -> list[AssetDef]:
        events = self.book(SYSTEM).events
        found = [event.event.asset for event in events if isinstance(event.event, AssetRegistered)]
        return sorted(found, key=lambda asset: asset.id)

    def asset(self, id: str) -> AssetDef | None:
        return next((asset for asset in self.assets() if asset.id == id), None)

    def balance(self, account: AccountId, as_of: AsOf = None) -> BalanceSnapshot:
        book = self.book(account.book)
        asset = book.account(account).definition.asset
        rows = book.register(account, as_of)
        if not rows:
            return BalanceSnapshot(amount=Amount(minor=0, asset=asset), updated_seq=0)
        return BalanceSnapshot(amount=rows[-1].balance_after, updated_seq=rows[-1].seq)

    def account_history(
        self, account: AccountId, after_seq: int | None = None, limit: int = 100
    ) -> list[PostingRecord]:
        rows = self.book(account.book).register(account)
        if limit < 0:
            raise ValueError("limit is negative")
        rows = [row for row in rows if after_seq is None or row.seq > after_seq]
        seqs = sorted({row.seq for row in rows})[:limit]
        return [row for row in rows if row.seq in seqs]

    def posting_rows(self, account: AccountId, start: int, limit: int) -> list[PostingRecord]:
        rows = self.book(account.book).register(account)
        if limit < 0 or start < 0:
            raise ValueError("start or limit is negative")
        return rows[start : start + limit]

    def transaction(self, txid: UUID, book: str | None = None) -> StoredTransaction | None:
        for name in self.names() if book is None else [book]:
            for stored in self.book(name).posted():
                if stored.transaction.id == txid:
                    return handed_out(stored)
        return None

    def by_key(self, book: str, key: str) -> StoredTransaction | None:
        found = (stored for stored in self.book(book).posted() if stored.transaction.idempotency_key == key)
        stored = next(found, None)
        return None if stored is None else handed_out(stored)

    def trial_balance(self, book: str, as_of: AsOf = None) -> list[TrialBalanceRow]:
        sides: dict[str, dict[Direction, int]] = {}
        for stored in self.book(book).posted(as_of):
            for posting in stored.transaction.postings:
                side = sides.setdefault(posting.amount.asset, {Direction.DEBIT: 0, Direction.CREDIT: 0})
                side[posting.direction] += posting.amount.minor
        return [
            TrialBalanceRow(asset=asset, debits=side[Direction.DEBIT], credits=side[Direction.CREDIT])
            for asset, side in sorted(sides.items())
        ]

    def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        events = self.book(book).events
        if limit < 0:
            raise ValueError("limit is negative")
        return [handed_out(event) for event in events if event.seq >= from_seq][:limit]

    def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        by_seq = {event.seq: handed_out(event) for event in self.book(book).events}
        return [by_seq[seq] for seq in seqs if seq in by_seq]

    def seq_at(self, book: str, t: datetime) -> int:
        events = self.book(book).up_to(t)
        return events[-1].seq if events else 0

    def account(self, id: AccountId, as_of: AsOf = None) -> AccountInfo | None:
        book = self.book(id.book)
        opened = book.opened().get(id)
        if opened is None:
            book.up_to(as_of)
            return None
        rows = book.register(id, as_of)
        turnover = {
            side: sum(row.amount.minor for row in rows if row.direction is side) for side in Direction
        }
        return AccountInfo(
            definition=opened.definition,
            config=opened.config,
            balance=self.balance(id, as_of),
            postings=len(rows),
            debits=turnover[Direction.DEBIT],
            credits=turnover[Direction.CREDIT],
            opened_seq=book.seq_of(opened),
        )

    def accounts(self, book: str, as_of: AsOf = None) -> list[AccountInfo]:
        found = self.book(book)
        found.up_to(as_of)
        infos = (self.account(id, as_of) for id in sorted(found.opened(), key=lambda id: id.path))
        return [info for info in infos if info is not None]
