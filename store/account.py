"""One account in memory."""

from __future__ import annotations

from array import array

from .codec import integer_item
from .model import AccountCfg, AccountDef, Amount, BalanceSnapshot, Direction


class Account:
    """One account: its definition, what it holds now, and the numbers of its rows."""

    __slots__ = (
        "asset",
        "asset_index",
        "config",
        "credits",
        "debits",
        "definition",
        "floor",
        "index",
        "item",
        "net",
        "opened",
        "rows",
        "sign",
        "tip",
        "updated",
    )

    def __init__(
        self, index: int, asset_index: int, definition: AccountDef, config: AccountCfg, opened: int
    ) -> None:
        self.index, self.asset_index = index, asset_index
        self.definition, self.config = definition, config
        self.asset = definition.asset
        self.item = integer_item(index)
        self.sign = -1 if config.normal_side is Direction.CREDIT else 1
        self.floor = config.min_balance
        self.opened = opened
        self.net = self.tip = 0
        """`tip` is `net` plus what has been accepted but is not durable yet."""
        self.debits = self.credits = 0
        self.updated = 0
        self.rows = array("I")

    @property
    def balance(self) -> BalanceSnapshot:
        return BalanceSnapshot(Amount(self.sign * self.net, self.asset), self.updated)
