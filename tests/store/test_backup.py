"""A backup is taken while writing goes on: it opens, equals a prefix, and says by digests what it holds."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from store import AccountCfg, FollowedLedger, StoreClosed, StoreIOError
from store.files import Files
from tests.support.build import BOOK, asset, definition, household, transfer
from tests.support.disk import flip, segments
from tests.support.ledgers import last_seq, opened, pay, written
from tests.support.observe import events_of, observe, tree

MANIFEST = "MANIFEST.json"


async def test_a_backup_opens_and_shows_what_the_ledger_showed(tmp_path: Path) -> None:
    books = [BOOK, "Shop"]
    async with opened(await written(tmp_path / "ledger", books=tuple(books), segment_max=700)) as store:
        await store.backup(tmp_path / "copy")
        shown = await observe(store, books)
    async with opened(tmp_path / "copy") as copy:
        assert await observe(copy, books) == shown


async def test_a_backup_taken_while_commits_go_on_equals_a_prefix(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", segment_max=2000) as store:
        await household(store)
        await pay(store, 20)
        stop = asyncio.Event()

        async def posting(client: int) -> int:
            number = 0
            while not stop.is_set():
                await store.commit(transfer("assets:cash", "income:salary", 1, key=f"{client} {number}"))
                number += 1
            return number

        clients = [asyncio.create_task(posting(client)) for client in range(4)]
        await pay(store, 5, start=100)
        manifest = await store.backup(tmp_path / "copy")
        await pay(store, 5, start=200)
        stop.set()
        assert min(await asyncio.gather(*clients)) > 0
        events = await events_of(store, BOOK, page=1000)
        last = manifest["books"][BOOK]["last_seq"]
        assert 7 + 25 <= last < len(events)
        await store.verify(BOOK, (last, manifest["books"][BOOK]["head"]))
    async with opened(tmp_path / "copy") as copy:
        assert await events_of(copy, BOOK, page=1000) == events[:last]
        assert (await copy.book(BOOK)).head == (last, manifest["books"][BOOK]["head"])
        assert (await copy.book(BOOK)).repairs == ()
        await copy.verify(BOOK)
        await pay(copy, 3, start=300)


async def test_the_manifest_tells_heads_sizes_and_digests_of_what_was_copied(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger", 20, segment_max=900)) as store:
        await store.snapshot_now(BOOK)
        manifest = await store.backup(tmp_path / "copy")
        heads = {name: (await store.book(name)).head for name in (BOOK, "_system")}
    assert json.loads((tmp_path / "copy" / MANIFEST).read_bytes()) == manifest
    size = 0
    for name, head in heads.items():
        told = manifest["books"][name]
        assert (told["last_seq"], told["head"]) == head
        files = sorted((tmp_path / "copy" / "books" / name).glob("segment-*.log"))
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        assert told["sha256"] == digests
        assert len(files) > 1 or name == "_system"
        size += sum(path.stat().st_size for path in files)
    assert (manifest["format"], manifest["bytes"]) == (1, size)
    names = {path.name for path in (tmp_path / "copy" / "books" / BOOK).iterdir()}
    assert {name for name in names if not name.startswith("segment-")} == {"index-watermark"}


async def test_a_backup_that_is_followed_shows_its_last_batch_too(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger")) as store:
        await store.backup(tmp_path / "copy")
        events = await events_of(store, BOOK)
    async with await FollowedLedger.open(tmp_path / "copy") as followed:
        assert await events_of(followed, BOOK) == events


async def test_a_backup_of_a_followed_ledger_leaves_out_a_segment_nothing_of_which_is_known_to_be_durable(
    tmp_path: Path,
) -> None:
    directory = await written(tmp_path / "ledger", 5, segment_max=1)
    note = directory / "books" / BOOK / "index-watermark"
    noted = note.read_bytes()
    async with opened(directory, segment_max=1) as store:
        await pay(store, 1, start=5)
    note.write_bytes(noted)
    async with await FollowedLedger.open(directory) as followed:
        manifest = await followed.backup(tmp_path / "copy")
    assert manifest["books"][BOOK]["last_seq"] == 12
    assert [path.name for path in segments(tmp_path / "copy", BOOK)] == [
        path.name for path in segments(directory, BOOK)[:-1]
    ]


async def test_a_target_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "letter").write_text("mine")
    before = tree(tmp_path / "copy")
    async with opened(await written(tmp_path / "ledger", 1)) as store:
        with pytest.raises(StoreIOError, match="not empty"):
            await store.backup(tmp_path / "copy")
        assert tree(tmp_path / "copy") == before
        with pytest.raises(StoreIOError, match="not empty"):
            await store.backup(tmp_path / "ledger")
        (tmp_path / "empty").mkdir()
        await store.backup(tmp_path / "empty")


async def test_a_target_among_the_books_is_refused(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 1)
    async with opened(directory) as store:
        before = tree(directory)
        with pytest.raises(StoreIOError, match="among the books"):
            await store.backup(directory / "books" / "copy")
        assert tree(directory) == before


async def test_a_target_among_the_books_is_refused_whatever_link_leads_there(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 1)
    (tmp_path / "link").symlink_to(directory)
    async with opened(tmp_path / "link") as store:
        before = tree(directory)
        with pytest.raises(StoreIOError, match="among the books"):
            await store.backup(directory / "books" / "copy")
        assert tree(directory) == before


async def test_a_target_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    async with opened(await written(tmp_path / "ledger", 1)) as store:
        with pytest.raises(StoreIOError):
            await store.backup(tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


async def test_a_cancelled_backup_leaves_nothing_and_the_ledger_goes_on(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger", 60, segment_max=500)) as store:
        begun = asyncio.Event()
        told: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            told.append((done, total))
            begun.set()

        await big(store)
        backup = asyncio.create_task(store.backup(tmp_path / "copy", progress))
        await begun.wait()
        backup.cancel()
        with pytest.raises(asyncio.CancelledError):
            await backup
        assert not (tmp_path / "copy").exists()
        assert told[-1][0] < told[-1][1]
        await pay(store, 1, start=100)
        await store.backup(tmp_path / "copy")


async def test_a_backup_of_a_followed_ledger_ends_with_its_shutdown_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    async with opened(await written(tmp_path / "ledger")) as store:
        await big(store)
    async with await FollowedLedger.open(tmp_path / "ledger") as followed:
        begun = asyncio.Event()
        backup = asyncio.create_task(followed.backup(tmp_path / "copy", lambda done, total: begun.set()))
        await begun.wait()
        await followed.shutdown()
        with pytest.raises(StoreClosed):
            await backup
    assert not (tmp_path / "copy").exists()


def open_descriptors() -> int:
    """0 where nothing tells which files are open."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


