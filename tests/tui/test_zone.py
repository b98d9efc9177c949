"""Times are shown by the rules of the machine's zone for that time, not by today's offset."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from talea_tui.app import TaleaApp
from talea_tui.formatting import format_moment, occurred_day
from talea_tui.parsing import parse_as_of
from talea_tui.zone import machine_zone

LATE_IN_JUNE = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
LATE_IN_DECEMBER = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")


async def test_summer_and_winter_each_have_their_own_offset() -> None:
    zone = TaleaApp().zone
    assert format_moment(LATE_IN_JUNE, zone) == "2026-07-01 00:30:00.000000 CEST"
    assert format_moment(LATE_IN_DECEMBER, zone) == "2026-12-31 23:30:00.000000 CET"


def test_what_happened_late_counts_to_the_day_it_was_here() -> None:
    assert occurred_day(LATE_IN_JUNE, machine_zone()) == date(2026, 7, 1)
    assert occurred_day(LATE_IN_DECEMBER, machine_zone()) == date(2026, 12, 31)


def test_a_day_of_the_other_season_ends_at_its_own_midnight() -> None:
    asked = parse_as_of("2026-06-30", LATE_IN_DECEMBER, machine_zone())
    assert asked == datetime(2026, 6, 30, 21, 59, 59, 999_999, tzinfo=UTC)


def test_a_time_that_clocks_show_twice_counts_to_its_end_the_second_time() -> None:
    later = datetime(2026, 10, 25, 1, 40, 59, 999_999, tzinfo=UTC)
    assert parse_as_of("2026-10-25 02:40", LATE_IN_DECEMBER, machine_zone()) == later
    assert parse_as_of("02:40", datetime(2026, 10, 25, 1, 45, tzinfo=UTC), machine_zone()) == later
    first_hour = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    assert parse_as_of("02:40", first_hour, machine_zone()) == later - timedelta(hours=1)


def test_a_day_whose_last_hour_comes_twice_ends_with_the_second_one() -> None:
    asked = parse_as_of("2026-10-24", LATE_IN_DECEMBER, ZoneInfo("Asia/Beirut"))
    assert asked == datetime(2026, 10, 24, 21, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("named", ["CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/At all", "/nowhere"])
def test_a_zone_that_is_not_to_be_found_is_the_offset_of_now(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("TZ", named)
    assert machine_zone().utcoffset(None) is not None


def test_a_zone_named_by_its_file_has_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":/usr/share/zoneinfo/Europe/Berlin")
    assert LATE_IN_JUNE.astimezone(machine_zone()).utcoffset() == timedelta(hours=2)
