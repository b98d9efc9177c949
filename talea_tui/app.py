"""TaleaApp: declares the modes, the global keys and the themes, and moves between screens."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.widgets import Input, TextArea

from store import AccountId, StoredTransaction, StoreError, StoreIOError

from .config import Config
from .formatting import printable
from .ledger import LedgerApp, StoreFactory, wall_clock
from .screens.base import TaleaScreen
from .settings import Settings
from .themes import DARK, LIGHT, THEMES, VARIABLE_DEFAULTS
from .widgets.clipboard import copy_natively, native_command
from .widgets.keyboard import Keyboard
from .widgets.keys import bindings_for

if TYPE_CHECKING:
    from textual.driver import Driver
    from textual.notifications import Notify

    from store import Store

SCREENS = {
    "opening": "opening:OpeningScreen",
    "books": "books:BooksScreen",
    "accounts": "accounts:AccountsScreen",
    "post": "post:PostScreen",
    "tail": "tail:TailScreen",
    "trial_balance": "trial_balance:TrialBalanceScreen",
    "storage": "storage:StorageScreen",
    "assets": "assets:AssetsScreen",
}
"""The modes, and where in `talea_tui.screens` the first screen of each is; loaded when first shown."""

NO_COLOR = NoColor()
"""One for all: what was drawn is kept by the filter that it went through."""

TWICE_SECONDS = 2.0
PASSING_SECONDS, DONE_SECONDS = 4, 6


def _screen_class(where: str) -> Callable[..., Screen[Any]]:
    """The class named by "module:Class" in `talea_tui.screens`, loaded now."""
    module_name, _, class_name = where.partition(":")
    module = importlib.import_module(f"{__package__}.screens.{module_name}")
    found: Callable[..., Screen[Any]] = getattr(module, class_name)
    return found


def _first_screen(mode: str) -> Screen[Any]:
    return _screen_class(SCREENS[mode])()


class TaleaApp(LedgerApp):
    """The terminal application over one ledger, which it closes when it ends.

    `clock` and `zone` are handed in by tests and pictures; the rest is as in `LedgerApp`.
    """

    TITLE = "talea"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = False
    DEFAULT_MODE = "opening"
    BINDINGS: ClassVar = bindings_for("app")

    def __init__(
        self,
        directory: Path | None = None,
        *,
        store: Store | None = None,
        store_factory: StoreFactory | None = None,
        settings: Settings | None = None,
        clock: Callable[[], datetime] = wall_clock,
        zone: tzinfo | None = None,
        config: Config | None = None,
        follow: bool = False,
    ) -> None:
        super().__init__(
            directory,
            store=store,
            store_factory=store_factory,
            clock=clock,
            zone=zone,
            config=config,
            follow=follow,
        )
        self.set_keymap(self.config.keymap())
        self.settings = settings if settings is not None else Settings()
        self.animation_level = "none"
        self._interrupted_at = float("-inf")
        self._before_posting = "books"
        self._keyboard = Keyboard(self, super().on_event)
        for mode in SCREENS:
            self.add_mode(mode, partial(_first_screen, mode))
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        wanted = self.config.theme or self.settings.theme
        self.theme = wanted if wanted in self.available_themes else DARK.name

    # What the terminal sends

    def get_driver_class(self) -> type[Driver]:
        """Our own for a terminal on Unix; a browser's, Windows' or one named in the environment as it is."""
        driver = super().get_driver_class()
        if driver.__name__ != "LinuxDriver":
            return driver
        from .terminal import TerminalDriver

        return TerminalDriver

    # What screens may ask

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLE_DEFAULTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """As Textual's own, but for NO_COLOR, which Textual heeds before it knows the theme."""
        filters = super().get_line_filters()
        if not self.native_ansi_color:
            return filters
        # greys made of colours that only the terminal knows would all be black
        return [NO_COLOR if isinstance(each, Monochrome) else each for each in filters]

    @property
    def natural_signs(self) -> bool:
        return bool(self.settings.layout.get("natural_signs", False))

    def tell(self, text: str) -> None:
        self.notify(printable(text, 500), markup=False, timeout=PASSING_SECONDS)

    def tell_done(self, text: str) -> None:
        self.notify(printable(text, 500), markup=False, timeout=DONE_SECONDS)

    def on_notify(self, event: Notify) -> None:
        """What is told takes the place of what was told in passing before it, and so does the same refusal again."""
        new = event.notification
        for old in list(self._notifications):
            was_passing = old.severity == "information" and old.timeout == PASSING_SECONDS
            if (was_passing and new.severity == "information") or old.message == new.message:
                self._unnotify(old, refresh=False)

    def refuse(self, why: str | StoreError) -> None:
        if isinstance(why, StoreIOError) and self.is_open:
            self.look_again()
        self.notify(printable(str(why), 500), markup=False, severity="error", title="Not done", timeout=8)

    def copy(self, text: str, what: str) -> None:
        self.copy_to_clipboard(text)
        command = None if self.is_headless else native_command(os.environ)
        if command is not None:
            self.run_worker(copy_natively(text, command), group="clipboard")
        self.tell(f"Copied {what}: {printable(text, 60)}")

    # Beginning and leaving

    async def on_mount(self) -> None:
        if not self.is_headless:
            self._leave_on_signals()
        self._wait_for_minute()
        await self.begin()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self._keyboard.take(event)
        else:
            await super().on_event(event)

    async def on_unmount(self) -> None:
        self._keyboard.close()
        self.settings.save()
        await self.close_ledger()

    async def show_first_screen(self) -> None:
        screen = self.settings.screen
        readable = bool(self.books) and self.why_unreadable() is None
        await self.go(screen if readable and screen in SCREENS and screen != "opening" else "books")

    def _leave_on_signals(self) -> None:
        """Close the ledger too when the terminal goes away or the process is told to end or interrupted."""
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                try:
                    loop.add_signal_handler(number, self.exit, 0)
                except NotImplementedError:
                    return

    def _wait_for_minute(self) -> None:
        self.set_timer(60.0 - self.now().second, self._minute)

    def _minute(self) -> None:
        self._wait_for_minute()
        for screen in self.screen_stack:
            if isinstance(screen, TaleaScreen) and screen.is_seen:
                screen.minute_passed()
                screen.refresh_chrome()

    # Moving

    async def go(self, mode: str, **arrival: Any) -> None:
        if not self.is_open:
            return
        if mode == "post" and self.current_mode not in ("post", "opening"):
            self._before_posting = self.current_mode
        is_here = mode == self.current_mode
        await self.switch_mode(mode)
        if is_here or arrival:
            while len(self.screen_stack) > 1:
                self.pop_screen()
        if mode != "post":  # one does not want to begin in the middle of a form
            self.settings.screen = mode
        first = self.screen_stack[0]
        if arrival and isinstance(first, TaleaScreen):
            await first.arrive(**arrival)

    async def open_transaction(self, book: str, seq: int) -> None:
        from .screens.transaction import TransactionScreen

        await self.push_screen(TransactionScreen(book, seq))

    async def open_register(self, account: AccountId, day: date | None = None) -> None:
        from .screens.accounts import RegisterScreen

        await self.push_screen(RegisterScreen(account, day))

    async def start_posting(self, like: StoredTransaction | None = None) -> None:
        if self.may_write():
            await self.go("post", like=like)

    async def start_reversal(self, stored: StoredTransaction, *, correct: bool = False) -> None:
        if self.may_write(stored.transaction.book):
            await self.push_screen(_screen_class("reverse:ReverseScreen")(stored, correct=correct))

    async def open_account_form(self, *, path: str = "", new_book: bool = False) -> None:
        if self.may_write("" if new_book else None):
            form = _screen_class("open_account:OpenAccountScreen")(path=path, new_book=new_book)
            await self.push_screen(form, self._show_opened)

    async def _show_opened(self, account: AccountId | None) -> None:
        if account is not None:
            await self.go("accounts", account=account)

    async def action_go(self, mode: str) -> None:
        if mode == "post":
            await self.start_posting()
        else:
            await self.go(mode)

    async def action_back(self) -> None:
        """Step back: inside the screen, then up the stack, then to the list of books."""
        screen = self.screen
        if isinstance(screen, TaleaScreen) and screen.go_back():
            return
        if len(self.screen_stack) > 1:
            await self.pop_screen()
        elif self.current_mode == "post":
            await self.go(self._before_posting)
        elif self.current_mode not in ("books", "opening"):
            await self.go("books")

    async def action_escape(self) -> None:
        """From the past to now, else a step back."""
        if self.instant is not None:
            self.action_live()
        else:
            await self.action_back()

    def action_live(self) -> None:
        self.show_instant(None)

    def action_cancel_export(self) -> None:
        self.under_way.cancel()

    async def action_reopen_book(self) -> None:
        """Reopen the current book if it stopped, else the first that did."""
        stopped = [name for name, info in self.books.items() if info.writer != "running"]
        if stopped:
            await self.go("storage", reopen=self.book if self.book in stopped else stopped[0])
        else:
            self.tell("Every book takes postings; there is nothing to reopen.")

    # Everything else that is global

    async def action_help(self) -> None:
        from .screens.help import HelpScreen

        await self.push_screen(HelpScreen(self.screen))

    async def action_palette(self) -> None:
        from .screens.palette import Palette

        await self.push_screen(Palette(self.screen))

    def action_as_of(self) -> None:
        from .screens.as_of import ask_instant

        self.run_worker(ask_instant(self), group="question", exclusive=True)

    def action_find_transaction(self) -> None:
        from .screens.find import find_transaction

        self.run_worker(find_transaction(self), group="question", exclusive=True)

    def action_toggle_signs(self) -> None:
        natural = not self.natural_signs
        self.settings.layout["natural_signs"] = natural
        self._tell_screens(None)
        self.tell(
            "Every account reads positive on its normal side."
            if natural
            else "Debits read positive, credits negative, as in hledger."
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "live":
            return self.instant is not None
        if action == "cancel_export":
            return bool(self.under_way)
        if action in ("go", "as_of", "find_transaction", "palette", "toggle_signs", "reopen_book"):
            return self.is_open
        return True

    def action_next_theme(self) -> None:
        names = [name for name in THEMES if name in self.available_themes]
        place = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[place % len(names)]
        self.settings.theme = self.theme
        self.tell(f"Theme: {self.theme}")

    async def action_quit(self) -> None:
        self.exit(0)

    def action_interrupt(self) -> None:
        """Copy a selection, first what the mouse selected; twice within two seconds leaves, whatever is going on."""
        now = time.monotonic()
        if now - self._interrupted_at < TWICE_SECONDS:
            self.exit(0)
            return
        self._interrupted_at = now
        focused = self.focused
        selected = self.screen.get_selected_text()
        if not selected and isinstance(focused, Input | TextArea):
            selected = focused.selected_text
        if selected:
            self.copy_to_clipboard(selected)
        self.tell("Press ctrl+c again to leave, or ctrl+q.")
