"""An event decoded, as labelled lines."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple

from store import AccountOpened, Direction, StoredFrame, TransactionPosted

from ..formatting import align_amounts, format_amount, format_count, format_moment, printable
from ..json_text import shown_json
from .filter import PrecisionOf
from .text import BookEvent, asset_class_text, description_of, kind_of

_METADATA_LINES = 500
_TEXT_CHARACTERS = 12_000


class DetailLine(NamedTuple):
    """Printable text; an empty label continues the line above."""

    label: str
    text: str


def detail_of(
    event: BookEvent, precision_of: PrecisionOf, zone: tzinfo, frame: StoredFrame | None = None
) -> list[DetailLine]:
    """Everything that the event says, users' text made printable; last where it stands on disk."""
    sequenced = event.sequenced
    lines = [
        DetailLine("event", f"{_KINDS[kind_of(sequenced.event)]} · seq {format_count(sequenced.seq)}"),
        DetailLine("book", _shown(event.book)),
        DetailLine("committed", format_moment(sequenced.at, zone)),
    ]
    body = sequenced.event
    if isinstance(body, TransactionPosted):
        transaction = body.transaction
        lines.append(DetailLine("occurred", format_moment(transaction.occurred_at, zone)))
        if description := description_of(transaction):
            lines.append(DetailLine("description", _shown(description)))
        amounts = align_amounts(
            [
                format_amount(posting.amount.minor, precision_of(posting.amount.asset))
                for posting in transaction.postings
            ]
        )
        for number, (posting, amount) in enumerate(zip(transaction.postings, amounts, strict=True)):
            side = "Dr" if posting.direction is Direction.DEBIT else "Cr"
            text = f"{side} {_shown(posting.amount.asset)} {amount}  {_shown(posting.account.path)}"
            lines.append(DetailLine("" if number else "postings", text))
        for number, ref in enumerate(transaction.external_refs):
            lines.append(DetailLine("" if number else "refs", f"{_shown(ref.kind)}: {_shown(ref.value)}"))
        lines.append(DetailLine("key", _shown(transaction.idempotency_key)))
        lines.append(DetailLine("txid", str(transaction.id)))
        lines += _metadata_lines(shown_json(transaction.metadata, indent=2))
    elif isinstance(body, AccountOpened):
        definition, config = body.definition, body.config
        side = config.normal_side.value if config.normal_side is not None else "debit-positive (clearing)"
        lines += [
            DetailLine("account", _shown(definition.id.path)),
            DetailLine("kind", definition.kind.value),
            DetailLine("asset", _shown(definition.asset)),
            DetailLine("normal side", side),
        ]
        if config.min_balance is not None:
            least = format_amount(config.min_balance, precision_of(definition.asset))
            lines.append(DetailLine("min balance", f"{_shown(definition.asset)} {least}"))
    else:
        asset = body.asset
        lines += [
            DetailLine("asset", _shown(asset.id)),
            DetailLine("name", _shown(asset.name)),
            DetailLine("class", _shown(asset_class_text(body))),
            DetailLine("decimals", str(asset.precision)),
        ]
    if frame is not None:
        where = (
            f"byte {format_count(frame.offset)} · {format_count(frame.payload_bytes)} bytes after a head of 8"
        )
        lines += [
            DetailLine("frame", frame.segment),
            DetailLine("", where),
            DetailLine("crc32", f"{frame.crc32:08x}"),
        ]
    return lines


_KINDS = {"tx": "transaction posted", "acct": "account opened", "asset": "asset registered"}


def _metadata_lines(text: str) -> list[DetailLine]:
    shown = text.split("\n", _METADATA_LINES)
    if len(shown) > _METADATA_LINES:
        shown[_METADATA_LINES] = "… copy the event to see the rest"
    return [DetailLine("" if number else "metadata", _shown(line)) for number, line in enumerate(shown)]


def _shown(text: str) -> str:
    return printable(text, _TEXT_CHARACTERS)
