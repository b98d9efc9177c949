"""Samples to a table: our figure beside the peer's of the same rounds, the ratio, and what was aimed at."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from .plan import Of, Row
from .rounds import Rounds

BUSY = 0.1
"""The share of the machine's CPU above which others spoil a measurement."""


class Spread(NamedTuple):
    """Of several rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


class Line(NamedTuple):
    """`verdict` is "met", "MISSED", "skipped", "failed", or nothing where there is no target."""

    row: Row
    ours: Spread | None
    peer: Spread | None
    ratio: Spread | None
    verdict: str
    remark: str = ""


def judged(row: Row, rounds: Rounds) -> Line:
    ours = _by_round(rounds, row.ours)
    peers = _by_round(rounds, row.peer) if row.peer is not None else {}
    for of in (row.ours, row.peer):
        if of is not None and of.cell in rounds.skipped:
            spread = Spread.of(list(ours.values())) if ours else None
            return Line(row, spread, None, None, "skipped", rounds.skipped[of.cell])
        if of is not None and of.cell in rounds.failed:
            return Line(row, None, None, None, "failed", rounds.failed[of.cell])
    both = [ours[n] / peers[n] for n in ours if peers.get(n)]
    ratio = Spread.of(both) if both else None
    peer = Spread.of(list(peers.values())) if peers else None
    ours_spread = Spread.of(list(ours.values()))
    bounded = ratio if row.peer is not None and row.bounds_ratio else ours_spread
    verdict = ""
    if bounded is not None and row.at_least is not None:
        verdict = "met" if (bounded.least if row.worst else bounded.median) >= row.at_least else "MISSED"
    if bounded is not None and row.at_most is not None:
        verdict = "met" if (bounded.most if row.worst else bounded.median) <= row.at_most else "MISSED"
    return Line(row, ours_spread, peer, ratio, verdict)


def _by_round(rounds: Rounds, of: Of) -> dict[int, float]:
    return {s.round: s.figures[of.figure] for s in rounds.samples if s.cell == of.cell}


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _shown(spread: Spread | None, unit: str = "", *, span: bool = False) -> str:
    if spread is None:
        return ""
    text = _number(spread.median) + (f" {unit}" if unit not in ("", "/s") else unit)
    if span and spread.least != spread.most:
        text += f" ({_number(spread.least)}..{_number(spread.most)})"
    return text


def _target(row: Row) -> str:
    bound, sign = (row.at_least, "≥") if row.at_least is not None else (row.at_most, "≤")
    if bound is None:
        return ""
    unit = "×" if row.peer is not None and row.bounds_ratio else row.unit
    return f"{sign} {bound:,g}{'' if unit in ('×', '/s') else ' '}{unit}"


def table(lines: Sequence[Line]) -> str:
    heads = ("benchmark", "what", "ours", "peer", "ratio", "target", "")
    body = [
        (
            line.row.benchmark,
            line.row.what,
            _shown(line.ours, line.row.unit, span=True),
            _shown(line.peer, line.row.unit),
            _shown(line.ratio, span=True),
            _target(line.row),
            line.verdict + (f": {line.remark}" if line.remark else ""),
        )
        for line in lines
    ]
    widths = [max(len(cells[n]) for cells in (heads, *body)) for n in range(len(heads) - 1)]
    texts = []
    for n, cells in enumerate((heads, *body)):
        padded = [text.ljust(width) for text, width in zip(cells, widths, strict=False)]
        texts.append("  ".join([*padded, cells[-1]]).rstrip())
        if not n:
            texts.append("-" * len("  ".join(padded)))
    return "\n".join(texts)


def others_share(rounds: Rounds) -> Spread | None:
    shares = _shares(rounds)
    return Spread.of(shares) if shares else None


def quietness(rounds: Rounds) -> str:
    """How much others disturbed, as a sentence; empty where that cannot be told."""
    shares = _shares(rounds)
    if not shares:
        return ""
    spread = Spread.of(shares)
    busy = sum(share > BUSY for share in shares)
    text = f"Other processes used {spread.median:.0%} of the CPU meanwhile ({spread.least:.0%}..{spread.most:.0%})"
    if busy:
        text += f", more than {BUSY:.0%} during {busy} of {len(shares)} measurements: repeat this when it is quiet"
    return text + "."


def _shares(rounds: Rounds) -> list[float]:
    return [sample.others for sample in rounds.samples if sample.others is not None]


def machine(scratch: Path) -> dict[str, Any]:
    """What a reader has to know to judge absolute figures."""
    versions = {}
    for package in ("cbor2", "msgspec", "rbloom", "libipld", "asyncpg"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "filesystem": _filesystem(scratch),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "packages": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _filesystem(scratch: Path) -> str:
    """The kind of file system that `scratch` is on, as far as the system tells."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    above = {str(parent) for parent in (scratch, *scratch.parents)}
    return max(((len(m[1]), m[2]) for m in mounts if m[1] in above), default=(0, ""))[1]


def as_json(lines: Sequence[Line], rounds: Rounds, facts: dict[str, Any]) -> dict[str, Any]:
    def spread(of: Spread | None) -> dict[str, float] | None:
        return of._asdict() if of is not None else None

    return {
        **facts,
        "others": spread(others_share(rounds)),
        "lines": [
            {
                "benchmark": line.row.benchmark,
                "what": line.row.what,
                "unit": line.row.unit,
                "ours": spread(line.ours),
                "peer": spread(line.peer),
                "ratio": spread(line.ratio),
                "target": _target(line.row),
                "verdict": line.verdict,
                "remark": line.remark,
            }
            for line in lines
        ],
        "samples": [
            {"round": s.round, "cell": str(s.cell), "others": s.others, "figures": s.figures}
            for s in rounds.samples
        ],
    }
