"""The past: every pane shows the same instant, and coming back finds everything as it was left."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from store import AccountKind, LogTaleaStore
from talea_tui.settings import Settings
from talea_tui.widgets.event_view import EventView
from talea_tui.widgets.virtual_table import VirtualTable, value_of
from tests.support.build import BOOK, account, asset, household, open_accounts, transfer
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle, until

OTHER = "shop"
PAYMENTS = 30


@pytest.fixture
async def store() -> MemoryStore:
    """Events a minute apart: 7 accounts, 30 payments (seq 8 to 37), an account (38), 3 payments; then another book."""
    store = MemoryStore(FakeClock(step_micros=60_000_000))
    await household(store)
    for number in range(PAYMENTS):
        words = {"description": f"Row {number}"}
        await store.commit(transfer("assets:bank", "income:salary", 100 + number, metadata=words))
    await open_accounts(store, {"assets:new": AccountKind.ASSET})
    for number in range(3):
        await store.commit(
            transfer(
                "assets:new",
                "assets:bank",
                1,
                metadata={"description": f"Late {number}"},
                key=f"late{number}",
            )
        )
    await household(store, OTHER)
    for number in range(5):
        await store.commit(transfer("assets:cash", "income:salary", 100 + number, book=OTHER))
    return store


async def look_back(pilot: Pilot[int], instant: str) -> None:
    pilot.app.clear_notifications()
    await pilot.press("at", *instant.replace("#", "").replace(" ", ""), "enter")
    await until(pilot, lambda: pilot.app.instant is not None)
    await settle(pilot)


async def come_back(pilot: Pilot[int]) -> None:
    await pilot.press("escape")
    await settle(pilot)
    assert pilot.app.instant is None


def header(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app).splitlines()[0]


def words_of(pilot: Pilot[int]) -> str:
    return " ".join(screen_text(pilot.app).split())


def notices(pilot: Pilot[int]) -> str:
    return "\n".join(notice.message for notice in pilot.app._notifications)


@pytest.mark.parametrize("keys", [["2", "3", *"41", "enter"], ["5", "end", "enter"]])
async def test_what_came_later_is_not_shown_on_a_screen_that_was_open_before(store, open_app: OpenApp, keys):
    async with open_app(store, size=(120, 30)) as pilot:
        pilot.app.choose_book(BOOK)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        assert "Late 2" in screen_text(pilot.app)
        await look_back(pilot, "20")
        assert "Late 2" not in screen_text(pilot.app)
        assert "Seq 41 is later than this instant" in words_of(pilot)
        assert "press esc to come back to now" in words_of(pilot)
        await pilot.press("full_stop")
        await settle(pilot)
        assert "that way" in notices(pilot)
        await come_back(pilot)
        assert "Late 2" in screen_text(pilot.app)
        await look_back(pilot, "20")
        await pilot.press("comma")
        await settle(pilot)
        assert "Row 12" in screen_text(pilot.app)
        assert "seq 20" in header(pilot)
        await pilot.press("full_stop")
        await settle(pilot)
        assert "Row 12" in screen_text(pilot.app)


@pytest.mark.parametrize("by", ["41", "late2"])
async def test_a_transaction_later_than_the_instant_is_said_to_be_later(store, open_app: OpenApp, by):
    async with open_app(store, size=(120, 30)) as pilot:
        await look_back(pilot, "20")
        await pilot.press("3", *by, "enter")
        await until(pilot, lambda: "Seq 41 is later than this instant" in notices(pilot))
        await pilot.press("3", *"900", "enter")
        await until(pilot, lambda: "✗ No transaction has the seq, key or id 900" in words_of(pilot))
        assert f"{BOOK} is 20." in words_of(pilot)


async def test_the_seq_in_the_header_is_of_the_book_on_the_screen(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("2")
        await look_back(pilot, "40")
        assert "· seq 40 ·" in header(pilot)
        pilot.app.choose_book(OTHER)
        await settle(pilot)
        assert OTHER in header(pilot)
        assert "· seq 0 ·" in header(pilot)
        await pilot.app.open_transaction(BOOK, 10)
        await settle(pilot)
        assert "· seq 40 ·" in header(pilot)
        await pilot.app.go("tail")
        await pilot.press("a")
        await settle(pilot)
        assert "AS OF" in header(pilot)
        assert "· seq" not in header(pilot)


@pytest.mark.parametrize("size", [(72, 24), (80, 24), (120, 30)])
async def test_the_header_names_book_screen_and_instant_whatever_else_gives_way(
    store, open_app: OpenApp, size
):
    async with open_app(store, size=size) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("6")
        await look_back(pilot, "40")
        assert pilot.app.instant is not None
        assert f"{BOOK} › Trial balance" in header(pilot)
        assert f"AS OF {pilot.app.instant.label}" in header(pilot)
        assert ("read only" in header(pilot)) == (size[0] > 80)


async def test_an_account_opened_later_is_neither_listed_nor_counted(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("2")
        await settle(pilot)
        assert "8 accounts" in screen_text(pilot.app)
        tree = pilot.app.screen.query_one("#tree")
        assert tree.go_to("assets:new")
        await settle(pilot)
        for instant, accounts in (("37", "7 accounts"), ("1", "1 account "), ("0", "0 accounts")):
            await look_back(pilot, instant)
            assert accounts in screen_text(pilot.app)
            assert "new" not in screen_text(pilot.app)
            await come_back(pilot)
            assert tree.path_under_cursor() == "assets:new"
        await pilot.press("6", "z")
        await settle(pilot)
        assert "assets:new" in screen_text(pilot.app)
        await look_back(pilot, "37")
        assert "assets:cash" in screen_text(pilot.app)
        assert "assets:new" not in screen_text(pilot.app)


async def test_the_register_of_an_account_opened_later_says_so(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.app.open_register(account("assets:new"))
        await settle(pilot)
        await look_back(pilot, "37")
        assert "assets:new is not open yet" in screen_text(pilot.app)
        assert "Seq 38 is later than this instant" in words_of(pilot)


AMIDST = ["home", *["down"] * 24, *["up"] * 3]


@pytest.mark.parametrize(
    ("path", "keys", "instant"),
    [
        ("assets:bank", AMIDST, "20"),
        ("assets:bank", AMIDST, "0"),
        ("assets:bank", [], "0"),
        ("assets", AMIDST, "20"),
        ("assets", [], "20"),
    ],
)
async def test_coming_back_finds_the_register_as_it_was_left(store, open_app: OpenApp, keys, instant, path):
    async with open_app(store, size=(120, 20)) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("2")
        await settle(pilot)
        tree, register = (pilot.app.screen.query_one(each) for each in ("#tree", "#register"))
        assert tree.go_to(path)
        await settle(pilot)
        register.focus()
        await pilot.press(*keys)
        await settle(pilot)
        seen, following = screen_text(pilot.app).splitlines()[1:-1], register.cursor == register.count - 1
        cursor = register.cursor
        await look_back(pilot, instant)
        await come_back(pilot)
        assert register.cursor == cursor
        assert screen_text(pilot.app).splitlines()[1:-1] == seen
        await look_back(pilot, instant)
        await store.commit(transfer("assets:bank", "income:salary", 5, metadata={"description": "Meanwhile"}))
        await come_back(pilot)
        assert ("Meanwhile" in screen_text(pilot.app)) is following
        assert register.cursor == (cursor + 1 if following else cursor)


def row_of(pilot: Pilot[int], book: str) -> list[str]:
    """A book's accounts, transactions, last event, size and writer, as they are listed."""
    table = pilot.app.screen.query_one("#books", VirtualTable)
    rows = [table.row_at(row) for row in range(table.count)]
    found = next(row for row in rows if row is not None and value_of(row[0]) == book)
    return [str(cell if isinstance(cell, str) else cell.text) for cell in (*found[1:3], *found[4:])]


