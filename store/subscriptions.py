"""Catch up from the log, then follow; never past what is durable and applied.

A reader is a position, nothing more: it takes payloads from a short ring of recent ones, or from the log when it
is further behind. So a slow one costs no memory and slows no writer.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from itertools import takewhile
from operator import itemgetter

RING_EVENTS = 4096
RING_BYTES = 4 * 2**20


class Signal:
    """Wakes everyone who waits, once."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}
        """In the order in which they came; thousands may leave at once."""

    async def wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await future
        except asyncio.CancelledError:
            self._waiting.pop(future, None)
            raise

    def fire(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for future in waiting:
                if not future.done():
                    future.set_result(None)


class Ring:
    """The payloads of the newest batches of a book, as far as they fit."""

    __slots__ = ("_batches", "_bytes", "_events")

    def __init__(self) -> None:
        self._batches: deque[tuple[int, list[bytes], int]] = deque()
        """(first seq, payloads, bytes)"""
        self._bytes = self._events = 0

    def add(self, first_seq: int, payloads: list[bytes], size: int) -> None:
        """The next batch; `size` is what its payloads take, about."""
        self._batches.append((first_seq, payloads, size))
        self._events += len(payloads)
        self._bytes += size
        while self._events > RING_EVENTS or self._bytes > RING_BYTES:
            _, payloads, size = self._batches.popleft()
            self._events -= len(payloads)
            self._bytes -= size

    def take(self, from_seq: int, count: int, last_seq: int) -> Sequence[bytes]:
        """Payloads from `from_seq`, up to `count` and to `last_seq`; none when `from_seq` is not in the ring."""
        if not self._batches or from_seq < self._batches[0][0]:
            return ()
        i = bisect_right(self._batches, from_seq, key=itemgetter(0)) - 1
        first_seq, payloads, _ = self._batches[i]
        start = from_seq - first_seq
        return payloads[start : start + min(count, last_seq - from_seq + 1)]


class Watchers:
    """Tells whoever watches which books changed, coalesced.

    A watcher is a number, nothing more: how many changes it has been told of.
    """

    def __init__(self) -> None:
        self._changes = 0
        self._last: dict[str, int] = {}
        """The number of each book's last change, ascending."""
        self._news = Signal()
        self._closed = False

    def changed(self, book: str) -> None:
        self._changes += 1
        self._last.pop(book, None)
        self._last[book] = self._changes
        self._news.fire()

    def close(self) -> None:
        self._closed = True
        self._news.fire()

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        """What changes from now on."""
        return self._watch(self._changes)

    def _changed_since(self, told: int) -> frozenset[str]:
        return frozenset(takewhile(lambda name: self._last[name] > told, reversed(self._last)))

    async def _watch(self, told: int) -> AsyncGenerator[frozenset[str], None]:
        while True:
            if told < self._changes:
                names, told = self._changed_since(told), self._changes
                yield names
            elif self._closed:
                return
            else:
                await self._news.wait()
