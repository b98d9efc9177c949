"""Whoever calls is answered: what is no transaction, what comes early in a batch, what meets shutdown or a fault."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from store import (
    AccountCfg,
    AccountKind,
    Committed,
    CorruptLog,
    IdempotencyConflict,
    InvalidBook,
    InvalidTransaction,
    LogStoreOptions,
    LogTaleaStore,
    StoreClosed,
    StoreIOError,
    UnknownAccount,
    WriterStopped,
)
from store import writer as store_writer
from store.files import Files
from store.state import BookState
from tests.support.build import asset, credit, debit, definition, posted, transfer
from tests.support.disk import flip, segments, snapshots
from tests.support.faulty_files import FaultyFiles, every, never

K = AccountKind


async def ready(directory: Path, files: Files | None = None) -> LogTaleaStore:
    store = await LogTaleaStore.open_with(directory, LogStoreOptions(), files=files)
    await store.register_asset(asset("EUR"))
    for path, kind in (("a", K.ASSET), ("b", K.EQUITY)):
        await store.open_account(definition(path, kind, book="shop"), AccountCfg())
    return store


async def test_what_is_no_transaction_is_refused_in_its_place(tmp_path: Path) -> None:
    nothing: Any = None
    async with await ready(tmp_path / "ledger") as store:
        with pytest.raises(InvalidTransaction):
            await store.commit(nothing)
        one, two = (transfer("a", "b", n, book="shop", key=f"k{n}") for n in (1, 2))
        results = await store.commit_batch([one, nothing, two])
        assert [type(result) for result in results] == [Committed, InvalidTransaction, Committed]


async def test_an_account_can_be_used_by_the_call_right_behind_the_one_that_opens_it(tmp_path: Path) -> None:
    async with await ready(tmp_path / "ledger") as store:
        opening = store.open_account(definition("c", K.ASSET, book="shop"), AccountCfg())
        posting = store.commit(transfer("c", "b", 5, book="shop", key="k"))
        _, committed = await asyncio.gather(opening, posting)
        assert committed.seq == 4


async def test_what_is_changed_between_a_call_and_its_awaiting_has_no_effect(tmp_path: Path) -> None:
    async with await ready(tmp_path / "ledger") as store:
        note = {"n": 0}
        calls = []
        for n in range(3):
            note["n"] = n
            calls.append(store.commit(transfer("a", "b", 1, book="shop", key=f"k{n}", metadata=note)))
        note["n"] = 3
        many = [transfer("a", "b", 1, book="shop", key="k3", metadata=note)]
        batch = store.commit_batch(many)
        many.clear()
        note["n"] = 99
        await asyncio.gather(*calls, batch)
        found = [await store.by_key("shop", f"k{n}") for n in range(4)]
        assert [stored and stored.transaction.metadata for stored in found] == [{"n": n} for n in range(4)]


async def test_a_time_zone_that_fails_harms_its_own_transaction_alone(tmp_path: Path) -> None:
    class NoMansLand(tzinfo):
        def utcoffset(self, _: datetime | None) -> timedelta:
            raise RuntimeError("no offset here")

    odd = transfer("a", "b", 1, book="shop", key="odd", occurred_at=datetime(2026, 1, 1, tzinfo=NoMansLand()))
    one, two = (transfer("a", "b", n, book="shop", key=f"k{n}") for n in (1, 2))
    async with await ready(tmp_path / "ledger") as store:
        results = await store.commit_batch([one, odd, two])
        assert [type(result) for result in results] == [Committed, InvalidTransaction, Committed]


async def test_transactions_of_many_postings_are_applied_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[int] = []
    honest = BookState.apply

    def watched(state: BookState, batch: Sequence[Any], offset: int) -> int:
        applied.append(sum(len(event.legs) // 2 for event in batch))
        return honest(state, batch, offset)

    monkeypatch.setattr(BookState, "apply", watched)
    large = [
        posted(*[debit("a", 1, book="shop"), credit("b", 1, book="shop")] * 500, book="shop", key=f"k{n}")
        for n in range(8)
    ]
    async with await ready(tmp_path / "ledger") as store:
        applied.clear()
        assert {type(result) for result in await store.commit_batch(large)} == {Committed}
    assert sum(applied) == 8000
    assert max(applied) <= 2000


async def test_a_key_that_a_full_disk_kept_from_being_committed_is_in_conflict_with_nothing(
    tmp_path: Path,
) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await ready(files.root, files) as store:
        first, other = (transfer("a", "b", n, book="shop", key="k") for n in (1, 2))
        files.fails = every("write", errno.ENOSPC)
        for answer in await store.commit_batch([first, other, first]):
            assert type(answer) is StoreIOError
            assert "nothing was posted" in str(answer)
        files.fails = never
        one, conflict, again = await store.commit_batch([other, first, other])
        assert isinstance(one, Committed)
        assert again == one
        assert isinstance(conflict, IdempotencyConflict)
        assert conflict.seq == one.seq


async def test_a_batch_that_meets_shutdown_is_answered(tmp_path: Path) -> None:
    store = await ready(tmp_path / "ledger")
    many = [transfer("a", "b", n + 1, book="shop", key=f"k{n}") for n in range(5_000)]
    batch = asyncio.create_task(store.commit_batch(many))
    await asyncio.sleep(0)
    await store.shutdown()
    async with asyncio.timeout(30):
        results = await batch
    assert {type(result) for result in results} <= {Committed, StoreClosed}
    async with await LogTaleaStore.open(tmp_path / "ledger") as again:
        info = await again.book("shop")
        assert info is not None
        assert info.transactions == sum(type(result) is Committed for result in results)


async def test_a_fault_of_the_program_leaves_no_caller_waiting(tmp_path: Path) -> None:
    class Exhausted(Files):
        armed = False

        def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            if self.armed:
                raise MemoryError
            return super().write(fd, data, offset)

    files = Exhausted()
    store = await ready(tmp_path / "ledger", files)
    files.armed = True
    async with asyncio.timeout(30):
        with pytest.raises(StoreIOError):
            await store.commit(transfer("a", "b", 1, book="shop", key="k"))
        await store.shutdown()


async def test_a_fault_while_a_batch_is_answered_leaves_no_caller_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    store = await ready(tmp_path / "ledger")
    monkeypatch.setattr(BookState, "repeated", fails)
    posted = [transfer("a", "b", 1, book="shop", key=key) for key in ("once", "once", "another", "once")]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*map(store.commit, posted), return_exceptions=True)
        await store.shutdown()
    # what is durable is answered before what repeats it
    assert [type(answer) for answer in answers] == [Committed, StoreIOError, Committed, StoreIOError]


async def test_a_fault_between_slices_leaves_no_caller_waiting_and_answers_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await ready(tmp_path / "ledger")
    monkeypatch.setattr(store_writer, "APPLY_SLICE", 1)
    applied, apply = [], BookState.apply

    def fails_at_the_second(state: BookState, *args: Any) -> int:
        applied.append(args)
        if len(applied) == 2:
            raise RuntimeError("a fault of the program")
        return apply(state, *args)

    monkeypatch.setattr(BookState, "apply", fails_at_the_second)
    posted = [transfer("a", "b", 1, book="shop", key=key) for key in ("once", "another", "once", "another")]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*map(store.commit, posted), return_exceptions=True)
        await store.shutdown()
    assert [type(answer) for answer in answers] == [Committed, StoreIOError, Committed, StoreIOError]
    assert answers[2] == answers[0]
    assert answers[2].deduplicated


async def test_what_was_refused_before_a_fault_in_its_batch_is_still_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await ready(tmp_path / "ledger")
    decide = BookState.decide_transaction

    def fails_at_one(state: BookState, request: Any, *args: Any) -> Any:
        if request.key == "fault":
            raise RuntimeError("a fault of the program")
        return decide(state, request, *args)

    monkeypatch.setattr(BookState, "decide_transaction", fails_at_one)
    posted = [transfer(path, "b", 1, book="shop", key=key) for path, key in (("x", "k"), ("a", "fault"))]
    async with asyncio.timeout(30):
        answers = await store.commit_batch(posted)
        await store.shutdown()
    assert [type(answer) for answer in answers] == [UnknownAccount, StoreIOError]


class HeldFiles(Files):
    """Real files, some of whose calls wait while `gate` is clear."""

    def __init__(self) -> None:
        self.gate, self.waits = threading.Event(), threading.Event()
        self.gate.set()

    def _pass(self) -> None:
        if not self.gate.is_set():
            self.waits.set()
            self.gate.wait()


class HeldSyncs(HeldFiles):
    def sync(self, fd: int) -> None:
        self._pass()
        super().sync(fd)


class HeldRuns(HeldFiles):
    def rename(self, source: Path, target: Path) -> None:
        if target.suffix == ".run":
            self._pass()
        super().rename(source, target)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in a thread or in files
            await asyncio.sleep(0.01)


async def test_a_book_keeps_its_name_to_itself_while_its_first_event_is_being_written(tmp_path: Path) -> None:
    files = HeldSyncs()
    async with await ready(tmp_path / "ledger", files) as store:
        files.gate.clear()
        opening = asyncio.create_task(store.open_account(definition("a", book="house"), AccountCfg()))
        try:
            await until(files.waits.is_set)
            async with asyncio.timeout(10):
                with pytest.raises(InvalidBook):
                    await store.open_account(definition("a", book="House"), AccountCfg())
        finally:
            files.gate.set()
        await opening
        assert [info.name for info in await store.books()] == ["house", "shop"]


async def test_a_subscriber_gets_what_was_being_written_when_its_book_was_stopped(tmp_path: Path) -> None:
    files = HeldSyncs()
    store = await ready(tmp_path / "ledger", files)
    seqs: list[int] = []

    async def follow() -> None:
        async for sequenced in store.subscribe("shop"):
            seqs.append(sequenced.seq)  # noqa: PERF401 - it ends by an error

    following = asyncio.create_task(follow())
    await until(lambda: seqs == [1, 2])
    files.gate.clear()
    committing = asyncio.create_task(store.commit(transfer("a", "b", 1, book="shop", key="k")))
    await until(files.waits.is_set)
    flip(segments(tmp_path / "ledger", "shop")[0], 60)
    with pytest.raises(CorruptLog):
        await store.verify("shop")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not following.done()
    files.gate.set()
    assert (await committing).seq == 3
    with pytest.raises(WriterStopped):
        await following
    assert seqs == [1, 2, 3]
    await store.shutdown()


class HeldLookups(HeldFiles):
    def open(self, path: Path, write: bool = False) -> int:
        if path.suffix == ".run":
            self._pass()
        return super().open(path, write)


async def test_a_book_that_is_stopped_while_keys_are_looked_up_leaves_no_caller_waiting(
    tmp_path: Path,
) -> None:
    directory, files = tmp_path / "ledger", HeldLookups()
    first = transfer("a", "b", 1, book="shop", key="first")
    async with await ready(directory) as store:
        receipt = await store.commit(first)
        await store.snapshot_now("shop")  # from here on its key is in a run alone
    async with await LogTaleaStore.open_with(directory, LogStoreOptions(), files=files) as store:
        files.gate.clear()
        answers = [
            asyncio.ensure_future(call)
            for call in (
                store.open_account(definition("c", K.ASSET, book="shop"), AccountCfg()),
                store.commit(first),
                store.commit(transfer("c", "b", 1, book="shop", key="waits for the account")),
            )
        ]
        await until(files.waits.is_set)
        flip(segments(directory, "shop")[0], 60)
        with pytest.raises(CorruptLog):
            await store.verify("shop")
        files.gate.set()
        async with asyncio.timeout(30):
            opening, again, posting = await asyncio.gather(*answers, return_exceptions=True)
        assert (opening, again) == (None, receipt)
        assert type(posting) is WriterStopped


async def test_snapshots_are_taken_though_keys_are_always_being_spilled(tmp_path: Path) -> None:
    files = HeldRuns()
    options = LogStoreOptions(idem_hot_cap=4, snapshot_every=30)
    await (await ready(tmp_path / "ledger")).shutdown()
    async with await LogTaleaStore.open_with(tmp_path / "ledger", options, files=files) as store:
        files.gate.clear()
        for n in range(60):
            await store.commit(transfer("a", "b", 1, book="shop", key=f"k{n}"))
        await until(files.waits.is_set)
        assert not snapshots(tmp_path / "ledger", "shop")
        files.gate.set()
        await until(lambda: bool(snapshots(tmp_path / "ledger", "shop")))


async def test_callers_of_a_cancelled_writer_are_answered_and_the_book_says_so(tmp_path: Path) -> None:
    files = HeldSyncs()
    store = await ready(tmp_path / "ledger", files)
    files.gate.clear()
    files.waits.clear()
    posting = asyncio.create_task(store.commit(transfer("a", "b", 1, book="shop", key="in flight")))
    await until(files.waits.is_set)
    waiting = asyncio.create_task(store.commit(transfer("a", "b", 1, book="shop", key="queued")))
    await asyncio.sleep(0)
    (writer,) = (task for task in asyncio.all_tasks() if task.get_name() == "talea-writer:shop")
    writer.cancel()
    await asyncio.sleep(0)
    assert not writer.done()  # a thread still has the file
    files.gate.set()
    with pytest.raises(StoreIOError, match="reopen the book"):
        await posting
    with pytest.raises(WriterStopped, match="its writer was cancelled"):
        await waiting
    with pytest.raises(WriterStopped):
        await store.commit(transfer("a", "b", 1, book="shop", key="later"))
    assert (await store.book("shop")).writer == "stopped"
    await store.reopen("shop")
    again = await store.commit(transfer("a", "b", 1, book="shop", key="in flight"))
    assert (again.seq, again.deduplicated) == (3, True)
    await store.shutdown()


def test_who_posts_while_the_loop_is_torn_down_is_answered(tmp_path: Path) -> None:
    answers: list[object] = []

    async def worker(store: LogTaleaStore) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                answers.append(await store.commit(transfer("a", "b", 1, book="shop", key="closing")))
            except WriterStopped as e:
                answers.append(e)

    async def main() -> None:
        task = asyncio.create_task(worker(await ready(tmp_path / "ledger")))
        await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(main())
    assert len(answers) == 1
