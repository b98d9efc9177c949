"""Help: every key that works in the focused pane, with what it does."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Label

from ..actions import SCOPE_NAMES, Action, every_action, key_name
from ..widgets.keys import bindings_for, live_bindings
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import Cell, Column, Row, VirtualTable, value_of
from .base import Dialog, KeyLine

COLUMNS = (
    Column("keys", "keys", min_width=10, max_width=26),
    Column("label", "action", min_width=12, max_width=26),
    Column("help", "", min_width=18, max_width=200, flex=1, drop=1),
)


def live_actions(screen: Screen[Any]) -> list[Action]:
    """The actions whose keys work on `screen` as it is focused now, in the registry's order."""
    ids = {binding.id for binding in live_bindings(screen)}
    return [action for action in every_action() if action.id in ids]


class HelpScreen(Dialog):
    BINDINGS = bindings_for("dialog")

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.rows: list[Row] = []
        scopes: dict[str, list[Action]] = {}
        for action in live_actions(screen):
            scopes.setdefault(action.scope, []).append(action)
        for scope in [name for name in scopes if name not in ("app", "table")] + ["app", "table"]:
            if scope not in scopes:
                continue
            if self.rows:
                self.rows.append([""])
            self.rows.append([Cell(SCOPE_NAMES.get(scope, scope), "strong")])
            for action in scopes[scope]:
                keys = "  ".join(key_name(key) for key in self.app.keys_of(action))
                self.rows.append([Cell(keys, "accent"), action.label, Cell(action.help, "dim")])

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large -wide"):
            yield PaneTitle("Keys of this pane", id="help-title")
            yield VirtualTable(COLUMNS, id="help", show_head=False, follow=False, opens=False)
            yield Label(id="help-hint", classes="dialog--hint", markup=False)
            yield KeyLine(("{dialog.cancel}", "close", "cancel"))

    def on_mount(self) -> None:
        table = self.query_one(VirtualTable)
        table.set_rows(self.rows, cursor=1)
        table.focus()

    @on(VirtualTable.Highlighted)
    def show_hint(self, event: VirtualTable.Highlighted) -> None:
        """The whole help of the action under the cursor, for terminals too narrow for it."""
        row = self.rows[event.row] if 0 <= event.row < len(self.rows) else [""]
        self.query_one("#help-hint", Label).update(Content(value_of(row[2]) if len(row) > 2 else " "))
