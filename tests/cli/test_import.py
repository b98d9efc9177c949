"""Journals into books, through the user's own hledger or ledger."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from store import AccountId, AccountKind, Commodity, Crypto, Fiat, TransactionPosted
from talea_tui.interop.journal import JournalError
from talea_tui.interop.mapping import Rules
from talea_tui.interop.programs import read_journal

from ..support.memory_store import MemoryStore
from .support import (
    DATA,
    HACKERSPACE,
    YEARS,
    book_balances,
    hledger_balances,
    import_file,
    needs_hledger,
    needs_ledger,
)

COMMODITIES = ("$", "AAPL", "BTC", "Bäume 3", "€", "ETH")


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    async with MemoryStore() as store:
        yield store


def journal(tmp_path: Path, text: str, name: str = "a.journal") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


async def posted(store: MemoryStore, book: str = "b") -> list[TransactionPosted]:
    events = await store.read_events(book, 1, 10_000)
    return [one.event for one in events if isinstance(one.event, TransactionPosted)]


@needs_hledger
@pytest.mark.parametrize("year", YEARS)
async def test_every_account_of_a_real_journal_has_the_balance_that_hledger_tells(
    store: MemoryStore, year: str
) -> None:
    path = HACKERSPACE / f"{year}.journal"
    report = await import_file(store, path, year)
    assert report.refused == report.held == report.edited == []
    assert await book_balances(store, year, report) == hledger_balances(path)


@needs_hledger
@pytest.mark.parametrize("name", ["everything", "precise"])
async def test_costs_conversions_virtual_postings_and_odd_precisions_keep_hledgers_balances(
    store: MemoryStore, name: str
) -> None:
    path = DATA / f"{name}.journal"
    report = await import_file(store, path, "b")
    assert report.refused == []
    assert await book_balances(store, "b", report) == hledger_balances(path, COMMODITIES)


@needs_ledger
async def test_ledger_alone_gives_the_same_balances(store: MemoryStore) -> None:
    path = HACKERSPACE / "fy2024.journal"
    with_hledger = await import_file(store, path, "with-hledger")
    with_ledger = await import_file(store, path, "with-ledger", program="ledger")
    assert with_ledger.posted == with_hledger.posted
    assert await book_balances(store, "with-ledger") == await book_balances(store, "with-hledger")
    assert (await import_file(store, path, "with-hledger", program="ledger")).posted == 0


@needs_ledger
async def test_through_ledger_too_no_decimal_that_the_journal_shows_is_lost(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = journal(tmp_path, '2024-01-01 x\n  a  5.20 FOO\n  b\n\n2024-01-02 y\n  a  1000 "B 3"\n  b\n')
    await import_file(store, path, "b", program="ledger")
    assert {asset.id: asset.precision for asset in await store.assets()} == {"FOO": 2, "B 3": 0}


@needs_hledger
async def test_importing_the_same_file_again_posts_nothing(store: MemoryStore) -> None:
    for path, count in ((HACKERSPACE / "fy2021.journal", 219), (DATA / "everything.journal", 11)):
        first = await import_file(store, path, path.stem)
        before = await store.book(path.stem)
        again = await import_file(store, path, path.stem)
        assert (first.posted, first.already) == (count, 0)
        assert (again.posted, again.already, again.refused, again.edited, again.held) == (
            0,
            count,
            [],
            [],
            [],
        )
        assert await store.book(path.stem) == before


@needs_hledger
async def test_a_longer_version_posts_only_what_is_new_and_a_transaction_in_the_middle_moves_no_other(
    store: MemoryStore, tmp_path: Path
) -> None:
    first = "2024-01-01 coffee\n  expenses:food  $3\n  assets:cash\n\n"
    later = "2024-01-09 rent\n  expenses:rent  $900\n  assets:cash\n\n"
    await import_file(store, journal(tmp_path, first + first + later), "b")
    middle = "2024-01-05 tea\n  expenses:food  $2\n  assets:cash\n\n"
    longer = journal(tmp_path, first + first + first + middle + later, "longer.journal")
    report = await import_file(store, longer, "b")
    assert (report.posted, report.already, report.held) == (2, 3, [])
    assert await book_balances(store, "b") == hledger_balances(longer)


@needs_hledger
async def test_an_edited_comment_posts_nothing_and_is_told(store: MemoryStore, tmp_path: Path) -> None:
    text = "2024-01-01 coffee\n  expenses:food  $3\n  assets:cash\n\n"
    await import_file(store, journal(tmp_path, text), "b")
    edited = text.replace("coffee", "coffee  ; with Ann").replace("2024-01-01", "2024-01-01 *")
    report = await import_file(store, journal(tmp_path, edited), "b")
    assert (report.posted, report.already, report.refused) == (0, 0, [])
    assert report.edited == ["2024-01-01 coffee (a.journal:1)"]


@needs_hledger
async def test_an_edited_amount_is_held_back_until_the_user_wants_it_posted(
    store: MemoryStore, tmp_path: Path
) -> None:
    text = "2024-01-01 coffee\n  expenses:food  $3\n  assets:cash\n\n"
    await import_file(store, journal(tmp_path, text), "b")
    edited = journal(
        tmp_path, text.replace("$3", "$4") + "2024-01-02 tea\n  expenses:food  $1\n  assets:cash\n"
    )
    report = await import_file(store, edited, "b")
    held = "2024-01-01 coffee (a.journal:1), in the book 2024-01-01 coffee (seq 3)"
    assert (report.posted, report.held) == (1, [held])
    assert (await book_balances(store, "b"))[("expenses:food", "$")] == Decimal(4)
    report = await import_file(store, edited, "b", post_edited=True)
    assert (report.posted, report.held) == (1, [])


@needs_hledger
async def test_of_equal_transactions_each_keeps_its_own_comment_when_another_is_put_before_them(
    store: MemoryStore, tmp_path: Path
) -> None:
    coffee = "2024-01-01 coffee  ; {}\n  expenses:food  $3\n  assets:cash\n\n"
    await import_file(store, journal(tmp_path, coffee.format("with Ann")), "b")
    report = await import_file(
        store, journal(tmp_path, coffee.format("alone") + coffee.format("with Ann")), "b"
    )
    assert (report.posted, report.already, report.edited) == (1, 1, [])
    comments = [one.transaction.metadata["comment"] for one in await posted(store)]
    assert comments == ["with Ann", "alone"]


@needs_hledger
async def test_an_account_that_gains_a_second_commodity_keeps_the_path_of_its_first(
    store: MemoryStore, tmp_path: Path
) -> None:
    cash = "2024-02-01 pay in\n  Assets:Broker  $100\n  Equity:Start\n\n"
    shares = "2024-01-01 gift\n  Assets:Broker  5 AAPL\n  Equity:Start\n\n"
    await import_file(store, journal(tmp_path, cash), "b")
    longer = journal(tmp_path, shares + cash)
    report = await import_file(store, longer, "b")
    assert report.moved == [
        ("Assets:Broker", "AAPL", "Assets:Broker:AAPL"),
        ("Equity:Start", "AAPL", "Equity:Start:AAPL"),
    ]
    assert await book_balances(store, "b", report) == hledger_balances(longer, COMMODITIES)
    assert (await import_file(store, longer, "b")).posted == 0


@needs_hledger
async def test_a_journal_account_named_like_a_split_path_stays_apart_from_it(
    store: MemoryStore, tmp_path: Path
) -> None:
    both = "2024-01-01 both\n  Assets:Broker  $1\n  Assets:Broker  1 AAPL\n  Equity\n\n"
    named = "2024-01-02 named\n  Assets:Broker:AAPL  7 AAPL\n  Equity\n\n"
    await import_file(store, journal(tmp_path, both), "later")
    longer = journal(tmp_path, both + named)
    for book in ("at-once", "later"):
        report = await import_file(store, longer, book)
        assert report.refused == []
        assert await book_balances(store, book, report) == hledger_balances(longer, COMMODITIES)
        again = await import_file(store, longer, book)
        assert (again.posted, again.edited, again.refused) == (0, [], [])


@needs_hledger
async def test_descriptions_dates_codes_tags_and_comments_arrive(store: MemoryStore) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    first = (await posted(store))[0].transaction
    assert first.occurred_at == datetime(2024, 1, 2, tzinfo=UTC)
    assert first.metadata == {
        "description": "Payee | a note",
        "date": "2024-01-02",
        "date2": "2024-01-05",
        "code": "INV-1",
        "status": "cleared",
        "file": "data/everything.journal",
        "comment": "tagged:, client: acme, x\ntrip:berlin",
        "tags": {"tagged": "", "client": "acme", "trip": "berlin"},
        "postings": [
            {
                "comment": "lot:1",
                "tags": {"lot": "1"},
                "cost": {"per": "unit", "quantity": "150.125", "commodity": "$"},
            },
            {"status": "pending"},
            {"residual": True},
            {"residual": True},
        ],
    }


@needs_hledger
async def test_kinds_come_from_account_types_from_usual_names_and_from_the_user(store: MemoryStore) -> None:
    rules = Rules(assets={}, kinds={"a": AccountKind.LIABILITY, "a:c": AccountKind.EQUITY}, precisions={})
    report = await import_file(store, DATA / "everything.journal", "b", rules)
    kinds = {info.definition.id.path: info.definition.kind for info in await store.accounts("b")}
    assert kinds["assets:cash"] is AccountKind.ASSET
    assert kinds["income:gain"] is AccountKind.INCOME
    assert kinds["expenses:food"] is AccountKind.EXPENSE
    assert kinds["equity:conversion:AAPL"] is AccountKind.EQUITY
    assert kinds["a:b"] is AccountKind.LIABILITY
    assert kinds["a:c"] is AccountKind.EQUITY
    assert kinds["budget:v"] is AccountKind.CLEARING
    assert report.unknown_kinds == ["budget:v"]
    later = Rules(assets={}, kinds={"budget": AccountKind.EQUITY, "a:c": AccountKind.EQUITY}, precisions={})
    report = await import_file(store, DATA / "everything.journal", "b", later)
    assert report.kept_kinds == ["budget:v (clearing)"]


@needs_hledger
async def test_assets_get_their_class_and_never_fewer_decimals_than_the_journal_shows(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    await import_file(store, journal(tmp_path, "2024-01-01 x\n  a  1.50 HOURS\n  b  -1.50 HOURS\n"), "b")
    assets = {asset.id: asset for asset in await store.assets()}
    assert (assets["$"].precision, assets["$"].asset_class) == (2, Fiat())
    assert (assets["€"].precision, assets["€"].asset_class) == (6, Fiat())
    assert (assets["BTC"].precision, assets["BTC"].asset_class) == (8, Crypto(network="bitcoin"))
    assert (assets["Bäume 3"].precision, assets["Bäume 3"].asset_class) == (0, Commodity())
    assert assets["HOURS"].precision == 2


@needs_hledger
async def test_an_asset_with_too_few_decimals_is_refused_by_name_or_rounded_when_asked(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, journal(tmp_path, "2024-01-01 x\n  a  $1.50\n  b\n"), "b")
    finer = journal(tmp_path, "2024-01-02 y\n  a  $1.505\n  b  $-1.505\n")
    with pytest.raises(JournalError, match=r"Asset '\$' is registered with 2 decimals .* needs 3"):
        await import_file(store, finer, "b")
    rounding = Rules(assets={}, kinds={}, precisions={}, round=True)
    report = await import_file(store, finer, "b", rounding)
    assert (report.posted, report.rounded) == (1, 2)


@needs_hledger
async def test_a_new_asset_gets_just_the_decimals_that_were_asked_for_when_amounts_may_be_rounded(
    store: MemoryStore, tmp_path: Path
) -> None:
    finer = journal(tmp_path, "2024-01-02 y\n  a  1.505 EUR\n  b  -1.505 EUR\n")
    report = await import_file(
        store, finer, "b", Rules(assets={}, kinds={}, precisions={"EUR": 2}, round=True)
    )
    assert (report.posted, report.rounded) == (1, 2)
    assert [asset.precision for asset in await store.assets()] == [2]


@needs_hledger
async def test_commodities_can_be_mapped_to_other_assets(store: MemoryStore, tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        "2024-01-01 x\n  a  $1.50\n  b\n\n2024-01-01 y\n  a  USD 1\n  b\n\n2024-01-02 z\n  c  1\n  d\n",
    )
    await import_file(
        store, path, "b", Rules(assets={"$": "USD", "": "points"}, kinds={}, precisions={"points": 3})
    )
    assert {asset.id: asset.precision for asset in await store.assets()} == {"USD": 2, "points": 3}
    assert (await store.balance(AccountId(book="b", path="a"))).amount.minor == 250


@needs_hledger
async def test_zero_postings_and_what_a_book_cannot_hold_are_counted(store: MemoryStore) -> None:
    report = await import_file(store, DATA / "everything.journal", "b")
    assert (report.zero_postings, report.assertions, report.virtual, report.dated_postings) == (1, 1, 3, 1)
    assert report.with_residual == 4


@needs_hledger
def test_a_file_that_hledger_cannot_read_is_refused_in_its_words(tmp_path: Path) -> None:
    path = journal(tmp_path, "2024-01-01 x\n  a  $1\n  b  $2\n")
    with pytest.raises(JournalError, match="hledger cannot read this file; it says:"):
        read_journal(path)


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="there is no /dev/stdin")
@pytest.mark.parametrize("file", ["-", "/dev/stdin"])
def test_a_journal_from_a_pipe_is_refused_with_what_to_do(tmp_path: Path, file: str) -> None:
    command = [sys.executable, "-m", "talea_tui", "import", file, "--book", "b", "--dir", str(tmp_path / "l")]
    done = subprocess.run(command, input="2024-01-01 x\n", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"cannot be imported from {file}, since it is read more than once" in done.stderr
    assert "save it to a file and import that" in done.stderr


def test_without_hledger_and_ledger_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = journal(tmp_path, "")
    with pytest.raises(JournalError, match="neither is installed; install one"):
        read_journal(path)
    with pytest.raises(JournalError, match="ledger is not installed"):
        read_journal(path, "ledger")
