"""`talea-tui paths`: where this user's files are."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..config import Config, ConfigError, config_file
from ..paths import state_directory


def run(arguments: argparse.Namespace) -> int:
    problems = []
    config = Config()
    try:
        config = Config.load()
    except ConfigError as error:
        problems.append(str(error))
    ledger: Path | None = arguments.dir
    try:
        ledger = ledger or config.ledger_directory()
    except ConfigError as error:
        problems.append(str(error))
    paths = {"ledger": ledger, "config": config_file(), "state": state_directory()}
    if arguments.json:
        print(json.dumps({name: path and str(path) for name, path in paths.items()}, indent=2))
    else:
        for name, path in paths.items():
            print(f"{name:7} {'–' if path is None else f'{path}{_remark(path)}'}")
    for problem in problems:
        print(f"talea-tui: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _remark(path: Path) -> str:
    """Why there is nothing to be found at a path, if so."""
    try:
        path.stat()
    except FileNotFoundError:
        return "   (not there yet)"
    except OSError as error:
        return f"   ({error.strerror})"
    return ""
