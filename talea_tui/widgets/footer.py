"""The bottom line: what the keys do here, and how far the book's log has come."""

from __future__ import annotations

from dataclasses import dataclass
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
from .shell import Shell
from .typed_line import TypedLine

FIRST = ("app.help", "app.books")
FIRST_ON_ENTRIES = ("app.help", "table.open", "register.reverse", "app.post", "app.books")
"""What the footer shows first where there is little room: how to come to all else, and on entries what acts."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a key does here, or several do together; `keys` are Textual's, by the id of the action."""

    label: str
    keys: dict[str, str]

    @property
    def written(self) -> str:
        names = [key_name(key) for key in self.keys.values()]
        return ("-" if all(map(str.isdigit, names)) else "/").join(names)

    @property
    def width(self) -> int:
        return cell_len(self.written) + 1 + cell_len(self.label)

    def spots(self, at: int) -> list[tuple[int, int, str]]:
        """Where it can be clicked when it begins at `at`: first and last cell, exclusive, and the key."""
        keys = list(self.keys.values())
        if len(keys) == 1:
            return [(at, at + self.width, keys[0])]
        spots = []
        for key in keys:
            spots.append((at, at + cell_len(key_name(key)), key))
            at = spots[-1][1] + 1
        return spots


class Footer(Widget):
    """`enter open  p post  @ as of  : palette  ? help                 seq 1,247 · synced 0.2 ms`"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--label", "footer--log"}
    DEFAULT_CLASSES = "chrome"

    def __init__(self) -> None:
        super().__init__()
        self._first_keys: dict[str, tuple[str, ...]] = {}
        self._joints = {action.id: action.joint for action in every_action()}
        self._spots: list[tuple[int, int, str]] = []

    @property
    def shell(self) -> Shell:
        return cast(Shell, self.app)

    def on_mount(self) -> None:
        self._first_keys = {action.id: self.shell.keys_of(action)[:1] for action in every_action()}
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def _hints(self) -> list[Hint]:
        """What can be done here; the application's come last, in the registry's order."""
        hints: dict[str, Hint] = {}
        late: dict[str, Hint] = {}
        escape = {"app.escape": self._first_keys["app.escape"][0]}
        if self.shell.instant is not None:
            hints["app.escape"] = Hint("back to now", escape)
        focused = self.screen.focused
        in_field = isinstance(focused, Input)  # which hands enter on to its form
        for binding in live_bindings(self.screen):
            if not binding.show:
                continue
            name = binding.id or binding.action
            joint = self._joints.get(name, "")
            into = late if name.startswith("app.") else hints
            hint = into.setdefault(joint or name, Hint(joint or binding.description.lower(), {}))
            first_keys = self._first_keys.get(name, ())
            key = first_keys[0] if in_field and first_keys == ("enter",) else binding.key
            if name not in hint.keys or (key in first_keys and hint.keys[name] not in first_keys):
                hint.keys[name] = key
        if isinstance(focused, TypedLine):
            hints.setdefault("app.escape", Hint(focused.ESCAPES, escape))
        order = list(self._first_keys)
        return [*hints.values(), *sorted(late.values(), key=lambda hint: order.index([*hint.keys][-1]))]

    def _fitting(self, room: int) -> list[Hint]:
        """The hints for which there is room, in their order."""
        hints, left = self._hints(), room + 1  # no gap follows the last
        on_entries = any("register.reverse" in hint.keys for hint in hints)
        ids = FIRST_ON_ENTRIES if on_entries else FIRST
        ranks = [min((ids.index(id) for id in hint.keys if id in ids), default=len(ids)) for hint in hints]
        fitting = set()
        for place in sorted(range(len(hints)), key=ranks.__getitem__):
            if hints[place].width + 2 <= left:
                left -= hints[place].width + 2
                fitting.add(place)
        return [hint for place, hint in enumerate(hints) if place in fitting]

    def _log(self) -> str:
        app = self.shell
        info = app.books.get(app.book) if app.book is not None else None
        if info is None or app.instant is not None or info.is_unread:
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
        needed = sum(hint.width + 2 for hint in self._hints())
        if needed + cell_len(log) > width:
            log = log.partition(" · ")[0].rstrip() + " " if log else ""
        for hint in self._fitting(width - cell_len(log) - 2):
            self._spots += hint.spots(at)
            segments += [Segment(hint.written, key_style), Segment(f" {hint.label}", label_style)]
            segments.append(Segment("  ", base))
            at += hint.width + 2
        left = Strip(segments).adjust_cell_length(max(0, width - cell_len(log)), base)
        return Strip([*left, Segment(log, self.get_component_rich_style("footer--log"))]).adjust_cell_length(
            width, base
        )

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._spots:
            if start <= event.x < end:
                self.app.simulate_key(key)
                return
