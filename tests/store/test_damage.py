"""Every byte of a small ledger is damaged once: never a wrong balance, whatever is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store import CorruptLog, StoreError, StoreIOError, UnsupportedFormat
from tests.support.build import BOOK, household, transfer
from tests.support.disk import book_directory, frames, segments
from tests.support.ledgers import opened, pay
from tests.support.observe import differences, observe, plant, tree

BOOKS = [BOOK]
STEP = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 17
"""Every so many bytes where every byte would take minutes; the heads of frames are never left out."""


@dataclass
class Original:
    files: dict[str, bytes | None]
    seen: dict[str, Any]
    prefixes: dict[int, dict[str, Any]]
    """What the ledger showed when it ended at each of the last seqs."""
    proven: int
    """The last seq that a frame on disk says was synced."""


async def written(directory: Path, snapshot: bool, hot_keys: int = 4) -> Original:
    """Several segments, commits one by one, and at the end a batch of three that nothing says was synced."""
    prefixes = {}
    options: dict[str, int] = {"segment_max": 450, "snapshot_every": 0, "idem_hot_cap": hot_keys}
    async with opened(directory, **options) as store:
        await household(store)
        await pay(store, 8)
        if snapshot:
            await store.snapshot_now(BOOK)
        await pay(store, 2, start=8)
        prefixes[17] = await observe(store, BOOKS, every_instant=False)
        await store.commit_batch(
            [transfer("assets:cash", "income:salary", 5, key=f"b {n}") for n in range(3)]
        )
        seen = await observe(store, BOOKS, every_instant=False)
    files = tree(directory)
    prefixes[20] = seen
    for kept in (18, 19):
        last = segments(directory, BOOK)[-1]
        data = last.read_bytes()
        ends = [frame.end for frame in frames(data)]
        last.write_bytes(data[: ends[kept - 21]])
        async with opened(directory) as store:
            prefixes[kept] = await observe(store, BOOKS, every_instant=False)
        plant(files, directory)
    assert len(segments(directory, BOOK)) > 3
    return Original(files, seen, prefixes, proven=17)


async def outcome(directory: Path, original: Original) -> str:
    """`same`, `kept N`, or the refusal; anything else fails."""
    try:
        async with opened(directory, snapshot_every=0) as store:
            info = await store.book(BOOK)
            kept = 0 if info is None else info.last_seq
            try:
                found = await observe(store, BOOKS, every_instant=False)
                await store.verify(BOOK)
            except CorruptLog as error:
                # found by who reads what a snapshot covers: no other answer may be wrong
                assert error.segment is not None  # noqa: PT017
                for path in ("assets:cash", "income:salary"):
                    balance = await store.accounts(BOOK)
                    assert balance == original.prefixes[kept][f"{BOOK} accounts None"], path
                return f"corrupt {error.segment}"
    except CorruptLog as error:
        assert error.book in (BOOK, "_system")  # noqa: PT017
        assert error.segment is not None  # noqa: PT017
        assert error.offset is not None  # noqa: PT017
        return f"corrupt {error.segment}"
    except UnsupportedFormat:
        return "newer"
    assert kept in original.prefixes, f"{kept} events are left"
    assert differences(found, original.prefixes[kept]) == {}
    return f"kept {kept}"


def offsets(data: bytes) -> list[int]:
    """The heads of all frames, and every so many bytes of the rest."""
    heads = {frame.offset + n for frame in frames(data) for n in range(8)}
    return sorted((heads | set(range(0, len(data), STEP)) | {len(data) - 1}) & set(range(len(data))))


@pytest.mark.parametrize("snapshot", [False, True], ids=["log alone", "with a snapshot"])
@pytest.mark.parametrize("mask", [0xFF, 0x01], ids=["all bits", "one bit"])
async def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path, snapshot: bool, mask: int) -> None:
    directory = tmp_path / "ledger"
    original = await written(directory, snapshot)
    names = [path.name for path in segments(directory, BOOK)]
    tally: dict[str, int] = {}
    for name in names:
        path = book_directory(directory, BOOK) / name
        whole = path.read_bytes()
        batch = [frame.offset for frame in frames(whole)][-3] if name == names[-1] else len(whole)
        for offset in offsets(whole):
            plant(original.files, directory)
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ mask]) + whole[offset + 1 :])
            found = await outcome(directory, original)
            tally[found] = tally.get(found, 0) + 1
            if name != names[-1]:
                assert found == f"corrupt {name}", offset
            elif offset < batch:
                # all that stands before the last batch was synced: nothing may be cut away there
                assert found.startswith("corrupt"), offset
            else:
                damaged = sum(offset >= frame.offset for frame in frames(whole)) - len(frames(whole)) + 20
                assert found == f"kept {damaged - 1}", offset
            for extra in set(tree(directory)) - set(original.files):
                (directory / extra).unlink()
    assert len(tally) > 3


async def test_every_flipped_byte_of_the_asset_book_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    original = await written(directory, snapshot=False)
    [path] = segments(directory, "_system")
    whole = path.read_bytes()
    last = frames(whole)[-1]
    for offset in range(0, len(whole), 3):
        plant(original.files, directory)
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :])
        try:
            async with opened(directory) as store:
                # the last registration alone cannot be told from a tear
                assert offset >= last.offset
                assert [found.id for found in await store.assets()] == ["EUR"]
        except StoreError as error:
            assert isinstance(error, StoreIOError)  # noqa: PT017
            assert offset < last.end


async def test_every_cut_of_the_final_segment_keeps_a_prefix_or_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    original = await written(directory, snapshot=False, hot_keys=100)
    path = segments(directory, BOOK)[-1]
    whole = path.read_bytes()
    ends = [frame.end for frame in frames(whole)]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        async with opened(directory) as store:
            info = await store.book(BOOK)
            assert info.last_seq == 20 - sum(end > size for end in ends[1:])
            accounts = await store.accounts(BOOK)
            expected = original.seen[f"{BOOK} events"][info.last_seq - 1]
            assert (await store.read_events(BOOK, info.last_seq, 1)) == [expected]
            cash = next(found for found in accounts if found.definition.id.path == "assets:cash")
            assert cash.balance.updated_seq == info.last_seq
