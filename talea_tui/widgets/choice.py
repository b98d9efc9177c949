"""One of a few words, side by side, on as many lines as that takes: arrows or a word's first letter choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from .keys import bindings_for


class Choice(Widget, can_focus=True):
    """`value` is the chosen word."""

    BINDINGS = bindings_for("choice")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"choice--chosen", "choice--chosen-focused", "choice--other"}
    DEFAULT_CSS = "Choice { height: auto; width: 1fr; }"

    value: reactive[str] = reactive("")

    class Changed(Message):
        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            return self.choice

    class Submitted(Message):
        """Enter was pressed: the choice is made."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, words: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = tuple(words)
        self.set_reactive(Choice.value, value)

    def watch_value(self) -> None:
        self.post_message(self.Changed(self))

    def action_step(self, by: int) -> None:
        self.value = self.words[(self.words.index(self.value) + by) % len(self.words)]

    def action_submit(self) -> None:
        self.post_message(self.Submitted(self))

    def on_key(self, event: events.Key) -> None:
        letter = (event.character or "").casefold()
        if len(letter) == 1 and letter.isalpha():
            place = self.words.index(self.value)
            following = self.words[place + 1 :] + self.words[: place + 1]
            for word in following:
                if word.startswith(letter):
                    self.value = word
                    event.stop()
                    break

    def _lines(self, width: int) -> list[list[tuple[int, str]]]:
        """Where each word begins, line by line; without gaps between them where there is too little room."""
        gap = 2 if sum(cell_len(word) + 4 for word in self.words) <= width else 0
        lines: list[list[tuple[int, str]]] = [[]]
        at = 0
        for word in self.words:
            if at and at + cell_len(word) + 2 > width:
                lines.append([])
                at = 0
            lines[-1].append((at, word))
            at += cell_len(word) + 2 + gap
        return lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        lines = self._lines(width)
        if y >= len(lines):
            return Strip.blank(width, base)
        segments: list[Segment] = []
        at = 0
        for begin, word in lines[y]:
            chosen = word == self.value
            name = "choice--other"
            if chosen:
                name = "choice--chosen-focused" if self.has_focus else "choice--chosen"
            text = f"[{word}]" if chosen else f" {word} "
            segments += [
                Segment(" " * (begin - at), base),
                Segment(text, base + self.get_component_rich_style(name, partial=True)),
            ]
            at = begin + cell_len(text)
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        for begin, word in reversed(self._lines(self.size.width)[event.y]):
            if event.x >= begin:
                self.value = word
                break
