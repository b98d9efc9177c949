from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from store import (
    AccountCfg,
    AccountId,
    AccountKind,
    Amount,
    BalanceSnapshot,
    InvalidBook,
    PostingRecord,
    Sequenced,
    Sieve,
    StoredTransaction,
    TransactionPosted,
    TrialBalanceRow,
    UnknownAccount,
)
from store.protocol import Store
from tests.support.build import (
    BOOK,
    account,
    asset,
    credit,
    debit,
    definition,
    eur,
    household,
    open_accounts,
    posted,
    transfer,
    txid,
)
from tests.support.clock import FakeClock

CASH, BANK, CARD, SALARY = map(account, ("assets:cash", "assets:bank", "liabilities:card", "income:salary"))
NEVER = account("clearing")


@pytest.fixture
async def year(home: Store, clock: FakeClock) -> tuple[Store, list[datetime]]:
    """Seqs 8 to 12, a second apart; the fourth posts to cash three times."""
    times = []
    for transaction in (
        transfer("assets:cash", "income:salary", 100, key="salary", id=txid(8)),
        transfer("expenses:food", "liabilities:card", 30, key="food", id=txid(9)),
        transfer("liabilities:card", "assets:cash", 20, key="card", id=txid(10)),
        posted(
            debit("assets:cash", 5),
            credit("assets:bank", 7),
            credit("assets:cash", 3),
            debit("assets:cash", 5),
            key="mixed",
            id=txid(11),
        ),
        transfer("expenses:food", "assets:cash", 1, key="more food", id=txid(12)),
    ):
        clock.advance(1_000_000)
        times.append((await home.commit(transaction)).at)
    clock.advance(1_000_000)
    return home, times


Year = tuple[Store, list[datetime]]


async def balance_at(store: Store, id: AccountId, as_of: Any = None) -> tuple[int, int]:
    snapshot = await store.balance(id, as_of)
    assert snapshot.amount.asset == "EUR"
    return snapshot.amount.minor, snapshot.updated_seq


async def test_a_balance_is_effective_and_tells_its_last_seq(year: Year) -> None:
    store, _ = year
    assert await store.balance(CASH) == BalanceSnapshot(amount=eur(86), updated_seq=12)
    assert await balance_at(store, CARD) == (10, 10)
    assert await balance_at(store, SALARY) == (100, 8)
    assert await balance_at(store, BANK) == (-7, 11)
    assert await balance_at(store, NEVER) == (0, 0)


@pytest.mark.parametrize(
    ("as_of", "cash", "card"),
    [
        (-5, (0, 0), (0, 0)),
        (0, (0, 0), (0, 0)),
        (7, (0, 0), (0, 0)),
        (8, (100, 8), (0, 0)),
        (9, (100, 8), (30, 9)),
        (10, (80, 10), (10, 10)),
        (11, (87, 11), (10, 10)),
        (12, (86, 12), (10, 10)),
        (10**9, (86, 12), (10, 10)),
        (2**70, (86, 12), (10, 10)),
    ],
)
async def test_a_balance_as_of_a_seq_counts_postings_up_to_it(
    year: Year, as_of: int, cash: tuple[int, int], card: tuple[int, int]
) -> None:
    store, _ = year
    assert await balance_at(store, CASH, as_of) == cash
    assert await balance_at(store, CARD, as_of) == card


async def test_a_balance_as_of_a_time_counts_postings_up_to_it(year: Year) -> None:
    store, times = year
    step = timedelta(microseconds=1)
    assert await balance_at(store, CASH, times[0] - step) == (0, 0)
    assert await balance_at(store, CASH, times[0]) == (100, 8)
    assert await balance_at(store, CASH, times[2] - step) == (100, 8)
    assert await balance_at(store, CASH, times[2]) == (80, 10)
    assert await balance_at(store, CASH, times[4]) == (86, 12)
    assert await balance_at(store, CASH, times[4] + timedelta(days=365)) == (86, 12)
    assert await balance_at(store, CASH, datetime.min.replace(tzinfo=UTC)) == (0, 0)
    assert await balance_at(store, CASH, datetime.max.replace(tzinfo=UTC)) == (86, 12)


