"""What the filter language lets pass."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import (
    AccountCfg,
    AccountKind,
    AccountOpened,
    AssetRegistered,
    ExternalRef,
    Sequenced,
    TransactionPosted,
)
from talea_tui.events.filter import EVERYTHING, FilterError, parse_filter
from tests.support.build import asset, credit, debit, definition, posted, transfer, txid

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRECISIONS = {"USD": 2, "EUR": 2, "JPY": 0, "ETH": 18}


def passes(text: str, event: object, book: str = "household") -> bool:
    if not isinstance(event, TransactionPosted | AccountOpened | AssetRegistered):
        event = TransactionPosted(transaction=event)
    return parse_filter(text, PRECISIONS.__getitem__).matches(book, Sequenced(seq=1, at=AT, event=event))


COFFEE = transfer(
    "expenses:food:coffee",
    "assets:bank",
    1250,
    asset="USD",
    key="import-0042",
    id=txid(0xABCDEF),
    metadata={"description": "Blue Bottle Café", "tags": ["morning", "wörk"]},
    external_refs=(ExternalRef(kind="invoice", value="INV-88121"),),
)
OPENED = AccountOpened(
    definition=definition("clients:globex", AccountKind.LIABILITY, "USD"), config=AccountCfg()
)
REGISTERED = AssetRegistered(asset=asset("EUR", name="Euro"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "blue",
        "CAFÉ",
        '"blue bottle"',
        "wörk",
        "blue coffee",
        "account:coffee",
        "account:expenses:*",
        "account:*:COFFEE",
        "kind:tx",
        "kind:t",
        "Kind:Transaction",
        "asset:usd",
        "asset:U*",
        "amount>12.49",
        "amount>=12.50",
        "amount=12.5",
        "amount:12.50",
        "amount<13",
        "amount<=1,250.00",
        "amount:10..20",
        "key:import-*",
        "key:0042",
        "ref:INV-88121",
        "ref:invoice:*",
        "invoice:inv-88121",
        '"invoice inv-88121"',
        "book:house*",
        "id:00000000-0000-0000-0000-000000abcdef",
        "-tea",
        "!account:rent",
        "-kind:acct -kind:asset",
        "account:",
        "kind:",
        "-",
        "!",
        '"',
        '""',
        'account:"expenses:food:*"',
        "account:coffee amount>12 asset:USD",
        "expenses:food",
    ],
)
def test_it_passes(text: str) -> None:
    assert passes(text, COFFEE)


@pytest.mark.parametrize(
    "text",
    [
        "tea",
        '"bottle blue"',
        "account:food:*",
        "account:expenses:food:coffee:*",
        "kind:acct",
        "asset:US",
        "asset:EUR",
        "amount>12.50",
        "amount<12.5",
        "amount=12.505",
        "amount:13..20",
        "key:0043*",
        "ref:btc*",
        "book:house",
        "id:1",
        "-blue",
        '-"blue bottle"',
        "!account:coffee",
        "-kind:tx",
        "-amount>10",
        "blue tea",
        '"kind:tx"',
    ],
)
def test_it_does_not_pass(text: str) -> None:
    assert not passes(text, COFFEE)


def test_account_asset_and_amount_hold_for_one_and_the_same_posting() -> None:
    exchange = posted(
        debit("wallet", 5, "EUR"),
        credit("trading", 5, "EUR"),
        debit("yen", 900, "JPY"),
        credit("trading", 900, "JPY"),
    )
    assert passes("asset:JPY amount>100", exchange)
    assert not passes("asset:EUR amount>100", exchange)
    assert passes("account:trading asset:EUR", exchange)
    assert not passes("account:wallet asset:JPY", exchange)


def test_a_negated_account_excludes_every_event_that_touches_it() -> None:
    assert not passes("-account:assets:bank", COFFEE)
    assert passes("-account:assets:cash", COFFEE)


def test_amounts_are_compared_exactly_in_each_assets_own_places() -> None:
    wei = transfer("a", "b", 10**18 + 1, asset="ETH")
    assert passes("amount>1", wei)
    assert not passes("amount=1", wei)
    assert passes("amount:1.000000000000000001", wei)
    assert not passes("amount>1.000000000000000001", wei)
    assert passes("amount>0.5", transfer("a", "b", 1, asset="JPY"))
    assert not passes("amount<0.5", transfer("a", "b", 1, asset="JPY"))


def test_a_bound_between_two_amounts_parts_them() -> None:
    for minor, below in ((1000, True), (1001, False)):
        event = transfer("expenses:rent", "assets:bank", minor, asset="USD")
        assert [passes(f"amount{sign}10.005", event) for sign in ("<", "<=", ">", ">=")] == [
            below, below, not below, not below,
        ]  # fmt: skip


def test_opened_accounts_and_registered_assets_are_events_too() -> None:
    assert passes("kind:acct account:clients* asset:USD", OPENED)
    assert passes("opened globex", OPENED)
    assert passes("liability", OPENED)
    assert not passes("amount>=0", OPENED)
    assert not passes("key:a", OPENED)
    assert passes("kind:asset asset:EUR euro", REGISTERED, "_system")
    assert not passes("account:*a*", REGISTERED, "_system")


@pytest.mark.parametrize(
    "text", ["kind:nonsense", "kind:a", "amount>", "amount>ten", "amount:1,0", "amount>1..2"]
)
def test_what_cannot_be_meant_is_told(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text, PRECISIONS.__getitem__)


def test_an_empty_filter_is_false_and_lets_all_pass() -> None:
    assert not EVERYTHING
    assert not parse_filter(" account: ", PRECISIONS.__getitem__)
    assert parse_filter("a", PRECISIONS.__getitem__)


def test_quotes_make_text_of_what_looks_like_a_field_or_a_negation() -> None:
    said = transfer("a", "b", 1, metadata={"description": 'kind:tx -minus "q"'})
    assert passes('"kind:tx -minus"', said)
    assert passes('"-minus"', said)
    assert not passes('-"-minus"', said)


def test_hostile_globs_end_at_once() -> None:
    long = transfer("a" * 400, "b", 1)
    assert not passes("account:" + "*a" * 30 + "*b", posted(debit("a" * 400, 1), credit("c", 1)))
    assert passes("account:***", long)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    with suppress(FilterError):
        passes(text, COFFEE)


@given(st.text(alphabet='-!:"*?[]<>=. account1kindt\\', max_size=30))
def test_any_mix_of_the_languages_signs_is_a_filter_or_a_filter_error(text: str) -> None:
    with suppress(FilterError):
        passes(text, COFFEE)
