"""What opening finds in a log, and what becomes of it."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    CorruptLog,
    LogStoreOptions,
    LogTaleaStore,
    StoreError,
    StoreIOError,
    UnsupportedFormat,
)
from store.files import UNREADABLE, Files
from tests.support.build import BOOK, account, asset, definition, household, transfer
from tests.support.disk import (
    append,
    book_directory,
    cut,
    flip,
    frames,
    segments,
    with_header,
)
from tests.support.ledgers import CASH, NOISE, last_seq, opened, pay, refused, seen, written
from tests.support.observe import differences, observe, tree
from tests.support.subjects import open_log_store

# The tail.


async def test_every_cut_within_the_last_two_frames_keeps_the_frames_before_it(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    *_, before, last = frames(whole)
    for size in range(before.offset, len(whole)):
        segment.write_bytes(whole[:size])
        kept = 12 if size >= before.end else 11
        async with opened(directory) as store:
            info = await store.book(BOOK)
            assert info.last_seq == kept
            if size in (before.offset, before.end):
                assert info.repairs == ()
            else:
                assert len(info.repairs) == 1
                assert str(kept) in info.repairs[0]
            assert (await store.balance(CASH)).updated_seq == kept
            again = await store.commit(transfer("assets:cash", "income:salary", 6, key="key 5"))
            assert (again.seq, again.deduplicated) == (kept + 1, False)
        assert frames(segment.read_bytes())[-1].end == segment.stat().st_size
        assert len(whole) == last.end


async def test_a_log_cut_below_what_readers_were_told_says_how_much_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    cut(segment, frames(segment.read_bytes())[-2].end - 1)
    async with opened(directory) as store:
        (repair,) = (await store.book(BOOK)).repairs
        assert "cut after seq 11" in repair
        assert "seq 13 had been durable" in repair
    assert any(record.levelno == logging.WARNING for record in caplog.records)
    async with opened(directory) as store:
        assert (await store.book(BOOK)).repairs == ()


async def test_what_is_cut_off_though_it_had_been_durable_is_kept_in_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    for n in (1, 2):
        whole = segment.read_bytes()
        damaged = frames(whole)[-1]
        flip(segment, damaged.end - 1)
        dropped = segment.read_bytes()[damaged.offset :]
        async with opened(directory) as store:
            (repair,) = (await store.book(BOOK)).repairs
            kept = book_directory(directory, BOOK) / f"{segment.name}.cut-{n}"
            assert repair.endswith(f"; what was cut is kept in {kept.name}")
            assert kept.read_bytes() == dropped
            assert segment.read_bytes() == whole[: damaged.offset]
            await pay(store, 1, start=100 + n)
    caplog.clear()
    async with opened(directory) as store:
        assert (await store.book(BOOK)).repairs == ()
    assert not caplog.records
    assert kept.exists()


async def test_a_tear_of_what_was_never_durable_leaves_no_file(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    append(segment, b"garbage")
    async with opened(directory):
        pass
    cut(segment, frames(segment.read_bytes())[-1].offset)
    append(segment, bytes(100))
    async with opened(directory) as store:
        assert "had been durable" in (await store.book(BOOK)).repairs[0]
    assert not list(book_directory(directory, BOOK).glob("*.cut-*"))


async def test_the_book_stays_closed_and_unchanged_while_there_is_no_room_for_what_would_be_cut(
    tmp_path: Path,
) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    flip(segment, frames(segment.read_bytes())[-1].end - 1)
    before = tree(directory)

    class FullDisk(Files):
        def create(self, path: Path) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with pytest.raises(StoreIOError, match="No space left"):
        await open_log_store(directory, files=FullDisk())
    assert tree(directory) == before
    assert await last_seq(directory) == 12


@pytest.mark.parametrize(
    "tail",
    [
        b"\0",
        b"\0" * 8,
        b"\0" * 5000,
        b"\xff" * 3,
        b"\xff" * 4096,
        b"garbage",
        NOISE[:1000],
        b"\x05\0\0\0",
    ],
    ids=["zero", "8 zeros", "many zeros", "3 ones", "many ones", "text", "noise", "length"],
)
async def test_garbage_after_the_last_good_frame_is_cut_off(
    tmp_path: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    directory = await written(tmp_path / "ledger")
    before = await seen(directory)
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    append(segment, tail)
    with caplog.at_level(logging.WARNING):
        async with opened(directory) as store:
            assert differences(await observe(store, [BOOK], every_instant=False), before) == {}
            info = await store.book(BOOK)
            [repair] = info.repairs
            assert str(len(tail)) in repair
            assert "13" in repair
    assert segment.read_bytes()[: len(whole)] == whole
    assert segment.stat().st_size == len(whole)
    assert any(record.levelno == logging.WARNING for record in caplog.records)
    async with opened(directory) as store:
        assert (await store.book(BOOK)).repairs == ()


async def test_a_frame_of_another_segment_after_the_last_one_is_no_event(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    other = await written(tmp_path / "other", count=9)
    before = await seen(directory)
    donor = segments(other, BOOK)[0].read_bytes()
    append(segments(directory, BOOK)[0], b"".join(donor[f.offset : f.end] for f in frames(donor)[14:]))
    assert differences(await seen(directory), before) == {}


async def test_a_frame_inside_a_memo_is_no_proof_of_anything(tmp_path: Path) -> None:
    """A memo that holds the bytes of other frames, in a last frame that is torn."""
    directory = await written(tmp_path / "ledger")
    async with opened(tmp_path / "other") as store:
        await household(store)
        await pay(store, 12)
    donor = segments(tmp_path / "other", BOOK)[0].read_bytes().decode("latin-1")
    async with opened(directory) as store:
        await store.commit(transfer("assets:cash", "income:salary", 1, metadata={"memo": donor}))
    segment = segments(directory, BOOK)[0]
    for size in (segment.stat().st_size - 1, segment.stat().st_size - 10):
        cut(segment, size)
        assert await last_seq(directory) == 13


async def test_a_torn_batch_keeps_what_stands_before_the_tear(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    async with opened(directory) as store:
        await store.commit_batch([transfer("assets:cash", "income:salary", n) for n in (1, 2, 3, 4)])
    segment = segments(directory, BOOK)[0]
    damaged = frames(segment.read_bytes())[-3]
    flip(segment, damaged.offset + 20)
    assert await last_seq(directory) == 14
    assert segment.stat().st_size == damaged.offset


async def test_a_bad_frame_that_a_later_frame_says_was_synced_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    for damaged in frames(whole)[1:-1]:
        flip(segment, damaged.offset + 20)
        error = await refused(directory)
        assert (error.book, error.segment, error.offset) == (BOOK, segment.name, damaged.offset)
        segment.write_bytes(whole)
    flip(segment, frames(whole)[-1].offset + 20)
    assert await last_seq(directory) == 12


@pytest.mark.parametrize("count", [1, 8, 100])
async def test_zeros_in_the_middle_of_the_final_segment_are_damage(tmp_path: Path, count: int) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    damaged = frames(whole)[5]
    segment.write_bytes(whole[: damaged.offset] + b"\0" * count + whole[damaged.offset + count :])
    assert (await refused(directory)).segment == segment.name


async def test_bytes_missing_from_the_middle_of_the_final_segment_are_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    gone = frames(whole)[5]
    for start, end in ((gone.offset, gone.end), (gone.offset + 3, gone.offset + 4)):
        segment.write_bytes(whole[:start] + whole[end:])
        await refused(directory)


async def test_a_frame_written_twice_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    [segment] = segments(directory, BOOK)
    whole = segment.read_bytes()
    twice = frames(whole)[5]
    segment.write_bytes(whole[: twice.end] + whole[twice.offset : twice.end] + whole[twice.end :])
    await refused(directory)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 20])
async def test_a_final_segment_with_less_than_a_header_gets_one(tmp_path: Path, keep: int) -> None:
    directory = await written(tmp_path / "ledger", segment_max=1)
    before = await seen(directory, segment_max=1)
    *_, last = segments(directory, BOOK)
    torn = last.read_bytes()[:keep]
    segment = last.with_name(f"segment-{14:020}.log")
    segment.write_bytes(torn)
    async with opened(directory, segment_max=1) as store:
        assert differences(await observe(store, [BOOK], every_instant=False), before) == {}
        assert (await store.commit(transfer("assets:cash", "income:salary", 7))).seq == 14
    assert await last_seq(directory) == 14
    assert len(frames(segment.read_bytes())) == 2


async def test_a_final_segment_with_only_a_header_is_used(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=1)
    last = segments(directory, BOOK)[-1]
    cut(last, frames(last.read_bytes())[0].end)
    async with opened(directory, segment_max=1) as store:
        assert (await store.book(BOOK)).last_seq == 12
        assert (await store.commit(transfer("assets:cash", "income:salary", 7))).seq == 13
    assert len(segments(directory, BOOK)) == 13


@pytest.mark.parametrize("lost", ["header", "header and first frame", "first bytes"])
async def test_a_first_batch_whose_header_never_reached_the_disk_is_a_tear(tmp_path: Path, lost: str) -> None:
    """Header and first batch are synced together: after a power cut any part of them may be missing."""
    directory = await written(tmp_path / "ledger", segment_max=1)
    before = await seen(directory)
    async with opened(directory, segment_max=1) as store:
        batch = [transfer("assets:cash", "income:salary", n, key=f"batch {n}") for n in (1, 2, 3)]
        await store.commit_batch(batch)
    segment = segments(directory, BOOK)[-1]
    whole = segment.read_bytes()
    header, first, *_ = frames(whole)
    size = {"header": header.end, "header and first frame": first.end, "first bytes": 5}[lost]
    segment.write_bytes(bytes(size) + whole[size:])
    async with opened(directory, segment_max=1) as store:
        assert differences(await observe(store, [BOOK], every_instant=False), before) == {}
        assert len((await store.book(BOOK)).repairs) == 1
        results = await store.commit_batch(batch)
        assert [result.seq for result in results] == [14, 15, 16]
    assert await last_seq(directory) == 16


async def test_a_damaged_header_is_damage_though_one_event_alone_is_known_to_be_synced(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await store.register_asset(asset("EUR"))
        for path in ("a", "b"):
            await store.open_account(definition(path), AccountCfg())
    (segment,) = segments(tmp_path, BOOK)
    flip(segment, 10)
    await refused(tmp_path)


async def test_a_lost_header_before_frames_that_say_they_were_synced_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    segment = segments(directory, BOOK)[-1]
    whole = segment.read_bytes()
    size = frames(whole)[0].end
    segment.write_bytes(bytes(size) + whole[size:])
    assert (await refused(directory)).segment == segment.name


async def test_a_book_whose_first_segment_is_empty_can_be_begun_again(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    new = book_directory(directory, "company")
    new.mkdir()
    (new / f"segment-{1:020}.log").touch()
    async with opened(directory) as store:
        assert [info.name for info in await store.books()] == [BOOK]
        await household(store, "company")
    assert await last_seq(directory, "company") == 7


# Sealed segments and books.


async def test_any_flipped_byte_of_a_sealed_segment_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    assert len(segments(directory, BOOK)) > 3
    for segment in segments(directory, BOOK)[:-1][:2]:
        whole = segment.read_bytes()
        ends = [frame.end for frame in frames(whole)]
        starts = [frame.offset for frame in frames(whole)]
        for offset in sorted({*starts, *range(0, len(whole), 41), *(end - 1 for end in ends)}):
            flip(segment, offset)
            error = await refused(directory)
            assert (error.book, error.segment) == (BOOK, segment.name)
            assert error.offset in (max(start for start in starts if start <= offset), 0)
            segment.write_bytes(whole)
    assert await last_seq(directory) == 13


async def test_bytes_missing_from_or_added_to_a_sealed_segment_are_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    segment = segments(directory, BOOK)[1]
    whole = segment.read_bytes()
    last = frames(whole)[-1]
    for data in (whole[: last.offset], whole[:-1], whole[:5], b"", whole + b"\0" * 8, whole + b"x"):
        segment.write_bytes(data)
        assert (await refused(directory)).book == BOOK


@pytest.mark.parametrize("which", [0, 1, -2])
async def test_a_missing_segment_is_damage(tmp_path: Path, which: int) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    segments(directory, BOOK)[which].unlink()
    assert (await refused(directory)).book == BOOK


async def test_a_segment_under_another_name_or_of_another_book_is_damage(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", books=(BOOK, "company"), segment_max=300)
    mine, other = segments(directory, BOOK)[1], segments(directory, "company")[1]
    whole = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    await refused(directory)
    mine.write_bytes(segments(directory, BOOK)[0].read_bytes())
    await refused(directory)
    mine.write_bytes(whole)
    with_header(mine, book="company")
    await refused(directory)
    mine.write_bytes(whole)
    with_header(mine, base_seq=1)
    await refused(directory)
    mine.write_bytes(whole)
    with_header(mine, salt=b"12345678")
    await refused(directory)
    mine.write_bytes(whole)
    last = segments(directory, BOOK)[-1]
    last.rename(last.with_name(f"segment-{99:020}.log"))
    await refused(directory)


@pytest.mark.parametrize("which", [0, -1])
async def test_a_newer_format_is_refused(tmp_path: Path, which: int) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    with_header(segments(directory, BOOK)[which], version=99)
    error = await refused(directory, UnsupportedFormat)
    assert error.version == 99


async def test_all_books_are_checked_before_any_is_repaired(tmp_path: Path) -> None:
    names = ("alpha", "beta", "gamma")
    directory = await written(tmp_path / "ledger", books=names, segment_max=300)
    for name in ("alpha", "gamma"):
        append(segments(directory, name)[-1], b"torn")
        (book_directory(directory, name) / "snapshot-00000000000000000009.snap.tmp").write_bytes(b"half")
    flip(segments(directory, "beta")[0], 30)
    assert (await refused(directory)).book == "beta"


async def test_damage_in_the_system_book_refuses_the_ledger(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=1)
    flip(segments(directory, "_system")[0], 40)
    assert (await refused(directory)).book == "_system"


async def test_a_damaged_book_can_be_set_aside(tmp_path: Path) -> None:
    names = ("alpha", "beta", "gamma")
    directory = await written(tmp_path / "ledger", books=names, segment_max=300)
    flip(segments(directory, "beta")[0], 30)
    damaged = tree(book_directory(directory, "beta"))
    async with opened(directory, skip_damaged=True) as store:
        infos = {info.name: info for info in await store.books()}
        assert {name: info.writer for name, info in infos.items()} == {
            "alpha": "running",
            "beta": "damaged",
            "gamma": "running",
        }
        assert infos["beta"].error
        cash = account("assets:cash", "beta")
        for call in (
            store.balance(cash),
            store.account_history(cash),
            store.posting_rows(cash, 0, 1),
            store.accounts("beta"),
            store.trial_balance("beta"),
            store.read_events("beta"),
            store.by_key("beta", "key 1"),
            store.commit(transfer("assets:cash", "income:salary", 1, book="beta")),
            store.verify("beta"),
            store.snapshot_now("beta"),
            anext(store.subscribe("beta")),
        ):
            with pytest.raises(CorruptLog) as caught:
                await call
            assert caught.value.book == "beta"
        [refusal] = await store.commit_batch([transfer("assets:cash", "income:salary", 1, book="beta")])
        assert isinstance(refusal, CorruptLog)
        with pytest.raises(StoreIOError, match=r"would not be whole.*'beta' is damaged"):
            await store.backup(tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        for name in ("alpha", "gamma"):
            await pay(store, 3, start=6, book=name)
            assert (await store.balance(account("assets:cash", name))).updated_seq == 16
            found = await store.by_key(name, "key 1")
            assert (await store.transaction(found.transaction.id)) is not None
    assert tree(book_directory(directory, "beta")) == damaged
    await refused(directory)


class BadSector(Files):
    """A disk that cannot read a file of book beta, or may not."""

    def __init__(self, code: int) -> None:
        self.code = code

    def open(self, path: Path, write: bool = False) -> int:
        if path.parent.name == "beta":
            raise OSError(self.code, os.strerror(self.code))
        return super().open(path, write)


@pytest.mark.parametrize("code", sorted(UNREADABLE), ids=errno.errorcode.get)
async def test_a_book_that_the_disk_cannot_read_can_be_set_aside(tmp_path: Path, code: int) -> None:
    directory = await written(tmp_path / "ledger", books=("alpha", "beta"))
    files, skipping, said = BadSector(code), LogStoreOptions(skip_damaged=True), os.strerror(code)
    with pytest.raises(StoreIOError, match=said):
        await LogTaleaStore.open_with(directory, LogStoreOptions(), files=files)
    async with await LogTaleaStore.open_with(directory, skipping, files=files) as store:
        assert [(info.name, info.writer) for info in await store.books()] == [
            ("alpha", "running"),
            ("beta", "damaged"),
        ]
        with pytest.raises(CorruptLog, match=rf"the disk cannot read it \({said}\)"):
            await store.accounts("beta")
        with pytest.raises(StoreIOError, match=said):
            await store.reopen("beta")
    with pytest.raises(StoreIOError, match="Permission denied"):
        await LogTaleaStore.open_with(directory, skipping, files=BadSector(errno.EACCES))


# What does not belong there.


async def test_leftovers_are_removed_and_strangers_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = await written(tmp_path / "ledger")
    before = await seen(directory)
    home = book_directory(directory, BOOK)
    (home / f"snapshot-{13:020}.snap.tmp").write_bytes(b"half")
    (home / "idem-000001.run.tmp").write_bytes(b"half")
    strangers = [home / "notes.txt", home / "segment-1.log", home / "snapshot-x.snap", home / "idem-.run"]
    for stranger in strangers:
        stranger.write_bytes(b"mine")
    (directory / "README").write_bytes(b"mine")
    (directory / "books" / "a file").write_bytes(b"mine")
    (directory / "books" / "empty").mkdir()
    with caplog.at_level(logging.WARNING):
        assert differences(await seen(directory), before) == {}
    assert not list(directory.rglob("*.tmp"))
    for stranger in strangers:
        assert stranger.read_bytes() == b"mine"
        assert stranger.name in caplog.text
    assert (directory / "README").read_bytes() == b"mine"


async def test_a_book_directory_without_files_is_no_book(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    book_directory(directory, "company").mkdir()
    async with opened(directory) as store:
        assert [info.name for info in await store.books()] == [BOOK]
        assert await store.book("company") is None
        await household(store, "company")
    assert await last_seq(directory, "company") == 7


@pytest.mark.parametrize("what", ["book", "segment"])
async def test_symlinks_are_refused(tmp_path: Path, what: str) -> None:
    directory = await written(tmp_path / "ledger")
    path = {
        "book": book_directory(directory, BOOK),
        "segment": segments(directory, BOOK)[0],
    }[what]
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    await refused(directory, StoreError)


async def test_a_file_where_a_directory_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreIOError):
        await open_log_store(tmp_path / "file")
    with pytest.raises(StoreIOError):
        await open_log_store(tmp_path / "file" / "below")
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "books").write_text("mine")
    with pytest.raises(StoreIOError):
        await open_log_store(tmp_path / "ledger")


# What the files look like when all is well.


async def test_after_shutdown_files_end_at_their_last_frame(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    for book in (BOOK, "_system"):
        for segment in segments(directory, book):
            data = segment.read_bytes()
            assert frames(data)[-1].end == len(data)
            assert len(frames(data)) >= 2


async def test_a_new_segment_begins_only_when_the_last_is_full(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    await written(directory)
    for n in range(4):
        async with opened(directory) as store:
            await store.snapshot_now(BOOK)
            await pay(store, 1, start=6 + n)
    assert [path.name for path in segments(directory, BOOK)] == [f"segment-{1:020}.log"]
    tiny = await written(tmp_path / "tiny", segment_max=1)
    assert [path.name for path in segments(tiny, BOOK)] == [f"segment-{n:020}.log" for n in range(1, 14)]
    limited = await written(tmp_path / "limited", count=30, segment_max=1000)
    for path in segments(limited, BOOK)[:-1]:
        *_, last = frames(path.read_bytes())
        assert last.end >= 1000
        assert last.offset < 1000
    bases = [int(path.name[8:28]) for path in segments(limited, BOOK)]
    counts = [len(frames(path.read_bytes())) - 1 for path in segments(limited, BOOK)]
    assert bases == [1 + sum(counts[:n]) for n in range(len(counts))]


async def test_opening_and_reading_changes_no_segment(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger", segment_max=300)
    before = tree(directory)
    for _ in range(3):
        await seen(directory)
    logs = {name: data for name, data in tree(directory).items() if name.endswith(".log")}
    assert logs == {name: data for name, data in before.items() if name.endswith(".log")}


async def test_files_and_directories_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        directory = await written(tmp_path / "ledger", idem_hot_cap=2, snapshot_every=3)
    finally:
        os.umask(old)
    assert directory.stat().st_mode & 0o777 == 0o700
    for path in directory.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_a_fresh_ledger_makes_the_directories_above_it(tmp_path: Path) -> None:
    directory = await written(tmp_path / "a" / "b" / "c")
    assert await last_seq(directory) == 13
    assert {path.name for path in directory.iterdir()} == {"LOCK", "books"}
