"""A family of four in Graz: two salaries, a mortgage, groceries, a credit card, cash, savings in a fund."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import ClassVar

from store import Transaction

from .bookkeeper import ASSET, EQUITY, EXPENSE, INCOME, LIABILITY, Account, DemoBook, Step

CHECKING, SAVINGS, CASH = "Assets:Bank:Checking", "Assets:Bank:Savings", "Assets:Cash"
FUND, FLAT, CARD, MORTGAGE = (
    "Assets:Investments:World fund",
    "Assets:Flat",
    "Liabilities:Credit card",
    "Liabilities:Mortgage",
)
TRADING_EUR, TRADING_FUND, OPENING = "Equity:Trading:EUR", "Equity:Trading:Fund", "Equity:Opening balances"
FOOD = "Expenses:Food"
HOME, KIDS, FREE = "Expenses:Home", "Expenses:Children", "Expenses:Leisure"

GROCERS = ("Spar", "Billa", "Hofer", "Lidl", "Denns Bio", "Markt am Lendplatz", "Kornwaage")
RESTAURANTS = (
    "Café Kaiserfeld",
    "Gasthaus Stainzerbauer",
    "Pizzeria Catharina",
    "Ramen Makotoya",
    "Der Steirer",
)
BAKERIES = ("Bäckerei Auer", "Martin Auer", "Hofbäckerei Edegger-Tax", "Eisdiele Temmel")
LEISURE = ("Buchhandlung Moser", "Schauspielhaus", "KIZ RoyalKino", "Bad Eggenberg", "Schallplatten Haydn")
CLOTHES = ("Kastner & Öhler", "Zara", "Second-hand Carla", "Deichmann")

MONTHLY: tuple[tuple[int, str, str, int], ...] = (
    (1, "Holding Graz, two monthly tickets", "Expenses:Transport:Public", 7_800),
    (2, "After-school care", f"{KIDS}:Care", 12_800),
    (3, "Internet", f"{HOME}:Internet", 3_290),
    (4, "Music school", f"{KIDS}:Music school", 6_450),
    (10, "Home and liability insurance", "Expenses:Insurance", 6_140),
    (12, "Energie Graz, electricity and heating", f"{HOME}:Energy", 14_600),
    (14, "Mobile phones", f"{HOME}:Phones", 2_980),
    (16, "Public radio", f"{HOME}:Radio", 1_530),
)


class Household(DemoBook):
    NAME = "household"
    ACCOUNTS: ClassVar = (
        Account(CHECKING, "EUR", ASSET, least=-100_000),
        Account(SAVINGS, "EUR", ASSET, least=0),
        Account(CASH, "EUR", ASSET, least=0),
        Account(FLAT, "EUR", ASSET),
        Account(FUND, "VWCE", ASSET, least=0),
        Account(CARD, "EUR", LIABILITY),
        Account(MORTGAGE, "EUR", LIABILITY, least=0),
        Account("Income:Salary:Marta", "EUR", INCOME),
        Account("Income:Salary:Jonas", "EUR", INCOME),
        Account("Income:Child benefit", "EUR", INCOME),
        Account("Income:Interest", "EUR", INCOME),
        Account(f"{FOOD}:Groceries", "EUR", EXPENSE),
        Account(f"{FOOD}:Eating out", "EUR", EXPENSE),
        Account(f"{FOOD}:Bakery", "EUR", EXPENSE),
        *(Account(path, "EUR", EXPENSE) for _, _, path, _ in MONTHLY),
        Account(f"{HOME}:Furniture", "EUR", EXPENSE),
        Account(f"{HOME}:Mortgage interest", "EUR", EXPENSE),
        Account("Expenses:Transport:Bicycle", "EUR", EXPENSE),
        Account("Expenses:Clothes", "EUR", EXPENSE),
        Account("Expenses:Health", "EUR", EXPENSE),
        Account(f"{FREE}:Books and evenings", "EUR", EXPENSE),
        Account(f"{FREE}:Holidays", "EUR", EXPENSE),
        Account(f"{FREE}:Presents", "EUR", EXPENSE),
        Account(OPENING, "EUR", EQUITY),
        Account("Equity:Opening balances:Fund", "VWCE", EQUITY),
        Account(TRADING_EUR, "EUR", EQUITY),
        Account(TRADING_FUND, "VWCE", EQUITY),
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._fund_price = 11_840

    def opening(self, at: datetime) -> Iterator[Transaction]:
        own = {CHECKING: 231_044, SAVINGS: 1_140_000, CASH: 18_500, FLAT: 26_500_000}
        owed = {CARD: -21_420, MORTGAGE: -18_130_000}
        total = sum(own.values()) + sum(owed.values())
        yield self.entry(at, "Opening balances", *own.items(), *owed.items(), (OPENING, -total))
        yield self.entry(
            at, "Opening balance of the fund", (FUND, 412_500), ("Equity:Opening balances:Fund", -412_500)
        )

    def plan(self, day: date) -> Iterator[tuple[time, Step]]:
        chance = self.random.random
        for due, description, path, minor in MONTHLY:
            if day.day == due:
                yield time(4, 10, due), self._paid(description, path, minor)
        yield from self._salaries_and_saving(day)
        if chance() < 0.52:
            yield self.at(8, 19), self._shopping
        if chance() < 0.3:
            yield self.at(12, 22), self._eating_out
        if chance() < 0.35:
            yield self.at(7, 10), self._bakery
        if chance() < (0.2 if day.month in (11, 12) else 0.07):
            yield self.at(10, 18), self._present
        if chance() < 0.08:
            yield self.at(10, 18), self._clothes
        if chance() < 0.11:
            yield self.at(17, 22), self._evening
        if chance() < 0.035:
            yield self.at(9, 17), self._odd
        if day.month == 7 and 8 <= day.day <= 20:
            yield self.at(9, 21), self._holiday

    def live(self, now: datetime) -> Transaction:
        steps = (self._shopping, self._shopping, self._eating_out, self._bakery, self._evening, self._clothes)
        return self.random.choice(steps)(now)

    def _salaries_and_saving(self, day: date) -> Iterator[tuple[time, Step]]:
        if day.day == 1:
            yield time(5), self._earned("Salary Jonas, Stadtwerk", "Income:Salary:Jonas", 191_275)
        if day.day == 5:
            yield time(5, 30), self._mortgage
        if day.day == 8:
            yield time(6), self._earned("Child benefit", "Income:Child benefit", 34_880)
        if day.day == 15:
            yield time(15, 2), self._buy_fund
        if day.day == 20:
            yield time(4, 45), self._settle_card
        if day.day == 27:
            yield time(5, 1), self._earned("Salary Marta, Med Uni", "Income:Salary:Marta", 284_630)
        if day.day == 28:
            yield time(8), self._save
        if day.month in (3, 6, 9, 12) and day.day == 30:
            yield time(23, 30), self._interest

    def _paid(self, description: str, path: str, minor: int) -> Step:
        return lambda at: self.entry(at, description, (path, minor), (CHECKING, -minor))

    def _earned(self, description: str, path: str, minor: int) -> Step:
        return lambda at: self.entry(at, description, (CHECKING, minor), (path, -minor))

    def _mortgage(self, at: datetime) -> Transaction:
        interest = -self.balance(MORTGAGE) * 29 // 12_000
        return self.entry(
            at,
            "Mortgage instalment",
            (f"{HOME}:Mortgage interest", interest),
            (MORTGAGE, 104_500 - interest),
            (CHECKING, -104_500),
        )

    def _buy_fund(self, at: datetime) -> Transaction:
        self._fund_price += self.random.randrange(-420, 560)
        euros = 20_000
        shares = euros * 10_000 // self._fund_price
        return self.entry(
            at,
            "Savings plan, world fund",
            (FUND, shares),
            (TRADING_FUND, -shares),
            (TRADING_EUR, euros),
            (CHECKING, -euros),
            comment=f"{shares / 10_000:.4f} at {self._fund_price / 100:.2f} EUR",
        )

    def _settle_card(self, at: datetime) -> Transaction | None:
        owed = -self.balance(CARD)
        if owed <= 0:
            return None
        return self.entry(at, "Credit card statement", (CARD, owed), (CHECKING, -owed))

    def _save(self, at: datetime) -> Transaction | None:
        spare = (self.balance(CHECKING) - 200_000) // 10_000 * 10_000
        if spare <= 0:
            return None
        return self.entry(at, "To savings", (SAVINGS, spare), (CHECKING, -spare))

    def _interest(self, at: datetime) -> Transaction:
        minor = self.balance(SAVINGS) * 3 // 800
        return self.entry(at, "Interest on savings", (SAVINGS, minor), ("Income:Interest", -minor))

    def _shopping(self, at: datetime) -> Transaction:
        minor = self.cents(9, 96)
        return self.entry(at, self.random.choice(GROCERS), (f"{FOOD}:Groceries", minor), (CHECKING, -minor))

    def _eating_out(self, at: datetime) -> Transaction:
        minor = self.cents(19, 74)
        return self.entry(at, self.random.choice(RESTAURANTS), (f"{FOOD}:Eating out", minor), (CARD, -minor))

    def _bakery(self, at: datetime) -> Transaction:
        """From the purse, which is now and then emptier than one thinks."""
        if self.balance(CASH) < 600 and self.random.random() < 0.85:
            return self.entry(at, "Cash machine Jakominiplatz", (CASH, 10_000), (CHECKING, -10_000))
        minor = self.cents(3, 14)
        return self.entry(at, self.random.choice(BAKERIES), (f"{FOOD}:Bakery", minor), (CASH, -minor))

    def _present(self, at: datetime) -> Transaction:
        minor = self.cents(12, 68)
        occasion = self.random.choice(
            ("Birthday present", "Toys from Legeria", "Flowers", "Present for Leni")
        )
        return self.entry(at, occasion, (f"{FREE}:Presents", minor), (CARD, -minor))

    def _clothes(self, at: datetime) -> Transaction:
        minor = self.cents(19, 140)
        return self.entry(at, self.random.choice(CLOTHES), ("Expenses:Clothes", minor), (CARD, -minor))

    def _evening(self, at: datetime) -> Transaction:
        minor = self.cents(9, 42)
        return self.entry(
            at, self.random.choice(LEISURE), (f"{FREE}:Books and evenings", minor), (CARD, -minor)
        )

    def _odd(self, at: datetime) -> Transaction:
        description, path, least, most = self.random.choice(
            (
                ("Dr. Reisinger, dentist", "Expenses:Health", 60, 190),
                ("Apotheke zum Granatapfel", "Expenses:Health", 8, 38),
                ("Radlager, new chain and brakes", "Expenses:Transport:Bicycle", 40, 120),
                ("IKEA", f"{HOME}:Furniture", 45, 310),
                ("School trip", f"{KIDS}:Care", 35, 95),
            )
        )
        minor = self.cents(least, most)
        return self.entry(at, description, (path, minor), (CHECKING, -minor))

    def _holiday(self, at: datetime) -> Transaction:
        description, least, most = self.random.choice(
            (
                ("Pension Lungomare, Piran", 90, 170),
                ("Gostilna Ivo, Piran", 38, 92),
                ("Boat to Strunjan", 30, 54),
                ("ÖBB to Koper", 60, 130),
                ("Ice cream and beach umbrella", 14, 33),
            )
        )
        minor = self.cents(least, most)
        return self.entry(
            at, description, (f"{FREE}:Holidays", minor), (CARD, -minor), tags={"trip": "Piran"}
        )
