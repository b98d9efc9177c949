"""Which events are what somebody looks for, told from their items alone: most need no objects made of them."""

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
_BETWEEN_TEXTS = re.compile(r"[{}\[\],: ]")
"""What stands around texts, numbers and words in JSON."""
_TXID_PART = re.compile(r"[0-9a-f-]+")


class Strainer:
    """A sieve made ready for the events of one book."""

    def __init__(self, sieve: Sieve, table: AccountTable) -> None:
        self._table = table
        self._part, self._no_part = sieve.part, sieve.no_part
        self._kinds = None if sieve.kinds is None else {_KINDS[kind] for kind in sieve.kinds}
        self._texts = [_Text(text, True) for text in sieve.texts]
        self._texts += [_Text(text, False) for text in sieve.no_texts]
        self._names = sieve.names
        self._only_kinds = sieve[1:] == Sieve()[1:]

    def judge(self, payload: bytes) -> bool | None:
        """Whether an event is looked for; None where that is uncertain.

        Raises Malformed and its kin for what may be no event.
        """
        kind = kind_in(payload)
        if self._kinds is not None and kind not in self._kinds:
            return False
        if self._only_kinds:
            return True
        items = decode_items_checked(payload)
        if kind != KIND_TRANSACTION:
            part = ("", items[5], None) if kind == KIND_ASSET else (items[6], items[7], None)
            if self._no_part is not None and self._no_part(*part):
                return False
            if self._part is not None and not self._part(*part):
                return False
            return None if self._texts else True
        if not self._postings_fit(items[9]):
            return False
        if self._names is not None:
            refs = items[10]
            pairs = list(zip(refs[::2], refs[1::2], strict=True)) if refs else []
            if not self._names(items[8], pairs, _txid_text(items[5])):
                return False
        return self._texts_fit(items) if self._texts else True

    def _postings_fit(self, flat: Sequence[int]) -> bool:
        part, no_part = self._part, self._no_part
        ids, assets = self._table.ids, self._table.assets
        if no_part is not None:
            numbers = iter(flat)
            for index, amount in zip(numbers, numbers, strict=True):
                if no_part(ids[index].path, assets[index], abs(amount)):
                    return False
        if part is None:
            return True
        numbers = iter(flat)
        for index, amount in zip(numbers, numbers, strict=True):
            if part(ids[index].path, assets[index], abs(amount)):
                return True
        return False

    def _texts_fit(self, items: list[Any]) -> bool | None:
        ids, assets, refs = self._table.ids, self._table.assets, items[10]
        parts = [items[8]]
        for index in items[9][::2]:
            parts.append(ids[index].path)
            parts.append(assets[index])
        if refs:
            parts += map('{0}:{1}"{0} {1}'.format, refs[::2], refs[1::2])
        has_scalars = _gather(items[11], parts)
        everything = '"'.join(
            parts
        )  # no text that is looked for has one, so that it is found within a part only
        if not everything.isprintable():
            return None  # control characters show as escapes, and those have letters
        everything = everything.casefold()
        fits: bool | None = True
        for wanted in self._texts:
            if wanted.text in everything or (wanted.may_be_txid and wanted.text in _txid_text(items[5])):
                found = True
            elif wanted.may_be_structure or (wanted.may_be_scalar and has_scalars):
                fits = None
                continue
            else:
                found = False
            if found is not wanted.expected:
                return False
        return fits


class _Text:
    """A text that is to occur, or not to, and where else than in texts it may."""

    __slots__ = ("expected", "may_be_scalar", "may_be_structure", "may_be_txid", "text")

    def __init__(self, text: str, expected: bool) -> None:
        self.text, self.expected = text, expected
        self.may_be_txid = _TXID_PART.fullmatch(text) is not None
        self.may_be_scalar = all(
            not token
            or _NUMBER_PART.fullmatch(token) is not None
            or any(token in word for word in _SCALAR_WORDS)
            for token in _BETWEEN_TEXTS.split(text)
        )
        self.may_be_structure = self.may_be_scalar and _BETWEEN_TEXTS.search(text) is not None


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


def _txid_text(txid: bytes) -> str:
    digits = txid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
