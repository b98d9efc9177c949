"""Amounts, dates and instants as people type them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talea_tui.formatting import format_amount
from talea_tui.parsing import ParseError, parse_amount, parse_as_of, parse_date, parse_number, parse_time

SUNDAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 14, 2, 30, tzinfo=UTC)


@given(
    st.integers(-(2**127) + 1, 2**127 - 1),
    st.integers(0, 30),
    st.booleans(),
    st.sampled_from(["minus", "plus"]),
    st.sampled_from(["-", "−"]),
)
def test_what_is_formatted_is_parsed_back(minor, precision, grouping, sign, minus) -> None:
    text = format_amount(minor, precision, grouping=grouping, sign=sign, minus=minus)
    assert parse_amount(text, precision) == minor


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_arithmetic_is_exact(a: Fraction, b: Fraction) -> None:
    def written(value: Fraction) -> str:
        return f"({value.numerator}/{value.denominator})"

    assert parse_number(f"{written(a)}+{written(b)}") == a + b
    assert parse_number(f"{written(a)}*{written(b)}-{written(b)}") == a * b - b


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("12.5*3+4", 4_150),
        ("1,234.50", 123_450),
        ("1'234.50", 123_450),
        ("1\u202f234.50", 123_450),
        ("(7-2)/2", 250),
        ("−3", -300),
        ("--3", 300),
        (".5", 50),
        ("5.", 500),
        (" 2 × 3 ÷ 4 ", 150),
        ("10/3*3", 1_000),
        ("12.500", 1_250),
        ("0.1+0.2", 30),
    ],
)
def test_sums_are_worked_out_exactly(text: str, minor: int) -> None:
    assert parse_amount(text, 2) == minor


@pytest.mark.parametrize("text", ["12,5", "12,50", "1,23,456", "1.234,56", "1.2.3", "1234,567", ",5"])
def test_a_comma_that_may_mark_decimals_is_not_guessed_at(text: str) -> None:
    with pytest.raises(ParseError, match="two ways"):
        parse_amount(text, 2)


@pytest.mark.parametrize(
    "text", ["", " ", "abc", "1+", "(1", "1)", "1 2", "*3", "1//2", "$5", "1e5", "٣", ".", "[/]", "\x1b[31m"]
)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ParseError) as refusal:
        parse_amount(text, 2)
    assert str(refusal.value).endswith(".")
    assert str(refusal.value).isprintable()


def test_a_result_that_the_asset_cannot_hold_is_refused_with_its_neighbours() -> None:
    with pytest.raises(ParseError, match=r"at most 2 decimals.*write 3.33 or 3.34"):
        parse_amount("10/3", 2)
    with pytest.raises(ParseError, match=r"no decimals.*write -2 or -1"):
        parse_amount("-1.5", 0)


def test_amounts_beyond_the_ledger_and_divisions_by_zero_are_refused() -> None:
    with pytest.raises(ParseError, match="larger"):
        parse_amount(str(2**127), 0)
    with pytest.raises(ParseError, match="zero"):
        parse_amount("1/(2-2)", 0)
    with pytest.raises(ParseError, match="longer"):
        parse_amount("9" * 201, 0)


@given(st.text(max_size=60))
def test_no_text_can_do_worse_than_be_refused(text: str) -> None:
    for read in (
        lambda: parse_amount(text, 2),
        lambda: parse_date(text, SUNDAY),
        lambda: parse_as_of(text, NOW),
        lambda: parse_time(text),
    ):
        with suppress(ParseError):
            read()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", "2026-11-22"),
        ("today", "2026-11-22"),
        ("yesterday", "2026-11-21"),
        ("tomorrow", "2026-11-23"),
        ("-1", "2026-11-21"),
        ("−1", "2026-11-21"),
        ("+2", "2026-11-24"),
        ("22", "2026-11-22"),
        ("23", "2026-10-23"),
        ("31", "2026-10-31"),
        ("11-22", "2026-11-22"),
        ("11-23", "2025-11-23"),
        ("02-29", "2024-02-29"),
        ("fri", "2026-11-20"),
        ("Sunday", "2026-11-22"),
        ("mo", "2026-11-16"),
        ("2026-11-2", "2026-11-02"),
        ("2027/01/02", "2027-01-02"),
        ("20240229", "2024-02-29"),
    ],
)
def test_short_dates_look_back(text: str, day: str) -> None:
    assert parse_date(text, SUNDAY).isoformat() == day


@pytest.mark.parametrize(
    "text", ["32", "0", "02-30", "2026-02-30", "11/22", "22.11.", "soon", "-99999999", "+99999"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ParseError) as refusal:
        parse_date(text, date(9999, 12, 31))
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "today"), [("yesterday", date.min), ("fri", date.min), ("-1", date.min), ("tomorrow", date.max)]
)
def test_a_short_date_that_leads_outside_the_calendar_is_refused(text: str, today: date) -> None:
    with pytest.raises(ParseError, match="leads outside the calendar"):
        parse_date(text, today)


@pytest.mark.parametrize("zone", ["+02:60", "+02:75", "-24:00"])
def test_a_zone_that_no_clock_shows_is_refused(zone: str) -> None:
    with pytest.raises(ParseError, match="no known time zone"):
        parse_as_of(f"2026-11-20 10:00{zone}", NOW)


def test_times_take_seconds_when_written() -> None:
    assert parse_time("9:05") == time(9, 5)
    assert parse_time("14:02:11.204") == time(14, 2, 11, 204_000)
    with pytest.raises(ParseError):
        parse_time("24:00")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("seq 812,331", 812_331),
        ("812331", 812_331),
        ("#5", 5),
        ("2026-09-30", utc(2026, 9, 30, 23, 59, 59, 999_999)),
        ("-1", utc(2026, 11, 21, 23, 59, 59, 999_999)),
        ("fri", utc(2026, 11, 20, 23, 59, 59, 999_999)),
        ("2026-09-30 14:02", utc(2026, 9, 30, 14, 2, 59, 999_999)),
        ("2026-09-30T14:02:11Z", utc(2026, 9, 30, 14, 2, 11, 999_999)),
        ("2026-09-30 14:02:11.2 +02:00", utc(2026, 9, 30, 12, 2, 11, 299_999)),
        ("yesterday 9:00", utc(2026, 11, 21, 9, 0, 59, 999_999)),
        ("14:02", utc(2026, 11, 22, 14, 2, 59, 999_999)),
        ("14:03", utc(2026, 11, 21, 14, 3, 59, 999_999)),
    ],
)
def test_an_instant_counts_to_the_end_of_what_was_written(text: str, instant: datetime | int) -> None:
    assert parse_as_of(text, NOW) == instant


@pytest.mark.parametrize("text", ["114:02", "-114:02", "2814:02", "2026-09-3014:02"])
def test_a_mistyped_time_is_no_other_instant(text: str) -> None:
    with pytest.raises(ParseError, match=r"is no date and time: type 2026-09-30 14:02\.$"):
        parse_as_of(text, NOW)


def test_an_instant_is_read_in_the_zone_that_is_given() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert parse_as_of("2026-09-30", NOW, tokyo) == utc(2026, 9, 30, 14, 59, 59, 999_999)


def test_a_time_alone_is_the_latest_such_time_in_the_zone_it_names() -> None:
    shortly_after_midnight = datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    berlin = shortly_after_midnight.tzinfo
    assert parse_as_of("23:30Z", shortly_after_midnight, berlin) == utc(2026, 11, 21, 23, 30, 59, 999_999)
    assert parse_as_of("22:30Z", shortly_after_midnight, berlin) == utc(2026, 11, 22, 22, 30, 59, 999_999)


def test_a_number_that_looks_like_a_day_is_not_guessed_at() -> None:
    with pytest.raises(ParseError, match="seq 20261122 or 2026-11-22"):
        parse_as_of("20261122", NOW)
    assert parse_as_of("seq 20261122", NOW) == 20261122
