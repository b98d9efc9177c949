"""Opening, locking, options, verifying and closing a ledger."""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from store import (
    Committed,
    CorruptLog,
    HeadMismatch,
    InvalidBook,
    LogStoreOptions,
    LogTaleaStore,
    StoreClosed,
    StoreIOError,
    StoreLocked,
    WriterStopped,
)
from store import segments as segments_module
from store.files import Files
from tests.support import ledgers
from tests.support.build import BOOK, household, transfer
from tests.support.disk import flip, frames, segments, snapshots
from tests.support.ledgers import CASH, last_seq, pay, written
from tests.support.observe import tree
from tests.support.subjects import open_log_store

opened = partial(ledgers.opened, files=Files())
"""On a disk that takes its time: a ledger is closed while it syncs."""

# Options.


def test_options_have_their_documented_defaults() -> None:
    options = LogStoreOptions()
    assert (options.idem_hot_cap, options.snapshot_every, options.segment_max) == (
        1_000_000,
        100_000,
        128 * 2**20,
    )
    assert (options.batch_max, options.skip_damaged) == (1024, False)


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDEM_HOT_CAP", "SNAPSHOT_EVERY", "SEGMENT_MAX"):
        monkeypatch.delenv(f"TALEA_LOG_{name}", raising=False)
    assert LogStoreOptions.from_env() == LogStoreOptions()
    monkeypatch.setenv("TALEA_LOG_IDEM_HOT_CAP", "2")
    monkeypatch.setenv("TALEA_LOG_SNAPSHOT_EVERY", "0")
    monkeypatch.setenv("TALEA_LOG_SEGMENT_MAX", "1")
    assert LogStoreOptions.from_env() == LogStoreOptions(idem_hot_cap=2, snapshot_every=0, segment_max=1)


@pytest.mark.parametrize("text", ["many", "1.5", "-1", "1e6"])
def test_an_option_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TALEA_LOG_SNAPSHOT_EVERY", text)
    with pytest.raises(ValueError, match=r"(?i)snapshot_every"):
        LogStoreOptions.from_env()


async def test_a_snapshot_interval_of_0_takes_none(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=30, snapshot_every=0)
    assert snapshots(directory, BOOK) == []


async def test_snapshots_are_taken_by_themselves_but_not_at_shutdown(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, snapshot_every=10) as store:
        await household(store)
        await pay(store, 2)
        assert (await store.book(BOOK)).snapshots == 0
    assert snapshots(directory, BOOK) == []
    async with opened(directory, snapshot_every=10) as store:
        await pay(store, 20, start=2)
    assert snapshots(directory, BOOK)


# The lock.


async def test_a_second_store_is_refused_the_directory(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger"):
        for _ in range(2):
            with pytest.raises(StoreLocked) as caught:
                await open_log_store(tmp_path / "ledger")
            assert caught.value.holder == os.getpid()
    async with opened(tmp_path / "ledger"):
        pass


async def test_another_process_is_refused_the_directory_and_told_who_has_it(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom store import LogTaleaStore, StoreLocked\n"
        "try:\n    asyncio.run(LogTaleaStore.open(sys.argv[1]))\n"
        "except StoreLocked as error:\n    print(error.holder)\n"
    )
    async with opened(tmp_path / "ledger"):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path / "ledger"), stdout=subprocess.PIPE
        )
        out, _ = await child.communicate()
    assert out.decode().strip() == str(os.getpid())


