"""Which events may be what somebody looks for, told from their items alone: most need no objects made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .codec import KIND_ACCOUNT, KIND_ASSET, KIND_TRANSACTION, AccountTable, decode_items_checked, kind_in
from .model import AccountOpened, AssetRegistered, TransactionPosted
from .protocol import Sieve

_KINDS = {TransactionPosted: KIND_TRANSACTION, AssetRegistered: KIND_ASSET, AccountOpened: KIND_ACCOUNT}
_SCALAR_WORDS = ("null", "true", "false", "infinity", "nan")
_NUMBER_PART = re.compile(r"[0-9.e+-]+")
_TXID_PART = re.compile(r"[0-9a-f-]+")


class Strainer:
    """A sieve made ready for the events of one book."""

    def __init__(self, sieve: Sieve, table: AccountTable) -> None:
        self._table = table
        self._posting = sieve.posting
        self._kinds = None if sieve.kinds is None else {_KINDS[kind] for kind in sieve.kinds}
        self._plain: list[str] = []
        self._special: list[tuple[str, bool, bool]] = []
        """Texts that may be part of a number or word, or of a transaction's id."""
        for text in sieve.texts:
            scalar = _NUMBER_PART.fullmatch(text) is not None or any(text in word for word in _SCALAR_WORDS)
            txid = _TXID_PART.fullmatch(text) is not None
            if scalar or txid:
                self._special.append((text, scalar, txid))
            else:
                self._plain.append(text)

    def lets_pass(self, payload: bytes) -> bool:
        """Whether an event may be looked for. Raises Malformed and its kin for what may be no event."""
        if self._kinds is not None and kind_in(payload) not in self._kinds:
            return False
        if self._posting is None and not self._plain and not self._special:
            return True
        items = decode_items_checked(payload)
        if items[4] != KIND_TRANSACTION:
            return True
        flat = items[9]
        indexes = flat[::2]
        if self._posting is not None and not self._has_posting(indexes, flat[1::2]):
            return False
        return not (self._plain or self._special) or self._has_texts(items, indexes)

    def _has_posting(self, indexes: Sequence[int], amounts: Sequence[int]) -> bool:
        table, posting = self._table, self._posting
        assert posting is not None
        ids, assets = table.ids, table.assets
        for index, amount in zip(indexes, amounts, strict=True):
            if posting(ids[index].path, assets[index], abs(amount)):
                return True
        return False

    def _has_texts(self, items: list[Any], indexes: Sequence[int]) -> bool:
        ids, assets = self._table.ids, self._table.assets
        parts = [items[8], *items[10]]  # joined below, so that a ref's kind and value stand side by side
        for index in indexes:
            parts.append(ids[index].path)
            parts.append(assets[index])
        has_scalars = _gather(items[11], parts)
        text = " ".join(parts)
        if not text.isprintable():
            return True  # control characters show as escapes, and those have letters
        text = text.casefold()
        for wanted in self._plain:
            if wanted not in text:
                return False
        for wanted, scalar, txid in self._special:
            if not (
                wanted in text or (scalar and has_scalars) or (txid and wanted in _txid_text(items[5].hex()))
            ):
                return False
        return True


def _gather(value: Any, parts: list[str]) -> bool:
    """Add the texts and keys of a JSON value to `parts`; whether it holds anything else."""
    kind = type(value)
    if kind is str:
        parts.append(value)
        return False
    if kind is dict:
        found = False
        for key, inner in value.items():
            parts.append(key)
            if type(inner) is str:
                parts.append(inner)
            else:
                found |= _gather(inner, parts)
        return found
    if kind is list:
        found = False
        for inner in value:
            found |= _gather(inner, parts)
        return found
    return True


def _txid_text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
