"""Reading back what `talea-tui export --format json` wrote: assets, accounts and transactions, keys and ids included.

Commit times and seqs are the new ledger's own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    Amount,
    AssetClass,
    AssetDef,
    Committed,
    Commodity,
    Crypto,
    Direction,
    ExternalRef,
    Fiat,
    Posting,
    Transaction,
)

from .importing import ImportReport, Progress
from .journal import JournalError

if TYPE_CHECKING:
    from store import Store

_SLICE = 1_000


async def import_json_lines(
    store: Store, path: Path, book: str, progress: Progress = lambda what, done, total: None
) -> ImportReport:
    """Posts every transaction of the file to `book`, whatever book it was exported from.

    Raises JournalError for a line that is not understood, before anything is posted, and StoreError.
    """
    assets: list[AssetDef] = []
    accounts: list[tuple[AccountDef, AccountCfg]] = []
    transactions: list[Transaction] = []
    for number, line in _lines(path):
        try:
            kind = line["kind"]
            if kind == "asset":
                assets.append(_asset(line))
            elif kind == "acct":
                accounts.append(_account(line, book))
            elif kind == "tx":
                transactions.append(_transaction(line, book))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JournalError(
                f"{path}, line {number} is not an event as `export --format json` writes it ({error!r})."
            ) from error

    report = ImportReport(book)
    registered = {asset.id for asset in await store.assets()}
    opened = {info.definition.id for info in await store.accounts(book)}
    await asyncio.gather(*(store.register_asset(asset) for asset in assets))
    for at in range(0, len(accounts), _SLICE):
        some = accounts[at : at + _SLICE]
        await asyncio.gather(*(store.open_account(definition, config) for definition, config in some))
    report.new_assets = [asset for asset in assets if asset.id not in registered]
    report.new_accounts = [definition for definition, _ in accounts if definition.id not in opened]
    for at in range(0, len(transactions), _SLICE):
        progress("posting", at, len(transactions))
        batch = transactions[at : at + _SLICE]
        for transaction, result in zip(batch, await store.commit_batch(batch), strict=True):
            if not isinstance(result, Committed):
                report.refused.append(f"{transaction.idempotency_key}: {result}")
            elif result.deduplicated:
                report.already += 1
            else:
                report.posted += 1
    return report


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield number, json.loads(text)
    except FileNotFoundError as error:
        raise JournalError(f"There is no file {path}.") from error
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path} is not a file of JSON lines ({error}).") from error


def _asset(line: dict[str, Any]) -> AssetDef:
    return AssetDef(
        id=line["asset"],
        asset_class=_asset_class(line["class"]),
        precision=line["precision"],
        name=line["name"],
    )


def _asset_class(text: str) -> AssetClass:
    if text == "fiat":
        return Fiat()
    if text == "commodity":
        return Commodity()
    crypto, on, rest = text.partition(" on ")
    if crypto != "crypto" or not on:
        raise ValueError(f"unknown asset class {text!r}")
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
