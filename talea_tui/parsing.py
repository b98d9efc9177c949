"""Amounts, dates, times and instants as people type them. Pure and exact: fractions inside, never floats.

Refusals are `ParseError`, one sentence that says what to type instead.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from fractions import Fraction

from store import AMOUNT_LIMIT, PRECISION_MAX

from .formatting import format_amount, printable

_AMOUNT_TEXT_MAX = 200
_QUOTED_MAX = 40
_TOKEN = re.compile(r"\s*(?:([0-9.,'_\u00a0\u2009\u202f]+)|(.))", re.DOTALL)
_SPACERS = re.compile(r"['_\u00a0\u2009\u202f]")
_OPERATORS = {"\N{MINUS SIGN}": "-", "×": "*", "÷": "/"}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class ParseError(ValueError):
    """`str(error)` is a sentence for the person who typed; safe to show."""


class NoDate(ParseError):
    """Nothing like a date was typed."""


def _quoted(text: str) -> str:
    return f"“{printable(text.strip(), _QUOTED_MAX)}”"


# amounts


def parse_amount(text: str, precision: int) -> int:
    """The minor units of an amount or a sum: `1,234.50`, `12.5*3+4`, `(7-2)/2`, `−3`.

    The point marks decimals and the comma groups thousands; a comma that groups anything but threes is
    refused, not guessed at: it may be a decimal comma. Also refused: a result that `precision` decimals
    cannot hold exactly, and magnitudes of 2**127 and more.
    """
    value = parse_number(text)
    minor = value * int(10**precision)
    if minor.denominator != 1:
        below = minor.numerator // minor.denominator
        low, high = (format_amount(m, precision, minus="-") for m in (below, below + 1))
        places = "no decimals" if precision == 0 else f"at most {precision} decimal{'s' * (precision > 1)}"
        raise ParseError(
            f"{_quoted(text)} needs more digits than this asset has ({places}): write {low} or {high}."
        )
    if abs(minor.numerator) >= AMOUNT_LIMIT:
        raise ParseError(f"{_quoted(text)} is larger than a ledger can hold.")
    return minor.numerator


def parse_number(text: str) -> Fraction:
    """The exact value of an arithmetic expression of `+ - * / ( )`."""
    if not text.strip():
        raise ParseError("An amount is missing: type a number, such as 12.50.")
    if len(text) > _AMOUNT_TEXT_MAX:
        raise ParseError(f"This amount is longer than {_AMOUNT_TEXT_MAX} characters: shorten it.")
    return _Expression(text).value()


def parse_precision(text: str) -> int:
    """How many decimals an asset has."""
    if not re.fullmatch("[0-9]{1,2}", text) or int(text) > PRECISION_MAX:
        raise ParseError(f"Decimals are a whole number from 0 to {PRECISION_MAX}.")
    return int(text)


class _Expression:
    """A recursive-descent reader of one expression."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._tokens: list[str] = []
        for match in _TOKEN.finditer(text):
            number, other = match.groups()
            token = number or _OPERATORS.get(other, other)
            if not token.isspace():
                self._tokens.append(token)

    def value(self) -> Fraction:
        value = self._sum()
        if self._at < len(self._tokens):
            raise self._refusal(f"does not continue well at {_quoted(self._tokens[self._at])}")
        return value

    def _refusal(self, why: str) -> ParseError:
        return ParseError(f"{_quoted(self._text)} {why}: type a number or a sum, such as 12.5*3+4.")

    def _take(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return None

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._take("+", "-"):
            value = value + self._product() if sign == "+" else value - self._product()
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while operator := self._take("*", "/"):
            factor = self._factor()
            if operator == "/" and factor == 0:
                raise ParseError(f"{_quoted(self._text)} divides by zero.")
            value = value * factor if operator == "*" else value / factor
        return value

    def _factor(self) -> Fraction:
        if sign := self._take("+", "-"):
            return self._factor() if sign == "+" else -self._factor()
        if self._take("("):
            value = self._sum()
            if not self._take(")"):
                raise self._refusal("has a parenthesis that is never closed")
            return value
        if self._at == len(self._tokens):
            raise self._refusal("ends where a number should follow")
        token = self._tokens[self._at]
        if not any(character.isascii() and character.isdigit() for character in token):
            raise self._refusal(f"is no amount at {_quoted(token)}")
        self._at += 1
        return self._number(token)

    def _number(self, token: str) -> Fraction:
        plain = _SPACERS.sub("", token)
        whole, _, fraction = plain.partition(".")
        if "," in fraction or "." in fraction or not _well_grouped(whole):
            raise ParseError(
                f"{_quoted(token)} can be read in two ways: the point marks decimals, as in 12.50, "
                "and the comma groups thousands, as in 1,234.50."
            )
        return Fraction(int(whole.replace(",", "") + fraction or "0"), 10 ** len(fraction))


def _well_grouped(whole: str) -> bool:
    first, *others = whole.split(",")
    return not others or (1 <= len(first) <= 3 and all(len(group) == 3 for group in others))


# dates


def parse_date(text: str, today: date) -> date:
    """A day: `2026-11-22`, `11-22`, `28`, `fri`, `-1`, `+2`, `today`, `yesterday`, `tomorrow`, or nothing.

    Nothing is `today`. Shortened dates look back: they mean the latest such day that is not after `today`.
    """
    word = text.strip().lower()
    if word in ("", "today", "t"):
        return today
    if word in ("yesterday", "y"):
        return _days_later(text, today, -1)
    if word == "tomorrow":
        return _days_later(text, today, 1)
    if len(word) >= 2 and word.isalpha():
        for number, name in enumerate(_WEEKDAYS):
            if name.startswith(word):
                return _days_later(text, today, -((today.weekday() - number) % 7))
    word = word.replace("\N{MINUS SIGN}", "-")
    if match := re.fullmatch(r"([+-])([0-9]{1,5})", word):
        return _days_later(text, today, int(match[1] + match[2]))
    if match := re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", word) or re.fullmatch(
        r"([0-9]{4})([0-9]{2})([0-9]{2})", word
    ):
        return _calendar_date(text, int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", word):
        return _latest(text, today, month=int(match[1]), day=int(match[2]))
    if re.fullmatch(r"[0-9]{1,2}", word):
        return _latest(text, today, month=None, day=int(word))
    if re.fullmatch(r"[0-9]{1,2}[/.][0-9]{1,2}\.?", word):
        raise ParseError(f"{_quoted(text)} can be read in two ways: write month and day as 11-22.")
    raise NoDate(f"{_quoted(text)} is no date: type 2026-11-22, 11-22, 28, fri or -1.")


def _days_later(text: str, day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise ParseError(f"{_quoted(text)} leads outside the calendar.") from None


def _calendar_date(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ParseError(f"{_quoted(text)} is not in the calendar.") from None


def _latest(text: str, today: date, month: int | None, day: int) -> date:
    """The latest day that is not after `today` with this day of the month, in `month` if given."""
    year, at = today.year, month or today.month
    for _ in range(12):
        try:
            found = date(year, at, day)
        except ValueError:
            pass  # no such day in that month: look further back
        else:
            if found <= today:
                return found
        if month is None:
            year, at = (year, at - 1) if at > 1 else (year - 1, 12)
        else:
            year -= 1
        if year < 1:
            break
    raise ParseError(f"{_quoted(text)} is not in the calendar.")


# times and instants

_TIME = re.compile(
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?\s*(z|utc|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)


def parse_time(text: str) -> time:
    """`14:02`, `14:02:11`, `14:02:11.204`; without a zone."""
    match = _TIME.fullmatch(text.strip())
    if match is None or match[5]:
        raise ParseError(f"{_quoted(text)} is no time: type 14:02 or 14:02:11.")
    return _clock_time(text, match)


def _clock_time(text: str, match: re.Match[str]) -> time:
    try:
        return time(int(match[1]), int(match[2]), int(match[3] or 0), int((match[4] or "").ljust(6, "0")))
    except ValueError:
        raise ParseError(f"{_quoted(text)} is no time of the day.") from None


def _unit(match: re.Match[str]) -> timedelta:
    """The span that a time stands for: what was left unwritten."""
    if match[3] is None:
        return timedelta(minutes=1)
    return timedelta(microseconds=10 ** (6 - len(match[4] or "")))


def parse_as_of(text: str, now: datetime, tz: tzinfo = UTC) -> datetime | int:
    """An instant to look back to: a date, a time, both, or a seq (`seq 812,331`, `812331`, `#812331`).

    What is written counts to its end: `2026-09-30` is that day's last microsecond, `14:02` that minute's, so
    what a screen shows at `14:02:11` is there as of `14:02:11`; where clocks are set back and show it twice,
    the later one counts. A time alone is the latest such time before `now`. Dates are as in `parse_date`, but
    a bare number is a seq. Times are in `tz` unless they end in `Z` or `+02:00`. The answer's zone is UTC.
    """
    word = " ".join(text.strip().split())
    seq = re.fullmatch(r"(?:(seq|#)\s*)?([0-9][0-9,_']*)", word, re.IGNORECASE)
    if seq:
        number = re.sub(r"[,_']", "", seq[2])
        if not seq[1] and re.fullmatch(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]", seq[2]):
            day = f"{number[:4]}-{number[4:6]}-{number[6:]}"
            raise ParseError(f"{_quoted(text)} can be a seq or a day: type seq {number} or {day}.")
        if len(number) > 18:
            raise ParseError(f"{_quoted(text)} is beyond every book's last seq.")
        return int(number)
    if not word:
        raise ParseError(
            "An instant is missing: type a date, a time or a seq, such as 2026-09-30 or seq 812,331."
        )
    local_now = now.astimezone(tz)
    match = _TIME.search(word)
    if match is None:
        return max(_moments(parse_date(word, local_now.date()), time.max, tz))
    before = word[: match.start()]
    if before and before[-1] not in "Tt ":
        raise ParseError(f"{_quoted(text)} is no date and time: type 2026-09-30 14:02.")
    before = before.rstrip("Tt ")
    if match.end() != len(word):
        raise ParseError(f"{_quoted(text)} does not end after the time: type 2026-09-30 14:02.")
    zone = _zone(text, match[5]) or tz
    clock = _clock_time(text, match)
    if before:
        moments = _moments(parse_date(before, local_now.date()), clock, zone)
    else:
        today = now.astimezone(zone).date()
        days = (today - timedelta(days=1), today)
        moments = [moment for day in days for moment in _moments(day, clock, zone) if moment <= now]
    return max(moments) + (_unit(match) - timedelta(microseconds=1))


def _moments(day: date, clock: time, zone: tzinfo) -> list[datetime]:
    """When clocks in `zone` show this, in UTC: two moments where they are set back or on, else twice the same."""
    shown = datetime.combine(day, clock, zone)
    try:
        return [shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    except OverflowError:
        raise ParseError("That instant is outside the calendar.") from None


def _zone(text: str, suffix: str | None) -> tzinfo | None:
    if suffix is None:
        return None
    if suffix.lower() in ("z", "utc"):
        return UTC
    hours, minutes = int(suffix[1:3]), int(suffix[-2:])
    if hours > 23 or minutes > 59:
        raise ParseError(f"{_quoted(text)} has no known time zone: type +02:00 or Z.")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if suffix[0] == "+" else -offset)
