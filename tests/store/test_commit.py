from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from store import (
    AccountCfg,
    AccountKind,
    AlreadyExists,
    AmountOverflow,
    AssetMismatch,
    Committed,
    ConstraintViolation,
    Direction,
    ExternalRef,
    IdempotencyConflict,
    InvalidBook,
    InvalidTransaction,
    Transaction,
    TransactionPosted,
    Unbalanced,
    UnknownAccount,
)
from store.protocol import Store
from tests.support.build import (
    BOOK,
    WHEN,
    account,
    asset,
    credit,
    debit,
    definition,
    household,
    posted,
    transfer,
    txid,
)
from tests.support.clock import FakeClock

CASH, BANK, CARD = account("assets:cash"), account("assets:bank"), account("liabilities:card")
TOP = 2**127 - 1


async def minor(store: Store, path: str, book: str = BOOK) -> int:
    return (await store.balance(account(path, book))).amount.minor


async def test_a_commit_answers_with_its_place_and_time(home: Store, clock: FakeClock) -> None:
    clock.advance()
    paid = transfer("assets:cash", "income:salary", 500)
    assert await home.commit(paid) == Committed(txid=paid.id, seq=8, at=clock.now)
    stored = await home.transaction(paid.id)
    assert stored is not None
    assert (stored.transaction, stored.seq, stored.at) == (paid, 8, clock.now)


async def test_seqs_are_dense_and_each_book_counts_its_own(home: Store) -> None:
    await household(home, "company")
    seqs = [
        (await home.commit(transfer("assets:cash", "income:salary", 1, book=book))).seq
        for book in (BOOK, "company", BOOK, BOOK, "company")
    ]
    assert seqs == [8, 8, 9, 10, 9]


async def test_the_time_of_a_commit_never_goes_back(home: Store, clock: FakeClock) -> None:
    clock.advance()
    first = await home.commit(transfer("assets:cash", "income:salary", 1))
    clock.advance(-5_000_000)
    second = await home.commit(transfer("assets:cash", "income:salary", 1))
    assert second.at >= first.at
    assert second.seq == first.seq + 1


@pytest.mark.parametrize(
    ("path", "effective"),
    [
        ("assets:cash", 7),
        ("expenses:food", 7),
        ("liabilities:card", -7),
        ("income:salary", -7),
        ("equity:opening", -7),
        ("clearing", 7),
    ],
)
async def test_a_debit_reads_by_the_kind_of_account(home: Store, path: str, effective: int) -> None:
    await home.commit(transfer(path, "assets:bank", 7))
    assert await minor(home, path) == effective
    assert await minor(home, "assets:bank") == -7


async def test_a_contra_account_reads_on_its_own_side(home: Store) -> None:
    await home.open_account(definition("wear"), AccountCfg(normal_side=Direction.CREDIT, min_balance=0))
    await home.commit(transfer("expenses:food", "wear", 30))
    assert await minor(home, "wear") == 30
    with pytest.raises(ConstraintViolation):
        await home.commit(transfer("wear", "expenses:food", 31))


async def test_one_transaction_may_hold_many_postings_and_assets(home: Store) -> None:
    await home.open_account(definition("assets:dollars", asset="USD"), AccountCfg())
    await home.open_account(definition("equity:dollars", AccountKind.EQUITY, asset="USD"), AccountCfg())
    both = posted(
        debit("assets:cash", 5),
        debit("assets:dollars", 3, "USD"),
        credit("assets:bank", 2),
        credit("income:salary", 3),
        credit("equity:dollars", 3, "USD"),
        debit("assets:cash", 1),
        credit("assets:cash", 1),
    )
    assert (await home.commit(both)).seq == 10
    assert await minor(home, "assets:cash") == 5
    assert await minor(home, "assets:dollars") == 3
    assert await minor(home, "equity:dollars") == 3
    assert await minor(home, "assets:bank") == -2


# Balance of debits and credits, sizes.


@pytest.mark.parametrize(
    ("postings", "debits", "credits"),
    [
        ((debit("assets:cash", 5), credit("assets:bank", 6)), 5, 6),
        ((debit("assets:cash", 5),), 5, 0),
        ((credit("assets:cash", 5),), 0, 5),
        ((debit("assets:cash", 5), debit("assets:bank", 5)), 10, 0),
        ((debit("assets:cash", TOP), debit("assets:bank", TOP), credit("clearing", 1)), 2 * TOP, 1),
    ],
)
async def test_a_transaction_must_balance(
    home: Store, postings: tuple[Any, ...], debits: int, credits: int
) -> None:
    with pytest.raises(Unbalanced) as caught:
        await home.commit(posted(*postings))
    assert (caught.value.asset, caught.value.debits, caught.value.credits) == ("EUR", debits, credits)


