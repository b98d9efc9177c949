"""Every call of the file seam fails once, in every place; what was acknowledged is there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from store import (
    AccountCfg,
    Committed,
    ConstraintViolation,
    LogStoreOptions,
    LogTaleaStore,
    Sequenced,
    StoreError,
    StoreIOError,
    Transaction,
    TransactionPosted,
    WriterStopped,
    segments,
)
from store.files import Files
from tests.support import disk
from tests.support.build import HOUSEHOLD, asset, definition, transfer
from tests.support.faulty_files import FaultyFiles, UnsyncedFiles, every, never, nth
from tests.support.observe import events_of, plant, tree

BOOKS = ("alpha", "beta")
TINY = LogStoreOptions(segment_max=700, snapshot_every=5, idem_hot_cap=3)
THOROUGHLY = 4 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1
"""How many disks with half-kept writes are looked at after each failure."""
PATHS = ("assets:cash", "income:salary")


@pytest.fixture(autouse=True)
def room_is_written_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ROOM_FROM_BYTES", 100)


class Workload:
    """A short life of a ledger, and what it was told."""

    def __init__(self) -> None:
        self.sent: list[Transaction] = []
        self.receipts: dict[str, Committed] = {}
        self.opened: list[tuple[str, str]] = []
        self.errors: list[StoreError] = []
        self.life = ""

    async def run(self, directory: Path, files: FaultyFiles, step: Callable[[], None] = lambda: None) -> None:
        try:
            store = await LogTaleaStore.open_with(directory, TINY, files=files)
        except StoreIOError as error:
            self.errors.append(error)
            return
        try:
            await self.tried(store.register_asset(asset("EUR")))
            for book in BOOKS:
                for path in PATHS:
                    if await self.tried(
                        store.open_account(definition(path, HOUSEHOLD[path], book=book), AccountCfg())
                    ):
                        self.opened.append((book, path))
            for n in range(3):
                for book in BOOKS:
                    await self.commit(store, book, n)
                step()
            await self.tried(store.snapshot_now("alpha"))
            for n in range(3, 6):
                await self.commit_batch(store, n)
                step()
            await self.tried(store.snapshot_now("beta"))
            await self.commit(store, "alpha", 99)
        finally:
            await self.tried(store.shutdown())

    async def tried(self, call: Awaitable[object]) -> bool:
        """Whether the call was answered; only the storage's own errors may come instead."""
        try:
            await call
        except StoreIOError as error:
            self.errors.append(error)
            return False
        except StoreError as error:
            # without its accounts or its asset a book refuses for other reasons
            assert self.errors, error  # noqa: PT017
            return False
        return True

    def payment(self, book: str, n: int) -> Transaction:
        self.sent.append(
            transfer(
                *PATHS,
                n + 1,
                book=book,
                key=f"{self.life}{book} {n}",
                metadata={"memo": "x" * (40 * (n % 4))},
            )
        )
        return self.sent[-1]

    async def commit(self, store: LogTaleaStore, book: str, n: int) -> None:
        payment = self.payment(book, n)

        async def committed() -> None:
            self.receipts[payment.idempotency_key] = await store.commit(payment)

        await self.tried(committed())

    async def commit_batch(self, store: LogTaleaStore, n: int) -> None:
        batch = [self.payment(book, 10 * n + m) for m in range(3) for book in BOOKS]

        async def committed() -> None:
            for payment, result in zip(batch, await store.commit_batch(batch), strict=True):
                if isinstance(result, Committed):
                    self.receipts[payment.idempotency_key] = result
                else:
                    self.errors.append(result)

        await self.tried(committed())

    async def check(self, directory: Path) -> None:
        """The ledger holds every acknowledged commit where it was told to be, others once or not at all."""
        async with await LogTaleaStore.open_with(directory, TINY, files=UnsyncedFiles()) as store:
            for book, path in self.opened:
                assert await store.account(definition(path, book=book).id) is not None
            for book in BOOKS:
                events = await events_of(store, book)
                assert [event.seq for event in events] == list(range(1, len(events) + 1))
                found = [
                    event.event.transaction for event in events if isinstance(event.event, TransactionPosted)
                ]
                sent = [payment for payment in self.sent if payment.book == book]
                assert found == [payment for payment in sent if payment in found]
                await store.verify(book)
            for payment in self.sent:
                stored = await store.by_key(payment.book, payment.idempotency_key)
                receipt = self.receipts.get(payment.idempotency_key)
                if receipt is not None:
                    assert stored is not None, f"{payment.idempotency_key} was acknowledged and is gone"
                    assert (stored.transaction, stored.seq, stored.at) == (payment, receipt.seq, receipt.at)
            await self.post_all_again(store)

    async def post_all_again(self, store: LogTaleaStore) -> None:
        await store.register_asset(asset("EUR"))
        for book in BOOKS:
            for path in PATHS:
                await store.open_account(definition(path, HOUSEHOLD[path], book=book), AccountCfg())
        for payment, again in zip(self.sent, await store.commit_batch(self.sent), strict=True):
            assert isinstance(again, Committed)
            receipt = self.receipts.get(payment.idempotency_key)
            if receipt is not None:
                assert (again, again.deduplicated) == (receipt, True)
        for book in BOOKS:
            wanted = sum(p.postings[0].amount.minor for p in self.sent if p.book == book)
            balance = await store.balance(definition(PATHS[0], book=book).id)
            assert balance.amount.minor == wanted


