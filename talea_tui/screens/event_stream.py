"""The events of a book, or of all, in a view that is kept current: what arrives, and history behind a filter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from textual import events, getters, on, work
from textual.containers import Vertical
from textual.message import Message

from store import StoreError

from ..events.feed import EventFeed, Rows
from ..events.filter import EVERYTHING, Filter, FilterError, parse_filter
from ..events.matched import MatchedFeed
from ..events.rate import RateMeter
from ..events.text import BookEvent
from ..formatting import (
    format_age,
    format_count,
    format_date,
    format_datetime,
    format_lag,
    format_time,
    printable,
)
from ..widgets.event_view import EventView, Spot
from ..widgets.rate import StreamBar, StreamState
from ..widgets.shell import Shell
from .base import TaleaScreen

REPAINT_SECONDS = 0.1
LIVE = timedelta(seconds=2)
"""While the newest event is younger than this, how late events come here says more than how old it is."""
BUSY_PER_SECOND = 100
NOTHING_YET = "Nothing yet: what is posted appears here."

Place: TypeAlias = BookEvent | datetime
"""An event, or the first that was committed at or after a time."""


class _Left(NamedTuple):
    """A live stream that was left, and where one was in it or going to."""

    shown: tuple[object, ...]
    feed: EventFeed
    matched: MatchedFeed | None
    filter: Filter
    spot: Spot
    place: Place | None
    pending: Place | None


class EventStream(Vertical):
    """Shows `book`, or the one the user works in when that is None, or all; the screen says what changed."""

    app = getters.app(Shell)

    class Moved(Message):
        """Another event is the current one."""

        def __init__(self, pane: EventStream) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> EventStream:
            return self.pane

    class Shows(Message):
        """It is to show another book."""

        def __init__(self, pane: EventStream) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, book: str | None = None, *, all_books: bool = False) -> None:
        super().__init__()
        self.own_book = book
        self.all_books = all_books
        self.is_one_of_many = False
        self.bar = StreamBar(id="stream")
        self.view = EventView(id="events", empty=NOTHING_YET)
        self.filter: Filter = EVERYTHING
        self._feed: EventFeed | None = None
        self._matched: MatchedFeed | None = None
        self._shown: tuple[object, ...] = ()
        self._left: _Left | None = None
        """The live stream that one may come back to from the past."""
        self._meter = RateMeter()
        self._seen = 0
        """How many events had been seen when last looked."""
        self._lag: timedelta | None = None
        """How long after its commit the newest event was seen here, if it came while looking."""
        self._pending: Place | None = None
        """Where to go as soon as the search through history has come so far, unless one moves before."""
        self._note = ""

    def on_mount(self) -> None:
        self.clock = self.set_interval(1.0, self._tick)

    def begin_with(self, filter: str) -> None:
        """Filter by this from the beginning, if it is one."""
        with suppress(FilterError):
            self.filter = parse_filter(filter, self.app.precision)

    @property
    def book(self) -> str | None:
        """The book that is shown when it is not all."""
        return self.own_book if self.own_book is not None else self.app.book

    @property
    def what(self) -> str:
        return "all books" if self.all_books else self.book or "no book yet"

    def show_book(self, book: str | None, *, all_books: bool = False) -> None:
        self.own_book, self.all_books = book, all_books
        self.post_message(self.Shows(self))

    # Data

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        shown = (self.all_books, None if self.all_books else self.book, self.app.instant)
        if self._feed is None or shown != self._shown:
            await self._start(shown)
            return
        grew = await self._feed.refresh(changed)
        self._observe()
        if grew:
            if self._matched is not None:
                await self._catch_up(self._matched)
            await self._repaint()
        else:
            self._show_state()

    async def _repaint(self) -> None:
        """Show what has grown and the figures in one frame."""
        with self.app.batch_update():
            await self.view.grown()
            self._show_state()
        if self.view.following:
            self.post_message(self.Moved(self))

    async def _start(self, shown: tuple[object, ...]) -> None:
        """Follow the book, or all, from now on."""
        view = self.view
        if self._feed is not None and self._shown[2:] == (None,):
            self._left = _Left(
                self._shown, self._feed, self._matched, self.filter, view.spot, self._place, self._pending
            )
        left = self._left if self._left is not None and self._left.shown == shown else None
        self._shown = shown
        self._meter = RateMeter()
        self._seen, self._lag = 0, None
        self._feed = (
            EventFeed(self.app.store, None if self.all_books else self.book or "", self.app.as_of)
            if left is None
            else left.feed
        )
        if not self.all_books and self.book is None:
            self._feed.heads.clear()
        else:
            await self._feed.refresh()
        self._observe()
        view.show_books = self.all_books
        if left is None:
            await self._show_rows(None)
        else:
            await self._show_left(left)

    async def _show_left(self, left: _Left) -> None:
        """Show the live stream again as it was left; under another filter, at the event one was at."""
        if left.filter is not self.filter:
            self.view.since = left.spot.since
            await self._show_rows(left.place)
            return
        matched = self._matched = left.matched
        self._pending = left.pending
        self.view.empty = self._empty
        if matched is None:
            await self.view.show_again(left.feed, left.spot)
        else:
            await self.view.show_again(matched, left.spot)
            self._scan(matched)
            await self._catch_up(matched)
            await self._repaint()
        self.place_changed()

    def _observe(self) -> None:
        feed = self._feed
        if feed is None:
            return
        self._meter.observe(asyncio.get_running_loop().time(), feed.end)
        if feed.end > self._seen > 0 and feed.last_at is not None:
            self._lag = self.app.now() - feed.last_at
        self._seen = feed.end

    def _tick(self) -> None:
        """Let a second pass in which nothing came; who was away has to learn first what did."""
        if isinstance(self.screen, TaleaScreen) and not self.screen.is_behind:
            self._observe()
        self._show_state()

    def _age(self, feed: EventFeed) -> str:
        """How old the newest event is; while events come, how late they come here."""
        if feed.last_at is None:
            return ""
        now = self.app.now()
        if self._lag is not None and abs(now - feed.last_at) < LIVE:  # the clock may have been set back
            return f"lag {format_lag(self._lag)}"
        return format_age(feed.last_at, now)

    async def _catch_up(self, matched: MatchedFeed) -> None:
        painted = asyncio.get_running_loop().time()
        while await matched.catch_up() and matched is self._matched:
            if asyncio.get_running_loop().time() - painted >= REPAINT_SECONDS:
                await self._repaint()
                painted = asyncio.get_running_loop().time()

    @property
    def _empty(self) -> str:
        """What to say where no event is to be shown."""
        unreadable = None if self.all_books else self.app.why_unreadable(self.book)
        if unreadable is not None:
            return printable(unreadable, 1_000)
        return "No event meets this filter." if self.filter else NOTHING_YET

    async def _show_rows(self, anchor: Place | None) -> None:
        """Show what the filter lets pass; `anchor` is where to stay, None to follow."""
        feed = self._feed
        if feed is None:
            return
        self.view.empty = self._empty
        since = self.view.since if anchor is not None else None
        if not self.filter:
            self._matched = self._pending = None
            self.workers.cancel_group(self, "scan")
            row = await _row_of(feed, anchor) if anchor is not None else None
            if feed is not self._feed or self._matched is not None:
                return  # another book or filter was chosen meanwhile
            await self.view.show(feed, at=row, since=since)
        else:
            matched = self._matched = MatchedFeed(feed, self.filter)
            self._pending = anchor
            await self.view.show(matched, since=since)
            self._scan(matched)
        self.place_changed()

    @work(group="scan", exclusive=True)
    async def _scan(self, matched: MatchedFeed) -> None:
        """Test history from the newest backwards; matches appear as they are found."""
        loop = asyncio.get_running_loop()
        painted = float("-inf")
        try:
            while not matched.is_complete:
                began = loop.time()
                await matched.step()
                if loop.time() - painted >= REPAINT_SECONDS:
                    await self._show_found(matched)
                    painted = loop.time()
                # Where much is being posted, writers get their share of the loop.
                busy = self._meter.per_second() > BUSY_PER_SECOND
                await asyncio.sleep((loop.time() - began) / 2 if busy else 0)
            await self._show_found(matched)
        except StoreError as error:
            if matched is self._matched:
                self._note = f"The search through history stopped: {error}"
                self._show_state()

    async def _show_found(self, matched: MatchedFeed) -> None:
        if matched is not self._matched:
            return
        await self._repaint()
        pending = self._pending
        if pending is not None and matched.has_reached(_time_of(pending)):
            self._pending = None
            await self.view.go_to(matched, await _row_of(matched, pending))

    # What is told

    def _show_state(self) -> None:
        if not self.is_mounted or self._feed is None or not self._is_seen:
            return
        bar, feed, view = self.bar, self._feed, self.view
        bar.show(
            StreamState(
                what=self.what,
                counts=tuple(self._meter.counts(bar.sparkline_cells)),
                per_second=self._meter.per_second(),
                last=feed.end,
                is_seq=not self.all_books,
                age=self._age(feed),
                behind=self._matched.waiting if self._matched is not None else 0,
                following=view.following,
                new=view.new,
                past=self.app.instant is not None,
                trouble=self._trouble,
                current=self.is_current if self.is_one_of_many else None,
            )
        )
        self._show_prompt()

    @property
    def _trouble(self) -> str:
        books = self.app.books
        if self.all_books:
            return ", ".join(
                f"{name} {info.writer}" for name, info in books.items() if info.writer != "running"
            )
        info = books.get(self.book or "")
        return f"writer {info.writer}: {info.error or ''}" if info and info.writer != "running" else ""

    def _show_prompt(self) -> None:
        """Tell what there is to tell below the events."""

    @property
    def match_figures(self) -> str:
        """How many events meet the filter, of how many that were looked at, and where the search is to lead to.

        Empty without a filter.
        """
        matched = self._matched
        if matched is None:
            return ""
        text = f"{format_count(matched.matches)} of {format_count(matched.scanned)} match"
        if matched.is_complete:
            return text + self._going
        share = matched.scanned * 100 // max(1, matched.total)
        return f"{text} · {share} % of {format_count(matched.total)}{self._going}"

    @property
    def _going(self) -> str:
        pending, zone = self._pending, self.app.zone
        if pending is None:
            return ""
        if isinstance(pending, BookEvent):
            book = f"{pending.book}#" if self.all_books else "seq "
            where = f"{book}{format_count(pending.sequenced.seq)}"
        elif format_date(pending, zone) == format_date(self.app.now(), zone):
            where = format_time(pending, zone)
        else:
            where = format_datetime(pending, zone)
        return f" · going to {where}"

    @property
    def is_current(self) -> bool:
        """Whether the keys go to this tail."""
        return self.has_focus_within

    @property
    def _is_seen(self) -> bool:
        return isinstance(self.screen, TaleaScreen) and self.screen.is_seen

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def focus_changed(self) -> None:
        self.call_after_refresh(self._show_state)

    @on(EventView.Moved)
    def moved(self) -> None:
        self._pending = None
        if self.view.following:
            self._note = ""  # what went wrong while one read
        self.place_changed()

    @on(EventView.Filled)
    def place_changed(self) -> None:
        self._show_state()
        self.post_message(self.Moved(self))

    # Places

    @property
    def _place(self) -> Place | None:
        """Where one is or is going to; None when following."""
        if self._pending is not None or self.view.following:
            return self._pending
        return self.view.current

    async def _go_to_place(self, place: Place) -> None:
        matched, source = self._matched, self.view.source
        if matched is not None and not matched.has_reached(_time_of(place)):
            self._pending = place
        elif source is not None:
            self.view.pause()
            await self.view.go_to(source, await _row_of(source, place))


def _time_of(place: Place) -> datetime:
    return place if isinstance(place, datetime) else place.sequenced.at


async def _row_of(rows: Rows, place: Place) -> int:
    if isinstance(place, datetime):
        return await rows.row_at(place)
    return await rows.row_of(*place.id)
