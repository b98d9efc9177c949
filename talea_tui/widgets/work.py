"""Long work under way, told in one line: how far it is, how fast, and how long it will take."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from ..formatting import format_bytes, format_count, format_duration, format_rate
from .columns import clip

_BAR_CELLS, _BAR_CELLS_MIN = 24, 8


@dataclass
class Work:
    """`what` is printable text; `done` of `total` are events, or bytes with `in_bytes`."""

    what: str
    began: float
    total: int = 0
    done: int = 0
    in_bytes: bool = False
    heeds: bool = False
    """Whether it looks at `cancelled` where it tells how far it is; else its task is cancelled."""
    cancelled: bool = False

    def told(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def text(self, now: float, room: int = 1_000) -> str:
        """`verifying payments  ███░░  60 %  600,000 of 1,000,000  812,000/s  1 s left`.

        Where there is not `room` for so many cells, the bar gives way first, then the counts, then what it is.
        """
        took = max(0.001, now - self.began)
        count = format_bytes if self.in_bytes else format_count
        rate = f"{format_bytes(int(self.done / took))}/s" if self.in_bytes else format_rate(self.done / took)
        share = min(1.0, self.done / self.total) if self.total else 0.0
        left = f"  {format_duration(took / share - took)} left" if share else ""
        percent = f" {int(share * 100):3d} %"
        counts = f"  {count(self.done)} of {count(self.total)}"
        end = f"{percent}{counts}  {rate}{left}"
        if cell_len(self.what) + 2 + _BAR_CELLS_MIN + len(end) > room:
            end = f"{percent}  {rate}{left}"
        cells = max(_BAR_CELLS_MIN, min(_BAR_CELLS, room - cell_len(self.what) - 2 - len(end)))
        filled = int(share * cells)
        bar = "█" * filled + "░" * (cells - filled)
        return f"{clip(self.what, room - 2 - cells - len(end))}  {bar}{end}"
