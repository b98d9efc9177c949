"""One quiet line over a pane: what it shows, and at the right how much of it."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..formatting import printable
from .columns import clip


class PaneTitle(Widget):
    """`left` and `right` are plain text; the left gives way. Lit while the pane named by `lit_by` has the focus.

    Of a `left` that holds a part `chosen`, only that is lit.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane-title--left", "pane-title--lit", "pane-title--right"}

    class Clicked(Message):
        """The title was clicked, so many cells after the beginning of `left`."""

        def __init__(self, title: PaneTitle, at: int) -> None:
            super().__init__()
            self.title, self.at = title, at

        @property
        def control(self) -> PaneTitle:
            return self.title

    def __init__(self, left: str = "", right: str = "", *, id: str | None = None, lit_by: str = "") -> None:
        super().__init__(id=id)
        self.left, self.right, self.lit_by = left, right, lit_by
        self.chosen = ""

    def show(self, left: str, right: str = "", *, chosen: str = "") -> None:
        if (left, right, chosen) != (self.left, self.right, self.chosen):
            self.left, self.right, self.chosen = left, right, chosen
            self.refresh(layout=self.styles.auto_dimensions)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        left, right = cell_len(printable(self.left, 500)), cell_len(printable(self.right, 200))
        return 3 + left + (right + 1 if right else 0) if left or right else 0

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._relight, init=False)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self, event.x - 2))

    def _relight(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y or not width:
            return Strip.blank(width, base)
        focused = self.screen.focused
        lit = bool(self.lit_by) and focused is not None and focused.id == self.lit_by
        quiet = self.get_component_rich_style("pane-title--left")
        left_style = self.get_component_rich_style("pane-title--lit") if lit else quiet
        marker = "▪ " if lit else "  "
        right = clip(printable(self.right, 200), width - cell_len(marker) - 1)
        if right:
            right += " "
        room = max(0, width - cell_len(right) - cell_len(marker))
        left = clip(printable(self.left, 500), room - 1)
        begin = left.find(self.chosen)
        end = begin + len(self.chosen)
        if begin == end or begin < 0:
            begin, end = 0, len(left)
        segments = [
            Segment(marker, left_style),
            Segment(left[:begin], quiet),
            Segment(left[begin:end], left_style),
            Segment(left[end:] + " " * max(0, room - cell_len(left)), quiet),
            Segment(right, self.get_component_rich_style("pane-title--right")),
        ]
        return Strip(segments).adjust_cell_length(width, base)
