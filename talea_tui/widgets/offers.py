"""What a field could be completed to: a short list that floats under it and never takes the focus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..formatting import ELLIPSIS, printable

OFFERS_MAX = 8
_WIDTH_MIN = 24


@dataclass(frozen=True, slots=True)
class Offer:
    """`value` is what is taken; `text` and `aside` are what is shown of it."""

    value: str
    text: str
    aside: str = ""


class Offers(Widget, can_focus=False):
    """Shown by `show`, hidden by `hide`; `chosen` is the index under the cursor, -1 while none was picked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"offers--chosen", "offers--aside"}
    DEFAULT_CSS = """
    Offers {
        position: absolute; overlay: screen; constrain: inside inside; display: none; width: auto; height:
        auto; }
    """

    class Picked(Message):
        """An offer was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.offers: Sequence[Offer] = ()
        self.chosen = -1

    @property
    def is_shown(self) -> bool:
        return bool(self.display and self.offers)

    @property
    def offered(self) -> Offer | None:
        """The picked one, else the first."""
        if not self.is_shown:
            return None
        return self.offers[max(0, self.chosen)]

    def show(
        self, offers: Sequence[Offer], under: Region, within: Region, sentences: Iterable[Region] = ()
    ) -> None:
        """Float under the field at `under`, wide enough to leave no end of `sentences` beside it.

        Regions are in screen cells. Nothing to offer hides it.
        """
        self.offers = offers[:OFFERS_MAX]
        self.chosen = -1
        if not self.offers:
            self.hide()
            return
        longest = max(cell_len(offer.text) + cell_len(offer.aside) + 5 for offer in self.offers)
        height = len(self.offers)
        top = under.y + 1
        if top + height > within.bottom and under.y - height >= within.y:
            top = under.y - height
        # The sentence of the field itself goes as one types: those below it are about to move up a line.
        covered = [one.right for one in sentences if one.bottom > top and one.y - 1 < top + height]
        width = min(max([longest, *(right - under.x for right in covered)]), within.right - under.x)
        self.styles.width = max(_WIDTH_MIN, width)
        self.styles.height = height
        self.absolute_offset = Offset(under.x, top)
        self.display = True
        self.refresh(layout=True)

    def hide(self) -> None:
        self.chosen = -1
        if self.display:
            self.display = False

    def step(self, by: int) -> None:
        if self.is_shown:
            self.chosen = (
                (self.chosen + by) % len(self.offers) if self.chosen >= 0 or by > 0 else len(self.offers) - 1
            )
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y >= len(self.offers):
            return Strip.blank(width, base)
        offer = self.offers[y]
        is_chosen = y == self.chosen
        style = base + self.get_component_rich_style("offers--chosen", partial=True) if is_chosen else base
        aside_style = style if is_chosen else base + self.get_component_rich_style("offers--aside")
        text, aside = printable(offer.text, 300), printable(offer.aside, 60)
        if cell_len(text) + cell_len(aside) + 4 > width:
            aside = "" if cell_len(aside) > width // 2 else aside
        room = width - cell_len(aside) - (4 if aside else 2)
        if cell_len(text) > room:
            text = set_cell_size(text, max(0, room - 1)) + ELLIPSIS
        marker = "▌" if is_chosen else " "
        segments = [Segment(marker + set_cell_size(text, max(0, room)), style)]
        if aside:
            segments.append(Segment("  " + aside, aside_style))
        return Strip(segments).adjust_cell_length(width, style)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        event.prevent_default()
        if 0 <= event.y < len(self.offers):
            self.post_message(self.Picked(event.y))
