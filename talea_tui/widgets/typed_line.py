"""A line at the edge of a pane into which something is typed while it asks for that."""

from __future__ import annotations

from typing import ClassVar

from textual.widgets import Input


class TypedLine(Input):
    """Has the focus while it is typed into; escape does `ESCAPES`, as the footer tells."""

    ESCAPES: ClassVar = "cancel"

    def __init__(self, *, id: str, placeholder: str = "", select_on_focus: bool = True) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=select_on_focus)
        self.cursor_blink = False
