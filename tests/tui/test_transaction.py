"""The transaction view: everything that is known of one transaction, and where one can go from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from store import ExternalRef
from talea_tui.posting.correction import reversal_of
from tests.support.build import BOOK, household, transfer
from tests.support.disk import cut, frames, segments
from tests.support.ledgers import written
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, app_on_directory, keys, screen_text, settle, shows, until


@pytest.fixture
async def store() -> MemoryStore:
    """Transactions at seq 8, 9 and 11; an account is opened between."""
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "income:salary", 300_000, metadata={"description": "Pay"}))
    await store.commit(
        transfer(
            "expenses:food",
            "assets:bank",
            4_550,
            key="shop:1",
            external_refs=(ExternalRef(kind="invoice", value="88121"),),
            metadata={"description": "Market", "tags": ["a", 1], "deep": {"er": {"x": None}}, "n": 10**40},
        )
    )
    from store import AccountKind
    from tests.support.build import open_accounts

    await open_accounts(store, {"assets:new": AccountKind.ASSET})
    await store.commit(transfer("assets:new", "assets:bank", 1, metadata="just text"))
    return store


async def show(pilot, seq: int) -> str:  # type: ignore[no-untyped-def]
    await pilot.app.open_transaction(BOOK, seq)
    await settle(pilot)
    return screen_text(pilot.app)


async def test_a_transaction_shows_all_that_is_known_of_it(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        text = await show(pilot, 9)
        for words in (
            "Market",
            "expenses:food",
            "45.50",
            "2,954.50",
            "ref invoice",
            "88121",
            "shop:1",
            "seq 9",
        ):
            assert words in text
        for words in ("tags", "a, 1", "deep.er.x", "null", str(10**40), "committed", "occurred"):
            assert words in text


async def test_of_two_tables_only_the_one_the_keys_go_to_has_the_bright_cursor(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        await show(pilot, 9)
        for bright, quiet in (("expenses:food", "date"), ("date", "expenses:food")):
            lines = screen_text(pilot.app).splitlines()
            marks = {line[0]: line[1:].split()[0] for line in lines if line.startswith(("▌", "│"))}
            assert marks == {"▌": bright, "│": quiet}
            await keys(pilot, "tab")


async def test_debit_and_credit_stand_in_their_columns(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        text = await show(pilot, 9)
        head = next(line for line in text.splitlines() if "debit" in line)
        food = next(line for line in text.splitlines() if "expenses:food" in line)
        bank = next(line for line in text.splitlines() if "assets:bank" in line)
        assert food.index("45.50") + 5 == head.index("debit") + 5
        assert bank.index("45.50") + 5 == head.index("credit") + 6


async def test_stepping_goes_from_transaction_to_transaction(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        await show(pilot, 9)
        await pilot.press("full_stop")
        await settle(pilot)
        assert "just text" in screen_text(pilot.app)
        assert pilot.app.screen.seq == 11
        await pilot.press("full_stop")
        await settle(pilot)
        assert pilot.app.screen.seq == 11
        await pilot.press("comma", "comma")
        await settle(pilot)
        await pilot.press("comma")
        await settle(pilot)
        assert pilot.app.screen.seq == 8


async def test_enter_on_a_posting_goes_on_to_that_accounts_register(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        await show(pilot, 9)
        await pilot.press("enter")
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "RegisterScreen"
        assert "Market" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert pilot.app.current_mode == "books"


async def test_a_reversed_transaction_says_by_which_and_leads_there(store, open_app: OpenApp):
    original = await store.by_key(BOOK, "shop:1")
    async with open_app(store, size=(100, 30)) as pilot:
        await show(pilot, 9)
        assert "reversed" not in screen_text(pilot.app)
        receipt = await store.commit(reversal_of(original, original.at.date()))
        await until(pilot, lambda: f"by seq {receipt.seq}" in screen_text(pilot.app))
        await pilot.press("tab", "home", "enter")
        await settle(pilot)
        assert pilot.app.screen.seq == receipt.seq
        assert "Reversal of Market" in screen_text(pilot.app)
        assert "reverses" in screen_text(pilot.app)


async def test_in_the_past_a_later_reversal_is_not_known(store, open_app: OpenApp):
    original = await store.by_key(BOOK, "shop:1")
    await store.commit(reversal_of(original, original.at.date()))
    async with open_app(store, size=(100, 30)) as pilot:
        await pilot.press("at", *"#11", "enter")
        await settle(pilot)
        assert "reversed" not in await show(pilot, 9)


async def test_the_whole_transaction_can_be_copied_as_text(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        await show(pilot, 9)
        await pilot.press("C")
        lines = pilot.app.clipboard.splitlines()
        assert lines[0].endswith("Market")
        assert lines[1:] == ["    expenses:food  45.50 EUR", "    assets:bank  -45.50 EUR"]


@pytest.mark.parametrize("key", ["r", "c", "d"])
async def test_in_the_past_nothing_can_be_posted_from_a_transaction(store, open_app: OpenApp, key):
    async with open_app(store, size=(100, 30)) as pilot:
        await pilot.press("at", *"#11", "enter")
        await settle(pilot)
        await show(pilot, 9)
        await pilot.press(key)
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "TransactionScreen"
        assert any("press esc" in notice.message for notice in pilot.app._notifications)


@pytest.mark.parametrize("key", ["full_stop", "comma"])
async def test_a_step_over_what_cannot_be_read_is_refused_and_leaves_one_where_one_is(
    tmp_path: Path, key: str
):
    directory = await written(tmp_path / "ledger")
    async with app_on_directory(directory) as pilot:
        await show(pilot, 10)
        segment = segments(directory, BOOK)[0]
        cut(segment, frames(segment.read_bytes())[1].offset)
        await pilot.press(key)
        await shows(pilot, "Not done", "seq 10")
        assert pilot.app.screen.seq == 10
