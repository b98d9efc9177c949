"""`talea-tui backup`: a copy of the ledger, taken while it may be in use, with a manifest of digests."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from ..formatting import format_bytes, plural
from .opening import readable
from .terminal import ProgressLine


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        manifest = asyncio.run(_backup(arguments, progress))
    for name, book in sorted(manifest["books"].items()):
        print(
            f"copied  {name!r}  {plural(book['last_seq'], 'event')}  head {book['last_seq']}:{book['head']}"
        )
    print(f"{format_bytes(manifest['bytes'])} in {arguments.target}")
    return 0


async def _backup(arguments: argparse.Namespace, progress: ProgressLine) -> dict[str, Any]:
    async with readable(arguments.dir, progress) as store:
        return await store.backup(arguments.target, lambda done, total: progress("copying", done, total))
