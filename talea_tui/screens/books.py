"""Books: every book of the ledger, how much is in it and how its writer fares, and what came last into one."""

from __future__ import annotations

import shlex
from datetime import timedelta
from itertools import pairwise

from msgspec.structs import replace
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from store import BookInfo

from ..events.feed import EventFeed
from ..formatting import format_age, format_bytes, format_count, format_date, printable, sparkline
from ..widgets.event_view import EventView
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import READING_WIDTH, Cell, Column, Row, VirtualTable
from .base import TaleaScreen
from .event import EventScreen

COLUMNS = (
    Column("book", "book", min_width=8, max_width=200, flex=1, want=24),
    Column("accounts", "accounts", align="right", min_width=8, max_width=12, drop=3),
    Column("transactions", "transactions", align="right", min_width=7, max_width=14),
    Column("activity", "activity", min_width=8, max_width=24, drop=5),
    Column("last", "last event", min_width=10, max_width=16),
    Column("size", "on disk", align="right", min_width=7, max_width=9, drop=4),
    Column("writer", "writer", min_width=7, max_width=9),
)
UNKNOWN = Cell("–", "dim", "")
"""Of what is damaged, and of what only is, and was not written down."""

ACTIVITY_BARS, BARS_A_CELL, WIDE = 24, 3, 96
"""Of the bars so many go into one cell where the screen is not wide."""

BOOKS_AT_A_TIME = 50
EMPTY = """This ledger is empty.

Press {books.new} to begin a book by opening its first account, {app.help} to see what the keys do.

Or leave with {app.quit} and bring a journal in: talea-tui import FILE --book NAME
Or look around in a made-up ledger first: talea-tui demo"""


class NewestEvents(EventView, can_focus=False):
    """The newest events of a book, only to be looked at: it always follows."""

    def pause(self) -> None:
        pass


