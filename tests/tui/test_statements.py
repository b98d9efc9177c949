"""Trial balance, balance sheet and income statement from accounts."""

from __future__ import annotations

from dataclasses import replace

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    BalanceSnapshot,
    Direction,
    TrialBalanceRow,
)
from talea_tui.statements.statement import (
    NET_INCOME,
    AccountFigures,
    AssetTotal,
    balance_sheet,
    income_statement,
    trial_totals,
)


def account(
    path: str, kind: AccountKind, debits: int, credits: int, asset: str = "USD", side: Direction | None = None
) -> AccountFigures:
    info = AccountInfo(
        definition=AccountDef(id=AccountId(book="b", path=path), asset=asset, kind=kind),
        config=AccountCfg(normal_side=side or kind.normal_side),
        balance=BalanceSnapshot(amount=Amount(minor=debits - credits, asset=asset), updated_seq=1),
        postings=2 if debits or credits else 0,
        debits=debits,
        credits=credits,
    )
    return AccountFigures(info, 0, debits, credits)


SHOP = [
    account("bank", AccountKind.ASSET, 1000, 300),
    account("machines", AccountKind.ASSET, 500, 0),
    account("depreciation", AccountKind.ASSET, 0, 100, side=Direction.CREDIT),
    account("card", AccountKind.LIABILITY, 50, 150),
    account("capital", AccountKind.EQUITY, 0, 600),
    account("sales", AccountKind.INCOME, 0, 700),
    account("rent", AccountKind.EXPENSE, 300, 0),
    account("unused", AccountKind.EXPENSE, 0, 0),
    account("wallet", AccountKind.ASSET, 5, 0, asset="ETH"),
    account("mined", AccountKind.INCOME, 0, 5, asset="ETH"),
]


def test_totals_prove_that_debits_equal_credits_and_agree_with_the_log() -> None:
    log = [
        TrialBalanceRow(asset="ETH", debits=5, credits=5),
        TrialBalanceRow(asset="USD", debits=1850, credits=1850),
    ]
    totals = trial_totals(SHOP, log)
    assert [(t.asset, t.debits, t.credits, t.proved) for t in totals] == [
        ("ETH", 5, 5, True),
        ("USD", 1850, 1850, True),
    ]
    wrong = trial_totals(SHOP, [TrialBalanceRow(asset="USD", debits=1851, credits=1851)])
    assert [(t.asset, t.proved) for t in wrong] == [("ETH", False), ("USD", False)]
    assert not trial_totals(SHOP[:1])[0].proved


def test_a_period_is_not_proved_where_what_was_before_it_does_not_balance() -> None:
    balanced = AssetTotal("USD", opening=0, debits=5, credits=5, log_debits=5, log_credits=5)
    assert balanced.proved
    assert not replace(balanced, opening=1).proved


def test_the_income_statement_ends_in_net_income_of_each_asset() -> None:
    statement = income_statement(SHOP)
    assert [(section.title, section.totals) for section in statement.sections] == [
        ("Income", (("ETH", 5), ("USD", 700))),
        ("Expenses", (("USD", 300),)),
    ]
    assert statement.result == (("ETH", 5), ("USD", 400))
    assert [line.label for line in statement.sections[1].lines] == ["rent"]
    assert [line.label for line in income_statement(SHOP, empty=True).sections[1].lines] == ["rent", "unused"]


def test_the_balance_sheet_balances_with_net_income_in_equity() -> None:
    statement = balance_sheet(SHOP)
    assert [section.title for section in statement.sections] == ["Assets", "Liabilities", "Equity"]
    assert [section.totals for section in statement.sections] == [
        (("ETH", 5), ("USD", 1100)),
        (("USD", 100),),
        (("ETH", 5), ("USD", 1000)),
    ]
    assert (NET_INCOME, "USD", 400) in [
        (line.label, line.asset, line.minor) for line in statement.sections[2].lines
    ]
    assert statement.result == (("ETH", 0), ("USD", 0))


def test_what_a_statement_comes_to_is_told_in_three_figures() -> None:
    assert balance_sheet(SHOP).summary == (
        ("assets", (("ETH", 5), ("USD", 1100))),
        ("liabilities", (("USD", 100),)),
        ("net assets", (("ETH", 5), ("USD", 1000))),
    )
    settling = [*SHOP, account("till", AccountKind.CLEARING, 7, 0)]
    assert balance_sheet(settling).summary[0] == ("assets and clearing", (("ETH", 5), ("USD", 1107)))
    income = income_statement(SHOP)
    assert income.summary[-1] == ("net income", income.result)
    assert income.main_asset == "USD"


def test_a_contra_account_reduces_its_section() -> None:
    lines = {line.label: line.minor for line in balance_sheet(SHOP).sections[0].lines}
    assert lines["depreciation"] == -100


def test_a_clearing_account_that_is_not_settled_is_shown() -> None:
    book = [account("bank", AccountKind.ASSET, 0, 10), account("transit", AccountKind.CLEARING, 10, 0)]
    statement = balance_sheet(book)
    assert [section.title for section in statement.sections] == [
        "Assets",
        "Clearing",
        "Liabilities",
        "Equity",
    ]
    assert statement.result == (("USD", 0),)


def test_an_empty_book_has_empty_statements() -> None:
    assert trial_totals([], []) == []
    assert balance_sheet([]).result == ()
