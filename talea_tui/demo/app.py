"""The application over a demo: makes the ledger, keeps traffic on it, and gives the tour."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ScreenStackError
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from store import LogStoreOptions, StoreIOError

from ..app import TaleaApp
from ..events.rate import RateMeter
from ..screens.opening import OpeningScreen
from ..widgets.keyboard import LEAVING, turn
from ..widgets.keys import bindings_for
from .bar import Caption, TrafficBar
from .bookkeeper import DemoBook
from .history import NotADemo, open_demo
from .tour import KEY_SECONDS, character_of, steps
from .traffic import Traffic

if TYPE_CHECKING:
    from store import Store

    from ..ledger import Progress

SHOW_SECONDS = 0.5
LOOK_SECONDS = 0.05
DEFAULT_RATE = 2.0


class DemoApp(TaleaApp):
    """Shows the demo at `directory`, made there unless it is there already.

    `rate` is of entries a second; `tour` walks through the screens, with all waits times `pace`.
    """

    BINDINGS: ClassVar = bindings_for("demo")

    def __init__(
        self,
        directory: Path,
        *,
        seed: int,
        rate: float = DEFAULT_RATE,
        tour: bool = False,
        pace: float = 1.0,
        store_options: LogStoreOptions | None = None,
        **options: Any,
    ) -> None:
        super().__init__(directory, store_factory=self._make, **options)
        self._seed, self._rate, self._tour_wanted, self._pace = seed, rate, tour, pace
        self._store_options = store_options
        self._demo_books: list[DemoBook] = []
        self.traffic: Traffic | None = None
        self._meter = RateMeter(0.5, 20)
        self.caption = ""

    @property
    def place(self) -> str:
        return "demo"

    def furniture(self) -> Iterable[Widget]:
        yield Caption(self.caption)
        yield TrafficBar(self.traffic)

    # Making the ledger and keeping it busy

    async def _make(self, progress: Progress) -> Store:
        assert self.directory is not None
        try:
            store, self._demo_books = await open_demo(
                self.directory, self._seed, self.now(), self._show_making, options=self._store_options
            )
        except NotADemo as error:
            raise StoreIOError(str(error)) from error
        except OSError as error:
            raise StoreIOError(f"The demo cannot be made at {self.directory}: {error.strerror}.") from error
        return store

    def _show_making(self, days: int, of: int) -> None:
        if isinstance(self.screen, OpeningScreen):
            what = self.screen.query_one("#opening-what", Static)
            what.update(Content(f"Making a year of four books: {days} of {of} days"))

    async def use_store(self, store: Store) -> None:
        await super().use_store(store)
        self.traffic = Traffic(store, self._demo_books, self._rate)
        self.run_worker(self.traffic.run(), group="traffic")
        self.set_interval(SHOW_SECONDS, self._show_traffic)
        if self._tour_wanted:
            self.run_worker(self._give_tour(), name="tour", group="tour")

    async def close_ledger(self) -> None:
        self.workers.cancel_group(self, "traffic")
        await super().close_ledger()

    def _show_traffic(self) -> None:
        traffic = self.traffic
        if traffic is None:
            return
        self._meter.observe(asyncio.get_running_loop().time(), traffic.posted + traffic.refused)
        for stack in self._screen_stacks.values():
            for screen in stack:
                for bar in screen.query(TrafficBar):
                    bar.show(traffic, self._meter.per_second())
                for caption in screen.query(Caption):
                    caption.say(self.caption)

    def action_pause_traffic(self) -> None:
        if self.traffic is not None:
            self.traffic.paused = not self.traffic.paused
            self._show_traffic()

    def action_step_traffic(self, by: int) -> None:
        if self.traffic is not None:
            self.traffic.step(by)
            self._show_traffic()

    # The tour

    async def _give_tour(self) -> None:
        self._keyboard.patient = True
        try:
            await self._walk()
        except ScreenStackError:
            return  # the application left meanwhile
        finally:
            self._keyboard.patient = False

    async def _walk(self) -> None:
        for step in steps(self.today):
            self._say(step.caption)
            if step.rate is not None and self.traffic is not None:
                self.traffic.rate = step.rate
            for name in step.keys:
                # given past `on_event`, which takes what comes there for the user's
                self.call_later(self._keyboard.take, events.Key(name, character_of(name)))
                await turn(self)
                await self._keyboard.rest()
                await self._answered()
                await asyncio.sleep(KEY_SECONDS * self._pace)
            self._say(step.caption)
            await asyncio.sleep(step.seconds * self._pace)
        self._say("")

    async def _answered(self) -> None:
        """Wait until the screen has what it fetches, and what was answered to a question has come of it."""
        groups = {"refresh", "rows", "scan"}
        if not isinstance(self.screen, ModalScreen):
            groups.add("question")
        working = [worker for worker in self.workers if worker.group in groups]
        while not all(worker.is_finished for worker in working):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _say(self, caption: str) -> None:
        self.caption = caption
        self._show_traffic()

    @property
    def touring(self) -> bool:
        return bool(self.caption)

    async def on_event(self, event: events.Event) -> None:
        """Any key or click ends the tour, and does nothing else."""
        typed = isinstance(event, events.Key | events.MouseDown) and not event.is_forwarded
        if typed and self.touring:
            self._end_tour()
            if not (isinstance(event, events.Key) and event.key in LEAVING):
                return
        await super().on_event(event)

    def _end_tour(self) -> None:
        self.workers.cancel_group(self, "tour")
        self._say("")
        if self.traffic is not None:
            self.traffic.rate = self._rate
        self.tell(
            self.with_keys(
                "The ledger is yours now: {app.help} lists the keys, {app.palette} finds everything."
            )
        )
