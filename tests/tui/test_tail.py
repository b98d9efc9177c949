"""The tail as a person uses it: the real application over a store, driven by keys."""

from __future__ import annotations

import asyncio
import json
import re
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs
from textual.pilot import Pilot
from textual.widgets import Input

from store import (
    AccountCfg,
    AccountKind,
    BookInfo,
    CorruptLog,
    ExternalRef,
    LogTaleaStore,
    Sequenced,
    Sieve,
    Sifted,
    StoreIOError,
    Transaction,
    TransactionPosted,
)
from talea_tui.app import TaleaApp
from talea_tui.events.rate import RateMeter
from talea_tui.events.text import BookEvent
from talea_tui.screens.event import EventScreen
from talea_tui.screens.tail import TailScreen
from talea_tui.screens.tail_pane import TailPane
from talea_tui.settings import Settings
from talea_tui.widgets.fetched_rows import ROWS_KEPT
from tests.support.build import asset, definition, household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle

BOOK = "payments"
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)


class Stream(MemoryStore):
    """Takes any number of payments without checking them, each `step` after the last, ending about NOW."""

    def __init__(self, events: int = 0, step: timedelta = timedelta(seconds=1)) -> None:
        self.moment = NOW - step * (events + 2)
        self.step = step
        super().__init__(self.tick)
        self.limits: list[int] = []

    def tick(self) -> int:
        self.moment += self.step
        return round(self.moment.timestamp() * 1_000_000)

    def flow(self, transactions: Iterable[Transaction]) -> None:
        for transaction in transactions:
            events = self.ledger.book(transaction.book).events
            self.tick()
            events.append(Sequenced(len(events) + 1, self.moment, TransactionPosted(transaction)))
        self._wake()

    async def book(self, name: str) -> BookInfo | None:
        events = self._open().book(name).events
        if not events:
            return None
        return BookInfo(
            name=name,
            last_seq=len(events),
            head=(len(events), "0" * 64),
            last_at=events[-1].at,
            accounts=7,
            transactions=len(events) - 7,
            bytes_on_disk=200 * len(events),
            segments=1,
            snapshots=0,
            runs=0,
            repairs=(),
            writer="running",
            error=None,
            queued=0,
            batch_size=1.0,
            sync_micros=0.0,
        )

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        self.limits.append(limit)
        return self._open().book(book).events[max(0, from_seq - 1) : max(0, from_seq - 1) + limit]

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        events = self._open().book(book).events
        return [events[seq - 1] for seq in seqs if 1 <= seq <= len(events)]

    async def seq_at(self, book: str, t: datetime) -> int:
        return bisect_right(self._open().book(book).events, t, key=lambda event: event.at)


def numbered(number: int, book: str = BOOK, words: str = "payment") -> Transaction:
    return transfer(
        "assets:cash" if number % 10 else "assets:bank",
        "income:salary",
        number,
        book=book,
        key=f"{book}-{number}",
        metadata={"description": f"{words} {number}"},
    )


def payments(numbers: range) -> list[Transaction]:
    return [numbered(number) for number in numbers]


async def filled(count: int, kind: type[Stream] = Stream) -> Stream:
    """A book of exactly `count` events: seven accounts, then payments numbered by their seq."""
    store = kind(count)
    await household(store, BOOK)
    store.flow(payments(range(8, count + 1)))
    return store


def on_tail(book: str = BOOK, **layout: object) -> Settings:
    return Settings(screen="tail", book=book, layout=dict(layout))


