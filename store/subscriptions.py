"""Catch up from the log, then follow; never past what is durable and applied.

A reader is a position, nothing more: it takes payloads from a short ring of recent ones, or from the log when it
is further behind. So a slow one costs no memory and slows no writer.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from operator import itemgetter

RING_EVENTS = 4096
RING_BYTES = 4 * 2**20


class Signal:
    """Wakes everyone who waits, once."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future in self._waiting:
                self._waiting.remove(future)
            raise

    def fire(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
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
    """Tells whoever watches which books changed, coalesced."""

    def __init__(self) -> None:
        self._watchers: list[tuple[set[str], Signal]] = []
        self._closed = False

    def changed(self, book: str) -> None:
        for names, signal in self._watchers:
            names.add(book)
            signal.fire()

    def close(self) -> None:
        self._closed = True
        for _, signal in self._watchers:
            signal.fire()

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        """What changes from now on."""
        watcher: tuple[set[str], Signal] = (set(), Signal())
        self._watchers.append(watcher)
        return self._watch(watcher)

    async def _watch(self, watcher: tuple[set[str], Signal]) -> AsyncGenerator[frozenset[str], None]:
        names, signal = watcher
        try:
            while True:
                if names:
                    found = frozenset(names)
                    names.clear()
                    yield found
                elif self._closed:
                    return
                else:
                    await signal.wait()
        finally:
            self._watchers.remove(watcher)
