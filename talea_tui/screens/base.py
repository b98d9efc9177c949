"""The screen that all screens are made from, and how to add one.

A screen is one file with one subclass of `TaleaScreen`::

    class TailScreen(TaleaScreen):
        BINDINGS = bindings_for("tail")    # its scope in actions/table.py; widgets with keys do the same
        TITLE = "Tail"                     # its word in the breadcrumb

        def compose_body(self) -> ComposeResult:    # header and footer are put around it
            yield ...

        async def refresh_data(self, changed: frozenset[str] | None) -> None:
            ...                            # fetch what the screen shows, and show it

- *Registered* in `app.py`: one line in `SCREENS` (mode -> "module:Class"), which `go('mode')` shows.
  A dialog or a deeper screen needs no line: `self.app.push_screen(...)`; `escape` and `left` pop it.
- *Actions*: add them to the scope's tuple in `actions/table.py` (id "tail.follow", keys, label, help, run
  "follow") and write `action_follow`. Nothing else makes bindings, so footer, palette, help and `talea-tui
  keys` agree.
- *Store*: `self.app.store`, the async API, awaited on this loop. `refresh_data` runs only when the store is
  open and the screen is to be seen; a StoreError raised in it is shown as a refusal. Elsewhere catch
  StoreError and `self.app.refuse(error)`.
- *Changes*: `refresh_data(None)` means everything (first showing; another book, another instant). Otherwise
  `changed` are the names of the books that changed, coalesced, at most ten times a second, never twice at
  once; a screen that was not to be seen gets them when it comes back. Refetch only what is shown; where that
  may take long, `self.rest_after(began)` when it is done, and `if self.put_off(changed): return` before.
- *Book and instant*: `self.app.book` (None in an empty ledger), `self.app.as_of(book)` to hand to the store,
  `self.app.instant` (None when live). `self.app.choose_book(name)` makes another book current.
- *Unreadable*: a screen that shows the current book says `SHOWS_BOOK = True`; while that book is damaged
  and nothing of it is known, it is covered by the reason and is neither refreshed nor sent its actions.
- *Known without asking*: `self.app.assets[id]`, `self.app.precision(asset)`, `self.app.books[name]`.
- *Writing*: `if not self.app.may_write(): return` says why not (as of, writer stopped) and is False then.
- *Telling*: `self.app.tell(text)` in passing, `self.app.tell_done(text)` what was done and must not be missed,
  `self.app.refuse(text or StoreError)`: plain text, never markup. User
  text in labels and titles goes through `formatting.printable` and `Text`/`Content` or `markup=False`.
  Keys in what is told come from `self.app.with_keys("Press {app.post} to post.")`: a user may have others.
- *Moving*: `await self.app.go("post", like=stored)` calls `arrive(like=stored)` of that mode's first
  screen. `await self.app.open_transaction(book, seq)`, `await self.app.open_register(account_id)` go deeper.
- *Coming back*: `escape` and `left` first ask `go_back()`: return True when the screen did something instead.
- *Tables*: `widgets/virtual_table.py`. *Questions*: `await self.app.push_screen_wait(Ask(...))` in a worker,
  `screens/ask.py`; a dialog subclasses `Dialog`.
- *Dialogs asked for from anywhere*: `app.start_reversal(stored, correct=...)` pushes `screens/reverse.py`
  `ReverseScreen(stored, correct=...)`; `app.open_account_form(path=..., new_book=...)` pushes
  `screens/open_account.py` `OpenAccountScreen(path=..., new_book=...)`; `app.start_posting(like=stored)`
  calls the posting form's `arrive(like=...)`.
- *Tests*: `tests/tui/conftest.py` has `open_app(store)`; drive it with the pilot.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from store import StoreClosed, StoreError

from ..formatting import printable
from ..widgets.footer import Footer
from ..widgets.header import Header
from ..widgets.shell import Shell
from ..widgets.under_way import UnderWayLine
from ..widgets.virtual_table import VirtualTable

RESTORE = (
    "Nothing of it was changed. Once its files are restored, press {app.storage}, then {storage.reopen} "
    "to read it again."
)
LEAST_WIDTH, LEAST_HEIGHT = 60, 20
SLOW_SECONDS, REST, REST_SECONDS_MIN = 0.02, 20, 0.1
"""What takes longer than slow rests so many times as long, and not less than the least."""


class TooSmall(Widget):
    """Covers a screen that would not be readable."""

    def render(self) -> Content:
        size = self.app.size
        wanted = f"{LEAST_WIDTH} × {LEAST_HEIGHT}"
        return Content(f"talea needs {wanted} characters; this terminal has {size.width} × {size.height}.")


def mark_too_small(screen: Screen[Any], size: Size) -> None:
    """Have `TooSmall` cover a screen where the terminal is."""
    screen.set_class(size.width < LEAST_WIDTH or size.height < LEAST_HEIGHT, "-too-small")


class Unreadable(Static):
    """Stands in the place of a screen's body while the current book cannot be read."""

    app = getters.app(Shell)

    def show(self, book: str, why: str, *, followed: bool) -> None:
        again = (
            "Once it is restored where the ledger is open, follow the ledger anew."
            if followed
            else self.app.with_keys(RESTORE)
        )
        self.update(
            Content(f"■ {printable(book, 60)} cannot be read\n\n{printable(why, 1_000)}\n\n{again}\n")
            + Content(self.app.with_keys("The other books are open: {app.books} lists them."))
        )


