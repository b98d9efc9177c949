"""Runs cells in interleaved rounds, each in a fresh process, and notes how busy others keep the machine."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .cells import Cell, cell
from .postgres import Server
from .workload import Figures, Skipped

ROOT = Path(__file__).resolve().parents[2]


class Sample(NamedTuple):
    """What a cell told in a round. `others` is the share of the machine's CPU that other processes used meanwhile."""

    round: int
    cell: Cell
    figures: Figures
    others: float | None


class Failed(Exception):
    """A cell that ended in an error; its last words."""


class Rounds:
    """All samples of a run. `scratch` is a directory of our own on the disk that counts."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.samples: list[Sample] = []
        self.skipped: dict[Cell, str] = {}
        self.failed: dict[Cell, str] = {}
        self._server: Server | None = None
        self.server_version = ""

    def run(self, cells: Sequence[Cell], rounds: int) -> None:
        """Build the ledgers once, then measure every cell in every round."""
        measured = [c for c in cells if c.function != "build"]
        for transactions in sorted(_ledgers(cells)):
            self._measure(0, cell("build", transactions=transactions))
            shutil.move(self._scratch / "cell" / "ledger", self._ledger(transactions))
        for number in range(rounds):
            # every other round backwards, so that nothing always comes after the same neighbour
            for each in measured if number % 2 == 0 else reversed(measured):
                if each not in self.skipped:
                    self._measure(number, each)

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()

    def _ledger(self, transactions: int) -> Path:
        return self._scratch / f"ledger-{transactions}"

    def _measure(self, number: int, each: Cell) -> None:
        print(f"  round {number + 1}: {each} ... ", end="", file=sys.stderr, flush=True)
        try:
            arguments = dict(each.arguments)
            if "ledger" in arguments:
                arguments["ledger"] = str(self._ledger(arguments["ledger"]))
            if each.function == "postgres_grouped":
                self._server = self._server or Server(self._scratch / "postgres")
                arguments["port"] = self._server.port
            before = _Busy.now()
            figures = self._in_process(each.function, arguments)
            # a database server's work would look like a stranger's
            others = before.others_until_now() if before and "port" not in arguments else None
        except Skipped as e:
            self.skipped[each] = str(e)
            print(f"skipped: {e}", file=sys.stderr)
        except Failed as e:
            self.failed[each] = str(e)
            print(f"failed: {e}", file=sys.stderr)
        else:
            self.samples.append(Sample(number, each, figures, others))
            told = " ".join(f"{name} {value:,.4g}" for name, value in list(figures.items())[:3])
            print(told, file=sys.stderr)

    def _in_process(self, function: str, arguments: dict[str, Any]) -> Figures:
        place = self._scratch / "cell"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        wanted = json.dumps({"function": function, "place": str(place), "arguments": arguments})
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.cells", wanted], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise Failed(
                done.stderr.strip().splitlines()[-1] if done.stderr.strip() else str(done.returncode)
            )
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "skipped" in figures:
            raise Skipped(figures["skipped"])
        return figures


def _ledgers(cells: Sequence[Cell]) -> set[int]:
    """How large the ledgers are that these cells want."""
    named = [dict(each.arguments) for each in cells]
    built = {a["transactions"] for a, each in zip(named, cells, strict=True) if each.function == "build"}
    return built | {a["ledger"] for a in named if "ledger" in a}


class _Busy(NamedTuple):
    """Seconds of CPU used so far: by the whole machine and by us, and those that passed."""

    machine: float
    ours: float
    passed: float

    @classmethod
    def now(cls) -> _Busy | None:
        try:
            ticks = [int(field) for field in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
        except (OSError, ValueError):
            return None
        second = os.sysconf("SC_CLK_TCK")
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        waiting = ticks[3] + ticks[4]
        ours = sum(u.ru_utime + u.ru_stime for u in used)
        return cls((sum(ticks) - waiting) / second, ours, sum(ticks) / second)

    def others_until_now(self) -> float | None:
        now = _Busy.now()
        assert now is not None
        busy, ours, passed = (a - b for a, b in zip(now, self, strict=True))
        return max(0.0, busy - ours) / passed if passed else None
