"""One writer per book: drain, decide, append, sync, apply, answer.

Strictly one batch after the other: what is being written is never decided upon again, and nothing is answered or
readable before its bytes are synced. Decisions and answers are given in slices, so that the loop stays free.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

from .codec import from_micros
from .errors import (
    CorruptLog,
    IdempotencyConflict,
    StoreClosed,
    StoreError,
    StoreIOError,
    UnknownAccount,
    WriterStopped,
)
from .frames import framed
from .housekeeping import Housekeeping
from .idempotency import PERHAPS
from .model import BookInfo, Committed
from .offload import Pace
from .recovery import Examined
from .requests import Definition, Job, Request
from .runs import DamagedRun
from .segments import Appended, NothingWritten, Segment, SegmentLog
from .state import BookState
from .subscriptions import Ring, Signal
from .txids import TransactionIds
from .watermark import Watermark
from .workshop import Workshop, failure

logger = logging.getLogger("store")

QUEUE_MAX = 16_384
"""How many jobs wait in a book's queue; further callers wait for room."""
APPLY_SLICE, APPLY_BYTES = 32, 16 * 1024
"""How many events are applied and answered in one turn of the loop; fewer when they take more bytes than that."""
BATCH_BYTES = 4 * 2**20
"""A batch ends with the event that carries it beyond this, however many jobs wait."""
LINK_SLICE = 64
"""How many payloads are digested before the loop is looked after again."""
_FIGURES_KEPT = 64
_IDS_AT_ONCE = 1024
PATIENCE_SECONDS = 0.0005
"""So long the loop itself waits for the disk, where it did not take longer the last time: to wake the loop from a
thread costs a tenth of a commit, be it one client's or that of 64."""
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Batch:
    """Answers of one `commit_batch`, each in its place."""

    __slots__ = ("_left", "complete", "results")

    def __init__(self, size: int, complete: asyncio.Future[None]) -> None:
        self.results: list[Any] = [None] * size
        self._left = size
        self.complete = complete

    def done(self) -> bool:
        """As a Future's: false while its answers still matter, which they do though the caller may have gone."""
        return False

    def put(self, place: int, answer: Committed | StoreError) -> None:
        if self.results[place] is not None:
            return
        self.results[place] = answer
        self._left -= 1
        if not self._left and not self.complete.done():
            self.complete.set_result(None)