class BooksScreen(TaleaScreen):
    BINDINGS = bindings_for("books")
    TITLE = "Books"

    def __init__(self) -> None:
        super().__init__()
        self.infos: list[BookInfo] = []
        self.activity: dict[str, tuple[int, list[int]]] = {}
        self._past: dict[str, BookInfo] = {}
        self._feed: EventFeed | None = None

    def compose_body(self) -> ComposeResult:
        empty = self._how_to_begin()
        yield VirtualTable(COLUMNS, id="books", empty=empty, follow=False, reading_width=READING_WIDTH)
        yield Static(id="books-why", markup=False)
        with Vertical(id="books-newest"):
            yield PaneTitle(id="books-newest-title")
            yield NewestEvents(id="books-events")

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#books", VirtualTable)

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        infos = await self.app.store.books()
        if self.app.instant is not None:
            infos = [await self._as_it_was(info) for info in infos]
        here = self.infos[self.table.cursor].name if self.table.cursor >= 0 else self.app.book
        self.infos = infos
        self.table.export_name, self.table.empty = "books", self._how_to_begin()
        self._show(here)
        await self._show_newest(changed)
        newer = [info for info in self.infos if self.activity.get(info.name, (0, []))[0] != info.last_seq]
        for place, info in enumerate(newer, 1):
            self.activity[info.name] = info.last_seq, await self._activity(info)
            if place == len(newer) or place % BOOKS_AT_A_TIME == 0:
                self._show()

    def _how_to_begin(self) -> str:
        """What to do in an empty ledger; the command names it, or it would go to the one that is opened by default."""
        place = printable(self.app.place)
        plain = place.removeprefix("~")
        where = place if shlex.quote(plain) == plain else shlex.quote(place)
        option = f" --dir {where}" if place else ""
        return self.app.empty_text(EMPTY).replace("--book NAME", f"--book NAME{option}")

    def _show(self, here: str | None = None) -> None:
        """Show the books; the cursor goes to, or stays on, the one named."""
        names = [info.name for info in self.infos]
        cursor = names.index(here) if here in names else None
        self.table.set_rows([self._row(info) for info in self.infos], cursor=cursor)
        self._show_why()

    def _show_why(self) -> None:
        """Why the book under the cursor takes no postings, if it does not."""
        row, line = self.table.cursor, self.query_one("#books-why", Static)
        info = self.infos[row] if 0 <= row < len(self.infos) else None
        why = info.error if info is not None else None
        line.display = why is not None
        line.update(Content(f"■ {printable(why or '', 1_000)}"))

    async def _show_newest(self, changed: frozenset[str] | None) -> None:
        """Show what came last into the book under the cursor; of an unreadable one it was told why there is nothing."""
        row, view = self.table.cursor, self.query_one(NewestEvents)
        info = self.infos[row] if 0 <= row < len(self.infos) else None
        self.set_class(info is not None, "-filled")
        if info is None:
            return
        if changed is not None and self._feed is not None and self._feed.book == info.name:
            if await self._feed.refresh(changed):
                await view.grown()
            return
        self._feed = feed = EventFeed(self.app.store, info.name, self.app.as_of)
        await feed.refresh()
        self.query_one("#books-newest-title", PaneTitle).show(f"Newest of {info.name}")
        view.empty = "" if info.is_unread else self.app.nothing_posted(info.name)
        await view.show(feed)

    @on(EventView.Opened)
    async def open_event(self, event: EventView.Opened) -> None:
        await self.app.push_screen(EventScreen(*event.event.id))

    def minute_passed(self) -> None:
        self._show()

    async def _as_it_was(self, info: BookInfo) -> BookInfo:
        """A book with its figures as of the instant shown; its files and its writer stay as they are now."""
        if info.is_unread:
            return info
        seq, known = await self.app.last_seq(info.name), self._past.get(info.name)
        if known is None or known.last_seq != seq:
            accounts = len(await self.app.accounts(info.name, seq))
            last = await self.app.store.events_at(info.name, [seq])
            last_at = last[0].at if last else None
            transactions = seq - accounts  # nothing else is in a book's log
            known = self._past[info.name] = replace(
                info, last_seq=seq, last_at=last_at, accounts=accounts, transactions=transactions
            )
        return replace(known, writer=info.writer, error=info.error)

    def on_resize(self, event: events.Resize) -> None:
        if self.infos:
            self._show()

    async def _activity(self, info: BookInfo) -> list[int]:
        """How commits are spread over the book's life, in equal spans of time."""
        if info.last_at is None or info.last_seq < 2:
            return []
        first = await self.app.store.read_events(info.name, 1, 1)
        if not first or first[0].at >= info.last_at:
            return []
        begin, step = first[0].at, (info.last_at - first[0].at) / ACTIVITY_BARS
        reached = [
            await self.app.store.seq_at(info.name, begin + step * bar) for bar in range(1, ACTIVITY_BARS)
        ]
        reached = [0, *reached, info.last_seq]
        return [after - before for before, after in pairwise(reached)]

    def _bars(self, book: str) -> str:
        _, counts = self.activity.get(book, (0, []))
        together = 1 if self.size.width >= WIDE else BARS_A_CELL
        return sparkline([sum(counts[at : at + together]) for at in range(0, len(counts), together)])

    def _row(self, info: BookInfo) -> Row:
        running, unknown = info.writer == "running", info.is_unread
        live = self.app.instant is None
        accounts, transactions, size = (
            UNKNOWN if unknown else cell
            for cell in (
                Cell(format_count(info.accounts), "", str(info.accounts)),
                Cell(format_count(info.transactions), "", str(info.transactions)),
                Cell(format_bytes(info.bytes_on_disk), "dim", str(info.bytes_on_disk)),
            )
        )
        writer = Cell(
            self.app.writer_of(info) if running else f"■ {info.writer}",
            "dim" if running else "warning",
            self.app.writer_of(info),
        )
        return [
            Cell(printable(info.name, 200), "strong", info.name),
            accounts,
            transactions,
            Cell(self._bars(info.name), "accent"),
            Cell(self._last(info), "dim", info.last_at.isoformat() if info.last_at is not None else ""),
            size if live else UNKNOWN,
            writer if live or not running else UNKNOWN,
        ]

    def _last(self, info: BookInfo) -> str:
        if self.app.instant is not None:
            return format_date(info.last_at, self.app.zone) if info.last_at is not None else "not begun"
        if info.last_at is None:
            return ""
        age, minute = self.app.now() - info.last_at, timedelta(minutes=1)
        if timedelta() <= age < minute:  # seconds would be wrong soon: ages are drawn again once a minute
            return "just now"
        return format_age(info.last_at, self.app.now())

    @on(VirtualTable.Opened)
    async def open_book(self, event: VirtualTable.Opened) -> None:
        if event.row < len(self.infos):
            await self.app.go("accounts", book=self.infos[event.row].name)

    @on(VirtualTable.Highlighted)
    def choose(self, event: VirtualTable.Highlighted) -> None:
        """The book under the cursor is the one to work in: p posts to it."""
        if 0 <= event.row < len(self.infos) and event.row == self.table.cursor:
            self.app.choose_book(self.infos[event.row].name)
            self._show_why()
            self.refresh_chrome()

    async def action_new_book(self) -> None:
        await self.app.open_account_form(new_book=True)
