"""Everything the store raises.

StoreError
├── InvalidBook                 reserved or unsafe name
├── InvalidDefinition           malformed asset or account definition
├── InvalidTransaction          malformed transaction
│   ├── Unbalanced              debits and credits of an asset differ
│   └── AmountOverflow          a balance would reach 2**127
├── UnknownAsset
├── UnknownAccount
├── AssetMismatch               the account holds another asset
├── AlreadyExists               same id, different definition; or a transaction id used twice
├── ConstraintViolation         a balance would fall below its account's minimum
├── IdempotencyConflict         the key was committed before, for something else
├── HeadMismatch                history is not what an earlier head digest says
└── StoreIOError                the storage failed
    ├── StoreLocked             another store has the directory
    ├── StoreClosed             used after shutdown
    ├── StoreReadOnly           the ledger is only followed
    ├── WriterStopped           a book's writer met a fatal disk error
    ├── UnsupportedFormat       written by a newer version
    └── CorruptLog              bytes on disk are not what was written

Each class builds its sentence from its facts, which stay readable as attributes.
"""

from __future__ import annotations

from copyreg import __newobj__  # type: ignore[attr-defined]
from os import PathLike
from typing import Any

from .model import AccountId

_QUOTED_MAX = 80


def _quoted(text: str) -> str:
    """`text` fit for a message: quoted, clipped, control characters and surrogates escaped."""
    if not isinstance(text, str):
        return repr(text)[:_QUOTED_MAX]
    if len(text) > _QUOTED_MAX:
        text = text[: _QUOTED_MAX - 1] + "…"
    return repr(text)


class StoreError(Exception):
    """Base of every error the store raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # `args` is the sentence, not the facts that `__init__` takes
        return __newobj__, (type(self), *self.args), self.__dict__


class InvalidBook(StoreError):
    def __init__(self, book: str, reason: str) -> None:
        self.book, self.reason = book, reason
        super().__init__(f"{_quoted(book)} cannot be a book's name: {reason}.")


class InvalidDefinition(StoreError):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The definition is refused: {reason}.")


class InvalidTransaction(StoreError):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The transaction is refused: {reason}.")


class Unbalanced(InvalidTransaction):
    """`debits` and `credits` are in minor units of `asset`."""

    def __init__(self, asset: str, debits: int, credits: int) -> None:
        self.asset, self.debits, self.credits = asset, debits, credits
        super().__init__(
            f"{_quoted(asset)} does not balance, debits are {debits} and credits {credits} minor units"
        )


class AmountOverflow(InvalidTransaction):
    def __init__(self, account: AccountId) -> None:
        self.account = account
        super().__init__(f"the balance of {_quoted(account.path)} would reach 2**127 minor units")


class UnknownAsset(StoreError):
    def __init__(self, asset: str) -> None:
        self.asset = asset
        super().__init__(f"Asset {_quoted(asset)} is not registered; register it first.")


class UnknownAccount(StoreError):
    def __init__(self, account: AccountId) -> None:
        self.account = account
        super().__init__(
            f"Account {_quoted(account.path)} is not open in book {_quoted(account.book)}; open it first."
        )


class AssetMismatch(StoreError):
    def __init__(self, account: AccountId, account_asset: str, asset: str) -> None:
        self.account, self.account_asset, self.asset = account, account_asset, asset
        super().__init__(
            f"Account {_quoted(account.path)} holds {_quoted(account_asset)}, not {_quoted(asset)}; "
            "post to an account of that asset."
        )


class AlreadyExists(StoreError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} exists already, with other content.")


class ConstraintViolation(StoreError):
    """`min_balance` and `would_be` are effective balances in minor units."""

    def __init__(self, account: AccountId, min_balance: int, would_be: int) -> None:
        self.account, self.min_balance, self.would_be = account, min_balance, would_be
        super().__init__(
            f"Account {_quoted(account.path)} would stand at {would_be} minor units, "
            f"below its minimum of {min_balance}."
        )


class IdempotencyConflict(StoreError):
    """`seq` is where the key was first committed."""

    def __init__(self, key: str, seq: int) -> None:
        self.key, self.seq = key, seq
        super().__init__(
            f"Idempotency key {_quoted(key)} was committed at seq {seq} for something else; "
            "use a new key for a new transaction."
        )


class HeadMismatch(StoreError):
    """`expected` and `found` are hex digests; `found` is empty when the log does not reach `seq`."""

    def __init__(self, book: str, seq: int, expected: str, found: str) -> None:
        self.book, self.seq, self.expected, self.found = book, seq, expected, found
        what = f"is {found}" if found else "does not exist"
        super().__init__(
            f"The history of book {_quoted(book)} has changed: its head at seq {seq} {what}, noted was {expected}."
        )


class StoreIOError(StoreError):
    """The storage failed: every OSError of opening or writing becomes one of these."""


class StoreLocked(StoreIOError):
    """`holder` is the process id that has the directory, or None when unknown."""

    def __init__(self, directory: str | PathLike[str], holder: int | None) -> None:
        self.directory, self.holder = directory, holder
        who = f"process {holder}" if holder is not None else "another process"
        super().__init__(f"The ledger at {directory} is open in {who}; close it there first.")


class StoreClosed(StoreIOError):
    def __init__(self) -> None:
        super().__init__("The ledger has been closed; open it again.")


class StoreReadOnly(StoreIOError):
    def __init__(self, directory: str | PathLike[str]) -> None:
        self.directory = directory
        super().__init__(f"The ledger at {directory} is only followed here; post where it is open.")


class WriterStopped(StoreIOError):
    def __init__(self, book: str, cause: BaseException | str) -> None:
        self.book, self.cause = book, cause
        reason = str(cause).removeprefix(f"Book {_quoted(book)}: ").removesuffix(".")
        super().__init__(
            f"Book {_quoted(book)} takes no more postings ({reason}); reopen the book to see what was kept."
        )


class UnsupportedFormat(StoreIOError):
    def __init__(self, directory: str | PathLike[str], version: int) -> None:
        self.directory, self.version = directory, version
        super().__init__(
            f"The ledger at {directory} has format {version}, which this version cannot read; use a newer one."
        )


class CorruptLog(StoreIOError):
    """`segment` is a file's name and `offset` a byte offset in it; both None where they make no sense."""

    def __init__(self, book: str, segment: str | None, offset: int | None, reason: str) -> None:
        self.book, self.segment, self.offset, self.reason = book, segment, offset, reason
        where = f", {segment}" if segment is not None else ""
        if offset is not None:
            where += f" at byte {offset}"
        super().__init__(f"Book {_quoted(book)} is damaged{where}: {reason}; restore it from a backup.")
