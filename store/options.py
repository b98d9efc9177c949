"""How a store is to be run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec


class LogStoreOptions(msgspec.Struct, frozen=True):
    """`idem_hot_cap` and `batch_max` count keys and events, `snapshot_every` events (0: never), `segment_max` bytes.

    With `skip_damaged` a damaged book is listed with its error while the others work; without, opening is refused.
    """

    idem_hot_cap: int = 1_000_000
    snapshot_every: int = 100_000
    segment_max: int = 128 * 2**20
    batch_max: int = 1024
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        for name, least in (("idem_hot_cap", 1), ("snapshot_every", 0), ("segment_max", 1), ("batch_max", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> LogStoreOptions:
        """The defaults, but for TALEA_LOG_IDEM_HOT_CAP, TALEA_LOG_SNAPSHOT_EVERY and TALEA_LOG_SEGMENT_MAX.

        Raises ValueError naming the variable that is no whole number.
        """
        environment = os.environ if environment is None else environment
        given: dict[str, Any] = {}
        for field in ("idem_hot_cap", "snapshot_every", "segment_max"):
            variable = f"TALEA_LOG_{field.upper()}"
            text = environment.get(variable, "").strip()
            if text:
                try:
                    given[field] = int(text)
                except ValueError:
                    raise ValueError(f"{variable} must be a whole number, not {text!r}") from None
                try:
                    cls(**{field: given[field]})
                except ValueError as e:
                    raise ValueError(str(e).replace(field, variable)) from None
        return cls(**given)
