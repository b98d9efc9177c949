"""A table over any number of rows: only what is visible is fetched and drawn.

Give it rows at hand (`set_rows`) or a source that is asked for pages (`set_source`), and tell it of growth
with `grow(count)`. Rows are lists of `Cell` or str, never markup; a row of one cell is a heading across the
columns.
What arrives below moves neither cursor nor scroll, unless the cursor stands on the last row: then it follows.

    table = VirtualTable([Column("date", "date", min_width=10), Column("amount", "amount", align="right")])
    table.set_source(source, count)        # source: async fetch(start, limit) -> list of rows
    on VirtualTable.Highlighted / VirtualTable.Opened: event.row is a row's number, table.row_at(row) its
    cells
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from typing import ClassVar, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..formatting import fit_amount, printable
from .columns import GAP, READING_WIDTH, Cell, Column, Row, fit, fit_path, lay_out, value_of, wrapped
from .keys import bindings_for
from .row_pages import RowPages, RowsAtHand, RowSource
from .shell import Shell

__all__ = [
    "GAP",
    "READING_WIDTH",
    "Cell",
    "Column",
    "Row",
    "VirtualTable",
    "value_of",
]

MARKER, MARKER_ASIDE = "▌", "│"
"""At the row under the cursor, where the keys go and where they do not."""

_MARGINS = 3
"""Cells of the marker, after the last column, and of the scroll bar."""

_CELL_CHARACTERS = 1_000
_ROWS_MEASURED = 300


class VirtualTable(ScrollView, can_focus=True):
    """Rows by number from an asynchronous source, with a cursor. `opens` tells whether a row can be opened, or any.

    On a wide screen the columns are not spread over more than `reading_width` cells, unless the rows need them.
    """

    BINDINGS: ClassVar = bindings_for("table")
    DATED: ClassVar[bool] = False
    """Whether rows have days, so that one can go to one."""
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--head-marked",
        "table--cursor",
        "table--cursor-blurred",
        "table--dim",
        "table--strong",
        "table--negative",
        "table--positive",
        "table--accent",
        "table--warning",
    }
    DEFAULT_CSS = """
    VirtualTable { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    class Highlighted(Message):
        """The cursor came to another row; -1 when there are none."""

        def __init__(self, table: VirtualTable, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> VirtualTable:
            return self.table

    class Opened(Message):
        """The row is to be opened: enter, right, or a click on the row under the cursor."""

        def __init__(self, table: VirtualTable, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

        @property
        def control(self) -> VirtualTable:
            return self.table

    class Scrolled(Message):
        """Other rows are visible, or more or fewer of them."""

        def __init__(self, table: VirtualTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> VirtualTable:
            return self.table

    class GoToAsked(Message):
        """The user wants to name a row by its number."""

        def __init__(self, table: VirtualTable) -> None:
            super().__init__()
            self.table = table

    class ExportAsked(Message):
        """The user wants what is shown as a file."""

        def __init__(self, table: VirtualTable) -> None:
            super().__init__()
            self.table = table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        empty: str = "",
        show_head: bool = True,
        follow: bool = True,
        opens: bool | Callable[[int], bool] = True,
        reading_width: int | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.columns = list(columns)
        self.empty = empty
        self.show_head = show_head
        self.follow = follow
        self._opens = opens
        self._reading_width = reading_width
        self._offered_to_open = False
        self.cursor = -1
        self.column = self._copied_column
        self._marked = False
        """Whether `column` was chosen, and is to be seen as such."""
        self.export_name = "talea"
        self._pages = RowPages(RowsAtHand([]), 0)
        self._seen_widths = [cell_len(column.title) for column in self.columns]
        self._layout: list[tuple[int, int]] = []
        self._layout_for: tuple[object, ...] = ()
        self._fetching = False
        self._drawn: dict[int, Row] = {}
        self._base, self._width = Style.null(), 0
        self._wish: tuple[int, int] | None = None

    # What is shown

    def set_source(self, source: RowSource, count: int, *, cursor: int | None = None) -> None:
        """Show other rows; the cursor starts at `cursor`, default the first row."""
        self._pages = RowPages(source, count)
        self._seen_widths = [cell_len(column.title) for column in self.columns]
        self._resize_content()
        if cursor is None:
            cursor = 0
        self.cursor = -1
        self.set_scroll_top(0)
        self.move_to(cursor, center=True)
        self.refresh()

    def set_rows(self, rows: Sequence[Row], *, cursor: int | None = None) -> None:
        """Show rows that are at hand; without `cursor`, cursor and scroll stay as far as the rows reach."""
        top, layout, count = self.scroll_top, self.column_layout(), self.count
        self._pages = RowPages(RowsAtHand(rows), len(rows))
        self._seen_widths = [cell_len(column.title) for column in self.columns]
        for row in rows[:_ROWS_MEASURED]:
            self._measure(row)
        self._resize_content()
        self.set_scroll_top(top)
        self.move_to(self.cursor if cursor is None else cursor)
        if count and (count, top, layout) == (self.count, self.scroll_top, self.column_layout()):
            for number in range(top, min(self.count, top + self.visible_rows + 1)):
                if self.row_at(number) != self._drawn.get(number):
                    self._refresh_row(number)
        else:
            self.refresh()

    def _refresh_row(self, row: int) -> None:
        """Draw one row again, if it is visible."""
        line = row - self.scroll_top + self.head_lines
        if self.head_lines <= line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))

    def grow(self, count: int) -> None:
        """Rows were added at the end; rows that were there are as they were."""
        if count == self.count:
            return
        following = self.follow and self.cursor == self.count - 1
        self._pages.grow(count)
        self._resize_content()
        if following or self.cursor < 0 or self.cursor >= count:
            self.move_to(count - 1)
        self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        ids, marked = [column.id for column in columns], self.columns[self.column].id
        self._marked = self._marked and marked in ids
        self.columns = list(columns)
        self.column = ids.index(marked) if self._marked else self._copied_column
        self._seen_widths = [cell_len(column.title) for column in self.columns]
        for row in self._pages.at_hand():
            self._measure(row)
        self.refresh()

    @property
    def _copied_column(self) -> int:
        return next((at for at, column in enumerate(self.columns) if column.copied), 0)

    def row_at(self, row: int) -> Row | None:
        """A row if it has been fetched."""
        return self._pages.row_at(row)

    @property
    def source(self) -> RowSource:
        """What is shown now, whatever will be later."""
        return self._pages.source

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._pages.count

    async def row_on(self, day: date) -> int | None:
        """The row to go to for a day, where rows have days; else None."""
        return None

    # Where one is

    @property
    def head_lines(self) -> int:
        return 1 if self.show_head else 0

    @property
    def visible_rows(self) -> int:
        return max(1, self.scrollable_content_region.height - self.head_lines)

    @property
    def scroll_top(self) -> int:
        """The first row that is visible."""
        return round(self.scroll_y)

    def set_scroll_top(self, row: int) -> None:
        last = max(0, self.count - self.visible_rows)
        self.scroll_to(y=max(0, min(row, last)), animate=False, immediate=True, force=True)

    def move_to(self, row: int, *, center: bool = False) -> None:
        """Put the cursor on a row, as near as there is one, and scroll just enough to show it."""
        row = max(0, min(row, self.count - 1)) if self.count else -1
        before, self.cursor = self.cursor, row
        top, visible = self.scroll_top, self.visible_rows
        if row >= 0:
            if row < top:
                self.set_scroll_top(row - (visible // 2 if center else 0))
            elif row >= top + visible:
                self.set_scroll_top(row - visible + 1 + (visible // 2 if center else 0))
        if before != row:
            self.post_message(self.Highlighted(self, row))
            self._refresh_row(before)
            self._refresh_row(row)
        if self._can_open != self._offered_to_open:
            self._offered_to_open = self._can_open
            self.refresh_bindings()

    def _resize_content(self) -> None:
        size = Size(max(1, self.size.width), self.count + self.head_lines)
        if size != self.virtual_size:
            self.virtual_size = size

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled(self))

    def on_resize(self, event: events.Resize) -> None:
        self._resize_content()
        self.post_message(self.Scrolled(self))
        if self.cursor >= 0:
            top, visible = self.scroll_top, self.visible_rows
            if not top <= self.cursor < top + visible:
                self.move_to(self.cursor)

    # Fetching

    def _need(self, first: int, last: int) -> None:
        """See to it that rows first..last are fetched; a newer wish replaces an older one."""
        if self._pages.missing(first, last) is None:
            return
        self._wish = (first, last)
        if not self._fetching and self.is_mounted:
            self._fetching = True
            self.run_worker(self._fetch_wishes(), group="rows")

    async def _fetch_wishes(self) -> None:
        try:
            while self._wish is not None:
                pages = self._pages
                page = pages.missing(*self._wish)
                if page is None:
                    self._wish = None
                    return
                rows = await pages.fetch(page)
                if pages is self._pages:
                    for row in rows:
                        self._measure(row)
                    self.refresh()
                await asyncio.sleep(0)
        finally:
            self._fetching = False

    # Drawing

    def _is_heading(self, row: Row) -> bool:
        return len(row) == 1 < len(self.columns)

    def _measure(self, row: Row) -> None:
        widths = self._seen_widths
        if self._is_heading(row):
            return
        for at, cell in enumerate(row[: len(widths)]):
            text = cell if isinstance(cell, str) else cell.text
            if len(text) > widths[at] or not text.isascii():
                widths[at] = max(widths[at], cell_len(text[:_CELL_CHARACTERS]))

    def column_layout(self) -> list[tuple[int, int]]:
        """(column index, width) of the columns that fit, left to right."""
        room = self.scrollable_content_region.width - 2
        if self._reading_width is not None:
            room = min(room, max(self._reading_width, self.natural_width) - _MARGINS)
        key = (room, tuple(self._seen_widths), tuple(self.columns))
        if key == self._layout_for:
            return self._layout
        self._layout = lay_out(self.columns, self._seen_widths, room)
        self._layout_for = key
        return self._layout

    @property
    def natural_width(self) -> int:
        """Cells in which the rows, as far as they were measured, are to be seen whole."""
        widths = (
            max(column.min_width, min(column.max_width, seen))
            for column, seen in zip(self.columns, self._seen_widths, strict=True)
        )
        return sum(width + GAP for width in widths) - GAP + _MARGINS

    def cut_columns(self, row: int) -> set[str]:
        """The ids of the columns that have no room for all that a row holds in them."""
        sizes = dict(self.column_layout())
        return {
            self.columns[at].id
            for at, cell in enumerate(self.row_at(row) or ())
            if cell_len(cell if isinstance(cell, str) else cell.text) > sizes.get(at, 0)
        }

    def watch_show_vertical_scrollbar(self) -> None:
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = self.scroll_y

    def render_lines(self, crop: Region) -> list[Strip]:
        # Worked out once a frame: a line costs less than asking for the style it is drawn in.
        self._base, self._width = self.rich_style, self.scrollable_content_region.width
        if len(self._drawn) > _ROWS_MEASURED:
            seen = range(self.scroll_top, self.scroll_top + self.visible_rows + 1)
            self._drawn = {row: cells for row, cells in self._drawn.items() if row in seen}
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width, base = self._width, self._base
        if self.show_head and y == 0:
            return self._head(width)
        row = self.scroll_top + y - self.head_lines
        if row >= self.count:
            return (
                self._empty_line(y - self.head_lines - 1, width)
                if self.count == 0
                else Strip.blank(width, base)
            )
        if y == self.head_lines:
            self._need(row, min(self.count - 1, row + self.visible_rows - 1))
        return self._row(row, width)

    def _empty_line(self, line: int, width: int) -> Strip:
        """A line of what is said instead of rows."""
        lines = wrapped(self.empty, width - 4)
        text = lines[line] if 0 <= line < len(lines) else ""
        return Strip([Segment(set_cell_size("  " + text, width), self._base + self._tone("dim"))], width)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"table--{tone}", partial=True)

    def _head(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--head")
        marked = self.get_component_rich_style("table--head-marked")
        segments = [Segment(" ", style)]
        for place, (at, cells) in enumerate(self.column_layout()):
            column = self.columns[at]
            if place:
                segments.append(Segment(" " * GAP, style))
            is_marked = at == self.column and self._marked and self.has_focus
            title = fit(column.title, cells, column.align)
            word = title.strip()
            before, _, after = title.partition(word) if word else (title, "", "")
            segments += [
                Segment(before, style),
                Segment(word, marked if is_marked else style),
                Segment(after, style),
            ]
        return Strip(segments).adjust_cell_length(width, style)

    def _row(self, row: int, width: int) -> Strip:
        base = self._base
        is_cursor = row == self.cursor
        marker = Segment(" ", base)
        if is_cursor and (self.has_focus or not self.can_focus):  # then what has the focus moves the cursor
            base = base + self._tone("cursor")
            marker = Segment(MARKER, base + self._tone("accent"))
        elif is_cursor:
            base = base + self._tone("cursor-blurred")
            marker = Segment(MARKER_ASIDE, base + self._tone("dim"))
        segments = [marker]
        cells = self.row_at(row)
        if cells is not None:
            self._drawn[row] = cells
        if cells is None:
            text = self._pages.why_missing(row, self.scroll_top) or "·"
            segments.append(Segment(set_cell_size(text, max(0, width - 1)), base + self._tone("dim")))
            return Strip(segments).adjust_cell_length(width, base)
        layout = [(0, max(1, width - 2))] if self._is_heading(cells) else self.column_layout()
        for place, (at, size) in enumerate(layout):
            if place:
                segments.append(Segment(" " * GAP, base))
            cell = cells[at] if at < len(cells) else ""
            text, tone = (cell, "") if isinstance(cell, str) else (cell.text, cell.tone)
            style = base + self._tone(tone) if tone else base
            if is_cursor and (tone == "dim" or self.app.native_ansi_color):
                style += base  # dim text would drown in the cursor's colour, and all in a terminal's own
            column = self.columns[at]
            if column.number and len(text) > size:
                text = fit_amount(text, size)
            text = printable(text, _CELL_CHARACTERS)
            if column.path:
                text = fit_path(text, size)
            segments.append(Segment(fit(text, size, column.align), style))
        return Strip(segments).adjust_cell_length(width, base)

    # Mouse

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        column = self._column_under(at)
        if column is not None:
            self.column, self._marked = column, True
        row = self.scroll_top + at.y - self.head_lines
        if at.y >= self.head_lines and row < self.count:
            if event.chain >= 2 and row == self.cursor:
                self.action_open()
            else:
                self.move_to(row)
        self.refresh()

    def _column_under(self, offset: Offset) -> int | None:
        x = 1
        for at, size in self.column_layout():
            if x <= offset.x < x + size + GAP:
                return at
            x += size + GAP
        return None

    # Actions

    def action_cursor_up(self) -> None:
        self.move_to(self.cursor - 1)

    def action_cursor_down(self) -> None:
        self.move_to(self.cursor + 1)

    def action_page_up(self) -> None:
        self.move_to(self.cursor - self.visible_rows)

    def action_page_down(self) -> None:
        self.move_to(self.cursor + self.visible_rows)

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self.count - 1)

    @property
    def _can_open(self) -> bool:
        """Whether the row under the cursor can be opened."""
        return self.cursor >= 0 and (self._opens(self.cursor) if callable(self._opens) else self._opens)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "open" or self._can_open

    def action_open(self) -> None:
        if self._can_open:
            self.post_message(self.Opened(self, self.cursor))

    def action_go_to_row(self) -> None:
        self.post_message(self.GoToAsked(self))

    def action_column(self, step: int) -> None:
        shown = [at for at, _ in self.column_layout()]
        if shown:
            place = shown.index(self.column) if self.column in shown else 0
            self.column, self._marked = shown[(place + step) % len(shown)], True
            self.refresh()

    def action_copy_cell(self) -> None:
        row = self.row_at(self.cursor)
        if row is not None and self.column < len(row):
            title = self.columns[self.column].title or "cell"
            cast(Shell, self.app).copy(value_of(row[self.column]), title)

    def action_copy_row(self) -> None:
        row = self.row_at(self.cursor)
        if row is not None:
            cast(Shell, self.app).copy("\t".join(value_of(cell) for cell in row), "row")

    def action_export(self) -> None:
        self.post_message(self.ExportAsked(self))
