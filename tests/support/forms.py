"""A small shop: its accounts as the posting form sees them, and as a book in a store."""

from __future__ import annotations

from datetime import UTC, date, datetime

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    AssetDef,
    BalanceSnapshot,
    Crypto,
    Direction,
    Fiat,
    Posting,
    Transaction,
)
from store.protocol import Store
from talea_tui.formatting import printable

SUNDAY = date(2026, 11, 22)
PRECISIONS = {"USD": 2, "ETH": 18, "JPY": 0}
BOOK = "shop"


def info(
    path: str,
    kind: AccountKind = AccountKind.ASSET,
    asset: str = "USD",
    balance: int = 0,
    min_balance: int | None = None,
) -> AccountInfo:
    return AccountInfo(
        definition=AccountDef(id=AccountId(book=BOOK, path=path), asset=asset, kind=kind),
        config=AccountCfg(normal_side=kind.normal_side, min_balance=min_balance),
        balance=BalanceSnapshot(amount=Amount(minor=balance, asset=asset), updated_seq=1),
        postings=1,
        debits=0,
        credits=0,
    )


ACCOUNTS = {
    account.definition.id.path: account
    for account in (
        info("Assets:Checking", balance=100_00, min_balance=0),
        info("Expenses:Rent", AccountKind.EXPENSE, balance=500_00),
        info("Expenses:Supplies", AccountKind.EXPENSE),
        info("Liabilities:Card", AccountKind.LIABILITY, balance=20_00),
        info("Wallet:Hot", asset="ETH"),
        info("Wallet:Cold", asset="ETH"),
    )
}


CHART = (
    ("Assets:Checking", AccountKind.ASSET, "USD", 0),
    ("Equity", AccountKind.EQUITY, "USD", None),
    ("Expenses:Rent", AccountKind.EXPENSE, "USD", None),
    ("Expenses:Supplies", AccountKind.EXPENSE, "USD", None),
    ("Income:Mined", AccountKind.INCOME, "ETH", None),
    ("Revenue:MemberDues", AccountKind.INCOME, "USD", None),
    ("Wallet:Cold", AccountKind.ASSET, "ETH", None),
    ("Wallet:Hot", AccountKind.ASSET, "ETH", None),
)
ETHER = 10**18


def entry(
    day: str, description: str, debited: str, credited: str, minor: int, asset: str = "USD"
) -> Transaction:
    """A transaction of two postings as an import would write it."""
    return Transaction(
        book=BOOK,
        idempotency_key=f"{day} {printable(description)}",
        metadata={"description": description, "date": day},
        occurred_at=datetime.fromisoformat(day).replace(tzinfo=UTC),
        postings=tuple(
            Posting(
                account=AccountId(book=BOOK, path=path),
                amount=Amount(minor=minor, asset=asset),
                direction=direction,
            )
            for path, direction in ((debited, Direction.DEBIT), (credited, Direction.CREDIT))
        ),
    )


async def open_shop(store: Store) -> None:
    """Eight accounts and four transactions: book `shop` at seq 12."""
    await store.register_asset(AssetDef(id="USD", asset_class=Fiat(), precision=2, name="US dollar"))
    await store.register_asset(
        AssetDef(id="ETH", asset_class=Crypto(network="ethereum"), precision=18, name="Ether")
    )
    for path, kind, asset, minimum in CHART:
        definition = AccountDef(id=AccountId(book=BOOK, path=path), asset=asset, kind=kind)
        await store.open_account(definition, AccountCfg(min_balance=minimum))
    await store.commit(entry("2026-11-01", "Opening", "Assets:Checking", "Equity", 19_678_10))
    await store.commit(
        entry("2026-11-02", "Zelle payment to BUBBLY DYNAMICS", "Expenses:Rent", "Assets:Checking", 1_466_00)
    )
    await store.commit(
        entry("2026-11-19", "THE HOME DEPOT #1901", "Expenses:Supplies", "Assets:Checking", 15_36)
    )
    await store.commit(
        entry("2026-11-20", "Mined", "Wallet:Cold", "Income:Mined", 120_000_000 * ETHER, asset="ETH")
    )
