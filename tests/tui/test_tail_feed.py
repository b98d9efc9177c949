"""Rows of one book and of all books merged, matches, jumps, lines: the tail without its screen."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from store import (
    AccountCfg,
    AccountKind,
    AccountOpened,
    ExternalRef,
    Sequenced,
    StoreIOError,
    TransactionPosted,
)
from talea_tui.events.feed import EventFeed
from talea_tui.events.filter import EVERYTHING, Filter, parse_filter
from talea_tui.events.jsonl import event_json, event_object
from talea_tui.events.jump import SeqTarget, parse_target
from talea_tui.events.lines import fit_accounts, line_of, time_cell
from talea_tui.events.matched import MatchedFeed
from talea_tui.events.rate import RateMeter
from talea_tui.events.search import Search, SearchError, find_row
from talea_tui.events.text import BookEvent, searchable_text
from talea_tui.parsing import ParseError
from tests.support.build import BOOK, credit, debit, definition, household, posted, transfer
from tests.support.memory_store import MemoryStore

START = 1_772_000_000_000_000
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Ticks:
    """A clock of microseconds that stands still unless told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


async def books_in_disorder(seed: int) -> MemoryStore:
    """Three books whose commits interleave, many of them within the same microsecond."""
    clock, dice = Ticks(), random.Random(seed)
    store = MemoryStore(clock)
    for book in ("alpha", "beta", "gamma"):
        await household(store, book)
    for number in range(120):
        book = dice.choice(("alpha", "beta", "gamma"))
        memo = "coffee" if number % 7 == 0 else "rent"
        await store.commit(
            transfer("expenses:food", "equity:opening", number + 1, book=book, metadata={"description": memo})
        )
        clock.now += dice.choice((0, 0, 1, 1000))
    return store


async def everything(store: MemoryStore, *books: str) -> list[BookEvent]:
    events = [BookEvent(book, event) for book in books for event in await store.read_events(book, 1, 10_000)]
    return sorted(events, key=lambda event: event.merge_key)


@pytest.mark.parametrize("seed", range(4))
async def test_any_page_of_the_merged_books_is_a_slice_of_all_events_in_commit_order(seed: int) -> None:
    store = await books_in_disorder(seed)
    feed = EventFeed(store, None)
    await feed.refresh()
    expected = await everything(store, "_system", "alpha", "beta", "gamma")
    assert feed.end == len(expected)
    assert await feed.rows(0, feed.end) == expected
    for start in range(0, feed.end, 11):
        assert await feed.rows(start, min(start + 17, feed.end)) == expected[start : start + 17]
    for row, event in enumerate(expected):
        assert await feed.row_of(*event.id) == row


async def test_a_time_leads_to_the_first_row_committed_at_or_after_it() -> None:
    store = await books_in_disorder(1)
    feed = EventFeed(store, None)
    await feed.refresh()
    expected = await everything(store, "_system", "alpha", "beta", "gamma")
    for event in expected[::9]:
        at = event.sequenced.at
        assert await feed.row_at(at) == next(n for n, e in enumerate(expected) if e.sequenced.at >= at)
    assert await feed.row_at(expected[-1].sequenced.at + timedelta(days=1)) == feed.end
    assert await feed.row_at(expected[0].sequenced.at - timedelta(days=1)) == 0


async def test_a_straggler_of_another_book_takes_its_place_after_the_rows_that_are_held() -> None:
    clock = Ticks()
    store = MemoryStore(clock)
    await household(store, "late")
    await household(store, "early")
    clock.now += 1_000
    feed = EventFeed(store, None)
    await store.commit(transfer("assets:cash", "equity:opening", 1, book="early"))
    await feed.refresh()
    before = await feed.rows(0, feed.end)
    feed.hold()
    for event in await store.read_events("late", 1, 100):
        assert event.at < before[-1].sequenced.at
    clock.now -= 500
    await store.commit(transfer("assets:cash", "equity:opening", 2, book="late"))
    await feed.refresh(frozenset({"late"}))
    after = await feed.rows(0, feed.end)
    assert after[: len(before)] == before
    assert after[len(before) :] == [BookEvent("late", (await store.read_events("late", 8, 1))[0])]
    for row, event in enumerate(after):
        assert await feed.row_of(*event.id) == row
    feed.release()
    released = await feed.rows(0, feed.end)
    assert released == sorted(after, key=lambda event: event.merge_key)
    assert released != after


