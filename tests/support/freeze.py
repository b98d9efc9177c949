"""Keep small ledgers of today's format for ever: `python -m tests.support.freeze`, once per format version.

Beside each directory stands what opening it must come to. Cases that are there already are left alone.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store import AccountCfg, AccountKind, CorruptLog, Crypto, Direction, ExternalRef, StoreError
from store.codec import FORMAT_VERSION

from .build import BOOK, account, asset, credit, debit, definition, household, posted, transfer, txid
from .clock import FakeClock
from .disk import append, cut, flip, frames, runs, segments, snapshots
from .subjects import open_log_store

FROZEN = Path(__file__).parent.parent / "store" / "frozen"
OPTIONS: dict[str, int] = {"segment_max": 900, "snapshot_every": 0, "idem_hot_cap": 6}
KEYS = 24


async def written(directory: Path) -> None:
    """Two books with every kind of value, several segments, a snapshot, runs, and a tail after them."""
    clock = FakeClock(step_micros=250_000)
    store = await open_log_store(directory, clock, **OPTIONS)
    await household(store)
    await store.register_asset(asset("ETH", 18, Crypto(network="ethereum", native_id="0x0")))
    await store.open_account(definition("wallet", asset="ETH"), AccountCfg(min_balance=0))
    await store.open_account(definition("mined", AccountKind.INCOME, asset="ETH"), AccountCfg())
    await store.open_account(definition("wear"), AccountCfg(normal_side=Direction.CREDIT, min_balance=-7))
    for n in range(KEYS - 4):
        await store.commit(
            transfer(
                "assets:cash", "income:salary", 100 + n, key=f"key {n}", id=txid(n + 1), occurred_at=clock.now
            )
        )
    await store.snapshot_now(BOOK)
    await store.snapshot_now("_system")
    last = [
        posted(
            debit("wallet", 120_000_000 * 10**18, "ETH"),
            credit("mined", 120_000_000 * 10**18, "ETH"),
            metadata={"memo": "Ünï 🙂", "list": [1, 1.0, True, None, -(2**70)], "nested": {"b": {}, "a": []}},
            external_refs=(ExternalRef(kind="btc_txid", value="ab" * 32), ExternalRef(kind="", value="")),
        ),
        posted(debit("expenses:food", 5), credit("liabilities:card", 3), credit("assets:cash", 2)),
        posted(debit("assets:cash", 1), credit("assets:cash", 1), metadata=[]),
        transfer("clearing", "wear", 7),
    ]
    for n, each in enumerate(last, KEYS - 4):
        fields = {name: getattr(each, name) for name in ("postings", "metadata", "external_refs")}
        await store.commit(
            posted(*fields.pop("postings"), key=f"key {n}", id=txid(n + 1), occurred_at=clock.now, **fields)
        )
    await household(store, "ein zweites Buch")
    await store.shutdown()


def _final(directory: Path) -> Path:
    return segments(directory, BOOK)[-1]


def _without(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "healthy": lambda directory: None,
    "log-alone": lambda directory: _without(
        [*snapshots(directory, BOOK), *snapshots(directory, "_system"), *runs(directory, BOOK)]
    ),
    "torn-tail": lambda directory: cut(_final(directory), _final(directory).stat().st_size - 5),
    "zeros-after-the-tail": lambda directory: append(_final(directory), bytes(4096)),
    "bad-snapshot": lambda directory: flip(snapshots(directory, BOOK)[-1], 40),
    "bad-run": lambda directory: flip(runs(directory, BOOK)[0], 40),
    "bad-sealed-segment": lambda directory: (
        _without(snapshots(directory, BOOK)),
        flip(segments(directory, BOOK)[1], 200),
    )[1],
    "bad-synced-frame": lambda directory: flip(
        _final(directory), frames(_final(directory).read_bytes())[1].offset + 30
    ),
    "missing-segment": lambda directory: segments(directory, BOOK)[1].unlink(),
    "log-ends-before-its-snapshot": lambda directory: _without(segments(directory, BOOK)[3:]),
}


async def what_opening_comes_to(directory: Path) -> dict[str, Any]:
    """A comparable account of it; repairs as numbers of sentences, since their wording may change."""
    try:
        store = await open_log_store(directory, snapshot_every=0)
    except CorruptLog as error:
        return {"refused": "CorruptLog", "book": error.book, "segment": error.segment, "offset": error.offset}
    except StoreError as error:
        return {"refused": type(error).__name__}
    try:
        seen: dict[str, Any] = {
            "assets": [[each.id, each.precision, each.name] for each in await store.assets()]
        }
        for info in await store.books():
            keys = [await store.by_key(info.name, f"key {n}") for n in range(KEYS)]
            seen[info.name] = {
                "head": list(info.head),
                "last_at": info.last_at.isoformat(),
                "accounts": {
                    found.definition.id.path: [
                        str(found.balance.amount.minor),
                        found.balance.updated_seq,
                        found.postings,
                        str(found.debits),
                        str(found.credits),
                    ]
                    for found in await store.accounts(info.name)
                },
                "halfway": {
                    found.definition.id.path: str(found.balance.amount.minor)
                    for found in await store.accounts(info.name, info.last_seq // 2)
                },
                "keys": [None if found is None else [found.seq, str(found.transaction.id)] for found in keys],
                "events": [repr(event) for event in await store.read_events(info.name, 1, 1000)],
                "repairs": len(info.repairs),
            }
            await store.verify(info.name)
        again = await store.commit(transfer("assets:cash", "income:salary", 100, key="key 0"))
        seen["a retry answers"] = [again.seq, again.deduplicated]
        seen["cash"] = str((await store.balance(account("assets:cash"))).amount.minor)
    finally:
        await store.shutdown()
    return seen


async def main() -> None:
    version = FROZEN / f"format-{FORMAT_VERSION}"
    with tempfile.TemporaryDirectory() as scratch:
        original = Path(scratch) / "ledger"
        await written(original)
        for name, damage in DAMAGES.items():
            case = version / name
            if case.exists():
                continue
            shutil.copytree(original, case / "ledger", ignore=shutil.ignore_patterns("LOCK"))
            damage(case / "ledger")
            shutil.copytree(case / "ledger", Path(scratch) / name)
            comes_to = await what_opening_comes_to(Path(scratch) / name)
            (case / "expected.json").write_text(
                json.dumps(comes_to, indent=1, ensure_ascii=False) + "\n", "utf-8"
            )


if __name__ == "__main__":
    asyncio.run(main())
