"""One question with one line of answer."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label

from ..formatting import format_count, printable
from ..widgets.keys import bindings_for
from ..widgets.shell import Shell
from ..widgets.virtual_table import VirtualTable
from .base import Dialog


class Ask(Dialog):
    """Answers with the line typed, or None. `check` returns a sentence when an answer will not do."""

    BINDINGS = bindings_for("dialog")

    def __init__(
        self,
        question: str,
        *,
        hint: str = "",
        value: str = "",
        placeholder: str = "",
        check: Callable[[str], str | None] = lambda answer: None,
    ) -> None:
        super().__init__()
        self.question, self.hint = question, hint
        self.value, self.placeholder, self.check = value, placeholder, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Content(printable(self.question, 500)), classes="dialog--question")
            line = Input(self.value, placeholder=self.placeholder, select_on_focus=True)
            line.cursor_blink = False
            yield line
            yield Label(Content(self.hint), classes="dialog--hint")

    @on(Input.Changed)
    def forget_refusal(self) -> None:
        self.query_one(".dialog--hint", Label).update(Content(self.hint))

    @on(Input.Submitted)
    def answer(self, event: Input.Submitted) -> None:
        refusal = self.check(event.value)
        if refusal is None:
            self.dismiss(event.value)
        else:
            self.query_one(".dialog--hint", Label).update(Content("✗ " + printable(refusal, 500)))

    def action_cancel(self) -> None:
        self.dismiss(None)


async def ask_row(app: Shell, table: VirtualTable) -> None:
    """Put the cursor on a row the user names, from 1."""

    def check(answer: str) -> str | None:
        digits = answer.strip().replace(",", "")
        if not (digits.isascii() and digits.isdigit()) or not 1 <= int(digits[:20]) <= table.count:
            return f"Type a row number from 1 to {format_count(table.count)}."
        return None

    if not table.count:
        return
    answer = await app.push_screen_wait(
        Ask("Go to row", hint=f"1 to {format_count(table.count)}", check=check)
    )
    if answer is not None:
        table.move_to(int(answer.strip().replace(",", "")) - 1, center=True)
