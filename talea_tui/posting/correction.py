"""Corrections of a log that only grows: the opposite transaction, and drafts made from a posted one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from uuid import UUID

from store import (
    AccountInfo,
    ExternalRef,
    Posting,
    StoredTransaction,
    Transaction,
)

from ..events.text import description_of, words_of
from ..formatting import format_amount, occurred_day
from .assessment import effect, opposite
from .draft import Draft, Row
from .usage import REVERSES, TemplateRow

CORRECTS = "corrects"

_NOT_CARRIED = ("description", "date", "comment", "postings", "file")
"""Metadata that the form shows, and what is true of the original alone; of its postings only comments are carried."""


def reversal_key(txid: UUID) -> str:
    """One key for each transaction: the store itself lets it be reversed only once."""
    return f"reverse:{txid}"


def correction_key(txid: UUID) -> str:
    """One key for each transaction in force: the store itself lets it be entered anew only once."""
    return f"correct:{txid}"


def is_in_force(txid: UUID, reversed_by: Mapping[UUID, UUID]) -> bool:
    """Whether its postings count: it was not reversed, or that reversal does not count.

    `reversed_by` has the id of each reversal by the id of what it reverses.
    """
    chain = [txid]
    while (by := reversed_by.get(chain[-1])) is not None and by not in chain:
        chain.append(by)
    return len(chain) % 2 == 1


def reversal_of(
    stored: StoredTransaction, day: date | None, last_in_force: StoredTransaction | None = None
) -> Transaction:
    """The opposite postings, in the same order, referring to what they reverse; equal for every try but id and
    day.

    Without a day it is dated as the original, so that the two cancel in every period. `last_in_force` is what
    put the original in force again, if that was reversed before: it is then what is reversed.
    """
    original = stored.transaction
    target = original if last_in_force is None else last_in_force.transaction
    description = description_of(original)
    return Transaction(
        book=original.book,
        postings=tuple(
            Posting(account=posting.account, amount=posting.amount, direction=opposite(posting.direction))
            for posting in original.postings
        ),
        idempotency_key=reversal_key(target.id),
        external_refs=(ExternalRef(kind=REVERSES, value=str(target.id)),),
        metadata={
            "description": f"Reversal of {description}" if description else f"Reversal of seq {stored.seq}"
        },
        occurred_at=original.occurred_at if day is None else datetime.combine(day, time(), UTC),
    )


def reversed_id(transaction: Transaction) -> UUID | None:
    """The transaction that `transaction` reverses, if it is a reversal."""
    return _referred(transaction.external_refs, REVERSES)


def corrected_id(transaction: Transaction) -> UUID | None:
    """The transaction that `transaction` was entered to correct."""
    return _referred(transaction.external_refs, CORRECTS)


def to_correct(draft: Draft) -> UUID | None:
    """The transaction that `draft` is to correct."""
    return _referred(draft.refs, CORRECTS)


def _referred(refs: Iterable[ExternalRef], kind: str) -> UUID | None:
    for ref in refs:
        if ref.kind == kind:
            try:
                return UUID(ref.value)
            except ValueError:
                return None
    return None


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """Effective balances of an account in minor units. `below_minimum`: the store would refuse `after`."""

    account: AccountInfo
    before: int
    after: int
    below_minimum: bool


def balance_changes(transaction: Transaction, accounts: Mapping[str, AccountInfo]) -> list[BalanceChange]:
    """What posting `transaction` does to each account it touches, in order of its postings."""
    after: dict[str, int] = {}
    for posting in transaction.postings:
        account = accounts.get(posting.account.path)
        if account is not None:
            path = posting.account.path
            start = after.get(path, account.balance.amount.minor)
            after[path] = start + effect(account, posting.direction, posting.amount.minor)
    changes = []
    for path, balance in after.items():
        account = accounts[path]
        minimum = account.config.min_balance
        below = minimum is not None and balance < minimum
        changes.append(BalanceChange(account, account.balance.amount.minor, balance, below))
    return changes


def rows_of(rows: Iterable[TemplateRow], precisions: Mapping[str, int], *, typed: bool) -> list[Row]:
    """Form rows of earlier postings; their amounts typed in, or only hinted at."""
    made = []
    for row in rows:
        text = format_amount(row.minor, precisions.get(row.asset, 0))
        if typed:
            made.append(Row(row.path))
            made[-1].put(row.side, text)
        else:
            made.append(Row(row.path, hint=text, hint_side=row.side))
    return made


def duplicate_of(original: Transaction, precisions: Mapping[str, int]) -> Draft:
    """A draft of the same postings for today, under a key of its own."""
    rows = rows_of(
        (TemplateRow(p.account.path, p.direction, p.amount.minor, p.amount.asset) for p in original.postings),
        precisions,
        typed=True,
    )
    draft = Draft(book=original.book, description=words_of(original), rows=rows)
    metadata = original.metadata
    if isinstance(metadata, dict):
        comment = metadata.get("comment")
        draft.comment = comment if isinstance(comment, str) else ""
    draft.ensure_spare_row()
    return draft


def correction_of(
    original: Transaction,
    precisions: Mapping[str, int],
    zone: tzinfo = UTC,
    last_in_force: Transaction | None = None,
) -> Draft:
    """A draft of the same postings on the same day in `zone`, referring to the transaction it corrects.

    `last_in_force` is as in `reversal_of`.
    """
    draft = duplicate_of(original, precisions)
    draft.key = correction_key((last_in_force or original).id)
    draft.date = occurred_day(original.occurred_at, zone).isoformat()
    draft.refs = (ExternalRef(kind=CORRECTS, value=str(original.id)),)
    metadata = original.metadata
    if isinstance(metadata, dict):
        draft.carried = {name: value for name, value in metadata.items() if name not in _NOT_CARRIED}
        details = metadata.get("postings")
        for row, detail in zip(draft.rows, details if isinstance(details, list) else (), strict=False):
            comment = detail.get("comment") if isinstance(detail, dict) else None
            if isinstance(comment, str):
                row.note, row.note_account = comment, row.account
    return draft
