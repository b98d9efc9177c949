"""What the store's README says of bytes is so: its example is what the store writes, and what a stranger reads."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import cbor2
import pytest

from store.codec import (
    encode_account,
    encode_asset,
    encode_segment_header,
    pack_seq,
    postings_head,
    to_micros,
    transaction_prefix,
)
from store.frames import frame
from store.model import AccountCfg, AccountDef, AccountKind, AssetDef, Commodity, Crypto, ExternalRef
from store.requests import check_transaction
from store.state import BookState
from tests.support.build import BOOK, asset, credit, debit, definition, posted
from tests.support.disk import book_directory, runs, snapshots
from tests.support.ledgers import opened, pay, spilled, written
from tests.support.observe import events_of, plant

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "store" / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)


def hexadecimal(block: str) -> bytes:
    return bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))


SHOP, SYSTEM = map(hexadecimal, blocks("hex"))
SHOP_HEAD = re.findall(r"head at seq 3 is `([0-9a-f]{64})`", README)[0]
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


# ---------------------------------------------------------------- a reader written from the README alone


def frames_of(segment: bytes) -> list[bytes]:
    payloads, offset = [], 0
    while offset < len(segment):
        length, checksum = struct.unpack_from("<II", segment, offset)
        payload = segment[offset + 8 : offset + 8 + length]
        assert 0 < length <= 16 * 2**20
        assert len(payload) == length
        assert zlib.crc32(payload) == checksum
        payloads.append(payload)
        offset += 8 + length
    return payloads


def read_segment(segment: bytes) -> dict[str, Any]:
    header, *events = frames_of(segment)
    magic, version, book, base_seq, salt = cbor2.loads(header)
    assert (magic, version, len(salt)) == ("talea segment", 1, 8)
    head = hashlib.sha256(book.encode()).digest()
    durable, decoded = 0, []
    for number, payload in enumerate(events):
        assert payload[0] in (0x8B, 0x8C)
        assert payload[2:10] == salt
        synced, seq, at = (struct.unpack_from(">Q", payload, place)[0] for place in (11, 20, 29))
        items = cbor2.loads(payload)
        assert items[:5] == [salt, synced, seq, at, payload[37]]
        assert seq == base_seq + number
        assert synced < seq
        durable = max(durable, synced)
        head = hashlib.sha256(head + payload).digest()
        decoded.append((seq, at, items[4], items[5:]))
    return {"book": book, "base": base_seq, "events": decoded, "durable": durable, "head": head.hex()}


def test_a_reader_written_from_the_readme_decodes_its_example() -> None:
    micros = 1_772_366_400_000_000
    shop, system = read_segment(SHOP), read_segment(SYSTEM)
    assert (shop["book"], shop["base"], shop["durable"], shop["head"]) == ("shop", 1, 2, SHOP_HEAD)
    fingerprint = bytes.fromhex("f5c963a549180e0a")
    assert shop["events"] == [
        (1, micros, 3, [0, "cash", "EUR", "asset", "debit", 0]),
        (2, micros, 3, [1, "sales", "EUR", "income", "credit", None]),
        (
            3,
            micros,
            1,
            [
                UUID("019ca91f-0000-7000-8000-000000000001").bytes,
                micros - 60_000_000,
                fingerprint,
                "till-1",
                [0, 1250, 1, -1250],
                ["receipt", "17"],
                {"description": "Tea"},
            ],
        ),
    ]
    assert system["events"] == [(1, micros, 2, ["EUR", "fiat", None, None, 2, "Euro"])]


def test_the_fingerprint_is_made_as_the_readme_says() -> None:
    *_, payload = frames_of(SHOP)
    postings = payload[payload.index(b"till-1") + len("till-1") :]
    assert hashlib.blake2b(postings, digest_size=8).digest() == cbor2.loads(payload)[7]


# ---------------------------------------------------------------- the store itself


def shop_segment() -> bytes:
    """The example, made by the store's own codec."""
    salt, at = bytes.fromhex("a1b2c3d4e5f60718"), to_micros(AT)
    state = BookState("shop")
    payloads = [encode_segment_header("shop", 1, salt)]
    kinds = (("cash", AccountKind.ASSET, 0), ("sales", AccountKind.INCOME, None))
    for index, (path, kind, minimum) in enumerate(kinds):
        definition, config = account_facts(path, kind, minimum)
        payloads.append(encode_account(salt, index, index + 1, at, index, definition, config))
        state.open(index, definition, config, index + 1)
    tea = posted(
        debit("cash", 1250, book="shop"),
        credit("sales", 1250, book="shop"),
        book="shop",
        key="till-1",
        id=UUID("019ca91f-0000-7000-8000-000000000001"),
        external_refs=(ExternalRef(kind="receipt", value="17"),),
        metadata={"description": "Tea"},
        occurred_at=datetime(2026, 3, 1, 11, 59, tzinfo=UTC),
    )
    request = check_transaction(tea, state.accounts)
    before_seq, after_seq = transaction_prefix(salt, 2, at)
    payloads.append(before_seq + pack_seq(3) + after_seq + request.body)
    return b"".join(map(frame, payloads))


