"""What a field of an entry could become: descriptions used before, accounts that fit, an account to open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from ..formatting import format_amount, format_days_ago, printable
from ..posting.assessment import Assessment
from ..posting.completion import complete_account
from ..posting.draft import Draft
from ..posting.history import BookHistory
from ..posting.usage import DescriptionUse
from .chart import shown_sign
from .offers import OFFERS_MAX, Offer


class Surroundings(NamedTuple):
    """What offers are made from, and how they are told."""

    draft: Draft
    history: BookHistory
    assessment: Assessment
    precisions: Mapping[str, int]
    natural_signs: bool


def offers_of_description(uses: list[DescriptionUse], typed: str, today: date) -> list[Offer]:
    """Descriptions to take, each with the account it went to; none where only what was typed fits."""
    if [use.text for use in uses] == [typed]:
        return []
    return [Offer(use.text, use.text, _use_aside(use, today)) for use in uses]


def offers_of_account(typed: str, around: Surroundings) -> list[Offer]:
    """Accounts to take, each with its balance, and opening what was typed; none for an account's whole name."""
    if typed in around.history.accounts:
        return []
    offers = [Offer(path, path, _balance_aside(path, around)) for path in _likely_accounts(typed, around)]
    if typed and len(offers) < OFFERS_MAX:
        offers.append(Offer("", f"open “{printable(typed, 60)}” as a new account"))
    return offers


def _likely_accounts(typed: str, around: Surroundings) -> list[str]:
    """What `typed` can mean, accounts that can balance the entry before others."""
    history = around.history
    matches = complete_account(typed, history.accounts, history.usage, history.last_seq, 2 * OFFERS_MAX)
    open_assets = {difference.asset for difference in around.assessment.differences if difference.minor}
    named = {row.account.strip() for row in around.draft.rows} if not typed else set()
    paths = [match.path for match in matches if match.path not in named]
    if open_assets:
        paths.sort(key=lambda path: history.accounts[path].definition.asset not in open_assets)
    return paths[:OFFERS_MAX]


def _use_aside(use: DescriptionUse, today: date) -> str:
    leaf = next((row.path for row in use.rows), "").rpartition(":")[2]
    return f"{leaf} · {format_days_ago(use.last_day, today)}"


def _balance_aside(path: str, around: Surroundings) -> str:
    info = around.history.accounts[path]
    asset = info.definition.asset
    minor = info.balance.amount.minor * shown_sign(info, natural=around.natural_signs)
    return f"{format_amount(minor, around.precisions.get(asset, 0))} {asset}"
