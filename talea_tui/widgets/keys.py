"""Textual bindings made from the registry of actions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from ..actions import actions_of, every_action, key_name
from ..actions.key_names import CHARACTERS
from .shell import Shell


def bindings_for(scope: str) -> list[BindingType]:
    """The bindings of a scope. An action's id is its binding's id, so a configuration file can remap it."""
    return [
        Binding(
            ",".join(action.keys),
            action.run,
            action.label,
            show=action.footer,
            key_display=key_name(action.keys[0]),
            tooltip=action.help,
            id=action.id,
            priority=action.priority,
        )
        for action in actions_of(scope)
        if action.keys
    ]


def live_bindings(screen: Screen[Any]) -> Iterator[Binding]:
    """The bindings that act on `screen` as it is focused now.

    Neither a key that the focused field takes as text does, nor one for what would be refused.
    """
    focused, shell = screen.focused, cast(Shell, screen.app)
    refused = refused_actions(shell)
    for active in screen.active_bindings.values():
        key = active.binding.key
        # Textual leaves letters out itself, but does not know which characters `at` and `slash` are
        character = key if len(key) == 1 else CHARACTERS.get(key)
        typed = focused is not None and focused.check_consume_key(key, character)
        if active.enabled and not typed and active.binding.id not in refused:
            yield active.binding


def refused_actions(shell: Shell) -> frozenset[str]:
    """The actions that would be refused wherever they are asked for."""
    return _refused(shell.why_read_only("") is not None, shell.is_followed)


@cache
def _refused(is_read_only: bool, is_followed: bool) -> frozenset[str]:
    """The actions that a ledger refuses which is shown as of an instant, or that is written elsewhere."""
    return frozenset(
        action.id
        for action in every_action()
        if (action.writes and is_read_only) or (action.owns and is_followed)
    )
