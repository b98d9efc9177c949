"""Transactions that callers pass: their shape checked, their mutable parts encoded before anything is awaited."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

import cbor2
import msgspec

from .account import Account
from .codec import (
    EMPTY_ARRAY,
    EMPTY_MAP,
    METADATA_DEPTH_MAX,
    MICROS_END,
    MICROS_START,
    NARROW_END,
    POSTING_MIN_BYTES,
    PREFIX_BYTES,
    narrow_amount,
    postings_head,
    text_item,
    to_micros,
    transaction_body,
)
from .definitions import name_fault, text_fault
from .errors import AssetMismatch, InvalidTransaction, StoreError, Unbalanced, UnknownAccount
from .frames import PAYLOAD_MAX_BYTES
from .model import (
    AMOUNT_LIMIT,
    NAME_MAX_BYTES,
    AccountId,
    AccountOpened,
    Amount,
    AssetDef,
    Direction,
    ExternalRef,
    Json,
    Posting,
    Transaction,
)

_DEBIT, _CREDIT = Direction.DEBIT, Direction.CREDIT
_TWO = postings_head(2)
_BODY_MAX_BYTES = PAYLOAD_MAX_BYTES - PREFIX_BYTES
_TOO_LARGE = "it is larger than 16 MiB"

Resolved: TypeAlias = tuple[tuple[int, ...], tuple[bytes, ...]]
"""The legs of a transaction and the pieces of their item: `Request.legs`, and what stands first in its content."""

EncodedMetadata: TypeAlias = tuple[bytes, bytes]
"""Metadata as it is stored, and as it is compared: with object keys sorted."""


def encode_metadata(value: Json) -> EncodedMetadata:
    """Checked and encoded in one go, so that what the caller changes later has no effect.

    Raises InvalidTransaction.
    """
    if type(value) is dict and len(value) < 2:
        if not value:
            return EMPTY_MAP, EMPTY_MAP
        ((key, text),) = value.items()
        # the commonest shape by far: one short note
        if type(text) is str and text.isascii() and (head := _note_head(key)) is not None:
            item = head + text_item(text)
            return item, item
    check = _JsonCheck()
    check.walk(value, 0)
    item = cbor2.dumps(value)
    return item, cbor2.dumps(_sorted_keys(value)) if check.unsorted else item


@lru_cache(maxsize=256)
def _note_head(key: object) -> bytes | None:
    """What stands before the text of metadata with this one key."""
    return b"\xa1" + text_item(key) if type(key) is str and key.isascii() else None


class _JsonCheck:
    """Walks a JSON value; raises InvalidTransaction at what is none, and stops once it is too large."""

    def __init__(self) -> None:
        self.bytes = 0
        self.unsorted = False

    def walk(self, value: object, depth: int) -> None:
        kind = type(value)
        if kind is str:
            assert isinstance(value, str)
            fault = text_fault(value)
            if fault is not None:
                raise InvalidTransaction(f"a text in its metadata {fault}")
            self._count(len(value))
        elif kind is int:
            assert isinstance(value, int)
            self._count(value.bit_length() // 8 + 1)
        elif kind is float:
            assert isinstance(value, float)
            if not math.isfinite(value):
                raise InvalidTransaction("its metadata holds a number that is not finite")
            self._count(9)
        elif value is None or kind is bool:
            self._count(1)
        elif kind is list or kind is dict:
            self._container(value, depth)
        else:
            raise InvalidTransaction(f"its metadata holds a {kind.__name__}, which JSON does not have")

    def _container(self, value: Any, depth: int) -> None:
        if depth >= METADATA_DEPTH_MAX:
            raise InvalidTransaction(f"its metadata is nested deeper than {METADATA_DEPTH_MAX}")
        self._count(1)
        if type(value) is list:
            for item in value:
                self.walk(item, depth + 1)
            return
        last = ""
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidTransaction("an object in its metadata has a key that is not text")
            self.walk(key, depth + 1)
            self.walk(item, depth + 1)
            if key < last:
                self.unsorted = True
            last = key

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > PAYLOAD_MAX_BYTES:
            raise InvalidTransaction(_TOO_LARGE)


def _sorted_keys(value: Any) -> Any:
    if type(value) is dict:
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    if type(value) is list:
        return [_sorted_keys(item) for item in value]
    return value


def encode_refs(refs: object) -> bytes:
    """Raises InvalidTransaction."""
    if type(refs) is not tuple:
        raise InvalidTransaction(f"its external refs are of type {type(refs).__name__}, not a tuple")
    flat: list[str] = []
    for ref in refs:
        if not isinstance(ref, ExternalRef):
            raise InvalidTransaction(f"an external ref is of type {type(ref).__name__}")
        for text in (ref.kind, ref.value):
            fault = text_fault(text)
            if fault is not None:
                raise InvalidTransaction(f"an external ref {fault}")
            flat.append(text)
    return cbor2.dumps(flat)


class Request(msgspec.Struct, gc=False, eq=False):
    """A transaction whose shape has been checked, from its caller to the disk.

    Accounts are never closed, so most requests are resolved to accounts and bytes before they reach the writer.
    Nothing in it is of interest to the collector of cycles, which would otherwise look through all that wait.
    """

    id: UUID
    key: str
    txid: bytes
    unresolved: tuple[Transaction, EncodedMetadata] | None
    """What is still to be resolved; until then the next four are empty."""
    legs: tuple[int, ...] = ()
    """Of each posting its account's index and then its amount, positive for debit."""
    print8: bytes = b""
    body: bytes = b""
    """What follows the prefix of its payload."""
    sink: Any = None
    """Who waits for the answer: a Future, or a Batch when `place` is not negative."""
    place: int = -1
    seq: int = 0
    """Of its event, or of the earlier event that it repeats."""
    payload: bytes = b""

    def resolve(self, accounts: Mapping[str, Account]) -> StoreError | None:
        """Find the accounts, if that is still to be done; why it fails, if it does."""
        if self.unresolved is None:
            return None
        transaction, metadata = self.unresolved
        resolved = check_transaction(transaction, accounts, metadata)
        if resolved.unresolved is not None:
            return next(filter(None, (_account_fault(p, accounts) for p in transaction.postings)))
        self.unresolved = None
        self.legs = resolved.legs
        self.print8, self.body = resolved.print8, resolved.body
        return None


