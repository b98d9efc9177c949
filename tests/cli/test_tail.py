"""`talea-tui tail`: what a filter finds is what testing every decoded event finds, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from store import LogTaleaStore, Sequenced, Sieve, Sifted
from store.files import Files
from store.watermark import Watermark
from talea_tui.cli import command_parser
from talea_tui.commands import tail
from talea_tui.events.filter import parse_filter
from tests.support.build import BOOK, household, transfer
from tests.support.ledgers import opened, pay

from .support import HACKERSPACE, talea

REPOSITORY = Path(__file__).parents[2]
PAGE_EVENTS = 7


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ledger") / "books"
    done = talea("import", HACKERSPACE / "fy2024.jsonl", "--book", "hackerspace", "--dir", directory)
    assert (done.returncode, done.stderr) == (0, "")
    return directory


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_EVENTS_PAGE", PAGE_EVENTS)


def tailed(capsys: pytest.CaptureFixture[str], ledger: Path, *words: str) -> list[str]:
    arguments = command_parser("tail").parse_args(["--book", "hackerspace", "--dir", str(ledger), *words])
    assert tail.run(arguments) == 0
    return capsys.readouterr().out.splitlines()


async def _events(ledger: Path) -> list[Sequenced]:
    async with await LogTaleaStore.open(ledger) as store:
        return await store.read_events("hackerspace", 1, 10_000)


@pytest.mark.parametrize("words", [["--from", "1"], ["--from", "1", "--json"], ["--from", "100"], []])
def test_a_filtered_tail_prints_what_an_unfiltered_one_prints_of_the_matches(
    ledger: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    events = asyncio.run(_events(ledger))
    lines = tailed(capsys, ledger, *words)
    assert lines
    shown = events[-len(lines) :]
    for text in (
        "kind:tx",
        "-kind:tx",
        "account:*Rent kind:tx",
        "-account:rent",
        "amount>100",
        "stripe",
        "-stripe",
        '"home depot" amount<50',
        "key:*1*",
        "ref:*",
        'memo "',
        "book:hacker* 2024",
        "book:other",
        "-book:other",
    ):
        wanted = parse_filter(text, lambda asset: 2)
        expected = [
            line for line, event in zip(lines, shown, strict=True) if wanted.matches("hackerspace", event)
        ]
        assert tailed(capsys, ledger, *words, f"--filter={text}") == expected, text


def test_history_is_asked_for_page_by_page(
    ledger: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    sift = LogTaleaStore.sift

    async def noted(self: LogTaleaStore, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        asked.append((from_seq, to_seq))
        return await sift(self, book, sieve, from_seq, to_seq)

    monkeypatch.setattr(LogTaleaStore, "sift", noted)
    events = asyncio.run(_events(ledger))
    assert tailed(capsys, ledger, "--from", "1", "--filter", "no such thing") == []
    assert (asked[0][0], asked[-1][1]) == (1, events[-1].seq)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(asked))
    assert max(last - first for first, last in asked) < PAGE_EVENTS
    asked.clear()
    assert tailed(capsys, ledger, "--from", "1", "--filter", "book:other") == []
    assert asked == []


async def following(directory: Path, book: str, *more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "talea_tui", "tail", "--book", book, "--follow", "--json", *more),
        *("--dir", str(directory)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


async def test_what_follows_meets_the_same_filter_as_history(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory) as store:
        await household(store)
        await pay(store, 30)
    follower = await following(directory, BOOK, "--from", "1", "--filter", "amount>0.25 -account:food")
    try:
        assert follower.stdout is not None
        seqs = [json.loads(await follower.stdout.readline())["seq"] for _ in range(5)]
        assert seqs == list(range(33, 38))
        async with opened(directory) as store:
            await store.commit(transfer("expenses:food", "assets:cash", 4_000))
            await pay(store, 2, start=30)
            await store.commit(transfer("assets:cash", "income:salary", 5))
            await pay(store, 1, start=40)
            seqs = [json.loads(await follower.stdout.readline())["seq"] for _ in range(3)]
        assert seqs == [39, 40, 42]
    finally:
        follower.kill()
        await follower.wait()


async def test_a_book_that_is_not_there_yet_is_told_and_waited_for(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory) as store:
        await household(store)
        follower = await following(directory, "shop")
        try:
            assert follower.stdout is not None
            assert follower.stderr is not None
            told = (await follower.stderr.readline()).decode()
            assert told == "There is no book 'shop' in this ledger yet; waiting for it.\n"
            await household(store, "shop")
            assert json.loads(await follower.stdout.readline())["seq"] == 1
        finally:
            follower.kill()
            await follower.wait()


async def test_a_name_that_no_book_can_ever_have_here_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store, "payments")
        for more in ((), ("--follow",)):
            done = await asyncio.to_thread(
                talea, "tail", "--book", "Payments", *more, "--dir", tmp_path / "ledger"
            )
            assert done.returncode == 1
            assert "'Payments' cannot be a book's name: it differs from book 'payments'" in done.stderr
        tail = await following(tmp_path / "ledger", "Shop")
        assert tail.stderr is not None
        assert b"no book 'Shop'" in await tail.stderr.readline()
        await household(store, "shop")
        assert await asyncio.wait_for(tail.wait(), 30) == 1
        assert b"it differs from book 'shop'" in await tail.stderr.read()


async def test_damage_that_is_found_while_following_ends_it_with_a_sentence(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory) as store:
        await household(store)
    follower = await following(directory, BOOK, "--from", "1")
    assert follower.stdout is not None
    last = [json.loads(await follower.stdout.readline())["seq"] for _ in range(7)][-1]
    watermark = Watermark(Files(), directory / "books" / BOOK)
    watermark.publish(last + 1)
    watermark.close()
    _, errors = await follower.communicate()
    assert follower.returncode == 1
    assert f"seq {last + 1} had been synced, but cannot be read" in errors.decode()
