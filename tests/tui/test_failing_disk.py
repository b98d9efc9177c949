"""A full disk and a failing sync, as one who posts sees them."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    LogStoreOptions,
    LogTaleaStore,
    StoreIOError,
)
from talea_tui.app import TaleaApp
from talea_tui.config import Config
from talea_tui.screens.storage import StorageScreen
from talea_tui.settings import Settings
from tests.support.faulty_files import FailingDisk
from tests.support.forms import BOOK, entry, open_shop
from tests.tui.conftest import OpenApp, screen_text, settle, until

SEQ_BEFORE = 12


@asynccontextmanager
async def posting(
    open_app: OpenApp, directory: Path, size: tuple[int, int] = (160, 36), **options: Any
) -> AsyncIterator[tuple[Pilot[int], LogTaleaStore, FailingDisk]]:
    """The form with an entry that is ready, over a ledger whose disk can be made to fail."""
    disk = FailingDisk(directory / "ledger")
    store = await LogTaleaStore.open_with(directory / "ledger", LogStoreOptions(), files=disk)
    await open_shop(store)
    settings = Settings(path=directory / "state" / "settings.json", book=BOOK)
    async with open_app(store, size=size, settings=settings, **options) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "Post to shop" in text(pilot))
        await pilot.press(*"bub")
        await until(pilot, lambda: "BUBBLY" in text(pilot))  # what was used before is read behind
        await pilot.press("tab")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "balanced ✓" in text(pilot))
        yield pilot, store, disk
        disk.failing.clear()


def text(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app)


async def shows(pilot: Pilot[int], *said: str) -> None:
    await until(pilot, lambda: all(one in text(pilot) for one in said))
    await settle(pilot)


async def post(pilot: Pilot[int]) -> None:
    await pilot.press("ctrl+s")


async def last_seq(store: LogTaleaStore) -> int:
    info = await store.book(BOOK)
    assert info is not None
    return info.last_seq


async def test_a_full_disk_refuses_the_entry_at_the_form_and_with_room_it_is_posted_once(
    open_app: OpenApp, tmp_path: Path
) -> None:
    async with posting(open_app, tmp_path) as (pilot, store, disk):
        disk.failing, disk.code = {"write"}, errno.ENOSPC
        await post(pilot)
        await shows(pilot, "No space left on device", "nothing was posted", "BUBBLY DYNAMICS", "● live")
        assert await last_seq(store) == SEQ_BEFORE
        disk.failing.clear()
        await post(pilot)
        await shows(pilot, "seq 13 posted")
        assert await last_seq(store) == SEQ_BEFORE + 1


async def test_a_stopped_book_names_the_key_that_was_chosen_to_reopen_it(
    open_app: OpenApp, tmp_path: Path
) -> None:
    chosen = Config(keys={"storage.reopen": ("R",)})
    async with posting(open_app, tmp_path, config=chosen) as (pilot, _, disk):
        disk.failing = {"sync"}
        await post(pilot)
        await shows(pilot, "■ read only")
        await pilot.press("escape", "7")
        await shows(pilot, "■ stopped; R reopens it", "R reopen")


async def test_a_failing_sync_stops_the_book_and_reopening_lets_the_same_entry_through_once(
    open_app: OpenApp, tmp_path: Path
) -> None:
    async with posting(open_app, tmp_path) as (pilot, store, disk):
        disk.failing = {"sync"}
        await post(pilot)
        await shows(pilot, "Input/output error", "when the book is reopened", "■ read only", "BUBBLY")
        await post(pilot)
        await shows(pilot, "Book shop is read only", "Reopen it on the storage screen")
        await pilot.press("escape", "1")
        await shows(pilot, "■ stopped")
        await pilot.press("5")
        await shows(pilot, "writer stopped")
        await pilot.press("7")
        await shows(pilot, "■ stopped; r reopens it", "Book 'shop': Input/output error")
        disk.failing.clear()
        await pilot.press("r")
        await shows(pilot, "✓ shop takes postings again; everything up to seq 12 was there", "● live")
        assert "r reopens it" not in text(pilot)
        await pilot.press("4")
        await shows(pilot, "BUBBLY DYNAMICS", "balanced ✓")
        await post(pilot)
        await shows(pilot, "seq 13 posted")
        assert await last_seq(store) == SEQ_BEFORE + 1


async def test_an_entry_that_reached_the_disk_after_all_is_not_posted_twice(
    open_app: OpenApp, tmp_path: Path
) -> None:
    async with posting(open_app, tmp_path) as (pilot, store, disk):
        disk.failing = {"sync", "truncate"}
        await post(pilot)
        await shows(pilot, "when the book is reopened")
        disk.failing.clear()
        await pilot.press("escape", "7", "r")
        await shows(pilot, "everything up to seq 13 was there")
        await pilot.press("4")
        await shows(pilot, "balanced ✓")
        await post(pilot)
        await shows(pilot, "it had been posted before; nothing was added")
        assert await last_seq(store) == SEQ_BEFORE + 1


async def test_a_disk_that_still_fails_keeps_the_book_stopped_and_says_why(
    open_app: OpenApp, tmp_path: Path
) -> None:
    async with posting(open_app, tmp_path) as (pilot, _, disk):
        disk.failing = {"sync"}
        await post(pilot)
        await shows(pilot, "■ read only")
        disk.failing = {"sync", "entries"}
        await pilot.press("escape", "7", "r")
        await shows(pilot, "✗ Book 'shop' cannot be reopened: Input/output error", "stopped")
        disk.failing.clear()
        await pilot.press("r")
        await shows(pilot, "✓ shop takes postings again")


async def test_the_palette_reopens_the_book_that_stopped(open_app: OpenApp, tmp_path: Path) -> None:
    async with posting(open_app, tmp_path) as (pilot, store, disk):
        await pilot.press("escape", "colon", *"reopen")
        await shows(pilot, "Reopen the book")
        await pilot.press("enter")
        await shows(pilot, "Every book takes postings")
        disk.failing = {"sync"}
        with pytest.raises(StoreIOError):
            await store.commit(entry("2026-11-21", "Late", "Expenses:Rent", "Assets:Checking", 1_00))
        disk.failing.clear()
        await shows(pilot, "■ read only")
        await pilot.press("escape", "7")
        await shows(pilot, "r reopen")
        await pilot.press("colon", *"reopen", "enter")
        await shows(pilot, "✓ shop takes postings again")
        assert isinstance(cast(TaleaApp, pilot.app).screen, StorageScreen)
        await until(pilot, lambda: "r reopen" not in text(pilot))


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_small_terminals_tell_the_whole_story_too(
    open_app: OpenApp, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with posting(open_app, tmp_path, size) as (pilot, _, disk):
        disk.failing = {"sync"}
        await post(pilot)
        await shows(pilot, "Input/output error", "■ read only")
        disk.failing.clear()
        await pilot.press("escape", "7")
        await shows(pilot, "r reopens it")
        await pilot.press("r")
        await shows(pilot, "takes postings again", "● live")


async def test_a_book_whose_very_first_sync_failed_is_listed_and_storage_brings_it_back(
    open_app: OpenApp, tmp_path: Path
) -> None:
    disk = FailingDisk(tmp_path / "ledger")
    store = await LogTaleaStore.open_with(tmp_path / "ledger", LogStoreOptions(), files=disk)
    await open_shop(store)
    async with open_app(store, size=(120, 30), settings=Settings(book=BOOK)) as pilot:
        disk.failing = {"sync"}
        account = AccountDef(id=AccountId("new", "Assets:Cash"), asset="USD", kind=AccountKind.ASSET)
        with pytest.raises(StoreIOError):
            await store.open_account(account, AccountCfg())
        disk.failing.clear()
        await shows(pilot, "new", "■ stopped")
        await pilot.press("home", "enter")
        await shows(pilot, "new › Accounts", "■ read only")
        await pilot.press("7")
        await shows(pilot, "■ stopped; r reopens it", "Book 'new': Input/output error")
        await pilot.press("r")
        await shows(pilot, "✓ new is open again; it is empty")
        await store.open_account(account, AccountCfg())
        await pilot.press("1")
        await until(pilot, lambda: "■" not in text(pilot) and "new" in text(pilot))
        await pilot.press("home", "enter")
        await shows(pilot, "new › Accounts", "Cash", "● live")
