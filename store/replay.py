"""Events read back from the log are applied again."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from .codec import (
    KIND_ASSET,
    KIND_TRANSACTION,
    MICROS_END,
    Malformed,
    checked_postings,
    decode_account,
    decode_asset,
    decode_items_checked,
)
from .frames import FRAME_HEAD_BYTES
from .state import BookState, Replayed


class NoEvent(Exception):
    """The frame at byte `offset` is sound but holds no event that could stand there; `reason` says why.

    `found` are the transactions before it.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset, self.reason = offset, reason
        self.found: list[Replayed] = []


def replay(state: BookState, payloads: Sequence[bytes], offset: int) -> list[Replayed]:
    """Apply the events that follow, the first frame at byte `offset` of its segment; the transactions among them.

    `BookState.settle` ends it. Raises NoEvent; what stands before that is applied then.
    """
    found: list[Replayed] = []
    waiting: list[Replayed] = []
    times: list[int] = []
    by_index = state.by_index
    head, seq, at = state.head, state.last_seq, state.last_at
    end, fault = offset, None
    for payload in payloads:
        try:
            items = decode_items_checked(payload)
            time = items[3]
            if not at <= time < MICROS_END:
                raise Malformed("its time runs backwards")
            at = time
            if items[4] == KIND_TRANSACTION:
                legs, txid = checked_postings(items, by_index), items[5]
                number = int.from_bytes(txid, "big")
                waiting.append(Replayed(seq + 1, payload, legs, None, items[8], number, txid, items[7]))
                times.append(time)
            else:
                # what follows may be about the account that is opened here
                offset = state.apply_at(waiting, times, offset)
                found += waiting
                waiting, times = [], []
                offset = state.apply_at([_definition(state, seq + 1, payload, items)], [time], offset)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError) as e:
            fault = NoEvent(end, str(e))
            break
        head = sha256(head + payload).digest()
        seq += 1
        end += FRAME_HEAD_BYTES + len(payload)
    state.apply_at(waiting, times, offset)
    state.head, state.head_seq = head, seq
    found += waiting
    if fault is not None:
        fault.found = found
        raise fault
    return found


def _definition(state: BookState, seq: int, payload: bytes, items: list[Any]) -> Replayed:
    """Raises Malformed."""
    if items[4] == KIND_ASSET:
        return Replayed(seq, payload, None, decode_asset(items))
    index, definition, config = decode_account(state.name, items)
    if index != len(state.by_index) or definition.id.path in state.accounts:
        raise Malformed("an account opened twice or out of order")
    return Replayed(seq, payload, None, (index, definition, config))
