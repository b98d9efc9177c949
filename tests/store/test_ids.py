"""A transaction id is used once, and finds its transaction, however many there are."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest

from store import AlreadyExists, Store, txids
from store.clock import new_txid
from tests.support.build import BOOK, household, transfer, txid
from tests.support.ledgers import opened

COUNT = 150


async def refuses_all_that_were_used(store: Store, numbers: range) -> None:
    again = [transfer("assets:cash", "income:salary", 1, id=txid(n)) for n in numbers]
    for answer in await store.commit_batch(again):
        assert type(answer) is AlreadyExists


@pytest.mark.parametrize(
    "false_positives", [0.00001, 0.9], ids=["sharp filters", "filters that hardly filter"]
)
@pytest.mark.parametrize("few", [0, 200], ids=["in one pass", "one by one"])
@pytest.mark.parametrize(("first_filter", "recent"), [(1, 1), (7, 40), (2**15, 1024)])
async def test_an_id_is_used_once_whatever_the_filters_say(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first_filter: int,
    recent: int,
    few: int,
    false_positives: float,
) -> None:
    monkeypatch.setattr(txids, "_FILTER_LEAST", first_filter)
    monkeypatch.setattr(txids, "_RECENT_MOST", recent)
    monkeypatch.setattr(txids, "FALSE_POSITIVES", false_positives)
    monkeypatch.setattr(txids, "_FEW", few)
    monkeypatch.setattr(txids, "_SEARCHED_AT_ONCE", 5)
    half = COUNT // 2
    async with opened(tmp_path, snapshot_every=0) as store:
        await household(store)
        for n in range(1, half):
            await store.commit(transfer("assets:cash", "income:salary", 1, key=f"key {n}", id=txid(n)))
            assert (await store.transaction(txid(n))).transaction.idempotency_key == f"key {n}"
        await refuses_all_that_were_used(store, range(1, half))
        await store.snapshot_now(BOOK)
    async with opened(tmp_path, snapshot_every=0) as store:
        await refuses_all_that_were_used(store, range(1, half))
        new = [
            transfer("assets:cash", "income:salary", 1, key=f"key {n}", id=txid(n))
            for n in range(half, COUNT)
        ]
        assert [answer.txid for answer in await store.commit_batch(new)] == [
            txid(n) for n in range(half, COUNT)
        ]
        await refuses_all_that_were_used(store, range(1, COUNT))
        for n in range(1, COUNT):
            assert (await store.transaction(txid(n), BOOK)).transaction.idempotency_key == f"key {n}"
        assert await store.transaction(txid(COUNT), BOOK) is None
        assert await store.transaction(txid(0), BOOK) is None


async def test_ids_that_differ_in_one_half_alone_are_different(tmp_path: Path) -> None:
    numbers = [1, 1 << 64, 1 << 64 | 1, 3 << 64 | 2, 2 << 64 | 3, 2**128 - 1]
    async with opened(tmp_path) as store:
        await household(store)
        for n in numbers:
            await store.commit(transfer("assets:cash", "income:salary", 1, id=txid(n)))
        for n in numbers:
            assert (await store.transaction(txid(n), BOOK)).transaction.id == txid(n)
        assert await store.transaction(txid(1 << 64 | 2), BOOK) is None


async def test_a_repeated_transaction_is_answered_by_its_key_without_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = transfer("assets:cash", "income:salary", 1, key="once")
    async with opened(tmp_path) as store:
        await household(store)
        first = await store.commit(payment)

        async def searched(*_: object) -> None:
            raise AssertionError("the columns were searched")

        monkeypatch.setattr(txids, "_seq_of", searched)
        assert await store.commit(payment) == first


async def test_the_id_zero_is_no_definitions_id(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await household(store)
        assert await store.transaction(txid(0), BOOK) is None
        await store.commit(transfer("assets:cash", "income:salary", 1, key="zero", id=txid(0)))
        assert (await store.transaction(txid(0), BOOK)).transaction.idempotency_key == "zero"
        await refuses_all_that_were_used(store, range(1))


def test_a_forked_process_draws_ids_of_its_own() -> None:
    drawn_before_the_fork = new_txid()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, new_txid().bytes)
        os._exit(0)
    os.waitpid(child, 0)
    child_id = UUID(bytes=os.read(ours, 16))
    os.close(ours)
    os.close(theirs)
    random_parts = [id.int & 2**62 - 1 for id in (drawn_before_the_fork, new_txid(), child_id)]
    assert len(set(random_parts)) == 3


async def test_an_id_in_a_full_chunk_is_found_and_not_used_again(tmp_path: Path) -> None:
    count = 65_536 + 200
    async with opened(tmp_path, snapshot_every=0) as store:
        await household(store)
        for start in range(1, count, 10_000):
            some = range(start, min(start + 10_000, count))
            await store.commit_batch(
                [transfer("assets:cash", "income:salary", 1, key=f"key {n}", id=txid(n)) for n in some]
            )
        for n in (1, 65_528, 65_529, 65_530, 65_536, count - 1):
            assert (await store.transaction(txid(n), BOOK)).transaction.idempotency_key == f"key {n}"
            await refuses_all_that_were_used(store, range(n, n + 1))
