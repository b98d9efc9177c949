"""The form's one-stroke edits of a draft: prefill from a description, put the missing amount, take a hint."""

from __future__ import annotations

from collections.abc import Mapping

from store import AccountKind, Direction

from ..formatting import format_amount
from ..parsing import ParseError, parse_amount
from .assessment import DESCRIPTION, Assessment, Field, missing_amount, offered_amount, opposite
from .correction import rows_of
from .draft import Draft
from .usage import DescriptionUse, UsageIndex

_KIND_WORDS = {
    AccountKind.ASSET: ("asset", "assets", "cash", "bank", "wallet", "receivable", "receivables"),
    AccountKind.LIABILITY: ("liability", "liabilities", "debt", "debts", "payable", "payables", "creditcard"),
    AccountKind.INCOME: ("income", "incomes", "revenue", "revenues", "gains", "sales"),
    AccountKind.EXPENSE: ("expense", "expenses", "cost", "costs", "losses"),
    AccountKind.EQUITY: ("equity", "capital", "opening"),
    AccountKind.CLEARING: ("clearing", "suspense", "transfer", "transfers", "transit"),
}

_ONE_SIDED = (AccountKind.EXPENSE, AccountKind.INCOME)
"""Kinds seldom posted against their usual side: several purchases and one payment are more common."""


def prefill(draft: Draft, use: DescriptionUse, precisions: Mapping[str, int]) -> bool:
    """Take accounts, sides and, as hints, amounts of the last use; False when rows were typed already."""
    if draft.used_rows():
        return False
    draft.rows = rows_of(use.rows, precisions, typed=False)
    draft.ensure_spare_row()
    return True


def text_at(draft: Draft, at: Field) -> str:
    """What the draft holds for a field; nothing for a row that it does not have."""
    if at.row is None:
        return str(getattr(draft, at.name))
    return str(getattr(draft.rows[at.row], at.name)) if at.row < len(draft.rows) else ""


def fill_missing(draft: Draft, assessment: Assessment, number: int) -> bool:
    """Put the amount that balances the asset of row `number` into it; False when there is none."""
    missing = missing_amount(assessment, number)
    if missing is None:
        return False
    side, minor = missing
    draft.rows[number].put(side, format_amount(minor, assessment.rows[number].precision))
    return True


def take_offer(draft: Draft, assessment: Assessment, number: int) -> bool:
    """What enter does on an empty amount; False when nothing is offered there."""
    offered = offered_amount(draft, assessment, number)
    if offered is not None:
        draft.rows[number].put(*offered)
    return offered is not None


def work_out(draft: Draft, assessment: Assessment, number: int) -> None:
    """Replace a sum by its result, and move a negative amount to the other side."""
    row, reading = draft.rows[number], assessment.rows[number]
    if (row.debit.strip() and row.credit.strip()) or not row.amount or reading.account is None:
        return
    try:
        minor = parse_amount(row.amount, reading.precision)
    except ParseError:
        return
    side = Direction.DEBIT if row.debit.strip() else Direction.CREDIT
    row.put(opposite(side) if minor < 0 else side, format_amount(abs(minor), reading.precision))


def expected_side(draft: Draft, assessment: Assessment, number: int, usage: UsageIndex) -> Direction:
    """Where the amount of row `number` is most likely to be typed."""
    row = draft.rows[number]
    if row.debit.strip() or row.credit.strip():
        return Direction.DEBIT if row.debit.strip() else Direction.CREDIT
    account = assessment.rows[number].account
    if account is not None and row.hint_side is None and account.definition.kind in _ONE_SIDED:
        return account.config.normal_side or Direction.DEBIT
    missing = missing_amount(assessment, number)
    if missing is not None:
        return missing[0]
    if row.hint_side is not None:
        return row.hint_side
    use = usage.account(row.account.strip())
    return use.last_side if use else Direction.DEBIT


def next_field(draft: Draft, assessment: Assessment, usage: UsageIndex, after: Field) -> Field | None:
    """Where enter leads from `after`: the next thing still wanted, what is wrong once nothing is; None when the
    draft can be posted.
    """
    if after.name == "date" and not draft.description.strip():
        return DESCRIPTION
    wanted: list[Field] = []
    for number, row in draft.used_rows():
        if not row.account.strip() or assessment.rows[number].account is None:
            wanted.append(Field("account", number))
        elif assessment.rows[number].minor is None:
            wanted.append(Field(expected_side(draft, assessment, number, usage).value, number))
    if not wanted:
        if assessment.ready:
            return None
        if assessment.problems and not any(problem.later for problem in assessment.problems):
            return assessment.problems[0].field
        blank = [number for number, row in enumerate(draft.rows) if row.blank]
        return Field("account", blank[0] if blank else len(draft.rows))
    position = -1 if after.row is None else after.row
    later = [
        field for field in wanted if (field.row or 0) > position or (field.row == position and field != after)
    ]
    return (later or wanted)[0]


def guess_kind(path: str) -> AccountKind:
    """The kind that the first telling word of `path` stands for; an asset when none does."""
    for segment in path.casefold().split(":"):
        for word in (segment, *segment.replace("-", " ").replace("_", " ").split()):
            for kind, words in _KIND_WORDS.items():
                if word in words or (len(word) >= 3 and words[0].startswith(word)):
                    return kind
    return AccountKind.ASSET


def guess_asset(
    path: str, siblings: Mapping[str, str], assets: list[str], draft_assets: list[str]
) -> str | None:
    """The asset a new account at `path` will hold: named by its last segment, else the form's, else its
    kin's.

    `siblings` gives the assets of the book's accounts by path.
    """
    by_name = {asset.casefold(): asset for asset in assets}
    for segment in reversed(path.casefold().split(":")):
        if segment in by_name:
            return by_name[segment]
    if draft_assets:
        return draft_assets[0]
    segments = path.split(":")
    for length in range(len(segments) - 1, 0, -1):
        stem = ":".join(segments[:length]) + ":"
        kin = [asset for other, asset in siblings.items() if other.startswith(stem)]
        if kin:
            return max(sorted(set(kin)), key=kin.count)
    kin = list(siblings.values())
    if kin:
        return max(sorted(set(kin)), key=kin.count)
    return assets[0] if assets else None
