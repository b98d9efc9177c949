"""The trial balance screen: proof, statements, the instant shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store import LogTaleaStore
from store.protocol import Store
from talea_tui.screens.trial_balance import TrialBalanceScreen
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
        assert "Press p to post" in screen_text(pilot.app)
