"""One measurement in a process of its own: `python -m tests.benchmarks.cells '{"function": ..., "arguments": ...}'`."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import commits, large, peers, postgres, prototype, watching
from .workload import Skipped

FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        commits.commit,
        large.build,
        large.catching_up,
        large.opening,
        large.reading,
        large.snapshotting,
        large.verifying,
        peers.append,
        peers.idle,
        peers.sqlite_grouped,
        peers.sqlite_single,
        postgres.postgres_grouped,
        prototype.prototype,
        watching.following,
        watching.scanning,
    )
}


class Cell(NamedTuple):
    """A measurement: one of `FUNCTIONS`, and its arguments but for the place it runs in.

    An argument `ledger` is a number of transactions here, and becomes the path of a ledger with so many.
    """

    function: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.function, *(f"{name}={value}" for name, value in self.arguments)])


def cell(function: str, **arguments: Any) -> Cell:
    assert function in FUNCTIONS
    return Cell(function, tuple(sorted(arguments.items())))


def main() -> None:
    """Run the cell that the argument describes and print its figures, or why it is skipped, as JSON."""
    wanted = json.loads(sys.argv[1])
    arguments = wanted["arguments"]
    if "ledger" in arguments:
        arguments["ledger"] = Path(arguments["ledger"])
    function = FUNCTIONS[wanted["function"]]
    try:
        if inspect.iscoroutinefunction(function):
            figures = asyncio.run(function(Path(wanted["place"]), **arguments))
        else:
            figures = function(Path(wanted["place"]), **arguments)
    except Skipped as e:
        figures = {"skipped": str(e)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
