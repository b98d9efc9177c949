"""A writer is killed again and again: nothing it acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from store import LogTaleaStore, TransactionPosted
from tests.support.build import account, household, transfer
from tests.support.killed_writer import BOOKS, OPTIONS
from tests.support.observe import events_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")

LIVES = 60 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 8

Receipt = tuple[int, UUID, datetime]


async def lived(directory: Path, life: int, acknowledgements: int) -> dict[tuple[str, str], Receipt]:
    """What a writer acknowledged until it had said so many things and was killed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.killed_writer", str(directory), f"life {life}"),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(acknowledgements)]
    child.send_signal(signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines(keepends=True)
    assert await child.wait() == -signal.SIGKILL
    receipts = {}
    for line in lines:
        if line.endswith(b"\n") and line != b"ready\n":
            book, key, seq, txid, at = line.decode().rstrip("\n").split("\t")
            receipts[book, key] = (int(seq), UUID(txid), datetime.fromisoformat(at))
    return receipts


async def check(store: LogTaleaStore, acknowledged: dict[tuple[str, str], Receipt]) -> None:
    for book in BOOKS:
        events = await events_of(store, book, page=1000)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.at for event in events] == sorted(event.at for event in events)
        found = {
            event.event.transaction.idempotency_key: (event.seq, event.event.transaction.id, event.at)
            for event in events
            if isinstance(event.event, TransactionPosted)
        }
        posted = sum(isinstance(event.event, TransactionPosted) for event in events)
        assert len(found) == posted
        lost = {
            key: receipt
            for (of, key), receipt in acknowledged.items()
            if of == book and found.get(key) != receipt
        }
        assert lost == {}
        info = await store.account(account("assets:cash", book))
        if info is not None:
            assert (info.balance.amount.minor, info.postings) == (posted, posted)
        await store.verify(book)


async def test_a_writer_killed_under_load_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    directory, chance = tmp_path / "ledger", random.Random(11)
    acknowledged: dict[tuple[str, str], Receipt] = {}
    for life in range(LIVES):
        acknowledged |= await lived(directory, life, chance.choice([0, 1, 2, 5, 50, 200, 400]))
        async with await LogTaleaStore.open_with(directory, OPTIONS) as store:
            await check(store, acknowledged)
    assert len(acknowledged) > 300
    async with await LogTaleaStore.open_with(directory, OPTIONS) as store:
        sample = chance.sample(sorted(acknowledged), 200)
        batch = [transfer("assets:cash", "income:salary", 1, book=book, key=key) for book, key in sample]
        for (book, key), result in zip(sample, await store.commit_batch(batch), strict=True):
            assert (result.seq, result.txid, result.at) == acknowledged[book, key]  # type: ignore[union-attr]
        await check(store, acknowledged)
        for book in BOOKS:
            await household(store, book)
