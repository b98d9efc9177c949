"""Transactions that callers pass: their shape checked, their mutable parts encoded before anything is awaited."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import cbor2
import msgspec

from .account import Account
from .codec import (
    EMPTY_ARRAY,
    EMPTY_MAP,
    ENVELOPE_MAX_BYTES,
    MICROS_END,
    MICROS_START,
    POSTING_MAX_BYTES,
    amount_item,
    fingerprint,
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
    Amount,
    Direction,
    ExternalRef,
    Json,
    Posting,
    Transaction,
)

METADATA_DEPTH_MAX = 64

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
        if type(key) is str and type(text) is str and key.isascii() and text.isascii() and len(text) < 256:
            item = b"\xa1" + text_item(key) + text_item(text)
            return item, item
    check = _JsonCheck()
    check.walk(value, 0)
    item = cbor2.dumps(value)
    return item, cbor2.dumps(_sorted_keys(value)) if check.unsorted else item


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
            raise InvalidTransaction("it is larger than 16 MiB")


def _sorted_keys(value: Any) -> Any:
    if type(value) is dict:
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    if type(value) is list:
        return [_sorted_keys(item) for item in value]
    return value


def encode_refs(refs: object) -> bytes:
    """Raises InvalidTransaction."""
    if type(refs) is not tuple:
        raise InvalidTransaction(f"its external refs are a {type(refs).__name__}, not a tuple")
    flat: list[str] = []
    for ref in refs:
        if not isinstance(ref, ExternalRef):
            raise InvalidTransaction(f"an external ref is a {type(ref).__name__}")
        for text in (ref.kind, ref.value):
            fault = text_fault(text)
            if fault is not None:
                raise InvalidTransaction(f"an external ref {fault}")
            flat.append(text)
    return cbor2.dumps(flat)


class Request(msgspec.Struct, gc=False):
    """A transaction whose shape has been checked, with what its caller might still change already encoded.

    Accounts are never closed, so most requests are resolved to legs and bytes before they reach the writer.
    """

    transaction: Transaction
    key_item: bytes
    occurred: int
    details: bytes
    """Refs and metadata, as items."""
    canonical_details: bytes
    """The same with the keys of objects sorted."""
    legs: list[tuple[Account, int]] | None = None
    """(account, amount, positive for debit) of each posting; None until resolved."""
    body: bytes = b""
    print8: int = 0

    def resolve(self, accounts: Mapping[str, Account]) -> StoreError | None:
        """Find the accounts; why that fails, if it does."""
        t = self.transaction
        book = t.book
        legs: list[tuple[Account, int]] = []
        items = [postings_head(len(t.postings))]
        for posting in t.postings:
            id, amount = posting.account, posting.amount
            account = accounts.get(id.path)
            if account is None or id.book != book:
                return UnknownAccount(id)
            if amount.asset != account.asset:
                return AssetMismatch(id, account.asset, amount.asset)
            signed = amount.minor if posting.direction is Direction.DEBIT else -amount.minor
            legs.append((account, signed))
            items.append(account.item)
            items.append(amount_item(signed))
        self.settle(legs, b"".join(items))
        return None

    def settle(self, legs: list[tuple[Account, int]], postings_item: bytes) -> None:
        """Encode what is now known in whole."""
        content = postings_item + self.details
        same = self.canonical_details is self.details
        print8 = fingerprint(content if same else postings_item + self.canonical_details)
        self.legs, self.print8 = legs, int.from_bytes(print8, "big")
        self.body = transaction_body(self.transaction.id, self.occurred, print8, self.key_item, content)


def check_transaction(
    t: Transaction,
    accounts: Mapping[str, Account],
    metadata: EncodedMetadata | InvalidTransaction | None = None,
) -> Request:
    """Check the shape of `t`, and resolve it if all its `accounts` (of its book) are there already.

    `metadata` is what became of its metadata when that was encoded before.

    Raises InvalidTransaction, Unbalanced.
    """
    if type(t.id) is not UUID:
        raise InvalidTransaction(f"its id is a {type(t.id).__name__}, not a UUID")
    postings = t.postings
    if type(postings) is not tuple:
        raise InvalidTransaction(f"its postings are a {type(postings).__name__}, not a tuple")
    if not postings:
        raise InvalidTransaction("it has no postings")
    book = t.book
    total = 0
    first_asset: str | None = None
    mixed, resolved = False, True
    legs: list[tuple[Account, int]] = []
    items = [postings_head(len(postings))]
    for posting in postings:
        if type(posting) is not Posting:
            raise InvalidTransaction(f"a posting is a {type(posting).__name__}")
        id, amount = posting.account, posting.amount
        if type(id) is not AccountId or type(amount) is not Amount:
            raise InvalidTransaction("a posting has no account id or no amount")
        minor, asset = amount.minor, amount.asset
        if type(minor) is not int or not 0 < minor < AMOUNT_LIMIT:
            raise InvalidTransaction(_minor_fault(minor))
        if posting.direction is Direction.CREDIT:
            minor = -minor
        elif posting.direction is not Direction.DEBIT:
            raise InvalidTransaction("a posting's direction is neither debit nor credit")
        total += minor
        account = accounts.get(id.path) if type(id.path) is str else None
        if account is not None and id.book == book and asset == account.asset:
            legs.append((account, minor))
            items.append(account.item)
            items.append(amount_item(minor))
        else:
            resolved = False
            _refuse_bad_names(id, asset)
        if asset != first_asset:
            mixed = mixed or first_asset is not None
            first_asset = first_asset or asset
    key = t.idempotency_key
    if not (type(key) is str and 0 < len(key) <= NAME_MAX_BYTES and key.isascii() and key.isprintable()):
        fault = name_fault(key)
        if fault is not None:
            raise InvalidTransaction(f"its idempotency key {fault}")
    if total or mixed:
        _check_balance(postings)
    if isinstance(metadata, InvalidTransaction):
        raise metadata
    details, canonical = metadata or encode_metadata(t.metadata)
    if t.external_refs != ():
        refs_item = encode_refs(t.external_refs)
        details, canonical = refs_item + details, refs_item + canonical
    else:
        same = canonical is details
        details = EMPTY_ARRAY + details
        canonical = details if same else EMPTY_ARRAY + canonical
    if (
        len(details) + len(postings) * POSTING_MAX_BYTES + NAME_MAX_BYTES + ENVELOPE_MAX_BYTES
        > PAYLOAD_MAX_BYTES
    ):
        raise InvalidTransaction("it is larger than 16 MiB")
    request = Request(t, text_item(key), _occurred_micros(t.occurred_at), details, canonical)
    if resolved:
        request.settle(legs, b"".join(items))
    return request


def _minor_fault(minor: object) -> str:
    if type(minor) is not int:
        return f"an amount is a {type(minor).__name__}, not an integer of minor units"
    return (
        "an amount reaches 2**127 minor units"
        if minor > 0
        else "an amount is not positive; the direction says the side"
    )


def _refuse_bad_names(id: AccountId, asset: object) -> None:
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
        raise InvalidTransaction(f"occurred_at is a {type(t).__name__}, not a datetime")
    if t.tzinfo is not UTC and t.utcoffset() is None:
        raise InvalidTransaction("occurred_at has no time zone")
    micros = to_micros(t)
    if not MICROS_START <= micros < MICROS_END:
        raise InvalidTransaction("occurred_at lies outside the calendar")
    return micros
