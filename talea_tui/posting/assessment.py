"""What a draft means against a book: postings, differences, balances after, and what is wrong where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

from store import (
    AccountId,
    AccountInfo,
    AlreadyExists,
    Amount,
    AmountOverflow,
    AssetMismatch,
    Committed,
    ConstraintViolation,
    Direction,
    IdempotencyConflict,
    Posting,
    StoreError,
    Transaction,
    Unbalanced,
    UnknownAccount,
    UnknownAsset,
)

from ..formatting import format_amount, printable
from ..parsing import ParseError, parse_amount
from .draft import Draft, Row

PRECISION_UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Field:
    """A place in the form. `row` is None for what stands above the rows."""

    name: str
    row: int | None = None


DATE, DESCRIPTION, FORM = Field("date"), Field("description"), Field("form")


@dataclass(frozen=True, slots=True)
class Problem:
    """`sentence` is for the person. `later` is one that typing on will mend: told quietly, still not
    postable. `way` is what to do then, with the ids of actions in braces for their keys.
    """

    field: Field
    sentence: str
    later: bool = False
    way: str = ""


@dataclass(frozen=True, slots=True)
class RowReading:
    """`minor` is positive and on `side`; None while there is no good amount. Balances are effective, minor
    units.
    """

    account: AccountInfo | None = None
    asset: str | None = None
    precision: int = PRECISION_UNKNOWN
    side: Direction | None = None
    minor: int | None = None
    balance_after: int | None = None
    below_minimum: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """`minor` is debits less credits: positive wants credit."""

    asset: str
    minor: int
    precision: int
    begun: bool = True
    """Whether any row of the asset has an amount yet."""
    whole: bool = True
    """Whether every amount of the form is counted, under some asset."""

    @property
    def sentence(self) -> str:
        if not self.begun:
            return f"{printable(self.asset)}  no amount yet"
        if self.minor == 0:
            return f"{printable(self.asset)}  {'balanced ✓' if self.whole else 'balanced so far'}"
        side = "credit" if self.minor > 0 else "debit"
        amount = format_amount(self.minor, self.precision, sign="none")
        return f"{printable(self.asset)} {amount} to {side} ✗"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A draft read once; `rows` stand as in the draft."""

    day: date | None
    rows: tuple[RowReading, ...]
    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    postings: tuple[Posting, ...] = field(default=())

    @property
    def ready(self) -> bool:
        return not self.problems and bool(self.postings)

    @property
    def whole(self) -> bool:
        """Whether the differences count every amount: each is of an account that is open."""
        return all(difference.whole for difference in self.differences)

    def problem_at(self, at: Field) -> Problem | None:
        return next((problem for problem in self.problems if problem.field == at), None)


def assess(
    draft: Draft,
    accounts: Mapping[str, AccountInfo],
    precisions: Mapping[str, int],
    today: date,
    *,
    balances: bool = True,
) -> Assessment:
    """Read `draft` against the accounts of its book (by path) and the precisions of the assets (by id).

    Without `balances` nothing is said of what the accounts hold.
    """
    problems: list[Problem] = []
    day: date | None = None
    try:
        day = draft.day(today)
    except ParseError as refusal:
        problems.append(Problem(DATE, str(refusal)))
    readings = [
        RowReading() if row.blank else _read_row(number, row, accounts, precisions, problems)
        for number, row in enumerate(draft.rows)
    ]
    if balances:
        readings = _with_balances(readings)
    differences = _differences(readings)
    for number, reading in enumerate(readings):
        if reading.below_minimum and reading.account is not None:
            problems.append(Problem(Field("account", number), _minimum_sentence(reading)))
    if len(draft.used_rows()) == 0:
        problems.append(Problem(FORM, "Nothing to post yet: name two accounts and an amount.", later=True))
    problems.extend(
        Problem(FORM, difference.sentence, later=True) for difference in differences if difference.minor
    )
    postings = tuple(
        Posting(
            account=reading.account.definition.id,
            amount=Amount(minor=reading.minor, asset=reading.account.definition.asset),
            direction=reading.side,
        )
        for reading in readings
        if reading.account is not None and reading.minor and reading.side is not None
    )
    return Assessment(day, tuple(readings), differences, tuple(problems), postings)


