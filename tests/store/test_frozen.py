"""Ledgers of every format there ever was: they open, or are refused, as they always did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.freeze import DAMAGES, FROZEN, what_opening_comes_to
from tests.support.observe import tree

CASES = sorted(path.parent for path in FROZEN.glob("format-*/*/expected.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
async def test_a_frozen_ledger_comes_to_what_it_always_did(case: Path, tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    shutil.copytree(case / "ledger", directory)
    before = tree(directory)
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    assert await what_opening_comes_to(directory) == expected
    if "refused" in expected:
        assert tree(directory) == before


def test_healthy_and_damaged_ledgers_of_the_first_format_are_kept() -> None:
    assert {case.name for case in CASES if case.parent.name == "format-1"} >= DAMAGES.keys()


def test_what_was_damaged_and_what_was_not_are_told_apart() -> None:
    refused = {
        case.name for case in CASES if "refused" in json.loads((case / "expected.json").read_text("utf-8"))
    }
    assert refused == {
        "bad-sealed-segment",
        "bad-synced-frame",
        "missing-segment",
        "log-ends-before-its-snapshot",
    }
