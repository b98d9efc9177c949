"""Registers: the right row with the right running balance, wherever one is, whatever arrives."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from store import Direction
from talea_tui.widgets.register import Register, RegisterSource, day_of
from tests.support.build import BOOK, account, credit, debit, household, posted, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, keys, screen_text, settle, until

ROWS = 700


@pytest.fixture
async def store() -> MemoryStore:
    """A bank account with 700 rows, up and down."""
    store = MemoryStore()
    await household(store)
    chance = random.Random(3)
    day = datetime(2023, 1, 1, tzinfo=UTC)
    for number in range(ROWS):
        pair = ("assets:bank", "income:salary") if number % 3 else ("expenses:food", "assets:bank")
        await store.commit(
            transfer(
                *pair,
                chance.randint(1, 99_999),
                metadata={"description": f"Row {number}"},
                occurred_at=day + timedelta(days=number),
            )
        )
    return store


def register_of(pilot) -> Register:  # type: ignore[no-untyped-def]
    return pilot.app.screen.query_one("#register", Register)


async def open_bank(pilot) -> Register:  # type: ignore[no-untyped-def]
    await pilot.app.go("accounts", account=account("assets:bank"))
    await settle(pilot)
    return register_of(pilot)


@pytest.mark.parametrize(
    ("path", "natural"), [("assets:bank", False), ("income:salary", True), ("income:salary", False)]
)
async def test_every_row_carries_the_running_balance(store, open_app: OpenApp, path, natural):
    async with open_app(store) as pilot:
        info = await store.account(account(path))
        source = RegisterSource(pilot.app, info, natural=natural)
        balance = 0
        for start in range(0, info.postings, 97):
            for row in await source.fetch(start, 97):
                change = int(row[3].plain.replace(".", ""))
                balance += change
                assert int(row[4].plain.replace(".", "")) == balance
        final = info.balance.amount.minor
        flipped = info.config.normal_side is Direction.CREDIT and not natural
        assert balance == (-final if flipped else final)


async def test_a_register_opens_at_its_end_and_any_row_can_be_gone_to(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        assert register.cursor == ROWS - 1
        assert f"Row {ROWS - 1}" in screen_text(pilot.app)
        await pilot.press("home")
        await settle(pilot)
        assert "Row 0" in screen_text(pilot.app)
        await pilot.press("number_sign", *"351", "enter")
        await settle(pilot)
        assert register.cursor == 350
        assert "Row 350" in screen_text(pilot.app)
        await pilot.press("number_sign", *"701", "enter")
        await settle(pilot)
        assert "Type a row number from 1 to 700." in screen_text(pilot.app)


async def test_a_posting_that_arrives_while_reading_moves_nothing(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        register.move_to(300)
        await settle(pilot)
        top, rows = register.scroll_top, [register.row_at(row) for row in range(295, 305)]
        await store.commit(transfer("assets:bank", "income:salary", 5))
        await until(pilot, lambda: register.count == ROWS + 1)
        await settle(pilot)
        assert (register.cursor, register.scroll_top) == (300, top)
        assert [register.row_at(row) for row in range(295, 305)] == rows


async def test_at_the_end_a_register_follows_what_is_posted(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        for number in range(3):
            await store.commit(
                transfer("assets:bank", "income:salary", 5, metadata={"description": f"New {number}"})
            )
        await until(pilot, lambda: "New 2" in screen_text(pilot.app))
        assert register.cursor == ROWS + 2


async def test_a_transaction_with_several_postings_to_one_account_has_as_many_rows(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await store.commit(
        posted(
            debit("assets:bank", 100),
            debit("assets:bank", 250),
            credit("income:salary", 300),
            credit("clearing", 50),
            metadata={"memo": "Split"},
        )
    )
    async with open_app(store, size=(140, 30)) as pilot:
        register = await open_bank(pilot)
        assert register.count == 2
        text = screen_text(pilot.app)
        assert "+1.00" in text
        assert "+2.50" in text
        assert "salary, clearing" in text


async def test_in_the_past_a_register_ends_where_the_past_does(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        await pilot.press("at", *"#107", "enter")
        await settle(pilot)
        assert register.count == 100
        assert register.cursor == 99
        assert "Row 99" in screen_text(pilot.app)
        assert "Row 100" not in screen_text(pilot.app)
        await pilot.press("escape")
        await settle(pilot)
        assert register.count == ROWS


async def test_a_day_chosen_as_such_is_the_same_in_every_zone():
    east, west = timezone(timedelta(hours=13)), timezone(-timedelta(hours=11))
    chosen = transfer("a", "b", 1, occurred_at=datetime(2024, 8, 2, tzinfo=UTC))
    moment = transfer("a", "b", 1, occurred_at=datetime(2024, 8, 2, 12, 30, tzinfo=UTC))
    assert {day_of(chosen, zone) for zone in (east, west, UTC)} == {"2024-08-02"}
    assert (day_of(moment, east), day_of(moment, west)) == ("2024-08-03", "2024-08-02")


async def test_without_a_description_the_key_stands_in_its_place(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "income:salary", 1, key="the-key"))
    async with open_app(store, size=(120, 30)) as pilot:
        await open_bank(pilot)
        assert "the-key" in screen_text(pilot.app)


async def test_copying_takes_exact_values(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        register.move_to(1)
        await settle(pilot)
        await pilot.press("Y")
        copied = pilot.app.clipboard.split("\t")
        assert copied[:3] == ["2023-01-02", "Row 1", "income:salary"]
        register.column = 4
        await pilot.press("y")
        assert pilot.app.clipboard == copied[4]
        assert "," not in copied[4]


async def test_with_little_room_the_seq_gives_way_and_with_enough_accounts_are_named_whole(
    store, open_app: OpenApp
):
    async with open_app(store, size=(80, 24)) as pilot:
        await open_bank(pilot)
        text = screen_text(pilot.app)
        assert "seq" not in next(line for line in text.splitlines() if "description" in line)
        assert "income:salary" in text
        await pilot.resize_terminal(100, 24)
        await settle(pilot)
        lines = screen_text(pilot.app).splitlines()
        assert "seq" in next(line for line in lines if "description" in line)


async def test_export_writes_every_row_once_and_asks_before_replacing(
    store, open_app: OpenApp, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    async with open_app(store, size=(120, 30)) as pilot:
        await open_bank(pilot)
        await pilot.press("e")
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(tmp_path.glob("*.csv"))))
        written = tmp_path / f"{BOOK}-assets-bank.csv"
        lines = written.read_text().splitlines()
        assert lines[0] == "date,description,with,amount,balance,seq"
        assert len(lines) == ROWS + 1
        assert lines[-1].startswith("2024-11-30,Row 699,")
        await pilot.press("e")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "exists" in screen_text(pilot.app)
        await pilot.press("escape")
        await settle(pilot)
        assert [path.name for path in tmp_path.iterdir()] == [written.name]


async def test_a_row_can_be_reversed_from_the_register(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        before = (await store.book(BOOK)).last_seq
        await pilot.press("r")
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "ReverseScreen"
        await pilot.press("enter")
        await until(pilot, lambda: register.count == ROWS + 1)
        event = (await store.read_events(BOOK, before + 1))[0].event
        assert event.transaction.metadata["description"] == f"Reversal of Row {ROWS - 1}"


async def test_a_row_can_be_copied_into_the_form(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await open_bank(pilot)
        await pilot.press("d")
        await settle(pilot)
        assert pilot.app.current_mode == "post"
        assert f"Row {ROWS - 1}" in screen_text(pilot.app)


async def test_a_branch_of_the_chart_shows_its_accounts_postings_in_order_with_one_running_balance(
    store, open_app: OpenApp
):
    async with open_app(store, size=(140, 30)) as pilot:
        await pilot.press("2", "home")
        await settle(pilot)
        register = register_of(pilot)
        assert "assets · EUR · 2 accounts" in screen_text(pilot.app)
        await store.commit(
            transfer("assets:cash", "assets:bank", 400, metadata={"description": "Withdrawal"})
        )
        await until(pilot, lambda: register.count == ROWS + 2)
        await settle(pilot)
        last, before = register.row_at(ROWS + 1), register.row_at(ROWS)
        assert {last[2].plain, before[2].plain} == {"assets:bank", "assets:cash"}
        bank = (await store.account(account("assets:bank"))).balance.amount.minor
        cash = (await store.account(account("assets:cash"))).balance.amount.minor
        assert int(last[4].plain.replace(".", "")) == bank + cash
        assert last.seq == before.seq
        await pilot.press("enter", "enter")
        await settle(pilot)
        assert "Withdrawal" in screen_text(pilot.app)
        assert type(pilot.app.screen).__name__ == "TransactionScreen"


async def test_a_branch_in_the_past_ends_where_the_past_does(store, open_app: OpenApp):
    async with open_app(store, size=(140, 30)) as pilot:
        await pilot.press("2", "home", "at", *"#107", "enter")
        await settle(pilot)
        assert register_of(pilot).count == 100
        await pilot.press("escape")
        await settle(pilot)
        assert register_of(pilot).count == ROWS


async def test_one_goes_to_a_date_as_to_a_row(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        register = await open_bank(pilot)
        await pilot.press("number_sign", *"2023-07-15", "enter")
        await settle(pilot)
        assert register.row_at(register.cursor)[0] == "2023-07-15"
        assert register.cursor == 195
        await pilot.press("number_sign", *"12", "enter")
        await settle(pilot)
        assert register.cursor == 11
        await pilot.press("number_sign", *"2031-01-01", "enter")
        await settle(pilot)
        assert register.cursor == ROWS - 1
        assert "Nothing is on or after 2031-01-01" in screen_text(pilot.app)
        await pilot.press("number_sign", *"2023-02-30", "enter")
        await settle(pilot)
        assert "is not in the calendar" in screen_text(pilot.app)


async def test_a_date_is_found_in_years_that_were_recorded_out_of_order(store, open_app: OpenApp):
    for year in (2034, 2031, 2033, 2032):
        for day in range(60):
            moment = datetime(year, 1, 3, tzinfo=UTC) + timedelta(days=2 * day)
            await store.commit(transfer("assets:bank", "income:salary", 5, occurred_at=moment))
    async with open_app(store) as pilot:
        register = await open_bank(pilot)
        for wanted, found in (
            ("2032-01-11", "2032-01-11"),
            ("2033-02-06", "2033-02-06"),
            ("2031-01-10", "2031-01-11"),
            ("2032-12-31", "2033-01-03"),
        ):
            await pilot.press("end", "number_sign", *wanted, "enter")
            await settle(pilot)
            assert register.row_at(register.cursor)[0] == found


async def test_a_date_is_found_although_some_rows_were_recorded_late(store, open_app: OpenApp):
    """Every fifth row is of long ago, and a dozen at the end are of one day in the middle."""
    late = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(300):
        day = late + timedelta(days=number) if number % 5 else datetime(2020, 1, 1, tzinfo=UTC)
        await store.commit(transfer("assets:bank", "income:salary", 5, occurred_at=day))
    for _ in range(12):
        moment = datetime(2023, 3, 3, tzinfo=UTC)
        await store.commit(transfer("assets:bank", "income:salary", 5, occurred_at=moment))
    async with open_app(store) as pilot:
        register = await open_bank(pilot)
        dates = [row[0] for row in await register.source.fetch(0, register.count)]
        for wanted in ("2023-01-01", "2024-02-29", "2026-01-02", "2026-05-05", "2026-10-20"):
            assert await register.row_on(datetime.fromisoformat(wanted).date()) == dates.index(wanted)


@pytest.mark.parametrize(
    "pressed", [("number_sign",), ("escape", "home")], ids=["a question", "another account"]
)
async def test_an_export_under_way_holds_what_was_shown_whatever_is_asked_or_shown_next(
    store, open_app: OpenApp, tmp_path, monkeypatch, pressed: tuple[str, ...]
):
    monkeypatch.chdir(tmp_path)
    async with open_app(store, size=(120, 30)) as pilot:
        register = await open_bank(pilot)
        source, may_go_on = register.source, asyncio.Event()
        fetch = source.fetch

        async def fetch_held(start: int, limit: int):  # type: ignore[no-untyped-def]
            await may_go_on.wait()
            return await fetch(start, limit)

        monkeypatch.setattr(source, "fetch", fetch_held)
        await pilot.press("e")
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(tmp_path.glob(".*.tmp"))))
        await keys(pilot, *pressed)
        may_go_on.set()
        await until(pilot, lambda: bool(list(tmp_path.glob("*.csv"))))
        assert len((tmp_path / f"{BOOK}-assets-bank.csv").read_text().splitlines()) == ROWS + 1
        await until(pilot, lambda: "Exported 700 rows" in screen_text(pilot.app))
