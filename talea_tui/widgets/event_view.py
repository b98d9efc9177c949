"""A stream of events that one can follow or read: only the rows to be seen are fetched and drawn.

Following, the newest rows stand at the bottom. Whatever moves cursor or scroll pauses; from then on what
arrives is counted (`new`) and moves nothing, until `resume`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, NamedTuple, cast

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..events.feed import Position, Rows
from ..events.lines import EventLine, line_of
from ..events.text import BookEvent
from .columns import wrapped
from .event_drawing import COMPONENTS, ColumnWidths, EventDrawing, palette_of
from .fetched_rows import FetchedRows
from .keys import bindings_for
from .shell import Shell

_WHEEL_ROWS = 3


class Spot(NamedTuple):
    """Where one is among rows, and after which events one paused there."""

    following: bool
    top: int
    cursor: int | None
    since: Position | None


class EventView(Widget, can_focus=True):
    """Rows of events with a cursor, a place and a follow mode."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar = bindings_for("events")
    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS

    class Moved(Message):
        """Cursor, place or follow mode were changed, by the user or by `go_to`."""

        def __init__(self, view: EventView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> EventView:
            return self.view

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, EventView.Moved)

    class Filled(Message):
        """Rows that are to be seen have come; nobody moved."""

    class Opened(Message):
        """The event is to be opened."""

        def __init__(self, view: EventView, event: BookEvent) -> None:
            super().__init__()
            self.view, self.event = view, event

        @property
        def control(self) -> EventView:
            return self.view

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.empty = empty
        self.following = True
        self.top = 0
        self.cursor: int | None = None
        self.show_books = False
        self.marks: Callable[[BookEvent], bool] | None = None
        """Which events carry the mark of the search."""
        self.lights: Callable[[BookEvent], int | None] | None = None
        """By which of the user's rules an event stands out."""
        self._source: Rows | None = None
        self._fetched = FetchedRows()
        self.since: Position | None = None
        """After which events one paused."""
        self._fetching = False
        self._lines: dict[int, EventLine] = {}
        self._widths = ColumnWidths()
        self._thumb: tuple[int, int] = (0, 0)
        self._drawn_place: tuple[int, int] | None = None
        self._dragging = False

    # What is shown

    async def show(self, source: Rows, *, at: int | None = None, since: Position | None = None) -> None:
        """Show other rows: following, or from row `at` on with the cursor there.

        One who had paused already did so at `since`.
        """
        if source is not self._source:
            self._widths = ColumnWidths()
        self._source, self.since = source, since
        self._forget()
        self.following = at is None
        self.cursor = None
        if at is None:
            source.release()
            self.top = self._bottom()
        else:
            self._pin(source)
            self.top = self._within(at - self.visible_rows // 2)
            if source.end > source.first:
                self.cursor = max(source.first, min(at, source.end - 1))
        await self._fetch()
        self.refresh()

    @property
    def spot(self) -> Spot:
        return Spot(self.following, self.top, self.cursor, self.since)

    async def show_again(self, source: Rows, spot: Spot) -> None:
        """Show rows that were shown before, as one left them; what has come since moves none of them."""
        if spot.following:
            await self.show(source)
            return
        self._source = source
        self._forget()
        self.following, self.top, self.cursor, self.since = spot
        self.top = self._within(self.top)
        await self._fetch()
        self.refresh()

    async def grown(self) -> None:
        """More rows are there than before, on either end; what one is reading stays where it is."""
        source = self._source
        if source is None:
            return
        if self.following:
            if source.held < source.end:
                self._fetched.forget_from(source.held)
            self.top = self._bottom()
            place = (self.top, source.end)
            same = place == self._drawn_place and self._missing() is None
            if not same or self._scroll_thumb() != self._thumb:
                self._drawn_place = place
                await self._fetch()
                self.refresh()
            return
        if self.top < source.first:
            self.top = source.first
        shows_all = source.end <= self.top + self.visible_rows
        if shows_all or self._last_row_shown is None:
            await self._fetch()
            self.refresh()
        elif self._scroll_thumb() != self._thumb:
            self.refresh()

    @property
    def source(self) -> Rows | None:
        return self._source

    @property
    def new(self) -> int:
        """How many rows have come since the pause."""
        if self.following or self._source is None:
            return 0
        return self._source.end - self._source.end_at(self.since or {})

    @property
    def current(self) -> BookEvent | None:
        """The event under the cursor; following, the newest."""
        row = self.cursor
        if row is None and self._source is not None:
            row = self._source.end - 1 if self.following else self.top
        return self._fetched.get(row)

    @property
    def visible_rows(self) -> int:
        return max(1, self.size.height - 1)

    @property
    def shown_rows(self) -> range:
        """The numbers of the rows on the screen."""
        if self._source is None:
            return range(0)
        return range(self.top, max(self.top, min(self.top + self.visible_rows, self._source.end)))

    def event_at(self, row: int) -> BookEvent | None:
        """A row's event, if it has been fetched."""
        return self._fetched.get(row)

    @property
    def _last_row_shown(self) -> BookEvent | None:
        rows = self.shown_rows
        return self._fetched.get(rows[-1]) if rows else None

    # Where one is

    def pause(self) -> None:
        """Stop following; what is on the screen stays there."""
        if not self.following or self._source is None:
            return
        self.following = False
        self._pin(self._source)
        self.refresh()
        self._need()
        self.post_message(self.Moved(self))

    def _pin(self, source: Rows) -> None:
        source.hold()
        if self.since is None:
            self.since = source.position

    async def resume(self) -> None:
        """Follow again, from the newest row."""
        if self._source is not None:
            await self.show(self._source)
            self.post_message(self.Moved(self))

    async def go_to(self, source: Rows, row: int) -> None:
        """Put the cursor on a row of `source`, as near as there is one, with its surroundings, in one step.

        Nothing happens where other rows are shown by now.
        """
        if source is not self._source:
            return
        self.pause()
        fetched = self._fetched
        if source.end == source.first:
            return
        row = max(source.first, min(row, source.end - 1))
        top = self.top
        if not self.top <= row < self.top + self.visible_rows:
            top = self._within(row - self.visible_rows // 2)
        await self._fetch(top)
        if fetched is not self._fetched:
            return
        self.top, self.cursor = top, row
        self.refresh()
        self.post_message(self.Moved(self))

    def scroll_rows(self, rows: int) -> None:
        """Scroll without moving the cursor."""
        self.pause()
        self._set_top(self.top + rows)

    def move_cursor(self, rows: int) -> None:
        """Move the cursor, from the newest row when there was none."""
        source = self._source
        if source is None or source.end == source.first:
            return
        self.pause()
        cursor = self.cursor
        if cursor is None:
            cursor = min(self.top + self.visible_rows, source.end) - 1
        elif not self.top <= cursor < self.top + self.visible_rows:
            cursor = self.top if rows > 0 else min(self.top + self.visible_rows, source.end) - 1
            rows = 0 if abs(rows) == 1 else rows
        cursor = max(source.first, min(cursor + rows, source.end - 1))
        self.cursor = cursor
        if cursor < self.top:
            self.top = self._within(cursor)
        elif cursor >= self.top + self.visible_rows:
            self.top = self._within(cursor - self.visible_rows + 1)
        self._need()
        self.refresh()
        self.post_message(self.Moved(self))

    def _bottom(self) -> int:
        source = self._source
        return max(source.first, source.end - self.visible_rows) if source is not None else 0

    def _within(self, top: int) -> int:
        source = self._source
        return max(source.first, min(top, self._bottom())) if source is not None else 0

    def _set_top(self, top: int) -> None:
        top = self._within(top)
        if top != self.top:
            self.top = top
            self._need()
            self.refresh()
            self.post_message(self.Moved(self))

    # Fetching

    def _forget(self) -> None:
        self._fetched = FetchedRows()
        self._drawn_place = None

    def _missing(self) -> tuple[int, int] | None:
        """Which of the rows to be seen are not at hand."""
        source = self._source
        if source is None:
            return None
        return self._fetched.missing(source, self.top, self.top + self.visible_rows)

    async def _fetch(self, top: int | None = None, margin: int = 0) -> bool:
        """Have the rows from `top` (default: those to be seen) at hand; whether they are."""
        source, fetched = self._source, self._fetched
        top = self.top if top is None else top
        if source is None:
            return True
        done = await fetched.fetch(source, top - margin, top + self.visible_rows + margin)
        if fetched is not self._fetched:
            return False
        fetched.trim(self.shown_rows)
        if fetched.failed:
            self.refresh()
        return done

    def _need(self) -> None:
        """See to it that what is to be seen is fetched, and then a page around it."""
        if not self._fetching and self.is_mounted:
            self._fetching = True
            self.run_worker(self._fetch_needed(), group="rows")

    async def _fetch_needed(self) -> None:
        try:
            while (missing := self._missing()) is not None:
                if not await self._fetch() and self._fetched.failed:
                    return
                self.refresh()
                await asyncio.sleep(0)
                if missing == self._missing():
                    return
            self.post_message(self.Filled())
            if not self.following:
                await self._fetch(margin=self.visible_rows)
        finally:
            self._fetching = False

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        app = cast(Shell, self.app)
        self._lines = {
            row: line_of(event.sequenced, app.precision)
            for row in self.shown_rows
            if (event := self._fetched.get(row)) is not None
        }
        width = self.size.width
        self._drawing = EventDrawing(
            width,
            self._widths.fit(self._lines.values(), width, show_books=self.show_books),
            palette_of(self),
            app.zone,
            app.today,
        )
        self._thumb = self._scroll_thumb()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._drawing.head()
        first, last = self._thumb
        return self._drawing.with_bar(self._line(y), is_thumb=first <= y <= last)

    def _line(self, y: int) -> Strip:
        drawing, source, row = self._drawing, self._source, self.top + y - 1
        if source is None or row >= source.end or row < source.first:
            is_empty = source is None or source.end == source.first
            said = wrapped(self.empty, self.size.width - 4) if is_empty else []
            return drawing.remark("  " + said[y - 2] if 2 <= y < 2 + len(said) else "")
        is_cursor = row == self.cursor and not self.following
        event, line = self._fetched.get(row), self._lines.get(row)
        if event is None or line is None:
            return drawing.missing(self._fetched.failed or "·", is_cursor=is_cursor)
        return drawing.row(
            event,
            line,
            is_cursor=is_cursor,
            found=self.marks is not None and self.marks(event),
            lit=self.lights(event) if self.lights is not None else None,
        )

    def _scroll_thumb(self) -> tuple[int, int]:
        """First and last line of the scroll bar's thumb."""
        source, height = self._source, self.visible_rows
        if source is None or source.end - source.first <= height:
            return (0, 0)
        total = source.end - source.first
        size = max(1, height * height // total)
        start = round((self.top - source.first) * (height - size) / (total - height))
        return (1 + start, start + size)

    # Mouse and size

    def on_resize(self, event: events.Resize) -> None:
        self.top = self._bottom() if self.following else self._within(self.top)
        if self.cursor is not None and self.cursor >= self.top + self.visible_rows:
            self.top = self._within(self.cursor - self.visible_rows + 1)
        self._need()
        self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-_WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        if not self.following:
            self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x == self.size.width - 1 and self._thumb[1]:
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag_to(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _drag_to(self, y: int) -> None:
        source = self._source
        if source is not None:
            self.pause()
            height = self.visible_rows
            share = max(0, min(y - 1, height - 1)) / max(1, height - 1)
            self._set_top(source.first + round(share * (source.end - source.first - height)))

    def on_click(self, event: events.Click) -> None:
        row = self.top + event.y - 1
        if event.y == 0 or event.x == self.size.width - 1 or row not in self.shown_rows:
            return
        self.pause()
        if event.chain >= 2 and row == self.cursor:
            self.action_open()
            return
        self.cursor = row
        self.refresh()
        self.post_message(self.Moved(self))

    # Actions

    def action_cursor_up(self) -> None:
        self.move_cursor(-1)

    def action_cursor_down(self) -> None:
        if not self.following:
            self.move_cursor(1)

    def action_page_up(self) -> None:
        self.move_cursor(-self.visible_rows)

    def action_page_down(self) -> None:
        if not self.following:
            self.move_cursor(self.visible_rows)

    async def action_first(self) -> None:
        if self._source is not None:
            await self.go_to(self._source, self._source.first)

    async def action_follow(self) -> None:
        await self.resume()

    async def action_pause(self) -> None:
        if self.following:
            self.pause()
        else:
            await self.resume()

    def action_open(self) -> None:
        self.pause()
        if self.cursor is None and self._source is not None and self._source.end > self._source.first:
            self.cursor = min(self.top + self.visible_rows, self._source.end) - 1
        event = self.current
        if event is not None:
            self.post_message(self.Opened(self, event))
