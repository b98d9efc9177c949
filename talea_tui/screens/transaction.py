"""One transaction in full: its postings, what was noted with it, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from store import Direction, Sequenced, StoredTransaction, StoreError, Transaction, TransactionPosted

from ..events.text import description_of, signed_minor
from ..formatting import format_amount, format_amount_plain, format_count, format_moment, printable
from ..json_text import shortened, shown_json
from ..posting.correction import corrected_id, reversed_id
from ..posting.standing import standing_of
from ..widgets.chart import shown_sign
from ..widgets.fact_table import FactTable
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.register import day_of
from ..widgets.virtual_table import READING_WIDTH, Cell, Column, Row, VirtualTable
from .base import TaleaScreen

COLUMNS = (
    Column("account", "account", min_width=14, max_width=400, flex=1, path=True),
    Column("debit", "debit", align="right", min_width=8, max_width=28, number=True),
    Column("credit", "credit", align="right", min_width=8, max_width=28, number=True),
    Column("asset", "", min_width=3, max_width=14),
    Column("after", "balance after", align="right", min_width=8, max_width=28, number=True, drop=2),
)
FACT_NAMES = Column("name", "", min_width=12, max_width=24)


class TransactionScreen(TaleaScreen):
    BINDINGS = bindings_for("transaction")
    TITLE = "Transaction"
    AUTO_FOCUS = "#postings"

    def __init__(self, book: str, seq: int) -> None:
        super().__init__()
        self.book, self.seq = book, seq
        self.stored: StoredTransaction | None = None
        self.links: list[int] = []

    def compose_body(self) -> ComposeResult:
        with Vertical(id="transaction"):
            yield PaneTitle(f"seq {self.seq:,}", id="transaction-title", lit_by="postings")
            yield VirtualTable(COLUMNS, id="postings", follow=False, reading_width=READING_WIDTH)
            yield PaneTitle("Details", id="facts-title", lit_by="facts")
            yield FactTable(FACT_NAMES, id="facts", opens=lambda fact: 0 <= fact < len(self.links))

    @property
    def book_shown(self) -> str | None:
        return self.book

    def crumbs(self) -> list[str]:
        return [self.book, f"seq {self.seq:,}"]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        if changed is not None and self.book not in changed:
            return
        found = await self.app.store.events_at(self.book, [self.seq])
        if not found or not isinstance(found[0].event, TransactionPosted):
            return
        if self.seq > await self.app.last_seq(self.book):
            self._show_nothing_yet()
            return
        await self._show(found[0], found[0].event.transaction)

    def _show_nothing_yet(self) -> None:
        """Say that at the instant shown there was no such transaction."""
        self.stored, self.links = None, []
        self.query_one("#transaction-title", PaneTitle).show("Not posted yet", f"seq {self.seq:,}")
        postings = self.query_one("#postings", VirtualTable)
        postings.empty = self.app.later_text(self.seq)
        postings.set_rows([])
        self.query_one("#facts", FactTable).show_facts([])

    async def _show(self, sequenced: Sequenced, transaction: Transaction) -> None:
        self.stored = StoredTransaction(transaction=transaction, seq=sequenced.seq, at=sequenced.at)
        words = description_of(transaction) or transaction.idempotency_key
        day = day_of(transaction, self.app.zone)
        self.query_one("#transaction-title", PaneTitle).show(f"{day} · {words}", f"seq {sequenced.seq:,}")
        rows = [await self._posting_row(transaction, place) for place in range(len(transaction.postings))]
        postings = self.query_one("#postings", VirtualTable)
        postings.export_name = f"{self.book}-{self.seq}"
        postings.set_rows(rows)
        postings.styles.max_height = len(rows) + 2
        facts = self.query_one("#facts", FactTable)
        facts.export_name = f"{self.book}-{self.seq}-details"
        links = await self._links(self.stored)
        self.links = [seq for _, _, seq in links]
        facts.show_facts(
            [[Cell(name, "dim"), Cell(value, "accent", value)] for name, value, _ in links]
            + [[Cell(name, "dim"), value] for name, value in self._facts(sequenced, transaction)]
        )

    async def _posting_row(self, transaction: Transaction, place: int) -> Row:
        posting = transaction.postings[place]
        precision = self.app.precision(posting.amount.asset)
        amount = Cell(
            format_amount(posting.amount.minor, precision),
            "",
            format_amount_plain(posting.amount.minor, precision),
        )
        debit = posting.direction is Direction.DEBIT
        after: Cell | str = ""
        history = await self.app.store.account_history(posting.account, self.seq - 1, 1)
        if history and history[-1].seq == self.seq:
            minor = history[-1].balance_after.minor
            info = await self.app.store.account(posting.account)
            if info is not None:
                minor *= shown_sign(info, natural=self.app.natural_signs)
            after = Cell(format_amount(minor, precision), "dim", format_amount_plain(minor, precision))
        return [
            Cell(printable(posting.account.path, 600), "", posting.account.path),
            amount if debit else "",
            "" if debit else amount,
            Cell(printable(posting.amount.asset, 40), "dim", posting.amount.asset),
            after,
        ]

    async def _links(self, stored: StoredTransaction) -> list[tuple[str, str, int]]:
        """What reversed and corrected it, what it reverses and corrects: (word, sentence, seq)."""
        store, bound = self.app.store, await self.app.last_seq(self.book)
        links = []
        standing = await standing_of(store, stored, bound)
        reversal = standing.newest if standing.newest is not stored else None
        done = "in force again" if standing.in_force else "reversed"
        for word, by in ((done, reversal), ("corrected", standing.corrected_by)):
            if by is not None:
                links.append((word, f"by seq {by.seq:,}, {day_of(by.transaction, self.app.zone)}", by.seq))
        earlier = (
            ("reverses", reversed_id(stored.transaction)),
            ("corrects", corrected_id(stored.transaction)),
        )
        for word, txid in earlier:
            original = await store.transaction(txid, self.book) if txid is not None else None
            if original is not None:
                links.append(
                    (word, f"seq {original.seq:,}, {description_of(original.transaction)}", original.seq)
                )
        return links

    def _facts(self, sequenced: Sequenced, transaction: Transaction) -> Iterator[tuple[str, str | Cell]]:
        zone = self.app.zone
        said = {("date", day_of(transaction, zone)), ("description", description_of(transaction))}
        yield from sorted(said)
        yield "occurred", format_moment(transaction.occurred_at, zone)
        yield "committed", format_moment(sequenced.at, zone)
        for ref in transaction.external_refs:
            yield f"ref {printable(ref.kind, 40)}", ref.value
        for name, value in _flat(transaction.metadata):
            if (name, value) not in said:
                yield printable(name, 60) or "metadata", value
        yield "key", transaction.idempotency_key
        yield "id", str(transaction.id)
        yield "seq", Cell(format_count(sequenced.seq), "", str(sequenced.seq))

    @on(VirtualTable.Opened, "#postings")
    async def open_account(self, event: VirtualTable.Opened) -> None:
        if self.stored is not None and event.row < len(self.stored.transaction.postings):
            await self.app.open_register(self.stored.transaction.postings[event.row].account)

    @on(VirtualTable.Opened, "#facts")
    async def open_link(self, event: VirtualTable.Opened) -> None:
        fact = self.query_one("#facts", FactTable).fact_at(event.row)
        if 0 <= fact < len(self.links):
            await self.app.open_transaction(self.book, self.links[fact])

    def as_text(self) -> str:
        """The transaction as plain text, as a journal would have it."""
        if self.stored is None:
            return ""
        transaction = self.stored.transaction
        lines = [f"{day_of(transaction, self.app.zone)} {description_of(transaction)}".rstrip()]
        for posting in transaction.postings:
            amount = format_amount_plain(signed_minor(posting), self.app.precision(posting.amount.asset))
            lines.append(f"    {posting.account.path}  {amount} {posting.amount.asset}")
        return "\n".join(lines)

    def action_copy_all(self) -> None:
        if self.stored is not None:
            self.app.copy(self.as_text(), "transaction")

    async def action_step(self, step: int) -> None:
        """To the transaction before or after this one in the book's log."""
        try:
            seq = await self._transaction_beside(step)
        except StoreError as error:
            self.app.refuse(error)
            return
        if seq is None:
            self.app.tell("There is no other transaction that way.")
            return
        self.seq = seq
        self.refresh_now()

    async def _transaction_beside(self, step: int) -> int | None:
        bound = await self.app.last_seq(self.book)
        seq = min(self.seq, bound + 1)
        while 1 <= seq + step <= bound:
            start = seq + 1 if step > 0 else max(1, seq - 50)
            count = 50 if step > 0 else seq - start
            events = [
                event
                for event in await self.app.store.read_events(self.book, start, count)
                if event.seq <= bound
            ]
            if not events:
                break
            for event in events if step > 0 else reversed(events):
                if isinstance(event.event, TransactionPosted):
                    return event.seq
            seq = events[-1].seq if step > 0 else start
        return None

    async def action_duplicate(self) -> None:
        if self.stored is not None:
            await self.app.start_posting(like=self.stored)

    async def action_reverse(self) -> None:
        if self.stored is not None:
            await self.app.start_reversal(self.stored)

    async def action_correct(self) -> None:
        if self.stored is not None:
            await self.app.start_reversal(self.stored, correct=True)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A JSON value as (dotted name, text); lists of plain values on one line."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if all(not isinstance(inner, dict | list | tuple) for inner in value):
            if value:
                yield name, ", ".join(_plain(inner) for inner in value)
        else:
            for place, inner in enumerate(value):
                yield from _flat(inner, f"{name}.{place + 1}")
    elif value is not None or name:
        yield name, _plain(value)


def _plain(value: Any) -> str:
    shown = shortened(value)
    return shown if isinstance(shown, str) else shown_json(shown)
