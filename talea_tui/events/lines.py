"""An event as the cells of one line of the tail."""

from __future__ import annotations

from datetime import date, tzinfo
from typing import NamedTuple

from store import AccountOpened, AssetRegistered, Sequenced, TransactionPosted

from ..formatting import format_amount, format_count, format_date, format_datetime, format_time
from .filter import PrecisionOf
from .text import asset_class_text, description_of, flow_of, kind_of, turnover_of

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class EventLine(NamedTuple):
    """Plain text as it was typed; whoever shows it makes it printable and fits it."""

    seq: str
    kind: str
    accounts: str
    asset: str
    amount: str
    more: str
    description: str


def line_of(sequenced: Sequenced, precision_of: PrecisionOf) -> EventLine:
    """`accounts` reads from where the value came to where it went; `more` counts further assets."""
    event = sequenced.event
    seq = format_count(sequenced.seq)
    if isinstance(event, TransactionPosted):
        transaction = event.transaction
        sources, targets = flow_of(transaction)
        turnover = turnover_of(transaction)
        asset, minor = next(iter(turnover.items()))
        more = f"+{len(turnover) - 1}" if len(turnover) > 1 else ""
        return EventLine(
            seq,
            "tx",
            f"{_side(sources)} → {_side(targets)}",
            asset,
            format_amount(minor, precision_of(asset)),
            more,
            description_of(transaction),
        )
    if isinstance(event, AccountOpened):
        return EventLine(seq, "acct", opened_text(event), "", "", "", "")
    return EventLine(seq, kind_of(event), registered_text(event), "", "", "", "")


def _side(paths: list[str]) -> str:
    if not paths:
        return "–"
    return paths[0] if len(paths) == 1 else f"{paths[0]} +{len(paths) - 1}"


def opened_text(event: AccountOpened) -> str:
    definition = event.definition
    return f"opened {definition.id.path} ({definition.kind.value}, {definition.asset})"


def registered_text(event: AssetRegistered) -> str:
    asset = event.asset
    places = "1 decimal" if asset.precision == 1 else f"{asset.precision} decimals"
    return f"registered {asset.id} ({asset_class_text(event)}, {places}) {asset.name}"


def time_cell(sequenced: Sequenced, zone: tzinfo, today: date, width: int) -> str:
    """The commit time in 8, 12 or 23 cells; the shorter forms tell the day only where it is not today."""
    if width >= 23:
        return format_datetime(sequenced.at, zone, decimals=3)
    local = sequenced.at.astimezone(zone)
    if local.date() == today:
        return format_time(local, zone, decimals=3 if width >= 12 else 0)
    if local.year == today.year:
        day = f"{local.day:2d} {_MONTHS[local.month - 1]}"
        return f"{day} {local:%H:%M}" if width >= 12 else day
    return format_date(local, zone)[: width if width >= 10 else 7]


def fit_accounts(text: str, width: int) -> str:
    """`assets:bank → food` for a cell of `width`: leading segments are cut to two letters, then left out.

    Of accounts that end alike so much is kept as tells them apart. May still be too long.
    """
    if len(text) <= width:
        return text
    paths = [side.split(":") for side in text.split(" → ")]
    kept = 1
    while kept < max(map(len, paths)) and not _differ([path[-kept:] for path in paths]):
        kept += 1
    ends = [path[-kept:] for path in paths]
    brief = [[*(part[:2] for part in path[:-1]), path[-1]] for path in paths]
    brief_ends = [path[-kept:] for path in brief]
    ways = [" → ".join(map(":".join, way)) for way in (brief, ends, brief_ends) if _differ(way)]
    last_segments = " → ".join(path[-1] for path in paths)
    return next((way for way in ways if len(way) <= width), ways[-1] if ways else last_segments)


def _differ(paths: list[list[str]]) -> bool:
    return len(set(map(":".join, paths))) == len(paths)
