"""The posting form as a bookkeeper uses it: the real application over a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace
from rich.style import Style
from textual.pilot import Pilot
from textual.widgets import Input

from store import (
    AccountId,
    AccountKind,
    AlreadyExists,
    IdempotencyConflict,
    LogTaleaStore,
    StoredTransaction,
    StoreIOError,
    TransactionPosted,
    UnknownAsset,
)
from store.protocol import Store
from talea_tui.config import Config
from talea_tui.posting.draft import Draft, Row
from talea_tui.screens.open_account import OpenAccountScreen
from talea_tui.screens.post import PostScreen
from talea_tui.settings import Settings
from talea_tui.widgets.offers import OFFERS_MAX
from tests.support.forms import BOOK, ETHER, entry, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, until


@pytest.fixture(params=["memory", "log"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = MemoryStore() if request.param == "memory" else await LogTaleaStore.open(tmp_path / "ledger")
    await open_shop(made)
    yield made
    await made.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=tmp_path / "state" / "settings.json")


async def calm(pilot: Pilot[int]) -> None:
    """Wait for what the form does in the background."""
    await pilot.pause()
    for _ in range(3):
        for worker in list(pilot.app.workers):
            if (
                worker.group in ("refresh", "usage", "balances", "post", "submit", "open", "rows")
                and worker.is_running
            ):
                await worker.wait()
        await pilot.pause()


async def keys(pilot: Pilot[int], *pressed: str) -> None:
    """Press keys, and let the application come to rest after each that may begin something."""
    for key in pressed:
        await pilot.press(key)
        if len(key) > 1 or key == "p":
            await calm(pilot)


async def typed(pilot: Pilot[int], text: str) -> None:
    names = {" ": "space", ":": "colon", "-": "minus", ".": "full_stop", "*": "asterisk", "+": "plus"}
    await pilot.press(*(names.get(letter, letter) for letter in text))
    await calm(pilot)


async def last_transaction(store: Store) -> StoredTransaction:
    events = await store.read_events(BOOK, 1, 1_000)
    last = events[-1]
    assert isinstance(last.event, TransactionPosted)
    return StoredTransaction(transaction=last.event.transaction, seq=last.seq, at=last.at)


async def last_seq(store: Store) -> int:
    return (await store.read_events(BOOK, 1, 1_000))[-1].seq


def sides(stored: StoredTransaction) -> list[tuple[str, int, str]]:
    return [(p.account.path, p.amount.minor, p.direction.value) for p in stored.transaction.postings]


def form_of(pilot: Pilot[int]) -> PostScreen:
    assert isinstance(pilot.app.screen, PostScreen)
    return pilot.app.screen


async def test_a_draft_that_cannot_be_kept_says_so_while_it_is_being_typed(
    store, settings, open_app: OpenApp, tmp_path: Path
):
    (tmp_path / "state").write_text("where a directory should be")
    async with open_app(store, settings=settings, size=(140, 30)) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "Rent")
        await until(pilot, lambda: "Drafts are not kept" in screen_text(pilot.app))
        assert "1 draft, not kept" in screen_text(pilot.app)
        (tmp_path / "state").unlink()
        await typed(pilot, "s")
        await until(pilot, lambda: "Drafts are not kept" not in screen_text(pilot.app))
        assert "1 draft, not kept" not in screen_text(pilot.app)


async def test_a_known_entry_takes_under_fifteen_keys_besides_its_amount(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        pressed = ["p", "h", "o", "m", "e", "tab", "enter", "enter", "enter"]
        await keys(pilot, *pressed[:6])
        await typed(pilot, "20")
        await keys(pilot, *pressed[6:])
        assert len(pressed) < 15
        posted = await last_transaction(store)
        assert posted.seq == 13
        assert sides(posted) == [("Expenses:Supplies", 2000, "debit"), ("Assets:Checking", 2000, "credit")]
        assert posted.transaction.metadata == {"description": "THE HOME DEPOT #1901", "date": "2026-11-22"}
        assert posted.transaction.occurred_at == datetime(2026, 11, 22, tzinfo=UTC)
        assert "seq 13 posted: THE HOME DEPOT #1901, 20.00 USD" in screen_text(pilot.app)


async def test_the_amount_of_the_last_time_is_taken_by_enter(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter", "enter")
        assert sides(await last_transaction(store)) == [
            ("Expenses:Rent", 146_600, "debit"),
            ("Assets:Checking", 146_600, "credit"),
        ]


async def test_the_amount_of_the_last_time_is_taken_by_equals_too_as_the_form_says(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab")
        assert "enter or = takes 1,466.00, as last time" in screen_text(pilot.app)
        await keys(pilot, "equals_sign", "tab", "tab")
        assert form_of(pilot).draft.rows[0].debit == "1,466.00"
        assert "as last time" not in screen_text(pilot.app)
        await keys(pilot, "tab")
        assert "enter or = takes the missing 1,466.00" in screen_text(pilot.app)
        assert form_of(pilot).draft.rows[1].amount == ""
        await keys(pilot, "equals_sign")
        assert "balanced ✓" in screen_text(pilot.app)


async def test_the_footer_of_the_form_names_the_key_that_leads_through_it(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await keys(pilot, "p")
        assert "enter post" in screen_text(pilot.app)


@pytest.mark.parametrize("theme", ["talea-dark", "talea-light", "ansi-dark"])
async def test_an_amount_that_is_only_offered_looks_other_than_one_that_is_there(
    store, open_app: OpenApp, theme: str
):
    async with open_app(store, settings=Settings(theme=theme)) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab")
        offered = amounts_drawn(pilot, "1,466.00")
        assert offered
        assert all(style.italic for style in offered)
        await typed(pilot, "99")
        await keys(pilot, "enter")
        there = amounts_drawn(pilot, "99.00")[0]
        assert not there.italic
        assert there.color not in {style.color for style in offered}


def amounts_drawn(pilot: Pilot[int], text: str) -> list[Style]:
    """The styles in which an amount stands on the screen."""
    lines = pilot.app.screen._compositor.render_strips()
    found = [segment.style for line in lines for segment in line if segment.text.strip() == text]
    return [style for style in found if style is not None]


async def test_a_new_entry_is_typed_with_sums_short_dates_and_parts_of_names(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "New thing")
        await keys(pilot, "shift+tab")
        await typed(pilot, "-1")
        assert "Sat 2026-11-21, yesterday" in screen_text(pilot.app)
        await keys(pilot, "enter")
        await typed(pilot, "rent")
        await keys(pilot, "enter")
        await typed(pilot, "12.5*3+4")
        assert "USD 41.50 to credit ✗" in screen_text(pilot.app)
        await keys(pilot, "enter")
        await typed(pilot, "che")
        await keys(pilot, "enter", "enter")
        assert "balanced ✓" in screen_text(pilot.app)
        await keys(pilot, "enter")
        posted = await last_transaction(store)
        assert sides(posted) == [("Expenses:Rent", 4150, "debit"), ("Assets:Checking", 4150, "credit")]
        assert posted.transaction.occurred_at == datetime(2026, 11, 21, tzinfo=UTC)
        assert posted.transaction.metadata == {"description": "New thing", "date": "2026-11-21"}


async def test_equals_puts_the_missing_amount_where_one_stands(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "enter")
        await typed(pilot, "rent")
        await keys(pilot, "enter", "7", "enter")
        await typed(pilot, "checking")
        await keys(pilot, "enter", "9", "equals_sign")
        assert form_of(pilot).draft.rows[1].credit == "7.00"
        assert "balanced ✓" in screen_text(pilot.app)


async def test_several_assets_balance_each_on_its_own(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "enter")
        for account, amount in (("rent", "5"), ("checking", None), ("hot", "1.5"), ("cold", None)):
            await typed(pilot, account)
            await keys(pilot, "enter")
            if amount is not None:
                await typed(pilot, amount)
            await keys(pilot, "enter")
            if account == "hot":
                assert "ETH 1.500000000000000000 to credit ✗" in screen_text(pilot.app)
            if account == "checking":
                await keys(pilot, "up")
        await keys(pilot, "enter")
        assert sides(await last_transaction(store))[2:] == [
            ("Wallet:Hot", 15 * ETHER // 10, "debit"),
            ("Wallet:Cold", 15 * ETHER // 10, "credit"),
        ]


async def test_pressing_twice_posts_once(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        await pilot.press("enter", "enter", "enter")
        await calm(pilot)
        assert await last_seq(store) == 13


async def test_a_retry_after_an_unclear_failure_posts_once(store, settings, open_app: OpenApp, monkeypatch):
    """The first try is written but its answer is lost; the same key then finds it."""
    commit, lost = store.commit, []

    async def answer_lost_once(transaction):
        receipt = await commit(transaction)
        if not lost:
            lost.append(receipt)
            raise StoreIOError("The answer of the disk was lost.")
        return receipt

    monkeypatch.setattr(store, "commit", answer_lost_once)
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        key = form_of(pilot).draft.key
        assert key[:8] in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert "The answer of the disk was lost." in screen_text(pilot.app)
        assert form_of(pilot).draft.key == key
        await keys(pilot, "enter")
        assert await last_seq(store) == 13
        assert "nothing was added" in screen_text(pilot.app)
        assert form_of(pilot).draft.key != key


async def test_a_refusal_of_the_store_appears_at_its_row(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab")
        await typed(pilot, "18000")
        await keys(pilot, "enter", "enter")
        await store.commit(entry("2026-11-21", "Meanwhile", "Expenses:Rent", "Assets:Checking", 500_00))
        form_of(pilot).histories[BOOK].accounts.clear()
        await calm(pilot)
        await keys(pilot, "ctrl+s")
        shown = screen_text(pilot.app)
        assert "below the account's minimum of 0.00" in shown
        lines = shown.splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith(" Assets:Checking"))
        assert lines[at + 1].strip().startswith("✗")
        assert await last_seq(store) == 13


async def test_an_unknown_account_is_opened_where_it_is_named(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "enter")
        await typed(pilot, "exp:coffee")
        await keys(pilot, "enter")
        assert isinstance(pilot.app.screen, OpenAccountScreen)
        shown = screen_text(pilot.app)
        assert "exp:coffee" in shown
        assert "[expense]" in shown
        await keys(pilot, "ctrl+s")
        opened = await store.account(AccountId(book=BOOK, path="exp:coffee"))
        assert opened is not None
        assert (opened.definition.kind, opened.definition.asset) == (AccountKind.EXPENSE, "USD")
        await typed(pilot, "3")
        await keys(pilot, "enter")
        await typed(pilot, "che")
        await keys(pilot, "enter", "enter", "enter")
        assert sides(await last_transaction(store))[0] == ("exp:coffee", 300, "debit")


async def test_a_draft_survives_esc_and_a_restart(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "half done")
        await keys(pilot, "enter")
        await typed(pilot, "rent")
        await keys(pilot, "enter", "4", "2")
        key = form_of(pilot).draft.key
        await keys(pilot, "escape", "escape")
        assert not isinstance(pilot.app.screen, PostScreen)
        await keys(pilot, "p")
        assert form_of(pilot).draft.key == key
        assert "half done" in screen_text(pilot.app)
        store_directory = settings.path
    if isinstance(store, MemoryStore):
        store._closed = False
        assert store_directory is not None
        async with open_app(store, settings=Settings(path=store_directory)) as pilot:
            await keys(pilot, "p")
            draft = form_of(pilot).draft
            assert (draft.key, draft.description, draft.rows[0].account) == (
                key,
                "half done",
                "Expenses:Rent",
            )
            assert draft.rows[0].debit in ("42", "42.00")


async def test_another_entry_can_be_put_before_one_that_waits(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "waits")
        await keys(pilot, "ctrl+n")
        assert form_of(pilot).draft.blank
        assert "1 more waiting" in screen_text(pilot.app)
        await keys(pilot, "b", "u", "b", "tab", "enter", "enter", "enter")
        assert await last_seq(store) == 13
        assert form_of(pilot).draft.description == "waits"
        assert [notice.message for notice in pilot.app._notifications] == [
            "seq 13 posted: Zelle payment to BUBBLY DYNAMICS, 1,466.00 USD"
        ]
        await keys(pilot, "ctrl+t")
        assert form_of(pilot).draft.blank


@pytest.mark.parametrize("key", ["ctrl+n", "ctrl+t"])
async def test_nothing_is_offered_any_more_for_an_entry_that_is_not_in_the_form(
    store, settings, open_app: OpenApp, key: str
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "bub")
        assert form_of(pilot).offers.is_shown
        await keys(pilot, key)
        assert form_of(pilot).draft.blank
        assert not form_of(pilot).offers.is_shown


async def test_from_a_blank_entry_one_goes_round_those_that_wait(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        for description in ("Eins", "Zwei"):
            await typed(pilot, description)
            await keys(pilot, "ctrl+n")
        assert form_of(pilot).draft.blank
        seen = []
        for _ in range(3):
            await keys(pilot, "ctrl+n")
            seen.append(form_of(pilot).form.head("description").value)
            await keys(pilot, "ctrl+n")
            assert form_of(pilot).draft.blank
        assert seen == ["Eins", "Zwei", "Eins"]
        assert "2 more waiting" in screen_text(pilot.app)


async def test_after_another_account_is_taken_its_amount_is_next_and_is_replaced_by_what_one_types(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await pilot.app.start_posting(like=await last_transaction(store))
        await calm(pilot)
        form_of(pilot).set_focus(form_of(pilot).form.rows[1].account)
        await typed(pilot, "memb")
        await keys(pilot, "tab")
        await typed(pilot, "640.9")
        row = form_of(pilot).draft.rows[1]
        assert (row.account, row.debit, row.credit) == ("Revenue:MemberDues", "", "640.9")


async def test_a_posted_draft_is_not_kept(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter", "enter")
        assert settings.path is not None
        assert list((settings.path.parent / "drafts").glob("*")) == []


async def test_posting_is_closed_while_the_past_is_shown(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        from talea_tui.widgets.shell import Instant

        pilot.app.show_instant(Instant("seq 10", datetime(2026, 11, 22, tzinfo=UTC), 10, BOOK))
        await calm(pilot)
        await until(pilot, lambda: "as of seq 10" in screen_text(pilot.app))
        shown = screen_text(pilot.app).splitlines()
        assert [
            line.split() for line in shown if line.startswith((" Expenses:Rent", " Assets:Checking"))
        ] == [
            ["Expenses:Rent", "1,466.00"],
            ["Assets:Checking", "1,466.00"],
        ]  # no balance after: the one that is known is of now
        assert not any(word in shown[-1] for word in ("post", "take", "missing"))
        await keys(pilot, "ctrl+s")
        assert await last_seq(store) == 12
        await keys(pilot, "ctrl+u")
        await typed(pilot, "sup")
        assert "Supplies" not in screen_text(pilot.app)
        pilot.app.show_instant(None)
        await keys(pilot, "backspace", "backspace", "backspace")
        await calm(pilot)
        await keys(pilot, "ctrl+s")
        assert await last_seq(store) == 13


async def test_hostile_text_is_posted_as_typed_and_changes_nothing_else(store, settings, open_app: OpenApp):
    await store.commit(
        entry("2026-11-20", "[/] \\[ \x1b[31m\u202e memo", "Expenses:Rent", "Assets:Checking", 1)
    )
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "memo")
        await keys(pilot, "tab", "enter", "enter", "enter")
        posted = await last_transaction(store)
        assert posted.seq == 14
        assert posted.transaction.metadata["description"] == "[/] \\[ \x1b[31m\u202e memo"
        assert "\x1b" not in screen_text(pilot.app)


async def test_an_empty_ledger_says_where_to_begin(open_app: OpenApp):
    async with open_app(MemoryStore()) as pilot:
        await keys(pilot, "p")
        assert "There is no book yet" in screen_text(pilot.app)
        await keys(pilot, "enter", "tab", "ctrl+n", "ctrl+t")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_huge_and_tiny_amounts_stand_in_their_columns(store, settings, open_app: OpenApp, size):
    async with open_app(store, size=size, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "mined")
        await keys(pilot, "tab", "enter", "enter")
        assert "balanced ✓" in screen_text(pilot.app)
        await keys(pilot, "enter")
        assert sides(await last_transaction(store))[0][1] == 120_000_000 * ETHER


async def test_posting_is_closed_when_the_books_writer_has_stopped(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        info = pilot.app.books[BOOK]
        pilot.app.books[BOOK] = replace(info, writer="stopped", error="the disk failed")
        await keys(pilot, "ctrl+s")
        assert "read only: the disk failed" in screen_text(pilot.app)
        assert await last_seq(store) == 12
        assert form_of(pilot).stack.waiting == 1


async def test_an_entry_that_waits_comes_back_though_the_balances_of_its_accounts_cannot_be_read(
    store, settings, open_app: OpenApp, monkeypatch
):
    async def unread(*_args):
        raise StoreIOError("The disk is gone.")

    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        key = form_of(pilot).draft.key
        await keys(pilot, "ctrl+n")
        assert form_of(pilot).draft.key != key
        monkeypatch.setattr(store, "account", unread)
        await keys(pilot, "ctrl+n")
        assert form_of(pilot).draft.key == key
        await keys(pilot, "ctrl+s")
        assert await last_seq(store) == 13


async def test_an_entry_changed_after_it_was_posted_unseen_can_become_a_new_one(
    store, settings, open_app: OpenApp, monkeypatch
):
    commit, lost = store.commit, []

    async def answer_lost_once(transaction):
        receipt = await commit(transaction)
        if not lost:
            lost.append(receipt)
            raise StoreIOError("The answer of the disk was lost.")
        return receipt

    monkeypatch.setattr(store, "commit", answer_lost_once)
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter", "enter")
        form_of(pilot).form.head("comment").focus()
        await typed(pilot, "late")
        await keys(pilot, "ctrl+s")
        assert "This entry was posted before, at seq 13, with other content" in screen_text(pilot.app)
        await keys(pilot, "ctrl+n", "ctrl+s")
        assert (await last_transaction(store)).seq == 14


async def test_what_a_refusal_or_a_dialog_tells_to_press_are_the_users_own_keys(
    store, settings, open_app: OpenApp, monkeypatch
):
    refusals = {
        UnknownAsset("{app.quit}"): "Asset {app.quit} is not registered: add it on the assets screen (f7).",
        IdempotencyConflict("k", 13): "f6 keeps what is typed as a new entry.",
        AlreadyExists("Transaction 5"): "Press f8 to try again.",
    }
    pressed = {"post.another": "f6", "app.assets": "f7", "post.post": "f8", "form.submit": "f9"}
    config = Config(keys={action: (key,) for action, key in pressed.items()})
    async with open_app(store, size=(120, 30), settings=settings, config=config) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        for refusal, told in refusals.items():
            monkeypatch.setattr(store, "commit", AsyncMock(side_effect=refusal))
            await keys(pilot, "f8")
            assert told in " ".join(screen_text(pilot.app).split())
        await keys(pilot, "escape", "f7", "n")
        assert "enter next f9 register it esc cancel" in " ".join(screen_text(pilot.app).split())


@pytest.mark.parametrize(
    "refusal",
    [
        StoreIOError("The disk is full. " * 6),
        AlreadyExists("Book " + "shop " * 20),
        UnknownAsset("USD " * 30),
    ],
)
async def test_a_long_refusal_stands_under_its_own_text_beside_its_mark(
    store, settings, open_app: OpenApp, monkeypatch, refusal
):
    monkeypatch.setattr(store, "commit", AsyncMock(side_effect=refusal))
    async with open_app(store, size=(60, 30), settings=settings) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter", "enter")
        lines = screen_text(pilot.app).splitlines()
        at = next(number for number, line in enumerate(lines) if "✗" in line)
        begin = lines[at].index("✗") + 2
        assert lines[at + 1].startswith(" " * begin)
        assert lines[at + 1][begin] != " "


async def test_what_is_typed_while_a_row_is_added_is_not_taken_back(store, settings, open_app, monkeypatch):
    """The first letter in the last row adds a row below, which takes a moment; the next letter comes in it."""
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        form = form_of(pilot).form
        fit_rows, letters = form.fit_rows, ["p"]

        async def slowly(draft):
            await fit_rows(draft)
            if letters:
                form.rows[1].account.insert_text_at_cursor(letters.pop())

        monkeypatch.setattr(form, "fit_rows", slowly)
        pilot.app.screen.set_focus(form.rows[1].account)
        await typed(pilot, "Exenses")
        assert form.rows[1].account.value == "Epxenses"
        assert form_of(pilot).draft.rows[1].account == "Epxenses"


async def test_a_date_leads_to_the_description(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "shift+tab")
        await typed(pilot, "17")
        await keys(pilot, "enter")
        await typed(pilot, "Rent")
        assert (form_of(pilot).draft.date, form_of(pilot).draft.description) == ("17", "Rent")


async def test_a_new_account_is_named_already_and_asks_for_its_asset(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "tab", "tab")
        await typed(pilot, "Expenses:Propane")
        await keys(pilot, "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, OpenAccountScreen)
        assert dialog.focused is dialog.field("asset")
        await keys(pilot, "ctrl+s")
        assert (await store.account(AccountId(BOOK, "Expenses:Propane"))) is not None
        assert form_of(pilot).draft.rows[0].account == "Expenses:Propane"


async def test_an_account_below_another_goes_on_from_its_path(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "2", "slash")
        await typed(pilot, "Rent")
        await keys(pilot, "enter", "o")
        await typed(pilot, "Late fees")
        await keys(pilot, "ctrl+s")
        assert (await store.account(AccountId(BOOK, "Expenses:Rent:Late fees"))) is not None


async def test_letters_at_a_balanced_entry_go_into_another_row(store, settings, open_app: OpenApp):
    """With two accounts named the form offers to post; whoever goes on typing must not leave with a q."""
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "tab", "tab")
        await typed(pilot, "Rent")
        await keys(pilot, "tab")
        await typed(pilot, "5")
        await keys(pilot, "enter")
        await typed(pilot, "Checking")
        await keys(pilot, "tab", "enter")
        assert pilot.app.focused is form_of(pilot).form.bar
        await typed(pilot, "Equity")
        assert form_of(pilot).draft.rows[2].account == "Equity"
        assert pilot.app.is_running


async def test_digits_where_the_form_offers_to_post_lead_to_no_other_screen(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await pilot.app.start_posting(like=await last_transaction(store))
        await calm(pilot)
        form_of(pilot).set_focus(form_of(pilot).form.bar)
        await typed(pilot, "640")
        assert form_of(pilot).draft.rows[2].account == "640"


async def test_up_from_the_first_field_stays_there(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "up", "up", "up")
        assert pilot.app.focused is form_of(pilot).form.head("date")
        await typed(pilot, "2")
        assert form_of(pilot).draft.date == "2"


async def test_what_was_thrown_away_does_not_come_back_with_a_late_key(store, settings, open_app: OpenApp):
    """Until the next entry stands in the fields, what they hold is the old one's."""
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "Rent")
        form = form_of(pilot)
        form.stack.drop(form.draft)
        await form.take_typing(Input.Changed(form.form.head("description"), "Rent"))
        assert form.draft.blank


