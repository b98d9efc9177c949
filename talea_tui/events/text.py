"""What an event says in words: its kind, accounts, amount and description."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, assert_never

from store import (
    AccountOpened,
    AssetRegistered,
    Crypto,
    Direction,
    Event,
    Fiat,
    Posting,
    PostingRecord,
    Sequenced,
    Transaction,
    TransactionPosted,
)

from ..json_text import shown_json

DESCRIPTION_KEYS = ("description", "payee", "narration", "memo", "note", "comment")
"""Metadata keys that hold what a person would call the description, the first found wins."""


class BookEvent(NamedTuple):
    """An event and the book it stands in."""

    book: str
    sequenced: Sequenced

    @property
    def id(self) -> tuple[str, int]:
        """Book and seq: what stays the same wherever the event is shown."""
        return self.book, self.sequenced.seq

    @property
    def merge_key(self) -> tuple[datetime, str, int]:
        """Several books merged stand in this order: commit time, book, seq."""
        return self.sequenced.at, self.book, self.sequenced.seq


def kind_of(event: Event) -> str:
    """`tx`, `acct` or `asset`."""
    if isinstance(event, TransactionPosted):
        return "tx"
    if isinstance(event, AccountOpened):
        return "acct"
    if isinstance(event, AssetRegistered):
        return "asset"
    assert_never(event)


def words_of(transaction: Transaction) -> str:
    """What a person wrote to describe a transaction; empty when there is nothing."""
    metadata = transaction.metadata
    if isinstance(metadata, dict):
        return _first_words(metadata.get(key) for key in DESCRIPTION_KEYS)
    return _first_words([metadata])


def description_of(transaction: Transaction) -> str:
    """What a transaction is known by wherever it is shown; empty when it has nothing of the kind.

    Its words, else the first text in its metadata, else the first external reference.
    """
    words = words_of(transaction)
    if not words and isinstance(transaction.metadata, dict):
        words = _first_words(transaction.metadata.values())
    if not words and transaction.external_refs:
        ref = transaction.external_refs[0]
        return f"{ref.kind} {ref.value}"
    return words


def _first_words(values: Iterable[object]) -> str:
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


def flow_of(transaction: Transaction) -> tuple[list[str], list[str]]:
    """Where the value came from and where it went: paths credited, then paths debited, each once."""
    sources: dict[str, None] = {}
    targets: dict[str, None] = {}
    for posting in transaction.postings:
        side = targets if posting.direction is Direction.DEBIT else sources
        side[posting.account.path] = None
    return list(sources), list(targets)


def signed_minor(posting: Posting | PostingRecord) -> int:
    """The minor units of a posting: positive for a debit, negative for a credit."""
    return posting.amount.minor if posting.direction is Direction.DEBIT else -posting.amount.minor


def turnover_of(transaction: Transaction) -> dict[str, int]:
    """The sum of the debits of each asset, in minor units, in posting order."""
    totals: dict[str, int] = {}
    for posting in transaction.postings:
        asset = posting.amount.asset
        totals.setdefault(asset, 0)
        if posting.direction is Direction.DEBIT:
            totals[asset] += posting.amount.minor
    return totals


def asset_class_text(event: AssetRegistered) -> str:
    asset_class = event.asset.asset_class
    if isinstance(asset_class, Fiat):
        return "fiat"
    if isinstance(asset_class, Crypto):
        native = f" {asset_class.native_id}" if asset_class.native_id is not None else ""
        return f"crypto on {asset_class.network}{native}"
    return "commodity"


def searchable_text(event: Event) -> str:
    """Everything in an event that someone may look for, a line per part."""
    if isinstance(event, TransactionPosted):
        transaction = event.transaction
        parts = [posting.account.path for posting in transaction.postings]
        parts += [posting.amount.asset for posting in transaction.postings]
        if transaction.metadata:
            parts.append(shown_json(transaction.metadata))
            parts.append(description_of(transaction))
        parts += [f"{ref.kind}:{ref.value}\n{ref.kind} {ref.value}" for ref in transaction.external_refs]
        parts.append(transaction.idempotency_key)
        parts.append(str(transaction.id))
        return "\n".join(parts)
    if isinstance(event, AccountOpened):
        definition = event.definition
        return f"opened {definition.id.path}\n{definition.asset}\n{definition.kind.value}"
    asset = event.asset
    return f"registered {asset.id}\n{asset.name}\n{asset_class_text(event)}"
