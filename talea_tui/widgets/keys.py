"""Textual bindings made from the registry of actions."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from ..actions import actions_of, key_name


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
