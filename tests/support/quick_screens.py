"""Two things that Textual does at length in every test of a screen, done once or done sooner."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from store import offload

LOOK_SECONDS = 0.001
LOOKS = 3
"""So many looks in a row have to find nothing to do."""

_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def quicken_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.app.wait_for_idle", loop_at_rest)
    monkeypatch.setattr("textual.pilot.wait_for_idle", loop_at_rest)
    monkeypatch.setattr(Stylesheet, "_parse_rules", rules_parsed_once)


async def loop_at_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """In place of `textual._wait.wait_for_idle`, which tells rest by the CPU time of 20 ms and more.

    It ends once nothing is ready to run on the loop and no thread of the store works for it.
    """
    loop: Any = asyncio.get_running_loop()
    latest, quiet = loop.time() + max_sleep, 0
    while quiet < LOOKS and loop.time() < latest:
        await asyncio.sleep(LOOK_SECONDS)
        working = loop._ready or any(one.busy for one in tuple(offload._offloads))
        quiet = 0 if working else quiet + 1


def rules_parsed_once(self: Stylesheet, css: str, *args: Any, **options: Any) -> list[RuleSet]:
    """A style sheet's own cache begins empty in each application; the same text gives the same rules."""
    key = (css, args, tuple(options.items()), tuple(sorted(self._variables.items())))
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, css, *args, **options)
    return _parsed[key]
