"""What goes on behind the screens, whichever is shown: told in a line on each of them, and cancelled from any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import Worker

from .work import Work

PROGRESS_SECONDS = 0.25
"""How often the line is drawn; what takes less than this is not told in one."""


class UnderWayLine(Static):
    """` exporting books.csv  ███░░  60 %  600,000 of 1,000,000  812,000/s  1 s left   X cancels`"""

    DEFAULT_CSS = "UnderWayLine { display: none; height: 1; width: 1fr; background: $boost; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__(markup=False)

    def say(self, text: str) -> None:
        """Empty text hides it."""
        self.update(Content(text))
        self.display = bool(text)


class UnderWay:
    """The work that was begun and has not ended, the newest last."""

    def __init__(self, app: App[int], hint: Callable[[], str]) -> None:
        """`hint` says which key cancels."""
        self._app, self._hint = app, hint
        self._works: list[tuple[Work, Worker[None]]] = []
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        return bool(self._works)

    def begin(self, what: str, total: int, doing: Callable[[Work], Awaitable[None]]) -> None:
        """Do something that takes long; `what` is printable text, `doing` notes in its argument how far it is."""
        work = Work(what, asyncio.get_running_loop().time(), total)
        self._works.append((work, self._app.run_worker(self._do(work, doing), group="under-way")))
        if self._timer is None:
            self._timer = self._app.set_interval(PROGRESS_SECONDS, self._show)

    async def _do(self, work: Work, doing: Callable[[Work], Awaitable[None]]) -> None:
        try:
            await doing(work)
        finally:
            self._works = [each for each in self._works if each[0] is not work]
            if not self._works and self._timer is not None:
                self._timer.stop()
                self._timer = None
            self._show()

    def cancel(self) -> None:
        """Cancel what was begun last."""
        work, worker = self._works[-1]
        work.cancelled = True
        worker.cancel()

    def _show(self) -> None:
        for screen in self._app.screen_stack:
            self.show_on(screen)

    def show_on(self, screen: Screen[Any]) -> None:
        """Tell it there, as far as it is."""
        for line in screen.query(UnderWayLine):
            line.say(self._text(line.app.size.width - 2))

    def _text(self, room: int) -> str:
        if not self._works:
            return ""
        end = f"  {self._hint()}"
        if len(self._works) > 1:
            end = f"  and {len(self._works) - 1} more{end}"
        return self._works[-1][0].text(asyncio.get_running_loop().time(), room - len(end)) + end
