from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import store
from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    AssetDef,
    BalanceSnapshot,
    Committed,
    Commodity,
    Crypto,
    Direction,
    ExternalRef,
    Fiat,
    Posting,
    Transaction,
)
from tests.support.build import WHEN, txid

EUR_5 = Amount(minor=500, asset="EUR")
CASH = AccountId(book="home", path="assets:cash")

VALUES = [
    CASH,
    AssetDef(id="EUR", asset_class=Fiat(), precision=2, name="Euro"),
    AssetDef(id="ETH", asset_class=Crypto(network="ethereum"), precision=18, name="Ether"),
    AccountDef(id=CASH, asset="EUR", kind=AccountKind.ASSET),
    AccountCfg(normal_side=Direction.DEBIT, min_balance=0),
    EUR_5,
    Posting(account=CASH, amount=EUR_5, direction=Direction.DEBIT),
    ExternalRef(kind="invoice", value="7"),
    Transaction(
        id=txid(1), book="home", postings=(), idempotency_key="k", metadata={"a": 1}, occurred_at=WHEN
    ),
    Committed(txid=txid(1), seq=1, at=WHEN),
    BalanceSnapshot(amount=EUR_5, updated_seq=3),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_equals_another_of_the_same_fields(value: object) -> None:
    fields = {name: getattr(value, name) for name in type(value).__struct_fields__}  # type: ignore[attr-defined]
    assert type(value)(**fields) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_cannot_be_changed(value: object) -> None:
    name = type(value).__struct_fields__[0]  # type: ignore[attr-defined]
    with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
        setattr(value, name, getattr(value, name))


def test_every_name_of_the_contract_comes_from_the_front_door() -> None:
    names = [
        "AccountId",
        "AccountKind",
        "Direction",
        "AssetDef",
        "Fiat",
        "Crypto",
        "Commodity",
        "AccountDef",
        "AccountCfg",
        "Amount",
        "Posting",
        "ExternalRef",
        "Transaction",
        "Committed",
        "BalanceSnapshot",
        "PostingRecord",
        "StoredTransaction",
        "TrialBalanceRow",
        "Sequenced",
        "AssetRegistered",
        "AccountOpened",
        "TransactionPosted",
        "BookInfo",
        "AccountInfo",
        "StoreError",
        "InvalidBook",
        "InvalidDefinition",
        "InvalidTransaction",
        "Unbalanced",
        "AmountOverflow",
        "UnknownAsset",
        "UnknownAccount",
        "AssetMismatch",
        "AlreadyExists",
        "ConstraintViolation",
        "IdempotencyConflict",
        "HeadMismatch",
        "StoreIOError",
        "StoreLocked",
        "StoreClosed",
        "WriterStopped",
        "UnsupportedFormat",
        "CorruptLog",
        "LogTaleaStore",
        "LogStoreOptions",
        "Store",
    ]
    assert [name for name in names if not hasattr(store, name)] == []


@pytest.mark.parametrize(
    ("book", "path", "key"),
    [
        ("home", "assets:cash", "home:assets:cash"),
        ("a:b", "c", "a\\:b:c"),
        ("a", "b:c", "a:b:c"),
        ("a\\", "b", "a\\\\:b"),
        ("", "", ":"),
        ("home", "back\\slash", "home:back\\slash"),
    ],
)
def test_an_account_key_escapes_the_book_alone(book: str, path: str, key: str) -> None:
    assert AccountId(book=book, path=path).key == key
    assert AccountId.parse(key) == AccountId(book=book, path=path)


@given(st.text(), st.text())
def test_parsing_a_key_gives_the_account_back(book: str, path: str) -> None:
    account = AccountId(book=book, path=path)
    assert AccountId.parse(account.key) == account


@given(*[st.text(alphabet=":\\ab", max_size=6)] * 4)
def test_distinct_accounts_never_share_a_key(book: str, path: str, other_book: str, other_path: str) -> None:
    one, other = AccountId(book=book, path=path), AccountId(book=other_book, path=other_path)
    assert (one.key == other.key) == (one == other)


@pytest.mark.parametrize("text", ["", "home", "a\\bc:d", "a\\"])
def test_text_that_is_no_key_does_not_parse(text: str) -> None:
    with pytest.raises(ValueError, match="account key"):
        AccountId.parse(text)


def test_kinds_have_their_normal_sides() -> None:
    assert {kind.value: kind.normal_side for kind in AccountKind} == {
        "asset": Direction.DEBIT,
        "liability": Direction.CREDIT,
        "income": Direction.CREDIT,
        "expense": Direction.DEBIT,
        "equity": Direction.CREDIT,
        "clearing": None,
    }


def test_directions_are_words() -> None:
    assert [direction.value for direction in Direction] == ["debit", "credit"]


def test_asset_classes_are_different_things() -> None:
    assert Fiat() == Fiat()
    assert Fiat() != Commodity()
    assert Crypto(network="bitcoin") == Crypto(network="bitcoin", native_id=None)
    assert Crypto(network="ethereum", native_id="0xa0") != Crypto(network="ethereum")


def test_a_receipt_compares_without_its_deduplication_mark() -> None:
    first = Committed(txid=txid(1), seq=4, at=WHEN)
    again = Committed(txid=txid(1), seq=4, at=WHEN, deduplicated=True)
    assert first == again
    assert not first != again  # noqa: SIM202 - `!=` is a method of its own
    assert hash(first) == hash(again)
    assert first != Committed(txid=txid(1), seq=5, at=WHEN)
    assert first != Committed(txid=txid(2), seq=4, at=WHEN)
    assert first != Committed(txid=txid(1), seq=4, at=WHEN + timedelta(microseconds=1))
    assert not first.deduplicated


def test_what_is_known_of_an_account_compares_without_where_it_was_opened() -> None:
    definition = AccountDef(id=CASH, asset="EUR", kind=AccountKind.ASSET)
    config, balance = AccountCfg(normal_side=Direction.DEBIT), BalanceSnapshot(amount=EUR_5, updated_seq=3)
    first, again = (AccountInfo(definition, config, balance, 1, 500, 0, opened_seq=seq) for seq in (0, 2))
    assert first == again
    assert not first != again  # noqa: SIM202 - `!=` is a method of its own
    assert hash(first) == hash(again)
    assert first != AccountInfo(definition, config, balance, 1, 501, 0)


def test_a_transaction_takes_keywords_only() -> None:
    with pytest.raises(TypeError):
        Transaction("home", (), "key")  # type: ignore[misc]


def test_a_transaction_has_defaults_of_its_own() -> None:
    before = datetime.now(UTC)
    one = Transaction(book="home", postings=(), idempotency_key="k")
    other = Transaction(book="home", postings=(), idempotency_key="k")
    assert (one.external_refs, one.metadata) == ((), {})
    assert one.metadata is not other.metadata
    assert one.id != other.id
    assert one.id.version == 7
    assert before <= one.occurred_at <= datetime.now(UTC)
    assert one.occurred_at.utcoffset() == timedelta(0)


def test_later_ids_sort_after_earlier_ones_of_another_millisecond() -> None:
    stamps = [Transaction(book="b", postings=(), idempotency_key="k").id.int >> 80 for _ in range(1000)]
    assert stamps == sorted(stamps)
