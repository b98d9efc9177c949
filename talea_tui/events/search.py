"""Looking for a regular expression among rows, in slices that leave the loop its turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import regex

from .feed import Rows
from .text import BookEvent, searchable_text

SLICE_ROWS = 256
MATCH_SECONDS = 0.02
"""An expression that needs longer for one event is given up: some take for ever on the wrong text."""


class SearchError(ValueError):
    """The expression cannot be used; the message says why."""


class Search:
    """A regular expression over everything in an event; case counts only when it holds a capital letter."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        flags = regex.MULTILINE if any(map(str.isupper, pattern)) else regex.MULTILINE | regex.IGNORECASE
        try:
            self._regex = regex.compile(pattern, flags)
        except (regex.error, RecursionError, OverflowError) as error:
            raise SearchError(f"This is no regular expression: {error}.") from error

    def matches(self, event: BookEvent) -> bool:
        """Raises SearchError when the expression takes too long."""
        try:
            return (
                self._regex.search(searchable_text(event.sequenced.event), timeout=MATCH_SECONDS) is not None
            )
        except TimeoutError:
            raise SearchError("This expression takes too long; make it simpler.") from None


async def find_row(
    rows: Rows, search: Search, start: int, step: int, progress: Callable[[int], None] = lambda tested: None
) -> int | None:
    """The first row from `start` on that matches, in the direction of `step` (1 or -1); or None."""
    at = start
    while rows.first <= at < rows.end:
        if step > 0:
            low, high = at, min(at + SLICE_ROWS, rows.end)
        else:
            low, high = max(rows.first, at - SLICE_ROWS + 1), at + 1
        events = list(enumerate(await rows.rows(low, high), low))
        for row, event in events if step > 0 else reversed(events):
            if search.matches(event):
                return row
        at = high if step > 0 else low - 1
        progress(abs(at - start))
        await asyncio.sleep(0)
    return None
