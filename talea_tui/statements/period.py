"""The days a statement covers: years, quarters, months or any two dates, as people type them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

from ..formatting import printable
from ..parsing import ParseError, parse_date

Unit: TypeAlias = Literal["year", "quarter", "month"]

UNITS: dict[Unit, int] = {"year": 12, "quarter": 3, "month": 1}
"""The units one can step by, the longest first, and their months."""

_MONTHS: tuple[str, ...] = ("january", "february", "march", "april", "may", "june")
_MONTHS += ("july", "august", "september", "october", "november", "december")
_BETWEEN = re.compile(r"\s*(?:\.\.+|–|—|\b(?:to|until|through)\b)\s*")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `begin` to `end`, both counted; None is without bound."""

    begin: date | None = None
    end: date | None = None

    @property
    def unit(self) -> Unit | None:
        """What calendar unit this is."""
        if self.begin is None:
            return None
        return next((unit for unit in UNITS if period_of(unit, self.begin) == self), None)

    @property
    def label(self) -> str:
        """`2024`, `2024 Q3`, `2024-07`, `2024-07-15`, `2023-07-01 – 2024-06-30`, `until 2024-06-30`, `all`."""
        begin, end, unit = self.begin, self.end, self.unit
        if begin is None or end is None:
            return f"since {begin}" if begin else f"until {end}" if end else "all"
        if unit == "year":
            return f"{begin.year:04}"
        if unit == "quarter":
            return f"{begin.year:04} Q{begin.month // 3 + 1}"
        if unit == "month":
            return f"{begin.year:04}-{begin.month:02}"
        return f"{begin}" if begin == end else f"{begin} – {end}"

    def holds(self, day: date) -> bool:
        return (self.begin is None or self.begin <= day) and (self.end is None or day <= self.end)

    def step(self, by: int) -> Period:
        """As many periods of the same length later: months where it is made of months, else days.

        Unchanged where it has no end, or where the calendar ends.
        """
        begin, end = self.begin, self.end
        if begin is None or end is None:
            return self
        try:
            after = end + _DAY
            if begin.day == after.day == 1:
                months = (after.year - begin.year) * 12 + after.month - begin.month
                return _months(begin, by * months, months)
            days = by * (after - begin)
            return Period(begin + days, end + days)
        except (ValueError, OverflowError):
            return self

    def longer(self) -> Period:
        """The shortest unit that holds all of this and more, at last everything."""
        if self.begin is None or self.end is None:
            return ALL
        for unit in reversed(UNITS):
            whole = period_of(unit, self.begin)
            if whole.holds(self.end) and whole != self:
                return whole
        return ALL

    def shorter(self, latest: date) -> Period:
        """The longest unit shorter than this: the one with `latest` in it, else the last in this period."""
        day = latest if self.holds(latest) else self.end or self.begin or latest
        for unit in UNITS:
            part = period_of(unit, day)
            if self.begin is None or self.end is None or _days(part) < _days(self):
                return part
        return self


ALL = Period()


