"""The preview of a reversal: the opposite postings, and what they leave, before anything is posted."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label

from store import (
    AccountInfo,
    ConstraintViolation,
    Direction,
    IdempotencyConflict,
    StoredTransaction,
    StoreError,
    Transaction,
)

from ..formatting import format_amount, format_date, local, occurred_day, printable
from ..posting.correction import balance_changes, correction_of, reversal_key, reversal_of
from ..posting.usage import description_of
from ..widgets.keys import bindings_for
from ..widgets.virtual_table import Cell, Column, VirtualTable
from .base import Dialog

COLUMNS = (
    Column("account", "account", min_width=16, max_width=200, flex=1, path=True),
    Column("change", "change", align="right", min_width=10, max_width=46),
    Column("before", "before", align="right", min_width=10, max_width=46, drop=1),
    Column("after", "after", align="right", min_width=10, max_width=46),
    Column("asset", "", min_width=3, max_width=14),
)
PREVIEW_ROWS_MAX = 12


class ReverseScreen(Dialog):
    """Enter posts the opposite of `stored`, dated today. Esc does nothing.

    With `correct` it is dated as the original, so that its period shows what was meant alone, and the form
    then opens with its contents.

    The key is made from the original's id, so the store itself reverses it once; a second time is told.
    """

    BINDINGS: ClassVar = [*bindings_for("dialog"), *bindings_for("reverse")]
    AUTO_FOCUS = ""  # the table once it has rows: without it enter is the screen's

    def __init__(self, stored: StoredTransaction, *, correct: bool = False) -> None:
        super().__init__()
        self.stored, self.correct = stored, correct
        self.posting = False
        self.reversed_before = False

    def _reversal(self) -> Transaction:
        today = local(self.app.now(), self.app.zone).date()
        return reversal_of(self.stored, None if self.correct else today)

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
            yield Label("", id="reverse-hint", classes="dialog--hint", markup=False)

    async def on_mount(self) -> None:
        for part in ("#reverse-day", "#reverse-changes", "#reverse-problem"):
            self.query_one(part).display = False
        original = self.stored.transaction
        try:
            earlier = await self.app.store.by_key(original.book, reversal_key(original.id))
            if earlier is None:
                await self._preview()
        except StoreError as error:
            self._refuse(str(error))
            return
        if earlier is not None:
            self._refuse(f"It was reversed already, by seq {earlier.seq:,}; nothing more can be taken back.")
            self.reversed_before = True
        self._hint()

    async def _preview(self) -> None:
        reversal = self._reversal()
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
            flip = -1 if self._reads_negative(change.account) else 1
            before, after = change.before * flip, change.after * flip
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
                    f"▼ {path} would fall below its minimum of {minimum}: the ledger will refuse this."
                )
        table = self.query_one("#reverse-changes", VirtualTable)
        table.set_rows(rows)
        table.styles.height = min(len(rows), PREVIEW_ROWS_MAX) + 1
        table.display = True
        table.focus()

    def _reads_negative(self, account: AccountInfo) -> bool:
        return not self.app.natural_signs and account.config.normal_side is Direction.CREDIT

    def _hint(self) -> None:
        if self.reversed_before:
            hint = "enter opens the form with its contents   esc close" if self.correct else "esc close"
        elif self.correct:
            hint = "enter posts the reversal and opens the form with its contents   esc nothing happens"
        else:
            hint = "enter posts the reversal   esc nothing happens"
        self.query_one("#reverse-hint", Label).update(Content(hint))

    def _refuse(self, sentence: str) -> None:
        problem = self.query_one("#reverse-problem", Label)
        problem.update(Content(printable(sentence, 500)))
        problem.display = True

    @on(VirtualTable.Opened)
    def accept_in_table(self, event: VirtualTable.Opened) -> None:
        event.stop()
        self.action_accept()

    def action_accept(self) -> None:
        if self.posting:
            return
        if self.reversed_before:
            if self.correct:
                self.posting = True
                self.run_worker(self._open_form(), group="post")
            return
        if self.app.may_write(self.stored.transaction.book):
            self.posting = True
            self.run_worker(self._post(), group="post")

    async def _post(self) -> None:
        reversal = self._reversal()
        try:
            committed = await self.app.store.commit(reversal)
        except ConstraintViolation as error:
            precision = self.app.precision(
                next(p.amount.asset for p in reversal.postings if p.account == error.account)
            )
            self._refuse(
                f"Refused: {printable(error.account.path, 80)} would stand at "
                f"{format_amount(error.would_be, precision)}, below its minimum of "
                f"{format_amount(error.min_balance, precision)}."
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
            self.app.tell(f"Seq {self.stored.seq:,} was reversed{before} by seq {committed.seq:,}.")
            if self.correct:
                await self._open_form()
            else:
                self.dismiss(committed)

    async def _open_form(self) -> None:
        app, original = self.app, self.stored.transaction
        draft = correction_of(original, {id: asset.precision for id, asset in app.assets.items()}, app.zone)
        app.choose_book(original.book)
        app.run_worker(app.go("post", draft=draft), group="post")  # this screen's own workers end with it
        self.dismiss(None)

    def action_cancel(self) -> None:
        if not self.posting:
            self.dismiss(None)
