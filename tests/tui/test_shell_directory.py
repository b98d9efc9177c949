"""The application over a real ledger directory: opening it, being refused, posting, leaving, coming back."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from store import LogStoreOptions, LogTaleaStore
from store.files import Entry, Files
from talea_tui.app import TaleaApp
from talea_tui.screens.opening import OpeningScreen
from talea_tui.settings import Settings
from tests.support.build import BOOK, household, transfer
from tests.tui.conftest import screen_text, settle, until


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    async with await LogTaleaStore.open(tmp_path / "ledger") as store:
        await household(store)
        await store.commit(transfer("assets:bank", "income:salary", 300_000, metadata={"description": "Pay"}))
    return tmp_path / "ledger"


async def refusal(directory: Path) -> str:
    app = TaleaApp(directory)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "try again" in screen_text(app))
        assert isinstance(app.screen, OpeningScreen)
        return " ".join(screen_text(app).split())


async def test_a_directory_is_opened_shown_and_closed_again(directory: Path):
    app = TaleaApp(directory)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and BOOK in screen_text(app))
        await pilot.press("2")
        await until(pilot, lambda: "3,000.00" in screen_text(app))
        await app.store.commit(
            transfer("expenses:food", "assets:bank", 1_999, metadata={"description": "Market"})
        )
        await until(pilot, lambda: "2,980.01" in screen_text(app))
        await pilot.press("q")
    async with await LogTaleaStore.open(directory) as store:
        assert (await store.book(BOOK)).last_seq == 9


async def test_a_directory_that_is_not_there_becomes_an_empty_ledger(tmp_path: Path):
    app = TaleaApp(tmp_path / "new" / "ledger")
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "Press n to begin a book" in screen_text(app))


@pytest.mark.parametrize(("name", "told"), [("books", "{}/books"), ("my books", "'{}/my books'")])
async def test_an_empty_ledger_tells_the_command_that_imports_into_it_and_no_other(
    tmp_path: Path, name, told
):
    app = TaleaApp(tmp_path / name)
    async with app.run_test(size=(160, 24)) as pilot:
        await until(pilot, lambda: "Press n to begin a book" in screen_text(app))
        command = f"talea-tui import FILE --book NAME --dir {told.format(tmp_path)}"
        assert "".join(command.split()) in "".join(screen_text(app).split())


async def test_a_locked_ledger_names_who_has_it_and_opens_when_it_is_free(directory: Path):
    holder = await LogTaleaStore.open(directory)
    app = TaleaApp(directory)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "try again" in screen_text(app))
        assert str(os.getpid()) in screen_text(app)
        await holder.shutdown()
        await pilot.press("r")
        await until(pilot, lambda: BOOK in screen_text(app))


async def test_a_ledger_on_a_path_that_cannot_be_one_is_refused_in_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("not a directory")
    assert "Nothing that was posted has changed" in await refusal(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes wherever it likes")
async def test_a_read_only_directory_is_refused_in_a_sentence(tmp_path: Path):
    (tmp_path / "disk").mkdir(mode=0o500)
    assert "Nothing that was posted has changed" in await refusal(tmp_path / "disk" / "ledger")


class UnreadableFiles(Files):
    """A disk that takes the ledger's directory and its lock, and then cannot be read."""

    def entries(self, directory: Path) -> list[Entry]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_refusal_claims_nothing_of_the_directory_that_was_made_before_it(tmp_path: Path):
    place = tmp_path / "new"

    async def fails(progress: object) -> LogTaleaStore:
        return await LogTaleaStore.open_with(place, LogStoreOptions(), files=UnreadableFiles())

    app = TaleaApp(place, store_factory=fails)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: "try again" in screen_text(app))
        assert (place / "LOCK").exists()
        assert "Nothing was changed" not in screen_text(app)


async def test_leaving_while_opening_frees_the_directory(directory: Path):
    app = TaleaApp(directory)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+q")
    async with await LogTaleaStore.open(directory):
        pass


class HangingFiles(Files):
    """A disk on which a sync takes as long as `goes_on` is clear."""

    def __init__(self) -> None:
        self.goes_on, self.hangs = threading.Event(), threading.Event()
        self.goes_on.set()

    def sync(self, fd: int) -> None:
        if not self.goes_on.is_set():
            self.hangs.set()
            self.goes_on.wait()
        super().sync(fd)


async def test_a_disk_that_hangs_keeps_nobody_and_what_it_got_is_there_later(directory: Path):
    disk = HangingFiles()
    store = await LogTaleaStore.open_with(directory, LogStoreOptions(), files=disk)
    app = TaleaApp(store=store)
    async with app.run_test(size=(100, 24)) as pilot:
        disk.goes_on.clear()
        posting = asyncio.ensure_future(store.commit(transfer("expenses:food", "assets:bank", 1_999)))
        await until(pilot, disk.hangs.is_set)
        await pilot.press("q")
    assert app.return_value == 0
    assert not posting.done()
    disk.goes_on.set()
    await store.shutdown()
    async with await LogTaleaStore.open(directory) as again:
        assert (await again.book(BOOK)).last_seq == (await posting).seq


async def test_the_last_book_and_screen_come_back(directory: Path, tmp_path: Path):
    async with await LogTaleaStore.open(directory) as store:
        await household(store, "zoo")
    path = tmp_path / "settings.json"
    app = TaleaApp(directory, settings=Settings.load(path))
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and "zoo" in screen_text(app))
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.book == "zoo"
    app = TaleaApp(directory, settings=Settings.load(path))
    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "accounts")
        assert app.book == "zoo"
