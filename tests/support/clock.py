"""A clock that moves only when told to."""

from __future__ import annotations

from datetime import datetime, timedelta

from .reference import from_micros

START_MICROS = 1_750_000_000_000_000


class FakeClock:
    """Called, it tells microseconds since the epoch; `step_micros` is added after every look."""

    def __init__(self, micros: int = START_MICROS, step_micros: int = 0) -> None:
        self.micros, self.step_micros = micros, step_micros

    def __call__(self) -> int:
        now = self.micros
        self.micros += self.step_micros
        return now

    def advance(self, micros: int = 1_000_000) -> None:
        self.micros += micros

    @property
    def now(self) -> datetime:
        return from_micros(self.micros)

    def ago(self, micros: int) -> datetime:
        return self.now - timedelta(microseconds=micros)
