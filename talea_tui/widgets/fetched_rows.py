"""The rows of a stream of events that are at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from store import StoreClosed, StoreError

from ..events.feed import Rows
from ..events.text import BookEvent
from ..formatting import printable

ROWS_KEPT = 4_096


class FetchedRows:
    """Events of one source by row number, those that were wanted last."""

    def __init__(self) -> None:
        self._events: OrderedDict[int, BookEvent] = OrderedDict()
        self._generation = 0
        self.failed = ""
        """Why rows cannot be fetched, if that was tried in vain."""

    def get(self, row: int | None) -> BookEvent | None:
        return self._events.get(row) if row is not None else None

    def forget_from(self, start: int) -> None:
        """The rows from `start` on may hold other events by now."""
        for row in [row for row in self._events if row >= start]:
            del self._events[row]
        self._generation += 1

    def missing(self, source: Rows, start: int, stop: int) -> tuple[int, int] | None:
        """The span from the first to the last row between `start` and `stop` that is not at hand."""
        rows = [
            row for row in range(max(start, source.first), min(stop, source.end)) if row not in self._events
        ]
        return (rows[0], rows[-1] + 1) if rows else None

    async def fetch(self, source: Rows, start: int, stop: int) -> bool:
        """Have the rows from `start` to before `stop` at hand; whether they are."""
        missing, generation = self.missing(source, start, stop), self._generation
        if missing is None:
            return True
        try:
            found = await source.rows(*missing)
        except StoreClosed:
            return False
        except StoreError as error:
            self.failed = printable(str(error), 500)
            return False
        if generation != self._generation:
            return False
        self.failed = ""
        self._events.update(enumerate(found, missing[0]))
        self._keep(range(start, stop))
        return True

    def trim(self, shown: Iterable[int]) -> None:
        """Let go of what was not wanted for longest, but not of what is shown."""
        self._keep(shown)
        while len(self._events) > ROWS_KEPT:
            self._events.popitem(last=False)

    def _keep(self, rows: Iterable[int]) -> None:
        for row in rows:
            if row in self._events:
                self._events.move_to_end(row)
