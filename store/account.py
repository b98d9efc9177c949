"""One account in memory."""

from __future__ import annotations

from array import array

import msgspec

from .codec import integer_item
from .model import AccountCfg, AccountDef, Amount, BalanceSnapshot, Direction


class Account(msgspec.Struct, gc=False, eq=False):
    """Its definition, what it holds now, debit-positive, and the numbers of its rows. Made by `opened`."""

    index: int
    asset_index: int
    definition: AccountDef
    config: AccountCfg
    seq: int
    """Where it was opened."""
    asset: str
    item: bytes
    """Its index as it stands in payloads."""
    sign: int
    """1 when its effective balance is debit-positive, else -1."""
    floor: int | None
    rows: array[int]
    net: int = 0
    tip: int = 0
    """`net` plus what has been accepted but is not durable yet."""
    debits: int = 0
    credits: int = 0
    updated: int = 0

    @classmethod
    def opened(
        cls, index: int, asset_index: int, definition: AccountDef, config: AccountCfg, seq: int
    ) -> Account:
        return cls(
            index=index,
            asset_index=asset_index,
            definition=definition,
            config=config,
            seq=seq,
            asset=definition.asset,
            item=integer_item(index),
            sign=-1 if config.normal_side is Direction.CREDIT else 1,
            floor=config.min_balance,
            rows=array("I"),
        )

    @property
    def balance(self) -> BalanceSnapshot:
        return BalanceSnapshot(Amount(self.sign * self.net, self.asset), self.updated)
