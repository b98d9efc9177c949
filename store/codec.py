"""Events to CBOR payloads and back; the only file that knows the payload's layout.

Every event is one flat array whose first items have a fixed width, so that salt, seq and the like stand at
fixed offsets (widths are those of 64-bit integers, which CBOR allows for small values too):

    [salt, synced, seq, at, kind, …]

    kind 1, transaction   txid, occurred, fingerprint, key, [account, amount, …], [ref kind, ref value, …], metadata
    kind 2, asset         id, class, network, native id, precision, name
    kind 3, account       index, path, asset, kind, normal side, minimum

`synced` is the last seq known to be durable when the frame was written. Times are microseconds since
1970-01-01 UTC. An account is the index its book gave it when it was opened, counting from 0; an amount is in
minor units, positive for debit, negative for credit.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple
from uuid import UUID

import cbor2
import msgspec

from .errors import InvalidDefinition, InvalidTransaction, Unbalanced
from .frames import PAYLOAD_MAX_BYTES
from .model import (
    AMOUNT_LIMIT,
    NAME_MAX_BYTES,
    PRECISION_MAX,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AccountOpened,
    AssetDef,
    AssetRegistered,
    Commodity,
    Crypto,
    Direction,
    Event,
    ExternalRef,
    Fiat,
    Json,
    Posting,
    Amount,
    Sequenced,
    Transaction,
    TransactionPosted,
)

FORMAT_VERSION = 1
SALT_BYTES = 8
SEGMENT_MAGIC = "talea segment"

KIND_TRANSACTION, KIND_ASSET, KIND_ACCOUNT = 1, 2, 3

METADATA_DEPTH_MAX = 64

# array head, salt, synced, seq, at, kind
_PREFIX = Struct(">BB8sBQBQBQB")
PREFIX_BYTES = _PREFIX.size
_SALT_AT, _SYNCED_AT, _SEQ_AT, _AT_AT, _KIND_AT = 2, 11, 20, 29, 37
_ARRAY, _BYTES, _UINT64, _NINT64 = 0x80, 0x40, 0x1B, 0x3B
_ITEMS = {KIND_TRANSACTION: 12, KIND_ASSET: 11, KIND_ACCOUNT: 11}
_U64 = Struct(">Q")
_WIDE = 2**64
_EMPTY_MAP, _EMPTY_ARRAY = b"\xa0", b"\x80"
# the most that a posting takes: an index of 9 bytes and a bignum of 18
_POSTING_MAX_BYTES = 27
# prefix, txid, time, fingerprint and the heads of the arrays
_ENVELOPE_MAX_BYTES = 160

_dumps: Callable[[object], bytes] = cbor2.dumps
_loads: Callable[[bytes], Any] = cbor2.loads

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_START, MICROS_END = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The calendar's ends, 0001-01-01 and 10000-01-01."""


