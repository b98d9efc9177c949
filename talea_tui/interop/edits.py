"""Which transactions of a journal look like new versions of what a book has from it. Pure.

One that was imported from this file and is not in it any more is *gone*. A new one is taken for its version
when it differs from it in only one of these:

- accounts and amounts;
- code and description;
- the date, where the nearest is taken.

It is so too when it differs in nothing, as where the same was corrected in the book, or came through an
export: whatever file that was, as with equal keys.

Each gone one has one version at most, and what is still in the file has none, so that new transactions like
earlier ones are as ordinary as they should be. An imported one came from this file if that has its file's
name and reaches back to its date, or if about half of what came from its file is in this one still, as when
that was renamed or is included now.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Traits:
    """What versions of a transaction are known by; `postings` is equal for equal ones."""

    date: date
    code: str
    description: str
    postings: int

    def all(self) -> Hashable:
        return self

    def but_postings(self) -> Hashable:
        return self.date, self.code, self.description

    def but_text(self) -> Hashable:
        return self.date, self.postings

    def but_date(self) -> Hashable:
        return self.code, self.description, self.postings


@dataclass(frozen=True, slots=True)
class Imported:
    """A transaction that the book has from an import; `metadata` is without `file`, its file's name."""

    seq: int
    txid: UUID
    traits: Traits
    metadata: dict[str, Any]
    file: str | None


@dataclass(frozen=True, slots=True)
class Edits:
    """`versions`: by its key, what each edited one is a version of. `gone`: what came from this file and has none."""

    versions: dict[str, Imported]
    gone: list[Imported]


def find_edits(
    journal: Mapping[str, Traits],
    earlier: Mapping[str, Imported],
    file: str,
    replaced: Collection[UUID],
) -> Edits:
    """`journal` and `earlier` are by key; `replaced` has a version in the book already."""
    new = {key: traits for key, traits in journal.items() if key not in earlier}
    gone = [one for key, one in earlier.items() if key not in journal and one.txid not in replaced]
    versions = _paired(gone, new, Traits.all)
    still = Counter(one.file for key, one in earlier.items() if key in journal)
    still += Counter(one.file for one in versions.values())
    gone = _without(versions, gone)
    came = still + Counter(one.file for one in gone)
    begins = min((traits.date for traits in journal.values()), default=date.max)

    def from_this(one: Imported) -> bool:
        named = one.file == file
        most = still[one.file] >= came[one.file] // 2 and (named or still[one.file] > 0)
        return most or (named and one.traits.date >= begins)

    gone = [one for one in gone if from_this(one)]
    for trait in (Traits.but_postings, Traits.but_text, Traits.but_date):
        rest = {key: traits for key, traits in new.items() if key not in versions}
        found = _paired(gone, rest, trait)
        versions |= found
        gone = _without(found, gone)
    return Edits(versions, gone)


def _without(versions: Mapping[str, Imported], gone: Iterable[Imported]) -> list[Imported]:
    paired = {one.txid for one in versions.values()}
    return [one for one in gone if one.txid not in paired]


def _paired(
    gone: Iterable[Imported], new: Mapping[str, Traits], trait: Callable[[Traits], Hashable]
) -> dict[str, Imported]:
    """Each gone one with the new one of the same `trait` that is nearest in date, none of them twice."""
    alike: dict[Hashable, list[tuple[date, str]]] = defaultdict(list)
    for key, traits in new.items():
        alike[trait(traits)].append((traits.date, key))
    for candidates in alike.values():
        candidates.sort()
    pairs = {}
    for one in gone:
        candidates = alike.get(trait(one.traits), [])
        if candidates:
            day = one.traits.date
            at = bisect_left(candidates, (day, ""))
            near = range(max(at - 1, 0), min(at + 1, len(candidates)))
            nearest = min(near, key=lambda place: abs(candidates[place][0] - day))
            pairs[candidates.pop(nearest)[1]] = one
    return pairs
