"""The tour: which keys it presses, what it says, and how long it waits."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

KEY_SECONDS = 0.16


class Step(NamedTuple):
    """Say `caption`, press `keys` one by one, then let people look for `seconds`. `rate`: entries a second from now."""

    caption: str
    keys: tuple[str, ...]
    seconds: float
    rate: float | None = None


def steps(today: date) -> Iterator[Step]:
    """The whole tour, once."""
    past = (today.replace(day=1) - timedelta(days=1)).isoformat()
    yield Step(
        "Four books, each an append-only log of its own. Nothing in them is ever changed or lost.",
        ("1", "home"),
        5,
    )
    yield Step(
        "The chart of accounts with rolled-up balances, and the register of the account under the cursor.",
        ("down", "enter", "down", "down"),
        5,
    )
    yield Step("Each row has its running balance; a year back is one key away.", ("right", "home"), 4)
    yield Step("@ shows every pane as it was at a date, a time or a seq.", ("escape", "at", *typed(past)), 2)
    yield Step(
        "This is the ledger as of the end of last month; nothing can be posted into it.", ("enter", "6"), 5
    )
    yield Step("The balance sheet and the income statement come from the kinds of accounts.", ("v",), 4)
    yield Step("esc comes back to now.", ("v", "escape"), 3)
    yield Step(
        "Posting: a known description brings its last entry back; what is missing is shown as one types.",
        ("p", *typed("spar"), "tab"),
        6,
    )
    yield Step(
        "A draft stays until it is posted or thrown away, also through a crash.", ("escape", "escape"), 3
    )
    yield Step(
        "The tail shows events the moment they are durable. Here at 500 a second.",
        ("5", "a", "f"),
        6,
        rate=500,
    )
    yield Step("Space stops following; nothing moves while one reads.", ("space",), 4)
    yield Step("A filter works on history and on what arrives.", ("slash", *typed("payout"), "enter"), 5)
    yield Step("Every event can be opened and read in full.", ("end", "space", "enter"), 5)
    yield Step(
        "The engine room: files, writers, sync times; v reads the whole log again.",
        ("escape", "7", "down", "v"),
        6,
    )
    yield Step("That was the tour. ? lists the keys of any pane, : finds everything.", ("1",), 6, rate=2)


def typed(text: str) -> tuple[str, ...]:
    """The keys that type `text`."""
    return tuple(key_of(character) for character in text)


def key_of(character: str) -> str:
    """Textual's name of the key that types a character: itself for letters and digits."""
    if character.isalnum():
        return character
    name = unicodedata.name(character).lower().replace(" ", "_").replace("-", "_")
    return {"hyphen_minus": "minus", "solidus": "slash", "commercial_at": "at"}.get(name, name)


def character_of(key: str) -> str | None:
    """What a key types; None for keys that type nothing."""
    if len(key) == 1:
        return key
    return {"minus": "-", "slash": "/", "at": "@", "space": " ", "full_stop": ".", "colon": ":"}.get(key)
