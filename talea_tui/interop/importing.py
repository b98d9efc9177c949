"""Posting a journal to a book, so that posting it again, or a longer version of it, posts only what is new.

A transaction's key is made from its date, code, description and amounts, and from which of several equal
ones it is; its comments, tags and status are not in it. So editing those in the journal posts nothing (the
book keeps what it has), and inserting a transaction anywhere moves no other's key. A transaction whose
amounts were edited looks new although the book has its earlier version: it is held back and told, unless
the user wants it posted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, TypeVar

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AccountOpened,
    Amount,
    AssetDef,
    Committed,
    Direction,
    IdempotencyConflict,
    Posting,
    Store,
    StoreError,
    Transaction,
    TransactionPosted,
)

from .journal import Journal, JournalTransaction
from .mapping import CONVERSION, KEY_PREFIX, Mapped, Paths, Rules, asset_definitions, kind_of, map_transaction

_Item = TypeVar("_Item")

_SLICE = 1_000
_EVENTS_PAGE = 1_000

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done and of how many."""


@dataclass(slots=True)
class ImportReport:
    """What became of a journal."""

    book: str
    posted: int = 0
    already: int = 0
    edited: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    new_assets: list[AssetDef] = field(default_factory=list)
    new_accounts: list[AccountDef] = field(default_factory=list)
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    unknown_kinds: list[str] = field(default_factory=list)
    kept_kinds: list[str] = field(default_factory=list)
    with_residual: int = 0
    zero_postings: int = 0
    empty: int = 0
    assertions: int = 0
    virtual: int = 0
    dated_postings: int = 0
    rounded: int = 0


@dataclass(slots=True)
class _Earlier:
    """What the book has from before.

    `origins`: the journal account of each path that was posted to. `metadata`: of what was imported, by key.
    """

    accounts: dict[str, AccountDef] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


