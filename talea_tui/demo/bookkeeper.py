"""Makes a book's entries: ids, keys and amounts from a seeded source, balances kept alongside. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from operator import itemgetter
from random import Random
from typing import ClassVar, NamedTuple
from uuid import UUID

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    Direction,
    ExternalRef,
    Json,
    Posting,
    Transaction,
)

ASSET, LIABILITY, INCOME = AccountKind.ASSET, AccountKind.LIABILITY, AccountKind.INCOME
EXPENSE, EQUITY = AccountKind.EXPENSE, AccountKind.EQUITY


class Account(NamedTuple):
    """An account that a demo book has; `least` is its min_balance, `side` only for contra accounts."""

    path: str
    asset: str
    kind: AccountKind
    least: int | None = None
    side: Direction | None = None


Entry = tuple[str, int]
"""A path, and minor units: positive for a debit, negative for a credit."""

Step = Callable[[datetime], Transaction | None]
"""Makes one entry at a time of day, from the balances by then; None when there is no reason to."""


class DemoBook(ABC):
    """One book of the demo: what it has, how it begins, what happens on a day, and what happens live.

    The same seed and the same days make the same transactions, ids and keys included.
    """

    NAME: ClassVar[str]
    ACCOUNTS: ClassVar[tuple[Account, ...]]

    def __init__(self, seed: int) -> None:
        self.random = Random(f"{seed}/{self.NAME}")
        self.balances: dict[str, int] = {}
        """Debit-positive, in minor units."""
        self.doomed: set[UUID] = set()
        """Transactions that a min_balance refuses; live traffic posts them all the same."""
        self._key_prefix, self._made = "", 0
        self._ids = {account.path: AccountId(self.NAME, account.path) for account in self.ACCOUNTS}
        self._assets = {account.path: account.asset for account in self.ACCOUNTS}
        self._floors = {
            account.path: (account.least, -1 if self._side(account) is Direction.CREDIT else 1)
            for account in self.ACCOUNTS
            if account.least is not None
        }

    @staticmethod
    def _side(account: Account) -> Direction | None:
        return account.side or account.kind.normal_side

    def definitions(self) -> Iterator[tuple[AccountDef, AccountCfg]]:
        for account in self.ACCOUNTS:
            yield (
                AccountDef(self._ids[account.path], account.asset, account.kind),
                AccountCfg(normal_side=account.side, min_balance=account.least),
            )

    def resume(self, accounts: Iterable[AccountInfo], session: str) -> None:
        """Go on from balances as they stand; `session` keeps new keys apart from earlier ones."""
        for info in accounts:
            minor = info.balance.amount.minor
            effective = info.config.normal_side is Direction.CREDIT
            self.balances[info.definition.id.path] = -minor if effective else minor
        self._key_prefix, self._made = session, 0
        self.random.seed(f"{session}/{self.NAME}")

    # What a book says

    @abstractmethod
    def opening(self, at: datetime) -> Iterator[Transaction]:
        """How the book begins."""

    @abstractmethod
    def plan(self, day: date) -> Iterator[tuple[time, Step]]:
        """What happens on a day, in any order."""

    @abstractmethod
    def live(self, now: datetime) -> Transaction:
        """Something that happens now."""

    # What they are made with

    def day(self, day: date, until: datetime) -> list[Transaction]:
        """What happened on a day up to `until`, in the order of time."""
        steps = sorted(self.plan(day), key=itemgetter(0))
        made = []
        for clock, step in steps:
            at = datetime.combine(day, clock, UTC)
            if at > until:
                break
            transaction = step(at)
            if transaction is not None:
                made.append(transaction)
        return made

    def entry(
        self,
        at: datetime,
        description: str,
        *entries: Entry,
        refs: tuple[tuple[str, str], ...] = (),
        **metadata: Json,
    ) -> Transaction:
        """A transaction; what a min_balance will refuse is made all the same, and changes no balance here."""
        self._made += 1
        ids, assets = self._ids, self._assets
        metadata["description"] = description
        metadata["date"] = at.date().isoformat()
        transaction = Transaction(
            id=self._uuid(at),
            book=self.NAME,
            postings=tuple(
                Posting(
                    ids[path],
                    Amount(abs(minor), assets[path]),
                    Direction.DEBIT if minor > 0 else Direction.CREDIT,
                )
                for path, minor in entries
                if minor
            ),
            idempotency_key=f"demo:{self._key_prefix}{self._made}",
            external_refs=tuple(ExternalRef(kind, value) for kind, value in refs),
            metadata=metadata,
            occurred_at=at,
        )
        after = {path: self.balances.get(path, 0) for path, _ in entries}
        for path, minor in entries:
            after[path] += minor
        for path, balance in after.items():
            floor = self._floors.get(path)
            if floor is not None and balance * floor[1] < floor[0]:
                self.doomed.add(transaction.id)
                return transaction
        self.balances.update(after)
        return transaction

    def without_doomed(self, made: Iterable[Transaction]) -> Iterator[Transaction]:
        """Those of this book that will be accepted.

        A history tries no others: made a second time after a crash, they might find the balance by then.
        """
        for transaction in made:
            if transaction.book == self.NAME and transaction.id not in self.doomed:
                yield transaction
        self.doomed.clear()

    def balance(self, path: str) -> int:
        """Debit-positive, in minor units."""
        return self.balances.get(path, 0)

    def cents(self, least: int, most: int) -> int:
        """An amount between two whole ones, in cents, as prices are: many end in 0, 5, 9."""
        minor = self.random.randrange(least * 100, most * 100)
        return minor - minor % 10 + self.random.choice((0, 0, 5, 9, 9, 2, 7))

    def at(self, first_hour: int, last_hour: int) -> time:
        """Some time of day."""
        pick = self.random.randrange
        return time(pick(first_hour, last_hour), pick(60), pick(60), pick(1_000_000))

    def hex(self, digits: int) -> str:
        return f"{self.random.getrandbits(digits * 4):0{digits}x}"

    def _uuid(self, at: datetime) -> UUID:
        """A UUIDv7 of that moment."""
        noise = self.random.getrandbits(74)
        return UUID(
            int=int(at.timestamp() * 1_000) << 80
            | 0x7 << 76
            | (noise >> 62) << 64
            | 0b10 << 62
            | noise & 0x3FFFFFFFFFFFFFFF
        )
