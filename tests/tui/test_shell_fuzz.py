"""Random keys over hostile text, at random sizes: nothing a user does ends the application."""

from __future__ import annotations

import random

import pytest

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AssetDef,
    Commodity,
    ExternalRef,
    Posting,
    Transaction,
)
from store import Amount as Money
from store import Direction as Side
from talea_tui.actions import every_action
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle

HOSTILE = (
    "[/]",
    "[bold red]x[/bold]",
    "\\[",
    "[@click=app.quit]y[/]",
    "a:b::c:",
    "電気代:ガス",
    "e\u0301\u0301\u0301\u0301\u0301",
    "\u202eesrever",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "x" * 400,
    "$HOME `ls` %s {0}",
    "\u200b\ufeff",
    " ",
)
MEMOS = (*HOSTILE, "\x1b[31mred\x1b]0;title\x07", "line\nline\ttab\r\x00", "long " * 2_000, "")
LEAVING = {"q", "ctrl+q", "ctrl+c"}
KEYS = sorted({key for action in every_action() for key in action.keys} - LEAVING)
TYPED = [*"abz0159.,-+*/='\"()[]{}@ :#", "backspace", "delete", "tab", "enter", "escape", "up", "down"]
SIZES = ((80, 24), (60, 20), (160, 48), (100, 30), (30, 8))


async def hostile_store() -> MemoryStore:
    store = MemoryStore()
    for precision, name in ((2, "EUR"), (0, "[/]"), (30, "電気代" * 20)):
        await store.register_asset(AssetDef(id=name, asset_class=Commodity(), precision=precision, name=name))
    kinds = list(AccountKind)
    for book in ("home", "[b]", "電気 \u202e book"):
        for place, path in enumerate(HOSTILE):
            for held in ("EUR", "電気代" * 20):
                await store.open_account(
                    AccountDef(
                        id=AccountId(book=book, path=f"{path}:{held[:3]}"),
                        asset=held,
                        kind=kinds[place % len(kinds)],
                    ),
                    AccountCfg(min_balance=-(10**36) if place % 3 == 0 else None),
                )
        for place, memo in enumerate(MEMOS * 3):
            held = ("EUR", "電気代" * 20)[place % 2]
            amount = Money(minor=10 ** (place % 30) + place, asset=held)
            one, other = HOSTILE[place % len(HOSTILE)], HOSTILE[(place + 1) % len(HOSTILE)]
            await store.commit(
                Transaction(
                    book=book,
                    postings=tuple(
                        Posting(
                            account=AccountId(book=book, path=f"{path}:{held[:3]}"),
                            amount=amount,
                            direction=side,
                        )
                        for path, side in ((one, Side.DEBIT), (other, Side.CREDIT))
                    ),
                    idempotency_key=f"key {place} [/] {one}",
                    external_refs=(ExternalRef(kind="[/]", value=memo or "none"),),
                    metadata={"description": memo, "[/]": [memo, {"深い": None}], "number": 1e300},
                )
            )
    return store


@pytest.mark.parametrize("seed", range(6))
async def test_random_keys_over_hostile_text_never_end_the_application(
    open_app: OpenApp, seed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    chance = random.Random(seed)
    store = await hostile_store()
    pressed: list[str] = []
    async with open_app(store, size=SIZES[seed % len(SIZES)]) as pilot:
        for _ in range(120):
            if chance.random() < 0.05:
                await pilot.resize_terminal(*chance.choice(SIZES))
            key = chance.choice(KEYS if chance.random() < 0.7 else TYPED)
            pressed.append(key)
            await pilot.press(key)
            assert pilot.app._exception is None, pressed
        await settle(pilot)
        text = screen_text(pilot.app)
        assert pilot.app.return_value is None, pressed
        assert not any(ord(character) < 32 and character != "\n" for character in text), pressed
    assert pilot.app._exception is None, pressed


@pytest.mark.parametrize("mode", ["books", "accounts", "post", "tail", "trial_balance", "storage", "assets"])
@pytest.mark.parametrize("size", [(60, 20), (160, 48)])
async def test_hostile_text_stays_text_on_every_screen(open_app: OpenApp, mode, size, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with open_app(await hostile_store(), size=size) as pilot:
        await pilot.app.go(mode)
        await settle(pilot)
        text = screen_text(pilot.app)
        assert not any(ord(character) < 32 and character != "\n" for character in text)
        assert "\u202e" not in text