async def import_journal(
    store: Store,
    journal: Journal,
    book: str,
    rules: Rules,
    *,
    post_edited: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> ImportReport:
    """Raises JournalError or StoreError when nothing can be imported; the report tells of single refusals."""
    report = ImportReport(book)
    earlier = await _read_earlier(store, book, progress)
    registered = {asset.id: asset for asset in await store.assets()}
    assets = asset_definitions(journal, rules, registered)
    report.new_assets = [asset for id_, asset in assets.items() if id_ not in registered]
    mapped = _map(journal, rules, assets, earlier, report)
    report.new_accounts = _new_accounts(journal, rules, mapped, earlier, book, report)
    keyed = _keys(mapped, earlier)
    if not post_edited:
        keyed = _hold_back_edited(keyed, earlier, report)

    await asyncio.gather(*(store.register_asset(asset) for asset in report.new_assets))
    for definitions in _slices(report.new_accounts):
        await asyncio.gather(*(store.open_account(definition, AccountCfg()) for definition in definitions))
    done = 0
    for some in _slices(keyed):
        progress("posting", done, len(keyed))
        transactions = [_transaction(book, key, one) for key, one in some]
        results = await store.commit_batch(transactions)
        for (key, one), transaction, result in zip(some, transactions, results, strict=True):
            await _tell(store, report, one.source, key, transaction, result)
        done += len(some)
    progress("posting", done, len(keyed))
    return report


async def _read_earlier(store: Store, book: str, progress: Progress) -> _Earlier:
    """Reads the whole book: accounts, where they came from, what was imported."""
    earlier = _Earlier()
    info = await store.book(book)
    last = info.last_seq if info is not None else 0
    seq = 1
    while seq <= last:
        progress("reading the book", seq - 1, last)
        events = await store.read_events(book, seq, _EVENTS_PAGE)
        if not events:
            break
        for sequenced in events:
            event = sequenced.event
            if isinstance(event, AccountOpened):
                earlier.accounts[event.definition.id.path] = event.definition
            elif isinstance(event, TransactionPosted):
                _note_earlier(earlier, event.transaction)
        seq = events[-1].seq + 1
    return earlier


def _note_earlier(earlier: _Earlier, transaction: Transaction) -> None:
    details: Sequence[Any] = ()
    if transaction.idempotency_key.startswith(KEY_PREFIX) and isinstance(transaction.metadata, dict):
        earlier.metadata[transaction.idempotency_key] = transaction.metadata
        found = transaction.metadata.get("postings", ())
        details = found if isinstance(found, list) else ()
    for place, posting in enumerate(transaction.postings):
        path = posting.account.path
        if path not in earlier.origins:
            detail = details[place] if place < len(details) and isinstance(details[place], dict) else {}
            origin = CONVERSION if detail.get("residual") else detail.get("account")
            earlier.origins[path] = origin if isinstance(origin, str) else path


def _map(
    journal: Journal, rules: Rules, assets: dict[str, AssetDef], earlier: _Earlier, report: ImportReport
) -> list[Mapped]:
    names = {posting.account for transaction in journal.transactions for posting in transaction.postings}
    opened = {path: definition.asset for path, definition in earlier.accounts.items()}
    paths = Paths(opened, earlier.origins, names)
    mapped = []
    moved: dict[tuple[str, str, str], None] = {}
    for transaction in journal.transactions:
        one = map_transaction(transaction, assets, rules, paths)
        posted = len(one.entries) - one.residuals
        report.zero_postings += len(transaction.postings) - posted
        report.with_residual += bool(one.residuals)
        for posting in transaction.postings:
            asset = rules.asset(posting.commodity)
            report.assertions += posting.assertion
            report.virtual += posting.virtual
            report.dated_postings += bool(posting.date) and posting.date != transaction.date.isoformat()
            report.rounded += posting.quantity.shortest().places > assets[asset].precision
        for entry, detail in zip(one.entries, one.metadata.get("postings", ()), strict=False):
            if "account" in detail:
                moved[(detail["account"], entry.asset, entry.path)] = None
        if one.entries:
            mapped.append(one)
        else:
            report.empty += 1
    report.moved = list(moved)
    return mapped


def _new_accounts(
    journal: Journal, rules: Rules, mapped: list[Mapped], earlier: _Earlier, book: str, report: ImportReport
) -> list[AccountDef]:
    definitions: dict[str, AccountDef] = {}
    unknown: dict[str, None] = {}
    kept: dict[str, None] = {}
    for one in mapped:
        details = one.metadata.get("postings", [])
        for place, entry in enumerate(one.entries):
            if entry.path in definitions:
                continue
            detail = details[place] if place < len(details) else {}
            account = CONVERSION if detail.get("residual") else detail.get("account", entry.path)
            existing = earlier.accounts.get(entry.path)
            if existing is not None:
                if rules.kind(account) not in (None, existing.kind):
                    kept[f"{entry.path} ({existing.kind.value})"] = None
                continue
            kind = kind_of(account, journal.types, rules)
            if kind is None:
                unknown[account] = None
                kind = AccountKind.CLEARING
            id_ = AccountId(book=book, path=entry.path)
            definitions[entry.path] = AccountDef(id=id_, asset=entry.asset, kind=kind)
    report.unknown_kinds, report.kept_kinds = list(unknown), list(kept)
    return list(definitions.values())


def _keys(mapped: list[Mapped], earlier: _Earlier) -> list[tuple[str, Mapped]]:
    """Each with its key. Of equal ones, those the book has with the very same metadata keep their numbers."""
    groups: dict[str, list[int]] = {}
    for place, one in enumerate(mapped):
        groups.setdefault(f"{KEY_PREFIX}{one.likeness}:{one.identity}", []).append(place)
    keys = [""] * len(mapped)
    for stem, places in groups.items():
        numbers = list(range(1, len(places) + 1))
        if len(places) > 1:
            for number in tuple(numbers):
                stored = earlier.metadata.get(f"{stem}:{number}")
                same = [place for place in places if not keys[place] and mapped[place].metadata == stored]
                if same:
                    keys[same[0]] = f"{stem}:{number}"
                    numbers.remove(number)
        rest = (place for place in places if not keys[place])
        for number, place in zip(numbers, rest, strict=True):
            keys[place] = f"{stem}:{number}"
    return list(zip(keys, mapped, strict=True))


def _hold_back_edited(
    keyed: list[tuple[str, Mapped]], earlier: _Earlier, report: ImportReport
) -> list[tuple[str, Mapped]]:
    """Without those that look like another version of what the book has.

    Date, code and description are the same, and the book's own is no longer in the journal.
    """
    in_journal = {key for key, _ in keyed}
    replaced = Counter(_likeness(key) for key in earlier.metadata if key not in in_journal)
    kept = []
    for key, one in keyed:
        if key not in earlier.metadata and replaced[_likeness(key)]:
            report.held.append(_place(one.source))
        else:
            kept.append((key, one))
    return kept


def _likeness(key: str) -> str:
    return key.removeprefix(KEY_PREFIX).partition(":")[0]


def _transaction(book: str, key: str, one: Mapped) -> Transaction:
    return Transaction(
        book=book,
        postings=tuple(
            Posting(
                account=AccountId(book=book, path=entry.path),
                amount=Amount(minor=abs(entry.minor), asset=entry.asset),
                direction=Direction.DEBIT if entry.minor > 0 else Direction.CREDIT,
            )
            for entry in one.entries
        ),
        idempotency_key=key,
        metadata=one.metadata,
        occurred_at=datetime.combine(one.source.date, time(), UTC),
    )


async def _tell(
    store: Store,
    report: ImportReport,
    source: JournalTransaction,
    key: str,
    transaction: Transaction,
    result: Committed | StoreError,
) -> None:
    if isinstance(result, Committed):
        if result.deduplicated:
            report.already += 1
        else:
            report.posted += 1
        return
    if isinstance(result, IdempotencyConflict):
        stored = await store.by_key(transaction.book, key)
        if stored is not None and _amounts(stored.transaction) == _amounts(transaction):
            report.edited.append(_place(source))
            return
    report.refused.append(f"{_place(source)}: {result}")


def _amounts(transaction: Transaction) -> list[tuple[str, str, int, str]]:
    return sorted(
        (posting.account.path, posting.amount.asset, posting.amount.minor, posting.direction.value)
        for posting in transaction.postings
    )


def _place(source: JournalTransaction) -> str:
    where = f" ({source.where})" if source.where else ""
    return f"{source.date.isoformat()} {source.description}{where}"


def _slices(items: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    return (items[at : at + _SLICE] for at in range(0, len(items), _SLICE))
