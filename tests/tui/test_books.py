"""The list of books: what it tells of each, and the way into one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from store import AccountCfg, BookInfo
from talea_tui.screens.event import EventScreen
from tests.support.build import BOOK, definition, household, transfer
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle, until


@dataclass
class StoppedStore(MemoryStore):
    """A store in which one book's writer has died."""

    stopped: str = "shop"

    def __post_init__(self) -> None:
        super().__init__()

    async def books(self) -> list[BookInfo]:
        return [self._told(info) for info in await super().books()]

    def _told(self, info: BookInfo) -> BookInfo:
        if info.name != self.stopped:
            return info
        return msgspec.structs.replace(info, writer="stopped", error="No space left on device")


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "income:salary", 300_000))
    for book in ("shop", "zoo"):
        await store.open_account(definition("assets:till", book=book), AccountCfg())
    return store


async def test_every_book_is_listed_with_its_figures(store, open_app: OpenApp):
    async with open_app(store, size=(120, 24)) as pilot:
        lines = screen_text(pilot.app).splitlines()
        home = next(line for line in lines if BOOK in line)
        assert home.lstrip("▌ ").split()[:3] == [BOOK, "7", "1"]
        assert "running" in home
        assert [name for name in (BOOK, "shop", "zoo") if any(name in line for line in lines)] == [
            BOOK,
            "shop",
            "zoo",
        ]


async def test_all_that_is_told_of_a_book_has_room_on_80_columns_and_every_bar_on_more(open_app: OpenApp):
    store = MemoryStore(FakeClock(step_micros=60_000_000))
    await household(store)
    for _ in range(40):
        await store.commit(transfer("assets:bank", "income:salary", 100))
    async with open_app(store, size=(80, 24)) as pilot:

        def bars() -> str:
            return "".join(
                re.findall(
                    "[▁-█]", next(line for line in screen_text(pilot.app).splitlines() if BOOK in line)
                )
            )

        head = next(line for line in screen_text(pilot.app).splitlines() if "accounts" in line)
        assert head.replace("last event", "last").replace("on disk", "disk").split() == (
            ["book", "accounts", "transactions", "activity", "last", "disk", "writer"]
        )
        assert len(bars()) == 8
        await pilot.resize_terminal(100, 24)
        await settle(pilot)
        assert len(bars()) == 24


async def test_below_the_books_stands_what_came_last_into_the_one_under_the_cursor(open_app: OpenApp):
    store = MemoryStore()
    for book in (BOOK, "shop"):
        await household(store, book)
    for number in range(30):
        await store.commit(
            transfer("assets:bank", "income:salary", 100, metadata={"description": f"Pay {number}"})
        )
    async with open_app(store) as pilot:
        assert f"Newest of {BOOK}" in screen_text(pilot.app)
        assert "income:salary → assets:bank" in screen_text(pilot.app)
        assert "Pay 29" in screen_text(pilot.app)
        await store.commit(transfer("assets:bank", "income:salary", 7, metadata={"description": "Bonus"}))
        await until(pilot, lambda: "Bonus" in screen_text(pilot.app))
        await pilot.press("down")
        await until(pilot, lambda: "opened" in screen_text(pilot.app))
        assert "Newest of shop" in screen_text(pilot.app)
        assert "Bonus" not in screen_text(pilot.app)
        await pilot.press("up", "at", *"20", "enter")
        await until(pilot, lambda: "Pay 12" in screen_text(pilot.app))
        assert "Pay 13" not in screen_text(pilot.app)
        await pilot.press("escape")
        await until(pilot, lambda: "Bonus" in screen_text(pilot.app))


async def test_an_event_below_the_books_opens_by_a_double_click_and_a_click_ends_no_following(
    store, open_app: OpenApp
):
    async with open_app(store) as pilot:
        await pilot.click("#books-events", offset=(5, 2))
        await store.commit(transfer("assets:bank", "income:salary", 7, metadata={"description": "Bonus"}))
        await until(pilot, lambda: "Bonus" in screen_text(pilot.app))
        await pilot.click("#books-events", offset=(5, 2), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, EventScreen))


async def test_without_a_book_the_room_below_is_for_what_to_do(open_app: OpenApp):
    async with open_app(MemoryStore()) as pilot:
        assert "talea-tui demo" in screen_text(pilot.app)
        assert "Newest" not in screen_text(pilot.app)
        await household(pilot.app.store, "shop")
        await until(pilot, lambda: "Newest of shop" in screen_text(pilot.app))


async def test_an_age_told_once_a_minute_tells_no_seconds(store, open_app: OpenApp):
    last_at = (await store.book(BOOK)).last_at
    for later, told in ((45, "just now"), (70, "1 min ago")):
        now = last_at + timedelta(seconds=later)
        async with open_app(store, size=(120, 24), clock=lambda now=now: now) as pilot:
            home = next(line for line in screen_text(pilot.app).splitlines() if BOOK in line)
            assert told in home
        store._closed = False


async def test_opening_a_book_makes_it_the_one_to_work_in(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("end", "enter")
        await settle(pilot)
        assert pilot.app.book == "zoo"
        assert "zoo › Accounts" in screen_text(pilot.app)
        assert "till" in screen_text(pilot.app)
        await pilot.press("left")
        await settle(pilot)
        assert pilot.app.screen.query_one("#books").cursor == 2


async def test_another_book_begins_without_the_filter_of_the_one_before(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("enter", "slash", *"food", "enter")
        await settle(pilot)
        await pilot.press("1", "end", "enter")
        await settle(pilot)
        assert "till" in screen_text(pilot.app)


async def test_a_stopped_book_says_so_everywhere_and_refuses_with_the_reason(open_app: OpenApp):
    store = StoppedStore()
    for book in ("open", "shop"):
        await household(store, book)
    async with open_app(store, size=(120, 24)) as pilot:
        assert "■ stopped" in screen_text(pilot.app)
        assert "● live" in screen_text(pilot.app)
        await pilot.press("end")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "■ read only" in screen_text(pilot.app)
        await pilot.press("p")
        await until(pilot, lambda: "No space left on device" in screen_text(pilot.app))
        assert pilot.app.current_mode == "accounts"


async def test_the_list_keeps_its_cursor_while_books_change(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("down")
        await store.open_account(definition("assets:till", book="aaa"), AccountCfg())
        await until(pilot, lambda: "aaa" in screen_text(pilot.app))
        table = pilot.app.screen.query_one("#books")
        assert table.row_at(table.cursor)[0].text == "shop"


@pytest.mark.parametrize("width", [80, 110])
async def test_what_one_most_wants_of_a_row_is_copied_at_every_width(store, open_app: OpenApp, width):
    async with open_app(store, size=(width, 30)) as pilot:
        for pressed, copied in (
            (("home", "y"), BOOK),
            (("enter", "y"), "3000.00"),
            (("enter", "y"), "3000.00"),
            (("6", "y"), "3000.00"),
            (("8", "home", "y"), "EUR"),
        ):
            for key in pressed:
                await pilot.press(key)
                await settle(pilot)
            assert pilot.app.clipboard == copied, pressed
