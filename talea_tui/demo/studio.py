"""A design studio in Leeds: clients on retainers and projects, VAT, payroll, subcontractors, petty cash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from msgspec.structs import replace

from store import Direction, StoredTransaction, Transaction

from ..events.text import signed_minor
from ..posting.correction import reversal_of
from .bookkeeper import ASSET, EQUITY, EXPENSE, INCOME, LIABILITY, Account, DemoBook, Step

BANK, RESERVE, PETTY = "Assets:Bank:Current", "Assets:Bank:Reserve", "Assets:Petty cash"
OWED = "Assets:Receivable"
VAT_OUT, VAT_IN = "Liabilities:VAT:Output", "Liabilities:VAT:Input"
PAYE, PAYABLE, DIVIDENDS = "Liabilities:PAYE and NI", "Liabilities:Payable", "Equity:Dividends"
EQUIPMENT, WORN = "Assets:Equipment", "Assets:Equipment:Depreciation"

RETAINERS = {"Aire Valley Dental": 180_000, "Holbeck Brewing": 240_000, "Penny Lane Schools Trust": 275_000}
CLIENTS = (
    *RETAINERS,
    "Brontë Bakehouse",
    "Dales Outdoor",
    "Kirkgate Market Traders",
    "Northern Tramways",
    "Roundhay Opera",
    "Saltaire Textiles",
)
PROJECTS = ("Website", "Brand refresh", "Packaging", "Annual report", "Exhibition graphics", "Wayfinding")
FREELANCERS = ("Ines Okafor", "Tom Hebden", "Wren Studio")

MONTHLY: tuple[tuple[int, str, str, int], ...] = (
    (1, "Tetley Works, rent", "Expenses:Premises:Rent", 145_000),
    (6, "Figma", "Expenses:Software", 12_600),
    (7, "Adobe Creative Cloud", "Expenses:Software", 17_340),
    (9, "Hosting and domains", "Expenses:Hosting", 8_420),
    (11, "Telephone and broadband", "Expenses:Premises:Telephone", 6_150),
    (15, "Hargreaves & Co, accountants", "Expenses:Professional fees", 16_500),
    (19, "Octopus, electricity", "Expenses:Premises:Electricity", 11_280),
)


Made = Callable[[datetime], Transaction]


class Studio(DemoBook):
    NAME = "studio"
    ACCOUNTS: ClassVar = (
        Account(BANK, "GBP", ASSET, least=0),
        Account(RESERVE, "GBP", ASSET, least=0),
        Account(PETTY, "GBP", ASSET, least=0),
        *(Account(f"{OWED}:{client}", "GBP", ASSET) for client in CLIENTS),
        Account(EQUIPMENT, "GBP", ASSET),
        Account(WORN, "GBP", ASSET, side=Direction.CREDIT),
        Account(VAT_OUT, "GBP", LIABILITY),
        Account(VAT_IN, "GBP", LIABILITY, side=Direction.DEBIT),
        Account(PAYE, "GBP", LIABILITY),
        *(Account(f"{PAYABLE}:{name}", "GBP", LIABILITY) for name in FREELANCERS),
        Account("Equity:Share capital", "GBP", EQUITY),
        Account("Equity:Retained earnings", "GBP", EQUITY),
        Account(DIVIDENDS, "GBP", EQUITY, side=Direction.DEBIT),
        Account("Income:Retainers", "GBP", INCOME),
        Account("Income:Projects", "GBP", INCOME),
        Account("Income:Interest", "GBP", INCOME),
        *(Account(path, "GBP", EXPENSE) for path in dict.fromkeys(path for _, _, path, _ in MONTHLY)),
        Account("Expenses:Payroll:Salaries", "GBP", EXPENSE),
        Account("Expenses:Payroll:Employer's NI", "GBP", EXPENSE),
        Account("Expenses:Subcontractors", "GBP", EXPENSE),
        Account("Expenses:Travel", "GBP", EXPENSE),
        Account("Expenses:Printing", "GBP", EXPENSE),
        Account("Expenses:Sundries", "GBP", EXPENSE),
        Account("Expenses:Bank charges", "GBP", EXPENSE),
        Account("Expenses:Depreciation", "GBP", EXPENSE),
    )

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._number = 2_180
        self._due: list[tuple[date, str, int, str]] = []
        self._bills: list[tuple[date, str, int]] = []

    def opening(self, at: datetime) -> Iterator[Transaction]:
        own = {BANK: 1_846_210, RESERVE: 1_200_000, PETTY: 12_000, EQUIPMENT: 1_480_000}
        owed = {WORN: -444_000, "Equity:Share capital": -10_000}
        total = sum(own.values()) + sum(owed.values())
        yield self.entry(
            at, "Brought forward", *own.items(), *owed.items(), ("Equity:Retained earnings", -total)
        )

    def plan(self, day: date) -> Iterator[tuple[time, Step]]:
        chance, weekday = self.random.random, day.weekday() < 5
        for due, description, path, net in MONTHLY:
            if day.day == due:
                yield time(5, due), self._bought(description, path, net)
        if day.day == 1:
            for place, (client, net) in enumerate(RETAINERS.items()):
                yield time(9, 5 * place), self._invoice(client, "Retainer", "Income:Retainers", net)
        if weekday and chance() < 0.2:
            yield self.at(9, 17), self._project
        if weekday and chance() < 0.11:
            yield self.at(9, 17), self._subcontractor
        if chance() < 0.22:
            yield self.at(9, 18), self._sundry
        if weekday and chance() < 0.1:
            yield self.at(7, 9), self._travel
        for payment in [one for one in self._due if one[0] <= day]:
            self._due.remove(payment)
            yield self.at(2, 6), self._received(*payment[1:])
        for bill in [one for one in self._bills if one[0] <= day]:
            self._bills.remove(bill)
            yield self.at(10, 16), self._settled(*bill[1:])
        yield from self._calendar(day)

    def live(self, now: datetime) -> Transaction:
        steps = (self._project, self._sundry, self._sundry, self._travel, self._subcontractor, self._pay_next)
        return self.random.choice(steps)(now)

    def _calendar(self, day: date) -> Iterator[tuple[time, Step]]:
        """What the calendar brings: payroll, taxes, charges, wear."""
        if day.day == 22:
            yield time(6), self._pay_paye
        if day.day == 25:
            yield time(6, 30), self._payroll
        if day.day == 28:
            yield time(23), self._charges
            yield time(23, 30), self._depreciation
        if day.month in (2, 5, 8, 11) and day.day == 7:
            yield time(11), self._vat_return
        if day.month in (3, 9) and day.day == 30:
            yield time(12), self._dividend
        if day.month % 2 == 0 and day.day == 17:
            yield from self._entered_twice(day)

    def _entered_twice(self, day: date) -> Iterator[tuple[time, Step]]:
        """A bill that is entered a second time by mistake, and reversed the same afternoon."""
        once = self._bought("Pressision, proofs", "Expenses:Printing", self.cents(140, 420))
        entered: list[Transaction] = []

        def again(at: datetime) -> Transaction:
            entered.append(once(at))
            return entered[0]

        def reverse(at: datetime) -> Transaction:
            original = entered[0]
            for posting in original.postings:
                self.balances[posting.account.path] -= signed_minor(posting)
            stored = StoredTransaction(original, 0, at)
            return replace(reversal_of(stored, at.date()), id=self._uuid(at), occurred_at=at)

        yield time(10, 20), once
        yield time(10, 24), again
        yield time(15, 40), reverse

    def _invoice(self, client: str, what: str, income: str, net: int) -> Made:
        def issue(at: datetime) -> Transaction:
            self._number += 1
            vat = net // 5
            number = f"NL-{self._number}"
            days = self.random.randrange(9, 44)
            self._due.append((at.date() + timedelta(days=days), client, net + vat, number))
            return self.entry(
                at,
                f"{client}, {what.lower()}",
                (f"{OWED}:{client}", net + vat),
                (income, -net),
                (VAT_OUT, -vat),
                refs=(("invoice", number),),
                code=number,
            )

        return issue

    def _project(self, at: datetime) -> Transaction:
        net = self.random.randrange(24, 190) * 5_000
        client = self.random.choice(CLIENTS)
        return self._invoice(client, self.random.choice(PROJECTS), "Income:Projects", net)(at)

    def _received(self, client: str, minor: int, number: str) -> Made:
        return lambda at: self.entry(
            at,
            f"Payment from {client}",
            (BANK, minor),
            (f"{OWED}:{client}", -minor),
            refs=(("invoice", number),),
            code=number,
        )

    def _pay_next(self, at: datetime) -> Transaction:
        if not self._due:
            return self._sundry(at)
        _, client, minor, number = self._due.pop(0)
        return self._received(client, minor, number)(at)

    def _bought(self, description: str, path: str, net: int) -> Made:
        """A bill with VAT, paid from the bank."""
        vat = net // 5
        return lambda at: self.entry(at, description, (path, net), (VAT_IN, vat), (BANK, -net - vat))

    def _subcontractor(self, at: datetime) -> Transaction:
        name, net = self.random.choice(FREELANCERS), self.random.randrange(14, 48) * 5_000
        vat = net // 5 if name == "Wren Studio" else 0
        self._bills.append((at.date() + timedelta(days=14), name, net + vat))
        return self.entry(
            at,
            f"{name}, {self.random.choice(('illustration', 'front-end work', 'photography', 'copy'))}",
            ("Expenses:Subcontractors", net),
            (VAT_IN, vat),
            (f"{PAYABLE}:{name}", -net - vat),
        )

    def _settled(self, name: str, minor: int) -> Step:
        return lambda at: self.entry(at, f"Paid {name}", (f"{PAYABLE}:{name}", minor), (BANK, -minor))

    def _sundry(self, at: datetime) -> Transaction:
        """From the petty cash tin, which holds no more than it holds."""
        if self.balance(PETTY) < 2_500 and self.random.random() < 0.8:
            return self.entry(at, "Petty cash top-up", (PETTY, 15_000), (BANK, -15_000))
        minor = self.cents(3, 28)
        what = self.random.choice(
            ("Coffee and milk", "Stamps", "Model-making card", "Cleaner", "Light bulbs")
        )
        return self.entry(at, what, ("Expenses:Sundries", minor), (PETTY, -minor))

    def _travel(self, at: datetime) -> Transaction:
        minor = self.cents(14, 132)
        where = self.random.choice(("to London", "to York", "to Manchester", "to Skipton"))
        return self.entry(at, f"LNER {where}", ("Expenses:Travel", minor), (BANK, -minor))

    def _payroll(self, at: datetime) -> Transaction:
        return self.entry(
            at,
            "Payroll, three salaries",
            ("Expenses:Payroll:Salaries", 915_000),
            ("Expenses:Payroll:Employer's NI", 98_240),
            (PAYE, -342_160),
            (BANK, -671_080),
        )

    def _pay_paye(self, at: datetime) -> Transaction | None:
        owed = -self.balance(PAYE)
        return self.entry(at, "HMRC, PAYE and NI", (PAYE, owed), (BANK, -owed)) if owed > 0 else None

    def _vat_return(self, at: datetime) -> Transaction | None:
        out, into = -self.balance(VAT_OUT), self.balance(VAT_IN)
        if out <= into:
            return None
        return self.entry(
            at,
            "HMRC, VAT return",
            (VAT_OUT, out),
            (VAT_IN, -into),
            (BANK, into - out),
            refs=(("vat_return", f"{at.year}-{at.month:02d}"),),
        )

    def _charges(self, at: datetime) -> Transaction:
        return self.entry(at, "Bank charges", ("Expenses:Bank charges", 950), (BANK, -950))

    def _depreciation(self, at: datetime) -> Transaction:
        return self.entry(at, "Depreciation of equipment", ("Expenses:Depreciation", 18_500), (WORN, -18_500))

    def _dividend(self, at: datetime) -> Transaction | None:
        spare = (self.balance(BANK) - 1_500_000) // 100_000 * 100_000
        return self.entry(at, "Dividend", (DIVIDENDS, spare), (BANK, -spare)) if spare > 0 else None
