"""The application's hold on one ledger: opening it, knowing what is in it, following it, closing it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from store import SYSTEM_BOOK, CorruptLog, FollowedLedger, StoreClosed, StoreError, StoreIOError

from .config import Config
from .events.feed import last_seq
from .formatting import printable
from .screens.base import TaleaScreen
from .widgets.shell import Instant, Shell
from .widgets.under_way import UnderWay
from .zone import machine_zone

if TYPE_CHECKING:
    from store import AccountInfo, Store

logger = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[str, int, int], None]
StoreFactory: TypeAlias = Callable[[Progress], "Awaitable[Store]"]

PAUSE_BETWEEN_REFRESHES_SECONDS = 0.1
CLOSING_SECONDS = 0.6
LOOK_FOR_WRITER_SECONDS = 1.0
GARBAGE_THRESHOLDS = (5_000, 20, 50)
FAILED_SECONDS = 10
DAMAGED_NAMED = 5


def wall_clock() -> datetime:
    return datetime.now(UTC)


class LedgerApp(Shell):
    """Opens a store on the application's own loop and tells the screens what changed in it.

    `store` is an open one; else `store_factory` opens it (default: `LogTaleaStore` at `directory`). The
    factory is told a progress callback (book, seq, last seq) and may raise StoreError, which is shown and
    can be tried again. With `follow` the ledger at `directory` is shown read only while another process writes it.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        store: Store | None = None,
        store_factory: StoreFactory | None = None,
        clock: Callable[[], datetime] = wall_clock,
        zone: tzinfo | None = None,
        config: Config | None = None,
        follow: bool = False,
    ) -> None:
        super().__init__()
        self.config = config or Config()
        self.directory = None if directory is None else directory.absolute()
        self.zone = zone if zone is not None else machine_zone()
        self.books = {}
        self.assets = {}
        self.under_way = UnderWay(self, lambda: self.with_keys("{app.cancel_export} cancels"))
        self._clock = clock
        self._store: Store | None = None
        self._given_store = store
        self._store_factory = store_factory or (self._follow_directory if follow else self._open_directory)

    @property
    def store(self) -> Store:
        if self._store is None:
            raise RuntimeError("the store is not open yet")
        return self._store

    @property
    def is_open(self) -> bool:
        return self._store is not None

    def now(self) -> datetime:
        return self._clock()

    @property
    def place(self) -> str:
        if self.directory is None:
            return ""
        path, home = self.directory, Path(os.path.expanduser("~"))
        return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)

    def why_read_only(self, book: str | None = None) -> str | None:
        if self._store is None:
            return "The ledger is still being opened."
        if self.instant is not None:
            back = self.with_keys("press {app.escape} to come back to now")
            return f"This is the ledger as of {self.instant.label}, which is read only; {back}."
        if isinstance(self._store, FollowedLedger):
            writer = f"process {self.writer} writes it" if self.writer is not None else "nobody writes it now"
            behind = f" {self.why_behind}" if self.why_behind is not None else ""
            return f"This ledger is only followed here, {writer}; post where it is open.{behind}"
        info = self.books.get((self.book if book is None else book) or "")
        if info is not None and info.writer != "running":
            why = printable(info.error or info.writer, 300)
            where = self.with_keys("on the storage screen ({app.storage}, {storage.reopen})")
            if info.writer == "damaged":
                return f"{why} Then reopen it {where}."
            return f"Book {printable(info.name, 60)} is read only: {why} Reopen it {where}."
        return None

    def may_write(self, book: str | None = None) -> bool:
        why = self.why_read_only(book)
        if why is not None:
            self.refuse(why)
        return why is None

    async def last_seq(self, book: str) -> int:
        as_of = self.as_of(book)
        if isinstance(as_of, datetime):
            return await self.store.seq_at(book, as_of)
        last = await last_seq(self.store, book)
        return min(as_of, last) if isinstance(as_of, int) else last

    async def accounts(self, book: str, seq: int | None = None) -> list[AccountInfo]:
        if seq is None:
            if self.instant is None:
                return await self.store.accounts(book)
            seq = await self.last_seq(book)
        return [info for info in await self.store.accounts(book, seq) if info.opened_seq <= seq]

    def choose_book(self, book: str) -> None:
        if book != self.book:
            self.book = book
            self.settings.book = book
            self._tell_screens(None)

    def show_instant(self, instant: Instant | None) -> None:
        """Show every pane as of `instant`; None is now."""
        if instant != self.instant:
            self.instant = instant
            self._tell_screens(None)

    # Opening, following, closing

    async def show_first_screen(self) -> None:
        """Leave the opening screen; the application knows for which."""
        raise NotImplementedError

    async def begin(self) -> None:
        """Show the store that was given, or begin to open one."""
        if self._given_store is not None:
            await self.use_store(self._given_store)
        else:
            self.open_ledger()

    def open_ledger(self) -> None:
        """Begin to open the store, in the background; the opening screen shows how far it has come."""
        self.run_worker(self._open(), group="open", exclusive=True)

    async def _open_directory(self, progress: Progress) -> Store:
        """Open the ledger without the books that are damaged; without its registry no amount could be shown."""
        from store import LogTaleaStore

        assert self.directory is not None
        options = replace(self.config.store_options(), skip_damaged=True)
        store = await LogTaleaStore.open_with(self.directory, options, progress)
        try:
            await store.assets()
        except CorruptLog:
            await store.shutdown()
            raise
        return store

    async def _follow_directory(self, progress: Progress) -> Store:
        assert self.directory is not None
        # one that is new has a lock, one that came from elsewhere has books
        if not any(os.path.exists(self.directory / name) for name in ("books", "LOCK")):  # noqa: ASYNC240
            raise StoreIOError(f"There is no ledger at {self.directory}.")
        store = await FollowedLedger.open(self.directory, progress)
        registry = await store.book(SYSTEM_BOOK)
        if registry is not None and registry.error is not None:
            await store.shutdown()
            raise StoreIOError(registry.error)
        return store

    def follow_ledger(self) -> None:
        self._store_factory = self._follow_directory
        self.open_ledger()

    @property
    def is_followed(self) -> bool:
        return isinstance(self._store, FollowedLedger)

    async def _look_for_writer(self) -> None:
        store = self._store
        if not isinstance(store, FollowedLedger):
            return
        writer, behind = await store.writer_pid(), None
        if store.trouble is not None:
            behind = (
                f"{printable(self.place, 300)} cannot be read now: {printable(store.trouble, 300)}. What is shown "
                "may be old; see that the ledger is there and that you may read it, which is tried again all the time."
            )
        if (writer, behind) == (self.writer, self.why_behind):
            return
        if behind not in (None, self.why_behind):
            self.notify(behind, title="Behind", severity="error", timeout=FAILED_SECONDS, markup=False)
        self.writer, self.why_behind = writer, behind
        self._tell_screens(frozenset(self.books))

    async def _open(self) -> None:
        from .screens.opening import OpeningScreen

        screen = self.screen
        try:
            store = await self._store_factory(
                screen.show_progress if isinstance(screen, OpeningScreen) else lambda book, seq, last: None
            )
        except StoreError as error:
            if isinstance(screen, OpeningScreen):
                screen.show_refusal(error)
            return
        await self.use_store(store)
        # History and screens stay for good: else each full collection walks all of them, and one can see it.
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)

    async def use_store(self, store: Store) -> None:
        """Show this open store from now on; the application shuts it down when it ends."""
        self._store = store
        await self._learn(frozenset())
        wanted = self.settings.book
        self.book = wanted if wanted in self.books else self._first_book()
        if isinstance(store, FollowedLedger):
            await self._look_for_writer()
            self.set_interval(LOOK_FOR_WRITER_SECONDS, self._look_for_writer)
        self.run_worker(self._follow(store), group="follow")
        await self.show_first_screen()
        self._tell_damaged()

    def _first_book(self) -> str | None:
        sound = (name for name, info in self.books.items() if not info.is_unread)
        return next(sound, next(iter(self.books), None))

    def _tell_damaged(self) -> None:
        damaged = [info for info in self.books.values() if info.writer == "damaged"]
        if not damaged:
            return
        if len(damaged) == 1:
            what = printable(damaged[0].error or "", 300)
        else:
            names = ", ".join(printable(info.name, 40) for info in damaged[:DAMAGED_NAMED])
            more = f" and {len(damaged) - DAMAGED_NAMED} more" if len(damaged) > DAMAGED_NAMED else ""
            what = f"{len(damaged)} books are damaged: {names}{more}."
        self.notify(
            f"{what} The other books are open; {self.with_keys('{app.storage}')} tells more.",
            title="Damaged",
            severity="warning",
            timeout=FAILED_SECONDS,
            markup=False,
        )

    async def _follow(self, store: Store) -> None:
        async with aclosing(store.watch()) as changes:
            waiting = asyncio.ensure_future(anext(changes, None))
            try:
                await asyncio.sleep(0)
                await self._learn(frozenset())
                self._tell_screens(None)
                while (names := await waiting) is not None:
                    await self._learn(names)
                    self._tell_screens(names)
                    await asyncio.sleep(PAUSE_BETWEEN_REFRESHES_SECONDS)
                    waiting = asyncio.ensure_future(anext(changes, None))
            except StoreClosed:
                return
            except StoreError as error:
                self.refuse(error)
            finally:
                waiting.cancel()
                await asyncio.wait([waiting])

    async def _learn(self, names: frozenset[str]) -> None:
        self.books = {info.name: info for info in await self.store.books()}
        if not names or SYSTEM_BOOK in names or not self.assets:
            self.assets = {asset.id: asset for asset in await self.store.assets()}
        if self.book is None:
            self.book = self._first_book()

    def look_again(self) -> None:
        """Ask how the books fare: a writer that failed changes no book, so nobody is told."""
        self.run_worker(self._look_again(), group="look", exclusive=True)

    async def _look_again(self) -> None:
        before = {name: info.writer for name, info in self.books.items()}
        try:
            await self._learn(frozenset())
        except StoreError:
            return
        fared = frozenset(name for name, info in self.books.items() if before.get(name) != info.writer)
        if fared:
            self._tell_screens(fared)

    def _tell_screens(self, names: frozenset[str] | None) -> None:
        for stack in self._screen_stacks.values():
            for screen in stack:
                if isinstance(screen, TaleaScreen):
                    screen.set_class(self.instant is not None, "-past")
                    screen.note_changes(names)
        self.refresh_chrome()

    def refresh_chrome(self) -> None:
        """Draw header and footer of the screen in front again; an application that leaves has none."""
        for screen in self.screen_stack[-1:]:
            if isinstance(screen, TaleaScreen):
                screen.refresh_chrome()

    async def close_ledger(self) -> None:
        """Shut the store down, for as long as a user waits gladly."""
        store, self._store = self._store, None
        if store is None:
            return
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await store.shutdown()
                ending = [worker.wait() for worker in self.workers if worker.is_running]
                await asyncio.gather(*ending, return_exceptions=True)
        except TimeoutError:
            # as a rule a snapshot that is given up: what was confirmed is in the log
            logger.info("The ledger was still busy when the application left.")
        except StoreError as error:
            logger.warning("The ledger was not closed well: %s", error)
