"""Where a key of a followed book is: what its writer left is used, the log is what counts.

The newest keys are kept in memory, a bounded number of them. Older ones are looked for in the writer's runs, which
may be merged away or lost at any time, and what no run covers is looked for in the log itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from .codec import key_in, text_item
from .files import Entry, Files
from .offload import Offload, Pace
from .runs import (
    RUN_NAME,
    DamagedRun,
    Payloads,
    Run,
    bloom_numbers,
    digests_of,
    has_key,
    is_of_log,
    load_run,
)

HOT_KEYS = 100_000
"""This many of the newest keys are at hand, and up to twice as many."""

_PAGE_EVENTS = 1024


class FollowedKeys:
    """The keys of one book, up to what has been added."""

    def __init__(
        self, files: Files, offload: Offload, directory: Path, book: str, payloads: Payloads
    ) -> None:
        self._files, self._offload, self._directory, self._book = files, offload, directory, book
        self._payloads = payloads
        self._newer: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self._first_hot: int | None = None
        """Keys of events before this one are not in memory."""
        self._first_newer = 0
        self._runs: list[Run] = []
        self._names: list[str] = []
        self._looking = asyncio.Lock()

    def add(self, keys: Sequence[str], seqs: Sequence[int]) -> None:
        """Keys and the seqs of their events, which rise and are above all that were added before."""
        for key, seq in zip(keys, seqs, strict=True):
            if self._first_hot is None:
                self._first_hot = self._first_newer = seq
            elif len(self._newer) >= HOT_KEYS:
                self._first_hot, self._first_newer = self._first_newer, seq
                self._older, self._newer = self._newer, {}
            self._newer[key] = seq

    async def find(self, key: str, last_seq: int) -> int | None:
        """The seq up to `last_seq` of a key. Raises what reading the log raises."""
        seq = self._newer.get(key) or self._older.get(key)
        if seq is not None:
            return seq
        before = last_seq + 1 if self._first_hot is None else self._first_hot
        async with self._looking:
            covered, seq = await self._in_runs(key, last_seq)
        if seq is not None:
            if seq > last_seq:
                return None
            if await has_key(self._payloads, seq, key):
                return seq
            # that run was made from another log, and covers nothing
        return await self._in_log(key, covered + 1, before)

    async def _in_runs(self, key: str, last_seq: int) -> tuple[int, int | None]:
        """How far the runs reach, and the key's seq if it is in one."""
        (digest,) = digests_of([key.encode(errors="surrogatepass")])
        number = bloom_numbers([digest])
        for _ in range(2):
            try:
                await self._load_runs(last_seq)
                for run in self._runs:
                    if any(run.may_hold(number)):
                        seq = await self._offload.run(run.find, self._files, digest)
                        if seq is not None:
                            return 0, seq
            except (OSError, DamagedRun):
                self._runs, self._names = [], []  # merged away meanwhile, most likely: looked for once more
            else:
                return (self._runs[-1].last_seq if self._runs else 0), None
        return 0, None

    async def _load_runs(self, last_seq: int) -> None:
        """Take the runs there are now, none but those of this log. Raises OSError, DamagedRun."""
        entries = await self._offload.run(self._files.entries, self._directory)
        names = key_runs_among(entries)
        if names == self._names:
            return
        known = {run.path.name: run for run in self._runs}
        found = []
        for name in names:
            run = known.get(name)
            if run is None:
                run = await load_run(self._files, self._offload, self._directory / name, self._book)
                if not await is_of_log(self._files, self._offload, run, self._payloads, last_seq):
                    continue
            found.append(run)
        self._runs, self._names = [], names
        for run in sorted(found, key=lambda run: (run.first_seq, -run.last_seq)):
            if run.first_seq == (self._runs[-1].last_seq if self._runs else 0) + 1:
                self._runs.append(run)

    async def _in_log(self, key: str, first_seq: int, before: int) -> int | None:
        item = text_item(key)
        pace = Pace()
        while first_seq < before:
            payloads = await self._payloads(first_seq, min(_PAGE_EVENTS, before - first_seq))
            if not payloads:
                break
            for seq, payload in enumerate(payloads, first_seq):
                if item in payload and key_in(payload) == key:
                    return seq
            first_seq += len(payloads)
            if pace.due:
                await pace.rest()
        return None


def key_runs_among(entries: Iterable[Entry]) -> list[str]:
    """The names of the runs of keys in a book's directory."""
    return [entry.name for entry in entries if RUN_NAME.fullmatch(entry.name)]
