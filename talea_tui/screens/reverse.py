"""The preview of a reversal: the opposite postings, and what they leave, before anything is posted."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label

from store import (
    AccountInfo,
    ConstraintViolation,
    IdempotencyConflict,
    StoredTransaction,
    StoreError,
    Transaction,
)

from ..events.text import description_of
from ..formatting import format_amount, format_date, occurred_day, printable
from ..posting.correction import balance_changes, correction_of, reversal_of
from ..posting.draft import ROWS_MAX, TOO_LONG
from ..posting.standing import Standing, standing_of
from ..widgets.chart import shown_sign
from ..widgets.keys import bindings_for
from ..widgets.virtual_table import Cell, Column, VirtualTable
from .base import Dialog, KeyLine

COLUMNS = (
    Column("account", "account", min_width=16, max_width=200, flex=1, path=True),
    Column("change", "change", align="right", min_width=10, max_width=46),
    Column("before", "before", align="right", min_width=10, max_width=46, drop=1),
    Column("after", "after", align="right", min_width=10, max_width=46, copied=True),
    Column("asset", "", min_width=3, max_width=14),
)
PREVIEW_ROWS_MAX = 12


class ReverseScreen(Dialog):
    """Enter posts the opposite of `stored`, dated today. Esc does nothing.

    With `correct` it is dated as the original, so that its period shows what was meant alone, and the form
    then opens with its contents.

    What does not count any more is not taken back twice: enter then leads to what was posted in its place, or
    to the form. The key is made from what is reversed, so the store itself lets that be done once.
    """

    BINDINGS: ClassVar = [*bindings_for("dialog"), *bindings_for("reverse")]
    AUTO_FOCUS = ""  # the table once it has rows: without it enter is the screen's

    def __init__(self, stored: StoredTransaction, *, correct: bool = False) -> None:
        super().__init__()
        self.stored, self.correct = stored, correct
        self.posting = False
        self.standing: Standing | None = None
        """None until it is known, and where there is nothing to accept."""

    def _reversal(self, standing: Standing) -> Transaction:
        day = None if self.correct else self.app.today
        return reversal_of(self.stored, day, standing.last_in_force)

    def compose(self) -> ComposeResult:
        original = self.stored.transaction
        words = printable(description_of(original) or original.idempotency_key, 120)
        verb = "Correct" if self.correct else "Reverse"
        day = format_date(occurred_day(original.occurred_at, self.app.zone))
        with Vertical(classes="dialog", id="reverse"):
            yield Label(
                Content(f"{verb} seq {self.stored.seq:,} · {day} · {words}"), classes="dialog--question"
            )
            yield Label("", id="reverse-day", classes="dialog--hint", markup=False)
            yield VirtualTable(COLUMNS, id="reverse-changes", follow=False)
            yield Label("", id="reverse-problem", classes="form--problem", markup=False)
            yield KeyLine(id="reverse-hint")

    async def on_mount(self) -> None:
        for part in ("#reverse-day", "#reverse-changes", "#reverse-problem"):
            self.query_one(part).display = False
        await self._learn_standing()
        self.query_one("#reverse-hint", KeyLine).say(*self._hints())

    async def _learn_standing(self) -> None:
        try:
            standing = await standing_of(self.app.store, self.stored)
            if self._is_too_long(standing):
                way = "Reverse it" if standing.in_force else "It was reversed already"
                self._refuse(f"{TOO_LONG} {way}; then import what is right.")
                return
            if standing.in_force:
                await self._preview(standing)
        except StoreError as error:
            self._refuse(str(error))
            return
        self.standing = standing
        if not standing.in_force:
            self._refuse(self._told(standing))

    def _is_too_long(self, standing: Standing) -> bool:
        """Whether it would end in the form, which does not take it: better found before it is reversed."""
        opens_form = self.correct and (standing.in_force or standing.corrected_by is None)
        return opens_form and len(self.stored.transaction.postings) > ROWS_MAX

    def _told(self, standing: Standing) -> str:
        """Why nothing is taken back."""
        reversed_by = f"It was reversed already, by seq {standing.newest.seq:,}"
        instead = standing.corrected_by
        if instead is not None:
            verb = "correct" if self.correct else "reverse"
            return f"{reversed_by}, and seq {instead.seq:,} was posted in its place: {verb} that one."
        if self.correct:
            return f"{reversed_by}. If it was entered anew since, correct that entry: else both count."
        return f"{reversed_by}; nothing more can be taken back."

    async def _preview(self, standing: Standing) -> None:
        reversal = self._reversal(standing)
        day = format_date(occurred_day(reversal.occurred_at, self.app.zone))
        when = "the day of the original" if self.correct else "today"
        counts = self.query_one("#reverse-day", Label)
        counts.update(f"The reversal counts on {day}, {when}.")
        counts.display = True
        accounts: dict[str, AccountInfo] = {}
        for posting in reversal.postings:
            info = await self.app.store.account(posting.account)
            if info is not None:
                accounts[posting.account.path] = info
        rows = []
        for change in balance_changes(reversal, accounts):
            asset = change.account.definition.asset
            precision = self.app.precision(asset)
            sign = shown_sign(change.account, natural=self.app.natural_signs)
            before, after = change.before * sign, change.after * sign
            rows.append(
                [
                    Cell(printable(change.account.definition.id.path, 500)),
                    Cell(format_amount(after - before, precision, sign="plus")),
                    Cell(format_amount(before, precision), "dim"),
                    Cell(
                        format_amount(after, precision) + (" ▼" if change.below_minimum else ""),
                        "warning" if change.below_minimum else "strong",
                    ),
                    Cell(printable(asset, 40), "dim"),
                ]
            )
            if change.below_minimum:
                minimum = format_amount(change.account.config.min_balance or 0, precision)
                path = printable(change.account.definition.id.path, 80)
                self._refuse(
                    f"▼ {path} would fall below its minimum of {minimum}: the ledger will refuse this. {self._instead}"
                )
        table = self.query_one("#reverse-changes", VirtualTable)
        table.set_rows(rows)
        table.styles.height = min(len(rows), PREVIEW_ROWS_MAX) + 1
        table.display = True
        table.focus()

    def _hints(self) -> list[tuple[str, str, str]]:
        standing, leave, accept = self.standing, "close", ""
        if standing is not None and standing.in_force:
            leave, accept = "cancel", "post the reversal"
            accept += " and open the form with its contents" if self.correct else ""
        elif standing is not None and standing.corrected_by is not None:
            accept = f"go to seq {standing.corrected_by.seq:,}"
        elif standing is not None and self.correct:
            accept = "open the form with its contents"
        hints = [("{dialog.cancel}", leave, "cancel")]
        return [("{reverse.accept}", accept, "accept"), *hints] if accept else hints

    @property
    def _instead(self) -> str:
        """What to do where the reversal alone is refused."""
        return self.app.with_keys("Post only what is to change, as a new entry ({app.post}).")

    def _refuse(self, sentence: str) -> None:
        problem = self.query_one("#reverse-problem", Label)
        problem.update(Content(printable(sentence, 500)))
        problem.display = True

    @on(VirtualTable.Opened)
    def accept_in_table(self, event: VirtualTable.Opened) -> None:
        event.stop()
        self.action_accept()

    def action_accept(self) -> None:
        standing = self.standing
        if self.posting or standing is None:
            return
        if not standing.in_force:
            if standing.corrected_by is not None:
                self._leave_for(
                    self.app.open_transaction(self.stored.transaction.book, standing.corrected_by.seq)
                )
            elif self.correct:
                self._open_form(standing)
        elif self.app.may_write(self.stored.transaction.book):
            self.posting = True
            self.run_worker(self._post(standing), group="post")

    async def _post(self, standing: Standing) -> None:
        reversal = self._reversal(standing)
        try:
            committed = await self.app.store.commit(reversal)
        except ConstraintViolation as error:
            precision = self.app.precision(
                next(p.amount.asset for p in reversal.postings if p.account == error.account)
            )
            self._refuse(
                f"Refused: {printable(error.account.path, 80)} would stand at "
                f"{format_amount(error.would_be, precision)}, below its minimum of "
                f"{format_amount(error.min_balance, precision)}. {self._instead}"
            )
            self.posting = False
        except IdempotencyConflict as error:
            self._refuse(f"It was reversed already, by seq {error.seq:,}, in another way.")
            self.posting = False
        except StoreError as error:
            self._refuse(f"{error} Enter tries again; it is posted once at most.")
            self.posting = False
        else:
            before = " before" if committed.deduplicated else ""
            self.app.tell_done(f"Seq {self.stored.seq:,} was reversed{before} by seq {committed.seq:,}.")
            if self.correct:
                self._open_form(standing)
            else:
                self.dismiss(committed)

    def _open_form(self, standing: Standing) -> None:
        app, original = self.app, self.stored.transaction
        draft = correction_of(original, app.precisions, app.zone, standing.last_in_force.transaction)
        app.choose_book(original.book)
        self._leave_for(app.go("post", draft=draft))

    def _leave_for(self, going: Coroutine[Any, Any, None]) -> None:
        self.app.run_worker(going, group="post")  # this screen's own workers end with it
        self.dismiss(None)

    def action_cancel(self) -> None:
        if not self.posting:
            self.dismiss(None)