async def test_books_tell_what_was_at_the_instant(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        now = row_of(pilot, BOOK), row_of(pilot, OTHER)
        assert [row[:2] for row in now] == [["8", "33"], ["7", "5"]]
        pilot.app.choose_book(BOOK)
        bars = screen_text(pilot.app)
        await look_back(pilot, "20")
        assert row_of(pilot, BOOK) == ["7", "13", "2025-06-15", "–", "–"]
        assert row_of(pilot, OTHER) == ["0", "0", "not begun", "–", "–"]
        assert screen_text(pilot.app) != bars
        await store.commit(transfer("assets:bank", "income:salary", 5))
        await settle(pilot)
        assert row_of(pilot, BOOK)[:2] == ["7", "13"]
        await come_back(pilot)
        assert row_of(pilot, BOOK)[:2] == ["8", "34"]
        assert row_of(pilot, OTHER) == now[1]
        pilot.app.choose_book(OTHER)
        await look_back(pilot, "9")
        assert row_of(pilot, BOOK)[:2] == ["8", "33"]
        assert row_of(pilot, OTHER)[:2] == ["7", "2"]


async def test_storage_says_that_it_is_as_it_is_now_and_writes_nothing_in_the_past(
    tmp_path, open_app: OpenApp
):
    store = await LogTaleaStore.open(tmp_path)
    await household(store)
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("7")
        await settle(pilot)
        assert "as it is now" not in screen_text(pilot.app)
        assert "s snapshot" in screen_text(pilot.app)
        await look_back(pilot, "3")
        assert "as it is now" in screen_text(pilot.app)
        assert "s snapshot" not in screen_text(pilot.app)
        await pilot.press("s")
        await until(pilot, lambda: "read only; press esc to come back to now" in notices(pilot))
        assert not list(tmp_path.rglob("snapshot-*"))
        await pilot.press("v")
        await until(pilot, lambda: "✓ 7 events read again and proven" in screen_text(pilot.app))
        await come_back(pilot)
        assert "as it is now" not in screen_text(pilot.app)


@pytest.mark.parametrize("instant", ["0", "20"])
async def test_coming_back_finds_the_tail_at_its_event_or_following(store, open_app: OpenApp, instant):
    async with open_app(store, size=(120, 20)) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("5")
        await settle(pilot)
        view = pilot.app.screen.query_one(EventView)
        await look_back(pilot, instant)
        await come_back(pilot)
        assert view.following
        await pilot.press("up", "up", "up")
        await settle(pilot)
        at = view.current
        await look_back(pilot, instant)
        await come_back(pilot)
        assert not view.following
        assert view.current == at
        assert at.id == (BOOK, 38)


SCROLLED = ["space", "pageup", "pageup", *["down"] * 5]


@pytest.mark.parametrize("all_books", [False, True])
@pytest.mark.parametrize("filter", ["", "assets"])
@pytest.mark.parametrize("keys", [["space"], SCROLLED, [*SCROLLED, *["up"] * 3]])
async def test_coming_back_finds_a_paused_tail_as_it_was_left(
    store, open_app: OpenApp, all_books: bool, filter: str, keys
):
    settings = Settings(screen="tail", book=BOOK, layout={"tail_all": all_books})
    async with open_app(store, size=(120, 20), settings=settings) as pilot:
        if filter:
            await pilot.press("slash", *filter, "enter")
            await settle(pilot)
        view = pilot.app.screen.query_one(EventView)
        await pilot.press(*keys)
        await settle(pilot)
        await store.commit(transfer("assets:bank", "income:salary", 5))
        await until(pilot, lambda: "+1 new" in screen_text(pilot.app))
        seen, cursor = [row[:119].rstrip() for row in screen_text(pilot.app).splitlines()[2:-2]], view.cursor
        await look_back(pilot, "20")
        await store.commit(transfer("assets:bank", "income:salary", 6))
        await come_back(pilot)
        await until(pilot, lambda: "+2 new" in screen_text(pilot.app))
        assert [row[:119].rstrip() for row in screen_text(pilot.app).splitlines()[2:-2]] == seen
        assert view.cursor == cursor
        assert not view.following


async def test_an_asset_registered_later_is_not_listed(store, open_app: OpenApp):
    await store.register_asset(asset("GBP"))
    async with open_app(store, size=(120, 30)) as pilot:
        pilot.app.choose_book(BOOK)
        await pilot.press("8")
        await settle(pilot)
        assert "3 registered" in screen_text(pilot.app)
        await look_back(pilot, "20")
        assert "2 registered" in screen_text(pilot.app)
        assert "GBP" not in screen_text(pilot.app)
        await come_back(pilot)
        assert "GBP" in screen_text(pilot.app)
