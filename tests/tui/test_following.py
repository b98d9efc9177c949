"""The application on a ledger that another store writes, and backups taken from the engine room."""

from __future__ import annotations

import asyncio
import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from store import FollowedLedger, LogTaleaStore
from talea_tui.settings import Settings
from tests.support.build import BOOK, asset, household
from tests.support.ledgers import opened, pay, written
from tests.support.memory_store import MemoryStore
from tests.support.observe import tree
from tests.tui.conftest import OpenApp, app_on_directory, screen_text, settle, shows

app_at = partial(app_on_directory, follow=True)


def text(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app)


async def test_the_header_says_that_it_follows_and_who_writes(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with opened(directory), app_at(directory) as pilot:
        await shows(pilot, f"◉ following · pid {os.getpid()} · read only", BOOK)


async def test_the_header_says_when_the_writer_is_gone(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (directory / "LOCK").write_text("")
    async with app_at(directory) as pilot:
        await shows(pilot, "◉ following · no writer · read only")
        (directory / "LOCK").write_text(str(os.getpid()))
        await shows(pilot, f"pid {os.getpid()}")


async def test_no_book_has_a_running_writer_when_nobody_writes(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (directory / "LOCK").write_text("")
    for screen in ("books", "storage"):
        async with app_at(directory, screen=screen) as pilot:
            await shows(pilot, "no writer", "nobody")
            assert "running" not in text(pilot)
            (directory / "LOCK").write_text(str(os.getpid()))
            await shows(pilot, "running")
        (directory / "LOCK").write_text("")


async def test_what_is_posted_elsewhere_arrives_on_the_screen(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with opened(directory) as store, app_at(directory, screen="tail") as pilot:
        await shows(pilot, "13")
        await pay(store, 100, start=6)
        await shows(pilot, "113")


async def test_posting_is_refused_with_a_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    before = tree(directory)
    async with app_at(directory) as pilot:
        await shows(pilot, BOOK)
        await pilot.press("p")
        await shows(pilot, "only followed here")
        await pilot.press("8", "n")
        await shows(pilot, "post where it is open")
        assert isinstance(pilot.app.store, FollowedLedger)  # type: ignore[attr-defined]
    assert tree(directory) == before


async def test_a_locked_ledger_can_be_followed_from_its_refusal(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with opened(directory), app_at(directory, follow=False) as pilot:
        await shows(pilot, f"process {os.getpid()}", "f to follow it read only")
        await pilot.press("f")
        await settle(pilot)
        await shows(pilot, "◉ following")


async def test_an_empty_ledger_that_is_followed_offers_nothing_that_writes(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store, app_at(tmp_path / "ledger") as pilot:
        for key in ("1", "2", "8"):
            await pilot.press(key)
            await shows(pilot, "Nothing has been written to")
            assert not re.search("Press [no] to|bring a journal", text(pilot))
        await pilot.press("1")
        await household(store)
        await shows(pilot, BOOK)


async def test_a_directory_that_is_no_ledger_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    async with app_at(tmp_path / "letters") as pilot:
        await shows(pilot, f"There is no ledger at {tmp_path / 'letters'}")
    assert not list((tmp_path / "letters").iterdir())


async def test_a_directory_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    async with app_at(tmp_path / "nowhere") as pilot:
        await shows(pilot, "There is no ledger at")
        assert "f to follow" not in text(pilot)
    assert not (tmp_path / "nowhere").exists()


async def test_a_ledger_that_is_followed_can_be_copied_but_not_snapshotted(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with opened(directory), app_at(directory, screen="storage") as pilot:
        await shows(pilot, BOOK)
        for said in ("queue", "repaired"):
            assert said not in text(pilot).partition("accounts ·")[2]
        assert "1 segment, 0 snapshots, 0 key runs" in text(pilot)
        assert f"process {os.getpid()}" in text(pilot)
        offered = text(pilot).splitlines()[-1]
        assert "B backup" in offered
        assert not any(hint in offered for hint in ("s snapshot", "v verify", "r reopen"))
        await pilot.press("s")
        await shows(pilot, "only followed here; snapshots and proofs")
        await pilot.press("B")
        await shows(pilot, "Copy the ledger to a new directory")
        await pilot.press("enter")
        await shows(pilot, "✓ 2 books")
    async with opened(tmp_path / "ledger-backup-2026-11-22") as copy:
        assert (await copy.book(BOOK)).last_seq == 13


async def test_a_backup_is_asked_for_a_place_and_says_what_it_copied(
    open_app: OpenApp, tmp_path: Path
) -> None:
    store = await LogTaleaStore.open(await written(tmp_path / "ledger"))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "letter").write_text("mine")
    async with open_app(store, size=(120, 30), settings=Settings(screen="storage", book=BOOK)) as pilot:
        await pilot.press("B")
        await shows(pilot, "Copy the ledger to a new directory")
        line = pilot.app.screen.query_one("Input")
        line.value = str(tmp_path / "used")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await shows(pilot, "is not empty; name a new directory")
        line.value = str(tmp_path / "copy")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await shows(pilot, "✓ 2 books")
        manifest = json.loads((tmp_path / "copy" / "MANIFEST.json").read_text())
        info = await store.book(BOOK)
        assert info is not None
        assert manifest["books"][BOOK]["head"] == info.head[1]


class Slow(MemoryStore):
    """Its backup tells half and then waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.was_cancelled = False

    async def backup(self, target: Path, progress: Any = None) -> dict[str, Any]:
        progress(5 * 2**20, 10 * 2**20)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return {"books": {}, "bytes": 10 * 2**20}


async def test_a_long_backup_shows_how_far_it_is_and_can_be_cancelled(
    open_app: OpenApp, tmp_path: Path
) -> None:
    store = Slow()
    await store.register_asset(asset())
    async with open_app(store, size=(140, 30), settings=Settings(screen="storage")) as pilot:
        await pilot.press("7", "B")
        await shows(pilot, "Copy the ledger")
        pilot.app.screen.query_one("Input").value = str(tmp_path / "copy")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await shows(pilot, "copying", "50 %", "/s", "left", "x cancels")
        await pilot.press("B")
        await shows(pilot, "is under way; x cancels that")
        await pilot.press("x")
        await shows(pilot, "The backup was cancelled")
        assert store.was_cancelled


async def test_a_store_without_files_says_that_there_is_nothing_to_copy(open_app: OpenApp) -> None:
    async with open_app(MemoryStore(), settings=Settings(screen="storage")) as pilot:
        await pilot.press("7", "B")
        await shows(pilot, "nothing to copy")


async def test_a_ledger_that_can_no_longer_be_read_is_not_shown_as_if_it_were_followed(
    tmp_path: Path,
) -> None:
    directory = await written(tmp_path / "ledger")
    books, aside = directory / "books", directory / "aside"
    async with opened(directory), app_at(directory) as pilot:
        await shows(pilot, "◉ following")
        books.rename(aside)
        books.write_text("no directory")
        await shows(pilot, "■ following · cannot read · read only", "▌ Behind")
        notice = " ".join(screen_text(pilot.app).replace("▌", " ").split())  # wherever its lines break
        assert "cannot be read now: Not a directory" in notice
        await pilot.press("p")
        await shows(pilot, "post where it is open. ")
        books.unlink()
        aside.rename(books)
        await shows(pilot, f"◉ following · pid {os.getpid()}")
