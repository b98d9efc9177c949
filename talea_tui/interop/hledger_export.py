"""A book as an hledger journal, which hledger reads back with equal balances.

Every account with its type, every commodity with its decimals, every transaction with its postings as they
stand and with its id; what an import kept in the metadata goes back to its place, other metadata becomes a
comment.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

from store import AccountKind, AccountOpened, Store, Transaction, TransactionPosted

from ..events.feed import event_pages, last_seq
from ..events.jsonl import exact_event_json
from ..events.text import signed_minor
from .journal import JournalPosting, JournalTransaction, Quantity, txid_line
from .mapping import noted_day

_TYPES = {
    AccountKind.ASSET: "A",
    AccountKind.LIABILITY: "L",
    AccountKind.EQUITY: "E",
    AccountKind.INCOME: "R",
    AccountKind.EXPENSE: "X",
}
_STATUSES = {"pending": "! ", "cleared": "* "}
_KNOWN_METADATA = frozenset(
    ("description", "date", "date2", "code", "status", "comment", "tags", "postings", "file")
)
_SPACES = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNQUOTED_SYMBOL = re.compile(r"[^\W\d_]+|[$€£¥₹₩₽₺₴₪₫₱₦฿₿]")


class HledgerJournal:
    """Writes the journal of one book. Names that hledger cannot read are altered, never merged."""

    def __init__(self, precisions: dict[str, int]) -> None:
        self._precisions = precisions
        self._symbols = _distinct(precisions, _symbol)
        self._accounts: dict[str, str] = {}
        self._taken: set[str] = set()

    def commodities(self) -> str:
        """Before anything else, so that every amount is read with a point for its decimals."""
        lines = []
        for asset, places in self._precisions.items():
            lines.append(f"commodity 1000.{'0' * places} {_quoted(self._symbols[asset])}\n")
        return "".join(lines)

    def account(self, opened: AccountOpened) -> str:
        type_ = _TYPES.get(opened.definition.kind)
        comment = f"  ; type: {type_}" if type_ else ""
        return f"account {self._account(opened.definition.id.path)}{comment}\n"

    def transaction(self, transaction: Transaction, seq: int) -> str:
        """Raises TooManyDigits."""
        entry = self.entry(transaction, seq)
        # An empty code keeps hledger from taking the description's first character for a status or a code.
        code = f"({entry.code}) " if entry.code or entry.description.startswith(("(", "*", "!")) else ""
        date2 = f"={entry.date2}" if entry.date2 else ""
        heading = (
            f"{entry.date.isoformat()}{date2} {_STATUSES.get(entry.status, '')}{code}{entry.description}"
        )
        lines = [heading.rstrip()]
        lines += (f"    ; {line}".rstrip() for line in entry.comment.splitlines())
        lines.append(f"    ; {txid_line(transaction.id)}")
        for posting in entry.postings:
            status = _STATUSES.get(posting.status, "")
            commodity = _quoted(posting.commodity)
            lines.append(f"    {status}{posting.account}  {posting.quantity} {commodity}")
            lines += (f"        ; {line}".rstrip() for line in posting.comment.splitlines())
        return "\n".join(lines) + "\n\n"

    def entry(self, transaction: Transaction, seq: int) -> JournalTransaction:
        """What the journal has for it. Raises TooManyDigits."""
        metadata = transaction.metadata if isinstance(transaction.metadata, dict) else {}
        day2 = noted_day(metadata.get("date2"))
        comment = _comment_lines(metadata.get("comment"))
        others = {key: value for key, value in metadata.items() if key not in _KNOWN_METADATA}
        if transaction.metadata and not isinstance(transaction.metadata, dict):
            others = {"value": transaction.metadata}
        if others:
            comment.append(f"metadata: {_one_line(exact_event_json(others, transaction.book, seq))}")
        comment += (f"{_one_line(ref.kind)}: {_one_line(ref.value)}" for ref in transaction.external_refs)
        details = metadata.get("postings")
        postings = []
        for place, posting in enumerate(transaction.postings):
            detail = details[place] if isinstance(details, list) and place < len(details) else {}
            detail = detail if isinstance(detail, dict) else {}
            asset = posting.amount.asset
            places = self._precisions[asset]
            postings.append(
                JournalPosting(
                    account=self._account(posting.account.path),
                    commodity=self._symbols[asset],
                    quantity=Quantity(signed_minor(posting), places),
                    shown_places=places,
                    status=_status(detail.get("status")),
                    comment="\n".join(_comment_lines(detail.get("comment"), dates=False)),
                )
            )
        # the day in UTC, whoever exports: else an import in another zone would not know its own entries again
        return JournalTransaction(
            date=noted_day(metadata.get("date")) or transaction.occurred_at.date(),
            date2=day2.isoformat() if day2 else "",
            code=_one_line(metadata.get("code")).replace(")", "]"),
            status=_status(metadata.get("status")),
            description=_one_line(metadata.get("description")).replace(";", ","),
            comment="\n".join(comment),
            postings=tuple(postings),
            txid=transaction.id,
        )

    def _account(self, path: str) -> str:
        name = self._accounts.get(path)
        if name is None:
            name = wanted = _account_name(path)
            number = 2
            while name in self._taken:
                name, number = f"{wanted} {number}", number + 1
            self._accounts[path] = name
            self._taken.add(name)
        return name


async def hledger_journal(store: Store, book: str) -> tuple[HledgerJournal, str]:
    """The journal of `book`, and its directives: what they name keeps these names."""
    accounts = await store.accounts(book)
    precisions = {asset.id: asset.precision for asset in await store.assets()}
    used = {account.definition.asset for account in accounts}
    journal = HledgerJournal({asset: places for asset, places in precisions.items() if asset in used})
    declared = (AccountOpened(account.definition, account.config) for account in accounts)
    directives = [journal.commodities(), *map(journal.account, declared)]
    return journal, f"{directives[0]}\n{''.join(directives[1:])}\n"


async def export_hledger(store: Store, book: str) -> AsyncIterator[tuple[str, int]]:
    """Pieces of text, each with the last seq it covers."""
    # The end first: whatever the events before it name is there when asked for afterwards.
    last = await last_seq(store, book)
    journal, directives = await hledger_journal(store, book)
    yield directives, 0
    async for page in event_pages(store, book, last):
        yield (
            "".join(
                journal.transaction(one.event.transaction, one.seq)
                for one in page
                if isinstance(one.event, TransactionPosted)
            ),
            page[-1].seq,
        )


def _distinct(names: Iterable[str], altered: Any) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for name in names:
        wanted = unique = altered(name)
        number = 2
        while unique in chosen.values():
            unique, number = f"{wanted} {number}", number + 1
        chosen[name] = unique
    return chosen


def _symbol(asset: str) -> str:
    return _CONTROL.sub(" ", asset).replace('"', "'").replace(";", ",")


def _quoted(symbol: str) -> str:
    return symbol if _UNQUOTED_SYMBOL.fullmatch(symbol) else f'"{symbol}"'


def _account_name(path: str) -> str:
    """Without what ends a name (two spaces), begins a comment, a status or a virtual posting."""
    name = _SPACES.sub(" ", _CONTROL.sub(" ", path)).strip().replace(";", ",") or "_"
    return f"_{name}" if name[0] in "([*!=~;" else name


def _one_line(value: object) -> str:
    return _SPACES.sub(" ", _CONTROL.sub(" ", value)).strip() if isinstance(value, str) else ""


def _status(value: object) -> str:
    return value if isinstance(value, str) and value in _STATUSES else ""


def _comment_lines(value: object, dates: bool = True) -> list[str]:
    """`dates` false: what hledger would take for a posting's date is broken up, the date stands elsewhere."""
    if not isinstance(value, str):
        return []
    text = value if dates else value.replace("date:", "date :").replace("date2:", "date2 :").replace("[", "(")
    return [_CONTROL.sub(" ", line).rstrip() for line in text.splitlines()]
