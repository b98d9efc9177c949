"""One account in memory."""

from __future__ import annotations

from array import array

from .codec import NARROW_END, credit_head, debit_head, narrow_amount, wide_posting
from .model import AMOUNT_LIMIT, AccountCfg, AccountDef, Direction

_LOWEST, _HIGHEST = 1 - AMOUNT_LIMIT, AMOUNT_LIMIT - 1
"""Two numbers for all accounts: what many accounts do not hold need not be fetched for each posting."""


class Account:
    """Its definition, what it holds now, debit-positive, and the numbers of its rows.

    Plain slots: every posting writes to four of them, and they are the cheapest thing to write to.
    """

    __slots__ = (
        "asset",
        "asset_index",
        "config",
        "credit_head",
        "debit_head",
        "debits",
        "definition",
        "floor",
        "highest",
        "id",
        "index",
        "lowest",
        "net",
        "rows",
        "seq",
        "sign",
        "tip",
    )

    def __init__(
        self, index: int, asset_index: int, definition: AccountDef, config: AccountCfg, seq: int
    ) -> None:
        self.index, self.asset_index, self.definition, self.config = index, asset_index, definition, config
        self.id, self.asset = definition.id, definition.asset
        self.seq = seq
        """Where it was opened."""
        self.debit_head, self.credit_head = debit_head(index), credit_head(index)
        """What stands in payloads before the amount of a posting."""
        self.sign = -1 if config.normal_side is Direction.CREDIT else 1
        """1 when its effective balance is debit-positive, else -1."""
        self.floor = floor = config.min_balance
        self.lowest, self.highest = _LOWEST, _HIGHEST
        """Between these, `net` breaks no rule."""
        if floor is not None:
            if self.sign > 0:
                self.lowest = max(self.lowest, floor)
            else:
                self.highest = min(self.highest, -floor)
        self.rows = array("I")
        self.net = 0
        self.tip = 0
        """`net` plus what has been accepted but is not durable yet."""
        self.debits = 0

    def posting_item(self, signed: int) -> bytes:
        """A posting as it stands in payloads."""
        if 0 < signed < NARROW_END:
            return self.debit_head + narrow_amount(signed)
        if -NARROW_END <= signed < 0:
            return self.credit_head + narrow_amount(-1 - signed)
        return wide_posting(self.index, signed)
