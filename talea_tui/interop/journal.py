"""A plain-text journal as its own program understood it, before anything of it is in the store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from uuid import UUID

_TXID_LINE = re.compile(r"txid: ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class JournalError(Exception):
    """A journal that cannot be read; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """`mantissa` / 10**`places`, exact; `places` are the decimals as written, trailing zeros included."""

    mantissa: int
    places: int

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """From plain digits with an optional sign and `.`; ValueError for anything else."""
        whole, _, decimals = text.partition(".")
        return cls(int(whole + decimals), len(decimals))

    def shortest(self) -> Quantity:
        """The same number without trailing zeros behind the point."""
        mantissa, places = self.mantissa, self.places
        while places and mantissa % 10 == 0:
            mantissa //= 10
            places -= 1
        return Quantity(mantissa, places)

    def minor(self, precision: int) -> int:
        """In units of 10**-`precision`, rounded half away from zero where those are too coarse."""
        if precision >= self.places:
            scale: int = 10 ** (precision - self.places)
            return self.mantissa * scale
        divisor: int = 10 ** (self.places - precision)
        magnitude = (abs(self.mantissa) + divisor // 2) // divisor
        return -magnitude if self.mantissa < 0 else magnitude

    def __str__(self) -> str:
        sign = "-" if self.mantissa < 0 else ""
        digits = str(abs(self.mantissa)).rjust(self.places + 1, "0")
        at = len(digits) - self.places
        return f"{sign}{digits[:at]}.{digits[at:]}" if self.places else sign + digits


@dataclass(frozen=True, slots=True)
class Cost:
    """What a posting's quantity was valued at: `per` "unit" or "total"."""

    per: str
    quantity: Quantity
    commodity: str


@dataclass(frozen=True, slots=True)
class JournalPosting:
    """One amount on one account; positive is a debit. `commodity` is "" where the journal names none.

    `shown_places` are the decimals that the journal shows for this amount.
    """

    account: str
    commodity: str
    quantity: Quantity
    shown_places: int
    cost: Cost | None = None
    status: str = ""
    comment: str = ""
    tags: dict[str, str | list[str]] = field(default_factory=dict)
    date: str = ""
    date2: str = ""
    virtual: bool = False
    assertion: bool = False


@dataclass(frozen=True, slots=True)
class JournalTransaction:
    """`where` is file:line for messages; `status` is "", "pending" or "cleared".

    `txid` is what a book calls it, where an export of that wrote it.
    """

    date: date
    description: str
    postings: tuple[JournalPosting, ...]
    date2: str = ""
    code: str = ""
    status: str = ""
    comment: str = ""
    tags: dict[str, str | list[str]] = field(default_factory=dict)
    where: str = ""
    txid: UUID | None = None

    @property
    def place(self) -> str:
        """What a message names it by."""
        where = f" ({self.where})" if self.where else ""
        return f"{self.date.isoformat()} {self.description}{where}"


@dataclass(frozen=True, slots=True)
class Journal:
    """`types` holds the account types that the program told, by full account name. `files`: it and what it includes."""

    path: Path
    program: str
    transactions: tuple[JournalTransaction, ...]
    types: dict[str, str]
    files: tuple[Path, ...]


def txid_line(txid: UUID) -> str:
    """The comment by which an export tells what its book calls a transaction: a tag to hledger and to ledger."""
    return f"txid: {txid}"


def with_txid(transaction: JournalTransaction) -> JournalTransaction:
    """With the id of the last such comment, which is no comment and no tag then."""
    lines = transaction.comment.split("\n")
    for place in reversed(range(len(lines))):
        found = _TXID_LINE.fullmatch(lines[place])
        if found:
            del lines[place]
            tags = dict(transaction.tags)
            value = tags.pop("txid", None)
            for other in value[:-1] if isinstance(value, list) else ():
                add_tag(tags, "txid", other)
            return replace(transaction, comment="\n".join(lines), tags=tags, txid=UUID(found[1]))
    return transaction


def without_txid(transaction: JournalTransaction) -> JournalTransaction:
    return replace(transaction, txid=None)


def add_tag(tags: dict[str, str | list[str]], name: str, value: str) -> None:
    """A tag given twice keeps both values, as a list."""
    before = tags.get(name)
    if before is None:
        tags[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        tags[name] = [before, value]
