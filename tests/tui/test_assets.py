"""The registry of assets, its form, and the form that opens accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AssetDef,
    Commodity,
    Crypto,
    Direction,
    Fiat,
    LogTaleaStore,
    StoreIOError,
)
from store.protocol import Store
from talea_tui.screens.assets import RegisterAssetScreen
from talea_tui.screens.open_account import OpenAccountScreen
from tests.support.forms import BOOK, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text
from tests.tui.test_posting_form import calm, keys, typed


@pytest.fixture(params=["memory", "log"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = MemoryStore() if request.param == "memory" else await LogTaleaStore.open(tmp_path / "ledger")
    await open_shop(made)
    yield made
    await made.shutdown()


async def test_assets_are_listed_with_their_smallest_unit(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "8")
        await calm(pilot)
        shown = screen_text(pilot.app)
        assert "0.000000000000000001" in shown
        assert "US dollar" in shown


async def test_an_asset_is_copied_by_the_key_that_says_so_and_nothing_is_offered_to_open(
    store, open_app: OpenApp
):
    async with open_app(store) as pilot:
        await keys(pilot, "8")
        await calm(pilot)
        assert "enter open" not in screen_text(pilot.app)
        await keys(pilot, "enter")
        await calm(pilot)
        assert not pilot.app.clipboard
        await keys(pilot, "y")
        assert pilot.app.clipboard == (await store.assets())[0].id
        await keys(pilot, "question_mark")
        await calm(pilot)
        assert "Open the row" not in screen_text(pilot.app)


async def test_a_known_coin_fills_in_what_everyone_knows(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "8")
        await calm(pilot)
        await keys(pilot, "n")
        await calm(pilot)
        await typed(pilot, "BTC")
        await keys(pilot, "enter", "enter", "enter", "enter", "enter", "enter")
        asset = await store.asset("BTC")
        assert asset is not None
        assert (asset.asset_class, asset.precision, asset.name) == (Crypto(network="bitcoin"), 8, "Bitcoin")
        await calm(pilot)
        assert "BTC" in screen_text(pilot.app)


async def test_refusals_stand_at_their_field(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "8")
        await calm(pilot)
        await keys(pilot, "n")
        await calm(pilot)
        await typed(pilot, "USD")
        await keys(pilot, "tab", "tab")
        await typed(pilot, "31")
        await keys(pilot, "tab", "tab", "tab", "enter")
        assert "whole number from 0 to 30" in screen_text(pilot.app)
        await typed(pilot, "3")
        await keys(pilot, "tab", "tab", "tab", "enter")
        assert "registered already" in screen_text(pilot.app)
        assert isinstance(pilot.app.screen, RegisterAssetScreen)
        asset = await store.asset("USD")
        assert asset is not None
        assert asset.precision == 2


async def test_a_choice_follows_the_first_letter(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "8")
        await calm(pilot)
        await keys(pilot, "n")
        await calm(pilot)
        await typed(pilot, "HOURS")
        await keys(pilot, "enter", "c", "c", "enter", "enter", "enter", "enter", "enter")
        asset = await store.asset("HOURS")
        assert asset is not None
        assert asset.asset_class == Commodity()


async def test_an_account_is_opened_with_side_and_minimum(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.open_account_form(path="Assets:")
        await calm(pilot)
        await keys(pilot, "end")
        await typed(pilot, "Machines:Depreciation")
        await keys(pilot, "enter", "enter", "enter", "c", "enter")
        await typed(pilot, "-10*2")
        await keys(pilot, "enter")
        opened = await store.account(AccountId(book=BOOK, path="Assets:Machines:Depreciation"))
        assert opened is not None
        assert opened.definition.kind is AccountKind.ASSET
        assert opened.config.normal_side is Direction.CREDIT
        assert opened.config.min_balance == -2000


async def test_the_first_account_begins_a_book_and_its_asset_is_registered_on_the_way(open_app: OpenApp):
    store = MemoryStore()
    async with open_app(store) as pilot:
        await keys(pilot, "1", "n")
        await calm(pilot)
        assert isinstance(pilot.app.screen, OpenAccountScreen)
        await typed(pilot, "household")
        await keys(pilot, "enter")
        await typed(pilot, "Assets:Cash")
        await keys(pilot, "enter")
        await typed(pilot, "EUR")
        await keys(pilot, "enter", "enter", "enter", "enter")
        assert isinstance(pilot.app.screen, RegisterAssetScreen)
        await keys(pilot, "enter", "enter", "enter", "enter", "enter")
        await calm(pilot)
        assert (await store.asset("EUR")).asset_class == Fiat()
        assert await store.account(AccountId(book="household", path="Assets:Cash")) is not None
        assert pilot.app.book == "household"


async def test_unsafe_book_names_and_taken_accounts_are_refused_at_their_field(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.open_account_form(new_book=True)
        await calm(pilot)
        await typed(pilot, "..")
        await keys(pilot, "enter")
        await typed(pilot, "x")
        await keys(pilot, "enter", "enter", "enter", "enter", "enter")
        assert "cannot be a book's name" in screen_text(pilot.app)
        await keys(pilot, "escape")
        await pilot.app.open_account_form(path="Equity")
        await calm(pilot)
        await keys(pilot, "enter", "enter", "right", "enter", "enter", "enter")
        assert "open already" in screen_text(pilot.app)


async def test_what_everyone_knows_of_an_asset_is_filled_in_where_the_user_has_not_said_otherwise(
    open_app: OpenApp,
):
    store = MemoryStore()
    async with open_app(store) as pilot:
        await keys(pilot, "8", "n")
        form = pilot.app.screen
        assert isinstance(form, RegisterAssetScreen)
        for id, guessed in (
            ("AAPL", ("commodity", "2", "", "")),
            ("JPY", ("fiat", "0", "Yen", "")),
            ("ETH", ("crypto", "18", "Ether", "ethereum")),
        ):
            await keys(pilot, "ctrl+u")
            await typed(pilot, id)
            assert tuple(form.text(name) for name in ("class", "precision", "name", "network")) == guessed
        await keys(pilot, "tab", "tab")
        await typed(pilot, "9")
        await keys(pilot, "shift+tab", "shift+tab", "ctrl+u")
        await typed(pilot, "BTC")
        assert tuple(form.text(name) for name in ("class", "precision", "name")) == ("crypto", "9", "Bitcoin")


class Held(MemoryStore):
    """Registers and opens only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.refusal: StoreIOError | None = None

    async def register_asset(self, asset: AssetDef) -> None:
        await self.may_go_on.wait()
        if self.refusal is not None:
            raise self.refusal
        await super().register_asset(asset)

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        await self.may_go_on.wait()
        if self.refusal is not None:
            raise self.refusal
        await super().open_account(definition, config)


@pytest.mark.parametrize("way", [("8", "n"), ("2", "o")], ids=["an asset", "an account"])
@pytest.mark.parametrize("refusal", [None, StoreIOError("The disk is full.")])
async def test_a_form_can_be_closed_while_the_store_works_and_what_came_of_it_is_told(
    open_app: OpenApp, way: tuple[str, ...], refusal: StoreIOError | None
):
    store = Held()
    await open_shop(store)
    async with open_app(store) as pilot:
        await keys(pilot, *way)
        await calm(pilot)
        await typed(pilot, "NEW")
        store.may_go_on.clear()
        await pilot.press("ctrl+s")
        form = pilot.app.screen
        assert isinstance(form, RegisterAssetScreen | OpenAccountScreen)
        await pilot.press("escape")
        below = pilot.app.screen
        assert below is not form
        store.refusal = refusal
        store.may_go_on.set()
        await calm(pilot)
        (told,) = pilot.app._notifications
        assert told.severity == ("information" if refusal is None else "error")
        assert ("NEW" if refusal is None else "The disk is full.") in told.message
        assert pilot.app.screen is below
