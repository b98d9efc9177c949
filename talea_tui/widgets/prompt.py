"""One line at the bottom of a stream: a question being typed, or the filter and the search that are on."""

from __future__ import annotations

from typing import Literal, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from .keys import bindings_for
from .pane_title import PaneTitle
from .typed_line import TypedLine

Question: TypeAlias = Literal["filter", "search", "go to", "highlight", "book"]

_SIGNS = {"filter": "/", "search": "search", "go to": "go to", "highlight": "stand out", "book": "book"}
_HINTS = {
    "filter": "text  account:a*  kind:tx  asset:USD  amount>10  key:  ref:  -not",
    "search": "a regular expression",
    "highlight": "a filter: what it lets pass stands out",
    "book": "a part of its name, or all; nothing to leave it",
    "go to": "a seq, 2026-09-30, 14:02, -2h, start, end",
}


class PromptLine(TypedLine):
    BINDINGS = bindings_for("prompt")


class Prompt(Horizontal):
    """Shown while something is typed or `standing` text is to be seen."""

    class Typed(Message):
        """What is being typed changed."""

        def __init__(self, question: Question, text: str) -> None:
            super().__init__()
            self.question, self.text = question, text

    class Answered(Message):
        """The line was entered."""

        def __init__(self, question: Question, text: str) -> None:
            super().__init__()
            self.question, self.text = question, text

    class Left(Message):
        """Something else has the focus while the line is still being typed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.question: Question | None = None
        self.before = ""
        self._standing = ""
        self._info = ""
        self.display = False

    def compose(self) -> ComposeResult:
        yield Static(id="prompt-sign", markup=False)
        yield PromptLine(id="prompt-line", select_on_focus=False)
        yield PaneTitle(id="prompt-info")

    @property
    def line(self) -> PromptLine:
        return self.query_one("#prompt-line", PromptLine)

    def ask(self, question: Question, text: str = "") -> None:
        """Begin to type; `text` is what the line starts with."""
        self.question, self.before = question, text
        self._draw()
        with self.prevent(Input.Changed):
            self.line.value = text
        self.line.placeholder = _HINTS[question]
        self.line.cursor_position = len(text)
        self.line.focus()

    def close(self) -> None:
        """Type no more."""
        self.question = None
        self._draw()

    def show(self, standing: str, info: str) -> None:
        """What is on while nothing is typed, and at the right how it fares."""
        if (standing, info) != (self._standing, self._info):
            self._standing, self._info = standing, info
            self._draw()

    def _draw(self) -> None:
        typing = self.question is not None
        self.display = typing or bool(self._standing) or bool(self._info)
        sign = self.query_one("#prompt-sign", Static)
        sign.display = self.line.display = typing
        if self.question is not None:
            sign.update(Content(_SIGNS[self.question] + " "))
        self.set_class(typing, "-typing")
        self.query_one("#prompt-info", PaneTitle).show("" if typing else self._standing, self._info)

    def on_descendant_blur(self) -> None:
        # without any focus the terminal's window was left, or a dialog opened
        if self.question is not None and self.screen.focused not in (None, self.line):
            self.post_message(self.Left())

    @on(Input.Changed, "#prompt-line")
    def typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.question is not None:
            self.post_message(self.Typed(self.question, event.value))

    @on(Input.Submitted, "#prompt-line")
    def entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self.question is not None:
            self.post_message(self.Answered(self.question, event.value))
