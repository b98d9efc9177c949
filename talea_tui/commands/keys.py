"""`talea-tui keys`: every action of the application and its keys."""

from __future__ import annotations

import argparse

from ..actions import SCOPE_NAMES, actions_of, key_name


def run(arguments: argparse.Namespace) -> int:
    first = True
    for scope, title in SCOPE_NAMES.items():
        actions = actions_of(scope)
        if not actions:
            continue
        print(title if first else f"\n{title}")
        first = False
        for action in actions:
            keys = ", ".join(key_name(key) for key in action.keys) or "palette"
            print(f"  {keys:18} {action.label:16} {action.help}")
    return 0