async def test_one_books_rows_are_its_seqs_and_refresh_tells_of_growth() -> None:
    store = MemoryStore()
    feed = EventFeed(store, BOOK)
    assert not await feed.refresh()
    assert (feed.end, await feed.rows(0, 0)) == (0, [])
    await household(store)
    assert await feed.refresh(frozenset({BOOK}))
    assert not await feed.refresh()
    assert [event.sequenced.seq for event in await feed.rows(2, 5)] == [3, 4, 5]
    assert (await feed.row_of(BOOK, 4), await feed.row_of(BOOK, 99)) == (3, 7)


async def test_as_of_ends_the_rows_at_that_instant() -> None:
    store = await books_in_disorder(2)
    expected = await everything(store, "_system", "alpha", "beta", "gamma")
    at = expected[60].sequenced.at
    feed = EventFeed(store, None, lambda book: at)
    await feed.refresh()
    assert await feed.rows(0, feed.end) == [event for event in expected if event.sequenced.at <= at]
    pinned = EventFeed(store, "alpha", lambda book: 5)
    await pinned.refresh()
    assert pinned.end == 5


@pytest.mark.parametrize("book", ["alpha", None])
async def test_a_filter_finds_every_match_of_history_and_of_what_arrives_once_and_in_order(
    book: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talea_tui.events.matched.BITE_EVENTS", 13)
    monkeypatch.setattr("talea_tui.events.matched.SLICE_EVENTS", 4)
    store = await books_in_disorder(3)
    feed = EventFeed(store, book)
    await feed.refresh()
    matched = MatchedFeed(feed, parse_filter("coffee", lambda asset: 2))
    await matched.step()
    assert 0 < matched.scanned <= 13
    assert not matched.is_complete
    for number in range(40):
        memo = "coffee" if number % 3 == 0 else "tea"
        await store.commit(
            transfer("assets:cash", "equity:opening", 1, book="alpha", metadata={"description": memo})
        )
    await feed.refresh()
    while await matched.catch_up():
        pass
    while not matched.is_complete:
        await matched.step()
    names = ("_system", "alpha", "beta", "gamma") if book is None else (book,)
    expected = [event for event in await everything(store, *names) if matched.filter.matches(*event)]
    assert await matched.rows(matched.first, matched.end) == expected
    assert (matched.matches, matched.scanned, matched.total) == (len(expected), feed.end, feed.end)
    assert matched.end == 14
    for row, event in enumerate(expected, matched.first):
        assert await matched.row_of(*event.id) == row
        assert matched.has_reached(event.sequenced.at)
    other = next(event for event in await feed.rows(0, feed.end) if event not in expected)
    following = [event for event in expected if event.merge_key > other.merge_key]
    assert await matched.row_of(*other.id) == matched.end - len(following)


async def test_whoever_looks_during_a_scan_sees_no_more_matches_than_events_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("talea_tui.events.matched.SLICE_EVENTS", 4)
    store = await books_in_disorder(3)
    feed = EventFeed(store, None)
    await feed.refresh()
    matched = MatchedFeed(feed, parse_filter("kind:tx", lambda asset: 2))
    looks = 0
    step = asyncio.ensure_future(matched.step())
    while not step.done():
        await asyncio.sleep(0)
        looks += 1
        assert matched.matches <= matched.scanned
    assert looks > 20
    assert matched.matches == 120


async def test_a_scan_that_failed_halfway_goes_on_with_every_match_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("talea_tui.events.matched.SLICE_EVENTS", 4)
    store = await books_in_disorder(3)
    feed = EventFeed(store, None)
    await feed.refresh()
    wanted = parse_filter("coffee", lambda asset: 2)
    matched = MatchedFeed(feed, wanted)
    with monkeypatch.context() as failing:
        tested = 0

        def matches(self: Filter, book: str, sequenced: Sequenced) -> bool:
            nonlocal tested
            tested += 1
            if tested == 30:
                raise StoreIOError("The disk is gone.")
            return "coffee" in searchable_text(sequenced.event)

        failing.setattr(Filter, "matches", matches)
        with pytest.raises(StoreIOError):
            await matched.step()
    await matched.step()
    expected = [
        event for event in await everything(store, "alpha", "beta", "gamma") if wanted.matches(*event)
    ]
    assert await matched.rows(matched.first, matched.end) == expected


async def test_an_empty_book_has_been_searched_before_it_began() -> None:
    matched = MatchedFeed(EventFeed(MemoryStore(), "nowhere"), EVERYTHING)
    await matched.step()
    assert matched.is_complete
    assert (matched.first, matched.end, matched.total) == (0, 0, 0)


async def test_search_steps_through_matches_both_ways_and_ends() -> None:
    store = await books_in_disorder(5)
    feed = EventFeed(store, None)
    await feed.refresh()
    rows = await feed.rows(0, feed.end)
    search = Search("cof+ee")
    hits = [row for row, event in enumerate(rows) if search.matches(event)]
    forwards, at = [], 0
    while (found := await find_row(feed, search, at, 1)) is not None:
        forwards.append(found)
        at = found + 1
    backwards, at = [], feed.end - 1
    while (found := await find_row(feed, search, at, -1)) is not None:
        backwards.append(found)
        at = found - 1
    assert hits
    assert forwards == hits
    assert backwards == hits[::-1]


def test_an_expression_that_would_take_for_ever_is_given_up() -> None:
    event = BookEvent("b", Sequenced(1, AT, TransactionPosted(transfer("a" * 60, "b", 1))))
    with pytest.raises(SearchError):
        Search(r"(a|aa|a?a)+(a|aa)+$x").matches(event)
    with pytest.raises(SearchError):
        Search("(")
    assert Search("AAA").matches(event) is False
    assert Search("aaa").matches(event)


NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("812331", SeqTarget(812_331)),
        ("812,331", SeqTarget(812_331)),
        ("#17", SeqTarget(17)),
        ("seq 17", SeqTarget(17)),
        ("payments#17", SeqTarget(17, "payments")),
        ("start", "start"),
        ("END", "end"),
        ("2026-09-30", datetime(2026, 9, 30, tzinfo=UTC)),
        ("2026-09-30 13:05", datetime(2026, 9, 30, 13, 5, tzinfo=UTC)),
        ("2026-09-30T13:05:07", datetime(2026, 9, 30, 13, 5, 7, tzinfo=UTC)),
        ("13:05", datetime(2026, 11, 22, 13, 5, tzinfo=UTC)),
        ("15:00", datetime(2026, 11, 21, 15, 0, tzinfo=UTC)),
        ("-2h", datetime(2026, 11, 22, 12, 2, 11, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 21, tzinfo=UTC)),
        ("fri 09:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
    ],
)
def test_go_to_reads_seqs_dates_and_times(text: str, target: object) -> None:
    assert parse_target(text, NOW) == target


