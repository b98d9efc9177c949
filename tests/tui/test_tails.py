"""Several tails at once, each with its own book, filter and place; rules by which events stand out; frames."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
from textual.pilot import Pilot

from store import LogTaleaStore
from talea_tui.events.filter import FilterError
from talea_tui.events.rules import MARKERS, Rules
from talea_tui.screens.tail import PANES_MAX, TailScreen
from talea_tui.screens.tail_pane import TailPane
from talea_tui.settings import Settings
from tests.support.build import household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle, until

ONE, TWO = "household", "studio"


async def filled() -> MemoryStore:
    """Two books of 40 events, the last 33 of them payments numbered by their seq."""
    store = MemoryStore()
    for book in (ONE, TWO):
        await household(store, book)
        for number in range(8, 41):
            await post(store, book, number)
    return store


async def post(store: MemoryStore | LogTaleaStore, book: str, number: int) -> None:
    to = "assets:cash" if number % 10 else "assets:bank"
    await store.commit(
        transfer(to, "income:salary", number, book=book, metadata={"description": f"{book} {number}"})
    )


def on_tail(**layout: object) -> Settings:
    return Settings(screen="tail", book=ONE, layout=dict(layout))


def screen(pilot: Pilot[int]) -> TailScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, TailScreen))


def panes(pilot: Pilot[int]) -> list[TailPane]:
    return screen(pilot).panes


def text(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app)


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def second_tail(pilot: Pilot[int], book: str = TWO) -> None:
    await press(pilot, "vertical_line")
    await press(pilot, *book, "enter")


@pytest.mark.parametrize(("size", "beside"), [((160, 48), True), ((80, 24), False), ((60, 20), False)])
async def test_a_second_tail_shows_another_book_beside_the_first_or_below_it(
    open_app: OpenApp, size: tuple[int, int], beside: bool
) -> None:
    async with open_app(await filled(), size=size, settings=on_tail()) as pilot:
        await second_tail(pilot)
        first, second = panes(pilot)
        assert (first.what, second.what) == (ONE, TWO)
        assert (first.region.y == second.region.y) is beside
        assert (first.region.x == second.region.x) is not beside
        assert f"▸{TWO}" in text(pilot)
        assert f" {ONE}" in text(pilot)
        assert first.view.current is not None
        assert first.view.current.id == (ONE, 40)
        assert second.view.current is not None
        assert second.view.current.id == (TWO, 40)


async def test_each_tail_has_a_filter_and_a_place_of_its_own(open_app: OpenApp) -> None:
    store = await filled()
    async with open_app(store, size=(160, 48), settings=on_tail()) as pilot:
        await second_tail(pilot)
        await press(pilot, "slash", *"amount", "greater_than_sign", *"0.39", "enter")
        await press(pilot, "tab", "up")
        await post(store, ONE, 41)
        await post(store, TWO, 41)
        await until(pilot, lambda: panes(pilot)[0].view.new == 1)
        first, second = panes(pilot)
        assert not first.view.following
        assert second.view.following
        assert not first.filter
        await until(pilot, lambda: second.view.source is not None and second.view.source.end == 1)
        assert second.view.current is not None
        assert second.view.current.id == (TWO, 41)
        assert "+1 new" in text(pilot)
        await press(pilot, "escape")
        assert second.filter.text == "amount>0.39"


async def test_only_in_the_tail_that_the_keys_go_to_is_the_cursor_marked_brightly(open_app: OpenApp) -> None:
    def marks() -> list[str]:
        return re.findall("^([▌│]) *39 ", text(pilot), re.MULTILINE)

    async with open_app(await filled(), settings=on_tail()) as pilot:
        await press(pilot, "up")
        await second_tail(pilot)
        await press(pilot, "up")
        assert marks() == ["│", "▌"]
        await press(pilot, "tab")
        assert marks() == ["▌", "│"]


async def test_a_tail_is_closed_and_the_keys_go_to_the_one_that_stays(open_app: OpenApp) -> None:
    async with open_app(await filled(), size=(160, 48), settings=on_tail()) as pilot:
        await second_tail(pilot)
        await press(pilot, "t")
        assert panes(pilot)[0].is_current
        await press(pilot, "tab")
        assert panes(pilot)[1].is_current
        await press(pilot, "w")
        assert [pane.what for pane in panes(pilot)] == [ONE]
        assert panes(pilot)[0].is_current
        assert "▸" not in text(pilot)
        await press(pilot, "w")
        assert "only tail" in text(pilot)


async def test_no_more_tails_are_added_than_can_be_read(open_app: OpenApp) -> None:
    async with open_app(await filled(), size=(160, 48), settings=on_tail()) as pilot:
        for _ in range(PANES_MAX - 1):
            await press(pilot, "v", "escape")
        await press(pilot, "v")
        assert len(panes(pilot)) == PANES_MAX
        assert "no room" in text(pilot)
    async with open_app(await filled(), size=(60, 20), settings=on_tail()) as pilot:
        for _ in range(2):
            await press(pilot, "v", "escape")
        await press(pilot, "v")
        assert len(panes(pilot)) == 3
        assert all(pane.view.size.height >= 3 for pane in panes(pilot))


async def test_tails_with_book_and_filter_come_back_the_next_time(open_app: OpenApp) -> None:
    settings = on_tail()
    store = await filled()
    async with open_app(store, size=(160, 48), settings=settings) as pilot:
        await second_tail(pilot)
        await press(pilot, "slash", *"39", "enter")
        await press(pilot, "v", *"all", "enter")
    async with open_app(await filled(), size=(160, 48), settings=settings) as pilot:
        await until(pilot, lambda: "match" in text(pilot))
        assert [pane.what for pane in panes(pilot)] == [ONE, TWO, "all books"]
        assert [pane.filter.text for pane in panes(pilot)] == ["", "39", ""]


async def test_a_tail_of_a_book_that_another_ledger_has_waits_until_that_one_is_opened(
    open_app: OpenApp,
) -> None:
    settings = on_tail()
    async with open_app(await filled(), size=(160, 48), settings=settings) as pilot:
        await second_tail(pilot)
    other = MemoryStore()
    await household(other, ONE)
    async with open_app(other, size=(160, 48), settings=settings) as pilot:
        assert [pane.what for pane in panes(pilot)] == [ONE]
        await second_tail(pilot, "all")
    async with open_app(await filled(), size=(160, 48), settings=settings) as pilot:
        assert [pane.what for pane in panes(pilot)] == [ONE, "all books", TWO]


@pytest.mark.parametrize("kept", [None, 7, "x", [1], [["a"]], [[None, "x"]], {"a": 1}, [["gone", "amount>"]]])
async def test_what_was_remembered_wrongly_keeps_nobody_out(open_app: OpenApp, kept: object) -> None:
    async with open_app(await filled(), settings=on_tail(tails=kept, tail_rules=kept)) as pilot:
        await settle(pilot)
        assert panes(pilot)[0].view.current is not None


async def test_another_book_is_named_by_a_part_of_its_name(open_app: OpenApp) -> None:
    async with open_app(await filled(), size=(100, 30), settings=on_tail()) as pilot:
        await press(pilot, "o", *"stu", "enter")
        assert panes(pilot)[0].what == TWO
        await press(pilot, "o", *"nothing", "enter")
        assert "No one book fits 'nothing'" in text(pilot)
        assert panes(pilot)[0].what == TWO
        await press(pilot, "escape", "o", *"all", "enter")
        assert panes(pilot)[0].what == "all books"
        await press(pilot, "a")
        await press(pilot, "o", *"o", "enter")
        assert "all do" in text(pilot)


# Rules.


async def test_rules_have_a_marker_each_and_are_listed_removed_and_remembered(open_app: OpenApp) -> None:
    settings = on_tail()
    async with open_app(await filled(), size=(100, 40), settings=settings) as pilot:
        await press(pilot, "h", *"account:", "asterisk", *"bank", "enter")
        await press(pilot, "h", *"amount", "greater_than_sign", *"0.38", "enter")
        lines = text(pilot).split("\n")
        marked = {line[0]: re.findall(r"\d+", line)[0] for line in lines if line[:1] in MARKERS and line[:1]}
        assert marked == {"!": "40", "+": "39"}
        assert sum(line.startswith("!") for line in lines) == 4
        assert settings.layout["tail_rules"] == [["!", "account:*bank"], ["+", "amount>0.38"]]
        await press(pilot, "H")
        assert "account:*bank" in text(pilot)
        assert "amount>0.38" in text(pilot)
        await press(pilot, "x", "escape")
        lines = text(pilot).split("\n")
        assert not any(line.startswith("!") for line in lines)
        assert sum(line.startswith("+") for line in lines) == 2
    async with open_app(await filled(), size=(100, 40), settings=settings) as pilot:
        assert sum(line.startswith("+") for line in text(pilot).split("\n")) == 2
        await press(pilot, "h", *"amount", "greater_than_sign", "enter")
        assert "amount wants a number" in text(pilot)


def test_a_rule_is_a_filter_and_there_are_as_many_as_markers() -> None:
    rules = Rules(lambda asset: 2)
    for text in ("", "  ", "amount>", "kind:nothing"):
        with pytest.raises(FilterError):
            rules.add(text)
    markers = [rules.add(f"text{n}") for n in range(len(MARKERS))]
    assert markers == list(MARKERS)
    assert rules.add("text2") == MARKERS[2]
    with pytest.raises(FilterError, match="remove one first"):
        rules.add("one more")
    rules.remove(MARKERS[3])
    assert rules.add("one more") == MARKERS[3]


# Frames.


async def test_the_details_of_an_event_tell_its_frame(open_app: OpenApp, tmp_path: Path) -> None:
    store = await LogTaleaStore.open(tmp_path)
    await household(store, ONE)
    for number in range(8, 12):
        await post(store, ONE, number)
    async with open_app(store, size=(160, 40), settings=on_tail()) as pilot:
        await press(pilot, "d", "up")
        for seq in (10, 9):
            frame = await store.frame_of(ONE, seq)
            assert frame is not None
            said = (
                frame.segment,
                f"byte {frame.offset:,} ",
                f"{frame.payload_bytes} bytes",
                f"{frame.crc32:08x}",
            )
            await until(pilot, lambda said=said: all(one in text(pilot) for one in said))  # type: ignore[misc]
            await press(pilot, "up")
        await press(pilot, "down", "enter")
        assert all(one in text(pilot) for one in said)


async def test_details_follow_the_tail_that_the_keys_go_to(open_app: OpenApp) -> None:
    async with open_app(await filled(), size=(160, 48), settings=on_tail()) as pilot:
        await second_tail(pilot)
        await press(pilot, "d")
        await until(pilot, lambda: f"{TWO} 40" in details(pilot))
        await press(pilot, "tab")
        await until(pilot, lambda: f"{ONE} 40" in details(pilot))


def details(pilot: Pilot[int]) -> str:
    return str(cast(TailScreen, screen(pilot)).detail.render())