def account_facts(path: str, kind: AccountKind, minimum: int | None) -> tuple[AccountDef, AccountCfg]:
    config = AccountCfg(normal_side=kind.normal_side, min_balance=minimum)
    return definition(path, kind, book="shop"), config


def test_the_store_writes_exactly_the_bytes_of_the_example() -> None:
    assert shop_segment() == SHOP
    salt = bytes.fromhex("0011223344556677")
    euro = encode_asset(salt, 0, 1, to_micros(AT), asset("EUR", name="Euro"))
    assert frame(encode_segment_header("_system", 1, salt)) + frame(euro) == SYSTEM
    assert "318 bytes" in README
    assert len(SHOP) == 318


async def test_the_example_opens_as_a_ledger(tmp_path: Path) -> None:
    name = f"segment-{1:020}.log"
    files: dict[str, bytes | None] = {f"books/shop/{name}": SHOP, f"books/_system/{name}": SYSTEM}
    async with opened(plant(files, tmp_path / "ledger")) as store:
        info = await store.book("shop")
        assert info.head == (3, SHOP_HEAD)
        assert info.repairs == ()
        await store.verify("shop", (3, SHOP_HEAD))
        (stored,) = [event for event in await events_of(store, "shop") if event.seq == 3]
        assert stored.event.transaction.metadata == {"description": "Tea"}
        assert [asset.name for asset in await store.assets()] == ["Euro"]


async def test_a_backup_of_the_example_writes_the_manifest_that_is_shown(tmp_path: Path) -> None:
    name = f"segment-{1:020}.log"
    files: dict[str, bytes | None] = {f"books/shop/{name}": SHOP, f"books/_system/{name}": SYSTEM}
    async with opened(plant(files, tmp_path / "ledger")) as store:
        written = await store.backup(tmp_path / "copy")
    shown = json.loads(blocks("json")[0])
    for book in (*shown["books"].values(), *written["books"].values()):
        book["sha256"] = set(book["sha256"])  # the page tells the hashes in words
    assert shown == written


@pytest.mark.parametrize(
    ("signed", "encoded"),
    [
        (0x4E2, "1b00000000000004e2"),
        (-1250, "3b00000000000004e1"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-(2**64), "3bffffffffffffffff"),
        (2**64, "c249010000000000000000"),
        (-(2**64) - 1, "c349010000000000000000"),
    ],
)
def test_amounts_are_as_wide_as_the_readme_says(signed: int, encoded: str) -> None:
    state = BookState("shop")
    for index, path in enumerate(("cash", "sales")):
        state.open(index, *account_facts(path, AccountKind.ASSET, None), index + 1)
    postings = debit("cash", abs(signed), book="shop"), credit("sales", abs(signed), book="shop")
    request = check_transaction(posted(*postings, book="shop"), state.accounts)
    account = b"\x00" if signed > 0 else b"\x01"
    assert account + bytes.fromhex(encoded) in request.body
    assert cbor2.loads(bytes.fromhex(encoded)) == signed


