"""Journals through `hledger print`.

The structure comes from its JSON. That rounds quantities to ten decimals, so where an amount has that many
they are taken from its CSV, printed in a style of our own that shows every decimal.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from .directives import includes
from .journal import (
    Cost,
    Journal,
    JournalError,
    JournalPosting,
    JournalTransaction,
    Quantity,
    add_tag,
    with_txid,
)
from .programs import run

_JSON_PLACES = 10
_EXACT_PLACES = 60

_STATUSES = {"Unmarked": "", "Pending": "pending", "Cleared": "cleared"}
_TYPE_LINE = re.compile(r"^(.*\S)\s+; type: ([A-Z]?)\s*$")


_VERSION = re.compile(r"hledger (\d+)\.(\d+)")
_FIRST_WITH_CONFIGURATION = (1, 40)

_Hledger: TypeAlias = Callable[..., bytes]
"""Runs a command with its options on a journal; what it prints."""


class _Quantity(msgspec.Struct):
    decimalMantissa: int | Decimal  # from 10**27 on it has an exponent
    decimalPlaces: int

    def exact(self) -> Quantity:
        return Quantity(int(self.decimalMantissa), self.decimalPlaces)


class _Style(msgspec.Struct, frozen=True):
    asprecision: int | str | None = None


class _PricedAmount(msgspec.Struct):
    acommodity: str
    aquantity: _Quantity


class _Price(msgspec.Struct):
    tag: str
    contents: _PricedAmount


class _Amount(msgspec.Struct):
    acommodity: str
    aquantity: _Quantity
    astyle: _Style = _Style()
    aprice: _Price | None = None
    acost: _Price | None = None

    @property
    def displayed_places(self) -> int:
        """The decimals of its commodity where hledger displays it: of its directive, else the most written."""
        places = self.astyle.asprecision
        return places if isinstance(places, int) else 0

    @property
    def price(self) -> _Price | None:
        """The cost, under its name of hledger before and since 1.40."""
        return self.aprice or self.acost


class _Posting(msgspec.Struct):
    paccount: str
    pamount: list[_Amount]
    ptype: str
    pstatus: str
    pcomment: str = ""
    ptags: list[tuple[str, str]] = []
    pdate: str | None = None
    pdate2: str | None = None
    pbalanceassertion: dict[str, Any] | None = None


class _Position(msgspec.Struct):
    sourceName: str = ""
    sourceLine: int = 0


class _Transaction(msgspec.Struct):
    tdate: str
    tdescription: str
    tpostings: list[_Posting]
    tdate2: str | None = None
    tcode: str = ""
    tstatus: str = "Unmarked"
    tcomment: str = ""
    tprecedingcomment: str = ""
    ttags: list[tuple[str, str]] = []
    tsourcepos: list[_Position] = []


def read(path: Path) -> Journal:
    """Raises JournalError when hledger cannot read the file or answers in a shape that is not known."""
    version = run("hledger", "--version").decode("utf-8", "replace").strip()
    hledger = _program(path, version)
    try:
        parsed = msgspec.json.decode(hledger("print", "-O", "json"), type=list[_Transaction])
    except msgspec.MsgspecError as error:
        raise JournalError(
            f"hledger's answer is not understood ({error}); this is {version}, and hledger 1.25 is the oldest "
            "that is known to work."
        ) from error
    exact: Iterator[Quantity] = iter(())
    if any(amount.aquantity.decimalPlaces >= _JSON_PLACES for amount in _amounts(parsed)):
        exact = _exact_quantities(hledger, {amount.acommodity for amount in _amounts(parsed)})
    try:
        transactions = tuple(with_txid(_transaction(parsed_one, exact)) for parsed_one in parsed)
    except ValueError as error:
        raise JournalError(f"hledger's answer is not understood ({error}).") from error
    return Journal(path, "hledger", transactions, _account_types(hledger), _files(path, hledger))


def _files(path: Path, hledger: _Hledger) -> tuple[Path, ...]:
    if not includes(path):
        return (path,)
    return tuple(Path(name) for name in dict.fromkeys(hledger("files").decode("utf-8").splitlines()))


def _program(path: Path, version: str) -> _Hledger:
    """hledger for one journal. Without the user's configuration file, where there can be one: it might change
    what is printed.
    """
    known = _VERSION.match(version)
    plain = ["--no-conf"] if known and (int(known[1]), int(known[2])) >= _FIRST_WITH_CONFIGURATION else []

    def hledger(command: str, *options: str) -> bytes:
        return run("hledger", command, "-f", str(path), *plain, *options)

    return hledger


def _amounts(transactions: list[_Transaction]) -> Iterator[_Amount]:
    for transaction in transactions:
        for posting in transaction.tpostings:
            yield from posting.pamount


def _exact_quantities(hledger: _Hledger, commodities: set[str]) -> Iterator[Quantity]:
    """Every amount's quantity in the order of the JSON."""
    styles = []
    for commodity in sorted(commodities):
        quoted = f' "{commodity}"' if commodity else ""
        styles += ["-c", "1000." + "0" * _EXACT_PLACES + quoted]
    printed = hledger("print", "-x", "-O", "csv", *styles).decode("utf-8")
    for row in csv.DictReader(io.StringIO(printed, newline="")):
        yield Quantity.parse(row["amount"]).shortest()


