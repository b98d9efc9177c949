"""The chart of accounts as a list one moves in: folded, filtered, flat or as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, cast

from store import AccountId, Direction

from ..formatting import format_amount, format_amount_plain, printable
from .chart import Chart, Node, View, shown_totals, visible_nodes
from .keys import bindings_for
from .register import money
from .shell import Shell
from .virtual_table import Cell, Column, Row, VirtualTable

COLUMNS = (
    Column("account", "account", min_width=14, max_width=400, flex=1, want=30),
    Column("kind", "kind", min_width=6, max_width=9, drop=5),
    Column(
        "balance",
        "balance",
        align="right",
        min_width=8,
        max_width=46,
        number=True,
        want=17,
        copied=True,
    ),
    Column("asset", "", min_width=3, max_width=14),
    Column("headroom", "headroom", align="right", min_width=8, max_width=46, drop=3, number=True, want=17),
)


class _Rows(Sequence[Row]):
    """Rows made when they are asked for, so that a large chart opens at once."""

    def __init__(self, tree: AccountTree, nodes: list[Node]) -> None:
        self.tree, self.nodes = tree, nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, at: int | slice) -> Row | list[Row]:  # type: ignore[override]
        if isinstance(at, slice):
            return [self.tree.cells(node) for node in self.nodes[at]]
        return self.tree.cells(self.nodes[at])


class AccountTree(VirtualTable):
    """Rows are nodes of a chart. `natural` shows each account positive on its normal side."""

    BINDINGS: ClassVar = bindings_for("account_tree")

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, id=id, empty="No accounts.", follow=False)
        self.chart = Chart()
        self.view = View()
        self.natural = False
        self.book = ""
        self.nodes: list[Node] = []
        self._missed: tuple[str, str | None] | None = None
        """The account that the cursor was on and the chart no longer has, and where the cursor is meanwhile."""

    # What is shown

    def show(self, book: str, chart: Chart) -> None:
        """Show a chart; the cursor stays on its account, and comes back to one that only the past did not have."""
        here = self.path_under_cursor() if book == self.book else None
        if book == self.book and self._missed is not None and here == self._missed[1]:
            here = self._missed[0]
        self.book, self.chart = book, chart
        bounded = any(node.info is not None and node.info.config.min_balance for node in chart.nodes.values())
        columns = [column for column in COLUMNS if bounded or column.id != "headroom"]
        if columns != self.columns:
            self.set_columns(columns)
        self.export_name = f"{book}-accounts"
        self._show_again(here)
        there = self.path_under_cursor()
        self._missed = (here, there) if here is not None and here != there else None

    def look(self, view: View) -> None:
        """Look at the same chart in another way; with a filter, at an account that meets it."""
        here = self.path_under_cursor()
        self.view = view
        wanted = view.wanted.casefold()
        if wanted and wanted not in (here or "").casefold():
            found = (node for node in visible_nodes(self.chart, view) if wanted in node.path.casefold())
            here = next((node.path for node in found if node.info is not None), here)
        self._show_again(here)

    def _show_again(self, here: str | None) -> None:
        self.nodes = visible_nodes(self.chart, self.view)
        places = {node.path: place for place, node in enumerate(self.nodes)}
        cursor: int | None = 0 if here is None else None
        while here is not None and cursor is None:
            cursor = places.get(here)
            here = here.rpartition(":")[0] if ":" in here else None
        before = self.cursor
        self.set_rows(_Rows(self, self.nodes), cursor=0 if cursor is None else cursor)
        if self.cursor == before:
            self.post_message(self.Highlighted(self, self.cursor))

    def cells(self, node: Node) -> Row:
        shell = cast(Shell, self.app)
        flat = self.view.flat
        if flat:
            label = printable(node.path, 600)
        else:
            sign = " " if not node.children else "▸" if self.is_folded(node) else "▾"
            label = f"{'  ' * node.depth}{sign} {printable(node.name, 600) or '(empty)'}"
        kind = _kind(node)
        told_above = not flat and node.parent is not None and _kind(node.parent) == kind
        totals = shown_totals(node, self.chart.main_asset, flat=flat)
        balance: Cell | str = ""
        asset: Cell | str = ""
        if totals:
            asset_id, minor = totals[0]
            wrong = self._side(node) is not None and self._effective(node, minor) < 0
            side = Direction.DEBIT if minor > 0 else Direction.CREDIT
            balance = money(
                self.as_shown(node, minor), shell.precision(asset_id), wrong_side=side if wrong else None
            )
            more = f" +{len(totals) - 1}" if len(totals) > 1 else ""
            asset = Cell(printable(asset_id, 40) + more, "dim", asset_id + more)
        is_heading = node.depth == 0 and node.children and not flat
        tone = "strong" if is_heading else "" if node.info is not None else "dim"
        row = [Cell(label, tone, node.path), Cell("" if told_above else kind, "dim", kind), balance, asset]
        return [*row, self._headroom(node)][: len(self.columns)]

    def as_shown(self, node: Node, minor: int) -> int:
        """A debit-positive figure with the sign in which this node is shown."""
        return self._effective(node, minor) if self.natural else minor

    def sign(self, node: Node) -> int:
        """-1 where this node's debit-positive figures are shown negated."""
        return self.as_shown(node, 1)

    def shown_asset(self, node: Node) -> str | None:
        """The asset whose balance stands in the node's row."""
        totals = shown_totals(node, self.chart.main_asset, flat=self.view.flat)
        return totals[0][0] if totals else None

    def _side(self, node: Node) -> Direction | None:
        """The side on which more of this node is more; None where its accounts differ."""
        if node.mixed or node.kind is None:
            return None
        if node.info is not None and (not node.children or self.view.flat):
            return node.info.config.normal_side
        return node.kind.normal_side

    def _effective(self, node: Node, minor: int) -> int:
        return -minor if self._side(node) is Direction.CREDIT else minor

    def _headroom(self, node: Node) -> Cell | str:
        """How far the balance stands above its minimum, where it does not tell that itself."""
        if node.info is None or node.info.config.min_balance is None:
            return ""
        room = node.info.balance.amount.minor - node.info.config.min_balance
        precision = cast(Shell, self.app).precision(node.info.definition.asset)
        text = format_amount(room, precision) if node.info.config.min_balance or room <= 0 else ""
        return Cell(text, "warning" if room <= 0 else "dim", format_amount_plain(room, precision))

    def is_folded(self, node: Node) -> bool:
        return not self.view.wanted and node.path in self.view.folded

    # Where one is

    def node_under_cursor(self) -> Node | None:
        return self.nodes[self.cursor] if 0 <= self.cursor < len(self.nodes) else None

    def path_under_cursor(self) -> str | None:
        node = self.node_under_cursor()
        return node.path if node is not None else None

    def account_under_cursor(self) -> AccountId | None:
        node = self.node_under_cursor()
        return node.info.definition.id if node is not None and node.info is not None else None

    def to_first_account(self) -> None:
        """Put the cursor on the first row that is an account, not only a path to some."""
        for place, node in enumerate(self.nodes):
            if node.info is not None:
                self.move_to(place)
                return

    def go_to(self, path: str) -> bool:
        """Put the cursor on an account, unfolding what hides it; False when there is none."""
        if path not in self.chart.nodes:
            return False
        folded = set(self.view.folded)
        up = self.chart.nodes[path].parent
        while up is not None:
            folded.discard(up.path)
            up = up.parent
        self.view = replace(self.view, folded=frozenset(folded), wanted="", hide_zero=False)
        self._show_again(path)
        return True

    # Actions

    def action_open(self) -> None:
        """Unfold what is folded, else open."""
        node = self.node_under_cursor()
        if node is not None and node.children and self.is_folded(node):
            self.action_toggle_fold()
        else:
            super().action_open()

    def action_toggle_fold(self) -> None:
        node = self.node_under_cursor()
        if node is not None and node.children and not self.view.flat:
            self.look(replace(self.view, folded=self.view.folded ^ {node.path}))

    def action_fold(self) -> None:
        """Fold the account under the cursor, or the one it is under."""
        node = self.node_under_cursor()
        if node is None or self.view.flat:
            return
        if not node.children or self.is_folded(node):
            node = node.parent
        if node is not None:
            self.view = replace(self.view, folded=self.view.folded | {node.path})
            self._show_again(node.path)

    def action_unfold(self) -> None:
        node = self.node_under_cursor()
        if node is not None and self.is_folded(node):
            self.action_toggle_fold()

    def action_fold_all(self) -> None:
        self.look(
            replace(self.view, folded=frozenset(n.path for n in self.chart.nodes.values() if n.children))
        )

    def action_unfold_all(self) -> None:
        self.look(replace(self.view, folded=frozenset()))


def _kind(node: Node) -> str:
    return "" if node.kind is None else "mixed" if node.mixed else node.kind.value
