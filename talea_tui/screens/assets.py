"""Assets: what is registered, and the form that registers more."""

from __future__ import annotations

from collections.abc import Iterator

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from store import (
    PRECISION_MAX,
    SYSTEM_BOOK,
    AlreadyExists,
    AssetClass,
    AssetDef,
    AssetRegistered,
    Commodity,
    Crypto,
    Fiat,
    InvalidDefinition,
    StoreError,
)

from ..formatting import format_amount, printable
from ..interop.currencies import known
from ..parsing import ParseError, parse_precision
from ..widgets.choice import Choice
from ..widgets.entry_field import EntryField
from ..widgets.keys import bindings_for
from ..widgets.pane_title import PaneTitle
from ..widgets.virtual_table import READING_WIDTH, Cell, Column, Row, VirtualTable
from .base import TaleaScreen
from .form import FormDialog

COLUMNS = (
    Column("id", "asset", min_width=6, max_width=40, flex=1),
    Column("class", "class", min_width=6, max_width=10),
    Column("network", "network", min_width=7, max_width=60, drop=2),
    Column("precision", "decimals", align="right", min_width=8, max_width=8),
    Column("unit", "smallest unit", align="right", min_width=13, max_width=34, drop=1),
    Column("name", "name", min_width=8, max_width=60, flex=2),
)
CLASSES = ("fiat", "crypto", "commodity")
EMPTY = "No asset is registered yet. Press {assets.register} to register one, such as USD with 2 decimals."
COMMODITY_DECIMALS = 2
"""Of what nobody knows; shares and hours come in fractions."""


def class_words(asset_class: AssetClass) -> tuple[str, str]:
    """The class in a word, and where a token lives."""
    match asset_class:
        case Fiat():
            return "fiat", ""
        case Crypto(network=network, native_id=native_id):
            return "crypto", network if native_id is None else f"{network} {native_id}"
        case Commodity():
            return "commodity", ""


class AssetsScreen(TaleaScreen):
    BINDINGS = bindings_for("assets")
    TITLE = "Assets"

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[AssetDef] = []

    def compose_body(self) -> ComposeResult:
        yield PaneTitle("Assets", id="assets-title", lit_by="assets")
        yield VirtualTable(
            COLUMNS,
            id="assets",
            empty=self.app.with_keys(EMPTY),
            follow=False,
            opens=False,
            reading_width=READING_WIDTH,
        )

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#assets", VirtualTable)

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        if changed is not None and SYSTEM_BOOK not in changed and self.shown:
            return
        self.shown = await self._registered()
        count = len(self.shown)
        self.query_one(PaneTitle).show("Assets", f"{count:,} registered")
        empty = self.app.empty_text(EMPTY) if self.app.instant is None else EMPTY.partition(".")[0] + "."
        self.table.export_name, self.table.empty = "assets", empty
        self.table.set_rows([self._row(asset) for asset in self.shown])

    async def _registered(self) -> list[AssetDef]:
        """The assets, as of the instant shown."""
        store = self.app.store
        assets = await store.assets()
        if self.app.instant is None:
            return assets
        events = await store.read_events(SYSTEM_BOOK, 1, await self.app.last_seq(SYSTEM_BOOK))
        then = {each.event.asset for each in events if isinstance(each.event, AssetRegistered)}
        return [asset for asset in assets if asset in then]

    def _row(self, asset: AssetDef) -> Row:
        word, network = class_words(asset.asset_class)
        return [
            Cell(printable(asset.id, 200), "strong", asset.id),
            word,
            Cell(printable(network, 200), "dim", network),
            str(asset.precision),
            Cell(format_amount(1, asset.precision), "dim"),
            Cell(printable(asset.name, 500), "", asset.name),
        ]

    def action_register(self) -> None:
        self.run_worker(self._register(), group="question", exclusive=True)

    async def _register(self) -> None:
        why = self.app.why_read_only("")
        if why is not None:
            self.app.refuse(why)
            return
        registered = await self.app.push_screen_wait(RegisterAssetScreen())
        if registered is not None:
            self.refresh_now()


