"""Long computations on the loop, and blocking calls in threads, leave each other room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from store import offload
from store.offload import GIVE_WAY_SECONDS, Offload, Pace


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long computations rested."""
    taken: list[float] = []
    really = asyncio.sleep

    async def noted(seconds: float) -> None:
        taken.append(seconds)
        await really(0)

    monkeypatch.setattr(offload.asyncio, "sleep", noted)
    return taken


@pytest.fixture
async def threads() -> AsyncIterator[Offload]:
    opened = Offload(asyncio.get_running_loop(), 1, "test")
    yield opened
    opened.close()


async def test_a_computation_hardly_rests_while_nobody_else_works(
    threads: Offload, rests: list[float]
) -> None:
    await threads.run(lambda: None)
    await Pace().rest()
    assert rests == [0]


async def test_a_computation_makes_room_for_a_call_in_a_thread(threads: Offload, rests: list[float]) -> None:
    ended = threading.Event()
    call = threads.start(ended.wait)
    await Pace().rest()
    ended.set()
    await call
    assert rests == [GIVE_WAY_SECONDS]


async def test_a_closed_set_of_threads_asks_for_no_room(rests: list[float]) -> None:
    threads = Offload(asyncio.get_running_loop(), 1, "test")
    ended = threading.Event()
    threads.start(ended.wait)
    ended.set()
    threads.close()
    await Pace().rest()
    assert rests == [0]


async def test_another_loop_may_open_or_close_its_threads_while_a_computation_rests(
    rests: list[float],
) -> None:
    loop = asyncio.get_running_loop()

    class Interrupted(Offload):
        """Another thread gets the interpreter just when this one is looked at."""

        @property
        def busy(self) -> bool:
            Offload(loop, 1, "another").close()
            opened.append(Offload(loop, 1, "a third"))
            return False

    opened: list[Offload] = [Interrupted(loop, 1, "test"), Interrupted(loop, 1, "test")]
    await Pace().rest()
    assert rests == [0]
    for threads in opened:
        threads.close()


async def test_a_call_that_ends_while_the_loop_waits_is_answered_at_once(threads: Offload) -> None:
    for n in range(300):
        call = threads.start(lambda n=n: n)
        threads.wait(call, 60)
        assert call.done()
        assert await call == n


async def test_a_call_that_nobody_waits_for_any_more_keeps_none_behind_it_from_being_answered(
    threads: Offload,
) -> None:
    given_up, other = threads.start(lambda: 1), threads.start(lambda: 2)
    given_up.cancel()
    threads.close()  # both have ended, and are handed back together
    async with asyncio.timeout(30):
        assert await other == 2


async def test_the_loop_waits_no_longer_than_it_was_told_and_hears_of_the_call_later(
    threads: Offload,
) -> None:
    for _ in range(50):
        go_on = threading.Event()
        call = threads.start(go_on.wait)
        threads.wait(call, 0)
        assert not call.done()
        go_on.set()
        assert await call


async def test_what_fails_while_the_loop_waits_fails_where_it_is_awaited(threads: Offload) -> None:
    def fail() -> None:
        raise OSError("gone")

    call = threads.start(fail)
    threads.wait(call, 60)
    with pytest.raises(OSError, match="gone"):
        await call


async def test_what_a_call_opened_is_closed_when_nobody_waits_for_it_any_more(threads: Offload) -> None:
    go_on = threading.Event()
    closed: list[str] = []

    def opening() -> str:
        go_on.wait()
        return "a file"

    waiting = asyncio.ensure_future(threads.run_to_end(opening, undo=closed.append))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not closed
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed == ["a file"]
    assert await threads.run_to_end(lambda: "kept", undo=closed.append) == "kept"
    assert closed == ["a file"]


async def test_a_wait_that_a_signal_interrupts_leaves_the_threads_as_they_were(
    threads: Offload, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def interrupted(data: bytes) -> int:
        raise KeyboardInterrupt

    call = threads.start(go_on.wait)
    with monkeypatch.context() as patched:
        patched.setattr(offload, "crc32", interrupted)
        with pytest.raises(KeyboardInterrupt):
            threads.wait(call, 1)
    go_on.set()
    assert await asyncio.wait_for(call, 10)
