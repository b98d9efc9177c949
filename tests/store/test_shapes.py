"""Nothing a caller passes may stop a writer: what is refused for its shape, and what is not."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import (
    AccountCfg,
    Amount,
    Committed,
    ExternalRef,
    InvalidTransaction,
    Posting,
    StoreError,
    Transaction,
)
from store.protocol import Store
from tests.support.build import (
    BOOK,
    WHEN,
    account,
    credit,
    debit,
    definition,
    household,
    posted,
    transfer,
    txid,
)
from tests.support.disk import frames, segments
from tests.support.ledgers import opened
from tests.support.memory_store import MemoryStore
from tests.support.strategies import json_values, nasty_values, printable_names

FINE = (debit("assets:cash", 1), credit("assets:bank", 1))


def nested(depth: int) -> Any:
    value: Any = 0
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


def both(minor: Any) -> tuple[Posting, Posting]:
    return debit("assets:cash", minor), credit("assets:bank", minor)


BAD: dict[str, dict[str, Any]] = {
    "no postings": {"postings": ()},
    "zero": {"postings": both(0)},
    "negative": {"postings": both(-5)},
    "2**127": {"postings": both(2**127)},
    "float": {"postings": both(1.0)},
    "float on one side": {"postings": (FINE[0], credit("assets:bank", 1.0))},  # type: ignore[arg-type]
    "truth on one side": {"postings": (FINE[0], credit("assets:bank", True))},
    "decimal": {"postings": both(Decimal(1))},
    "text amount": {"postings": both("1")},
    "None amount": {"postings": both(None)},
    "direction as text": {
        "postings": (
            Posting(account=account("assets:cash"), amount=Amount(minor=1, asset="EUR"), direction="debit"),  # type: ignore[arg-type]
            FINE[1],
        )
    },
    "posting is none": {"postings": (*FINE, "posting")},
    "amount is none": {
        "postings": (Posting(account=account("a"), amount=5, direction=FINE[0].direction), FINE[1])  # type: ignore[arg-type]
    },
    "account is text": {
        "postings": (Posting(account="a:b", amount=FINE[0].amount, direction=FINE[0].direction), FINE[1])  # type: ignore[arg-type]
    },
    "postings is no sequence": {"postings": 5},
    "path with a surrogate": {"postings": (debit("\ud800", 1), credit("assets:bank", 1))},
    "path with a control character": {"postings": (debit("a\nb", 1), credit("assets:bank", 1))},
    "empty path": {"postings": (debit("", 1), credit("assets:bank", 1))},
    "asset with a surrogate": {
        "postings": (debit("assets:cash", 1, "\ud800"), credit("assets:bank", 1, "\ud800"))
    },
    "empty key": {"idempotency_key": ""},
    "long key": {"idempotency_key": "x" * 501},
    "long key in bytes": {"idempotency_key": "é" * 251},
    "key with a control character": {"idempotency_key": "a\0b"},
    "key with a surrogate": {"idempotency_key": "\udc00"},
    "key is no text": {"idempotency_key": 7},
    "key is None": {"idempotency_key": None},
    "naive time": {"occurred_at": WHEN.replace(tzinfo=None)},
    "time is text": {"occurred_at": "2026-01-01"},
    "time out of bounds": {"occurred_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))},
    "id is text": {"id": "00000000-0000-0000-0000-000000000001"},
    "id is None": {"id": None},
    "ref kind is no text": {"external_refs": (ExternalRef(kind=7, value="x"),)},  # type: ignore[arg-type]
    "ref value is no text": {"external_refs": (ExternalRef(kind="x", value=None),)},  # type: ignore[arg-type]
    "ref with a surrogate": {"external_refs": (ExternalRef(kind="x", value="\ud800"),)},
    "ref is a tuple": {"external_refs": (("x", "y"),)},
    "NaN": {"metadata": {"x": math.nan}},
    "infinity": {"metadata": [math.inf]},
    "minus infinity": {"metadata": -math.inf},
    "key of an object is no text": {"metadata": {1: "x"}},
    "key of an object is None": {"metadata": {"a": {None: 1}}},
    "key of an object with a surrogate": {"metadata": {"\ud800": 1}},
    "text with a surrogate": {"metadata": ["\udfff"]},
    "tuple": {"metadata": (1, 2)},
    "tuple inside": {"metadata": {"x": (1,)}},
    "set": {"metadata": {1, 2}},
    "bytes": {"metadata": b"x"},
    "bytearray": {"metadata": [bytearray(b"x")]},
    "decimal in metadata": {"metadata": Decimal(1)},
    "datetime in metadata": {"metadata": [WHEN]},
    "UUID in metadata": {"metadata": txid(1)},
    "object": {"metadata": object()},
    "complex": {"metadata": 1j},
    "nested too deeply": {"metadata": nested(65)},
    "nested endlessly": {"metadata": nested(100_000)},
    "over 16 MiB": {"metadata": "x" * (16 * 2**20 + 1)},
    "over 16 MiB in pieces": {"metadata": ["x" * 2**20] * 17},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
async def test_a_malformed_transaction_is_refused(home: Store, changes: dict[str, Any]) -> None:
    fields = {"book": BOOK, "postings": FINE, "idempotency_key": "k", "metadata": {}, **changes}
    bad = Transaction(**fields)
    with pytest.raises(InvalidTransaction):
        await home.commit(bad)
    results = await home.commit_batch([transfer("assets:cash", "assets:bank", 1), bad])
    assert [type(result) is Committed for result in results] == [True, False]
    assert isinstance(results[1], InvalidTransaction)
    assert (await home.commit(transfer("assets:cash", "assets:bank", 1))).seq == 9


async def test_an_event_of_just_16_mib_is_taken_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    """Whatever it consists of: its postings count for what they take."""
    sides = [
        posting for n in range(1, 501) for posting in (debit("assets:cash", n), credit("assets:bank", n))
    ]
    async with opened(tmp_path) as store:
        await household(store)
        small = await store.commit(posted(*sides, key="small", metadata={"t": "x" * 70_000}))
        (segment,) = segments(tmp_path, BOOK)
        room = 16 * 2**20 - len(frames(segment.read_bytes())[-1].payload)
        with pytest.raises(InvalidTransaction, match="larger than 16 MiB"):
            await store.commit(posted(*sides, key="large", metadata={"t": "x" * (70_001 + room)}))
        large = await store.commit(posted(*sides, key="large", metadata={"t": "x" * (70_000 + room)}))
        assert large.seq == small.seq + 1


async def test_a_list_that_holds_itself_is_refused(home: Store) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidTransaction):
        await home.commit(posted(*FINE, metadata=endless))


ENORMOUS = 10**5000
"""More digits than Python will turn into text."""


async def test_an_enormous_amount_is_refused_in_words(home: Store) -> None:
    with pytest.raises(InvalidTransaction):
        await home.commit(posted(*both(ENORMOUS)))
    with pytest.raises(InvalidTransaction):
        await home.commit(posted(*both(-ENORMOUS)))


async def test_an_enormous_int_in_metadata_comes_back(home: Store) -> None:
    kept = posted(*FINE, metadata={"n": [ENORMOUS, -ENORMOUS]})
    await home.commit(kept)
    stored = await home.transaction(kept.id)
    assert stored is not None
    assert (stored.transaction.metadata == {"n": [ENORMOUS, -ENORMOUS]}) is True


GOOD: dict[str, Any] = {
    "None": None,
    "true": True,
    "false": False,
    "zero": 0,
    "big int": 2**200,
    "big negative int": -(2**200),
    "64 bits": 2**64 - 1,
    "beyond 64 bits": 2**64,
    "low 64 bits": -(2**64),
    "int that is a float too": 1,
    "float that is an int too": 1.0,
    "small float": 5e-324,
    "largest float": 1.7976931348623157e308,
    "tenth": 0.1,
    "text": "héllo 🙂 \0 \n \x1b[31m",
    "empty": "",
    "empty list": [],
    "empty object": {},
    "deep": nested(64),
    "odd keys": {"": 1, "a\0": 2, "é": 3, "e\u0301": 4},
    "mixed": {"a": [1, 1.0, True, None, {"b": [[], {}]}], "z": "x" * 70_000},
    "long list": list(range(5000)),
}


@pytest.mark.parametrize("metadata", GOOD.values(), ids=GOOD.keys())
async def test_json_metadata_comes_back_equal_types_and_all(home: Store, metadata: Any) -> None:
    kept = posted(*FINE, metadata=metadata)
    await home.commit(kept)
    stored = await home.transaction(kept.id)
    assert stored is not None
    assert _same(stored.transaction.metadata, metadata)
    assert (await home.commit(kept)).deduplicated


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


async def test_a_negative_zero_keeps_its_sign(home: Store) -> None:
    kept = posted(*FINE, metadata=[-0.0])
    await home.commit(kept)
    stored = await home.transaction(kept.id)
    assert stored is not None
    assert math.copysign(1, stored.transaction.metadata[0]) == -1  # type: ignore[index,arg-type]


async def test_every_field_comes_back_as_it_was_given(home: Store) -> None:
    kept = Transaction(
        id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        book=BOOK,
        postings=(debit("assets:cash", 2**126), credit("assets:bank", 2**126 - 1), credit("clearing", 1)),
        idempotency_key="ключ 🔑" + "x" * 400,
        external_refs=(
            ExternalRef(kind="btc_txid", value="f" * 64),
            ExternalRef(kind="", value=""),
            ExternalRef(kind="btc_txid", value="f" * 64),
        ),
        metadata={"memo": "Miete", "tags": ["a", "b"]},
        occurred_at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    )
    await home.commit(kept)
    for stored in (await home.transaction(kept.id), await home.by_key(BOOK, kept.idempotency_key)):
        assert stored is not None
        assert stored.transaction == kept
        assert isinstance(stored.transaction.postings, tuple)
        assert isinstance(stored.transaction.external_refs, tuple)


@pytest.mark.parametrize(
    "occurred_at",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(2026, 7, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 7, 1, 12, 30, 15, tzinfo=timezone(-timedelta(hours=23, microseconds=7))),
    ],
    ids=["earliest", "latest", "half-hour zone", "odd zone"],
)
async def test_times_come_back_in_utc_to_the_microsecond(home: Store, occurred_at: datetime) -> None:
    kept = posted(*FINE, occurred_at=occurred_at)
    await home.commit(kept)
    stored = await home.transaction(kept.id)
    assert stored is not None
    assert stored.transaction.occurred_at == occurred_at
    assert stored.transaction.occurred_at.utcoffset() == timedelta(0)
    assert stored.at.utcoffset() == timedelta(0)


async def test_what_a_caller_changes_afterwards_has_no_effect(home: Store) -> None:
    metadata: dict[str, Any] = {"memo": "rent", "tags": ["a"]}
    kept = posted(*FINE, metadata=metadata, key="k")
    await home.commit(kept)
    metadata["memo"] = "changed"
    metadata["tags"].append("b")
    stored = await home.by_key(BOOK, "k")
    assert stored is not None
    assert stored.transaction.metadata == {"memo": "rent", "tags": ["a"]}
    again = posted(*FINE, metadata={"memo": "rent", "tags": ["a"]}, key="k")
    assert (await home.commit(again)).deduplicated


async def test_what_a_caller_changes_while_it_waits_has_no_effect(home: Store) -> None:
    metadata: dict[str, Any] = {"memo": "rent"}
    tasks = [
        asyncio.ensure_future(home.commit(posted(*FINE, metadata=metadata, key=f"k{n}"))) for n in range(30)
    ]
    await asyncio.sleep(0)
    metadata["memo"] = object()
    await asyncio.gather(*tasks)
    for n in range(30):
        stored = await home.by_key(BOOK, f"k{n}")
        assert stored is not None
        assert stored.transaction.metadata == {"memo": "rent"}


async def test_what_a_reader_changes_has_no_effect(home: Store) -> None:
    kept = posted(*FINE, metadata={"tags": ["a"]}, key="k")
    await home.commit(kept)
    for _ in range(2):
        stored = await home.by_key(BOOK, "k")
        assert stored is not None
        assert stored.transaction.metadata == {"tags": ["a"]}
        stored.transaction.metadata["tags"].append("b")  # type: ignore[call-overload,index,union-attr]
    assert (await home.commit(kept)).deduplicated


async def test_a_large_event_is_kept(home: Store) -> None:
    kept = posted(*FINE, metadata="x" * (15 * 2**20))
    await home.commit(kept)
    stored = await home.transaction(kept.id)
    assert stored is not None
    assert stored.transaction == kept


async def test_a_key_of_500_bytes_is_allowed(home: Store) -> None:
    for key in ("x" * 500, "é" * 250, " ", "../../etc"):
        await home.commit(posted(*FINE, key=key))
        assert (await home.by_key(BOOK, key)) is not None


async def test_an_account_path_is_free_text(home: Store) -> None:
    for path in ("a b", ":", "a:b:c", "..", "/", "\\", "🙂", "x" * 500, "[/bold]", "'; --"):
        await home.open_account(definition(path), AccountCfg())
        await home.commit(transfer(path, "assets:bank", 3))
        assert (await home.balance(account(path))).amount.minor == 3


async def test_a_thousand_postings_fit_in_a_transaction(home: Store) -> None:
    many = posted(*(debit("assets:cash", 1) for _ in range(1000)), credit("assets:bank", 1000))
    await home.commit(many)
    assert (await home.balance(account("assets:cash"))).amount.minor == 1000
    rows = await home.posting_rows(account("assets:cash"), 990, 100)
    assert [row.balance_after.minor for row in rows] == list(range(991, 1001))


@settings(suppress_health_check=list(HealthCheck), max_examples=15)
@given(
    metadata=json_values(), key=printable_names(), refs=st.lists(st.tuples(st.text(), st.text()), max_size=3)
)
async def test_any_json_and_any_text_comes_back(
    home: Store, metadata: Any, key: str, refs: list[tuple[str, str]]
) -> None:
    kept = posted(
        *FINE,
        key=key,
        metadata=metadata,
        external_refs=tuple(ExternalRef(kind=kind, value=value) for kind, value in refs),
    )
    first = await home.by_key(BOOK, key)
    if first is not None:
        return
    await home.commit(kept)
    stored = await home.by_key(BOOK, key)
    assert stored is not None
    assert stored.transaction == kept
    assert _same(stored.transaction.metadata, metadata)


@settings(suppress_health_check=list(HealthCheck), max_examples=40)
@given(
    field=st.sampled_from(sorted(Transaction.__struct_fields__)),
    value=nasty_values(),
)
async def test_nothing_passed_in_any_field_stops_the_writer(home: Store, field: str, value: Any) -> None:
    hostile = Transaction(**{"book": BOOK, "postings": FINE, "idempotency_key": "hostile", field: value})
    for call in (home.commit(hostile), home.commit_batch([hostile])):
        try:
            await call
        except StoreError:
            pass
    expected = (await home.book(BOOK)).last_seq + 1  # type: ignore[union-attr]
    assert (await home.commit(transfer("assets:cash", "assets:bank", 1))).seq == expected


async def test_what_only_looks_like_a_posting_is_refused_before_it_can_change_its_mind(home: Store) -> None:
    class Posing:
        amount, direction = FINE[0].amount, FINE[0].direction
        reads = 0

        @property
        def account(self) -> Any:
            self.reads += 1
            return account("assets:unknown") if self.reads < 3 else FINE[0].account

    hostile = Transaction(book=BOOK, postings=(Posing(), FINE[1]), idempotency_key="hostile")  # type: ignore[arg-type]
    with pytest.raises(InvalidTransaction):
        await home.commit(hostile)
    (answer,) = await home.commit_batch([hostile])
    assert isinstance(answer, InvalidTransaction)
    assert (await home.commit(transfer("assets:cash", "assets:bank", 1))).seq == 8


async def test_subclasses_of_json_types_come_back_plain_or_are_refused(home: Store) -> None:
    class Text(str):
        pass

    for metadata in (OrderedDict(a=1), Text("x"), [Text("x")], {Text("k"): 1}):
        odd = posted(*FINE, metadata=metadata)
        try:
            await home.commit(odd)
        except InvalidTransaction:
            continue
        stored = await home.transaction(odd.id)
        assert stored is not None
        assert stored.transaction.metadata == metadata


async def test_the_reference_needs_no_files() -> None:
    async with MemoryStore() as store:
        await household(store)
        assert (await store.commit(posted(*FINE))).seq == 8
