"""A ledger that another store writes is followed: what is durable, in order, once, and not a byte is written."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store import (
    AccountCfg,
    AssetRegistered,
    BookInfo,
    FollowedLedger,
    LogTaleaStore,
    Sequenced,
    StoreClosed,
    StoreIOError,
    StoreReadOnly,
    TransactionPosted,
)
from store.files import Files
from tests.support.build import BOOK, account, asset, definition, household, transfer
from tests.support.disk import append, book_directory, cut, flip, framed, frames, segments
from tests.support.killed_writer import BOOKS, OPTIONS
from tests.support.ledgers import opened, pay, written
from tests.support.observe import events_of, observe, plant, tree

WATERMARK = "index-watermark"


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process or a poll brings about."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in files
            await asyncio.sleep(0.01)


class Watched:
    """What a follower's subscription has shown of a book."""

    def __init__(self, ledger: FollowedLedger, book: str = BOOK) -> None:
        self.events: list[Sequenced] = []
        self._task = asyncio.create_task(self._watch(ledger, book))

    async def _watch(self, ledger: FollowedLedger, book: str) -> None:
        async for sequenced in ledger.subscribe(book):
            self.events.append(sequenced)

    @property
    def seqs(self) -> list[int]:
        return [sequenced.seq for sequenced in self.events]

    async def reached(self, last_seq: int) -> None:
        await until(lambda: self._task.done() or len(self.events) >= last_seq)
        assert self.seqs == list(range(1, last_seq + 1))

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, 10)


async def test_a_follower_shows_what_the_writer_shows(tmp_path: Path) -> None:
    books = [BOOK, "Shop"]
    directory = await written(tmp_path / "ledger", books=tuple(books), segment_max=700)
    async with opened(directory) as store, await FollowedLedger.open(directory) as followed:
        assert await observe(followed, books) == await observe(store, books)
        assert await followed.writer_pid() == os.getpid()


async def test_what_is_committed_is_followed_in_order_and_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger", segment_max=600) as store:
        await household(store)
        async with await FollowedLedger.open(tmp_path / "ledger") as followed:
            watched = Watched(followed)
            await asyncio.gather(
                *[store.commit(transfer("assets:cash", "income:salary", 1)) for _ in range(30)]
            )
            await store.snapshot_now(BOOK)
            await pay(store, 10)
            await watched.reached(47)
            assert len(segments(tmp_path / "ledger", BOOK)) > 2
            assert watched.events == await events_of(store, BOOK)
            assert (await followed.book(BOOK)).head == (await store.book(BOOK)).head  # type: ignore[union-attr]
        await watched.ended()