class BookWriter:
    """A book: its state in memory, its log, its indexes, and the task that alone changes them."""

    def __init__(self, shop: Workshop, opened: Examined) -> None:
        self._shop, self.directory, self.name = shop, opened.directory, opened.name
        name = self.name
        options = shop.options
        self.state: BookState = opened.state
        self.keys = opened.keys
        self.keys.offload, self.keys.payloads = shop.writes, self.payloads
        self.txids = TransactionIds(opened.state)
        self.log = SegmentLog(shop.files, self.directory, name, options.segment_max, opened.segments)
        self._watermark = Watermark(shop.files, self.directory)
        self.repairs = tuple(opened.repairs)
        self.unchecked: list[Segment] = opened.unchecked
        self.ring = Ring()
        self.news = Signal()
        """Fires when events were applied, and when the book stops."""
        self.error: StoreIOError | None = None
        """Why this book takes nothing more."""
        self._queue: deque[Job] = deque()
        self._room = Signal()
        self._work = Signal()
        self._queue_max = QUEUE_MAX
        """How many jobs may wait; none any more once the book closes or stops."""
        self._closing = self._busy = False
        self.closed = False
        self.settled = asyncio.Lock()
        """Held while a batch is applied: with it, state and log end with the same event."""
        self.housekeeping = Housekeeping(shop, opened, self.log, self.settled)
        self._figures: deque[tuple[int, float]] = deque(maxlen=_FIGURES_KEPT)
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ callers

    def start(self) -> None:
        self._task = self._shop.loop.create_task(self._run(), name=f"talea-writer:{self.name}")
        self._task.add_done_callback(self._ended)

    def stopped_error(self) -> StoreIOError:
        return WriterStopped(self.name, self.error or "it was closed")

    @property
    def exists(self) -> bool:
        """Whether the book has an event, may be about to get its first, or stopped at it."""
        return self.state.last_seq > 0 or bool(self._queue) or self._busy or self.error is not None

    @property
    def full(self) -> bool:
        """Whether `submit` may not be called now, but `wait_for_room` should be."""
        return len(self._queue) >= self._queue_max

    async def wait_for_room(self) -> None:
        """Raises WriterStopped, StoreClosed."""
        while self.full:
            if self.error is not None:
                raise self.stopped_error()
            if self._closing:
                raise StoreClosed
            await self._room.wait()

    def submit(self, job: Job) -> asyncio.Future[Any] | None:
        """Queue a job; its answer, which whoever cancels it harms nobody. None when there is no room."""
        queue = self._queue
        if len(queue) >= self._queue_max:
            return None
        if not queue:
            self._work.fire()
        future: asyncio.Future[Any] = asyncio.Future(loop=self._shop.loop)
        job.sink = future
        queue.append(job)
        return future

    async def submit_many(self, jobs: list[Job]) -> None:
        """Queue many jobs in order; each answer goes to its job's place."""
        while jobs:
            try:
                if self.full:
                    await self.wait_for_room()
            except StoreIOError as e:
                for job in jobs:
                    self._answer(job, e)
                return
            room = QUEUE_MAX - len(self._queue)
            self._queue.extend(jobs[:room])
            self._work.fire()
            jobs = jobs[room:]

    # ------------------------------------------------------------ the task

    async def _run(self) -> None:
        await self._index_ids()
        while self.error is None:
            if not self._queue:
                if self._closing:
                    return
                await self._work.wait()
                continue
            jobs = self._drain()
            if jobs:
                self._busy = True
                try:
                    await self._batch(jobs)
                except BaseException:
                    # a fault of the program, or a task that was cancelled, as `asyncio.run` does to all that are
                    # left; `_ended` tells it, and whoever waits must not wait for ever
                    self._answer_the_rest(jobs)
                    raise
                finally:
                    self._busy = False
                await asyncio.sleep(0)  # let answered callers submit again before the next drain

    async def _index_ids(self) -> None:
        """Take in the ids of what was read back, unless nobody will post: they are asked for by the first batch."""
        while self.txids.take(_IDS_AT_ONCE):
            await asyncio.sleep(0)
            if self.error is not None or (self._closing and not self._queue):
                return

    def _drain(self) -> list[Job]:
        queue, most = self._queue, self._shop.options.batch_max
        was_full = len(queue) >= QUEUE_MAX
        if len(queue) > most:
            taken = [queue.popleft() for _ in range(most)]
        else:
            taken = list(queue)
            queue.clear()
        if was_full:
            self._room.fire()
        # whoever was cancelled while queued is left out
        return [job for job in taken if not job.sink.done()]

    async def _batch(self, jobs: list[Job]) -> None:
        pace = Pace()
        state = self.state
        state.begin_batch(self.log.salt_for_next(state.last_seq), self._shop.clock())
        batch: list[Job] = []
        """What becomes events, in their order."""
        repeats: list[Job] = []
        """What repeats them; all others are answered at once."""
        payloads: list[bytes] = []
        size = paced_at = 0
        by_key, used_ids = await self._look_up(jobs)
        for n, (job, known) in enumerate(zip(jobs, by_key, strict=True)):
            event: Job | Committed | None
            try:
                if type(job) is Request:
                    if known is not None and isinstance(known, StoreError):
                        raise known
                    event = state.decide_transaction(job, known, job.txid in used_ids)
                else:
                    assert type(job) is Definition
                    event = state.decide_definition(job)
            except StoreError as e:
                if state.opening and type(e) is UnknownAccount:
                    # an account that this batch opens can be used by the next one
                    self._queue.extendleft(reversed(jobs[n:]))
                    break
                self._answer(job, e)
            else:
                if event is job:
                    payload = job.payload
                    batch.append(job)
                    payloads.append(payload)
                    size += len(payload)
                    if size > BATCH_BYTES:
                        self._queue.extendleft(reversed(jobs[n + 1 :]))
                        break
                elif event is None or type(event) is Committed:
                    self._answer(job, event)
                else:
                    job.seq = event.seq
                    repeats.append(job)
            if n % 16 == 15 or size > paced_at + APPLY_BYTES:
                paced_at = size
                if pace.due:
                    await pace.rest()
        jobs[:] = batch + repeats
        if batch:
            await self._write(batch, payloads, jobs)

    async def _look_up(
        self, jobs: Sequence[Job]
    ) -> tuple[list[int | None | StoreIOError], AbstractSet[bytes]]:
        """Of each job the seq that used its key, or why that cannot be told; and which new ones' ids were used.

        Both stay true until events are applied.
        """
        found: list[int | None | StoreIOError] = [*self.keys.lookup([job.key for job in jobs])]
        if any(found) and PERHAPS in found:
            for n, job in enumerate(jobs):
                if found[n] == PERHAPS and type(job) is Request:
                    try:
                        found[n] = await self.find_key(job.key)
                    except StoreIOError as e:
                        found[n] = e
                    except OSError as e:
                        found[n] = StoreIOError(
                            f"Book {self.name!r}: its spilled keys cannot be read ({e}); retry."
                        )
        perhaps_used = self.txids.perhaps_used([job.txid for job in jobs])
        if not perhaps_used:
            return found, perhaps_used
        doubtful = {
            job.txid for job, seq in zip(jobs, found, strict=True) if seq is None and type(job) is Request
        }
        return found, await self.txids.used_among(doubtful & perhaps_used)

    async def _write(self, batch: list[Job], payloads: list[bytes], waiting: list[Job]) -> None:
        """Append and sync a batch, apply it, and answer whoever is `waiting`: the batch first, then what repeats it."""
        try:
            write = self._shop.writes.start(self._append, payloads, batch[0].seq, batch[-1].seq)
            pace = Pace()
            for start in range(0, len(batch), LINK_SLICE):
                self.state.link(batch[start : start + LINK_SLICE])
                if pace.due:
                    await pace.rest()
            if self._patient:
                # with many, to decide, to wait and to answer are turns of their own
                many = len(batch) > APPLY_SLICE // 2
                if many:
                    await asyncio.sleep(0)
                self._shop.writes.wait(write, PATIENCE_SECONDS)
                if many:
                    await asyncio.sleep(0)
            appended, seconds = await asyncio.shield(write)
        except asyncio.CancelledError:
            await asyncio.wait([write])  # a thread still has the file
            raise
        except NothingWritten as e:
            self.state.forget_batch(batch)
            for job in waiting:
                self._answer(job, failure(self.name, "nothing was posted", e.error))
            return
        except OSError as e:
            self._stop(failure(self.name, "its storage failed", e))
            for job in waiting:
                self._answer(
                    job, failure(self.name, "whether this was posted shows when the book is reopened", e)
                )
            self._refuse_queue()
            return
        self._figures.append((len(batch), seconds))
        self._shop.last_writer = self
        async with self.settled:
            self.log.advance(appended)
            await self._apply(batch, waiting, appended)
        self.housekeeping.begin_what_is_due()

    @property
    def _patient(self) -> bool:
        """Whether to hold the loop for the disk: only while nothing else goes on and the disk is that quick.

        The loop then takes a core, and leaves the thread another.
        """
        alone = self._shop.last_writer is self and not self.housekeeping.busy and _CORES > 1
        return alone and self._figures[-1][1] < PATIENCE_SECONDS

    def _append(self, payloads: list[bytes], first_seq: int, last_seq: int) -> tuple[Appended, float]:
        frames = framed(payloads)
        started = perf_counter()
        appended = self.log.append(frames, first_seq)
        seconds = perf_counter() - started
        self._watermark.publish(last_seq)
        return appended, seconds

    async def find_key(self, key: str) -> int | None:
        """Where an idempotency key was committed. Raises OSError, StoreIOError."""
        try:
            return await self.keys.find(key)
        except DamagedRun as e:
            if self.error is None:
                self.housekeeping.begin_what_is_due()
            raise StoreIOError(
                f"Book {self.name!r}: its spilled keys cannot be read ({e}) and are made anew from the log; retry."
            ) from e

    async def find_txid(self, txid: bytes) -> int | None:
        """Where a transaction id was used."""
        return await self.txids.find(txid)

    async def _apply(self, batch: list[Job], waiting: list[Job], appended: Appended) -> None:
        """Make a durable batch readable, slice by slice, and answer whoever asked for it.

        Consumes both lists: to let go of a thousand jobs at one go would be felt.
        """
        state = self.state
        at = from_micros(state.batch_at)
        offset = appended.start
        at_once = max(1, min(APPLY_SLICE, APPLY_BYTES * len(batch) // (appended.end - offset)))
        while batch:
            part = batch[:at_once]
            del batch[:at_once]
            start_offset, offset = offset, state.apply(part, offset)
            posted = [job for job in part if type(job) is Request] if state.defining else part
            self.keys.add([job.key for job in posted], [job.seq for job in posted])
            self.ring.add(part[0].seq, [job.payload for job in part], offset - start_offset)
            self.txids.note([job.txid for job in part])
            if not batch:
                state.end_batch()
            for job in part:
                if type(job) is not Request:
                    self._answer(job, None)
                elif job.place >= 0:
                    job.sink.put(job.place, Committed(job.id, job.seq, at))
                elif not job.sink.done():
                    job.sink.set_result(Committed(job.id, job.seq, at))
            del waiting[: len(part)]  # only now: whoever a fault leaves unanswered must be found there
            if len(waiting) > len(batch):
                self._answer_repeats(waiting, len(batch))
            self.news.fire()
            if batch:
                await asyncio.sleep(0)
        self._shop.changed(self.name)

    def _answer_repeats(self, waiting: list[Job], start: int) -> None:
        """Answer those from `start` on whose event has been applied by now."""
        repeats, last_seq = waiting[start:], self.state.last_seq
        for job in repeats:
            if job.seq <= last_seq:
                try:
                    self._answer(job, self.state.repeated(job, job.seq) if type(job) is Request else None)
                except IdempotencyConflict as e:
                    self._answer(job, e)
        waiting[start:] = [job for job in repeats if job.seq > last_seq]

    @staticmethod
    def _answer(job: Job, answer: Committed | StoreError | None) -> None:
        sink = job.sink
        if isinstance(answer, StoreError):
            # its frames hold the job, which the collector of cycles does not see
            answer.__traceback__ = None
        if job.place >= 0:
            sink.put(job.place, answer)
        elif not sink.done():
            if isinstance(answer, StoreError):
                sink.set_exception(answer)
            else:
                sink.set_result(answer)

    # ------------------------------------------------------------ stopping

    def stop(self, error: StoreIOError) -> None:
        """Take nothing more: the book is not what it should be. Reads go on."""
        self._stop(error)
        self._refuse_queue()

    def _stop(self, error: StoreIOError) -> None:
        if self.error is None:
            self.error = error
            self._queue_max = 0
            logger.error("%s", error)
        self._work.fire()
        self._room.fire()
        self.news.fire()
        self._shop.changed(self.name)

    def _refuse_queue(self) -> None:
        while self._queue:
            self._answer(self._queue.popleft(), self.stopped_error())

    def _answer_the_rest(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._answer(job, StoreIOError(f"Book {self.name!r}: its writer failed; reopen the book."))

    @property
    def ended(self) -> bool:
        """Whether nothing can become durable any more."""
        return self._task is None or self._task.done()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A writer that ends by a fault of the program still answers everyone."""
        if task.cancelled():
            self.stop(StoreIOError(f"Book {self.name!r}: its writer was cancelled."))
        elif (fault := task.exception()) is not None:
            logger.error("The writer of book %r ended", self.name, exc_info=fault)
            self.stop(
                StoreIOError(f"Book {self.name!r}: its writer ended by a fault of the program ({fault!r}).")
            )
        if self.error is not None:
            self._refuse_queue()  # jobs that a batch put back
        self.news.fire()

    def leave(self) -> None:
        """Let go of what opening took, the writer never having been started."""
        self._watermark.close()

    async def end(self) -> None:
        """Where `close` did not come to its end: write nothing from here on, whoever may still wait for it."""
        if self.closed:
            return
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.housekeeping.give_up()
        self._watermark.close()
        self.log.close()
        self.closed = True

    async def close(self) -> None:
        """Answer what was accepted, let housekeeping that has begun finish, and end the task."""
        self._closing = True
        self._queue_max = 0
        self.housekeeping.begin_nothing_more()
        self._work.fire()
        self._room.fire()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self.housekeeping.finish()
        self._watermark.close()
        await self._shop.writes.run(self.log.close)
        self.closed = True
        self.news.fire()

    # ------------------------------------------------------------ reading

    async def settle_in(self) -> None:
        """After opening: tell readers what is durable, learn what the files beside the log take."""
        if self.state.last_seq:
            await self._shop.writes.run_to_end(self._watermark.publish, self.state.last_seq)
            self._watermark.close()  # until something is posted: who has many books has not as many descriptors
        await self.housekeeping.measure()

    async def payloads(self, from_seq: int, count: int) -> Sequence[bytes]:
        """Up to `count` durable payloads from `from_seq`, at least one if there is any.

        Raises CorruptLog, StoreIOError.
        """
        recent = self.ring.take(from_seq, count, self.state.last_seq)
        if recent:
            return recent
        try:
            return await self.log.payloads(self._shop.reads, self.state, from_seq, count)
        except CorruptLog as e:
            self.stop(e)
            raise

    def info(self) -> BookInfo:
        figures = self._figures
        count = max(1, len(figures))
        standing = "damaged" if type(self.error) is CorruptLog else "stopped" if self.error else "running"
        return self.state.info(
            bytes_on_disk=self.log.bytes + self.housekeeping.side_bytes,
            segments=len(self.log.segments),
            snapshots=self.housekeeping.snapshots,
            snapshot_files=self.housekeeping.snapshot_files,
            runs=len(self.keys.runs),
            repairs=self.repairs,
            writer=standing,
            error=str(self.error) if self.error is not None else None,
            queued=len(self._queue),
            batch_size=sum(size for size, _ in figures) / count,
            sync_micros=sum(seconds for _, seconds in figures) * 1e6 / count,
        )
