"""What those who watch a large ledger wait for: a filter over all of its history, and a follower's start."""

from __future__ import annotations

import gc
import sys
from math import isnan, nan
from pathlib import Path
from time import perf_counter

from store import FollowedLedger
from talea_tui.events.feed import EventFeed
from talea_tui.events.filter import parse_filter
from talea_tui.events.matched import MatchedFeed

from .commits import BOOK
from .large import resident_bytes
from .workload import Figures, Heartbeat

SCREEN_ROWS = 40


async def scanning(place: Path, ledger: Path, filter: str, one_in: int) -> Figures:
    """A filter tested on every event, as the tail does it; about `one_in` of them is to match."""
    async with await FollowedLedger.open(ledger) as store:
        precisions = {asset.id: asset.precision for asset in await store.assets()}
        feed = EventFeed(store, BOOK)
        await feed.refresh()
        before = resident_bytes() if sys.platform.startswith("linux") else 0
        gc.freeze()  # as the application does once a ledger is open
        async with Heartbeat() as heartbeat:
            started = perf_counter()
            matched = MatchedFeed(feed, parse_filter(filter, precisions.__getitem__))
            first_screen = nan
            while not matched.is_complete:
                await matched.step()
                if isnan(first_screen) and matched.matches >= SCREEN_ROWS:
                    await matched.rows(-SCREEN_ROWS, 0)
                    first_screen = perf_counter() - started
            seconds = perf_counter() - started
            figures = heartbeat.figures()
        held = resident_bytes() - before if before else nan
        if not 0.8 < matched.total / matched.matches / one_in < 1.25:
            raise AssertionError(f"{matched.matches} of {matched.total} match")
        return figures | {
            "seconds": seconds,
            "rate": matched.total / seconds,
            "first_screen_ms": first_screen * 1e3,
            "bytes_per_match": held / matched.matches,
        }


async def following(place: Path, ledger: Path) -> Figures:
    """Open a ledger, with its snapshot, that somebody else may write."""
    async with Heartbeat() as heartbeat:
        started = perf_counter()
        store = await FollowedLedger.open(ledger)
        seconds = perf_counter() - started
        figures = heartbeat.figures()
    async with store:
        if await store.book(BOOK) is None:
            raise AssertionError("nothing was read")
    return figures | {"seconds": seconds}
