"""The registry of actions: every action can be reached, no key says two things, no key is out of reach."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest
from textual.keys import _character_to_key

import talea_tui.screens
import talea_tui.widgets
from talea_tui.actions import REGISTRY, SCOPE_NAMES, TOGETHER, actions_of, every_action, key_called, key_name
from talea_tui.app import SCREENS, TaleaApp
from talea_tui.demo.app import DemoApp
from talea_tui.widgets.keys import bindings_for
from tests.support.build import household, transfer
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import settle

PLAIN = re.compile(r"[a-zA-Z0-9]|f([1-9]|10)|ctrl\+[a-z]|shift\+tab")
NAMED = {
    *("space", "enter", "escape", "tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
    *("backspace", "delete", "insert"),
    *(
        "question_mark",
        "colon",
        "at",
        "slash",
        "number_sign",
        "minus",
        "plus",
        "underscore",
        "asterisk",
        "comma",
    ),
    *("full_stop", "equals_sign", "less_than_sign", "greater_than_sign", "exclamation_mark", "vertical_line"),
    *("left_square_bracket", "right_square_bracket", "semicolon", "backslash", "tilde", "percent_sign"),
    *("left_parenthesis", "right_parenthesis", "left_curly_bracket", "right_curly_bracket", "quotation_mark"),
    *("apostrophe", "ampersand", "dollar_sign", "circumflex_accent", "grave_accent"),
}
NO_TWIN_NEEDED = {"app.interrupt"}
"""ctrl+c, which no editor or multiplexer keeps."""


def _classes() -> list[type]:
    found: list[type] = [TaleaApp, DemoApp]
    for package in (talea_tui.screens, talea_tui.widgets):
        for module in pkgutil.iter_modules(package.__path__):
            loaded = importlib.import_module(f"{package.__name__}.{module.name}")
            found += [
                cls
                for _, cls in inspect.getmembers(loaded, inspect.isclass)
                if cls.__module__ == loaded.__name__
            ]
    return found


def test_no_two_actions_share_an_id():
    ids = [action.id for action in every_action()]
    assert len(ids) == len(set(ids))


def test_no_key_stands_for_two_actions_of_a_scope():
    for scope in REGISTRY:
        keys = [key for action in scope for key in action.keys]
        assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


def test_each_scope_has_a_name_for_help():
    assert {action.scope for action in every_action()} <= set(SCOPE_NAMES)


@pytest.mark.parametrize("action", list(every_action()), ids=lambda action: action.id)
def test_every_action_can_be_reached_by_a_key_or_the_palette(action):
    assert action.keys or action.palette
    assert action.label
    assert action.help.endswith(".")


@pytest.mark.parametrize("action", list(every_action()), ids=lambda action: action.id)
def test_every_key_is_one_that_terminals_and_multiplexers_let_through(action):
    for key in action.keys:
        assert key in NAMED or PLAIN.fullmatch(key), key
        assert key_name(key)


@pytest.mark.parametrize("action", list(every_action()), ids=lambda action: action.id)
def test_every_ctrl_and_function_key_has_a_plain_twin(action):
    special = [key for key in action.keys if key.startswith("ctrl+") or re.fullmatch(r"f\d+", key)]
    if special and action.id not in NO_TWIN_NEEDED:
        assert [key for key in action.keys if key not in special], action.id


def test_every_action_is_carried_out_by_some_screen_or_widget():
    methods = {name for cls in _classes() for name in dir(cls) if name.startswith("action_")}
    missing = [
        action.id
        for action in every_action()
        if f"action_{action.run.partition('(')[0].rpartition('.')[2]}" not in methods
    ]
    assert not missing


def test_every_action_of_a_scope_is_bound_where_the_scope_is_used():
    bound = {
        binding.id
        for cls in _classes()
        for binding in cls.__dict__.get("BINDINGS", ())
        if getattr(binding, "id", None)
    }
    unbound = [action.id for action in every_action() if action.keys and action.id not in bound]
    assert not unbound


def test_a_binding_carries_the_actions_id_so_that_it_can_be_remapped():
    assert {binding.id for binding in bindings_for("table")} == {action.id for action in actions_of("table")}


@pytest.mark.parametrize("character", [chr(code) for code in range(33, 127)])
def test_a_key_is_called_as_textual_calls_it_and_written_as_it_was(character):
    assert key_called(character) == _character_to_key(character)
    assert key_name(_character_to_key(character)) == character


@pytest.mark.parametrize("action", list(every_action()), ids=lambda action: action.id)
def test_every_key_of_an_action_is_one_that_a_configuration_may_name(action):
    assert tuple(key_called(key) for key in action.keys) == action.keys


@pytest.mark.parametrize("mode", [mode for mode in SCREENS if mode != "opening"])
async def test_scopes_whose_keys_work_at_the_same_time_are_told_to_be_together(mode, open_app):
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("expenses:food", "assets:bank", 1_234))
    async with open_app(store) as pilot:
        await pilot.app.go(mode)
        await settle(pilot)
        for _ in range(6):
            live = {
                (active.binding.id or "").partition(".")[0]
                for active in pilot.app.screen.active_bindings.values()
            } & set(SCOPE_NAMES)
            assert any(live <= scopes for scopes in TOGETHER), live
            await pilot.press("tab")
