"""Books as journals and as JSON lines, and back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountInfo,
    AccountKind,
    Amount,
    AssetDef,
    BookInfo,
    Commodity,
    Crypto,
    Direction,
    ExternalRef,
    Posting,
    Transaction,
)
from talea_tui.interop.hledger_export import export_hledger
from talea_tui.interop.journal import JournalError
from talea_tui.interop.json_lines import export_json_lines, post_events, read_json_lines

from ..support import build
from ..support.build import asset, definition, transfer
from ..support.memory_store import MemoryStore
from .support import (
    DATA,
    HACKERSPACE,
    book_balances,
    hledger_balances,
    import_file,
    needs_hledger,
    needs_ledger,
)

HOSTILE = (
    "(Assets): odd  name",
    "*starred; and more",
    "[x] \x1b[31m",
    "plain",
    "tab\tand\nnewline",
    "größe:日本",
)


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    async with MemoryStore() as store:
        yield store


async def exported(store: MemoryStore, book: str, path: Path) -> Path:
    text = "".join([part async for part, _ in export_hledger(store, book)])
    path.write_text(text, encoding="utf-8")
    return path


def path_of(name: str, symbol: str) -> str:
    """Paths, unlike memos, hold no control characters."""
    return "".join(character for character in f"{name}:{symbol}" if character.isprintable())


async def with_hostile_names(store: MemoryStore) -> None:
    """Every account, commodity and description is something that hledger would trip over."""
    for symbol, asset_class in (
        ('b"a;d $', Commodity()),
        ("b'a,d $", Commodity()),
        ("WETH", Crypto(network="ethereum")),
    ):
        await store.register_asset(AssetDef(id=symbol, asset_class=asset_class, precision=3, name=symbol))
        for name in HOSTILE:
            id_ = AccountId(book="b", path=path_of(name, symbol))
            await store.open_account(AccountDef(id=id_, asset=symbol, kind=AccountKind.INCOME), AccountCfg())
        for number, name in enumerate(HOSTILE):
            await store.commit(
                Transaction(
                    book="b",
                    idempotency_key=f"{symbol!r} {number}",
                    metadata={
                        "description": name,
                        "code": name,
                        "comment": f"{name}\n  date: never",
                        "more": [name],
                        "postings": [{"comment": f"{name} date: never [2024-13-13]"}],
                    },
                    external_refs=(ExternalRef(kind="invoice", value=name),),
                    postings=(
                        Posting(
                            account=AccountId(book="b", path=path_of(name, symbol)),
                            amount=Amount(minor=1000 + number, asset=symbol),
                            direction=Direction.DEBIT,
                        ),
                        Posting(
                            account=AccountId(book="b", path=f"plain:{symbol}"),
                            amount=Amount(minor=1000 + number, asset=symbol),
                            direction=Direction.CREDIT,
                        ),
                    ),
                )
            )


@needs_hledger
@pytest.mark.parametrize(
    "path",
    [HACKERSPACE / "fy2024.journal", DATA / "everything.journal", DATA / "precise.journal"],
    ids=lambda path: path.stem,
)
async def test_hledger_reads_an_exported_book_back_with_equal_balances(
    store: MemoryStore, tmp_path: Path, path: Path
) -> None:
    await import_file(store, path, "b")
    out = await exported(store, "b", tmp_path / "out.journal")
    commodities = tuple(asset.id for asset in await store.assets())
    found = hledger_balances(out, commodities)
    expected = await book_balances(store, "b")
    assert {holding: value for holding, value in found.items() if "conversion" not in holding[0]} == expected


@needs_hledger
async def test_an_exported_book_can_be_imported_again(store: MemoryStore, tmp_path: Path) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    out = await exported(store, "b", tmp_path / "out.journal")
    report = await import_file(store, out, "copy")
    assert report.refused == []
    assert report.moved == []
    assert await book_balances(store, "copy") == await book_balances(store, "b")
    kinds = {info.definition.id.path: info.definition.kind for info in await store.accounts("b")}
    assert {info.definition.id.path: info.definition.kind for info in await store.accounts("copy")} == kinds


@needs_hledger
@needs_ledger
@pytest.mark.parametrize("program", ["hledger", "ledger"])
async def test_an_export_that_goes_back_into_its_own_book_posts_nothing(
    store: MemoryStore, tmp_path: Path, program: str
) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    for number, metadata in enumerate(
        (
            {},
            {"description": "by  hand; twice", "comment": "txid: mine", "n": 1},
            {"description": "* starred"},
            {"description": "! urgent"},
        )
    ):
        await store.commit(
            Transaction(
                book="b",
                idempotency_key=f"by hand {number}",
                metadata=metadata,
                external_refs=(ExternalRef(kind="invoice", value="7"),),
                postings=tuple(
                    Posting(
                        account=AccountId(book="b", path=path),
                        amount=Amount(minor=5, asset="€"),
                        direction=side,
                    )
                    for path, side in (
                        ("assets:bank", Direction.DEBIT),
                        ("equity:conversion:€", Direction.CREDIT),
                    )
                ),
            )
        )
    before = await store.book("b")
    out = await exported(store, "b", tmp_path / "out.journal")
    report = await import_file(store, out, "b", program=program)
    assert (report.posted, report.already, report.new_accounts) == (0, 15, [])
    assert report.edited == report.held == report.gone == report.refused == []
    assert await store.book("b") == before


@needs_hledger
async def test_names_that_an_export_had_to_alter_are_known_again(store: MemoryStore, tmp_path: Path) -> None:
    await with_hostile_names(store)
    report = await import_file(store, await exported(store, "b", tmp_path / "out.journal"), "b")
    assert (report.posted, report.already, report.held, report.edited) == (0, 18, [], [])


@needs_hledger
async def test_an_export_may_be_edited_and_gone_on_with_before_it_goes_back(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    out = await exported(store, "b", tmp_path / "out.journal")
    accounts = await store.accounts("b")
    text = out.read_text("utf-8")
    unicode = text[text.index("2024-01-05 unicode") : text.index("2024-01-06 euro")]
    fee = unicode.replace(unicode.splitlines(keepends=True)[1], "")
    copied = unicode.replace("2024-01-05", "2024-02-05")
    more = "2024-03-01 more\n  assets:broker:BTC  1 BTC\n  equity:conversion:BTC  -1 BTC\n\n"
    edited = text.replace("1.234567", "2.234567").replace("no commodity\n", "no commodity\n    ; a word\n")
    out.write_text(edited + fee + copied + more, "utf-8")
    report = await import_file(store, out, "b")
    assert (report.posted, report.already, len(report.edited), report.gone) == (3, 9, 1, [])
    assert [line.partition(" (out")[0] for line in report.held] == ["2024-01-06 euro"]
    again = await import_file(store, out, "b")
    assert (again.posted, again.already, again.held) == (0, 12, report.held)
    assert (await import_file(store, out, "b", post_edited=True)).posted == 1
    assert (await import_file(store, out, "b")).already == 13
    out.write_text((edited + fee + copied + more).replace("2.234567", "3.234567"), "utf-8")
    more_edited = await import_file(store, out, "b")
    assert (more_edited.posted, more_edited.already, len(more_edited.held), more_edited.gone) == (
        0,
        12,
        1,
        [],
    )
    assert more_edited.held != report.held
    assert [one.definition for one in await store.accounts("b")] == [one.definition for one in accounts]
    balances = await book_balances(store, "b")
    assert balances[("assets:broker:BTC", "BTC")] == Decimal(6)
    assert balances[("liabilities:x", "Bäume 3")] == Decimal(-15)


@needs_hledger
async def test_in_another_book_an_export_keeps_its_ids_and_is_exported_just_so(
    store: MemoryStore, tmp_path: Path
) -> None:
    await import_file(store, DATA / "everything.journal", "b")
    out = await exported(store, "b", tmp_path / "out.journal")
    await import_file(store, out, "copy")
    copied = await exported(store, "copy", tmp_path / "copy.journal")
    assert copied.read_text("utf-8") == out.read_text("utf-8")
    assert (await import_file(store, copied, "b")).posted == 0


FOREIGN = """2024-01-02 pay
  assets:recv  100.00 EUR
  income:fees

