"""The engine room: what each book keeps on disk, how its writer fares, and the proofs one can ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from store import SYSTEM_BOOK, BookInfo, StoreError

from ..events.rate import RateMeter
from ..formatting import (
    format_age,
    format_bytes,
    format_count,
    format_micros,
    format_rate,
    plural,
    printable,
    sparkline,
)
from ..paths import working_directory
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import READING_WIDTH, Cell, Column, Row, VirtualTable
from ..widgets.work import Work
from .ask import ask_path
from .base import TaleaScreen

Doing: TypeAlias = Callable[[Work], Awaitable[str]]
"""Long work: told where to note how far it is; what it came to, in a sentence."""
Progress: TypeAlias = Callable[[str, int, int], None]

SAMPLE_SECONDS = 0.5
PROGRESS_SECONDS = 0.1
SAMPLES_KEPT = 240
RESULTS_TOLD = 3
"""Of so many sound books each is told in the bottom line; of more, their number."""
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

    async def snapshot_now(self, book: str, progress: Progress | None = None) -> None: ...

    async def verify(
        self, book: str, against: tuple[int, str] | None = None, progress: Progress | None = None
    ) -> None: ...


class Copyable(Protocol):
    """What a store that can be copied while it is in use offers."""

    async def backup(
        self, target: str | Path, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]: ...


class GivenUp(Exception):
    """The user cancelled; raised where the work tells how far it is."""


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


class StorageScreen(TaleaScreen):
    BINDINGS = bindings_for("storage")
    TITLE = "Storage"
    AUTO_FOCUS = "#stores"

    def __init__(self) -> None:
        super().__init__()
        self.table = VirtualTable(
            COLUMNS,
            id="stores",
            empty="No book has been written yet.",
            follow=False,
            opens=self._has_tail,
            reading_width=READING_WIDTH,
        )
        self.heading = PaneTitle(id="store-title")
        self.detail = Static(id="store-detail", markup=False)
        self.work = Static(id="store-work", markup=False)
        self.infos: list[BookInfo] = []
        self.under_way: Work | None = None
        self._histories: dict[str, History] = {}
        self._results: dict[str, str] = {}
        self._said = ""

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
        self._sampling.resume()
        if self.under_way is not None:
            self._painting.resume()

    async def arrive(self, reopen: str | None = None, **arrival: Any) -> None:
        """Show the books; `reopen` names one that is to be brought back."""
        if reopen is None:
            return
        await self.sample()
        names = [info.name for info in self.infos]
        if reopen in names:
            self.table.move_to(names.index(reopen))
            self.action_reopen()

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
        start: Row = [
            Cell(printable(info.name, 200), "", info.name),
            Cell(self.app.writer_of(info), "" if info.writer == "running" else "warning"),
        ]
        if info.is_unread:
            return [*start, *([Cell("–", "dim", "")] * (len(COLUMNS) - len(start)))]
        return [
            *start,
            Cell(format_count(info.last_seq), "", str(info.last_seq)),
            format_rate(history.meter.per_second()).removesuffix("/s"),
            Cell(format_bytes(info.bytes_on_disk), "", str(info.bytes_on_disk)),
            format_count(info.segments),
            format_count(info.snapshots),
            format_count(info.runs),
            "–" if self.app.is_followed else format_count(info.queued),
            f"{info.batch_size:,.0f}" if info.batch_size else "–",
            format_micros(info.sync_micros) if info.sync_micros else "–",
        ]

    @on(VirtualTable.Highlighted, "#stores")
    def another_book(self) -> None:
        self._show_detail()

    def _has_tail(self, row: int) -> bool:
        return row < len(self.infos) and self.infos[row].name != SYSTEM_BOOK

    @on(VirtualTable.Opened, "#stores")
    async def open_tail(self) -> None:
        info = self.current
        if info is not None and info.name != SYSTEM_BOOK:
            self.app.choose_book(info.name)
            await self.app.go("tail")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        info = self.current
        if action == "reopen":
            acts = info is not None and info.writer != "running"
        else:
            acts = info is not None or action not in ("snapshot", "verify", "verify_all", "copy_head")
        return acts and super().check_action(action, parameters)

    # What is told of one book

    def _show_detail(self) -> None:
        info = self.current
        self.refresh_bindings()
        if info is None:
            self.detail.update("")
            return
        if info.is_unread:
            self.heading.show(info.name, "not read")
            self.detail.update(_facts_content(self._state_facts(info)))
            return
        figures = [plural(info.accounts, "account"), plural(info.transactions, "transaction")]
        if self.app.instant is not None:
            figures.insert(0, "as it is now")
        self.heading.show(info.name, " · ".join(figures))
        history = self._histories[info.name]
        cells = max(10, min(_SPARK_CELLS, self.detail.size.width - _LABEL_CELLS - 16))
        lines: list[tuple[str, str, str]] = [
            (
                "commits",
                sparkline(history.meter.counts(cells), cells),
                format_rate(history.meter.per_second()),
            ),
        ]
        if not self.app.is_followed:
            lines += self._writer_lines(info, cells)
        parts: list[tuple[str, str] | str] = []
        for label, bars, value in lines:
            parts += [(f"{label:<{_LABEL_CELLS}}", "$dim"), (bars, "$accent"), f"  {value}\n"]
        self.detail.update(Content.assemble(*parts) + _facts_content(self._facts(info)))

    def _writer_lines(self, info: BookInfo, cells: int) -> list[tuple[str, str, str]]:
        history = self._histories[info.name]
        sync = format_micros(info.sync_micros) if info.sync_micros else "none yet"
        return [
            ("sync", sparkline(list(history.sync_micros), cells), sync),
            ("batch", sparkline(list(history.batch_size), cells), f"{info.batch_size:,.1f} events"),
            ("queue", sparkline(list(history.queued), cells), format_count(info.queued)),
        ]

    def _state_facts(self, info: BookInfo) -> list[tuple[str, str]]:
        writer = info.writer
        if info.error is not None:
            again = "" if self.app.is_followed else "; {storage.reopen} reopens it"
            if info.is_unread and again:
                again = "; {storage.reopen} reads it again once its files are restored"
            again = self.app.with_keys(again)
            return [("writer", f"■ {writer}{again}"), ("why", printable(info.error, 1_000))]
        if self.app.is_followed:
            writer = f"process {self.app.writer}" if self.app.writer is not None else "nobody now"
        behind = [("why", self.app.why_behind)] if self.app.why_behind is not None else []
        return [("writer", writer), *behind]

    def _facts(self, info: BookInfo) -> list[tuple[str, str]]:
        files = [
            plural(info.segments, "segment"),
            plural(info.snapshots, "snapshot"),
            plural(info.runs, "key run"),
        ]
        facts = self._state_facts(info)
        facts += [
            ("head", f"seq {format_count(info.head[0])}  {info.head[1]}"),
            ("on disk", f"{format_bytes(info.bytes_on_disk)} in {', '.join(files)}"),
        ]
        if info.last_at is not None:
            facts.append(("last", format_age(info.last_at, self.app.now())))
        facts += self._snapshot_facts(info)
        if result := self._results.get(info.name):
            facts.append(("checked", result))
        facts += [
            ("repaired" if not number else "", printable(repair, 1_000))
            for number, repair in enumerate(info.repairs)
        ]
        if not info.repairs and not self.app.is_followed:
            facts.append(("repaired", "nothing; the log was whole when it was opened"))
        return facts

    def _snapshot_facts(self, info: BookInfo) -> list[tuple[str, str]]:
        """A line a snapshot, the newest first."""
        lines = []
        for file in reversed(info.snapshot_files):
            since = max(0, info.last_seq - file.last_seq)
            lines.append(
                f"seq {format_count(file.last_seq)}  {format_age(file.written_at, self.app.now())}  "
                f"{format_bytes(file.bytes)}  "
                + (f"{plural(since, 'event')} since" if since else "nothing since")
            )
        return [("snapshots" if not number else "", line) for number, line in enumerate(lines)]

    # Work

    def _say(self, text: str) -> None:
        self._said = text
        self._show_work()

    def _show_work(self) -> None:
        text = self._said
        if self.under_way is not None:
            hint = self.app.with_keys("  {storage.cancel} cancels")
            room = self.size.width - 2 - len(hint)
            text = self.under_way.text(asyncio.get_running_loop().time(), room) + hint
        self.work.display = bool(text)
        self.work.update(Content(printable(text, 1_000)))

    def _is_busy(self) -> bool:
        """Whether something is under way already; the user has been told then."""
        if self.under_way is not None:
            what = self.under_way.what
            cancels = self.app.with_keys("{storage.cancel} cancels that.")
            self.app.tell(f"{what[0].upper()}{what[1:]} is under way; {cancels}")
        return self.under_way is not None

    def _begin(self, work: Work, doing: Doing, given_up: Callable[[Work], str]) -> None:
        """Do something long; its outcome, or what is said when it was cancelled, stays in the bottom line."""
        self.under_way = work
        self._painting.resume()
        self._show_work()
        self.run_worker(self._do(work, doing, given_up), group="work")

    async def _do(self, work: Work, doing: Doing, given_up: Callable[[Work], str]) -> None:
        said = ""
        try:
            said = await doing(work)
        except StoreError as error:
            if not self.is_seen:  # else it is told, and stays, in the bottom line
                self.app.refuse(error)
            said = f"✗ {error}"
        except GivenUp:
            said = given_up(work)
        except asyncio.CancelledError:
            said = given_up(work)
            raise
        finally:
            self.under_way = None
            if self.is_mounted:
                self._painting.pause()
                self._say(said)
                self._show_detail()
        await self.sample()

    @staticmethod
    def _work(what: str, total: int = 0, **traits: bool) -> Work:
        return Work(what, asyncio.get_running_loop().time(), total, **traits)

    def _took(self, work: Work) -> str:
        return format_micros((asyncio.get_running_loop().time() - work.began) * 1e6)

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
        if info is None or store is None or not self.app.may_write("") or self._is_busy():
            return
        name, last_seq = info.name, info.last_seq

        async def doing(work: Work) -> str:
            def told(book: str, seq: int, last: int) -> None:
                work.told(seq, last)
                if work.cancelled:
                    raise GivenUp

            await store.snapshot_now(name, told)
            return (
                f"✓ Snapshot of {name} covers at least seq {format_count(last_seq)}, "
                f"written in {self._took(work)}"
            )

        self._begin(
            self._work(f"snapshot of {printable(name, 40)}", last_seq, heeds=True),
            doing,
            lambda work: f"The snapshot of {name} was cancelled; nothing of it stays",
        )

    def action_reopen(self) -> None:
        info = self.current
        if info is None or info.writer == "running" or self._is_busy():
            return
        if self.app.is_followed:
            self.app.refuse("This ledger is only followed here; reopen the book where it is open.")
            return
        if not self.app.may_write(""):
            return
        name = info.name

        async def doing(work: Work) -> str:
            await self.app.store.reopen(name, lambda book, seq, last: work.told(seq, last))
            self._results.pop(name, None)  # it is about what the files held before
            found = await self.app.store.book(name)
            if found is None:
                return f"✓ {name} is open again; it is empty"
            mended = f"; {'; '.join(found.repairs)}" if found.repairs else ""
            return (
                f"✓ {name} takes postings again; everything up to seq {format_count(found.last_seq)} "
                f"was there{mended}"
            )

        self._begin(
            self._work(f"reopening {printable(name, 40)}", info.last_seq),
            doing,
            lambda work: f"{name} was not reopened; it stays read only",
        )

    def action_verify(self) -> None:
        info = self.current
        if info is not None:
            self._verify_books([info])

    def action_verify_all(self) -> None:
        self._verify_books(list(self.infos))

    def _verify_books(self, infos: list[BookInfo]) -> None:
        store = self._on_disk()
        if not infos or store is None or self._is_busy():
            return
        checked: list[str] = []

        async def doing(work: Work) -> str:
            for info in infos:
                work.what, work.began = self._verifying(info), asyncio.get_running_loop().time()
                work.told(0, info.last_seq)
                try:
                    await store.verify(info.name, progress=lambda book, seq, last: work.told(seq, last))
                except StoreError as error:
                    self.app.refuse(error)
                    self._results[info.name] = f"✗ {printable(str(error), 500)}"
                else:
                    events = plural(max(work.done, info.last_seq), "event")
                    self._results[info.name] = f"✓ {events} read again and proven in {self._took(work)}"
                checked.append(info.name)
            return self._results_of(checked)

        def given_up(work: Work) -> str:
            told = f"{work.what}: cancelled at seq {format_count(work.done)}, nothing was changed"
            return "   ".join(filter(None, (self._results_of(checked), told)))

        self._begin(self._work(self._verifying(infos[0]), infos[0].last_seq), doing, given_up)

    def _results_of(self, names: list[str]) -> str:
        """What checking these books came to: every failure, and first; of the others as much as there is room for."""
        failed = [name for name in names if self._results[name].startswith("✗")]
        sound = [name for name in names if name not in failed]
        told = [f"{name}: {self._results[name]}" for name in failed]
        if len(failed) > 1:
            told.insert(0, f"✗ {len(failed)} of {plural(len(names), 'book')} failed")
        if sound and (failed or len(sound) > RESULTS_TOLD):
            told.append(f"✓ {plural(len(sound), 'book')} read again and proven")
        else:
            told += [f"{name}: {self._results[name]}" for name in sound]
        return "   ".join(told)

    @staticmethod
    def _verifying(info: BookInfo) -> str:
        return f"verifying {printable(info.name, 40)}"

    def action_backup(self) -> None:
        if not hasattr(self.app.store, "backup"):
            self.app.refuse("This ledger is not kept in files, so there is nothing to copy.")
        elif not self._is_busy():
            self.run_worker(self._backup(cast(Copyable, self.app.store)), group="question")

    async def _backup(self, store: Copyable) -> None:
        target = await self._ask_target()
        if target is None or self._is_busy():
            return

        async def doing(work: Work) -> str:
            manifest = await store.backup(target, work.told)
            return (
                f"✓ {plural(len(manifest['books']), 'book')}, {format_bytes(manifest['bytes'])} "
                f"copied to {target} in {self._took(work)}"
            )

        self._begin(
            self._work("copying", in_bytes=True),
            doing,
            lambda work: f"The backup was cancelled; nothing of it stays at {target}",
        )

    async def _ask_target(self) -> Path | None:
        """A directory that is not there or empty; None when there is to be no backup."""

        def check(path: Path) -> str | None:
            if path.exists() and not path.is_dir():
                return "Name a directory."
            if path.exists() and any(path.iterdir()):
                return f"{path} is not empty; name a new directory."
            return None

        ledger = self.app.directory or working_directory() / "talea"
        day = self.app.now().astimezone(self.app.zone).strftime("%Y-%m-%d")
        return await ask_path(
            self.app,
            "Copy the ledger to a new directory",
            hint="Posting goes on meanwhile; the copy opens like any ledger.",
            value=ledger.with_name(f"{ledger.name}-backup-{day}"),
            check=check,
        )

    def action_cancel_work(self) -> None:
        if self.under_way is None:
            self.app.tell("Nothing is under way.")
            return
        self.under_way.cancelled = True
        if not self.under_way.heeds:
            self.workers.cancel_group(self, "work")

    def action_copy_head(self) -> None:
        info = self.current
        if info is not None:
            self.app.copy(f"{info.head[0]} {info.head[1]}", "head")


def _facts_content(facts: list[tuple[str, str]]) -> Content:
    """A line a fact, after its label."""
    return Content("").join(
        Content.assemble((f"{label:<{_LABEL_CELLS}}", "$dim"), f"{value}\n") for label, value in facts
    )
