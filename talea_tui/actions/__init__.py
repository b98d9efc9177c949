"""Every action of the application: one registry for bindings, footer, palette, help and `talea-tui keys`.

An action belongs to a scope: "app" is everywhere, the others are a screen or a widget of that name.
Keys are Textual's names. This module knows nothing of the terminal, so that plain commands can print it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .action import Action
from .key_names import key_called, key_name
from .table import POST, REGISTRY

__all__ = [
    "POST",
    "REGISTRY",
    "SCOPE_NAMES",
    "TOGETHER",
    "Action",
    "action_called",
    "actions_of",
    "every_action",
    "key_called",
    "key_name",
]

_BY_ID = {action.id: action for scope in REGISTRY for action in scope}
SCOPE_NAMES = {
    "app": "Everywhere",
    "table": "In a list",
    "books": "Books",
    "accounts": "Accounts",
    "account_tree": "In the chart of accounts",
    "register": "In a register",
    "transaction": "Transaction",
    "post": "Posting form",
    "choice": "In a choice",
    "events": "In the stream of events",
    "tail": "Tail",
    "tails": "Several tails",
    "rules": "In the list of highlights",
    "event": "Event",
    "trial_balance": "Trial balance",
    "storage": "Storage",
    "assets": "Assets",
    "form": "In a form",
    "reverse": "In the preview of a reversal",
    "dialog": "In a dialog",
    "filter": "In a filter",
    "prompt": "In the line under a tail",
    "palette": "In the palette",
    "opening": "While opening",
    "demo": "In the demo",
}

_IN_LISTS = (
    ("table", "books"),
    ("table", "accounts", "account_tree"),
    ("table", "accounts", "register"),
    ("table", "transaction"),
    ("table", "event"),
    ("table", "trial_balance"),
    ("table", "storage"),
    ("table", "assets"),
)
TOGETHER = (
    *(frozenset(("app", *scopes)) for scopes in _IN_LISTS),
    frozenset(("app", "post")),
    frozenset(("app", "events", "tail", "tails")),
    frozenset(("app", "accounts", "filter")),
    frozenset(("app", "tail", "tails", "prompt")),
    frozenset(("app", "opening")),
    frozenset(("table", "rules")),
    frozenset(("table", "dialog", "reverse")),
    frozenset(("dialog", "form", "choice")),
    frozenset(("palette",)),
    frozenset(("demo",)),
)
"""Scopes whose keys work at the same time."""


def every_action() -> Iterator[Action]:
    for scope in REGISTRY:
        yield from scope


def action_called(id: str) -> Action:
    """The action of this id. Raises KeyError."""
    return _BY_ID[id]


def actions_of(scope: str) -> tuple[Action, ...]:
    """The actions of a scope, in the order in which help shows them."""
    return tuple(action for action in every_action() if action.scope == scope)
