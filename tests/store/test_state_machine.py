"""Random histories on the log store and on the reference ledger: nothing one can see may differ."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from store import (
    AccountCfg,
    AccountKind,
    AccountOpened,
    AssetRegistered,
    Committed,
    Direction,
    ExternalRef,
    Posting,
    StoreError,
    Transaction,
    TransactionPosted,
)
from tests.support.build import WHEN, asset, credit, debit, definition, txid
from tests.support.clock import FakeClock
from tests.support.faulty_files import FaultyFiles, every, never
from tests.support.limits import TINY, modules_with, tiny_limits
from tests.support.memory_store import MemoryStore
from tests.support.observe import attempt, copy_as_a_crash_leaves_it, differences, observe, outcome, plant
from tests.support.subjects import open_log_store

BOOKS, ASSETS = ["alpha", "beta"], ["EUR", "XAU"]
PATHS = ["cash", "bank", "card", "salary", "void"]
TOP = 2**127 - 1

books, paths, assets = st.sampled_from(BOOKS), st.sampled_from(PATHS), st.sampled_from(ASSETS)
minors = st.integers(1, 60) | st.sampled_from([2**64, TOP // 2, TOP])
keys = st.integers(0, 25).map("key {}".format)
metadata = st.sampled_from([{}, {"memo": "rent"}, {"n": 1}, {"n": 1.0}, [], None])
options = st.fixed_dictionaries(
    {
        "segment_max": st.sampled_from([1, 300, 1500, 2**20]),
        "snapshot_every": st.sampled_from([0, 1, 3, 10]),
        "idem_hot_cap": st.sampled_from([1, 2, 5, 100]),
        "batch_max": st.sampled_from([1, 2, 1024]),
    }
)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    """Mostly balanced and mostly in one asset, so that most are accepted once accounts are open."""
    book, held = draw(books), draw(st.sampled_from(["EUR", "EUR", "EUR", "XAU"]))
    sides: list[Posting] = []
    for path, minor in draw(st.lists(st.tuples(paths, minors), min_size=1, max_size=3)):
        sides += [debit(path, minor, held, book)]
    rest = sum(posting.amount.minor for posting in sides)
    while rest > 0:
        part = min(rest, draw(st.just(rest) | minors), TOP)
        sides.append(credit(draw(paths), part, held, book))
        rest -= part
        if len(sides) > 8:
            break
    if draw(st.integers(0, 9)) == 0:
        sides.append(debit(draw(paths), 1, draw(assets), book))
    return Transaction(
        id=draw(st.integers(1, 10**6).map(txid) | st.integers(1, 3).map(txid)),
        book=book,
        postings=tuple(draw(st.permutations(sides))),
        idempotency_key=draw(keys | st.integers(26, 10**6).map("key {}".format)),
        external_refs=draw(st.sampled_from([(), (ExternalRef(kind="invoice", value="1"),)])),
        metadata=draw(metadata),
        occurred_at=WHEN,
    )


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.root = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        self.directories = 0
        self.files = FaultyFiles(self.root / "0")
        self.clock = FakeClock()
        self.reference = MemoryStore(self.clock)
        self.store: Any = None
        self.seen: list[Transaction] = []

    def run(self, call: Any) -> Any:
        return self.runner.run(call)

    def both(self, name: str, *args: Any) -> None:
        expected = self.run(attempt(getattr(self.reference, name)(*args)))
        assert self.run(attempt(getattr(self.store, name)(*args))) == expected

    def reopened(self, given: dict[str, int]) -> None:
        self.store = self.run(open_log_store(self.files.root, self.clock, self.files, **given))

    def another_directory(self) -> Path:
        self.directories += 1
        return self.root / str(self.directories)

    @initialize(given=options, ready=st.booleans())
    def open(self, given: dict[str, int], ready: bool) -> None:
        self.reopened(given)
        if ready:
            for id in ASSETS:
                self.both("register_asset", asset(id))
            for book in BOOKS:
                for path, kind in zip(PATHS, AccountKind, strict=False):
                    self.both("open_account", definition(path, kind, "EUR", book), AccountCfg())

    @rule(id=assets, precision=st.sampled_from([2, 2, 2, 3]))
    def register(self, id: str, precision: int) -> None:
        self.both("register_asset", asset(id, precision))

    @rule(
        book=books,
        path=paths | st.sampled_from(["more", "still more"]),
        kind=st.sampled_from(AccountKind),
        held=assets,
        side=st.sampled_from([None, None, *Direction]),
        minimum=st.sampled_from([None, 0, -50, 10]),
    )
    def open_account(
        self, book: str, path: str, kind: AccountKind, held: str, side: Direction | None, minimum: int | None
    ) -> None:
        if kind is AccountKind.CLEARING:
            side = None
        config = AccountCfg(normal_side=side, min_balance=minimum)
        self.both("open_account", definition(path, kind, held, book), config)

    @rule(transaction=transactions())
    def commit(self, transaction: Transaction) -> None:
        self.seen.append(transaction)
        self.both("commit", transaction)

    @rule(batch=st.lists(transactions(), max_size=12))
    def commit_batch(self, batch: list[Transaction]) -> None:
        self.seen += batch
        expected = [outcome(result) for result in self.run(self.reference.commit_batch(batch))]
        assert [outcome(result) for result in self.run(self.store.commit_batch(batch))] == expected

    @rule(data=st.data())
    def commit_again(self, data: st.DataObject) -> None:
        if self.seen:
            self.both("commit", data.draw(st.sampled_from(self.seen)))

    @rule(micros=st.sampled_from([1, 1_000_000, 86_400_000_000, -2_000_000]))
    def time_passes(self, micros: int) -> None:
        self.clock.advance(micros)

    @rule(book=st.sampled_from([*BOOKS, "_system"]))
    def snapshot(self, book: str) -> None:
        self.both("snapshot_now", book)

    @rule(book=st.sampled_from([*BOOKS, "_system"]))
    def verify(self, book: str) -> None:
        info = self.run(self.store.book(book))
        self.run(self.store.verify(book, None if info is None else info.head))

    @rule(given=options)
    def reopen(self, given: dict[str, int]) -> None:
        before = {book: self.run(self.store.book(book)) for book in BOOKS}
        self.run(self.store.shutdown())
        self.reopened(given)
        for book, info in before.items():
            after = self.run(self.store.book(book))
            assert (after and after.head) == (info and info.head)

    @rule(given=options, wait=st.integers(0, 3))
    def crash(self, given: dict[str, int], wait: int) -> None:
        """The process dies: what it wrote is there, synced or not, half-made snapshots too."""

        async def copied(target: Path) -> Path:
            for _ in range(wait):
                await asyncio.sleep(0)
            return copy_as_a_crash_leaves_it(self.files.root, target)

        left = self.run(copied(self.another_directory()))
        self.run(self.store.shutdown())
        self.files = FaultyFiles(left)
        self.reopened(given)

    @rule(given=options, seed=st.none() | st.integers(0, 2**30), wait=st.integers(0, 3))
    def power_cut(self, given: dict[str, int], seed: int | None, wait: int) -> None:
        """The machine dies: what was not synced is lost, or partly kept."""

        async def cut() -> dict[str, bytes | None]:
            for _ in range(wait):
                await asyncio.sleep(0)
            return self.files.image(None if seed is None else Random(seed))

        left = plant(self.run(cut()), self.another_directory())
        self.run(self.store.shutdown())
        self.files = FaultyFiles(left)
        self.reopened(given)

    @rule(
        batch=st.lists(transactions(), min_size=1, max_size=6),
        path=st.sampled_from(["new", *PATHS]),
        passed=st.integers(0, 3),
        code=st.sampled_from([errno.ENOSPC, errno.EDQUOT]),
    )
    def the_disk_is_full(self, batch: list[Transaction], path: str, passed: int, code: int) -> None:
        """Accounts, assets and postings at once: what would be written is refused and leaves no trace."""

        async def tried() -> list[object]:
            self.files.fails = every("write", code, after=len(self.files.calls) + passed)
            try:
                calls = [
                    self.store.open_account(definition(path, book=batch[0].book), AccountCfg(min_balance=7)),
                    self.store.register_asset(asset("ZZZ")),
                    self.store.commit_batch(batch),
                    self.store.commit(batch[-1]),
                ]
                return list(await asyncio.gather(*calls, return_exceptions=True))
            finally:
                self.files.fails = never

        self.seen += batch
        for result in self.run(tried()):
            for each in result if isinstance(result, list) else [result]:
                assert each is None or isinstance(each, Committed | StoreError), each
        # the calls raced the disk: bring the reference to what was acknowledged, in the store's own order
        self.follow()

    def follow(self) -> None:
        """Do in the reference what the store's new events tell; both must come to the same event."""
        for book in ["_system", *BOOKS]:
            known = self.run(self.reference.read_events(book, 1, 10**6))
            for event in self.run(self.store.read_events(book, len(known) + 1, 10**6)):
                match event.event:
                    case AssetRegistered(asset=registered):
                        self.run(self.reference.register_asset(registered))
                    case AccountOpened(definition=opened, config=config):
                        self.run(self.reference.open_account(opened, config))
                    case TransactionPosted(transaction=transaction):
                        self.run(self.reference.commit(transaction))
                assert self.run(self.reference.read_events(book, event.seq, 1)) == [event]

    @rule()
    def look_at_everything(self) -> None:
        expected = self.run(observe(self.reference, BOOKS))
        assert differences(self.run(observe(self.store, BOOKS)), expected) == {}

    @invariant()
    def what_is_there_now_agrees(self) -> None:
        if self.store is None:
            return
        for book in BOOKS:
            assert self.run(self.store.accounts(book)) == self.run(self.reference.accounts(book))
            assert self.run(self.store.trial_balance(book)) == self.run(self.reference.trial_balance(book))

    def teardown(self) -> None:
        try:
            if self.store is not None:
                self.look_at_everything()
                self.run(self.store.shutdown())
        finally:
            self.runner.close()
            shutil.rmtree(self.root, ignore_errors=True)


class LedgerMachineWithinTinyLimits(LedgerMachine):
    """Chunks of a few events, pages of a few keys, queues of a few callers."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = ExitStack()
        self.limits.enter_context(tiny_limits())

    def teardown(self) -> None:
        with self.limits:
            super().teardown()


TestLedgerAgainstReference = LedgerMachine.TestCase
TestLedgerWithinTinyLimits = LedgerMachineWithinTinyLimits.TestCase


def test_the_limits_that_are_made_tiny_are_limits_of_the_store() -> None:
    assert [limit for limit in TINY if not modules_with(limit)] == []
