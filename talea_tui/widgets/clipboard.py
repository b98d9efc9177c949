"""The desktop's own clipboard, beside the terminal's: not every terminal passes OSC 52 on."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
from subprocess import DEVNULL, PIPE

SECONDS = 2.0


def native_command(environment: Mapping[str, str], platform: str = sys.platform) -> list[str] | None:
    """The program that takes text on its standard input, or None where there is no desktop."""
    candidates: list[list[str]] = []
    if platform == "darwin":
        candidates.append(["pbcopy"])
    elif platform == "win32":
        candidates.append(["clip"])
    else:
        if environment.get("WAYLAND_DISPLAY"):
            candidates.append(["wl-copy"])
        if environment.get("DISPLAY"):
            candidates += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    return next((command for command in candidates if shutil.which(command[0])), None)


async def copy_natively(text: str, command: list[str]) -> bool:
    """Hand `text` to a clipboard program; False, and nothing worse, when it would not take it."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode("utf-8", "replace")), SECONDS)
    except (TimeoutError, OSError):
        if process.returncode is None:
            process.kill()
        return False
    return process.returncode == 0
