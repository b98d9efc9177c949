"""Writes the pictures of the screens: `python -m talea_tui.screenshots [DIR]`, by default to `screenshots/`.

Everything in them comes from a demo ledger of a fixed seed, a fixed clock and a fixed size; what depends on the
machine (sync times, batch sizes, head digests) is replaced by fixed values. `--check` writes nothing and fails
when a picture would change.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any, cast
from zlib import crc32

from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from store import BookInfo, LogTaleaStore, Store, StoredFrame

from .app import TaleaApp
from .config import Config
from .demo.history import DemoClock, open_demo
from .demo.tour import typed
from .events.rate import RateMeter
from .screens.storage import SAMPLES_KEPT, History, StorageScreen
from .screens.tail import TailScreen
from .settings import Settings

SEED = 7
NOW = datetime(2026, 11, 22, 14, 2, 11, 400_000, tzinfo=UTC)
LIVE_SECONDS = 75
CELL = 12.2
"""How wide Rich draws a character."""

WIDE, NORMAL = (128, 36), (104, 30)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is pressed, in which book, to come to what is to be seen."""

    name: str
    keys: tuple[str, ...]
    book: str = "household"
    theme: str = "talea-dark"
    size: tuple[int, int] = NORMAL


PICTURES = (
    Picture("accounts", ("2",), size=WIDE),
    Picture("books", ("1",), book="payments", size=(104, 20)),
    Picture("register", ("2", "slash", *typed("eth:hot"), "enter", "end", "w"), "crypto-desk", size=WIDE),
    Picture("transaction", ("3", *typed("#504"), "enter"), "studio", "talea-light", (104, 20)),
    Picture(
        "post", ("p", *typed("spar"), "tab", *typed("12.5*3+4"), "tab", "down", "equals_sign"), size=(104, 22)
    ),
    Picture("reverse", ("3", *typed("#519"), "enter", "r"), book="studio", size=(104, 26)),
    Picture("tail", ("5", "a"), book="payments", size=WIDE),
    Picture(
        "filter", ("5", "slash", *typed("account:*merchants* amount>150"), "enter"), "payments", size=WIDE
    ),
    Picture("event", ("5", "space", "up", "up", "enter"), book="payments", size=(104, 24)),
    Picture("trial-balance", ("6",), book="studio", size=WIDE),
    Picture(
        "balance-sheet", ("at", *typed("2026-06-30"), "enter", "6", "v"), "studio", "talea-light", (104, 34)
    ),
    Picture("income-statement", ("6", "v", "v", "plus", "plus", "comma"), "studio", "talea-light", (104, 34)),
    Picture("storage", ("7",), book="payments", size=(104, 22)),
    Picture("assets", ("8",), "crypto-desk", "talea-light", (104, 20)),
    Picture("palette", ("2", "colon", *typed("rec")), book="studio"),
    Picture("help", ("2", "question_mark"), size=WIDE),
)


class Still:
    """A store whose figures of the machine stand still."""

    def __init__(self, store: LogTaleaStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def books(self) -> list[BookInfo]:
        return [_still(info) for info in await self._store.books()]

    async def book(self, name: str) -> BookInfo | None:
        info = await self._store.book(name)
        return _still(info) if info is not None else None

    async def frame_of(self, book: str, seq: int) -> StoredFrame | None:
        frame = await self._store.frame_of(book, seq)
        return replace(frame, crc32=crc32(f"{book} {seq}".encode())) if frame is not None else None

    async def shutdown(self) -> None:
        """The pictures share one store."""


def _still(info: BookInfo) -> BookInfo:
    digest = hashlib.sha256(f"{info.name} {info.last_seq}".encode()).hexdigest()
    micros = 180.0 + 10 * (len(info.name) % 5)
    snapshots = tuple(replace(file, written_at=NOW - timedelta(hours=3)) for file in info.snapshot_files)
    return replace(
        info,
        head=(info.last_seq, digest),
        sync_micros=micros,
        batch_size=3.0,
        queued=0,
        snapshot_files=snapshots,
    )


class StillMeter(RateMeter):
    """Takes no more observations once it stands."""

    stands = False

    def observe(self, now: float, total: int) -> None:
        if not self.stands:
            super().observe(now, total)


class PictureApp(TaleaApp):
    @property
    def place(self) -> str:
        return "~/ledger"


async def draw_all(pictures: Sequence[Picture] = PICTURES) -> dict[str, str]:
    """Every picture as SVG, by file name."""
    drawn: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="talea-pictures-", ignore_cleanup_errors=True) as directory:
        clock = DemoClock()
        until = NOW - timedelta(seconds=LIVE_SECONDS)
        store, books = await open_demo(Path(directory), SEED, until, lambda days, of: None, clock=clock)
        try:
            desk, payments = books[-2:]
            chance, moment = payments.random, until
            while moment < NOW:
                clock.stand(moment)
                live = [payments.live(moment) for _ in range(chance.randrange(1, 6))]
                live += [desk.live(moment) for _ in range(chance.randrange(2))]
                await store.commit_batch(live)
                moment += timedelta(microseconds=chance.randrange(90_000, 460_000))
            clock.stand(NOW)
            for picture in pictures:
                drawn[f"{picture.name}.svg"] = await _draw(picture, store)
        finally:
            await store.shutdown()
    return drawn


