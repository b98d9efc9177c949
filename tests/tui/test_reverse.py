"""Reversing and correcting what was posted, with a preview first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from store import AccountId, ExternalRef, LogTaleaStore, StoredTransaction, TransactionPosted
from store.protocol import Store
from talea_tui.posting.correction import balance_changes, corrected_id, is_in_force, reversal_key
from talea_tui.screens.post import PostScreen
from talea_tui.screens.reverse import ReverseScreen
from talea_tui.screens.transaction import TransactionScreen
from talea_tui.statements.period import Period
from talea_tui.statements.turnover import DatedTurnover
from tests.support.build import credit, debit, posted
from tests.support.forms import ACCOUNTS, BOOK, entry, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, until
from tests.tui.test_posting_form import calm, keys


@pytest.fixture(params=["memory", "log"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = MemoryStore() if request.param == "memory" else await LogTaleaStore.open(tmp_path / "ledger")
    await open_shop(made)
    yield made
    await made.shutdown()


async def stored(store: Store, seq: int) -> StoredTransaction:
    event = (await store.read_events(BOOK, seq, 1))[0]
    assert isinstance(event.event, TransactionPosted)
    return StoredTransaction(transaction=event.event.transaction, seq=event.seq, at=event.at)


async def test_a_reversal_is_previewed_posted_and_found_from_its_original(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(original)
        await calm(pilot)
        shown = screen_text(pilot.app)
        assert "Reverse seq 11 · 2026-11-19 · THE HOME DEPOT #1901" in shown
        assert "+15.36" in shown
        assert "18,212.10" in shown
        assert (await store.read_events(BOOK, 13, 1)) == []
        await keys(pilot, "enter")
        found = await store.by_key(BOOK, reversal_key(original.transaction.id))
        assert found is not None
        assert found.seq == 13
        assert [ref.kind for ref in found.transaction.external_refs] == ["reverses"]
        balance = await store.balance(AccountId(book=BOOK, path="Expenses:Supplies"))
        assert balance.amount.minor == 0
        assert not isinstance(pilot.app.screen, ReverseScreen)


async def test_reversing_twice_is_refused_and_names_the_first(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        for _ in range(2):
            await pilot.app.start_reversal(original)
            await calm(pilot)
            shown = screen_text(pilot.app)
            await keys(pilot, "enter")
        assert "reversed already, by seq 13" in shown
        assert len(await store.read_events(BOOK, 13, 9)) == 1


async def test_escape_changes_nothing(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(await stored(store, 11))
        await calm(pilot)
        await keys(pilot, "escape")
        assert not isinstance(pilot.app.screen, ReverseScreen)
        assert await store.read_events(BOOK, 13, 1) == []


async def test_a_reversal_below_the_minimum_is_foretold_and_refused(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(await stored(store, 9))
        await calm(pilot)
        assert "below its minimum of 0.00" in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert isinstance(pilot.app.screen, ReverseScreen)
        assert "Refused" in screen_text(pilot.app)
        assert await store.read_events(BOOK, 13, 1) == []


async def test_a_correction_reverses_and_opens_the_form_with_the_contents(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(original, correct=True)
        await calm(pilot)
        await keys(pilot, "enter")
        await calm(pilot)
        assert isinstance(pilot.app.screen, PostScreen)
        draft = pilot.app.screen.draft
        assert (draft.description, draft.date) == ("THE HOME DEPOT #1901", "2026-11-19")
        assert [(row.account, row.amount) for row in draft.rows[:2]] == [
            ("Expenses:Supplies", "15.36"),
            ("Assets:Checking", "15.36"),
        ]
        await keys(pilot, "ctrl+s")
        corrected = await stored(store, 14)
        assert [(ref.kind, ref.value) for ref in corrected.transaction.external_refs] == [
            ("corrects", str(original.transaction.id))
        ]
        assert corrected.transaction.occurred_at == original.transaction.occurred_at


@pytest.mark.parametrize(
    ("metadata", "shown", "words"),
    [
        ({"payee": "Shop"}, "Shop", "Shop"),
        (" rent October", "rent October", "rent October"),
        ({"order": 7, "title": "Tiles"}, "Tiles", ""),
        (None, "invoice 17", ""),
    ],
)
async def test_one_knows_a_transaction_by_the_same_words_wherever_it_is_met(
    store, open_app: OpenApp, metadata: object, shown: str, words: str
):
    bought = replace(
        entry("2026-11-21", "tiles", "Expenses:Supplies", "Assets:Checking", 20_00),
        metadata=metadata,
        external_refs=(ExternalRef(kind="invoice", value="17"),),
    )
    await store.commit(bought)  # what its words are known by once the other one is taken back
    await store.commit(replace(bought, id=UUID(int=14), idempotency_key="again"))
    async with open_app(store) as pilot:
        await pilot.app.open_transaction(BOOK, 14)
        await calm(pilot)
        assert shown in screen_text(pilot.app)
        await pilot.app.start_reversal(await stored(store, 14), correct=True)
        await calm(pilot)
        assert f"Correct seq 14 · 2026-11-21 · {shown}" in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert isinstance(pilot.app.screen, PostScreen)
        assert pilot.app.screen.draft.description == words
        undone = await stored(store, 15)
        assert undone.transaction.metadata == {"description": f"Reversal of {shown}"}
        used = pilot.app.screen.history.usage.description(words)
        assert (used.last_seq if used is not None else None) == (13 if words else None)


async def test_a_duplicate_is_todays_and_waits_to_be_posted(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await pilot.app.start_posting(like=original)
        await calm(pilot)
        assert await store.read_events(BOOK, 13, 1) == []
        await keys(pilot, "ctrl+s")
        again = await stored(store, 13)
        assert again.transaction.postings == original.transaction.postings
        assert again.transaction.metadata == {"description": "THE HOME DEPOT #1901", "date": "2026-11-22"}


async def test_a_corrected_period_shows_what_was_meant_and_no_other_period_shows_anything(
    store, open_app: OpenApp
):
    """Where one is it was the next day already; the original, its reversal and what replaces it agree."""
    original = entry("2026-10-31", "Rent", "Expenses:Rent", "Assets:Checking", 1_466_00)
    await store.commit(replace(original, occurred_at=datetime(2026, 9, 30, 23, 30, tzinfo=UTC)))
    zone = timezone(timedelta(hours=2))
    async with open_app(store, size=(100, 30), zone=zone) as pilot:
        await pilot.app.start_reversal(await stored(store, 13), correct=True)
        await calm(pilot)
        assert "Correct seq 13 · 2026-10-01" in screen_text(pilot.app)
        assert "The reversal counts on 2026-10-01, the day of the original." in screen_text(pilot.app)
        await keys(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PostScreen))
        draft = pilot.app.screen.draft
        assert draft.date == "2026-10-01"
        draft.rows[0].debit = draft.rows[1].credit = "1467.00"
        await pilot.app.screen.form.put(draft)
        await keys(pilot, "ctrl+s")
        fold = DatedTurnover(BOOK, zone)
        while fold.seq < 15:
            await fold.step(store, 15)
        rent = await store.account(AccountId(book=BOOK, path="Expenses:Rent"))
        assert rent is not None
        october, before = (
            fold.figures(rent, Period(date(2026, month, 1), date(2026, month, 30))) for month in (10, 9)
        )
        assert (october.change, before.change) == (1_467_00, 0)
        november = fold.figures(rent, Period(date(2026, 11, 1), date(2026, 11, 30)))
        assert november.change == 1_466_00


async def test_a_plain_reversal_counts_today_and_says_so(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(await stored(store, 11))
        await calm(pilot)
        assert "The reversal counts on 2026-11-22, today." in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert (await stored(store, 13)).transaction.occurred_at == datetime(2026, 11, 22, tzinfo=UTC)


async def test_what_was_reversed_already_is_corrected_with_enter_and_not_reversed_again(
    store, open_app: OpenApp
):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(original)
        await calm(pilot)
        await keys(pilot, "enter")
        await pilot.app.start_reversal(original, correct=True)
        await calm(pilot)
        assert "enter open the form with its contents" in screen_text(pilot.app)
        await keys(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PostScreen))
        assert pilot.app.screen.draft.description == "THE HOME DEPOT #1901"
        assert len(await store.read_events(BOOK, 13, 9)) == 1


def said(pilot) -> str:
    """What the screen says, whatever its width."""
    return " ".join(screen_text(pilot.app).replace("│", " ").split())


async def reverse(pilot, one: StoredTransaction, *pressed: str, correct: bool = False) -> str:
    """Ask for a reversal and press keys; what was shown before them."""
    await pilot.app.start_reversal(one, correct=correct)
    await calm(pilot)
    shown = said(pilot)
    await keys(pilot, *pressed)
    await calm(pilot)
    return shown


async def test_what_was_corrected_names_its_correction_and_leads_there(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await reverse(pilot, original, "enter", "ctrl+s", correct=True)
        await pilot.app.open_transaction(BOOK, 11)
        await until(pilot, lambda: "by seq 14" in screen_text(pilot.app))
        assert "corrected" in screen_text(pilot.app)
        shown = await reverse(pilot, original, "enter", correct=True)
        assert "reversed already, by seq 13, and seq 14 was posted in its place" in shown
        assert "enter go to seq 14" in shown
        assert isinstance(pilot.app.screen, TransactionScreen)
        assert pilot.app.screen.seq == 14
        assert await store.read_events(BOOK, 15, 1) == []


async def test_correcting_again_what_waits_to_be_entered_anew_brings_that_draft_back(
    store, open_app: OpenApp
):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await reverse(pilot, original, "enter", correct=True)
        await keys(pilot, "ctrl+n")
        shown = await reverse(pilot, original, "enter", correct=True)
        assert "If it was entered anew since, correct that entry: else both count." in shown
        assert isinstance(pilot.app.screen, PostScreen)
        assert pilot.app.screen.stack is not None
        assert pilot.app.screen.stack.waiting == 1


@pytest.mark.parametrize("correct", [False, True])
async def test_what_is_in_force_again_can_be_reversed_and_corrected_anew(
    store, open_app: OpenApp, correct: bool
):
    original = await stored(store, 11)
    supplies = AccountId(book=BOOK, path="Expenses:Supplies")
    async with open_app(store) as pilot:
        await reverse(pilot, original, "enter")
        await reverse(pilot, await stored(store, 13), "enter")
        assert (await store.balance(supplies)).amount.minor == 15_36
        await pilot.app.open_transaction(BOOK, 11)
        await until(pilot, lambda: "by seq 14" in screen_text(pilot.app))
        assert "in force again" in screen_text(pilot.app)
        shown = await reverse(pilot, original, "enter", correct=correct)
        assert "reversed already" not in shown
        anew = await stored(store, 15)
        assert (await store.balance(supplies)).amount.minor == 0
        assert anew.transaction.metadata == {"description": "Reversal of THE HOME DEPOT #1901"}
        assert (anew.transaction.occurred_at == original.transaction.occurred_at) is correct
        if correct:
            await keys(pilot, "ctrl+s")
            assert (await store.balance(supplies)).amount.minor == 15_36
        shown = await reverse(pilot, original, correct=correct)
        assert "reversed already, by seq 15" in shown


async def test_what_was_corrected_once_and_is_in_force_again_is_entered_anew(store, open_app: OpenApp):
    original = await stored(store, 11)
    async with open_app(store) as pilot:
        await reverse(pilot, original, "enter", "ctrl+s", correct=True)
        await reverse(pilot, await stored(store, 13), "enter")
        await reverse(pilot, original, "enter", "ctrl+s", correct=True)
        first, second = await stored(store, 14), await stored(store, 17)
        assert corrected_id(first.transaction) == corrected_id(second.transaction) == original.transaction.id
        assert first.transaction.postings == second.transaction.postings == original.transaction.postings


async def test_throwing_a_correction_away_tells_that_its_reversal_stays(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await reverse(pilot, await stored(store, 11), "enter", "ctrl+t", correct=True)
        told = [notice.message for notice in pilot.app._notifications]
        assert "The entry was thrown away; its reversal, seq 13, stays." in told
        assert isinstance(pilot.app.screen, PostScreen)
        assert pilot.app.screen.draft.blank


async def test_a_refused_reversal_says_what_can_be_done_instead(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        shown = await reverse(pilot, await stored(store, 9), "enter", correct=True)
        assert "Post only what is to change, as a new entry (p)." in shown
        assert "Post only what is to change" in said(pilot)


def test_a_transaction_counts_unless_the_last_of_its_reversals_took_it_back():
    one, undone, again, forged = (UUID(int=number) for number in range(4))
    assert is_in_force(one, {})
    assert not is_in_force(one, {one: undone})
    assert is_in_force(one, {one: undone, undone: again})
    assert not is_in_force(undone, {one: undone, undone: again})
    assert is_in_force(forged, {forged: forged})


async def post_many(store: Store, postings: int) -> StoredTransaction:
    """A transaction of so many postings: that many less one to the rent, and one for their sum."""
    made = entry("2026-11-21", "Many", "Expenses:Rent", "Assets:Checking", 1)
    debit, credit = made.postings
    whole = replace(credit, amount=replace(credit.amount, minor=postings - 1))
    committed = await store.commit(replace(made, postings=(debit,) * (postings - 1) + (whole,)))
    return await stored(store, committed.seq)


def test_a_preview_counts_every_posting_of_an_account():
    paid = posted(
        debit("Expenses:Rent", 90_00, "USD", BOOK),
        credit("Assets:Checking", 60_00, "USD", BOOK),
        debit("Expenses:Rent", 20_00, "USD", BOOK),
        credit("Assets:Checking", 50_00, "USD", BOOK),
        book=BOOK,
    )
    changes = balance_changes(paid, ACCOUNTS)
    assert [(one.before, one.after, one.below_minimum) for one in changes] == [
        (500_00, 610_00, False),
        (100_00, -10_00, True),
    ]


async def test_what_is_too_long_for_the_form_is_not_reversed_to_be_corrected_there(store, open_app: OpenApp):
    original = await post_many(store, 101)
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(original, correct=True)
        await calm(pilot)
        assert "more than 100 postings is too long for the form" in screen_text(pilot.app)
        assert "esc close" in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert await store.by_key(BOOK, reversal_key(original.transaction.id)) is None
        await keys(pilot, "escape")
        assert not isinstance(pilot.app.screen, ReverseScreen)


async def test_the_longest_entry_that_the_form_takes_is_corrected_there(open_app: OpenApp):
    store = MemoryStore()
    await open_shop(store)
    original = await post_many(store, 100)
    async with open_app(store) as pilot:
        await pilot.app.start_reversal(original, correct=True)
        await calm(pilot)
        await keys(pilot, "enter")
        await calm(pilot)
        assert isinstance(pilot.app.screen, PostScreen)
        assert len(pilot.app.screen.draft.used_rows()) == 100
