"""What the files of a journal say that no program prints as a transaction: it is counted in their text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path

_INCLUDE = re.compile(rb"^[!@]?include[ \t]+(\S[^\r\n]*?)[ \t]*\r?$", re.MULTILINE)
_COMMENTED = re.compile(rb"^(comment|test)[ \t]*\r?$.*?(?:^end \1[ \t]*\r?$|\Z)", re.MULTILINE | re.DOTALL)
_NOT_PRINTED = (
    ("market price", re.compile(rb"^P\s", re.MULTILINE)),
    ("periodic rule", re.compile(rb"^~\s", re.MULTILINE)),
    ("automated rule", re.compile(rb"^=\s", re.MULTILINE)),
)


def not_printed(files: Iterable[Path]) -> list[tuple[str, int]]:
    """What of it there is in `files`, and how often."""
    texts = [_text(file) for file in files]
    counts = ((noun, sum(len(pattern.findall(text)) for text in texts)) for noun, pattern in _NOT_PRINTED)
    return [(noun, count) for noun, count in counts if count]


def includes(file: Path) -> bool:
    return _INCLUDE.search(_text(file)) is not None


def with_included(file: Path) -> Iterator[Path]:
    """`file` and what it includes, as ledger takes it: relative to each, a pattern for several."""
    files = [file]
    for one in files:  # which grows
        yield one
        for match in _INCLUDE.findall(_text(one)):
            pattern = one.parent / Path(match.decode("utf-8", "replace")).expanduser()
            files += (path for name in glob(str(pattern)) if (path := Path(name).resolve()) not in files)


def _text(file: Path) -> bytes:
    """Without what is commented out."""
    return _COMMENTED.sub(b"", file.read_bytes())
