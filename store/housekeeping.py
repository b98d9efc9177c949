"""What is done for a book beside its commits: snapshots and spills, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from .errors import StoreIOError
from .model import SnapshotFile
from .protocol import Progress
from .recovery import Examined
from .segments import SegmentLog, bytes_beside_log
from .snapshots import KEPT, Image, snapshot_name, snapshots_among, write_snapshot
from .workshop import Workshop, failure

logger = logging.getLogger("store")


class Housekeeping:
    """Of one book: keeps its snapshots and runs, and knows what they take."""

    def __init__(self, shop: Workshop, opened: Examined, log: SegmentLog, settled: asyncio.Lock) -> None:
        self._shop, self._directory, self._name = shop, opened.directory, opened.name
        self._state, self._keys, self._log = opened.state, opened.keys, log
        self._snapshots = opened.snapshots
        self._useless_snapshots = opened.useless_snapshots
        self._sealed_chunks = opened.sealed_chunks
        self._tried_snapshot_at = max(opened.snapshots, default=0)
        self.side_bytes = 0
        """What snapshots, runs and index files take."""
        self.snapshot_files: tuple[SnapshotFile, ...] = ()
        self._settled = settled
        self._working = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def busy(self) -> bool:
        return self._working.locked()

    @property
    def snapshots(self) -> int:
        return len(self._snapshots)

    def begin_what_is_due(self) -> None:
        """In the background, unless something is being done already."""
        if self.busy or self._closing:
            return
        every = self._shop.options.snapshot_every
        if every and self._state.last_seq - self._tried_snapshot_at >= every:
            self._tried_snapshot_at = self._state.last_seq
            self._in_background(self._warned(self._snapshot(), "snapshot"), "snapshot")
        elif self._keys.spill_due:
            self._in_background(self._warned(self._spill(), "spill"), "spill")

    def _in_background(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = self._shop.loop.create_task(work, name=f"talea-{what}:{self._name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _warned(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except (OSError, StoreIOError) as e:
            logger.warning("Book %r: its %s is tried again later: %s", self._name, what, e)
        else:
            self.begin_what_is_due()  # what became due meanwhile

    def begin_nothing_more(self) -> None:
        self._closing = True

    async def finish(self) -> None:
        """Wait for what has begun."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def give_up(self) -> None:
        """Leave unfinished what has begun; opening removes what stays of it."""
        for task in self._tasks:
            task.cancel()
        await self.finish()

    async def _spill(self) -> None:
        async with self._working:
            await self._keys.spill()
            await self.measure()

    async def snapshot_now(self, progress: Progress | None = None) -> None:
        """Write a snapshot of at least what is applied now, finished even if the caller goes away.

        Raises StoreIOError, and what `progress` raises.
        """
        await asyncio.shield(self._in_background(self._snapshot(progress), "snapshot"))

    async def _snapshot(self, progress: Progress | None = None) -> None:
        async with self._working:
            async with self._settled:
                last_seq = self._state.last_seq
                if not last_seq or (last_seq in self._snapshots[-1:] and self._keys.persisted >= last_seq):
                    return
                image = Image(self._state, self._log.segments)
            shop = self._shop
            try:
                # a snapshot stands on runs that hold every key up to its seq
                await self._keys.persist(image.last_seq)
                await write_snapshot(
                    shop.files, shop.writes, self._directory, image, self._sealed_chunks, progress
                )
                self._snapshots = [*(seq for seq in self._snapshots if seq != image.last_seq), image.last_seq]
                await self._tidy()
            except OSError as e:
                raise failure(self._name, "its snapshot was not finished, but nothing is lost", e) from e
            finally:
                self._tried_snapshot_at = max(self._tried_snapshot_at, image.last_seq)

    async def _tidy(self) -> None:
        """After a snapshot: remove those that it replaces, and let go of keys."""
        shop = self._shop
        try:
            for old in (self._snapshots[:-KEPT], self._useless_snapshots):
                for seq in old:
                    if seq not in self._snapshots[-KEPT:]:
                        with contextlib.suppress(FileNotFoundError):
                            await shop.writes.run(shop.files.remove, self._directory / snapshot_name(seq))
            del self._snapshots[:-KEPT]
            self._useless_snapshots.clear()
            await self._keys.spill()
            await self.measure()
        except OSError as e:
            logger.warning("Book %r: what its new snapshot replaces is removed later: %s", self._name, e)

    async def measure(self) -> None:
        """Learn what the files beside the log take."""
        entries = await self._shop.writes.run(self._shop.files.entries, self._directory)
        self.side_bytes = bytes_beside_log(entries)
        self.snapshot_files = snapshots_among(entries)
