"""A date that was typed means the day it meant then, however long the entry waits; none means today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec import structs

from talea_tui.posting.draft import Draft, Row
from talea_tui.posting.drafts import shelf_beside
from talea_tui.settings import Settings
from tests.support.forms import BOOK, SUNDAY, entry, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text
from tests.tui.test_posting_form import calm, form_of, keys, last_transaction, typed


class Clock:
    """Sunday 2026-11-22, until days pass."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 23, 59, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await open_shop(made)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=tmp_path / "state" / "settings.json")


SHORT_DATES = [
    ("-1", "2026-11-21"),
    ("20", "2026-11-20"),
    ("fri", "2026-11-20"),
    ("11-19", "2026-11-19"),
    ("today", "2026-11-22"),
]


@pytest.mark.parametrize(("text", "day"), SHORT_DATES)
async def test_a_short_date_of_a_draft_is_the_same_day_days_later(
    store, settings, open_app: OpenApp, text: str, day: str
):
    clock = Clock()
    async with open_app(store, settings=settings, clock=clock) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "Rent")
        await keys(pilot, "shift+tab")
        await typed(pilot, text)
        assert day in screen_text(pilot.app)
    store._closed = False
    clock.pass_days(40)
    async with open_app(store, settings=Settings(path=settings.path), clock=clock) as pilot:
        await keys(pilot, "p")
        assert form_of(pilot).draft.date == day
        assert day in screen_text(pilot.app)
        await keys(pilot, "x")
        assert form_of(pilot).read().day.isoformat() == day


async def test_what_is_open_over_midnight_is_posted_for_the_day_that_its_date_meant(
    store, settings, open_app: OpenApp
):
    clock = Clock()
    async with open_app(store, settings=settings, clock=clock) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        form_of(pilot).form.head("date").focus()
        await typed(pilot, "-1")
        clock.pass_days(1)
        form_of(pilot).minute_passed()
        await calm(pilot)
        assert "Sat 2026-11-21, 2 days ago" in screen_text(pilot.app)
        await keys(pilot, "ctrl+s")
        assert (await last_transaction(store)).transaction.metadata["date"] == "2026-11-21"


async def test_a_description_was_last_used_on_the_day_that_clocks_here_showed(store, open_app: OpenApp):
    posted = structs.replace(
        entry("2026-11-22", "WINE", "Expenses:Supplies", "Assets:Checking", 100),
        occurred_at=datetime(2026, 11, 22, 20, tzinfo=UTC),
    )
    await store.commit(posted)
    auckland = timezone(timedelta(hours=13))
    clock = Clock()
    async with open_app(store, settings=Settings(book=BOOK), clock=clock, zone=auckland) as pilot:
        await keys(pilot, "p", "w", "i", "n", "tab")
        assert "last used today" in screen_text(pilot.app)


async def test_the_next_entry_has_the_day_of_the_last_one_and_not_its_short_date(
    store, settings, open_app: OpenApp
):
    clock = Clock()
    async with open_app(store, settings=settings, clock=clock) as pilot:
        for begin_next in (["ctrl+s"], ["ctrl+n"]):
            await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
            form_of(pilot).form.head("date").focus()
            await typed(pilot, "-1")
            await keys(pilot, *begin_next)
            clock.pass_days(3)
            assert form_of(pilot).draft.date == form_of(pilot).read().day.isoformat()
            assert form_of(pilot).draft.date in ("2026-11-21", "2026-11-24")


async def test_an_entry_without_a_date_is_for_the_day_it_is_posted_and_says_so(
    store, settings, open_app: OpenApp
):
    clock = Clock()
    async with open_app(store, settings=settings, clock=clock) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        assert "Sun 2026-11-22, today" in screen_text(pilot.app)
        await keys(pilot, "escape")
        clock.pass_days(1)
        await keys(pilot, "p")
        assert "Mon 2026-11-23, today" in screen_text(pilot.app)
        await keys(pilot, "ctrl+s")
        assert (await last_transaction(store)).transaction.metadata["date"] == "2026-11-23"


async def test_a_draft_kept_with_its_short_date_as_it_was_typed_is_still_read(
    store, settings, open_app: OpenApp
):
    """As drafts were written before; what it meant then is not known any more, so it is read today."""
    shelf = shelf_beside(settings.path, None, BOOK)
    assert shelf is not None
    old = Draft(book=BOOK, date="-1", rows=[Row("Expenses:Rent", "5")])
    assert old.to_json()["date"] == "-1"
    shelf.save([old])
    clock = Clock()
    async with open_app(store, settings=settings, clock=clock) as pilot:
        await keys(pilot, "p", "x")
        clock.pass_days(2)
        assert form_of(pilot).read().day == SUNDAY - timedelta(days=1)
