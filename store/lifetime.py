"""How an open ledger ends: once, however often it is asked to, and with it the long work that it has begun."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from .errors import StoreClosed

T = TypeVar("T")


class OpenLedger:
    """Open until `shutdown`, or to the end of `async with`."""

    def __init__(self) -> None:
        self._closed = False
        self._shutdown: asyncio.Task[None] | None = None
        self._long_work: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def shutdown(self) -> None:
        """Finish what has to be finished and let go of everything; goes on though its caller may not wait."""
        if self._shutdown is None:
            self._closed = True
            self._shutdown = asyncio.create_task(self._close(), name="talea-shutdown")
        await asyncio.shield(self._shutdown)

    async def _close(self) -> None:
        raise AssertionError("a subclass knows what it holds")

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed

    def _begin(self, work: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        """Begin what shutdown need not wait for."""
        task = asyncio.create_task(work, name=f"talea-{what}")
        self._long_work.add(task)
        task.add_done_callback(self._long_work.discard)
        return task

    async def _until_closed(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """The outcome of long work that ends with its caller's patience. Raises StoreClosed at shutdown."""
        task = self._begin(work, what)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._closed and task.cancelled():
                raise StoreClosed from None
            task.cancel()
            await asyncio.wait([task])
            raise

    async def _end_long_work(self) -> None:
        ending = list(self._long_work)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