async def test_each_asset_must_balance_for_itself(home: Store) -> None:
    with pytest.raises(Unbalanced):
        await home.commit(posted(debit("assets:cash", 5), credit("assets:bank", 5, "USD")))


async def test_amounts_beyond_64_bits_are_exact(home: Store) -> None:
    await home.commit(transfer("assets:cash", "income:salary", TOP))
    await home.commit(transfer("assets:bank", "assets:cash", 1))
    assert await minor(home, "assets:cash") == TOP - 1
    assert await minor(home, "income:salary") == TOP
    [row] = await home.trial_balance(BOOK)
    assert (row.debits, row.credits) == (TOP + 1, TOP + 1)


async def test_turnover_does_not_saturate(home: Store) -> None:
    for to, source in (("assets:cash", "assets:bank"), ("assets:bank", "assets:cash")) * 3:
        await home.commit(transfer(to, source, TOP))
    [row] = await home.trial_balance(BOOK)
    assert (row.debits, row.credits) == (6 * TOP, 6 * TOP)
    info = await home.account(CASH)
    assert info is not None
    assert (info.debits, info.credits, info.postings) == (3 * TOP, 3 * TOP, 6)


@pytest.mark.parametrize(("to", "source"), [("assets:cash", "assets:bank"), ("income:salary", "clearing")])
async def test_no_balance_reaches_2_to_the_127(home: Store, to: str, source: str) -> None:
    await home.commit(transfer(to, source, TOP))
    with pytest.raises(AmountOverflow) as caught:
        await home.commit(transfer(to, source, 1))
    assert caught.value.account == account(to)
    await home.commit(transfer(source, to, 1))
    await home.commit(transfer(to, source, 1))


async def test_overflow_is_looked_for_after_every_single_posting(home: Store) -> None:
    await home.commit(transfer("assets:cash", "assets:bank", TOP))
    there_and_back = posted(
        debit("clearing", 1), debit("assets:cash", 1), credit("assets:cash", 1), credit("clearing", 1)
    )
    with pytest.raises(AmountOverflow) as caught:
        await home.commit(there_and_back)
    assert caught.value.account == CASH
    back_and_there = posted(
        credit("assets:cash", 1), debit("clearing", 1), credit("clearing", 1), debit("assets:cash", 1)
    )
    await home.commit(back_and_there)
    assert await minor(home, "assets:cash") == TOP


# min_balance.


@pytest.mark.parametrize("kind", list(AccountKind), ids=lambda kind: kind.value)
async def test_a_minimum_of_zero_means_never_overdrawn_for_every_kind(home: Store, kind: AccountKind) -> None:
    await home.open_account(definition("guarded", kind), AccountCfg(min_balance=0))
    more = credit("guarded", 10) if kind.normal_side is Direction.CREDIT else debit("guarded", 10)
    less = debit("guarded", 11) if kind.normal_side is Direction.CREDIT else credit("guarded", 11)
    opposite = {Direction.DEBIT: credit, Direction.CREDIT: debit}
    await home.commit(posted(more, opposite[more.direction]("clearing", 10)))
    with pytest.raises(ConstraintViolation) as caught:
        await home.commit(posted(less, opposite[less.direction]("clearing", 11)))
    assert (caught.value.account, caught.value.min_balance, caught.value.would_be) == (
        account("guarded"),
        0,
        -1,
    )
    assert await minor(home, "guarded") == 10
    assert (await home.read_events(BOOK, 1, 1000))[-1].seq == 9


async def test_a_minimum_may_be_negative_or_positive(home: Store) -> None:
    await home.open_account(definition("credit line"), AccountCfg(min_balance=-100))
    await home.open_account(definition("reserve"), AccountCfg(min_balance=50))
    await home.commit(transfer("clearing", "credit line", 100))
    with pytest.raises(ConstraintViolation):
        await home.commit(transfer("clearing", "credit line", 1))
    with pytest.raises(ConstraintViolation) as caught:
        await home.commit(transfer("reserve", "clearing", 49))
    assert caught.value.would_be == 49
    await home.commit(transfer("reserve", "clearing", 50))


