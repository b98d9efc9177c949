"""The chart of accounts: rolled-up balances, signs, folding, filters."""

from __future__ import annotations

import random

import pytest
from textual.widgets import Input

from store import AccountCfg, AccountInfo, AccountKind, BalanceSnapshot, Direction
from store import Amount as Money
from talea_tui.settings import Settings
from talea_tui.widgets.account_tree import AccountTree
from talea_tui.widgets.chart import View, build_chart, shown_totals, visible_nodes
from tests.support.build import BOOK, account, asset, definition, household, open_accounts, posted, transfer
from tests.support.build import credit as credited
from tests.support.build import debit as debited
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, keys, screen_text, settle, until

K = AccountKind


def info(
    path: str, minor: int, kind: AccountKind = K.ASSET, held: str = "EUR", side: Direction | None = None
):
    """An account whose effective balance is `minor`."""
    return AccountInfo(
        definition=definition(path, kind, held),
        config=AccountCfg(normal_side=side or kind.normal_side),
        balance=BalanceSnapshot(amount=Money(minor=minor, asset=held), updated_seq=1),
        postings=1,
        debits=0,
        credits=0,
    )


async def test_parents_sum_their_accounts_per_asset_debit_positive():
    chart = await build_chart(
        [
            info("assets:bank", 100),
            info("assets:bank:sub", 20),
            info("assets:card", 30, K.LIABILITY),
            info("assets:usd", 7, held="USD"),
            info("income:fees", 55, K.INCOME),
        ]
    )
    assert chart.nodes["assets"].totals == {"EUR": 100 + 20 - 30, "USD": 7}
    assert chart.nodes["assets:bank"].totals == {"EUR": 120}
    assert chart.nodes["income"].totals == {"EUR": -55}
    assert chart.nodes["assets"].mixed
    assert chart.nodes["income"].kind is K.INCOME
    assert chart.main_asset == "EUR"


async def test_a_contra_account_counts_on_its_own_side():
    chart = await build_chart(
        [info("assets:van", 900), info("assets:depreciation", 200, side=Direction.CREDIT)]
    )
    assert chart.nodes["assets"].totals == {"EUR": 700}


async def test_the_main_asset_comes_first_and_zeros_only_when_alone():
    chart = await build_chart(
        [
            info("a:x", 5, held="USD"),
            info("a:y", 1),
            info("a:z", 2),
            info("b:x", 0),
            info("b:y", 3, held="USD"),
        ]
    )
    assert shown_totals(chart.nodes["a"], chart.main_asset) == [("EUR", 3), ("USD", 5)]
    assert shown_totals(chart.nodes["b"], chart.main_asset) == [("USD", 3)]
    assert shown_totals(chart.nodes["b:x"], chart.main_asset) == [("EUR", 0)]


async def test_an_account_shows_its_own_asset_before_those_below_it():
    chart = await build_chart(
        [
            info("a", 5, held="ETH"),
            info("a:x", 1, held="BTC"),
            info("b", 7, held="USD"),
            info("b:y", 2),
            info("b:z", 2),
        ]
    )
    assert shown_totals(chart.nodes["a"], chart.main_asset) == [("ETH", 5), ("BTC", 1)]
    assert shown_totals(chart.nodes["b"], chart.main_asset) == [("USD", 7), ("EUR", 4)]
    assert shown_totals(chart.nodes["b"], chart.main_asset, flat=True) == [("USD", 7)]


async def test_odd_paths_make_nodes_of_their_own():
    paths = ["a", "a:", ":", "::a", "a:b", "a b:c", "A:b", "[/]:x"]
    chart = await build_chart([info(path, 1) for path in paths])
    assert [chart.nodes[path].info is not None for path in paths] == [True] * len(paths)
    assert {node.path for node in visible_nodes(chart, View(flat=True))} == set(paths)


