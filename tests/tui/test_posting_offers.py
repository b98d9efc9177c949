"""What the posting form offers: accounts, descriptions with their postings, drafts of posted transactions."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from store import (
    AccountId,
    Amount,
    Direction,
    Posting,
    Sequenced,
    StoredTransaction,
    StoreIOError,
    Transaction,
    TransactionPosted,
)
from talea_tui.posting.assessment import metadata_of
from talea_tui.posting.completion import complete_account
from talea_tui.posting.correction import (
    balance_changes,
    correction_of,
    duplicate_of,
    reversal_key,
    reversal_of,
    reversed_id,
)
from talea_tui.posting.draft import Draft, Row
from talea_tui.posting.editing import prefill
from talea_tui.posting.history import BookHistory
from talea_tui.posting.usage import UsageIndex, pages_back
from tests.support.forms import ACCOUNTS, BOOK, PRECISIONS, SUNDAY, entry, open_shop
from tests.support.memory_store import MemoryStore

WHEN = datetime(2024, 8, 2, tzinfo=UTC)
PATHS = [
    "Assets:Checking",
    "Assets:Savings",
    "Equity",
    "Expenses:Administrative",
    "Expenses:Rent",
    "Expenses:Supplies",
    "Expenses:Supplies:Maintenance",
    "Revenue:MemberDues",
    "Revenue:Sales:eBay",
]


def paid(description: str, to: str = "Expenses:Rent", minor: int = 1466, **fields) -> Transaction:
    return Transaction(
        book=BOOK,
        postings=tuple(
            Posting(
                account=AccountId(book=BOOK, path=p), amount=Amount(minor=minor, asset="USD"), direction=d
            )
            for p, d in ((to, Direction.DEBIT), ("Assets:Checking", Direction.CREDIT))
        ),
        idempotency_key=f"{description}-{minor}",
        metadata={"description": description, "code": "7"},
        occurred_at=WHEN,
        **fields,
    )


def found(typed: str, usage: UsageIndex | None = None, last_seq: int = 0) -> list[str]:
    return [match.path for match in complete_account(typed, PATHS, usage or UsageIndex(), last_seq)]


def test_accounts_are_found_by_any_segment() -> None:
    assert found("rent")[0] == "Expenses:Rent"
    assert found("che")[0] == "Assets:Checking"
    assert found("e:r")[0] == "Expenses:Rent"
    assert found("exp sup")[0] == "Expenses:Supplies"
    assert found("dues")[0] == "Revenue:MemberDues"
    assert found("member dues")[0] == "Revenue:MemberDues"
    assert found("maint")[0] == "Expenses:Supplies:Maintenance"
    assert found("a:s")[0] == "Assets:Savings"
    assert found("xyz") == []


def test_letters_may_be_scattered_when_nothing_fits_better() -> None:
    assert found("spls")[0] == "Expenses:Supplies"
    assert found("ckng") == ["Assets:Checking"] or found("chkg")[0] == "Assets:Checking"


def test_accounts_used_often_and_lately_come_first() -> None:
    usage = UsageIndex()
    for seq in range(1, 20):
        usage.observe(seq, paid("x", to="Expenses:Supplies"))
    assert found("", usage, 20)[:2] == ["Assets:Checking", "Expenses:Supplies"]
    assert found("s", usage, 20)[0] == "Expenses:Supplies"
    assert found("e", usage, 20)[0] == "Expenses:Supplies"
    assert found("equity", usage, 20)[0] == "Equity"


def test_descriptions_are_found_by_any_words_newest_first() -> None:
    usage = UsageIndex()
    usage.observe(1, paid("Zelle payment to BUBBLY DYNAMICS 111"))
    usage.observe(2, paid("Zelle payment to William 222"))
    usage.observe(3, paid("THE HOME DEPOT #1901"))
    usage.observe(4, paid("The Home Depot #22"))
    assert [use.text for use in usage.complete_description("zel")] == [
        "Zelle payment to William 222",
        "Zelle payment to BUBBLY DYNAMICS 111",
    ]
    assert usage.complete_description("bub")[0].last_seq == 1
    assert [use.last_seq for use in usage.complete_description("depot home")] == [4]
    assert [use.last_seq for use in usage.complete_description("depot 19")] == [3]
    assert usage.complete_description("nothing") == []
    assert [use.last_seq for use in usage.complete_description("")] == [4, 2, 1]


def test_a_description_remembers_its_last_use_in_whatever_order_history_is_read() -> None:
    usage = UsageIndex()
    usage.observe(9, paid("Rent", minor=900))
    usage.observe(2, paid("RENT", minor=200))
    use = usage.description(" rent ")
    assert use is not None
    assert (use.text, use.count, use.rows[0].minor) == ("Rent", 2, 900)


@pytest.mark.parametrize("newest_first", [True, False], ids=["from history", "as it is posted"])
def test_what_was_reversed_is_not_offered_again_but_the_use_before_it(newest_first: bool) -> None:
    usage = UsageIndex()
    mistake = paid("Rent", "Expenses:Food", minor=950)
    once = paid("Once")
    posted = [
        (1, paid("Rent", minor=800)),
        (2, paid("Rent", minor=900)),
        (3, mistake),
        (4, reversal_of(StoredTransaction(transaction=mistake, seq=3, at=WHEN), SUNDAY)),
        (5, once),
        (6, reversal_of(StoredTransaction(transaction=once, seq=5, at=WHEN), SUNDAY)),
    ]
    for seq, transaction in reversed(posted) if newest_first else posted:
        usage.observe(seq, transaction)
    use = usage.description("rent")
    assert use is not None
    assert (use.rows[0].path, use.rows[0].minor) == ("Expenses:Rent", 900)
    assert [use.last_seq for use in usage.complete_description("")] == [2]
    assert usage.description("once") is None


def test_an_account_remembers_its_latest_side_in_whatever_order_history_is_read() -> None:
    usage = UsageIndex()
    for seq, to in ((5, "Expenses:Rent"), (9, "Assets:Savings"), (7, "Assets:Checking")):
        usage.observe(seq, paid("moved", to))
    use = usage.account("Assets:Checking")
    assert use is not None
    assert (use.count, use.last_seq, use.last_side) == (4, 9, Direction.CREDIT)


def test_memory_of_descriptions_is_bounded_and_forgets_the_oldest() -> None:
    usage = UsageIndex(descriptions_max=16)
    for seq in range(1, 101):
        usage.observe(seq, paid(f"shop {seq}"))
    assert usage.description("shop 1") is None
    assert usage.description("shop 100") is not None
    assert sum(usage.description(f"shop {seq}") is not None for seq in range(1, 101)) <= 16


def test_reversals_and_nameless_transactions_offer_nothing() -> None:
    usage = UsageIndex()
    original = StoredTransaction(transaction=paid("Rent"), seq=1, at=WHEN)
    usage.observe_all(
        [
            Sequenced(seq=2, at=WHEN, event=TransactionPosted(transaction=reversal_of(original, SUNDAY))),
            Sequenced(seq=3, at=WHEN, event=TransactionPosted(transaction=paid(""))),
        ]
    )
    assert usage.complete_description("") == []
    assert usage.account("Assets:Checking") is not None


def test_a_known_description_brings_accounts_and_hints_unless_rows_were_typed() -> None:
    usage = UsageIndex()
    usage.observe(1, paid("Rent"))
    use = usage.description("rent")
    assert use is not None
    draft = Draft(book=BOOK)
    assert prefill(draft, use, PRECISIONS)
    assert [(row.account, row.amount, row.hint) for row in draft.rows[:2]] == [
        ("Expenses:Rent", "", "14.66"),
        ("Assets:Checking", "", "14.66"),
    ]
    typed = Draft(book=BOOK, rows=[Row("Equity"), Row()])
    assert not prefill(typed, use, PRECISIONS)
    assert typed.rows[0].account == "Equity"


def test_history_is_read_back_from_its_end_in_pages() -> None:
    assert pages_back(5, 100, 2) == [(4, 2), (2, 2), (1, 1)]
    assert pages_back(1_000, 5, 3) == [(998, 3), (996, 2)]
    assert pages_back(0, 5, 3) == []


def test_a_reversal_is_the_opposite_and_refers_to_its_original() -> None:
    original = StoredTransaction(transaction=paid("Rent"), seq=7, at=WHEN)
    reversal = reversal_of(original, date(2026, 11, 22))
    assert [p.direction for p in reversal.postings] == [Direction.CREDIT, Direction.DEBIT]
    assert reversed_id(reversal) == original.transaction.id
    assert reversed_id(original.transaction) is None
    assert reversal.idempotency_key == reversal_key(original.transaction.id)
    again = reversal_of(original, date(2026, 12, 1))
    assert (again.postings, again.metadata, again.external_refs) == (
        reversal.postings,
        reversal.metadata,
        reversal.external_refs,
    )


def test_a_reversal_previews_each_balance_and_warns_below_the_minimum() -> None:
    changes = balance_changes(paid("Rent", minor=150_00), ACCOUNTS)
    assert [(c.account.definition.id.path, c.before, c.after, c.below_minimum) for c in changes] == [
        ("Expenses:Rent", 500_00, 650_00, False),
        ("Assets:Checking", 100_00, -50_00, True),
    ]


def test_a_correction_keeps_the_comments_of_the_postings_whose_accounts_stay() -> None:
    details = [{"comment": "for March", "tags": [["a", "b"]]}, {"comment": "by card"}]
    original = replace(paid("Rent"), metadata={"description": "Rent", "postings": details})
    correction = Draft.from_json(correction_of(original, PRECISIONS).to_json())
    noted = metadata_of(correction, SUNDAY)["postings"]
    assert noted == [{"comment": "for March"}, {"comment": "by card"}]
    correction.rows[0].account = "Expenses:Supplies"
    assert metadata_of(correction, SUNDAY)["postings"] == [{}, {"comment": "by card"}]
    correction.rows[1].account = "Equity"
    assert "postings" not in metadata_of(correction, SUNDAY)


def test_a_duplicate_is_for_today_and_a_correction_for_the_same_day() -> None:
    original = paid("Rent")
    duplicate = duplicate_of(original, PRECISIONS)
    assert (duplicate.date, duplicate.rows[0].debit, duplicate.rows[1].credit) == ("", "14.66", "14.66")
    correction = correction_of(original, PRECISIONS)
    assert correction.date == "2024-08-02"
    assert correction.refs[0].value == str(original.id)
    assert correction.carried == {"code": "7"}
    assert len({original.idempotency_key, duplicate.key, correction.key}) == 3


class FailingStore(MemoryStore):
    """Fails the read of one number."""

    failing = 0

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        self.failing -= 1
        if self.failing == 0:
            raise StoreIOError("no disk")
        return await super().read_events(book, from_seq, limit)


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_what_a_failed_read_kept_from_completion_is_learnt_by_the_next_one_each_event_once(
    failing: int,
) -> None:
    async with FailingStore() as store:
        await open_shop(store)
        for number in range(250):
            await store.commit(entry("2026-11-21", f"sale {number}", "Expenses:Rent", "Assets:Checking", 1))
        history = BookHistory(BOOK)
        store.failing = failing
        with pytest.raises(StoreIOError):
            await history.learn_usage(store)
        await store.commit(entry("2026-11-22", "sale 3", "Expenses:Rent", "Assets:Checking", 1))
        await history.learn_usage(store)
        learnt = BookHistory(BOOK)
        await learnt.learn_usage(store)
        for number in range(250):
            assert history.usage.description(f"sale {number}") == learnt.usage.description(f"sale {number}")
        assert history.usage.account("Expenses:Rent") == learnt.usage.account("Expenses:Rent")
        assert history.accounts.keys() == learnt.accounts.keys()


async def test_what_is_posted_while_history_is_being_learnt_is_learnt_too_and_nothing_twice() -> None:
    store = MemoryStore()
    await open_shop(store)
    read_events, may_read = store.read_events, asyncio.Event()

    async def read_held(book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        await may_read.wait()
        return await read_events(book, from_seq, limit)

    store.read_events = read_held  # type: ignore[method-assign]
    history = BookHistory(BOOK)
    learning = asyncio.ensure_future(history.learn_usage(store))
    await asyncio.sleep(0)
    await store.commit(entry("2026-11-22", "Late", "Expenses:Rent", "Assets:Checking", 1))
    await history.learn_usage(store)
    may_read.set()
    await learning
    assert history.usage.description("Late") is not None
    rent = history.usage.account("Expenses:Rent")
    assert rent is not None
    assert rent.count == 2
