"""Events drawn as the lines of a table: how wide its columns are, and in which styles its cells stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import partial
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ..events.lines import EventLine, fit_accounts, time_cell
from ..events.rules import MARKERS
from ..events.text import BookEvent
from ..formatting import fit_amount, printable
from .columns import clip, fit
from .virtual_table import MARKER, MARKER_ASIDE

FOUND = "•"
_CELL_CHARACTERS = 400

_TONES = tuple(f"events--tone-{place}" for place in range(len(MARKERS)))
COMPONENTS = {
    "table--head",
    "table--cursor",
    "table--cursor-blurred",
    "table--dim",
    "table--accent",
    "table--strong",
    "events--thumb",
    *_TONES,
}
"""The component classes that a widget needs which draws events."""


class Columns(NamedTuple):
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


class ColumnWidths:
    """How wide columns are; one that was wide stays so, lest it jump while one reads."""

    def __init__(self) -> None:
        self._seen = _Seen()

    def fit(self, lines: Iterable[EventLine], width: int, *, show_books: bool) -> Columns:
        """The columns for `lines` in a widget of `width` cells."""
        for line in lines:
            self._seen = _Seen(*map(max, self._seen, _cells_of(line)))
        seen, width = self._seen, width - 2
        seq = seen.seq
        time = 23 if width >= 138 else 12 if width >= 70 else 8
        book = (14 if width >= 110 else 9) if show_books else 0
        kind = 5 if width >= 130 else 0
        decimals = 24 if width >= 130 else 19 if width >= 96 else 16 if width >= 70 else 12
        amount = min(max(seen.cents, min(seen.amount, decimals)), width // 3)
        left = max(4, width - seq - time - amount - sum(size + 2 for size in (book, kind) if size) - 8)
        if left < 20:
            return Columns(seq, time, book, kind, left + 2, amount, 0)
        accounts = min(seen.accounts, left - min(24, left * 2 // 5, seen.description))
        return Columns(seq, time, book, kind, accounts, amount, left - accounts)


class _Palette(NamedTuple):
    """Styles of one frame; asking for them line by line would cost more than all the rest."""

    base: Style
    dim: Style
    strong: Style
    accent: Style
    cursor: Style
    marker: Segment
    head: Style
    thumb: Style
    tones: tuple[Style, ...]


def palette_of(widget: Widget) -> _Palette:
    """The styles of a widget that has `COMPONENTS`, as its focus is now."""
    base = widget.rich_style
    tone = partial(widget.get_component_rich_style, partial=True)
    if widget.has_focus:
        cursor = base + tone("table--cursor")
        marker = Segment(MARKER, cursor)
    else:
        cursor = base + tone("table--cursor-blurred")
        marker = Segment(MARKER_ASIDE, cursor + tone("table--dim"))
    return _Palette(
        base=base,
        dim=base + tone("table--dim"),
        strong=base + tone("table--strong"),
        accent=base + tone("table--accent"),
        cursor=cursor,
        marker=marker,
        head=widget.get_component_rich_style("table--head"),
        thumb=widget.get_component_rich_style("events--thumb"),
        tones=tuple(base + tone(name) for name in _TONES),
    )


@dataclass(frozen=True, slots=True)
class EventDrawing:
    """Draws the lines of one frame; the last of the `width` cells is the scroll bar's."""

    width: int
    columns: Columns
    palette: _Palette
    zone: tzinfo
    today: date

    def head(self) -> Strip:
        columns = self.columns
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
        return Strip([Segment(set_cell_size(text, self.width), self.palette.head)], self.width)

    def remark(self, text: str) -> Strip:
        """A line of what is said instead of events."""
        return Strip([Segment(set_cell_size(text, self.width - 1), self.palette.dim)])

    def missing(self, said: str, *, is_cursor: bool) -> Strip:
        """An event that is not at hand."""
        style = self.palette.cursor if is_cursor else self.palette.dim
        marker = self.palette.marker if is_cursor else Segment(" ", style)
        return Strip([marker, Segment(set_cell_size(f" {said}", self.width - 2), style)])

    def row(
        self, event: BookEvent, line: EventLine, *, is_cursor: bool, found: bool, lit: int | None
    ) -> Strip:
        """`found`: it carries the mark of the search; `lit`: the place of the rule by which it stands out."""
        width, columns, palette = self.width - 1, self.columns, self.palette
        base = palette.cursor if is_cursor else palette.base
        dim = palette.cursor if is_cursor else palette.dim
        mark = FOUND if found else MARKERS[lit] if lit is not None else " "
        standing_out = palette.tones[lit] if lit is not None else None
        time = time_cell(event.sequenced, self.zone, self.today, columns.time)
        segments = [
            palette.marker if is_cursor else Segment(mark, standing_out or palette.accent),
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

    def with_bar(self, line: Strip, *, is_thumb: bool) -> Strip:
        """A line with the scroll bar at its end."""
        bar = Segment("█", self.palette.thumb) if is_thumb else Segment(" ", self.palette.base)
        return Strip([*line, bar], self.width)


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
