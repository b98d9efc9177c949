"""Where things live on this machine: the default ledger, the application's own files, and what a user names."""

from __future__ import annotations

import os
from pathlib import Path

APPLICATION = "talea"
DIRECTORY_VARIABLE = "TALEA_DIR"


class NoPath(ValueError):
    """What a user wrote can be no file or directory; the message says why, and ends without a full stop."""


def typed_path(text: str) -> Path:
    """The path a user means by `text`, where `~` and `~name` are home directories. Raises NoPath."""
    if not text.strip():
        raise NoPath("the name of a file or directory cannot be empty")
    if "\0" in text:
        raise NoPath(f"{text!r} holds a NUL, which no file's name can")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        start = Path(text).parts[0]
        raise NoPath(
            f"{start!r} is no home directory known here; write ./{text} if you mean the name"
        ) from error


def working_directory() -> Path:
    """Where relative names begin; the home directory when that place has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.path.expanduser("~"))


def ledger_directory(preferred: Path | None = None) -> Path:
    """The ledger that is opened when none is named: $TALEA_DIR, else `preferred`, else the user's data directory.

    Raises NoPath when the variable holds no path.
    """
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named:
        return typed_path(named)
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
