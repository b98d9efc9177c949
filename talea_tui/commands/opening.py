"""Opening the ledger for a plain command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from store import BookInfo, LogTaleaStore

from ..config import Config
from .refusals import Refused
from .terminal import ProgressLine


@asynccontextmanager
async def opened(
    directory: Path, progress: ProgressLine, *, create: bool = False, skip_damaged: bool = False
) -> AsyncIterator[LogTaleaStore]:
    """The store at `directory`, shut down at the end; only with `create` is one made that is not there."""
    if not create and not (directory / "books").is_dir():
        raise Refused(
            f"There is no ledger at {directory}; import something there or name another with --dir."
        )
    options = replace(Config.load().store_options(), skip_damaged=skip_damaged)
    store = await LogTaleaStore.open_with(directory, options, progress.replay)
    try:
        yield store
    finally:
        await store.shutdown()


async def existing_book(store: LogTaleaStore, name: str) -> BookInfo:
    info = await store.book(name)
    if info is not None:
        return info
    names = [repr(book.name) for book in await store.books()]
    there = f"it has {', '.join(names)}" if names else "it has no books yet"
    raise Refused(f"There is no book {name!r} in this ledger; {there}.")
