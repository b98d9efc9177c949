"""A payment processor: cards and wallets to merchants, fees, refunds, payouts, settlement by schemes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import ClassVar

from store import Transaction

from .bookkeeper import ASSET, EQUITY, EXPENSE, INCOME, LIABILITY, Account, DemoBook, Step

BANK = "assets:bank:settlement"
SCHEMES = ("visa", "mastercard", "bancontact")
MERCHANTS = (
    "bakkerij-van-hecke", "bloemen-iris", "boekhandel-limerick", "brouwerij-de-ryck", "cafe-den-turk",
    "cinema-sphinx", "delhaize-korenmarkt", "fietsen-troch", "frituur-tartaar", "galerie-verlat",
    "hotel-onderbergen", "ijssalon-rialto", "kapsalon-noor", "kleding-aline", "kringwinkel-ateljee",
    "muziekcentrum-kouter", "nachtwinkel-sint-jacobs", "parking-vrijdagmarkt", "pizza-gigi",
    "restaurant-pakhuis", "schoenen-mertens", "speelgoed-krokodil", "taxi-v-tax", "tierenteyn-mosterd",
)  # fmt: skip
WALLETS = tuple(f"w{number:04}" for number in range(1, 121))

SETTLE_ABOVE, PAY_OUT_ABOVE = 25_000_00, 2_500_00
WALLET_LEAST = 20_00


def scheme(name: str) -> str:
    return f"assets:schemes:{name}"


def merchant(name: str) -> str:
    return f"liabilities:merchants:{name}"


def wallet(name: str) -> str:
    return f"liabilities:wallets:{name}"


class Payments(DemoBook):
    NAME = "payments"
    ACCOUNTS: ClassVar = (
        Account(BANK, "EUR", ASSET, least=0),
        *(Account(scheme(name), "EUR", ASSET) for name in SCHEMES),
        *(Account(merchant(name), "EUR", LIABILITY, least=0) for name in MERCHANTS),
        *(Account(wallet(name), "EUR", LIABILITY, least=0) for name in WALLETS),
        Account("income:fees:card", "EUR", INCOME),
        Account("income:fees:wallet", "EUR", INCOME),
        Account("income:fees:payout", "EUR", INCOME),
        Account("expenses:schemes", "EUR", EXPENSE),
        Account("equity:capital", "EUR", EQUITY),
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._days = 0

    def opening(self, at: datetime) -> Iterator[Transaction]:
        yield self.entry(at, "Capital", (BANK, 250_000_00), ("equity:capital", -250_000_00))
        for name in WALLETS[::3]:
            yield self._top_up(at, name)

    def plan(self, day: date) -> Iterator[tuple[time, Step]]:
        self._days += 1
        busy = 13 + self._days // 24 + (6 if day.weekday() in (4, 5) else 0) + (6 if day.month == 12 else 0)
        for _ in range(self.random.randrange(busy - 5, busy + 5)):
            yield self._opening_hours(), self.live
        for place, name in enumerate(SCHEMES):
            yield time(4, place), self._settle(name)
        for place, name in enumerate(MERCHANTS):
            if place % 7 == day.weekday():
                yield time(5, place), self._pay_out(name)

    def live(self, now: datetime) -> Transaction:
        pick, choice = self.random.random(), self.random.choice
        shop = choice(MERCHANTS)
        if -self.balance(merchant(shop)) > PAY_OUT_ABOVE:
            return self._paid_out(now, shop)
        if pick < 0.62:
            return self._by_card(now, shop)
        if pick < 0.9:
            return self._by_wallet(now, shop)
        if pick < 0.93:
            return self._refund(now, shop)
        return self._top_up(now, choice(WALLETS))

    def _opening_hours(self) -> time:
        hour = min(23, max(6, int(self.random.gauss(15, 3.6))))
        return self.at(hour, hour + 1)

    def _price(self) -> int:
        """Mostly a coffee or a basket, now and then a bicycle."""
        return int(min(1_900, self.random.lognormvariate(2.95, 0.9)) * 100) // 5 * 5 + 80

    def _by_card(self, at: datetime, shop: str) -> Transaction:
        name = self.random.choice(SCHEMES)
        if self.balance(scheme(name)) > SETTLE_ABOVE:
            return self._settled(at, name)
        minor = self._price()
        fee = minor * 14 // 1_000 + 10
        return self.entry(
            at,
            f"card {self.random.randrange(10_000):04}",
            (scheme(name), minor),
            (merchant(shop), fee - minor),
            ("income:fees:card", -fee),
            refs=(("authorisation", self.hex(10)),),
        )

    def _by_wallet(self, at: datetime, shop: str) -> Transaction:
        """A wallet that is short is mostly topped up first; else its min_balance refuses the payment."""
        name, minor = self.random.choice(WALLETS), self._price() // 2 + 40
        if -self.balance(wallet(name)) < minor and self.random.random() < 0.9:
            return self._top_up(at, name)
        fee = minor * 6 // 1_000 + 5
        return self.entry(
            at,
            f"wallet {name}",
            (wallet(name), minor),
            (merchant(shop), fee - minor),
            ("income:fees:wallet", -fee),
        )

    def _refund(self, at: datetime, shop: str) -> Transaction:
        name, minor = self.random.choice(SCHEMES), self._price() // 2
        return self.entry(
            at,
            f"refund {self.random.randrange(10_000):04}",
            (merchant(shop), minor),
            (scheme(name), -minor),
            refs=(("authorisation", self.hex(10)),),
        )

    def _top_up(self, at: datetime, name: str) -> Transaction:
        minor = self.random.choice((20_00, 25_00, 50_00, 50_00, 100_00))
        return self.entry(at, f"top-up {name}", (BANK, minor), (wallet(name), -minor))

    def _settle(self, name: str) -> Step:
        return lambda at: self._settled(at, name) if self.balance(scheme(name)) > 0 else None

    def _settled(self, at: datetime, name: str) -> Transaction:
        minor = self.balance(scheme(name))
        cost = minor * 4 // 1_000
        return self.entry(
            at,
            f"settlement {name}",
            (BANK, minor - cost),
            ("expenses:schemes", cost),
            (scheme(name), -minor),
            refs=(("settlement", f"{name}-{at:%Y%m%d}-{self.hex(4)}"),),
        )

    def _pay_out(self, name: str) -> Step:
        return lambda at: self._paid_out(at, name) if -self.balance(merchant(name)) > WALLET_LEAST else None

    def _paid_out(self, at: datetime, name: str) -> Transaction:
        minor = -self.balance(merchant(name))
        fee = 25
        return self.entry(
            at,
            "payout",
            (merchant(name), minor),
            (BANK, fee - minor),
            ("income:fees:payout", -fee),
            refs=(("sepa", f"SCT{self.hex(12).upper()}"),),
        )
