"""The ledger's nouns: immutable values, compared by value, made with keywords.

Amounts are integers of an asset's minor units, times are timezone-aware UTC datetimes of whole microseconds, and
balances are *effective*: negated for credit-normal accounts. The collector of cycles need not look at them
(`gc=False`): JSON has none, and what goes through a ledger by the thousand should not cost its pauses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import TypeAlias
from uuid import UUID

import msgspec

from .clock import new_txid, utc_now

AMOUNT_LIMIT = 2**127
"""Magnitudes of amounts and balances stay below this."""

NAME_MAX_BYTES = 500
"""Longest asset id, account path or idempotency key, in UTF-8 bytes."""

PRECISION_MAX = 30
"""Most decimal places an asset can have."""

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"


class Direction(Enum):
    DEBIT = "debit"
    CREDIT = "credit"


class AccountKind(Enum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    EQUITY = "equity"
    CLEARING = "clearing"

    @property
    def normal_side(self) -> Direction | None:
        """The side that increases such an account; None for clearing, which reads debit-positive."""
        return _NORMAL_SIDES[self]


_NORMAL_SIDES = {
    AccountKind.ASSET: Direction.DEBIT,
    AccountKind.EXPENSE: Direction.DEBIT,
    AccountKind.LIABILITY: Direction.CREDIT,
    AccountKind.INCOME: Direction.CREDIT,
    AccountKind.EQUITY: Direction.CREDIT,
    AccountKind.CLEARING: None,
}


class AccountId(msgspec.Struct, frozen=True, order=True, gc=False):
    """An account of a book. `path` is free text, by custom `:` between its segments."""

    book: str
    path: str

    @property
    def key(self) -> str:
        """`book:path`, with `:` and `\\` inside the book escaped, so that distinct ids have distinct keys."""
        return self.book.replace("\\", "\\\\").replace(":", "\\:") + ":" + self.path

    @classmethod
    def parse(cls, key: str) -> AccountId:
        """The inverse of `key`; ValueError for text that is no key."""
        book: list[str] = []
        characters = iter(enumerate(key))
        for at, character in characters:
            if character == ":":
                return cls(book="".join(book), path=key[at + 1 :])
            if character == "\\":
                _, character = next(characters, (at, ""))
                if character not in (":", "\\"):
                    raise ValueError(f"{key!r} is not an account key: bad escape at {at}")
            book.append(character)
        raise ValueError(f"{key!r} is not an account key: no ':' after the book")


class Fiat(msgspec.Struct, frozen=True, gc=False):
    """Money issued by a state."""


class Crypto(msgspec.Struct, frozen=True, gc=False):
    """A token of `network`; `native_id` names it there, None for the network's own coin."""

    network: str
    native_id: str | None = None


class Commodity(msgspec.Struct, frozen=True, gc=False):
    """Anything else that is counted: shares, hours, litres."""


AssetClass: TypeAlias = Fiat | Crypto | Commodity


class AssetDef(msgspec.Struct, frozen=True, gc=False):
    """`precision` is the number of decimal places, 0 to 30, fixed for ever."""

    id: str
    asset_class: AssetClass
    precision: int
    name: str


class AccountDef(msgspec.Struct, frozen=True, gc=False):
    """An account holds one asset."""

    id: AccountId
    asset: str
    kind: AccountKind


class AccountCfg(msgspec.Struct, frozen=True, gc=False):
    """`normal_side` None is the kind's own side; `min_balance`, in minor units, bounds the effective balance."""

    normal_side: Direction | None = None
    min_balance: int | None = None


class Amount(msgspec.Struct, frozen=True, gc=False):
    """`minor` units of `asset`."""

    minor: int
    asset: str


class Posting(msgspec.Struct, frozen=True, gc=False):
    """`amount` is positive; `direction` says on which side it stands."""

    account: AccountId
    amount: Amount
    direction: Direction


class ExternalRef(msgspec.Struct, frozen=True, gc=False):
    """Where the outside world knows a transaction: `invoice`, `btc_txid`, …"""

    kind: str
    value: str


class Transaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `commit` posts. `metadata` is any JSON value and comes back equal, types and all."""

    id: UUID = msgspec.field(default_factory=new_txid)
    book: str
    postings: tuple[Posting, ...]
    idempotency_key: str
    external_refs: tuple[ExternalRef, ...] = ()
    metadata: Json = msgspec.field(default_factory=dict)
    occurred_at: datetime = msgspec.field(default_factory=utc_now)


class Committed(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The store's receipt. `deduplicated`: the key had been committed before; takes no part in comparison."""

    txid: UUID
    seq: int
    at: datetime
    deduplicated: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Committed):
            return NotImplemented
        return (self.seq, self.txid, self.at) == (other.seq, other.txid, other.at)

    def __ne__(self, other: object) -> bool:
        return not self == other  # msgspec's own would compare identities

    def __hash__(self) -> int:
        return hash((self.seq, self.txid, self.at))


class BalanceSnapshot(msgspec.Struct, frozen=True, gc=False):
    """An effective balance; `updated_seq` is the seq of the last posting, 0 for none."""

    amount: Amount
    updated_seq: int


class PostingRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of an account's register; `balance_after` is its effective balance right after this posting."""

    seq: int
    txid: UUID
    account: AccountId
    amount: Amount
    direction: Direction
    at: datetime
    balance_after: Amount


class StoredTransaction(msgspec.Struct, frozen=True, gc=False):
    transaction: Transaction
    seq: int
    at: datetime


class TrialBalanceRow(msgspec.Struct, frozen=True, gc=False):
    """Turnover of an asset: the sums of all debit and of all credit postings, in minor units."""

    asset: str
    debits: int
    credits: int


class AssetRegistered(msgspec.Struct, frozen=True, gc=False):
    asset: AssetDef


class AccountOpened(msgspec.Struct, frozen=True, gc=False):
    definition: AccountDef
    config: AccountCfg


class TransactionPosted(msgspec.Struct, frozen=True, gc=False):
    transaction: Transaction


Event: TypeAlias = AssetRegistered | AccountOpened | TransactionPosted


class Sequenced(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the book and its commit time."""

    seq: int
    at: datetime
    event: Event


class StoredFrame(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands on disk: `offset` is the byte in `segment`, a file's name, where its frame begins.

    The frame is 8 bytes and then `payload_bytes`, whose checksum is `crc32`.
    """

    segment: str
    offset: int
    payload_bytes: int
    crc32: int


class SnapshotFile(msgspec.Struct, frozen=True, gc=False):
    """An image of a book's state up to `last_seq`, without the index files that it shares with others."""

    last_seq: int
    written_at: datetime
    bytes: int


class BookInfo(msgspec.Struct, frozen=True):
    """What an operator wants to know of a book.

    `head` is (seq, hex digest); `accounts`, `transactions`, `segments`, `snapshots` and `runs` are counts;
    `repairs` are sentences about what opening mended; `writer` is "running", "stopped" or "damaged" and
    `error` says why; `batch_size` (events) and `sync_micros` are means over recent batches; `snapshot_files` are
    the snapshots, oldest first. What only a writer knows of itself (`repairs`, `queued`, `batch_size`,
    `sync_micros`) is empty or 0 where a book is followed.
    """

    name: str
    last_seq: int
    head: tuple[int, str]
    last_at: datetime | None
    accounts: int
    transactions: int
    bytes_on_disk: int
    segments: int
    snapshots: int
    runs: int
    repairs: tuple[str, ...]
    writer: str
    error: str | None
    queued: int
    batch_size: float
    sync_micros: float
    snapshot_files: tuple[SnapshotFile, ...] = ()

    @property
    def is_unread(self) -> bool:
        """Whether it is damaged and nothing of it is known; one that was found damaged later can still be read."""
        return self.writer == "damaged" and not self.last_seq


class AccountInfo(msgspec.Struct, frozen=True, eq=False, gc=False):
    """`postings` counts rows; `debits` and `credits` are turnover in minor units. `opened_seq`, where it was opened,
    takes no part in comparison.
    """

    definition: AccountDef
    config: AccountCfg
    balance: BalanceSnapshot
    postings: int
    debits: int
    credits: int
    opened_seq: int = 0

    def _compared(self) -> tuple[object, ...]:
        return self.definition, self.config, self.balance, self.postings, self.debits, self.credits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AccountInfo):
            return NotImplemented
        return self._compared() == other._compared()

    def __ne__(self, other: object) -> bool:
        return not self == other  # as above

    def __hash__(self) -> int:
        return hash(self._compared())
