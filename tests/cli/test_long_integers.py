"""Metadata may hold integers of any length; Python turns none of more than 4,300 digits into text."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from store import Json, LogTaleaStore
from talea_tui.json_text import DIGITS_MAX
from tests.support.build import BOOK, household, transfer

from .support import talea

LONG = -(10**5_000) - 7


def ledger_with(directory: Path, metadata: Json) -> Path:
    async def post() -> None:
        async with await LogTaleaStore.open(directory) as store:
            await household(store)
            await store.commit(
                transfer("assets:bank", "income:salary", 1, external_refs=(), metadata=metadata)
            )

    asyncio.run(post())
    return directory


def metadata_in(ledger: Path, book: str) -> list[Json]:
    async def read() -> list[Json]:
        async with await LogTaleaStore.open(ledger) as store:
            events = await store.read_events(book, 1, 100)
            return [one.event.transaction.metadata for one in events if hasattr(one.event, "transaction")]

    return asyncio.run(read())


def test_an_export_carries_every_digit_to_another_ledger(tmp_path: Path) -> None:
    metadata: Json = {"n": LONG, "of": [1, LONG * 3, 1.5, None], "status": LONG, "é": {"x": [True]}}
    ledger = ledger_with(tmp_path / "one", metadata)
    done = talea("export", "--format", "json", "--book", BOOK, "--dir", ledger)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "b.jsonl").write_text(done.stdout, encoding="utf-8")
    done = talea("import", tmp_path / "b.jsonl", "--book", "copy", "--dir", tmp_path / "other")
    assert (done.returncode, done.stderr) == (0, "")
    assert metadata_in(tmp_path / "other", "copy") == [metadata]


def test_a_journal_holds_every_digit_in_its_comment(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path / "one", {"n": LONG, "status": LONG})
    done = talea("export", "--format", "hledger", "--book", BOOK, "--dir", ledger)
    assert (done.returncode, done.stderr) == (0, "")
    assert f'; metadata: {{"n": -1{"0" * 4_999}7}}\n' in done.stdout


def test_a_filter_passes_over_and_finds_by_what_stands_beside(tmp_path: Path) -> None:
    ledger = ledger_with(tmp_path / "one", {"n": LONG, "note": "hello"})
    found = talea("tail", "--json", "--filter", "hello", "--book", BOOK, "--dir", ledger)
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout, parse_int=len)["metadata"] == {"n": 5_002, "note": "hello"}
    other = talea("tail", "--filter", "goodbye", "--book", BOOK, "--dir", ledger)
    assert (other.returncode, other.stdout, other.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "words", [["export", "--format", "json"], ["export", "--format", "hledger"], ["tail", "--json"]]
)
def test_an_event_of_more_digits_than_are_written_out_is_refused_by_its_name(
    tmp_path: Path, words: list[str]
) -> None:
    ledger = ledger_with(tmp_path / "one", {"n": 10 ** (DIGITS_MAX * 2), "m": [10**5_000]})
    done = talea(*words, "--book", BOOK, "--dir", ledger)
    assert done.returncode == 1
    assert f"of book {BOOK!r} holds integers of about 105,002 digits" in done.stderr
    assert "Traceback" not in done.stderr
    shown = talea("tail", "--book", BOOK, "--dir", ledger)
    assert (shown.returncode, shown.stderr) == (0, "")
