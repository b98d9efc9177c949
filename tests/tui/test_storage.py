"""The engine room over a real store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from store import CorruptLog, LogStoreOptions, LogTaleaStore
from talea_tui.app import TaleaApp
from talea_tui.formatting import format_bytes
from talea_tui.screens.storage import StorageScreen
from talea_tui.screens.tail import TailScreen
from talea_tui.settings import Settings
from tests.support.build import BOOK, household, transfer
from tests.support.disk import flip
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle

NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC).timestamp()
"""What the application's clock shows."""


async def opened(directory: Path, payments: int = 40) -> LogTaleaStore:
    store = await LogTaleaStore.open_with(directory, LogStoreOptions(snapshot_every=0))
    await household(store)
    await store.commit_batch(
        [
            transfer("assets:cash", "income:salary", number, key=f"k{number}")
            for number in range(1, payments + 1)
        ]
    )
    return store


def on_storage() -> Settings:
    return Settings(screen="storage", book=BOOK)


def storage(pilot: Pilot[int]) -> StorageScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, StorageScreen))


def text(pilot: Pilot[int]) -> str:
    return screen_text(cast(TaleaApp, pilot.app))


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            await settle(pilot)
            return
        await pilot.pause()
    raise AssertionError("it never came to hold")


async def test_each_books_files_and_writer_are_shown(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        info = await store.book(BOOK)
        assert info is not None
        for said in (
            BOOK,
            "_system",
            "running",
            "1 segment, 0 snapshots, 0 key runs",
            info.head[1],
            "nothing",
        ):
            assert said in text(pilot)


async def test_what_is_committed_shows_at_the_next_sample(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        before = await store.book(BOOK)
        await store.commit(transfer("assets:cash", "income:salary", 5))
        await storage(pilot).sample()
        await settle(pilot)
        after = await store.book(BOOK)
        assert before is not None
        assert after is not None
        assert after.head[1] in text(pilot)
        assert before.head[1] not in text(pilot)
        assert "48" in text(pilot)


async def test_snapshot_now_writes_one_and_says_what_it_covers(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "✓ Snapshot of household covers at least seq 47" in text(pilot))
        assert "1 snapshot," in text(pilot)
        assert list((tmp_path / "books" / BOOK).glob("snapshot-*.snap"))


async def test_each_snapshot_is_listed_with_its_seq_age_and_size(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.snapshot_now(BOOK)
    await store.commit(transfer("assets:cash", "income:salary", 5))
    for path in (tmp_path / "books" / BOOK).glob("snapshot-*.snap"):
        os.utime(path, (NOW - 7200, NOW - 7200))
    await store.snapshot_now(BOOK)
    await store.commit_batch([transfer("assets:cash", "income:salary", n) for n in (6, 7)])
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        older, newer = (info for info in (await store.book(BOOK)).snapshot_files)  # type: ignore[union-attr]
        lines = [line.split() for line in text(pilot).splitlines() if " since" in line]
        assert lines[0][:3] == ["snapshots", "seq", "48"]
        assert lines[0][-3:] == ["2", "events", "since"]
        assert " ".join(lines[1]).startswith("seq 47 2 h ago")
        assert format_bytes(older.bytes) in " ".join(lines[1])
        assert lines[1][-3:] == ["3", "events", "since"]
        assert newer.last_seq == 48


class Stuck(MemoryStore):
    """Its snapshot tells a quarter again and again until it is given up."""

    async def snapshot_now(self, book: str, progress: Any = None) -> None:
        while True:
            await asyncio.sleep(0)
            progress(book, 250_000, 1_000_000)


async def test_how_far_a_snapshot_is_stands_in_one_line_on_80_columns(open_app: OpenApp) -> None:
    store = Stuck()
    await household(store)
    async with open_app(store, settings=on_storage()) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "25 %" in text(pilot))
        (line,) = (line for line in screen_text(pilot.app).splitlines() if "25 %" in line)
        assert line.endswith(" left  x cancels")
        await pilot.press("x")
        await until(pilot, lambda: "was cancelled" in text(pilot))


async def test_a_long_snapshot_shows_how_far_it_is_and_can_be_cancelled(open_app: OpenApp) -> None:
    store = Stuck()
    await household(store)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "250,000 of 1,000,000" in text(pilot))
        for said in ("snapshot of household", "25 %", "█", "/s", "left", "x cancels"):
            assert said in text(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "was cancelled; nothing of it stays" in text(pilot))


async def test_verify_proves_a_whole_log_and_says_so(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "✓ 47 events read again and proven" in text(pilot))
        await pilot.press("V")
        await until(pilot, lambda: "_system: ✓" in text(pilot))


async def test_damage_found_by_verify_names_file_and_offset_and_turns_the_book_read_only(
    open_app: OpenApp, tmp_path: Path
) -> None:
    store = await opened(tmp_path)
    segment = next((tmp_path / "books" / BOOK).glob("segment-*.log"))
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 0xFF
        with segment.open("r+b") as file:
            file.write(content)
        await pilot.press("v")
        await until(pilot, lambda: "✗" in text(pilot))
        await until(pilot, lambda: "damaged" in text(pilot))
        assert segment.name in text(pilot)
        with pytest.raises(CorruptLog):
            await store.verify(BOOK)


async def test_of_many_books_verified_the_failure_is_told_and_forgotten_once_the_book_is_reopened(
    open_app: OpenApp, tmp_path: Path
) -> None:
    store = await opened(tmp_path)
    for book in ("studio", "travel", "work"):
        await household(store, book)
    segment = next((tmp_path / "books" / BOOK).glob("segment-*.log"))
    async with open_app(store, size=(120, 40), settings=on_storage()) as pilot:
        await pilot.press("V")
        await until(pilot, lambda: "✓ 5 books read again and proven" in text(pilot))
        flip(segment, 500)
        await pilot.press("V")
        await until(pilot, lambda: "✓ 4 books read again and proven" in text(pilot))
        assert f"{BOOK}: ✗" in text(pilot)
        assert text(pilot).count("checked") == 1
        flip(segment, 500)
        await pilot.press("r")
        await until(pilot, lambda: f"✓ {BOOK} takes postings again" in text(pilot))
        assert "checked" not in text(pilot)


class Slow(MemoryStore):
    """Its verification tells half and then waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.was_cancelled = False

    async def verify(self, book: str, against: Any = None, progress: Any = None) -> None:
        progress(book, 500_000, 1_000_000)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        progress(book, 1_000_000, 1_000_000)


async def test_a_long_verification_shows_how_far_it_is_and_can_be_cancelled(open_app: OpenApp) -> None:
    store = Slow()
    await household(store)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        await pilot.press("x")
        await settle(pilot)
        assert "Nothing is under way" in text(pilot)
        await pilot.press("v")
        await until(pilot, lambda: "500,000 of 1,000,000" in text(pilot))
        for said in ("50 %", "█", "/s", "left", "x cancels"):
            assert said in text(pilot)
        await pilot.press("v")
        await settle(pilot)
        assert "Verifying household is under way" in text(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "cancelled at seq 500,000" in text(pilot))
        assert store.was_cancelled
        store.go.set()
        await pilot.press("v")
        await until(pilot, lambda: "✓ 1,000,000 events read again" in text(pilot))


async def test_repairs_done_at_open_are_told(open_app: OpenApp, tmp_path: Path) -> None:
    await (await opened(tmp_path)).shutdown()
    segment = next((tmp_path / "books" / BOOK).glob("segment-*.log"))
    with segment.open("ab") as file:
        file.write(b"torn")
    store = await LogTaleaStore.open(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        info = await store.book(BOOK)
        assert info is not None
        assert info.repairs
        assert info.repairs[0][:40] in text(pilot)


async def test_enter_leads_to_the_books_tail_and_c_copies_its_head(open_app: OpenApp, tmp_path: Path) -> None:
    store = await opened(tmp_path)
    async with open_app(store, settings=on_storage()) as pilot:
        await pilot.press("c")
        info = await store.book(BOOK)
        assert info is not None
        assert pilot.app.clipboard == f"{info.head[0]} {info.head[1]}"
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TailScreen)


async def test_a_store_without_files_has_nothing_to_prove(open_app: OpenApp) -> None:
    class Fileless:
        """Only what the protocol offers."""

        def __init__(self) -> None:
            self.inner = MemoryStore()

        def __getattr__(self, name: str) -> Any:
            if name in ("verify", "snapshot_now"):
                raise AttributeError(name)
            return getattr(self.inner, name)

    store = Fileless()
    await household(cast(MemoryStore, store))
    async with open_app(cast(MemoryStore, store), settings=on_storage()) as pilot:
        await pilot.press("v", "s")
        await settle(pilot)
        assert "not kept in files" in text(pilot)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_every_size_shows_the_books_and_an_empty_ledger_says_so(
    open_app: OpenApp, size: tuple[int, int]
) -> None:
    async with open_app(MemoryStore(), size=size) as pilot:
        await pilot.press("7")
        await settle(pilot)
        assert "No book has been written yet" in text(pilot)
        await pilot.press("v", "s", "c", "x", "enter")
        await settle(pilot)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("~nosuch/x", "'~nosuch' is no home directory known here"),
        ("/tmp/" + "x" * 300, "name too long"),
        (" ", "cannot be empty"),
    ],
)
async def test_a_place_that_cannot_be_is_refused_where_it_was_typed(
    open_app: OpenApp, tmp_path: Path, typed: str, said: str
) -> None:
    store = await opened(tmp_path)
    async with open_app(store, size=(120, 30), settings=on_storage()) as pilot:
        await pilot.press("B")
        await until(pilot, lambda: "Copy the ledger to a new directory" in text(pilot))
        pilot.app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: said in text(pilot))
        await pilot.press("escape")
        await settle(pilot)
        await store.commit(transfer("assets:cash", "income:salary", 5))
