"""The rules that make events stand out: see them, remove them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from ..events.rules import Rules
from ..formatting import printable
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import Cell, Column, VirtualTable
from .base import Dialog, KeyLine

COLUMNS = (
    Column("marker", "mark", min_width=4, max_width=4),
    Column("filter", "events that meet", min_width=20, max_width=300, flex=1),
)
EMPTY = "No rule yet; {tail.highlight} in the tail makes one of a filter."


class RulesDialog(Dialog):
    BINDINGS = bindings_for("rules")

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield PaneTitle("What stands out", id="rules-title")
            yield VirtualTable(
                COLUMNS, id="rules", follow=False, opens=False, empty=self.app.with_keys(EMPTY)
            )
            yield KeyLine(("{rules.remove}", "remove", "remove"), ("{rules.cancel}", "close", "cancel"))

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    def on_mount(self) -> None:
        self._show()
        self.table.focus()

    def _show(self) -> None:
        self.table.set_rows(
            [[Cell(marker, "strong"), Cell(printable(text, 300), "", text)] for marker, text in self.rules]
        )

    def action_remove(self) -> None:
        markers = [marker for marker, _ in self.rules]
        if 0 <= self.table.cursor < len(markers):
            self.rules.remove(markers[self.table.cursor])
            self._show()
