"""In which zone this machine shows times, by its rules for every moment: half the year the offset of today is wrong."""

from __future__ import annotations

import os
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

MACHINE_FILE = Path("/etc/localtime")


def machine_zone() -> tzinfo:
    """$TZ, else the machine's own; where its rules are not to be found, the offset of now."""
    named = os.environ.get("TZ", "").removeprefix(":")
    try:
        if named and not os.path.isabs(named):
            return ZoneInfo(named)
        with Path(named or MACHINE_FILE).open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, LookupError):  # a rule written out in $TZ, or no zones on this machine
        return datetime.now().astimezone().tzinfo or UTC
