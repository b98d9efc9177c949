"""Which entries of a journal an export of the same book wrote: they name what the book has by its id. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from uuid import UUID

from store import Transaction

from .hledger_export import HledgerJournal
from .journal import JournalTransaction, without_txid
from .ledger import NO_PAYEE
from .mapping import bare_description


def recognise(
    entries: Sequence[JournalTransaction], book: Mapping[UUID, tuple[int, Transaction]], names: HledgerJournal
) -> tuple[list[JournalTransaction], list[JournalTransaction]]:
    """The entries that `book`, seqs and transactions by id, has just so, and the rest.

    An id in the rest names the transaction that the entry is another version of, or is one the book lacks. It
    stands there once: who copies an entry means a new one, so the others have none. May raise TooManyDigits.
    """
    found: dict[UUID, int] = {}
    for place, entry in enumerate(entries):
        txid = entry.txid
        if txid is not None and txid in book and txid not in found:
            seq, transaction = book[txid]
            if _content(entry) == _content(names.entry(transaction, seq)):
                found[txid] = place
    same = [entries[place] for place in found.values()]
    seen = set(found)
    rest = []
    for place, entry in enumerate(entries):
        txid = entry.txid
        if txid is None:
            rest.append(entry)
        elif found.get(txid) != place:
            rest.append(without_txid(entry) if txid in seen else entry)
            seen.add(txid)
    return same, rest


def _content(entry: JournalTransaction) -> Hashable:
    description = "" if entry.description == NO_PAYEE else bare_description(entry.description)
    postings = sorted(
        (posting.account, posting.commodity, str(posting.quantity.shortest())) for posting in entry.postings
    )
    return entry.date, entry.code, description, tuple(postings)


def notes(entry: JournalTransaction) -> Hashable:
    """What may be edited without its being another transaction."""
    return (
        entry.date2,
        entry.status,
        _lines(entry.comment),
        tuple(
            ("" if posting.status == entry.status else posting.status, _lines(posting.comment))
            for posting in entry.postings
        ),
    )


def _lines(comment: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in comment.splitlines() if line.strip())