async def test_a_minimum_is_looked_at_after_the_whole_transaction(home: Store) -> None:
    await home.open_account(definition("guarded"), AccountCfg(min_balance=0))
    dips = posted(
        credit("guarded", 5), debit("guarded", 5), debit("assets:cash", 1), credit("assets:bank", 1)
    )
    await home.commit(dips)
    assert await minor(home, "guarded") == 0


async def test_the_first_violation_in_posting_order_is_told(home: Store) -> None:
    for path in ("b", "a"):
        await home.open_account(definition(path), AccountCfg(min_balance=0))
    with pytest.raises(ConstraintViolation) as caught:
        await home.commit(posted(debit("clearing", 3), credit("b", 1), credit("a", 2)))
    assert caught.value.account == account("b")


async def test_an_account_that_is_not_touched_is_not_looked_at(home: Store) -> None:
    await home.open_account(definition("reserve"), AccountCfg(min_balance=50))
    await home.commit(transfer("assets:cash", "income:salary", 1))


# What must be known.


async def test_the_first_unknown_account_is_told(home: Store) -> None:
    with pytest.raises(UnknownAccount) as caught:
        await home.commit(posted(debit("assets:cash", 2), credit("nope", 1), credit("neither", 1)))
    assert caught.value.account == account("nope")


async def test_an_account_of_another_book_is_unknown_here(home: Store) -> None:
    await household(home, "company")
    mixed = posted(debit("assets:cash", 2), credit("assets:bank", 2, book="company"))
    with pytest.raises(UnknownAccount) as caught:
        await home.commit(mixed)
    assert caught.value.account == account("assets:bank", "company")


async def test_a_posting_in_another_asset_is_refused(home: Store) -> None:
    with pytest.raises(AssetMismatch) as caught:
        await home.commit(transfer("assets:cash", "assets:bank", 2, asset="USD"))
    assert (caught.value.account, caught.value.account_asset, caught.value.asset) == (CASH, "EUR", "USD")


async def test_a_refused_commit_writes_nothing_and_takes_no_seq(home: Store) -> None:
    events = await home.read_events(BOOK)
    for bad in (
        transfer("assets:cash", "nope", 1),
        transfer("assets:cash", "assets:bank", 1, asset="USD"),
        posted(debit("assets:cash", 1)),
    ):
        with pytest.raises((UnknownAccount, AssetMismatch, Unbalanced)):
            await home.commit(bad)
        assert await home.transaction(bad.id) is None
        assert await home.by_key(BOOK, bad.idempotency_key) is None
    assert await home.read_events(BOOK) == events
    assert (await home.commit(transfer("assets:cash", "assets:bank", 1))).seq == 8


async def test_the_key_and_id_of_a_refused_commit_stay_free(home: Store) -> None:
    with pytest.raises(UnknownAccount):
        await home.commit(transfer("assets:cash", "nope", 1, key="again", id=txid(5)))
    assert (await home.commit(transfer("assets:cash", "assets:bank", 2, key="again", id=txid(5)))).seq == 8


# The order of checks: a transaction that fails two of them is told the first.


async def test_a_bad_book_is_told_before_a_bad_shape(home: Store) -> None:
    with pytest.raises(InvalidBook):
        await home.commit(posted(book="_system"))


async def test_a_bad_shape_is_told_before_a_known_key(home: Store) -> None:
    await home.commit(transfer("assets:cash", "assets:bank", 1, key="k"))
    with pytest.raises(Unbalanced):
        await home.commit(posted(debit("assets:cash", 1), key="k"))


async def test_a_known_key_is_told_before_a_used_id(home: Store) -> None:
    await home.commit(transfer("assets:cash", "assets:bank", 1, key="first", id=txid(1)))
    await home.commit(transfer("assets:cash", "assets:bank", 2, key="second", id=txid(2)))
    again = await home.commit(transfer("assets:cash", "assets:bank", 1, key="first", id=txid(2)))
    assert (again.seq, again.txid, again.deduplicated) == (8, txid(1), True)
    with pytest.raises(IdempotencyConflict):
        await home.commit(transfer("assets:cash", "assets:bank", 3, key="first", id=txid(2)))


