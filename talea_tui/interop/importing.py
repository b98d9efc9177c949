"""Posting a journal to a book, so that posting it again, or a longer version of it, posts only what is new.

A transaction's key is made from its date, code, description and amounts, and from which of several equal
ones it is; its comments, tags and status are not in it. So editing those in the journal posts nothing (the
book keeps what it has), and inserting a transaction anywhere moves no other's key. What else was edited looks
new: where `edits` finds the version that the book has, it is held back and told, unless the user wants it
posted. What an export of the book wrote is known by its id instead (`exported`). Everything is checked before
anything is defined, and only what will be posted to is defined.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from fractions import Fraction
from itertools import count, islice
from typing import TypeVar, cast
from uuid import UUID

from msgspec import structs

from store import (
    AMOUNT_LIMIT,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    AssetDef,
    Committed,
    Direction,
    ExternalRef,
    Fiat,
    IdempotencyConflict,
    Posting,
    Store,
    StoreError,
    Transaction,
    account_fault,
    asset_fault,
)

from ..posting.correction import CORRECTS
from .currencies import known
from .earlier import Earlier, Progress, amounts_of, imported, read_earlier
from .edits import Imported, Traits, find_edits
from .exported import notes, recognise
from .hledger_export import hledger_journal
from .journal import Journal, JournalError, JournalTransaction
from .mapping import (
    CONVERSION,
    Holding,
    Mapped,
    Paths,
    Rules,
    asset_definitions,
    bare_description,
    first_needing,
    kind_of,
    map_transaction,
    refuse_idle_rules,
)
from .refusals import refusal

_Item = TypeVar("_Item")

_SLICE = 1_000
_NAME_TOLD = 60


@dataclass(slots=True)
class ImportReport:
    """What became of a journal.

    `edited` differ from what the book has in what the key leaves out, `held` look like new versions of what it
    has, `gone` came from this file and are not in it any more. `elsewhere` counts, by file, those of `already` that
    came from other files and are taken for the same because they are equal. `needing`: by asset, the transaction
    that gives a new currency more decimals than are usual. `rounded` amounts leave a difference in
    `rounded_apart` transactions.
    """

    book: str
    posted: int = 0
    already: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    edited: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    new_assets: list[AssetDef] = field(default_factory=list)
    needing: dict[str, str] = field(default_factory=dict)
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
    rounded_apart: int = 0


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
    refuse_idle_rules(journal, rules)
    wanted = {one.txid for one in journal.transactions if one.txid is not None}
    earlier = await read_earlier(store, book, wanted, progress)
    journal = await _without_exported(store, journal, book, earlier, report)
    registered = {asset.id: asset for asset in await store.assets()}
    assets = asset_definitions(journal, rules, registered)
    named = {one.idempotency_key for _, one in earlier.wanted.values()}
    mapped = _map(journal, rules, assets, earlier, report, by_path=bool(wanted))
    keyed = _keys(mapped, earlier, named)
    file = f"{journal.path.parent.name}/{journal.path.name}"
    versions, gone = _find_edits(keyed, earlier, named, file)
    report.gone = [_told(one) for one in gone if one.txid not in earlier.undone]
    new = _to_post(keyed, earlier, versions, report, post_edited, file)
    _count(report, new.values(), rules, assets)
    used = {entry.asset for one in new.values() for entry in one.entries}
    report.new_assets = [asset for id_, asset in assets.items() if id_ in used and id_ not in registered]
    for asset in report.new_assets:
        if isinstance(asset.asset_class, Fiat) and asset.precision > known(asset.id).precision:
            needing = first_needing(journal, rules, asset)
            report.needing |= {asset.id: needing} if needing is not None else {}
    report.kept_kinds = _kept_kinds(rules, keyed.values(), earlier)
    report.new_accounts = _new_accounts(journal, rules, new.values(), earlier, book, report)
    _check_names(new.values(), report)

    await asyncio.gather(*(store.register_asset(asset) for asset in report.new_assets))
    for definitions in _slices(report.new_accounts):
        await asyncio.gather(*(store.open_account(definition, AccountCfg()) for definition in definitions))
    precisions = {id_: asset.precision for id_, asset in assets.items()}
    done = 0
    for some in _slices(list(new.items())):
        progress("posting", done, len(new))
        transactions = [_transaction(book, key, one, file, versions.get(key)) for key, one in some]
        results = await store.commit_batch(transactions)
        for (key, one), transaction, result in zip(some, transactions, results, strict=True):
            await _tell(store, report, one.source, key, transaction, result, precisions)
        done += len(some)
    progress("posting", done, len(new))
    return report


def _traits(one: Mapped) -> Traits:
    source = one.source
    postings = hash(tuple(sorted((entry.path, entry.asset, entry.minor) for entry in one.entries)))
    return Traits(source.date, source.code, bare_description(source.description), postings)


async def _without_exported(
    store: Store, journal: Journal, book: str, earlier: Earlier, report: ImportReport
) -> Journal:
    """The entries that are not there already by the ids that an export gave them."""
    if not earlier.wanted:
        return journal
    names, _ = await hledger_journal(store, book)
    same, rest = recognise(journal.transactions, earlier.wanted, names)
    for entry in same:
        seq, transaction = earlier.wanted[cast(UUID, entry.txid)]
        if notes(entry) == notes(names.entry(transaction, seq)):
            report.already += 1
        else:
            report.edited.append(entry.place)
    return replace(journal, transactions=tuple(rest))


def _find_edits(
    keyed: Mapping[str, Mapped], earlier: Earlier, named: Collection[str], file: str
) -> tuple[dict[str, Imported], list[Imported]]:
    """What each edited one is a version of, by key, and what is gone from the file."""
    versions = {}
    for key, one in keyed.items():
        seq_and_transaction = earlier.wanted.get(one.source.txid) if one.source.txid is not None else None
        if seq_and_transaction is not None and key not in earlier.imported:
            versions[key] = earlier.current(imported(*seq_and_transaction), earlier.versions)
    traits = {key: _traits(one) for key, one in keyed.items() if key not in versions}
    traits |= {key: earlier.imported[key].traits for key in named if key in earlier.imported}
    current = {key: earlier.current(one, earlier.corrections) for key, one in earlier.imported.items()}
    replaced = earlier.replaced | {one.txid for one in versions.values()}
    edits = find_edits(traits, current, file, replaced)
    return versions | edits.versions, edits.gone


def _map(
    journal: Journal,
    rules: Rules,
    assets: dict[str, AssetDef],
    earlier: Earlier,
    report: ImportReport,
    *,
    by_path: bool,
) -> list[Mapped]:
    names = {posting.account for transaction in journal.transactions for posting in transaction.postings}
    opened = {path: definition.asset for path, definition in earlier.accounts.items()}
    paths = Paths(opened, earlier.origins, names, by_path=by_path)
    mapped = []
    for transaction in journal.transactions:
        one = map_transaction(transaction, assets, rules, paths)
        posted = len(one.entries) - one.residuals
        report.zero_postings += len(transaction.postings) - posted
        report.assertions += sum(posting.assertion for posting in transaction.postings)
        if one.entries:
            mapped.append(one)
        else:
            report.empty += 1
    return mapped


def _to_post(
    keyed: dict[str, Mapped],
    earlier: Earlier,
    versions: Mapping[str, Imported],
    report: ImportReport,
    post_edited: bool,
    file: str,
) -> dict[str, Mapped]:
    """Without what the book has, just so, and without other `versions` of it unless `post_edited`; tells of both
    in the report.
    """
    new = {}
    moved: dict[tuple[str, str, str], None] = {}
    for key, one in keyed.items():
        before, version = earlier.imported.get(key), versions.get(key)
        undone = version is not None and version.txid in earlier.undone
        if version is not None and version.traits == _traits(one) and not undone:
            _note_already(report, one, version, file)
            continue
        if version is not None and not post_edited:
            since = ", reversed since" if undone else ""
            report.held.append(f"{one.source.place}, in the book {_told(version)}{since}")
            continue
        if before is not None and before.metadata == one.metadata:
            _note_already(report, one, before, file)
        elif any(abs(entry.minor) >= AMOUNT_LIMIT for entry in one.entries):
            report.refused.append(f"{one.source.place}: an amount reaches 2**127 minor units of its asset.")
            continue
        else:
            new[key] = one
        for entry, detail in zip(one.entries, one.metadata.get("postings", ()), strict=False):
            if "account" in detail:
                moved[(detail["account"], entry.asset, entry.path)] = None
    report.moved = list(moved)
    return new


def _note_already(report: ImportReport, one: Mapped, before: Imported, file: str) -> None:
    report.already += 1
    known_by_id = before.txid == one.source.txid
    if before.file is not None and before.file != file and not known_by_id:
        report.elsewhere[before.file] += 1


def _count(
    report: ImportReport, posted: Iterable[Mapped], rules: Rules, assets: Mapping[str, AssetDef]
) -> None:
    """What is told of the transactions that are posted."""
    for one in posted:
        report.with_residual += bool(one.residuals)
        differences: dict[str, Fraction] = {}
        for posting in one.source.postings:
            asset = rules.asset(posting.commodity)
            precision, quantity = assets[asset].precision, posting.quantity.shortest()
            report.virtual += posting.virtual
            report.dated_postings += bool(posting.date) and posting.date != one.source.date.isoformat()
            if quantity.places > precision:
                report.rounded += 1
                exact = Fraction(quantity.mantissa, 10 ** (quantity.places - precision))
                differences[asset] = differences.get(asset, Fraction()) + quantity.minor(precision) - exact
        report.rounded_apart += any(differences.values())


def _new_accounts(
    journal: Journal,
    rules: Rules,
    posted: Iterable[Mapped],
    earlier: Earlier,
    book: str,
    report: ImportReport,
) -> list[AccountDef]:
    definitions: dict[str, AccountDef] = {}
    unknown: dict[str, None] = {}
    for path, (account, asset) in _holdings(posted).items():
        if path in earlier.accounts:
            continue
        kind = kind_of(account, journal.types, rules)
        if kind is None:
            unknown[account] = None
            kind = AccountKind.CLEARING
        definitions[path] = AccountDef(id=AccountId(book=book, path=path), asset=asset, kind=kind)
    report.unknown_kinds = list(unknown)
    return list(definitions.values())


def _kept_kinds(rules: Rules, mapped: Iterable[Mapped], earlier: Earlier) -> list[str]:
    """Accounts that are of another kind than the user says now."""
    kept = []
    for path, (account, _) in _holdings(mapped).items():
        existing = earlier.accounts.get(path)
        if existing is not None and rules.kind(account) not in (None, existing.kind):
            kept.append(f"{path} ({existing.kind.value})")
    return kept


def _holdings(mapped: Iterable[Mapped]) -> dict[str, Holding]:
    """The journal's account and the asset of every path."""
    holdings: dict[str, Holding] = {}
    for one in mapped:
        details = one.metadata.get("postings", [])
        for place, entry in enumerate(one.entries):
            if entry.path not in holdings:
                detail = details[place] if place < len(details) else {}
                account = CONVERSION if detail.get("residual") else detail.get("account", entry.path)
                holdings[entry.path] = (account, entry.asset)
    return holdings


