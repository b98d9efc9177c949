"""`talea-tui keys`: every action of the application and its keys."""

from __future__ import annotations

import argparse

from ..actions import SCOPE_NAMES, actions_of, key_name
from ..config import Config


def run(arguments: argparse.Namespace) -> int:
    config = Config.load()
    first = True
    for scope, title in SCOPE_NAMES.items():
        actions = actions_of(scope)
        if not actions:
            continue
        print(title if first else f"\n{title}")
        first = False
        for action in actions:
            keys = ", ".join(key_name(key) for key in config.keys_of(action)) or "palette"
            name = f"{action.id:28}" if arguments.ids else f"{action.label:16}"
            print(f"  {keys:18} {name} {action.help}")
    return 0
