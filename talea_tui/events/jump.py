"""Where `g` leads: a seq, a time, the start or the end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal, TypeAlias

from ..formatting import printable
from ..parsing import NoDate, ParseError, parse_date, parse_time

_SEQ = re.compile(r"(?:seq\s*|(?P<book>.*\S)?\s*#\s*)?(?P<seq>\d[\d,_']*)$", re.IGNORECASE)
_AGO = re.compile(r"[-−](\d{1,6})\s*(s|sec|m|min|h|d|w)$", re.IGNORECASE)
_TIME = re.compile(r"^(?:(?P<date>.*?)[\sT]+)?(?P<time>\d{1,2}:\d{2}\S*)$", re.IGNORECASE)
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True)
class SeqTarget:
    """A seq; `book` None is the book one is looking at."""

    seq: int
    book: str | None = None


Target: TypeAlias = SeqTarget | datetime | Literal["start", "end"]


def parse_target(text: str, now: datetime, zone: tzinfo = UTC) -> Target:
    """`812331`, `payments#17`, `2026-11-22`, `fri`, `14:02`, `2026-11-22 14:02:11`, `-2h`, `start`, `end`.

    A time leads to its begin: a date to that midnight in `zone`, a clock time alone is its latest
    before `now`. Raises ParseError.
    """
    word = " ".join(text.split())
    if word.lower() in ("start", "home", "first"):
        return "start"
    if word.lower() in ("end", "last", "now"):
        return "end"
    if found := _SEQ.match(word):
        digits = re.sub(r"[,_']", "", found["seq"])
        if len(digits) > 12:
            raise ParseError("That is beyond every book's last seq.")
        return SeqTarget(int(digits), found["book"])
    if not word:
        raise ParseError("Type a seq, a date, a time, -2h, start or end.")
    today = now.astimezone(zone).date()
    try:
        if found := _AGO.match(word):
            return now.astimezone(UTC) - timedelta(seconds=int(found[1]) * _SECONDS[found[2].lower()])
        if found := _TIME.match(word):
            clock = parse_time(found["time"])
            day = parse_date(found["date"], today) if found["date"] else today
            moment = datetime.combine(day, clock, zone)
            if not found["date"] and moment > now:
                moment -= timedelta(days=1)
        else:
            moment = datetime.combine(parse_date(word, today), time.min, zone)
        return moment.astimezone(UTC)
    except NoDate:
        raise ParseError(
            f"“{printable(word, 30)}” is no seq or time: type 812, 2026-11-22, 14:02, -2h, start or end."
        ) from None
    except OverflowError:
        raise ParseError("That is outside the calendar.") from None


def just_before(moment: datetime) -> datetime:
    """The microsecond before `moment`; at the calendar's begin, where nothing is before, `moment` itself."""
    try:
        return moment - timedelta(microseconds=1)
    except OverflowError:
        return moment


def books_named(text: str, names: Iterable[str]) -> list[str]:
    """The book of this very name, else those whose names begin with the text, else those that hold it."""
    wanted, folded = text.casefold(), [(name.casefold(), name) for name in names]
    return (
        [name for low, name in folded if low == wanted]
        or [name for low, name in folded if low.startswith(wanted)]
        or [name for low, name in folded if wanted in low]
    )
