"""Opening the ledger for a plain command."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from store import BookInfo, FollowedLedger, LogTaleaStore, Store, StoreLocked

from ..config import Config
from .refusals import Refused
from .terminal import ProgressLine


@asynccontextmanager
async def opened(
    directory: Path, progress: ProgressLine, *, create: bool = False
) -> AsyncIterator[LogTaleaStore]:
    """The store at `directory`, shut down at the end; only with `create` is one made that is not there.

    Damaged books do not keep the others from being opened.
    """
    if not create:
        _refuse_nothing(directory)
    store = await _open(directory, progress)
    try:
        yield store
    finally:
        await store.shutdown()


async def _open(directory: Path, progress: ProgressLine) -> LogTaleaStore:
    options = replace(Config.load().store_options(), skip_damaged=True)
    return await LogTaleaStore.open_with(directory, options, progress.replay)


def _refuse_nothing(directory: Path) -> None:
    if not (directory / "books").is_dir():
        raise Refused(
            f"There is no ledger at {directory}; import something there or name another with --dir."
        )


@asynccontextmanager
async def followed(directory: Path, progress: ProgressLine) -> AsyncIterator[FollowedLedger]:
    """The ledger at `directory` as its writer, if there is one, makes it durable; takes no lock."""
    _refuse_nothing(directory)
    async with await FollowedLedger.open(directory, progress.replay) as ledger:
        yield ledger


@asynccontextmanager
async def readable(directory: Path, progress: ProgressLine) -> AsyncIterator[LogTaleaStore | FollowedLedger]:
    """The store at `directory`; followed where another process has it or nothing may be written."""
    _refuse_nothing(directory)
    store: LogTaleaStore | FollowedLedger | None = None
    if os.access(directory, os.W_OK):
        try:
            store = await _open(directory, progress)
        except StoreLocked:
            store = None
    if store is None:
        store = await FollowedLedger.open(directory, progress.replay)
    try:
        yield store
    finally:
        await store.shutdown()


async def existing_book(store: Store, name: str) -> BookInfo:
    info = await store.book(name)
    if info is not None:
        return info
    names = [repr(book.name) for book in await store.books()]
    there = f"it has {', '.join(names)}" if names else "it has no books yet"
    raise Refused(f"There is no book {name!r} in this ledger; {there}.")


async def sound_book(store: Store, name: str) -> BookInfo:
    await refuse_damaged(store, name)
    return await existing_book(store, name)


async def refuse_damaged(store: Store, name: str) -> None:
    info = await store.book(name)
    if info is not None and info.writer == "damaged":
        raise Refused(str(info.error))