async def run_and_check(tmp_path: Path, files: FaultyFiles, seed: int = 0) -> Workload:
    """Run on these files, then look at the disk as it is, after a power cut, and after half-kept writes."""
    workload = Workload()
    await workload.run(files.root, files)
    images = [tree(files.root) if files.root.exists() else {}, files.image()]
    images += [files.image(Random(seed * 10 + n)) for n in range(THOROUGHLY)]
    for n, image in enumerate(images):
        if image not in images[:n]:
            await workload.check(plant(image, tmp_path / f"after {seed} {n}"))
    return workload


async def calls_of_a_healthy_run(tmp_path: Path) -> int:
    files = FaultyFiles(tmp_path / "healthy" / "ledger")
    workload = await run_and_check(tmp_path / "healthy", files)
    assert workload.errors == []
    assert len(workload.receipts) == len(workload.sent)
    return len(files.calls)


async def test_a_power_cut_after_shutdown_loses_nothing(tmp_path: Path) -> None:
    assert await calls_of_a_healthy_run(tmp_path) > 50


async def test_short_writes_are_completed(tmp_path: Path) -> None:
    for longest in (1, 7, 100):
        files = FaultyFiles(tmp_path / f"ledger {longest}", longest_write=longest)
        workload = await run_and_check(tmp_path, files, longest)
        assert workload.errors == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
async def test_any_call_may_fail_once(tmp_path: Path, code: int) -> None:
    total = await calls_of_a_healthy_run(tmp_path)
    step = 1 if code == errno.EIO or THOROUGHLY > 1 else 5
    for number in range(1, total + 1, step):
        files = FaultyFiles(tmp_path / f"ledger {number}", nth(number, code))
        workload = await run_and_check(tmp_path, files, number)
        for error in workload.errors:
            assert str(error)


@pytest.mark.parametrize(
    "name", ["write", "sync", "sync_directory", "create", "rename", "make_directory", "truncate", "open"]
)
async def test_a_kind_of_call_may_fail_from_some_point_on(tmp_path: Path, name: str) -> None:
    total = await calls_of_a_healthy_run(tmp_path)
    for after in range(0, total, 7 if THOROUGHLY > 1 else 29):
        files = FaultyFiles(tmp_path / f"ledger {after}", every(name, after=after))
        await run_and_check(tmp_path, files, after)


async def test_what_a_second_life_acknowledges_survives_a_power_cut(tmp_path: Path) -> None:
    """A call fails, the ledger is opened again on the same disk, all goes well, then the power fails."""
    total = await calls_of_a_healthy_run(tmp_path)
    for number in range(1, total + 1, 1 if THOROUGHLY > 1 else 3):
        files = FaultyFiles(tmp_path / "parent" / f"ledger {number}", nth(number))
        workload = Workload()
        await workload.run(files.root, files)
        files.fails = never
        workload.errors, workload.life = [], "second "
        await workload.run(files.root, files)
        assert workload.errors == []
        images = [files.image(), files.image(Random(number))]
        for n, image in enumerate(images):
            if image not in images[:n]:
                await workload.check(plant(image, tmp_path / f"second {number} {n}"))


async def test_a_power_cut_at_any_time_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    workload = Workload()
    cuts: list[tuple[dict[str, Committed], list[Transaction], list[dict[str, bytes | None]]]] = []

    def cut() -> None:
        images = [files.image(), *(files.image(Random(len(cuts) * 5 + n)) for n in range(3))]
        cuts.append((dict(workload.receipts), list(workload.sent), images))

    await workload.run(files.root, files, cut)
    for n, (receipts, sent, images) in enumerate(cuts):
        for m, image in enumerate(images):
            then = Workload()
            then.receipts, then.sent, then.opened = receipts, sent, workload.opened
            await then.check(plant(image, tmp_path / f"cut {n} {m}"))


