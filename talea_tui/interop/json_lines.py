"""A book's events as JSON lines, and back into a book: assets, accounts, transactions with ids and keys.

Commit times and seqs are the new ledger's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from store import (
    SYSTEM_BOOK,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    AssetClass,
    AssetDef,
    AssetRegistered,
    Committed,
    Commodity,
    Crypto,
    Direction,
    ExternalRef,
    Fiat,
    Posting,
    Store,
    Transaction,
    account_fault,
    asset_fault,
)

from ..events.feed import event_pages, last_seq
from ..events.jsonl import event_json
from ..events.text import asset_class_text
from ..json_text import parse_json
from .earlier import Progress
from .importing import ImportReport
from .journal import JournalError
from .refusals import refusal

_SLICE = 1_000


@dataclass(slots=True)
class Events:
    """What a file of events holds, for one book."""

    book: str
    assets: list[AssetDef] = field(default_factory=list)
    accounts: list[tuple[AccountDef, AccountCfg]] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)


async def export_json_lines(store: Store, book: str) -> AsyncIterator[tuple[str, int]]:
    """Pieces of text, each with the last seq it covers: the book's assets first, then each of its events."""
    # The end first: whatever the events before it name is there when asked for afterwards.
    last = await last_seq(store, book)
    used = {account.definition.asset for account in await store.accounts(book)}
    precisions = {asset.id: asset.precision for asset in await store.assets()}
    async for page in event_pages(store, SYSTEM_BOOK, await last_seq(store, SYSTEM_BOOK)):
        for one in page:
            if isinstance(one.event, AssetRegistered) and one.event.asset.id in used:
                yield event_json(SYSTEM_BOOK, one, precisions.__getitem__) + "\n", 0
    async for page in event_pages(store, book, last):
        for one in page:
            yield event_json(book, one, precisions.__getitem__) + "\n", one.seq


def read_json_lines(path: Path, book: str) -> Events:
    """Everything for `book`, whatever book it was exported from; JournalError for a line that is no event."""
    events = Events(book)
    for number, line in _lines(path):
        fault = None
        try:
            kind = line["kind"]
            if kind == "asset":
                events.assets.append(_asset(line))
                fault = asset_fault(events.assets[-1])
            elif kind == "acct":
                events.accounts.append(_account(line, book))
                fault = account_fault(*events.accounts[-1])
            elif kind == "tx":
                events.transactions.append(_transaction(line, book))
        except KeyError as error:
            fault = f"it has no {error}"
        except ValueError as error:
            fault = str(error)
        except (TypeError, AttributeError):
            fault = "a value in it is of another type"
        if fault is not None:
            raise JournalError(
                f"{path}, line {number} is not an event as `export --format json` writes it: {fault}."
            )
    return events


async def post_events(
    store: Store, events: Events, progress: Progress = lambda what, done, total: None
) -> ImportReport:
    """Idempotent by the transactions' own keys. Raises StoreError when nothing can be posted."""
    report = ImportReport(events.book)
    there = await store.assets()
    registered = {asset.id: asset for asset in there}
    for asset in events.assets:
        _refuse_another(asset, registered.get(asset.id, asset))
    precisions = {asset.id: asset.precision for asset in (*events.assets, *there)}
    opened = {info.definition.id for info in await store.accounts(events.book)}
    report.new_assets = [asset for asset in events.assets if asset.id not in registered]
    report.new_accounts = [definition for definition, _ in events.accounts if definition.id not in opened]
    # What is there already goes first: the store refuses what differs before anything new is defined.
    for new in (False, True):
        assets = (asset for asset in events.assets if (asset.id not in registered) is new)
        await asyncio.gather(*(store.register_asset(asset) for asset in assets))
        accounts = [account for account in events.accounts if (account[0].id not in opened) is new]
        for at in range(0, len(accounts), _SLICE):
            some = accounts[at : at + _SLICE]
            await asyncio.gather(*(store.open_account(definition, config) for definition, config in some))
    for at in range(0, len(events.transactions), _SLICE):
        progress("posting", at, len(events.transactions))
        batch = events.transactions[at : at + _SLICE]
        for transaction, result in zip(batch, await store.commit_batch(batch), strict=True):
            if not isinstance(result, Committed):
                report.refused.append(
                    f"{transaction.idempotency_key}: {refusal(result, transaction, precisions)}"
                )
            elif result.deduplicated:
                report.already += 1
            else:
                report.posted += 1
    return report


def _refuse_another(asset: AssetDef, registered: AssetDef) -> None:
    """Raises JournalError when they differ, since the store's own refusal would not tell in what."""
    differences = [
        f"{what} {ours!r}, in the file {theirs!r}"
        for what, ours, theirs in (
            (
                "class",
                asset_class_text(AssetRegistered(registered)),
                asset_class_text(AssetRegistered(asset)),
            ),
            ("decimals", registered.precision, asset.precision),
            ("name", registered.name, asset.name),
        )
        if ours != theirs
    ]
    if differences:
        raise JournalError(
            f"Asset {asset.id!r} is another one in this ledger: {'; '.join(differences)}. A registered asset stays "
            "what it is: import into another ledger with --dir, or give the file's asset another id throughout."
        )


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, parse_json(text)
    except FileNotFoundError as error:
        raise JournalError(f"There is no file {path}.") from error
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path} is not a file of JSON lines ({error}).") from error


def _asset(line: dict[str, Any]) -> AssetDef:
    return AssetDef(
        id=line["asset"],
        asset_class=_asset_class(line),
        precision=line["precision"],
        name=line["name"],
    )


def _asset_class(line: dict[str, Any]) -> AssetClass:
    text = line["class"]
    if text == "fiat":
        return Fiat()
    if text == "commodity":
        return Commodity()
    crypto, on, rest = text.partition(" on ")
    if crypto != "crypto" or not on:
        raise ValueError(f"unknown asset class {text!r}")
    if "network" in line:
        return Crypto(network=line["network"], native_id=line["native_id"])
    # A line of an earlier version has the words alone.
    network, _, native_id = rest.partition(" ")
    return Crypto(network=network, native_id=native_id or None)


def _account(line: dict[str, Any], book: str) -> tuple[AccountDef, AccountCfg]:
    side = line["normal_side"]
    return (
        AccountDef(
            id=AccountId(book=book, path=line["account"]),
            asset=line["asset"],
            kind=AccountKind(line["account_kind"]),
        ),
        AccountCfg(
            normal_side=None if side is None else Direction(side), min_balance=line["min_balance_minor"]
        ),
    )


def _transaction(line: dict[str, Any], book: str) -> Transaction:
    return Transaction(
        id=UUID(line["txid"]),
        book=book,
        postings=tuple(
            Posting(
                account=AccountId(book=book, path=posting["account"]),
                amount=Amount(minor=posting["minor"], asset=posting["asset"]),
                direction=Direction(posting["direction"]),
            )
            for posting in line["postings"]
        ),
        idempotency_key=line["key"],
        external_refs=tuple(ExternalRef(kind=ref["kind"], value=ref["value"]) for ref in line["refs"]),
        metadata=line["metadata"],
        occurred_at=datetime.fromisoformat(line["occurred_at"]),
    )
