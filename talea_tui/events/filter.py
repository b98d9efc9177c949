"""The filter language: what one types after `/`, and whether an event meets it.

    coffee "two words"      text anywhere in the event, any case
    account:clients*        the whole path against a glob; without * ? [ a part of the path is enough
    kind:tx                 tx, acct or asset
    asset:USD               the asset of a posting, an account or a registration; globs too
    amount>10               a posting's amount in major units; also >= < <= = and amount:10..20
    key:inv-*  ref:INV-1    idempotency key; external reference, its value or kind:value
    book:pay*  id:0192f3    the book; the start of the transaction id
    -term  !term            not this

All terms must hold. Account, asset and amount must hold for one and the same posting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from fractions import Fraction
from functools import cache
from typing import TypeAlias

from store import (
    AccountOpened,
    AssetRegistered,
    Event,
    Sequenced,
    Sieve,
    Sifted,
    TransactionPosted,
)

from .text import searchable_text

PrecisionOf: TypeAlias = Callable[[str], int]
"""Decimal places of an asset by its id."""

_Part: TypeAlias = tuple[str, str, int | None]
"""A posting as a filter sees it: account path, asset, minor units (None where nothing is posted)."""

_TextTest: TypeAlias = Callable[[str], bool]
_NamesTest: TypeAlias = Callable[[str, Sequence[tuple[str, str]], str], bool]
"""Of a transaction's key, the (kind, value) of its refs, and its id."""

_PartTest: TypeAlias = Callable[[str, str, int | None], bool]