def _transaction(parsed: _Transaction, exact: Iterator[Quantity]) -> JournalTransaction:
    comment = "\n".join(
        part for part in (_comment(parsed.tprecedingcomment), _comment(parsed.tcomment)) if part
    )
    priced = any(amount.price for posting in parsed.tpostings for amount in posting.pamount)
    postings = []
    for posting in parsed.tpostings:
        postings += [_posting(posting, amount, priced, exact) for amount in posting.pamount]
    where = ""
    if parsed.tsourcepos:
        where = f"{Path(parsed.tsourcepos[0].sourceName).name}:{parsed.tsourcepos[0].sourceLine}"
    try:
        day = date.fromisoformat(parsed.tdate)
    except ValueError:
        raise JournalError(
            f"{where or parsed.tdescription}: the date {parsed.tdate} is not in the years 1 to 9999; correct it."
        ) from None
    return JournalTransaction(
        date=day,
        date2=parsed.tdate2 or "",
        code=parsed.tcode,
        status=_STATUSES.get(parsed.tstatus, ""),
        description=parsed.tdescription,
        comment=comment,
        tags=_tags(parsed.ttags, comment),
        postings=tuple(postings),
        where=where,
    )


def _posting(posting: _Posting, amount: _Amount, priced: bool, exact: Iterator[Quantity]) -> JournalPosting:
    rounded = amount.aquantity.exact()
    quantity = next(exact, rounded)
    if abs(quantity.minor(_JSON_PLACES) - rounded.minor(_JSON_PLACES)) > 1:
        raise ValueError(f"it prints both {quantity} and {rounded} for one amount of {posting.paccount}")
    # What hledger works out from costs has the decimals of both factors together, which no one wrote.
    written = not priced or amount.price is not None
    shown = max(quantity.shortest().places, rounded.places if written else 0, amount.displayed_places)
    price = amount.price
    comment = _comment(posting.pcomment)
    return JournalPosting(
        account=posting.paccount,
        commodity=amount.acommodity,
        quantity=quantity,
        shown_places=shown,
        cost=None if price is None else _cost(price),
        status=_STATUSES.get(posting.pstatus, ""),
        comment=comment,
        tags=_tags(posting.ptags, comment),
        date=posting.pdate or "",
        date2=posting.pdate2 or "",
        virtual=posting.ptype != "RegularPosting",
        assertion=posting.pbalanceassertion is not None,
    )


def _cost(price: _Price) -> Cost:
    per = "unit" if price.tag.startswith("Unit") else "total"
    return Cost(per, price.contents.aquantity.exact(), price.contents.acommodity)


def _comment(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _tags(pairs: list[tuple[str, str]], comment: str) -> dict[str, str | list[str]]:
    """Those of the comment itself: hledger adds tags inherited from account declarations."""
    tags: dict[str, str | list[str]] = {}
    for name, value in pairs:
        if f"{name}:" in comment:
            add_tag(tags, name, value)
    return tags


def _account_types(hledger: _Hledger) -> dict[str, str]:
    """Account types by name; empty with a version too old to tell them."""
    try:
        printed = hledger("accounts", "--types").decode("utf-8")
    except JournalError:
        return {}
    matches = (_TYPE_LINE.match(line) for line in printed.splitlines())
    return {match[1]: match[2] for match in matches if match and match[2]}