async def test_commits_of_one_instant_are_all_as_of_it(home: Store, clock: FakeClock) -> None:
    clock.advance()
    results = await home.commit_batch([transfer("assets:cash", "income:salary", n) for n in (1, 2, 3)])
    assert {result.at for result in results} == {clock.now}  # type: ignore[union-attr]
    assert await balance_at(home, CASH, clock.now) == (6, 10)
    assert await balance_at(home, CASH, clock.ago(1)) == (0, 0)
    assert await home.seq_at(BOOK, clock.now) == 10


async def test_a_naive_time_is_refused_by_every_read(year: Year) -> None:
    store, times = year
    naive = times[0].replace(tzinfo=None)
    for call in (
        store.balance(CASH, naive),
        store.trial_balance(BOOK, naive),
        store.accounts(BOOK, naive),
        store.account(CASH, naive),
        store.seq_at(BOOK, naive),
    ):
        with pytest.raises(ValueError, match=r"."):
            await call


async def test_an_account_that_is_not_open_is_unknown(year: Year) -> None:
    store, _ = year
    for id in (account("nope"), account("assets:cash", "elsewhere"), account("assets"), account("")):
        for call in (
            store.balance(id),
            store.balance(id, 5),
            store.account_history(id),
            store.posting_rows(id, 0, 5),
        ):
            with pytest.raises(UnknownAccount) as caught:
                await call
            assert caught.value.account == id
        assert await store.account(id) is None


# Histories.


def row(
    seq: int, id: AccountId, posting: str, minor: int, after: int, times: list[datetime]
) -> PostingRecord:
    made = (debit if posting == "debit" else credit)(id.path, minor)
    return PostingRecord(
        seq=seq,
        txid=txid(seq),
        account=id,
        amount=made.amount,
        direction=made.direction,
        at=times[seq - 8],
        balance_after=Amount(minor=after, asset="EUR"),
    )


async def test_a_history_tells_every_posting_with_the_balance_after_it(year: Year) -> None:
    store, times = year
    cash = [
        row(8, CASH, "debit", 100, 100, times),
        row(10, CASH, "credit", 20, 80, times),
        row(11, CASH, "debit", 5, 85, times),
        row(11, CASH, "credit", 3, 82, times),
        row(11, CASH, "debit", 5, 87, times),
        row(12, CASH, "credit", 1, 86, times),
    ]
    assert await store.account_history(CASH) == cash
    assert await store.account_history(CARD) == [
        row(9, CARD, "credit", 30, 30, times),
        row(10, CARD, "debit", 20, 10, times),
    ]
    assert await store.account_history(NEVER) == []
    assert await store.posting_rows(CASH, 0, 100) == cash
    for start in range(8):
        for limit in range(8):
            assert await store.posting_rows(CASH, start, limit) == cash[start : start + limit]


@pytest.mark.parametrize(
    ("after_seq", "limit", "seqs"),
    [
        (None, 1, [8]),
        (0, 1, [8]),
        (-3, 1, [8]),
        (8, 1, [10]),
        (9, 1, [10]),
        (10, 1, [11, 11, 11]),
        (8, 2, [10, 11, 11, 11]),
        (8, 3, [10, 11, 11, 11, 12]),
        (11, 5, [12]),
        (12, 5, []),
        (10**9, 5, []),
        (None, 0, []),
        (None, 10**9, [8, 10, 11, 11, 11, 12]),
    ],
)
async def test_a_page_of_history_never_splits_a_transaction(
    year: Year, after_seq: int | None, limit: int, seqs: list[int]
) -> None:
    store, _ = year
    page = await store.account_history(CASH, after_seq, limit)
    assert [record.seq for record in page] == seqs


async def test_pages_of_history_add_up_to_all_of_it(year: Year) -> None:
    store, _ = year
    whole = await store.account_history(CASH)
    for limit in (1, 2, 3, 4):
        pages: list[PostingRecord] = []
        while page := await store.account_history(CASH, pages[-1].seq if pages else None, limit):
            pages += page
        assert pages == whole