class Definition(msgspec.Struct, gc=False, eq=False):
    """An asset to register, or an account to open with its resolved configuration; `sink` and the like as above."""

    wanted: AssetDef | AccountOpened
    event: Any = None
    """What is applied: the asset, or the account's (index, definition, configuration)."""
    sink: Any = None
    place: int = -1
    seq: int = 0
    payload: bytes = b""

    key: ClassVar[str] = ""
    txid: ClassVar[bytes] = bytes(16)
    legs: ClassVar[tuple[int, ...]] = ()
    print8: ClassVar[bytes] = bytes(8)


Job: TypeAlias = Request | Definition


def _account_fault(posting: Posting, accounts: Mapping[str, Account]) -> StoreError | None:
    id, asset = posting.account, posting.amount.asset
    account = accounts.get(id.path)
    if account is None or account.id != id:
        return UnknownAccount(id)
    return AssetMismatch(id, account.asset, asset) if account.asset != asset else None


def check_transaction(
    t: Transaction,
    accounts: Mapping[str, Account],
    metadata: EncodedMetadata | InvalidTransaction | None = None,
) -> Request:
    """Check the shape of `t`, and resolve it if all its `accounts` (of its book) are there already.

    `metadata` is what became of its metadata when that was encoded before.

    Raises InvalidTransaction, Unbalanced.
    """
    id = t.id
    if type(id) is not UUID:
        kind = type(id)
        raise InvalidTransaction(f"its id is of type {kind.__module__}.{kind.__name__}, not uuid.UUID")
    postings = t.postings
    if type(postings) is not tuple:
        raise InvalidTransaction(f"its postings are of type {type(postings).__name__}, not a tuple")
    resolved = _transfer(postings, accounts) if len(postings) == 2 else None
    balances = resolved is not None
    if resolved is None:
        resolved = _resolve(postings, accounts)
    key = t.idempotency_key
    if not (type(key) is str and key.isascii() and key.isprintable() and 0 < len(key) <= NAME_MAX_BYTES):
        fault = name_fault(key)
        if fault is not None:
            raise InvalidTransaction(f"its idempotency key {fault}")
    if not balances:
        _check_balance(postings)
    if metadata is None:
        metadata = encode_metadata(t.metadata)
    elif isinstance(metadata, InvalidTransaction):
        raise metadata
    details, canonical = metadata
    refs = t.external_refs
    refs_item = EMPTY_ARRAY if type(refs) is tuple and not refs else encode_refs(refs)
    at = t.occurred_at
    occurred = to_micros(at) if type(at) is datetime and at.tzinfo is UTC else _occurred_micros(at)
    txid = id.int.to_bytes(16, "big")  # its `bytes`, without a call
    if resolved is None:
        if len(refs_item) + len(details) + len(postings) * POSTING_MIN_BYTES > PAYLOAD_MAX_BYTES:
            raise InvalidTransaction(_TOO_LARGE)
        return Request(id, key, txid, (t, metadata))
    legs, items = resolved
    content = b"".join((*items, refs_item, details))
    compared = content if canonical is details else b"".join((*items, refs_item, canonical))
    print8, body = transaction_body(txid, occurred, key, content, compared)
    if len(body) > _BODY_MAX_BYTES:
        raise InvalidTransaction(_TOO_LARGE)
    return Request(id, key, txid, None, legs, print8, body)


