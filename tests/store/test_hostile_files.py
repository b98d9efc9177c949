"""Files that someone made up: well framed and checksummed, with anything at all inside.

Opening them may succeed or be refused, and reading may be refused, but nothing crashes, hangs, or believes a
length field.
"""

from __future__ import annotations

import asyncio
import functools
import random
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store import CorruptLog, FollowedLedger, LogStoreOptions, LogTaleaStore, StoreError
from tests.support.build import BOOK, household, transfer
from tests.support.disk import Frame, framed, frames
from tests.support.faulty_files import UnsyncedFiles
from tests.support.observe import observe, plant, tree

BOMBS = [
    b"\x9b" + b"\xff" * 8,
    b"\x9b\x00\x00\x00\x00\x7f\xff\xff\xff",
    b"\x9a\x7f\xff\xff\xff" + b"\x00" * 50,
    b"\xbb" + b"\xff" * 8,
    b"\xba\x7f\xff\xff\xff",
    b"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff",
    b"\x7b\x7f" + b"\xff" * 7,
    b"\x5f" + b"\x41a" * 100,
    b"\x9f" + b"\x01" * 100,
    b"\x81" * 100_000,
    b"\x81" * 100_000 + b"\x00",
    b"\xa1\x61a" * 50_000 + b"\x00",
    b"\xd8\x1c" * 20_000 + b"\x80",
    b"\xd8\x1c\x81\xd8\x1d\x00",
    b"\xc2\x5b\x00\x00\x00\x7f\xff\xff\xff\xff",
    b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xc0\x6a2026-99-99",
    b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xd8\x23\x63[[[",
    b"\xd8\x25\x41a",
    b"\xf8\xff",
    b"\xff",
    b"",
    b"\x00",
]
"""CBOR that claims to be huge, deep, cyclic or odd."""


@functools.cache
def original() -> dict[str, bytes | None]:
    """A ledger of several segments with a snapshot and runs."""

    async def written(directory: Path) -> dict[str, bytes | None]:
        store = await opened(directory, segment_max=500, snapshot_every=0, idem_hot_cap=4)
        await household(store)
        for n in range(12):
            await store.commit(transfer("assets:cash", "income:salary", n + 1, key=f"key {n}"))
        await store.snapshot_now(BOOK)
        await store.commit(transfer("assets:cash", "income:salary", 5, metadata={"memo": ["x", 1, None]}))
        await store.shutdown()
        return tree(directory)

    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(written(Path(directory) / "ledger"))


async def opened(directory: Path, **options: Any) -> Any:
    return await LogTaleaStore.open_with(directory, LogStoreOptions(**options), files=UnsyncedFiles())


def survives(files: dict[str, bytes | None]) -> bool:
    """Open, look at everything, post; whether it opened. Only the store's own errors may come."""

    async def tried(directory: Path) -> bool:
        async with asyncio.timeout(60):
            try:
                store = await opened(directory, idem_hot_cap=4)
            except StoreError as error:
                assert str(error)  # noqa: PT017
                return False
            try:
                for call in (
                    lambda: observe(store, [BOOK], every_instant=False),
                    lambda: store.verify(BOOK),
                    lambda: store.by_key(BOOK, "key 3"),
                    lambda: store.commit(transfer("assets:cash", "income:salary", 4, key="key 3")),
                    lambda: store.commit(transfer("assets:cash", "income:salary", 1, key="a new one")),
                    lambda: store.snapshot_now(BOOK),
                ):
                    try:
                        await call()
                    except StoreError as error:
                        assert str(error)  # noqa: PT017
            finally:
                await store.shutdown()
            return True

    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(tried(plant(files, Path(directory) / "ledger")))


def named(suffix: str) -> list[str]:
    return [name for name in original() if name.endswith(suffix) and BOOK in name]


def content(name: str) -> bytes:
    data = original()[name]
    assert data is not None
    return data


def with_payload(name: str, which: int, change: Callable[[bytes], bytes]) -> dict[str, bytes | None]:
    """The ledger with one frame's payload changed and its checksum right."""
    data = content(name)
    parts = [frame.payload for frame in _pieces(data)]
    which %= len(parts)
    parts[which] = change(parts[which])
    return {**original(), name: b"".join(map(_put_together(data), parts))}


def _pieces(data: bytes) -> list[Frame]:
    """Frames, or the one checksummed payload that a file may be instead."""
    found = frames(data)
    return found if found and found[-1].end == len(data) else [Frame(-4, data[4:])]


def _put_together(data: bytes) -> Callable[[bytes], bytes]:
    if _pieces(data)[0].offset == 0:
        return framed
    return lambda payload: zlib.crc32(payload).to_bytes(4, "little") + payload


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.sampled_from([2**31, 2**32, 2**63, 2**64 - 1, 2**64, -1, 2**127, 2**128, -(2**127), 2**400])
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def replaced(item: Any, seed: int, value: Any) -> Any:
    """One leaf or branch somewhere in a decoded item replaced by another value."""
    chance = random.Random(seed)
    if isinstance(item, list) and item and chance.random() < 0.9:
        at = chance.randrange(len(item))
        roll = chance.random()
        if roll < 0.1:
            return item[:at] + item[at + 1 :]
        if roll < 0.2:
            return [*item[:at], value, *item[at:]]
        return [*item[:at], replaced(item[at], chance.randrange(2**30), value), *item[at + 1 :]]
    if isinstance(item, dict) and item and chance.random() < 0.9:
        key = chance.choice(sorted(item, key=repr))
        return {**item, key: replaced(item[key], chance.randrange(2**30), value)}
    return value


def mutated(seed: int, value: Any) -> Callable[[bytes], bytes]:
    def change(payload: bytes) -> bytes:
        try:
            item = cbor2.loads(payload)
        except (cbor2.CBORDecodeError, ValueError):
            return payload[: seed % (len(payload) + 1)] + cbor2.dumps(value)
        return cbor2.dumps(replaced(item, seed, value))

    return change


SUFFIXES = st.sampled_from([".log", ".snap", ".run"])


@pytest.mark.parametrize("suffix", [".log", ".snap", ".run"])
@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_a_payload_that_claims_the_impossible_is_refused(suffix: str, bomb: bytes) -> None:
    for name in named(suffix)[-1:]:
        pieces = len(_pieces(content(name)))
        for which in {0, pieces // 2, pieces - 1}:
            survives(with_payload(name, which, lambda _: bomb))


@given(SUFFIXES, st.integers(0, 50), st.integers(0, 2**30), values)
@example(".snap", 0, 322, [])
@example(".snap", 0, 322, None)
def test_any_value_in_any_place_of_a_payload_is_survived(
    suffix: str, which: int, seed: int, value: Any
) -> None:
    names = named(suffix)
    survives(with_payload(names[seed % len(names)], which, mutated(seed, value)))


@given(SUFFIXES, st.integers(0, 50), st.integers(0, 2**30), st.integers(0, 255))
@example(".log", 1, 0, 0)
@example(".run", 1, 16, 1)
@example(".snap", 46, 39743, 4)
def test_any_byte_of_a_payload_may_change_under_a_right_checksum(
    suffix: str, which: int, seed: int, byte: int
) -> None:
    def change(payload: bytes) -> bytes:
        at = seed % len(payload)
        return _with_byte(payload, at, byte)

    names = named(suffix)
    survives(with_payload(names[seed % len(names)], which, change))


@pytest.mark.parametrize("head", [0x3B, 0xFB, 0xF5])
@pytest.mark.parametrize("at", [0, 1, 10, 19, 28, 37])
@pytest.mark.parametrize("which", [-1, -2, 1])
def test_a_number_of_another_kind_where_a_place_or_a_time_belongs_is_no_event(
    which: int, at: int, head: int
) -> None:
    files = with_payload(named(".log")[-1], which, lambda payload: _with_byte(payload, at, head))

    async def followed(directory: Path) -> None:
        async with await FollowedLedger.open(directory) as ledger:
            events = await ledger.read_events(BOOK, limit=1000)
            assert [(type(e.seq), e.seq) for e in events] == [(int, n + 1) for n in range(len(events))]
            info = await ledger.book(BOOK)
            assert info is not None
            assert info.last_seq == len(events)

    survives(files)
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(followed(plant(files, Path(directory) / "ledger")))


@pytest.mark.parametrize("time", [1, 2**64 - 1])
async def test_one_time_that_runs_backwards_among_equal_ones_is_no_event(tmp_path: Path, time: int) -> None:
    async with await opened(tmp_path, segment_max=1) as store:
        await household(store)
        await store.commit_batch([transfer("assets:cash", "income:salary", n + 1) for n in range(5)])
    segment = max(tmp_path.glob(f"books/{BOOK}/segment-*.log"))
    pieces = frames(segment.read_bytes())
    payloads = [frame.payload for frame in pieces]
    assert len(payloads) == 6, "a header, and one batch of nothing but transactions"
    assert len({payload[29:37] for payload in payloads[1:]}) == 1
    payloads[-3] = payloads[-3][:29] + time.to_bytes(8, "big") + payloads[-3][37:]
    segment.write_bytes(b"".join(map(framed, payloads)))
    with pytest.raises(CorruptLog) as refusal:
        await opened(tmp_path)
    assert refusal.value.offset == pieces[-3].offset
    async with await FollowedLedger.open(tmp_path) as ledger:
        info = await ledger.book(BOOK)
        assert info is not None
        assert (info.writer, info.last_seq) == ("damaged", int(segment.stem[-20:]) + 1)


def _with_byte(payload: bytes, at: int, byte: int) -> bytes:
    return payload[:at] + bytes([byte]) + payload[at + 1 :]


@given(SUFFIXES, st.binary(max_size=300))
@example(".log", b"\xff\xff\xff\x7f" + b"\0" * 20)
@example(".log", b"\x00\x00\x00\x01" + b"\0" * 20)
@example(".snap", b"\xff" * 12)
@example(".run", b"\xff" * 12)
def test_any_bytes_may_stand_in_place_of_a_file(suffix: str, data: bytes) -> None:
    survives({**original(), named(suffix)[-1]: data})


@given(SUFFIXES, st.data())
def test_any_stretch_of_a_file_may_be_lost_doubled_or_moved(suffix: str, data: st.DataObject) -> None:
    names = named(suffix)
    name = data.draw(st.sampled_from(names))
    whole = content(name)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, min(len(whole), start + 200)))
    to = data.draw(st.integers(0, len(whole)))
    piece, rest = whole[start:stop], whole[:start] + whole[stop:]
    changed = data.draw(
        st.sampled_from([rest, whole[:stop] + piece + whole[stop:], rest[:to] + piece + rest[to:]])
    )
    survives({**original(), name: changed})


@given(st.data())
def test_files_may_be_exchanged_for_each_other(data: st.DataObject) -> None:
    names = [name for name, content in original().items() if content is not None]
    one, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    files = original()
    survives({**files, one: files[other], other: files[one]})
    survives({**files, one: files[other]})


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_length_fields_are_not_believed() -> None:
    """Files of a few bytes that claim gigabytes cost no memory."""

    def peak() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    survives(original())
    before = peak()
    for suffix in (".log", ".snap", ".run"):
        name = named(suffix)[-1]
        for bomb in BOMBS[:8]:
            survives(with_payload(name, 1, lambda _, bomb=bomb: bomb))  # type: ignore[misc]
        for length in (2**32 - 1, 2**31, 16 * 2**20):
            survives({**original(), name: content(name) + length.to_bytes(4, "little") + b"\1\2\3\4" + b"x"})
            survives({**original(), name: length.to_bytes(4, "little") + content(name)[4:]})
    assert peak() - before < 150 * 2**20


def test_the_original_survives_itself() -> None:
    assert survives(original())
    assert len(named(".log")) > 3
    assert named(".snap")
    assert named(".run")
