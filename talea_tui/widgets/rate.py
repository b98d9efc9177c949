"""The line over a stream: how fast it flows, how far it has come, and whether one follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from ..formatting import format_count, format_rate, printable, sparkline
from .columns import clip

_LEAST_NAME = 8
"""Cells of a stream's name that its figures leave it."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """`behind` counts durable events that are not tested yet; `age` and `trouble` are plain text.

    `current` tells whether the keys go to this one of several streams; None where there is only one.
    """

    what: str = ""
    counts: tuple[int, ...] = ()
    per_second: float = 0.0
    last: int = 0
    is_seq: bool = True
    age: str = ""
    behind: int = 0
    following: bool = True
    new: int = 0
    past: bool = False
    trouble: str = ""
    current: bool | None = None


class StreamBar(Widget):
    """`payments  ▁▂▅▇▆▃ 9,812/s  seq 4,812,331 · lag 54 ms           following`"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stream--what",
        "stream--rate",
        "stream--dim",
        "stream--following",
        "stream--paused",
        "stream--trouble",
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = StreamState()

    def show(self, state: StreamState) -> None:
        if state != self.state:
            self.state = state
            self.refresh()

    @property
    def sparkline_cells(self) -> int:
        """How many buckets of the rate there is room for."""
        return max(8, min(60, self.size.width // 4))

    def _place(self) -> tuple[str, str]:
        """Where one is, in words, and the component class it is drawn in."""
        state = self.state
        if state.past:
            return "as of", "stream--paused"
        if state.following:
            return "following", "stream--following"
        if state.new:
            return f"paused  +{format_count(state.new)} new", "stream--paused"
        return "paused", "stream--paused"

    def render_line(self, y: int) -> Strip:
        width, base, state = self.size.width, self.rich_style, self.state
        if y or not width:
            return Strip.blank(width, base)
        dim = self.get_component_rich_style("stream--dim")
        word, word_class = self._place()
        right = [Segment(f" {word} ", self.get_component_rich_style(word_class))]
        noun = "seq" if state.is_seq else "events"
        mark = "▸" if state.current else " "
        rate, last = f"{format_rate(state.per_second)}  ", f"{noun} {format_count(state.last)}"
        room = width - sum(cell_len(segment.text) for segment in right)
        spare = room - cell_len(f"{mark}   {rate}{last}")
        name = clip(printable(state.what, 40), max(_LEAST_NAME, spare))
        what = f"{mark}{name} "
        pieces = [(what, self.get_component_rich_style("stream--what"))]
        if state.trouble:
            said = clip(printable(state.trouble, 300), room - cell_len(what) - 2)
            pieces.append((f" {said} ", self.get_component_rich_style("stream--trouble")))
        if not (state.trouble and state.is_seq):  # of several books the others go on
            cells = max(0, min(self.sparkline_cells, spare - cell_len(name)))
            bars = sparkline(state.counts, cells)
            pieces.append((f" {bars} ", self.get_component_rich_style("stream--rate")))
            pieces.append((rate, base))
        pieces.append((last, base))
        if state.age:
            pieces.append((f" · {state.age}", dim))
        if state.behind:
            pieces.append(
                (f"  behind {format_count(state.behind)}", self.get_component_rich_style("stream--paused"))
            )
        left: list[Segment] = []
        for text, style in pieces:
            size = cell_len(text)
            if size > room:
                break
            left.append(Segment(text, style))
            room -= size
        strip = Strip(left)
        left_width = width - sum(cell_len(segment.text) for segment in right)
        return Strip([*strip.adjust_cell_length(left_width, base), *right]).adjust_cell_length(width, base)
