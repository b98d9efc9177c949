"""What a journal becomes in a book: assets, accounts, postings, metadata and keys. Pure.

Metadata of an imported transaction, each key left out when it would be empty:

    description  code  comment  text
    date  date2              ISO dates: the transaction's, the secondary one
    status                   "pending" or "cleared"
    file                     what it was imported from, with the folder: "books/household.journal"
    tags                     {name: value}, or a list of values where a tag is given twice
    postings                 one object a posting, in the order of the postings, with
        account              the journal's account, where the path here is another
        comment  tags  status  date  date2
        virtual              true
        residual             true: no posting of the journal, but what it leaves unbalanced in this asset
        cost                 {"per": "unit" or "total", "quantity", "commodity"}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from store import PRECISION_MAX, AccountKind, AssetDef

from .currencies import known
from .journal import Journal, JournalError, JournalPosting, JournalTransaction

CONVERSION = "equity:conversion"
KEY_PREFIX = "import:"
UNNAMED_ASSET = "unit"
"""The asset of amounts that name no commodity, unless the user maps "" to another."""

_NAMES_TOLD = 8

Holding: TypeAlias = tuple[str, str]
"""A journal account and an asset that it holds."""

_HLEDGER_KINDS = {
    "A": AccountKind.ASSET,
    "C": AccountKind.ASSET,
    "L": AccountKind.LIABILITY,
    "E": AccountKind.EQUITY,
    "V": AccountKind.EQUITY,
    "R": AccountKind.INCOME,
    "G": AccountKind.INCOME,
    "X": AccountKind.EXPENSE,
}

_NAMED_KINDS = {
    "asset": AccountKind.ASSET,
    "assets": AccountKind.ASSET,
    "liability": AccountKind.LIABILITY,
    "liabilities": AccountKind.LIABILITY,
    "debt": AccountKind.LIABILITY,
    "debts": AccountKind.LIABILITY,
    "income": AccountKind.INCOME,
    "incomes": AccountKind.INCOME,
    "revenue": AccountKind.INCOME,
    "revenues": AccountKind.INCOME,
    "expense": AccountKind.EXPENSE,
    "expenses": AccountKind.EXPENSE,
    "equity": AccountKind.EQUITY,
    "conversion": AccountKind.EQUITY,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user said: ids for commodities, kinds for account prefixes, least decimals for assets.

    `round`: amounts are rounded where a registered asset has too few decimals, and to just the decimals asked
    for where the asset is new.
    """

    assets: Mapping[str, str]
    kinds: Mapping[str, AccountKind]
    precisions: Mapping[str, int]
    round: bool = False

    def asset(self, commodity: str) -> str:
        return self.assets.get(commodity, commodity or UNNAMED_ASSET)

    def kind(self, account: str) -> AccountKind | None:
        """By the longest prefix of whole segments; None where nothing was said."""
        return next((self.kinds[prefix] for prefix in _prefixes(account) if prefix in self.kinds), None)


def asset_definitions(
    journal: Journal, rules: Rules, registered: Mapping[str, AssetDef]
) -> dict[str, AssetDef]:
    """The asset of every commodity with an amount; registered ones stay as they are.

    Decided over the whole file: as many decimals as any amount shows or needs, at least the usual ones.
    Raises JournalError when an amount needs more than its asset has or can have, unless `rules.round`.
    """
    shown: dict[str, int] = {}
    needed: dict[str, int] = {}
    for transaction in journal.transactions:
        for posting in transaction.postings:
            asset = rules.asset(posting.commodity)
            places = posting.quantity.shortest().places
            if places > PRECISION_MAX and not rules.round:
                raise JournalError(
                    f"{transaction.place}: an amount of {posting.account!r} has {places} decimals, and an asset "
                    f"has at most {PRECISION_MAX}; shorten it, or import with --round."
                )
            shown[asset] = max(shown.get(asset, 0), posting.shown_places)
            needed[asset] = max(needed.get(asset, 0), places)
    definitions = {}
    for asset, places in needed.items():
        existing = registered.get(asset)
        wanted = rules.precisions.get(asset, 0)
        if existing is not None:
            if existing.precision < places and not rules.round:
                raise JournalError(
                    f"Asset {asset!r} is registered with {existing.precision} decimals and this "
                    f"journal needs {places}; decimals are fixed for ever, so import it as another asset "
                    f"(--asset '{asset}=NEW'), into a new ledger (--dir), or with --round."
                )
            if existing.precision < wanted:
                raise JournalError(
                    f"Asset {asset!r} is registered with {existing.precision} decimals and --precision asks for "
                    f"{wanted}; decimals are fixed for ever, so leave --precision '{asset}={wanted}' out."
                )
            definitions[asset] = existing
            continue
        usual = known(asset)
        precision = min(max(places, shown[asset], wanted, usual.precision), PRECISION_MAX)
        if rules.round and asset in rules.precisions:
            precision = wanted
        definitions[asset] = AssetDef(
            id=asset, asset_class=usual.asset_class, precision=precision, name=usual.name
        )
    return definitions


