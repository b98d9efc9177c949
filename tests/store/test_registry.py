from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AccountOpened,
    AlreadyExists,
    AssetDef,
    AssetRegistered,
    Commodity,
    Crypto,
    Direction,
    Fiat,
    InvalidBook,
    InvalidDefinition,
    UnknownAccount,
    UnknownAsset,
)
from store.protocol import Store
from tests.support.build import BOOK, account, asset, definition, household, transfer, txid

CASH = AccountKind.ASSET


class KindOfAsset(AssetDef, frozen=True):
    pass


class KindOfId(AccountId, frozen=True):
    pass


class KindOfDefinition(AccountDef, frozen=True):
    pass


class KindOfConfiguration(AccountCfg, frozen=True):
    pass


UNSAFE_NAMES = [
    "",
    ".",
    "..",
    "a..b",
    "a/b",
    "/",
    "/etc",
    "../outside",
    "a\\b",
    "nul\0",
    "line\nfeed",
    "tab\t",
    "escape\x1b[0m",
    "delete\x7f",
    "surrogate\ud800",
    "x" * 201,
    "é" * 101,
]
ODD_NAMES = [
    "home 2026",
    "a.b",
    "-",
    "~",
    "…",
    "家計",
    "x" * 200,
    "é" * 100,
    "a:b",
    "con",
    "*",
    "%2e%2e",
    "🙂",
]


async def test_an_asset_is_registered_and_found(store: Store) -> None:
    gold = asset("XAU", 4, Commodity(), "Gold, troy ounce")
    await store.register_asset(gold)
    assert await store.asset("XAU") == gold
    assert await store.asset("XAG") is None


async def test_assets_are_listed_by_id(store: Store) -> None:
    ether = asset("ETH", 18, Crypto(network="ethereum"))
    usdc = asset("USDC", 6, Crypto(network="ethereum", native_id="0xa0b8"))
    for each in (usdc, ether, asset("EUR")):
        await store.register_asset(each)
    assert await store.assets() == [ether, asset("EUR"), usdc]


