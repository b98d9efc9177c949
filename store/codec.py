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

import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import cbor2
from msgspec import convert

from .definitions import account_fault, asset_fault
from .model import (
    AMOUNT_LIMIT,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AccountOpened,
    Amount,
    AssetDef,
    AssetRegistered,
    Commodity,
    Crypto,
    Direction,
    Event,
    ExternalRef,
    Fiat,
    Posting,
    Sequenced,
    Transaction,
    TransactionPosted,
)

T = TypeVar("T")

FORMAT_VERSION = 1
"""Of the segments that are written."""
READABLE_VERSIONS = frozenset({1})
"""Of the segments that are read: every version there ever was."""
SALT_BYTES = 8
SEGMENT_MAGIC = "talea segment"

KIND_TRANSACTION, KIND_ASSET, KIND_ACCOUNT = 1, 2, 3

METADATA_DEPTH_MAX = 64

# array head, salt, synced, seq, at, kind
_PREFIX = Struct(">BB8sBQBQBQB")
PREFIX_BYTES = _PREFIX.size
_IDENTITY = Struct(">8sxQxQ")
_SALT_AT, _SEQ_AT, _AT_AT, _KIND_AT = 2, 20, 29, 37
_ARRAY, _BYTES, _UINT64, _NINT64 = 0x80, 0x40, 0x1B, 0x3B
_ITEMS = {KIND_TRANSACTION: 12, KIND_ASSET: 11, KIND_ACCOUNT: 11}
_HEADS = slice(_SALT_AT - 1, _KIND_AT + 1, 9)
"""The heads of salt, synced, seq and at stand 9 bytes apart, and the kind 9 bytes after the last of them."""
_PREFIX_HEADS = frozenset(bytes((_BYTES | SALT_BYTES, _UINT64, _UINT64, _UINT64, kind)) for kind in _ITEMS)
_U64 = Struct(">Q")
# txid, occurred, fingerprint
_BODY_HEAD = Struct(">B16sBQB8s")
_BYTES16, _BYTES8 = _BYTES | 16, _BYTES | 8

EMPTY_MAP, EMPTY_ARRAY = b"\xa0", b"\x80"
POSTING_MIN_BYTES = 10
"""The least that a posting takes: an index of one byte and an amount of 9."""

_dumps: Callable[[object], bytes] = cbor2.dumps


def _refuse_tag(*_: object) -> Any:
    raise cbor2.CBORDecodeError("a tag that is not in the format")


