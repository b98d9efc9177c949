"""`talea-tui paths`: where this user's files are."""

from __future__ import annotations

import argparse
import json
import sys

from ..config import Config, ConfigError, config_file
from ..paths import state_directory


def run(arguments: argparse.Namespace) -> int:
    problem = ""
    config = Config()
    try:
        config = Config.load()
    except ConfigError as error:
        problem = str(error)
    ledger = arguments.dir or config.ledger_directory()
    paths = {"ledger": ledger, "config": config_file(), "state": state_directory()}
    if arguments.json:
        print(json.dumps({name: str(path) for name, path in paths.items()}, indent=2))
    else:
        for name, path in paths.items():
            missing = "" if path.exists() else "   (not there yet)"
            print(f"{name:7} {path}{missing}")
    if problem:
        print(f"talea-tui: {problem}", file=sys.stderr)
    return 1 if problem else 0