async def test_a_used_id_is_told_before_an_unknown_account(home: Store) -> None:
    await home.commit(transfer("assets:cash", "assets:bank", 1, id=txid(1)))
    with pytest.raises(AlreadyExists):
        await home.commit(transfer("assets:cash", "nope", 1, id=txid(1)))


async def test_each_posting_is_checked_whole_before_the_next(home: Store) -> None:
    mismatch_first = posted(
        debit("assets:cash", 1, "USD"), credit("nope", 1, "USD"), debit("nope", 1), credit("assets:cash", 1)
    )
    with pytest.raises(AssetMismatch):
        await home.commit(mismatch_first)
    unknown_first = posted(
        debit("nope", 1),
        credit("assets:cash", 1, "USD"),
        debit("assets:bank", 1, "USD"),
        credit("clearing", 1),
    )
    with pytest.raises(UnknownAccount):
        await home.commit(unknown_first)


async def test_an_unknown_account_is_told_before_an_overflow(home: Store) -> None:
    await home.commit(transfer("assets:cash", "assets:bank", TOP))
    with pytest.raises(UnknownAccount):
        await home.commit(posted(debit("assets:cash", 1), credit("nope", 1)))


async def test_an_overflow_is_told_before_a_violation(home: Store) -> None:
    await home.open_account(definition("guarded"), AccountCfg(min_balance=0))
    await home.commit(transfer("assets:cash", "assets:bank", TOP))
    with pytest.raises(AmountOverflow):
        await home.commit(posted(credit("guarded", 1), debit("assets:cash", 1)))


class _Interval(timedelta):
    """As libraries for dates make them: no plain timedelta divides it."""

    def __floordiv__(self, other: Any) -> Any:
        raise AttributeError(f"{type(other).__name__} has no parts")


class _Moment(datetime):
    def __sub__(self, other: Any) -> Any:
        between = super().__sub__(other)
        return _Interval(between.days, between.seconds, between.microseconds)


async def test_times_of_other_libraries_are_times(home: Store) -> None:
    moment = _Moment(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=2)))
    receipt = await home.commit(transfer("assets:cash", "assets:bank", 1, occurred_at=moment))
    stored = await home.transaction(receipt.txid, BOOK)
    assert stored is not None
    assert stored.transaction.occurred_at == datetime(2026, 3, 1, 10, 30, 15, 123_456, tzinfo=UTC)
    await home.balance(account("assets:cash"), _Moment(2026, 3, 1, tzinfo=UTC))


# Idempotency.


async def test_a_key_committed_before_answers_with_the_first_receipt(home: Store, clock: FakeClock) -> None:
    first = await home.commit(transfer("assets:cash", "assets:bank", 1, key="k"))
    clock.advance()
    again = await home.commit(transfer("assets:cash", "assets:bank", 1, key="k", occurred_at=WHEN))
    assert again == first
    assert (first.deduplicated, again.deduplicated) == (False, True)
    assert await minor(home, "assets:cash") == 1
    assert len(await home.read_events(BOOK)) == 8


async def test_a_key_is_answered_even_where_the_commit_would_now_be_refused(home: Store) -> None:
    await home.open_account(definition("guarded"), AccountCfg(min_balance=0))
    await home.commit(transfer("guarded", "clearing", 5))
    spent = transfer("clearing", "guarded", 5, key="spent")
    first = await home.commit(spent)
    assert await home.commit(spent) == first


async def test_the_same_key_in_another_book_is_another_key(home: Store) -> None:
    await household(home, "company")
    one = await home.commit(transfer("assets:cash", "assets:bank", 1, key="k"))
    other = await home.commit(transfer("assets:cash", "assets:bank", 2, key="k", book="company"))
    assert not other.deduplicated
    assert one.txid != other.txid


REFS = (ExternalRef(kind="invoice", value="7"), ExternalRef(kind="po", value="9"))
FIRST: dict[str, Any] = {
    "postings": (debit("assets:cash", 3), credit("assets:bank", 1), credit("clearing", 2)),
    "external_refs": REFS,
    "metadata": {"memo": "rent", "n": 1, "nested": {"a": [1, 2.5, None, True], "b": "x"}},
}


