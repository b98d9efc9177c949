"""The real application in a process of its own, on a terminal that the test holds."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAKEN, GIVEN_BACK = b"\x1b[?1049h", b"\x1b[?1049l"
"""What puts a terminal on its alternate screen, and takes it back."""


class RunningApplication:
    """`screen` is every byte that it wrote and a test waited for."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self.screen = b""
        self._terminal = terminal

    def wait_for(self, shown: bytes) -> None:
        """Read until the application has written this since the last wait."""
        seen = b""
        while shown not in seen:
            seen += os.read(self._terminal, 65_536)
        self.screen += seen

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def lose_terminal(self) -> None:
        os.close(self._terminal)
        self._terminal = -1

    def stop(self, number: int) -> None:
        """Send a signal that stops it, and wait until it has."""
        self.process.send_signal(number)
        assert os.WIFSTOPPED(os.waitpid(self.process.pid, os.WUNTRACED)[1])

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed, as it does for a shell."""
        return bool(termios.tcgetattr(self._terminal)[3] & termios.ECHO)

    def echo_as_a_shell_does(self) -> None:
        attributes = termios.tcgetattr(self._terminal)
        attributes[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(self._terminal, termios.TCSANOW, attributes)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)


def _lead_a_session() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(ledger: Path, *, controlled: bool = False) -> Iterator[RunningApplication]:
    """The application over `ledger`, once it shows the books; `controlled` as if a login had started it.

    Only a process that its terminal controls is told by a signal that it went away. Home is beside the ledger.
    """
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "talea_tui", str(ledger)],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "HOME": str(ledger.parent), "TERM": "xterm-256color"},
        preexec_fn=_lead_a_session if controlled else _heed_interrupts,
    )
    os.close(side)
    application = RunningApplication(process, terminal)
    try:
        application.wait_for(b"Books")
        yield application
    finally:
        application.close()