# only big integers are tagged; some of the others would compile, import or share what hostile bytes say
_REFUSED_TAGS = dict.fromkeys(
    (0, 1, 4, 5, *range(21, 26), *range(28, 38), 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
    _refuse_tag,
)


def _quick_decoder() -> Callable[[bytes], object] | None:
    """libipld's, which decodes most events three times as fast as cbor2, where it is installed."""
    try:
        module = importlib.import_module("libipld")
    except ImportError:
        return None
    decode: Callable[[bytes], object] = module.decode_dag_cbor
    return decode


_QUICK_MAX_BYTES = 4096
"""Only events are worth it; what is large is a column of an index."""


_HEADS_OF_TAG_42 = (b"\xd8", b"\xd9\0", b"\xda\0\0\0", b"\xdb\0\0\0\0\0\0\0")
"""What may stand before the byte 42 to make a tag of it."""


def _may_hold_tag_42(data: bytes) -> bool:
    """libipld would take what has this tag for bytes."""
    return any(before.endswith(_HEADS_OF_TAG_42) for before in data.split(b"\x2a")[:-1])


_decode_quickly = _quick_decoder()

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS_START, MICROS_END = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The calendar's ends, 0001-01-01 and 10000-01-01."""


def to_micros(t: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    d = t - EPOCH  # a kind of datetime may have a kind of timedelta that cannot be divided
    return (d.days * 86_400 + d.seconds) * 1_000_000 + d.microseconds


def from_micros(micros: int) -> datetime:
    seconds, micros = divmod(micros, 1_000_000)
    return EPOCH + timedelta(0, seconds, micros)


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


def is_event(payload: bytes, salt: bytes, seq: int) -> bool:
    """Whether this is the event of a seq in the segment of that salt; quicker than `read_prefix`."""
    return (
        payload[_SALT_AT : _SALT_AT + SALT_BYTES] == salt
        and payload[_SEQ_AT : _SEQ_AT + 8] == pack_seq(seq)
        and payload[_HEADS] in _PREFIX_HEADS
    )


def read_identity(payload: bytes) -> tuple[bytes, int, int] | None:
    """(salt, synced, seq), or None when these bytes are no event; quicker than `read_prefix`."""
    if payload[_HEADS] not in _PREFIX_HEADS:
        return None
    identity: tuple[bytes, int, int] = _IDENTITY.unpack_from(payload, _SALT_AT)
    return identity


def synced_in_order(payloads: Sequence[bytes], salt: bytes, first_seq: int) -> int | None:
    """The highest `synced` of events that all have this salt and follow one another from this seq on, else None."""
    if not _PREFIX_HEADS.issuperset([payload[_HEADS] for payload in payloads]):
        return None
    salts, synced, seqs = zip(
        *[_IDENTITY.unpack_from(payload, _SALT_AT) for payload in payloads], strict=True
    )
    if set(salts) != {salt} or seqs != tuple(range(first_seq, first_seq + len(payloads))):
        return None
    highest: int = max(synced)
    return highest


def kind_in(payload: bytes) -> int:
    """The kind of an event."""
    return payload[_KIND_AT]


def key_in(payload: bytes) -> str | None:
    """The idempotency key of a transaction, None where an event has none."""
    items = decode_items(payload) if kind_in(payload) == KIND_TRANSACTION else None
    return items[8] if items is not None else None


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
    """The header, or None when these bytes are none. Of a version that cannot be read only `version` is meaningful."""
    items = decode_items(payload)
    if items is None or len(items) < 2 or items[0] != SEGMENT_MAGIC or type(items[1]) is not int:
        return None
    if items[1] not in READABLE_VERSIONS:
        return SegmentHeader(items[1], "", 0, b"")
    if len(items) != 5 or [type(x) for x in items[2:]] != [str, int, bytes] or len(items[4]) != SALT_BYTES:
        return None
    return SegmentHeader(*items[1:])


def decode_items(payload: bytes) -> list[Any] | None:
    """The array that `payload` is, or None when it is not one."""
    if _decode_quickly is not None and len(payload) <= _QUICK_MAX_BYTES and not _may_hold_tag_42(payload):
        try:
            found = _decode_quickly(payload)
        except (ValueError, RecursionError):
            pass  # it knows no big integers, for one, and wants the keys of objects in its own order
        else:
            return found if type(found) is list else None
    try:
        items: object = cbor2.loads(
            payload, semantic_decoders=_REFUSED_TAGS, tag_hook=_refuse_tag, allow_indefinite=False
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return None
    return items if type(items) is list else None


def decode_many(payloads: Sequence[bytes]) -> list[Any]:
    """The arrays that these payloads are. Raises Malformed."""
    data = b"".join(payloads)
    quick = max(map(len, payloads)) <= _QUICK_MAX_BYTES and not _may_hold_tag_42(data)
    if quick and _decode_quickly is not None:
        try:
            return list(map(_decode_quickly, payloads))
        except (ValueError, RecursionError):
            pass
    found: list[Any] = list(map(decode_items, payloads))
    if None in found:
        raise Malformed("not an event")
    return found


# ---------------------------------------------------------------- items


_TEXT_HEADS = [bytes((0x60 | n,)) for n in range(24)] + [bytes((0x78, n)) for n in range(24, 256)]


def text_item(text: str) -> bytes:
    """`text` as a CBOR item; UnicodeEncodeError for a lone surrogate."""
    data = text.encode()
    try:
        return _TEXT_HEADS[len(data)] + data
    except IndexError:
        return _dumps(text)


# ---------------------------------------------------------------- encoding


_POSTINGS_HEADS = [bytes((_ARRAY | 2 * n,)) for n in range(12)]


def postings_head(n: int) -> bytes:
    """The head of the array that holds `n` postings, two items each."""
    if n < 12:
        return _POSTINGS_HEADS[n]
    return b"\x99" + (2 * n).to_bytes(2, "big") if n < 2**15 else b"\x9a" + (2 * n).to_bytes(4, "big")


def debit_head(index: int) -> bytes:
    """What stands before the 8 bytes of a debit's amount: the account's index, and the head of a positive integer."""
    return _dumps(index) + bytes((_UINT64,))


def credit_head(index: int) -> bytes:
    """The same for a credit, whose amount is a negative integer: its 8 bytes hold the amount less one."""
    return _dumps(index) + bytes((_NINT64,))


NARROW_END = 2**64
"""Amounts from here on do not fit into 8 bytes."""

narrow_amount = _U64.pack


def wide_posting(index: int, signed: int) -> bytes:
    """A posting whose amount needs more than 8 bytes."""
    return _dumps(index) + _dumps(signed)


_blank_print = blake2b(digest_size=8).copy


def transaction_body(
    txid: bytes, occurred: int, key: str, content: bytes, compared: bytes
) -> tuple[bytes, bytes]:
    """The fingerprint of a transaction, 8 bytes that differ when what is posted differs, and what follows its prefix.

    `content` is its postings, refs and metadata, as items; `compared` the same with the keys of objects sorted.
    """
    hashed = _blank_print()  # half the cost of a new one
    hashed.update(compared)
    print8 = hashed.digest()
    if occurred >= 0:
        head = _BODY_HEAD.pack(_BYTES16, txid, _UINT64, occurred, _BYTES8, print8)
    else:
        head = _BODY_HEAD.pack(_BYTES16, txid, _NINT64, -1 - occurred, _BYTES8, print8)
    return print8, b"".join((head, text_item(key), content))


pack_seq = _U64.pack


def transaction_prefix(salt: bytes, synced: int, at: int) -> tuple[bytes, bytes]:
    """What stands before and after the 8 bytes of the seq in the prefix of transactions that are written at once."""
    head = _head(KIND_TRANSACTION, salt, synced, 0, at)
    return head[:_SEQ_AT], head[_AT_AT - 1 :]


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

    __slots__ = ("assets", "at", "ids", "time")

    def __init__(self) -> None:
        self.ids: list[AccountId] = []
        self.assets: list[str] = []
        self.at, self.time = 0, EPOCH
        """The commit time that was decoded last, which a whole batch shares, in both forms."""


def decode_items_checked(payload: bytes) -> list[Any]:
    """All items of an event's payload. Raises Malformed."""
    items = decode_items(payload)
    if items is None or len(items) < 5 or _ITEMS.get(items[4], -1) != len(items):
        raise Malformed("not an event")
    return items


def transaction_fields_fault(items: list[Any]) -> str | None:
    """Why the items of a kind 1 payload are no transaction, its postings aside, or None."""
    txid, occurred, print8, key, flat = items[5:10]
    if type(txid) is not bytes or len(txid) != 16 or type(occurred) is not int:
        return "no transaction id or time"
    if not MICROS_START <= occurred < MICROS_END:
        return "no transaction id or time"
    if type(print8) is not bytes or len(print8) != 8 or type(key) is not str or not key:
        return "no fingerprint or key"
    if type(flat) is not list or not flat or len(flat) % 2 or type(items[10]) is not list:
        return "no postings or refs"
    return None


def checked_postings(items: list[Any], accounts: Sequence[T]) -> list[tuple[T, int]]:
    """(account, signed amount) of each posting in the items of a kind 1 payload. Raises Malformed."""
    fault = transaction_fields_fault(items)
    if fault is not None:
        raise Malformed(fault)
    postings = []
    numbers = iter(items[9])
    for index, amount in zip(numbers, numbers, strict=True):
        if type(index) is not int or not 0 <= index < len(accounts):
            raise Malformed("a posting to an account that was not opened")
        if type(amount) is not int or not amount or not -AMOUNT_LIMIT < amount < AMOUNT_LIMIT:
            raise Malformed("a posting without an amount")
        postings.append((accounts[index], amount))
    return postings


def decode_event(book: str, payload: bytes, table: AccountTable) -> Sequenced:
    """A whole event as callers see it. Raises Malformed."""
    items = decode_items_checked(payload)
    kind, at = items[4], items[3]
    event: Event
    if kind == KIND_TRANSACTION:
        event = TransactionPosted(_decode_transaction(book, items, table))
    elif kind == KIND_ASSET:
        event = AssetRegistered(decode_asset(items))
    elif kind == KIND_ACCOUNT:
        _, definition, config = decode_account(book, items)
        event = AccountOpened(definition, config)
    else:
        raise Malformed("a kind of event that is not known")
    if at != table.at:
        table.at, table.time = at, from_micros(at)
    return Sequenced(items[2], table.time, event)


_DEBIT, _CREDIT = Direction.DEBIT, Direction.CREDIT


def _decode_transaction(book: str, items: list[Any], table: AccountTable) -> Transaction:
    fault = transaction_fields_fault(items)
    if fault is not None:
        raise Malformed(fault)
    ids, assets = table.ids, table.assets
    accounts = len(ids)
    postings = []
    flat = iter(items[9])
    for index, amount in zip(flat, flat, strict=True):
        if type(index) is not int or not 0 <= index < accounts:
            raise Malformed("a posting to an account that was not opened")
        if type(amount) is not int or not amount or not -AMOUNT_LIMIT < amount < AMOUNT_LIMIT:
            raise Malformed("a posting without an amount")
        if amount > 0:
            postings.append(Posting(ids[index], Amount(amount, assets[index]), _DEBIT))
        else:
            postings.append(Posting(ids[index], Amount(-amount, assets[index]), _CREDIT))
    refs = items[10]
    if len(refs) % 2:
        raise Malformed("a ref without a value")
    return Transaction(
        id=convert(items[5], UUID),
        book=book,
        postings=tuple(postings),
        idempotency_key=items[8],
        external_refs=tuple(map(ExternalRef, refs[::2], refs[1::2])) if refs else (),
        metadata=items[11],
        occurred_at=from_micros(items[6]),
    )
