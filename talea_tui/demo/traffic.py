"""Live traffic on the demo's books, on the application's own loop: batches of what is due, never a task an entry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from store import ConstraintViolation, Store, StoreClosed, StoreError, StoreIOError, Transaction

from ..posting.assessment import below_minimum
from .bookkeeper import DemoBook

RATES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
"""Entries a second that the keyboard steps through."""

RATE_MAX = 10_000.0
TICK_SECONDS = 0.01
BEHIND_SECONDS = 0.25
"""What could not be posted for longer than this is let go, not made up for."""

QUIET_RATE = 3.0
"""Entries a second of all books but the last, which takes the rest."""

SLICE = 64

TRY_AGAIN_SECONDS = 1.0
"""How often a book whose storage failed is tried again."""


class Traffic:
    """Posts about `rate` entries a second to `books`, mostly to the last one, until cancelled."""

    def __init__(self, store: Store, books: Sequence[DemoBook], rate: float) -> None:
        self._store, self._books = store, books
        self._random = Random(0)
        self._wake = asyncio.Event()
        self._rate = min(RATE_MAX, max(0.0, rate))
        self._paused = False
        self.posted, self.refused = 0, 0
        self.last_refusal = ""
        self.halted: dict[str, str] = {}
        """Why books take nothing now, by name; each is tried again now and then."""
        self._try_again_at = 0.0

    @property
    def stopped(self) -> str | None:
        """Why nothing can be posted to any book, if so."""
        if not self.halted or len(self.halted) < len(self._books):
            return None
        return next(iter(self.halted.values()))

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = min(RATE_MAX, max(0.0, rate))
        self._wake.set()

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._try_again_at = 0.0
        self._wake.set()

    def step(self, by: int) -> None:
        """The next faster or slower of the usual rates."""
        if by > 0:
            self.rate = next((rate for rate in RATES if rate > self._rate), RATE_MAX)
        else:
            self.rate = next((rate for rate in reversed(RATES) if rate < self._rate), RATES[0])

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due, last = 0.0, loop.time()
        while True:
            self._wake.clear()
            if self._paused or not self._rate:
                await self._wake.wait()
                due, last = 0.0, loop.time()
                continue
            rate = self._rate
            if rate <= 20:  # few come as they please, many evenly
                hurried = await self._woken(min(3.0, self._random.expovariate(rate)))
                due = 0.0 if hurried else 1.0
            else:
                await self._woken(TICK_SECONDS)
                due = min(due + rate * (loop.time() - last), max(1.0, rate * BEHIND_SECONDS))
            last = loop.time()
            count = int(due)
            due -= count
            try:
                await self.post(count)
            except StoreClosed:
                return

    async def _woken(self, seconds: float) -> bool:
        """Wait so long; True at once when rate or pause are changed meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                return await self._wake.wait()
        except TimeoutError:
            return False

    async def post(self, count: int) -> None:
        """Post `count` entries now, in one batch. Raises StoreClosed."""
        if count <= 0:
            return
        if self.halted:
            await self._try_again()
        batch: list[Transaction] = []
        quiet = min(0.45, QUIET_RATE / self._rate) if self._rate else 0.0
        for made in range(count):
            if made % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            book = self._books[-1]
            if self._random.random() < quiet:
                book = self._random.choices(self._books[:-1], (2, 3, 8))[0]
            if book.NAME not in self.halted:
                batch.append(self._made(book))
        await self._commit(batch)

    @staticmethod
    def _made(book: DemoBook) -> Transaction:
        made = book.live(datetime.now(UTC))
        book.doomed.clear()
        return made

    async def _try_again(self) -> None:
        """From time to time one entry to each book that took none: where it is taken, more follow."""
        now = asyncio.get_running_loop().time()
        if now < self._try_again_at:
            return
        self._try_again_at = now + TRY_AGAIN_SECONDS
        for book in self._books:
            info = await self._store.book(book.NAME) if book.NAME in self.halted else None
            if info is None:
                continue
            if info.writer != "running":
                self.halted[book.NAME] = info.error or info.writer
                continue
            # what was made and not taken is no part of its balances
            book.resume(await self._store.accounts(book.NAME), f"{info.last_seq}:")
            del self.halted[book.NAME]
            await self._commit([self._made(book)])

    async def _commit(self, batch: Sequence[Transaction]) -> None:
        for transaction, answer in zip(batch, await self._store.commit_batch(batch), strict=True):
            if not isinstance(answer, StoreError):
                self.posted += 1
            elif isinstance(answer, ConstraintViolation):
                self.refused += 1
                self.last_refusal = await self._told(answer)
            elif isinstance(answer, StoreClosed):
                raise answer
            else:
                self._give_up(transaction, answer)

    async def _told(self, refusal: ConstraintViolation) -> str:
        """A refusal in the words of the posting form."""
        info = await self._store.account(refusal.account)
        asset = await self._store.asset(info.definition.asset) if info is not None else None
        if asset is None:
            return str(refusal)
        return below_minimum(refusal.would_be, refusal.min_balance, asset.precision, asset.id)

    def _give_up(self, transaction: Transaction, answer: StoreError) -> None:
        """A user's own entries may make one of ours impossible; where the storage fails, a book's traffic rests."""
        if isinstance(answer, StoreIOError):
            self.halted[transaction.book] = str(answer)
        else:
            self.refused += 1
            self.last_refusal = f"{transaction.book}: {answer}"
