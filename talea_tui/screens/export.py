"""Taking what is shown elsewhere: to a file, whole or not at all, or an event to the clipboard."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from store import StoreError

from ..events.jsonl import event_json
from ..events.text import BookEvent
from ..formatting import plural, printable
from ..json_text import TooManyDigits
from ..paths import working_directory
from ..widgets.shell import Shell
from ..widgets.virtual_table import VirtualTable, value_of
from ..widgets.work import Work
from .ask import Ask, ask_path

ROWS_AT_A_TIME = 500

Told: TypeAlias = Callable[[int], object]
"""Called with how many rows or events are written, again and again."""


def file_name(name: str) -> str:
    """A file name that says what is in it, whatever accounts and books are called."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:100] or "talea"


async def ask_export(app: Shell, table: VirtualTable) -> None:
    """Ask where to, and begin to write there."""
    default = working_directory() / f"{file_name(table.export_name)}.csv"
    path = await _ask_path(app, "Export what is shown to a CSV file", plural(table.count, "row"), default)
    if path is not None:
        _write_behind(app, path, table.count, lambda told: export(table, path, told), "row")


async def ask_lines_export(
    app: Shell, name: str, count: int, lines: Callable[[], AsyncIterator[list[str]]]
) -> None:
    """Ask where to, and begin to write there a line for each of `count` events; `lines` gives some at a time."""
    default = working_directory() / f"{file_name(name)}.jsonl"
    hint = plural(count, "event")
    path = await _ask_path(app, "Export what is shown as JSON lines", hint, default)
    if path is None:
        return

    async def pieces() -> AsyncIterator[tuple[str, int]]:
        async for some in lines():
            yield "".join(f"{line}\n" for line in some), len(some)

    _write_behind(app, path, count, lambda told: write_whole(path, pieces(), told), "event")


def _write_behind(
    app: Shell, path: Path, count: int, writing: Callable[[Told], Awaitable[int]], what: str
) -> None:
    """Write while one goes on, with another question or on another screen, and tell how it ended."""

    async def write(work: Work) -> None:
        try:
            written = await writing(lambda done: work.told(done, count))
        except (OSError, StoreError, TooManyDigits) as error:
            app.refuse(f"Nothing was exported to {path}: {error}")
        except asyncio.CancelledError:
            if work.cancelled:
                app.tell_done(f"Cancelled: nothing was exported to {path}")
            raise
        else:
            app.tell_done(f"Exported {plural(written, what)} to {path}")

    app.under_way.begin(f"exporting {printable(path.name, 40)}", count, write)


def copy_event(app: Shell, event: BookEvent) -> None:
    """Put an event on the clipboard as JSON, or say why not."""
    try:
        text = event_json(*event, app.precision)
    except TooManyDigits as error:
        app.refuse(str(error))
    else:
        app.copy(text, "event")


async def _ask_path(app: Shell, question: str, hint: str, default: Path) -> Path | None:
    """A file to write to, which may be replaced; None when there is to be none."""

    def check(path: Path) -> str | None:
        if path.is_dir():
            return "Name a file, not a directory."
        if not path.parent.is_dir():
            return f"There is no directory {path.parent}."
        return None

    path = await ask_path(app, question, hint=hint, value=default, check=check)
    if path is not None and path.exists():
        again = await app.push_screen_wait(
            Ask(
                f"{path.name} exists",
                hint=app.with_keys("Type yes to replace it; {dialog.cancel} leaves it as it is."),
                does="replace it",
                check=lambda answer: _check_yes(app, answer),
            )
        )
        if again is None:
            return None
    return path


def _check_yes(app: Shell, answer: str) -> str | None:
    if answer.strip().lower() in ("y", "yes"):
        return None
    return app.with_keys("Type yes, or press {dialog.cancel}.")


def export(table: VirtualTable, path: Path, told: Told) -> Awaitable[int]:
    """Write every row that `table` shows now to `path` in one step; the number of rows. Cancelled, it leaves no
    file behind.
    """
    source, columns, count = table.source, table.columns, table.count

    async def pieces() -> AsyncIterator[tuple[str, int]]:
        yield _csv([[column.title or column.id for column in columns]]), 0
        written = 0
        while written < count:
            rows = await source.fetch(written, min(ROWS_AT_A_TIME, count - written))
            if not rows:
                break
            yield _csv([[value_of(cell) for cell in row] for row in rows]), len(rows)
            written += len(rows)

    return write_whole(path, pieces(), told)


async def write_whole(path: Path, pieces: AsyncIterator[tuple[str, int]], told: Told) -> int:
    """Write pieces of text to `path`, all or nothing; the sum of what they count for."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        written = 0
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            async for text, count in pieces:
                await asyncio.to_thread(file.write, text)
                written += count
                told(written)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        os.replace(temporary, path)
        temporary = ""
        return written
    finally:
        if temporary:
            os.unlink(temporary)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
