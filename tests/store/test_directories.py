"""The directory a ledger lies in: found, made, moved away from, and what stands in it that is no file of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    CorruptLog,
    FollowedLedger,
    LogStoreOptions,
    LogTaleaStore,
    StoreIOError,
    StoreLocked,
)
from store.files import Files, make_directories
from tests.support.build import BOOK, asset, definition, household
from tests.support.disk import book_directory, flip, segments
from tests.support.ledgers import last_seq, opened, pay, refused, written


async def test_a_ledger_stays_where_it_was_opened_though_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(Path("ledger")) as store:
        await household(store)
        async with await FollowedLedger.open("ledger") as follower:
            (tmp_path / "elsewhere").mkdir()
            monkeypatch.chdir(tmp_path / "elsewhere")
            await pay(store, 1)
            await household(store, "another")
            async with asyncio.timeout(30):
                while (await follower.book("another")) is None:  # noqa: ASYNC110 - it looks now and then
                    await asyncio.sleep(0.01)
        await store.backup("copy")
    assert sorted(os.listdir()) == ["copy"]
    assert await last_seq(tmp_path / "ledger") == 8
    assert await last_seq(tmp_path / "ledger", "another") == 7


async def test_of_two_that_make_a_ledger_at_once_one_has_it_and_the_other_is_told(tmp_path: Path) -> None:
    for n in range(20):
        directory = tmp_path / str(n) / "new" / "ledger"
        outcomes = await asyncio.gather(
            *[LogTaleaStore.open(directory) for _ in range(2)], return_exceptions=True
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LogTaleaStore", "StoreLocked"]
        for outcome in outcomes:
            if isinstance(outcome, LogTaleaStore):
                await outcome.shutdown()
            else:
                assert isinstance(outcome, StoreLocked)


def test_a_drive_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    with pytest.raises(OSError, match="File exists"):
        make_directories(Files(), Path("/nowhere/ledger"))


class NoDirectorySyncs(Files):
    """As on a network mount; what `os.fsync` says of a directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fsync(fd: int) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="files are synced by fsync, too")
async def test_a_file_system_that_cannot_sync_directories_holds_a_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = NoDirectorySyncs(monkeypatch)
    await written(tmp_path / "ledger", 3, files=files)
    assert await last_seq(tmp_path / "ledger") == 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize(
    "name",
    [
        "segment-00000000000000000014.log",
        "snapshot-00000000000000000003.snap",
        "idem-000009.run",
        "index-watermark",
    ],
)
async def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    directory = await written(tmp_path / "ledger")
    path = book_directory(directory, BOOK) / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(CorruptLog, match="not a file of the ledger"):
        await LogTaleaStore.open(directory)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("name", ["segment-00000000000000000001.log", "index-watermark"])
async def test_a_pipe_keeps_no_follower_waiting(tmp_path: Path, name: str) -> None:
    directory = await written(tmp_path / "ledger")
    path = book_directory(directory, BOOK) / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreIOError, match="cannot be read: Illegal seek"):
        await FollowedLedger.open(directory)


async def test_a_book_whose_whole_log_is_gone_is_told_and_not_begun_anew(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    segments(directory, BOOK)[0].unlink()
    error = await refused(directory)
    assert "its log is gone, but seq 13 had been durable" in str(error)


async def test_a_registry_that_lost_an_asset_in_use_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory) as store:
        await store.register_asset(asset())
        await store.open_account(definition("assets:cash"), AccountCfg())
    log = segments(directory, "_system")[0]
    flip(log, log.stat().st_size - 1)
    error = await refused(directory)
    assert "which the registry of assets has lost" in str(error)
    async with opened(directory, skip_damaged=True) as store:
        assert [(info.name, info.writer) for info in await store.books()] == [(BOOK, "damaged")]
        with pytest.raises(CorruptLog, match="has lost"):
            await store.reopen(BOOK)
        await store.register_asset(asset())
        await store.reopen(BOOK)
        assert (await store.book(BOOK)).writer == "running"


class ScarceDescriptors(Files):
    """A process that for a while can open no more files, or no more directories."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.code: int | None = None

    def _refuse(self, what: str) -> None:
        if self.code is not None and what == self.what:
            raise OSError(self.code, os.strerror(self.code))

    def create(self, path: Path) -> int:
        self._refuse("files")
        return super().create(path)

    def sync_directory(self, path: Path) -> None:
        self._refuse("directories")
        super().sync_directory(path)


@pytest.mark.parametrize("what", ["files", "directories"])
async def test_without_descriptors_nothing_is_posted_and_the_writer_goes_on(
    tmp_path: Path, what: str
) -> None:
    files = ScarceDescriptors(what)
    options = LogStoreOptions(segment_max=1)
    async with await LogTaleaStore.open_with(tmp_path / "ledger", options, files=files) as store:
        await household(store)
        files.code = errno.EMFILE
        with pytest.raises(StoreIOError, match="Too many open files; nothing was posted"):
            await pay(store, 1)
        files.code = None
        assert [receipt.seq for receipt in await pay(store, 2)] == [8, 9]


@pytest.mark.parametrize("what", ["files", "directories"])
async def test_without_descriptors_no_book_begins_and_the_next_try_begins_it(
    tmp_path: Path, what: str
) -> None:
    files = ScarceDescriptors(what)
    async with await LogTaleaStore.open_with(tmp_path / "ledger", LogStoreOptions(), files=files) as store:
        await household(store)
        files.code = errno.EMFILE
        with pytest.raises(StoreIOError, match="Too many open files; nothing was posted"):
            await household(store, "other")
        assert [info.name for info in await store.books()] == [BOOK]
        files.code = None
        await household(store, "other")
        await pay(store, 1, book="other")


async def test_readers_elsewhere_learn_of_what_was_posted_while_there_were_no_descriptors(
    tmp_path: Path,
) -> None:
    files = ScarceDescriptors("files")
    directory = await written(tmp_path / "ledger")
    (book_directory(directory, BOOK) / "index-watermark").unlink()
    files.code = errno.EMFILE
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(), files=files) as store:
        await pay(store, 1, start=50)
        files.code = None
        await pay(store, 1, start=51)
        async with await FollowedLedger.open(directory) as followed:
            assert (await followed.book(BOOK)).last_seq == 15


def test_the_store_is_imported_without_a_place_for_temporary_files() -> None:
    """Every disk may be full: a ledger can be read all the same."""
    said = "import tempfile; tempfile._get_default_tempdir = None; import store; print(tempfile.tempdir)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


async def test_what_goes_away_while_a_directory_is_listed_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool that syncs files, or the writer beside a reader, makes and removes files there at any time."""
    books = await written(tmp_path / "ledger") / "books"
    names = [entry.name for entry in Files().entries(books)]
    gone, scandir = books / "temporary", os.scandir
    gone.write_bytes(b"")

    def listed(path: Path) -> contextlib.AbstractContextManager[list[os.DirEntry[str]]]:
        with scandir(path) as scan:
            entries = list(scan)
        gone.unlink()
        return contextlib.nullcontext(entries)

    monkeypatch.setattr("store.files.os.scandir", listed)
    assert [entry.name for entry in Files().entries(books)] == names