def tail(pilot: Pilot[int]) -> TailPane:
    """The tail that the keys go to."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, TailScreen)).pane


def text(pilot: Pilot[int]) -> str:
    return screen_text(cast(TaleaApp, pilot.app))


def lines_but_for_the_scroll_bar(pilot: Pilot[int]) -> list[str]:
    return [line[:79].rstrip() for line in text(pilot).split("\n")[2:-1]]


def shown(pilot: Pilot[int]) -> list[int]:
    """The seqs of the rows on the screen."""
    view = tail(pilot).view
    found = [view.event_at(row) for row in view.shown_rows]
    assert all(found), "a row on the screen was never fetched"
    return [event.sequenced.seq for event in found if event is not None]


def visible(pilot: Pilot[int]) -> list[BookEvent]:
    view = tail(pilot).view
    return [event for event in map(view.event_at, view.shown_rows) if event is not None]


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """Let the application run until something holds."""
    for _ in range(2_000):
        if condition():
            await settle(pilot)
            return
        await pilot.pause()
    raise AssertionError("it never came to hold")


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def type_filter(pilot: Pilot[int], typed: str) -> None:
    await pilot.press("slash")
    tail(pilot).prompt.line.value = typed
    await settle(pilot)


def scanned(pilot: Pilot[int]) -> bool:
    matched = tail(pilot)._matched
    return matched is not None and matched.is_complete


async def test_the_newest_events_stand_at_the_bottom_and_what_is_posted_joins_them(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        assert shown(pilot)[-1] == 20_000
        assert "following" in text(pilot)
        assert "income:salary → assets:bank" in text(pilot)
        store.flow(payments(range(20_001, 20_004)))
        await until(pilot, lambda: tail(pilot).view.source.end == 20_003)
        assert shown(pilot)[-3:] == [20_001, 20_002, 20_003]
        assert "seq 20,003" in text(pilot)


async def test_while_events_come_the_line_above_tells_how_late_they_come(open_app: OpenApp) -> None:
    store = Stream(110)
    await household(store, BOOK)
    store.flow(payments(range(8, 101)))
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        assert "lag" not in text(pilot)
        store.moment = NOW - timedelta(milliseconds=1_084)
        store.flow(payments(range(101, 102)))
        await until(pilot, lambda: tail(pilot).view.source.end == 101)
        assert "seq 101 · lag 84 ms" in text(pilot)


async def test_in_little_room_a_line_keeps_its_cents_and_both_its_accounts(open_app: OpenApp) -> None:
    store = await filled(8)
    employer = "income:brouwerij-de-ryck-en-zonen"
    store.flow([transfer("assets:bank", employer, 2_402_050, book=BOOK, metadata={"description": "Salary"})])
    async with open_app(store, size=(60, 20), settings=on_tail()) as pilot:
        line = next(line for line in text(pilot).splitlines() if "brouw" in line)
        assert re.search(r"brouw[a-z-]*… → bank +EUR 24,020\.50  Salary", line)


class Timed(RateMeter):
    """By its own time, which the test lets pass."""

    time = 100.0

    def observe(self, now: float, total: int) -> None:
        super().observe(self.time, total)


async def test_what_came_while_one_was_elsewhere_is_no_burst(open_app: OpenApp) -> None:
    store = await filled(100)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        meter = tail(pilot)._meter = Timed()
        meter.observe(0, 100)
        await press(pilot, "7")
        meter.time += 10
        store.flow(payments(range(101, 1_101)))
        await press(pilot, "5")
        await until(pilot, lambda: "seq 1,100" in text(pilot))
        assert meter.counts(10) == [100] * 10
        assert "▇ 100/s" in text(pilot)


async def test_a_clock_set_back_ends_the_telling_of_how_late_events_come(open_app: OpenApp) -> None:
    store = Stream(110)
    await household(store, BOOK)
    clock = [NOW]
    async with open_app(store, size=(120, 24), settings=on_tail(), clock=lambda: clock[0]) as pilot:
        store.moment = NOW - timedelta(milliseconds=1_084)
        store.flow(payments(range(8, 9)))
        await until(pilot, lambda: tail(pilot).view.source.end == 8)
        assert "seq 8 · lag 84 ms" in text(pilot)
        clock[0] -= timedelta(hours=2)
        await press(pilot, "tab", "space")  # looked at anew
        assert "seq 8 · in 1 h" in text(pilot)


async def test_only_pages_around_what_is_seen_are_ever_read(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "home", "end", "pageup", "pageup")
        store.flow(payments(range(20_001, 20_301)))
        await until(pilot, lambda: tail(pilot).view.new == 300)
        assert max(store.limits) <= 3 * tail(pilot).view.visible_rows


@pytest.mark.parametrize("how", ["up", "space", "pageup", "home", "wheel"])
async def test_whatever_moves_the_place_pauses_and_counts_exactly_what_is_new(
    open_app: OpenApp, how: str
) -> None:
    store = await filled(500)
    async with open_app(store, settings=on_tail()) as pilot:
        if how == "wheel":
            tail(pilot).view.scroll_rows(-3)
            await settle(pilot)
        else:
            await press(pilot, how)
        before, lines = shown(pilot), lines_but_for_the_scroll_bar(pilot)
        assert "paused" in text(pilot)
        assert tail(pilot).view.new == 0
        store.flow(payments(range(501, 1_735)))
        await until(pilot, lambda: tail(pilot).view.new == 1_234)
        assert "+1,234 new" in text(pilot)
        assert shown(pilot) == before
        assert lines_but_for_the_scroll_bar(pilot) == lines
        await press(pilot, "f")
        assert shown(pilot)[-1] == 1_734
        assert "following" in text(pilot)
        assert tail(pilot).view.new == 0


async def test_end_and_space_follow_again(open_app: OpenApp) -> None:
    store = await filled(100)
    async with open_app(store, settings=on_tail()) as pilot:
        for key in ("end", "space"):
            await press(pilot, "space")
            assert not tail(pilot).view.following
            await press(pilot, key)
            assert tail(pilot).view.following


async def test_the_cursor_walks_the_whole_history(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "up")
        assert tail(pilot).view.current.sequenced.seq == 19_999
        await press(pilot, "home")
        assert shown(pilot)[0] == 1
        assert "opened assets:cash (asset, EUR)" in text(pilot)
        await press(pilot, "down", "down", "pagedown")
        assert tail(pilot).view.current.sequenced.seq == 3 + tail(pilot).view.visible_rows
        await press(pilot, "k", "j", "pageup")
        assert tail(pilot).view.current.sequenced.seq == 3


async def test_a_filter_shows_matches_of_history_and_of_what_arrives(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        assert shown(pilot)[-2:] == [19_990, 20_000]
        assert "2,001 of 20,000 match" in text(pilot)
        await press(pilot, "enter")
        store.flow(payments(range(20_001, 20_021)))
        await until(pilot, lambda: shown(pilot)[-1] == 20_020)
        assert shown(pilot)[-3:] == [20_000, 20_010, 20_020]
        assert "2,003 of 20,020 match" in text(pilot)
        await press(pilot, "space")
        store.flow(payments(range(20_021, 20_041)))
        await until(pilot, lambda: tail(pilot).view.new == 2)
        assert "+2 new" in text(pilot)
        await press(pilot, "escape")
        assert tail(pilot).view.source.end == 20_040


async def test_the_filter_applies_while_it_is_being_typed(open_app: OpenApp) -> None:
    store = await filled(300)
    async with open_app(store, settings=on_tail()) as pilot:
        await pilot.press("slash", *"amount")
        await pilot.press("greater_than_sign")
        await settle(pilot)
        assert "amount wants a number" in text(pilot)
        await pilot.press(*"2.9")
        await until(pilot, lambda: scanned(pilot))
        assert shown(pilot) == list(range(291, 301))
        await pilot.press("5")
        await until(pilot, lambda: scanned(pilot))
        assert shown(pilot) == list(range(296, 301))
        await press(pilot, "escape")
        assert not tail(pilot).filter
        assert shown(pilot)[-1] == 300


async def test_a_filter_that_nothing_meets_says_so_and_escape_brings_everything_back(
    open_app: OpenApp,
) -> None:
    store = await filled(100)
    async with open_app(store, settings=on_tail()) as pilot:
        await type_filter(pilot, "[/red] nothing like it")
        await until(pilot, lambda: scanned(pilot))
        assert shown(pilot) == []
        assert "0 of 100 match" in text(pilot)
        assert "No event meets this filter" in text(pilot)
        await press(pilot, "enter", "escape")
        assert shown(pilot)[-1] == 100


async def test_filtering_while_paused_stays_at_what_one_reads(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "g", *"7000", "enter")
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        assert tail(pilot).view.current.sequenced.seq == 7_000
        await press(pilot, "enter", "down", "escape")
        assert not tail(pilot).filter
        assert tail(pilot).view.current.sequenced.seq == 7_010


async def test_a_filter_set_or_dropped_while_paused_counts_what_came_since_the_pause(
    open_app: OpenApp,
) -> None:
    store = await filled(6_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "g", *"5990", "enter")
        store.flow(payments(range(6_001, 6_101)))
        await until(pilot, lambda: tail(pilot).view.new == 100)
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        assert "paused  +10 new" in text(pilot)
        store.flow(payments(range(6_101, 6_201)))
        await until(pilot, lambda: tail(pilot).view.new == 20)
        await press(pilot, "enter", "escape")
        assert "paused  +200 new" in text(pilot)
        await press(pilot, "f", "space")
        assert tail(pilot).view.new == 0


async def test_go_to_a_seq_a_time_the_start_and_the_end(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "g", *"12345", "enter")
        assert tail(pilot).view.current.sequenced.seq == 12_345
        await press(pilot, "g", *"13:00", "enter")
        current = tail(pilot).view.current.sequenced
        assert current.at >= datetime(2026, 11, 22, 13, tzinfo=UTC)
        assert current.at < datetime(2026, 11, 22, 13, 0, 2, tzinfo=UTC)
        await press(pilot, "g", *"start", "enter")
        assert tail(pilot).view.current.sequenced.seq == 1
        await press(pilot, "g", *"end", "enter")
        assert tail(pilot).view.following
        await press(pilot, "g", *"20001", "enter")
        assert "the last is 20,000" in text(pilot)
        await press(pilot, "g", *"nonsense", "enter")
        assert "is no seq or time" in text(pilot)


async def test_rows_on_the_screen_are_not_forgotten_however_many_were_read(open_app: OpenApp) -> None:
    store = await filled(6_000)
    async with open_app(store, size=(80, 20), settings=on_tail()) as pilot:
        await press(pilot, "up")
        view = tail(pilot).view
        source, page = view.source, view.visible_rows
        assert source is not None
        assert ROWS_KEPT % page == 0, "else what is forgotten is not what is looked at"
        for row in (100 + page // 2, *range(1_000, 1_000 + ROWS_KEPT - page, page), 100):
            await view.go_to(source, row)
        await settle(pilot)
        assert shown(pilot) == list(range(101 - page // 2, 101 + page - page // 2))


class Gated(Stream):
    """Reads nothing of `BOOK` while its gate is closed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.gate, self.asked = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        if book == BOOK:
            self.asked.set()
            await self.gate.wait()
        return await super().read_events(book, from_seq, limit)


