"""`talea-tui export`: a book as an hledger journal or as JSON lines, on stdout."""

from __future__ import annotations

import argparse
import asyncio
import sys

from store import SYSTEM_BOOK

from ..interop.hledger_export import export_hledger
from ..interop.json_lines import export_json_lines
from .opening import readable, sound_book
from .refusals import Refused
from .terminal import ProgressLine


def run(arguments: argparse.Namespace) -> int:
    if arguments.book == SYSTEM_BOOK and arguments.format == "hledger":
        raise Refused(
            f"{SYSTEM_BOOK!r} is the ledger's register of assets, with nothing for a journal; "
            "name a book, or print the assets with --format json."
        )
    with ProgressLine() as progress:
        asyncio.run(_export(arguments, progress))
    return 0


async def _export(arguments: argparse.Namespace, progress: ProgressLine) -> None:
    async with readable(arguments.dir, progress) as store:
        last = (await sound_book(store, arguments.book)).last_seq
        parts = export_json_lines if arguments.format == "json" else export_hledger
        async for text, seq in parts(store, arguments.book):
            sys.stdout.write(text)
            progress("exporting", seq, last)
        sys.stdout.flush()
