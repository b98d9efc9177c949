"""Rules that make events stand out: each a filter with a marker and a tone of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .filter import Filter, FilterError, PrecisionOf, parse_filter
from .text import BookEvent

MARKERS = "!+*=#%"
"""As many rules as there are markers; the place of a marker is also that of its tone."""


class Rules:
    """In the order in which they were added; the first that an event meets decides."""

    def __init__(self, precision_of: PrecisionOf) -> None:
        self._precision_of = precision_of
        self._rules: dict[int, Filter] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(marker, filter) of each."""
        return ((MARKERS[place], rule.text) for place, rule in self._rules.items())

    def add(self, text: str) -> str:
        """The marker of a new rule. Raises FilterError, also when there is no room or nothing to look for."""
        wanted = parse_filter(text.strip(), self._precision_of)
        if not wanted:
            raise FilterError("a rule is a filter, as in account:*bank or amount>1000")
        for place, rule in self._rules.items():
            if rule.text == wanted.text:
                return MARKERS[place]
        free = next((place for place in range(len(MARKERS)) if place not in self._rules), None)
        if free is None:
            raise FilterError(f"there are {len(MARKERS)} rules; remove one first")
        self._rules[free] = wanted
        return MARKERS[free]

    def remove(self, marker: str) -> None:
        self._rules.pop(MARKERS.index(marker), None)

    def place_of(self, event: BookEvent) -> int | None:
        """The place among the markers of the first rule that an event meets."""
        for place, rule in self._rules.items():
            if rule.matches(*event):
                return place
        return None

    def kept(self) -> list[list[str]]:
        """What to remember of them, for `restore`."""
        return [[marker, text] for marker, text in self]

    def restore(self, kept: Any) -> None:
        """Take what was remembered; whatever makes no sense is left out."""
        for entry in kept if isinstance(kept, Iterable) else ():
            match entry:
                case [str(marker), str(text)] if len(marker) == 1 and marker in MARKERS:
                    try:
                        wanted = parse_filter(text, self._precision_of)
                    except FilterError:
                        continue
                    if wanted:
                        self._rules[MARKERS.index(marker)] = wanted
                case _:
                    continue