async def test_a_place_that_is_still_being_read_is_given_up_for_another_book(open_app: OpenApp) -> None:
    store = cast(Gated, await filled(2_000, Gated))
    await household(store, "savings")
    async with open_app(store, settings=on_tail()) as pilot:
        view = tail(pilot).view
        payments_shown = view.source
        assert payments_shown is not None
        store.gate.clear()
        store.asked.clear()
        going = asyncio.create_task(view.go_to(payments_shown, 1_500))
        await store.asked.wait()
        pilot.app.choose_book("savings")
        while view.source is payments_shown:
            await pilot.pause()
        store.gate.set()
        await going
        await settle(pilot)
        assert view.following
        assert shown(pilot) == list(range(1, 8))


async def test_a_filter_that_is_typed_while_one_is_being_dropped_holds(open_app: OpenApp) -> None:
    store = cast(Gated, await filled(2_000, Gated))
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "a")
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        await press(pilot, "enter", "up", "up")
        store.gate.clear()
        store.asked.clear()
        await pilot.press("escape")
        await store.asked.wait()
        await pilot.press("slash", *"salary")
        store.gate.set()
        await until(pilot, lambda: scanned(pilot))
        assert tail(pilot).filter.text == "salary"
        assert tail(pilot).view.source is tail(pilot)._matched