async def test_a_balance_after_counts_what_was_posted_since_the_form_was_opened(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await store.commit(entry("2026-11-21", "Cleaning", "Expenses:Rent", "Assets:Checking", 100_00))
        await calm(pilot)
        await typed(pilot, "x")
        await keys(pilot, "enter")
        await typed(pilot, "Assets:Checking")
        await keys(pilot, "enter")
        await typed(pilot, "1")
        assert "18,095.74 USD" in screen_text(pilot.app)


async def test_an_account_below_its_minimum_is_told_and_nothing_typed_on_replaces_it(
    store, settings, open_app: OpenApp
):
    """A row that breaks the minimum may be made good by the rest; a complete entry leads back to it."""
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "Dues")
        await keys(pilot, "enter")
        await typed(pilot, "checking")
        await keys(pilot, "tab")
        await typed(pilot, "20000")
        await keys(pilot, "enter")
        assert "This would leave −1,803.26 USD, below the account's minimum of 0.00." in screen_text(
            pilot.app
        )
        await typed(pilot, "Revenue:MemberDues")
        rows = form_of(pilot).draft.rows
        assert [row.account for row in rows[:2]] == ["Assets:Checking", "Revenue:MemberDues"]
        await keys(pilot, "enter", "enter")
        assert pilot.app.focused is form_of(pilot).form.rows[0].account
        assert "This would leave −1,803.26 USD, below the account's minimum of 0.00." in screen_text(
            pilot.app
        )
        await typed(pilot, "s")
        assert form_of(pilot).draft.rows[0].account == "Assets:Checkings"


