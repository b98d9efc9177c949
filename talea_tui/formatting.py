"""Amounts, dates, ages, sizes and users' text as people see them. Pure; money is never a float."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

MINUS = "\N{MINUS SIGN}"
"""What the screen shows; exports use the ASCII hyphen (`minus="-"`)."""

ELLIPSIS = "…"

SignStyle = Literal["minus", "plus", "none"]
"""`minus`: only negatives are marked. `plus`: positives too, zero never. `none`: the magnitude."""

_BARS = "▁▂▃▄▅▆▇"
"""None fills its cell: bars of neighbouring lines would run into one."""

_COMBINING_RUN_MAX = 3
_VARIATION_SELECTORS = ("\ufe0e", "\ufe0f")


def format_amount(
    minor: int,
    precision: int,
    *,
    grouping: bool = True,
    sign: SignStyle = "minus",
    minus: str = MINUS,
) -> str:
    """`minor` units as a decimal number with exactly `precision` decimals, thousands grouped by commas.

    `parse_amount` reads it back to the same `minor` unless `sign` is "none".
    """
    digits = str(abs(minor)).rjust(precision + 1, "0")
    whole, fraction = (digits[:-precision], digits[-precision:]) if precision else (digits, "")
    text = f"{int(whole):,}" if grouping else whole
    if fraction:
        text = f"{text}.{fraction}"
    if sign == "none" or minor == 0:
        return text
    if minor < 0:
        return minus + text
    return "+" + text if sign == "plus" else text


def format_amount_plain(minor: int, precision: int) -> str:
    """For exports and amount fields: no grouping, ASCII minus."""
    return format_amount(minor, precision, grouping=False, minus="-")


def group_plain(text: str) -> str:
    """What `format_amount_plain` wrote, for people to read."""
    whole, point, fraction = text.partition(".")
    sign = MINUS if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{point}{fraction}"


def align_point(text: str, fraction_cells: int) -> str:
    """`text` padded on the right so that its decimal point stands `fraction_cells` before the end.

    `fraction_cells` counts the point: 3 for a column whose widest amount has two decimals, 0 for none.
    """
    _, point, fraction = text.partition(".")
    return text + " " * max(0, fraction_cells - len(point) - len(fraction))


def fraction_cells(precisions: Iterable[int]) -> int:
    """The room that `align_point` needs for amounts of these precisions."""
    widest = max(precisions, default=0)
    return widest + 1 if widest else 0


def align_amounts(texts: Sequence[str]) -> list[str]:
    """`texts` padded on both sides to one width, decimal points under each other."""
    room = max((len(text) - text.find(".") for text in texts if "." in text), default=0)
    padded = [align_point(text, room) for text in texts]
    width = max(map(len, padded), default=0)
    return [text.rjust(width) for text in padded]


def fit_amount(text: str, width: int) -> str:
    """`text` in at most `width` cells: decimals give way to an ellipsis, whole digits only to `###`."""
    if len(text) <= width:
        return text
    point = text.find(".")
    if point != -1 and point + 1 <= width:
        clipped = text[: width - 1]
        return clipped.rstrip(".") + ELLIPSIS if clipped.endswith(".") else clipped + ELLIPSIS
    return "#" * width


def format_count(count: int) -> str:
    return f"{count:,}".replace("-", MINUS)


def plural(count: int, noun: str) -> str:
    """`1 row`, `1,204 rows`."""
    return f"{format_count(count)} {noun}" if count == 1 else f"{format_count(count)} {noun}s"


def local(moment: datetime, tz: tzinfo) -> datetime:
    """`moment` as clocks in `tz` show it; in UTC where that is outside the calendar of years 1 to 9999."""
    try:
        return moment.astimezone(tz)
    except OverflowError:
        return moment.astimezone(UTC)


def format_date(moment: datetime | date, tz: tzinfo = UTC) -> str:
    """`2026-11-22`; a datetime is read in `tz`."""
    if isinstance(moment, datetime):
        moment = local(moment, tz).date()
    return moment.isoformat()


def occurred_day(moment: datetime, tz: tzinfo) -> date:
    """The day something happened. Midnight in UTC is a day chosen as such, the same in every zone."""
    moment = moment.astimezone(UTC)
    if not (moment.hour or moment.minute or moment.second or moment.microsecond):
        return moment.date()
    return local(moment, tz).date()


def format_time(moment: datetime, tz: tzinfo = UTC, *, decimals: Literal[0, 3, 6] = 0) -> str:
    """`14:02:11`, with milliseconds or microseconds when asked; cut, not rounded."""
    moment = local(moment, tz)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{moment.microsecond:06d}"[: len(text) + 1 + decimals] if decimals else text


def format_datetime(moment: datetime, tz: tzinfo = UTC, *, decimals: Literal[0, 3, 6] = 0) -> str:
    """`2026-11-22 14:02:11`."""
    return f"{format_date(moment, tz)} {format_time(moment, tz, decimals=decimals)}"


def format_weekday(day: date) -> str:
    """`Sun`: English whatever the locale, so that pictures and tests do not depend on it."""
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]


def format_moment(moment: datetime, zone: tzinfo) -> str:
    """A full moment with its zone's name or offset: `2026-11-22 14:02:11.000000 UTC`."""
    return f"{format_datetime(moment, zone, decimals=6)} {local(moment, zone):%Z}"


