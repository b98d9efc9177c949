"""Trial balance, balance sheet and income statement from a book's accounts. Pure; minor units throughout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store import AccountInfo, AccountKind, TrialBalanceRow

NET_INCOME = "Net income, not closed"


@dataclass(frozen=True, slots=True)
class AssetTotal:
    """Turnover of an asset over all accounts, beside what the log sums to (None before it is known)."""

    asset: str
    debits: int
    credits: int
    log_debits: int | None = None
    log_credits: int | None = None

    @property
    def proved(self) -> bool:
        """Debits equal credits, and the accounts agree with the log."""
        if self.debits != self.credits:
            return False
        return self.log_debits is None or (self.debits, self.credits) == (self.log_debits, self.log_credits)


def trial_totals(
    accounts: Iterable[AccountInfo], log: Sequence[TrialBalanceRow] | None = None
) -> list[AssetTotal]:
    """A total for each asset that has any posting, by asset."""
    sums: dict[str, tuple[int, int]] = {}
    for info in accounts:
        if info.postings:
            debits, credits = sums.get(info.definition.asset, (0, 0))
            sums[info.definition.asset] = debits + info.debits, credits + info.credits
    if log is None:
        return [AssetTotal(asset, debits, credits) for asset, (debits, credits) in sorted(sums.items())]
    by_asset = {row.asset: row for row in log}
    totals = []
    for asset in sorted(sums.keys() | by_asset.keys()):
        debits, credits = sums.get(asset, (0, 0))
        row = by_asset.get(asset, TrialBalanceRow(asset=asset, debits=0, credits=0))
        totals.append(AssetTotal(asset, debits, credits, row.debits, row.credits))
    return totals


@dataclass(frozen=True, slots=True)
class StatementLine:
    """An account, or with `account` None a computed line; `minor` counts positive on the section's side."""

    label: str
    asset: str
    minor: int
    account: AccountInfo | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """`totals` are (asset, minor), by asset."""

    title: str
    lines: tuple[StatementLine, ...]
    totals: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """`result` is (asset, minor): net income, or what is wrong with a balance sheet (all zero when it
    balances).
    """

    title: str
    sections: tuple[Section, ...]
    result_label: str
    result: tuple[tuple[str, int], ...]


_CREDIT_SIDE = (AccountKind.LIABILITY, AccountKind.EQUITY, AccountKind.INCOME)


def natural_balance(info: AccountInfo) -> int:
    """Positive on the side of the account's kind, whatever side the account itself reports on.

    A contra account therefore reduces its section.
    """
    debit_positive = info.debits - info.credits
    return -debit_positive if info.definition.kind in _CREDIT_SIDE else debit_positive


def balance_sheet(accounts: Sequence[AccountInfo], *, empty: bool = False) -> Statement:
    """What is owned, what is owed, what is left. Clearing accounts count as owned: in a settled book they are
    zero.

    `empty` lists accounts without a balance too.
    """
    assets = _section("Assets", accounts, (AccountKind.ASSET,), empty)
    clearing = _section("Clearing", accounts, (AccountKind.CLEARING,), empty)
    liabilities = _section("Liabilities", accounts, (AccountKind.LIABILITY,), empty)
    equity = _section("Equity", accounts, (AccountKind.EQUITY,), empty)
    income = dict(income_statement(accounts).result)
    if any(income.values()):
        lines = tuple(StatementLine(NET_INCOME, asset, minor) for asset, minor in income.items() if minor)
        equity = Section(equity.title, equity.lines + lines, _added(equity.totals, income.items()))
    owned = _added(assets.totals, clearing.totals)
    claims = _added(liabilities.totals, equity.totals)
    difference = _added(owned, [(asset, -minor) for asset, minor in claims])
    sections = tuple(s for s in (assets, clearing, liabilities, equity) if s.lines or s is not clearing)
    return Statement("Balance sheet", sections, "Difference, must be zero", difference)


def income_statement(accounts: Sequence[AccountInfo], *, empty: bool = False) -> Statement:
    """What came in, what went out, and the difference of each asset."""
    income = _section("Income", accounts, (AccountKind.INCOME,), empty)
    expenses = _section("Expenses", accounts, (AccountKind.EXPENSE,), empty)
    net = _added(income.totals, [(asset, -minor) for asset, minor in expenses.totals])
    return Statement("Income statement", (income, expenses), "Net income", net)


def _section(
    title: str, accounts: Iterable[AccountInfo], kinds: tuple[AccountKind, ...], empty: bool
) -> Section:
    lines = tuple(
        StatementLine(info.definition.id.path, info.definition.asset, natural_balance(info), info)
        for info in accounts
        if info.definition.kind in kinds and (empty or natural_balance(info))
    )
    return Section(title, lines, _added((), [(line.asset, line.minor) for line in lines]))


def _added(one: Iterable[tuple[str, int]], other: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for asset, minor in (*one, *other):
        sums[asset] = sums.get(asset, 0) + minor
    return tuple(sorted(sums.items()))
