"""A stream of events that one can follow or read: only the rows to be seen are fetched and drawn.

Following, the newest rows stand at the bottom. Whatever moves cursor or scroll pauses; from then on what
arrives is counted (`new`) and moves nothing, until `resume`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from store import StoreClosed, StoreError

from ..events.feed import Position, Rows
from ..events.lines import EventLine, fit_accounts, line_of, time_cell
from ..events.rules import MARKERS
from ..events.text import BookEvent
from ..formatting import fit_amount, printable
from .columns import clip, fit, wrapped
from .keys import bindings_for
from .shell import Shell

ROWS_KEPT = 4_096
MARKER = "▌"
FOUND = "•"
_CELL_CHARACTERS = 400
_WHEEL_ROWS = 3


class _Columns(NamedTuple):
    """Widths in cells; 0 leaves a column out."""

    seq: int
    time: int
    book: int
    kind: int
    accounts: int
    amount: int
    description: int


class _Seen(NamedTuple):
    """The most cells that something took of what was on the screen; `cents` is an amount without further decimals."""

    seq: int = 3
    accounts: int = 12
    cents: int = 8
    amount: int = 8
    description: int = 11


class Spot(NamedTuple):
    """Where one is among rows, and after which events one paused there."""

    following: bool
    top: int
    cursor: int | None
    since: Position | None


class _Palette(NamedTuple):
    """Styles of one frame; asking for them line by line would cost more than all the rest."""

    base: Style
    dim: Style
    strong: Style
    accent: Style
    cursor: Style
    head: Style
    thumb: Style
    tones: tuple[Style, ...]


class EventView(Widget, can_focus=True):
    """Rows of events with a cursor, a place and a follow mode."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar = bindings_for("events")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--cursor-blurred",
        "table--dim",
        "table--accent",
        "table--strong",
        "events--thumb",
        *(f"events--tone-{place}" for place in range(len(MARKERS))),
    }

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
        self._cache: OrderedDict[int, BookEvent] = OrderedDict()
        self._generation = 0
        self.since: Position | None = None
        """After which events one paused."""
        self._failed = ""
        self._fetching = False
        self._lines: dict[int, EventLine] = {}
        self._seen = _Seen()
        self._drawn_columns = _Columns(3, 8, 0, 0, 12, 12, 0)
        self._thumb: tuple[int, int] = (0, 0)
        self._drawn_place: tuple[int, int] | None = None
        self._dragging = False

    # What is shown

    async def show(self, source: Rows, *, at: int | None = None, since: Position | None = None) -> None:
        """Show other rows: following, or from row `at` on with the cursor there.

        One who had paused already did so at `since`.
        """
        if source is not self._source:
            self._seen = _Seen()
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
                for row in [row for row in self._cache if row >= source.held]:
                    del self._cache[row]
                self._generation += 1
            self.top = self._bottom()
            place = (self.top, source.end)
            same = place == self._drawn_place and self._missing(*place) is None
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
        return self._cache.get(row) if row is not None else None

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
        return self._cache.get(row)

    @property
    def _last_row_shown(self) -> BookEvent | None:
        rows = self.shown_rows
        return self._cache.get(rows[-1]) if rows else None

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
        generation = self._generation
        if source.end == source.first:
            return
        row = max(source.first, min(row, source.end - 1))
        top = self.top
        if not self.top <= row < self.top + self.visible_rows:
            top = self._within(row - self.visible_rows // 2)
        await self._fetch(top)
        if generation != self._generation:
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
        self._cache.clear()
        self._drawn_place = None
        self._generation += 1
        self._failed = ""

    def _missing(self, start: int, stop: int) -> tuple[int, int] | None:
        """The span from the first to the last row that is not at hand."""
        source = self._source
        if source is None:
            return None
        rows = [
            row for row in range(max(start, source.first), min(stop, source.end)) if row not in self._cache
        ]
        return (rows[0], rows[-1] + 1) if rows else None

    async def _fetch(self, top: int | None = None, margin: int = 0) -> bool:
        """Have the rows from `top` (default: those to be seen) at hand; whether they are."""
        source, generation = self._source, self._generation
        top = self.top if top is None else top
        missing = self._missing(top - margin, top + self.visible_rows + margin)
        if source is None or missing is None:
            return True
        try:
            found = await source.rows(*missing)
        except StoreClosed:
            return False
        except StoreError as error:
            self._failed = printable(str(error), 500)
            self.refresh()
            return False
        if generation != self._generation:
            return False
        self._failed = ""
        for row, event in enumerate(found, missing[0]):
            self._cache[row] = event
        for row in (*range(top - margin, top + self.visible_rows + margin), *self.shown_rows):
            if row in self._cache:
                self._cache.move_to_end(row)
        while len(self._cache) > ROWS_KEPT:
            self._cache.popitem(last=False)
        return True

    def _need(self) -> None:
        """See to it that what is to be seen is fetched, and then a page around it."""
        if not self._fetching and self.is_mounted:
            self._fetching = True
            self.run_worker(self._fetch_needed(), group="rows")

    async def _fetch_needed(self) -> None:
        try:
            while (missing := self._missing(self.top, self.top + self.visible_rows)) is not None:
                if not await self._fetch() and self._failed:
                    return
                self.refresh()
                await asyncio.sleep(0)
                if missing == self._missing(self.top, self.top + self.visible_rows):
                    return
            self.post_message(self.Filled())
            if not self.following:
                await self._fetch(margin=self.visible_rows)
        finally:
            self._fetching = False

    # Drawing

    def _columns(self) -> _Columns:
        """Widths for what is on the screen; a column that was wide stays so, lest it jump while one reads."""
        for line in self._lines.values():
            self._seen = _Seen(*map(max, self._seen, _cells_of(line)))
        seen, width = self._seen, self.size.width - 2
        seq = seen.seq
        time = 23 if width >= 138 else 12 if width >= 70 else 8
        book = (14 if width >= 110 else 9) if self.show_books else 0
        kind = 5 if width >= 130 else 0
        decimals = 24 if width >= 130 else 19 if width >= 96 else 16 if width >= 70 else 12
        amount = min(max(seen.cents, min(seen.amount, decimals)), width // 3)
        left = max(4, width - seq - time - amount - sum(size + 2 for size in (book, kind) if size) - 8)
        if left < 20:
            return _Columns(seq, time, book, kind, left + 2, amount, 0)
        accounts = min(seen.accounts, left - min(24, left * 2 // 5, seen.description))
        return _Columns(seq, time, book, kind, accounts, amount, left - accounts)

    def render_lines(self, crop: Region) -> list[Strip]:
        base = self.rich_style
        cursor = "table--cursor" if self.has_focus else "table--cursor-blurred"
        tone = partial(self.get_component_rich_style, partial=True)
        self._palette = _Palette(
            base=base,
            dim=base + tone("table--dim"),
            strong=base + tone("table--strong"),
            accent=base + tone("table--accent"),
            cursor=base + tone(cursor),
            head=self.get_component_rich_style("table--head"),
            thumb=self.get_component_rich_style("events--thumb"),
            tones=tuple(base + tone(f"events--tone-{place}") for place in range(len(MARKERS))),
        )
        precision_of = cast(Shell, self.app).precision
        self._lines = {
            row: line_of(event.sequenced, precision_of)
            for row in self.shown_rows
            if (event := self._cache.get(row)) is not None
        }
        self._drawn_columns = self._columns()
        self._thumb = self._scroll_thumb()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._head(self._drawn_columns, width)
        row = self.top + y - 1
        source = self._source
        if source is None or row >= source.end or row < source.first:
            said = wrapped(self.empty, width - 4) if source is None or source.end == source.first else []
            text = "  " + said[y - 2] if 2 <= y < 2 + len(said) else ""
            strip = Strip([Segment(set_cell_size(text, width - 1), self._palette.dim)])
        else:
            strip = self._row(row, width - 1)
        return Strip([*strip, self._bar(y)], width)

    def _head(self, columns: _Columns, width: int) -> Strip:
        cells = [
            fit("seq", columns.seq, "right"),
            fit("time", columns.time, "left"),
            fit("book", columns.book, "left"),
            fit("kind", columns.kind, "left"),
            fit("from → to", columns.accounts, "left"),
            fit("amount", columns.amount, "right"),
            fit("description", columns.description, "left"),
        ]
        text = " " + "  ".join(cell for cell in cells if cell)
        return Strip(
            [Segment(set_cell_size(text, width), self.get_component_rich_style("table--head"))], width
        )

    def _row(self, row: int, width: int) -> Strip:
        columns, palette = self._drawn_columns, self._palette
        is_cursor = row == self.cursor and not self.following
        base = palette.cursor if is_cursor else palette.base
        dim = palette.cursor if is_cursor else palette.dim
        event, line = self._cache.get(row), self._lines.get(row)
        if event is None or line is None:
            text = f"{MARKER if is_cursor else ' '} {self._failed or '·'}"
            return Strip([Segment(set_cell_size(text, width), dim)], width)
        found = self.marks is not None and self.marks(event)
        lit = self.lights(event) if self.lights is not None else None
        marker = MARKER if is_cursor else FOUND if found else MARKERS[lit] if lit is not None else " "
        standing_out = palette.tones[lit] if lit is not None else None
        app = cast(Shell, self.app)
        time = time_cell(event.sequenced, app.zone, app.today, columns.time)
        segments = [
            Segment(marker, base if is_cursor else standing_out or palette.accent),
            Segment(f"{line.seq.rjust(columns.seq)}  {fit(time, columns.time, 'left')}  ", dim),
        ]
        if columns.book:
            segments.append(Segment(fit(_clean(event.book), columns.book, "left") + "  ", base))
        if columns.kind:
            segments.append(Segment(line.kind.ljust(columns.kind) + "  ", dim))
        if line.kind != "tx":
            room = max(0, width - sum(cell_len(segment.text) for segment in segments))
            style = base if is_cursor else palette.accent
            segments.append(Segment(fit(_clean(line.accounts), room, "left"), style))
        else:
            accounts = fit(_flow(line.accounts, columns.accounts), columns.accounts, "left")
            style = base if is_cursor else palette.strong if found else standing_out or base
            segments.append(Segment(f"{accounts}  {_amount(line, columns.amount)}  ", style))
            segments.append(Segment(fit(_clean(line.description), columns.description, "left"), dim))
        return Strip(segments).adjust_cell_length(width, base)

    def _scroll_thumb(self) -> tuple[int, int]:
        """First and last line of the scroll bar's thumb."""
        source, height = self._source, self.visible_rows
        if source is None or source.end - source.first <= height:
            return (0, 0)
        total = source.end - source.first
        size = max(1, height * height // total)
        start = round((self.top - source.first) * (height - size) / (total - height))
        return (1 + start, start + size)

    def _bar(self, y: int) -> Segment:
        first, last = self._thumb
        if last and first <= y <= last:
            return Segment("█", self._palette.thumb)
        return Segment(" ", self._palette.base)

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


def _clean(text: str) -> str:
    return printable(text, _CELL_CHARACTERS)


def _cells_of(line: EventLine) -> _Seen:
    """The cells that a line would take, those of users' texts as far as there may be room for them."""
    if line.kind != "tx":
        return _Seen(seq=len(line.seq))
    beside = min(cell_len(line.asset), 8) + 1 + (len(line.more) + 1 if line.more else 0)
    whole = len(line.amount.partition(".")[0])
    return _Seen(
        seq=len(line.seq),
        accounts=min(60, cell_len(line.accounts[:60])),
        cents=beside + min(len(line.amount), whole + len(".00…")),
        amount=beside + len(line.amount),
        description=min(24, cell_len(line.description[:24])),
    )


def _flow(text: str, width: int) -> str:
    """`tierenteyn-m… → visa`: where there is no room for both accounts, neither pushes the other out."""
    text = fit_accounts(_clean(text), width)
    source, arrow, target = text.partition(" → ")
    room = width - cell_len(arrow)
    source = clip(source, max(room - cell_len(target), (room + 1) // 2))
    return f"{source}{arrow}{clip(target, room - cell_len(source))}"


def _amount(line: EventLine, width: int) -> str:
    more = f" {line.more}" if line.more else ""
    room = width - 1 - len(more)
    asset = clip(_clean(line.asset), max(width // 3, room - len(line.amount)))
    return f"{asset} {fit_amount(line.amount, room - cell_len(asset))}{more}".rjust(width)
