"""Measure the store against its peers and say which targets it misses.

Ratios are taken within a round, each measurement in a fresh process, and the table shows the median of the
rounds with the least and the most. Absolute figures are this machine's; a busy neighbour spoils them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from . import plan, report
from .rounds import Rounds


def main(arguments: Sequence[str] | None = None) -> int:
    names = list(dict.fromkeys(row.benchmark for row in plan.rows(plan.SMOKE)))
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        epilog="The exit status is 0 even when a target is missed, 1 when a measurement failed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="of " + ", ".join(names))
    parser.add_argument("--rounds", type=int, default=4, help="default: %(default)s")
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="a measurement of commits takes so long, default: %(default)s",
    )
    parser.add_argument(
        "--ledger",
        type=int,
        default=1_000_000,
        metavar="TRANSACTIONS",
        help="size of the large ledger, default: %(default)s",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        help="where ledgers are made and removed again, on the disk to measure; default: among temporary files",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines and all samples there")
    parser.add_argument(
        "--smoke", action="store_true", help="see only that everything runs: one short round, small ledgers"
    )
    options = parser.parse_args(arguments)
    if options.ledger < 20_000:
        parser.error("--ledger must be at least 20000")

    sizes = plan.SMOKE if options.smoke else plan.full(options.seconds, options.ledger)
    rows = [row for row in plan.rows(sizes) if not options.only or row.benchmark in options.only]
    cells = list(dict.fromkeys(of.cell for row in rows for of in (row.ours, row.peer) if of is not None))
    started = perf_counter()
    with tempfile.TemporaryDirectory(prefix="talea-bench-", dir=options.dir) as scratch:
        facts = report.machine(Path(scratch))
        rounds = Rounds(Path(scratch))
        try:
            rounds.run(cells, 1 if options.smoke else options.rounds)
        finally:
            rounds.close()
    lines = [report.judged(row, rounds) for row in rows]
    if options.smoke:
        # one short round on small ledgers misses or meets nothing
        lines = [line._replace(verdict="") if line.verdict in ("met", "MISSED") else line for line in lines]
    print(report.table(lines))
    _print_circumstances(facts, rounds, perf_counter() - started)
    if options.json is not None:
        facts |= {"rounds": options.rounds, "sizes": sizes._asdict(), "smoke": options.smoke}
        options.json.write_text(json.dumps(report.as_json(lines, rounds, facts), indent=1) + "\n")
    missed = [f"{line.row.benchmark}: {line.row.what}" for line in lines if line.verdict == "MISSED"]
    if options.smoke:
        print("A smoke run: the figures mean nothing.")
    else:
        print(f"Missed: {'; '.join(missed)}." if missed else "Every target that was measured is met.")
    return 1 if rounds.failed else 0


def _print_circumstances(facts: dict[str, object], rounds: Rounds, seconds: float) -> None:
    print(
        f"\n{facts['processors']} × {facts['processor']}, {facts['filesystem']}, {facts['system']}, "
        f"{facts['python']}, SQLite {facts['sqlite']}; {seconds:.0f} s in all."
    )
    if told := report.quietness(rounds):
        print(told)


if __name__ == "__main__":
    sys.exit(main())
