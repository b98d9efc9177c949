"""Running the user's own accounting programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .journal import Journal, JournalError

PROGRAMS = ("hledger", "ledger")

_MESSAGE_MAX = 2_000


def read_journal(path: Path, program: str | None = None) -> Journal:
    """Read a journal through `program`, or through the first of PROGRAMS that is installed.

    Raises JournalError when the file or the program is missing, or the program cannot read the file.
    """
    if path == Path("-") or path.is_fifo() or path.is_char_device():
        raise JournalError(
            f"A journal cannot be imported from {path}, since it is read more than once and what came from it is "
            "remembered by the file's name; save it to a file and import that. An export as JSON lines can be: "
            "import /dev/stdin --with json."
        )
    if not path.exists():
        raise JournalError(f"There is no file {path}.")
    if path.is_dir():
        raise JournalError(f"{path} is a directory; name a journal file in it.")
    if not os.access(path, os.R_OK):
        raise JournalError(f"{path} may not be read by this user; change its permissions.")
    if program is None:
        program = next((name for name in PROGRAMS if shutil.which(name)), None)
        if program is None:
            raise JournalError(
                "Journals are read through hledger or ledger and neither is installed; "
                "install one (https://hledger.org/install) and try again."
            )
    elif not shutil.which(program):
        raise JournalError(f"{program} is not installed or not on the PATH; install it and try again.")
    path = path.resolve()
    if program == "hledger":
        from . import hledger

        return hledger.read(path)
    from . import ledger

    return ledger.read(path)


def run(program: str, *arguments: str) -> bytes:
    """What the program prints; JournalError with its own words when it fails."""
    environment = os.environ | {"LC_ALL": _utf8_locale()}
    try:
        done = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
        )
    except OSError as error:
        raise JournalError(f"{program} could not be started ({error}).") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[:_MESSAGE_MAX]
        raise JournalError(f"{program} cannot read this file; it says:\n{said or 'nothing'}")
    return done.stdout


def _utf8_locale() -> str:
    """hledger decodes files by the locale, so a bare C locale would make it refuse every umlaut."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = os.environ.get(name)
        if value:
            if "utf" in value.lower():
                return value
            break
    return "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
