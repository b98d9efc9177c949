"""An exchange's desk: customers' coins, hot and cold wallets, trades, withdrawals, sweeps. ETH is in wei."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import ClassVar

from store import Transaction

from .bookkeeper import ASSET, EQUITY, EXPENSE, INCOME, LIABILITY, Account, DemoBook, Step

COINS = ("BTC", "ETH", "USDC")
UNIT = {"BTC": 10**8, "ETH": 10**18, "USDC": 10**6}
NETWORK_FEE = {"BTC": 4_210, "ETH": 610_000_000_000_000, "USDC": 0}
HOT_MOST = {"BTC": 12, "ETH": 260, "USDC": 900_000}
REF = {"BTC": "btc_txid", "ETH": "eth_txid", "USDC": "eth_txid"}
CUSTOMERS = (
    "amara", "brisk-otter", "cypher9", "delphine", "ekundayo", "fjord-capital", "guanyin",
    "halcyon", "ilse", "jacaranda", "kestrel-fund", "lumen", "mirador", "nakamori",
)  # fmt: skip


def hot(coin: str) -> str:
    return f"assets:{coin}:hot"


def cold(coin: str) -> str:
    return f"assets:{coin}:cold"


def held(customer: str, coin: str) -> str:
    return f"customers:{coin}:{customer}"


class CryptoDesk(DemoBook):
    NAME = "crypto-desk"
    ACCOUNTS: ClassVar = (
        *(Account(hot(coin), coin, ASSET, least=0) for coin in COINS),
        *(Account(cold(coin), coin, ASSET, least=0) for coin in COINS),
        *(
            Account(held(customer, coin), coin, LIABILITY, least=0)
            for customer in CUSTOMERS
            for coin in COINS
        ),
        *(Account(f"income:{coin}:fees", coin, INCOME) for coin in COINS),
        *(Account(f"expenses:{coin}:network", coin, EXPENSE) for coin in ("BTC", "ETH")),
        *(Account(f"equity:{coin}:capital", coin, EQUITY) for coin in COINS),
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._dollars = {"BTC": 91_400.0, "ETH": 3_120.0}

    def opening(self, at: datetime) -> Iterator[Transaction]:
        for coin, hot_units, cold_units in (("BTC", 4, 60), ("ETH", 90, 4_000), ("USDC", 400_000, 6_000_000)):
            first, second = hot_units * UNIT[coin], cold_units * UNIT[coin]
            yield self.entry(
                at,
                f"Capital in {coin}",
                (hot(coin), first),
                (cold(coin), second),
                (f"equity:{coin}:capital", -first - second),
            )
        for customer in CUSTOMERS:
            for coin, units in (("BTC", 2), ("ETH", 40), ("USDC", 120_000)):
                yield self._deposit(at, customer, coin, self._quantity(coin, units / 4, units))

    def plan(self, day: date) -> Iterator[tuple[time, Step]]:
        for coin, swing in (("BTC", 0.021), ("ETH", 0.029)):
            self._dollars[coin] *= 1 + self.random.uniform(-swing, swing * 1.02)
        for _ in range(self.random.randrange(4, 13)):
            yield self.at(0, 24), self.live
        yield time(23, 45), self._sweep_largest

    def live(self, now: datetime) -> Transaction:
        for coin in COINS:
            if self.balance(hot(coin)) > HOT_MOST[coin] * UNIT[coin]:
                return self._sweep(now, coin)
            if self.balance(hot(coin)) < HOT_MOST[coin] * UNIT[coin] // 12:
                return self._refill(now, coin)
        pick = self.random.random()
        customer = self.random.choice(CUSTOMERS)
        if pick < 0.62:
            return self._trade(now, customer)
        coin = self.random.choice(COINS)
        most = {"BTC": 0.9, "ETH": 22.0, "USDC": 40_000.0}[coin]
        if pick < 0.83:
            return self._deposit(now, customer, coin, self._quantity(coin, most / 40, most))
        return self._withdraw(now, customer, coin, self._quantity(coin, most / 40, most))

    def _quantity(self, coin: str, least: float, most: float) -> int:
        """Often a round number as people choose it, else down to the last decimal."""
        units = self.random.uniform(least, most)
        if self.random.random() < 0.4:
            return int(units * 100) * (UNIT[coin] // 100) or UNIT[coin] // 100
        return int(units * 10**6) * (UNIT[coin] // 10**6) + self.random.randrange(max(1, UNIT[coin] // 10**6))

    def _deposit(self, at: datetime, customer: str, coin: str, quantity: int) -> Transaction:
        return self.entry(
            at,
            f"deposit {customer}",
            (hot(coin), quantity),
            (held(customer, coin), -quantity),
            refs=((REF[coin], "0x" + self.hex(64) if coin != "BTC" else self.hex(64)),),
        )

    def _withdraw(self, at: datetime, customer: str, coin: str, quantity: int) -> Transaction:
        """Now and then of more than there is, which the customer's min_balance refuses."""
        has = -self.balance(held(customer, coin))
        if quantity > has and self.random.random() < 0.8:
            quantity = has // 2
        if quantity <= 0:
            return self._trade(at, customer)
        fee, network = quantity // 2_000, NETWORK_FEE[coin]
        entries = [
            (held(customer, coin), quantity + fee),
            (hot(coin), -quantity - network),
            (f"income:{coin}:fees", -fee),
        ]
        if network:
            entries.append((f"expenses:{coin}:network", network))
        return self.entry(
            at,
            f"withdrawal {customer}",
            *entries,
            refs=((REF[coin], "0x" + self.hex(64) if coin != "BTC" else self.hex(64)),),
        )

    def _trade(self, at: datetime, buyer: str) -> Transaction:
        coin = self.random.choice(("BTC", "ETH", "ETH"))
        seller = self.random.choice([one for one in CUSTOMERS if one != buyer])
        has = -self.balance(held(seller, coin))
        quantity = min(self._quantity(coin, 0.002, 0.4 if coin == "BTC" else 6.0), has)
        if quantity <= 0:
            return self._deposit(at, seller, coin, 2 * UNIT[coin])
        price = int(self._dollars[coin] * 10**6)
        cost = quantity * price // UNIT[coin]
        fee = cost // 1_000
        if cost + fee > -self.balance(held(buyer, "USDC")) and self.random.random() < 0.9:
            return self._deposit(at, buyer, "USDC", (cost // 10**9 + 5) * 10**9)
        return self.entry(
            at,
            f"trade {coin}/USDC at {price / 10**6:,.2f}",
            (held(seller, coin), quantity),
            (held(buyer, coin), -quantity),
            (held(buyer, "USDC"), cost + fee),
            (held(seller, "USDC"), -cost),
            ("income:USDC:fees", -fee),
            refs=(("order", self.hex(12)),),
        )

    def _sweep_largest(self, at: datetime) -> Transaction | None:
        coin = max(COINS, key=lambda one: self.balance(hot(one)) / (HOT_MOST[one] * UNIT[one]))
        return self._sweep(at, coin) if self.balance(hot(coin)) > HOT_MOST[coin] * UNIT[coin] // 2 else None

    def _sweep(self, at: datetime, coin: str) -> Transaction:
        quantity = self.balance(hot(coin)) - HOT_MOST[coin] * UNIT[coin] // 3
        return self.entry(at, f"sweep {coin} to cold storage", (cold(coin), quantity), (hot(coin), -quantity))

    def _refill(self, at: datetime, coin: str) -> Transaction:
        wanted = HOT_MOST[coin] * UNIT[coin] // 3
        quantity = min(wanted, self.balance(cold(coin)))
        if quantity <= 0:
            return self._deposit(at, "fjord-capital", coin, wanted)
        return self.entry(
            at, f"refill hot {coin}, two signatures", (hot(coin), quantity), (cold(coin), -quantity)
        )
