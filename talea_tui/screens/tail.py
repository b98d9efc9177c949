"""The tail: one or several streams of events, side by side or one above the other, and the event one is at."""

from __future__ import annotations

from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Static

from store import SYSTEM_BOOK, StoreError

from ..events.detail import detail_of
from ..events.rules import Rules
from ..events.text import BookEvent
from ..widgets.keys import bindings_for
from .base import TaleaScreen
from .event import detail_content
from .rules import RulesDialog
from .tail_pane import TailPane

PANES_MAX = 4
LEAST_PANE_WIDTH, LEAST_PANE_HEIGHT = 58, 5


class TailScreen(TaleaScreen):
    BINDINGS = bindings_for("tails")
    TITLE = "Tail"
    AUTO_FOCUS = "#events"

    def __init__(self) -> None:
        super().__init__()
        self.rules = Rules(self.app.precision)
        self.tails = Container(id="tails")
        self.details = VerticalScroll(id="tail-details", can_focus=False)
        self.detail = Static(id="tail-detail", markup=False)
        self._elsewhere: list[tuple[str, str]] = []
        """Tails that were remembered of books that another ledger has."""
        self._current: TailPane | None = None
        self._to_tell: BookEvent | None = None
        self._telling = False

    def compose_body(self) -> ComposeResult:
        layout = self.app.settings.layout
        here = {"", SYSTEM_BOOK, *self.app.books}
        kept = _panes_kept(layout.get("tails"))
        self._elsewhere = [pane for pane in kept if pane[0] not in here]
        with Horizontal(id="tail"):
            with self.tails:
                yield TailPane(self.rules, all_books=bool(layout.get("tail_all")))
                for pane in [pane for pane in kept if pane[0] in here][: PANES_MAX - 1]:
                    yield self._restored(*pane)
            with self.details:
                yield self.detail

    def on_mount(self) -> None:
        layout = self.app.settings.layout
        self.details.display = bool(layout.get("tail_details"))
        self.rules.restore(layout.get("tail_rules"))
        self._arrange()

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        for pane in self._mounted:
            pane.clock.pause()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        for pane in self._mounted:
            pane.clock.resume()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    @property
    def book_shown(self) -> str | None:
        return self.pane.book if self.panes and not self.pane.all_books else None

    def crumbs(self) -> list[str]:
        others = len(self.panes) - 1
        more = f" +{others}" if others > 0 else ""
        return [self.pane.what + more, "Tail"] if self.panes else ["Tail"]

    @property
    def _mounted(self) -> list[TailPane]:
        """Those that run already: a screen may come and go before its panes do."""
        return [pane for pane in self.panes if pane.is_mounted]

    @property
    def panes(self) -> list[TailPane]:
        return list(self.tails.query_children(TailPane))

    @property
    def pane(self) -> TailPane:
        """The tail that the keys go to, or went to last."""
        panes = self.panes
        for pane in panes:
            if pane.is_current:
                self._current = pane
        return self._current if self._current in panes else panes[0]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        for pane in self.panes:
            await pane.refresh_data(changed)

    def go_back(self) -> bool:
        return self.pane.go_back()

    # Several tails

    def _restored(self, book: str, filter: str) -> TailPane:
        pane = TailPane(self.rules, book or None, all_books=not book)
        pane.begin_with(filter)
        return pane

    def _arrange(self) -> None:
        """Side by side where there is room for it, else one above the other."""
        panes = self.panes
        room = (
            self.size.width * 3 // 5 if self.details.display and self.has_class("-wide") else self.size.width
        )
        self.tails.set_class(room >= LEAST_PANE_WIDTH * len(panes), "-beside")
        for place, pane in enumerate(panes):
            pane.is_one_of_many = len(panes) > 1
            pane.set_class(place > 0, "-later")

    def _remember(self) -> None:
        first, *others = self.panes
        layout = self.app.settings.layout
        layout["tail_all"] = first.all_books
        layout["tails"] = [
            ["" if pane.all_books else pane.book or "", pane.filter.text]
            for pane in others
            if pane.all_books or pane.book
        ] + [list(pane) for pane in self._elsewhere]

    async def action_add_tail(self) -> None:
        panes, here = self.panes, self.pane
        beside = self.size.width >= LEAST_PANE_WIDTH * (len(panes) + 1)
        height = self.tails.size.height // (1 if beside else len(panes) + 1)
        if len(panes) >= PANES_MAX or height < LEAST_PANE_HEIGHT:
            self.app.tell("There is no room for one more tail.")
            return
        pane = TailPane(self.rules, here.book, all_books=here.all_books)
        await self.tails.mount(pane, after=here)
        self._arrange()
        pane.view.focus()
        self.refresh_now()
        pane.action_choose_book()
        self._remember()

    async def action_close_tail(self) -> None:
        panes, here = self.panes, self.pane
        if len(panes) == 1:
            self.app.tell(self.app.with_keys("This is the only tail; {tails.add} adds one."))
            return
        place = panes.index(here)
        await here.remove()
        panes.remove(here)
        panes[max(0, place - 1)].view.focus()
        self._arrange()
        self._remember()
        self.refresh_now()

    def action_next_tail(self) -> None:
        panes = self.panes
        panes[(panes.index(self.pane) + 1) % len(panes)].view.focus()

    @on(TailPane.Shows)
    def another_book(self) -> None:
        self._remember()
        self.refresh_now()

    # The event one is at

    def action_toggle_details(self) -> None:
        self.details.display = not self.details.display
        self.app.settings.layout["tail_details"] = self.details.display
        self._arrange()
        self._show_details()

    @on(TailPane.Moved)
    def place_changed(self, event: TailPane.Moved) -> None:
        if event.pane is self.pane:
            self._show_details()
            if not event.pane.view.following:
                self.refresh_chrome()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._show_details()
        if self.app.instant is not None:
            self.refresh_now()  # the header tells the seq of another book

    def _show_details(self) -> None:
        if not self.details.display or not self.panes:
            return
        self._to_tell = self.pane.view.current
        if self._to_tell is None:
            self.detail.update("")
        elif not self._telling:
            self._telling = True
            self.run_worker(self._tell(), group="details")

    async def _tell(self) -> None:
        try:
            while (event := self._to_tell) is not None:
                self._to_tell = None
                try:
                    frame = await self.app.store.frame_of(*event.id)
                except StoreError:
                    frame = None
                lines = detail_of(event, self.app.precision, self.app.zone, frame)
                self.detail.update(detail_content(lines))
        finally:
            self._telling = False

    # Rules

    @on(TailPane.RuleAdded)
    def rule_added(self, event: TailPane.RuleAdded) -> None:
        lists = self.app.with_keys("{tails.rules} lists all rules.")
        self.app.tell(f"{event.marker} marks what meets {event.text}; {lists}")
        self._rules_changed()

    def action_rules(self) -> None:
        self.app.push_screen(RulesDialog(self.rules), self._rules_changed)

    def _rules_changed(self, _: Any = None) -> None:
        self.app.settings.layout["tail_rules"] = self.rules.kept()
        for pane in self.panes:
            pane.view.refresh()


def _panes_kept(kept: Any) -> list[tuple[str, str]]:
    """(book, filter) of tails that were remembered; an empty book is all."""
    panes = []
    for entry in kept if isinstance(kept, list) else ():
        match entry:
            case [str(book), str(filter)]:
                panes.append((book, filter))
    return panes