async def test_a_backup_that_fails_at_any_call_leaves_nothing_and_its_place_can_be_used_again(
    tmp_path: Path,
) -> None:
    directory = await written(tmp_path / "ledger", 8, segment_max=500)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty-too").mkdir()
    fds = open_descriptors()
    for count in range(1, 1_000):
        assert open_descriptors() == fds
        files = FullFrom(count)
        async with opened(directory, files=files) as store:
            for target in (tmp_path / "new" / "copy", tmp_path / "empty"):
                files.left = count
                try:
                    await store.backup(target)
                except StoreIOError:
                    assert not (target / "books").exists()
                    assert (tmp_path / "new").exists() is False
                    assert tree(tmp_path / "empty") == tree(tmp_path / "empty-too")
                    continue
                files.left = -1
                assert {path.name for path in target.iterdir()} == {"books", MANIFEST}
                async with opened(target) as copy:
                    await copy.verify(BOOK)
                return
    raise AssertionError("it never succeeded")


async def test_a_backup_that_was_killed_is_no_ledger(tmp_path: Path) -> None:
    """Whatever call it comes to last, there are no books until all of them are there."""
    directory = await written(tmp_path / "ledger", 8, segment_max=500)
    seen: list[bool] = []

    class Watched(Files):
        def sync(self, fd: int) -> None:
            seen.append((tmp_path / "copy" / "books").exists())
            super().sync(fd)

    async with opened(directory, files=Watched()) as store:
        seen.clear()
        await store.backup(tmp_path / "copy")
    assert len(seen) > 3
    assert not any(seen)


class FullFrom(Files):
    """A disk with room for so many more calls that need some; -1 for any number."""

    def __init__(self, left: int) -> None:
        self.left = -1

    def _take(self) -> None:
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1

    def create(self, path: Path) -> int:
        self._take()
        return super().create(path)

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self._take()
        return super().write(fd, data, offset)

    def make_directory(self, path: Path) -> None:
        self._take()
        super().make_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._take()
        super().rename(source, target)