def format_age(then: datetime, now: datetime) -> str:
    """`just now`, `12 s ago`, `3 min ago`, `2 h ago`, `3 days ago`, `2 years ago`; `in …` ahead of `now`."""
    return _age(int((now - then) / timedelta(seconds=1)))


def _age(seconds: int) -> str:
    span = abs(seconds)
    if span < 2:
        return "just now"
    count, one, many = span // (365 * 86_400), "year", "years"
    for limit, unit_seconds, unit, units in (
        (60, 1, "s", "s"),
        (3_600, 60, "min", "min"),
        (86_400, 3_600, "h", "h"),
        (14 * 86_400, 86_400, "day", "days"),
        (70 * 86_400, 7 * 86_400, "week", "weeks"),
        (730 * 86_400, 30 * 86_400, "month", "months"),
    ):
        if span < limit:
            count, one, many = span // unit_seconds, unit, units
            break
    text = f"{count} {one if count == 1 else many}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def format_lag(lag: timedelta) -> str:
    """`84 ms`, `1.2 s`: how late something came; never negative."""
    seconds = max(0.0, lag / timedelta(seconds=1))
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def format_days_ago(day: date, today: date) -> str:
    """`today`, `yesterday`, `3 days ago`, `in 2 days`: whole days, for dates without a time."""
    days = (today - day).days
    if days in (0, 1, -1):
        return {0: "today", 1: "yesterday", -1: "tomorrow"}[days]
    return _age(days * 86_400)


def format_micros(micros: float) -> str:
    """A duration: `85 µs`, `0.9 ms`, `12 ms`, `1.2 s`."""
    if micros < 100:
        return f"{micros:.0f} µs"
    if micros < 10_000:
        return f"{micros / 1_000:.1f} ms"
    if micros < 1_000_000:
        return f"{micros / 1_000:.0f} ms"
    return f"{micros / 1_000_000:.1f} s"


def format_duration(seconds: float) -> str:
    """`4 s`, `1 min 05 s`, `2 h 03 min`: for progress and what is left of it."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"


def format_rate(per_second: float) -> str:
    """`0/s`, `0.4/s`, `9,812/s`."""
    if 0 < per_second < 10:
        return f"{per_second:.1f}/s"
    return f"{per_second:,.0f}/s"


def format_bytes(size_bytes: int) -> str:
    """`512 B`, `1.2 kB`, `134 MB`: powers of a thousand."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1_000
        if size < 999.5 or unit == "TB":
            break
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:,.0f} {unit}"


def sparkline(values: Sequence[float], width: int | None = None) -> str:
    """One bar a value, scaled to the largest; only zero is the lowest. `width` cuts on the left, or leaves blank."""
    if width is not None:
        return sparkline(values[max(0, len(values) - width) :]).rjust(width)
    top, steps = max(values, default=0), len(_BARS) - 1
    return "".join(_BARS[0] if value <= 0 else _BARS[max(1, round(value / top * steps))] for value in values)


def printable(text: str, limit: int | None = None) -> str:
    """User text made safe for one cell of a terminal: nothing in it moves the cursor, reorders or hides text.

    Newlines and tabs become `↵` and `⇥`, other control characters their pictures (`␛`), and what would act
    invisibly (bidi overrides, zero-width and unassigned characters, lone surrogates, endless combining marks)
    its code (`\\u202e`). Of a text longer than `limit` characters the first are shown, with an ellipsis. The
    result may still look like markup: hand it to `Text` or `Content`.
    """
    if limit is not None and len(text) > limit:
        return printable(text[: max(0, limit - 1)]) + ELLIPSIS
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        drawn = _drawn(character)
        if drawn is None:
            marks += 1
            if not shown:
                shown.append("\N{DOTTED CIRCLE}")
            drawn = character if marks <= _COMBINING_RUN_MAX else _code(character)
        else:
            marks = 0
        shown.append(drawn)
    return "".join(shown)


def cells_of(text: str) -> int:
    """The terminal cells that a printable text takes, for who has no terminal library at hand."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me") for character in text)


def pasted_line(text: str) -> str:
    """Pasted text for a field of one line: a space for the end of each line, pictures of control characters,
    `�` for lone surrogates.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    line = " ".join(line for line in text.splitlines() if line).replace("\t", " ")
    return "".join(_drawn(c) or c if unicodedata.category(c) == "Cc" else c for c in line)


@lru_cache(maxsize=4096)
def _drawn(character: str) -> str | None:
    """What stands for `character`; None for a combining mark, which depends on what is before it."""
    category = unicodedata.category(character)
    if character in _VARIATION_SELECTORS:
        return ""  # terminals disagree on the width these give to the character before them
    if category in ("Mn", "Me"):
        return None
    if character.isprintable():
        return character
    if category == "Zs":
        return " " * (2 if unicodedata.east_asian_width(character) == "F" else 1)
    if character == "\n":
        return "↵"
    if character == "\t":
        return "⇥"
    point = ord(character)
    if point < 0x20:
        return chr(0x2400 + point)
    return "␡" if point == 0x7F else _code(character)


def _code(character: str) -> str:
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
