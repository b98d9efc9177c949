"""What a person has typed into the posting form, kept as typed, and the key it will be posted under."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import uuid4

from store import Direction, ExternalRef

from ..parsing import ParseError, parse_date

ROWS_MIN, ROWS_MAX = 2, 100
TOO_LONG = f"An entry of more than {ROWS_MAX} postings is too long for the form; an import takes it."


@dataclass(slots=True)
class Row:
    """One posting as typed. `hint` is an amount of an earlier use, taken when the amount is left empty."""

    account: str = ""
    debit: str = ""
    credit: str = ""
    hint: str = ""
    hint_side: Direction | None = None
    note: str = ""
    note_account: str = ""
    """What was noted with the posting that this one takes the place of, and the account it was noted of."""

    @property
    def kept_note(self) -> str:
        """The note while the row is still of its account."""
        return self.note if self.account.strip() == self.note_account else ""

    @property
    def blank(self) -> bool:
        return not (self.account.strip() or self.debit.strip() or self.credit.strip())

    @property
    def amount(self) -> str:
        """What is typed on either side."""
        return self.debit.strip() or self.credit.strip()

    def put(self, side: Direction, text: str) -> None:
        """The amount on one side, the other emptied."""
        self.debit, self.credit = (text, "") if side is Direction.DEBIT else ("", text)


@dataclass(slots=True)
class Draft:
    """`key` is made once and kept through every retry, so that pressing twice posts once."""

    book: str
    key: str = field(default_factory=lambda: str(uuid4()))
    date: str = ""
    dated_on: datetime.date | None = None
    """The day `date` was typed on, which `-1` and `fri` count from; None for a whole date or none."""
    description: str = ""
    comment: str = ""
    rows: list[Row] = field(default_factory=lambda: [Row() for _ in range(ROWS_MIN)])
    refs: tuple[ExternalRef, ...] = ()
    carried: dict[str, Any] = field(default_factory=dict)
    """Metadata of the transaction this one repeats, beside the description and comment shown in the form."""

    @property
    def blank(self) -> bool:
        """Nothing in it that a person would miss."""
        return not (
            self.description.strip() or self.comment.strip() or any(not row.blank for row in self.rows)
        )

    def date_typed(self, text: str, today: datetime.date) -> None:
        """Take what stands in the date's field; unless it is new it goes on meaning the day it meant."""
        if text != self.date or self.dated_on is None:
            self.date, self.dated_on = text, today

    def day(self, today: datetime.date) -> datetime.date:
        """The day it is for: `today` without a date, else what that meant when it was typed. Raises ParseError."""
        typed = bool(self.date.strip()) and self.dated_on
        return parse_date(self.date, typed or today)

    @property
    def whole_date(self) -> str:
        """The date so that it means the same on any day; as it was typed where that is none."""
        if not self.date.strip() or self.dated_on is None:
            return self.date
        try:
            return self.day(self.dated_on).isoformat()
        except ParseError:
            return self.date

    def used_rows(self) -> list[tuple[int, Row]]:
        return [(number, row) for number, row in enumerate(self.rows) if not row.blank]

    def ensure_spare_row(self) -> None:
        """Keep at least two rows, the last of them blank unless there are just two."""
        while len(self.rows) < ROWS_MIN or not self.rows[-1].blank:
            self.rows.append(Row())
        while len(self.rows) > ROWS_MIN and self.rows[-1].blank and self.rows[-2].blank:
            self.rows.pop()

    def with_new_key(self) -> Draft:
        """The same text as another entry."""
        return replace(self, key=str(uuid4()), rows=[replace(row) for row in self.rows])

    def to_json(self) -> dict[str, Any]:
        return {
            "book": self.book,
            "key": self.key,
            "date": self.whole_date,
            "description": self.description,
            "comment": self.comment,
            "rows": [
                {
                    "account": row.account,
                    "debit": row.debit,
                    "credit": row.credit,
                    "hint": row.hint,
                    "hint_side": row.hint_side.value if row.hint_side else None,
                    "note": row.note,
                    "note_account": row.note_account,
                }
                for row in self.rows
            ],
            "refs": [[ref.kind, ref.value] for ref in self.refs],
            "carried": self.carried,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        rows = [
            Row(
                account=_text(row["account"]),
                debit=_text(row["debit"]),
                credit=_text(row["credit"]),
                hint=_text(row["hint"]),
                hint_side=Direction(row["hint_side"]) if row["hint_side"] is not None else None,
                note=_text(row.get("note", "")),
                note_account=_text(row.get("note_account", "")),
            )
            for row in value["rows"]
        ]
        if not isinstance(value["carried"], dict):
            raise TypeError("carried metadata is an object")
        draft = cls(
            book=_text(value["book"]),
            key=_text(value["key"]),
            date=_text(value["date"]),
            description=_text(value["description"]),
            comment=_text(value["comment"]),
            rows=rows,
            refs=tuple(ExternalRef(kind=_text(kind), value=_text(text)) for kind, text in value["refs"]),
            carried=value["carried"],
        )
        while len(draft.rows) < ROWS_MIN:
            draft.rows.append(Row())
        return draft


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value
