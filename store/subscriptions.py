"""Catch up from the log, then follow; never past what is durable and applied.

A reader is a position, nothing more: it takes payloads from a short ring of recent ones, or from the log when it
is further behind. So a slow one costs no memory and slows no writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from itertools import islice

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
        await future

    def fire(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)


class Ring:
    """The payloads of the newest events of a book, as far as they fit."""

    __slots__ = ("_bytes", "_payloads", "last_seq")

    def __init__(self, last_seq: int) -> None:
        self._payloads: deque[bytes] = deque()
        self._bytes = 0
        self.last_seq = last_seq

    def add(self, payload: bytes) -> None:
        payloads = self._payloads
        payloads.append(payload)
        self.last_seq += 1
        self._bytes += len(payload)
        while len(payloads) > RING_EVENTS or self._bytes > RING_BYTES:
            self._bytes -= len(payloads.popleft())

    def take(self, from_seq: int, count: int) -> Sequence[bytes]:
        """Up to `count` payloads from `from_seq`; none when that is no longer, or not yet, in the ring."""
        start = from_seq - (self.last_seq - len(self._payloads) + 1)
        if start < 0:
            return ()
        return list(islice(self._payloads, start, start + count))


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

    async def watch(self) -> AsyncGenerator[frozenset[str], None]:
        watcher: tuple[set[str], Signal] = (set(), Signal())
        self._watchers.append(watcher)
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
