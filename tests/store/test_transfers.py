"""What most transactions are, one amount from one account to another, takes a shorter way that means the same."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import store.requests
from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    Direction,
    Posting,
    StoreError,
    Transaction,
)
from store.account import Account
from store.requests import check_transaction
from tests.support.build import BOOK, WHEN, credit, debit, txid
from tests.support.strategies import nasty_values


@dataclass
class Resembling:
    """What has an account's names, and is none."""

    book: str
    path: Any


class Agreeable:
    """An amount, an asset or an account that claims to be any other."""

    path, minor, asset = "cash", 7, "EUR"

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(self.path)


class Quarrelsome(Agreeable):
    """One that cannot be compared."""

    __hash__ = Agreeable.__hash__

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")


NOT_A_NUMBER = Decimal("sNaN")
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)
ODD: list[Any] = [Agreeable(), Quarrelsome(), ANY, NOT_A_NUMBER, ENDLESS]


def paid(account: Any = None, amount: Any = None, direction: Any = Direction.DEBIT) -> Posting:
    return Posting(account or AccountId(BOOK, "bank"), amount or Amount(5, "EUR"), direction)


ACCOUNTS = {
    path: Account(index, 0, AccountDef(AccountId(BOOK, path), asset, AccountKind.ASSET), AccountCfg(), 1)
    for index, (path, asset) in enumerate({"cash": "EUR", "bank": "EUR", "gold": "XAU"}.items())
}

amounts = st.builds(
    Amount,
    st.integers(-1, 3)
    | st.sampled_from([True, 1.0, "1", None, 2**63, 2**64, 2**64 + 1, 2**127 - 1, 2**127, *ODD]),
    st.sampled_from(["EUR", "EUR", "EUR", "XAU", "USD", 5, None, *ODD]),
) | st.sampled_from(ODD)
account_ids = (
    st.builds(
        AccountId, st.sampled_from([BOOK, BOOK, "other"]), st.sampled_from([*ACCOUNTS, "unknown", [], None])
    )
    | st.builds(Resembling, st.just(BOOK), st.sampled_from(["cash", []]))
    | st.sampled_from(ODD)
)
directions = st.sampled_from([*Direction, *Direction, "debit", None])
postings = st.builds(Posting, account_ids, amounts, directions)


def outcome(pair: tuple[Any, ...]) -> tuple[object, ...]:
    """What becomes of a pair of postings: all of the request, or the refusal."""
    transaction = Transaction(id=txid(1), book=BOOK, postings=pair, idempotency_key="key", occurred_at=WHEN)
    try:
        request = check_transaction(transaction, ACCOUNTS)
    except StoreError as e:
        return type(e), str(e)
    return request.legs, request.print8, request.body, request.unresolved is None


@given(st.tuples(postings | nasty_values(), postings | nasty_values()))
@example((debit("cash", 5), credit("bank", 5)))
@example((credit("cash", 5), debit("bank", 5)))
@example((credit("cash", 2**64 - 1), debit("bank", 2**64 - 1)))
@example((credit("cash", 2**64), debit("bank", 2**64)))
@example((debit("cash", 5), debit("bank", 5)))
@example((debit("cash", 5), credit("cash", 5)))
@example((debit("cash", 5), credit("gold", 5)))
@example((debit("gold", 5), credit("gold", 5)))
@example((debit("cash", 1), credit("bank", True)))
@example((credit("cash", 5), paid(amount=Agreeable())))
@example((credit("cash", 5), paid(amount=ANY)))
@example((credit("cash", 5), paid(account=Agreeable())))
@example((credit("cash", 5), paid(account=Quarrelsome())))
@example((credit("cash", 5), paid(amount=Amount(5, Agreeable()))))  # type: ignore[arg-type]
@example((credit("cash", 5), paid(amount=Amount(5, Quarrelsome()))))  # type: ignore[arg-type]
@example((credit("gold", 5, "XAU"), paid(amount=Amount(5, Agreeable()))))  # type: ignore[arg-type]
@example((paid(amount=Amount(NOT_A_NUMBER, "EUR")), paid(amount=Amount(NOT_A_NUMBER, "EUR"))))  # type: ignore[arg-type]
@example((paid(amount=Amount(ENDLESS, "EUR")), paid(amount=Amount(ENDLESS, "EUR"))))  # type: ignore[arg-type]
@example((debit("unknown", 5), credit("bank", 5)))
@example((debit("cash", 5), credit("bank", 5, book="other")))
def test_two_postings_mean_the_same_on_the_short_way_and_on_the_long_one(pair: tuple[Any, Any]) -> None:
    on_the_short_way = outcome(pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.requests, "_transfer", lambda *_: None)
        assert on_the_short_way == outcome(pair)


def test_a_plain_transfer_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(store.requests, "_resolve", fails)
    assert outcome((debit("cash", 5), credit("bank", 5)))[0] == (0, 5, 1, -5)
    assert outcome((credit("cash", 5), debit("bank", 5)))[0] == (0, -5, 1, 5)