async def test_a_limit_of_nothing_is_an_empty_list_and_a_negative_one_an_error(year: Year) -> None:
    store, _ = year
    assert await store.account_history(CASH, None, 0) == []
    assert await store.posting_rows(CASH, 0, 0) == []
    assert await store.read_events(BOOK, 1, 0) == []
    for call in (
        store.account_history(CASH, None, -1),
        store.posting_rows(CASH, 0, -1),
        store.read_events(BOOK, 1, -1),
    ):
        with pytest.raises(ValueError, match=r"."):
            await call


# Events.


async def test_events_are_read_from_a_seq_inclusive(year: Year) -> None:
    store, times = year
    events = await store.read_events(BOOK)
    assert [event.seq for event in events] == list(range(1, 13))
    assert [event.at for event in events[7:]] == times
    assert isinstance(events[8].event, TransactionPosted)
    assert events[8].event.transaction.idempotency_key == "food"
    for from_seq in (-7, 0, 1):
        assert await store.read_events(BOOK, from_seq, 3) == events[:3]
    for from_seq in range(1, 15):
        for limit in (1, 2, 5, 100):
            page = await store.read_events(BOOK, from_seq, limit)
            assert page == events[from_seq - 1 : from_seq - 1 + limit]
    assert await store.read_events(BOOK, 10**12) == []


async def test_events_are_read_100_at_a_time_unless_told(home: Store) -> None:
    await home.commit_batch([transfer("assets:cash", "income:salary", 1) for _ in range(120)])
    assert [event.seq for event in await home.read_events(BOOK)] == list(range(1, 101))
    assert len(await home.read_events(BOOK, 1, 1000)) == 127
    assert len(await home.account_history(CASH)) == 100


async def test_events_are_found_by_their_seqs_in_the_order_asked(year: Year) -> None:
    store, _ = year
    events = await store.read_events(BOOK)
    assert await store.events_at(BOOK, [12, 1, 9]) == [events[11], events[0], events[8]]
    assert await store.events_at(BOOK, [0, 13, -1, 5, 10**9]) == [events[4]]
    assert await store.events_at(BOOK, []) == []
    assert await store.events_at("nowhere", [1]) == []


async def test_what_a_sieve_looks_for_is_found_in_order_among_the_seqs_asked(home: Store) -> None:
    wanted = transfer("expenses:food", "assets:bank", 1250, key="Import-7", metadata={"memo": "Café 12"})
    await home.commit(transfer("assets:bank", "income:salary", 5))
    await home.commit(wanted)
    await home.commit(transfer("assets:cash", "assets:bank", 1250))
    events = await home.read_events(BOOK)
    sieves = [
        Sieve(),
        Sieve(kinds=frozenset({TransactionPosted})),
        Sieve(part=lambda path, asset, minor: (path, asset, minor) == ("expenses:food", "EUR", 1250)),
        Sieve(no_part=lambda path, asset, minor: path == "assets:cash"),
        Sieve(names=lambda key, refs, id: (key, refs, id) == ("Import-7", [], str(wanted.id))),
        Sieve(texts=("import-7", "café", "12", "expenses:f"), no_texts=("import-8",)),
        Sieve(texts=(str(wanted.id),)),
    ]
    for sieve in sieves:
        found = await home.sift(BOOK, sieve, -3, 99)
        assert [one.read() for one in found] == [events[one.seq - 1] for one in found]
        assert [(one.seq, one.at) for one in found] == [(one.read().seq, one.read().at) for one in found]
        assert sorted({one.seq for one in found}) == [one.seq for one in found]
        assert 9 in [one.seq for one in found]
        assert 9 in [one.seq for one in await home.sift(BOOK, sieve, 9, 9)]
        assert await home.sift(BOOK, sieve, 10, 9) == []
        assert await home.sift("nowhere", sieve, 1, 9) == []
    with pytest.raises(InvalidBook):
        await home.sift("../out", Sieve(), 1, 9)


async def test_the_system_book_can_be_read(home: Store) -> None:
    events = await home.read_events("_system")
    assert [event.seq for event in events] == [1, 2]
    info = await home.book("_system")
    assert info is not None
    assert (info.last_seq, info.accounts, info.transactions) == (2, 0, 0)