@pytest.mark.parametrize("text", ["", "  ", "nonsense", "25:00", "2026-13-01", "9" * 30, "#", "-999999w"])
def test_go_to_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(ParseError):
        parse_target(text, NOW)


def test_go_to_names_what_it_can_read_and_no_day_of_the_month_that_would_be_a_seq() -> None:
    with pytest.raises(ParseError, match="no seq or time: type 812, 2026-11-22, 14:02, -2h, start or end"):
        parse_target("nonsense", NOW)
    with pytest.raises(ParseError, match="two ways"):
        parse_target("11/12", NOW)


def test_the_rate_is_what_came_in_over_time() -> None:
    meter = RateMeter()
    for tenth in range(51):
        meter.observe(100 + tenth / 10, 1_000 + 50 * tenth)
    assert meter.per_second() == pytest.approx(500)
    assert meter.counts(6) == [450, 500, 500, 500, 500, 50]
    assert meter.counts(8) == meter.counts(6)
    meter.observe(106, 3_550)
    assert meter.counts(3) == [500, 50, 50]


def test_what_came_while_nobody_looked_is_spread_over_that_time() -> None:
    meter = RateMeter(buckets=12)
    for second in range(3):
        meter.observe(100 + second, 100 * second)
    meter.observe(110, 1_003)
    assert meter.counts(11) == [0, 100, 100, 100, 100, 101, 100, 100, 101, 100, 101]
    assert meter.per_second() == pytest.approx(100, rel=0.01)
    meter.observe(1_110, 2_003)
    assert meter.counts(12) == [1] * 12


def test_a_rate_meter_that_saw_nothing_is_at_rest() -> None:
    meter = RateMeter()
    assert (meter.per_second(), meter.counts(3)) == (0.0, [])
    meter.observe(1.0, 7)
    assert (meter.per_second(), meter.counts(2)) == (0.0, [0])


