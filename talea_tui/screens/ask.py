"""One question with one line of answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from inspect import isawaitable
from pathlib import Path
from typing import TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label

from store import StoreError

from ..formatting import format_count, printable
from ..parsing import ParseError, parse_date
from ..paths import NoPath, typed_path
from ..widgets.keys import bindings_for
from ..widgets.shell import Shell
from ..widgets.virtual_table import VirtualTable
from .base import Dialog, KeyLine

Refusal: TypeAlias = "str | None"


class Ask(Dialog):
    """Answers with the line typed, or None. `check` returns a sentence when an answer will not do; `does` tells
    what comes of one that will.
    """

    BINDINGS = bindings_for("dialog")

    def __init__(
        self,
        question: str,
        *,
        hint: str = "",
        value: str = "",
        placeholder: str = "",
        does: str = "go on",
        check: Callable[[str], Refusal | Awaitable[Refusal]] = lambda answer: None,
    ) -> None:
        super().__init__()
        self.question, self.hint, self.does = question, hint, does
        self.value, self.placeholder, self.check = value, placeholder, check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Content(printable(self.question, 500)), classes="dialog--question")
            line = Input(self.value, placeholder=self.placeholder, select_on_focus=True)
            line.cursor_blink = False
            yield line
            yield Label(Content(self.hint), classes="dialog--hint")
            yield KeyLine(("enter", self.does, "submit"), ("{dialog.cancel}", "cancel", "cancel"))

    @on(Input.Changed)
    def forget_refusal(self) -> None:
        self.query_one(".dialog--hint", Label).update(Content(self.hint))

    async def action_submit(self) -> None:
        await self.query_one(Input).action_submit()

    @on(Input.Submitted)
    async def answer(self, event: Input.Submitted) -> None:
        checked = self.check(event.value)
        refusal = await checked if isawaitable(checked) else checked
        if not self.is_current:
            return  # it was cancelled meanwhile
        if refusal is None:
            self.dismiss(event.value)
        else:
            self.query_one(".dialog--hint", Label).update(Content("✗ " + printable(refusal, 500)))


async def ask_path(
    app: Shell, question: str, *, hint: str, value: Path, check: Callable[[Path], str | None]
) -> Path | None:
    """An absolute path; None when none was named. What `check` raises as OSError is a refusal too."""

    def check_text(answer: str) -> str | None:
        try:
            return check(typed_path(answer).absolute())
        except NoPath as error:
            return f"{error}."
        except OSError as error:
            return f"That name cannot be used: {error.strerror or error}."

    answer = await app.push_screen_wait(Ask(question, hint=hint, value=str(value), check=check_text))
    return None if answer is None else typed_path(answer).absolute()


async def ask_row(app: Shell, table: VirtualTable) -> None:
    """Put the cursor on a row the user names, from 1, or on the first row of a day where rows have days."""
    if not table.count:
        return
    rows = f"1 to {format_count(table.count)}"
    today = app.today

    def row_number(answer: str) -> int | None:
        digits = answer.strip().replace(",", "")
        return int(digits[:20]) if digits.isascii() and digits.isdigit() else None

    def check(answer: str) -> str | None:
        row = row_number(answer)
        if row is not None and 1 <= row <= table.count:
            return None
        if row is not None or not table.DATED:
            return f"Type a row number from {rows}."
        try:
            parse_date(answer, today)
        except ParseError as error:
            return str(error)
        return None

    hint = f"{rows}, or a date such as 2024-07-01, 07-01 or fri" if table.DATED else rows
    answer = await app.push_screen_wait(
        Ask("Go to row or date" if table.DATED else "Go to row", hint=hint, does="go there", check=check)
    )
    if answer is None:
        return
    row = row_number(answer)
    if row is not None:
        table.move_to(row - 1, center=True)
        return
    day = parse_date(answer, today)
    await go_to_day(app, table, day)


async def go_to_day(app: Shell, table: VirtualTable, day: date) -> None:
    """Put the cursor on the first row of `day`, else of the next day; who moved it meanwhile is left there."""
    cursor = table.cursor
    try:
        found = await table.row_on(day)
    except StoreError as error:
        app.refuse(error)
        return
    if table.cursor != cursor:
        return
    if found is None:
        app.tell(f"Nothing is on or after {day}.")
    table.move_to(table.count - 1 if found is None else found, center=True)
