"""What becomes of an entry and of drafts while one is already elsewhere, or the disk takes its time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from store import AccountKind, StoreIOError, Transaction
from talea_tui.posting.drafts import DraftShelf
from talea_tui.settings import Settings
from tests.support.build import open_accounts
from tests.support.forms import BOOK, open_shop
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle, shows, until
from tests.tui.test_posting_form import calm, form_of, keys, typed

OTHER = "other"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=tmp_path / "state" / "settings.json", book=BOOK)


class Held(MemoryStore):
    """A store that answers a commit only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.refusal: StoreIOError | None = None

    async def commit_held(self, transaction: Transaction):  # type: ignore[no-untyped-def]
        await self.may_answer.wait()
        if self.refusal is not None:
            raise self.refusal
        return await MemoryStore.commit(self, transaction)


@asynccontextmanager
async def committing(open_app: OpenApp, settings: Settings) -> AsyncIterator[tuple[Pilot[int], Held]]:
    """The form of book `shop` with an entry that the store has, but has not answered for."""
    store = Held()
    await open_shop(store)
    await open_accounts(store, {"Cash": AccountKind.ASSET}, asset="USD", book=OTHER)
    store.commit = store.commit_held  # type: ignore[method-assign]
    async with open_app(store, settings=settings, size=(160, 36)) as pilot:
        await keys(pilot, "p", "b", "u", "b", "tab", "enter", "enter")
        await pilot.press("enter")
        await until(pilot, lambda: form_of(pilot).posting)
        yield pilot, store


async def use_book(pilot: Pilot[int], book: str) -> None:
    pilot.app.choose_book(book)
    await until(pilot, lambda: form_of(pilot).book == book)
    await settle(pilot)


async def answer(pilot: Pilot[int], store: Held) -> None:
    store.may_answer.set()
    await until(pilot, lambda: not form_of(pilot).posting)
    await calm(pilot)


async def test_a_refusal_that_comes_while_another_book_is_in_the_form_names_the_book_of_its_entry(
    open_app: OpenApp, settings: Settings
) -> None:
    async with committing(open_app, settings) as (pilot, store):
        await use_book(pilot, OTHER)
        focused = pilot.app.focused
        store.refusal = StoreIOError("The disk is full.")
        await answer(pilot, store)
        told = [notice.message for notice in pilot.app._notifications]
        assert told == ["An entry of shop was not posted and waits there as a draft: The disk is full."]
        assert form_of(pilot).refusals == {}
        assert pilot.app.focused is focused
        await use_book(pilot, BOOK)
        await shows(pilot, "BUBBLY", "1 draft")


@pytest.mark.parametrize("back", [False, True])
async def test_what_was_posted_while_one_was_in_another_book_is_told_and_no_draft_any_more(
    open_app: OpenApp, settings: Settings, back: bool
) -> None:
    async with committing(open_app, settings) as (pilot, store):
        await use_book(pilot, OTHER)
        if back:
            await use_book(pilot, BOOK)
        await answer(pilot, store)
        await shows(pilot, "seq 13 posted: Zelle payment to BUBBLY DYNAMICS")
        await use_book(pilot, BOOK)
        assert form_of(pilot).draft.blank
        assert "draft" not in screen_text(pilot.app).splitlines()[0]
    assert not list(settings.path.parent.glob("drafts/*.json"))  # type: ignore[union-attr]


async def test_what_one_types_on_while_another_entry_is_being_posted_is_left_alone(
    open_app: OpenApp, settings: Settings
) -> None:
    async with committing(open_app, settings) as (pilot, store):
        await pilot.press("ctrl+n")
        await pilot.press(*"next", "tab")
        focused = pilot.app.focused
        await answer(pilot, store)
        await shows(pilot, "seq 13 posted: Zelle payment to BUBBLY DYNAMICS", "1 draft")
        assert form_of(pilot).draft.description == "next"
        assert pilot.app.focused is focused


async def test_a_draft_that_is_left_for_another_book_is_kept_under_its_own(
    open_app: OpenApp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "talea_tui.screens.post.SAVE_SECONDS", 3_600
    )  # what is typed is not kept before it is left
    store = MemoryStore()
    await open_shop(store)
    await open_accounts(store, {"Cash": AccountKind.ASSET}, asset="USD", book=OTHER)
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        await typed(pilot, "rent")
        await use_book(pilot, OTHER)
        assert form_of(pilot).draft.blank
    shelves = [DraftShelf(settings.path.parent, "", book) for book in (BOOK, OTHER)]  # type: ignore[union-attr]
    assert [[draft.description for draft in shelf.load()] for shelf in shelves] == [["rent"], []]


async def test_the_application_goes_on_while_the_disk_takes_a_draft(
    open_app: OpenApp, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sync is waited for on the loop, nothing is lost by leaving at once after esc."""
    loop_thread, waited = threading.get_ident(), []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        waited.append(threading.get_ident() == loop_thread)
        fsync(descriptor)

    store = MemoryStore()
    await open_shop(store)
    async with open_app(store, settings=settings) as pilot:
        await keys(pilot, "p")
        monkeypatch.setattr(os, "fsync", watched)
        await typed(pilot, "one")
        await keys(pilot, "ctrl+n")
        await typed(pilot, "two")
        await keys(pilot, "escape", "escape")
        await until(pilot, lambda: len(waited) > 1)
        await keys(pilot, "p")
        await typed(pilot, " and more")
        pilot.app.choose_book(OTHER)
        pilot.app.choose_book(BOOK)
        await calm(pilot)
        assert waited
        assert not any(waited)
        await typed(pilot, " at last")
        await pilot.press("escape")
    [kept] = settings.path.parent.glob("drafts/*.json")  # type: ignore[union-attr]
    assert kept == DraftShelf(settings.path.parent, "", BOOK).path  # type: ignore[union-attr]
    assert [draft.description for draft in DraftShelf(settings.path.parent, "", BOOK).load()] == [  # type: ignore[union-attr]
        "one",
        "two and more at last",
    ]