class RegisterAssetScreen(FormDialog):
    """Answers with the asset's id, or None."""

    QUESTION = "Register an asset"
    DOES = "register it"

    def __init__(self, id: str = "") -> None:
        super().__init__()
        self.asset_id = id
        self._guessed = _guess(id)

    def fields(self) -> Iterator[tuple[str, str, Widget]]:
        guess = self._guessed
        yield "id", "asset", EntryField(self.asset_id, name="id", placeholder="USD")
        yield "class", "class", Choice(CLASSES, guess["class"])
        yield "precision", "decimals", EntryField(guess["precision"], name="precision", placeholder="0 to 30")
        yield "name", "name", EntryField(guess["name"], name="name", placeholder="empty: its id")
        network = EntryField(guess["network"], name="network", placeholder="for crypto: ethereum")
        yield "network", "network", network
        yield (
            "native",
            "token id",
            EntryField("", name="native", placeholder="for a token: its address there"),
        )

    def on_mount(self) -> None:
        if self.asset_id:
            self.set_focus(self.field("class"))

    @on(Input.Changed)
    def follow_id(self, event: Input.Changed) -> None:
        """Fill in what everyone knows of an asset, where the user has not said otherwise."""
        if event.input.name != "id":
            return
        guess = _guess(self.text("id"))
        for name, guessed in guess.items():
            widget = self.field(name)
            if isinstance(widget, EntryField) and widget.value == self._guessed[name]:
                widget.put(guessed)
            elif isinstance(widget, Choice) and widget.value == self._guessed[name]:
                widget.value = guessed
        self._guessed = guess

    def about(self) -> str:
        try:
            precision = parse_precision(self.text("precision"))
        except ParseError:
            return f"Decimals are 0 to {PRECISION_MAX}, and fixed for ever."
        return f"The smallest unit is {format_amount(1, precision)}; decimals are fixed for ever."

    async def submit(self) -> None:
        if not self.text("id"):
            self.refuse("id", "An asset needs an id, such as USD.")
            return
        try:
            precision = parse_precision(self.text("precision"))
        except ParseError as refusal:
            self.refuse("precision", str(refusal))
            return
        word, asset_class = self.text("class"), Fiat()
        chosen: AssetClass = asset_class
        if word == "crypto":
            if not self.text("network"):
                self.refuse("network", "A crypto asset lives on a network: name it, such as ethereum.")
                return
            chosen = Crypto(network=self.text("network"), native_id=self.text("native") or None)
        elif word == "commodity":
            chosen = Commodity()
        id = self.text("id")
        asset = AssetDef(id=id, asset_class=chosen, precision=precision, name=self.text("name") or id)
        try:
            await self.app.store.register_asset(asset)
        except AlreadyExists:
            self.refuse(
                "id", f"{printable(id, 40)} is registered already, with another class, decimals or name."
            )
        except (InvalidDefinition, StoreError) as refusal:
            self.refuse("id", str(refusal))
        else:
            self.app.assets[id] = asset
            self.app.tell_done(f"Registered {printable(id, 40)} with {precision} decimals.")
            if not self.is_closed:
                self.dismiss(id)


def _guess(id: str) -> dict[str, str]:
    """What the fields of the form are to be for an id, by their names."""
    of = known(id.upper())
    word, network = class_words(of.asset_class)
    if isinstance(of.asset_class, Crypto):
        network = of.asset_class.network
    if not id or isinstance(of.asset_class, Commodity):
        word = "commodity" if len(id) > 3 else "fiat"
        return {"class": word, "precision": str(COMMODITY_DECIMALS), "name": "", "network": ""}
    return {"class": word, "precision": str(of.precision), "name": of.name, "network": network}