async def _draw(picture: Picture, store: LogTaleaStore) -> str:
    app = PictureApp(
        store=cast("Store", Still(store)),
        settings=Settings(theme=picture.theme, book=picture.book),
        clock=lambda: NOW,
        zone=UTC,
        config=Config(),
    )
    async with app.run_test(size=picture.size) as pilot:
        await _settle(pilot)
        for key in picture.keys:
            await pilot.press(key)
            await _settle(pilot)
            await _stand_still(app)
            for field in app.screen.query(Input):
                field.cursor_blink = False
        await _settle(pilot)
        return plain_svg(app.export_screenshot(title="talea"), picture.name)


async def _settle(pilot: Pilot[int]) -> None:
    """Until nothing is being fetched and everything is drawn."""
    for _ in range(4):
        await pilot.pause()
        for worker in list(pilot.app.workers):
            if worker.group in ("refresh", "rows", "fold") and worker.is_running:
                await worker.wait()
    await pilot.pause()


async def _stand_still(app: TaleaApp) -> None:
    """Show rates as they would be had the screen been looked at over the last minutes."""
    screen = app.screen
    if isinstance(screen, TailScreen):
        for pane in screen.panes:
            if not isinstance(pane._meter, StillMeter):
                names = list(app.books) if pane.all_books else [pane.book or ""]
                pane._meter = await _meter_of(app.store, names)
                pane._show_state()
    elif isinstance(screen, StorageScreen) and screen.infos:
        screen._sampling.pause()
        for info in screen.infos:
            chance = Random(info.name)
            figures = [info.sync_micros + chance.expovariate(1 / 40) for _ in range(SAMPLES_KEPT)]
            sizes = [float(chance.randrange(1, 7)) for _ in range(SAMPLES_KEPT)]
            screen._histories[info.name] = History(
                await _meter_of(app.store, [info.name]),
                deque(figures, SAMPLES_KEPT),
                deque(sizes, SAMPLES_KEPT),
                deque([0.0] * SAMPLES_KEPT, SAMPLES_KEPT),
            )
        screen.table.set_rows([screen._row(info) for info in screen.infos])
        screen._show_detail()


async def _meter_of(store: Store, books: Sequence[str]) -> StillMeter:
    meter = StillMeter()
    events = [event for book in books for event in await store.read_events(book, 1, 1_000_000)]
    recent = sorted(event.at for event in events if event.at > NOW - timedelta(seconds=120))
    meter.observe((NOW - timedelta(seconds=120)).timestamp(), 0)
    for total, at in enumerate(recent, 1):
        meter.observe(at.timestamp(), total)
    meter.observe(NOW.timestamp(), len(recent))
    meter.stands = True
    return meter


_TEXT = re.compile(
    r'(<text class="[^"]*" x=")([\d.]+)(" y="[\d.]+" textLength=")([\d.]+)("[^>]*>)([^<]*)(</text>)'
)
_SPACE = "&#160;"


def plain_svg(svg: str, name: str) -> str:
    """Without what differs from one time to the next: ids made from the content, and keys of new entries."""
    svg = re.sub(r"<!-- Generated with Rich[^>]*-->", f"<!-- {drawn_with()} -->", svg)
    svg = re.sub(r"terminal-\d+", f"talea-{name}", svg)
    svg = re.sub(rf"key{_SPACE}[0-9a-f]{{8}}…", f"key{_SPACE}5f0c2a91…", svg)
    svg = _TEXT.sub(_without_margins, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _without_margins(found: re.Match[str]) -> str:
    """A piece of text placed where its first letter stands: some programs drop the spaces before it."""
    begin, x, between, length, end, text, close = found.groups()
    inner = text
    left = right = 0
    while inner.startswith(_SPACE):
        inner, left = inner[len(_SPACE) :], left + 1
    while inner.endswith(_SPACE):
        inner, right = inner[: -len(_SPACE)], right + 1
    if not inner or not (left or right):
        return found[0] if inner else ""
    place, width = float(x) + left * CELL, float(length) - (left + right) * CELL
    return f"{begin}{place:.1f}{between}{width:.1f}{end}{inner}{close}"


def drawn_with() -> str:
    """The versions of what draws, by which pictures may differ; it stands in each."""
    return f"Drawn with Textual {version('textual')} and Rich {version('rich')}"


def changed(directory: Path, drawn: dict[str, str]) -> list[str]:
    """What there is to say against the pictures in `directory`: those that differ, are missing or too many."""
    kept = {path.name: path.read_text("utf-8") for path in directory.glob("*.svg")}
    return (
        [f"{name} is missing" for name in sorted(drawn.keys() - kept.keys())]
        + [f"{name} is of no screen" for name in sorted(kept.keys() - drawn.keys())]
        + [f"{name} differs" for name in sorted(drawn.keys() & kept.keys()) if drawn[name] != kept[name]]
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m talea_tui.screenshots", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=Path("screenshots"))
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a picture would change"
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="only the pictures of these names")
    arguments = parser.parse_args(argv)
    pictures = [one for one in PICTURES if not arguments.only or one.name in arguments.only]
    drawn = asyncio.run(draw_all(pictures))
    if arguments.check:
        complaints = changed(arguments.directory, drawn)
        for complaint in complaints:
            print(complaint, file=sys.stderr)
        return 1 if complaints else 0
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, svg in drawn.items():
        (arguments.directory / name).write_text(svg, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
