"""JSON with integers of any length, as metadata may hold them.

Python turns no integer of more than 4,300 digits into text, or back, since the time for it grows with the square
of the digits. What is kept has every digit, up to a length that is soon written; what is looked at is shortened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import MAX_EMAX, Context, Decimal
from typing import Any

DIGITS_MAX = 50_000
"""The digits of all long integers of a value that are written or read in full: some hundredths of a second."""

_LONG_BITS = 2_100
"""Integers of fewer bits have fewer than 640 digits, which Python always writes, however it was set up."""
_LEADING_BITS = 128
_ROUGHLY = Context(prec=30, Emax=MAX_EMAX)
_SHOWN = Context(prec=12, Emax=MAX_EMAX)


class TooManyDigits(Exception):
    """A value whose integers are too long to be written; the message is a sentence for the user."""

    def __init__(self, what: str, digits: int, remedy: str) -> None:
        super().__init__(
            f"{what} holds integers of about {digits:,} digits; at most {DIGITS_MAX:,} are written out. {remedy}"
        )


def exact_json(value: Any, what: str, remedy: str, indent: int | None = None) -> str:
    """The value with every digit; `indent` counts for nothing where an integer is long.

    Raises TooManyDigits, which says so of `what`, and what to do: `remedy`.
    """
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent)
    except ValueError:
        digits = sum(_magnitude(integer) for integer in _long_integers(value))
        if digits > DIGITS_MAX:
            raise TooManyDigits(what, digits, remedy) from None
        return _written(value)


def shown_json(value: Any, indent: int | None = None) -> str:
    """The value for people and for searching; an integer too long for Python is a text that says how long."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent)
    except ValueError:
        return json.dumps(shortened(value), ensure_ascii=False, indent=indent)


def shortened(value: Any) -> Any:
    """The value with a text in place of each long integer: its first digits, and about how many there are."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shortened(inner) for inner in value]
    if not _is_long(value):
        return value
    leading = _SHOWN.plus(_roughly(value))
    return f"≈ {leading:e} (an integer of about {_magnitude(value):,} digits)"


def parse_json(text: str) -> Any:
    """What `exact_json` wrote. Raises ValueError, for an integer of more than `DIGITS_MAX` digits too."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_integer)


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > _LONG_BITS


def _long_integers(value: Any) -> Iterator[int]:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
        elif _is_long(one):
            yield one


def _roughly(value: int) -> Decimal:
    """The value from its first bits alone, which takes no longer for more digits."""
    rest = value.bit_length() - _LEADING_BITS
    return _ROUGHLY.multiply(Decimal(value >> rest), _ROUGHLY.power(Decimal(2), rest))


def _magnitude(value: int) -> int:
    return _SHOWN.plus(_roughly(value)).adjusted() + 1


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    # a Decimal of an integer is exact, and has no bound on its digits
    return f"{Decimal(value):f}" if _is_long(value) else json.dumps(value, ensure_ascii=False)


def _integer(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > DIGITS_MAX:
        raise ValueError(f"an integer of {digits:,} digits; at most {DIGITS_MAX:,} are read")
    return int(Decimal(text))