def test_postings_have_the_heads_that_the_readme_gives() -> None:
    assert [postings_head(n).hex() for n in (1, 11, 12, 2**15 - 1, 2**15)] == [
        "82",
        "96",
        "990018",
        "99fffe",
        "9a00010000",
    ]


def test_assets_of_every_class_have_the_items_of_the_table() -> None:
    salt = bytes(8)
    coin = AssetDef(id="T", asset_class=Crypto(network="net", native_id="0x0"), precision=18, name="Token")
    kilo = AssetDef(id="kg", asset_class=Commodity(), precision=3, name="")
    items = [cbor2.loads(encode_asset(salt, 0, 1, 0, one))[5:] for one in (coin, kilo)]
    assert items == [["T", "crypto", "net", "0x0", 18, "Token"], ["kg", "commodity", None, None, 3, ""]]


# ---------------------------------------------------------------- the files beside the log


async def test_a_run_is_searched_by_halves_as_the_readme_says(tmp_path: Path) -> None:
    directory, receipts = await spilled(tmp_path / "ledger")
    found: dict[bytes, int] = {}
    next_seq = 1
    for path in runs(directory, BOOK):
        header, *rest, end = frames_of(path.read_bytes())
        magic, version, book, first, last, count = cbor2.loads(header)
        assert (magic, version, book, first) == ("talea run", 1, BOOK, next_seq)
        next_seq = last + 1
        pages, pieces = rest[: -(-count // 256)], rest[-(-count // 256) :]
        records = [page[i : i + 24] for page in pages for i in range(0, len(page), 24)]
        assert cbor2.loads(end) == ["end", len(pieces)]
        assert len(records) == count
        assert records == sorted(records)
        found |= {record[:16]: int.from_bytes(record[16:], "big") for record in records}
    for number, receipt in enumerate(receipts):
        digest = hashlib.blake2b(f"key {number}".encode(), digest_size=16).digest()
        assert found[digest] == receipt.seq


async def test_a_snapshot_has_the_parts_that_the_readme_lists(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger")) as store:
        await store.snapshot_now(BOOK)
        infos = {info.definition.id.path: info for info in await store.accounts(BOOK)}
        book = await store.book(BOOK)
    (path,) = snapshots(tmp_path / "ledger", BOOK)
    header, *parts, end = map(cbor2.loads, frames_of(path.read_bytes()))
    segment = read_segment((book_directory(tmp_path / "ledger", BOOK) / f"segment-{1:020}.log").read_bytes())
    assert header[:4] == ["talea snapshot", 1, BOOK, 13]
    assert (header[5].hex(), header[7:11]) == (book.head[1], [6, 12, 7, 0])
    assert header[5].hex() == segment["head"]
    assert header[11:13] == [["EUR"], [21, 21]]
    assert end == ["end", len(parts) + 1]
    accounts = parts[0]
    for payload, opened_at, net, debits, credits, updated in zip(*[iter(accounts)] * 6, strict=True):
        index, name, *_ = cbor2.loads(payload)[5:]
        info = infos[name]
        assert opened_at == index + 1
        assert (debits, credits, updated) == (info.debits, info.credits, info.balance.updated_seq)
        assert net == debits - credits
    columns: dict[str, bytes] = {}
    for name, data in parts[1:]:
        columns[name] = columns.get(name, b"") + data
    assert list(struct.unpack("<13q", columns["at"])) == [at for _, at, _, _ in segment["events"]]
    events = struct.unpack("<12H", columns["event"])
    assert events == tuple(event for event in range(7, 13) for _ in "ab")
    assert struct.unpack("<12q", columns["net"])[::2] == (1, 3, 6, 10, 15, 21)


async def test_the_watermark_is_what_the_readme_says(tmp_path: Path) -> None:
    async with opened(await written(tmp_path / "ledger", 2)) as store:
        await pay(store, 3, start=2)
        note = (book_directory(tmp_path / "ledger", BOOK) / "index-watermark").read_bytes()
    assert struct.unpack("<QI", note) == (12, zlib.crc32(note[:8]))


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: f"{len(block)} characters")
def test_the_readmes_python_runs(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
