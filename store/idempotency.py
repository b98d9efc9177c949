"""Which keys were committed: hot map, sorted runs, Bloom filter.

`KeyIndex` maps idempotency keys to the seq of the event that used them first, and never forgets one. The newest
keys are kept in memory; older ones are in runs on disk (`idem-*.run`), which a commit reads only when a Bloom filter
says that the key may be there.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from operator import add
from pathlib import Path

from .codec import key_in, pack_seq
from .files import Entry, Files
from .offload import Offload, Pace
from .runs import (
    RUN_NAME,
    Buckets,
    DamagedRun,
    Payloads,
    Run,
    RunWriter,
    bloom_numbers,
    digests_of,
    has_key,
    load_run,
    merged_pages,
    run_name,
)

logger = logging.getLogger("store")

RUNS_MAX = 8
_MERGED = 3
"""So many runs become one: with two each key would be written again 2.7 times in a million, with three 1.8 times."""
_GENERATIONS = 2
"""So many share what may be held in memory."""
_SHARDS = 48
"""Many small dicts: the growth of one large dict would hold the loop for tens of milliseconds.

So many that a generation of half a million keys, the default, ends just before its dicts would grow once more.
"""

_PERSIST_SLICE = 256
_REBUILT_AT_ONCE = 2**20
"""So many keys, of 24 bytes each, are held at most when runs are made anew from the log."""

READ_BACK_TOGETHER = 4096
"""So many keys from the log are one generation at least: each costs every lookup, until they are spilled."""

PERHAPS = -1
"""In place of a seq: the key may be in a run, says a Bloom filter."""


class _Generation:
    """Keys of consecutive events, in each shard in the order of their seqs."""

    __slots__ = ("count", "last_seq", "shards")

    def __init__(self) -> None:
        self.shards: list[dict[str, int]] = [{} for _ in range(_SHARDS)]
        self.count = 0
        self.last_seq = 0


class KeyIndex:
    """Keys of one book's events. `hot_cap` bounds how many are held in memory; `_GENERATIONS` share it."""

    def __init__(self, files: Files, offload: Offload, directory: Path, book: str, hot_cap: int) -> None:
        self._files, self.offload = files, offload
        self._directory, self._book = directory, book
        self._generation_max = max(1, hot_cap // _GENERATIONS)
        self._hot: list[_Generation] = [_Generation()]
        """Newest first."""
        self._spill_above = _GENERATIONS
        """More generations than this are spilled; after an attempt that failed, not before there is one more."""
        self.runs: list[Run] = []
        """Oldest first."""
        self._forgotten = 0
        """Keys of events up to this seq may be in runs alone."""
        self._next_number = 1
        self.witnessed = 0
        """The last seq that any of `loaded` speaks of."""
        self.loaded: list[Run] = []
        """All sound runs that were there when the book was opened, those that are not used among them."""
        self._redundant: list[Path] = []
        self.payloads: Payloads
        """Of the log; to be set before anything is looked for or spilled."""
        self._damaged = False
        """Whether one of the runs in use is known to be lost or damaged."""

    # ------------------------------------------------------------ lookups

    def lookup(self, keys: Sequence[str]) -> list[int | None]:
        """Of each key the seq that used it, None when none did, or `PERHAPS` when only `find` can tell.

        The answer stays good while keys are spilled, until some are added.
        """
        shards = self._hot[0].shards
        found = [shards[hash(key) % _SHARDS].get(key) for key in keys]
        for generation in self._hot[1:]:
            shards = generation.shards
            found = [
                shards[hash(key) % _SHARDS].get(key) if seq is None else seq
                for key, seq in zip(keys, found, strict=True)
            ]
        if self._forgotten:
            numbers = bloom_numbers(digests_of(map(str.encode, keys)))
            for run in self.runs:
                if run.first_seq <= self._forgotten:
                    found = [
                        PERHAPS if seq is None and here else seq
                        for seq, here in zip(found, run.may_hold(numbers), strict=True)
                    ]
        return found

    async def find(self, key: str) -> int | None:
        """The seq that used a key, if any did.

        Raises OSError, what reading the log raises, and DamagedRun, after which a spill is due that mends it.
        """
        (seq,) = self.lookup([key])
        if seq != PERHAPS:
            return seq
        (digest,) = digests_of([key.encode()])
        asked: set[Run] = set()
        while (run := self._next_to_ask(digest, asked)) is not None:
            try:
                seq = await self.offload.run(run.find, self._files, digest)
                if seq is not None:
                    if not await has_key(self.payloads, seq, key):
                        raise DamagedRun(f"{run.path.name}: {key!r} was not committed at seq {seq}")
                    return seq
            except DamagedRun as e:
                if run not in self.runs:
                    continue  # merged or made anew meanwhile: what took its place is asked next
                self._note_damage(e)
                raise
            asked.add(run)
        return None

    def _next_to_ask(self, digest: bytes, asked: set[Run]) -> Run | None:
        number = bloom_numbers([digest])
        return next(
            (run for run in reversed(self.runs) if run not in asked and any(run.may_hold(number))), None
        )

    def add(self, keys: Sequence[str], seqs: Sequence[int], together: int = 0) -> None:
        """Keys and the seqs of their events, which rise and are above all that were added before.

        However few may be in memory, `together` so many make a generation.
        """
        while keys:
            generation = self._hot[0]
            room = max(self._generation_max, together) - generation.count
            if room <= 0:
                self._hot.insert(0, _Generation())
                continue
            shards = generation.shards
            for key, seq in zip(keys[:room], seqs, strict=False):
                shards[hash(key) % _SHARDS][key] = seq
            added = min(room, len(keys))
            generation.count += added
            generation.last_seq = seqs[added - 1]
            keys, seqs = keys[added:], seqs[added:]

    # ------------------------------------------------------------ runs

    @property
    def persisted(self) -> int:
        """Keys of events up to this seq are in runs."""
        return self.runs[-1].last_seq if self.runs else 0

    @property
    def spill_due(self) -> bool:
        """More is in memory than should be, or a run is lost."""
        return len(self._hot) > self._spill_above or self._damaged

    async def spill(self) -> None:
        """Write all but the newest generations to a run, and let go of them; make lost runs anew before.

        Raises OSError, and what reading the log raises.
        """
        if self._damaged:
            await self._rebuild()
        old = self._hot[_GENERATIONS:]
        if old:
            self._spill_above = len(self._hot)
            await self.persist(old[0].last_seq)
            await self._drop(old)
            self._spill_above = _GENERATIONS

    async def _drop(self, generations: list[_Generation]) -> None:
        self._forgotten = generations[0].last_seq
        del self._hot[-len(generations) :]  # more may have come, before them
        pace = Pace()
        for generation in generations:
            while generation.shards:
                # a shard at a time: letting go of a large dict holds the interpreter
                generation.shards.pop()
                if pace.due:
                    await pace.rest()

    async def persist(self, last_seq: int) -> None:
        """Have the keys of all events up to `last_seq` in runs. Raises OSError."""
        first_seq = self.persisted + 1
        if last_seq < first_seq:
            return
        buckets = Buckets()
        pace = Pace()
        for generation in list(self._hot):
            if generation.last_seq < first_seq:
                continue
            for shard in generation.shards:
                # not its items: tens of thousands of tuples at one go would be felt
                keys, seqs = list(shard), list(shard.values())
                end = bisect_right(seqs, last_seq)
                for start in range(bisect_left(seqs, first_seq), end, _PERSIST_SLICE):
                    some = slice(start, min(start + _PERSIST_SLICE, end))
                    digests = digests_of(map(str.encode, keys[some]))
                    buckets.add(map(add, digests, map(pack_seq, seqs[some])))
                    if pace.due:
                        await pace.rest()
        self.runs.append(await self._written(first_seq, last_seq, buckets.count, buckets.in_order()))
        await self._merge()

    async def _written(
        self, first_seq: int, last_seq: int, count: int, records: AsyncGenerator[list[bytes], None]
    ) -> Run:
        """A new run. Raises OSError, and what `records` raises."""
        path = self._directory / run_name(self._next_number)
        self._next_number += 1
        writer = RunWriter(self._files, self.offload, path, self._book, first_seq, last_seq, count)
        try:
            async for part in records:
                await writer.add(part)
            return await writer.finish()
        except BaseException:
            await writer.abandon()
            raise

    async def _merge(self) -> None:
        """Merge the newest runs while they are about of one size, or there are many, and none is found damaged."""
        runs = self.runs
        while len(runs) >= _MERGED and (len(runs) > RUNS_MAX or runs[-_MERGED].count <= 2 * runs[-1].count):
            old = runs[-_MERGED:]
            records = merged_pages(self._files, self.offload, old)
            count = sum(run.count for run in old)
            try:
                merged = await self._written(old[0].first_seq, old[-1].last_seq, count, records)
            except DamagedRun as e:
                self._note_damage(e)
                return
            runs[-_MERGED:] = [merged]
            await self._remove(old)

    async def _remove(self, runs: list[Run]) -> None:
        for run in runs:
            with suppress(FileNotFoundError):
                await self.offload.run(self._files.remove, run.path)

    def _note_damage(self, damage: DamagedRun) -> None:
        if not self._damaged:
            logger.warning("Book %r: %s; its runs are made anew from the log", self._book, damage)
        self._damaged = True

    async def _rebuild(self) -> None:
        """Make all runs anew from the log. Raises OSError, and what reading the log raises."""
        self._damaged = False  # should this fail, whoever needs what is lost asks for it again
        anew: list[Run] = []
        pace, buckets = Pace(), Buckets()
        first_seq, next_seq, last_seq = 1, 1, self.persisted
        try:
            while next_seq <= last_seq:
                payloads = await self.payloads(next_seq, min(_PERSIST_SLICE, last_seq - next_seq + 1))
                keys, seqs = [], []
                for seq, payload in enumerate(payloads, next_seq):
                    if (key := key_in(payload)) is not None:
                        keys.append(key.encode())
                        seqs.append(seq)
                buckets.add(map(add, digests_of(keys), map(pack_seq, seqs)))
                next_seq += len(payloads)
                if next_seq > last_seq or buckets.count >= _REBUILT_AT_ONCE:
                    records = buckets.in_order()
                    anew.append(await self._written(first_seq, next_seq - 1, buckets.count, records))
                    first_seq, buckets = next_seq, Buckets()
                if pace.due:
                    await pace.rest()
        except BaseException:
            await self._remove(anew)
            raise
        old, self.runs, self._damaged = self.runs, anew, False
        await self._remove(old)
        await self._merge()

    # ------------------------------------------------------------ opening

    async def load(self, entries: list[Entry], foreign: set[Path]) -> None:
        """Take the good runs that cover the book from seq 1, none of them from `foreign`."""
        found = self.loaded
        for entry in entries:
            match = RUN_NAME.fullmatch(entry.name)
            if match is None:
                continue
            self._next_number = max(self._next_number, int(match[1]) + 1)
            path = self._directory / entry.name
            if path in foreign:
                self._redundant.append(path)
                continue
            try:
                found.append(await load_run(self._files, self.offload, path, self._book))
            except (OSError, DamagedRun) as e:
                logger.warning("%s: %s; its keys are rebuilt from the log", self._book, e)
                self._redundant.append(path)
        found.sort(key=lambda run: (run.first_seq, -run.last_seq))
        self.witnessed = max((run.last_seq for run in found), default=0)
        for run in found:
            # a merge that was cut short leaves its inputs beside the merged run, which comes first
            if run.first_seq == self.persisted + 1:
                self.runs.append(run)
            else:
                self._redundant.append(run.path)
        self._forgotten = self.persisted

    def discard(self) -> None:
        """Use no run and forget every key: all will be added anew."""
        self._redundant += [run.path for run in self.runs]
        self.runs.clear()
        self._forgotten = 0
        self._hot = [_Generation()]

    async def remove_redundant(self) -> None:
        """Delete the runs that opening found damaged, foreign, merged already, or beyond a gap. Raises OSError."""
        for path in self._redundant:
            await self.offload.run(self._files.remove, path)
        self._redundant.clear()