def _check_names(posted: Iterable[Mapped], report: ImportReport) -> None:
    """Raises JournalError for the first transaction that needs what the store would refuse to define."""
    faults = {asset.id: asset_fault(asset) for asset in report.new_assets}
    faults = {id_: fault for id_, fault in faults.items() if fault is not None}
    broken = {
        definition.id.path: fault
        for definition in report.new_accounts
        if (fault := account_fault(definition, AccountCfg())) is not None
    }
    for one in posted if faults or broken else ():
        for entry in one.entries:
            fault = faults.get(entry.asset) or broken.get(entry.path)
            if fault is not None:
                name = entry.asset if entry.asset in faults else entry.path
                raise JournalError(
                    f"{one.source.place}: {fault}: {_clipped(name)}. Nothing was imported; rename it in the journal."
                )


def _clipped(name: str) -> str:
    return repr(name if len(name) <= _NAME_TOLD else f"{name[:_NAME_TOLD]}…")


def _keys(mapped: list[Mapped], earlier: Earlier, named: Collection[str]) -> dict[str, Mapped]:
    """Each by its key, none of those in `named`, which are of others.

    Of equal ones, those the book has with the very same metadata keep their numbers.
    """
    groups: dict[str, list[int]] = {}
    for place, one in enumerate(mapped):
        groups.setdefault(one.stem, []).append(place)
    keys = [""] * len(mapped)
    for stem, places in groups.items():
        free = (number for number in count(1) if f"{stem}:{number}" not in named)
        numbers = list(islice(free, len(places)))
        if len(places) > 1:
            for number in tuple(numbers):
                stored = earlier.imported.get(f"{stem}:{number}")
                noted = None if stored is None else stored.metadata
                same = [place for place in places if not keys[place] and mapped[place].metadata == noted]
                if same:
                    keys[same[0]] = f"{stem}:{number}"
                    numbers.remove(number)
        rest = (place for place in places if not keys[place])
        for number, place in zip(numbers, rest, strict=True):
            keys[place] = f"{stem}:{number}"
    return dict(zip(keys, mapped, strict=True))


