"""The trial balance screen: proof, statements, the instant shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store import LogTaleaStore
from store.protocol import Store
from talea_tui.config import Config
from talea_tui.screens.trial_balance import TrialBalanceScreen
from talea_tui.settings import Settings
from talea_tui.widgets.pane_title import PaneTitle
from talea_tui.widgets.register import Register
from talea_tui.widgets.shell import Instant
from talea_tui.widgets.virtual_table import value_of
from tests.support.forms import BOOK, entry, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, until
from tests.tui.test_posting_form import calm, keys


@pytest.fixture(params=["memory", "log"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = MemoryStore() if request.param == "memory" else await LogTaleaStore.open(tmp_path / "ledger")
    await open_shop(made)
    yield made
    await made.shutdown()


def shown_rows(pilot) -> list[list[str]]:
    screen = pilot.app.screen
    assert isinstance(screen, TrialBalanceScreen)
    table = screen.table
    return [[value_of(cell) for cell in table.row_at(number) or ()] for number in range(table.count)]


async def test_totals_prove_that_debits_equal_credits(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        rows = shown_rows(pilot)
        assert ["Assets:Checking", "19678.10", "1481.36", "18196.74", "USD", "asset"] in rows
        assert ["Total ✓", "21159.46", "21159.46", "0.00", "USD", ""] in rows
        assert "debits = credits ✓ 2 assets" in screen_text(pilot.app)
        assert not any(row[0] == "Wallet:Hot" for row in rows)
        await pilot.press("z")
        await calm(pilot)
        assert any(row[0] == "Wallet:Hot" for row in shown_rows(pilot))


async def test_whether_accounts_without_a_balance_are_listed_is_remembered(open_app: OpenApp):
    settings = Settings()
    for listed in (False, True):
        store = MemoryStore()
        await open_shop(store)
        async with open_app(store, size=(120, 40), settings=settings) as pilot:
            await keys(pilot, "6")
            await calm(pilot)
            assert any(row[0] == "Wallet:Hot" for row in shown_rows(pilot)) is listed
            await pilot.press("z")
            await calm(pilot)


async def test_before_anything_was_recorded_it_is_told_that_all_of_it_was_recorded_later(
    store, open_app: OpenApp
):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        pilot.app.show_instant(Instant("2001-01-01", datetime(2001, 1, 1, tzinfo=UTC)))
        await calm(pilot)
        text = " ".join(screen_text(pilot.app).split())
        assert "what this book holds was recorded later. Press esc for now, where d goes by the days" in text
        assert "Nothing has been posted" not in text


async def test_one_key_leads_through_the_statements(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        await pilot.press("v")
        await calm(pilot)
        sheet = shown_rows(pilot)
        assert ["Total assets", "120000000.000000000000000000", "ETH"] in sheet
        assert ["Net income, not closed", "-1481.36", "USD"] in sheet
        assert ["Difference, must be zero ✓", "0.000000000000000000", "ETH"] in sheet
        await pilot.press("v")
        await calm(pilot)
        income = shown_rows(pilot)
        assert ["Total expenses", "1481.36", "USD"] in income
        assert income[-1] == ["", "-1481.36", "USD"]


async def test_the_title_tells_what_a_statement_comes_to_and_lights_the_one_that_is_shown(
    store, open_app: OpenApp
):
    async with open_app(store, size=(160, 40)) as pilot:
        await period_keys(pilot, "6", "v", "v")
        net = "income 0.00 − expenses 1,481.36 = net income −1,481.36 USD +1"
        assert net in screen_text(pilot.app).splitlines()[1]
        await pilot.resize_terminal(100, 30)
        await calm(pilot)
        title = pilot.app.screen.query_one(PaneTitle).render_line(0)
        assert [text for text, style, _ in title if style and style.bold and text.strip()] == [
            "▪ ",
            "[income statement]",
        ]
        assert title.text.endswith(" net income −1,481.36 USD +1 ")
        await period_keys(pilot, "d", *"2026", "enter")
        await pilot.resize_terminal(60, 20)
        await calm(pilot)
        assert screen_text(pilot.app).splitlines()[1].split()[1] == "2026"


async def test_every_statement_shows_the_instant_that_is_chosen(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        pilot.app.show_instant(Instant("seq 9", datetime(2026, 11, 22, tzinfo=UTC), 9, BOOK))
        await calm(pilot)
        await until(pilot, lambda: "as of seq 9" in screen_text(pilot.app))
        rows = shown_rows(pilot)
        assert ["Total ✓", "19678.10", "19678.10", "0.00", "USD", ""] in rows
        assert not any(row[0] == "Expenses:Rent" for row in rows)


async def test_a_posting_from_elsewhere_arrives_by_itself(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        await store.commit(entry("2026-11-21", "More", "Expenses:Rent", "Assets:Checking", 1_00))
        await until(pilot, lambda: "18,195.74" in screen_text(pilot.app))


async def test_enter_opens_the_register_of_an_account(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        await pilot.press("enter")
        await calm(pilot)
        assert "Assets:Checking" in screen_text(pilot.app).splitlines()[0]


async def test_dollars_keep_their_cents_beside_ether_on_a_narrow_screen(store, open_app: OpenApp):
    async with open_app(store, size=(80, 24)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        shown = screen_text(pilot.app)
        assert "18,196.74" in shown
        assert "120,000,000…" in shown


async def test_an_empty_ledger_says_what_to_press(open_app: OpenApp):
    async with open_app(MemoryStore()) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        assert "There is no book yet: press 1, then n to begin one." in screen_text(pilot.app)


# Periods


async def open_years(store: Store) -> None:
    """Two years of rent, recorded after the shop's own entries, as an import of the past would be."""
    for year in (2024, 2025):
        for month in range(1, 13):
            day = f"{year}-{month:02}-05"
            await store.commit(entry(day, "Rent", "Expenses:Rent", "Assets:Checking", month))


