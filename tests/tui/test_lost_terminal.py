"""The real process on a terminal that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")
LEFT = b"\x1b[?1049l"
"""What takes a terminal back from its alternate screen."""


def test_an_interrupt_from_elsewhere_closes_the_ledger_and_gives_the_terminal_back(tmp_path: Path) -> None:
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "talea_tui", str(tmp_path / "ledger")],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm-256color"},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    os.close(side)
    try:
        shown = b""
        while b"Books" not in shown:
            shown += os.read(terminal, 65_536)
        process.send_signal(signal.SIGINT)
        while LEFT not in shown:
            shown += os.read(terminal, 65_536)
        assert process.wait(30) == 0
        assert b"Traceback" not in shown
    finally:
        process.kill()
        os.close(terminal)


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
