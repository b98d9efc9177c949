"""Journals, what hledger says of them, and what a book says."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from store import Direction
from store.protocol import Store
from talea_tui.interop.importing import ImportReport, import_journal
from talea_tui.interop.mapping import Rules
from talea_tui.interop.programs import read_journal

DATA = Path(__file__).parent / "data"
HACKERSPACE = Path(__file__).parent.parent / "data" / "hackerspace"
YEARS = ("fy2021", "fy2022", "fy2023", "fy2024")
NO_RULES = Rules(assets={}, kinds={}, precisions={})

needs_hledger = pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")
needs_ledger = pytest.mark.skipif(shutil.which("ledger") is None, reason="ledger is not installed")

Balances = dict[tuple[str, str], Decimal]
"""By journal account and commodity, debit-positive; zero balances left out."""


async def import_file(
    store: Store,
    path: Path,
    book: str,
    rules: Rules = NO_RULES,
    *,
    program: str = "hledger",
    post_edited: bool = False,
) -> ImportReport:
    return await import_journal(store, read_journal(path, program), book, rules, post_edited=post_edited)


def hledger_balances(path: Path, commodities: tuple[str, ...] = ("$",)) -> Balances:
    """What `hledger bal` says, with every decimal."""
    styles = [word for name in commodities for word in ("-c", f'1000.{"0" * 40} "{name}"')]
    command = ["hledger", "-f", str(path), "bal", "-N", "--flat", "--layout", "bare", "-O", "csv", *styles]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    printed = subprocess.run(command, capture_output=True, check=True, env=environment).stdout.decode()
    rows = csv.DictReader(io.StringIO(printed))
    balances = {(row["account"], row["commodity"]): Decimal(row["balance"]) for row in rows}
    return {holding: balance for holding, balance in balances.items() if balance}


async def book_balances(store: Store, book: str, report: ImportReport | None = None) -> Balances:
    """The book's, under the journal's account names; what imports put on equity:conversion is left out."""
    precisions = {asset.id: asset.precision for asset in await store.assets()}
    origins = {path: account for account, _, path in report.moved} if report is not None else {}
    balances: Balances = {}
    for info in await store.accounts(book):
        definition, minor = info.definition, info.balance.amount.minor
        if definition.id.path.startswith("equity:conversion:") or not minor:
            continue
        if info.config.normal_side is Direction.CREDIT:
            minor = -minor
        account = origins.get(definition.id.path, definition.id.path)
        balances[(account, definition.asset)] = Decimal(minor).scaleb(-precisions[definition.asset])
    return balances


def talea(*words: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """`talea-tui WORDS` in a process of its own."""
    repository = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(repository)} | variables
    command = [sys.executable, "-m", "talea_tui", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, cwd=cwd, check=False
    )