async def period_keys(pilot, *pressed: str) -> None:
    for key in pressed:
        await pilot.press(key)
        await calm(pilot)
        for worker in list(pilot.app.workers):
            if worker.group == "fold" and worker.is_running:
                await worker.wait()
        await pilot.pause()


async def test_a_period_goes_by_the_days_on_which_things_happened(store, open_app: OpenApp):
    await open_years(store)
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "v", "v", "d", *"2024q1", "enter")
        assert "Income statement › 2024 Q1" in screen_text(pilot.app).splitlines()[0]
        assert ["Expenses:Rent", "0.06", "USD"] in shown_rows(pilot)
        await period_keys(pilot, "full_stop")
        assert ["Expenses:Rent", "0.15", "USD"] in shown_rows(pilot)
        await period_keys(pilot, "minus", "comma", "comma")
        assert "Nothing stands or happened here, 2022." in screen_text(pilot.app)
        await period_keys(pilot, "full_stop", "full_stop", "plus", "plus")
        assert "2024-12" in screen_text(pilot.app).splitlines()[0]
        assert ["Expenses:Rent", "0.12", "USD"] in shown_rows(pilot)


async def test_a_trial_balance_of_a_period_has_opening_turnover_and_closing(store, open_app: OpenApp):
    await open_years(store)
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "d", *"2025-02", "enter")
        assert shown_rows(pilot)[0] == ["Assets:Checking", "-0.79", "0.00", "0.02", "-0.81", "USD", "asset"]
        assert shown_rows(pilot)[-1] == ["Total ✓", "0.00", "0.02", "0.02", "0.00", "USD", ""]
        await period_keys(pilot, "i")
        await pilot.resize_terminal(60, 20)
        await calm(pilot)
        assert shown_rows(pilot)[0] == ["Assets:Checking", "-0.79", "-0.02", "-0.81", "USD"]


async def test_a_balance_sheet_stands_at_the_end_of_the_period(store, open_app: OpenApp):
    await open_years(store)
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "v", "d", *"2024", "enter")
        rows = shown_rows(pilot)
        assert ["Assets:Checking", "-0.78", "USD"] in rows
        assert rows[-1][0] == "Difference, must be zero ✓"


async def test_the_first_period_is_the_year_of_the_last_entries(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "plus")
        assert "2026" in screen_text(pilot.app).splitlines()[0]
        assert any(row[0] == "Assets:Checking" for row in shown_rows(pilot))


async def test_the_first_period_is_found_anew_for_another_instant(store, open_app: OpenApp):
    await open_years(store)
    last = (await store.book(BOOK)).last_seq
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "plus")
        assert "2026" in screen_text(pilot.app).splitlines()[0]
        await period_keys(pilot, "minus")
        pilot.app.show_instant(Instant("then", datetime(2025, 6, 15, tzinfo=UTC), last, BOOK))
        await period_keys(pilot, "plus")
        assert "2025" in screen_text(pilot.app).splitlines()[0].rpartition("›")[2]


async def test_that_there_is_no_other_period_is_told_with_the_keys_one_has(store, open_app: OpenApp):
    config = Config(keys={"trial_balance.shorter": ("s",)})
    async with open_app(store, config=config) as pilot:
        await period_keys(pilot, "6", "d", *"since", "space", *"2025")
        await period_keys(pilot, "enter", "full_stop")
        (told,) = pilot.app._notifications
        assert told.message == "There is no period that way: s is a shorter one, - a longer one."


async def test_a_period_shows_what_is_posted_meanwhile_and_what_stood_at_the_instant(
    store, open_app: OpenApp
):
    await open_years(store)
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "v", "v", "d", *"2025", "enter")
        before = (await store.book(BOOK)).last_seq
        await store.commit(entry("2025-07-01", "Late", "Expenses:Rent", "Assets:Checking", 10_00))
        await until(pilot, lambda: ["Expenses:Rent", "10.78", "USD"] in shown_rows(pilot))
        pilot.app.show_instant(Instant("then", datetime(2026, 11, 22, tzinfo=UTC), before, BOOK))
        await until(pilot, lambda: ["Expenses:Rent", "0.78", "USD"] in shown_rows(pilot))
        pilot.app.show_instant(None)
        await until(pilot, lambda: ["Expenses:Rent", "10.78", "USD"] in shown_rows(pilot))


