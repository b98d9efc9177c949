"""Makes the pilot wait no longer than there is something to wait for, and style sheets be parsed once per process.

Textual's pilot has every widget of the screen handle a message, and then looks for 20 ms whether the process computes.
A test of a screen does so hundreds of times, nearly always with an application that is at rest already. Whether it is
can be seen in its queues and in the loop: then the pilot goes on at once, and else it waits as it always does.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

import textual.app
import textual.pilot
from textual._wait import SLEEP_GRANULARITY, wait_for_idle
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.timer import Timer

from store.offload import _offloads

SOON_SECONDS = 0.15
"""A timer that is due within this is waited for as Textual does: as long as the pauses after a key take together."""

_calls: WeakSet[asyncio.Future[Any]] = WeakSet()
"""Those that were given to a thread pool."""
_parsed: dict[tuple[Any, ...], list[RuleSet]] = {}


def install() -> None:
    """For this process: once, before the first application begins."""
    textual.app.wait_for_idle = textual.pilot.wait_for_idle = _wait_for_idle  # type: ignore[attr-defined]
    Pilot._wait_for_screen = _wait_for_screen  # type: ignore[method-assign]
    Stylesheet._parse_rules = _parse_rules  # type: ignore[method-assign]
    asyncio.BaseEventLoop.run_in_executor = _run_in_executor  # type: ignore[method-assign]


_wait_for_widgets = Pilot._wait_for_screen
_parse_anew = Stylesheet._parse_rules
_run_in_thread = asyncio.BaseEventLoop.run_in_executor


async def _wait_for_idle(*args: float) -> None:
    for _ in range(3):
        wait = await _until_next()
        if wait is None:
            return
        if not 0 < wait < SLEEP_GRANULARITY:
            break
        await asyncio.sleep(wait)  # a screen that is to be drawn
    await wait_for_idle(*args)


async def _wait_for_screen(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    await asyncio.sleep(0)
    if pilot.app.screen_stack:
        pumps = (pilot.app, *pilot.app.screen.walk_children(with_self=True))
        if all(_waits_for_message(pump) for pump in pumps):
            return True
    return await _wait_for_widgets(pilot, timeout)


def _waits_for_message(pump: MessagePump) -> bool:
    """Whether it has handled all that it was sent: one that is in the middle of a message does not ask for the next."""
    queue = pump._message_queue
    return queue.empty() and bool(queue.ready_event._waiters)  # type: ignore[attr-defined]


async def _until_next() -> float | None:
    """In how many seconds the next timer is due; none if nothing can happen soon unless from outside the process.

    Zero while the process or one of its threads has something to do.
    """
    loop: Any = asyncio.get_running_loop()
    for _ in range(100):
        await asyncio.sleep(0)
        if not loop._ready:
            break
    else:
        return 0
    if any(offload.busy for offload in tuple(_offloads)) or any(not call.done() for call in tuple(_calls)):
        return 0
    now = loop.time()
    due = [
        handle.when() - now
        for handle in loop._scheduled
        if handle.when() <= now + SOON_SECONDS and not handle.cancelled() and not _is_paused(handle)
    ]
    return max(0.001, min(due)) if due else None


def _is_paused(handle: Any) -> bool:
    """Whether what this wakes is a timer of Textual's that is paused, and sleeps on."""
    for future in handle._args or ():
        for callback, _ in getattr(future, "_callbacks", None) or ():
            task = getattr(callback, "__self__", None)
            timer = _timer_of(task) if isinstance(task, asyncio.Task) else None
            if timer is not None and not timer._active.is_set():
                return True
    return False


def _timer_of(task: asyncio.Task[Any]) -> Timer | None:
    frame = getattr(task.get_coro(), "cr_frame", None)
    owner = frame.f_locals.get("self") if frame is not None else None
    return owner if isinstance(owner, Timer) else None


def _run_in_executor(loop: Any, *args: Any) -> Any:
    future = _run_in_thread(loop, *args)
    _calls.add(future)
    return future


def _parse_rules(sheet: Stylesheet, css: str, *args: Any, **options: Any) -> list[RuleSet]:
    key = (css, args, tuple(options.items()), tuple(sheet._variables.items()))
    rules = _parsed.get(key)
    if rules is None:
        rules = _parsed[key] = _parse_anew(sheet, css, *args, **options)
    return rules
