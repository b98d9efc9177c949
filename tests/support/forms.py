"""A small shop's accounts as the posting form sees them."""

from __future__ import annotations

from datetime import date

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    BalanceSnapshot,
)

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
