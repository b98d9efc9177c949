"""What all books of a store share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .clock import Clock
from .errors import StoreIOError
from .files import Files
from .offload import Offload
from .options import LogStoreOptions


class Workshop:
    """The loop, the disk, the clock, the options, and the threads that wait for the disk."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        files: Files,
        clock: Clock,
        options: LogStoreOptions,
        changed: Callable[[str], None],
    ) -> None:
        self.loop, self.files, self.clock, self.options, self.changed = loop, files, clock, options, changed
        self.last_writer: object = None
        """Whose batch was synced last."""
        self.writes = Offload(loop, 4, "talea-write")
        self.reads = Offload(loop, 2, "talea-read")

    def close(self) -> None:
        self.writes.close()
        self.reads.close()


def failure(book: str, outcome: str, e: OSError) -> StoreIOError:
    """What a caller is told when the disk refused."""
    error = StoreIOError(f"Book {book!r}: {e.strerror or e}; {outcome}.")
    error.__cause__ = e.with_traceback(None)
    return error
