"""`talea-tui export`: a book as an hledger journal or as JSON lines, on stdout."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from store import LogTaleaStore

from ..events.jsonl import event_json
from ..interop.hledger_export import export_hledger
from .opening import existing_book, opened
from .terminal import ProgressLine

_EVENTS_PAGE = 1_000


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        asyncio.run(_export(arguments, progress))
    return 0


async def _export(arguments: argparse.Namespace, progress: ProgressLine) -> None:
    async with opened(arguments.dir, progress) as store:
        last = (await existing_book(store, arguments.book)).last_seq
        parts = _json_lines if arguments.format == "json" else export_hledger
        async for text, seq in parts(store, arguments.book):
            sys.stdout.write(text)
            progress("exporting", seq, last)
        sys.stdout.flush()


async def _json_lines(store: LogTaleaStore, book: str) -> AsyncIterator[tuple[str, int]]:
    """Registered assets first, so that the file stands alone; then every event of the book."""
    precisions = {asset.id: asset.precision for asset in await store.assets()}
    info = await store.book(book)
    last = info.last_seq if info is not None else 0
    used = {account.definition.asset for account in await store.accounts(book)}
    for name, bound in (("_system", None), (book, last)):
        seq = 1
        while bound is None or seq <= bound:
            events = await store.read_events(name, seq, _EVENTS_PAGE)
            if not events:
                break
            seq = events[-1].seq + 1
            lines = [
                event_json(name, one, precisions.__getitem__)
                for one in events
                if name == book or one.event.asset.id in used
            ]
            yield "".join(f"{line}\n" for line in lines), 0 if bound is None else seq - 1
