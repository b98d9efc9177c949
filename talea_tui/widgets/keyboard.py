"""Keys one after the other: what is typed ahead goes to what the key before it opened.

Textual hands all keys that have come to the widget that has the focus by then. Sent in one burst, as over a slow
line or by a paste without brackets, the letters after the key that opens a field would be keys to the widget
that was left, and so commands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker

from ..formatting import pasted_line

Typed: TypeAlias = events.Key | events.Paste

SECONDS_MAX = 1.0
"""What a key began keeps the keys after it back no longer than this."""
LEAVING = frozenset({"ctrl+c", "ctrl+q"})
"""These wait for nothing."""
_LOOK_SECONDS = 0.01


class Keyboard:
    """Holds keys and pastes back until what the one before them began has come to rest. Loses none."""

    def __init__(self, app: App[Any], deliver: Callable[[Typed], Awaitable[None]]) -> None:
        self._app, self._deliver = app, deliver
        self._held: deque[Typed] = deque()
        self._settling: asyncio.Task[None] | None = None
        self.patient = False
        """Whether keys wait for as long as what the one before them began takes."""

    async def take(self, typed: Typed) -> None:
        """Deliver this, now or in its turn; a paste as one line, as every field is."""
        if isinstance(typed, events.Paste):
            typed = events.Paste(pasted_line(typed.text))
        elif typed.key in LEAVING:
            await self._deliver(typed)
            return
        if self._settling is None:
            await self._hand_on(typed)
        else:
            self._held.append(typed)

    async def rest(self) -> None:
        """Until every key taken is delivered, and what it began has come to rest."""
        while self._settling is not None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Deliver no more."""
        self._held.clear()
        if self._settling is not None:
            self._settling.cancel()

    async def _hand_on(self, typed: Typed) -> None:
        screen, focused, questions = self._app.screen, self._app.focused, self._questions()
        way = (focused or screen).ancestors_with_self
        await self._deliver(typed)
        if isinstance(focused, Input) and isinstance(typed, events.Key) and (typed.character or "").isalnum():
            self._go_on()  # a letter in a field opens nothing
            return
        self._settling = asyncio.create_task(self._settle(way, screen, questions), name="talea-keyboard")

    async def _settle(self, way: list[Any], screen: Screen[Any], questions: set[Worker[Any]]) -> None:
        try:
            async with asyncio.timeout(None if self.patient else SECONDS_MAX):
                # the key goes up to the application, which acts on it; what that sends goes up once more
                for pump in way * 2:
                    await turn(pump)
                while self._app.screen is screen and self._is_asking(questions):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)
                # a new screen takes the focus once it is composed, or asks the application to give it
                for pump in (self._app, self._app.screen, self._app):
                    await turn(pump)
        except TimeoutError:
            pass  # whatever takes so long is not what one types into
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if not self._held or not self._app.call_later(self._hand_on, self._held.popleft()):
            self._settling = None

    def _questions(self) -> set[Worker[Any]]:
        return {worker for worker in self._app.workers if worker.group == "question"}

    def _is_asking(self, before: set[Worker[Any]]) -> bool:
        """Whether a question is being prepared that was not there before."""
        return any(not worker.is_finished for worker in self._questions() - before)


async def turn(pump: MessagePump) -> None:
    """Until `pump` has dealt with everything it was sent, or is gone."""
    done = asyncio.get_running_loop().create_future()
    if pump.call_later(_finish, done):
        while not done.done():
            await asyncio.wait([done], timeout=_LOOK_SECONDS)
            if not pump.is_running:
                return


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
