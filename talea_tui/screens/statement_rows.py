"""A trial balance or a statement as columns, rows and what the rows open, in the room there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from store import AccountId

from ..formatting import (
    ELLIPSIS,
    MINUS,
    align_point,
    fit_amount,
    format_amount,
    format_amount_plain,
    fraction_cells,
    printable,
)
from ..statements.statement import AccountFigures, AssetTotal, Section, Statement
from ..widgets.chart import reads_negative
from ..widgets.columns import Cell, Column, Row

ACCOUNT = Column("account", "account", min_width=16, max_width=200, flex=1, path=True)
ASSET = Column("asset", "", min_width=3, max_width=14)
KIND = Column("kind", "kind", min_width=6, max_width=9)
TRIAL_AMOUNTS = (
    Column("debits", "debits", align="right", max_width=60, drop=1),
    Column("credits", "credits", align="right", max_width=60, drop=2),
    Column("balance", "balance", align="right", max_width=60, copied=True),
)
PERIOD_AMOUNTS = (
    Column("opening", "opening", align="right", max_width=60),
    Column("debits", "debits", align="right", max_width=60),
    Column("credits", "credits", align="right", max_width=60),
    Column("closing", "closing", align="right", max_width=60, copied=True),
)
NARROW_PERIOD_AMOUNTS = (
    Column("opening", "opening", align="right", max_width=60, drop=1),
    Column("change", "change", align="right", max_width=60),
    Column("closing", "closing", align="right", max_width=60, copied=True),
)
TRIAL_COLUMNS = (ACCOUNT, *TRIAL_AMOUNTS, ASSET, KIND)
STATEMENT_COLUMNS = (
    Column("account", "account", min_width=20, max_width=200, flex=1, path=True),
    Column("amount", "amount", align="right", min_width=12, max_width=60, copied=True),
    ASSET,
)
KIND_WIDTH = 100
"""Narrower than this, the room of the kind is better given to the account's name."""

AMOUNT_MIN = 10
ACCOUNTS_AT_A_TIME = 500

Amount: TypeAlias = tuple[int, str]
"""Minor units and the asset they are of."""


@dataclass(slots=True)
class Written:
    """`targets` are the accounts that the rows open."""

    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)
    targets: list[AccountId | None] = field(default_factory=list)

    def add(self, row: Row, target: AccountId | None = None) -> None:
        self.rows.append(row)
        self.targets.append(target)


