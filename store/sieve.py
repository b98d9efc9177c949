"""Which events are what somebody looks for, told from their items alone: most need no objects made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .codec import KIND_ACCOUNT, KIND_ASSET, KIND_TRANSACTION, AccountTable, decode_items_checked, kind_in
from .model import AccountOpened, AssetRegistered, TransactionPosted
from .protocol import Sieve

_KINDS = {TransactionPosted: KIND_TRANSACTION, AssetRegistered: KIND_ASSET, AccountOpened: KIND_ACCOUNT}
_WORDS = ("null", "true", "false", "infinity", "nan")
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
        self._may_be_txid = any(_TXID_PART.fullmatch(wanted.text) for wanted in self._texts)
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
        ids, assets, refs, metadata = self._table.ids, self._table.assets, items[10], items[11]
        parts = [items[8]]
        for index in items[9][::2]:
            parts.append(ids[index].path)
            parts.append(assets[index])
        if refs:
            parts += map('{0}:{1}"{0} {1}'.format, refs[::2], refs[1::2])
        if self._may_be_txid:
            parts.append(_txid_text(items[5]))
        if metadata:
            _gather(metadata, parts)
        # no text that is looked for has a quotation mark, so that it is found within one part only
        everything = '"'.join(parts)
        if not everything.isprintable():
            return None  # control characters show as escapes, and those have letters
        everything = everything.casefold()
        fits: bool | None = True
        for wanted in self._texts:
            found = wanted.text in everything
            if not found and metadata and wanted.may_be_structure:
                fits = None
            elif found is not wanted.expected:
                return False
        return fits


class _Text:
    """A text that is to occur, or not to."""

    __slots__ = ("expected", "may_be_structure", "text")

    def __init__(self, text: str, expected: bool) -> None:
        self.text, self.expected = text, expected
        self.may_be_structure = _BETWEEN_TEXTS.search(text) is not None and all(
            _NUMBER_PART.fullmatch(token) or any(token in word for word in _WORDS)
            for token in _BETWEEN_TEXTS.split(text)
        )


def _gather(value: Any, parts: list[str]) -> None:
    """Add the texts, keys, numbers and words of a JSON value to `parts`."""
    kind = type(value)
    if kind is str:
        parts.append(value)
    elif kind is dict:
        for key, inner in value.items():
            parts.append(key)
            if type(inner) is str:
                parts.append(inner)
            else:
                _gather(inner, parts)
    elif kind is list:
        for inner in value:
            _gather(inner, parts)
    else:
        parts.append(json.dumps(value))


def _txid_text(txid: bytes) -> str:
    digits = txid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