2024-02-03 foreign pay
  assets:recv  200.00 USD @ 0.92 EUR
  income:fees

"""


@needs_hledger
@pytest.mark.parametrize("export_first", [True, False])
async def test_an_export_and_what_was_exported_are_taken_for_one_in_another_book(
    store: MemoryStore, tmp_path: Path, export_first: bool
) -> None:
    path = tmp_path / "fees.journal"
    path.write_text(FOREIGN)
    await import_file(store, path, "b")
    files = [await exported(store, "b", tmp_path / "out.journal"), path]
    first, second = files if export_first else files[::-1]
    await import_file(store, first, "copy")
    path.write_text(FOREIGN + FOREIGN.replace("2024", "2025"))
    report = await import_file(store, second, "copy")
    assert (report.already, report.held, report.gone, report.new_accounts) == (2, [], [], [])
    for book in ("b", "copy"):
        await import_file(store, path, book)
    balances = [
        {info.definition.id.path: info.balance.amount.minor for info in await store.accounts(book)}
        for book in ("b", "copy")
    ]
    assert balances[0] == balances[1]
    assert balances[0]["equity:conversion:USD"] == 40_000


@needs_hledger
async def test_an_export_of_many_files_and_one_of_these_are_taken_for_one_in_another_book(
    store: MemoryStore, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{year}.journal" for year in range(2022, 2026)]
    for path in paths:
        path.write_text(FOREIGN.replace("2024", path.stem))
        await import_file(store, path, "b")
    await import_file(store, await exported(store, "b", tmp_path / "out.journal"), "copy")
    report = await import_file(store, paths[0], "copy")
    assert (report.posted, report.already, report.held, report.gone) == (0, 2, [], [])


@needs_hledger
async def test_names_and_memos_that_hledger_would_trip_over_lose_no_money(
    store: MemoryStore, tmp_path: Path
) -> None:
    await with_hostile_names(store)
    out = await exported(store, "b", tmp_path / "out.journal")
    assert "\x1b" not in out.read_text("utf-8")
    found = sorted(hledger_balances(out, ("WETH",)).values())
    expected = sorted((await book_balances(store, "b")).values())
    assert found == expected
    assert Decimal("1.005") in found


@needs_hledger
async def test_accounts_that_a_journal_would_spell_alike_stay_apart(
    store: MemoryStore, tmp_path: Path
) -> None:
    await store.register_asset(build.asset("EUR"))
    paths = {"a;b": 5, "a,b": 7, "a b": 9, "a  b": 11}
    await build.open_accounts(store, dict.fromkeys((*paths, "cash"), AccountKind.ASSET), book="b")
    for path, minor in paths.items():
        await store.commit(build.transfer(path, "cash", minor, book="b"))
    out = await exported(store, "b", tmp_path / "out.journal")
    assert sorted(hledger_balances(out, ("EUR",)).values()) == [
        Decimal(minor).scaleb(-2) for minor in (-32, 5, 7, 9, 11)
    ]


@needs_hledger
async def test_json_lines_carry_a_book_to_another_ledger(store: MemoryStore, tmp_path: Path) -> None:
    await import_file(store, DATA / "precise.journal", "b")
    await with_hostile_names(store)
    out = await json_lines(store, "b", tmp_path / "b.jsonl")
    async with MemoryStore() as other:
        first = await post_events(other, read_json_lines(out, "copy"))
        again = await post_events(other, read_json_lines(out, "copy"))
        assert (first.refused, again.posted, again.already) == ([], 0, first.posted)
        assert await other.assets() == await store.assets()
        assert await book_balances(other, "copy") == await book_balances(store, "b")
        for one in await store.read_events("b", 1, 100):
            if (transaction := getattr(one.event, "transaction", None)) is not None:
                copied = await other.by_key("copy", transaction.idempotency_key)
                assert copied is not None
                assert copied.transaction.metadata == transaction.metadata
                assert copied.transaction.external_refs == transaction.external_refs
                assert copied.transaction.occurred_at == transaction.occurred_at
                assert copied.transaction.id == transaction.id


async def json_lines(store: MemoryStore, book: str, path: Path) -> Path:
    text = "".join([part async for part, _ in export_json_lines(store, book)])
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("native", [None, "", "0xa0b8", "a token", " "])
@pytest.mark.parametrize("network", ["ethereum", "binance smart chain", "", " "])
async def test_json_lines_carry_a_network_and_a_native_id_whatever_they_hold(
    store: MemoryStore, tmp_path: Path, network: str, native: str | None
) -> None:
    coin = AssetDef(id="COIN", asset_class=Crypto(network, native), precision=8, name="Coin")
    await store.register_asset(coin)
    await store.open_account(definition("wallet", asset="COIN", book="b"), AccountCfg())
    read = read_json_lines(await json_lines(store, "b", tmp_path / "b.jsonl"), "copy")
    assert read.assets == [coin]


@pytest.mark.parametrize(
    ("words", "asset_class"),
    [
        ("crypto on bitcoin", Crypto("bitcoin")),
        ("crypto on ethereum 0xa0b8", Crypto("ethereum", "0xa0b8")),
    ],
)
def test_an_asset_exported_without_its_network_apart_is_still_read(
    tmp_path: Path, words: str, asset_class: Crypto
) -> None:
    line = {"kind": "asset", "asset": "COIN", "name": "Coin", "class": words, "precision": 8}
    (tmp_path / "b.jsonl").write_text(json.dumps(line))
    (asset,) = read_json_lines(tmp_path / "b.jsonl", "b").assets
    assert asset.asset_class == asset_class


class BusyStore(MemoryStore):
    """Somebody registers an asset and posts in it while the answer to each question is on its way."""

    async def _post_in_a_new_asset(self) -> None:
        symbol = f"COIN{len(await super().assets())}"
        await self.register_asset(asset(symbol))
        for path in (f"from:{symbol}", f"to:{symbol}"):
            await self.open_account(definition(path, asset=symbol, book="b"), AccountCfg())
        await self.commit(transfer(f"to:{symbol}", f"from:{symbol}", 100, asset=symbol, book="b"))

    async def assets(self) -> list[AssetDef]:
        answer = await super().assets()
        await self._post_in_a_new_asset()
        return answer

    async def accounts(self, book: str) -> list[AccountInfo]:
        answer = await super().accounts(book)
        await self._post_in_a_new_asset()
        return answer

    async def book(self, name: str) -> BookInfo | None:
        answer = await super().book(name)
        await self._post_in_a_new_asset()
        return answer


@pytest.mark.parametrize("export", [export_json_lines, export_hledger])
async def test_an_asset_that_is_first_used_while_an_export_begins_does_not_end_it(
    export: Callable[[MemoryStore, str], AsyncIterator[tuple[str, int]]],
) -> None:
    async with BusyStore() as store:
        await store.assets()
        text = "".join([part async for part, _ in export(store, "b")])
        assert "to:COIN0" in text


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"kind": "tx"}', '{"kind": "asset", "class": "gold", "asset": "X"}']
)
def test_a_line_that_is_no_event_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(JournalError, match=r"bad.jsonl"):
        read_json_lines(path, "b")