_FIELDS = ("account", "kind", "asset", "key", "ref", "book", "id")
_NOT_SIFTED = re.compile(r'[\x00-\x1f"\\]')
"""What ends a text in JSON, or is written otherwise there."""
_EVENTS: dict[str, type[Event]] = {"tx": TransactionPosted, "acct": AccountOpened, "asset": AssetRegistered}
_EVERY_KIND = frozenset(_EVENTS.values())
_KINDS = {"tx": "tx", "transaction": "tx", "acct": "acct", "account": "acct", "asset": "asset"}
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*(?:\.\d*)?|\.\d+"
_AMOUNT = re.compile(rf"(>=|<=|>|<|=|:)({_NUMBER})(?:\.\.({_NUMBER}))?$")
_AMOUNT_NAME = re.compile(r"amount(?=[<>=:])", re.IGNORECASE)
_TERM = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*(?:"|$))+')
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)(?:"|$)')


class FilterError(ValueError):
    """The text is no filter (yet); the message says what is missing."""


_OPEN = Sieve()


@dataclass(frozen=True)
class Filter:
    """A filter ready to use; an empty one is false and lets everything pass."""

    text: str
    sieve: Sieve = _OPEN
    """What a store is to look for; every match is among that."""
    _sieve_decides: bool = True
    """Whether all of that matches."""
    _texts: tuple[tuple[str, bool], ...] = ()
    _book_tests: tuple[tuple[_TextTest, bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._texts or self._book_tests) or self.sieve != _OPEN

    def may_match_in(self, book: str) -> bool:
        """Whether any event of a book can match."""
        return all(check(book) is wanted for check, wanted in self._book_tests)

    def admits(self, book: str, sifted: Sifted) -> bool:
        """Whether what the sieve let pass matches; decodes it only where the sieve cannot tell. Raises CorruptLog."""
        if sifted.is_certain and self._sieve_decides:
            return not self._book_tests or self.may_match_in(book)
        return self.matches(book, sifted.read())

    def matches(self, book: str, sequenced: Sequenced) -> bool:
        if not self.may_match_in(book):
            return False
        event = sequenced.event
        kinds, part, no_part, names, *_ = self.sieve
        if kinds is not None and type(event) not in kinds:
            return False
        if part is not None or no_part is not None:
            parts = _parts(event)
            if no_part is not None and any(no_part(*each) for each in parts):
                return False
            if part is not None and not any(part(*each) for each in parts):
                return False
        if names is not None and isinstance(event, TransactionPosted):
            transaction = event.transaction
            refs = [(ref.kind, ref.value) for ref in transaction.external_refs]
            if not names(transaction.idempotency_key, refs, str(transaction.id)):
                return False
        if not self._texts:
            return True
        text = searchable_text(event).casefold()
        return all((needle in text) is wanted for needle, wanted in self._texts)


EVERYTHING = Filter("")


def parse_filter(text: str, precision_of: PrecisionOf) -> Filter:
    """Read a filter; a field without its value (`account:`) waits for it and restricts nothing.

    Raises FilterError for an unknown kind or an amount that is no number.
    """
    kinds = _EVERY_KIND
    same_part: list[_PartTest] = []
    no_part: list[_PartTest] = []
    names: list[tuple[_NamesTest, bool]] = []
    needles: list[tuple[str, bool]] = []
    book_tests: list[tuple[_TextTest, bool]] = []
    for term in _TERM.findall(text):
        wanted = not term.startswith(("-", "!"))
        body = term if wanted else term[1:]
        if part_test := _part_test(body, precision_of):
            (same_part if wanted else no_part).append(part_test)
            continue
        field = _field(body)
        if field is None:
            if needle := _unquoted(body).casefold():
                needles.append((needle, wanted))
            continue
        name, value = field
        if not value:
            continue
        if name == "book":
            book_tests.append((_glob(value, whole=True), wanted))
        elif name == "kind":
            named = frozenset({_EVENTS[_kind_named(value)]})
            kinds &= named if wanted else _EVERY_KIND - named
        elif names_test := _names_test(name, value):
            names.append((names_test, wanted))
            if wanted:
                kinds &= {TransactionPosted}
    texts, no_texts, sieve_decides = _sifted_texts(needles)
    sieve = Sieve(
        kinds=None if kinds == _EVERY_KIND else kinds,
        part=_all_of(same_part),
        no_part=_one_of(no_part),
        names=_names_as_wanted(names),
        texts=texts,
        no_texts=no_texts,
    )
    return Filter(text, sieve, sieve_decides, tuple(needles), tuple(book_tests))


def _sifted_texts(needles: list[tuple[str, bool]]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The texts that a sieve is to look for, those it is to refuse, and whether that is all there is to ask."""
    texts: list[str] = []
    no_texts: list[str] = []
    is_all = True
    for needle, wanted in needles:
        literals = [literal for literal in _NOT_SIFTED.split(needle) if literal]
        if literals != [needle]:
            is_all = False
        elif not wanted:
            no_texts.append(needle)
        if wanted:
            texts += literals
    return tuple(texts), tuple(no_texts), is_all


def _all_of(tests: list[_PartTest]) -> _PartTest | None:
    if len(tests) > 1:
        return lambda *part: all(test(*part) for test in tests)
    return tests[0] if tests else None


def _one_of(tests: list[_PartTest]) -> _PartTest | None:
    if len(tests) > 1:
        return lambda *part: any(test(*part) for test in tests)
    return tests[0] if tests else None


def _names_as_wanted(tests: list[tuple[_NamesTest, bool]]) -> _NamesTest | None:
    if not tests:
        return None
    if len(tests) == 1 and tests[0][1]:
        return tests[0][0]
    return lambda key, refs, id: all(test(key, refs, id) is wanted for test, wanted in tests)


def _parts(event: Event) -> list[_Part]:
    if isinstance(event, TransactionPosted):
        return [
            (posting.account.path, posting.amount.asset, posting.amount.minor)
            for posting in event.transaction.postings
        ]
    if isinstance(event, AccountOpened):
        return [(event.definition.id.path, event.definition.asset, None)]
    return [("", event.asset.id, None)]


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda found: re.sub(r"\\(.)", r"\1", found[1]), text)


def _field(body: str) -> tuple[str, str] | None:
    """The field and its value, or None for plain text."""
    name, colon, value = body.partition(":")
    if colon and name.lower() in _FIELDS:
        return name.lower(), _unquoted(value)
    return None


def _part_test(body: str, precision_of: PrecisionOf) -> _PartTest | None:
    if named := _AMOUNT_NAME.match(body):
        return _amount_test(body[named.end() :], precision_of)
    field = _field(body)
    if field is None or not field[1]:
        return None
    name, value = field
    if name == "account":
        path_test = cache(_glob(value, whole=False))
        return lambda path, asset, minor: path_test(path)
    if name == "asset":
        asset_test = cache(_glob(value, whole=True))
        return lambda path, asset, minor: asset_test(asset)
    return None


def _names_test(name: str, value: str) -> _NamesTest | None:
    if name == "key":
        key_test = _glob(value, whole=False)
        return lambda key, refs, id: key_test(key)
    if name == "ref":
        ref_test = _glob(value, whole=False)
        return lambda key, refs, id: any(ref_test(ref) or ref_test(f"{kind}:{ref}") for kind, ref in refs)
    if name == "id":
        start = value.lower()
        return lambda key, refs, id: id.startswith(start)
    return None


def _kind_named(value: str) -> str:
    found = {kind for name, kind in _KINDS.items() if name == value.lower()}
    found = found or {kind for name, kind in _KINDS.items() if name.startswith(value.lower())}
    if len(found) != 1:
        raise FilterError("kind: is tx, acct or asset")
    return found.pop()


def _glob(pattern: str, whole: bool) -> _TextTest:
    """A test without regard to case. Without wildcards: equality when `whole`, else containment."""
    pattern = pattern.casefold()
    if any(wildcard in pattern for wildcard in "*?["):
        fits = re.compile(translate(pattern)).match
        return lambda text: fits(text.casefold()) is not None
    if whole:
        return lambda text: text.casefold() == pattern
    return lambda text: pattern in text.casefold()


def _amount_test(body: str, precision_of: PrecisionOf) -> _PartTest:
    found = _AMOUNT.match(body)
    if found is None:
        raise FilterError("amount wants a number, as in amount>10 or amount:10..20")
    sign, first, last = found[1], _number(found[2]), found[3]
    if last is not None and sign not in ":=":
        raise FilterError("a range is written amount:10..20")
    bounds: dict[str, tuple[int, int | None]] = {}

    def bounds_of(asset: str) -> tuple[int, int | None]:
        scale = 10 ** precision_of(asset)
        low, high = first * scale, (_number(last) if last is not None else first) * scale
        if sign == ">":
            return math.floor(low) + 1, None
        if sign == ">=":
            return math.ceil(low), None
        if sign == "<":
            return 0, math.ceil(low) - 1
        if sign == "<=":
            return 0, math.floor(low)
        return math.ceil(low), math.floor(high)

    def test(path: str, asset: str, minor: int | None) -> bool:
        if minor is None:
            return False
        if asset not in bounds:
            bounds[asset] = bounds_of(asset)
        low, high = bounds[asset]
        return low <= minor and (high is None or minor <= high)

    return test


def _number(text: str) -> Fraction:
    digits = text.replace(",", "").replace("_", "")
    return Fraction(digits.removesuffix(".") or "0")