async def test_what_may_be_typed_and_what_is_wrong_with_it_are_shown_whole(open_app: OpenApp) -> None:
    async with open_app(await filled(20), settings=on_tail(), size=(80, 24)) as pilot:
        await press(pilot, "vertical_line")
        assert "a part of its name, or all; nothing to leave it" in text(pilot)
        await press(pilot, "escape")
        await type_filter(pilot, "amount>")
        assert "amount wants a number, as in amount>10 or amount:10..20" in text(pilot)


async def test_going_to_a_seq_that_the_filter_has_not_reached_waits_for_it(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await type_filter(pilot, "account:*bank")
        await pilot.press("enter", "g", *"1995", "enter")
        await until(pilot, lambda: scanned(pilot))
        assert tail(pilot).view.current.sequenced.seq == 2_000


class Slow(Stream):
    """Its older history is held back from whoever looks through it until it may go on."""

    def __init__(self, events: int = 0) -> None:
        super().__init__(events)
        self.may_go_on = asyncio.Event()

    async def sift(self, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        if to_seq <= 16_000:
            await self.may_go_on.wait()
        return await super().sift(book, sieve, from_seq, to_seq)


async def going_to(pilot: Pilot[int], place: str) -> None:
    """Go to where a filter has not come yet."""
    await type_filter(pilot, "account:*bank")
    await until(pilot, lambda: tail(pilot).view.source.first < 0)
    await press(pilot, "enter", "space", "g", *place, "enter")


async def test_a_place_to_go_to_is_told_and_waited_for_whatever_happens_to_the_screen(
    open_app: OpenApp,
) -> None:
    store = await filled(20_000, Slow)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        await going_to(pilot, "12:00")
        assert "410 of 4,096 match · 20 % of 20,000 · going to 12:00:00" in text(pilot)
        await press(pilot, "d", "7", "5")
        await pilot.resize_terminal(100, 30)
        await press(pilot, "vertical_line", "escape", "f1", "escape")
        panes = next(screen for screen in pilot.app.screen_stack if isinstance(screen, TailScreen)).panes
        panes[0].view.focus()
        await settle(pilot)
        assert "going to 12:00:00" in text(pilot)
        store.may_go_on.set()
        await until(pilot, lambda: scanned(pilot))
        assert tail(pilot).view.current.sequenced.seq == 12_670
        assert "going to" not in text(pilot)


async def test_figures_are_not_cut_while_a_filter_is_typed_and_what_is_cut_says_so(open_app: OpenApp) -> None:
    store = await filled(20_000, Slow)
    async with open_app(store, size=(72, 24), settings=on_tail()) as pilot:
        await press(pilot, "home")
        await type_filter(pilot, "account:*bank amount>0.01 -nothing")
        await until(pilot, lambda: "match" in text(pilot))
        line = next(line for line in text(pilot).split("\n") if " match " in line)
        assert "410 of 4,096 match · 20 % of 20,000 · going" in line
        assert line.endswith("…")


async def test_a_long_name_leaves_room_for_the_figures_of_its_stream(open_app: OpenApp) -> None:
    store, name = MemoryStore(), "the-household-of-the-tierenteyn-family"
    await household(store, name)
    async with open_app(store, size=(60, 20), settings=Settings(screen="tail", book=name)) as pilot:
        await press(pilot, "up")
        assert re.search(r"^ the-household-\S+ +▁* +0/s  seq 7 .*paused", text(pilot), re.MULTILINE)


@pytest.mark.parametrize("move", ["up", "home", "f", "space"])
async def test_whoever_moves_goes_nowhere_else(open_app: OpenApp, move: str) -> None:
    store = await filled(20_000, Slow)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        await going_to(pilot, "1995")
        assert "going to seq 1,995" in text(pilot)
        await press(pilot, move)
        assert "going to" not in text(pilot)


async def test_who_drops_the_filter_on_the_way_is_there(open_app: OpenApp) -> None:
    store = await filled(20_000, Slow)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        await going_to(pilot, "1995")
        assert "going to seq 1,995" in text(pilot)
        await press(pilot, "escape")
        assert tail(pilot).view.current.sequenced.seq == 1_995


async def test_steps_by_minute_hour_and_day(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "g", *"10000", "enter")

        async def seq_after(key: str) -> int:
            await press(pilot, key)
            return tail(pilot).view.current.sequenced.seq

        assert await seq_after("full_stop") == 10_060
        assert await seq_after("comma") == 10_000
        assert await seq_after("greater_than_sign") == 13_600
        assert await seq_after("less_than_sign") == 10_000
        assert await seq_after("left_square_bracket") == 1
        assert await seq_after("right_square_bracket") == 20_000


async def test_search_finds_the_newest_match_and_n_steps_both_ways(open_app: OpenApp) -> None:
    store = await filled(5_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "s", *"payment [34]000$", "enter")
        await until(pilot, lambda: tail(pilot).view.cursor is not None)
        await until(pilot, lambda: tail(pilot).view.current.sequenced.seq == 4_000)
        await press(pilot, "N")
        await until(pilot, lambda: tail(pilot).view.current.sequenced.seq == 3_000)
        assert "•" not in text(pilot)
        await press(pilot, "n")
        await until(pilot, lambda: tail(pilot).view.current.sequenced.seq == 4_000)
        await press(pilot, "n")
        await until(pilot, lambda: "No newer event matches" in text(pilot))
        await press(pilot, "s", *"(", "enter")
        assert "no regular expression" in text(pilot)


async def test_all_books_merge_by_commit_time_with_the_registry(open_app: OpenApp) -> None:
    store = Stream(40)
    await household(store, "alpha")
    await household(store, "beta")
    for number in range(8, 14):
        await store.commit(numbered(number, "alpha" if number % 2 else "beta"))
    async with open_app(store, settings=on_tail("alpha", tail_all=True)) as pilot:
        view = tail(pilot).view
        assert view.source.end == 22
        assert "all books" in text(pilot)
        seen = [view.event_at(row) for row in view.shown_rows]
        assert [event.sequenced.at for event in seen] == sorted(event.sequenced.at for event in seen)
        assert {event.book for event in seen} == {"alpha", "beta"}
        await press(pilot, "home")
        assert "registered EUR" in text(pilot)
        await household(store, "gamma")
        await until(pilot, lambda: view.source.end == 29)
        await press(pilot, "f")
        assert "gamma" in text(pilot)
        await press(pilot, "a")
        assert tail(pilot).view.source.end == 10


async def test_enter_opens_the_event_decoded_and_leads_on(open_app: OpenApp) -> None:
    store = await filled(50)
    await store.commit(
        transfer(
            "assets:bank",
            "income:salary",
            123_456,
            book=BOOK,
            key="invoice-run-7",
            metadata={"description": "Consulting [/bold]", "nested": {"n": 1}},
            external_refs=(ExternalRef(kind="invoice", value="2026-117"),),
        )
    )
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, EventScreen)
        for said in (
            "1,234.56",
            "invoice-run-7",
            "invoice: 2026-117",
            "Consulting [/bold]",
            '"n": 1',
            "assets:bank",
        ):
            assert said in text(pilot)
        await press(pilot, "comma")
        assert "payment 50" in text(pilot)
        await press(pilot, "full_stop", "full_stop")
        assert "no other event" in text(pilot)
        await press(pilot, "t")
        assert type(pilot.app.screen).__name__ == "TransactionScreen"
        await press(pilot, "escape", "escape")
        assert pilot.app.screen is tail(pilot).screen
        assert tail(pilot).view.current.sequenced.seq == 51


async def test_the_detail_pane_follows_the_cursor(open_app: OpenApp) -> None:
    store = await filled(50)
    async with open_app(store, size=(140, 30), settings=on_tail()) as pilot:
        await press(pilot, "d")
        assert f"{BOOK}-50" in text(pilot)
        await press(pilot, "up")
        assert f"{BOOK}-49" in text(pilot)
        assert pilot.app.settings.layout["tail_details"] is True


async def test_what_is_shown_is_copied_and_exported_as_json_lines(open_app: OpenApp, tmp_path: Path) -> None:
    store = await filled(2_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "Y")
        assert json.loads(pilot.app.clipboard)["seq"] == 2_000
        await press(pilot, "y")
        assert "payment 2000" in pilot.app.clipboard
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        await press(pilot, "enter", "e")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "Ask")
        target = tmp_path / "banked.jsonl"
        pilot.app.screen.query_one("Input").value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: target.exists())
        lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        assert [line["seq"] for line in lines] == [2, *range(10, 2_001, 10)]