def _read_row(
    number: int,
    row: Row,
    accounts: Mapping[str, AccountInfo],
    precisions: Mapping[str, int],
    problems: list[Problem],
) -> RowReading:
    path = row.account.strip()
    account = accounts.get(path)
    if not path:
        problems.append(Problem(Field("account", number), "This amount needs an account.", later=True))
    elif account is None:
        sentence = f"“{printable(path, 40)}” is not open in this book: enter opens it, or choose another."
        problems.append(Problem(Field("account", number), sentence, later=True))
    asset = account.definition.asset if account else None
    precision = precisions.get(asset, PRECISION_UNKNOWN) if asset else PRECISION_UNKNOWN
    reading = RowReading(account=account, asset=asset, precision=precision)
    if row.debit.strip() and row.credit.strip():
        problems.append(Problem(Field("credit", number), "A row has one amount: clear debit or credit."))
        return reading
    side = Direction.DEBIT if row.debit.strip() else Direction.CREDIT
    if not row.amount:
        problems.append(Problem(Field("debit", number), "An amount is missing.", later=True))
        return reading
    try:
        minor = parse_amount(row.amount, precision)
    except ParseError as refusal:
        problems.append(Problem(Field(side.value, number), str(refusal)))
        return reading
    if minor == 0:
        problems.append(Problem(Field(side.value, number), "An amount of zero moves nothing: type another."))
        return reading
    if minor < 0:
        side = opposite(side)
    return replace(reading, side=side, minor=abs(minor))


def _with_balances(readings: list[RowReading]) -> list[RowReading]:
    """Balances run down the rows; the minimum is held against what the last row of an account leaves."""
    running: dict[str, int] = {}
    last: dict[str, int] = {}
    done: list[RowReading] = []
    for number, reading in enumerate(readings):
        if reading.account is None:
            done.append(reading)
            continue
        path = reading.account.definition.id.path
        before = running.get(path, reading.account.balance.amount.minor)
        after = before + effect(reading.account, reading.side, reading.minor)
        running[path] = after
        done.append(replace(reading, balance_after=after))
        if reading.minor:
            last[path] = number
    for number in last.values():
        reading = done[number]
        assert reading.account is not None
        minimum = reading.account.config.min_balance
        if minimum is not None and reading.balance_after is not None and reading.balance_after < minimum:
            done[number] = replace(reading, below_minimum=True)
    return done


def effect(account: AccountInfo, side: Direction | None, minor: int | None) -> int:
    """What a posting adds to the effective balance of `account`."""
    if minor is None or side is None:
        return 0
    signed = minor if side is Direction.DEBIT else -minor
    return -signed if account.config.normal_side is Direction.CREDIT else signed


def opposite(side: Direction) -> Direction:
    return Direction.CREDIT if side is Direction.DEBIT else Direction.DEBIT


def _differences(readings: list[RowReading]) -> tuple[Difference, ...]:
    """One for each asset of the form, in order of appearance."""
    sums: dict[str, Difference] = {}
    for reading in readings:
        if reading.asset is not None:
            known = sums.setdefault(reading.asset, Difference(reading.asset, 0, reading.precision, False))
            if reading.minor is not None:
                signed = reading.minor if reading.side is Direction.DEBIT else -reading.minor
                sums[reading.asset] = replace(known, minor=known.minor + signed, begun=True)
    whole = all(reading.asset is not None or reading.minor is None for reading in readings)
    return tuple(replace(difference, whole=whole) for difference in sums.values())


def _minimum_sentence(reading: RowReading) -> str:
    assert reading.account is not None
    assert reading.balance_after is not None
    least = reading.account.config.min_balance or 0
    return below_minimum(reading.balance_after, least, reading.precision, reading.asset or "")


def below_minimum(after: int, minimum: int, precision: int, asset: str) -> str:
    """What is said where a posting would leave too little; both figures are in minor units."""
    return (
        f"This would leave {format_amount(after, precision)} {printable(asset)}, "
        f"below the account's minimum of {format_amount(minimum, precision)}."
    )


def missing_amount(assessment: Assessment, number: int) -> tuple[Direction, int] | None:
    """The side and amount that row `number` needs for its asset to balance, whatever it holds now.

    None when the row names no open account, nothing is missing or an amount is of no known asset.
    """
    reading = assessment.rows[number]
    if reading.asset is None or not assessment.whole:
        return None
    others = next(d.minor for d in assessment.differences if d.asset == reading.asset)
    if reading.minor is not None:
        others -= reading.minor if reading.side is Direction.DEBIT else -reading.minor
    if others == 0:
        return None
    return (Direction.CREDIT, others) if others > 0 else (Direction.DEBIT, -others)


