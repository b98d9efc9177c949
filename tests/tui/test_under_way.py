"""What goes on behind the screens is told in a line on each of them, and can be cancelled from any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from talea_tui.config import Config
from talea_tui.settings import Settings
from tests.support.build import BOOK, household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import keys, open_app_on, screen_text, shows, until


class Held(MemoryStore):
    """Reads no history from `held_from` on until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.held_from = 10**9

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> Any:
        if from_seq >= self.held_from:
            await self.may_go_on.wait()
        return await super().read_events(book, from_seq, limit)


@asynccontextmanager
async def exporting(
    directory: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> AsyncIterator[tuple[Pilot[int], Held]]:
    """The application while it writes a tail to `directory`, and has written 1,024 of 1,205 events."""
    monkeypatch.chdir(directory)
    store = Held()
    await household(store)
    info = await store.book(BOOK)
    assert info is not None
    for _ in range(1_205 - info.last_seq):
        await store.commit(transfer("assets:bank", "income:salary", 5))
    async with open_app_on(store, settings=Settings(screen="tail", book=BOOK), **options) as pilot:
        await keys(pilot, "e")
        store.held_from = 1_000
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(directory.glob(".*.tmp"))))
        yield pilot, store


@pytest.mark.parametrize("size", [(60, 20), (160, 48)])
async def test_an_export_tells_on_every_screen_how_far_it_is_and_which_key_cancels_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
):
    async with exporting(tmp_path, monkeypatch, size=size) as (pilot, store):
        for key in ("5", "2", "7", "8"):
            await pilot.press(key)
            await shows(pilot, "exporting", "█", "84 %", "/s", "left", "X cancels")
        store.may_go_on.set()
        await shows(pilot, "Exported 1,205 events")
        await until(pilot, lambda: "exporting" not in screen_text(pilot.app))
        for key in ("5", "2", "7"):
            await keys(pilot, key)
            assert "exporting" not in screen_text(pilot.app)


@pytest.mark.parametrize("screen", ["2", "5", "7"], ids=["accounts", "the tail", "storage"])
async def test_an_export_that_is_cancelled_says_so_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: str
):
    async with exporting(tmp_path, monkeypatch, size=(120, 30)) as (pilot, _):
        await pilot.press(screen)
        await shows(pilot, "X cancels")
        await pilot.press("X")
        await shows(pilot, "Cancelled: nothing was exported to")
        assert list(tmp_path.iterdir()) == []
        assert "exporting" not in screen_text(pilot.app)


async def test_the_key_that_cancels_an_export_is_the_one_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen = Config(keys={"app.cancel_export": ("f7",)})
    async with exporting(tmp_path, monkeypatch, config=chosen) as (pilot, _):
        await shows(pilot, "f7 cancels")
        await pilot.press("f7")
        await shows(pilot, "Cancelled: nothing was exported to")


async def test_of_two_exports_the_newer_is_told_and_cancelled_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with exporting(tmp_path, monkeypatch, size=(120, 30)) as (pilot, store):
        await pilot.press("e")
        await shows(pilot, "1,205 events")
        pilot.app.screen.query_one("Input").value = str(tmp_path / "second.jsonl")
        await pilot.press("enter")
        await shows(pilot, "exporting second.jsonl", "and 1 more")
        await pilot.press("X")
        await shows(pilot, "exporting household.jsonl")
        store.may_go_on.set()
        await until(pilot, lambda: [path.name for path in tmp_path.iterdir()] == ["household.jsonl"])


async def test_leaving_ends_an_export_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with exporting(tmp_path, monkeypatch) as (pilot, _):
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not pilot.app.is_running)
    assert list(tmp_path.iterdir()) == []
