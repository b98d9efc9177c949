"""Why the store refused a transaction, with amounts as people write them."""

from __future__ import annotations

from collections.abc import Mapping

from store import ConstraintViolation, StoreError, Transaction, Unbalanced

from ..formatting import format_amount


def refusal(error: StoreError, transaction: Transaction, precisions: Mapping[str, int]) -> str:
    """A sentence; `precisions` are the decimals of the assets."""

    def money(minor: int, asset: str) -> str:
        return f"{format_amount(minor, precisions.get(asset, 0))} {asset}"

    if isinstance(error, ConstraintViolation):
        asset = next(one.amount.asset for one in transaction.postings if one.account == error.account)
        would_be, minimum = money(error.would_be, asset), money(error.min_balance, asset)
        return f"Account {error.account.path!r} would stand at {would_be}, below its minimum of {minimum}."
    if isinstance(error, Unbalanced):
        debits, credits = money(error.debits, error.asset), money(error.credits, error.asset)
        return f"It does not balance, debits are {debits} and credits {credits}."
    return str(error)