async def test_news_names_the_books_that_grew(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger", 1)) as store:
        async with await FollowedLedger.open(tmp_path / "ledger") as followed:
            changes = followed.watch()
            news = asyncio.ensure_future(anext(changes))
            await pay(store, 1, start=1)
            assert await asyncio.wait_for(news, 10) == {BOOK}
        assert [names async for names in changes] == []


async def test_a_new_book_and_its_asset_appear_together(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        async with await FollowedLedger.open(tmp_path / "ledger") as followed:
            assert await followed.books() == []
            # a name before and one after the registry's own
            watched = [Watched(followed, name) for name in ("Early", "late")]
            seen: list[bool] = []

            async def look() -> None:
                async for names in followed.watch():
                    for name in names & {"Early", "late"}:
                        assets = {asset.id for asset in await followed.assets()}
                        accounts = await followed.accounts(name)
                        seen.extend(info.definition.asset in assets for info in accounts)

            looking = asyncio.create_task(look())
            for name in ("Early", "late"):
                for number in range(20):
                    id = f"{name}{number}"
                    await store.register_asset(asset(id))
                    await store.open_account(definition("cash" + id, asset=id, book=name), AccountCfg())
            for one in watched:
                await one.reached(20)
            assert [info.name for info in await followed.books()] == ["Early", "late"]
        await looking
        assert seen
        assert all(seen)


async def test_without_a_watermark_only_what_later_frames_prove_is_shown(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (book_directory(directory, BOOK) / WATERMARK).unlink()
    async with await FollowedLedger.open(directory) as followed:
        assert (await followed.book(BOOK)).last_seq == 12  # type: ignore[union-attr]
        watched = Watched(followed)
        await watched.reached(12)
        async with opened(directory) as store:
            await pay(store, 1, start=6)
            await watched.reached(14)


async def test_a_damaged_watermark_is_not_believed(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    note = book_directory(directory, BOOK) / WATERMARK
    for damaged in (note.read_bytes()[:5], b"", b"\xff" * 12, note.read_bytes() + b"x"):
        note.write_bytes(damaged)
        async with await FollowedLedger.open(directory) as followed:
            found = await followed.book(BOOK)
            assert found is not None
            assert found.last_seq == (13 if damaged.endswith(b"x") else 12)


async def test_a_frame_that_is_whole_but_not_known_to_be_synced_is_not_shown(tmp_path: Path) -> None:
    source = await written(tmp_path / "source", 8)
    directory = shutil.copytree(source, tmp_path / "ledger")
    whole = segments(source, BOOK)[0].read_bytes()
    ends = [frame.end for frame in frames(whole)]
    (path,) = segments(directory, BOOK)
    cut(path, ends[10])
    (book_directory(directory, BOOK) / WATERMARK).unlink()
    async with await FollowedLedger.open(directory) as followed:
        watched = Watched(followed)
        await watched.reached(9)  # seq 10 is there and nothing says that it was synced
        append(path, whole[ends[10] : ends[10] + 11])
        append(path, whole[ends[10] + 11 : ends[12]])
        await watched.reached(11)


@pytest.mark.parametrize("torn", [1, 9, 60])
async def test_a_torn_tail_is_completed_or_cut_and_nothing_is_shown_twice(tmp_path: Path, torn: int) -> None:
    source = await written(tmp_path / "source", 8)
    directory = shutil.copytree(source, tmp_path / "ledger")
    (path,) = segments(directory, BOOK)
    note = book_directory(directory, BOOK) / WATERMARK
    whole, marked = path.read_bytes(), note.read_bytes()
    ends = [frame.end for frame in frames(whole)]
    cut(path, ends[11] + torn)
    note.unlink()
    async with await FollowedLedger.open(directory) as followed:
        watched = Watched(followed)
        await watched.reached(10)
        cut(path, ends[11])
        await asyncio.sleep(0)
        append(path, b"\0" * 40)
        cut(path, ends[11])
        append(path, whole[ends[11] :])
        note.write_bytes(marked)
        await watched.reached(15)
        assert watched.events == await events_of(followed, BOOK)


async def test_another_life_after_a_torn_batch_is_followed(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 4)
    (path,) = segments(directory, BOOK)
    append(path, path.read_bytes()[-100:-40])
    async with await FollowedLedger.open(directory) as followed:
        watched = Watched(followed)
        await watched.reached(11)
        async with opened(directory) as store:
            await pay(store, 4, start=4)
            await watched.reached(15)
            assert watched.events == await events_of(store, BOOK)


@pytest.mark.parametrize("header", [b"", b"\x20\0\0", b"\0" * 80], ids=["none", "torn", "zeros"])
async def test_a_segment_whose_header_is_written_anew_is_followed(tmp_path: Path, header: bytes) -> None:
    directory = await written(tmp_path / "ledger", 4, segment_max=1)
    last = await last_seq_of(directory)
    (book_directory(directory, BOOK) / f"segment-{last + 1:020}.log").write_bytes(header)
    async with await FollowedLedger.open(directory) as followed:
        watched = Watched(followed)
        await watched.reached(last)
        async with opened(directory, segment_max=1) as store:
            assert (await store.book(BOOK)).repairs
            await pay(store, 6, start=4)
            await watched.reached(last + 6)
            assert watched.events == await events_of(store, BOOK)


async def test_a_header_that_was_seen_and_then_written_anew_is_read_again(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 4, segment_max=1)
    last = await last_seq_of(directory)
    path = book_directory(directory, BOOK) / f"segment-{last + 1:020}.log"
    copy = shutil.copytree(directory, tmp_path / "copy")
    note = book_directory(directory, BOOK) / WATERMARK
    marked_before = note.read_bytes()
    for place in (directory, copy):
        async with opened(place, segment_max=1) as store:
            await pay(store, 1, start=4)
    other = book_directory(copy, BOOK) / path.name
    marked = note.read_bytes()
    note.write_bytes(marked_before)
    written_first, written_anew = path.read_bytes(), other.read_bytes()
    cut(path, len(written_first) - 5)  # its header is whole, its first event is not
    async with await FollowedLedger.open(directory) as followed:
        watched = Watched(followed)
        await watched.reached(last)
        path.write_bytes(written_anew)  # another salt, as after a crash
        note.write_bytes(marked)
        await watched.reached(last + 1)
        assert watched.events[-1].event.transaction.id == (  # type: ignore[union-attr]
            (await copied_event(copy, last + 1)).transaction.id
        )


async def copied_event(directory: Path, seq: int) -> Any:
    async with opened(directory) as store:
        (sequenced,) = await store.read_events(BOOK, seq, 1)
        return sequenced.event


async def last_seq_of(directory: Path) -> int:
    async with opened(directory, segment_max=1) as store:
        return int((await store.book(BOOK)).last_seq)


async def test_a_follower_writes_nothing_and_needs_no_right_to(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    before = tree(directory)
    lock = (directory / "LOCK").read_bytes()
    for path in [*directory.rglob("*"), directory]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        async with await FollowedLedger.open(directory) as followed:
            watched = Watched(followed)
            await watched.reached(13)
            await observe(followed, [BOOK])
    finally:
        for path in [directory, *directory.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert tree(directory) == before
    assert (directory / "LOCK").read_bytes() == lock


async def test_a_directory_without_a_lock_or_a_writer_is_followed(tmp_path: Path) -> None:
    directory = plant(tree(await written(tmp_path / "source")), tmp_path / "ledger")
    async with await FollowedLedger.open(directory) as followed:
        assert await followed.writer_pid() is None
        assert (await followed.book(BOOK)).last_seq == 13  # type: ignore[union-attr]
    assert not (directory / "LOCK").exists()


async def test_a_ledger_is_followed_though_its_lock_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    async with opened(await written(tmp_path)), await FollowedLedger.open(tmp_path) as followed:
        monkeypatch.setattr(Path, "read_text", refuses)  # rights would not keep root from it
        assert await followed.writer_pid() is None


async def test_whatever_writes_is_refused_with_a_sentence(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with await FollowedLedger.open(directory) as followed:
        for call in (
            followed.register_asset(asset("CHF")),
            followed.open_account(definition("new"), AccountCfg()),
            followed.commit(transfer("assets:cash", "income:salary", 1)),
            followed.commit_batch([transfer("assets:cash", "income:salary", 1)]),
        ):
            with pytest.raises(StoreReadOnly, match="only followed"):
                await call


async def test_after_shutdown_every_call_is_refused_and_subscriptions_end(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    followed = await FollowedLedger.open(directory)
    watched, waiting = Watched(followed), Watched(followed, "not yet")
    await watched.reached(13)
    await followed.shutdown()
    await followed.shutdown()
    with pytest.raises(StoreClosed):
        await followed.commit(transfer("assets:cash", "income:salary", 1))
    await watched.ended()
    await waiting.ended()
    with pytest.raises(StoreClosed):
        await followed.books()
    with pytest.raises(StoreClosed):
        await followed.balance(account("assets:cash"))


async def test_a_cancelled_shutdown_can_be_finished(tmp_path: Path) -> None:
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    followed = await FollowedLedger.open(await written(tmp_path / "ledger"))
    watched = Watched(followed)
    await watched.reached(13)
    for patience in range(4):
        closing = asyncio.ensure_future(followed.shutdown())
        for _ in range(patience):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
    await followed.shutdown()
    await watched.ended()
    assert asyncio.all_tasks() == tasks
    assert threading.active_count() == threads


async def test_a_directory_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreIOError, match="no ledger"):
        await FollowedLedger.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


async def test_damage_to_what_was_durable_is_told_and_what_comes_before_it_stays_readable(
    tmp_path: Path,
) -> None:
    directory = await written(tmp_path / "ledger")
    (path,) = segments(directory, BOOK)
    place = frames(path.read_bytes())[10]
    flip(path, place.offset + 30)
    async with await FollowedLedger.open(directory) as followed:
        info = await followed.book(BOOK)
        assert info is not None
        assert (info.last_seq, info.writer) == (9, "damaged")
        assert path.name in str(info.error)
        assert f"byte {place.offset}" in str(info.error)
        assert (await followed.book("_system")).writer == "running"  # type: ignore[union-attr]
        flip(path, place.offset + 30)
        watched = Watched(followed)
        await watched.reached(13)
        assert (await followed.book(BOOK)).error is None  # type: ignore[union-attr]


async def test_what_comes_before_a_sound_frame_in_the_wrong_place_stays_readable(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (path,) = segments(directory, BOOK)
    data = path.read_bytes()
    before, place = frames(data)[9:11]
    path.write_bytes(data[: place.offset] + data[before.offset : before.end] + data[place.end :])
    async with await FollowedLedger.open(directory) as followed:
        info = await followed.book(BOOK)
        assert info is not None
        assert (info.last_seq, info.writer) == (9, "damaged")
        assert f"byte {place.offset}" in str(info.error)


async def test_keys_before_a_sound_frame_that_is_no_event_are_found(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 70)
    (path,) = segments(directory, BOOK)
    data = path.read_bytes()
    place = frames(data)[-1]
    no_id = place.payload[:38] + b"\x40" + place.payload[55:]
    path.write_bytes(data[: place.offset] + framed(no_id))
    async with await FollowedLedger.open(directory) as followed:
        info = await followed.book(BOOK)
        assert info is not None
        assert (info.last_seq, info.writer) == (76, "damaged")
        found = await followed.by_key(BOOK, "key 68")
        assert found is not None
        assert found.seq == 76


async def test_a_key_that_is_no_text_was_never_committed(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 9, idem_hot_cap=2)
    async with opened(directory, idem_hot_cap=2) as store, await FollowedLedger.open(directory) as followed:
        for ledger in (store, followed):
            assert await ledger.by_key(BOOK, "\ud800") is None


class UnreadableBook(Files):
    """One book's log cannot be opened."""

    def __init__(self, book: str) -> None:
        self.book = book

    def open(self, path: Path, write: bool = False) -> int:
        if path.parent.name == self.book and path.suffix == ".log":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return super().open(path, write)


class FaultyProgram(Files):
    """Holds a fault of the program, once it is armed."""

    armed = False

    def open(self, path: Path, write: bool = False) -> int:
        if self.armed:
            raise RuntimeError("a fault of the program")
        return super().open(path, write)


async def test_a_fault_of_the_program_ends_following_aloud_and_leaves_no_reader_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = FaultyProgram()
    async with opened(await written(tmp_path)) as store:
        async with await FollowedLedger.open(tmp_path, files=files) as ledger:
            watched, changes = Watched(ledger), ledger.watch()
            await watched.reached(13)
            news = asyncio.ensure_future(anext(changes))
            files.armed = True
            await pay(store, 1, start=6)
            with pytest.raises(StoreIOError, match="ended by a fault of the program"):
                await watched.ended()
            assert BOOK in await asyncio.wait_for(news, 10)
            assert "fault of the program" in str(ledger.trouble)
            (info,) = await ledger.books()
            assert (info.last_seq, info.writer) == (13, "damaged")
            files.armed = False
            assert len(await events_of(ledger, BOOK)) == 13
        assert "a fault of the program" in caplog.text


async def test_a_registry_that_can_be_followed_no_further_is_told_beside_the_books(tmp_path: Path) -> None:
    directory, other = await written(tmp_path / "ledger"), await written(tmp_path / "other")
    async with await FollowedLedger.open(directory) as ledger:
        assert ledger.trouble is None
        shutil.rmtree(book_directory(directory, "_system"))
        shutil.copytree(book_directory(other, "_system"), book_directory(directory, "_system"))
        await until(lambda: "'_system' is not the one that was followed" in str(ledger.trouble))
        assert [(info.name, info.error) for info in await ledger.books()] == [(BOOK, None)]


@pytest.mark.parametrize("posted_since", [1, 3, 9])
async def test_another_history_in_the_place_of_the_followed_one_is_told_and_never_mixed_with_it(
    tmp_path: Path, posted_since: int
) -> None:
    directory, copy = tmp_path / "ledger", tmp_path / "copy"
    async with opened(directory) as store:
        await household(store)
        await pay(store, 3)
        await store.backup(copy)
        await pay(store, 5, start=3)
    async with await FollowedLedger.open(directory) as ledger:
        rows = await ledger.trial_balance(BOOK)
        followed = await ledger.book(BOOK)
        assert followed is not None
        shutil.rmtree(directory)
        shutil.copytree(copy, directory)
        async with opened(directory) as store:
            for n in range(posted_since):
                await store.commit(transfer("assets:cash", "income:salary", 2, key=f"new {n}"))
            async with asyncio.timeout(30):
                changes = ledger.watch()
                while (told := await ledger.book(BOOK)) is not None and told.error is None:
                    await anext(changes)
                await changes.aclose()
        assert told is not None
        assert "is not the one that was followed" in str(told.error)
        assert (told.last_seq, told.head) == (followed.last_seq, followed.head)
        assert await ledger.trial_balance(BOOK) == rows
        with pytest.raises(StoreIOError, match="is not the one that was followed"):
            await ledger.read_events(BOOK)


async def test_an_earlier_state_in_the_place_of_the_followed_one_is_told(tmp_path: Path) -> None:
    directory, copy = tmp_path / "ledger", tmp_path / "copy"
    async with opened(directory, segment_max=1) as store:
        await household(store)
        await store.backup(copy)
        await pay(store, 5)
    async with await FollowedLedger.open(directory) as ledger:
        shutil.rmtree(directory)
        shutil.copytree(copy, directory)
        async with asyncio.timeout(30):
            while (told := await ledger.book(BOOK)) is not None and told.error is None:  # noqa: ASYNC110 - it polls
                await asyncio.sleep(0.01)
        assert told is not None
        assert "is not the one that was followed" in str(told.error)
        assert told.last_seq == 12


async def test_a_book_that_cannot_be_read_keeps_no_other_from_being_followed(tmp_path: Path) -> None:
    books = ("alpha", "beta", "gamma")
    async with opened(tmp_path) as store:
        for book in books:
            await household(store, book)
        files = UnreadableBook("")
        async with await FollowedLedger.open(tmp_path, files=files) as ledger:
            watched = {book: Watched(ledger, book) for book in books}
            for book in books:
                await watched[book].reached(7)
            files.book = "alpha"
            for book in books:
                await pay(store, 3, book=book)
            for book in books[1:]:
                await watched[book].reached(10)
            await until(lambda: ledger.trouble is not None)
            assert watched["alpha"].seqs == list(range(1, 8))
            files.book = ""
            await watched["alpha"].reached(10)
            await until(lambda: ledger.trouble is None)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_a_follower_lives_through_the_writers_deaths_and_shows_what_is_kept(tmp_path: Path) -> None:
    directory, chance = tmp_path / "ledger", random.Random(5)
    directory.mkdir()
    lives = 50 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 3
    async with await FollowedLedger.open(directory) as followed:
        watched = {book: Watched(followed, book) for book in BOOKS}
        acknowledged: dict[str, int] = dict.fromkeys(BOOKS, 0)
        for life in range(lives):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.killed_writer", str(directory), f"life {life}"),
                stdout=subprocess.PIPE,
            )
            assert child.stdout is not None
            lines = [await child.stdout.readline() for _ in range(chance.choice([50, 200, 400]))]
            assert await followed.writer_pid() == child.pid
            child.send_signal(signal.SIGKILL)
            lines += (await child.stdout.read()).splitlines(keepends=True)
            await child.wait()
            for line in lines:
                if line.endswith(b"\n") and line != b"ready\n":
                    book, _, seq, *_ = line.decode().split("\t")
                    acknowledged[book] = max(acknowledged[book], int(seq))
            # everything acknowledged is shown, though its writer is gone
            await until(lambda: all(len(watched[b].events) >= acknowledged[b] for b in BOOKS))
            assert await followed.writer_pid() is None
        async with await LogTaleaStore.open_with(directory, OPTIONS) as store:
            for book in BOOKS:
                # the last batch, if it was not acknowledged, shows with the next
                await store.commit(transfer("assets:cash", "income:salary", 1, book=book, key="the last"))
                kept = await events_of(store, book, page=1000)
                await watched[book].reached(len(kept))
                assert watched[book].events == kept
                assert len({key_of(one) for one in kept}) == len(kept)
            assert isinstance((await followed.read_events("_system"))[0].event, AssetRegistered)


def key_of(sequenced: Sequenced) -> object:
    event = sequenced.event
    return event.transaction.idempotency_key if isinstance(event, TransactionPosted) else sequenced.seq


async def test_what_lies_beside_the_log_is_told_as_its_writer_tells_it(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", books=(BOOK, "other"))
    options: dict[str, Any] = {"snapshot_every": 0, "idem_hot_cap": 4}
    async with opened(directory, **options) as store, await FollowedLedger.open(directory) as follower:
        for begin in range(100, 140, 10):
            await store.snapshot_now(BOOK)
            mine = await store.books()
            assert mine[0].snapshots == len(mine[0].snapshot_files) > 0
            assert mine[0].runs > 0
            async with asyncio.timeout(30):
                while beside(await follower.books()) != beside(mine):  # noqa: ASYNC110 - the follower polls
                    await asyncio.sleep(0.01)
            await pay(store, 3, start=begin)


def beside(infos: list[BookInfo]) -> list[tuple[object, ...]]:
    return [(i.snapshots, i.snapshot_files, i.runs, i.segments, i.bytes_on_disk) for i in infos]
