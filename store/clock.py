"""The time and identity seam: UTC microseconds and UUIDv7."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, SafeUUID

Clock = Callable[[], int]
"""Microseconds since 1970-01-01 UTC."""


def system_clock() -> int:
    return time.time_ns() // 1000


def utc_now() -> datetime:
    return datetime.now(UTC)


_VERSION_AND_VARIANT = 0x7000_8000_0000_0000_0000
_RANDOM_BITS = 0x0FFF_3FFF_FFFF_FFFF_FFFF
_DRAWN = 256
_drawn: list[int] = []
"""The last 80 bits of ids to come: to ask the system for each would cost more than all the rest of an id."""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)


def new_txid() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits."""
    try:
        noise = _drawn.pop()
    except IndexError:
        random = os.urandom(10 * _DRAWN)
        noise, *more = [
            int.from_bytes(random[at : at + 10], "big") & _RANDOM_BITS | _VERSION_AND_VARIANT
            for at in range(0, len(random), 10)
        ]
        _drawn.extend(more)
    return uuid_of(time.time_ns() // 1_000_000 << 80 | noise)


_new_object, _set_attribute, _UNKNOWN = object.__new__, object.__setattr__, SafeUUID.unknown


def uuid_of(value: int) -> UUID:
    """As `UUID(int=value)`, a quarter of its cost: that asks first which of seven ways it is made in."""
    id = _new_object(UUID)
    _set_attribute(id, "int", value)
    _set_attribute(id, "is_safe", _UNKNOWN)
    return id
