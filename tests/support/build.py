"""Short ways to say what tests say often."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    AssetClass,
    AssetDef,
    Direction,
    Fiat,
    Posting,
    Transaction,
)
from store.protocol import Store

BOOK = "household"
FIAT = Fiat()
WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_keys = itertools.count(1)


def asset(
    id: str = "EUR", precision: int = 2, asset_class: AssetClass = FIAT, name: str | None = None
) -> AssetDef:
    return AssetDef(id=id, asset_class=asset_class, precision=precision, name=id if name is None else name)


def usd(minor: int) -> Amount:
    return Amount(minor=minor, asset="USD")


def eur(minor: int) -> Amount:
    return Amount(minor=minor, asset="EUR")


def account(path: str, book: str = BOOK) -> AccountId:
    return AccountId(book=book, path=path)


def definition(
    path: str, kind: AccountKind = AccountKind.ASSET, asset: str = "EUR", book: str = BOOK
) -> AccountDef:
    return AccountDef(id=account(path, book), asset=asset, kind=kind)


def debit(path: str, minor: int, asset: str = "EUR", book: str = BOOK) -> Posting:
    return Posting(
        account=account(path, book), amount=Amount(minor=minor, asset=asset), direction=Direction.DEBIT
    )


def credit(path: str, minor: int, asset: str = "EUR", book: str = BOOK) -> Posting:
    return Posting(
        account=account(path, book), amount=Amount(minor=minor, asset=asset), direction=Direction.CREDIT
    )


def posted(*postings: Posting, book: str = BOOK, key: str | None = None, **fields: Any) -> Transaction:
    """A transaction of these postings, with a key of its own unless one is given."""
    return Transaction(
        book=book, postings=postings, idempotency_key=f"key-{next(_keys)}" if key is None else key, **fields
    )


def transfer(
    to: str,
    source: str,
    minor: int,
    *,
    asset: str = "EUR",
    book: str = BOOK,
    key: str | None = None,
    **fields: Any,
) -> Transaction:
    """Debit `to`, credit `source`."""
    postings = debit(to, minor, asset, book), credit(source, minor, asset, book)
    return posted(*postings, book=book, key=key, **fields)


def txid(number: int) -> UUID:
    return UUID(int=number)


async def open_accounts(
    store: Store, kinds: dict[str, AccountKind], *, asset: str = "EUR", book: str = BOOK, **config: Any
) -> None:
    for path, kind in kinds.items():
        await store.open_account(definition(path, kind, asset, book), AccountCfg(**config))


HOUSEHOLD = {
    "assets:cash": AccountKind.ASSET,
    "assets:bank": AccountKind.ASSET,
    "liabilities:card": AccountKind.LIABILITY,
    "income:salary": AccountKind.INCOME,
    "expenses:food": AccountKind.EXPENSE,
    "equity:opening": AccountKind.EQUITY,
    "clearing": AccountKind.CLEARING,
}


async def household(store: Store, book: str = BOOK) -> None:
    """Assets EUR and USD; seven accounts in EUR, one of each kind and a bank. Leaves `book` at seq 7."""
    await store.register_asset(asset("EUR"))
    await store.register_asset(asset("USD"))
    await open_accounts(store, HOUSEHOLD, book=book)
