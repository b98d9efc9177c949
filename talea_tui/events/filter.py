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
from collections.abc import Callable
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
    TransactionPosted,
)

from .text import kind_of, searchable_text

PrecisionOf: TypeAlias = Callable[[str], int]
"""Decimal places of an asset by its id."""

_Part: TypeAlias = tuple[str, str, int | None]
"""A posting as a filter sees it: account path, asset, minor units (None where nothing is posted)."""

_TextTest: TypeAlias = Callable[[str], bool]
_EventTest: TypeAlias = Callable[[Event], bool]
_PartTest: TypeAlias = Callable[[_Part], bool]

_FIELDS = ("account", "kind", "asset", "key", "ref", "book", "id")
_NOT_SIFTED = re.compile(r'[\x00-\x1f"\\{}\[\],:]')
"""What separates texts in JSON, or is written otherwise there."""
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
    _tests: tuple[tuple[_EventTest, bool], ...] = ()
    _same_part: tuple[_PartTest, ...] = ()
    _no_part: tuple[_PartTest, ...] = ()
    _book_tests: tuple[tuple[_TextTest, bool], ...] = ()
    sieve: Sieve = _OPEN
    """What a store may leave out on the way; whatever it lets pass is to be tested still."""

    def __bool__(self) -> bool:
        return bool(self._tests or self._same_part or self._no_part or self._book_tests)

    def may_match_in(self, book: str) -> bool:
        """Whether any event of a book can match."""
        return all(check(book) is wanted for check, wanted in self._book_tests)

    def matches(self, book: str, sequenced: Sequenced) -> bool:
        if not self.may_match_in(book):
            return False
        event = sequenced.event
        if self._same_part or self._no_part:
            parts = _parts(event)
            for test in self._no_part:
                for part in parts:
                    if test(part):
                        return False
            if self._same_part and not _any_part(parts, self._same_part):
                return False
        return all(check(event) is wanted for check, wanted in self._tests)


EVERYTHING = Filter("")


def parse_filter(text: str, precision_of: PrecisionOf) -> Filter:
    """Read a filter; a field without its value (`account:`) waits for it and restricts nothing.

    Raises FilterError for an unknown kind or an amount that is no number.
    """
    tests: list[tuple[_EventTest, bool]] = []
    same_part: list[_PartTest] = []
    no_part: list[_PartTest] = []
    book_tests: list[tuple[_TextTest, bool]] = []
    kinds, texts = _EVERY_KIND, []
    for term in _TERM.findall(text):
        wanted = not term.startswith(("-", "!"))
        body = term if wanted else term[1:]
        field = _field(body)
        if test := _part_test(body, precision_of):
            (same_part if wanted else no_part).append(test)
        elif field is not None and field[0] == "book":
            if field[1]:
                book_tests.append((_glob(field[1], whole=True), wanted))
        elif check := _event_test(body):
            tests.append((check, wanted))
            if field is not None and field[0] == "kind":
                named = frozenset({_EVENTS[_kind_named(field[1])]})
                kinds &= named if wanted else _EVERY_KIND - named
            elif wanted:
                texts += _literals(body)
    sieve = Sieve(
        kinds=None if kinds == _EVERY_KIND else kinds,
        posting=_posting_test(tuple(same_part)) if same_part else None,
        texts=tuple(texts),
    )
    return Filter(text, tuple(tests), tuple(same_part), tuple(no_part), tuple(book_tests), sieve)


def _posting_test(tests: tuple[_PartTest, ...]) -> Callable[[str, str, int], bool]:
    return lambda path, asset, minor: _any_part([(path, asset, minor)], tests)


def _literals(body: str) -> list[str]:
    """What must occur in an event for a term to hold, in the form that a sieve wants."""
    field = _field(body)
    text = _unquoted(body) if field is None else field[1]
    if field is not None and any(wildcard in text for wildcard in "*?["):
        text = text.partition("[")[0].replace("*", "\0").replace("?", "\0")
    return [found for part in _NOT_SIFTED.split(text.casefold()) if (found := part.strip(" "))]


def _parts(event: Event) -> list[_Part]:
    if isinstance(event, TransactionPosted):
        return [
            (posting.account.path, posting.amount.asset, posting.amount.minor)
            for posting in event.transaction.postings
        ]
    if isinstance(event, AccountOpened):
        return [(event.definition.id.path, event.definition.asset, None)]
    return [("", event.asset.id, None)]


def _any_part(parts: list[_Part], tests: tuple[_PartTest, ...]) -> bool:
    for part in parts:
        for test in tests:
            if not test(part):
                break
        else:
            return True
    return False


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
        return lambda part: path_test(part[0])
    if name == "asset":
        asset_test = cache(_glob(value, whole=True))
        return lambda part: asset_test(part[1])
    return None


def _event_test(body: str) -> _EventTest | None:
    field = _field(body)
    if field is None:
        needle = _unquoted(body).casefold()
        return (lambda event: needle in searchable_text(event).casefold()) if needle else None
    name, value = field
    if not value:
        return None
    if name == "kind":
        return _kind_test(value)
    if name == "key":
        key_test = _glob(value, whole=False)
        return lambda event: (
            isinstance(event, TransactionPosted) and key_test(event.transaction.idempotency_key)
        )
    if name == "ref":
        ref_test = _glob(value, whole=False)
        return lambda event: (
            isinstance(event, TransactionPosted)
            and any(
                ref_test(ref.value) or ref_test(f"{ref.kind}:{ref.value}")
                for ref in event.transaction.external_refs
            )
        )
    start = value.lower()
    return lambda event: isinstance(event, TransactionPosted) and str(event.transaction.id).startswith(start)


def _kind_test(value: str) -> _EventTest:
    kind = _kind_named(value)
    return lambda event: kind_of(event) == kind


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
        # Runs of stars would make the regular expression try every split between them.
        fits = re.compile(translate(re.sub(r"\*+", "*", pattern)), re.DOTALL).match
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

    def test(part: _Part) -> bool:
        _, asset, minor = part
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