# Transactions.


async def test_a_transaction_is_found_by_id_and_by_key(year: Year) -> None:
    store, times = year
    found = await store.transaction(txid(9))
    assert found is not None
    assert (found.seq, found.at, found.transaction.idempotency_key) == (9, times[1], "food")
    assert await store.transaction(txid(9), BOOK) == found
    assert await store.by_key(BOOK, "food") == found
    assert await store.transaction(txid(99)) is None
    assert await store.transaction(txid(9), "elsewhere") is None
    assert await store.transaction(txid(9), "_system") is None
    assert await store.by_key(BOOK, "Food") is None
    assert await store.by_key(BOOK, "") is None
    assert await store.by_key("elsewhere", "food") is None


async def test_an_id_in_several_books_is_found_in_the_first_by_name(home: Store) -> None:
    for book in ("zoo", "company"):
        await household(home, book)
        await home.commit(transfer("assets:cash", "income:salary", 1, book=book, id=txid(1)))
    first = await home.transaction(txid(1))
    second = await home.transaction(txid(1), "zoo")
    assert first is not None
    assert second is not None
    assert (first.transaction.book, second.transaction.book) == ("company", "zoo")


# Trial balance, accounts, books.


@pytest.mark.parametrize(
    ("as_of", "total"), [(7, None), (8, 100), (9, 130), (10, 150), (11, 160), (12, 161), (None, 161)]
)
async def test_a_trial_balance_is_turnover(year: Year, as_of: int | None, total: int | None) -> None:
    store, times = year
    rows = [] if total is None else [TrialBalanceRow(asset="EUR", debits=total, credits=total)]
    assert await store.trial_balance(BOOK, as_of) == rows
    if as_of is not None and as_of >= 8:
        assert await store.trial_balance(BOOK, times[as_of - 8]) == rows


async def test_a_trial_balance_has_a_row_for_each_asset_by_id(home: Store) -> None:
    await home.register_asset(asset("AAA"))
    for id in ("USD", "AAA"):
        await home.open_account(definition(f"to:{id}", asset=id), AccountCfg())
        await home.open_account(definition(f"from:{id}", AccountKind.EQUITY, asset=id), AccountCfg())
    await home.commit(transfer("to:USD", "from:USD", 5, asset="USD"))
    await home.commit(transfer("to:AAA", "from:AAA", 7, asset="AAA"))
    assert await home.trial_balance(BOOK) == [
        TrialBalanceRow(asset="AAA", debits=7, credits=7),
        TrialBalanceRow(asset="USD", debits=5, credits=5),
    ]


async def test_accounts_are_listed_by_path_with_their_figures(year: Year) -> None:
    store, times = year
    infos = {info.definition.id.path: info for info in await store.accounts(BOOK)}
    assert list(infos) == sorted(infos)
    assert len(infos) == 7
    cash = infos["assets:cash"]
    assert (cash.balance.amount.minor, cash.balance.updated_seq) == (86, 12)
    assert (cash.postings, cash.debits, cash.credits) == (6, 110, 24)
    assert await store.account(CASH) == cash
    then = {info.definition.id.path: info for info in await store.accounts(BOOK, 10)}
    assert list(then) == list(infos)
    assert then["assets:cash"].balance == BalanceSnapshot(amount=eur(80), updated_seq=10)
    assert (then["assets:cash"].postings, then["assets:cash"].debits, then["assets:cash"].credits) == (
        2,
        100,
        20,
    )
    assert await store.account(CASH, 10) == then["assets:cash"]
    assert await store.accounts(BOOK, times[2]) == await store.accounts(BOOK, 10)
    assert all(info.postings == 0 for info in await store.accounts(BOOK, 0))


async def test_an_account_tells_where_it_was_opened(year: Year) -> None:
    store, _ = year
    for info in await store.accounts(BOOK):
        (opening,) = await store.read_events(BOOK, info.opened_seq, 1)
        assert (opening.event.definition, opening.event.config) == (info.definition, info.config)


