"""What every candidate does: durable two-posting transfers of closed-loop clients, watched by a heartbeat."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import NamedTuple

OPENING_MINOR = 10**12
"""What each account holds at first, so that no transfer is refused."""
WARM_UP = 0.15
"""How long clients run before their figures count, as a share of the measured time."""

Figures = dict[str, float]


class Skipped(Exception):
    """Why something cannot be measured here, as a sentence."""


class Transfer(NamedTuple):
    """`source` and `target` are numbers of accounts."""

    key: str
    source: int
    target: int
    minor: int
    memo: str


class Transfers:
    """Transfers without end, each with a key of its own; always the same for one number of accounts."""

    _DRAWN = 4096

    def __init__(self, accounts: int, series: str = "run") -> None:
        self.paths = [f"assets:customers:{n:06d}:deposit" for n in range(accounts)]
        self.count = 0
        self._series = series
        draw = random.Random(accounts)
        self._drawn = [
            (*draw.sample(range(accounts), 2), draw.randint(1, 4_000_000)) for _ in range(self._DRAWN)
        ]

    def next(self) -> Transfer:
        self.count += 1
        source, target, minor = self._drawn[self.count % self._DRAWN]
        return Transfer(
            f"order:{self._series}:{self.count:010d}", source, target, minor, f"order {self.count}"
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Heartbeat:
    """How late a beat of one millisecond comes on this loop: how long something else held it."""

    def __init__(self) -> None:
        self._late: list[float] = []

    async def __aenter__(self) -> Heartbeat:
        self._started = perf_counter()
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _beat(self) -> None:
        while True:
            self._started = perf_counter()
            await asyncio.sleep(0.001)
            self._late.append(perf_counter() - self._started - 0.001)

    def restart(self) -> None:
        self._late.clear()

    def figures(self) -> Figures:
        late = sorted([*self._late, max(0.0, perf_counter() - self._started - 0.001)])
        return {
            "stall_p99_ms": quantile(late, 0.99) * 1e3,
            "stall_max_ms": quantile(late, 1) * 1e3,
            "beats": len(late),
        }


def _summary(latencies: list[float], seconds: float, per_call: int = 1) -> Figures:
    if not latencies:
        return {"rate": 0.0}
    latencies.sort()
    return {
        "rate": len(latencies) * per_call / seconds,
        "p50_ms": quantile(latencies, 0.5) * 1e3,
        "p99_ms": quantile(latencies, 0.99) * 1e3,
    }


async def drive(
    call: Callable[[int], Awaitable[object]],
    clients: int,
    seconds: float,
    per_call: int = 1,
    during: Callable[[], Awaitable[object]] | None = None,
) -> Figures:
    """`clients` tasks on this loop call `call(client)` again and again; `rate` counts transfers a second.

    Measures for `seconds`, or for as long as `during()` takes.
    """
    latencies: list[float] = []
    stopping = False

    async def client(number: int) -> None:
        while not stopping:
            started = perf_counter()
            await call(number)
            latencies.append(perf_counter() - started)

    async with Heartbeat() as heartbeat:
        tasks = [asyncio.create_task(client(number)) for number in range(clients)]
        await asyncio.sleep(seconds * WARM_UP)
        latencies.clear()
        heartbeat.restart()
        started = perf_counter()
        await (asyncio.sleep(seconds) if during is None else during())
        while clients and not latencies:  # noqa: ASYNC110 - only when the machine is too busy for one call
            await asyncio.sleep(0.001)
        elapsed = perf_counter() - started
        beats = heartbeat.figures()  # first: the summary, too, would hold the loop
        figures = _summary(latencies[:], elapsed, per_call) | beats | {"seconds": elapsed}
        stopping = True
        await asyncio.gather(*tasks)
    return figures


def drive_threads(
    client: Callable[[], Callable[[Transfer], object]], transfers: Transfers, clients: int, seconds: float
) -> Figures:
    """As `drive`, for callers that block: each thread makes its own `client()` and calls it with transfers."""
    latencies: list[float] = []
    faults: list[Exception] = []
    taking = threading.Lock()
    ready = threading.Barrier(clients + 1)
    stopping = threading.Event()

    def work() -> None:
        call = client()
        ready.wait()
        try:
            while not stopping.is_set():
                with taking:
                    transfer = transfers.next()
                started = perf_counter()
                call(transfer)
                latencies.append(perf_counter() - started)
        except Exception as e:  # noqa: BLE001 - raised again in the thread that waits
            faults.append(e)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    stopping.wait(seconds * WARM_UP)
    warm = len(latencies)
    started = perf_counter()
    stopping.wait(seconds)
    while len(latencies) == warm and not faults:
        stopping.wait(0.001)
    measured, elapsed = latencies[warm:], perf_counter() - started
    stopping.set()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return _summary(measured, elapsed)
