"""Columns and cells of a table, and how wide each column is in the room there is. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rich.cells import cell_len, chop_cells, set_cell_size

from ..formatting import ELLIPSIS

GAP = 2
"""Terminal cells between columns."""

READING_WIDTH = 92
"""Cells over which the eye still finds from a name to its number."""


class Cell(NamedTuple):
    """`tone` is one of dim, strong, negative, positive, accent, warning; `plain` is what copy and export
    take.
    """

    text: str
    tone: str = ""
    plain: str | None = None

    @property
    def value(self) -> str:
        return self.text if self.plain is None else self.plain


Row: TypeAlias = Sequence["Cell | str"]


@dataclass(frozen=True, slots=True)
class Column:
    """Widths are in terminal cells and bend between their bounds to what the rows hold.

    `flex` is the share of the room that is left over; `drop` says which column gives way first where there is
    too little room (the highest first, 0 never). Of a `number` decimals are cut, never a whole digit.
    A flexible column gets up to `want` cells, as far as its rows need them, before others are kept, and before
    numbers are shown with all their decimals, down to `want` cells of theirs. Of a `path` the segments before the
    last give way first. With less than `least_room` for all columns this one is not shown.
    The `copied` column, else the first, is the one that is copied from until another was marked.
    """

    id: str
    title: str
    align: Literal["left", "right"] = "left"
    min_width: int = 4
    max_width: int = 60
    flex: int = 0
    drop: int = 0
    number: bool = False
    want: int = 0
    path: bool = False
    least_room: int = 0
    copied: bool = False


def value_of(cell: Cell | str) -> str:
    """What copy and export take of a cell."""
    return cell if isinstance(cell, str) else cell.value


def clip(text: str, width: int) -> str:
    """`text` in at most `width` terminal cells, with an ellipsis where it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ELLIPSIS if width > 0 else ""


def fit(text: str, width: int, align: str) -> str:
    """`text` in exactly `width` terminal cells, with an ellipsis where it was cut."""
    length = cell_len(text)
    if length > width:
        return set_cell_size(clip(text, width), width)
    if align == "right":
        return " " * (width - length) + text
    return text + " " * (width - length)


def wrapped(text: str, cells: int) -> list[str]:
    """The lines of a text, none wider than `cells`, between words where that can be."""
    cells = max(10, cells)
    return [
        piece
        for part in text.splitlines()
        for line in textwrap.wrap(part, cells) or [""]
        for piece in chop_cells(line, cells) or [""]
    ]


_PATH_PIECES = re.compile(r"(?<=:)|(?<=, )")


def fit_path(path: str, width: int) -> str:
    """`Ex:Ad:AmazonWebServices`: leading segments cut to two letters, then left out, the first ones first, as far as
    needed.

    Commas part several paths. May still be too long.
    """
    length = cell_len(path)
    if length <= width:
        return path
    pieces = _PATH_PIECES.split(path)
    for letters in (2, 0):
        for at, piece in enumerate(pieces):
            if length > width and piece.endswith(":"):
                margin = len(piece) - len(piece.lstrip())
                pieces[at] = piece[: margin + letters].rstrip(":") + (":" if letters else "")
                length -= cell_len(piece) - cell_len(pieces[at])
    return "".join(pieces)


def lay_out(columns: Sequence[Column], seen: Sequence[int], room: int) -> list[tuple[int, int]]:
    """(column index, width) of the columns that fit into `room` cells; `seen` is how wide their texts are."""
    natural = [
        max(column.min_width, min(column.max_width, width))
        for column, width in zip(columns, seen, strict=True)
    ]
    kept = [at for at, column in enumerate(columns) if column.least_room <= room]

    def least(at: int) -> int:
        column = columns[at]
        if column.flex:
            return max(column.min_width, min(column.want, seen[at]))
        return min(natural[at], column.want) if column.number and column.want else natural[at]

    for at in sorted(kept, key=lambda at: -columns[at].drop):
        if sum(least(one) + GAP for one in kept) - GAP <= room or not columns[at].drop:
            break
        kept.remove(at)
    widths = {at: columns[at].min_width if columns[at].flex else natural[at] for at in kept}
    spare = room - (sum(widths.values()) + GAP * (len(kept) - 1))
    flexible = [at for at in kept if columns[at].flex]
    wanted = sum(least(at) - widths[at] for at in flexible)
    for at in kept:
        if columns[at].number and columns[at].want:
            give = max(0, min(wanted - spare, widths[at] - least(at)))
            widths[at] -= give
            spare += give
    if spare < 0:
        for at in sorted(kept, key=lambda at: columns[at].min_width - widths[at]):
            give = min(-spare, widths[at] - columns[at].min_width)
            widths[at] -= give
            spare += give
        return sorted(widths.items())
    hungry = [at for at in flexible if widths[at] < natural[at]]
    while spare > 0 and hungry:
        shares = sum(columns[at].flex for at in hungry)
        for at in hungry:
            extra = min(natural[at] - widths[at], max(1, spare * columns[at].flex // shares), spare)
            widths[at] += extra
            spare -= extra
            shares -= columns[at].flex
            if not shares:
                break
        hungry = [at for at in hungry if widths[at] < natural[at]]
    if flexible and spare > 0:
        widths[flexible[0]] += spare
    return sorted(widths.items())