async def test_failing_while_a_crash_is_mended_loses_nothing(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger", every("sync", after=150))
    workload = Workload()
    await workload.run(files.root, files)
    looked_at: list[dict[str, bytes | None]] = []
    for seed in range(1 + THOROUGHLY):
        left = files.image(Random(seed)) if seed else tree(files.root)
        probe = FaultyFiles(plant(left, tmp_path / f"probe {seed}"))
        await (await LogTaleaStore.open_with(probe.root, TINY, files=probe)).shutdown()
        for number in range(1, len(probe.calls) + 1):
            again = FaultyFiles(plant(left, tmp_path / f"again {seed} {number}"), nth(number))
            try:
                store = await LogTaleaStore.open_with(again.root, TINY, files=again)
            except StoreIOError:
                pass
            else:
                await store.shutdown()
            for image in (again.image(), again.image(Random(number))):
                if image not in looked_at:  # a disk that is no other than one before tells nothing new
                    looked_at.append(image)
                    await workload.check(plant(image, tmp_path / f"mended {seed} {number} {len(looked_at)}"))


# What a failing disk means while the store is open.


async def ready(directory: Path, files: Files, options: LogStoreOptions = LogStoreOptions()) -> Any:  # noqa: B008
    store = await LogTaleaStore.open_with(directory, options, files=files)
    await store.register_asset(asset("EUR"))
    for book in BOOKS:
        for path in PATHS:
            await store.open_account(definition(path, HOUSEHOLD[path], book=book), AccountCfg())
    return store


async def into(seqs: list[int], events: AsyncIterator[Sequenced]) -> None:
    async for event in events:
        seqs.append(event.seq)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
async def test_a_failed_sync_stops_that_writer_for_good(tmp_path: Path, code: int) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        first = await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        files.fails = every("sync", code)
        with pytest.raises(StoreIOError) as caught:
            await store.commit(transfer(*PATHS, 7, book="alpha", key="lost"))
        assert not isinstance(caught.value, WriterStopped)
        files.fails = never
        for _ in range(2):
            with pytest.raises(WriterStopped) as stopped:
                await store.commit(transfer(*PATHS, 7, book="alpha", key="lost"))
            assert stopped.value.book == "alpha"
        with pytest.raises(WriterStopped):
            await store.open_account(definition("more", book="alpha"), AccountCfg())
        [result] = await store.commit_batch([transfer(*PATHS, 7, book="alpha")])
        assert isinstance(result, WriterStopped)
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == 5
        assert await store.by_key("alpha", "lost") is None
        assert len(await store.read_events("alpha")) == 3
        info = await store.book("alpha")
        assert (info.writer, bool(info.error)) == ("stopped", True)
        assert (await store.book("beta")).writer == "running"
        await store.commit(transfer(*PATHS, 9, book="beta"))
        await store.snapshot_now("alpha")
        seqs: list[int] = []
        with pytest.raises(WriterStopped):
            await into(seqs, store.subscribe("alpha"))
        assert seqs == [1, 2, 3]
    async with await LogTaleaStore.open(files.root) as store:
        again = await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        assert (again, again.deduplicated) == (first, True)
        assert await store.by_key("alpha", "lost") is None  # it was cut off when its sync failed
        await store.commit(transfer(*PATHS, 7, book="alpha", key="lost"))
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == 12


async def test_a_bad_shape_is_told_before_a_stopped_writer_and_a_stopped_writer_before_a_known_key(
    tmp_path: Path,
) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        files.fails = every("sync")
        with pytest.raises(StoreIOError):
            await store.commit(transfer(*PATHS, 7, book="alpha"))
        with pytest.raises(StoreError) as caught:
            await store.commit(transfer(*PATHS, 0, book="alpha"))
        assert not isinstance(caught.value, StoreIOError)
        with pytest.raises(WriterStopped):
            await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
async def test_a_full_disk_while_appending_is_refused_and_survived(tmp_path: Path, code: int) -> None:
    files = FaultyFiles(tmp_path / "ledger", longest_write=50)
    async with await ready(files.root, files) as store:
        await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        later = transfer(*PATHS, 7, book="alpha", key="later", metadata={"memo": "x" * 200})
        for passed in range(4):
            files.fails = every("write", code, after=len(files.calls) + passed)
            with pytest.raises(StoreIOError) as caught:
                await store.commit(later)
            assert not isinstance(caught.value, WriterStopped)
        assert (await store.book("alpha")).writer == "running"
        files.fails = never
        receipt = await store.commit(later)
        assert (receipt.seq, receipt.deduplicated) == (4, False)
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == 12
    async with await LogTaleaStore.open(files.root) as store:
        assert (await store.book("alpha")).last_seq == 4
        assert (await store.book("alpha")).repairs == ()


@pytest.mark.parametrize("segment_max", [2**20, 1], ids=["in a segment", "in a new one"])
async def test_what_a_full_disk_refused_is_not_there_after_a_power_cut(
    tmp_path: Path, segment_max: int
) -> None:
    files = FaultyFiles(tmp_path / "ledger", longest_write=300)
    options = LogStoreOptions(segment_max=segment_max)
    async with await ready(files.root, files, options) as store:
        files.fails = every("write", errno.ENOSPC, after=len(files.calls) + 2)
        refused = [transfer(*PATHS, 7, book="alpha", key=f"refused {n}") for n in range(6)]
        assert all(isinstance(answer, StoreIOError) for answer in await store.commit_batch(refused))
        files.fails = never
        images = [files.image(Random(seed)) for seed in range(40)]
    for number, image in enumerate(images):
        directory = tmp_path / str(number)
        plant(image, directory)
        async with await LogTaleaStore.open(directory) as store:
            assert (await store.book("alpha")).transactions == 0


async def test_what_a_full_disk_refused_counts_against_no_minimum(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        await store.open_account(definition("assets:box", book="alpha"), AccountCfg(min_balance=0))
        await store.commit(transfer("assets:box", PATHS[1], 10, book="alpha"))
        files.fails = every("write", errno.ENOSPC)
        for refused in (
            transfer("assets:box", PATHS[1], 5, book="alpha"),
            transfer(PATHS[0], "assets:box", 8, book="alpha"),
        ):
            with pytest.raises(StoreIOError):
                await store.commit(refused)
        files.fails = never
        with pytest.raises(ConstraintViolation) as caught:
            await store.commit(transfer(PATHS[0], "assets:box", 11, book="alpha"))
        assert caught.value.would_be == -1
        await store.commit(transfer(PATHS[0], "assets:box", 10, book="alpha"))


async def test_another_write_error_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        files.fails = every("write", errno.EIO)
        with pytest.raises(StoreIOError):
            await store.commit(transfer(*PATHS, 7, book="alpha", key="later"))
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == 5
    async with await LogTaleaStore.open(files.root) as store:
        assert (await store.book("alpha")).last_seq == 3


async def test_failing_snapshots_and_spills_stop_nothing(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    options = LogStoreOptions(snapshot_every=2, idem_hot_cap=2)
    async with await ready(files.root, files, options) as store:
        files.fails = every("rename")
        receipts = [
            await store.commit(transfer(*PATHS, n + 1, book="alpha", key=f"key {n}")) for n in range(20)
        ]
        with pytest.raises(StoreIOError):
            await store.snapshot_now("alpha")
        assert (await store.book("alpha")).writer == "running"
        for n, receipt in enumerate(receipts):
            again = await store.commit(transfer(*PATHS, n + 1, book="alpha", key=f"key {n}"))
            assert (again, again.deduplicated) == (receipt, True)
        files.fails = never
        await store.snapshot_now("alpha")
    async with await LogTaleaStore.open(files.root) as store:
        assert (await store.book("alpha")).last_seq == 22


@pytest.mark.parametrize("segment_max", [1, 2**20])
async def test_what_the_page_cache_showed_at_opening_is_durable_once_served(
    tmp_path: Path, segment_max: int
) -> None:
    """A commit whose sync failed may show at the next open; what was read then outlives a power cut."""
    files = FaultyFiles(tmp_path / "ledger")
    options = LogStoreOptions(segment_max=segment_max)
    store = await ready(files.root, files, options)
    await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
    # nothing but the sync works, so the tail cannot be cut back either
    files.fails = lambda call, n: OSError(errno.EIO, "gone") if call in ("sync", "truncate") else None
    with pytest.raises(StoreIOError):
        await store.commit(transfer(*PATHS, 7, book="alpha", key="second"))
    await store.shutdown()
    files.fails = never
    async with await LogTaleaStore.open_with(files.root, options, files=files) as store:
        served = (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor
        image = files.image()
    async with await LogTaleaStore.open(plant(image, tmp_path / "after a power cut")) as store:
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == served


async def test_nothing_is_acknowledged_before_its_names_are_synced(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "a" / "ledger")
    async with await ready(files.root, files) as store:
        receipt = await store.commit(transfer(*PATHS, 5, book="alpha", key="first"))
        image = files.image()
    async with await LogTaleaStore.open(plant(image, tmp_path / "after a power cut")) as store:
        assert await store.commit(transfer(*PATHS, 5, book="alpha", key="first")) == receipt


@pytest.mark.parametrize("made", [["."], [".", "books"], [".", "books", "books/_system"]], ids=len)
async def test_directories_that_an_earlier_life_never_synced_are_durable_before_anything_is_acknowledged(
    tmp_path: Path, made: list[str]
) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    for name in made:
        files.make_directory(files.root / name)
    (files.root / "LOCK").touch()
    async with await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files) as store:
        await store.register_asset(asset("EUR"))
        image = files.image()
    async with await LogTaleaStore.open(plant(image, tmp_path / "after a power cut")) as store:
        assert await store.asset("EUR") is not None


async def test_a_header_that_an_earlier_life_never_synced_is_durable_before_anything_is_acknowledged(
    tmp_path: Path,
) -> None:
    async with await ready(tmp_path / "another", UnsyncedFiles()):
        (path,) = disk.segments(tmp_path / "another", "_system")
        header = path.read_bytes()[: disk.frames(path.read_bytes())[0].end]
    files = FaultyFiles(tmp_path / "ledger")
    async with await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files):
        pass
    book = files.root / "books" / "_system"
    for directory in (book.parent, book):
        files.make_directory(directory)
        files.sync_directory(directory.parent)
    fd = files.create(book / path.name)
    files.write(fd, header, 0)
    files.close(fd)
    async with await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files) as store:
        await store.register_asset(asset("EUR"))
        image = files.image()
    async with await LogTaleaStore.open(plant(image, tmp_path / "after a power cut")) as store:
        assert await store.asset("EUR") is not None


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="nothing tells which files are open")
async def test_an_opening_that_fails_wherever_it_lists_files_leaves_none_open(tmp_path: Path) -> None:
    async with await ready(tmp_path / "ledger", UnsyncedFiles()):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for number in itertools.count(1):
        files = FaultyFiles(tmp_path / "ledger")
        files.fails = lambda call, n, files=files, number=number: (
            OSError(errno.EIO, "gone") if call == "entries" and files.calls.count(call) == number else None
        )
        with contextlib.suppress(StoreIOError):
            await (await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files)).shutdown()
        assert len(os.listdir("/proc/self/fd")) == before
        if files.calls.count("entries") < number:
            break
    assert number > 2 * len(BOOKS)