async def test_an_export_to_no_place_is_refused_and_one_from_a_removed_directory_begins_at_home(
    open_app: OpenApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    store = await filled(20)
    async with open_app(store, settings=on_tail()) as pilot:
        monkeypatch.chdir(gone)
        gone.rmdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        await press(pilot, "e")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "Ask")
        line = pilot.app.screen.query_one("Input")
        assert Path(line.value).parent == tmp_path
        for typed, said in (
            ("~nosuch/x", "no home directory known here"),
            ("x", "cannot be used: No such file"),
        ):
            line.value = typed
            await press(pilot, "enter")
            await until(pilot, lambda said=said: said in screen_text(pilot.app))
        line.value = str(tmp_path / "all.jsonl")
        await press(pilot, "enter")
        await until(pilot, lambda: (tmp_path / "all.jsonl").exists())


@pytest.mark.parametrize(
    ("key", "wrong", "said", "right"),
    [
        ("g", "99", "Seq 99 is not there; the last is 40", "9"),
        ("s", "paym(", "regular expression", "paym"),
        ("h", "amount>x", "amount wants a number", "amount>1"),
        ("o", "nobody", "No one book fits 'nobody'", "payments"),
    ],
)
async def test_an_answer_that_will_not_do_stays_in_the_line_with_the_reason(
    open_app: OpenApp, key: str, wrong: str, said: str, right: str
) -> None:
    store = await filled(40)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        await pilot.press(key)
        line = pilot.app.screen.query_one("#prompt-line", Input)
        line.value = wrong
        await press(pilot, "enter")
        await until(pilot, lambda: said in screen_text(pilot.app))
        assert (line.value, line.has_focus) == (wrong, True)
        line.value = right
        await press(pilot, "enter")
        await until(pilot, lambda: not line.display)
        assert said not in screen_text(pilot.app)
        await press(pilot, key)
        line.value = wrong
        await press(pilot, "enter", "escape")
        await until(pilot, lambda: not line.display)
        assert said not in screen_text(pilot.app)


