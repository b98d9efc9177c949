"""Which names a book may have. No name, however odd, reaches outside its directory."""

from __future__ import annotations

import unicodedata

from .definitions import has_control
from .errors import InvalidBook

SYSTEM_BOOK = "_system"
"""Where assets are registered."""
BOOK_NAME_MAX_BYTES = 200


def check_book_name(name: str) -> None:
    """Raises InvalidBook."""
    reason = _fault(name)
    if reason is not None:
        raise InvalidBook(name, reason)


def refuse_reserved(name: str) -> None:
    """Raises InvalidBook for a book that only the store itself writes."""
    if name.startswith("_"):
        raise InvalidBook(name, "names that start with _ are reserved")


def _fault(name: object) -> str | None:
    if type(name) is not str:
        return f"it is of type {type(name).__name__}, not text"
    if not name:
        return "it is empty"
    if name == ".":
        return "it is the directory itself"
    for part in ("/", "\\", ".."):
        if part in name:
            return f'it contains "{part}"'
    if has_control(name):
        return "it contains a control character"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it holds a lone surrogate"
    if size > BOOK_NAME_MAX_BYTES:
        return f"it is longer than {BOOK_NAME_MAX_BYTES} bytes"
    return None


def folded(name: str) -> str:
    """The same for names that differ only by case or Unicode normalisation."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def differs_only_by_case(name: str, other: str) -> InvalidBook:
    """What is wrong with a name that some file systems would mix up with another book's."""
    return InvalidBook(name, f"it differs from book {other!r} only by case or Unicode normalisation")