async def test_nothing_is_answered_or_readable_before_it_is_synced(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        syncing, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def wait(call: str, number: int) -> None:
            if call == "sync":
                loop.call_soon_threadsafe(syncing.set)
                assert go_on.wait(60)

        events = store.subscribe("alpha", 3)
        following = asyncio.ensure_future(anext(events))
        files.fails = wait
        committing = asyncio.ensure_future(store.commit(transfer(*PATHS, 5, book="alpha", key="first")))
        await asyncio.wait_for(syncing.wait(), 60)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not committing.done()
        assert not following.done()
        assert (await store.balance(definition(PATHS[0], book="alpha").id)).amount.minor == 0
        assert await store.by_key("alpha", "first") is None
        assert len(await store.read_events("alpha")) == 2
        assert (await store.book("alpha")).last_seq == 2
        go_on.set()
        receipt = await committing
        assert (await following).seq == receipt.seq == 3
        await events.aclose()


@pytest.mark.parametrize("how", ["full disk", "cancelled"])
async def test_a_first_account_that_was_not_opened_leaves_no_book_behind(tmp_path: Path, how: str) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        opening = store.open_account(definition("cash", book="Gamma"), AccountCfg())
        if how == "full disk":
            files.fails = every("write", errno.ENOSPC)
            with pytest.raises(StoreIOError):
                await opening
            files.fails = never
        else:
            task = asyncio.ensure_future(opening)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if await store.book("Gamma") is not None:
                return
        assert [info.name for info in await store.books()] == list(BOOKS)
        assert await store.book("Gamma") is None
        # a name that was never a book's stands in nobody's way
        await store.open_account(definition("cash", book="gamma"), AccountCfg())
        assert sorted(path.name for path in (files.root / "books").iterdir()) == [
            "_system",
            "alpha",
            "beta",
            "gamma",
        ]
