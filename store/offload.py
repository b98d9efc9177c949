"""Keeping the loop free: blocking calls go to threads, long computations rest every few milliseconds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any, TypeVar
from zlib import crc32

T = TypeVar("T")

STRETCH_SECONDS = 0.001
"""How long a computation holds the loop before it rests."""
GIVE_WAY_SECONDS = 0.001
"""How long it rests at most while calls run in threads, which need the interpreter, too, and would hardly get it
from a loop that never waits: a commit's append took 40 ms beside a `verify`."""
_BREATH = bytes(2**15)
"""A checksum over these takes some 15 us, in which the interpreter is free for the threads."""

_offloads: set[Offload] = set()
"""Those not closed yet, of all loops; a loop in another thread may add to them at any time."""


class Offload:
    """A few threads, started when first needed, that run blocking calls for one loop.

    Leaner than a ThreadPoolExecutor: a hop costs a quarter less, and finished calls are handed back in bulk.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int, name: str) -> None:
        self._loop, self._most, self._name = loop, threads, name
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = (
            SimpleQueue()
        )
        self._threads: list[Thread] = []
        self._running = 0
        _offloads.add(self)
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._delivering = self._waited_for = False
        self._closed = False

    @property
    def busy(self) -> bool:
        return self._running > 0

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """`call(*args)`, in a thread. After `close`, here and now."""
        if self._closed:
            return call(*args)
        return await self.start(call, *args)

    async def run_to_end(
        self, call: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None
    ) -> T:
        """As `run`, but a cancellation of the waiting is passed on only once the call has ended.

        `undo` is then told what it gave, as a file that nobody will close any more.
        """
        if self._closed:
            return call(*args)
        return await to_end(self.start(call, *args), undo)

    def start(self, call: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As `run`, before `close`, without waiting."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._running += 1
        if self._running > len(self._threads) < self._most:
            thread = Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put((future, call, args))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call, args = job
            result, error = None, None
            try:
                result = call(*args)
            except BaseException as e:  # noqa: BLE001 - handed to whoever awaits the call
                error = e
            self._done.append((future, result, error))
            del job, future, call, args, result, error
            if not (self._waited_for or self._delivering):
                self._delivering = True
                self._loop.call_soon_threadsafe(self._deliver)

    def wait(self, call: asyncio.Future[Any], seconds: float) -> None:
        """Hold the loop, awake, until a call that was started has ended, but no longer than this.

        A core that fell asleep takes about as long to wake as a quick disk to sync.
        """
        until = perf_counter() + seconds
        self._waited_for = True
        try:
            while not call.done() and perf_counter() < until:
                crc32(_BREATH)
                if self._done:
                    self._deliver()
        finally:  # a signal's handler may raise within
            # cleared first: a thread that still saw it set has handed over before the last look
            self._waited_for = False
            self._deliver()

    def _deliver(self) -> None:
        # cleared first: a thread that still sees it set has appended before the loop below looks
        self._delivering = False
        while self._done:
            future, result, error = self._done.popleft()
            self._running -= 1
            if future.cancelled():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def close(self) -> None:
        """Let running calls finish and end the threads."""
        self._closed = True
        _offloads.discard(self)
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


async def to_end(work: asyncio.Future[T], undo: Callable[[T], object] | None = None) -> T:
    """What `work` gives; a cancellation of the waiting is passed on only once it has ended, and `undo` was told."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if undo is not None and not work.cancelled() and work.exception() is None:
            undo(work.result())
        raise


class Pace:
    """Tells a long computation on the loop when to rest."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = perf_counter()

    @property
    def due(self) -> bool:
        return perf_counter() - self._since > STRETCH_SECONDS

    async def rest(self) -> None:
        await asyncio.sleep(GIVE_WAY_SECONDS if any(offload.busy for offload in tuple(_offloads)) else 0)
        self._since = perf_counter()
