"""Quantities and paths, whatever a journal holds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talea_tui.interop.journal import Quantity
from talea_tui.interop.mapping import Holding, Paths

quantities = st.builds(Quantity, st.integers(-(10**40), 10**40), st.integers(0, 35))
# Few names, so that journal accounts and split paths collide: "A:X" is both.
holdings = st.tuples(
    st.sampled_from(["A", "A:X", "A:X:X", "A:Y", "B", "A:X:2"]), st.sampled_from(["X", "Y", "2"])
)


def number(quantity: Quantity) -> Fraction:
    return Fraction(quantity.mantissa, 10**quantity.places)


@given(quantities)
def test_a_quantity_is_read_back_from_its_text(quantity: Quantity) -> None:
    assert Quantity.parse(str(quantity)) == quantity
    assert number(quantity.shortest()) == number(quantity)


@given(quantities, st.integers(0, 30))
def test_minor_units_are_exact_where_the_precision_allows_and_never_off_by_more_than_half(
    quantity: Quantity, precision: int
) -> None:
    error = abs(Fraction(quantity.minor(precision), 10**precision) - number(quantity))
    assert error <= Fraction(1, 2 * 10**precision)
    if precision >= quantity.shortest().places:
        assert error == 0


@pytest.mark.parametrize(
    ("text", "minor"),
    [("0.005", 1), ("0.015", 2), ("-0.005", -1), ("-0.015", -2), ("0.0049", 0), ("1.995", 200)],
)
def test_half_a_minor_unit_is_rounded_away_from_zero(text: str, minor: int) -> None:
    assert Quantity.parse(text).minor(2) == minor


@given(st.lists(holdings, max_size=12), st.lists(holdings, max_size=12))
def test_every_holding_has_a_path_of_its_own_and_keeps_it_when_the_journal_grows(
    earlier: list[Holding], added: list[Holding]
) -> None:
    first = Paths({}, {}, {account for account, _ in earlier})
    given_paths = {holding: first.path(*holding) for holding in earlier}
    opened = {path: asset for (_, asset), path in given_paths.items()}
    origins = {path: account for (account, _), path in given_paths.items()}
    # A longer version may have the new transactions before the old ones.
    later = Paths(opened, origins, {account for account, _ in earlier + added})
    all_paths = {holding: later.path(*holding) for holding in added + earlier}
    assert len(set(all_paths.values())) == len(all_paths)
    for holding, path in given_paths.items():
        assert all_paths[holding] == path


@given(st.lists(holdings, max_size=12), st.integers(0, 12))
def test_accounts_that_a_killed_import_opened_and_never_used_are_taken_up_again(
    journal: list[Holding], posted: int
) -> None:
    names = {account for account, _ in journal}
    first = Paths({}, {}, names)
    given_paths = {holding: first.path(*holding) for holding in journal}
    opened = {path: asset for (_, asset), path in given_paths.items()}
    origins = {given_paths[holding]: holding[0] for holding in journal[:posted]}
    again = Paths(opened, origins, names)
    assert {holding: again.path(*holding) for holding in journal} == given_paths