async def test_a_lock_file_left_behind_by_a_dead_process_stops_nobody(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (directory / "LOCK").write_text("999999")
    assert await last_seq(directory) == 13


async def test_cancelling_an_opening_releases_the_lock(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=50, segment_max=300)
    threads = threading.active_count()
    finished = False
    patience = 0
    while not finished:
        opening = asyncio.ensure_future(open_log_store(directory))
        for _ in range(patience):
            await asyncio.sleep(0)
        opening.cancel()
        try:
            store = await opening
        except asyncio.CancelledError:
            patience += 1 + patience // 4
        else:
            finished = True
            await store.shutdown()
        async with opened(directory) as again:
            assert (await again.book(BOOK)).last_seq == 57
    assert patience > 3
    assert threading.active_count() <= threads
    assert {task for task in asyncio.all_tasks() if task.get_name().startswith("talea")} == set()


async def test_opening_tells_how_far_it_has_come(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=30, snapshot_every=0, segment_max=300)
    told: list[tuple[str, int, int]] = []
    store = await LogTaleaStore.open_with(
        directory, LogStoreOptions(), lambda book, seq, last: told.append((book, seq, last))
    )
    await store.shutdown()
    mine = [(seq, last) for book, seq, last in told if book == BOOK]
    assert mine
    assert [seq for seq, _ in mine] == sorted(seq for seq, _ in mine)
    assert mine[-1] == (37, 37)


async def test_a_progress_that_raises_releases_the_lock(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", count=30)

    def stop(book: str, seq: int, last: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await LogTaleaStore.open_with(directory, LogStoreOptions(), stop)
    assert await last_seq(directory) == 37


async def test_a_directory_may_be_named_in_text(tmp_path: Path) -> None:
    async with await LogTaleaStore.open(str(tmp_path / "ledger")) as store:
        await household(store)
    assert await last_seq(tmp_path / "ledger") == 7


# Closing.


async def test_shutdown_answers_what_was_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        waiting = [
            asyncio.ensure_future(store.commit(transfer("assets:cash", "income:salary", 1, key=f"k{n}")))
            for n in range(300)
        ]
        await asyncio.sleep(0)
        await store.shutdown()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    told = [result for result in results if isinstance(result, Committed)]
    assert told
    assert {type(result) for result in results} <= {Committed, StoreClosed}
    assert await last_seq(tmp_path / "ledger") == 7 + len(told)


class CountedDescriptors(Files):
    """Real files that know how many are open."""

    def __init__(self) -> None:
        self.open_ones: set[int] = set()

    def create(self, path: Path) -> int:
        fd = super().create(path)
        self.open_ones.add(fd)
        return fd

    def open(self, path: Path, write: bool = False) -> int:
        fd = super().open(path, write)
        self.open_ones.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self.open_ones.discard(fd)
        super().close(fd)


async def test_no_file_stays_open_whenever_the_waiting_ends(tmp_path: Path) -> None:
    options: dict[str, Any] = {"snapshot_every": 20, "segment_max": 600, "idem_hot_cap": 10}
    directory = await written(tmp_path / "ledger", count=60, **options)
    files = CountedDescriptors()
    works: list[Callable[[Any], Awaitable[object]]] = [
        lambda store: store.verify(BOOK),
        lambda store: store.by_key(BOOK, "key 1"),
        lambda store: store.snapshot_now(BOOK),
    ]
    for patience in range(0, 60, 3):
        opening = asyncio.ensure_future(open_log_store(directory, files=files, **options))
        for _ in range(patience):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await (await opening).shutdown()
        assert not files.open_ones
        async with ledgers.opened(directory, files=files, **options) as store:
            for work in works:
                task = asyncio.ensure_future(work(store))
                for _ in range(patience // 2):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
        assert not files.open_ones


@pytest.mark.parametrize("segment_max", [1, 2**20])
async def test_a_segment_that_could_not_be_synced_does_not_stay_open(
    tmp_path: Path, segment_max: int
) -> None:
    class WornOut(CountedDescriptors):
        armed = False

        def sync(self, fd: int) -> None:
            if self.armed:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync(fd)

    files = WornOut()
    async with ledgers.opened(tmp_path / "ledger", files=files, segment_max=segment_max) as store:
        await household(store)
        files.armed = True
        with pytest.raises(StoreIOError):
            await store.commit(transfer("assets:cash", "income:salary", 1))
    assert not files.open_ones


def test_a_shutdown_that_the_end_of_the_loop_cuts_short_leaves_neither_lock_nor_thread(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "ledger"
    threads = threading.active_count()

    async def left_halfway() -> list[asyncio.Future[Committed]]:
        store = await open_log_store(directory, files=Files())
        await household(store)
        waiting = [
            asyncio.ensure_future(store.commit(transfer("assets:cash", "income:salary", 1, key=f"k{n}")))
            for n in range(3000)
        ]
        await asyncio.sleep(0)
        leaving = asyncio.ensure_future(store.shutdown())
        await asyncio.sleep(0)
        leaving.cancel()
        return waiting

    waiting = asyncio.run(left_halfway())
    answered = [call for call in waiting if not call.cancelled() and call.exception() is None]
    assert threading.active_count() == threads
    assert asyncio.run(last_seq(directory)) >= 7 + len(answered)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_lock_is_free_after_shutdown_though_a_forked_child_lives(tmp_path: Path) -> None:
    ours, theirs = os.pipe()

    async def left_and_opened_again() -> None:
        store = await open_log_store(tmp_path / "ledger")
        child = os.fork()
        if not child:
            os.close(theirs)
            os.read(ours, 1)  # until its parent closes the other end
            os._exit(0)
        children.append(child)
        await store.shutdown()
        async with opened(tmp_path / "ledger"):
            pass

    children: list[int] = []
    try:
        asyncio.run(left_and_opened_again())
    finally:
        os.close(theirs)
        for child in children:
            os.waitpid(child, 0)
        os.close(ours)


class NotedRenames(Files):
    """Real files that note what got its name, and whether the loop was held for it."""

    def __init__(self) -> None:
        self.renamed: list[tuple[str, bool]] = []

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self.renamed.append((target.suffix, threading.current_thread() is threading.main_thread()))


@pytest.mark.parametrize("what", ["snapshot", "spill"])
async def test_shutdown_lets_a_snapshot_or_spill_that_has_begun_finish(tmp_path: Path, what: str) -> None:
    files = NotedRenames()
    options = {"snapshot_every": 10} if what == "snapshot" else {"snapshot_every": 0, "idem_hot_cap": 8}
    async with ledgers.opened(tmp_path, files=files, **options) as store:
        await household(store)
        for n in range(100):
            await pay(store, 1, start=n)
            if any(task.get_name() == f"talea-{what}:{BOOK}" for task in asyncio.all_tasks()):
                break
        await store.shutdown()
        # nothing of it is left for the time after, when there are no threads any more
        assert (".snap" if what == "snapshot" else ".run", False) in files.renamed
        assert not any(on_loop for _, on_loop in files.renamed)


async def test_nothing_is_left_running_after_shutdown(tmp_path: Path) -> None:
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    async with opened(tmp_path / "ledger", segment_max=300, snapshot_every=3, idem_hot_cap=2) as store:
        for book in ("alpha", "beta", "gamma"):
            await household(store, book)
            await pay(store, 20, book=book)
            await store.read_events(book, 3, 10)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {"talea-writer:alpha", "talea-writer:beta", "talea-writer:gamma"} <= names
    assert asyncio.all_tasks() == tasks
    assert threading.active_count() == threads
    gc.collect()
    if fds:
        assert len(os.listdir("/proc/self/fd")) <= fds


async def test_a_cancelled_shutdown_can_be_finished(tmp_path: Path) -> None:
    store = await open_log_store(tmp_path / "ledger", files=Files())
    await household(store)
    for patience in range(4):
        closing = asyncio.ensure_future(store.shutdown())
        for _ in range(patience):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
    await store.shutdown()
    assert await last_seq(tmp_path / "ledger") == 7


async def test_hundreds_of_books_live_in_one_ledger(tmp_path: Path) -> None:
    names = [f"book {n}" for n in range(200)]
    async with opened(tmp_path / "ledger") as store:
        await household(store, names[0])
        await asyncio.gather(*(household(store, name) for name in names[1:]))
        batch = [transfer("assets:cash", "income:salary", 5, book=name) for name in names * 3]
        results = await store.commit_batch(batch)
        assert all(isinstance(result, Committed) for result in results)
    files = CountedDescriptors()
    async with opened(tmp_path / "ledger", files=files) as store:
        infos = await store.books()
        assert {info.name: info.last_seq for info in infos} == dict.fromkeys(names, 10)
        assert not files.open_ones
    assert len(infos) == 200


# verify


async def test_verify_passes_on_a_good_book_and_on_an_unknown_one(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", segment_max=300, snapshot_every=4) as store:
        await household(store)
        await pay(store, 20)
        told: list[tuple[str, int, int]] = []
        await store.verify(BOOK, progress=lambda *facts: told.append(facts))
        assert told[-1] == (BOOK, 27, 27)
        await store.verify("_system")
        await store.verify("nowhere")
        with pytest.raises(InvalidBook):
            await store.verify("../outside")


async def test_verify_proves_a_head_noted_earlier(tmp_path: Path) -> None:
    heads = []
    directory = tmp_path / "ledger"
    async with opened(directory, segment_max=300) as store:
        await household(store)
        for n in range(6):
            await pay(store, 1, start=n)
            heads.append((await store.book(BOOK)).head)
    for options in ({}, {"snapshot_every": 1}):
        async with opened(directory, **options) as store:
            for head in heads:
                await store.verify(BOOK, head)
            await store.verify(BOOK, (0, _head_of_nothing(BOOK)))
            seq, digest = heads[2]
            with pytest.raises(HeadMismatch) as caught:
                await store.verify(BOOK, (seq, heads[3][1]))
            assert (caught.value.book, caught.value.seq) == (BOOK, seq)
            assert (caught.value.expected, caught.value.found) == (heads[3][1], digest)
            with pytest.raises(HeadMismatch):
                await store.verify(BOOK, (99, digest))
            assert (await store.book(BOOK)).writer == "running"
            await pay(store, 1, start=50)


def _head_of_nothing(book: str) -> str:
    return hashlib.sha256(book.encode()).hexdigest()


async def test_the_head_is_the_chain_of_payload_digests(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    head = hashlib.sha256(BOOK.encode()).digest()
    for segment in segments(directory, BOOK):
        for frame in frames(segment.read_bytes())[1:]:
            head = hashlib.sha256(head + frame.payload).digest()
    async with opened(directory) as store:
        assert (await store.book(BOOK)).head == (13, head.hex())


async def test_verify_finds_damage_under_an_open_store(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, segment_max=300) as store:
        await household(store)
        await pay(store, 12)
        damaged = segments(directory, BOOK)[1]
        flip(damaged, frames(damaged.read_bytes())[1].offset + 40)
        with pytest.raises(CorruptLog) as caught:
            await store.verify(BOOK)
        assert (caught.value.segment, caught.value.offset) == (
            damaged.name,
            frames(damaged.read_bytes())[0].end,
        )


async def test_verifying_while_commits_go_on_harms_neither(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", segment_max=2000, snapshot_every=50) as store:
        await household(store)

        async def writing() -> None:
            for n in range(40):
                await store.commit_batch([transfer("assets:cash", "income:salary", n + 1) for _ in range(5)])

        task = asyncio.ensure_future(writing())
        while not task.done():
            await store.verify(BOOK)
        await task
        await store.verify(BOOK)


async def test_a_cancelled_verify_harms_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", segment_max=300) as store:
        await household(store)
        await pay(store, 30)
        for patience in range(6):
            verifying = asyncio.ensure_future(store.verify(BOOK))
            for _ in range(patience):
                await asyncio.sleep(0)
            verifying.cancel()
            await asyncio.gather(verifying, return_exceptions=True)
        await store.verify(BOOK)
        await pay(store, 1, start=30)


async def test_a_snapshot_of_an_unknown_book_is_a_storage_error(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        with pytest.raises(StoreIOError):
            await store.snapshot_now("nowhere")
        with pytest.raises(InvalidBook):
            await store.snapshot_now("../outside")
        await household(store)
        await store.snapshot_now("_system")
        await store.snapshot_now(BOOK)
        await store.snapshot_now(BOOK)
        assert (await store.book(BOOK)).snapshots == 1


async def test_a_snapshot_covers_what_was_applied_when_it_was_asked_for(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, snapshot_every=0) as store:
        await household(store)
        await pay(store, 5)
        asked = store.snapshot_now(BOOK)
        more = asyncio.ensure_future(pay(store, 5, start=5))
        await asked
        [newest] = snapshots(directory, BOOK)[-1:]
        assert int(newest.name[9:29]) >= 12
        await more
        balance = await store.balance(CASH)
    async with opened(directory) as store:
        assert await store.balance(CASH) == balance


async def test_the_figures_of_a_book_count_its_files(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, segment_max=300, idem_hot_cap=4, snapshot_every=0) as store:
        await household(store)
        await pay(store, 30)
        await store.snapshot_now(BOOK)
        info = await store.book(BOOK)
        home = directory / "books" / BOOK
        assert info.segments == len(list(home.glob("segment-*.log")))
        assert info.snapshots == 1
        assert info.runs == len(list(home.glob("idem-*.run"))) > 0
        assert info.transactions == 30
        assert info.batch_size >= 1
        assert info.sync_micros >= 0
    size = sum(path.stat().st_size for path in segments(directory, BOOK))
    async with opened(directory) as store:
        assert (await store.book(BOOK)).bytes_on_disk >= size


async def test_a_snapshot_tells_how_far_it_is_and_can_be_given_up(tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    def give_up(book: str, seq: int, last_seq: int) -> None:
        raise GivenUp

    directory = await written(tmp_path)
    told: list[tuple[str, int, int]] = []
    async with opened(directory) as store:
        before = tree(directory)
        with pytest.raises(GivenUp):
            await store.snapshot_now(BOOK, give_up)
        left = {name for name in tree(directory) if name not in before}
        assert not [name for name in left if name.endswith((".tmp", ".snap"))]
        await pay(store, 1, start=6)
        await store.snapshot_now(BOOK, lambda *progress: told.append(progress))
        assert told[-1] == (BOOK, 0, 14)
        assert (await store.book(BOOK)).snapshots == 1
    async with opened(directory) as store:
        assert (await store.book(BOOK)).last_seq == 14


async def test_a_book_whose_log_was_deleted_takes_nothing_more_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "DELETED_WITHIN_SECONDS", 0.0)
    directory = tmp_path / "ledger"
    store = await open_log_store(directory)
    try:
        await household(store)
        await store.commit(transfer("assets:cash", "income:salary", 1))
        shutil.rmtree(directory)
        with pytest.raises(StoreIOError, match="was deleted"):
            await store.commit(transfer("assets:cash", "income:salary", 2))
        with pytest.raises(WriterStopped):
            await store.commit(transfer("assets:cash", "income:salary", 3))
        assert (await store.balance(CASH)).amount.minor == 1
        with pytest.raises(StoreIOError):
            await store.reopen(BOOK)
    finally:
        await store.shutdown()
    assert not directory.exists()


async def test_a_log_whose_growing_segment_was_deleted_does_not_go_on_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "DELETED_WITHIN_SECONDS", 0.0)
    async with opened(tmp_path / "ledger", segment_max=1) as store:
        await household(store)
        segments(tmp_path / "ledger", BOOK)[-1].unlink()
        with pytest.raises(StoreIOError, match="was deleted"):
            await store.commit(transfer("assets:cash", "income:salary", 1))


async def test_a_watermark_that_fails_when_it_is_closed_stops_nothing(tmp_path: Path) -> None:
    class Failing(Files):
        watermarks: ClassVar[set[int]] = set()

        def create(self, path: Path) -> int:
            fd = super().create(path)
            if path.name == "index-watermark":
                self.watermarks.add(fd)
            return fd

        def close(self, fd: int) -> None:
            super().close(fd)
            if fd in self.watermarks:
                self.watermarks.discard(fd)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    await written(tmp_path / "ledger", files=Failing())
    assert await last_seq(tmp_path / "ledger") == 13
