"""A dialog with named fields, one under the other, and one sentence at the field that was refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label
from textual.worker import Worker

from ..formatting import printable
from ..widgets.choice import Choice
from ..widgets.entry_field import EntryField
from ..widgets.hanging import ProblemLabel
from ..widgets.keys import bindings_for
from .base import Dialog, KeyLine


def text_of(field: Widget) -> str:
    """What a field holds, without the blanks around it."""
    return field.value.strip() if isinstance(field, EntryField | Choice) else ""


class FormDialog(Dialog):
    """Enter goes from field to field and submits on the last; `escape` answers None, a click beside it only
    while nothing was typed.

    A subclass says `QUESTION` and what submitting `DOES`, yields (name, label, widget) in `fields` and does the
    work in `submit`.
    """

    BINDINGS: ClassVar = [*bindings_for("dialog"), *bindings_for("form")]
    QUESTION: ClassVar[str] = ""
    DOES: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        """The fields in their order, and what stood in them at first."""
        self._touched = False
        self._work: Worker[None] | None = None
        self.is_closed = False
        """Whether it was left, maybe while the store still works on what was submitted."""

    @property
    def question(self) -> str:
        return self.QUESTION

    def fields(self) -> Iterator[tuple[str, str, Widget]]:
        yield from ()

    async def submit(self) -> None:
        """Do it and `dismiss`, or `refuse` at a field. Where it `is_closed` meanwhile, tell what came of it."""

    def about(self) -> str:
        """A line under the fields that follows from what is in them."""
        return ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Content(printable(self.question, 300)), classes="dialog--question")
            for name, label, widget in self.fields():
                self._names[name] = text_of(widget)
                widget.id = f"form-{name}"
                with Horizontal(classes="form--line"):
                    yield Label(label, classes="form--name")
                    yield widget
                yield ProblemLabel(id=f"form-{name}-problem", classes="form--problem")
            yield Label("", id="form-about", classes="form--aside", markup=False)
            yield KeyLine(
                ("enter", "next", "next_field"),
                ("{form.submit}", self.DOES, "submit_form"),
                ("{dialog.cancel}", "cancel", "cancel"),
            )

    def on_mount(self) -> None:
        self.show_about()

    def field(self, name: str) -> Widget:
        return self.query_one(f"#form-{name}")

    def text(self, name: str) -> str:
        """What a field holds, without the blanks around it."""
        return text_of(self.field(name))

    def refuse(self, name: str, sentence: str) -> None:
        """Say a sentence at a field and go there; in a notice once there is no field any more."""
        if self.is_closed or not self.is_attached:
            self.app.refuse(sentence)
            return
        self.forgive()
        self.query_one(f"#form-{name}-problem", ProblemLabel).show(sentence)
        self.set_focus(self.field(name))

    def forgive(self) -> None:
        for problem in self.query(".form--problem"):
            problem.display = False

    def show_about(self) -> None:
        self.query_one("#form-about", Label).update(Content(printable(self.about(), 500)))

    @on(Input.Changed)
    @on(Choice.Changed)
    def follow_typing(self, event: Input.Changed | Choice.Changed) -> None:
        field = event.control
        if field.has_focus and text_of(field) != self._names[(field.id or "").removeprefix("form-")]:
            self._touched = True  # else what is in it was guessed
        self.forgive()
        self.show_about()

    @on(Input.Submitted)
    def next_after_input(self, event: Input.Submitted) -> None:
        self._next(event.input)

    @on(Choice.Submitted)
    def next_after_choice(self, event: Choice.Submitted) -> None:
        self._next(event.choice)

    def _next(self, widget: Widget) -> None:
        name = (widget.id or "").removeprefix("form-")
        names = list(self._names)
        place = names.index(name)
        if place + 1 < len(names):
            self.set_focus(self.field(names[place + 1]))
        else:
            self.action_submit_form()

    def action_next_field(self) -> None:
        if self.focused is not None:
            self._next(self.focused)

    def action_submit_form(self) -> None:
        """In a worker that nothing waits for, and that goes on when the form is closed: the store has it by then."""
        if self._work is not None:
            self._work.cancel()
        self._work = self.app.run_worker(self.submit(), group="submit")

    def action_cancel(self) -> None:
        self.is_closed = True
        super().action_cancel()

    def clicked_beside(self) -> None:
        if not self._touched:
            self.action_cancel()
