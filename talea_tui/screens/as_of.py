"""Asking for the instant that every pane is to show."""

from __future__ import annotations

from datetime import datetime

from store import StoreError

from ..events.feed import last_seq
from ..formatting import format_count, format_date, format_datetime, format_time
from ..parsing import ParseError, parse_as_of
from ..widgets.shell import Instant, Shell
from .ask import Ask


async def ask_instant(app: Shell) -> None:
    """Ask for a date, a time or a seq, and show the ledger as it was then; an empty answer is now."""
    try:
        hint = await _hint(app)
    except StoreError as error:
        app.refuse(error)
        return

    def check(answer: str) -> str | None:
        try:
            asked = parse_as_of(answer, app.now(), app.zone) if answer.strip() else 0
        except ParseError as error:
            return str(error)
        if isinstance(asked, int) and answer.strip() and app.book is None:
            return "A seq belongs to a book, and there is none yet."
        return None

    answer = await app.push_screen_wait(
        Ask(
            "Show the ledger as of",
            hint=hint,
            placeholder="2026-09-30   14:02   seq 812,331",
            does="show it",
            check=check,
        )
    )
    if answer is None:
        return
    if not answer.strip():
        app.show_instant(None)
        return
    try:
        app.show_instant(await instant_of(app, answer))
    except StoreError as error:
        app.refuse(error)


async def instant_of(app: Shell, text: str) -> Instant:
    """The instant that `text` names. Raises ParseError, StoreError.

    A moment still to come is cut to now, so that what is shown stands still; a seq beyond the last is the
    last.
    """
    asked = parse_as_of(text, app.now(), app.zone)
    if isinstance(asked, datetime):
        moment = min(asked, app.now())
        if app.book is None or app.why_unreadable() is not None:
            return Instant(_label(app, text, moment), moment)
        seq = await app.store.seq_at(app.book, moment)
        return Instant(_label(app, text, moment), moment, seq, app.book)
    assert app.book is not None
    seq = min(asked, await last_seq(app.store, app.book))
    found = await app.store.events_at(app.book, [seq])
    moment = found[0].at if found else datetime.min.replace(tzinfo=app.now().tzinfo)
    return Instant(_label(app, "", moment) if found else "the beginning", moment, seq, app.book)


def _label(app: Shell, text: str, moment: datetime) -> str:
    """The day alone when a day was asked for, else day and time."""
    if text and ":" not in text and format_time(moment, app.zone) == "23:59:59":
        return format_date(moment, app.zone)
    return format_datetime(moment, app.zone)


async def _hint(app: Shell) -> str:
    """What the current book's log spans. Commits count, not the dates of what happened."""
    words = "When it was recorded counts, not when it happened."
    if app.book is None or app.why_unreadable() is not None:
        return words
    info = await app.store.book(app.book)
    first = await app.store.read_events(app.book, 1, 1)
    if info is None or info.last_at is None or not first:
        return words
    begin = format_datetime(first[0].at, app.zone)
    end = format_datetime(info.last_at, app.zone)
    return f"{words}\n{begin} (seq 1) to {end} (seq {format_count(info.last_seq)}). Empty is now."
