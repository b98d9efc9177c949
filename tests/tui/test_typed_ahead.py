"""Keys that come in one burst: what follows a key goes to what that key opened."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from store import Store
from talea_tui.widgets import keyboard
from tests.support.build import household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle, until

NAMES = {"\r": "enter", "/": "slash", ":": "colon", "@": "at", "-": "minus"}


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "income:salary", 5, metadata={"description": "Pay"}))
    return store


def burst(pilot: Pilot[int], text: str) -> None:
    """All the keys of a text at once, as a terminal reads them from a slow line."""
    for letter in text:
        pilot.app.post_message(events.Key(NAMES.get(letter, letter), letter))


def typed(pilot: Pilot[int]) -> str:
    focused = pilot.app.focused
    return focused.value if isinstance(focused, Input) else ""


@pytest.mark.parametrize(
    ("mode", "opens"),
    [
        ("5", "/"),
        ("5", "s"),
        ("5", "g"),
        ("5", "o"),
        ("5", "h"),
        ("2", "/"),
        ("2", "@"),
        ("1", ":"),
        ("1", "@"),
        ("1", "3"),
        ("1", "n"),
        ("1", "p"),
        ("8", "n"),
    ],
)
async def test_what_is_typed_ahead_goes_into_the_field_that_the_first_key_opens(
    store: Store, open_app: OpenApp, mode: str, opens: str
):
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press(mode)
        await settle(pilot)
        burst(pilot, f"{opens}qzebra1")
        await until(pilot, lambda: typed(pilot) == "qzebra1")


async def test_a_mode_a_prompt_an_answer_and_a_command_may_come_at_once(store: Store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        burst(pilot, "5/kind:tx\rg3\r")
        await until(pilot, lambda: pilot.app.current_mode == "tail" and "kind:tx" in screen_text(pilot.app))
        await until(pilot, lambda: pilot.app.focused is not None and not isinstance(pilot.app.focused, Input))
        assert pilot.app.current_mode == "tail"


async def test_a_paste_keeps_its_turn_among_the_keys(store: Store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("5")
        await settle(pilot)
        burst(pilot, "/a")
        pilot.app.post_message(events.Paste("quick paste"))
        burst(pilot, "z")
        await until(pilot, lambda: typed(pilot) == "aquick pastez")


async def test_a_question_that_is_never_asked_holds_the_keys_for_a_while_only(
    store: Store, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keyboard, "SECONDS_MAX", 0.05)
    asked = asyncio.Event()

    async def never(app: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("talea_tui.screens.as_of.ask_instant", never)
    async with open_app(store, size=(120, 30)) as pilot:
        burst(pilot, "@5")
        await until(pilot, lambda: pilot.app.current_mode == "tail")
        await settle(pilot)
        assert asked.is_set()


async def test_leaving_with_keys_held_back_leaves_nothing_running(store: Store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        burst(pilot, "5/zebra")
        pilot.app.exit(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "talea-keyboard"]
