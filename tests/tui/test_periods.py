"""Periods of statements: what people type, stepping, and the sums of days behind them."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import AccountInfo, AccountKind
from store.protocol import Store
from talea_tui.parsing import ParseError
from talea_tui.statements.period import ALL, UNITS, Period, parse_period, period_of
from talea_tui.statements.statement import AccountFigures, balance_sheet, income_statement, trial_totals
from talea_tui.statements.turnover import PAGE_EVENTS, DatedTurnover
from tests.cli.support import HACKERSPACE, YEARS, import_file, needs_hledger
from tests.support.build import asset, open_accounts, transfer
from tests.support.memory_store import MemoryStore

TODAY = date(2026, 11, 22)
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
PERIODS = st.one_of(
    st.builds(period_of, st.sampled_from(sorted(UNITS)), DAYS),
    st.builds(lambda one, other: Period(min(one, other), max(one, other)), DAYS, DAYS),
)


def days(begin: str, end: str) -> Period:
    return Period(date.fromisoformat(begin), date.fromisoformat(end))


@pytest.mark.parametrize(
    ("typed", "period"),
    [
        ("", ALL),
        ("all", ALL),
        ("2024", days("2024-01-01", "2024-12-31")),
        ("2024q3", days("2024-07-01", "2024-09-30")),
        ("2024 Q3", days("2024-07-01", "2024-09-30")),
        ("2024-q4", days("2024-10-01", "2024-12-31")),
        ("q1 2026", days("2026-01-01", "2026-03-31")),
        ("Q3-2024", days("2024-07-01", "2024-09-30")),
        ("q4", days("2026-10-01", "2026-12-31")),
        ("q3", days("2026-07-01", "2026-09-30")),
        ("2024-02", days("2024-02-01", "2024-02-29")),
        ("2024/2", days("2024-02-01", "2024-02-29")),
        ("2024 02", days("2024-02-01", "2024-02-29")),
        ("feb 2023", days("2023-02-01", "2023-02-28")),
        ("2023 February", days("2023-02-01", "2023-02-28")),
        ("dec", days("2025-12-01", "2025-12-31")),
        ("nov", days("2026-11-01", "2026-11-30")),
        ("last month", days("2026-10-01", "2026-10-31")),
        ("this quarter", days("2026-10-01", "2026-12-31")),
        ("year", days("2026-01-01", "2026-12-31")),
        ("2024-07-15", days("2024-07-15", "2024-07-15")),
        ("yesterday", days("2026-11-21", "2026-11-21")),
        ("2023-07-01 2024-06-30", days("2023-07-01", "2024-06-30")),
        ("2023-07-01..2024-06-30", days("2023-07-01", "2024-06-30")),
        ("2023-07-01 – 2024-06-30", days("2023-07-01", "2024-06-30")),
        ("2023-07 to 2024-06", days("2023-07-01", "2024-06-30")),
        ("from 2023q3 to 2024q2", days("2023-07-01", "2024-06-30")),
        ("jul 2023 jun 2024", days("2023-07-01", "2024-06-30")),
        ("q4 2023 q2 2024", days("2023-10-01", "2024-06-30")),
        ("1 15", days("2026-11-01", "2026-11-15")),
        ("2021 2023", days("2021-01-01", "2023-12-31")),
        ("since 2023-07 until 2024-06", days("2023-07-01", "2024-06-30")),
        ("since 2024-07", Period(date(2024, 7, 1), None)),
        ("from last year", Period(date(2025, 1, 1), None)),
        ("2024-07..", Period(date(2024, 7, 1), None)),
        ("until 2024-06", Period(None, date(2024, 6, 30))),
        ("..2024-06-15", Period(None, date(2024, 6, 15))),
    ],
)
def test_a_period_is_read_as_it_is_meant(typed: str, period: Period) -> None:
    assert parse_period(typed, TODAY) == period


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("2024-06-30 2024-01-01", "ends before it begins"),
        ("2024-13", "is no period of the calendar"),
        ("0000", "is no period of the calendar"),
        ("2024-02-30 2024-03-01", "is no period of the calendar"),
        ("soon", "is no period of the calendar: type 2024, 2024q3"),
        ("1 2 3", "is no period"),
        ("mar 5", "is no period"),
        ("2024-07-01 15", "is no period"),
        ("[/] \x1b[2J", "is no period"),
    ],
)
def test_what_is_no_period_is_refused_with_what_to_type_instead(typed: str, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        parse_period(typed, TODAY)


@given(st.text())
def test_any_text_is_a_period_or_refused(typed: str) -> None:
    try:
        period = parse_period(typed, TODAY)
    except ParseError:
        return
    assert parse_period(period.label, TODAY) == period


@given(PERIODS)
def test_a_label_is_read_back(period: Period) -> None:
    assert parse_period(period.label, TODAY) == period


@given(PERIODS, st.integers(-5, 5))
def test_stepping_leaves_no_gap_and_comes_back(period: Period, by: int) -> None:
    assert period.step(by).step(-by) == period
    following = period.step(1)
    assert following.begin is not None
    assert period.end is not None
    assert following.begin == period.end + timedelta(days=1)
    assert following.unit == period.unit


def test_twelve_months_of_a_business_year_step_by_twelve_months() -> None:
    year = days("2023-07-01", "2024-06-30")
    assert year.step(1) == days("2024-07-01", "2025-06-30")
    assert year.step(-2) == days("2021-07-01", "2022-06-30")


def test_the_calendar_ends_where_it_does() -> None:
    last = period_of("year", date.max)
    assert last.end == date.max
    assert last.step(1) == last
    assert period_of("month", date.min).step(-1) == period_of("month", date.min)
    assert ALL.step(1) == ALL


@given(PERIODS, DAYS)
def test_shorter_and_longer_lead_through_the_units_to_everything(period: Period, latest: date) -> None:
    shorter = period.shorter(latest)
    if period.holds(latest) and shorter != period:
        assert shorter.holds(latest)
    seen = [period]
    while seen[-1] != ALL:
        seen.append(seen[-1].longer())
        assert len(seen) <= 5
    assert ALL.shorter(latest) == period_of("year", latest)
    assert period_of("month", latest).shorter(latest) == period_of("month", latest)


ACCOUNTS = {"cash": AccountKind.ASSET, "sales": AccountKind.INCOME, "rent": AccountKind.EXPENSE}


async def folded(store: Store, book: str, seq: int, period: Period) -> dict[str, AccountFigures]:
    dated = DatedTurnover(book, UTC)
    while dated.seq != seq:
        await dated.step(store, seq)
    accounts = await store.accounts(book, seq)
    return {info.definition.id.path: dated.figures(info, period) for info in accounts}


def plain(figures: AccountFigures) -> tuple[int, int, int]:
    return figures.opening, figures.debits, figures.credits


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(sorted(ACCOUNTS)),
        st.sampled_from(sorted(ACCOUNTS)),
        st.one_of(st.integers(1, 10_000), st.integers(2**62, 2**66)),
        st.integers(0, 400),
    ).filter(lambda one: one[0] != one[1]),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(
    ENTRIES, st.integers(0, 400), st.integers(0, 400), st.lists(st.integers(0, 60), min_size=1, max_size=4)
)
async def test_sums_of_days_are_those_of_a_plain_fold_wherever_the_log_is_looked_at(
    entries, one: int, other: int, stops: list[int]
) -> None:
    store = MemoryStore()
    await store.register_asset(asset("EUR"))
    await open_accounts(store, ACCOUNTS, book="b")
    first = date(2024, 1, 1)
    for to, source, minor, day in entries:
        at = datetime.combine(first + timedelta(days=day), time(), UTC)
        await store.commit(transfer(to, source, minor, book="b", occurred_at=at))
    period = Period(first + timedelta(days=min(one, other)), first + timedelta(days=max(one, other)))
    last = len(ACCOUNTS) + len(entries)
    dated = DatedTurnover("b", UTC)
    for stop in [*stops, last]:
        seq = min(stop, last)
        while dated.seq != seq:
            await dated.step(store, seq)
        expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for to, source, minor, day in entries[: max(0, seq - len(ACCOUNTS))]:
            moment = first + timedelta(days=day)
            for path, side in ((to, 1), (source, -1)):
                if moment < period.begin:
                    expected[path][0] += side * minor
                elif moment <= period.end:
                    expected[path][1 if side == 1 else 2] += minor
        for info in await store.accounts("b"):
            path = info.definition.id.path
            assert plain(dated.figures(info, period)) == tuple(expected[path])


@pytest.mark.parametrize(
    ("typed", "figures"),
    [("until 2024-05-31", (0, 3, 0)), ("since 2024-06-01", (3, 4, 0)), ("all", (0, 7, 0))],
)
async def test_a_period_without_bound_counts_all_there_is_on_that_side(
    typed: str, figures: tuple[int, int, int]
) -> None:
    store = MemoryStore()
    await store.register_asset(asset("EUR"))
    await open_accounts(store, ACCOUNTS, book="b")
    for minor, month in ((1, 4), (2, 5), (4, 6)):
        when = datetime(2024, month, 1, tzinfo=UTC)
        await store.commit(transfer("cash", "sales", minor, book="b", occurred_at=when))
    period = parse_period(typed, TODAY)
    assert plain((await folded(store, "b", len(ACCOUNTS) + 3, period))["cash"]) == figures


async def test_a_fold_goes_on_in_pages_and_comes_back_without_beginning_anew() -> None:
    store = MemoryStore()
    await store.register_asset(asset("EUR"))
    await open_accounts(store, ACCOUNTS, book="b")
    when = datetime(2024, 5, 1, tzinfo=UTC)
    for _ in range(3 * PAGE_EVENTS):
        await store.commit(transfer("cash", "sales", 1, book="b", occurred_at=when))
    dated, last = DatedTurnover("b", UTC), 3 * PAGE_EVENTS + 3
    seqs = []
    while dated.seq != last:
        await dated.step(store, last)
        seqs.append(dated.seq)
    assert seqs == [PAGE_EVENTS, 2 * PAGE_EVENTS, 3 * PAGE_EVENTS, last]
    await dated.step(store, last - 10)
    assert dated.seq == last - 10
    info = await store.account((await store.accounts("b"))[0].definition.id)
    assert isinstance(info, AccountInfo)
    assert plain(dated.figures(info, ALL)) == (0, last - 10 - 3, 0)


async def test_a_day_begins_where_one_is_unless_it_was_chosen_as_such() -> None:
    store = MemoryStore()
    await store.register_asset(asset("EUR"))
    await open_accounts(store, ACCOUNTS, book="b")
    for at in (datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 1, tzinfo=UTC)):
        await store.commit(transfer("cash", "sales", 1, book="b", occurred_at=at))
    dated = DatedTurnover("b", timezone(timedelta(hours=-5)))
    await dated.step(store, 5)
    info = (await store.accounts("b"))[0]
    assert plain(dated.figures(info, parse_period("2024-05-01", TODAY))) == (1, 1, 0)


def hledger(report: str, path: Path, begin: date | None, end: date) -> dict[str, Decimal]:
    """Balances or changes by account, debit-positive, as hledger tells them; `end` is counted."""
    since = ["-b", begin.isoformat()] if begin is not None else []
    words = [report, *since, "-e", (end + timedelta(days=1)).isoformat(), "-N", "--flat", "--layout", "bare"]
    command = ["hledger", "-f", str(path), *words, "-O", "csv"]
    printed = subprocess.run(
        command, capture_output=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"}
    ).stdout.decode()
    found: dict[str, Decimal] = {}
    for row in csv.reader(io.StringIO(printed)):
        if len(row) == 3 and row[1] == "$" and row[2] not in ("", "0"):
            found[row[0]] = Decimal(row[2].replace(",", ""))
    return found


@needs_hledger
@pytest.mark.parametrize("year", YEARS)
async def test_statements_of_a_period_are_those_of_hledger(year: str) -> None:
    path = HACKERSPACE / f"{year}.journal"
    store = MemoryStore()
    report = await import_file(store, path, year)
    assert not report.refused
    begun = int(year[2:])
    info = await store.book(year)
    assert info is not None
    for period in (
        parse_period(f"{begun}", TODAY),
        parse_period(f"{begun}q4", TODAY),
        parse_period(f"{begun}-09", TODAY),
        parse_period(f"{begun}-08-17 {begun + 1}-02-03", TODAY),
    ):
        assert period.end is not None
        figures = list((await folded(store, year, info.last_seq, period)).values())
        assert all(total.proved for total in trial_totals(figures))
        income = income_statement(figures)
        shown = {line.label: Decimal(line.minor) / 100 for line in income.sections[0].lines}
        shown |= {line.label: Decimal(line.minor) / 100 for line in income.sections[1].lines}
        assert shown == hledger("is", path, period.begin, period.end)
        sheet = balance_sheet(figures)
        assert not any(minor for _, minor in sheet.result)
        shown = {
            line.label: Decimal(line.minor) / 100
            for section in sheet.sections
            for line in section.lines
            if line.account is not None
        }
        assert shown == hledger("bse", path, None, period.end)
