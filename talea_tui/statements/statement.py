"""Trial balance, balance sheet and income statement from what accounts did. Pure; minor units throughout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from store import AccountInfo, AccountKind, TrialBalanceRow

NET_INCOME = "Net income, not closed"


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What an account had before a period, debit-positive, and what it turned over within."""

    info: AccountInfo
    opening: int
    debits: int
    credits: int

    @property
    def asset(self) -> str:
        return self.info.definition.asset

    @property
    def change(self) -> int:
        """Debit-positive, as is `closing`."""
        return self.debits - self.credits

    @property
    def closing(self) -> int:
        return self.opening + self.change

    @property
    def moved(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.opening or self.debits or self.credits)


def of_all_time(accounts: Iterable[AccountInfo]) -> list[AccountFigures]:
    return [AccountFigures(info, 0, info.debits, info.credits) for info in accounts]


@dataclass(frozen=True, slots=True)
class AssetTotal:
    """Figures of an asset over all accounts, beside what the log sums to (None where that is not known)."""

    asset: str
    opening: int
    debits: int
    credits: int
    log_debits: int | None = None
    log_credits: int | None = None

    @property
    def proved(self) -> bool:
        """Debits equal credits, now and before, and the accounts agree with the log."""
        if self.debits != self.credits or self.opening:
            return False
        return self.log_debits is None or (self.debits, self.credits) == (self.log_debits, self.log_credits)

    @property
    def by_column(self) -> dict[str, int]:
        """Its figures by the column of a trial balance in which they stand."""
        change = self.debits - self.credits
        closing = self.opening + change
        return {
            "opening": self.opening,
            "debits": self.debits,
            "credits": self.credits,
            "change": change,
            "closing": closing,
            "balance": closing,
        }


def trial_totals(
    accounts: Iterable[AccountFigures], log: Sequence[TrialBalanceRow] | None = None
) -> list[AssetTotal]:
    """A total for each asset in which anything moved, by asset."""
    sums: dict[str, tuple[int, int, int]] = {}
    for one in accounts:
        if one.moved:
            opening, debits, credits = sums.get(one.asset, (0, 0, 0))
            sums[one.asset] = opening + one.opening, debits + one.debits, credits + one.credits
    if log is None:
        return [AssetTotal(asset, *figures) for asset, figures in sorted(sums.items())]
    by_asset = {row.asset: row for row in log}
    totals = []
    for asset in sorted(sums.keys() | by_asset.keys()):
        row = by_asset.get(asset, TrialBalanceRow(asset=asset, debits=0, credits=0))
        totals.append(AssetTotal(asset, *sums.get(asset, (0, 0, 0)), row.debits, row.credits))
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

    `summary` names three (asset, minor), of which the last is the first without the second.
    """

    title: str
    sections: tuple[Section, ...]
    result_label: str
    result: tuple[tuple[str, int], ...]
    summary: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]

    @property
    def main_asset(self) -> str:
        """The one of most lines, where there is room for one."""
        held = Counter(line.asset for section in self.sections for line in section.lines)
        return max(held, key=lambda asset: (held[asset], asset), default="")


_CREDIT_SIDE = (AccountKind.LIABILITY, AccountKind.EQUITY, AccountKind.INCOME)


def natural_change(figures: AccountFigures) -> int:
    """Positive on the side of the account's kind, whatever side the account itself reports on.

    A contra account therefore reduces its section.
    """
    return -figures.change if figures.info.definition.kind in _CREDIT_SIDE else figures.change


def natural_closing(figures: AccountFigures) -> int:
    """The balance at the end, with the sign of `natural_change`."""
    return -figures.closing if figures.info.definition.kind in _CREDIT_SIDE else figures.closing


def balance_sheet(accounts: Sequence[AccountFigures], *, empty: bool = False) -> Statement:
    """What is owned, what is owed, what is left at the end. Clearing accounts count as owned: in a settled
    book they are zero.

    `empty` lists accounts without a balance too.
    """
    assets = _section("Assets", accounts, (AccountKind.ASSET,), natural_closing, empty)
    clearing = _section("Clearing", accounts, (AccountKind.CLEARING,), natural_closing, empty)
    liabilities = _section("Liabilities", accounts, (AccountKind.LIABILITY,), natural_closing, empty)
    equity = _section("Equity", accounts, (AccountKind.EQUITY,), natural_closing, empty)
    income = dict(_earned(accounts, natural_closing, empty).result)
    if any(income.values()):
        lines = tuple(StatementLine(NET_INCOME, asset, minor) for asset, minor in income.items() if minor)
        equity = Section(equity.title, equity.lines + lines, _added(equity.totals, income.items()))
    owned = _added(assets.totals, clearing.totals)
    claims = _added(liabilities.totals, equity.totals)
    difference = _less(owned, claims)
    sections = tuple(s for s in (assets, clearing, liabilities, equity) if s.lines or s is not clearing)
    summary = (
        ("assets and clearing" if clearing.lines else "assets", owned),
        ("liabilities", liabilities.totals),
        ("net assets", _less(owned, liabilities.totals)),
    )
    mark = "✗" if any(minor for _, minor in difference) else "✓"
    return Statement("Balance sheet", sections, f"Difference, must be zero {mark}", difference, summary)


def income_statement(accounts: Sequence[AccountFigures], *, empty: bool = False) -> Statement:
    """What came in, what went out, and the difference of each asset."""
    return _earned(accounts, natural_change, empty)


_Figure: TypeAlias = Callable[[AccountFigures], int]


def _earned(accounts: Sequence[AccountFigures], figure: _Figure, empty: bool) -> Statement:
    income = _section("Income", accounts, (AccountKind.INCOME,), figure, empty)
    expenses = _section("Expenses", accounts, (AccountKind.EXPENSE,), figure, empty)
    net = _less(income.totals, expenses.totals)
    summary = (("income", income.totals), ("expenses", expenses.totals), ("net income", net))
    return Statement("Income statement", (income, expenses), "Net income", net, summary)


def _section(
    title: str,
    accounts: Iterable[AccountFigures],
    kinds: tuple[AccountKind, ...],
    figure: _Figure,
    empty: bool,
) -> Section:
    lines = tuple(
        StatementLine(one.info.definition.id.path, one.asset, figure(one), one.info)
        for one in accounts
        if one.info.definition.kind in kinds and (empty or figure(one))
    )
    return Section(title, lines, _added((), [(line.asset, line.minor) for line in lines]))


def _added(one: Iterable[tuple[str, int]], other: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for asset, minor in (*one, *other):
        sums[asset] = sums.get(asset, 0) + minor
    return tuple(sorted(sums.items()))


def _less(one: Iterable[tuple[str, int]], other: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return _added(one, [(asset, -minor) for asset, minor in other])
