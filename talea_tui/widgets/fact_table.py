"""Named facts, each to be read whole: what is wider than its column goes on in the lines below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len
from textual import events

from ..formatting import printable
from .columns import wrapped
from .row_pages import RowsAtHand, RowSource
from .virtual_table import GAP, Cell, Column, Row, VirtualTable, value_of


class FactTable(VirtualTable):
    """Rows of a name and a value; several lines of it may belong to one fact. `names` is the names' column.

    `opens` tells whether the fact of a number can be opened.
    """

    def __init__(self, names: Column, *, id: str, opens: Callable[[int], bool]) -> None:
        values = Column("value", "", min_width=20, max_width=12_000, flex=1, copied=True)
        super().__init__(
            (names, values), id=id, show_head=False, follow=False, opens=lambda row: opens(self.fact_at(row))
        )
        self.facts: Sequence[Row] = ()
        self._fact_of: list[int] = []

    def show_facts(self, facts: Sequence[Row], *, cursor: int | None = None) -> None:
        """Show other facts, the cursor at that of this number; without one it stays as far as they reach."""
        at = self.fact_at(self.cursor) if cursor is None else cursor
        self.facts = facts
        lines = [(number, line) for number, fact in enumerate(facts) for line in self._lines_of(fact)]
        self._fact_of = [number for number, _ in lines]
        row = self._fact_of.index(at) if at in self._fact_of else 0
        self.set_rows([line for _, line in lines], cursor=row)

    def fact_at(self, row: int) -> int:
        """The number of the fact that a line belongs to; -1 where there is none."""
        return self._fact_of[row] if 0 <= row < len(self._fact_of) else -1

    @property
    def source(self) -> RowSource:
        return RowsAtHand(self.facts)  # each whole

    def on_resize(self, event: events.Resize) -> None:
        self.show_facts(self.facts)

    def _lines_of(self, fact: Row) -> Iterator[Row]:
        name, value = fact
        tone = "" if isinstance(value, str) else value.tone
        text = printable(value if isinstance(value, str) else value.text)
        for number, line in enumerate(broken(text, self._room)):
            yield ["" if number else name, Cell(line, tone, value_of(value))]

    @property
    def _room(self) -> int:
        """Cells of a value, beside a scroll bar."""
        names, values = self.columns
        longest = max((cell_len(value_of(fact[0])) for fact in self.facts), default=0)
        return max(
            values.min_width, self.size.width - 3 - GAP - max(names.min_width, min(names.max_width, longest))
        )


def broken(text: str, cells: int) -> list[str]:
    """A printable text in lines of so many cells, between words where that can be."""
    return [text] if cell_len(text) <= cells else wrapped(text, cells)
