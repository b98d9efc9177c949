"""The real process on a terminal that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")


def test_the_application_leaves_when_its_terminal_goes_away_without_a_signal(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    terminal, side = pty.openpty()
    environment = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm-256color"}
    # not its controlling terminal, so no SIGHUP tells it
    command = [sys.executable, "-m", "talea_tui"]
    process = subprocess.Popen([*command, str(ledger)], stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    try:
        shown = b""
        while b"Books" not in shown:
            shown += os.read(terminal, 65_536)
        os.close(terminal)
        assert process.wait(30) == 0
    finally:
        process.kill()
    verified = subprocess.run(
        [*command, "verify", "--dir", str(ledger)], env=environment, capture_output=True
    )
    assert b"is open in process" not in verified.stderr  # it let go of the lock
