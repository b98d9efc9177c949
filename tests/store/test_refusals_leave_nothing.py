"""What was refused is let go of: no cycle holds it that the collector, which looks away, would have to break."""

from __future__ import annotations

import asyncio
import errno
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from store import AccountCfg, LogStoreOptions, LogTaleaStore, StoreError, Transaction
from tests.support.build import definition, household, transfer
from tests.support.faulty_files import FaultyFiles, every, never
from tests.support.ledgers import opened, pay

TO, SOURCE = "assets:cash", "income:salary"


async def refused(store: Any, transaction: Transaction, batched: bool) -> weakref.ref[Any]:
    """Post what is refused; a witness of whether something still holds it."""
    if batched:
        (answer,) = await store.commit_batch([transaction])
        assert isinstance(answer, StoreError)
    else:
        with pytest.raises(StoreError):
            await store.commit(transaction)
    return weakref.ref(transaction.id)


@pytest.mark.parametrize("batched", [False, True])
async def test_what_the_ledgers_rules_refused_is_let_go_of(tmp_path: Path, batched: bool) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        await pay(store, 1)
        witness = await refused(store, transfer(TO, SOURCE, 7, key="key 0"), batched)
        await pay(store, 1, start=1)
        gc.collect()
        assert witness() is None


async def test_what_stands_in_a_batch_with_a_malformed_transaction_is_let_go_of(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        good = transfer(TO, SOURCE, 7, key="good")
        witness = weakref.ref(good.id)
        receipt, refusal = await store.commit_batch([good, transfer(TO, SOURCE, 0)])
        assert isinstance(refusal, StoreError)
        del good, receipt, refusal
        await pay(store, 1)
        gc.collect()
        assert witness() is None


@pytest.mark.parametrize("batched", [False, True])
async def test_what_a_full_disk_refused_is_let_go_of(tmp_path: Path, batched: bool) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files) as store:
        await household(store)
        files.fails = every("write", errno.ENOSPC)
        witness = await refused(store, transfer(TO, SOURCE, 7), batched)
        files.fails = never
        await pay(store, 1)
        gc.collect()  # what the writer's frames held
        gc.collect()  # and then what that held
        assert witness() is None


async def test_a_definition_that_a_full_disk_refused_is_let_go_of(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "ledger")
    async with await LogTaleaStore.open_with(files.root, LogStoreOptions(), files=files) as store:
        await household(store)
        files.fails = every("write", errno.ENOSPC)
        with pytest.raises(StoreError) as refusal:
            await store.open_account(definition("assets:new"), AccountCfg())
        witness = weakref.ref(refusal.value)
        del refusal
        files.fails = never
        await pay(store, 1)
        gc.collect()
        gc.collect()
        assert witness() is None


async def test_repeats_are_let_go_of_while_their_book_is_idle(tmp_path: Path) -> None:
    async with opened(tmp_path / "ledger") as store:
        await household(store)
        same = [transfer(TO, SOURCE, 7, key="once") for _ in range(3)]
        witnesses = [weakref.ref(transaction.id) for transaction in same]
        answers = await asyncio.gather(*map(store.commit, same))
        assert [answer.deduplicated for answer in answers] == [False, True, True]
        del same, answers
        for _ in range(3):
            await asyncio.sleep(0)  # until the writer waits for work
        gc.collect()
        assert [witness() for witness in witnesses] == [None, None, None]
