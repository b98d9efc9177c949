"""A follower begins with what the writer left, uses its runs, and depends on none of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store import CorruptLog, FollowedLedger, Store, TransactionPosted
from store.codec import encode_segment_header
from store.frames import frame
from store.segments import segment_name
from tests.support.build import BOOK, household, txid
from tests.support.disk import book_directory, cut, flip, segments
from tests.support.ledgers import opened, pay
from tests.support.limits import tiny_limits
from tests.support.observe import events_of, observe, tree

OPTIONS: dict[str, Any] = {"segment_max": 1500, "idem_hot_cap": 6, "snapshot_every": 0}


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with tiny_limits():
        yield


async def grown(directory: Path) -> Path:
    """A ledger with several segments, chunks and runs, a snapshot in its midst and more after it."""
    async with opened(directory, **OPTIONS) as store:
        await household(store)
        await pay(store, 40)
        await store.snapshot_now(BOOK)
        await store.snapshot_now("_system")
        await pay(store, 15, start=40)
    return directory


def left_by_the_writer(directory: Path, pattern: str) -> list[Path]:
    found = sorted(book_directory(directory, BOOK).glob(pattern))
    assert found
    return found


async def assert_every_transaction_is_found(followed: Store) -> None:
    found = [e for e in await events_of(followed, BOOK) if isinstance(e.event, TransactionPosted)]
    assert len(found) == 55
    for sequenced in found:
        assert isinstance(sequenced.event, TransactionPosted)
        transaction = sequenced.event.transaction
        for stored in (
            await followed.by_key(BOOK, transaction.idempotency_key),
            await followed.transaction(transaction.id, BOOK),
        ):
            assert stored is not None
            assert (stored.seq, stored.transaction) == (sequenced.seq, transaction)
    assert await followed.by_key(BOOK, "never") is None
    assert await followed.transaction(txid(0), BOOK) is None
    assert await followed.transaction(txid(2**128 - 1), BOOK) is None


@pytest.mark.parametrize(
    "lost",
    [
        [],
        ["snapshot-*"],
        ["index-chunk-*"],
        ["idem-*"],
        ["idem-*", "snapshot-*", "index-chunk-*"],
    ],
    ids=lambda lost: " ".join(lost) or "nothing",
)
async def test_a_follower_shows_the_same_whatever_of_the_indexes_is_lost(
    tmp_path: Path, lost: list[str]
) -> None:
    directory = await grown(tmp_path / "ledger")
    for pattern in lost:
        for path in left_by_the_writer(directory, pattern):
            path.unlink()
    before = tree(directory)
    async with await FollowedLedger.open(directory) as followed:
        shown = await observe(followed, [BOOK])
        await assert_every_transaction_is_found(followed)
    assert tree(directory) == before
    async with opened(directory, **OPTIONS) as store:
        assert shown == await observe(store, [BOOK])


async def test_what_a_snapshot_covers_is_not_read_again(tmp_path: Path) -> None:
    directory = await grown(tmp_path / "ledger")
    flip(segments(directory, BOOK)[0], 1000)
    async with await FollowedLedger.open(directory) as followed:
        info = await followed.book(BOOK)
        assert info is not None
        assert (info.last_seq, info.error) == (62, None)
        with pytest.raises(CorruptLog):
            await events_of(followed, BOOK)


@pytest.mark.parametrize("damage", ["snapshot", "chunk", "segment", "growing"])
async def test_a_snapshot_that_is_damaged_or_does_not_fit_the_log_is_not_used(
    tmp_path: Path, damage: str
) -> None:
    directory = await grown(tmp_path / "ledger")
    if damage == "segment":
        cut(segments(directory, BOOK)[0], 1000)
    elif damage == "growing":
        flip([path for path in segments(directory, BOOK) if path.name <= "segment-" + f"{47:020}"][-1], 200)
    else:
        path = left_by_the_writer(directory, {"snapshot": "snapshot-*", "chunk": "index-chunk-*"}[damage])[-1]
        flip(path, path.stat().st_size // 2)
    async with await FollowedLedger.open(directory) as followed:
        info = await followed.book(BOOK)
        assert info is not None
        if damage in ("segment", "growing"):
            assert (info.last_seq < 47, info.writer) == (True, "damaged")
        else:
            assert (info.last_seq, info.error) == (62, None)
            await assert_every_transaction_is_found(followed)


async def test_runs_that_vanish_or_are_damaged_while_followed_are_done_without(tmp_path: Path) -> None:
    directory = await grown(tmp_path / "ledger")
    async with await FollowedLedger.open(directory) as followed:
        await assert_every_transaction_is_found(followed)
        for path in left_by_the_writer(directory, "idem-*"):
            flip(path, 200)
        await assert_every_transaction_is_found(followed)
        for path in left_by_the_writer(directory, "idem-*"):
            path.unlink()
        await assert_every_transaction_is_found(followed)


async def test_keys_are_found_while_the_writer_merges_its_runs(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    async with opened(directory, **OPTIONS) as store:
        await household(store)
        async with await FollowedLedger.open(directory) as followed:
            receipts = []
            for start in range(0, 60, 6):
                receipts += await pay(store, 6, start=start)
                await store.snapshot_now(BOOK)
                async for _ in followed.subscribe(BOOK, receipts[-1].seq):
                    break
                for n in (0, start // 2, start):
                    stored = await followed.by_key(BOOK, f"key {n}")
                    assert stored is not None
                    assert stored.seq == receipts[n].seq


async def test_a_key_that_is_in_a_run_and_not_yet_shown_is_not_found(tmp_path: Path) -> None:
    directory = await grown(tmp_path / "ledger")
    copy = shutil.copytree(directory, tmp_path / "copy")
    (book_directory(copy, BOOK) / "index-watermark").unlink()
    last = segments(copy, BOOK)[-1]
    for path in left_by_the_writer(copy, "snapshot-*"):
        path.unlink()
    async with opened(directory, **OPTIONS) as store:
        await store.snapshot_now(BOOK)
    for path in left_by_the_writer(copy, "idem-*"):
        path.unlink()
    for path in left_by_the_writer(directory, "idem-*"):
        shutil.copy(path, book_directory(copy, BOOK))
    cut(last, last.stat().st_size - 1)
    async with await FollowedLedger.open(copy) as followed:
        assert await followed.by_key(BOOK, "key 54") is None
        assert await followed.by_key(BOOK, "key 0") is not None


@pytest.mark.parametrize("paid", [0, 4])
async def test_an_earlier_state_in_the_place_of_a_snapshot_that_was_begun_from_is_told(
    tmp_path: Path, paid: int
) -> None:
    directory, copy = tmp_path / "ledger", tmp_path / "copy"
    async with opened(directory) as store:
        await household(store)
        await store.backup(copy)
        await pay(store, 2)
        await store.snapshot_now(BOOK)
    async with opened(copy) as store:
        await pay(store, paid, start=5)
    async with await FollowedLedger.open(directory) as ledger:
        shutil.rmtree(directory / "books" / BOOK)
        async with asyncio.timeout(30):
            while ledger.trouble is None:  # noqa: ASYNC110 - it polls
                await asyncio.sleep(0.01)
        shutil.copytree(copy / "books" / BOOK, directory / "books" / BOOK)
        async with asyncio.timeout(10):
            while (told := await ledger.book(BOOK)) is not None and told.error is None:  # noqa: ASYNC110 - it polls
                await asyncio.sleep(0.01)
        assert told is not None
        assert "is not the one that was followed" in str(told.error)
        assert told.last_seq == 9


async def test_a_watermark_met_half_overwritten_ends_no_following(tmp_path: Path) -> None:
    directory = await grown(tmp_path)
    note = book_directory(directory, BOOK) / "index-watermark"
    noted = note.read_bytes()
    async with opened(directory, **OPTIONS) as store, await FollowedLedger.open(directory) as followed:
        book = followed._books[BOOK]
        note.write_bytes(noted[:4] + b"\xff" * 8)
        await book.advance()
        note.write_bytes(noted)
        await book.advance()
        assert await observe(followed, [BOOK]) == await observe(store, [BOOK])
        assert (told := await followed.book(BOOK)) is not None
        assert told.error is None


async def test_a_snapshot_taken_while_the_last_segment_is_a_header_alone_is_begun_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="store")
    directory = tmp_path / "ledger"
    async with opened(directory, snapshot_every=0) as store:
        await household(store)
        last_seq = (await store.book(BOOK)).last_seq
    segment = book_directory(directory, BOOK) / segment_name(last_seq + 1)
    segment.write_bytes(frame(encode_segment_header(BOOK, last_seq + 1, b"new salt")))
    async with opened(directory, snapshot_every=0) as store:
        await store.snapshot_now(BOOK)
        async with await FollowedLedger.open(directory) as followed:
            await pay(store, 2)
            async with asyncio.timeout(10):
                while (await followed.book(BOOK)).last_seq < last_seq + 2:  # noqa: ASYNC110 - it polls
                    await asyncio.sleep(0.01)
            assert await observe(followed, [BOOK]) == await observe(store, [BOOK])
    assert "the log is read instead" not in caplog.text
