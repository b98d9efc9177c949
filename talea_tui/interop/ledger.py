"""Journals through `ledger xml`; how many decimals they show, which that drops, `ledger reg` tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from .directives import with_included
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

NO_PAYEE = "<Unspecified payee>"
"""What ledger says of an entry without a description."""


def read(path: Path) -> Journal:
    """Raises JournalError when ledger cannot read the file or answers in a shape that is not known."""
    printed = run("ledger", "--args-only", "-f", str(path), "xml")
    try:
        root = ElementTree.fromstring(printed)
        accounts = {
            account.get("id", ""): _text(account, "fullname")
            for account in root.iterfind("./accounts//account")
        }
        found = root.iterfind("./transactions/transaction")
        transactions = tuple(with_txid(_transaction(element, accounts)) for element in found)
    except (ElementTree.ParseError, ValueError) as error:
        raise JournalError(f"ledger's answer is not understood ({error}).") from error
    shown = _shown_places(path)
    return Journal(
        path, "ledger", tuple(_showing(one, shown) for one in transactions), {}, tuple(with_included(path))
    )


def _shown_places(path: Path) -> dict[str, int]:
    """The decimals with which ledger displays each commodity: as many as the journal ever writes."""
    amount = "scrub(amount)"
    form = f"%(commodity({amount}))\\t%(quantity({amount}))\\t%({amount})\\n"
    shown: dict[str, int] = {}
    for line in run("ledger", "--args-only", "-f", str(path), "reg", "--format", form).decode().splitlines():
        symbol, quantity, displayed = line.split("\t")
        whole = quantity.partition(".")[0].lstrip("-")
        digits = sum(map(str.isdigit, displayed.replace(symbol, "", 1)))
        shown[_bare(symbol)] = max(shown.get(_bare(symbol), 0), digits - len(whole))
    return shown


def _showing(transaction: JournalTransaction, shown: dict[str, int]) -> JournalTransaction:
    postings = (
        replace(posting, shown_places=max(posting.shown_places, shown.get(posting.commodity, 0)))
        for posting in transaction.postings
    )
    return replace(transaction, postings=tuple(postings))


def _transaction(element: Element, accounts: dict[str, str]) -> JournalTransaction:
    comment = _comment(element)
    priced = element.find("./postings/posting/cost") is not None
    postings = (_posting(posting, accounts, priced) for posting in element.iterfind("./postings/posting"))
    return JournalTransaction(
        date=_date(_text(element, "date")),
        date2=_iso(_text(element, "aux-date")),
        code=_text(element, "code"),
        status=element.get("state", ""),
        description=_text(element, "payee"),
        comment=comment,
        tags=_tags(element),
        postings=tuple(postings),
    )


def _posting(element: Element, accounts: dict[str, str], priced: bool) -> JournalPosting:
    reference = element.find("account")
    account = accounts.get(reference.get("ref", ""), "") if reference is not None else ""
    amount = element.find("./post-amount/amount")
    if not account or amount is None:
        raise ValueError("a posting without account or amount")
    commodity, quantity = _amount(amount)
    cost = element.find("cost")
    return JournalPosting(
        account=account,
        commodity=commodity,
        quantity=quantity,
        shown_places=quantity.places if not priced or cost is not None else quantity.shortest().places,
        cost=None if cost is None else Cost("total", _amount(cost)[1], _amount(cost)[0]),
        status=element.get("state", ""),
        comment=_comment(element),
        tags=_tags(element),
        date=_iso(_text(element, "date")),
        date2=_iso(_text(element, "aux-date")),
        virtual=element.get("virtual") == "true",
        assertion=element.find("balance-assertion") is not None,
    )


def _amount(element: Element) -> tuple[str, Quantity]:
    symbol = _text(element, "./commodity/symbol") or _text(element, "symbol")
    return _bare(symbol), Quantity.parse(_text(element, "quantity"))


def _bare(symbol: str) -> str:
    return symbol[1:-1] if len(symbol) > 1 and symbol[0] == symbol[-1] == '"' else symbol


def _tags(element: Element) -> dict[str, str | list[str]]:
    tags: dict[str, str | list[str]] = {}
    for entry in element.iterfind("./metadata/*"):
        if entry.tag == "tag":
            add_tag(tags, entry.text or "", "")
        elif entry.tag == "value":
            add_tag(tags, entry.get("key", ""), "".join(entry.itertext()).strip())
    return tags


def _comment(element: Element) -> str:
    return "\n".join(line.strip() for line in _text(element, "note").strip().splitlines())


def _text(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def _iso(text: str) -> str:
    return _date(text).isoformat() if text else ""


def _date(text: str) -> date:
    return date.fromisoformat(text.replace("/", "-"))