def _told(one: Imported) -> str:
    return f"{one.traits.date.isoformat()} {one.traits.description} (seq {one.seq:,})"


def _transaction(book: str, key: str, one: Mapped, file: str, earlier: Imported | None) -> Transaction:
    """`earlier` is the version of it that the book has."""
    transaction = Transaction(
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
        external_refs=() if earlier is None else (ExternalRef(kind=CORRECTS, value=str(earlier.txid)),),
        metadata=one.metadata | {"file": file},
        occurred_at=datetime.combine(one.source.date, time(), UTC),
    )
    txid = one.source.txid
    return transaction if txid is None or earlier is not None else structs.replace(transaction, id=txid)


async def _tell(
    store: Store,
    report: ImportReport,
    source: JournalTransaction,
    key: str,
    transaction: Transaction,
    result: Committed | StoreError,
    precisions: Mapping[str, int],
) -> None:
    if isinstance(result, Committed):
        if result.deduplicated:
            report.already += 1
        else:
            report.posted += 1
        return
    if isinstance(result, IdempotencyConflict):
        stored = await store.by_key(transaction.book, key)
        if stored is not None and amounts_of(stored.transaction) == amounts_of(transaction):
            report.edited.append(source.place)
            return
    report.refused.append(f"{source.place}: {refusal(result, transaction, precisions)}")


def _slices(items: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    return (items[at : at + _SLICE] for at in range(0, len(items), _SLICE))