def first_needing(journal: Journal, rules: Rules, asset: AssetDef) -> str | None:
    """Where the first transaction is that has an amount of all the decimals of `asset`."""
    for transaction in journal.transactions:
        for posting in transaction.postings:
            places = posting.quantity.shortest().places
            if rules.asset(posting.commodity) == asset.id and places == asset.precision:
                return transaction.place
    return None


def refuse_idle_rules(journal: Journal, rules: Rules) -> None:
    """Raises JournalError for a rule that nothing in the journal meets: what it was meant for would stay as it is."""
    postings = [posting for transaction in journal.transactions for posting in transaction.postings]
    commodities = list(dict.fromkeys(posting.commodity for posting in postings))
    assets = list(dict.fromkeys(map(rules.asset, commodities)))
    for commodity, asset in rules.assets.items():
        if commodity not in commodities:
            raise _idle(f"--asset '{commodity}={asset}'", "commodity", journal, commodities)
    for asset, places in rules.precisions.items():
        if asset not in assets:
            raise _idle(f"--precision '{asset}={places}'", "asset", journal, assets)
    accounts = list(dict.fromkeys(posting.account for posting in postings))
    # what does not balance is posted below an account of ours
    prefixes = {prefix for account in (*accounts, CONVERSION) for prefix in _prefixes(account)}
    for prefix, kind in rules.kinds.items():
        if prefix not in prefixes:
            tops = list(dict.fromkeys(account.partition(":")[0] for account in accounts))
            raise _idle(f"--kind '{prefix}={kind.value}'", "account", journal, tops)


def _idle(option: str, noun: str, journal: Journal, there: list[str]) -> JournalError:
    names = [repr(name) for name in there[:_NAMES_TOLD]] + ["…"] * (len(there) > _NAMES_TOLD)
    has = f"it has {', '.join(names)}" if names else "it has none"
    return JournalError(
        f"{option} meets no {noun} of {journal.path.name}: {has}. Correct it or leave it out."
    )


def _prefixes(account: str) -> Iterator[str]:
    """Of whole segments, the longest first."""
    segments = account.split(":")
    return (":".join(segments[:length]) for length in range(len(segments), 0, -1))


def kind_of(account: str, types: Mapping[str, str], rules: Rules) -> AccountKind | None:
    """By the user's rule for the longest prefix, the program's type, the usual English name; else None."""
    return (
        rules.kind(account)
        or _HLEDGER_KINDS.get(types.get(account, ""))
        or _NAMED_KINDS.get(account.partition(":")[0].strip().lower())
    )


