"""Dates at the ends of the calendar, years 1 and 9999, wherever one is typed or shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from store import LogTaleaStore
from talea_tui.settings import Settings
from tests.support.forms import entry, open_shop
from tests.tui.conftest import OpenApp, screen_text, shows
from tests.tui.test_posting_form import calm, form_of, keys, last_transaction, typed

FAR = ("0001-01-01", "4500-01-01", "9999-12-31")
WEST, EAST = timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LogTaleaStore]:
    made = await LogTaleaStore.open(tmp_path / "ledger")
    await open_shop(made)
    yield made
    await made.shutdown()


@pytest.mark.parametrize("day", FAR)
async def test_a_far_day_is_typed_kept_as_a_draft_and_posted(store, open_app: OpenApp, tmp_path: Path, day):
    async with open_app(store, settings=Settings(path=tmp_path / "settings.json")) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "bub")
        await keys(pilot, "tab", "enter", "enter")
        form_of(pilot).set_focus(form_of(pilot).form.head("date"))
        await typed(pilot, day)
        assert f" {day}, " in screen_text(pilot.app)
        await keys(pilot, "escape", "p")
        assert f" {day}, " in screen_text(pilot.app)
        await keys(pilot, "ctrl+s")
        assert (await last_transaction(store)).transaction.occurred_at.date().isoformat() == day


@pytest.mark.parametrize(("day", "zone"), [("0001-01-01", WEST), ("9999-12-31", EAST)])
async def test_a_far_day_of_the_ledger_is_offered_listed_and_totalled(store, open_app: OpenApp, day, zone):
    await store.commit(entry(day, "Long from now", "Expenses:Supplies", "Assets:Checking", 77))
    async with open_app(store, size=(120, 30), zone=zone) as pilot:
        await keys(pilot, "2", "slash")
        await typed(pilot, "Supplies")
        await keys(pilot, "enter", "tab")
        await shows(pilot, f"{day} Long from now")
        await keys(pilot, "enter")
        await shows(pilot, "occurred", "committed")
        await keys(pilot, "escape", "5", "6", "v", "v", "d")
        await typed(pilot, day)
        await keys(pilot, "enter", "minus", "comma", "full_stop", "minus", "comma", "full_stop")
        await shows(pilot, f"Income statement › {day[:4]} Q")
        await keys(pilot, "p")
        await typed(pilot, "long")
        assert "years" in screen_text(pilot.app)
        await keys(pilot, "tab")
        await shows(pilot, "last used")


@pytest.mark.parametrize(
    ("typed_instant", "zone"),
    [("0001-01-01", EAST), ("0001-01-01 00:00Z", WEST), ("seq 0", WEST), ("9999-12-31", WEST)],
)
async def test_statements_as_of_a_far_instant_are_shown_or_the_instant_is_refused(
    store, open_app: OpenApp, typed_instant: str, zone
):
    async with open_app(store, size=(120, 30), zone=zone) as pilot:
        await keys(pilot, "6", "at")
        await typed(pilot, typed_instant)
        await keys(pilot, "enter")
        await calm(pilot)
        await keys(pilot, "v", "v", "plus", "comma", "full_stop", "minus")
        assert "AS OF 1-" not in screen_text(pilot.app)


async def test_the_tail_goes_to_the_first_day_of_the_calendar(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await keys(pilot, "5", "g")
        await typed(pilot, "0001-01-01")
        await keys(pilot, "enter")
        await shows(pilot, "paused", "▌ 1 ")