async def test_accounts_agree_with_balances_at_every_instant(year: Year) -> None:
    store, times = year
    for as_of in (0, 8, 10, 11, times[1], times[3], None):
        for info in await store.accounts(BOOK, as_of):
            assert info == await store.account(info.definition.id, as_of)
            assert info.balance == await store.balance(info.definition.id, as_of)
            rows = await store.posting_rows(info.definition.id, 0, info.postings)
            assert (rows[-1].balance_after if rows else eur(0)) == info.balance.amount


async def test_books_are_listed_by_name_without_the_system_book(home: Store) -> None:
    await household(home, "company")
    await home.open_account(definition("only", book="an empty one"), AccountCfg())
    await home.commit(transfer("assets:cash", "income:salary", 1, book="company"))
    infos = await home.books()
    assert [(info.name, info.last_seq, info.accounts, info.transactions) for info in infos] == [
        ("an empty one", 1, 1, 0),
        ("company", 8, 7, 1),
        (BOOK, 7, 7, 0),
    ]
    for info in infos:
        assert info.writer == "running"
        assert info.error is None
        assert info.repairs == ()
        assert info.queued == 0
        assert info.head[0] == info.last_seq
        assert len(bytes.fromhex(info.head[1])) == 32
        events = await home.read_events(info.name)
        assert info.last_at == events[-1].at
        one = await home.book(info.name)
        assert one is not None
        assert (one.name, one.last_seq, one.head) == (info.name, info.last_seq, info.head)


async def test_an_empty_ledger_has_no_books(store: Store) -> None:
    assert await store.books() == []
    assert await store.assets() == []
    await store.register_asset(asset("EUR"))
    assert await store.books() == []


async def test_the_head_changes_with_every_event_and_only_then(home: Store) -> None:
    heads = []
    for n in range(4):
        info = await home.book(BOOK)
        assert info is not None
        assert await home.book(BOOK) is not None
        heads.append(info.head)
        await home.commit(transfer("assets:cash", "income:salary", n + 1))
    assert [seq for seq, _ in heads] == [7, 8, 9, 10]
    assert len({digest for _, digest in heads}) == 4


async def test_the_seq_at_a_time_is_the_last_one_not_after_it(year: Year) -> None:
    store, times = year
    step = timedelta(microseconds=1)
    assert await store.seq_at(BOOK, times[0] - timedelta(days=3650)) == 0
    assert await store.seq_at(BOOK, times[0] - step) == 7
    for n, time in enumerate(times):
        assert await store.seq_at(BOOK, time) == 8 + n
        assert await store.seq_at(BOOK, time + step) == 8 + n
    assert await store.seq_at(BOOK, datetime.max.replace(tzinfo=UTC)) == 12
    assert await store.seq_at("nowhere", times[0]) == 0


async def test_a_time_in_another_zone_is_the_same_instant(year: Year) -> None:
    store, times = year
    there = times[2].astimezone(timezone(timedelta(hours=-7)))
    assert await store.seq_at(BOOK, there) == 10
    assert await balance_at(store, CASH, there) == (80, 10)


async def test_what_is_read_is_whole_values(year: Year) -> None:
    store, _ = year
    [event] = await store.read_events(BOOK, 8, 1)
    stored = await store.transaction(txid(8))
    assert isinstance(event, Sequenced)
    assert isinstance(stored, StoredTransaction)
    assert isinstance(event.event, TransactionPosted)
    assert event.event.transaction == stored.transaction


async def test_a_trial_balance_of_the_past_knows_an_asset_that_came_late(home: Store) -> None:
    await home.commit_batch([transfer("assets:cash", "income:salary", 1) for _ in range(300)])
    kinds = {"usd:cash": AccountKind.ASSET, "usd:salary": AccountKind.INCOME}
    await open_accounts(home, kinds, asset="USD")
    paid = await home.commit(transfer("usd:cash", "usd:salary", 5, asset="USD"))
    await home.commit(transfer("usd:cash", "usd:salary", 7, asset="USD"))
    assert await home.trial_balance(BOOK, paid.seq) == [
        TrialBalanceRow(asset="EUR", debits=300, credits=300),
        TrialBalanceRow(asset="USD", debits=5, credits=5),
    ]
