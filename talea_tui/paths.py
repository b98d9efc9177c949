"""Where things live on this machine: the default ledger and the application's own files."""

from __future__ import annotations

import os
from pathlib import Path

APPLICATION = "talea"
DIRECTORY_VARIABLE = "TALEA_DIR"


def ledger_directory(preferred: Path | None = None) -> Path:
    """The ledger that is opened when none is named: $TALEA_DIR, else `preferred`, else the user's data directory."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named).expanduser()
    if preferred is not None:
        return preferred
    from platformdirs import user_data_path

    return user_data_path(APPLICATION, appauthor=False) / "ledger"


def config_directory() -> Path:
    """What the user writes: preferences."""
    from platformdirs import user_config_path

    return user_config_path(APPLICATION, appauthor=False)


def state_directory() -> Path:
    """What the application remembers between runs: drafts, theme, last book; no ledger data."""
    from platformdirs import user_state_path

    return user_state_path(APPLICATION, appauthor=False)
