"""What a book has from before an import: its accounts, its transactions, and what became of those since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from store import AccountDef, AccountOpened, Store, Transaction, TransactionPosted

from ..events.feed import event_pages, last_seq
from ..events.text import signed_minor
from ..posting.correction import corrected_id, is_in_force, reversed_id
from .edits import Imported, Traits
from .mapping import CONVERSION, KEY_PREFIX, bare_description, noted_day

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done and of how many."""


@dataclass(slots=True)
class Earlier:
    """`origins`: the journal account of each path that was posted to. `imported` is by key, `wanted` by id.

    `undone`: reversed, by a reversal that was not reversed itself. `replaced`: by a version that was imported.
    `versions`: what corrects a transaction, by that one's id; `corrections`: what of it was not imported.
    """

    accounts: dict[str, AccountDef] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    imported: dict[str, Imported] = field(default_factory=dict)
    wanted: dict[UUID, tuple[int, Transaction]] = field(default_factory=dict)
    undone: set[UUID] = field(default_factory=set)
    replaced: set[UUID] = field(default_factory=set)
    versions: dict[UUID, list[Imported]] = field(default_factory=dict)
    corrections: dict[UUID, list[Imported]] = field(default_factory=dict)

    def current(self, one: Imported, following: Mapping[UUID, list[Imported]]) -> Imported:
        """The last version of it that is in force, or the last if none is; of the same file.

        `following`: `versions` or `corrections`.
        """
        versions = [one]
        for version in versions:
            later = following.get(version.txid, ())
            # a reference is data: one that goes back to an earlier correction ends here
            versions += [correction for correction in later if correction.seq > version.seq]
        in_force = [version for version in versions if version.txid not in self.undone]
        return replace(max(in_force or versions, key=lambda version: version.seq), file=one.file)


async def read_earlier(
    store: Store, book: str, wanted: Collection[UUID], progress: Progress = lambda what, done, total: None
) -> Earlier:
    """Reads the whole book; of what was not imported it keeps those whose id is in `wanted`."""
    earlier = Earlier()
    reversed_by: dict[UUID, UUID] = {}
    last = await last_seq(store, book)
    async for page in event_pages(store, book, last):
        progress("reading the book", page[0].seq - 1, last)
        for sequenced in page:
            event = sequenced.event
            if isinstance(event, AccountOpened):
                earlier.accounts[event.definition.id.path] = event.definition
            elif isinstance(event, TransactionPosted):
                transaction = event.transaction
                _note(earlier, sequenced.seq, transaction)
                if transaction.id in wanted:
                    earlier.wanted[transaction.id] = (sequenced.seq, transaction)
                undoes = reversed_id(transaction)
                if undoes is not None:
                    reversed_by[undoes] = transaction.id
    earlier.undone = {txid for txid in reversed_by if not is_in_force(txid, reversed_by)}
    return earlier


def _note(earlier: Earlier, seq: int, transaction: Transaction) -> None:
    details: Sequence[Any] = ()
    metadata = transaction.metadata if isinstance(transaction.metadata, dict) else {}
    corrected = corrected_id(transaction)
    if transaction.idempotency_key.startswith(KEY_PREFIX):
        if "date" in metadata:  # which every import writes
            earlier.imported[transaction.idempotency_key] = imported(seq, transaction)
        found = metadata.get("postings", ())
        details = found if isinstance(found, list) else ()
        if corrected is not None:
            earlier.replaced.add(corrected)
    elif corrected is not None:
        earlier.corrections.setdefault(corrected, []).append(imported(seq, transaction))
    if corrected is not None:
        earlier.versions.setdefault(corrected, []).append(imported(seq, transaction))
    for place, posting in enumerate(transaction.postings):
        path = posting.account.path
        if path not in earlier.origins:
            detail = details[place] if place < len(details) and isinstance(details[place], dict) else {}
            origin = CONVERSION if detail.get("residual") else detail.get("account")
            earlier.origins[path] = origin if isinstance(origin, str) else path


def imported(seq: int, transaction: Transaction) -> Imported:
    """What edits of it are known by."""
    noted = dict(transaction.metadata) if isinstance(transaction.metadata, dict) else {}
    file = noted.pop("file", None)
    traits = Traits(
        noted_day(noted.get("date")) or transaction.occurred_at.date(),
        str(noted.get("code", "")),
        bare_description(str(noted.get("description", ""))),
        hash(tuple(amounts_of(transaction))),
    )
    return Imported(seq, transaction.id, traits, noted, file if isinstance(file, str) else None)


def amounts_of(transaction: Transaction) -> list[tuple[str, str, int]]:
    """(path, asset, minor units, negative for a credit) of each posting, in an order of their own."""
    return sorted(
        (posting.account.path, posting.amount.asset, signed_minor(posting))
        for posting in transaction.postings
    )
