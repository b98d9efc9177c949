"""What the demo adds to every screen: a line on the traffic, and the tour's caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from ..actions import Action, actions_of, key_name
from ..formatting import format_count, format_rate, printable
from ..widgets.columns import clip
from ..widgets.shell import Shell

if TYPE_CHECKING:
    from .traffic import Traffic


class TrafficBar(Widget):
    """` demo  ▶ 2/s · 1,204 posted · 7 refused   0 pause  ( slower  ) faster`"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"bar--name", "bar--key", "bar--label"}
    DEFAULT_CSS = """
    TrafficBar {
        height: 1; width: 1fr; background: $boost; color: $foreground;
        .bar--name { color: $warning; text-style: bold; }
        .bar--key { color: $accent; text-style: bold; }
        .bar--label { color: $dim; }
    }
    """

    def __init__(self, traffic: Traffic | None = None) -> None:
        super().__init__()
        self._traffic = traffic
        self._measured = 0.0
        self._spots: list[tuple[int, int, str]] = []

    def show(self, traffic: Traffic, measured: float) -> None:
        """Show it as it is now; `measured` is how many entries a second there really are."""
        self._traffic, self._measured = traffic, measured
        self.refresh()

    def _words(self, room: int) -> str:
        """What is told before the keys, in `room` cells: what went on gives way to why something stopped."""
        traffic = self._traffic
        if traffic is None:
            return clip("  a throw-away ledger", room)
        if traffic.stopped is not None and not traffic.paused:
            return clip(f"  ■ stopped: {printable(traffic.stopped, 200)}", room)
        speed = format_rate(traffic.rate)
        if traffic.rate >= 100:
            speed = f"{format_rate(self._measured)} of {speed}"
        state = f"‖ paused at {format_rate(traffic.rate)}" if traffic.paused else f"▶ {speed}"
        refused = f" · {format_count(traffic.refused)} refused" if traffic.refused else ""
        halted = ""
        if traffic.halted:
            why = next(iter(traffic.halted.values()))
            halted = printable(f"■ {', '.join(traffic.halted)} stopped: {why}", 200)
        words = " · ".join(
            filter(None, (f"  {state}", f"{format_count(traffic.posted)} posted{refused}", halted))
        )
        return words if cell_len(words) <= room else clip(f"  {halted or state}", room)

    def _label(self, action: Action) -> str:
        is_paused = self._traffic is not None and self._traffic.paused
        return "go on" if is_paused and action.id == "demo.pause" else action.label.lower()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y or not width:
            return Strip.blank(width, base)
        keys: list[tuple[str, str, str]] = []
        for action in actions_of("demo"):
            pressed = cast(Shell, self.app).keys_of(action)[0]
            keys.append((key_name(pressed), f" {self._label(action)}", pressed))
        room = width - 8 - sum(cell_len(key + label) + 2 for key, label, _ in keys)
        words = self._words(room)
        segments = [Segment(" demo", self.get_component_rich_style("bar--name")), Segment(words, base)]
        at = 5 + cell_len(words) + 3
        segments.append(Segment("   ", base))
        self._spots = []
        label_style = self.get_component_rich_style("bar--label")
        for key, label, pressed in keys:
            segments += [Segment(key, self.get_component_rich_style("bar--key")), Segment(label, label_style)]
            segments.append(Segment("  ", base))
            self._spots.append((at, at + cell_len(key) + cell_len(label), pressed))
            at += cell_len(key) + cell_len(label) + 2
        if self._traffic is not None and self._traffic.last_refusal:
            why = f" refused: {printable(self._traffic.last_refusal, 200)}"
            if at + cell_len(why) <= width:
                segments.append(Segment(why, label_style))
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._spots:
            if start <= event.x < end:
                self.app.simulate_key(key)
                return


class Caption(Static):
    """What the tour says about the screen that it shows."""

    DEFAULT_CSS = """
    Caption {
        display: none; height: auto; max-height: 3; width: 1fr; padding: 0 1;
        background: $accent; color: $background; text-style: bold;
    }
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(Content(text), markup=False)
        self.display = bool(text)

    def say(self, text: str) -> None:
        """Empty text hides it."""
        if Content(text) != self.content:
            self.update(Content(text))
            self.display = bool(text)