def waits_for_missing(draft: Draft, assessment: Assessment, number: int) -> bool:
    """Whether row `number` is the only one of its asset without an amount, so that the missing one is its
    own.
    """
    reading = assessment.rows[number]
    if reading.asset is None or draft.rows[number].amount:
        return False
    return not any(
        other != number and assessment.rows[other].asset == reading.asset and not row.amount
        for other, row in draft.used_rows()
    )


def offered_amount(draft: Draft, assessment: Assessment, number: int) -> tuple[Direction, str] | None:
    """What enter takes where row `number` has no amount: the missing one where only this row lacks one, else that
    of the last time.
    """
    row = draft.rows[number]
    if row.amount or row.blank:
        return None
    missing = missing_amount(assessment, number)
    if missing is not None and waits_for_missing(draft, assessment, number):
        return missing[0], format_amount(missing[1], assessment.rows[number].precision)
    return (row.hint_side, row.hint) if row.hint and row.hint_side is not None else None


def metadata_of(draft: Draft, day: date) -> dict[str, Any]:
    """Description, date and comments as imports write them, beside what the repeated transaction carried."""
    metadata: dict[str, Any] = dict(draft.carried)
    shown = {"description": draft.description, "date": day.isoformat(), "comment": draft.comment}
    for name, text in shown.items():
        if text.strip():
            metadata[name] = text.strip()
        else:
            metadata.pop(name, None)
    notes = [{"comment": row.kept_note} if row.kept_note else {} for _, row in draft.used_rows()]
    while notes and not notes[-1]:
        notes.pop()
    return metadata | {"postings": notes} if notes else metadata


def transaction_of(draft: Draft, assessment: Assessment) -> Transaction:
    """What is committed. `occurred_at` is the chosen day at 00:00 UTC: a day is a label, the same in every
    zone.

    ValueError unless `assessment.ready`.
    """
    if not assessment.ready or assessment.day is None:
        raise ValueError("the draft is not ready to be posted")
    return Transaction(
        book=draft.book,
        postings=assessment.postings,
        idempotency_key=draft.key,
        external_refs=draft.refs,
        metadata=metadata_of(draft, assessment.day),
        occurred_at=datetime.combine(assessment.day, time(), UTC),
    )


def receipt_of(draft: Draft, committed: Committed, assessment: Assessment) -> str:
    """What was posted, in a line."""
    again = " (it had been posted before; nothing was added)" if committed.deduplicated else ""
    amounts = ", ".join(
        f"{format_amount(turned // 2, difference.precision)} {printable(difference.asset, 20)}"
        for difference in assessment.differences
        if (turned := sum(row.minor or 0 for row in assessment.rows if row.asset == difference.asset))
    )
    words = printable(draft.description.strip(), 60)
    return f"seq {committed.seq:,} posted: {words + ', ' if words else ''}{amounts}{again}"


def refusal_at(error: StoreError, draft: Draft, assessment: Assessment) -> Problem:
    """Where in the form a refusal of the store belongs, in words of the form."""

    def row_of(account: AccountId) -> int | None:
        rows = [number for number, row in draft.used_rows() if row.account.strip() == account.path]
        return rows[-1] if rows else None

    match error:
        case (
            UnknownAccount(account=account) | AssetMismatch(account=account) | AmountOverflow(account=account)
        ):
            number = row_of(account)
            if number is not None:
                name = "account" if not isinstance(error, AmountOverflow) else _typed_side(draft.rows[number])
                return Problem(Field(name, number), str(error))
        case ConstraintViolation(account=account, would_be=would_be, min_balance=min_balance):
            number = row_of(account)
            if number is not None:
                precision = assessment.rows[number].precision
                return Problem(
                    Field("account", number),
                    f"Refused: this would leave {format_amount(would_be, precision)}, below the account's "
                    f"minimum of {format_amount(min_balance, precision)}.",
                )
        case Unbalanced(asset=asset):
            for number, reading in enumerate(assessment.rows):
                if reading.asset == asset:
                    return Problem(Field(_typed_side(draft.rows[number]), number), str(error))
        case UnknownAsset(asset=asset):
            return Problem(
                FORM,
                f"Asset {printable(asset, 40)} is not registered:",
                way="add it on the assets screen ({app.assets}).",
            )
        case IdempotencyConflict(seq=seq):
            return Problem(
                FORM,
                f"This entry was posted before, at seq {seq:,}, with other content;",
                way="{post.another} keeps what is typed as a new entry.",
            )
        case AlreadyExists():
            return Problem(FORM, str(error), way="Press {post.post} to try again.")
        case _:
            pass
    return Problem(FORM, str(error))


def _typed_side(row: Row) -> str:
    return "credit" if row.credit.strip() else "debit"
