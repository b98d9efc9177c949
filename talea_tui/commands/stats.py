"""`talea-tui stats`: what an operator wants to know of each book."""

from __future__ import annotations

import argparse
import asyncio
import json

import msgspec

from store import BookInfo, FollowedLedger

from ..formatting import format_bytes, printable
from .opening import readable
from .terminal import ProgressLine

_KNOWN_TO_THE_WRITER = ("repairs", "queued", "batch_size", "sync_micros")


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        books, are_followed = asyncio.run(_books(arguments, progress))
    if arguments.json:
        unknown = dict.fromkeys(_KNOWN_TO_THE_WRITER) if are_followed else {}
        print(json.dumps([msgspec.to_builtins(book) | unknown for book in books], indent=2))
    else:
        print("\n".join(_table(books)))
    return 0


async def _books(arguments: argparse.Namespace, progress: ProgressLine) -> tuple[list[BookInfo], bool]:
    async with readable(arguments.dir, progress) as store:
        return await store.books(), isinstance(store, FollowedLedger)


def _table(books: list[BookInfo]) -> list[str]:
    rows = [("book", "events", "accounts", "transactions", "size", "writer", "head"), *map(_row, books)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if 0 < column < 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    for book in books:
        lines += [f"{printable(book.name)}: {printable(repair)}" for repair in book.repairs]
        if book.error is not None:
            lines.append(f"{printable(book.name)} is {book.writer}: {printable(book.error)}")
    return lines


def _row(book: BookInfo) -> tuple[str, ...]:
    seq, digest = book.head
    return (
        printable(book.name),
        f"{book.last_seq:,}",
        f"{book.accounts:,}",
        f"{book.transactions:,}",
        format_bytes(book.bytes_on_disk),
        book.writer,
        f"{seq}:{digest[:16]}",
    )