@dataclass(frozen=True, slots=True)
class Page:
    """Room for `width` cells.

    `precision` gives an asset's decimal places; with `natural` every account reads positive on its normal side.
    """

    width: int
    precision: Callable[[str], int]
    natural: bool

    async def trial_balance(
        self, accounts: Sequence[AccountFigures], totals: Sequence[AssetTotal], *, by_days: bool
    ) -> Written:
        """All `accounts` are listed; `by_days` tells what was before the period and what is at its end."""
        figures_of = [self._figures(one) for one in accounts]
        amounts = [
            (minor, one.asset)
            for one, figures in zip(accounts, figures_of, strict=True)
            for minor in figures.values()
        ]
        amounts += [(minor, total.asset) for total in totals for minor in total.by_column.values()]
        money, least = self._money(amounts, len(TRIAL_AMOUNTS))
        wanted = self._amount_columns(least) if by_days else TRIAL_AMOUNTS
        kinds = (KIND,) if self.width >= KIND_WIDTH else ()
        written = Written((ACCOUNT, *(replace(column, min_width=least) for column in wanted), ASSET, *kinds))
        for place, (one, figures) in enumerate(zip(accounts, figures_of, strict=True), 1):
            id = one.info.definition.id
            written.add(
                [
                    Cell(printable(id.path, 600), "", id.path),
                    *(money[figures[column.id], one.asset] for column in wanted),
                    Cell(printable(one.asset, 40), "dim", one.asset),
                    *(Cell(one.info.definition.kind.value, "dim") for _ in kinds),
                ],
                id,
            )
            if place % ACCOUNTS_AT_A_TIME == 0:
                await asyncio.sleep(0)
        if accounts:
            written.add([""] * len(written.columns))
        for total in totals:
            mark = "✓" if total.proved else "✗ does not balance"
            tone = "strong" if total.proved else "warning"
            figures = total.by_column
            written.add(
                [
                    Cell(f"Total {mark}", tone),
                    *(money[figures[column.id], total.asset]._replace(tone=tone) for column in wanted),
                    Cell(printable(total.asset, 40), tone, total.asset),
                    *("" for _ in kinds),
                ]
            )
        return written

    def statement(self, statement: Statement) -> Written:
        amounts = [(line.minor, line.asset) for section in statement.sections for line in section.lines]
        sums = [*(section.totals for section in statement.sections), statement.result]
        amounts += [(minor, asset) for each in sums for asset, minor in each]
        money, _ = self._money(amounts, 1)
        written = Written(STATEMENT_COLUMNS)
        for section in statement.sections:
            _add_section(written, section, money)
        _add_sums(written, statement.result_label, statement.result, money)
        return written

    def _amount_columns(self, least: int) -> tuple[Column, ...]:
        """Those of a period, as far as there is room."""
        room = self.width - 3 - ACCOUNT.min_width - ASSET.min_width - 2
        return PERIOD_AMOUNTS if room >= len(PERIOD_AMOUNTS) * (least + 2) else NARROW_PERIOD_AMOUNTS

    def _figures(self, one: AccountFigures) -> dict[str, int]:
        """An account's figures by column, with the sign in which the user reads it."""
        sign = -1 if self.natural and reads_negative(one.info) else 1
        closing = sign * one.closing
        return {
            "opening": sign * one.opening,
            "debits": one.debits,
            "credits": one.credits,
            "change": sign * one.change,
            "closing": closing,
            "balance": closing,
        }

    def _money(self, amounts: Iterable[Amount], columns: int) -> tuple[dict[Amount, Cell], int]:
        """Amounts of several assets as cells, and the least width of their columns.

        Points stand under each other where there is room for that. Where there is not, each amount stands right
        and gives up decimals only if it must.
        """
        room = max(AMOUNT_MIN, (self.width - 34) // columns - 2)
        texts = {key: format_amount(key[0], self.precision(key[1])) for key in amounts}
        whole = max((len(text.partition(".")[0]) for text in texts.values()), default=0)
        point_room = fraction_cells(self.precision(asset) for _, asset in texts)
        if whole + point_room > room:
            point_room = 0
        cells = {}
        for key, text in texts.items():
            fitted = text if point_room or text.partition(".")[0] == text else fit_amount(text, room)
            if fitted.startswith("#"):
                fitted = text.partition(".")[0] + ELLIPSIS
            elif key[0] == 0 and fitted != text:
                fitted = "0"
            plain = format_amount_plain(key[0], self.precision(key[1]))
            cells[key] = Cell(align_point(fitted, point_room), "dim" if key[0] == 0 else "", plain)
        return cells, max(AMOUNT_MIN, whole + 1)


def _add_section(written: Written, section: Section, money: dict[Amount, Cell]) -> None:
    written.add([Cell(section.title, "accent"), "", ""])
    for line in section.lines:
        written.add(
            [
                Cell(f"  {printable(line.label, 600)}", "" if line.account else "dim", line.label),
                money[line.minor, line.asset],
                Cell(printable(line.asset, 40), "dim", line.asset),
            ],
            line.account.definition.id if line.account is not None else None,
        )
    _add_sums(written, f"Total {section.title.lower()}", section.totals, money)
    written.add(["", "", ""])


def _add_sums(
    written: Written, label: str, sums: Iterable[tuple[str, int]], money: dict[Amount, Cell]
) -> None:
    """Sums of each asset, of which the first row is labelled."""
    for place, (asset, minor) in enumerate(sums):
        written.add(
            [
                Cell("" if place else label, "strong"),
                money[minor, asset]._replace(tone="strong"),
                Cell(printable(asset, 40), "strong", asset),
            ]
        )


def proof(
    totals: Sequence[AssetTotal], statement: Statement | None, precision: Callable[[str], int]
) -> list[str]:
    """What figures that balance come to: in full, then in fewer and fewer words."""
    proved = "debits = credits ✓"
    asset = statement.main_asset if statement is not None else ""
    if statement is None or not asset:
        assets = f"{len(totals)} assets" if len(totals) > 1 else printable(totals[0].asset, 20)
        return [f"{proved} {assets}", proved]
    first, second, left = (
        f"{name} {format_amount(dict(amounts).get(asset, 0), precision(asset))}"
        for name, amounts in statement.summary
    )
    others = {held for _, amounts in statement.summary for held, minor in amounts if minor} - {asset}
    left += f" {printable(asset, 20)}" + (f" +{len(others)}" if others else "")
    equation = f"{first} {MINUS} {second} = {left}"
    return [f"{equation}   {proved}", equation, f"{left}   {proved}", left]