async def test_folded_filtered_and_zero_accounts_are_out_of_sight():
    chart = await build_chart([info("a:b:c", 1), info("a:b:d", 0), info("a:e", 2), info("f", 0)])

    def paths(**view: object) -> list[str]:
        return [node.path for node in visible_nodes(chart, View(**view))]  # type: ignore[arg-type]

    assert paths() == ["a", "a:b", "a:b:c", "a:b:d", "a:e", "f"]
    assert paths(folded=frozenset({"a:b"})) == ["a", "a:b", "a:e", "f"]
    assert paths(wanted="B:D") == ["a", "a:b", "a:b:d"]
    assert paths(wanted="b:d", folded=frozenset({"a"})) == ["a", "a:b", "a:b:d"]
    assert paths(hide_zero=True) == ["a", "a:b", "a:b:c", "a:e"]
    assert paths(flat=True, hide_zero=True) == ["a:b:c", "a:e"]
    assert paths(wanted="nowhere") == []


async def test_the_whole_chart_sums_to_zero_whatever_is_posted():
    store = MemoryStore()
    await household(store)
    chance = random.Random(7)
    paths = ["assets:cash", "assets:bank", "liabilities:card", "income:salary", "expenses:food", "clearing"]
    for _ in range(200):
        to, source = chance.sample(paths, 2)
        await store.commit(transfer(to, source, chance.randint(1, 10_000)))
    chart = await build_chart(await store.accounts(BOOK))
    assert sum(root.totals["EUR"] for root in chart.roots) == 0


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "income:salary", 300_000, metadata={"description": "Pay"}))
    await store.commit(
        transfer("expenses:food", "liabilities:card", 4_550, metadata={"description": "Market"})
    )
    return store


def tree_of(pilot) -> AccountTree:  # type: ignore[no-untyped-def]
    return pilot.app.screen.query_one("#tree", AccountTree)


