"""Writes the demo's year: assets, accounts, and entries day by day on a clock of its own."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from store import (
    AssetDef,
    Commodity,
    ConstraintViolation,
    Crypto,
    Fiat,
    LogStoreOptions,
    LogTaleaStore,
    Store,
    StoreError,
    Transaction,
)

from .bookkeeper import DemoBook
from .crypto_desk import CryptoDesk
from .household import Household
from .payments import Payments
from .studio import Studio

DAYS = 365
RECENT = timedelta(days=1)
BUCKET = timedelta(minutes=10)
LIVE = timedelta(seconds=100)
ONE_DAY = timedelta(days=1)
MARKER = "demo.json"
BOOKS: tuple[type[DemoBook], ...] = (Household, Studio, CryptoDesk, Payments)

ASSETS = (
    AssetDef("EUR", Fiat(), 2, "Euro"),
    AssetDef("GBP", Fiat(), 2, "Pound sterling"),
    AssetDef("BTC", Crypto("bitcoin"), 8, "Bitcoin"),
    AssetDef("ETH", Crypto("ethereum"), 18, "Ether"),
    AssetDef("USDC", Crypto("ethereum", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"), 6, "USD Coin"),
    AssetDef("VWCE", Commodity(), 4, "FTSE All-World fund"),
)

Told = Callable[[int, int], None]
"""Told how many days of how many are written."""


class NotADemo(Exception):
    """The directory holds something else; the message is one sentence."""


class DemoClock:
    """The store's clock: stands while the past is written, and is the wall clock after that."""

    def __init__(self) -> None:
        self._micros: int | None = None

    def __call__(self) -> int:
        return time.time_ns() // 1_000 if self._micros is None else self._micros

    def stand(self, moment: datetime) -> None:
        self._micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def run(self) -> None:
        self._micros = None


@dataclass(frozen=True, slots=True)
class Marker:
    """What `demo.json` in the directory says: it is a demo, of which seed, made up to when."""

    seed: int
    until: datetime
    complete: bool = False

    @classmethod
    def read(cls, directory: Path) -> Marker | None:
        """None for a directory that is empty or not there. Raises NotADemo for any other."""
        try:
            said = json.loads((directory / MARKER).read_text("utf-8"))
            until = datetime.fromisoformat(said["until"])
            if until.tzinfo is None:
                raise ValueError("a time without its zone")
            return cls(int(said["seed"]), until, said["complete"] is True)
        except FileNotFoundError:
            if not directory.exists() or not any(directory.iterdir()):
                return None
            raise NotADemo(
                f"{directory} holds something else than a demo and is left alone; "
                "name an empty or a new directory with --dir."
            ) from None
        except NotADirectoryError:
            raise NotADemo(f"{directory} is a file; name a directory with --dir.") from None
        except (ValueError, KeyError, TypeError):
            raise NotADemo(
                f"{directory / MARKER} cannot be read, so this demo cannot go on; name another directory."
            ) from None

    def write(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        said = {"seed": self.seed, "until": self.until.isoformat(), "complete": self.complete}
        temporary = directory / f"{MARKER}.{os.getpid()}.tmp"
        try:
            temporary.write_text(json.dumps(said) + "\n", "utf-8")
            os.replace(temporary, directory / MARKER)
        finally:
            temporary.unlink(missing_ok=True)


async def open_demo(
    directory: Path,
    seed: int,
    until: datetime,
    told: Told,
    *,
    options: LogStoreOptions | None = None,
    clock: DemoClock | None = None,
) -> tuple[LogTaleaStore, list[DemoBook]]:
    """The demo at `directory`, made up to `until` unless it is there already; half of one is made whole.

    Returns the open store and its books, ready to go on. Raises NotADemo and StoreError.
    """
    clock = clock or DemoClock()
    marker = Marker.read(directory) or Marker(seed, until)
    books = [make(marker.seed) for make in BOOKS]
    if not marker.complete:
        marker.write(directory)
        clock.stand(marker.until - timedelta(days=DAYS))
    store = await LogTaleaStore.open_with(directory, options or LogStoreOptions(), clock=clock)
    try:
        if marker.complete:
            for book in books:
                info = await store.book(book.NAME)
                book.resume(await store.accounts(book.NAME), f"{info.last_seq if info else 0}:")
        else:
            await write_history(store, clock, books, marker.until, told)
            Marker(marker.seed, marker.until, True).write(directory)
    except BaseException:
        await store.shutdown()
        raise
    clock.run()
    return store, books


async def write_history(
    store: Store, clock: DemoClock, books: Sequence[DemoBook], until: datetime, told: Told
) -> None:
    """Post everything from a year before `until` up to it; what is there already is not posted again."""
    start = (until - timedelta(days=DAYS)).replace(hour=8, minute=0, second=0, microsecond=0)
    clock.stand(start)
    for asset in ASSETS:
        await store.register_asset(asset)
    for book in books:
        await asyncio.gather(*(store.open_account(*definition) for definition in book.definitions()))
    await _post(store, [transaction for book in books for transaction in book.opening(start)])
    made: list[Transaction] = []
    for number in range(1, DAYS + 1):
        day = start.date() + timedelta(days=number)
        made += [one for book in books for one in book.day(day, until - LIVE)]
        if day.weekday() < 6 and (day + ONE_DAY).day > 1 and day + RECENT < until.date():
            await asyncio.sleep(0)
            continue
        for chunk in _chunks([one for book in books for one in book.without_doomed(made)], until):
            clock.stand(max(one.occurred_at for one in chunk))
            await _post(store, chunk)
        made = []
        told(number, DAYS)
    await _write_last_minutes(store, clock, books[-1], until)


async def _write_last_minutes(store: Store, clock: DemoClock, book: DemoBook, until: datetime) -> None:
    """The last minutes go as live traffic does, so that the tail has something to show at once."""
    moment = until - LIVE + timedelta(seconds=1)
    while moment <= until:
        made = [book.live(moment) for _ in range(book.random.randrange(4))]
        await _post(store, list(book.without_doomed(made)))
        clock.stand(moment)
        moment += timedelta(microseconds=book.random.randrange(300_000, 2_500_000))


def _chunks(made: list[Transaction], until: datetime) -> Iterator[list[Transaction]]:
    """What is posted at once, under one commit time: weeks within a month, minutes of the last days."""
    recent = [one for one in made if one.occurred_at > until - RECENT]
    if len(recent) < len(made):
        yield [one for one in made if one.occurred_at <= until - RECENT]
    recent.sort(key=lambda one: one.occurred_at)
    chunk: list[Transaction] = []
    for one in recent:
        if chunk and one.occurred_at - chunk[0].occurred_at > BUCKET:
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk


async def _post(store: Store, transactions: list[Transaction]) -> None:
    """A min_balance may refuse where somebody else posted; any other refusal is the disk's, and ends it."""
    for answer in await store.commit_batch(transactions) if transactions else ():
        if isinstance(answer, StoreError) and not isinstance(answer, ConstraintViolation):
            raise answer