async def test_as_of_shows_the_stream_up_to_that_instant(open_app: OpenApp) -> None:
    store = await filled(200)
    async with open_app(store, settings=on_tail()) as pilot:
        from talea_tui.widgets.shell import Instant

        pilot.app.show_instant(Instant("seq 120", NOW, 120, BOOK))
        await settle(pilot)
        assert shown(pilot)[-1] == 120
        store.flow(payments(range(201, 205)))
        await settle(pilot)
        assert shown(pilot)[-1] == 120
        pilot.app.show_instant(None)
        await until(pilot, lambda: shown(pilot)[-1:] == [204])


async def test_another_book_is_another_stream(open_app: OpenApp) -> None:
    store = await filled(100)
    await household(store, "savings")
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "up", "up")
        pilot.app.choose_book("savings")
        await until(pilot, lambda: shown(pilot) == list(range(1, 8)))
        assert tail(pilot).view.following


async def test_an_empty_ledger_waits_for_its_first_event(open_app: OpenApp) -> None:
    store = MemoryStore()
    async with open_app(store, settings=on_tail("")) as pilot:
        await press(pilot, "5")
        assert "Nothing yet" in text(pilot)
        await press(pilot, "up", "enter", "space", "f", "n", "d", "y", "Y", "a", "a")
        await household(store, BOOK)
        await until(pilot, lambda: shown(pilot) == list(range(1, 8)))


HOSTILE = (
    "[/]",
    "\\[red]",
    "\x1b[31mred\x1b[0m",
    "‮abc",
    "日本語の長いメモ",
    "x" * 10_000,
    "e" + "\u0301" * 50,
    "a\nb\tc",
)


