"""What the form knows of a book: its accounts, and what its history suggests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from store import AccountId, AccountInfo, AccountOpened

from ..events.feed import last_seq
from .usage import UsageIndex, pages_back

if TYPE_CHECKING:
    from store import Store

HISTORY_EVENTS = 100_000
HISTORY_PAGE = 100


class BookHistory:
    """`accounts` by path and `usage`, of one book. Its calls raise StoreError."""

    def __init__(self, book: str, zone: tzinfo = UTC) -> None:
        self.book = book
        self.accounts: dict[str, AccountInfo] = {}
        self.fresh: set[str] = set()
        """Accounts whose balance cannot have changed since it was learnt."""
        self.usage = UsageIndex(zone)
        self.last_seq = 0
        self._learning = False
        self._unread: list[tuple[int, int]] = []
        """(from_seq, limit) of the pages up to `last_seq` that are still to be learnt, the next one last."""

    async def learn_accounts(self, store: Store, named: Iterable[str]) -> None:
        """All accounts the first time; then those in `named`. Others come with `learn_usage`."""
        if not self.accounts:
            self.accounts = {a.definition.id.path: a for a in await store.accounts(self.book)}
            return
        for path in {path for path in named if path}:
            await self._learn_account(store, AccountId(book=self.book, path=path))
            self.fresh.add(path)

    async def _learn_account(self, store: Store, account: AccountId) -> None:
        known = await store.account(account)
        if known is not None:
            self.accounts[account.path] = known

    async def learn_usage(self, store: Store) -> None:
        """Newest pages first, so that the last uses are offered at once; later only what is new and what failed.

        Goes on until nothing is unread; a call meanwhile returns at once.
        """
        if self._learning:
            return
        self._learning = True
        try:
            while (last := await last_seq(store, self.book)) > self.last_seq or self._unread:
                most = min(HISTORY_EVENTS, last - self.last_seq)
                self._unread += reversed(pages_back(last, most, HISTORY_PAGE))
                self.last_seq = last
                await self._learn_unread(store)
        finally:
            self._learning = False

    async def _learn_unread(self, store: Store) -> None:
        while self._unread:
            start, count = self._unread[-1]
            events = await store.read_events(self.book, start, count)
            for event in events:
                if isinstance(event.event, AccountOpened):
                    account = event.event.definition.id
                    if account.path not in self.accounts:
                        await self._learn_account(store, account)
            self.usage.observe_all(reversed(events))
            self._unread.pop()
            await asyncio.sleep(0)
