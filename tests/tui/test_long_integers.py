"""Metadata with an integer of more digits than Python turns into text, on the screens that show it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store import LogTaleaStore
from talea_tui.screens.event import EventScreen
from talea_tui.screens.post import PostScreen
from talea_tui.settings import Settings
from tests.support.build import BOOK, household, transfer
from tests.tui.conftest import OpenApp, screen_text, settle, until

SHOWN = "≈ 1.20000000000e+5001 (an integer of about 5,002 digits)"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LogTaleaStore]:
    """Seq 8 has an integer that can be written out, seq 9 one that is not."""
    async with await LogTaleaStore.open(tmp_path / "ledger") as store:
        await household(store)
        for digits in (5_000, 100_000):
            metadata = {"description": "Long", "n": 12 * 10**digits, "more": [1, -(3**9_999)]}
            await store.commit(transfer("assets:bank", "income:salary", 5, metadata=metadata))
        yield store


async def test_a_transaction_tells_a_long_integer_by_its_first_digits(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        await pilot.app.open_transaction(BOOK, 8)
        await until(pilot, lambda: SHOWN in screen_text(pilot.app))
        assert "1, ≈ -5.4" in screen_text(pilot.app)


async def test_the_event_tells_it_too_and_a_copy_has_every_digit(store, open_app: OpenApp):
    async with open_app(store, size=(160, 40)) as pilot:
        await pilot.press("5")
        await settle(pilot)
        await pilot.press("end", "up", "enter")
        await until(pilot, lambda: "bytes as JSON" in screen_text(pilot.app))
        assert isinstance(pilot.app.screen, EventScreen)
        assert SHOWN in screen_text(pilot.app)
        await pilot.press("C")
        assert f'"n": 12{"0" * 5_000},' in pilot.app.clipboard


async def test_an_event_of_more_digits_than_are_written_out_is_shown_but_not_copied(store, open_app: OpenApp):
    async with open_app(store, size=(160, 40)) as pilot:
        await pilot.press("5")
        await settle(pilot)
        await pilot.press("end", "enter")
        await until(pilot, lambda: "too many digits for JSON" in screen_text(pilot.app))
        await pilot.press("C")
        await until(pilot, lambda: f"Seq 9 of book '{BOOK}' holds integers" in screen_text(pilot.app))
        assert not pilot.app.clipboard


async def test_typing_a_filter_passes_over_it(store, open_app: OpenApp):
    async with open_app(store, size=(160, 40)) as pilot:
        await pilot.press("5")
        await settle(pilot)
        await pilot.press("slash")
        await settle(pilot)
        await pilot.press(*"long", "enter")
        await until(pilot, lambda: "2 of 9" in screen_text(pilot.app))


async def test_it_is_carried_into_a_correction_and_kept_in_its_draft(
    store, open_app: OpenApp, tmp_path: Path
):
    settings = Settings(path=tmp_path / "state" / "settings.json")
    async with open_app(store, size=(100, 30), settings=settings) as pilot:
        event = (await store.read_events(BOOK, 8, 1))[0].event
        stored = await store.by_key(BOOK, event.transaction.idempotency_key)
        await pilot.app.start_reversal(stored, correct=True)
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PostScreen))
        await until(pilot, lambda: bool(list((tmp_path / "state" / "drafts").glob("*.json"))))
        assert pilot.app.screen.draft.carried["n"] == 12 * 10**5_000
        assert not pilot.app.screen.stack.trouble
