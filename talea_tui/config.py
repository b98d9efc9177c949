"""The configuration file: what its keys mean, and what is said about one that does not exist.

`config.toml` in the platform's place (`talea-tui paths` tells it), every key optional::

    theme = "talea-light"           # talea-dark, talea-light, ansi-dark, ansi-light, or any of Textual's
    directory = "~/books"           # the ledger that is opened when none is named; $TALEA_DIR goes before it

    [keys]                          # actions by the ids that `talea-tui keys --ids` prints
    "app.post" = "P"                # one key, or a list of them; they replace the action's own

    [store]                         # for each ledger that is opened; the TALEA_LOG_… variables go before them
    snapshot_every = 100_000        # events between snapshots; 0 for none but those asked for
    segment_max = 134_217_728       # bytes after which a book's log goes on in a new file
    idem_hot_cap = 1_000_000        # idempotency keys in memory
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .actions import TOGETHER, Action, every_action, key_called, key_name
from .paths import DIRECTORY_VARIABLE, NoPath, config_directory, ledger_directory, typed_path

if TYPE_CHECKING:
    from store import LogStoreOptions

TOP = ("theme", "directory", "keys", "store")
STORE = ("snapshot_every", "segment_max", "idem_hot_cap")


class ConfigError(Exception):
    """The configuration file cannot be followed; the message is one sentence that names file and key."""


def config_file() -> Path:
    return config_directory() / "config.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """`keys` has the new keys of actions by their ids, under Textual's names; `store` the options that are given."""

    path: Path | None = None
    theme: str | None = None
    directory: Path | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    store: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> Config:
        """What the file says, by default the user's own; an empty one when there is none. Raises ConfigError."""
        path = path or config_file()
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path} is not UTF-8 text.") from error
        import tomllib

        try:
            said = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not TOML: {error}.") from error
        return _Reader(path).read(said)

    def ledger_directory(self) -> Path:
        """$TALEA_DIR, else what the file says, else the platform's place. Raises ConfigError."""
        try:
            return ledger_directory(self.directory)
        except NoPath as error:
            raise ConfigError(f"${DIRECTORY_VARIABLE}: {error}.") from error

    def store_options(self) -> LogStoreOptions:
        """The defaults, but for the file, but for the environment. Raises ConfigError."""
        from store import LogStoreOptions

        said = {_variable(name): str(value) for name, value in self.store.items()}
        try:
            return LogStoreOptions.from_env(
                {**said, **{name: text for name, text in os.environ.items() if text.strip()}}
            )
        except ValueError as error:
            raise ConfigError(f"{error}.") from error

    def keys_of(self, action: Action) -> tuple[str, ...]:
        return self.keys.get(action.id, action.keys)

    def keymap(self) -> dict[str, str]:
        """For Textual: keys joined by commas, by the ids of bindings."""
        return {action: ",".join(keys) for action, keys in self.keys.items()}

    def check_theme(self, themes: Iterable[str]) -> None:
        """Raises ConfigError when the file asks for one that is not among `themes`."""
        if self.theme is not None and self.theme not in (known := sorted(themes)):
            raise ConfigError(
                f"{self.path}: there is no theme {self.theme!r}; {_nearest(self.theme, known)}."
            )


def _variable(name: str) -> str:
    return f"TALEA_LOG_{name.upper()}"


def _nearest(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, 1, 0.5)
    return f"the nearest is {near[0]!r}" if near else f"there are {', '.join(names[:12])}"


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path

    def read(self, said: Mapping[str, Any]) -> Config:
        self._known(said, TOP, "key")
        theme = self._text(said, "theme")
        return Config(
            path=self.path,
            theme=theme,
            directory=self._path(said, "directory"),
            keys=self._keys(self._table(said, "keys")),
            store=self._store(self._table(said, "store")),
        )

    def _refuse(self, why: str) -> ConfigError:
        return ConfigError(f"{self.path}: {why}.")

    def _known(self, said: Iterable[str], known: Iterable[str], what: str) -> None:
        for name in said:
            if name not in known:
                raise self._refuse(f"there is no {what} {name!r}; {_nearest(name, known)}")

    def _text(self, said: Mapping[str, Any], name: str) -> str | None:
        value = said.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise self._refuse(f"{name!r} must be a text in quotes")
        return value

    def _path(self, said: Mapping[str, Any], name: str) -> Path | None:
        text = self._text(said, name)
        try:
            return None if text is None else typed_path(text)
        except NoPath as error:
            raise self._refuse(f"{name!r}: {error}") from error

    def _table(self, said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = said.get(name, {})
        if not isinstance(value, dict):
            raise self._refuse(f"{name!r} must be a table, [{name}]")
        return value

    def _keys(self, said: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        remapped: dict[str, tuple[str, ...]] = {}
        actions = {action.id: action for action in every_action()}
        for name, value in _flat(said):
            self._known([name], actions, "action")
            if not actions[name].keys:
                raise self._refuse(f"{name!r} can have no key; the palette offers it")
            keys = [value] if isinstance(value, str) else value
            if not isinstance(keys, list) or not keys:
                raise self._refuse(f"the keys of {name!r} must be a text or a list of texts")
            remapped[name] = tuple(self._key(name, key) for key in keys)
        for name in remapped:
            self._free(actions[name], remapped)
        return remapped

    def _key(self, action: str, key: Any) -> str:
        called = key_called(key) if isinstance(key, str) else None
        if called is None:
            raise self._refuse(f"{key!r} for {action!r} is no key; write it like 'x', '?', 'f2' or 'ctrl+x'")
        return called

    def _free(self, action: Action, remapped: Mapping[str, tuple[str, ...]]) -> None:
        """Refuse a new key that is another action's where both work, unless it is both of theirs by default."""
        for other in every_action():
            if other is action or not any({action.scope, other.scope} <= scopes for scopes in TOGETHER):
                continue
            for key in remapped[action.id]:
                shared_by_default = key in action.keys and key in other.keys
                if key in remapped.get(other.id, other.keys) and not shared_by_default:
                    raise self._refuse(
                        f"{key_name(key)!r} for {action.id!r} is the key of {other.id!r} already; "
                        f"choose another, or give {other.id!r} another"
                    )

    def _store(self, said: Mapping[str, Any]) -> dict[str, int]:
        self._known(said, STORE, "option of the store")
        for name, value in said.items():
            least = 0 if name == "snapshot_every" else 1
            if type(value) is not int or value < least:
                raise self._refuse(f"{name!r} must be a whole number of at least {least}")
        return dict(said)


def _flat(said: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Both `"app.post" = …` and `app.post = …`, which TOML reads as a table in a table."""
    for name, value in said.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", keys) for inner, keys in value.items())
        else:
            yield name, value
