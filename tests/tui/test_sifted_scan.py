"""A filter over history finds the same whether the store sifts events first or all of them are decoded."""

from __future__ import annotations

import json
import random
import string
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from store import (
    AccountCfg,
    AccountKind,
    ExternalRef,
    FollowedLedger,
    LogStoreOptions,
    LogTaleaStore,
    Sequenced,
    Sieve,
    Sifted,
    Store,
    TransactionPosted,
)
from talea_tui.events.feed import EventFeed
from talea_tui.events.filter import FilterError, parse_filter
from talea_tui.events.matched import MatchedFeed
from talea_tui.events.text import searchable_text
from tests.support.build import BOOK, asset, credit, debit, definition, posted, transfer
from tests.support.memory_store import MemoryStore

PRECISIONS = {"EUR": 2, "JPY": 0, "ETH": 18, "Straße": 3}
PATHS = ["assets:Bank", "expenses:Straßenbahn", "income:İstanbul", 'odd:"quoted"\\path', "assets:bank 2"]
WORDS = [
    "coffee",
    "Café",
    "STRASSE",
    "ﬁnal",
    "K42",
    "İ",
    "naïve résumé",
    "两岸",
    "0042",
    "1e16",
    "true",
    "nil",
]
CONTROLS = ["line\nfeed", "tab\tbed", 'say "so"', "back\\slash", "\x00zero", "del\x7f", "\u2028sep", "👩‍💻"]