class Paths:
    """Which path each holding of the journal has in the book.

    The first asset of an account has the journal's own path, each further one `account:ASSET`. A path once
    given stays: only holdings that the book does not have yet choose, in the order asked.
    """

    def __init__(
        self,
        opened: Mapping[str, str],
        origins: Mapping[str, str],
        reserved: Iterable[str],
        *,
        by_path: bool = False,
    ) -> None:
        """`opened`: asset by path. `origins`: journal account by path, of those that were posted to.

        `reserved`: names of the journal's accounts, which no further asset of another may take. `by_path`: the
        journal calls accounts by the book's paths.
        """
        self._owners: dict[str, Holding] = {
            path: (origins.get(path, path), asset) for path, asset in opened.items()
        }
        self._reserved = frozenset(reserved)
        self._paths: dict[Holding, str] = {}
        for path, owner in self._owners.items():
            self._paths.setdefault(owner, path)
        if by_path:
            self._paths |= {(path, asset): path for path, asset in opened.items()}

    def path(self, account: str, asset: str) -> str:
        """For a posting of the journal."""
        known_path = self._paths.get((account, asset))
        if known_path is not None:
            return known_path
        if account not in self._owners:
            return self._take(account, account, asset)
        return self.further(account, asset)

    def further(self, account: str, asset: str) -> str:
        """A path below `account` even when that itself is free."""
        known_path = self._paths.get((account, asset))
        if known_path is not None:
            return known_path
        path, number = f"{account}:{asset}", 2
        while path in self._reserved or path in self._owners:
            # It is this holding's own where it came through an export, which calls it by its path, and where
            # it was left by an import that was killed before it posted there.
            if path not in self._reserved and self._owners[path] == (path, asset):
                break
            path, number = f"{account}:{asset}:{number}", number + 1
        return self._take(path, account, asset)

    def _take(self, path: str, account: str, asset: str) -> str:
        self._owners[path] = (account, asset)
        self._paths[(account, asset)] = path
        return path


@dataclass(frozen=True, slots=True)
class Entry:
    """A posting as it will stand in the book; `minor` is positive for a debit, negative for a credit."""

    path: str
    asset: str
    minor: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """A transaction ready for its key.

    `stem` begins the keys of equal transactions. `residuals` counts the conversion postings at the end.
    """

    source: JournalTransaction
    entries: tuple[Entry, ...]
    metadata: dict[str, Any]
    stem: str
    residuals: int


def map_transaction(
    source: JournalTransaction, assets: Mapping[str, AssetDef], rules: Rules, paths: Paths
) -> Mapped:
    """Zero amounts are left out; what does not balance gets its residual on `equity:conversion:ASSET`."""
    entries: list[Entry] = []
    details: list[dict[str, Any]] = []
    sums: dict[str, int] = {}
    for posting in source.postings:
        asset = rules.asset(posting.commodity)
        minor = posting.quantity.minor(assets[asset].precision)
        if minor == 0:
            continue
        path = paths.path(posting.account, asset)
        entries.append(Entry(path, asset, minor))
        details.append(_posting_metadata(posting, path, source))
        sums[asset] = sums.get(asset, 0) + minor
    residuals = [
        Entry(paths.further(CONVERSION, asset), asset, -total) for asset, total in sums.items() if total
    ]
    entries += residuals
    details += [{"residual": True} for _ in residuals]
    likeness = _digest([source.date.isoformat(), source.code, bare_description(source.description)])
    amounts = sorted(
        [posting.account, rules.asset(posting.commodity), str(posting.quantity.shortest())]
        for posting in source.postings
    )
    return Mapped(
        source=source,
        entries=tuple(entries),
        metadata=_metadata(source, details),
        stem=f"{KEY_PREFIX}{likeness}:{_digest([likeness, amounts])}",
        residuals=len(residuals),
    )


def noted_day(value: object) -> date | None:
    """A date of the metadata; None for what no import wrote."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def bare_description(description: str) -> str:
    """Without a comment: where one begins, ledger and hledger do not agree, and keys are the same for both."""
    return description.partition(";")[0].strip()


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _metadata(source: JournalTransaction, details: list[dict[str, Any]]) -> dict[str, Any]:
    while details and not details[-1]:
        details.pop()
    return _filled(
        description=source.description,
        date=source.date.isoformat(),
        date2=source.date2,
        code=source.code,
        status=source.status,
        comment=source.comment,
        tags=source.tags,
        postings=details,
    )


def _posting_metadata(posting: JournalPosting, path: str, source: JournalTransaction) -> dict[str, Any]:
    cost = posting.cost
    return _filled(
        account="" if path == posting.account else posting.account,
        comment=posting.comment,
        tags=posting.tags,
        status="" if posting.status == source.status else posting.status,
        date=posting.date,
        date2=posting.date2,
        virtual=posting.virtual,
        cost=cost and {"per": cost.per, "quantity": str(cost.quantity), "commodity": cost.commodity},
    )


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
