"""What an import defines for ever: enough decimals, and nothing that is not needed or was not checked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store import AccountCfg, AccountDef, AccountId, AccountKind, AlreadyExists, AssetDef, Fiat
from talea_tui.interop.journal import JournalError
from talea_tui.interop.json_lines import export_json_lines, post_events, read_json_lines
from talea_tui.interop.mapping import Rules

from ..support.memory_store import MemoryStore
from .support import NO_RULES, import_file, needs_hledger, needs_ledger, talea

GOOD = "2024-01-01 good\n  assets:cash  $5\n  equity:start\n\n"
EIGHTEEN = "000000000000000000"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    async with MemoryStore() as store:
        yield store


def journal(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.journal"
    path.write_text(text, encoding="utf-8")
    return path


async def decimals(store: MemoryStore) -> dict[str, int]:
    return {asset.id: asset.precision for asset in await store.assets()}


@needs_hledger
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"commodity 1000.{EIGHTEEN} TOK\n\n2024-01-01 x\n  a  5.00 TOK\n  b\n", {"TOK": 18}),
        (f"2024-01-01 x\n  a  5.{EIGHTEEN} TOK\n  b\n", {"TOK": 18}),
        ("commodity 1000.00 TOK\n\n2024-01-01 x\n  a  5.0000 TOK\n  b\n", {"TOK": 4}),
        ("commodity $1000.000\n\n2024-01-01 x\n  a  5 TOK @ $2.1\n  b\n", {"TOK": 0, "$": 3}),
        ("2024-01-01 x\n  a  2.50 TOK @ $2.00\n  b  $-5.00\n", {"TOK": 2, "$": 2}),
        (f"2024-01-01 x\n  a  5.{'0' * 40} TOK\n  b\n", {"TOK": 30}),
    ],
)
async def test_decimals_are_those_that_hledger_shows_of_a_commodity_whichever_amounts_need_them(
    store: MemoryStore, tmp_path: Path, text: str, expected: dict[str, int]
) -> None:
    await import_file(store, journal(tmp_path, text), "b")
    assert await decimals(store) == expected


@needs_ledger
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("commodity TOK\n  format 1000.000000 TOK\n\n2024-01-01 x\n  a  5.00 TOK\n  b\n", {"TOK": 6}),
        (f"2024-01-01 x\n  a  5.{EIGHTEEN} TOK\n  b\n", {"TOK": 18}),
    ],
)
async def test_decimals_are_those_that_ledger_shows_of_a_commodity(
    store: MemoryStore, tmp_path: Path, text: str, expected: dict[str, int]
) -> None:
    await import_file(store, journal(tmp_path, text), "b", program="ledger")
    assert await decimals(store) == expected


@needs_hledger
async def test_a_registered_asset_takes_every_amount_that_it_can_hold_however_it_is_shown(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, journal(tmp_path, GOOD), "b")
    finer = journal(tmp_path, "commodity $1000.0000\n\n2024-01-02 x\n  a  $5.500\n  b\n")
    assert (await import_file(store, finer, "b")).posted == 1


@needs_hledger
async def test_an_amount_of_more_decimals_than_an_asset_can_have_is_refused_or_rounded_when_asked(
    store: MemoryStore, tmp_path: Path
) -> None:
    tiny = journal(tmp_path, GOOD + f"2024-01-02 tiny\n  assets:x  0.{'0' * 34}1 ZY\n  equity:start\n")
    with pytest.raises(JournalError, match=r"02 tiny \(a.journal:5\): an amount of 'assets:x' has 35 dec"):
        await import_file(store, tiny, "b")
    assert await decimals(store) == {}
    rounding = Rules(assets={}, kinds={}, precisions={}, round=True)
    report = await import_file(store, tiny, "b", rounding)
    assert (report.posted, report.rounded, report.empty) == (1, 0, 1)
    assert await decimals(store) == {"$": 2}


@needs_hledger
def test_more_decimals_than_a_currency_usually_has_are_told_with_the_transaction_that_needs_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.journal"
    path.write_text(
        "2024-01-01 bread\n  expenses:food  2.00 EUR\n  assets:cash\n\n"
        "2024-01-02 fuel\n  expenses:car  50.0055 EUR\n  assets:cash\n\n"
        "2024-01-03 trip\n  expenses:car  3.50 USD\n  assets:cash\n"
    )
    done = talea("import", path, "--book", "b", "--dir", tmp_path / "ledger")
    assert (
        "  asset EUR: fiat, 4 decimals\n    for ever, needed by 2024-01-02 fuel (a.journal:5)\n"
        "  asset USD: fiat, 2 decimals\n"
    ) in done.stdout
    assert done.stdout.count("for ever") == 1


@needs_hledger
def test_a_difference_of_rounding_is_told_where_there_is_one_and_something_was_posted(tmp_path: Path) -> None:
    words = ["import", "--round", "--book", "b", "--dir", tmp_path / "ledger"]
    assert talea("import", *words[2:], journal(tmp_path, GOOD)).returncode == 0
    even = journal(tmp_path, GOOD + "2024-01-02 even\n  assets:cash  $1.005\n  equity:start\n\n")
    done = talea(*words, even)
    assert done.stdout.endswith("  2 amounts rounded to the decimals of the asset\n")
    assert "rounded" not in talea(*words, even).stdout
    odd = journal(tmp_path, "2024-01-03 odd\n  a  $1.004\n  a  $1.004\n  equity:start  $-2.008\n")
    done = talea(*words, odd)
    assert "3 amounts rounded to the decimals of the asset, the difference stands on equity:co" in done.stdout


@needs_hledger
@pytest.mark.parametrize("program", ["hledger", "json"])
async def test_a_balance_below_its_minimum_is_told_in_the_decimals_of_its_asset(
    store: MemoryStore, tmp_path: Path, program: str
) -> None:
    await import_file(store, journal(tmp_path, GOOD), "b")
    till = AccountId(book="b", path="assets:till")
    await store.open_account(
        AccountDef(id=till, asset="$", kind=AccountKind.ASSET), AccountCfg(min_balance=-100)
    )
    path = journal(tmp_path, "2024-01-02 out\n  assets:cash  $50\n  assets:till\n")
    if program == "json":
        async with MemoryStore() as other:
            await import_file(other, path, "b")
            path.write_text("".join([text async for text, _ in export_json_lines(other, "b")]))
        events = read_json_lines(path, "b")
        events.accounts.clear()
        report = await post_events(store, events)
    else:
        report = await import_file(store, path, "b")
    (told,) = report.refused
    assert told.endswith(": Account 'assets:till' would stand at −50.00 $, below its minimum of −1.00 $.")


@needs_hledger
@needs_ledger
@pytest.mark.parametrize("program", ["hledger", "ledger"])
def test_what_is_not_carried_over_is_counted_in_included_files_and_not_in_comments(
    tmp_path: Path, program: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "prices.journal").write_text("P 2024-01-01 EUR $1.1\nP 2024-01-02 EUR $1.2\n")
    (tmp_path / "sub" / "good.journal").write_text(
        f"include prices.journal\n= food\n  (budget)  $1\n\n{GOOD}"
    )
    commented = "comment\nP 2024-01-01 EUR $1\n= food\nend comment\n\ncomment\n~ monthly\n"
    path = journal(tmp_path, f"include sub/good.journal\n\n{commented}")
    done = talea("import", path, "--book", "b", "--dir", tmp_path / "ledger", "--with", program)
    assert "\n  not carried over: 2 market prices, 1 automated rule\n" in done.stdout


@needs_hledger
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("x" * 600 + "  $6", r"bad \(a.journal:5\): the account's path is longer than 500 bytes: 'xxx"),
        (f'assets:x  6 "{"y" * 600}"', r"bad \(a.journal:5\): the asset's id is longer than 500 bytes: 'yyy"),
        ("a\x01b  $6", r"bad \(a.journal:5\): the account's path holds a control character: 'a\\x01b'"),
    ],
)
async def test_a_name_that_a_book_cannot_have_is_told_with_its_place_before_anything_is_defined(
    store: MemoryStore, tmp_path: Path, bad: str, told: str
) -> None:
    path = journal(tmp_path, GOOD + f"2024-01-02 bad\n  {bad}\n  equity:start\n")
    with pytest.raises(JournalError, match=told):
        await import_file(store, path, "b")
    assert await decimals(store) == {}
    assert await store.books() == []


@needs_hledger
async def test_an_amount_beyond_every_book_is_refused_alone_and_defines_nothing(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = journal(tmp_path, GOOD + f"2024-01-02 huge\n  assets:huge  1{'0' * 39} HUGE\n  equity:huge\n")
    report = await import_file(store, path, "b")
    assert report.refused == [
        "2024-01-02 huge (a.journal:5): an amount reaches 2**127 minor units of its asset."
    ]
    assert (report.posted, await decimals(store), len(await store.accounts("b"))) == (1, {"$": 2}, 2)


@needs_hledger
async def test_amounts_that_hledger_prints_with_an_exponent_are_read(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = journal(tmp_path, f"2024-01-01 large\n  assets:x  1234{'0' * 27}7 ZY\n  equity:x\n")
    await import_file(store, path, "b")
    balances = [info.balance.amount.minor for info in await store.accounts("b")]
    assert balances == [1234 * 10**28 + 7] * 2


@needs_hledger
async def test_a_commodity_of_zero_amounts_alone_is_not_registered(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, journal(tmp_path, GOOD + "2024-01-02 check\n  assets:cash  0 = $5\n"), "b")
    assert await decimals(store) == {"$": 2}


@needs_hledger
@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (
            Rules({"ZZZ": "USD"}, {}, {}),
            r"--asset 'ZZZ=USD' meets no commodity of a.journal: it has '\$'\. Correct it or leave it out\.",
        ),
        (
            Rules({}, {"Asset": AccountKind.ASSET}, {}),
            r"--kind 'Asset=asset' meets no account of a.journal: it has 'assets', 'equity'\.",
        ),
        (
            Rules({"$": "USD"}, {}, {"$": 4}),
            r"--precision '\$=4' meets no asset of a.journal: it has 'USD'\.",
        ),
    ],
)
async def test_an_option_that_nothing_in_the_journal_meets_is_refused(
    store: MemoryStore, tmp_path: Path, rules: Rules, told: str
) -> None:
    with pytest.raises(JournalError, match=told):
        await import_file(store, journal(tmp_path, GOOD), "b", rules)
    assert await decimals(store) == {}


@needs_hledger
async def test_options_that_meet_an_account_a_part_of_its_name_or_a_conversion_are_taken(
    store: MemoryStore, tmp_path: Path
) -> None:
    rules = Rules({"$": "USD"}, {"assets": AccountKind.ASSET, "equity:conversion": AccountKind.EQUITY}, {})
    assert (await import_file(store, journal(tmp_path, GOOD), "b", rules)).posted == 1


@needs_hledger
async def test_more_decimals_than_a_registered_asset_has_are_told_as_what_the_user_asks_for(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = journal(tmp_path, GOOD)
    await import_file(store, path, "b")
    with pytest.raises(
        JournalError, match=r"registered with 2 decimals and --precision asks for 4; .* leave"
    ):
        await import_file(store, path, "b", Rules({}, {}, {"$": 4}))
    assert (await import_file(store, path, "b", NO_RULES)).already == 1


@needs_hledger
def test_a_date_after_the_year_9999_is_told_with_its_place(tmp_path: Path) -> None:
    path = journal(tmp_path, GOOD + "12021-01-01 far\n  a  $1\n  b\n")
    done = talea("import", path, "--book", "b", "--dir", tmp_path / "ledger")
    assert (done.returncode, done.stderr) == (
        1,
        "talea-tui: a.journal:5: the date 12021-01-01 is not in the years 1 to 9999; correct it.\n",
    )


def lines(tmp_path: Path, *events: object) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


ASSET = {"kind": "asset", "asset": "NEW", "name": "New", "class": "fiat", "precision": 2}
ACCOUNT = {
    "kind": "acct",
    "account": "a",
    "asset": "NEW",
    "account_kind": "asset",
    "normal_side": "debit",
    "min_balance_minor": None,
}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"type": "event"}, "it has no 'kind'"),
        ([1], "a value in it is of another type"),
        (ACCOUNT | {"account": "x" * 501}, "the account's path is longer than 500 bytes"),
        (ASSET | {"precision": 31}, "the asset's precision is not an integer from 0 to 30"),
    ],
)
def test_a_line_that_is_no_event_is_told_by_number_and_fault(tmp_path: Path, line: object, told: str) -> None:
    path = lines(tmp_path, ASSET, line)
    with pytest.raises(JournalError, match=f"a.jsonl, line 2 is not an event as .* writes it: {told}."):
        read_json_lines(path, "b")


async def test_lines_that_contradict_the_ledger_define_nothing(store: MemoryStore, tmp_path: Path) -> None:
    await store.register_asset(AssetDef(id="EUR", asset_class=Fiat(), precision=2, name="Euro"))
    euros = ASSET | {"asset": "EUR", "precision": 4, "name": "Euro"}
    told = "'EUR' is another one in this ledger: decimals 2, in the file 4. .* import into another ledger"
    with pytest.raises(JournalError, match=told):
        await post_events(store, read_json_lines(lines(tmp_path, ASSET, ACCOUNT, euros), "b"))
    euros |= {"precision": 2, "class": "commodity", "name": "euro"}
    told = "class 'fiat', in the file 'commodity'; name 'Euro', in the file 'euro'"
    with pytest.raises(JournalError, match=told):
        await post_events(store, read_json_lines(lines(tmp_path, ASSET, ACCOUNT, euros), "b"))
    assert (await decimals(store), await store.books()) == ({"EUR": 2}, [])


async def test_an_account_that_contradicts_the_ledger_keeps_others_from_being_opened(
    store: MemoryStore, tmp_path: Path
) -> None:
    known, contradicting = ACCOUNT | {"asset": "EUR"}, ACCOUNT | {"asset": "EUR", "account_kind": "expense"}
    euros = ASSET | {"asset": "EUR"}
    await post_events(store, read_json_lines(lines(tmp_path, euros, known), "b"))
    more = lines(tmp_path, euros, ASSET, known | {"account": "new"}, contradicting)
    with pytest.raises(AlreadyExists):
        await post_events(store, read_json_lines(more, "b"))
    assert await decimals(store) == {"EUR": 2}
    assert [info.definition.id.path for info in await store.accounts("b")] == ["a"]


def test_options_for_journals_are_refused_with_an_export(tmp_path: Path) -> None:
    path = lines(tmp_path, ASSET, ACCOUNT)
    words = ["import", path, "--book", "b", "--dir", tmp_path / "ledger"]
    done = talea(*words, "--asset", "NEW=OLD")
    assert (done.returncode, (tmp_path / "ledger").exists()) == (1, False)
    assert done.stderr.startswith(
        "talea-tui: An export says itself what its assets and accounts are; leave out"
    )
    assert talea(*words).returncode == 0
