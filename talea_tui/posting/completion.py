"""Accounts by any of their segments: `rent`, `exp sup`, `e:r`; ranked by fit, then by use and recency."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from itertools import islice

from .usage import UsageIndex

_WHOLE, _PREFIX, _WORD, _INSIDE, _SCATTERED = 5.0, 4.0, 3.0, 2.0, 0.5
_WEIGHED_MAX = 500
_SCATTERED_MAX = 5_000
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s_\-./]+")


@dataclass(frozen=True, slots=True)
class AccountMatch:
    path: str
    fit: float
    weight: float


def complete_account(
    typed: str, paths: Collection[str], usage: UsageIndex, last_seq: int, limit: int = 8
) -> list[AccountMatch]:
    """The accounts that `typed` can mean, best first.

    `typed` is cut at `:` and spaces; its parts must be found in segments of the path in that order. A part
    fits a segment whole, as its beginning, as the beginning of a word in it, inside it, or with its letters
    scattered; letters are scattered only when nothing fits better. Without parts: the accounts used most and
    last.
    """
    parts = [part for part in re.split(r"[:\s]+", typed.casefold()) if part]
    if not parts:
        return _most_used(paths, usage, last_seq, limit)
    near = [path for path in paths if _holds(path.casefold(), parts)]
    matches = _fitting(parts, _likeliest(near, parts, usage), usage, last_seq)
    if len(matches) < limit and len(paths) <= _SCATTERED_MAX:
        known = set(near)
        scattered = re.compile(".*?".join(re.escape(letter) for part in parts for letter in part), re.DOTALL)
        far = [path for path in paths if path not in known and scattered.search(path.casefold())]
        matches += _fitting(parts, far, usage, last_seq)
    matches.sort(key=lambda match: (-(match.fit + match.weight), len(match.path), match.path.casefold()))
    return matches[:limit]


def _most_used(paths: Collection[str], usage: UsageIndex, last_seq: int, limit: int) -> list[AccountMatch]:
    used = [path for path in paths if usage.account(path) is not None]
    if len(used) < limit:
        used += nsmallest(limit, (path for path in paths if usage.account(path) is None), key=str.casefold)
    chosen = [AccountMatch(path, 0.0, use_weight(path, usage, last_seq)) for path in used]
    return nsmallest(limit, chosen, key=lambda match: (-match.weight, match.path.casefold()))


def _holds(folded: str, parts: list[str]) -> bool:
    return all(part in folded for part in parts)


def _likeliest(paths: list[str], parts: list[str], usage: UsageIndex) -> list[str]:
    """As many as can be weighed between two keys: those used, then those a segment of which begins so."""
    if len(paths) <= _WEIGHED_MAX:
        return paths
    used = [path for path in paths if usage.account(path) is not None][:_WEIGHED_MAX]
    begins = re.compile("(?:^|:)" + re.escape(parts[-1]), re.IGNORECASE)
    begun = islice((path for path in paths if begins.search(path)), _WEIGHED_MAX)
    return list(dict.fromkeys([*used, *begun, *paths[:_WEIGHED_MAX]]))


def use_weight(path: str, usage: UsageIndex, last_seq: int) -> float:
    """0 for an unused account, up to about 3: the logarithm of its use, halved as it falls behind."""
    use = usage.account(path)
    if use is None:
        return 0.0
    behind = max(0, last_seq - use.last_seq)
    recency = 1 / (1 + behind / 500)
    return min(1.5, math.log10(1 + use.count) / 2) + 1.5 * recency


def _fitting(parts: list[str], paths: list[str], usage: UsageIndex, last_seq: int) -> list[AccountMatch]:
    matches = []
    for path in paths:
        fit = _fit(parts, path)
        if fit is not None:
            matches.append(AccountMatch(path, fit, use_weight(path, usage, last_seq)))
    return matches


def _fit(parts: list[str], path: str) -> float | None:
    """The mean fit of the parts, segments in their order; a little more for the last segment."""
    segments = _segments(path)
    best: list[float | None] = [0.0] + [None] * len(parts)
    for number, segment in enumerate(segments):
        bonus = 0.25 if number == len(segments) - 1 else 0.0
        for at in range(1, len(parts) + 1):
            before = best[at - 1]
            fit = _segment_fit(parts[at - 1], *segment)
            if before is not None and fit is not None:
                total = before + fit + bonus
                current = best[at]
                if current is None or total > current:
                    best[at] = total
    whole = best[len(parts)]
    return None if whole is None else whole / len(parts)


@lru_cache(maxsize=20_000)
def _segments(path: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (segment.casefold(), tuple(word.casefold() for word in _WORD_BREAK.split(segment) if word))
        for segment in path.split(":")
    )


def _segment_fit(part: str, segment: str, words: tuple[str, ...]) -> float | None:
    if segment == part:
        return _WHOLE
    if segment.startswith(part):
        return _PREFIX
    if any(word.startswith(part) for word in words):
        return _WORD
    if part in segment:
        return _INSIDE
    letters = iter(segment)
    if part[0] == segment[:1] and all(letter in letters for letter in part):
        return _SCATTERED
    return None
