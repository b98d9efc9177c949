"""What the footer and the sentences of an empty screen offer can be done there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from store import AccountId, AccountKind, LogTaleaStore
from store.protocol import Store
from talea_tui.config import Config
from talea_tui.widgets.account_tree import AccountTree
from tests.support.build import open_accounts, transfer
from tests.support.forms import open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, app_on_directory, keys, screen_text, settle, shows


@pytest.fixture
async def store() -> Store:
    store = MemoryStore()
    await open_shop(store)
    return store


def footer(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app).splitlines()[-1]


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_an_empty_posting_form_names_keys_that_lead_to_a_first_book(open_app: OpenApp, size):
    async with open_app(MemoryStore(), size=size) as pilot:
        await keys(pilot, "p")
        said = " ".join(screen_text(pilot.app).split())
        assert "There is no book yet: press 1, then n to begin one." in said
        assert not any(hint in footer(pilot) for hint in ("take", "s post", "another", "throw away"))
        await keys(pilot, "1", "n")
        assert "Begin a book by opening its first account" in screen_text(pilot.app)


async def test_an_empty_posting_form_names_the_keys_that_were_chosen(open_app: OpenApp):
    chosen = Config(keys={"app.books": ("0",), "books.new": ("b",)})
    async with open_app(MemoryStore(), config=chosen) as pilot:
        await keys(pilot, "p")
        assert "press 0, then b to begin one" in screen_text(pilot.app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_the_footer_tells_how_to_leave_a_line_that_is_typed_into(open_app: OpenApp, store, size):
    async with open_app(store, size=size) as pilot:
        await keys(pilot, "2", "slash", *"cash")
        assert footer(pilot).startswith(" enter to the list  esc drop filter  ")
        await keys(pilot, "enter")
        assert "to the list" not in footer(pilot)
        assert isinstance(pilot.app.focused, AccountTree)
        await keys(pilot, "5")
        for question in ("slash", "s", "g", "h", "o"):
            await keys(pilot, question)
            assert footer(pilot).startswith(" enter go on  esc cancel  ")
            await keys(pilot, "escape")
            assert "esc cancel" not in footer(pilot)


async def test_in_the_past_the_footer_tells_that_escape_leads_to_now_also_while_a_filter_is_typed(
    open_app: OpenApp, store
):
    async with open_app(store) as pilot:
        await keys(pilot, "at", *"1", "enter", "2", "slash")
        assert "esc back to now" in footer(pilot)
        assert "drop filter" not in footer(pilot)


class Stuck(MemoryStore):
    """Its snapshot goes on until it is given up."""

    async def snapshot_now(self, book: str, progress: Any = None) -> None:
        while True:
            await asyncio.sleep(0)
            progress(book, 250_000, 1_000_000)


async def test_long_work_names_the_key_that_was_chosen_to_cancel_it(open_app: OpenApp):
    store, chosen = Stuck(), Config(keys={"storage.cancel": ("X",)})
    await open_shop(store)
    async with open_app(store, size=(120, 30), config=chosen) as pilot:
        await pilot.press("7", "s")
        await shows(pilot, "250,000 of 1,000,000", "X cancels")
        await pilot.press("s")
        await shows(pilot, "is under way; X cancels that")
        await pilot.press("X")
        await shows(pilot, "was cancelled")


async def test_what_is_told_in_passing_names_the_keys_that_were_chosen(store, open_app: OpenApp):
    chosen = Config(keys={"tails.add": ("A",), "dialog.cancel": ("f7",)})
    async with open_app(store, size=(120, 30), config=chosen) as pilot:
        await keys(pilot, "5", "w")
        assert "This is the only tail; A adds one." in screen_text(pilot.app)
        await keys(pilot, "f1")
        assert "f7 close" in screen_text(pilot.app)
        await keys(pilot, "f7")
        assert "f7 close" not in screen_text(pilot.app)


@pytest.mark.parametrize(("way", "typed"), [("p", "at"), ("2", "slash"), ("5", "slash")])
async def test_a_key_that_a_field_takes_as_text_is_not_offered_there(store, open_app: OpenApp, way, typed):
    async with open_app(store, size=(160, 48)) as pilot:
        await keys(pilot, *(way if way == "p" else (way, "slash")))
        assert "@ as of" not in footer(pilot)
        assert "/ filter" not in footer(pilot)
        assert "f1 help" in footer(pilot)
        await keys(pilot, typed, "f1")
        assert "a date, a time or a seq" not in screen_text(pilot.app)
        await keys(pilot, "escape", "escape")
        if way != "p":
            assert "/ filter" in footer(pilot)


async def test_the_bar_of_the_form_offers_no_letter_that_begins_a_row_there(store, open_app: OpenApp):
    async with open_app(store, size=(160, 48)) as pilot:
        await keys(pilot, "p", "up", "up", "shift+tab", "shift+tab")
        pilot.app.screen.set_focus(pilot.app.screen.query_one("#post-bar"))
        await settle(pilot)
        assert "p post" not in footer(pilot)
        assert "enter post" in footer(pilot)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
@pytest.mark.parametrize("way", ["1", "2", "5", "6", "7", "8"])
async def test_every_screen_tells_that_numbers_lead_to_the_others(store, open_app: OpenApp, size, way: str):
    async with open_app(store, size=size) as pilot:
        await keys(pilot, way)
        assert "1-8 screens" in footer(pilot)
        assert "? help" in footer(pilot)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30)])
async def test_on_a_register_what_acts_on_entries_comes_before_what_leads_away(
    store, open_app: OpenApp, size
):
    async with open_app(store, size=size) as pilot:
        await keys(pilot, "2", "enter")
        assert re.match(r" enter open  r reverse .* p post .* \? help ", footer(pilot))


async def test_a_hint_of_two_keys_can_be_clicked_at_either(store, open_app: OpenApp):
    async with open_app(store, size=(160, 48)) as pilot:
        await keys(pilot, "6")
        assert "+/- length  ,/. step" in footer(pilot)
        await pilot.click(offset=(footer(pilot).index("+/-"), 47))
        await settle(pilot)
        year = pilot.app.screen.period.label
        await pilot.click(offset=(footer(pilot).index(",/."), 47))
        await settle(pilot)
        assert int(pilot.app.screen.period.label) == int(year) - 1
        await pilot.click(offset=(footer(pilot).index(",/.") + 2, 47))
        await settle(pilot)
        assert pilot.app.screen.period.label == year


async def offered(pilot: Pilot[int]) -> str:
    """What the footer and the help of the pane offer."""
    line = footer(pilot)
    await keys(pilot, "f1")
    listed = screen_text(pilot.app)
    await keys(pilot, "escape")
    return f"{line}\n{listed}"


@pytest.mark.parametrize("way", ["1", "7"])
async def test_a_list_without_a_book_offers_nothing_that_needs_one(open_app: OpenApp, way: str):
    async with open_app(MemoryStore(), size=(160, 48)) as pilot:
        await keys(pilot, way)
        said = await offered(pilot)
        assert "New book" in said or "Backup" in said
        assert not any(
            label in said
            for label in ("enter open", "Open the row", "Snapshot now", "Verify", "Reopen", "Copy head")
        )


async def test_only_a_book_that_takes_no_postings_is_offered_to_be_reopened(
    open_app: OpenApp, tmp_path: Path
):
    async with await LogTaleaStore.open(tmp_path) as store:
        await open_shop(store)
    (segment,) = (tmp_path / "books" / "shop").glob("*.log")
    whole = segment.read_bytes()
    async with app_on_directory(tmp_path, "shop", screen="storage") as pilot:
        assert "Reopen" not in await offered(pilot)
        assert "s snapshot now  v verify" in footer(pilot)
    segment.write_bytes(whole[:70] + b"!" + whole[71:])
    async with app_on_directory(tmp_path, "shop", screen="storage") as pilot:
        await keys(pilot, "7")
        assert "r reopen" in footer(pilot)
        await keys(pilot, "down")
        assert "Reopen" not in await offered(pilot)


async def test_help_lists_nothing_that_is_refused_where_the_ledger_is_only_followed(tmp_path: Path):
    async with await LogTaleaStore.open(tmp_path) as store:
        await open_shop(store)
        async with app_on_directory(tmp_path, "shop", follow=True, screen="storage") as pilot:
            said = await offered(pilot)
            assert "Copy head" in said
            assert not any(label in said for label in ("Snapshot now", "Verify", "Reopen", "posting form"))


async def test_a_row_that_leads_nowhere_is_not_offered_to_be_opened(store, open_app: OpenApp):
    async with open_app(store, size=(160, 48)) as pilot:
        await keys(pilot, "6")
        assert "enter open" in footer(pilot)
        await keys(pilot, "end")
        assert "Open the row" not in await offered(pilot)
        await keys(pilot, "home")
        assert "enter open" in footer(pilot)
        await keys(pilot, "7", "end")  # the ledger's own book has no tail
        assert "enter open" not in footer(pilot)


async def test_an_empty_register_offers_nothing_that_needs_a_row(open_app: OpenApp):
    store = MemoryStore()
    await open_shop(store)
    await open_accounts(store, {"Expenses:New": AccountKind.EXPENSE}, asset="USD", book="shop")
    async with open_app(store, size=(160, 48)) as pilot:
        await pilot.app.go("accounts", account=AccountId(book="shop", path="Expenses:New"))
        await keys(pilot, "w")
        said = await offered(pilot)
        assert "Keys of this pane" in said
        assert not any(label in said for label in ("Reverse", "reverse", "Correct", "Duplicate"))
        await store.commit(transfer("Expenses:New", "Equity", 1, asset="USD", book="shop"))
        await shows(pilot, "r reverse")


async def test_what_is_told_in_passing_gives_way_to_what_is_told_next_and_errors_stay(
    store, open_app: OpenApp
):
    async with open_app(store, size=(120, 30)) as pilot:
        await keys(pilot, "5")
        pilot.app.refuse("The disk is full.")
        pilot.app.refuse("The disk is full.")
        for _ in range(8):
            await keys(pilot, "n")
        await keys(pilot, "y")
        told = [notice.message for notice in pilot.app._notifications]
        assert len(told) == 2
        assert told[0] == "The disk is full."
        assert told[1].startswith("Copied event")


async def test_what_was_done_is_told_for_its_time_whatever_is_told_in_passing(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        book = pilot.app.book
        last = (await store.book(book)).last_seq
        await pilot.app.open_transaction(book, last)
        await keys(pilot, "r", "enter", "C", "C")
        told = [notice.message for notice in pilot.app._notifications]
        assert len(told) == 2
        assert told[0] == f"Seq {last} was reversed by seq {last + 1}."
        assert told[1].startswith("Copied")
