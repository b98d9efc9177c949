"""The store's inner sizes made tiny, so that small ledgers cross every border that large ones cross."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import store
from store.frames import FRAME_HEAD_BYTES
from store.runs import RECORD_BYTES

PAGE_RECORDS = 4
TINY = {
    "CHUNK_EVENTS": 8,
    "MARK_ROWS": 4,
    "GROUP_FRAMES": 3,
    "ROOM_FROM_BYTES": 300,
    "ROOM_MAX_BYTES": 400,
    "WINDOW_BYTES": 4096,
    "READ_BYTES": 512,
    "PAGE_RECORDS": PAGE_RECORDS,
    "_PAGE_BYTES": FRAME_HEAD_BYTES + PAGE_RECORDS * RECORD_BYTES,
    "_WINDOW_BYTES": 4096,
    "_BLOOM_PIECE_BYTES": 32,
    "_COLUMN_PIECE_BYTES": 64,
    "_ACCOUNTS_A_FRAME": 2,
    "_ROWS_AN_ACCOUNT": 1,
    "_READ_GROUP": 3,
    "_STRETCH_GROUP": 4,
    "_PAGE_EVENTS": 3,
    "HOT_KEYS": 3,
    "QUEUE_MAX": 4,
    "_FILTER_LEAST": 3,
    "_SEARCHED_AT_ONCE": 5,
    "_FEW": 1,
    "_IDS_AT_ONCE": 2,
    "_PAGES_AT_ONCE": 2,
    "APPLY_SLICE": 2,
    "RING_EVENTS": 5,
    "RING_BYTES": 2000,
}


def modules_with(limit: str) -> list[ModuleType]:
    """The store's modules that have a limit of this name, their own or imported."""
    names = [f"store.{module.name}" for module in iter_modules(store.__path__)]
    return [module for module in map(import_module, names) if hasattr(module, limit)]


@contextmanager
def tiny_limits() -> Iterator[None]:
    """Sizes in memory and of pages and pieces; what a reader of the files must know is not among them."""
    changed = [(module, limit, getattr(module, limit)) for limit in TINY for module in modules_with(limit)]
    for module, limit, _ in changed:
        setattr(module, limit, TINY[limit])
    try:
        yield
    finally:
        for module, limit, value in changed:
            setattr(module, limit, value)
