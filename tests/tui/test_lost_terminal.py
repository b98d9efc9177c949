"""The real process on a terminal that goes away, or that a shell takes for a while."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest.importorskip("pty")

from tests.support.subjects import open_log_store
from tests.support.terminals import GIVEN_BACK, TAKEN, RunningApplication, running


def leaves_by_key(application: RunningApplication) -> bool:
    application.press(b"q")
    application.wait_for(GIVEN_BACK)
    return application.process.wait(30) == 0 and b"Traceback" not in application.screen


def test_an_interrupt_from_elsewhere_closes_the_ledger_and_gives_the_terminal_back(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as application:
        application.process.send_signal(signal.SIGINT)
        application.wait_for(GIVEN_BACK)
        assert application.process.wait(30) == 0
        assert b"Traceback" not in application.screen


@pytest.mark.parametrize("controlled", [False, True], ids=["without a signal", "with its signals"])
async def test_the_application_leaves_when_its_terminal_goes_away(tmp_path: Path, controlled: bool) -> None:
    ledger = tmp_path / "ledger"
    with running(ledger, controlled=controlled) as application:
        application.press(b"8")
        application.wait_for(b"No asset is registered")
        application.lose_terminal()
        assert application.process.wait(30) == 0
    store = await open_log_store(ledger)  # it let go of the lock
    await store.shutdown()


@pytest.mark.parametrize("stop", [signal.SIGSTOP, signal.SIGTSTP])
def test_a_stopped_application_takes_the_terminal_again_when_it_goes_on(
    tmp_path: Path, stop: signal.Signals
) -> None:
    with running(tmp_path / "ledger", controlled=True) as application:
        assert not application.echoes
        application.stop(stop)
        application.echo_as_a_shell_does()
        application.process.send_signal(signal.SIGCONT)
        application.wait_for(TAKEN)
        application.wait_for(b"Books")
        assert not application.echoes
        application.press(b"8")
        application.wait_for(b"No asset is registered")
        assert leaves_by_key(application)
        assert application.echoes
