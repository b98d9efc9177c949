"""The rows of a table by number: those of a source that were wanted last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from store import StoreClosed, StoreError

from ..formatting import printable
from .columns import Row

PAGE_ROWS = 64
PAGES_KEPT = 64


class RowSource(Protocol):
    """Where rows come from, by row number from 0."""

    async def fetch(self, start: int, limit: int) -> Sequence[Row]: ...


class RowsAtHand:
    """A source over rows that are in memory."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    async def fetch(self, start: int, limit: int) -> Sequence[Row]:
        return self.rows[start : start + limit]


class RowPages:
    """Pages of one source."""

    def __init__(self, source: RowSource, count: int) -> None:
        self.source, self.count = source, count
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._stale: set[int] = set()
        """Pages that are to be fetched again, and shown until they were."""
        self._failed: dict[int, str] = {}

    def grow(self, count: int) -> None:
        """Rows were added at the end; rows that were there are as they were."""
        last_page = self.count // PAGE_ROWS
        self._stale.update(page for page in self._pages if page >= last_page)
        self._failed.clear()
        self.count = count

    def row_at(self, row: int) -> Row | None:
        """A row if it has been fetched."""
        if isinstance(self.source, RowsAtHand):
            return self.source.rows[row] if 0 <= row < len(self.source.rows) else None
        page = self._pages.get(row // PAGE_ROWS)
        at = row % PAGE_ROWS
        return page[at] if page is not None and row >= 0 and at < len(page) else None

    def at_hand(self) -> list[Row]:
        """All rows that have been fetched."""
        return [row for page in self._pages.values() for row in page]

    def why_missing(self, row: int, first_visible: int) -> str:
        """Why a row cannot be read, at the first of its page and at the first that is visible; else empty."""
        first = row // PAGE_ROWS * PAGE_ROWS
        return self._failed.get(row // PAGE_ROWS, "") if row in (first, first_visible) else ""

    def missing(self, first: int, last: int) -> int | None:
        """The first page that has one of rows first..last and is to be fetched; none that could not be before."""
        for page in range(first // PAGE_ROWS, last // PAGE_ROWS + 1):
            if page in self._failed:
                continue
            if page not in self._pages or page in self._stale:
                return page
        return None

    async def fetch(self, page: int) -> Sequence[Row]:
        """Fetch a page, or note why it cannot be."""
        start, count = page * PAGE_ROWS, self.count
        self._stale.discard(page)
        try:
            rows = await self.source.fetch(start, max(0, min(PAGE_ROWS, count - start)))
        except StoreClosed:
            self._failed[page] = ""
            return ()
        except StoreError as error:
            self._failed[page] = printable(str(error), 300)
            return ()
        if count != self.count:
            self._stale.add(page)
        self._pages[page] = rows
        self._pages.move_to_end(page)
        while len(self._pages) > PAGES_KEPT:
            dropped, _ = self._pages.popitem(last=False)
            self._stale.discard(dropped)
        return rows