async def test_the_same_asset_again_adds_no_event(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    await store.register_asset(asset("EUR"))
    events = await store.read_events("_system")
    assert [event.event for event in events] == [AssetRegistered(asset=asset("EUR"))]


@pytest.mark.parametrize(
    "other",
    [
        asset("EUR", 3),
        asset("EUR", 2, Commodity()),
        asset("EUR", 2, Crypto(network="x")),
        asset("EUR", 2, name="Euro"),
    ],
    ids=["precision", "class", "network", "name"],
)
async def test_another_definition_of_an_asset_is_refused(store: Store, other: AssetDef) -> None:
    await store.register_asset(asset("EUR"))
    with pytest.raises(AlreadyExists):
        await store.register_asset(other)
    assert await store.asset("EUR") == asset("EUR")
    assert len(await store.read_events("_system")) == 1


async def test_concurrent_registrations_of_one_asset_append_one_event(store: Store) -> None:
    await asyncio.gather(*(store.register_asset(asset("EUR")) for _ in range(20)))
    assert len(await store.read_events("_system")) == 1


async def test_of_two_concurrent_definitions_of_one_asset_one_wins(store: Store) -> None:
    results = await asyncio.gather(
        *(store.register_asset(asset("EUR", precision)) for precision in (2, 3)), return_exceptions=True
    )
    assert sorted(type(result) for result in results if result is not None) == [AlreadyExists]
    assert len(await store.read_events("_system")) == 1


@pytest.mark.parametrize("precision", [0, 2, 18, 30])
async def test_precision_goes_from_0_to_30(store: Store, precision: int) -> None:
    await store.register_asset(asset("X", precision))
    found = await store.asset("X")
    assert found is not None
    assert found.precision == precision


@pytest.mark.parametrize(
    "bad",
    [
        asset(""),
        asset("x" * 501),
        asset("é" * 251),
        asset("a\nb"),
        asset("a\0b"),
        asset("\ud800"),
        asset("X", -1),
        asset("X", 31),
        asset("X", 2.0),  # type: ignore[arg-type]
        asset("X", "2"),  # type: ignore[arg-type]
        asset("X", None),  # type: ignore[arg-type]
        asset(7),  # type: ignore[arg-type]
        asset("X", name="\udfff"),
        asset("X", name=7),  # type: ignore[arg-type]
        asset("X", asset_class="fiat"),  # type: ignore[arg-type]
        asset("X", asset_class=None),  # type: ignore[arg-type]
        asset("X", asset_class=Crypto(network="\ud800")),
        asset("X", asset_class=Crypto(network="n", native_id="\ud800")),
        asset("X", asset_class=Crypto(network=7)),  # type: ignore[arg-type]
        asset("X", name="x" * (17 * 2**20)),
        KindOfAsset(id="X", asset_class=Fiat(), precision=2, name="X"),
    ],
    ids=range(21),
)
async def test_a_malformed_asset_is_refused(store: Store, bad: AssetDef) -> None:
    with pytest.raises(InvalidDefinition):
        await store.register_asset(bad)
    assert await store.read_events("_system") == []
    await store.register_asset(asset("EUR"))
    assert await store.assets() == [asset("EUR")]


async def test_an_id_of_500_bytes_is_allowed(store: Store) -> None:
    for id in ("x" * 500, "é" * 250, " ", "ünï cödé"):
        await store.register_asset(asset(id, name=""))
        assert (await store.asset(id)) == asset(id, name="")


async def test_an_account_is_opened_in_its_book(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    wanted = definition("assets:cash")
    await store.open_account(wanted, AccountCfg(min_balance=0))
    [event] = await store.read_events("household")
    resolved = AccountCfg(normal_side=Direction.DEBIT, min_balance=0)
    assert (event.seq, event.event) == (1, AccountOpened(definition=wanted, config=resolved))
    info = await store.account(wanted.id)
    assert info is not None
    assert (info.definition, info.config, info.postings) == (wanted, resolved, 0)


async def test_an_account_of_another_book_is_another_account(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    await store.open_account(definition("cash", book="a"), AccountCfg())
    await store.open_account(definition("cash", AccountKind.INCOME, book="b"), AccountCfg())
    one, other = await store.account(account("cash", "a")), await store.account(account("cash", "b"))
    assert one is not None
    assert other is not None
    assert (one.definition.kind, other.definition.kind) == (AccountKind.ASSET, AccountKind.INCOME)


@pytest.mark.parametrize("kind", list(AccountKind), ids=lambda kind: kind.value)
async def test_the_normal_side_is_resolved_when_an_account_is_opened(store: Store, kind: AccountKind) -> None:
    await store.register_asset(asset("EUR"))
    await store.open_account(definition("a", kind), AccountCfg())
    info = await store.account(account("a"))
    assert info is not None
    assert info.config == AccountCfg(normal_side=kind.normal_side)
    if kind.normal_side is not None:
        await store.open_account(definition("a", kind), AccountCfg(normal_side=kind.normal_side))
        assert len(await store.read_events("household")) == 1


async def test_an_account_may_stand_on_the_other_side(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    await store.open_account(definition("depreciation"), AccountCfg(normal_side=Direction.CREDIT))
    info = await store.account(account("depreciation"))
    assert info is not None
    assert info.config.normal_side is Direction.CREDIT


async def test_the_same_account_again_adds_no_event(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    for _ in range(2):
        await store.open_account(definition("cash"), AccountCfg(min_balance=-5))
    assert len(await store.read_events("household")) == 1


async def test_concurrent_openings_of_one_account_append_one_event(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    await asyncio.gather(*(store.open_account(definition("cash"), AccountCfg()) for _ in range(20)))
    assert len(await store.read_events("household")) == 1


@pytest.mark.parametrize(
    ("other", "config"),
    [
        (definition("cash", AccountKind.EXPENSE), AccountCfg(min_balance=0)),
        (definition("cash", asset="USD"), AccountCfg(min_balance=0)),
        (definition("cash"), AccountCfg()),
        (definition("cash"), AccountCfg(min_balance=1)),
        (definition("cash"), AccountCfg(min_balance=0, normal_side=Direction.CREDIT)),
    ],
    ids=["kind", "asset", "no minimum", "another minimum", "another side"],
)
async def test_another_definition_of_an_account_is_refused(
    store: Store, other: AccountDef, config: AccountCfg
) -> None:
    await store.register_asset(asset("EUR"))
    await store.register_asset(asset("USD"))
    await store.open_account(definition("cash"), AccountCfg(min_balance=0))
    with pytest.raises(AlreadyExists):
        await store.open_account(other, config)
    assert len(await store.read_events("household")) == 1


@pytest.mark.parametrize(
    ("bad", "config"),
    [
        (definition(""), AccountCfg()),
        (definition("x" * 501), AccountCfg()),
        (definition("a\x1bb"), AccountCfg()),
        (definition("\ud800"), AccountCfg()),
        (definition(None), AccountCfg()),  # type: ignore[arg-type]
        (definition("a", "asset"), AccountCfg()),  # type: ignore[arg-type]
        (definition("a", None), AccountCfg()),  # type: ignore[arg-type]
        (definition("a", asset="\ud800"), AccountCfg()),
        (definition("a"), AccountCfg(min_balance=0.5)),  # type: ignore[arg-type]
        (definition("a"), AccountCfg(min_balance="0")),  # type: ignore[arg-type]
        (definition("a"), AccountCfg(normal_side="debit")),  # type: ignore[arg-type]
        (definition("a"), KindOfConfiguration()),
        (KindOfDefinition(id=account("a"), asset="EUR", kind=AccountKind.ASSET), AccountCfg()),
        (AccountDef(id=KindOfId(BOOK, "a"), asset="EUR", kind=AccountKind.ASSET), AccountCfg()),
    ],
    ids=range(14),
)
async def test_a_malformed_account_is_refused(store: Store, bad: AccountDef, config: AccountCfg) -> None:
    await store.register_asset(asset("EUR"))
    with pytest.raises(InvalidDefinition):
        await store.open_account(bad, config)
    assert await store.read_events("household") == []
    await store.open_account(definition("fine"), AccountCfg())


async def test_an_account_needs_a_registered_asset(store: Store) -> None:
    with pytest.raises(UnknownAsset) as caught:
        await store.open_account(definition("cash", asset="EUR"), AccountCfg())
    assert caught.value.asset == "EUR"
    assert await store.books() == []


async def test_open_account_checks_book_then_definition_then_asset_then_sameness(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    with pytest.raises(InvalidBook):
        await store.open_account(definition("", book="_mine", asset="NONE"), AccountCfg())
    with pytest.raises(InvalidDefinition):
        await store.open_account(definition("", asset="NONE"), AccountCfg())
    await store.open_account(definition("cash"), AccountCfg())
    with pytest.raises(UnknownAsset):
        await store.open_account(definition("cash", asset="NONE"), AccountCfg())
    with pytest.raises(AlreadyExists):
        await store.open_account(definition("cash"), AccountCfg(min_balance=0))


@pytest.mark.parametrize("name", UNSAFE_NAMES, ids=range(len(UNSAFE_NAMES)))
async def test_an_unsafe_book_name_is_refused_everywhere(store: Store, tmp_path: Path, name: str) -> None:
    await store.register_asset(asset("EUR"))
    before = sorted(path for path in tmp_path.rglob("*") if path.name != "LOCK")
    cash = account("cash", name)

    async def subscribed() -> None:
        # a name may be refused at the call or at the first event asked for
        await anext(store.subscribe(name))

    for call in (
        lambda: store.open_account(definition("cash", book=name), AccountCfg()),
        lambda: store.commit(transfer("cash", "bank", 1, book=name)),
        lambda: store.balance(cash),
        lambda: store.account_history(cash),
        lambda: store.posting_rows(cash, 0, 1),
        lambda: store.account(cash),
        lambda: store.accounts(name),
        lambda: store.transaction(txid(1), name),
        lambda: store.trial_balance(name),
        lambda: store.read_events(name),
        lambda: store.events_at(name, [1]),
        lambda: store.by_key(name, "k"),
        lambda: store.book(name),
        subscribed,
    ):
        with pytest.raises(InvalidBook):
            await call()
    [refusal] = await store.commit_batch([transfer("cash", "bank", 1, book=name)])
    assert isinstance(refusal, InvalidBook)
    assert refusal.book == name
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "LOCK") == before


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
async def test_an_odd_book_name_stays_inside_the_ledger(store: Store, tmp_path: Path, name: str) -> None:
    await household(store, name)
    await store.commit(transfer("assets:cash", "income:salary", 5, book=name))
    assert [info.name for info in await store.books()] == [name]
    assert (await store.balance(account("assets:cash", name))).amount.minor == 5
    assert {path.name for path in tmp_path.iterdir()} <= {"ledger"}


@pytest.mark.parametrize("name", ["_system", "_", "_other"])
async def test_reserved_books_take_no_writes(store: Store, name: str) -> None:
    await store.register_asset(asset("EUR"))
    with pytest.raises(InvalidBook):
        await store.open_account(definition("cash", book=name), AccountCfg())
    with pytest.raises(InvalidBook):
        await store.commit(transfer("cash", "bank", 1, book=name))
    assert await store.accounts(name) == []


@pytest.mark.parametrize(
    ("name", "like_it"), [("Home", "home"), ("home", "HOME"), ("caf\u00e9", "cafe\u0301"), ("Å", "\u212b")]
)
async def test_a_name_too_like_another_books_is_refused(store: Store, name: str, like_it: str) -> None:
    await household(store, name)
    for call in (
        store.open_account(definition("cash", book=like_it), AccountCfg()),
        store.commit(transfer("cash", "bank", 1, book=like_it)),
        store.accounts(like_it),
        store.read_events(like_it),
        store.balance(account("assets:cash", like_it)),
    ):
        with pytest.raises(InvalidBook):
            await call
    assert [info.name for info in await store.books()] == [name]


async def test_of_two_like_names_opened_at_once_one_book_comes_to_be(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    results = await asyncio.gather(
        *(store.open_account(definition("cash", book=name), AccountCfg()) for name in ("home", "HOME")),
        return_exceptions=True,
    )
    assert [type(result) for result in results if result is not None] == [InvalidBook]
    assert len(await store.books()) == 1


async def test_reading_a_book_that_was_never_written_creates_nothing(store: Store, tmp_path: Path) -> None:
    await store.register_asset(asset("EUR"))
    before = sorted(path for path in tmp_path.rglob("*") if path.name != "LOCK")
    assert await store.accounts("nowhere") == []
    assert await store.trial_balance("nowhere") == []
    assert await store.read_events("nowhere") == []
    assert await store.book("nowhere") is None
    assert await store.by_key("nowhere", "k") is None
    assert await store.transaction(txid(1), "nowhere") is None
    assert await store.account(account("cash", "nowhere")) is None
    with pytest.raises(UnknownAccount):
        await store.balance(account("cash", "nowhere"))
    with pytest.raises(UnknownAccount):
        await store.commit(transfer("cash", "bank", 1, book="nowhere"))
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "LOCK") == before
    assert await store.books() == []