def first_but(**changes: Any) -> Transaction:
    return Transaction(book=BOOK, idempotency_key="k", **{**FIRST, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"postings": (debit("assets:cash", 3), credit("clearing", 2), credit("assets:bank", 1))},
        {"postings": (debit("assets:cash", 4), credit("assets:bank", 1), credit("clearing", 3))},
        {"postings": (debit("expenses:food", 3), credit("assets:bank", 1), credit("clearing", 2))},
        {"postings": (credit("assets:cash", 3), debit("assets:bank", 1), debit("clearing", 2))},
        {"external_refs": ()},
        {"external_refs": REFS[::-1]},
        {"external_refs": (REFS[0], ExternalRef(kind="po", value="10"))},
        {"metadata": {}},
        {"metadata": None},
        {"metadata": {**FIRST["metadata"], "n": 1.0}},
        {"metadata": {**FIRST["metadata"], "n": True}},
        {"metadata": {**FIRST["metadata"], "n": "1"}},
        {"metadata": {**FIRST["metadata"], "more": None}},
        {"metadata": {**FIRST["metadata"], "nested": {"a": [2.5, 1, None, True], "b": "x"}}},
    ],
    ids=range(14),
)
async def test_a_key_committed_for_something_else_is_a_conflict(home: Store, changes: dict[str, Any]) -> None:
    await home.commit(first_but())
    assert await home.book(BOOK) is not None
    with pytest.raises(IdempotencyConflict) as caught:
        await home.commit(first_but(**changes))
    assert (caught.value.key, caught.value.seq) == ("k", 8)
    [refusal] = await home.commit_batch([first_but(**changes)])
    assert isinstance(refusal, IdempotencyConflict)
    assert len(await home.read_events(BOOK)) == 8


async def test_object_keys_have_no_order_when_a_retry_is_compared(home: Store) -> None:
    first = await home.commit(first_but())
    assert await home.book(BOOK) is not None
    turned = {"nested": {"b": "x", "a": [1, 2.5, None, True]}, "n": 1, "memo": "rent"}
    assert (await home.commit(first_but(metadata=turned))) == first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0, 0.0),
        (1, 1.0),
        (1, True),
        (0, False),
        (None, False),
        ("", None),
        ([], {}),
        (2**70, float(2**70)),
        ([[1], 2], [1, [2]]),
        (["ab"], ["a", "b"]),
        ({"a": "b"}, ["a", "b"]),
        ("1", 1),
        (-(2**64), -(2**64) + 1),
    ],
)
async def test_json_values_that_look_alike_differ(home: Store, one: Any, other: Any) -> None:
    await home.commit(first_but(metadata=one))
    assert await home.book(BOOK) is not None
    with pytest.raises(IdempotencyConflict):
        await home.commit(first_but(metadata=other))
    stored = await home.by_key(BOOK, "k")
    assert stored is not None
    assert stored.transaction.metadata == one
    assert type(stored.transaction.metadata) is type(one)


async def test_a_key_is_answered_however_old_it_is(home: Store, clock: FakeClock) -> None:
    firsts = []
    for n in range(40):
        clock.advance()
        firsts.append(await home.commit(transfer("assets:cash", "assets:bank", n + 1, key=f"old {n}")))
    for n, first in enumerate(firsts):
        again = await home.commit(transfer("assets:cash", "assets:bank", n + 1, key=f"old {n}"))
        assert again == first
        assert again.deduplicated
        with pytest.raises(IdempotencyConflict) as caught:
            await home.commit(transfer("assets:cash", "assets:bank", 1000, key=f"old {n}"))
        assert caught.value.seq == first.seq
    assert len(await home.read_events(BOOK)) == 47


async def test_concurrent_commits_of_one_key_post_once(home: Store) -> None:
    results = await asyncio.gather(
        *(home.commit(transfer("assets:cash", "assets:bank", 1, key="k")) for _ in range(20))
    )
    assert len(set(results)) == 1
    assert sorted(result.deduplicated for result in results) == [False] + [True] * 19
    assert await minor(home, "assets:cash") == 1


async def test_an_id_cannot_be_used_twice_in_a_book(home: Store) -> None:
    await household(home, "company")
    await home.commit(transfer("assets:cash", "assets:bank", 1, id=txid(7)))
    with pytest.raises(AlreadyExists):
        await home.commit(transfer("assets:cash", "assets:bank", 1, id=txid(7)))
    await home.commit(transfer("assets:cash", "assets:bank", 1, id=txid(7), book="company"))


# Batches.


async def test_an_empty_batch_has_no_results(home: Store) -> None:
    assert await home.commit_batch([]) == []


