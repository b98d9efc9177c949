"""What plain commands share of the terminal: progress on stderr, lists of what happened."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

_REDRAW_SECONDS = 0.1


class ProgressLine:
    """One line on stderr that is rewritten; silent when stderr is no terminal, unless `always`.

    With `always` and no terminal, each report is a line of its own.
    """

    def __init__(self, always: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = self._terminal or always
        self._next = 0.0
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` is being done; `done` of `total`, which may be 0 when it is not known yet."""
        now = time.monotonic()
        if not self._shown or (self._terminal and now < self._next):
            return
        self._next = now + _REDRAW_SECONDS
        line = f"{what} {done:,} of {total:,} {100 * done // total:3d} %" if total else what
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()
        self._drawn = True

    def replay(self, book: str, seq: int, last_seq: int) -> None:
        """As the store reports opening and verifying."""
        self(f"reading {book!r}", seq, last_seq)


def some(items: list[str], most: int = 10) -> list[str]:
    """At most `most` of them, and a line that says how many more there are."""
    return items if len(items) <= most else [*items[:most], f"… and {len(items) - most:,} more"]
