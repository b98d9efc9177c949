"""Events as JSON lines: one object an event, the shape of `talea-tui tail --json` and of exports."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from store import AccountOpened, Crypto, Sequenced, TransactionPosted

from ..formatting import format_amount_plain
from ..json_text import exact_json
from .filter import PrecisionOf
from .text import asset_class_text, kind_of

_NOT_FOR_TERMINALS = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def event_object(book: str, sequenced: Sequenced, precision_of: PrecisionOf) -> dict[str, Any]:
    """The event as JSON values. Amounts stand twice: exact decimal text, and minor units."""
    event = sequenced.event
    line: dict[str, Any] = {
        "book": book,
        "seq": sequenced.seq,
        "at": time_text(sequenced.at),
        "kind": kind_of(event),
    }
    if isinstance(event, TransactionPosted):
        transaction = event.transaction
        line["txid"] = str(transaction.id)
        line["key"] = transaction.idempotency_key
        line["occurred_at"] = time_text(transaction.occurred_at)
        line["postings"] = [
            {
                "account": posting.account.path,
                "direction": posting.direction.value,
                "asset": posting.amount.asset,
                "amount": format_amount_plain(posting.amount.minor, precision_of(posting.amount.asset)),
                "minor": posting.amount.minor,
            }
            for posting in transaction.postings
        ]
        line["refs"] = [{"kind": ref.kind, "value": ref.value} for ref in transaction.external_refs]
        line["metadata"] = transaction.metadata
    elif isinstance(event, AccountOpened):
        definition, config = event.definition, event.config
        line["account"] = definition.id.path
        line["asset"] = definition.asset
        line["account_kind"] = definition.kind.value
        line["normal_side"] = config.normal_side.value if config.normal_side is not None else None
        line["min_balance_minor"] = config.min_balance
    else:
        asset = event.asset
        line["asset"] = asset.id
        line["name"] = asset.name
        line["class"] = asset_class_text(event)
        if isinstance(asset.asset_class, Crypto):
            # the class in words does not tell where the network's name ends
            line["network"] = asset.asset_class.network
            line["native_id"] = asset.asset_class.native_id
        line["precision"] = asset.precision
    return line


def event_json(book: str, sequenced: Sequenced, precision_of: PrecisionOf) -> str:
    """One line of JSON without its newline; what a terminal could take for a command is escaped.

    Raises TooManyDigits.
    """
    text = exact_event_json(event_object(book, sequenced, precision_of), book, sequenced.seq)
    return _NOT_FOR_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def exact_event_json(value: Any, book: str, seq: int) -> str:
    """What an event holds, with every digit. Raises TooManyDigits."""
    return exact_json(value, f"Seq {seq:,} of book {book!r}", "`talea-tui backup` copies them as they are.")


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, so that lines sort by their text."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
