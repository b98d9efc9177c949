"""An import that is killed, and imported again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from store import Direction, LogTaleaStore

from .support import Balances, hledger_balances, needs_hledger, talea

TRANSACTIONS = 4_000


@pytest.fixture(scope="module")
def big_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.journal"
    path.write_text(
        "".join(
            f"2024-{number // 500 + 1:02}-{number % 28 + 1:02} payee {number % 97}\n"
            f"    expenses:e{number % 23}  ${number % 1000}.{number % 100:02}\n"
            f"    assets:cash{number % 5}\n\n"
            for number in range(TRANSACTIONS)
        )
    )
    return path


async def balances_on_disk(directory: Path, book: str) -> Balances:
    async with await LogTaleaStore.open(directory) as store:
        await store.verify(book)
        balances = {}
        for info in await store.accounts(book):
            minor = info.balance.amount.minor
            minor = -minor if info.config.normal_side is Direction.CREDIT else minor
            if minor:
                balances[(info.definition.id.path, info.definition.asset)] = Decimal(minor).scaleb(-2)
        return balances


@needs_hledger
@pytest.mark.parametrize("posted", [0, 3_000])
def test_an_import_killed_halfway_and_run_again_gives_hledgers_balances(
    tmp_path: Path, big_journal: Path, posted: int
) -> None:
    directory = tmp_path / "ledger"
    words = ["import", str(big_journal), "--book", "b", "--dir", str(directory)]
    with subprocess.Popen(
        [sys.executable, "-m", "talea_tui", *words, "--progress"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as importing:
        assert importing.stderr is not None
        for line in importing.stderr:
            if line.startswith(f"posting {posted:,} of"):
                importing.kill()
                break
        assert importing.wait(timeout=60) < 0
    done = talea(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert asyncio.run(balances_on_disk(directory, "b")) == hledger_balances(big_journal)
    assert "  0 transactions posted" in talea(*words).stdout
