"""The chart of accounts as a tree by `:`, balances rolled up per asset. Pure.

Balances are summed debit-positive, so that parents may mix kinds and the whole chart sums to zero.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from store import AccountInfo, AccountKind, Direction

_ACCOUNTS_AT_A_TIME = 1_000


@dataclass(slots=True)
class Node:
    """An account, or a path that only has accounts under it (`info` None).

    `totals` are debit-positive minor units by asset, its own and those below; `kind` is None where they
    differ.
    """

    path: str
    name: str
    depth: int
    parent: Node | None
    info: AccountInfo | None = None
    children: list[Node] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    kind: AccountKind | None = None
    mixed: bool = False


@dataclass(slots=True)
class Chart:
    """`main_asset` is the one most accounts hold: the one to show where there is room for one."""

    nodes: dict[str, Node] = field(default_factory=dict)
    roots: list[Node] = field(default_factory=list)
    main_asset: str | None = None
    accounts: int = 0


def debit_positive(info: AccountInfo) -> int:
    """The balance in minor units, debits positive, whatever the account's side."""
    return info.balance.amount.minor * shown_sign(info, natural=False)


def shown_sign(info: AccountInfo, *, natural: bool) -> int:
    """-1 where the account's balance is shown negated, so that debits are positive; 1 for all when `natural`."""
    return -1 if reads_negative(info) and not natural else 1


def reads_negative(info: AccountInfo) -> bool:
    """Whether more on its normal side makes the debit-positive balance smaller."""
    return info.config.normal_side is Direction.CREDIT


async def build_chart(infos: Sequence[AccountInfo]) -> Chart:
    """Made in slices, so that a hundred thousand accounts do not hold the loop."""
    chart = Chart(accounts=len(infos))
    nodes = chart.nodes
    for place, info in enumerate(infos):
        if place % _ACCOUNTS_AT_A_TIME == _ACCOUNTS_AT_A_TIME - 1:
            await asyncio.sleep(0)
        node = _node(chart, info.definition.id.path)
        node.info = info
        node.totals[info.definition.asset] = debit_positive(info)
        node.kind = info.definition.kind
    for place, node in enumerate(sorted(nodes.values(), key=lambda node: -node.depth)):
        if place % _ACCOUNTS_AT_A_TIME == _ACCOUNTS_AT_A_TIME - 1:
            await asyncio.sleep(0)
        parent = node.parent
        if parent is None:
            continue
        for asset, minor in node.totals.items():
            parent.totals[asset] = parent.totals.get(asset, 0) + minor
        if node.mixed or (parent.kind is not None and node.kind is not parent.kind):
            parent.mixed = True
        elif parent.kind is None:
            parent.kind = node.kind
    held = Counter(info.definition.asset for info in infos)
    chart.main_asset = max(held, key=lambda asset: (held[asset], asset), default=None)
    return chart


def _node(chart: Chart, path: str) -> Node:
    found = chart.nodes.get(path)
    if found is not None:
        return found
    parent: Node | None = None
    segments = path.split(":")
    for depth, name in enumerate(segments):
        here = ":".join(segments[: depth + 1])
        node = chart.nodes.get(here)
        if node is None:
            node = Node(path=here, name=name, depth=depth, parent=parent)
            chart.nodes[here] = node
            (parent.children if parent is not None else chart.roots).append(node)
        parent = node
    assert parent is not None
    return parent


def accounts_under(node: Node) -> list[AccountInfo]:
    """The accounts of a branch, its own first."""
    found: list[AccountInfo] = []
    pending = [node]
    while pending:
        one = pending.pop()
        if one.info is not None:
            found.append(one.info)
        pending.extend(reversed(one.children))
    return found


@dataclass(frozen=True, slots=True)
class View:
    """How a chart is looked at. `wanted` is text that shown paths hold, whatever its case."""

    flat: bool = False
    hide_zero: bool = False
    wanted: str = ""
    folded: Set[str] = frozenset()


def visible_nodes(chart: Chart, view: View) -> list[Node]:
    """The nodes to show, in order. A filter unfolds what it finds."""
    wanted = view.wanted.casefold()
    if view.flat:
        return [
            node
            for node in sorted(chart.nodes.values(), key=lambda node: node.path)
            if node.info is not None and _is_shown(node, view, wanted)
        ]
    kept: set[str] | None = None
    if wanted or view.hide_zero:
        kept = set()
        for node in chart.nodes.values():
            if node.info is None or not _is_shown(node, view, wanted):
                continue
            up: Node | None = node
            while up is not None and up.path not in kept:
                kept.add(up.path)
                up = up.parent
    shown: list[Node] = []
    pending = list(reversed(chart.roots))
    while pending:
        node = pending.pop()
        if kept is not None and node.path not in kept:
            continue
        shown.append(node)
        if wanted or node.path not in view.folded:
            pending.extend(reversed(node.children))
    return shown


def _is_shown(node: Node, view: View, wanted: str) -> bool:
    if wanted and wanted not in node.path.casefold():
        return False
    if not view.hide_zero:
        return True
    return node.info is not None and node.info.balance.amount.minor != 0


def shown_totals(node: Node, main_asset: str | None, *, flat: bool = False) -> list[tuple[str, int]]:
    """(asset, debit-positive minor units), an account's own asset first, then the main one; zeros only when there is
    nothing else.
    """
    totals, own = node.totals, None
    if node.info is not None:
        own = node.info.definition.asset
        if flat:
            totals = {own: debit_positive(node.info)}
    ordered = sorted(totals.items(), key=lambda item: (item[0] != own, item[0] != main_asset, item[0]))
    held = [item for item in ordered if item[1]]
    return held or ordered[:1]
