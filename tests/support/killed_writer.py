"""A process that posts until it is killed, and says on its standard output what was acknowledged.

    python -m tests.support.killed_writer DIRECTORY ROUND

A line per receipt: book, key, seq, txid, time.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from store import Committed, LogStoreOptions, LogTaleaStore

from .build import household, transfer
from .limits import TINY, modules_with

BOOKS = ("alpha", "beta", "gamma")
OPTIONS = LogStoreOptions(segment_max=3000, snapshot_every=40, idem_hot_cap=16)


def told(book: str, key: str, receipt: Committed) -> None:
    line = f"{book}\t{key}\t{receipt.seq}\t{receipt.txid}\t{receipt.at.isoformat()}\n"
    os.write(1, line.encode())


async def posting(store: LogTaleaStore, book: str, client: str) -> None:
    for n in count():
        keys = [f"{client} {n}"] if n % 5 else [f"{client} {n} {m}" for m in range(7)]
        batch = [transfer("assets:cash", "income:salary", 1, book=book, key=key) for key in keys]
        if len(batch) == 1:
            told(book, keys[0], await store.commit(batch[0]))
            continue
        for key, result in zip(keys, await store.commit_batch(batch), strict=True):
            assert isinstance(result, Committed)
            told(book, key, result)


async def main(directory: Path, life: str) -> None:
    store = await LogTaleaStore.open_with(directory, OPTIONS)
    for book in BOOKS:
        await household(store, book)
    os.write(1, b"ready\n")
    clients = [posting(store, book, f"{life} {book} {n}") for book in BOOKS for n in range(3)]
    await asyncio.gather(*clients)


if __name__ == "__main__":
    for limit in ("ROOM_FROM_BYTES", "ROOM_MAX_BYTES"):
        for module in modules_with(limit):
            setattr(module, limit, TINY[limit])
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
