"""The least that a ledger's writer can do: what the store's promises cost beyond it shows in the ratio.

One log, strictly one group after the other: take what waits, check and encode it as flat CBOR lists, write it at
once and sync it in a thread, apply it to columns in slices, answer.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from struct import Struct
from threading import Thread
from time import perf_counter, time_ns
from zlib import crc32

import cbor2

from .workload import OPENING_MINOR, Figures, Transfers, drive

GROUP_MAX = 4096
SLICE = 128
STRETCH_SECONDS = 0.004

_HEAD = Struct("<II")
_NO_ROW = 2**32 - 1

Legs = tuple[tuple[str, int], ...]


class Prototype:
    """Accounts that may not be overdrawn, transfers with keys; nothing else is checked or kept."""

    def __init__(self, path: Path, paths: list[str]) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._loop = asyncio.get_running_loop()
        self._index = {account: n for n, account in enumerate(paths)}
        self.balances = [OPENING_MINOR] * len(paths)
        self._tips = self.balances[:]
        self._newest_row = [_NO_ROW] * len(paths)
        self._keys: dict[str, int] = {}
        self._pending: set[str] = set()
        self._seq = 0
        self._end = 0
        self._offsets = array("Q")
        self._row_seq, self._row_minor, self._row_balance, self._row_before = (
            array("Q"),
            array("q"),
            array("q"),
            array("I"),
        )
        self._waiting: deque[tuple[str, Legs, object, asyncio.Future[int]]] = deque()
        self._woken = asyncio.Event()
        self._random, self._random_used = b"", 0
        self._groups: SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = Thread(target=self._write_groups)
        self._thread.start()
        self._task = asyncio.create_task(self._run())

    def post(self, key: str, legs: Legs, metadata: object) -> asyncio.Future[int]:
        future = self._loop.create_future()
        self._waiting.append((key, legs, metadata, future))
        self._woken.set()
        return future

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._groups.put(None)
        self._thread.join()
        os.close(self._fd)

    def _write_groups(self) -> None:
        sync = getattr(os, "fdatasync", os.fsync)
        while (group := self._groups.get()) is not None:
            data, future = group
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
            sync(self._fd)
            self._loop.call_soon_threadsafe(future.set_result, None)

    async def _run(self) -> None:
        waiting = self._waiting
        while True:
            if not waiting:
                self._woken.clear()
                await self._woken.wait()
            parts: list[bytes] = []
            decided = []
            at, started = time_ns() // 1000, perf_counter()
            for n in range(min(len(waiting), GROUP_MAX)):
                key, legs, metadata, future = waiting.popleft()
                try:
                    payload, rows = self._decide(key, legs, metadata, at)
                except ValueError as e:
                    future.set_exception(e)
                    continue
                parts += (_HEAD.pack(len(payload), crc32(payload)), payload)
                decided.append((key, rows, len(payload) + _HEAD.size, future))
                if n % 64 == 63 and perf_counter() - started > STRETCH_SECONDS:
                    await asyncio.sleep(0)
                    started = perf_counter()
            synced = self._loop.create_future()
            self._groups.put((b"".join(parts), synced))
            await synced
            for start in range(0, len(decided), SLICE):
                if start:
                    await asyncio.sleep(0)
                self._apply(decided[start : start + SLICE])
            await asyncio.sleep(0)  # let answered callers post again before the next group

    def _decide(
        self, key: str, legs: Legs, metadata: object, at: int
    ) -> tuple[bytes, list[tuple[int, int, int]]]:
        if not key or key in self._keys or key in self._pending:
            raise ValueError("no key, or one that was used")
        tips, total = self._tips, 0
        flat: list[str | int] = []
        rows: list[tuple[int, int, int]] = []
        for path, minor in legs:
            account = self._index.get(path)
            if account is None or type(minor) is not int or not -(2**62) < minor < 2**62:
                raise ValueError("no such account or amount")
            balance = tips[account] + minor
            if balance < 0:
                raise ValueError("too little")
            total += minor
            rows.append((account, minor, balance))
            flat += (path, minor)
        if total:
            raise ValueError("debits and credits differ")
        for account, _, balance in rows:
            tips[account] = balance
        if self._random_used == len(self._random):
            self._random, self._random_used = os.urandom(8192), 0
        txid = self._random[self._random_used : self._random_used + 16]
        self._random_used += 16
        self._seq += 1
        self._pending.add(key)
        return cbor2.dumps([1, self._seq, at, txid, key, flat, metadata]), rows

    def _apply(self, decided: list[tuple[str, list[tuple[int, int, int]], int, asyncio.Future[int]]]) -> None:
        seq, row = len(self._offsets), len(self._row_seq)
        for key, rows, size, future in decided:
            seq += 1
            for account, minor, balance in rows:
                self.balances[account] = balance
                self._row_seq.append(seq)
                self._row_minor.append(minor)
                self._row_balance.append(balance)
                self._row_before.append(self._newest_row[account])
                self._newest_row[account] = row
                row += 1
            self._keys[key] = seq
            self._pending.discard(key)
            self._offsets.append(self._end)
            self._end += size
            if not future.cancelled():
                future.set_result(seq)


def _replayed(path: Path, paths: list[str]) -> tuple[int, list[int]]:
    """How many transfers the log holds, and the balances they lead to."""
    data, at, count = path.read_bytes(), 0, 0
    balances = dict.fromkeys(paths, OPENING_MINOR)
    while at < len(data):
        size, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + size]
        if crc32(payload) != crc:
            raise AssertionError(f"a damaged frame at byte {at}")
        flat = cbor2.loads(payload)[5]
        for account, minor in zip(flat[::2], flat[1::2], strict=True):
            balances[account] += minor
        at += _HEAD.size + size
        count += 1
    return count, list(balances.values())


async def prototype(place: Path, seconds: float, clients: int, accounts: int = 1000) -> Figures:
    transfers = Transfers(accounts)
    paths = transfers.paths
    path = place / "prototype.log"
    ledger = Prototype(path, paths)

    async def call(_: int) -> None:
        key, source, target, minor, memo = transfers.next()
        await ledger.post(key, ((paths[source], -minor), (paths[target], minor)), {"memo": memo})

    figures = await drive(call, clients, seconds)
    await ledger.close()
    if _replayed(path, paths) != (transfers.count, ledger.balances):
        raise AssertionError("the prototype's log holds something else than what was posted")
    return figures
