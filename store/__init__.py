"""An embedded, event-sourced, double-entry ledger: one directory, one log per book.

    async with await LogTaleaStore.open("ledger") as store:
        await store.register_asset(AssetDef(id="USD", asset_class=Fiat(), precision=2, name="US dollar"))
        ...

Nothing is acknowledged before its bytes are synced; idempotency keys never forget; every balance can be asked
for at any past instant. README.md beside this file tells the guarantees and the bytes on disk.

Reading order: `model` (the nouns), `errors`, `protocol` (the operations); `codec` and `frames` (bytes), `requests`
(what callers pass), `columns`, `account` and `state` (one book in memory); `segments`, `recovery`, `snapshots`, `runs`
and `idempotency` (its files); `writer`, `subscriptions`, `reading`, `log_store`; `verification`, `backup` and
`follower` (a ledger that another process writes).
"""

from .errors import (
    AlreadyExists,
    AmountOverflow,
    AssetMismatch,
    ConstraintViolation,
    CorruptLog,
    HeadMismatch,
    IdempotencyConflict,
    InvalidBook,
    InvalidDefinition,
    InvalidTransaction,
    StoreClosed,
    StoreError,
    StoreIOError,
    StoreLocked,
    StoreReadOnly,
    Unbalanced,
    UnknownAccount,
    UnknownAsset,
    UnsupportedFormat,
    WriterStopped,
)
from .follower import FollowedLedger
from .log_store import LogTaleaStore
from .model import (
    AMOUNT_LIMIT,
    NAME_MAX_BYTES,
    PRECISION_MAX,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    AccountOpened,
    Amount,
    AssetClass,
    AssetDef,
    AssetRegistered,
    BalanceSnapshot,
    BookInfo,
    Committed,
    Commodity,
    Crypto,
    Direction,
    Event,
    ExternalRef,
    Fiat,
    Json,
    Posting,
    PostingRecord,
    Sequenced,
    StoredTransaction,
    Transaction,
    TransactionPosted,
    TrialBalanceRow,
)
from .options import LogStoreOptions
from .protocol import AsOf, Store

__all__ = [
    "AMOUNT_LIMIT",
    "NAME_MAX_BYTES",
    "PRECISION_MAX",
    "AccountCfg",
    "AccountDef",
    "AccountId",
    "AccountInfo",
    "AccountKind",
    "AccountOpened",
    "AlreadyExists",
    "Amount",
    "AmountOverflow",
    "AsOf",
    "AssetClass",
    "AssetDef",
    "AssetMismatch",
    "AssetRegistered",
    "BalanceSnapshot",
    "BookInfo",
    "Committed",
    "Commodity",
    "ConstraintViolation",
    "CorruptLog",
    "Crypto",
    "Direction",
    "Event",
    "ExternalRef",
    "Fiat",
    "FollowedLedger",
    "HeadMismatch",
    "IdempotencyConflict",
    "InvalidBook",
    "InvalidDefinition",
    "InvalidTransaction",
    "Json",
    "LogStoreOptions",
    "LogTaleaStore",
    "Posting",
    "PostingRecord",
    "Sequenced",
    "Store",
    "StoreClosed",
    "StoreError",
    "StoreIOError",
    "StoreLocked",
    "StoreReadOnly",
    "StoredTransaction",
    "Transaction",
    "TransactionPosted",
    "TrialBalanceRow",
    "Unbalanced",
    "UnknownAccount",
    "UnknownAsset",
    "UnsupportedFormat",
    "WriterStopped",
]