def _transfer(postings: tuple[Posting, ...], accounts: Mapping[str, Account]) -> Resolved | None:
    """As `_resolve`, in half the time, for what most transactions are: one amount from one account to another.

    None for all else, be it sound or not.
    """
    one, other = postings
    if type(one) is not Posting or type(other) is not Posting:
        return None
    amount, same = one.amount, other.amount
    if type(amount) is not Amount or type(same) is not Amount:
        return None
    minor, asset = amount.minor, amount.asset
    if type(minor) is not int or type(same.minor) is not int or same.minor != minor:
        return None
    if type(asset) is not str or (
        same.asset is not asset and (type(same.asset) is not str or same.asset != asset)
    ):
        return None
    try:
        first, second = accounts[one.account.path], accounts[other.account.path]
        if first.id != one.account or second.id != other.account:
            return None
    except (KeyError, TypeError, AttributeError):  # unknown, or no account id at all
        return None
    if first.asset != asset or second.asset != asset or not 0 < minor < NARROW_END:
        return None
    if one.direction is _DEBIT and other.direction is _CREDIT:
        debit, credit, legs = first.debit_head, second.credit_head, (first.index, minor, second.index, -minor)
        return legs, (_TWO, debit, narrow_amount(minor), credit, narrow_amount(minor - 1))
    if one.direction is _CREDIT and other.direction is _DEBIT:
        credit, debit, legs = first.credit_head, second.debit_head, (first.index, -minor, second.index, minor)
        return legs, (_TWO, credit, narrow_amount(minor - 1), debit, narrow_amount(minor))
    return None


def _resolve(postings: Sequence[Posting], accounts: Mapping[str, Account]) -> Resolved | None:
    """Check the shape of postings, and resolve them: None when not all their accounts are there.

    Raises InvalidTransaction.
    """
    if not postings:
        raise InvalidTransaction("it has no postings")
    legs: list[int] = []
    items = [postings_head(len(postings))]
    for posting in postings:
        if type(posting) is not Posting or type(amount := posting.amount) is not Amount:
            raise InvalidTransaction(_posting_fault(posting))
        signed, asset, account_id = amount.minor, amount.asset, posting.account
        if type(signed) is not int or not 0 < signed < AMOUNT_LIMIT:
            raise InvalidTransaction(_minor_fault(signed))
        if posting.direction is _CREDIT:
            signed = -signed
        elif posting.direction is not _DEBIT:
            raise InvalidTransaction("a posting's direction is neither debit nor credit")
        try:
            account = accounts[account_id.path]
            known = account.id == account_id and account.asset == asset and isinstance(asset, str)
        except (KeyError, TypeError, AttributeError):  # unknown, or no account id at all
            known = False
        if known:
            legs += account.index, signed
            items.append(account.posting_item(signed))
        else:
            _refuse_bad_names(account_id, asset)
    return (tuple(legs), tuple(items)) if len(legs) == 2 * len(postings) else None


def _posting_fault(posting: object) -> str:
    if type(posting) is not Posting:
        return f"a posting is of type {type(posting).__name__}"
    return f"a posting's amount is of type {type(posting.amount).__name__}"


def _minor_fault(minor: object) -> str:
    if type(minor) is not int:
        return f"an amount is of type {type(minor).__name__}, not an integer of minor units"
    return (
        "an amount reaches 2**127 minor units"
        if minor > 0
        else "an amount is not positive; the direction says the side"
    )


def _refuse_bad_names(id: object, asset: object) -> None:
    if type(id) is not AccountId:
        raise InvalidTransaction(f"a posting's account is of type {type(id).__name__}, not an AccountId")
    for what, fault in (
        ("an account's path", name_fault(id.path)),
        ("an account's book", text_fault(id.book)),
        ("an asset's id", name_fault(asset)),
    ):
        if fault is not None:
            raise InvalidTransaction(f"{what} {fault}")


def _check_balance(postings: Sequence[Posting]) -> None:
    sums: dict[str, list[int]] = {}
    for posting in postings:
        sides = sums.setdefault(posting.amount.asset, [0, 0])
        sides[posting.direction is Direction.CREDIT] += posting.amount.minor
    for asset, (debits, credits) in sums.items():
        if debits != credits:
            raise Unbalanced(asset, debits, credits)


def _occurred_micros(t: object) -> int:
    if not isinstance(t, datetime):
        raise InvalidTransaction(f"occurred_at is of type {type(t).__name__}, not a datetime")
    try:
        if t.tzinfo is not UTC and t.utcoffset() is None:
            raise InvalidTransaction("occurred_at has no time zone")
        micros = to_micros(t)
    except InvalidTransaction:
        raise
    except Exception as e:
        # its time zone, and so what it raises, is the caller's
        raise InvalidTransaction(f"the time zone of occurred_at fails ({type(e).__name__})") from e
    if not MICROS_START <= micros < MICROS_END:
        raise InvalidTransaction("occurred_at lies outside the calendar")
    return micros
