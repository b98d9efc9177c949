"""The top line: where one is, and in which state the ledger is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from ..formatting import format_count, printable
from .columns import clip
from .shell import Shell

if TYPE_CHECKING:
    from rich.style import Style


NAME = " talea  "
NARROW = 72
"""Below this width the clock gives way."""


class _HasCrumbs(Protocol):
    def crumbs(self) -> list[str]: ...
    def status(self) -> str: ...


class Header(Widget):
    """` talea  ~/ledger › hackerspace › Assets:Checking              ● live   14:02`"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "header--name",
        "header--crumb",
        "header--here",
        "header--state",
        "header--past",
    }
    DEFAULT_CLASSES = "chrome"

    def __init__(self) -> None:
        super().__init__()
        self._way_ends = 0

    @property
    def shell(self) -> Shell:
        return cast(Shell, self.app)

    def on_click(self, event: events.Click) -> None:
        """A click on the way one came leads a step back on it."""
        if event.x < self._way_ends:
            self.shell.call_later(self.shell.run_action, "back")  # it may take this header away

    def _states(self) -> tuple[list[str], str]:
        """The state in words, then in fewer and fewer of them, and the component class it is drawn in."""
        if self.shell.instant is None or not self.shell.is_open:
            state, drawn = self._present()
            return [state], drawn
        instant = f"AS OF {self.shell.instant.label}"
        seq = getattr(self.screen, "past_seq", None)
        at = f"{instant} · seq {format_count(seq)}" if seq is not None else instant
        return [f"{at} · read only", at, instant], "header--past"

    def _present(self) -> tuple[str, str]:
        app = self.shell
        if not app.is_open:
            return ("■ not open", "header--past") if app.could_not_open else ("◌ opening", "header--state")
        if app.is_followed:
            info = app.books.get(app.book or "")
            if info is not None and info.error is not None:
                return f"■ following · {info.writer} · read only", "header--past"
            if app.why_behind is not None:
                return "■ following · cannot read · read only", "header--past"
            writer = f"pid {app.writer}" if app.writer is not None else "no writer"
            return f"◉ following · {writer} · read only", "header--past"
        if app.book is not None and app.why_read_only() is not None:
            return "■ read only", "header--past"
        return "● live", "header--state"

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y or not width:
            return Strip.blank(width, base)
        screen = cast(_HasCrumbs, self.screen)
        crumbs = [printable(crumb) for crumb in screen.crumbs()] if hasattr(screen, "crumbs") else []
        status = screen.status() if hasattr(screen, "status") else ""
        beside = f" {printable(status)} " if status else ""
        clock = ""
        if width >= NARROW and self.shell.instant is None:  # a second time would be one too many
            clock = self.shell.now().astimezone(self.shell.zone).strftime(" %H:%M ")
        states, drawn = self._states()
        room = width - cell_len(NAME) - 1 - cell_len(beside + clock)
        way = cell_len(" › ".join(crumbs))
        state = next((words for words in states if way + cell_len(words) + 2 <= room), states[-1])
        state = f" {printable(state)} "
        crumb_style = self.get_component_rich_style("header--crumb")
        right = [
            (beside, crumb_style),
            (state, self.get_component_rich_style(drawn)),
            (clock, crumb_style),
        ]
        left: list[tuple[str, Style]] = [(NAME, self.get_component_rich_style("header--name"))]
        left.extend(self._crumb_pieces(crumbs, room - cell_len(state)))
        segments = [Segment(text, style) for text, style in left]
        left_strip = Strip(segments)
        room = max(0, width - cell_len(beside + state + clock))
        if left_strip.cell_length > room:
            left_strip = left_strip.crop(0, room)
        self._way_ends = left_strip.cell_length
        left_strip = left_strip.extend_cell_length(room, base)
        strip = Strip([*left_strip, *(Segment(text, style) for text, style in right)])
        return strip.crop(0, width).apply_style(base) if strip.cell_length > width else strip

    def _crumb_pieces(self, crumbs: list[str], room: int) -> list[tuple[str, Style]]:
        """Crumbs joined by `›`; the ledger's place gives way first, then what stands between the book and here."""
        crumb_style = self.get_component_rich_style("header--crumb")
        here_style = self.get_component_rich_style("header--here")
        place = printable(self.shell.place)
        if place and cell_len(" › ".join([place, *crumbs])) <= room:
            crumbs = [place, *crumbs]
        while len(crumbs) > 2 and cell_len(" › ".join(crumbs)) > room:
            del crumbs[1]
        if len(crumbs) == 2:
            book, here = crumbs
            here = clip(here, max(room // 4, room - cell_len(book) - 3))
            crumbs = [clip(book, room - cell_len(here) - 3), here]
        crumbs[-1:] = [clip(crumb, room) for crumb in crumbs[-1:]]
        pieces: list[tuple[str, Style]] = []
        for number, crumb in enumerate(crumbs):
            last = number == len(crumbs) - 1
            pieces.append((crumb, here_style if last else crumb_style))
            if not last:
                pieces.append((" › ", crumb_style))
        return pieces
