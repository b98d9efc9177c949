"""`talea-tui paths`: where this user's files are."""

from __future__ import annotations

import argparse
import json

from ..paths import config_directory, state_directory


def run(arguments: argparse.Namespace) -> int:
    paths = {"ledger": arguments.dir, "config": config_directory(), "state": state_directory()}
    if arguments.json:
        print(json.dumps({name: str(path) for name, path in paths.items()}, indent=2))
    else:
        for name, path in paths.items():
            print(f"{name:7} {path}")
    return 0