async def test_hostile_text_changes_nothing_but_its_own_cell(open_app: OpenApp) -> None:
    store = Stream(30)
    await store.register_asset(asset("[/]", 2))
    await store.open_account(definition("[/red]:\u202ea", AccountKind.ASSET, "[/]", BOOK), AccountCfg())
    await store.open_account(definition("b[bold", AccountKind.ASSET, "[/]", BOOK), AccountCfg())
    for memo in HOSTILE:
        await store.commit(
            transfer(
                "[/red]:\u202ea",
                "b[bold",
                5,
                asset="[/]",
                book=BOOK,
                metadata={"description": memo, memo[:40]: memo},
            )
        )
    async with open_app(store, settings=on_tail(tail_details=True)) as pilot:
        for width, height in ((80, 24), (60, 20), (160, 48)):
            await pilot.resize_terminal(width, height)
            await press(pilot, "f", "up")
            lines = text(pilot).split("\n")
            assert not any(bad in text(pilot) for bad in ("\x1b", "\u202e"))
            assert len(lines) == height
        for memo in HOSTILE:
            await type_filter(pilot, f'"{memo[:30]}"')
            await until(pilot, lambda: scanned(pilot))
            await press(pilot, "enter", "enter", "escape", "escape")


class Breaking(Stream):
    """Its log is damaged from seq `from_seq` downwards."""

    broken = False

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        if self.broken:
            raise CorruptLog(book, "segment-1.log", 77, "a bad checksum")
        return await super().read_events(book, from_seq, limit)

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        if self.broken:
            raise CorruptLog(book, "segment-1.log", 77, "a bad checksum")
        return await super().events_at(book, seqs)


async def test_damage_met_while_reading_is_told_where_the_rows_would_stand(open_app: OpenApp) -> None:
    store = await filled(499, Breaking)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        store.broken = True
        await press(pilot, "pageup", "pageup", "pageup", "pageup")
        assert "segment-1.log" in text(pilot)
        await type_filter(pilot, "payment")
        await until(pilot, lambda: "stopped" in text(pilot))
        await press(pilot, "enter", "g", *"120", "enter", "comma", "N", "n", "a", "a", "Y", "h", "enter")
        await press(pilot, "escape")
        await until(pilot, lambda: not tail(pilot).filter)
        await press(pilot, "g", *"120", "enter")
        assert "a bad checksum" in text(pilot)
        store.broken = False
        await press(pilot, "5", "f")
        assert shown(pilot)[-1] == 499


class Ending(Stream):
    """Its news end after the first."""

    async def watch(self) -> AsyncGenerator[frozenset[str], None]:
        async for names in super().watch():
            yield names
            return


async def test_when_news_end_what_was_shown_stays(open_app: OpenApp) -> None:
    store = await filled(7, Ending)
    async with open_app(store, settings=on_tail()) as pilot:
        store.flow(payments(range(8, 10)))
        await until(pilot, lambda: shown(pilot)[-1:] == [9])
        store.flow(payments(range(10, 12)))
        await settle(pilot)
        assert shown(pilot)[-1] == 9
        await press(pilot, "up", "home", "f")
        assert shown(pilot)[0] == 1


async def test_a_real_store_under_load_is_shown_to_its_last_event(open_app: OpenApp, tmp_path: Path) -> None:
    store = await LogTaleaStore.open(tmp_path)
    await household(store, BOOK)
    await household(store, "other")
    async with open_app(store, settings=on_tail()) as pilot:

        async def load() -> None:
            for start in range(0, 3_000, 100):
                await store.commit_batch([numbered(number + 1) for number in range(start, start + 100)])

        loading = asyncio.create_task(load())
        await until(pilot, lambda: tail(pilot).view.source.end > 500)
        await pilot.press("space")
        before, paused_at = shown(pilot), tail(pilot).view.source.end
        await loading
        await until(pilot, lambda: tail(pilot).view.source.end == 3_007)
        assert shown(pilot) == before
        assert tail(pilot).view.new == 3_007 - paused_at
        await press(pilot, "f")
        assert shown(pilot)[-1] == 3_007
        await type_filter(pilot, "account:*bank amount>=29")
        await until(pilot, lambda: scanned(pilot))
        keys = [event.sequenced.event.transaction.idempotency_key for event in visible(pilot)]
        assert keys == [f"{BOOK}-{number}" for number in range(2_900, 3_001, 10)]
        await press(pilot, "enter", "a")
        assert tail(pilot).view.source.end == 0
        await until(pilot, lambda: scanned(pilot))
        assert "of 3,016 match" in text(pilot)


