"""Hypothesis strategies for what a ledger is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, ints of any size among them."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(min_value=-(2**200), max_value=2**200)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )


def printable_names() -> st.SearchStrategy[str]:
    """What an asset id, an account path or a key may be."""
    return st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


def any_text() -> st.SearchStrategy[str]:
    """Text with lone surrogates, control characters and separators."""
    return st.text(st.characters(categories=["Cs", "Cc", "Lu", "Po", "So"]), max_size=12)


def nasty_values() -> st.SearchStrategy[Any]:
    """Values of every wrong type, and of the right ones with wrong content."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.binary(max_size=8),
        any_text(),
        st.datetimes(),
        st.just(Decimal(1)),
        st.builds(object),
        st.sets(st.integers(), max_size=2),
        st.sampled_from([int, Exception("x"), ..., NotImplemented, 1j]),
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        ),
        max_leaves=6,
    )
