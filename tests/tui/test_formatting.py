"""Text as it appears on screen: exact amounts, aligned columns, harmless user text."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from talea_tui.formatting import (
    MINUS,
    align_amounts,
    align_point,
    fit_amount,
    format_age,
    format_amount,
    format_amount_plain,
    format_bytes,
    format_date,
    format_datetime,
    format_days_ago,
    format_lag,
    format_micros,
    format_moment,
    format_time,
    fraction_cells,
    occurred_day,
    printable,
    sparkline,
)

NOW = datetime(2026, 11, 22, 14, 2, 11, 204_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "precision", "text"),
    [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "−0.05"),
        (1_234_567, 2, "12,345.67"),
        (-1_234_567, 0, "−1,234,567"),
        (120_000_000 * 10**18, 18, "120,000,000.000000000000000000"),
        (2**127 - 1, 0, "170,141,183,460,469,231,731,687,303,715,884,105,727"),
        (1, 30, "0.000000000000000000000000000001"),
        (-(2**127 - 1), 30, "−170,141,183.460469231731687303715884105727"),
    ],
)
def test_an_amount_shows_every_decimal_of_its_asset(minor: int, precision: int, text: str) -> None:
    assert format_amount(minor, precision) == text


def test_signs_are_shown_as_asked() -> None:
    assert format_amount(150, 2, sign="plus") == "+1.50"
    assert format_amount(-150, 2, sign="plus") == "−1.50"
    assert format_amount(0, 2, sign="plus") == "0.00"
    assert format_amount(-150, 2, sign="none") == "1.50"


def test_exports_hold_ascii_and_no_grouping() -> None:
    assert format_amount_plain(-123_456_789, 2) == "-1234567.89"


def test_decimal_points_stand_under_each_other_across_precisions() -> None:
    lines = align_amounts(["1,234.50", "−7", "0.000000000000000001", "12"])
    assert lines == [
        "1,234.50                ",
        "   −7                   ",
        "    0.000000000000000001",
        "   12                   ",
    ]
    assert len({len(line) for line in lines}) == 1
    assert align_point("7", fraction_cells([2, 0])) == "7   "
    assert fraction_cells([0]) == fraction_cells([]) == 0


def test_a_narrow_column_loses_decimals_and_never_a_digit_of_the_whole() -> None:
    assert fit_amount("120.000000000000000000", 8) == "120.000…"
    assert fit_amount("120.50", 5) == "120.…" or fit_amount("120.50", 5) == "120…"
    assert fit_amount("120.50", 4) == "120…"
    assert fit_amount("1,200.50", 4) == "####"
    assert fit_amount("1,200.50", 8) == "1,200.50"


def test_dates_and_times_are_cut_to_what_is_asked() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert format_date(NOW) == "2026-11-22"
    assert format_date(date(2026, 1, 2)) == "2026-01-02"
    assert format_time(NOW) == "14:02:11"
    assert format_time(NOW, decimals=3) == "14:02:11.204"
    assert format_time(NOW, decimals=6) == "14:02:11.204999"
    assert format_datetime(NOW, tokyo) == "2026-11-22 23:02:11"


@pytest.mark.parametrize(
    ("time", "day"),
    [("00:00:00", 1), ("00:00:00.000001", 28), ("00:00:01", 28), ("00:01", 28), ("12:00", 1)],
)
def test_only_midnight_itself_is_a_day_chosen_as_such(time: str, day: int) -> None:
    moment = datetime.fromisoformat(f"2026-03-01 {time}").replace(tzinfo=UTC)
    assert occurred_day(moment, timezone(timedelta(hours=-5))).day == day


@pytest.mark.parametrize(
    ("millis", "text"),
    [(-20, "0 ms"), (0, "0 ms"), (84, "84 ms"), (999, "999 ms"), (1_240, "1.2 s"), (4_000_000, "4,000.0 s")],
)
def test_how_late_something_came_is_short(millis: int, text: str) -> None:
    assert format_lag(timedelta(milliseconds=millis)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (12, "12 s ago"),
        (200, "3 min ago"),
        (7_200, "2 h ago"),
        (86_400, "1 day ago"),
        (3 * 86_400, "3 days ago"),
        (35 * 86_400, "5 weeks ago"),
        (90 * 86_400, "3 months ago"),
        (3 * 365 * 86_400, "3 years ago"),
        (-7_200, "in 2 h"),
    ],
)
def test_ages_read_like_speech(seconds: int, text: str) -> None:
    then = NOW - timedelta(seconds=seconds)
    assert format_age(then, NOW) == text


def test_days_are_counted_by_the_calendar() -> None:
    today = NOW.date()
    assert [format_days_ago(today - timedelta(days=d), today) for d in (0, 1, 3, -1, -2)] == [
        "today",
        "yesterday",
        "3 days ago",
        "tomorrow",
        "in 2 days",
    ]


@given(st.dates(), st.dates())
def test_any_day_of_the_calendar_has_an_age_on_any_other(day: date, today: date) -> None:
    assert format_days_ago(day, today)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-23, 23))
@example(datetime.min.replace(tzinfo=UTC), -5)
@example(datetime.max.replace(tzinfo=UTC), 9)
def test_any_moment_of_the_calendar_is_shown_in_any_zone(moment: datetime, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}", format_datetime(moment, zone))
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{6} UTC.*", format_moment(moment, zone))


def test_sizes_and_durations_take_three_figures() -> None:
    assert [format_bytes(n) for n in (0, 999, 1_200, 134_217_728, 9_990_000_000)] == [
        "0 B",
        "999 B",
        "1.2 kB",
        "134 MB",
        "10 GB",
    ]
    assert [format_micros(n) for n in (85, 900, 12_000, 1_200_000)] == ["85 µs", "0.9 ms", "12 ms", "1.2 s"]


def test_a_sparkline_tells_zero_from_little() -> None:
    assert sparkline([0, 1, 500, 1000]) == "▁▂▄▇"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([1, 2, 3, 4], width=2) == "▅▇"
    assert sparkline([]) == ""


def test_a_sparkline_leaves_blank_what_was_not_measured() -> None:
    assert sparkline([0, 3], width=4) == "  ▁▇"
    assert sparkline([], width=2) == "  "


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[/] \\[ [b]x[/b]", "[/] \\[ [b]x[/b]"),
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("two\nlines\tand tab\r", "two↵lines⇥and tab␍"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\x9b31m", "\\x9b31m"),
        ("\u0301x", "◌\u0301x"),
        ("lone \ud800", "lone \\ud800"),
        ("❤\ufe0f", "❤"),
        ("no\u00a0break", "no break"),
        ("日本 кириллица é", "日本 кириллица é"),
    ],
)
def test_user_text_is_shown_and_never_acts(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_endless_combining_marks_stay_in_their_cell() -> None:
    assert printable("a" + "\u0301" * 5) == "a\u0301\u0301\u0301\\u0301\\u0301"


def test_a_long_memo_is_clipped_before_it_is_looked_at() -> None:
    assert printable("x" * 10_000, 5) == "xxxx…"
    assert printable("short", 5) == "short"


@given(st.text())
def test_whatever_the_text_nothing_in_it_can_move_a_cursor(text: str) -> None:
    shown = printable(text)
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in shown)
    assert printable(shown) == shown


def test_the_minus_on_screen_is_the_true_one() -> None:
    assert format_amount(-1, 0) == MINUS + "1"
