"""Opening an account: in a book, for an asset, of a kind; the first one of a book begins it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from store import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AlreadyExists,
    Direction,
    InvalidBook,
    InvalidDefinition,
    StoreError,
    UnknownAsset,
)

from ..formatting import format_amount, printable
from ..parsing import ParseError, parse_amount
from ..posting.editing import guess_asset, guess_kind
from ..widgets.choice import Choice
from ..widgets.entry_field import EntryField
from .form import FormDialog

KINDS = tuple(kind.value for kind in AccountKind)
SIDES = ("usual", "debit", "credit")


class OpenAccountScreen(FormDialog):
    """Answers with the AccountId, or None. `form_assets` are the assets of the entry that asks, likeliest
    first.
    """

    QUESTION = "Open an account"
    DOES = "open the account"

    def __init__(self, path: str = "", *, new_book: bool = False, form_assets: Sequence[str] = ()) -> None:
        super().__init__()
        self.path, self.new_book, self.form_assets = path, new_book, list(form_assets)
        self.kin: dict[str, str] = {}
        self._kind_touched = self._asset_touched = False

    @property
    def question(self) -> str:
        return "Begin a book by opening its first account" if self.new_book else self.QUESTION

    def fields(self) -> Iterator[tuple[str, str, Widget]]:
        book = "" if self.new_book else (self.app.book or "")
        if self.new_book or not book:
            yield "book", "book", EntryField(book, name="book", placeholder="my-books")
        path = EntryField(self.path, name="path", placeholder="Assets:Checking")
        path.select_on_focus = False  # what is there is the beginning of what is typed
        yield "path", "account", path
        yield "asset", "asset", EntryField(self._likely_asset(self.path), name="asset", placeholder="USD")
        yield "kind", "kind", Choice(KINDS, guess_kind(self.path).value)
        yield "side", "normal side", Choice(SIDES, SIDES[0])
        yield "minimum", "minimum", EntryField("", name="minimum", placeholder="none (0: never overdrawn)")

    def on_mount(self) -> None:
        if self.path and not self.path.endswith(":") and not self.new_book:
            self.set_focus(self.field("asset"))
        self.call_later(self._learn_kin)

    async def _learn_kin(self) -> None:
        book = self.book
        if book:
            try:
                infos = await self.app.store.accounts(book)
            except StoreError:
                infos = []
            self.kin = {info.definition.id.path: info.definition.asset for info in infos}
            self._guess()

    @property
    def book(self) -> str:
        return self.text("book") if "book" in self._names else (self.app.book or "")

    def _likely_asset(self, path: str) -> str:
        return guess_asset(path, self.kin, sorted(self.app.assets), self.form_assets) or ""

    def _guess(self) -> None:
        """Follow the name with kind and asset until the user has set them."""
        kind, asset = self.query_one("#form-kind", Choice), self.query_one("#form-asset", EntryField)
        if not self._kind_touched:
            kind.value = guess_kind(self.text("path")).value
        if not self._asset_touched:
            asset.put(self._likely_asset(self.text("path")))
        self.show_about()

    @on(Input.Changed)
    def follow_name(self, event: Input.Changed) -> None:
        if event.input.name == "path":
            self._guess()
        elif event.input.name == "asset" and self.text("asset") != self._likely_asset(self.text("path")):
            self._asset_touched = True

    @on(Choice.Changed)
    def keep_kind(self, event: Choice.Changed) -> None:
        if event.choice.id == "form-kind" and event.choice.value != guess_kind(self.text("path")).value:
            self._kind_touched = True

    def about(self) -> str:
        asset = self.app.assets.get(self.text("asset"))
        if asset is None:
            known = ", ".join(sorted(self.app.assets)[:8])
            if not known:
                return "No asset is registered yet: the one you name is registered when this is done."
            return f"Registered assets: {known}. Another one is registered when this is done."
        kind = AccountKind(self.text("kind"))
        usual = kind.normal_side.value if kind.normal_side is not None else "none"
        unit = format_amount(1, asset.precision) if asset.precision else "1"
        name = asset.name or asset.id
        return f"{asset.id}: {name}, smallest unit {unit}. Usual side of {kind.value}: {usual}."

    async def submit(self) -> None:
        if not self.app.may_write(self.book if self.book in self.app.books else ""):
            return
        if not self.text("path"):
            self.refuse("path", "An account needs a name, such as Assets:Checking.")
            return
        asset = self.text("asset")
        known = self.app.assets.get(asset) or await self.app.store.asset(asset)
        if self.is_closed:
            return
        if known is None:
            self._register(asset)
            return
        side = self.text("side")
        minimum: int | None = None
        if self.text("minimum"):
            try:
                minimum = parse_amount(self.text("minimum"), known.precision)
            except ParseError as refusal:
                self.refuse("minimum", str(refusal))
                return
        account = AccountId(book=self.book, path=self.text("path"))
        definition = AccountDef(id=account, asset=asset, kind=AccountKind(self.text("kind")))
        config = AccountCfg(normal_side=None if side == SIDES[0] else Direction(side), min_balance=minimum)
        try:
            await self.app.store.open_account(definition, config)
        except InvalidBook as refusal:
            self.refuse("book" if "book" in self._names else "path", str(refusal))
        except UnknownAsset as refusal:
            self.refuse("asset", str(refusal))
        except AlreadyExists:
            self.refuse("path", "This account is open already, with another asset, kind, side or minimum.")
        except (InvalidDefinition, StoreError) as refusal:
            self.refuse("path", str(refusal))
        else:
            if self.is_closed:
                self.app.tell_done(f"Opened {printable(account.path, 60)} in {printable(account.book, 40)}.")
                return
            self.dismiss(account)
            if account.book != self.app.book:
                self.app.choose_book(account.book)

    def _register(self, asset: str) -> None:
        self.run_worker(self._register_first(asset), group="question", exclusive=True)

    async def _register_first(self, asset: str) -> None:
        from .assets import RegisterAssetScreen

        registered = await self.app.push_screen_wait(RegisterAssetScreen(asset))
        if registered is None:
            self.refuse("asset", f"“{printable(asset, 40)}” is not registered; register it or name another.")
            return
        self.query_one("#form-asset", EntryField).put(registered)
        self._asset_touched = True
        await self.submit()
