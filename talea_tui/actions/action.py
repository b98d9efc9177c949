"""What an action is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """`id` names the binding (a configuration file remaps by it); `run` is the Textual action it runs.

    `footer` shows it in the footer's line, those of a scope with the same `joint` as one hint under that word;
    `palette` offers it in the palette while its scope has the focus;
    `writes` tells that it is refused where nothing can be written, `owns` where the ledger is only followed.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    run: str
    footer: bool = False
    joint: str = ""
    palette: bool = True
    priority: bool = False
    writes: bool = False
    owns: bool = False

    @property
    def scope(self) -> str:
        return self.id.partition(".")[0]
