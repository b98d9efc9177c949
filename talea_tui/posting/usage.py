"""What a book's history suggests: which accounts are used, how often, and what a description posts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from heapq import nsmallest
from uuid import UUID

from store import Direction, Sequenced, Transaction, TransactionPosted

from ..events.text import words_of
from ..formatting import occurred_day

REVERSES = "reverses"
"""The kind of the external reference by which a reversal names its original."""

DESCRIPTIONS_MAX = 20_000
TEMPLATE_ROWS_MAX = 40
_LOOKALIKES = 50
_DIGITS = re.compile(r"\d+")


@dataclass(slots=True)
class AccountUse:
    """`count` postings, the last at `last_seq` on `last_side`."""

    count: int = 0
    last_seq: int = 0
    last_side: Direction = Direction.DEBIT


@dataclass(frozen=True, slots=True)
class TemplateRow:
    path: str
    side: Direction
    minor: int
    asset: str


@dataclass(slots=True)
class DescriptionUse:
    """A description as last written, the day it was last used for, and what it posted then."""

    text: str
    count: int
    last_seq: int
    last_day: date
    rows: tuple[TemplateRow, ...]
    txid: UUID
    earlier: DescriptionUse | None = None
    """The use before it, which counts again if this one is reversed."""


class UsageIndex:
    """Events may be observed in any order, each once, though what was reversed is best seen after its reversal.

    Memory is bounded by `descriptions_max`. Days are `zone`'s.
    """

    def __init__(self, zone: tzinfo = UTC, *, descriptions_max: int = DESCRIPTIONS_MAX) -> None:
        self._zone = zone
        self._descriptions_max = descriptions_max
        self._accounts: dict[str, AccountUse] = {}
        self._descriptions: dict[str, DescriptionUse] = {}
        self._reversed: set[str] = set()

    def observe_all(self, events: Iterable[Sequenced]) -> None:
        """The events of a page, from the newest to the oldest."""
        for event in events:
            if isinstance(event.event, TransactionPosted):
                self.observe(event.seq, event.event.transaction)

    def observe(self, seq: int, transaction: Transaction) -> None:
        for posting in transaction.postings:
            account = self._accounts.setdefault(posting.account.path, AccountUse())
            account.count += 1
            if seq >= account.last_seq:
                account.last_seq, account.last_side = seq, posting.direction
        if str(transaction.id) in self._reversed:
            return
        reverses = [ref.value for ref in transaction.external_refs if ref.kind == REVERSES]
        text = words_of(transaction)
        if reverses or not text:
            self._reversed.update(reverses)
            return
        use = DescriptionUse(
            text=text,
            count=1,
            last_seq=seq,
            last_day=occurred_day(transaction.occurred_at, self._zone),
            rows=tuple(
                TemplateRow(p.account.path, p.direction, p.amount.minor, p.amount.asset)
                for p in transaction.postings[:TEMPLATE_ROWS_MAX]
            ),
            txid=transaction.id,
        )
        key = text.casefold()
        known = self._descriptions.get(key)
        if known is not None and known.last_seq > seq:
            known.count += 1
            if known.earlier is None or known.earlier.last_seq < seq:
                known.earlier = use
            return
        if known is not None:
            use.count, use.earlier = known.count + 1, self._in_force(known)
            known.earlier = None
        self._descriptions[key] = use
        if len(self._descriptions) > self._descriptions_max:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Drop an eighth at once, so that the sort is paid for rarely."""
        by_age = nsmallest(
            max(1, self._descriptions_max // 8), self._descriptions.items(), key=lambda item: item[1].last_seq
        )
        for key, _ in by_age:
            del self._descriptions[key]

    def account(self, path: str) -> AccountUse | None:
        return self._accounts.get(path)

    def description(self, text: str) -> DescriptionUse | None:
        """The last use of exactly this description, whatever its case, that was not reversed."""
        return self._in_force(self._descriptions.get(text.strip().casefold()))

    def _in_force(self, use: DescriptionUse | None) -> DescriptionUse | None:
        while use is not None and str(use.txid) in self._reversed:
            use = use.earlier
        return use

    def complete_description(self, typed: str, limit: int = 8) -> list[DescriptionUse]:
        """Descriptions that hold every typed word, best first: words' beginnings, then the latest use.

        Of those that differ only in digits (references, dates) the best is offered, unless digits are typed.
        """
        words = typed.casefold().split()
        whole = " ".join(words)
        found = []
        for key, last in self._descriptions.items():
            if all(word in key for word in words) and (use := self._in_force(last)) is not None:
                starts = sum(_begins_a_word(key, word) for word in words)
                rank = (-key.startswith(whole), -starts, -use.last_seq)
                found.append((rank, key, use))
        offered: dict[str, DescriptionUse] = {}
        each = any(character.isdigit() for character in typed)
        for _, key, use in nsmallest(limit * _LOOKALIKES, found, key=lambda item: item[0]):
            offered.setdefault(key if each else _DIGITS.sub("#", key), use)
        return list(offered.values())[:limit]


def _begins_a_word(text: str, word: str) -> bool:
    at = text.find(word)
    while at != -1:
        if at == 0 or not text[at - 1].isalnum():
            return True
        at = text.find(word, at + 1)
    return False


def pages_back(last_seq: int, most: int, page: int) -> Sequence[tuple[int, int]]:
    """(from_seq, limit) of the pages that cover the last `most` events, newest page first."""
    pages = []
    high, floor = last_seq, max(0, last_seq - most)
    while high > floor:
        low = max(floor, high - page)
        pages.append((low + 1, high - low))
        high = low
    return pages
