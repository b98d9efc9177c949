"""Everything a store lets one see, as one comparable value."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from store.errors import StoreError
from store.model import Committed, TransactionPosted
from store.protocol import Store

MICROSECOND = timedelta(microseconds=1)


def outcome(result: object) -> object:
    """A receipt or a refusal, comparable between stores whose sentences may differ."""
    if isinstance(result, Committed):
        return result, result.deduplicated
    if isinstance(result, StoreError):
        facts = {name: value for name, value in vars(result).items() if name not in ("reason", "what")}
        return type(result).__name__, facts
    return result


async def attempt(call: Any) -> object:
    """What awaiting the call comes to: its answer or its refusal."""
    try:
        return outcome(await call)
    except StoreError as error:
        return outcome(error)


async def events_of(store: Store, book: str, page: int = 100) -> list[Any]:
    events: list[Any] = []
    while found := await store.read_events(book, len(events) + 1, page):
        events += found
    return events


async def observe(store: Store, books: list[str], *, every_instant: bool = True) -> dict[str, Any]:
    """What every read answers; with `every_instant` also as of each seq and time of the past."""
    seen: dict[str, Any] = {
        "assets": await store.assets(),
        "books": [
            (info.name, info.last_seq, info.last_at, info.accounts, info.transactions)
            for info in await store.books()
        ],
    }
    for book in [*books, "_system"]:
        events = await events_of(store, book, page=7)
        seen[f"{book} events"] = events
        instants: list[datetime | int | None] = [None]
        if every_instant:
            instants += [0, *(event.seq for event in events), len(events) + 5]
            times = sorted({event.at for event in events})
            instants += [time for at in times for time in (at - MICROSECOND, at)]
            seen[f"{book} seqs"] = [await store.seq_at(book, time) for time in times]
            seen[f"{book} picked"] = await store.events_at(book, [event.seq for event in events[::-3]])
        for as_of in instants:
            seen[f"{book} accounts {as_of}"] = await store.accounts(book, as_of)
            seen[f"{book} trial {as_of}"] = await store.trial_balance(book, as_of)
        accounts = [info.definition.id for info in await store.accounts(book)]
        for id in accounts:
            seen[f"{id.key} rows"] = await store.posting_rows(id, 0, 10**6)
            seen[f"{id.key} middle"] = await store.posting_rows(id, 2, 3)
            seen[f"{id.key} now"] = await store.balance(id)
            for limit in (1, 3):
                after, pages = None, []
                while page := await store.account_history(id, after, limit):
                    pages.append(page)
                    after = page[-1].seq
                seen[f"{id.key} pages of {limit}"] = pages
            if every_instant:
                seen[f"{id.key} then"] = [await store.balance(id, as_of) for as_of in instants]
        for event in events:
            if isinstance(event.event, TransactionPosted):
                transaction = event.event.transaction
                seen[f"{book} id {transaction.id}"] = await store.transaction(transaction.id, book)
                seen[f"{book} key {transaction.idempotency_key}"] = await store.by_key(
                    book, transaction.idempotency_key
                )
    return seen


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The names under which two observations differ, with both values."""
    names = one.keys() | other.keys()
    return {
        name: (one.get(name), other.get(name)) for name in sorted(names) if one.get(name) != other.get(name)
    }


# Directories.


def tree(directory: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every directory (None) below `directory`, without the lock."""
    found: dict[str, bytes | None] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if name == "LOCK":
            continue
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(os.readlink(path))
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def plant(files: dict[str, bytes | None], directory: Path) -> Path:
    """The inverse of `tree`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(data)
    return directory


def copy_as_a_crash_leaves_it(directory: Path, target: Path) -> Path:
    """The bytes of a directory that is in use; what vanishes meanwhile is left out."""
    for parent, _, names in os.walk(directory):
        there = target / Path(parent).relative_to(directory)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                shutil.copyfile(os.path.join(parent, name), there / name)
            except FileNotFoundError:
                continue
    return target