async def test_what_is_wrong_with_a_field_stays_told_when_one_comes_back_to_it(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "shift+tab")
        await typed(pilot, "someday")
        await keys(pilot, "tab", "shift+tab")
        assert "“someday” is no date" in screen_text(pilot.app)
        await typed(pilot, "1")
        assert "is no date" not in screen_text(pilot.app)


@pytest.mark.parametrize(
    ("field", "said", "pressed"), [("credit", "enter posts", 1), ("account", "enter twice", 2)]
)
async def test_enter_posts_a_ready_entry_after_as_many_keys_as_the_form_says(
    store, settings, open_app: OpenApp, field: str, said: str, pressed: int
):
    async with open_app(store, settings=settings) as pilot:
        await pilot.app.start_posting(like=await last_transaction(store))
        await calm(pilot)
        assert "enter twice posts this entry" in screen_text(pilot.app)
        form_of(pilot).set_focus(form_of(pilot).form.rows[1].field(field))
        await calm(pilot)
        assert said in screen_text(pilot.app)
        for _ in range(pressed):
            assert await last_seq(store) == 12
            await keys(pilot, "enter")
        assert await last_seq(store) == 13


@pytest.mark.parametrize("beyond", [0, 1])
async def test_an_account_as_wide_as_its_field_is_shown_whole_and_a_wider_one_by_its_end(
    store, settings, open_app: OpenApp, beyond: int
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p", "tab", "tab")
        width = form_of(pilot).form.rows[0].account.size.width
        await typed(pilot, "X" + "y" * (width - 1 + beyond))
        await keys(pilot, "tab")
        assert f" {'…' if beyond else 'X'}{'y' * (width - 1)}\n" in screen_text(pilot.app)


async def test_no_end_of_a_sentence_is_left_beside_the_offers(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        form = form_of(pilot)
        form.stack.begin(Draft(book=BOOK, rows=[Row("one", "5"), Row("two", "", "5"), Row("three", "6")]))
        await form._begin_anew()
        await keys(pilot, "ctrl+s")
        assert screen_text(pilot.app).count("or choose another.") == 3
        await keys(pilot, "ctrl+u")
        await typed(pilot, "wal")
        shown = screen_text(pilot.app)
        assert "Wallet:Hot" in shown
        assert shown.count("another.") == shown.count("is not open in this book") == 1


async def test_equals_in_an_account_asks_for_the_missing_amount_of_its_row(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await pilot.app.start_posting(like=await last_transaction(store))
        await calm(pilot)
        form_of(pilot).draft.rows[1].credit = ""
        await form_of(pilot).form.put(form_of(pilot).draft)
        form_of(pilot).set_focus(form_of(pilot).form.rows[1].account)
        await keys(pilot, "equals_sign")
        row = form_of(pilot).draft.rows[1]
        assert (row.account, row.credit) == ("Income:Mined", "120,000,000.000000000000000000")


async def test_an_amount_wider_than_its_field_is_marked_where_it_goes_on(store, settings, open_app: OpenApp):
    async with open_app(store, settings=settings) as pilot:
        await pilot.app.start_posting(like=await last_transaction(store))
        await calm(pilot)
        field = form_of(pilot).form.rows[0].debit
        form_of(pilot).set_focus(field)
        await keys(pilot, "home")
        shown = field.render_line(0).text
        assert shown.startswith("120,000,000.")
        assert shown.endswith("…")
        await keys(pilot, "end")
        assert field.render_line(0).text.startswith("…")


async def test_equals_says_why_nothing_is_put_while_an_account_is_not_open(
    store, settings, open_app: OpenApp
):
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        form = form_of(pilot)
        rows = [Row("Expenses:Coffee", "5"), Row("Expenses:Rent", "4"), Row("Assets:Checking", "", "4")]
        form.stack.begin(Draft(book=BOOK, rows=rows))
        await form._begin_anew()
        not_counted = "an amount is not counted: its account is not open yet"
        await until(pilot, lambda: not_counted in screen_text(pilot.app))
        assert "balanced ✓" not in screen_text(pilot.app)
        form.set_focus(form.form.rows[2].credit)
        await keys(pilot, "equals_sign")
        assert form.draft.rows[2].credit == "4"
        assert any("open that first" in notice.message for notice in pilot.app._notifications)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)])
async def test_the_bar_stands_under_the_rows_as_far_as_their_offers_reach_however_many_there_are(
    store, settings, open_app: OpenApp, size
):
    async with open_app(store, settings=settings, size=size) as pilot:
        await keys(pilot, "p")
        form = form_of(pilot)
        for count in (2, 4, 60):
            rows = [Row("Expenses:Rent", "5"), Row("Assets:Checking", "", "5")] * (count // 2)
            form.stack.begin(Draft(book=BOOK, rows=rows))
            await form._begin_anew()
            await calm(pilot)
            form.set_focus(form.form.rows[-1].account)
            await until(pilot, lambda: "posts this entry" in screen_text(pilot.app))
            shown = screen_text(pilot.app).splitlines()
            last = max(number for number, line in enumerate(shown) if line.startswith(" Assets:Checking"))
            rule = next(number for number, line in enumerate(shown) if line.startswith("───"))
            assert rule - last <= 2 + OFFERS_MAX  # one is still blank
            await typed(pilot, "e")
            await until(pilot, lambda: form.offers.is_shown)
            if size[1] > 24 and count < 60:
                assert "USD  balanced ✓" in screen_text(pilot.app)
