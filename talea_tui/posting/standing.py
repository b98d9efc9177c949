"""What became of a posted transaction: reversed, in force again, corrected."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from store import StoreError

from .correction import correction_key, is_in_force, reversal_key, to_correct

if TYPE_CHECKING:
    from store import Store, StoredTransaction

    from .draft import Draft


@dataclass(frozen=True, slots=True)
class Standing:
    """`chain` begins with the transaction; each other one reverses the one before it.

    `corrected_by` is the latest entry that was posted in its place, as far as its key tells.
    """

    chain: tuple[StoredTransaction, ...]
    corrected_by: StoredTransaction | None

    @property
    def newest(self) -> StoredTransaction:
        """What decided last: the transaction itself, or the last of the reversals."""
        return self.chain[-1]

    @property
    def in_force(self) -> bool:
        reversed_by = {one.transaction.id: by.transaction.id for one, by in pairwise(self.chain)}
        return is_in_force(self.chain[0].transaction.id, reversed_by)

    @property
    def last_in_force(self) -> StoredTransaction:
        """The transaction, or the latest reversal of a reversal that put it in force again."""
        return self.newest if self.in_force else self.chain[-2]


async def standing_of(store: Store, stored: StoredTransaction, bound: int | None = None) -> Standing:
    """As of seq `bound`; without one, now. Raises StoreError."""
    book = stored.transaction.book

    async def posted(key: str, after: int) -> StoredTransaction | None:
        found = await store.by_key(book, key)
        if found is None or found.seq <= after or (bound is not None and found.seq > bound):
            return None
        return found

    chain = [stored]
    while (by := await posted(reversal_key(chain[-1].transaction.id), chain[-1].seq)) is not None:
        chain.append(by)
    corrections = [await posted(correction_key(one.transaction.id), one.seq) for one in chain[::2]]
    return Standing(tuple(chain), next((one for one in reversed(corrections) if one is not None), None))


async def what_stays(store: Store, draft: Draft) -> str:
    """What was posted for `draft`, which is thrown away, in words."""
    txid = to_correct(draft)
    try:
        corrected = await store.transaction(txid, draft.book) if txid is not None else None
        standing = await standing_of(store, corrected) if corrected is not None else None
    except StoreError as error:
        return f"whether a reversal was posted for it cannot be read ({error})"
    if standing is None or standing.in_force:
        return "nothing was posted"
    return f"its reversal, seq {standing.newest.seq:,}, stays"