def to_micros(t: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    d = t - EPOCH
    return (d.days * 86_400 + d.seconds) * 1_000_000 + d.microseconds


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


class Prefix(NamedTuple):
    """What stands first in every event's payload."""

    salt: bytes
    synced: int
    seq: int
    at: int
    kind: int


def read_prefix(payload: bytes | memoryview) -> Prefix | None:
    """The prefix of an event's payload, or None when these bytes are no event."""
    if len(payload) < PREFIX_BYTES:
        return None
    array, b8, salt, u1, synced, u2, seq, u3, at, kind = _PREFIX.unpack_from(payload)
    if (b8, u1, u2, u3) != (_BYTES | SALT_BYTES, _UINT64, _UINT64, _UINT64):
        return None
    if _ITEMS.get(kind, -1) != array - _ARRAY:
        return None
    return Prefix(salt, synced, seq, at, kind)


def salt_marks(salt: bytes) -> tuple[bytes, ...]:
    """The byte strings one of which opens every payload of a segment with this salt."""
    heads = sorted(set(_ITEMS.values()))
    return tuple(bytes((_ARRAY | n, _BYTES | SALT_BYTES)) + salt for n in heads)


def _head(kind: int, salt: bytes, synced: int, seq: int, at: int) -> bytes:
    return _PREFIX.pack(
        _ARRAY | _ITEMS[kind], _BYTES | SALT_BYTES, salt, _UINT64, synced, _UINT64, seq, _UINT64, at, kind
    )


def encode_segment_header(book: str, base_seq: int, salt: bytes) -> bytes:
    return _dumps([SEGMENT_MAGIC, FORMAT_VERSION, book, base_seq, salt])


class SegmentHeader(NamedTuple):
    version: int
    book: str
    base_seq: int
    salt: bytes


def decode_segment_header(payload: bytes) -> SegmentHeader | None:
    """The header, or None when these bytes are none. Of a newer version only `version` is meaningful."""
    items = decode_items(payload)
    if items is None or len(items) < 2 or items[0] != SEGMENT_MAGIC or type(items[1]) is not int:
        return None
    if items[1] != FORMAT_VERSION:
        return SegmentHeader(items[1], "", 0, b"")
    if len(items) != 5 or [type(x) for x in items[2:]] != [str, int, bytes] or len(items[4]) != SALT_BYTES:
        return None
    return SegmentHeader(*items[1:])


def decode_items(payload: bytes) -> list[Any] | None:
    """The array that `payload` is, or None when it is not one."""
    try:
        items = _loads(payload)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return None
    return items if type(items) is list else None


# ---------------------------------------------------------------- text and values that callers pass


def text_fault(text: object) -> str | None:
    """Why this is no well-formed text, or None."""
    if type(text) is not str:
        return f"is {type(text).__name__}, not text"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds a lone surrogate"
    return None


def name_fault(name: object) -> str | None:
    """Why this cannot be an asset id, account path or idempotency key, or None."""
    fault = text_fault(name)
    if fault is not None:
        return fault
    assert isinstance(name, str)
    if not name:
        return "is empty"
    if len(name) > NAME_MAX_BYTES or len(name.encode()) > NAME_MAX_BYTES:
        return f"is longer than {NAME_MAX_BYTES} bytes"
    if not name.isprintable() and has_control(name):
        return "holds a control character"
    return None


def has_control(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" for c in text)


_TEXT_HEADS = [bytes((0x60 | n,)) for n in range(24)] + [bytes((0x78, n)) for n in range(24, 256)]


def text_item(text: str) -> bytes:
    """`text` as a CBOR item; UnicodeEncodeError for a lone surrogate."""
    data = text.encode()
    return _TEXT_HEADS[len(data)] + data if len(data) < 256 else _dumps(text)


def integer_item(value: int) -> bytes:
    """An account's index as the shortest CBOR item."""
    return _dumps(value)


def encode_metadata(value: Json) -> tuple[bytes, bytes]:
    """Metadata as it is stored, and as it is compared: with object keys sorted.

    Checked and encoded in one go, so that what the caller changes later has no effect. Raises InvalidTransaction.
    """
    if type(value) is dict and len(value) < 2:
        if not value:
            return _EMPTY_MAP, _EMPTY_MAP
        ((key, text),) = value.items()
        # the commonest shape by far: one short note
        if type(key) is str and type(text) is str and key.isascii() and text.isascii() and len(text) < 256:
            item = _dumps(value)
            return item, item
    check = _JsonCheck()
    check.walk(value, 0)
    item = _dumps(value)
    return item, _dumps(_sorted_keys(value)) if check.unsorted else item


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


def encode_refs(refs: Sequence[ExternalRef]) -> bytes:
    """Raises InvalidTransaction."""
    if not refs:
        return _EMPTY_ARRAY
    flat: list[str] = []
    for ref in refs:
        if not isinstance(ref, ExternalRef):
            raise InvalidTransaction(f"an external ref is a {type(ref).__name__}")
        for text in (ref.kind, ref.value):
            fault = text_fault(text)
            if fault is not None:
                raise InvalidTransaction(f"an external ref {fault}")
            flat.append(text)
    return _dumps(flat)


class Request(msgspec.Struct, gc=False):
    """A transaction whose shape has been checked, with the caller's mutable parts already encoded."""

    transaction: Transaction
    key_item: bytes
    refs_item: bytes
    metadata_item: bytes
    canonical_metadata: bytes
    occurred: int


def check_transaction(t: Transaction, paths: Any, assets: Any) -> Request:
    """Check the shape of `t`; names found in `paths` (of its book) and `assets` are known to be well formed.

    Raises InvalidTransaction, Unbalanced.
    """
    if type(t.id) is not UUID:
        raise InvalidTransaction(f"its id is a {type(t.id).__name__}, not a UUID")
    if type(t.postings) is not tuple:
        raise InvalidTransaction(f"its postings are a {type(t.postings).__name__}, not a tuple")
    if not t.postings:
        raise InvalidTransaction("it has no postings")
    book = t.book
    total = 0
    first_asset: str | None = None
    mixed = False
    for posting in t.postings:
        if type(posting) is not Posting:
            raise InvalidTransaction(f"a posting is a {type(posting).__name__}")
        account, amount = posting.account, posting.amount
        if type(account) is not AccountId or type(amount) is not Amount:
            raise InvalidTransaction("a posting has no account id or no amount")
        minor, asset = amount.minor, amount.asset
        if type(minor) is not int:
            raise InvalidTransaction(f"an amount is a {type(minor).__name__}, not an integer of minor units")
        if not 0 < minor < AMOUNT_LIMIT:
            raise InvalidTransaction(
                "an amount is not positive; the direction says the side"
                if minor <= 0
                else "an amount reaches 2**127 minor units"
            )
        # names that are known are well formed
        if type(path := account.path) is not str or path not in paths or account.book != book:
            _refuse_bad_name(account)
        if asset != first_asset:
            if first_asset is None:
                first_asset = asset
            else:
                mixed = True
            if type(asset) is not str or asset not in assets:
                fault = name_fault(asset)
                if fault is not None:
                    raise InvalidTransaction(f"an asset's id {fault}")
        if posting.direction is Direction.DEBIT:
            total += minor
        elif posting.direction is Direction.CREDIT:
            total -= minor
        else:
            raise InvalidTransaction("a posting's direction is neither debit nor credit")
    key = t.idempotency_key
    if not (type(key) is str and 0 < len(key) <= NAME_MAX_BYTES and key.isascii() and key.isprintable()):
        fault = name_fault(key)
        if fault is not None:
            raise InvalidTransaction(f"its idempotency key {fault}")
    if total or mixed:
        _check_balance(t.postings)
    metadata_item, canonical = encode_metadata(t.metadata)
    refs = t.external_refs
    if type(refs) is not tuple:
        raise InvalidTransaction(f"its external refs are a {type(refs).__name__}, not a tuple")
    refs_item = encode_refs(refs)
    size = len(metadata_item) + len(refs_item) + len(t.postings) * _POSTING_MAX_BYTES + NAME_MAX_BYTES
    if size + _ENVELOPE_MAX_BYTES > PAYLOAD_MAX_BYTES:
        raise InvalidTransaction("it is larger than 16 MiB")
    return Request(t, text_item(key), refs_item, metadata_item, canonical, _occurred_micros(t.occurred_at))


def _refuse_bad_name(account: AccountId) -> None:
    for what, fault in (("path", name_fault(account.path)), ("book", text_fault(account.book))):
        if fault is not None:
            raise InvalidTransaction(f"an account's {what} {fault}")


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


def asset_fault(asset: AssetDef) -> str | None:
    """Why this is no asset definition, or None."""
    if not isinstance(asset, AssetDef):
        return f"it is a {type(asset).__name__}, not an AssetDef"
    fault = name_fault(asset.id)
    if fault is not None:
        return f"the asset's id {fault}"
    fault = text_fault(asset.name)
    if fault is not None:
        return f"the asset's name {fault}"
    if type(asset.precision) is not int or not 0 <= asset.precision <= PRECISION_MAX:
        return f"the asset's precision is not an integer from 0 to {PRECISION_MAX}"
    kind = asset.asset_class
    if type(kind) is Crypto:
        for text in (kind.network, kind.native_id if kind.native_id is not None else ""):
            fault = text_fault(text)
            if fault is not None:
                return f"the asset's network or native id {fault}"
    elif type(kind) is not Fiat and type(kind) is not Commodity:
        return "the asset's class is none of Fiat, Crypto and Commodity"
    if (
        len(asset.name) + len(getattr(kind, "network", "")) + len(getattr(kind, "native_id", "") or "")
        > 2**20
    ):
        return "the asset's name is longer than a mebibyte"
    return None


def account_fault(definition: AccountDef, config: AccountCfg) -> str | None:
    """Why this is no account definition, or None. The book's name is checked elsewhere."""
    if not isinstance(definition, AccountDef) or not isinstance(definition.id, AccountId):
        return "it is not an AccountDef with an AccountId"
    if not isinstance(config, AccountCfg):
        return f"its configuration is a {type(config).__name__}, not an AccountCfg"
    fault = name_fault(definition.id.path)
    if fault is not None:
        return f"the account's path {fault}"
    fault = name_fault(definition.asset)
    if fault is not None:
        return f"the account's asset {fault}"
    if type(definition.kind) is not AccountKind:
        return "the account's kind is not an AccountKind"
    if config.normal_side is not None and type(config.normal_side) is not Direction:
        return "the account's normal side is neither debit nor credit"
    floor = config.min_balance
    if floor is not None and (type(floor) is not int or not -AMOUNT_LIMIT < floor < AMOUNT_LIMIT):
        return "the account's minimum is not an integer of a magnitude below 2**127"
    return None


def checked_asset(asset: AssetDef) -> AssetDef:
    fault = asset_fault(asset)
    if fault is not None:
        raise InvalidDefinition(fault)
    return asset


# ---------------------------------------------------------------- encoding


def postings_head(n: int) -> bytes:
    """The head of the array that holds `n` postings, two items each."""
    n *= 2
    if n < 24:
        return bytes((_ARRAY | n,))
    if n < 2**16:
        return b"\x99" + n.to_bytes(2, "big")
    return b"\x9a" + n.to_bytes(4, "big")


def amount_item(signed: int, _pack: Callable[[int, int], bytes] = Struct(">BQ").pack) -> bytes:
    """An integer as a CBOR item, of fixed width as far as 64 bits reach."""
    if 0 <= signed < _WIDE:
        return _pack(_UINT64, signed)
    if -_WIDE <= signed < 0:
        return _pack(_NINT64, -1 - signed)
    return _dumps(signed)


def fingerprint(postings_item: bytes, request: Request) -> bytes:
    """8 bytes that differ when what is posted differs: postings, refs and metadata, its objects' keys unordered."""
    return blake2b(
        b"".join((postings_item, request.refs_item, request.canonical_metadata)), digest_size=8
    ).digest()


class BatchHead:
    """What the payloads of one batch's transactions share, encoded once."""

    __slots__ = ("after_seq", "before_seq")

    def __init__(self, salt: bytes, synced: int, at: int) -> None:
        head = _head(KIND_TRANSACTION, salt, synced, 0, at)
        self.before_seq, self.after_seq = head[:_SEQ_AT], head[_AT_AT - 1 :] + bytes((_BYTES | 16,))


_PRINT_HEAD = bytes((_BYTES | 8,))


def encode_transaction(
    head: BatchHead, seq: int, request: Request, postings_item: bytes, print8: bytes
) -> bytes:
    return b"".join(
        (
            head.before_seq,
            _U64.pack(seq),
            head.after_seq,
            request.transaction.id.bytes,
            amount_item(request.occurred),
            _PRINT_HEAD,
            print8,
            request.key_item,
            postings_item,
            request.refs_item,
            request.metadata_item,
        )
    )


_CLASS_NAMES: dict[type, str] = {Fiat: "fiat", Crypto: "crypto", Commodity: "commodity"}


def encode_asset(salt: bytes, synced: int, seq: int, at: int, asset: AssetDef) -> bytes:
    kind = asset.asset_class
    network, native = (kind.network, kind.native_id) if type(kind) is Crypto else (None, None)
    body = [asset.id, _CLASS_NAMES[type(kind)], network, native, asset.precision, asset.name]
    return _head(KIND_ASSET, salt, synced, seq, at) + b"".join(map(_dumps, body))


def encode_account(
    salt: bytes, synced: int, seq: int, at: int, index: int, definition: AccountDef, config: AccountCfg
) -> bytes:
    side = config.normal_side
    body = [
        index,
        definition.id.path,
        definition.asset,
        definition.kind.value,
        side.value if side is not None else None,
        config.min_balance,
    ]
    return _head(KIND_ACCOUNT, salt, synced, seq, at) + b"".join(map(_dumps, body))


# ---------------------------------------------------------------- decoding


class Malformed(ValueError):
    """A checksummed payload that is no event of this format."""


def decode_asset(items: list[Any]) -> AssetDef:
    """From the items of a kind 2 payload. Raises Malformed."""
    id, name, network, native, precision, title = items[5:11]
    classes: dict[object, Any] = {
        "fiat": lambda: Fiat(),
        "crypto": lambda: Crypto(network=network, native_id=native),
        "commodity": lambda: Commodity(),
    }
    if not isinstance(name, str) or name not in classes:
        raise Malformed("unknown asset class")
    asset = AssetDef(id=id, asset_class=classes[name](), precision=precision, name=title)
    fault = asset_fault(asset)
    if fault is not None:
        raise Malformed(fault)
    return asset


def decode_account(book: str, items: list[Any]) -> tuple[int, AccountDef, AccountCfg]:
    """From the items of a kind 3 payload: index, definition, configuration. Raises Malformed."""
    index, path, asset, kind, side, floor = items[5:11]
    try:
        definition = AccountDef(id=AccountId(book=book, path=path), asset=asset, kind=AccountKind(kind))
        config = AccountCfg(normal_side=None if side is None else Direction(side), min_balance=floor)
    except ValueError as e:
        raise Malformed(str(e)) from e
    fault = account_fault(definition, config)
    if fault is not None or type(index) is not int:
        raise Malformed(fault or "an account's index is no integer")
    return index, definition, config


class AccountTable:
    """What decoding a transaction needs: the account and the asset behind each index."""

    __slots__ = ("assets", "ids")

    def __init__(self) -> None:
        self.ids: list[AccountId] = []
        self.assets: list[str] = []


def decode_items_checked(payload: bytes) -> list[Any]:
    """All items of an event's payload. Raises Malformed."""
    items = decode_items(payload)
    if items is None or len(items) < 5 or _ITEMS.get(items[4], -1) != len(items):
        raise Malformed("not an event")
    return items


def transaction_fields_fault(items: list[Any], accounts: int) -> str | None:
    """Why the items of a kind 1 payload cannot be folded into a book with so many accounts, or None."""
    txid, occurred, print8, key, flat = items[5:10]
    if type(txid) is not bytes or len(txid) != 16 or type(occurred) is not int:
        return "no transaction id or time"
    if not MICROS_START <= occurred < MICROS_END:
        return "no transaction id or time"
    if type(print8) is not bytes or len(print8) != 8 or type(key) is not str or not key:
        return "no fingerprint or key"
    if type(flat) is not list or not flat or len(flat) % 2 or type(items[10]) is not list:
        return "no postings or refs"
    for i in range(0, len(flat), 2):
        index, amount = flat[i], flat[i + 1]
        if type(index) is not int or not 0 <= index < accounts:
            return "a posting to an account that was not opened"
        if type(amount) is not int or not amount or not -AMOUNT_LIMIT < amount < AMOUNT_LIMIT:
            return "a posting without an amount"
    return None


def decode_event(book: str, payload: bytes, table: AccountTable) -> Sequenced:
    """A whole event as callers see it. Raises Malformed."""
    items = decode_items_checked(payload)
    kind = items[4]
    event: Event
    if kind == KIND_TRANSACTION:
        event = TransactionPosted(transaction=_decode_transaction(book, items, table))
    elif kind == KIND_ASSET:
        event = AssetRegistered(asset=decode_asset(items))
    else:
        _, definition, config = decode_account(book, items)
        event = AccountOpened(definition=definition, config=config)
    return Sequenced(seq=items[2], at=from_micros(items[3]), event=event)


def _decode_transaction(book: str, items: list[Any], table: AccountTable) -> Transaction:
    fault = transaction_fields_fault(items, len(table.ids))
    if fault is not None:
        raise Malformed(fault)
    flat, refs = items[9], items[10]
    ids, assets = table.ids, table.assets
    return Transaction(
        id=UUID(bytes=items[5]),
        book=book,
        postings=tuple(
            [
                Posting(
                    account=ids[index],
                    amount=Amount(minor=abs(amount), asset=assets[index]),
                    direction=Direction.DEBIT if amount > 0 else Direction.CREDIT,
                )
                for index, amount in zip(flat[::2], flat[1::2], strict=True)
            ]
        ),
        idempotency_key=items[8],
        external_refs=tuple(
            [ExternalRef(kind=kind, value=value) for kind, value in zip(refs[::2], refs[1::2], strict=True)]
        ),
        metadata=items[11],
        occurred_at=from_micros(items[6]),
    )