async def test_the_tree_shows_debits_positive_and_one_key_shows_normal_sides(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        assert "−3,000.00" in screen_text(pilot.app)
        await pilot.press("i")
        await settle(pilot)
        assert "−3,000.00" not in screen_text(pilot.app)
        assert "−45.50" not in screen_text(pilot.app)


async def test_typing_a_filter_narrows_and_escape_gives_everything_back(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2", "slash", *"food")
        await settle(pilot)
        assert [node.path for node in tree_of(pilot).nodes] == ["expenses", "expenses:food"]
        await pilot.press("enter")
        assert tree_of(pilot).has_focus
        await pilot.press("escape")
        await settle(pilot)
        assert len(tree_of(pilot).nodes) > 7
        assert pilot.app.current_mode == "accounts"


async def test_a_filter_survives_a_look_at_a_transaction(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2", "slash", *"food", "enter", "down", "enter", "enter")
        await settle(pilot)
        assert "Market" in screen_text(pilot.app)
        assert type(pilot.app.screen).__name__ == "TransactionScreen"
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen.query_one("#filter", Input).value == "food"
        assert tree_of(pilot).path_under_cursor() == "expenses:food"


async def test_folding_flat_and_hiding_zeros_keep_the_cursor_on_its_account(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2")
        await settle(pilot)
        tree_of(pilot).go_to("expenses:food")
        for key in ("t", "t", "z", "z"):
            await pilot.press(key)
            await settle(pilot)
            assert tree_of(pilot).path_under_cursor() == "expenses:food"
        await pilot.press("minus")
        assert tree_of(pilot).path_under_cursor() == "expenses"
        await pilot.press("plus")
        assert "expenses:food" in {node.path for node in tree_of(pilot).nodes}
        await pilot.press("underscore")
        assert all(node.depth == 0 for node in tree_of(pilot).nodes)
        await pilot.press("asterisk")
        assert "expenses:food" in {node.path for node in tree_of(pilot).nodes}


async def test_headroom_is_what_is_left_above_the_minimum(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await open_accounts(store, {"assets:safe": K.ASSET}, min_balance=10_000)
    await store.commit(transfer("assets:safe", "equity:opening", 12_345))
    async with open_app(store, size=(100, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        line = next(line for line in screen_text(pilot.app).splitlines() if "safe" in line)
        assert "23.45" in line.split()


async def test_a_headroom_that_is_the_balance_is_not_told_again(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await open_accounts(store, {"assets:jar": K.ASSET}, min_balance=0)
    await store.commit(transfer("assets:jar", "equity:opening", 12_345))
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        assert "headroom" not in screen_text(pilot.app)
        await open_accounts(store, {"assets:safe": K.ASSET}, min_balance=10_000)
        await until(pilot, lambda: "headroom" in screen_text(pilot.app))
        row = next(
            row for row in map(tree_of(pilot).cells, tree_of(pilot).nodes) if row[0].plain == "assets:jar"
        )
        assert [cell.text for cell in row[2:]] == ["123.45", "EUR", ""]


async def test_a_kind_is_told_where_a_branch_begins_and_copied_from_every_row(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        tree = tree_of(pilot)
        kinds = {row[0].plain: row[1] for row in map(tree.cells, tree.nodes)}
        assert [kinds[path].text for path in ("assets", "assets:bank")] == ["asset", ""]
        assert kinds["assets:bank"].value == "asset"
        tree.look(View(flat=True))
        assert (
            next(row for row in map(tree.cells, tree.nodes) if row[0].plain == "assets:bank")[1].text
            == "asset"
        )


@pytest.mark.parametrize(("path", "side"), [("assets:bank", "Cr −5.00"), ("equity:opening", "Dr 5.00")])
async def test_a_balance_on_the_other_side_than_its_accounts_is_told_in_words(open_app: OpenApp, path, side):
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("equity:opening", "assets:bank", 500))
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        tree_of(pilot).go_to(path)
        await settle(pilot)
        line = next(line for line in screen_text(pilot.app).splitlines() if line.startswith("▌"))
        assert f" {side}  EUR" in line
        assert any(
            f" {side} " in f"{line} " for line in screen_text(pilot.app).splitlines() if "2026-" in line
        )


async def test_a_clearing_account_stands_on_no_wrong_side(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await store.commit(transfer("assets:bank", "clearing", 500))
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        tree_of(pilot).go_to("clearing")
        await until(pilot, lambda: "clearing · EUR" in screen_text(pilot.app))
        assert "−5.00" in screen_text(pilot.app)
        assert "Cr" not in screen_text(pilot.app)


async def test_several_assets_show_as_more_with_every_figure_below(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await store.register_asset(asset("ETH", 18))
    await open_accounts(store, {"assets:wallet": K.ASSET, "equity:eth": K.EQUITY}, asset="ETH")
    await store.commit(
        posted(debited("assets:wallet", 10**18 + 1, "ETH"), credited("equity:eth", 10**18 + 1, "ETH"))
    )
    await store.commit(transfer("assets:bank", "equity:opening", 500))
    async with open_app(store) as pilot:
        await pilot.press("2", "home")
        await settle(pilot)
        text = screen_text(pilot.app)
        assert "EUR +1" in text
        assert "5.00 EUR · 1.000000000000000001 ETH" in text


async def test_a_new_account_shows_and_the_cursor_stays(store, open_app: OpenApp):
    async with open_app(store, size=(120, 40)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        tree_of(pilot).go_to("expenses:food")
        await open_accounts(store, {"assets:aaa": K.ASSET, "expenses:zzz": K.EXPENSE})
        await until(pilot, lambda: "zzz" in screen_text(pilot.app))
        assert tree_of(pilot).path_under_cursor() == "expenses:food"


async def test_one_account_and_one_row_are_told_in_the_singular(open_app: OpenApp):
    store = MemoryStore()
    await store.register_asset(asset("EUR"))
    await open_accounts(store, {"till": K.CLEARING})
    async with open_app(store) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "1 account ·" in screen_text(pilot.app))
        await open_accounts(store, {"cash": K.ASSET})
        await store.commit(transfer("till", "cash", 100))
        await pilot.app.go("accounts", account=account("till"))
        await until(pilot, lambda: "2 accounts ·" in screen_text(pilot.app))
        await until(pilot, lambda: "1–1 of 1 row\n" in screen_text(pilot.app))


async def test_arriving_with_an_account_opens_its_register(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.app.go("accounts", account=account("liabilities:card"))
        await settle(pilot)
        assert tree_of(pilot).path_under_cursor() == "liabilities:card"
        assert "Market" in screen_text(pilot.app)


async def test_a_large_chart_opens_folded_and_its_rows_are_made_as_they_are_seen(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await open_accounts(store, {f"clients:c{number % 40}:n{number}": K.ASSET for number in range(2_000)})
    async with open_app(store) as pilot:
        await pilot.press("2")
        await settle(pilot)
        assert tree_of(pilot).count < 100
        await pilot.press("asterisk", "end")
        await settle(pilot)
        assert tree_of(pilot).count > 2_000


async def test_a_filter_of_one_book_leaves_no_line_over_another(store, open_app: OpenApp):
    await household(store, "savings")
    async with open_app(store) as pilot:
        await keys(pilot, "2", "slash", *"food", "enter")
        assert pilot.app.screen.query_one("#filter", Input).region.height
        pilot.app.choose_book("savings")
        await settle(pilot)
        assert not pilot.app.screen.query_one("#filter", Input).region.height


async def test_a_filter_leads_to_the_first_account_that_meets_it(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2", "home", "slash", *"food")
        await settle(pilot)
        assert tree_of(pilot).path_under_cursor() == "expenses:food"


async def test_a_filter_that_no_account_meets_says_so_and_not_that_nothing_was_posted(
    store, open_app: OpenApp
):
    async with open_app(store) as pilot:
        await pilot.press("2", "slash", *"zzz")
        await settle(pilot)
        assert "No account's path holds “zzz”." in screen_text(pilot.app)
        assert "postings" not in screen_text(pilot.app)
        await pilot.press("escape")
        await settle(pilot)
        assert "No account's" not in screen_text(pilot.app)


async def test_filtering_from_the_register_alone_shows_what_is_typed_and_what_it_finds(
    store, open_app: OpenApp
):
    async with open_app(store) as pilot:
        await pilot.press("2", "w", "slash", *"foo")
        await settle(pilot)
        assert "expenses" in screen_text(pilot.app)
        assert pilot.app.screen.query_one("#filter", Input).region.height


@pytest.mark.parametrize("size", [(60, 20), (120, 30)])
async def test_the_register_alone_is_remembered_and_has_the_keys_until_both_panes_are_shown_again(
    store, open_app: OpenApp, tmp_path, size
):
    path = tmp_path / "settings.json"
    async with open_app(store, size=size, settings=Settings(path, screen="accounts")) as pilot:
        await keys(pilot, "w")
        await pilot.press("q")
    again = MemoryStore()
    await household(again)
    async with open_app(again, size=size, settings=Settings.load(path)) as pilot:
        register = pilot.app.screen.query_one("#register")
        assert register.has_focus
        assert register.size.width == size[0]
        assert not tree_of(pilot).region
        await keys(pilot, "escape")
        assert tree_of(pilot).has_focus
        await pilot.press("q")
    assert not Settings.load(path).layout["register_alone"]


async def test_an_empty_ledger_tells_how_to_begin_though_the_register_was_alone_elsewhere(open_app: OpenApp):
    settings = Settings(layout={"register_alone": True})
    async with open_app(MemoryStore(), settings=settings) as pilot:
        await keys(pilot, "2")
        assert "to open a first account" in screen_text(pilot.app)
