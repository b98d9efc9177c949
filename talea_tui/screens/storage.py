"""The engine room: what each book keeps on disk, how its writer fares, and the proofs one can ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from store import BookInfo, StoreError

from ..events.feed import SYSTEM_BOOK
from ..events.rate import RateMeter
from ..formatting import (
    format_age,
    format_bytes,
    format_count,
    format_duration,
    format_micros,
    format_rate,
    printable,
    sparkline,
)
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import Cell, Column, Row, VirtualTable
from .ask import Ask
from .base import TaleaScreen

SAMPLE_SECONDS = 0.5
PROGRESS_SECONDS = 0.1
SAMPLES_KEPT = 240
_BAR_CELLS = 24
_SPARK_CELLS = 72
_LABEL_CELLS = 10

COLUMNS = (
    Column("book", "book", min_width=10, max_width=60, flex=1),
    Column("writer", "writer", min_width=7, max_width=9),
    Column("seq", "last seq", align="right", min_width=8, max_width=14),
    Column("rate", "events/s", align="right", min_width=8, max_width=10),
    Column("size", "on disk", align="right", min_width=7, max_width=9),
    Column("segments", "segs", align="right", min_width=4, max_width=6, drop=2),
    Column("snapshots", "snaps", align="right", min_width=5, max_width=6, drop=3),
    Column("runs", "runs", align="right", min_width=4, max_width=5, drop=5),
    Column("queued", "queue", align="right", min_width=5, max_width=7, drop=6),
    Column("batch", "batch", align="right", min_width=5, max_width=7, drop=7),
    Column("sync", "sync", align="right", min_width=7, max_width=8, drop=4),
)


class OnDisk(Protocol):
    """What a store that keeps files offers beyond `Store`."""

    async def snapshot_now(self, book: str) -> None: ...

    async def verify(
        self,
        book: str,
        against: tuple[int, str] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None: ...


class Copyable(Protocol):
    """What a store that can be copied while it is in use offers."""

    async def backup(
        self, target: str | Path, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]: ...


@dataclass
class History:
    """Figures of one book over the time that the screen has been looked at."""

    meter: RateMeter = field(default_factory=lambda: RateMeter(1.0, SAMPLES_KEPT))
    sync_micros: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    batch_size: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    queued: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))

    def take(self, now: float, info: BookInfo) -> None:
        self.meter.observe(now, info.last_seq)
        self.sync_micros.append(info.sync_micros)
        self.batch_size.append(info.batch_size)
        self.queued.append(info.queued)


@dataclass
class Verification:
    """One book being read again; `seq` of `last_seq` are done."""

    book: str
    began: float
    seq: int = 0
    last_seq: int = 0

    def told(self, book: str, seq: int, last_seq: int) -> None:
        self.seq, self.last_seq = seq, last_seq

    def text(self, now: float) -> str:
        """`verifying payments ███░░ 60 %  600,000 of 1,000,000  812,000/s  1 s left  x cancels`."""
        took = max(0.001, now - self.began)
        done = f"{format_count(self.seq)} of {format_count(self.last_seq)}  {format_rate(self.seq / took)}"
        return _progress_text(f"verifying {printable(self.book, 40)}", self.seq, self.last_seq, done, took)


@dataclass
class Copying:
    """The ledger being copied to `target`; `done` of `total` bytes are there."""

    target: Path
    began: float
    done: int = 0
    total: int = 0

    def told(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def text(self, now: float) -> str:
        """`copying ███░░ 60 %  1.2 GB of 2.0 GB  210 MB/s  4 s left  x cancels`."""
        took = max(0.001, now - self.began)
        rate = format_bytes(int(self.done / took))
        done = f"{format_bytes(self.done)} of {format_bytes(self.total)}  {rate}/s"
        return _progress_text("copying", self.done, self.total, done, took)


def _progress_text(what: str, done: int, total: int, told: str, took: float) -> str:
    share = done / total if total else 0.0
    filled = int(share * _BAR_CELLS)
    bar = "█" * filled + "░" * (_BAR_CELLS - filled)
    left = f"  {format_duration(took / share - took)} left" if share else ""
    return f"{what}  {bar} {int(share * 100):3d} %  {told}{left}  x cancels"


class StorageScreen(TaleaScreen):
    SCOPE = "storage"
    BINDINGS = bindings_for("storage")
    TITLE = "Storage"
    AUTO_FOCUS = "#stores"

    def __init__(self) -> None:
        super().__init__()
        self.table = VirtualTable(COLUMNS, id="stores", empty="No book has been written yet.", follow=False)
        self.heading = PaneTitle(id="store-title")
        self.detail = Static(id="store-detail", markup=False)
        self.work = Static(id="store-work", markup=False)
        self.infos: list[BookInfo] = []
        self.verification: Verification | None = None
        self.copying: Copying | None = None
        self._histories: dict[str, History] = {}
        self._results: dict[str, str] = {}
        self._work = ""

    def compose_body(self) -> ComposeResult:
        with Container(id="storage"):
            yield self.table
            yield self.heading
            with VerticalScroll(id="store-detail-pane", can_focus=False):
                yield self.detail
        yield self.work

    def on_mount(self) -> None:
        self.work.display = False
        self._sampling = self.set_interval(SAMPLE_SECONDS, self.sample)
        self._painting = self.set_interval(PROGRESS_SECONDS, self._show_work, pause=True)

    def on_screen_suspend(self, event: events.ScreenSuspend) -> None:
        self._sampling.pause()
        self._painting.pause()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        super().on_screen_resume(event)
        self._sampling.resume()
        if self._under_way is not None:
            self._painting.resume()

    @property
    def current(self) -> BookInfo | None:
        """The book under the cursor."""
        row = self.table.cursor
        return self.infos[row] if 0 <= row < len(self.infos) else None

    # Data

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        if changed is None or not self.infos:
            await self.sample()

    async def sample(self) -> None:
        """Take every book's figures now."""
        if not self.app.is_open or not self.is_seen:
            return
        try:
            infos = await self.app.store.books()
            system = await self.app.store.book(SYSTEM_BOOK)
        except StoreError as error:
            self._say(f"The figures cannot be read: {error}")
            return
        first = not self.infos
        self.infos = infos + ([system] if system is not None else [])
        now = asyncio.get_running_loop().time()
        for info in self.infos:
            self._histories.setdefault(info.name, History()).take(now, info)
        names = [info.name for info in self.infos]
        cursor = names.index(self.app.book) if first and self.app.book in names else None
        self.table.export_name = "storage"
        self.table.set_rows([self._row(info) for info in self.infos], cursor=cursor)
        self._show_detail()

    def _row(self, info: BookInfo) -> Row:
        history = self._histories[info.name]
        beside = [format_count(count) for count in (info.snapshots, info.runs, info.queued)]
        return [
            Cell(printable(info.name, 200), "", info.name),
            Cell(info.writer, "" if info.writer == "running" else "warning"),
            Cell(format_count(info.last_seq), "", str(info.last_seq)),
            format_rate(history.meter.per_second()).removesuffix("/s"),
            Cell(format_bytes(info.bytes_on_disk), "", str(info.bytes_on_disk)),
            format_count(info.segments),
            *(["–"] * len(beside) if self.app.is_followed else beside),
            f"{info.batch_size:,.0f}" if info.batch_size else "–",
            format_micros(info.sync_micros) if info.sync_micros else "–",
        ]

    @on(VirtualTable.Highlighted, "#stores")
    def another_book(self) -> None:
        self._show_detail()

    @on(VirtualTable.Opened, "#stores")
    async def open_tail(self) -> None:
        info = self.current
        if info is not None and info.name != SYSTEM_BOOK:
            self.app.choose_book(info.name)
            await self.app.go("tail")

    # What is told of one book

    def _show_detail(self) -> None:
        info = self.current
        if info is None:
            self.detail.update("")
            return
        self.heading.show(
            info.name,
            f"{format_count(info.accounts)} accounts · {format_count(info.transactions)} transactions",
        )
        history = self._histories[info.name]
        cells = max(10, min(_SPARK_CELLS, self.detail.size.width - _LABEL_CELLS - 16))
        lines: list[tuple[str, str, str]] = [
            ("commits", sparkline(history.meter.counts(cells)), format_rate(history.meter.per_second())),
        ]
        if not self.app.is_followed:
            lines += self._writer_lines(info, cells)
        parts: list[tuple[str, str] | str] = []
        for label, bars, value in lines:
            parts += [(f"{label:<{_LABEL_CELLS}}", "$dim"), (bars, "$accent"), f"  {value}\n"]
        for label, value in self._facts(info):
            parts += [(f"{label:<{_LABEL_CELLS}}", "$dim"), f"{value}\n"]
        self.detail.update(Content.assemble(*parts))

    def _writer_lines(self, info: BookInfo, cells: int) -> list[tuple[str, str, str]]:
        history = self._histories[info.name]
        sync = format_micros(info.sync_micros) if info.sync_micros else "none yet"
        return [
            ("sync", _recent(history.sync_micros, cells), sync),
            ("batch", _recent(history.batch_size, cells), f"{info.batch_size:,.1f} events"),
            ("queue", _recent(history.queued, cells), format_count(info.queued)),
        ]

    def _facts(self, info: BookInfo) -> list[tuple[str, str]]:
        writer = info.writer
        files = [_counted(info.segments, "segment")]
        if self.app.is_followed:
            elsewhere = f"process {self.app.writer}" if self.app.writer is not None else "nobody now"
            writer = elsewhere if info.error is None else writer
        else:
            files += [_counted(info.snapshots, "snapshot"), _counted(info.runs, "key run")]
        if info.error is not None:
            writer = f"{writer}: {printable(info.error, 1_000)}"
        facts = [
            ("writer", writer),
            ("head", f"seq {format_count(info.head[0])}  {info.head[1]}"),
            ("on disk", f"{format_bytes(info.bytes_on_disk)} in {', '.join(files)}"),
        ]
        if info.last_at is not None:
            facts.append(("last", format_age(info.last_at, self.app.now())))
        if result := self._results.get(info.name):
            facts.append(("checked", result))
        facts += [
            ("repaired" if not number else "", printable(repair, 1_000))
            for number, repair in enumerate(info.repairs)
        ]
        if not info.repairs and not self.app.is_followed:
            facts.append(("repaired", "nothing; the log was whole when it was opened"))
        return facts

    # Work

    def _say(self, text: str) -> None:
        self._work = text
        self._show_work()

    def _show_work(self) -> None:
        text = self._work
        if self._under_way is not None:
            text = self._under_way.text(asyncio.get_running_loop().time())
        self.work.display = bool(text)
        self.work.update(Content(printable(text, 1_000)))

    @property
    def _under_way(self) -> Verification | Copying | None:
        return self.verification or self.copying

    def _is_busy(self) -> bool:
        """Whether something is under way already; the user has been told then."""
        if self.verification is not None:
            self.app.tell(f"{self.verification.book} is being verified; x cancels that.")
        elif self.copying is not None:
            self.app.tell(f"A backup to {self.copying.target} is under way; x cancels that.")
        return self._under_way is not None

    def _on_disk(self) -> OnDisk | None:
        if self.app.is_followed:
            self.app.refuse(
                "This ledger is only followed here; snapshots and proofs are for where it is open."
            )
            return None
        if hasattr(self.app.store, "verify") and hasattr(self.app.store, "snapshot_now"):
            return cast(OnDisk, self.app.store)
        self.app.refuse("This ledger is not kept in files, so there is nothing to prove or to snapshot.")
        return None

    def action_snapshot(self) -> None:
        info, store = self.current, self._on_disk()
        if info is not None and store is not None:
            self.run_worker(self._snapshot(store, info), group="snapshot")

    async def _snapshot(self, store: OnDisk, info: BookInfo) -> None:
        self._say(f"Writing a snapshot of {info.name}…")
        began = asyncio.get_running_loop().time()
        try:
            await store.snapshot_now(info.name)
        except StoreError as error:
            self.app.refuse(error)
            self._say(f"✗ No snapshot of {info.name}: {error}")
            return
        took = asyncio.get_running_loop().time() - began
        self._say(
            f"✓ Snapshot of {info.name} covers at least seq {format_count(info.last_seq)}, "
            f"written in {format_micros(took * 1e6)}"
        )
        await self.sample()

    def action_verify(self) -> None:
        info = self.current
        if info is not None:
            self._verify_books([info])

    def action_verify_all(self) -> None:
        self._verify_books(list(self.infos))

    def _verify_books(self, infos: list[BookInfo]) -> None:
        store = self._on_disk()
        if store is None:
            return
        if self._is_busy():
            return
        self.run_worker(self._verify(store, infos), group="verify")

    async def _verify(self, store: OnDisk, infos: list[BookInfo]) -> None:
        loop = asyncio.get_running_loop()
        said: list[str] = []
        self._painting.resume()
        try:
            for info in infos:
                began = loop.time()
                running = self.verification = Verification(info.name, began, last_seq=info.last_seq)
                self._show_work()
                try:
                    await store.verify(info.name, progress=running.told)
                except StoreError as error:
                    self.app.refuse(error)
                    self._results[info.name] = f"✗ {printable(str(error), 500)}"
                else:
                    self._results[info.name] = (
                        f"✓ {_counted(max(running.seq, info.last_seq), 'event')} read again and proven "
                        f"in {format_micros((loop.time() - began) * 1e6)}"
                    )
                said.append(f"{info.name}: {self._results[info.name]}")
        except asyncio.CancelledError:
            stopped = self.verification
            if stopped is not None:
                said.append(
                    f"{stopped.book}: cancelled at seq {format_count(stopped.seq)}, nothing was changed"
                )
            raise
        finally:
            self.verification = None
            if self.is_mounted:
                self._painting.pause()
                self._say("   ".join(said[-3:]))
                self._show_detail()
        await self.sample()

    def action_backup(self) -> None:
        if not hasattr(self.app.store, "backup"):
            self.app.refuse("This ledger is not kept in files, so there is nothing to copy.")
        elif not self._is_busy():
            self.run_worker(self._backup(cast(Copyable, self.app.store)), group="backup")

    async def _backup(self, store: Copyable) -> None:
        target = await self._ask_target()
        if target is None or self._is_busy():
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        running = self.copying = Copying(target, began)
        self._painting.resume()
        said = ""
        try:
            manifest = await store.backup(target, running.told)
        except StoreError as error:
            self.app.refuse(error)
            said = f"✗ No backup: {error}"
        except asyncio.CancelledError:
            said = f"The backup was cancelled; {target} is not whole, and has no manifest"
            raise
        else:
            said = (
                f"✓ {_counted(len(manifest['books']), 'book')}, {format_bytes(manifest['bytes'])} "
                f"copied to {target} in {format_micros((loop.time() - began) * 1e6)}"
            )
        finally:
            self.copying = None
            if self.is_mounted:
                self._painting.pause()
                self._say(said)

    async def _ask_target(self) -> Path | None:
        """A directory that is not there or empty; None when there is to be no backup."""

        def check(answer: str) -> str | None:
            path = Path(answer).expanduser()
            if not answer.strip() or (path.exists() and not path.is_dir()):
                return "Name a directory."
            if path.exists() and any(path.iterdir()):
                return f"{path} is not empty; name a new directory."
            return None

        ledger = (self.app.directory or Path("talea")).expanduser().absolute()
        day = self.app.now().astimezone(self.app.zone).strftime("%Y-%m-%d")
        answer = await self.app.push_screen_wait(
            Ask(
                "Copy the ledger to a new directory",
                hint="Posting goes on meanwhile; the copy opens like any ledger.",
                value=str(ledger.with_name(f"{ledger.name}-backup-{day}")),
                check=check,
            )
        )
        return None if answer is None else Path(answer).expanduser().absolute()  # noqa: ASYNC240

    def action_cancel_work(self) -> None:
        if self._under_way is None:
            self.app.tell("Nothing is under way.")
        else:
            self.workers.cancel_group(self, "verify" if self.verification is not None else "backup")

    def action_copy_head(self) -> None:
        info = self.current
        if info is not None:
            self.app.copy(f"{info.head[0]} {info.head[1]}", "head")


def _recent(values: deque[float], cells: int) -> str:
    return sparkline(list(values)[-cells:], cells)


def _counted(count: int, noun: str) -> str:
    return f"{format_count(count)} {noun}" if count == 1 else f"{format_count(count)} {noun}s"
