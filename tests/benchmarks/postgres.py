"""PostgreSQL, all waiting transfers sent to one function call; the server is a throw-away one of our own."""

from __future__ import annotations

import asyncio
import glob
import os
import shutil
import socket
import subprocess
from collections import deque
from pathlib import Path
from typing import Any

from .workload import OPENING_MINOR, Figures, Skipped, Transfer, Transfers, drive

GROUP_MAX = 1024

_TABLES = """
DROP TABLE IF EXISTS postings, transfers, accounts;
DROP SEQUENCE IF EXISTS seqs;
CREATE SEQUENCE seqs;
CREATE TABLE accounts (id int PRIMARY KEY, path text NOT NULL UNIQUE, balance bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE transfers (
    seq bigint PRIMARY KEY, txid bytea NOT NULL, key text NOT NULL UNIQUE, at timestamptz NOT NULL, memo text NOT NULL
);
CREATE TABLE postings (
    account int NOT NULL, seq bigint NOT NULL, leg smallint NOT NULL, minor bigint NOT NULL,
    PRIMARY KEY (account, seq, leg)
);
CREATE OR REPLACE FUNCTION post_group(
    keys text[], sources int[], targets int[], minors bigint[], memos text[], txids bytea[]
)
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    answers bigint[] := '{}';
    this bigint;
BEGIN
    FOR n IN 1 .. cardinality(keys) LOOP
        BEGIN
            INSERT INTO transfers VALUES (nextval('seqs'), txids[n], keys[n], clock_timestamp(), memos[n])
                ON CONFLICT (key) DO NOTHING RETURNING seq INTO this;
            IF this IS NULL THEN
                SELECT seq INTO this FROM transfers WHERE key = keys[n];
            ELSE
                UPDATE accounts SET balance = balance - minors[n] WHERE id = sources[n] AND balance >= minors[n];
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'too little';
                END IF;
                UPDATE accounts SET balance = balance + minors[n] WHERE id = targets[n];
                INSERT INTO postings VALUES (sources[n], this, 0, -minors[n]), (targets[n], this, 1, minors[n]);
            END IF;
            answers := answers || this;
        EXCEPTION WHEN raise_exception THEN
            answers := answers || -1::bigint;
        END;
    END LOOP;
    RETURN answers;
END $$;
"""


class Server:
    """A cluster in `directory`, whose parent is ours too; it listens on a free port of this machine alone."""

    def __init__(self, directory: Path) -> None:
        """Make and start it. Raises Skipped when that cannot be done here."""
        self._directory = directory
        self._programs = _programs()
        if self._programs is None:
            raise Skipped("no PostgreSQL server is installed")
        try:
            import asyncpg  # noqa: F401
        except ImportError:
            raise Skipped("PostgreSQL is installed, but not asyncpg, which the clients need") from None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        directory.mkdir()
        if os.geteuid() == 0:
            # the server refuses to run as root, and its user has to get there
            directory.parent.chmod(0o711)
            shutil.chown(directory, "postgres", "postgres")
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "''",
            "shared_buffers": "512MB",
            "max_wal_size": "8GB",
            "checkpoint_timeout": "30min",
            "synchronous_commit": "on",
            "fsync": "on",
            "jit": "off",
        }
        try:
            self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale")
            started = " ".join(f"-c {name}={value}" for name, value in settings.items())
            self._run("pg_ctl", "-w", "-l", str(directory / "server.log"), "-o", started, "start")
        except (OSError, subprocess.CalledProcessError) as e:
            raise Skipped(f"PostgreSQL is installed, but does not start ({e})") from e

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        assert self._programs is not None
        command = [str(self._programs / program), "-D", str(self._directory), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(
            command, check=True, cwd=self._directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def _programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    on_path = shutil.which("initdb")
    places = [str(Path(on_path).resolve().parent)] if on_path else []
    places += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return next((Path(p) for p in places if Path(p, "pg_ctl").exists() and Path(p, "initdb").exists()), None)


async def postgres_grouped(
    place: Path, seconds: float, clients: int, port: int, accounts: int = 1000
) -> Figures:
    import asyncpg

    transfers = Transfers(accounts)
    connection = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", database="postgres")
    await connection.execute("SET client_min_messages = warning")
    await connection.execute(_TABLES)
    rows = [(n, path, OPENING_MINOR) for n, path in enumerate(transfers.paths)]
    await connection.executemany("INSERT INTO accounts VALUES ($1, $2, $3)", rows)
    await connection.execute("VACUUM ANALYZE accounts")
    await connection.execute("CHECKPOINT")
    post_group = await connection.prepare("SELECT post_group($1, $2, $3, $4, $5, $6)")
    waiting: deque[tuple[Transfer, asyncio.Future[int]]] = deque()
    woken = asyncio.Event()

    async def write() -> None:
        while True:
            if not waiting:
                woken.clear()
                await woken.wait()
            group = [waiting.popleft() for _ in range(min(len(waiting), GROUP_MAX))]
            columns: list[Any] = [list(column) for column in zip(*[t for t, _ in group], strict=True)]
            txids = [os.urandom(16) for _ in group]
            answers = await post_group.fetchval(*columns, txids)
            for (_, future), seq in zip(group, answers, strict=True):
                future.set_result(seq)

    async def call(_: int) -> None:
        future = asyncio.get_running_loop().create_future()
        waiting.append((transfers.next(), future))
        woken.set()
        if await future < 0:
            raise ValueError("a transfer was refused")

    writer = asyncio.create_task(write())
    figures = await drive(call, clients, seconds)
    writer.cancel()
    await asyncio.wait([writer])
    counted = await connection.fetchval("SELECT count(*) FROM transfers")
    held = await connection.fetchval("SELECT sum(balance)::bigint FROM accounts")
    legs = await connection.fetchval("SELECT count(*) FROM postings")
    await connection.close()
    if (counted, held, legs) != (transfers.count, OPENING_MINOR * accounts, 2 * transfers.count):
        raise AssertionError("PostgreSQL holds something else than what was posted")
    return figures