async def big(store: Any) -> None:
    """A segment of more than one piece."""
    memo = "x" * 1_000_000
    for number in range(3):
        await store.commit(
            transfer("assets:cash", "income:salary", 1, key=f"big {number}", metadata={"memo": memo})
        )


async def test_progress_grows_to_all_bytes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    async with opened(await written(tmp_path / "ledger", 2)) as store:
        await big(store)
        manifest = await store.backup(tmp_path / "copy", lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == (manifest["bytes"], manifest["bytes"])


async def test_an_empty_ledger_has_a_backup_too(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        assert (await store.backup(tmp_path / "copy"))["books"] == {}
    async with opened(tmp_path / "copy") as copy:
        await copy.register_asset(asset())
        await copy.open_account(definition("cash"), AccountCfg())


async def test_a_book_found_damaged_is_not_backed_up(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 40, segment_max=900)
    async with opened(directory, segment_max=900) as store:
        await store.snapshot_now(BOOK)
    flip(segments(directory, BOOK)[1], 300)
    async with opened(directory, segment_max=900) as store:
        with pytest.raises(StoreIOError):
            await store.backup(tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        assert (await store.book(BOOK)).writer == "damaged"
        with pytest.raises(StoreIOError, match="would not be whole: Book 'household' is damaged"):
            await store.backup(tmp_path / "copy")


async def test_a_segment_of_another_ledger_is_not_taken_for_the_own(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ledger", tmp_path / "theirs"
    async with opened(ours, segment_max=900) as store:
        await household(store)
        await pay(store, 5)
        shutil.copytree(ours, theirs)
        await pay(store, 35, start=5)
    async with opened(theirs, segment_max=900) as store:
        await pay(store, 35, start=5)
        await store.snapshot_now(BOOK)
    at = 2
    for _ in range(2):  # the second snapshot is of a ledger that did not read its sealed segments
        async with opened(ours, segment_max=900) as store:
            await store.snapshot_now(BOOK)
            await pay(store, 1, start=100)
    one, other = segments(ours, BOOK)[at], segments(theirs, BOOK)[at]
    assert one.stat().st_size == other.stat().st_size
    assert one.name == other.name
    shutil.copy(other, one)
    async with opened(ours, segment_max=900) as store:
        async with asyncio.timeout(30):
            while (await store.book(BOOK)).writer == "running":  # noqa: ASYNC110 - the scrub is a task of its own
                await asyncio.sleep(0.01)
        assert "damaged" in (await store.book(BOOK)).error


class LateFailure(Files):
    """The last sync of a backup fails: when its books stand under their name."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def sync_directory(self, path: Path) -> None:
        if path == self.target and (path / "books").exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_directory(path)


async def test_a_backup_whose_last_sync_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    async with opened(await written(tmp_path / "ledger"), files=LateFailure(target)) as store:
        with pytest.raises(StoreIOError, match="failed: Input/output error"):
            await store.backup(target)
        assert not target.exists()


@pytest.mark.parametrize("call", ["rename", "sync", "sync_directory"])
async def test_a_backup_cancelled_at_any_call_leaves_nothing_or_a_whole_copy(
    tmp_path: Path, call: str
) -> None:
    class Telling(Files):
        def tell(self) -> None:
            loop.call_soon_threadsafe(copying[-1].cancel)

        def rename(self, source: Path, target: Path) -> None:
            super().rename(source, target)
            self.count("rename", target)

        def sync(self, fd: int) -> None:
            super().sync(fd)
            self.count("sync")

        def sync_directory(self, path: Path) -> None:
            super().sync_directory(path)
            self.count("sync_directory", path)

        left = -1

        def count(self, name: str, path: Path | None = None) -> None:
            if name == call and copying:
                self.left -= 1
                if self.left == 0:
                    self.tell()

    loop, copying, files = asyncio.get_running_loop(), list[asyncio.Task[Any]](), Telling()
    outcomes = set()
    async with opened(await written(tmp_path / "ledger"), files=files) as store:
        for n in range(1, 30):
            target = tmp_path / f"copy {n}"
            files.left = n
            copying.append(loop.create_task(store.backup(target)))
            await asyncio.wait([copying[-1]])
            outcomes.add(copying[-1].cancelled())
            if target.exists():
                assert (target / MANIFEST).exists()
                assert await last_seq(target) == 13
            if not copying[-1].cancelled():
                break
    assert outcomes == {True, False}
