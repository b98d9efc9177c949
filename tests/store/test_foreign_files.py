"""Files that stand where the ledger's own belong, or are another ledger's, and disks that answer in little pieces."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from store import AccountCfg, CorruptLog, FollowedLedger, LogTaleaStore, StoreIOError
from store.files import Files
from tests.support.build import BOOK, account, asset, definition, household, transfer
from tests.support.disk import append, book_directory, cut, frames, runs, segments
from tests.support.ledgers import NOISE, opened, pay, refused, seen, spilled, written


async def test_a_file_named_like_a_book_is_named_and_stops_nobody(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    in_the_way = directory / "books" / "shop"
    in_the_way.write_text("shopping list")
    async with opened(directory) as store:
        for _ in range(2):
            with pytest.raises(StoreIOError, match=r"books/shop is in the way .*; nothing was posted"):
                await store.open_account(definition("a", book="shop"), AccountCfg())
        assert in_the_way.read_text() == "shopping list"
        assert await store.book("shop") is None
        in_the_way.rename(tmp_path / "list")
        await store.open_account(definition("a", book="shop"), AccountCfg())
        assert (await store.book("shop")).writer == "running"


async def test_a_file_in_place_of_the_registry_is_named_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "_system").write_text("")
    async with await LogTaleaStore.open(tmp_path) as store:
        with pytest.raises(StoreIOError, match="_system is in the way"):
            await store.register_asset(asset("EUR"))
        (tmp_path / "books" / "_system").unlink()
        await store.register_asset(asset("EUR"))


async def test_indexes_of_ids_that_earlier_versions_wrote_are_removed(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    (book_directory(directory, BOOK) / "index-txid-000001.run").write_bytes(b"talea run")
    (book_directory(directory, BOOK) / "index-txid-notes").write_text("mine")
    async with opened(directory):
        assert [path.name for path in book_directory(directory, BOOK).glob("index-txid-*")] == [
            "index-txid-notes"
        ]


async def test_a_run_beyond_a_gap_still_tells_that_the_log_was_longer(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", 40)
    for start, count in ((40, 0), (40, 12)):
        async with opened(directory) as store:
            await pay(store, count, start)
            await store.snapshot_now(BOOK)
    first, _ = runs(directory, BOOK)
    for file in [*book_directory(directory, BOOK).glob("snapshot-*"), first]:
        file.unlink()
    (log,) = segments(directory, BOOK)
    cut(log, frames(log.read_bytes())[20].end)
    error = await refused(directory)
    assert "had been durable" in str(error)


class PiecemealFiles(Files):
    """Reads as little at a time as a disk may."""

    def read(self, fd: int, count: int, offset: int) -> bytes:
        return super().read(fd, min(count, 7), offset)


async def test_a_disk_that_reads_in_little_pieces_shows_the_same(tmp_path: Path) -> None:
    directory, _ = await spilled(tmp_path / "ledger")
    whole = await seen(directory)
    assert await seen(directory, files=PiecemealFiles()) == whole
    async with opened(directory, files=PiecemealFiles()) as store:
        await store.verify(BOOK)


async def test_damage_is_not_taken_for_a_short_read(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=1)
    first = segments(directory, BOOK)[0]
    cut(first, 10)
    for files in (Files(), PiecemealFiles()):
        with pytest.raises(CorruptLog, match="header"):
            await seen(directory, files=files)


async def paid(directory: Path, minor: int) -> Path:
    """A ledger with 20 payments of as much under keys that no other amount has, and a snapshot."""
    async with opened(directory, idem_hot_cap=4, snapshot_every=0) as store:
        await household(store)
        for n in range(20):
            await store.commit(transfer("assets:cash", "income:salary", minor, key=f"{minor} no {n}"))
        await store.snapshot_now(BOOK)
    return directory


async def test_a_snapshot_and_runs_of_another_log_are_not_believed(tmp_path: Path) -> None:
    """Logs of the same length in files of the same size, swapped by hand: the log is the ledger."""
    ours, theirs = await paid(tmp_path / "ours", 10), await paid(tmp_path / "theirs", 20)
    (log,), (other,) = segments(ours, BOOK), segments(theirs, BOOK)
    assert log.stat().st_size == other.stat().st_size
    shutil.copy(other, log)
    async with opened(ours, idem_hot_cap=4) as store:
        assert (await store.balance(account("assets:cash"))).amount.minor == 20 * 20
        again = await store.commit(transfer("assets:cash", "income:salary", 20, key="20 no 3"))
        assert again.deduplicated
        assert not (
            await store.commit(transfer("assets:cash", "income:salary", 10, key="10 no 3"))
        ).deduplicated
        await store.verify(BOOK)
        await store.snapshot_now(BOOK)
    async with opened(ours, idem_hot_cap=4) as store:
        assert (await store.balance(account("assets:cash"))).amount.minor == 20 * 20 + 10
        await store.verify(BOOK)


async def posted(directory: Path, names: list[str], hot: int = 6) -> None:
    async with opened(directory, idem_hot_cap=hot, snapshot_every=0) as store:
        if await store.book(BOOK) is None:
            await household(store)
        for name in names:
            await store.commit(transfer("assets:cash", "income:salary", 1, key=name))


async def two_copies_mixed(directory: Path, ours: list[str], theirs: list[str], hot: int = 6) -> list[str]:
    """A ledger and a copy of it that go on each by itself, then the copy's files over the ledger's.

    Opened with all runs that both left; the keys that its log has are returned.
    """
    copy = directory.with_name("copy")
    common = [f"both {n}" for n in range(40)]
    await posted(directory, common, hot)
    shutil.copytree(directory, copy)
    await posted(directory, ours, hot)
    await posted(copy, theirs, hot)
    kept = {path.name: path.read_bytes() for path in runs(directory, BOOK)}
    shutil.copytree(copy, directory, dirs_exist_ok=True)
    for number, data in enumerate(kept.values(), 500):
        (book_directory(directory, BOOK) / f"idem-{number:06}.run").write_bytes(data)
    return common + theirs


@pytest.mark.parametrize("theirs", [20, 24, 25, 30, 60])
async def test_runs_that_another_copy_of_the_ledger_left_are_not_believed(
    tmp_path: Path, theirs: int
) -> None:
    directory = tmp_path / "ledger"
    others = [f"ours {n}" for n in range(25)]
    keys = await two_copies_mixed(directory, others, [f"theirs {n}" for n in range(theirs)])
    for _ in range(2):
        async with opened(directory, idem_hot_cap=6, snapshot_every=0) as store:
            assert (await store.book(BOOK)).last_seq == 7 + len(keys)
            for seq, key in enumerate(keys, 8):
                again = await store.commit(transfer("assets:cash", "income:salary", 1, key=key))
                assert (again.seq, again.deduplicated) == (seq, True)
            for key in others:
                assert await store.by_key(BOOK, key) is None
    async with opened(directory, idem_hot_cap=6, snapshot_every=0) as store:
        for key in others:
            assert not (await store.commit(transfer("assets:cash", "income:salary", 1, key=key))).deduplicated


async def test_a_run_of_another_copy_makes_no_damage_of_a_tear(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    await posted(ours, [f"both {n}" for n in range(40)], 1000)
    shutil.copytree(ours, theirs)
    await posted(ours, [f"ours {n}" for n in range(30)], 1000)
    await posted(theirs, [f"theirs {n}" for n in range(20)], 1000)
    async with opened(ours) as store:
        await store.snapshot_now(BOOK)
    (run,) = runs(ours, BOOK)
    shutil.copy(run, book_directory(theirs, BOOK))
    append(segments(theirs, BOOK)[-1], NOISE)
    async with opened(theirs) as store:
        info = await store.book(BOOK)
        assert (info.last_seq, len(info.repairs)) == (67, 1)


async def test_a_log_that_was_cut_is_damage_beside_runs_of_another_copy_too(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    await two_copies_mixed(directory, [f"ours {n}" for n in range(25)], [f"theirs {n}" for n in range(40)])
    (log,) = segments(directory, BOOK)
    cut(log, frames(log.read_bytes())[50].end)
    assert "had been durable" in str(await refused(directory))


async def runs_swapped(directory: Path) -> list[str]:
    """A ledger with the runs of another one that has a book of the same name and length; its keys."""
    other = directory.with_name("other")
    keys = [f"ours {n}" for n in range(60)]
    await posted(directory, keys)
    await posted(other, [f"other {n}" for n in range(60)])
    for run in runs(directory, BOOK):
        run.unlink()
    for run in runs(other, BOOK):
        shutil.copy(run, book_directory(directory, BOOK))
    return keys


async def test_runs_of_another_ledger_are_not_believed(tmp_path: Path) -> None:
    keys = await runs_swapped(tmp_path / "ledger")
    async with opened(tmp_path / "ledger", idem_hot_cap=6, snapshot_every=0) as store:
        for key in keys:
            assert (await store.commit(transfer("assets:cash", "income:salary", 1, key=key))).deduplicated
        assert await store.by_key(BOOK, "other 3") is None


async def test_who_follows_a_ledger_does_not_believe_runs_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await runs_swapped(tmp_path / "ledger")
    monkeypatch.setattr("store.followed_keys.HOT_KEYS", 2)
    async with await FollowedLedger.open(tmp_path / "ledger") as followed:
        for seq, key in enumerate(keys, 8):
            assert (await followed.by_key(BOOK, key)).seq == seq
        assert await followed.by_key(BOOK, "other 3") is None
