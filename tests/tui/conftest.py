"""What the tests of the screens share: the real application over a store, driven by the pilot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from textual.app import App
from textual.pilot import Pilot

from talea_tui.app import TaleaApp
from talea_tui.settings import Settings
from tests.support.build import BOOK

if TYPE_CHECKING:
    from store import Store

OpenApp: TypeAlias = "Callable[..., AbstractAsyncContextManager[Pilot[int]]]"


@asynccontextmanager
async def open_app_on(
    store: Store,
    size: tuple[int, int] = (80, 24),
    settings: Settings | None = None,
    zone: tzinfo = UTC,
    clock: Callable[[], datetime] = lambda: datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC),
    **options: Any,
) -> AsyncIterator[Pilot[int]]:
    app = TaleaApp(
        store=store,
        settings=settings,
        clock=clock,
        zone=zone,
        **options,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        yield pilot


async def settle(pilot: Pilot[int]) -> None:
    """Wait until nothing is being fetched and everything is drawn."""
    for _ in range(5):
        await pilot.pause()
        for worker in list(pilot.app.workers):
            if worker.group in ("refresh", "rows", "open", "submit") and worker.is_running:
                await worker.wait()
    await pilot.pause()


async def keys(pilot: Pilot[int], *pressed: str) -> None:
    """Press keys, each once what the one before it began has come to rest."""
    for key in pressed:
        await pilot.press(key)
        await settle(pilot)


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Wait until something holds on the screen; what never does fails."""
    for _ in range(500):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(screen_text(pilot.app))


def screen_text(app: App[int]) -> str:
    """What the terminal shows, as lines of text."""
    height = app.size.height
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines[:height])


@pytest.fixture
def open_app() -> OpenApp:
    """`async with open_app(store, size=(80, 24)) as pilot`: the application over a store, ready."""
    return open_app_on


@asynccontextmanager
async def app_on_directory(
    directory: Path, book: str = BOOK, *, follow: bool = False, screen: str = "books"
) -> AsyncIterator[Pilot[int]]:
    """The application on the ledger at a directory, on one of its screens."""
    app = TaleaApp(
        directory,
        follow=follow,
        settings=Settings(screen=screen, book=book),
        clock=lambda: datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC),
        zone=UTC,
    )
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await settle(pilot)
        yield pilot


async def shows(pilot: Pilot[int], *said: str) -> None:
    """Wait until all of this can be read on the screen, spaces aside."""
    await until(pilot, lambda: all(one in " ".join(screen_text(pilot.app).split()) for one in said))