def some_json(dice: random.Random, depth: int = 0) -> Any:
    choice = dice.random()
    if depth < 3 and choice < 0.3:
        return {some_text(dice): some_json(dice, depth + 1) for _ in range(dice.randint(0, 3))}
    if depth < 3 and choice < 0.4:
        return [some_json(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    if choice < 0.6:
        return dice.choice([None, True, False, 0, -7, 42, 1042, 2**70, -(2**90), 1e16, -2.5e-8, 0.1])
    return some_text(dice)


def some_text(dice: random.Random) -> str:
    if dice.random() < 0.2:
        return dice.choice(CONTROLS) + dice.choice(WORDS)
    return " ".join(dice.choice(WORDS) for _ in range(dice.randint(0, 3)))


async def fill(
    store: Store, seed: int, count: int, some_metadata: Callable[[random.Random], Any] = some_json
) -> None:
    dice = random.Random(seed)
    for id, precision in PRECISIONS.items():
        await store.register_asset(asset(id, precision))
    opened: list[tuple[str, str]] = []
    for path in PATHS:
        for id in PRECISIONS:
            opened.append((f"{path}:{id}", id))
            await store.open_account(definition(*_account(path, id)), AccountCfg())
    for number in range(count):
        id = dice.choice(list(PRECISIONS))
        source, target = dice.sample([path for path, held in opened if held == id], 2)
        minor = dice.choice([1, 99, 1000, 1250, 2**70])
        await store.commit(
            posted(
                debit(target, minor, id),
                credit(source, minor, id),
                key=f"{dice.choice(WORDS)}-{number}",
                metadata=some_metadata(dice),
                external_refs=tuple(
                    ExternalRef(kind=dice.choice(["invoice", "Beleg"]), value=f"INV-{dice.randint(1, 50)}")
                    for _ in range(dice.choice([0, 0, 1, 2]))
                ),
            )
        )


def _account(path: str, id: str) -> tuple[str, AccountKind, str]:
    return f"{path}:{id}", AccountKind.CLEARING, id


def some_term(dice: random.Random, events: list[Sequenced]) -> str:
    """Mostly what occurs in some event, cut anywhere."""
    kind = dice.random()
    if kind < 0.55:
        text = searchable_text(dice.choice(events).event)
        start = dice.randrange(len(text))
        needle = text[start : start + dice.randint(1, 12)]
        term = json.dumps(dice.choice([str, str.upper, str.casefold])(needle), ensure_ascii=False)
        return term if dice.random() < 0.8 else needle
    if kind < 0.6:
        return "".join(dice.choice(string.printable) for _ in range(dice.randint(1, 3)))
    term = dice.choice(
        [
            "account:*bank*",
            "account:strasse",
            "account:[ae]*EUR",
            "asset:eur",
            "asset:*e*",
            "amount>9.99",
            "amount:1..13",
            "amount=1",
            "kind:tx",
            "kind:acct",
            "kind:asset",
            "key:cof*-?2",
            "key:[kK]42*",
            "key:K42",
            "key:*-1",
            "ref:inv-1*",
            "ref:invoice:INV-2",
            "ref:beleg:*[0-4]",
            "id:0",
            "id:01a",
            f"book:{BOOK}",
            "book:x*",
        ]
    )
    return dice.choice(["", "", "", "-", "!"]) + term


async def _opened(directory: Path) -> LogTaleaStore:
    return await LogTaleaStore.open_with(directory, LogStoreOptions(segment_max=20_000))


@pytest.fixture(params=["log", "followed", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        memory = MemoryStore()
        await fill(memory, 1, 150)
        yield memory
        return
    async with await _opened(tmp_path / "ledger") as log:
        await fill(log, 1, 300)
        if request.param == "log":
            yield log
            return
        async with await FollowedLedger.open(tmp_path / "ledger") as followed:
            yield followed


async def test_what_is_sifted_holds_every_match_whatever_the_filter(store: Store) -> None:
    dice = random.Random(7)
    events = await store.read_events(BOOK, 1, 10_000)
    tried = 0
    for _ in range(500):
        text = " ".join(some_term(dice, events) for _ in range(dice.choice([1, 1, 2, 3])))
        try:
            wanted = parse_filter(text, PRECISIONS.__getitem__)
        except FilterError:
            continue
        first = dice.randint(-2, len(events))
        last = dice.randint(first, len(events) + 5)
        sifted = await store.sift(BOOK, wanted.sieve, first, last)
        expected = [e for e in events if first <= e.seq <= last and wanted.matches(BOOK, e)]
        assert [e.read() for e in sifted if wanted.admits(BOOK, e)] == expected, text
        assert [(e.seq, e.at) for e in sifted] == [(e.read().seq, e.read().at) for e in sifted]
        assert [e.seq for e in sifted] == sorted({e.seq for e in sifted})
        tried += bool(expected)
    assert tried > 60


async def test_the_scan_finds_what_testing_every_event_finds(store: Store) -> None:
    dice = random.Random(11)
    feed = EventFeed(store, None)
    await feed.refresh()
    everything = await feed.rows(0, feed.end)
    for _ in range(60):
        term = some_term(dice, [event.sequenced for event in everything])
        try:
            wanted = parse_filter(term, PRECISIONS.__getitem__)
        except FilterError:
            continue
        matched = MatchedFeed(feed, wanted)
        while not matched.is_complete:
            await matched.step()
        expected = [event for event in everything if wanted.matches(*event)]
        assert await matched.rows(matched.first, matched.end) == expected, term


@pytest.mark.parametrize(
    "text",
    [
        "kind:tx",
        "-kind:acct",
        "account:bank amount>9 asset:EUR",
        "-account:bank*",
        "key:cof*-?2",
        "-key:coffee",
        "ref:invoice:*",
        "-ref:inv",
        "id:0",
        "-id:0",
        "account:assets:* -k42",
        "café",
        "-coffee",
        "invoice:inv-",
        '"beleg inv-"',
        "assets:bank",
        "no such thing",
    ],
)
async def test_what_the_sieve_alone_can_tell_is_not_decoded(tmp_path: Path, text: str) -> None:
    async with await _opened(tmp_path / "ledger") as log:
        await fill(
            log, 2, 60, lambda dice: {"memo": dice.choice(WORDS), "payee": ["Café", dice.choice(WORDS)]}
        )
        events = await log.read_events(BOOK, 1, 1_000)
        wanted = parse_filter(text, PRECISIONS.__getitem__)
        sifted = await log.sift(BOOK, wanted.sieve, 1, 1_000)
        told = [each._replace(read=must_not_be_read) if is_posted(each) else each for each in sifted]
        found = [each.seq for each in told if wanted.admits(BOOK, each)]
        assert found == [event.seq for event in events if wanted.matches(BOOK, event)]


def is_posted(sifted: Sifted) -> bool:
    return isinstance(sifted.read().event, TransactionPosted)


def must_not_be_read() -> Sequenced:
    raise AssertionError("an event was decoded to decide what the sieve had decided")


async def test_what_cannot_be_told_before_decoding_is_left_to_whoever_looks(tmp_path: Path) -> None:
    async with await _opened(tmp_path / "ledger") as log:
        await fill(log, 2, 1)
        for metadata in ({"n": [1042]}, {"text": "naïve\u00a01042"}, {"text": 'say "1042"'}, {"k1042": None}):
            await log.commit(transfer(f"{PATHS[0]}:EUR", f"{PATHS[1]}:EUR", 1, metadata=metadata))
        (last,) = (info.last_seq for info in await log.books())
        cases = {
            "1042": ([True, False, True, True], [0, 1, 2, 3]),
            "-1042": ([False], []),
            '": [1"': ([False, False, False, False], [0]),
            '"say \\"1"': ([False, True], [2]),
            "-nullify": ([True, False, True, True], [0, 1, 2, 3]),
        }
        for text, (certain, rows) in cases.items():
            wanted = parse_filter(text, PRECISIONS.__getitem__)
            sifted = await log.sift(BOOK, wanted.sieve, last - 3, last)
            assert [each.is_certain for each in sifted] == certain, text
            found = [each.seq for each in sifted if wanted.admits(BOOK, each)]
            assert found == [last - 3 + row for row in rows], text


async def test_an_asset_that_whoever_looks_does_not_know_is_left_to_them(tmp_path: Path) -> None:
    async with await _opened(tmp_path / "ledger") as log:
        await fill(log, 2, 20)
        wanted = parse_filter("amount>0", {}.__getitem__)
        sifted = await log.sift(BOOK, wanted.sieve, 1, 1_000)
        assert [each for each in sifted if is_posted(each)]
        assert not any(each.is_certain for each in sifted if is_posted(each))


async def test_what_cannot_match_is_not_decoded(tmp_path: Path) -> None:
    async with await _opened(tmp_path / "ledger") as log:
        await fill(log, 2, 100)
        events = await log.read_events(BOOK, 1, 1_000)
        some = [e for e in events if isinstance(e.event, TransactionPosted)][40]
        assert isinstance(some.event, TransactionPosted)
        key = some.event.transaction.idempotency_key
        path = some.event.transaction.postings[0].account.path
        cases = [
            (Sieve(kinds=frozenset({TransactionPosted})), lambda e: isinstance(e.event, TransactionPosted)),
            (
                Sieve(kinds=frozenset({TransactionPosted}), part=lambda p, asset, minor: p == path),
                lambda e: (
                    isinstance(e.event, TransactionPosted)
                    and path in {p.account.path for p in e.event.transaction.postings}
                ),
            ),
            (Sieve(kinds=frozenset()), lambda e: False),
        ]
        for sieve, holds in cases:
            found = await log.sift(BOOK, sieve, 1, 1_000)
            assert [each.read() for each in found] == [e for e in events if holds(e)]
            assert all(each.is_certain for each in found)
        sifted = await log.sift(
            BOOK, Sieve(frozenset({TransactionPosted}), texts=(key.casefold(),)), 1, 1_000
        )
        assert some in [each.read() for each in sifted]
        assert len(sifted) < len(events) / 2
        assert await log.sift("nowhere", Sieve(), 1, 10) == []
