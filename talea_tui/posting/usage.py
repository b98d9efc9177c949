"""What a book's history suggests: which accounts are used, how often, and what a description posts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from heapq import nsmallest

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


class UsageIndex:
    """Events may be observed in any order, each once; memory is bounded by `descriptions_max`. Days are `zone`'s."""

    def __init__(self, zone: tzinfo = UTC, *, descriptions_max: int = DESCRIPTIONS_MAX) -> None:
        self._zone = zone
        self._descriptions_max = descriptions_max
        self._accounts: dict[str, AccountUse] = {}
        self._descriptions: dict[str, DescriptionUse] = {}

    def observe_all(self, events: Iterable[Sequenced]) -> None:
        for event in events:
            if isinstance(event.event, TransactionPosted):
                self.observe(event.seq, event.event.transaction)

    def observe(self, seq: int, transaction: Transaction) -> None:
        for posting in transaction.postings:
            use = self._accounts.setdefault(posting.account.path, AccountUse())
            use.count += 1
            if seq >= use.last_seq:
                use.last_seq, use.last_side = seq, posting.direction
        text = words_of(transaction)
        if any(ref.kind == REVERSES for ref in transaction.external_refs) or not text:
            return
        key = text.casefold()
        known = self._descriptions.get(key)
        if known is not None and known.last_seq > seq:
            known.count += 1
            return
        rows = tuple(
            TemplateRow(p.account.path, p.direction, p.amount.minor, p.amount.asset)
            for p in transaction.postings[:TEMPLATE_ROWS_MAX]
        )
        count = known.count + 1 if known else 1
        day = occurred_day(transaction.occurred_at, self._zone)
        self._descriptions[key] = DescriptionUse(text, count, seq, day, rows)
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
        """The last use of exactly this description, whatever its case."""
        return self._descriptions.get(text.strip().casefold())

    def complete_description(self, typed: str, limit: int = 8) -> list[DescriptionUse]:
        """Descriptions that hold every typed word, best first: words' beginnings, then the latest use.

        Of those that differ only in digits (references, dates) the best is offered, unless digits are typed.
        """
        words = typed.casefold().split()
        whole = " ".join(words)
        found = []
        for key, use in self._descriptions.items():
            if all(word in key for word in words):
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
