"""Unposted drafts on disk: they survive leaving the form, a crash and a restart."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from .draft import Draft

DRAFTS_MAX = 20
_VERSION = 1


class DraftShelf:
    """The drafts of one book of one ledger, oldest first, in one file that is replaced whole.

    `ledger` tells ledgers apart: the resolved directory. The file is private to its owner. Calls block on the
    disk for about a sync: run `save` off the loop.
    """

    def __init__(self, directory: Path, ledger: str, book: str) -> None:
        name = hashlib.sha256(f"{ledger}\0{book}".encode(errors="surrogatepass")).hexdigest()[:24]
        self._path = directory / "drafts" / f"{name}.json"
        self._book = book

    @property
    def path(self) -> Path:
        return self._path

    def load(self) -> list[Draft]:
        """The drafts kept last; none when there is no file, or one that is not ours to understand."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if kept["version"] != _VERSION:
                return []
            drafts = [Draft.from_json(value) for value in kept["drafts"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return []
        return [draft for draft in drafts if draft.book == self._book and draft.key]

    def prepare(self, drafts: list[Draft]) -> str | None:
        """The file's text for the latest of `drafts` that hold anything; None when none does."""
        kept = [draft.to_json() for draft in drafts if not draft.blank][-DRAFTS_MAX:]
        return (
            json.dumps({"version": _VERSION, "book": self._book, "drafts": kept}, indent=1) if kept else None
        )

    def write(self, text: str | None) -> None:
        """Replace the file in one step; None removes it. Raises OSError. May run in a thread."""
        if text is None:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)

    def save(self, drafts: list[Draft]) -> None:
        self.write(self.prepare(drafts))
