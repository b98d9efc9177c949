"""The bottom line: what the keys do here, and how far the book's log has come."""

from __future__ import annotations

from typing import ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from ..actions import every_action, key_name
from ..formatting import format_count, format_micros
from .keys import live_bindings
from .shell import Shell, is_unreadable


class Footer(Widget):
    """`enter open  p post  @ as of  : palette  ? help                 seq 1,247 · synced 0.2 ms`"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--label", "footer--log"}
    DEFAULT_CLASSES = "chrome"

    def __init__(self) -> None:
        super().__init__()
        self._first_keys: dict[str, tuple[str, ...]] = {}
        self._spots: list[tuple[int, int, str]] = []

    @property
    def shell(self) -> Shell:
        return cast(Shell, self.app)

    def on_mount(self) -> None:
        self._first_keys = {action.id: self.shell.keys_of(action)[:1] for action in every_action()}
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def _hints(self) -> list[tuple[str, str, str]]:
        """Key, label and Textual key of what can be done here; the application's come last."""
        hints: dict[str, tuple[str, str, str]] = {}
        late: dict[str, tuple[str, str, str]] = {}
        if self.shell.instant is not None:
            key = self._first_keys["app.escape"][0]
            hints["app.escape"] = (key_name(key), "back to now", key)
        in_field = isinstance(self.screen.focused, Input)  # which hands enter on to its form
        for binding in live_bindings(self.screen):
            if not binding.show:
                continue
            name = binding.id or binding.action
            into = late if name.startswith("app.") else hints
            first_keys = self._first_keys.get(name, ())
            key = first_keys[0] if in_field and first_keys == ("enter",) else binding.key
            if name not in into or (key in first_keys and into[name][2] not in first_keys):
                into[name] = (key_name(key), binding.description.lower(), key)
        return [*hints.values(), *(late[name] for name in self._first_keys if name in late)]

    def _log(self) -> str:
        app = self.shell
        info = app.books.get(app.book) if app.book is not None else None
        if info is None or app.instant is not None or is_unreadable(info):
            return ""
        synced = f" · synced {format_micros(info.sync_micros)}" if info.sync_micros else ""
        return f"seq {format_count(info.last_seq)}{synced} "

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y or not width:
            return Strip.blank(width, base)
        key_style = self.get_component_rich_style("footer--key")
        label_style = self.get_component_rich_style("footer--label")
        log = self._log()
        segments: list[Segment] = [Segment(" ", base)]
        at = 1
        self._spots = []
        hints = self._hints()
        needed = sum(cell_len(key) + cell_len(label) + 3 for key, label, _ in hints)
        if needed + cell_len(log) > width:
            log = log.partition(" · ")[0] + " " if log else ""
        room = width - cell_len(log) - 1
        help_size = cell_len("? help") + 2
        for key, label, pressed in hints:
            size = cell_len(key) + 1 + cell_len(label)
            if at + size > room - (0 if label == "help" else help_size):
                continue
            self._spots.append((at, at + size, pressed))
            segments += [Segment(key, key_style), Segment(" " + label, label_style), Segment("  ", base)]
            at += size + 2
        left = Strip(segments).adjust_cell_length(max(0, width - cell_len(log)), base)
        return Strip([*left, Segment(log, self.get_component_rich_style("footer--log"))]).adjust_cell_length(
            width, base
        )

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._spots:
            if start <= event.x < end:
                self.app.simulate_key(key)
                return