class Slow:
    """A store whose events are read page by page, as the test lets them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.pages = asyncio.Semaphore(10_000)
        self.read = 0

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100):
        await self.pages.acquire()
        self.read += limit
        return await self._store.read_events(book, from_seq, limit)


async def test_adding_up_shows_how_far_it_is_and_goes_on_where_one_left_it(open_app: OpenApp, monkeypatch):
    monkeypatch.setattr("talea_tui.screens.trial_balance.REPAINT_SECONDS", 0.0)
    monkeypatch.setattr("talea_tui.statements.turnover.PAGE_EVENTS", 10)
    made = MemoryStore()
    await open_shop(made)
    await open_years(made)
    slow = Slow(made)
    async with open_app(slow, size=(120, 40)) as pilot:
        await keys(pilot, "6")
        await calm(pilot)
        last = (await made.book(BOOK)).last_seq
        slow.pages, slow.read = asyncio.Semaphore(2), 0
        await pilot.press("d", *"2025", "enter")
        await until(pilot, lambda: "20 of" in screen_text(pilot.app))
        assert f"20 of {last} events" in screen_text(pilot.app)
        await pilot.press("1")
        slow.pages.release()
        await until(pilot, lambda: not any(worker.group == "fold" for worker in pilot.app.workers))
        assert slow.read < last
        slow.pages = asyncio.Semaphore(10_000)
        await pilot.press("6")
        await until(pilot, lambda: any(row[0] == "Assets:Checking" for row in shown_rows(pilot)))
        assert slow.read == last


async def test_what_is_no_period_is_said_where_it_was_typed(store, open_app: OpenApp):
    async with open_app(store, size=(80, 24)) as pilot:
        await keys(pilot, "6", "d", *"soon", "enter")
        assert "is no period of the calendar" in screen_text(pilot.app)
        await keys(pilot, "escape")
        assert "debits = credits" in screen_text(pilot.app)


async def test_enter_leads_into_the_register_where_the_period_begins(store, open_app: OpenApp):
    await open_years(store)
    async with open_app(store, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "d", *"2025-02", "enter", "enter")
        register = pilot.app.screen.query_one(Register)
        await until(pilot, lambda: register.row_at(register.cursor) is not None)
        assert value_of(register.row_at(register.cursor)[0]) == "2025-02-05"


async def test_the_view_is_remembered_with_the_screen(store, open_app: OpenApp, tmp_path: Path):
    path, again = tmp_path / "settings.json", MemoryStore()
    await open_shop(again)
    async with open_app(store, settings=Settings(path), size=(120, 30)) as pilot:
        await pilot.press("6", "v", "v")
        await until(pilot, lambda: "[income statement]" in screen_text(pilot.app))
    async with open_app(again, settings=Settings.load(path), size=(120, 30)) as pilot:
        await until(pilot, lambda: "[income statement]" in screen_text(pilot.app))


async def test_a_period_left_while_it_is_being_added_up_is_right_when_one_comes_back(open_app: OpenApp):
    made = MemoryStore()
    await open_shop(made)
    await open_years(made)
    slow = Slow(made)
    async with open_app(slow, size=(120, 40)) as pilot:
        await period_keys(pilot, "6", "v", "v", "d", *"2025", "enter")
        assert ["Expenses:Rent", "0.78", "USD"] in shown_rows(pilot)
        slow.pages = asyncio.Semaphore(0)
        await slow.commit(entry("2025-07-01", "Late", "Expenses:Rent", "Assets:Checking", 10_00))
        await until(pilot, lambda: any(worker.group == "fold" for worker in pilot.app.workers))
        await pilot.press("1")
        slow.pages.release()
        await until(pilot, lambda: not any(worker.group == "fold" for worker in pilot.app.workers))
        slow.pages = asyncio.Semaphore(10_000)
        await pilot.press("6")
        await until(pilot, lambda: ["Expenses:Rent", "10.78", "USD"] in shown_rows(pilot))


@pytest.mark.parametrize("mode", ["2", "6"])
async def test_however_much_is_posted_while_a_screen_rests_it_is_refreshed_once(
    store, open_app: OpenApp, monkeypatch, mode: str
):
    monkeypatch.setattr("talea_tui.screens.base.SLOW_SECONDS", 0.0)
    monkeypatch.setattr("talea_tui.screens.base.REST", 1e9)
    async with open_app(store, size=(120, 40)) as pilot:
        await keys(pilot, mode)
        screen = pilot.app.screen
        timers, refreshed = len(screen._timers), []
        for number in range(5):
            await store.commit(entry("2026-11-21", f"{number}", "Expenses:Rent", "Assets:Checking", 1))
            pilot.app._tell_screens(frozenset({BOOK}))
            await calm(pilot)
        assert len(screen._timers) == timers + 1
        refresh_data = screen.refresh_data

        async def watched(changed):
            refreshed.append(changed)
            await refresh_data(changed)

        monkeypatch.setattr(screen, "refresh_data", watched)
        [waiting] = [timer for timer in screen._timers if timer is screen._resting]
        waiting._callback()
        await calm(pilot)
        assert refreshed == [frozenset({BOOK})]
