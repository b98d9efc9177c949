"""Everything can be read somewhere, however narrow the terminal is."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from store import AccountCfg, AccountKind
from store.protocol import Store
from talea_tui.settings import Settings
from talea_tui.widgets.choice import Choice
from talea_tui.widgets.columns import Column, fit_path, lay_out, wrapped
from talea_tui.widgets.virtual_table import VirtualTable
from tests.support.build import BOOK, asset, definition, household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, keys, screen_text, settle

WORDS = " ".join(f"WIRE{n} TYPE:BOOK OUT DATE:240{n}" for n in range(300, 308)) + " END"
MEMO = "memo" + "x" * 9_990 + "done"


@pytest.fixture
async def store() -> Store:
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "equity:opening", 100_000, metadata={"description": "Begin"}))
    metadata = {"description": WORDS, "memo": MEMO}
    await store.commit(transfer("expenses:food", "assets:bank", 1_234, metadata=metadata))
    return store


def joined(pilot: Pilot[int]) -> str:
    return " ".join(screen_text(pilot.app).split())


async def all_read(pilot: Pilot[int], id: str) -> str:
    """What stands in a table while one goes down through it, blanks aside."""
    table = pilot.app.screen.query_one(id, VirtualTable)
    rows = []
    for row in range(table.count):
        cells = table.row_at(row)
        assert cells is not None
        assert not table.cut_columns(row)
        rows.append(cells[1] if isinstance(cells[1], str) else cells[1].text)
    return "".join("".join(rows).split())


async def open_last(pilot: Pilot[int]) -> None:
    await keys(pilot, "3")
    await pilot.press(*str(len(await pilot.app.store.read_events(BOOK, 1, 1_000))), "enter")
    await settle(pilot)


@pytest.mark.parametrize("size", [(60, 20), (160, 48)])
async def test_a_long_description_can_be_read_whole_with_its_transaction(store, open_app: OpenApp, size):
    async with open_app(store, size=size) as pilot:
        await open_last(pilot)
        said = await all_read(pilot, "#facts")
        assert WORDS.replace(" ", "") in said
        assert MEMO in said
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert MEMO in await all_read(pilot, "#facts")


async def test_a_long_description_can_be_read_whole_in_its_event_and_copied(store, open_app: OpenApp):
    copied = []
    async with open_app(store) as pilot:
        pilot.app.copy_to_clipboard = copied.append
        await keys(pilot, "5", "up", "down", "enter")
        said = await all_read(pilot, "#event")
        assert said.count(WORDS.replace(" ", "")) == 2
        assert MEMO in said
        table = pilot.app.screen.query_one("#event", VirtualTable)
        first = next(row for row in range(table.count) if "WIRE300" in str(table.row_at(row)))
        table.move_to(first + 1)
        await keys(pilot, "y")
        assert copied == [WORDS]


async def test_an_account_behind_lines_of_an_event_opens_from_each_of_them(store, open_app: OpenApp):
    async with open_app(store, size=(60, 20)) as pilot:
        await keys(pilot, "5", "up", "down", "enter")
        table = pilot.app.screen.query_one("#event", VirtualTable)
        row = next(row for row in range(table.count) if "expenses:food" in str(table.row_at(row)))
        table.move_to(row)
        await keys(pilot, "enter")
        assert "expenses:food" in screen_text(pilot.app).splitlines()[0]


async def test_every_kind_can_be_chosen_and_seen_on_a_narrow_terminal(store, open_app: OpenApp):
    async with open_app(store, size=(60, 20)) as pilot:
        await keys(pilot, "2", "o")
        choice = pilot.app.screen.query_one("#form-kind", Choice)
        choice.focus()
        for kind in AccountKind:
            await pilot.press(*[] if choice.value == kind.value else [kind.value[0]])
            while choice.value != kind.value:
                await pilot.press("right")
            await settle(pilot)
            assert f"[{kind.value}]" in screen_text(pilot.app)
            assert all(other.value in screen_text(pilot.app) for other in AccountKind)
        y = next(n for n, line in enumerate(screen_text(pilot.app).splitlines()) if " income " in line)
        x = screen_text(pilot.app).splitlines()[y].index("income")
        await pilot.click(offset=(x, y))
        assert choice.value == "income"
        y = next(n for n, line in enumerate(screen_text(pilot.app).splitlines()) if " clearing " in line)
        x = screen_text(pilot.app).splitlines()[y].index("clearing")
        await pilot.click(offset=(x, y))
        assert choice.value == "clearing"
        assert "esc cancel" in screen_text(pilot.app)


async def test_accounts_of_which_all_stand_at_zero_say_which_key_shows_them(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    async with open_app(store, settings=Settings(layout={"hide_zero": True})) as pilot:
        await keys(pilot, "2")
        assert "Those that stand at zero are hidden: z shows them." in joined(pilot)
        await keys(pilot, "z")
        assert "assets" in screen_text(pilot.app)


async def test_help_is_as_wide_as_it_can_use_and_tells_the_first_key_in_full(store, open_app: OpenApp):
    async with open_app(store, size=(160, 48)) as pilot:
        await keys(pilot, "2", "question_mark", "end")
        assert "Show credit-normal accounts as negative (as hledger does) or as positive." in joined(pilot)
        await pilot.resize_terminal(60, 20)
        await keys(pilot, "home", "down")
        assert "Show only accounts whose path holds the text." in joined(pilot)


# Figures


DEEP = "assets:" + "deep:" * 12 + "wallet"


async def large(store: Store) -> None:
    await store.register_asset(asset("WEI", precision=8))
    await store.open_account(definition(DEEP, AccountKind.ASSET, "WEI"), AccountCfg())
    await store.open_account(definition("equity:w", AccountKind.EQUITY, "WEI"), AccountCfg())
    await store.commit(transfer(DEEP, "equity:w", 1_234_567_890_12345678, asset="WEI"))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_an_amount_in_the_trial_balance_can_be_read_whole(store, open_app: OpenApp, size):
    await large(store)
    async with open_app(store, size=size) as pilot:
        await keys(pilot, "6")
        table = pilot.app.screen.query_one("#trial", VirtualTable)
        row = next(row for row in range(table.count) if "wallet" in str(table.row_at(row)))
        table.move_to(row)
        await settle(pilot)
        assert "1,234,567,890.12345678" in screen_text(pilot.app)
        assert DEEP in "".join(screen_text(pilot.app).split())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_a_balance_in_the_chart_of_accounts_can_be_read_whole(store, open_app: OpenApp, size):
    await large(store)
    async with open_app(store, size=size) as pilot:
        await keys(pilot, "2", "t")
        table = pilot.app.screen.query_one("#tree", VirtualTable)
        table.move_to(next(row for row in range(table.count) if "wallet" in str(table.row_at(row))))
        await settle(pilot)
        assert "1,234,567,890.12345678" in screen_text(pilot.app)


def test_a_number_gives_its_decimals_up_before_a_name_goes_without_what_it_wants():
    name = Column("name", "", min_width=14, max_width=400, flex=1, want=30)
    number = Column("number", "", align="right", min_width=8, max_width=46, number=True, want=17)
    assert lay_out([name, number], [40, 28], 60) == [(0, 30), (1, 28)]
    assert lay_out([name, number], [40, 28], 52) == [(0, 30), (1, 20)]
    assert lay_out([name, number], [40, 28], 40) == [(0, 21), (1, 17)]
    assert lay_out([name, number], [20, 28], 52) == [(0, 22), (1, 28)]


async def test_the_palette_cuts_no_name_while_there_are_free_cells(open_app: OpenApp):
    store = MemoryStore()
    await household(store, "a-book-with-a-rather-long-name-2024")
    async with open_app(store, size=(60, 20)) as pilot:
        await keys(pilot, "colon")
        await pilot.press(*"rather")
        await settle(pilot)
        assert "a-book-with-a-rather-long-name-2024" in screen_text(pilot.app).split("\n", 3)[-1]


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (44, "Expenses:Home:Mortgage interest, Assets:Cash"),
        (40, "Ex:Home:Mortgage interest, Assets:Cash"),
        (32, "Ex:Ho:Mortgage interest, As:Cash"),
        (29, "Ho:Mortgage interest, As:Cash"),
        (10, "Mortgage interest, Cash"),
    ],
)
def test_of_paths_the_leading_segments_give_way_and_the_last_ones_stay(room: int, shown: str) -> None:
    assert fit_path("Expenses:Home:Mortgage interest, Assets:Cash", room) == shown
    assert fit_path("  Assets:Bank:Checking", 12) == "  Checking"


def test_a_column_with_a_least_room_is_left_out_of_less() -> None:
    columns = [Column("words", "", min_width=10, max_width=90, flex=1), Column("seq", "", least_room=50)]
    assert lay_out(columns, [40, 4], 50) == [(0, 44), (1, 4)]
    assert lay_out(columns, [40, 4], 49) == [(0, 49)]


def test_wrapped_text_is_no_wider_than_its_room_whatever_its_letters_take() -> None:
    text = "Book 家計簿 " + "帳" * 40 + " is empty.\n\nPress p"
    lines = wrapped(text, 21)
    assert max(map(cell_len, lines)) <= 21
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\n", "")
    assert lines[-2:] == ["", "Press p"]
