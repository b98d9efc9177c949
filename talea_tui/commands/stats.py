"""`talea-tui stats`: what an operator wants to know of each book."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import msgspec

from store import SYSTEM_BOOK, BookInfo, FollowedLedger

from ..formatting import cells_of, format_bytes, printable
from .opening import readable
from .terminal import ProgressLine

_KNOWN_TO_THE_WRITER = ("repairs", "queued", "batch_size", "sync_micros")
_KNOWN_TO_THE_READER = (
    *("last_seq", "head", "accounts", "transactions"),
    *("bytes_on_disk", "segments", "snapshots", "runs"),
)


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        books, are_followed = asyncio.run(_books(arguments, progress))
    if arguments.json:
        print(json.dumps([_figures(book, are_followed) for book in books], indent=2))
    else:
        print("\n".join(_table(books)))
    return 1 if any(book.error is not None for book in books) else 0


async def _books(arguments: argparse.Namespace, progress: ProgressLine) -> tuple[list[BookInfo], bool]:
    async with readable(arguments.dir, progress) as store:
        system = await store.book(SYSTEM_BOOK)
        damaged = [system] if system is not None and system.error is not None else []
        return damaged + await store.books(), isinstance(store, FollowedLedger)


def _figures(book: BookInfo, is_followed: bool) -> dict[str, Any]:
    """For JSON; what is not known is null."""
    figures: dict[str, Any] = msgspec.to_builtins(book)
    if is_followed:
        figures |= dict.fromkeys(_KNOWN_TO_THE_WRITER)
    if book.is_unread:
        figures |= dict.fromkeys(_KNOWN_TO_THE_READER)
    return figures


def _table(books: list[BookInfo]) -> list[str]:
    rows = [("book", "events", "accounts", "transactions", "size", "writer", "head"), *map(_row, books)]
    widths = [max(cells_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            " " * (width - cells_of(cell)) + cell if 0 < column < 5 else cell + " " * (width - cells_of(cell))
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    for book in books:
        lines += [f"{printable(book.name)}: {printable(repair)}" for repair in book.repairs]
        if book.error is not None:
            lines.append(printable(book.error))
    return lines


def _row(book: BookInfo) -> tuple[str, ...]:
    if book.is_unread:
        return (printable(book.name), "–", "–", "–", "–", book.writer, "–")
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
