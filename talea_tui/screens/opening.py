"""What is seen while the ledger is being opened, and why when it cannot be."""

from __future__ import annotations

import errno
import os
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ProgressBar, Static

from store import CorruptLog, StoreError, StoreLocked

from ..formatting import format_count, format_duration, format_rate, printable
from ..widgets.keys import bindings_for
from .base import TaleaScreen


class OpeningScreen(TaleaScreen):
    BINDINGS = bindings_for("opening")
    TITLE = "Opening"

    def compose_body(self) -> ComposeResult:
        with Vertical(id="opening"):
            yield Static("Opening the ledger …", id="opening-what", markup=False)
            yield ProgressBar(total=1, show_eta=False, id="opening-bar")

    def on_mount(self) -> None:
        self.query_one("#opening-bar").display = False
        self.refused: StoreError | None = None
        self._began: tuple[str, int, datetime] | None = None
        """Which book is being read, from which seq on and since when."""

    def show_progress(self, book: str, seq: int, last_seq: int) -> None:
        """How far reading a book's log has come."""
        if not self.is_mounted:
            return
        about = "about " if seq < last_seq else ""  # guessed from bytes until all are read
        what = f"Reading {printable(book, 60)}: {format_count(seq)} of {about}{format_count(last_seq)} events"
        pace = self._pace(book, seq, last_seq)
        self.query_one("#opening-what", Static).update(Content(f"{what}\n{pace}"))
        bar = self.query_one("#opening-bar", ProgressBar)
        bar.display = True
        bar.update(total=max(1, last_seq), progress=seq)

    def _pace(self, book: str, seq: int, last_seq: int) -> str:
        """How fast a book is read and how long it will take, once that can be told."""
        now = self.app.now()
        if self._began is None or self._began[0] != book:
            self._began = book, seq, now
        _, begun, since = self._began
        seconds, read = (now - since).total_seconds(), seq - begun
        if seconds < 1 or read <= 0:
            return ""
        return f"{format_rate(read / seconds)}  {format_duration((last_seq - seq) * seconds / read)} left"

    def show_refusal(self, error: StoreError) -> None:
        self.refused = error
        self.app.could_not_open = True
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
        self.call_after_refresh(self.refresh_chrome)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "follow":
            return self._may_be_followed
        return self.refused is not None if action == "retry" else True

    @property
    def _ways(self) -> str:
        follow = "{opening.follow} to follow it read only, " if self._may_be_followed else ""
        return f"Press {{opening.retry}} to try again, {follow}{{app.quit}} to leave."

    @property
    def _may_be_followed(self) -> bool:
        """Whether it is only writing that was refused, as far as one can tell."""
        if isinstance(self.refused, StoreLocked):
            return True
        cause = self.refused.__cause__ if self.refused is not None else None
        is_about_rights = isinstance(cause, PermissionError) or (
            isinstance(cause, OSError) and cause.errno == errno.EROFS
        )
        return is_about_rights and os.path.isdir(self.app.directory or "")

    def action_follow(self) -> None:
        self._begin_again()
        self.app.follow_ledger()

    def action_retry(self) -> None:
        self._begin_again()
        self.app.open_ledger()

    def _begin_again(self) -> None:
        self.refused = self._began = None
        self.app.could_not_open = False
        self.query_one("#opening-what", Static).update(Content("Opening the ledger …"))
        self.refresh_bindings()
        self.call_after_refresh(self.refresh_chrome)
