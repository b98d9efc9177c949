"""`talea-tui tail`: a book's events as lines, and with --follow as they come."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing
from datetime import UTC, datetime

from store import AccountOpened, Sequenced, Store, TransactionPosted

from ..events.filter import parse_filter
from ..events.jsonl import event_json, time_text
from ..events.jump import SeqTarget, books_named, just_before, parse_target
from ..events.lines import opened_text, registered_text
from ..events.text import description_of, flow_of, kind_of, turnover_of
from ..formatting import format_amount_plain, printable
from ..zone import machine_zone
from .opening import followed, readable, refuse_damaged, sound_book
from .refusals import Refused
from .terminal import ProgressLine

_EVENTS_PAGE = 1_000
_LAST_LINES = 10


def run(arguments: argparse.Namespace) -> int:
    with ProgressLine() as progress:
        asyncio.run(_tail(arguments, progress))
    return 0


async def _tail(arguments: argparse.Namespace, progress: ProgressLine) -> None:
    # whoever waits for what others post must not keep them from posting
    reading = followed if arguments.follow else readable
    async with reading(arguments.dir, progress) as store:
        printer = await _Printer.of(store, arguments)
        book = arguments.book
        last = 0
        if not arguments.follow:
            last = (await sound_book(store, book)).last_seq
        elif (info := await store.book(book)) is not None:
            last = info.last_seq
        seq = await _first_seq(store, arguments, last)
        if not printer.filter.may_match_in(book):
            seq = max(seq, last + 1)
        while seq <= last:
            end = min(seq + _EVENTS_PAGE - 1, last)
            for sifted in await store.sift(book, printer.filter.sieve, seq, end):
                await printer.print(sifted.read())
            sys.stdout.flush()
            seq = end + 1
        if arguments.follow:
            if await store.book(book) is None:
                print(f"There is no book {book!r} in this ledger yet; waiting for it.", file=sys.stderr)
            tasks = [
                asyncio.create_task(_print_what_comes(store, book, seq, printer)),
                asyncio.create_task(_refused_once_damaged(store, book)),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _print_what_comes(store: Store, book: str, seq: int, printer: _Printer) -> None:
    async with aclosing(store.subscribe(book, seq)) as stream:
        async for sequenced in stream:
            await printer.print(sequenced)
            sys.stdout.flush()


async def _refused_once_damaged(store: Store, book: str) -> None:
    """Nothing comes after damage, and who waits for it should not have to guess why. Raises Refused."""
    async with aclosing(store.watch()) as changes:
        await refuse_damaged(store, book)
        async for changed in changes:
            if book in changed:
                await refuse_damaged(store, book)


async def _first_seq(store: Store, arguments: argparse.Namespace, last: int) -> int:
    if arguments.start is None:
        return max(1, last - _LAST_LINES + 1)
    target = parse_target(arguments.start, datetime.now(UTC), machine_zone())
    if isinstance(target, SeqTarget):
        if target.book is not None and not books_named(target.book, [arguments.book]):
            raise Refused(f"Seq {target.seq:,} of {target.book!r} is not in book {arguments.book!r}.")
        return max(1, target.seq)
    if isinstance(target, datetime):
        return 1 + await store.seq_at(arguments.book, just_before(target)) if last else 1
    return 1 if target == "start" else last + 1


class _Printer:
    """One line an event; asks for an asset's decimals once."""

    def __init__(self, store: Store, arguments: argparse.Namespace, precisions: dict[str, int]) -> None:
        self._store = store
        self._book: str = arguments.book
        self._json: bool = arguments.json
        self._precisions = precisions
        self.filter = parse_filter(arguments.filter, precisions.__getitem__)

    @classmethod
    async def of(cls, store: Store, arguments: argparse.Namespace) -> _Printer:
        precisions = {asset.id: asset.precision for asset in await store.assets()}
        return cls(store, arguments, precisions)

    async def print(self, sequenced: Sequenced) -> None:
        await self._learn(sequenced)
        if not self.filter.matches(self._book, sequenced):
            return
        if self._json:
            line = event_json(self._book, sequenced, self._precisions.__getitem__)
        else:
            line = self._line(sequenced)
        sys.stdout.write(f"{line}\n")

    async def _learn(self, sequenced: Sequenced) -> None:
        event = sequenced.event
        if isinstance(event, AccountOpened):
            assets = {event.definition.asset}
        elif isinstance(event, TransactionPosted):
            assets = {posting.amount.asset for posting in event.transaction.postings}
        else:
            assets = {event.asset.id}
        for asset in assets - self._precisions.keys():
            definition = await self._store.asset(asset)
            if definition is None:
                raise Refused(f"Asset {asset!r} is in book {self._book!r} but not registered.")
            self._precisions[asset] = definition.precision

    def _line(self, sequenced: Sequenced) -> str:
        event = sequenced.event
        start = f"{sequenced.seq}  {time_text(sequenced.at)}  {kind_of(event):5}"
        if isinstance(event, TransactionPosted):
            sources, targets = flow_of(event.transaction)
            amounts = " ".join(
                f"{asset} {format_amount_plain(minor, self._precisions[asset])}"
                for asset, minor in turnover_of(event.transaction).items()
            )
            flow = f"{', '.join(sources)} → {', '.join(targets)}"
            rest = f"{flow}  {amounts}  {description_of(event.transaction)}"
        elif isinstance(event, AccountOpened):
            rest = opened_text(event)
        else:
            rest = registered_text(event)
        return f"{start} {printable(rest)}"
