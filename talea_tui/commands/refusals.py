"""What plain commands refuse becomes one sentence; anything else is a defect and stays visible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Refused(Exception):
    """The command cannot do what was asked; the message is a sentence for the user."""


@dataclass(slots=True)
class Refusal:
    """`sentence` is set when the block ended by a refusal."""

    sentence: str = ""


@contextmanager
def as_sentences() -> Iterator[Refusal]:
    refusal = Refusal()
    try:
        yield refusal
    except _refusals() as error:
        refusal.sentence = str(error)


def _refusals() -> tuple[type[Exception], ...]:
    """Looked up only when something was raised, so that commands load no more than they use."""
    from store import StoreError

    from ..config import ConfigError
    from ..events.filter import FilterError
    from ..interop.journal import JournalError
    from ..json_text import TooManyDigits
    from ..parsing import ParseError

    return StoreError, ConfigError, JournalError, FilterError, ParseError, TooManyDigits, Refused
