"""What the application remembers between runs (theme, last book and screen); never a reason to fail."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass
class Settings:
    """Remembered in one JSON file; `path` None remembers nothing. `layout` holds small choices by name."""

    path: Path | None = None
    theme: str = "talea-dark"
    book: str = ""
    screen: str = "books"
    layout: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None) -> Settings:
        """What the file says; the defaults for whatever is missing, unreadable or of the wrong type."""
        settings = cls(path)
        if path is None:
            return settings
        try:
            stored = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            if not isinstance(error, FileNotFoundError):
                logger.warning("The settings in %s cannot be read: %s", path, _reason(error))
            return settings
        if isinstance(stored, dict):
            for known in fields(cls):
                value = stored.get(known.name)
                if known.name != "path" and type(value) is type(getattr(settings, known.name)):
                    setattr(settings, known.name, value)
        return settings

    def save(self) -> None:
        """Replace the file in one step."""
        if self.path is None:
            return
        stored = {name: value for name, value in asdict(self).items() if name != "path"}
        temporary: str | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=self.path.name, suffix=".tmp", dir=self.path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(stored, file, indent=2, sort_keys=True)
            os.replace(temporary, self.path)
            temporary = None
        except (OSError, ValueError, TypeError) as error:
            logger.warning("The settings in %s cannot be written: %s", self.path, _reason(error))
        finally:
            if temporary is not None:
                try:
                    os.unlink(temporary)
                except OSError:
                    pass


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
