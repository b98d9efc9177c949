"""What the store is compared with: SQLite in two ways, a bare append, and an idle loop."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter, time_ns

from .commits import frame_bytes
from .workload import OPENING_MINOR, WARM_UP, Figures, Heartbeat, Transfer, Transfers, drive, drive_threads

GROUP_MAX = 1024

_TABLES = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL);
CREATE TABLE transfers (
    seq INTEGER PRIMARY KEY, txid BLOB NOT NULL, key TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, memo TEXT NOT NULL
);
CREATE TABLE postings (
    account INTEGER NOT NULL, seq INTEGER NOT NULL, leg INTEGER NOT NULL, minor INTEGER NOT NULL,
    PRIMARY KEY (account, seq, leg)
) WITHOUT ROWID;
"""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=120, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _prepared(path: Path, transfers: Transfers) -> None:
    connection = _connect(path)
    connection.executescript(_TABLES)
    connection.execute("BEGIN")
    rows = [(n, account, OPENING_MINOR) for n, account in enumerate(transfers.paths)]
    connection.executemany("INSERT INTO accounts VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()


def _post(execute: Callable[..., sqlite3.Cursor], transfer: Transfer) -> int:
    """Inside an open transaction; the seq, the first one of a key that was there before."""
    key, source, target, minor, memo = transfer
    inserted = execute(
        "INSERT INTO transfers (txid, key, at, memo) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (os.urandom(16), key, time_ns() // 1000, memo),
    )
    if not inserted.rowcount:
        seq: int = execute("SELECT seq FROM transfers WHERE key = ?", (key,)).fetchone()[0]
        return seq
    seq = inserted.lastrowid or 0
    taken = execute(
        "UPDATE accounts SET balance = balance - ?1 WHERE id = ?2 AND balance >= ?1", (minor, source)
    )
    if not taken.rowcount:
        execute("DELETE FROM transfers WHERE seq = ?", (seq,))
        raise ValueError(f"account {source} has too little")
    execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", (minor, target))
    execute(
        "INSERT INTO postings VALUES (?, ?, 0, ?), (?, ?, 1, ?)", (source, seq, -minor, target, seq, minor)
    )
    return seq


def _check(path: Path, transfers: Transfers) -> None:
    connection = _connect(path)
    counted = connection.execute("SELECT count(*) FROM transfers").fetchone()[0]
    held = connection.execute("SELECT sum(balance) FROM accounts").fetchone()[0]
    legs = connection.execute("SELECT count(*) FROM postings").fetchone()[0]
    connection.close()
    if (counted, held, legs) != (transfers.count, OPENING_MINOR * len(transfers.paths), 2 * transfers.count):
        raise AssertionError("SQLite holds something else than what was posted")


class _GroupedWriter:
    """One thread that takes all that waits into one transaction; a bad transfer harms no other."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path, self._loop = path, loop
        self._jobs: SimpleQueue[tuple[Transfer, asyncio.Future[int]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def post(self, transfer: Transfer) -> asyncio.Future[int]:
        future = self._loop.create_future()
        self._jobs.put((transfer, future))
        return future

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        connection = _connect(self._path)
        execute = connection.cursor().execute
        while (job := self._jobs.get()) is not None:
            group = [job]
            while len(group) < GROUP_MAX:
                try:
                    another = self._jobs.get_nowait()
                except Empty:
                    break
                if another is None:
                    self._jobs.put(None)
                    break
                group.append(another)
            execute("BEGIN IMMEDIATE")
            answers: list[tuple[asyncio.Future[int], int | ValueError]] = []
            for transfer, future in group:
                try:
                    answers.append((future, _post(execute, transfer)))
                except ValueError as e:
                    answers.append((future, e))
            execute("COMMIT")
            self._loop.call_soon_threadsafe(self._answer, answers)
        connection.close()

    @staticmethod
    def _answer(answers: list[tuple[asyncio.Future[int], int | ValueError]]) -> None:
        for future, answer in answers:
            if isinstance(answer, ValueError):
                future.set_exception(answer)
            else:
                future.set_result(answer)


async def sqlite_grouped(place: Path, seconds: float, clients: int, accounts: int = 1000) -> Figures:
    transfers = Transfers(accounts)
    path = place / "ledger.db"
    _prepared(path, transfers)
    writer = _GroupedWriter(path, asyncio.get_running_loop())

    async def call(_: int) -> None:
        await writer.post(transfers.next())

    figures = await drive(call, clients, seconds)
    writer.close()
    _check(path, transfers)
    return figures


def sqlite_single(place: Path, seconds: float, clients: int, accounts: int = 1000) -> Figures:
    """One transaction per transfer, each client a thread with its own connection."""
    transfers = Transfers(accounts)
    path = place / "ledger.db"
    _prepared(path, transfers)

    def client() -> Callable[[Transfer], None]:
        execute = _connect(path).cursor().execute

        def call(transfer: Transfer) -> None:
            execute("BEGIN IMMEDIATE")
            _post(execute, transfer)
            execute("COMMIT")

        return call

    figures = drive_threads(client, transfers, clients, seconds)
    _check(path, transfers)
    return figures


async def append(place: Path, seconds: float) -> Figures:
    """Write and sync as many bytes as the store writes for a commit of one client, again and again."""
    size = await frame_bytes(place / "store")
    data = os.urandom(size)
    sync = getattr(os, "fdatasync", os.fsync)
    fd = os.open(place / "appended", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    counts = []
    for stretch in (seconds * WARM_UP, seconds):
        count, started = 0, perf_counter()
        while perf_counter() - started < stretch:
            os.write(fd, data)
            sync(fd)
            count += 1
        counts.append(count / (perf_counter() - started))
    os.close(fd)
    return {"rate": counts[-1], "bytes": size}


async def idle(place: Path, seconds: float) -> Figures:
    """The heartbeat of a loop that does nothing else: what the machine itself adds to every stall."""
    async with Heartbeat() as heartbeat:
        await asyncio.sleep(seconds)
    return heartbeat.figures()
