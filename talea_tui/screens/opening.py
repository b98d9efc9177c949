"""What is seen while the ledger is being opened, and why when it cannot be."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from store import CorruptLog, StoreError, StoreLocked

from ..formatting import format_count, printable
from ..widgets.keys import bindings_for
from .base import TaleaScreen


class OpeningScreen(TaleaScreen):
    SCOPE = "opening"
    BINDINGS = bindings_for("opening")
    TITLE = "Opening"

    def compose_body(self) -> ComposeResult:
        with Vertical(id="opening"):
            yield Static("Opening the ledger …", id="opening-what", markup=False)
            yield ProgressBar(total=None, show_eta=False, id="opening-bar")

    def on_mount(self) -> None:
        self.query_one("#opening-bar").display = False
        self.refused: StoreError | None = None

    def show_progress(self, book: str, seq: int, last_seq: int) -> None:
        """How far reading a book's log has come."""
        if not self.is_mounted:
            return
        self.query_one("#opening-what", Static).update(
            Content(f"Reading {printable(book, 60)}: {format_count(seq)} of {format_count(last_seq)} events")
        )
        bar = self.query_one("#opening-bar", ProgressBar)
        bar.display = True
        bar.update(total=max(1, last_seq), progress=seq)

    def show_refusal(self, error: StoreError) -> None:
        self.refused = error
        self.query_one("#opening-bar").display = False
        # Directories may have been made by then; and the other books were opened before a damaged one, and what
        # a crash had torn in them was cut.
        unchanged = (
            "Its files were left alone."
            if isinstance(error, CorruptLog)
            else "Nothing that was posted has changed."
        )
        self.query_one("#opening-what", Static).update(
            Content(f"{printable(str(error), 2_000)}\n\n{unchanged} {self.app.with_keys(self._ways)}")
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "follow":
            return isinstance(self.refused, StoreLocked)
        return self.refused is not None if action == "retry" else True

    @property
    def _ways(self) -> str:
        follow = "{opening.follow} to follow it read only, " if isinstance(self.refused, StoreLocked) else ""
        return f"Press {{opening.retry}} to try again, {follow}{{app.quit}} to leave."

    def action_follow(self) -> None:
        self._begin_again()
        self.app.follow_ledger()

    def action_retry(self) -> None:
        self._begin_again()
        self.app.open_ledger()

    def _begin_again(self) -> None:
        self.refused = None
        self.query_one("#opening-what", Static).update(Content("Opening the ledger …"))
        self.refresh_bindings()
