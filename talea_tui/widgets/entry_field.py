"""One-line fields of a form: quiet, borderless, harmless whatever text they hold."""

from __future__ import annotations

from rich.highlighter import Highlighter
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Input

FIELD_CHARACTERS = 10_000


class Harmless(Highlighter):
    """Draws characters that would act on a terminal as `�`, one for one, so that the cursor stays right."""

    def highlight(self, text: Text) -> None:
        if not text.plain.isprintable():
            text.plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.plain)


class EntryField(Input):
    """A field without border. `name` tells the form which one it is."""

    def __init__(
        self,
        value: str = "",
        *,
        name: str,
        id: str | None = None,
        classes: str | None = None,
        placeholder: str = "",
        row: int | None = None,
    ) -> None:
        super().__init__(
            value,
            name=name,
            id=id,
            classes=classes,
            placeholder=placeholder,
            highlighter=Harmless(),
            max_length=FIELD_CHARACTERS,
            select_on_focus=True,
            compact=True,
        )
        self.cursor_blink = False
        self.row = row

    def put(self, value: str) -> None:
        """Show `value`, the cursor at its end."""
        if self.value != value:
            self.value = value
            self.cursor_position = len(value)


class RowField(EntryField):
    """Of a row, where `=` asks for the missing amount instead of being typed."""

    class FillAsked(Message):
        def __init__(self, field: RowField) -> None:
            super().__init__()
            self.field = field

    async def _on_key(self, event: events.Key) -> None:
        if event.character == "=":
            event.stop()
            event.prevent_default()
            self.post_message(self.FillAsked(self))
        else:
            await super()._on_key(event)
