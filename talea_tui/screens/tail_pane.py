"""One tail: the live stream of a book or of all, and what is asked of it by keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.message import Message

from store import SYSTEM_BOOK, StoreError

from ..events.feed import Rows
from ..events.filter import FilterError, parse_filter
from ..events.jsonl import event_json
from ..events.jump import SeqTarget, books_named, parse_target
from ..events.lines import line_of, time_cell
from ..events.rules import Rules
from ..events.search import Search, SearchError, find_row
from ..events.text import BookEvent
from ..formatting import format_count
from ..parsing import ParseError
from ..widgets.event_view import EventView
from ..widgets.keys import bindings_for
from ..widgets.prompt import Prompt, Question
from .event import EventScreen
from .event_stream import EventStream, Place
from .export import ask_lines_export, copy_event

EXPORTED_AT_A_TIME = 256
NOTHING_SOUGHT = (
    "Press {tail.search} to search or {tail.filter} to filter; "
    "{tail.next} and {tail.previous} then step through what matches."
)


class TailPane(EventStream):
    """A stream to follow, read, filter, search and copy from; `rules` are shared by all panes."""

    BINDINGS: ClassVar = bindings_for("tail")

    class RuleAdded(Message):
        """The user made a rule by which events stand out."""

        def __init__(self, marker: str, text: str) -> None:
            super().__init__()
            self.marker, self.text = marker, text

    def __init__(self, rules: Rules, book: str | None = None, *, all_books: bool = False) -> None:
        super().__init__(book, all_books=all_books)
        self.rules = rules
        self.view.lights = rules.place_of
        self.prompt = Prompt(id="prompt")
        self.search: Search | None = None
        self._anchor: Place | None = None
        self._filter_error = ""
        self._searching = ""

    def compose(self) -> ComposeResult:
        yield self.bar
        yield self.view
        yield self.prompt

    # What is told

    def _show_prompt(self) -> None:
        standing = [f"/ {self.filter.text}"] if self.filter else []
        if self.search is not None:
            standing.append(f"search {self.search.pattern}")
        self.prompt.show("   ".join(standing), self._info())

    def _info(self) -> str:
        return self._note or self._filter_error or self._searching or self.match_figures

    # Filter, search, go to

    def action_filter(self) -> None:
        self._note = ""
        self._remember_place()
        self.prompt.ask("filter", self.filter.text)

    def action_search(self) -> None:
        self._note = ""
        self.prompt.ask("search", self.search.pattern if self.search is not None else "")

    def action_highlight(self) -> None:
        self._note = ""
        self.prompt.ask("highlight")

    def action_choose_book(self) -> None:
        self._note = ""
        self.prompt.ask("book")

    def action_go_to(self) -> None:
        self._note = ""
        self.prompt.ask("go to")

    @on(Prompt.Typed)
    async def typed(self, event: Prompt.Typed) -> None:
        self._note = ""
        if event.question == "filter":
            await self._set_filter(event.text)
        else:
            self._show_prompt()

    @on(Prompt.Answered)
    async def answered(self, event: Prompt.Answered) -> None:
        if event.question == "filter":
            await self._set_filter(event.text)
            if self._filter_error:
                return
        elif wrong := await self._take(event.question, event.text):
            self._note = wrong  # what was typed stays, to be mended
            self._show_prompt()
            return
        self._close_prompt()
        self._show_state()

    @on(Prompt.Left)
    def left(self) -> None:
        """A filter holds already and stays; what else was being typed is let go."""
        focused = self.screen.focused
        if self.prompt.question == "filter" and not self._filter_error:
            self.prompt.close()
            self._show_state()
        elif self.prompt.question is not None:
            self.go_back()
        self.screen.set_focus(focused)

    async def _take(self, question: Question, text: str) -> str:
        """Do what was answered; why the answer will not do, or nothing."""
        if question == "search":
            return self._set_search(text)
        if question == "highlight":
            return self._add_rule(text.strip())
        if question == "book":
            return self._set_book(text.strip())
        if text.strip():
            with self._refusals_told():
                return await self._go_to(text)
        return ""

    @contextmanager
    def _refusals_told(self) -> Iterator[None]:
        """What the store refuses while one looks around is told in the bottom line."""
        try:
            yield
        except StoreError as error:
            self._note = str(error)
            self._show_prompt()

    def _close_prompt(self) -> None:
        self._filter_error = ""
        self.prompt.close()
        self.view.focus()

    def _remember_place(self) -> None:
        """Note where one is; where a filter left nothing to be at, the place before it stays noted."""
        if self._place is not None or self.view.following:
            self._anchor = self._place

    async def _set_filter(self, text: str) -> None:
        """Show what meets this filter, staying at the event one was at before it was typed."""
        try:
            wanted = parse_filter(text, self.app.precision)
        except FilterError as error:
            self._filter_error = str(error)
            self._show_prompt()
            return
        self._filter_error = ""
        if wanted.text.strip() == self.filter.text.strip():
            self._show_prompt()
            return
        self.filter = wanted
        with self._refusals_told():
            await self._show_rows(self._anchor)

    def _set_search(self, pattern: str) -> str:
        if not pattern:
            self.search = None
            self.view.marks = None
            self.view.refresh()
            return ""
        try:
            self.search = Search(pattern)
        except SearchError as error:
            return str(error)
        self.view.marks = self._is_marked
        self.view.refresh()
        self._find(-1, from_here=True)
        return ""

    def _add_rule(self, text: str) -> str:
        try:
            if text:
                self.post_message(self.RuleAdded(self.rules.add(text), text))
        except FilterError as error:
            return str(error)
        return ""

    def _set_book(self, wanted: str) -> str:
        """Show the book whose name is, begins with or holds what was typed; all for `all`."""
        found = books_named(wanted, [*self.app.books, SYSTEM_BOOK])
        if wanted.casefold() in ("all", "*"):
            self.show_book(None, all_books=True)
        elif len(found) == 1:
            self.show_book(found[0])
        elif wanted:
            several = f"; {', '.join(found[:4])} all do" if found else ""
            return f"No one book fits {wanted!r}{several}."
        return ""

    def _is_marked(self, event: BookEvent) -> bool:
        try:
            return self.search is not None and self.search.matches(event)
        except SearchError:
            return False

    def action_step_match(self, step: int) -> None:
        if self.search is not None:
            self._find(step)
        elif self.filter:
            self.view.move_cursor(step)
        else:
            self.app.tell(self.app.with_keys(NOTHING_SOUGHT))

    def _find(self, step: int, from_here: bool = False) -> None:
        source, search = self.view.source, self.search
        if source is None or search is None:
            return
        self.view.pause()
        cursor = self.view.cursor
        if cursor is None:
            cursor, from_here = source.end - 1, True
        self._note = ""
        self.run_worker(
            self._find_from(source, search, cursor if from_here else cursor + step, step),
            group="search",
            exclusive=True,
        )

    async def _find_from(self, source: Rows, search: Search, start: int, step: int) -> None:
        def progress(tested: int) -> None:
            self._searching = f"searching… {format_count(tested)}"
            self._show_prompt()

        try:
            row = await find_row(source, search, start, step, progress)
        except (SearchError, StoreError) as error:
            self._note = str(error)
        else:
            if row is None:
                older = "older" if step < 0 else "newer"
                self._note = f"No {older} event matches {search.pattern}"
            else:
                await self.view.go_to(source, row)
        finally:
            self._searching = ""
            self._show_prompt()

    async def _go_to(self, text: str) -> str:
        source, feed = self.view.source, self._feed
        if source is None or feed is None:
            return ""
        try:
            target = parse_target(text, self.app.now(), self.app.zone)
        except ParseError as error:
            return str(error)
        if target == "end":
            await self.view.resume()
        elif target == "start":
            await self.view.go_to(source, source.first)
        elif isinstance(target, SeqTarget):
            return await self._go_to_seq(target)
        elif isinstance(target, datetime):
            await self._go_to_place(target)
        return ""

    async def _go_to_seq(self, target: SeqTarget) -> str:
        feed = self._feed
        current = self.view.current
        book = target.book
        if book is None:
            book = (current.book if self.all_books and current is not None else self.book) or ""
        if feed is None or book not in feed.heads:
            return f"Book {book!r} is not in this stream."
        head = feed.heads[book]
        if not 1 <= target.seq <= head:
            return f"Seq {format_count(target.seq)} is not there; the last is {format_count(head)}."
        found = await feed.events_at(book, [target.seq])
        if found:
            await self._go_to_place(found[0])
        return ""

    async def action_step_time(self, seconds: int) -> None:
        """To the first event so much later or earlier; at least one event further."""
        view = self.view
        event, source = view.current, view.source
        if event is None or source is None:
            return
        view.pause()
        try:
            at = event.sequenced.at + timedelta(seconds=seconds)
        except OverflowError:
            return
        with self._refusals_told():
            here = await source.row_of(*event.id)
            row = await source.row_at(at)
            await view.go_to(source, min(row, here - 1) if seconds < 0 else row)

    def go_back(self) -> bool:
        if self.prompt.question is not None:
            before, self._note = self.prompt.before, ""
            filtering = self.prompt.question == "filter"
            self._close_prompt()
            if filtering and before != self.filter.text:
                self.run_worker(self._set_filter(before), group="filter", exclusive=True)
            self._show_prompt()
            return True
        if self._searching:
            self.workers.cancel_group(self, "search")
            return True
        if self._note:
            self._note = ""
        elif self.search is not None:
            self._set_search("")
        elif self.filter:
            self._remember_place()
            self.run_worker(self._set_filter(""), group="filter", exclusive=True)
        else:
            return False
        self._show_prompt()
        return True

    # Everything else

    def action_toggle_all(self) -> None:
        self.show_book(self.own_book, all_books=not self.all_books)

    @on(EventView.Opened)
    async def open_event(self, event: EventView.Opened) -> None:
        await self.app.push_screen(EventScreen(*event.event.id))

    def action_copy_line(self) -> None:
        event = self.view.current
        if event is not None:
            line = line_of(event.sequenced, self.app.precision)
            time = time_cell(event.sequenced, self.app.zone, self.app.today, 23)
            cells = (
                event.book,
                line.seq,
                time,
                line.kind,
                line.accounts,
                f"{line.asset} {line.amount}".strip(),
            )
            self.app.copy("  ".join(cell for cell in (*cells, line.description) if cell), "event")

    def action_copy_json(self) -> None:
        event = self.view.current
        if event is not None:
            copy_event(self.app, event)

    def action_export(self) -> None:
        source = self.view.source
        if source is None:
            return
        self.view.pause()
        first, end = source.first, source.end

        async def lines() -> AsyncIterator[list[str]]:
            for start in range(first, end, EXPORTED_AT_A_TIME):
                rows = await source.rows(start, min(start + EXPORTED_AT_A_TIME, end))
                yield [event_json(*event, self.app.precision) for event in rows]

        self.run_worker(
            ask_lines_export(self.app, self.what, end - first, lines),
            group="question",
            exclusive=True,
        )
