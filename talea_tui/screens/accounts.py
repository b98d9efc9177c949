"""The chart of accounts with its balances, and the register of the account under the cursor."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Input

from store import AccountId, AccountInfo, StoreClosed, StoreError

from ..formatting import format_amount, format_count, plural, printable
from ..widgets.account_tree import AccountTree
from ..widgets.chart import accounts_under, build_chart, shown_totals
from ..widgets.keys import bindings_for
from ..widgets.merged_register import BRANCH_COLUMNS, MOST_ROWS, BranchSource, branch_rows
from ..widgets.pane_title import PaneTitle
from ..widgets.register import Register, span
from ..widgets.row_detail import RowDetail
from ..widgets.typed_line import TypedLine
from ..widgets.virtual_table import VirtualTable
from .ask import go_to_day
from .base import TaleaScreen

EMPTY = "This ledger is empty. Press {accounts.open_account} to open a first account in a first book."


class FilterLine(TypedLine):
    """Where a filter is typed; down and enter go to the list it filters."""

    BINDINGS = bindings_for("filter")
    ESCAPES = "drop filter"


class AccountsScreen(TaleaScreen):
    SHOWS_BOOK = True
    BINDINGS = bindings_for("accounts")
    TITLE = "Accounts"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (80, "-normal"), (110, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#tree, #register"  # the register where it stands alone

    def __init__(self) -> None:
        super().__init__()
        self._shown_book: str | None = None
        self._account_due = False
        self._account_busy = False
        self._branch: tuple[tuple[object, ...], BranchSource] | None = None

    def compose_body(self) -> ComposeResult:
        with Container(id="accounts"):
            with Vertical(id="chart-pane"):
                yield PaneTitle("Accounts", id="chart-title", lit_by="tree")
                yield FilterLine(id="filter", placeholder="filter accounts")
                yield AccountTree(id="tree")
                yield RowDetail(id="chart-detail")
            with Vertical(id="register-pane"):
                yield PaneTitle("Register", id="register-title", lit_by="register")
                yield Register(id="register")

    def on_mount(self) -> None:
        layout = self.app.settings.layout
        self.tree_view.view = replace(
            self.tree_view.view, flat=bool(layout.get("flat")), hide_zero=bool(layout.get("hide_zero"))
        )
        self.query_one("#filter").display = False
        if self.app.book is not None:  # else the chart tells how to begin
            self._show_alone(bool(layout.get("register_alone")))

    @property
    def tree_view(self) -> AccountTree:
        return self.query_one("#tree", AccountTree)

    @property
    def register(self) -> Register:
        return self.query_one("#register", Register)

    @property
    def filter_line(self) -> FilterLine:
        return self.query_one("#filter", FilterLine)

    def crumbs(self) -> list[str]:
        book = self.app.book
        path = self.tree_view.path_under_cursor() if self.is_mounted and self.register.has_focus else None
        return [*([book] if book is not None else []), path or "Accounts"]

    # Data

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        book = self.app.book
        if book is None:
            self._show_titles()
            self.tree_view.refresh()
            return
        if changed is not None and book not in changed:
            return
        if changed is not None and self.put_off(changed):
            await self._show_account()
            return
        began = time.monotonic()
        infos = await self.app.accounts(book)
        chart = await build_chart(infos)
        self.rest_after(began)
        tree = self.tree_view
        fresh = book != self._shown_book
        if fresh:
            self._shown_book = book
            self.filter_line.value = ""
            self.filter_line.display = self.filter_line.has_focus
            tree.view = replace(tree.view, wanted="", folded=self._folded_at_first(chart.nodes))
        tree.natural = self.app.natural_signs
        tree.show(book, chart)
        if fresh:
            tree.to_first_account()
        self._show_titles()
        await self._show_account()

    def _folded_at_first(self, nodes: dict[str, Any]) -> frozenset[str]:
        """A large chart opens folded to its first two levels."""
        if len(nodes) <= 60:
            return frozenset()
        return frozenset(path for path, node in nodes.items() if node.children and node.depth >= 1)

    async def _show_account(self) -> None:
        """Show the register of the account under the cursor, as of the instant shown."""
        account = self.tree_view.account_under_cursor()
        if account is None:
            await self._show_branch()
            return
        info = await self.app.store.account(account, self.app.as_of(account.book))
        if account == self.tree_view.account_under_cursor():
            self.register.show(info, natural=self.app.natural_signs)
            self._show_titles(info)

    async def _show_branch(self) -> None:
        """Show the postings of every account under a path that is none itself, in its main asset."""
        tree, book = self.tree_view, self.app.book
        node = tree.node_under_cursor()
        asset = tree.shown_asset(node) if node is not None else None
        if node is None or asset is None or book is None:
            self.register.empty = ""
            self.register.show(None, natural=self.app.natural_signs)
            return
        infos = [info for info in accounts_under(node) if info.definition.asset == asset]
        if branch_rows(infos) > MOST_ROWS:
            self.register.empty = (
                f"{format_count(branch_rows(infos))} postings are too many to merge; open an account."
            )
            self.register.show(None, natural=self.app.natural_signs)
            self._show_titles()
            return
        key = (
            book,
            node.path,
            tree.sign(node),
            self.app.instant,
            tuple(info.definition.id for info in infos),
        )
        if self._branch is None or self._branch[0] != key:
            self._branch = key, BranchSource(self.app, infos, sign=tree.sign(node))
        source = self._branch[1]
        count = await source.take(infos)
        if tree.node_under_cursor() is node:
            self.register.show_branch(node.path, book, source, count, BRANCH_COLUMNS)
            self._show_titles()

    def _account_soon(self) -> None:
        """Show the register of where the cursor came to; while one is being fetched, of where it came to
        last.
        """
        self._account_due = True
        if not self._account_busy:
            self._account_busy = True
            self.run_worker(self._show_accounts_due(), group="refresh")

    async def _show_accounts_due(self) -> None:
        try:
            while self._account_due:
                self._account_due = False
                await self._show_account()
        except StoreClosed:
            return
        except StoreError as error:
            self.app.refuse(error)
        finally:
            self._account_busy = False

    def _show_titles(self, info: AccountInfo | None = None) -> None:
        tree = self.tree_view
        tree.empty = self._nothing()
        parts = [plural(tree.chart.accounts, "account"), "flat" if tree.view.flat else "tree"]
        if tree.view.hide_zero:
            parts.append("zeros hidden")
        if tree.view.wanted:
            parts.append(f"filter “{tree.view.wanted}”")
        self.query_one("#chart-title", PaneTitle).show("Accounts", " · ".join(parts))
        self._show_detail()
        title = self.query_one("#register-title", PaneTitle)
        node = tree.node_under_cursor()
        info = info or self.register.info
        if node is None or node.info is None or info is None:
            if node is None:
                title.show("Register")
            else:
                asset = tree.shown_asset(node)
                accounts = sum(one.definition.asset == asset for one in accounts_under(node))
                words = f"{node.path} · {asset} · {plural(accounts, 'account')}"
                title.show(words, span(self.register) if self.register.count else "")
            return
        definition = info.definition
        title.show(
            f"{definition.id.path} · {definition.asset} · {definition.kind.value}",
            span(self.register),
        )

    def _nothing(self) -> str:
        """What is said where no account is to be seen."""
        view = self.tree_view.view
        if self.app.book is None:
            return self.app.empty_text(EMPTY)
        told = f"No account's path holds “{printable(view.wanted, 60)}”." if view.wanted else "No accounts."
        if view.hide_zero and self.tree_view.chart.accounts:
            told += self.app.with_keys(
                " Those that stand at zero are hidden: {accounts.hide_zero} shows them."
            )
        return told

    def _show_detail(self) -> None:
        """What one line of the tree cannot hold of the account under the cursor: every asset, whole figures."""
        tree = self.tree_view
        node = tree.node_under_cursor()
        totals = shown_totals(node, tree.chart.main_asset, flat=tree.view.flat) if node is not None else []
        cut = tree.cut_columns(tree.cursor)
        told: list[str] = []
        if node is not None and "account" in cut:
            told.append(printable(node.path, 600))
        if node is not None and (len(totals) > 1 or "balance" in cut):
            told += [
                format_amount(tree.as_shown(node, minor), self.app.precision(asset))
                + f" {printable(asset, 40)}"
                for asset, minor in totals
            ]
        self.query_one("#chart-detail", RowDetail).show(" · ".join(told))

    # What the user does

    @on(VirtualTable.Highlighted, "#tree")
    def show_register(self) -> None:
        if self.app.is_open:
            self._show_titles()
            self._account_soon()
        self.refresh_chrome()

    @on(VirtualTable.Scrolled, "#tree")
    def room_changed(self) -> None:
        self._show_detail()

    @on(VirtualTable.Highlighted, "#register")
    @on(VirtualTable.Scrolled, "#register")
    def show_span(self) -> None:
        self._show_titles()

    @on(VirtualTable.Opened, "#tree")
    def enter_register(self) -> None:
        self.set_focus(self.register)

    @on(VirtualTable.Opened, "#register")
    async def open_row(self) -> None:
        seq = self.register.seq_under_cursor()
        if seq is not None and self.register.book is not None:
            await self.app.open_transaction(self.register.book, seq)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.refresh_chrome()

    @on(Input.Changed, "#filter")
    def filter_tree(self, event: Input.Changed) -> None:
        self.tree_view.look(replace(self.tree_view.view, wanted=event.value.strip()))
        self._show_titles()

    def on_descendant_blur(self) -> None:
        if not self.filter_line.value and self.focused not in (None, self.filter_line):
            self.filter_line.display = False

    def go_back(self) -> bool:
        """From the register to the tree; then the filter goes."""
        if self.has_class("-alone"):
            self.action_wide()
        if self.filter_line.has_focus or (self.tree_view.has_focus and self.filter_line.value):
            self.filter_line.value = ""
            self.filter_line.display = False
            self.set_focus(self.tree_view)
            return True
        if not self.tree_view.has_focus:
            self.set_focus(self.tree_view)
            return True
        return False

    async def arrive(self, **arrival: Any) -> None:
        """`book` shows its chart; `account` puts the cursor on that account and the focus into its register."""
        book, account = arrival.get("book"), arrival.get("account")
        if isinstance(book, str):
            self.app.choose_book(book)
        if isinstance(account, AccountId):
            self.app.choose_book(account.book)
            await self.refresh_data(None)
            if self.tree_view.go_to(account.path):
                await self._show_account()
                self.set_focus(self.register)

    def action_filter(self) -> None:
        self._show_alone(False)  # what is filtered is to be seen
        self.filter_line.display = True
        self.set_focus(self.filter_line)

    def action_leave_filter(self) -> None:
        self.filter_line.display = bool(self.filter_line.value)
        self.set_focus(self.tree_view)

    def action_toggle_flat(self) -> None:
        view = self.tree_view.view
        self.app.settings.layout["flat"] = not view.flat
        self.tree_view.look(replace(view, flat=not view.flat))
        self._show_titles()

    def action_toggle_zero(self) -> None:
        view = self.tree_view.view
        self.app.settings.layout["hide_zero"] = not view.hide_zero
        self.tree_view.look(replace(view, hide_zero=not view.hide_zero))
        self._show_titles()

    def action_wide(self) -> None:
        """The register alone, or both panes again."""
        alone = not self.has_class("-alone")
        self._show_alone(alone)
        self.set_focus(self.register if alone else self.tree_view)

    def _show_alone(self, alone: bool) -> None:
        self.app.settings.layout["register_alone"] = alone
        self.set_class(alone, "-alone")
        self.query_one("#chart-pane").disabled = alone  # what is not to be seen takes no keys

    async def action_open_account(self) -> None:
        path = self.tree_view.path_under_cursor()
        await self.app.open_account_form(path=f"{path}:" if path else "", new_book=self.app.book is None)


class RegisterScreen(TaleaScreen):
    """One account's register alone, over the screen that asked for it."""

    TITLE = "Register"

    def __init__(self, account: AccountId, day: date | None = None) -> None:
        super().__init__()
        self.account = account
        self._day = day

    def compose_body(self) -> ComposeResult:
        with Vertical(id="register-pane"):
            yield PaneTitle(self.account.path, id="register-title", lit_by="register")
            yield Register(id="register")

    @property
    def register(self) -> Register:
        return self.query_one("#register", Register)

    @property
    def book_shown(self) -> str | None:
        return self.account.book

    def crumbs(self) -> list[str]:
        return [self.account.book, self.account.path]

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        if changed is not None and self.account.book not in changed:
            return
        info = await self.app.store.account(self.account, self.app.as_of(self.account.book))
        if info is not None and info.opened_seq > await self.app.last_seq(self.account.book):
            self.register.empty = self.app.later_text(info.opened_seq)
            info = None
        self.register.show(info, natural=self.app.natural_signs)
        self._show_title()
        if self._day is not None:
            day, self._day = self._day, None
            self.run_worker(go_to_day(self.app, self.register, day), group="question", exclusive=True)

    def _show_title(self) -> None:
        info = self.register.info
        if info is None:
            self.query_one("#register-title", PaneTitle).show(f"{self.account.path} is not open yet")
            return
        words = f"{self.account.path} · {info.definition.asset} · {info.definition.kind.value}"
        self.query_one("#register-title", PaneTitle).show(words, span(self.register))

    @on(VirtualTable.Highlighted)
    @on(VirtualTable.Scrolled)
    def show_span(self) -> None:
        self._show_title()

    @on(VirtualTable.Opened)
    async def open_row(self) -> None:
        seq = self.register.seq_under_cursor()
        if seq is not None:
            await self.app.open_transaction(self.account.book, seq)