async def test_results_stand_where_their_transactions_stood(home: Store) -> None:
    await household(home, "company")
    results = await home.commit_batch(
        [
            transfer("assets:cash", "assets:bank", 1),
            transfer("assets:cash", "nope", 1),
            transfer("assets:cash", "assets:bank", 2, book="company"),
            posted(),
            transfer("assets:cash", "assets:bank", 3, book="_system"),
            transfer("assets:cash", "assets:bank", 4),
        ]
    )
    kinds = [type(result) for result in results]
    assert kinds == [Committed, UnknownAccount, Committed, InvalidTransaction, InvalidBook, Committed]
    assert [result.seq for result in results if isinstance(result, Committed)] == [8, 8, 9]
    assert await minor(home, "assets:cash") == 5


async def test_a_batch_sees_what_it_has_accepted_so_far(home: Store) -> None:
    await home.open_account(definition("guarded"), AccountCfg(min_balance=0))
    results = await home.commit_batch(
        [
            transfer("clearing", "guarded", 1),
            transfer("guarded", "clearing", 5),
            transfer("clearing", "guarded", 3),
            transfer("clearing", "guarded", 3),
            transfer("clearing", "guarded", 2),
        ]
    )
    kinds = [type(result) for result in results]
    assert kinds == [ConstraintViolation, Committed, Committed, ConstraintViolation, Committed]
    assert await minor(home, "guarded") == 0


async def test_a_key_or_id_earlier_in_the_batch_counts(home: Store) -> None:
    results = await home.commit_batch(
        [
            transfer("assets:cash", "assets:bank", 1, key="k", id=txid(1)),
            transfer("assets:cash", "assets:bank", 1, key="k", id=txid(2)),
            transfer("assets:cash", "assets:bank", 2, key="k", id=txid(3)),
            transfer("assets:cash", "assets:bank", 2, key="other", id=txid(1)),
            transfer("assets:cash", "nope", 2, key="free", id=txid(4)),
            transfer("assets:cash", "assets:bank", 9, key="free", id=txid(4)),
        ]
    )
    assert [type(result) for result in results] == [
        Committed,
        Committed,
        IdempotencyConflict,
        AlreadyExists,
        UnknownAccount,
        Committed,
    ]
    first, again, *_, last = results
    assert first == again
    assert isinstance(again, Committed)
    assert again.deduplicated
    assert isinstance(last, Committed)
    assert last.seq == 9
    assert await minor(home, "assets:cash") == 10


async def test_a_batch_keeps_its_order_in_each_book(home: Store) -> None:
    await household(home, "company")
    batch = [
        transfer("assets:cash", "assets:bank", n, book=BOOK if n % 3 else "company", key=f"n {n}")
        for n in range(1, 60)
    ]
    results = await home.commit_batch(batch)
    assert all(isinstance(result, Committed) for result in results)
    for book in (BOOK, "company"):
        events = await home.read_events(book, 8)
        keys = [
            event.event.transaction.idempotency_key
            for event in events
            if isinstance(event.event, TransactionPosted)
        ]
        assert keys == [item.idempotency_key for item in batch if item.book == book]


async def test_the_caller_may_change_its_list_afterwards(home: Store) -> None:
    batch = [transfer("assets:cash", "assets:bank", 1) for _ in range(10)]
    task = asyncio.ensure_future(home.commit_batch(batch))
    await asyncio.sleep(0)
    batch.clear()
    assert len(await task) == 10


async def test_an_overflow_inside_a_batch_harms_no_other(home: Store) -> None:
    results = await home.commit_batch(
        [
            transfer("assets:cash", "assets:bank", TOP),
            transfer("assets:cash", "assets:bank", 1),
            transfer("assets:bank", "assets:cash", 1),
            transfer("assets:cash", "assets:bank", 1),
        ]
    )
    assert [type(result) for result in results] == [Committed, AmountOverflow, Committed, Committed]


async def test_minimum_and_asset_of_a_new_book_are_known_at_once(home: Store) -> None:
    await home.register_asset(asset("XAU", 4))
    await home.open_account(definition("vault", asset="XAU", book="new"), AccountCfg(min_balance=0))
    with pytest.raises(UnknownAccount):
        await home.commit(transfer("vault", "mine", 1, asset="XAU", book="new"))
    await home.open_account(definition("mine", asset="XAU", book="new"), AccountCfg())
    await home.commit(transfer("vault", "mine", 1, asset="XAU", book="new"))
    assert await minor(home, "vault", "new") == 1
