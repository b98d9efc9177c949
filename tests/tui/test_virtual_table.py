"""The table over any number of rows: what is fetched, what is seen, what moves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult

from store import CorruptLog
from talea_tui.widgets.row_pages import PAGE_ROWS
from talea_tui.widgets.virtual_table import Cell, Column, Row, VirtualTable

MANY = 10_000_000
COLUMNS = (
    Column("number", "number", align="right", min_width=6, max_width=12),
    Column("text", "text", min_width=8, max_width=200, flex=1),
)


class Numbers:
    """Row n says n; remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.gate: asyncio.Event | None = None
        self.fail = False

    async def fetch(self, start: int, limit: int) -> Sequence[Row]:
        self.asked.append((start, limit))
        if self.gate is not None:
            await self.gate.wait()
        if self.fail:
            raise CorruptLog("book", "segment-1.log", 12, "a bad frame")
        return [[f"{row:,}", f"row {row}"] for row in range(start, start + limit)]


class OneTable(App[None]):
    CSS = ".table--head-marked { text-style: underline; }"

    def __init__(self, columns: Sequence[Column] = COLUMNS) -> None:
        super().__init__()
        self.table = VirtualTable(columns)
        self.highlighted: list[int] = []
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_virtual_table_highlighted(self, event: VirtualTable.Highlighted) -> None:
        self.highlighted.append(event.row)

    def on_virtual_table_opened(self, event: VirtualTable.Opened) -> None:
        self.opened.append(event.row)

    def lines(self) -> list[str]:
        return [
            "".join(part.text for part in line).rstrip() for line in self.screen._compositor.render_strips()
        ]


async def rest(pilot) -> None:  # type: ignore[no-untyped-def]
    for _ in range(4):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()


async def test_ten_million_rows_are_opened_by_fetching_one_screenful():
    app, numbers = OneTable(), Numbers()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, MANY)
        await rest(pilot)
        assert sum(limit for _, limit in numbers.asked) <= 2 * PAGE_ROWS
        assert app.lines()[1].split() == ["▌", "0", "row", "0"] or "row 0" in app.lines()[1]


async def test_end_home_pages_and_go_to_land_on_their_rows():
    app, numbers = OneTable(), Numbers()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, MANY)
        app.table.focus()
        await pilot.press("end")
        await rest(pilot)
        assert app.table.cursor == MANY - 1
        assert "row 9999999" in app.lines()[-1]
        await pilot.press("pageup")
        await rest(pilot)
        assert app.table.cursor == MANY - 1 - app.table.visible_rows
        await pilot.press("home")
        await rest(pilot)
        assert app.table.cursor == 0
        assert "row 0" in app.lines()[1]
        app.table.move_to(1_234_567, center=True)
        await rest(pilot)
        assert any("row 1234567" in line and line.startswith("▌") for line in app.lines())
        assert sum(limit for _, limit in numbers.asked) <= 10 * PAGE_ROWS


async def test_rows_on_their_way_are_placeholders_and_the_keys_stay_free():
    app, numbers = OneTable(), Numbers()
    numbers.gate = asyncio.Event()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, MANY)
        app.table.focus()
        await pilot.pause()
        assert app.lines()[1].strip("▌ ") == "·"
        await pilot.press("end", "home", "down", "down")
        assert app.table.cursor == 2
        numbers.gate.set()
        await rest(pilot)
        assert "row 2" in app.lines()[3]


async def test_rows_scrolled_past_while_fetching_are_not_fetched():
    app, numbers = OneTable(), Numbers()
    numbers.gate = asyncio.Event()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, MANY)
        await pilot.pause()
        for place in range(1, 50):
            app.table.move_to(place * 100_000)
            await pilot.pause()
        numbers.gate.set()
        await rest(pilot)
        assert len(numbers.asked) <= 4


async def test_rows_that_arrive_while_reading_move_nothing():
    app, numbers = OneTable(), Numbers()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, 1_000)
        app.table.move_to(500)
        await rest(pilot)
        before = app.lines()
        app.table.grow(1_700)
        await rest(pilot)
        assert [line[:40].rstrip() for line in app.lines()] == [line[:40].rstrip() for line in before]
        assert app.table.cursor == 500


async def test_rows_that_arrive_while_the_last_page_is_on_its_way_are_fetched_after_it():
    app, numbers = OneTable(), Numbers()
    numbers.gate = asyncio.Event()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, 10)
        await pilot.pause()
        app.table.grow(13)
        numbers.gate.set()
        await rest(pilot)
        assert "row 9" in app.lines()[10]
        assert "row 12" in app.lines()[13]


async def test_at_the_last_row_the_cursor_follows_what_arrives():
    app, numbers = OneTable(), Numbers()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(numbers, 1_000)
        app.table.move_to(999)
        await rest(pilot)
        app.table.grow(1_003)
        await rest(pilot)
        assert app.table.cursor == 1_002
        assert "row 1002" in app.lines()[-1]


async def test_wide_characters_do_not_shift_columns():
    columns = (Column("name", "name", min_width=10, max_width=10), Column("amount", "amount", align="right"))
    app = OneTable(columns)
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.set_rows([["plain", "1.00"], ["電気代電気代電気代", "2.00"], ["e\u0301te\u0301", "3.00"]])
        await rest(pilot)
        from rich.cells import cell_len

        ends = {cell_len(line.rstrip()) for line in app.lines()[1:4]}
        assert len(ends) == 1


