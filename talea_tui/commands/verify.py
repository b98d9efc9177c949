"""`talea-tui verify`: re-read every byte of the log and compare it with what the ledger says."""

from __future__ import annotations

import argparse
import asyncio
import sys

from store import SYSTEM_BOOK, StoreError

from ..formatting import plural
from .opening import existing_book, opened
from .refusals import Refused
from .terminal import ProgressLine


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        return asyncio.run(_verify(arguments, progress))


async def _verify(arguments: argparse.Namespace, progress: ProgressLine) -> int:
    damaged = 0
    async with opened(arguments.dir, progress) as store:
        if arguments.book is not None:
            names = books = [(await existing_book(store, arguments.book)).name]
        else:
            books = [book.name for book in await store.books()]
            names = [SYSTEM_BOOK, *books]
        if arguments.against is not None and len(books) != 1:
            there = f"it has {', '.join(map(repr, books))}" if books else "it has no books"
            raise Refused(f"A head is of one book of this ledger, and {there}; name the book with --book.")
        for name in names:
            try:
                await store.verify(name, arguments.against if [name] == books else None, progress.replay)
                info = await store.book(name)
            except StoreError as error:
                print(error, file=sys.stderr)
                damaged += 1
                continue
            if info is None:
                continue
            if info.error is not None:
                print(info.error, file=sys.stderr)
                damaged += 1
                continue
            seq, digest = info.head
            print(f"ok  {name!r}  {plural(info.last_seq, 'event')}  head {seq}:{digest}")
            for repair in info.repairs:
                print(f"    {repair}")
    return 1 if damaged else 0