def period_of(unit: Unit, day: date) -> Period:
    """The unit that `day` is in."""
    months = UNITS[unit]
    return _months(date(day.year, (day.month - 1) // months * months + 1, 1), 0, months)


def _months(begin: date, skipped: int, months: int) -> Period:
    """`months` from a first of a month on, `skipped` months later. ValueError outside the calendar."""
    year, month = divmod(begin.year * 12 + begin.month - 1 + skipped, 12)
    after_year, after = divmod(year * 12 + month + months, 12)
    end = date.max if (after_year, after) == (10_000, 0) else date(after_year, after + 1, 1) - _DAY
    return Period(date(year, month + 1, 1), end)


def _days(period: Period) -> int:
    assert period.begin is not None
    assert period.end is not None
    return (period.end - period.begin).days + 1


def parse_period(text: str, today: date) -> Period:
    """A period as people type it; raises ParseError, a sentence that says what to type instead.

    `2024`, `2024q3`, `2024-07`, `jul`, `last month`, a day as in `parse_date`, `2023-07-01 2024-06-30` (both
    counted; `..`, `to` and `–` may stand between), `since 2024-07`, `until 2024-06-30`; nothing and `all` are
    everything. Shortened ones look back: the latest such period that has begun by `today`.
    """
    word = " ".join(text.lower().split())
    if word in ("", "all"):
        return ALL
    rest = word.removeprefix("since ").removeprefix("from ")
    if between := _BETWEEN.search(rest):
        return _joined(text, rest[: between.start()], rest[between.end() :], today)
    if rest != word:
        return Period(_single(text, rest, today).begin, None)
    try:
        return _single(text, word, today)
    except ParseError:
        for space in re.finditer(" ", word):
            parts = word[: space.start()], word[space.end() :]
            if len({part.isdigit() and len(part) <= 2 for part in parts}) == 2:
                continue  # `mar 5` means one day, not March until the 5th of this month
            try:
                first, last = (_single(text, part, today) for part in parts)
            except ParseError:
                continue
            return _spanned(text, first, last)
        raise


def _joined(text: str, first: str, last: str, today: date) -> Period:
    """From one period to another; one of them may be missing."""
    opening = _single(text, first, today) if first.strip() else ALL
    closing = _single(text, last, today) if last.strip() else ALL
    return _spanned(text, opening, closing)


def _spanned(text: str, first: Period, last: Period) -> Period:
    if first.begin is not None and last.end is not None and last.end < first.begin:
        raise ParseError(f"{_quoted(text)} ends before it begins.")
    return Period(first.begin, last.end)


def _single(text: str, word: str, today: date) -> Period:
    """One unit or one day."""
    try:
        if found := re.fullmatch(r"(?:(this|last|next) )?(year|quarter|month)", word):
            unit: Unit = next(unit for unit in UNITS if unit == found[2])
            return period_of(unit, today).step({"last": -1, "next": 1}.get(found[1], 0))
        if re.fullmatch(r"[0-9]{4}", word):
            return period_of("year", date(int(word), 1, 1))
        if found := re.fullmatch(r"(?:([0-9]{4})[-/ ]?)?q([1-4])", word):
            return _latest("quarter", found[1], int(found[2]) * 3 - 2, today)
        if found := re.fullmatch(r"q([1-4])[-/ ]?([0-9]{4})", word):
            return _latest("quarter", found[2], int(found[1]) * 3 - 2, today)
        if found := re.fullmatch(r"([0-9]{4})[-/. ]([0-9]{1,2})", word):
            return period_of("month", date(int(found[1]), int(found[2]), 1))
        if (found := re.fullmatch(r"([a-z]{3,9})(?: ([0-9]{4}))?", word)) and (month := _month(found[1])):
            return _latest("month", found[2], month, today)
        if (found := re.fullmatch(r"([0-9]{4}) ([a-z]{3,9})", word)) and (month := _month(found[2])):
            return _latest("month", found[1], month, today)
        day = parse_date(word, today)
    except ValueError:  # ParseError is one too: what is no day either
        raise ParseError(
            f"{_quoted(text)} is no period of the calendar: "
            "type 2024, 2024q3, 2024-07 or 2024-07-01 2024-09-15."
        ) from None
    return Period(day, day)


def _month(word: str) -> int | None:
    return next((number for number, name in enumerate(_MONTHS, 1) if name.startswith(word)), None)


def _latest(unit: Unit, year: str | None, month: int, today: date) -> Period:
    """In `year`, else the latest that has begun by `today`."""
    found = period_of(unit, date(int(year) if year else today.year, month, 1))
    if year is None and found.begin is not None and found.begin > today:
        return period_of(unit, date(today.year - 1, month, 1))
    return found


def _quoted(text: str) -> str:
    return f"“{printable(text.strip(), 40)}”"
