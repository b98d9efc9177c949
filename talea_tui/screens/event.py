"""One event of the log decoded: everything it says, with ways on to its transaction and accounts."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content

from store import AccountId, AccountOpened, AssetRegistered, StoreError, TransactionPosted

from ..events.detail import DetailLine, detail_of
from ..events.jsonl import event_json
from ..events.text import BookEvent
from ..formatting import format_count
from ..json_text import TooManyDigits
from ..widgets.fact_table import FactTable
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import Cell, Column, VirtualTable
from .base import TaleaScreen
from .export import copy_event

NAMES = Column("name", "", min_width=11, max_width=14)
_LABEL_CELLS = 11


def detail_content(lines: Sequence[DetailLine]) -> Content:
    """Labelled lines as they stand in a narrow pane."""
    parts: list[tuple[str, str] | str] = []
    for line in lines:
        parts.append((f"{line.label:<{_LABEL_CELLS}} ", "$dim"))
        parts.append(f"{line.text}\n")
    return Content.assemble(*parts)


class EventScreen(TaleaScreen):
    BINDINGS = bindings_for("event")
    TITLE = "Event"
    AUTO_FOCUS = "#event"

    def __init__(self, book: str, seq: int) -> None:
        super().__init__()
        self.book, self.seq = book, seq
        self.event: BookEvent | None = None
        self._links: dict[int, AccountId] = {}

    def compose_body(self) -> ComposeResult:
        yield PaneTitle(id="event-title", lit_by="event")
        yield FactTable(NAMES, id="event", opens=self._leads_on)

    @property
    def book_shown(self) -> str | None:
        return self.book

    def crumbs(self) -> list[str]:
        return [self.book, f"event {format_count(self.seq)}"]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        if changed is not None:
            return
        found = await self.app.store.events_at(self.book, [self.seq])
        if not found:
            return
        if self.seq > await self.app.last_seq(self.book):
            self._show_nothing_yet()
            return
        self.event = BookEvent(self.book, found[0])
        frame = await self.app.store.frame_of(self.book, self.seq)
        lines = detail_of(self.event, self.app.precision, self.app.zone, frame)
        self._links = self._accounts_on(lines, self.event)
        table = self.query_one("#event", FactTable)
        table.export_name = f"{self.book}-event-{self.seq}"
        table.show_facts(
            [
                [Cell(line.label, "dim"), Cell(line.text, "accent" if row in self._links else "")]
                for row, line in enumerate(lines)
            ],
            cursor=min(self._links, default=0),
        )
        self.query_one("#event-title", PaneTitle).show(
            self.app.with_keys("{table.open} on an account opens its register")
            if self._links
            else lines[0].text,
            self._size_of(self.event),
        )

    def _show_nothing_yet(self) -> None:
        """Say that at the instant shown there was no such event."""
        self.event, self._links = None, {}
        self.query_one("#event-title", PaneTitle).show("Not recorded yet")
        table = self.query_one("#event", FactTable)
        table.empty = self.app.later_text(self.seq)
        table.show_facts([])

    def _size_of(self, event: BookEvent) -> str:
        try:
            size = len(event_json(*event, self.app.precision).encode())
        except TooManyDigits:
            return "too many digits for JSON"
        return f"{format_count(size)} bytes as JSON"

    def _accounts_on(self, lines: Sequence[DetailLine], event: BookEvent) -> dict[int, AccountId]:
        """The lines that name an account, and which."""
        labels = [line.label for line in lines]
        body = event.sequenced.event
        if isinstance(body, TransactionPosted):
            first = labels.index("postings")
            postings = body.transaction.postings
            return {first + place: posting.account for place, posting in enumerate(postings)}
        if isinstance(body, AccountOpened):
            return {labels.index("account"): body.definition.id}
        return {}

    @property
    def _is_of_asset(self) -> bool:
        return self.event is not None and isinstance(self.event.sequenced.event, AssetRegistered)

    def _leads_on(self, line: int) -> bool:
        return line in self._links or self._is_of_asset

    @on(VirtualTable.Opened, "#event")
    async def open_link(self, event: VirtualTable.Opened) -> None:
        account = self._links.get(self.query_one("#event", FactTable).fact_at(event.row))
        if account is not None:
            await self.app.open_register(account)
        elif self._is_of_asset:
            await self.app.go("assets")

    async def action_transaction(self) -> None:
        if self.event is None:
            return
        if isinstance(self.event.sequenced.event, TransactionPosted):
            await self.app.open_transaction(self.book, self.seq)
        else:
            self.app.tell("This event is no transaction.")

    def action_step(self, step: int) -> None:
        self.run_worker(self._step(step), group="step", exclusive=True)

    async def _step(self, step: int) -> None:
        try:
            bound = await self.app.last_seq(self.book)
        except StoreError as error:
            self.app.refuse(error)
            return
        seq = min(self.seq, bound + 1) + step
        if not 1 <= seq <= bound:
            self.app.tell("There is no other event that way.")
            return
        self.seq = seq
        self.refresh_now()

    def action_copy_json(self) -> None:
        if self.event is not None:
            copy_event(self.app, self.event)