@pytest.mark.parametrize(
    "text", ["[/]", "[bold]x", "\\[", "\x1b[31mred\x07", "\u202eevil", "a" * 10_000, "x\ny\tz", "\ud800"]
)
async def test_hostile_text_changes_only_its_own_cell(text):
    app = OneTable()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows([["1", text], ["2", "after"]])
        await rest(pilot)
        lines = app.lines()
        assert "\x1b" not in lines[1]
        assert lines[2].split() == ["2", "after"]


async def test_a_page_that_cannot_be_read_says_why_and_the_rest_can_be_read():
    app, numbers = OneTable(), Numbers()
    numbers.fail = True
    async with app.run_test(size=(160, 10)) as pilot:
        app.table.set_source(numbers, 1_000)
        await rest(pilot)
        assert "a bad frame" in app.lines()[1]
        numbers.fail = False
        app.table.move_to(700)
        await rest(pilot)
        assert any("row 700" in line for line in app.lines())


async def test_why_rows_cannot_be_read_is_told_wherever_one_is_among_them():
    app, numbers = OneTable(), Numbers()
    numbers.fail = True
    async with app.run_test(size=(90, 20)) as pilot:
        app.table.set_source(numbers, PAGE_ROWS, cursor=PAGE_ROWS - 1)
        await rest(pilot)
        assert app.table.scroll_top > 0
        assert "a bad frame" in app.lines()[1]
        assert sum("·" in line for line in app.lines()) == app.table.visible_rows - 1


@pytest.mark.parametrize("fail", [False, True])
async def test_what_comes_late_of_other_rows_is_neither_shown_nor_told(fail: bool):
    app, left, there = OneTable(), Numbers(), Numbers()
    left.gate, there.gate = asyncio.Event(), asyncio.Event()
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.set_source(left, 100)
        await pilot.pause()
        assert left.asked
        app.table.set_source(there, 100)
        left.fail = fail
        left.gate.set()
        async with asyncio.timeout(10):
            while not there.asked:
                await pilot.pause()
        assert app.table.row_at(0) is None
        assert "bad frame" not in " ".join(app.lines())
        there.gate.set()
        await rest(pilot)
        assert "row 0" in app.lines()[1]


async def test_columns_give_way_in_their_order_where_there_is_little_room():
    columns = (
        Column("a", "aaaa", min_width=10, max_width=10),
        Column("b", "bbbb", min_width=10, max_width=10, drop=1),
        Column("c", "cccc", min_width=10, max_width=10, drop=2),
    )
    app = OneTable(columns)
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.set_rows([["1", "2", "3"]])
        await rest(pilot)
        assert app.lines()[0].split() == ["aaaa", "bbbb", "cccc"]
        await pilot.resize_terminal(25, 10)
        await rest(pilot)
        assert app.lines()[0].split() == ["aaaa", "bbbb"]


async def test_decimals_give_way_before_whole_digits():
    columns = (Column("amount", "amount", align="right", min_width=6, max_width=8, number=True),)
    app = OneTable(columns)
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.set_rows([["12.000000000001"], ["123,456,789.00"]])
        await rest(pilot)
        assert app.lines()[1].strip("▌ ") == "12.0000…"
        assert app.lines()[2].strip() == "########"


async def test_a_click_moves_the_cursor_and_a_second_one_opens():
    app = OneTable()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.set_rows([[str(row), Cell("x", "dim")] for row in range(5)])
        await rest(pilot)
        await pilot.click(app.table, offset=(5, 3))
        assert app.table.cursor == 2
        await pilot.click(app.table, offset=(5, 3), times=2)
        await rest(pilot)
        assert app.opened == [2]


async def test_rows_replaced_under_the_cursor_keep_cursor_and_scroll():
    app = OneTable()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.set_rows([[str(row), "old"] for row in range(500)])
        app.table.move_to(250)
        await rest(pilot)
        top = app.table.scroll_top
        app.table.set_rows([[str(row), "new"] for row in range(500)])
        await rest(pilot)
        assert (app.table.cursor, app.table.scroll_top) == (250, top)
        app.table.set_rows([["0", "few"]])
        await rest(pilot)
        assert app.table.cursor == 0


async def test_a_table_copies_from_the_column_it_names_until_another_is_marked_and_marks_none_before():
    columns = [Column("name", "name"), Column("amount", "amount", copied=True), Column("seq", "seq")]
    app = OneTable(columns)
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.table
        table.focus()
        table.set_rows([["Rent", "17.00", "8"]])
        await rest(pilot)

        def underlined() -> str:
            head = table.render_lines(table.region)[0]
            return "".join(part.text for part in head if part.style is not None and part.style.underline)

        assert (columns[table.column].id, underlined()) == ("amount", "")
        table.set_columns(columns[1:])
        assert (table.column, underlined()) == (0, "")
        await pilot.press("right_square_bracket")
        assert (table.column, underlined()) == (1, "seq")
        table.set_columns(columns)
        assert (table.column, underlined()) == (2, "seq")
        table.set_columns(columns[:2])
        assert (table.column, underlined()) == (1, "")