async def test_the_mouse_selects_opens_scrolls_and_drags(open_app: OpenApp) -> None:
    store = await filled(1_000)
    async with open_app(store, settings=on_tail()) as pilot:
        view = tail(pilot).view
        await pilot.click("#events", offset=(20, 5))
        await settle(pilot)
        assert not view.following
        assert view.current.sequenced.seq == shown(pilot)[4]
        middle = (view.size.width - 1, view.size.height // 2)
        await pilot.mouse_down("#events", offset=middle)
        await pilot.mouse_up("#events", offset=middle)
        await settle(pilot)
        assert 400 < shown(pilot)[0] < 600
        await pilot.click("#events", offset=(20, 5), times=2)
        await settle(pilot)
        assert isinstance(pilot.app.screen, EventScreen)


async def test_resizing_keeps_the_cursor_to_be_seen(open_app: OpenApp) -> None:
    store = await filled(1_000)
    async with open_app(store, size=(160, 48), settings=on_tail(tail_details=True)) as pilot:
        await press(pilot, "up", "up")
        for size in ((80, 24), (60, 20), (20, 6), (5, 3), (160, 48)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert tail(pilot).view.current.sequenced.seq == 998
        assert 998 in shown(pilot)


async def test_the_filter_is_kept_when_one_goes_to_another_screen_and_back(open_app: OpenApp) -> None:
    store = await filled(200)
    async with open_app(store, settings=on_tail()) as pilot:
        await type_filter(pilot, "account:*bank")
        await until(pilot, lambda: scanned(pilot))
        await press(pilot, "enter", "up", "up", "7")
        store.flow(payments(range(201, 241)))
        await press(pilot, "5")
        await until(pilot, lambda: tail(pilot).view.new == 4)
        assert tail(pilot).view.current.sequenced.seq == 180
        assert shown(pilot)[-1] == 200


async def test_typing_a_filter_again_and_again_ends_with_what_was_typed_last(open_app: OpenApp) -> None:
    store = await filled(20_000)
    async with open_app(store, settings=on_tail()) as pilot:
        await press(pilot, "g", *"15000", "enter")
        await pilot.press("slash", *"payment 15")
        await pilot.press(*["backspace"] * 3, *"17")
        await pilot.press("enter")
        await until(pilot, lambda: scanned(pilot))
        expected = [number for number in range(8, 20_001) if "17" in f"{number}"]
        assert tail(pilot).filter.text == "payment17"
        assert tail(pilot)._matched.matches == 0
        await press(pilot, "escape")
        assert tail(pilot).view.current.sequenced.seq == 15_000
        await type_filter(pilot, "17")
        await until(pilot, lambda: scanned(pilot))
        assert tail(pilot)._matched.matches >= len(expected)
        assert tail(pilot).view.current.sequenced.seq >= 15_000


class Stopped(Stream):
    """Its writer has stopped, and whoever watches for changes hears of it."""

    async def book(self, name: str) -> BookInfo | None:
        info = await super().book(name)
        return info and structs.replace(info, writer="stopped", error="No space left on device.")


async def test_a_writer_that_stopped_is_told_and_history_can_still_be_read(open_app: OpenApp) -> None:
    store = await filled(100, Stopped)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        assert "writer stopped: No space left on device." in text(pilot)
        await press(pilot, "home")
        assert shown(pilot)[0] == 1


async def test_a_sentence_that_does_not_fit_ends_in_dots_before_the_state(open_app: OpenApp) -> None:
    async with open_app(await filled(100, Stopped), size=(60, 24), settings=on_tail()) as pilot:
        assert re.search(r"writer stopped: No space left[a-z ]*…  following", text(pilot))


async def test_among_all_books_the_one_whose_writer_stopped_is_named_beside_the_rate(
    open_app: OpenApp,
) -> None:
    async with open_app(await filled(100, Stopped), size=(120, 24), settings=on_tail()) as pilot:
        await press(pilot, "a")
        assert re.search(r"all books +payments stopped +▁+ 0/s +events ", text(pilot))


class Away(Stream):
    """Its times cannot be read while it is away."""

    is_away = False

    async def seq_at(self, book: str, t: datetime) -> int:
        if self.is_away:
            raise StoreIOError("Book 'payments' cannot be read: No such file or directory.")
        return await super().seq_at(book, t)


async def test_whoever_follows_again_is_told_no_more_what_went_wrong_before(open_app: OpenApp) -> None:
    store = await filled(100, Away)
    async with open_app(store, size=(120, 24), settings=on_tail()) as pilot:
        store.is_away = True
        await press(pilot, "left_square_bracket")
        assert "Book 'payments' cannot be read" in text(pilot)
        store.is_away = False
        await press(pilot, "f")
        assert "cannot be read" not in text(pilot)


class Raising(Stream):
    """Its news end with an error."""

    async def watch(self) -> AsyncGenerator[frozenset[str], None]:
        async for names in super().watch():
            yield names
            raise StoreIOError("The disk is gone.")


async def test_when_news_end_with_an_error_what_was_shown_stays(open_app: OpenApp) -> None:
    store = await filled(7, Raising)
    async with open_app(store, settings=on_tail()) as pilot:
        store.flow(payments(range(8, 10)))
        await until(pilot, lambda: shown(pilot)[-1:] == [9])
        await press(pilot, "up", "home", "f")
        assert shown(pilot)[0] == 1
