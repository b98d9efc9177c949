"""With the mouse alone: what was opened by a click is left by one, and nothing typed is lost by it."""

from __future__ import annotations

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Input

from store.protocol import Store
from talea_tui.screens.accounts import FilterLine
from talea_tui.screens.base import Dialog
from talea_tui.screens.help import HelpScreen
from talea_tui.screens.open_account import OpenAccountScreen
from talea_tui.screens.transaction import TransactionScreen
from talea_tui.widgets.entry_form import EntryForm
from talea_tui.widgets.event_view import EventView
from talea_tui.widgets.header import Header
from talea_tui.widgets.prompt import Prompt
from tests.support.build import BOOK, household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, keys, screen_text, settle


@pytest.fixture
async def store() -> Store:
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "equity:opening", 100_000, metadata={"description": "Begin"}))
    await store.commit(transfer("expenses:food", "assets:bank", 1_234, metadata={"description": "Groceries"}))
    return store


async def click_on(pilot: Pilot[int], words: str) -> None:
    """Click where these words stand on the screen."""
    lines = screen_text(pilot.app).splitlines()
    y = next(number for number, line in enumerate(lines) if words in line)
    await pilot.click(offset=(lines[y].index(words) + 1, y))
    await settle(pilot)


async def drag(pilot: Pilot[int], begin: Offset, end: Offset) -> None:
    await pilot.mouse_down(offset=begin)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await settle(pilot)


async def test_help_opened_by_a_click_is_closed_by_one_beside_it(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await click_on(pilot, "? help")
        assert isinstance(pilot.app.screen, HelpScreen)
        await click_on(pilot, "Keys of this pane")
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.click(offset=(40, 0))
        await settle(pilot)
        assert not isinstance(pilot.app.screen, Dialog)


async def test_a_form_in_which_something_was_typed_stays_and_offers_a_click_that_leaves(
    store, open_app: OpenApp
):
    async with open_app(store) as pilot:
        await keys(pilot, "2", "o")
        assert isinstance(pilot.app.screen, OpenAccountScreen)
        await pilot.click(offset=(0, 3))
        await settle(pilot)
        assert not isinstance(pilot.app.screen, Dialog)
        await keys(pilot, "o", "x")
        await pilot.click(offset=(0, 3))
        await settle(pilot)
        assert isinstance(pilot.app.screen, OpenAccountScreen)
        await click_on(pilot, "esc cancel")
        assert not isinstance(pilot.app.screen, Dialog)


@pytest.mark.parametrize("pressed", ["3", "2 o", "2 enter r", "colon", "question_mark", "number_sign", "at"])
async def test_every_dialog_ends_with_its_keys_which_can_be_clicked(store, open_app: OpenApp, pressed: str):
    async with open_app(store) as pilot:
        await keys(pilot, *pressed.split())
        assert isinstance(pilot.app.screen, Dialog)
        lines = [line for line in screen_text(pilot.app).splitlines() if "│" in line]
        await click_on(pilot, "esc cancel" if "esc cancel" in lines[-1] else "esc close")
        assert not isinstance(pilot.app.screen, Dialog)


async def test_a_click_on_the_way_one_came_leads_back(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "2", "enter", "enter")
        assert isinstance(pilot.app.screen, TransactionScreen)
        await pilot.click(Header, offset=(12, 0))
        await settle(pilot)
        assert pilot.app.current_mode == "accounts"
        assert len(pilot.app.screen_stack) == 1
        await pilot.click(Header, offset=(79, 0))
        await settle(pilot)
        assert pilot.app.current_mode == "accounts"


async def test_a_filter_being_typed_stays_when_one_clicks_into_what_it_found(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "5", "slash")
        await pilot.press(*"Groc")
        await settle(pilot)
        await pilot.click(EventView, offset=(10, 1))
        await settle(pilot)
        prompt = pilot.app.screen.query_one(Prompt)
        assert prompt.question is None
        assert "/ Groc" in screen_text(pilot.app)
        assert isinstance(pilot.app.focused, EventView)


@pytest.mark.parametrize("question", ["s", "g", "o"])
async def test_another_question_is_let_go_by_a_click_elsewhere(store, open_app: OpenApp, question):
    async with open_app(store) as pilot:
        await keys(pilot, "5", question)
        assert isinstance(pilot.app.focused, Input)
        await pilot.click(EventView, offset=(10, 1))
        await settle(pilot)
        assert pilot.app.screen.query_one(Prompt).question is None
        assert isinstance(pilot.app.focused, EventView)


async def test_an_empty_filter_of_accounts_goes_when_one_clicks_elsewhere(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "2", "slash")
        line = pilot.app.screen.query_one(FilterLine)
        assert line.display
        await pilot.click("#tree", offset=(10, 2))
        await settle(pilot)
        assert not line.display
        await keys(pilot, "slash")
        await pilot.press(*"food")
        await pilot.click("#tree", offset=(10, 1))
        await settle(pilot)
        assert line.display
        assert line.value == "food"


async def test_a_statement_is_chosen_by_a_click_on_its_name(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "6")
        await click_on(pilot, "income statement")
        assert "[income statement]" in screen_text(pilot.app)
        await click_on(pilot, "balance sheet")
        assert "[balance sheet]" in screen_text(pilot.app)
        await pilot.resize_terminal(60, 20)
        await settle(pilot)
        await pilot.click("#trial-title", offset=(5, 0))
        await settle(pilot)
        assert "Income statement" in screen_text(pilot.app)


async def test_a_dialog_says_too_that_the_terminal_is_too_small(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "at")
        await pilot.resize_terminal(30, 8)
        await settle(pilot)
        said = screen_text(pilot.app)
        assert "needs 60 × 20" in " ".join(said.split())
        assert "as of" not in said
        await pilot.press("2")
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert pilot.app.screen.query_one(Input).value == "2"
        assert BOOK in screen_text(pilot.app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_what_is_wrong_with_an_entry_is_selected_with_the_mouse_and_copied_as_it_reads(
    store, open_app: OpenApp, size
):
    async with open_app(store, size=size) as pilot:
        await keys(pilot, "2", "p")
        await keys(pilot, "tab", "tab", *"expenses:food", "tab", *"5x", "enter")
        label = pilot.app.screen.query_one(EntryForm).rows[0].problem
        shown = label.content_region
        assert shown.height > 1
        lines = screen_text(pilot.app).splitlines()[shown.y : shown.bottom]
        sentence = " ".join(line[shown.x :].strip() for line in lines).removeprefix("✗ ")
        begin, end = shown.offset, shown.bottom_right
        await drag(pilot, Offset(begin.x + 4, begin.y), Offset(end.x - 1, end.y - 1))
        await keys(pilot, "ctrl+c")
        assert pilot.app.clipboard == sentence