class TaleaScreen(Screen[None]):
    """A full screen between header and footer that is kept current."""

    SHOWS_BOOK: ClassVar[bool] = False
    """Whether it shows the current book, and so has nothing to show of one that cannot be read."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (60, "-narrow"),
        (80, "-normal"),
        (120, "-wide"),
    ]
    AUTO_FOCUS = "VirtualTable"

    def __init__(self) -> None:
        super().__init__()
        self._everything_changed = True
        self._changed: frozenset[str] = frozenset()
        self._refreshing = False
        self._rests_until = 0.0
        self._resting: Timer | None = None
        self._put_off: frozenset[str] = frozenset()
        self.past_seq: int | None = None
        """The last seq that is to be seen of the book shown, as of the instant shown; None when live."""

    app = getters.app(Shell)

    def compose(self) -> ComposeResult:
        yield Header()
        with Container(id="body"):
            yield from self.compose_body()
        if self.SHOWS_BOOK:
            yield Unreadable(id="unreadable", markup=False)
        yield UnderWayLine()
        yield from self.app.furniture()
        yield Footer()
        yield TooSmall()

    def compose_body(self) -> ComposeResult:
        """What stands between header and footer."""
        yield from ()

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        """Fetch and show what changed: None for everything, else the books that did."""

    async def arrive(self, **arrival: Any) -> None:
        """Called with what `go` was given, after the switch."""

    @property
    def book_shown(self) -> str | None:
        """The book whose seq the header tells in the past; None where several are shown."""
        return self.app.book

    def crumbs(self) -> list[str]:
        """This screen's words in the breadcrumb, after the ledger's directory."""
        return [self.title or ""]

    def status(self) -> str:
        """A word on the state of this screen (following, unposted draft) for the header; may be empty."""
        return ""

    def go_back(self) -> bool:
        """Step back inside this screen; False when there is nothing to step back from."""
        return False

    def on_resize(self, event: events.Resize) -> None:
        mark_too_small(self, event.size)

    def minute_passed(self) -> None:
        """Called once a minute while the screen is to be seen, for what tells ages."""

    def note_changes(self, changed: frozenset[str] | None) -> None:
        """Remember what changed and refresh as soon as the screen is to be seen."""
        if changed is None:
            self._everything_changed = True
        else:
            self._changed |= changed
        self._refresh_soon()

    def rest_after(self, began: float) -> None:
        """What took long since `began`, monotonic, is not done again at once, only because something was posted."""
        took = time.monotonic() - began
        self._rests_until = time.monotonic() + REST * took if took > SLOW_SECONDS else 0.0

    def put_off(self, changed: frozenset[str]) -> bool:
        """Whether it is too early to refresh; `changed` is then noted again when it is not."""
        left = self._rests_until - time.monotonic()
        if left > 0:
            self._put_off |= changed
            if self._resting is None:
                self._resting = self.set_timer(max(REST_SECONDS_MIN, left), self._note_put_off)
        return left > 0

    def _note_put_off(self) -> None:
        changed, self._put_off, self._resting = self._put_off, frozenset(), None
        self.note_changes(changed)

    def refresh_now(self) -> None:
        """Fetch everything again, for instance after an option changed what is shown."""
        self.note_changes(None)

    @property
    def is_seen(self) -> bool:
        """Whether only dialogs cover this screen."""
        for screen in reversed(self.app.screen_stack):
            if screen is self:
                return True
            if not isinstance(screen, ModalScreen):
                return False
        return False

    @property
    def is_behind(self) -> bool:
        """Whether more has changed than it shows yet."""
        return self._refreshing or self._everything_changed or bool(self._changed)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self._refresh_soon()
        self.app.under_way.show_on(self)
        self.call_after_refresh(self.refresh_chrome)

    @on(VirtualTable.GoToAsked)
    def ask_row(self, event: VirtualTable.GoToAsked) -> None:
        from .ask import ask_row

        self.run_worker(ask_row(self.app, event.table), group="question", exclusive=True)

    @on(VirtualTable.ExportAsked)
    def ask_export(self, event: VirtualTable.ExportAsked) -> None:
        from .export import ask_export

        self.run_worker(ask_export(self.app, event.table), group="question", exclusive=True)

    def refresh_chrome(self) -> None:
        """Draw header and footer again."""
        for bar in self.query(".chrome"):
            bar.refresh()

    def _refresh_soon(self) -> None:
        if self._refreshing or not self.is_behind:
            return
        if self.is_mounted and self.app.is_open and self.is_seen and not self._is_covered():
            self._refreshing = True
            self.run_worker(self._refresh(), group="refresh", exit_on_error=True)

    def _is_covered(self) -> bool:
        """Tell instead of showing anything that the current book cannot be read, if so; else show it again."""
        book, why = self.app.book, self.app.why_unreadable() if self.SHOWS_BOOK else None
        covered = book is not None and why is not None
        if book is not None and why is not None:
            self._everything_changed = True
            self.query_one(Unreadable).show(book, why, followed=self.app.is_followed)
            self.past_seq = None
        if covered != self.has_class("-unreadable"):
            self.set_class(covered, "-unreadable")
            self.query_one("#body").disabled = covered  # what is not to be seen takes no keys
            self.refresh_bindings()
            if not covered and isinstance(self.AUTO_FOCUS, str):
                self.call_after_refresh(self._focus_first, self.AUTO_FOCUS)
        return covered

    def _focus_first(self, wanted: str) -> None:
        if self.focused is None:
            self.set_focus(next((widget for widget in self.query(wanted) if widget.focusable), None))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self.has_class("-unreadable")

    async def on_event(self, event: events.Event) -> None:
        try:
            await super().on_event(event)
        except NoMatches:
            # A screen may be told that it is mounted while the application that leaves takes its widgets away.
            if not (
                isinstance(event, events.Mount) and (self._closing or not self.children or self.app._exit)
            ):
                raise

    async def _learn_past(self) -> None:
        book, live = self.book_shown, self.app.instant is None
        known = not live and book is not None and self.app.why_unreadable(book) is None
        self.past_seq = await self.app.last_seq(book) if known and book is not None else None

    async def _refresh(self) -> None:
        try:
            while (self._everything_changed or self._changed) and self.app.is_open and self.is_seen:
                if self._is_covered():
                    return
                changed = None if self._everything_changed else self._changed
                self._everything_changed, self._changed = False, frozenset()
                try:
                    await self._learn_past()
                    await self.refresh_data(changed)
                except StoreClosed:
                    return
                except StoreError as error:
                    self.app.refuse(error)
                except NoMatches:
                    # Leaving takes the widgets away, the innermost first, before it ends what works on them.
                    if not self._closing:
                        raise
                    return
                self.refresh_chrome()
        finally:
            self._refreshing = False


class KeyLine(Static):
    """The last line of a dialog: keys and what they do there, as in the footer; a click does it too."""

    app = getters.app(Shell)

    def __init__(self, *hints: tuple[str, str, str], id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False  # else all of it looked as links do
        self.say(*hints)

    def say(self, *hints: tuple[str, str, str]) -> None:
        """Each hint is a key, or the id of its action in braces; what it does; and the screen's action to run."""
        self.update(
            Content("   ").join(
                Content.from_markup(
                    f"[@click=screen.{run}][bold $accent]$key[/] [$dim]$does[/][/]",
                    key=self.app.with_keys(key),
                    does=does,
                )
                for key, does, run in hints
            )
        )


class Dialog(ModalScreen[Any]):
    """A question over the screen that asks it; `escape` or a click beside it answers None."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (104, "-normal")]  # noqa: RUF012
    # what is under a dialog gets no keys, the application included
    BINDINGS: ClassVar = [Binding("ctrl+q", "app.quit", show=False, id="app.quit")]

    app = getters.app(Shell)

    @on(events.Mount)
    def be_covered(self) -> None:
        self.mount(TooSmall())

    def on_resize(self, event: events.Resize) -> None:
        mark_too_small(self, event.size)

    def on_click(self, event: events.Click) -> None:
        if self.get_widget_at(event.screen_x, event.screen_y)[0] is self:
            self.clicked_beside()

    def clicked_beside(self) -> None:
        """The screen under the dialog was clicked."""
        self.action_cancel()

    def action_cancel(self) -> None:
        self.dismiss(None)
