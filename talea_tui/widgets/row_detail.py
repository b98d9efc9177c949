"""The row under the cursor in full, below a table that has no room for all of it."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class RowDetail(Static):
    """Shown while it has something to tell, in as many lines as that takes."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)
        self.display = False

    def show(self, text: str) -> None:
        """`text` is printable; an empty one hides it."""
        self.display = bool(text)
        self.update(Content(text))