def test_an_event_right_after_the_first_look_is_no_burst() -> None:
    meter = RateMeter()
    meter.observe(100.0, 7)
    meter.observe(100.022, 8)
    assert meter.per_second() == pytest.approx(1.0)


def test_a_line_reads_from_where_the_value_came_to_where_it_went() -> None:
    lunch = posted(
        debit("expenses:food", 1_250),
        debit("expenses:tips", 50),
        credit("assets:cash", 1_300),
        metadata={"description": "Lunch"},
    )
    line = line_of(Sequenced(4_812_331, AT, TransactionPosted(lunch)), lambda asset: 2)
    assert line == ("4,812,331", "tx", "assets:cash → expenses:food +1", "EUR", "13.00", "", "Lunch")
    opened = AccountOpened(definition("clients:globex", AccountKind.ASSET, "USD"), AccountCfg())
    line = line_of(Sequenced(1, AT, opened), lambda asset: 2)
    assert (line.kind, line.accounts) == ("acct", "opened clients:globex (asset, USD)")


@pytest.mark.parametrize(
    ("at", "eight", "twelve"),
    [
        (datetime(2026, 11, 22, 14, 2, 11, 204_000, tzinfo=UTC), "14:02:11", "14:02:11.204"),
        (datetime(2026, 3, 1, 12, 5, tzinfo=UTC), " 1 Mar", " 1 Mar 12:05"),
        (datetime(2024, 3, 1, 12, 5, tzinfo=UTC), "2024-03", "2024-03-01"),
    ],
)
def test_the_time_tells_the_day_where_it_is_not_today(at: datetime, eight: str, twelve: str) -> None:
    sequenced = Sequenced(1, at, TransactionPosted(transfer("a", "b", 1)))
    assert time_cell(sequenced, UTC, NOW.date(), 8) == eight
    assert time_cell(sequenced, UTC, NOW.date(), 12) == twelve
    assert time_cell(sequenced, UTC, NOW.date(), 23) == f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def test_long_paths_give_way_from_the_left() -> None:
    flow = "assets:bank:checking → expenses:food"
    assert fit_accounts(flow, 40) == flow
    assert fit_accounts(flow, 30) == "as:ba:checking → ex:food"
    assert fit_accounts(flow, 20) == "checking → food"


@pytest.mark.parametrize(
    ("flow", "width", "shown"),
    [
        ("assets:broker:FOOBARX → equity:trades:FOOBARX", 40, "as:br:FOOBARX → eq:tr:FOOBARX"),
        ("assets:broker:FOOBARX → equity:trades:FOOBARX", 26, "br:FOOBARX → tr:FOOBARX"),
        ("assets:broker:FOOBARX → equity:trades:FOOBARX", 16, "br:FOOBARX → tr:FOOBARX"),
        ("assets:long:brown:FOOBARX → assets:long:bruno:FOOBARX", 40, "brown:FOOBARX → bruno:FOOBARX"),
        ("income:FOOBARX → FOOBARX", 20, "in:FOOBARX → FOOBARX"),
        ("assets:FOOBARX → assets:FOOBARX", 20, "FOOBARX → FOOBARX"),
    ],
)
def test_accounts_that_end_alike_are_told_apart(flow: str, width: int, shown: str) -> None:
    assert fit_accounts(flow, width) == shown


def test_a_json_line_holds_everything_and_nothing_a_terminal_would_obey() -> None:
    transaction = transfer(
        "assets:cash",
        "equity:opening",
        10**30,
        key="k",
        metadata={"memo": "a\x1b[2J\x9b31m\u202eevil \ud55c ü", "n": 2**80, "f": 1.5},
        external_refs=(ExternalRef(kind="invoice", value="7"),),
        occurred_at=AT,
    )
    sequenced = Sequenced(9, AT, TransactionPosted(transaction))
    text = event_json("household", sequenced, lambda asset: 18)
    assert "\n" not in text
    assert not any(bad in text for bad in "\x1b\x9b\u202e")
    assert "ü" in text
    stored = json.loads(text)
    assert stored == event_object("household", sequenced, lambda asset: 18)
    assert stored["metadata"] == transaction.metadata
    assert stored["postings"][0]["amount"] == "1000000000000.000000000000000000"
    assert (stored["kind"], stored["at"]) == ("tx", "2026-03-01T12:00:00.000000Z")
