"""The posting form: date, description and rows of account, debit and credit, read as one types.

Enter goes to whatever is still wanted and posts when nothing is; tab takes what is offered. The logic is in
`talea_tui.posting`; this screen shows it. Days are `occurred_at` at 00:00 UTC, `today` is the day where one
is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Label

from store import AccountId, AccountInfo, Committed, Direction, StoredTransaction, StoreError

from ..formatting import (
    format_amount,
    format_date,
    format_days_ago,
    format_weekday,
    fraction_cells,
    printable,
)
from ..posting.assessment import (
    DATE,
    DESCRIPTION,
    FORM,
    Assessment,
    Difference,
    Field,
    assess,
    missing_amount,
    refusal_at,
    transaction_of,
    waits_for_missing,
)
from ..posting.completion import complete_account
from ..posting.correction import duplicate_of
from ..posting.draft import Draft, Row
from ..posting.drafts import DraftShelf
from ..posting.editing import expected_side, fill_missing, next_field, prefill, take_offer, work_out
from ..posting.usage import DescriptionUse, UsageIndex, pages_back
from ..widgets.entry_field import AmountField, EntryField
from ..widgets.entry_row import EntryRow
from ..widgets.keys import bindings_for
from ..widgets.offers import Offer, Offers
from ..widgets.pane_title import PaneTitle
from .base import TaleaScreen

logger = logging.getLogger(__name__)

ROWS_MAX = 100
"""More rows than this are for a program to post."""

HISTORY_EVENTS = 100_000
HISTORY_PAGE = 100
SAVE_SECONDS = 0.4
AMOUNT_WIDTH = 13
BALANCE_WIDTH = 20


def _tone(difference: Difference) -> str:
    if not difference.begun:
        return "$dim"
    return "bold $warning" if difference.minor else "bold $success"


class PostBar(Widget, can_focus=True):
    """Where the entry stands, and where enter posts it."""

    DEFAULT_CSS = "PostBar { height: auto; }"

    def __init__(self) -> None:
        super().__init__(id="post-bar")
        self.text = Content("")

    def render(self) -> Content:
        return self.text

    def say(self, lines: list[tuple[str, str]]) -> None:
        """Lines of (plain text, style)."""
        content = Content("\n").join(Content.styled(text, style) for text, style in lines)
        if content != self.text:
            self.text = content
            self.refresh(layout=True)


class PostScreen(TaleaScreen):
    SCOPE = "post"
    BINDINGS = bindings_for("post")
    TITLE = "Post"
    AUTO_FOCUS = "#post-description"

    def __init__(self) -> None:
        super().__init__()
        self.shelf: DraftShelf | None = None
        self.drafts: list[Draft] = []
        self.accounts: dict[str, AccountInfo] = {}
        self.usages: dict[str, tuple[UsageIndex, int]] = {}
        self.refusals: dict[Field, str] = {}
        self.receipt = ""
        self.posting = False
        self._book: str | None = None
        self._insisted: set[Field] = set()
        self._offered_for: Field | None = None
        self._uses: list[DescriptionUse] = []
        self._saving: Timer | None = None
        self._learning = False
        self._changing = asyncio.Lock()

    # What is shown

    def compose_body(self) -> ComposeResult:
        yield Label("", id="post-closed", markup=False)
        with Vertical(id="post-form"):
            yield PaneTitle("Post", id="post-title")
            with Horizontal(classes="post--line"):
                yield Label("date", classes="post--name")
                yield EntryField(name="date", id="post-date", placeholder="today")
                yield Label("", id="post-day", markup=False)
            with Horizontal(classes="post--line"):
                yield Label("description", classes="post--name")
                yield EntryField(name="description", id="post-description", placeholder="what for")
                yield Label("", id="post-use", markup=False)
            with Horizontal(classes="post--line"):
                yield Label("comment", classes="post--name")
                yield EntryField(name="comment", id="post-comment")
            yield Label("", id="post-problem", classes="entry--problem", markup=False)
            with Horizontal(id="post-head", classes="post--line"):
                yield Label("account", classes="entry--account")
                yield Label("debit ", classes="entry--amount")
                yield Label("credit ", classes="entry--amount")
                yield Label("balance after", classes="entry--balance")
            yield VerticalScroll(id="post-rows", can_focus=False)
            yield PostBar()
        yield Offers(id="post-offers")

    def on_mount(self) -> None:
        self.query_one("#post-problem").display = False
        self.query_one("#post-form").display = False

    @property
    def draft(self) -> Draft:
        return self.drafts[-1]

    @property
    def today(self) -> date:
        return self.app.now().astimezone(self.app.zone).date()

    @property
    def usage(self) -> UsageIndex:
        return self.usages[self._book or ""][0] if (self._book or "") in self.usages else UsageIndex()

    @property
    def precisions(self) -> Mapping[str, int]:
        return {id: asset.precision for id, asset in self.app.assets.items()}

    @property
    def offers(self) -> Offers:
        return self.query_one("#post-offers", Offers)

    @property
    def bar(self) -> PostBar:
        return self.query_one(PostBar)

    def entry_rows(self) -> list[EntryRow]:
        return list(self.query(EntryRow))

    def crumbs(self) -> list[str]:
        return [self._book or "", "Post"] if self._book else ["Post"]

    def status(self) -> str:
        waiting = sum(not draft.blank for draft in self.drafts)
        return f"{waiting} draft{'s' * (waiting > 1)}" if waiting else ""

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        book = self.app.book
        await self._use_book(book)
        if self._book is None:
            self._show()
            return
        if changed is None or self._book in changed or "_system" in changed:
            await self._learn_accounts()
            self._learn_history()
        self._show()

    async def _use_book(self, book: str | None) -> None:
        """Show the drafts of `book`; refreshing and arriving may both ask for it."""
        async with self._changing:
            if book != self._book or (book is not None and not self.drafts):
                await self._change_book(book)

    async def _change_book(self, book: str | None) -> None:
        self._save_now()
        self._book, self.accounts, self.drafts, self.shelf = book, {}, [], None
        self.refusals, self.receipt = {}, ""
        if book is None:
            return
        directory = self.app.settings.path
        if directory is not None:
            ledger = self.app.directory
            self.shelf = DraftShelf(directory.parent, str(ledger.resolve()) if ledger else "", book)
            self.drafts = self.shelf.load()
        if not self.drafts:
            self.drafts = [Draft(book=book)]
        await self._show_draft()

    async def _learn_accounts(self) -> None:
        """All accounts when there are others than before; else only those that the form names."""
        assert self._book is not None
        info = self.app.books.get(self._book)
        if info is None or info.accounts != len(self.accounts):
            self.accounts = {a.definition.id.path: a for a in await self.app.store.accounts(self._book)}
            return
        for path in {row.account.strip() for row in self.draft.rows}:
            if path in self.accounts:
                known = await self.app.store.account(AccountId(book=self._book, path=path))
                if known is not None:
                    self.accounts[path] = known

    def _learn_history(self) -> None:
        if not self._learning and self._book is not None:
            self._learning = True
            self.run_worker(self._read_history(self._book), group="usage")

    async def _read_history(self, book: str) -> None:
        """Newest pages first, so that the last uses are offered at once; later only what is new."""
        try:
            info = await self.app.store.book(book)
            last = info.last_seq if info is not None else 0
            usage, seen = self.usages.setdefault(book, (UsageIndex(), 0))
            for start, count in pages_back(last, HISTORY_EVENTS if not seen else last - seen, HISTORY_PAGE):
                self.usages[book] = usage, last
                usage.observe_all(await self.app.store.read_events(book, start, count))
                await asyncio.sleep(0)
        except StoreError as error:
            logger.warning("The history of a book cannot be read for completion: %s", error)
        finally:
            self._learning = False

    async def _show_draft(self) -> None:
        """Put the current draft's text into the fields."""
        draft = self.draft
        draft.ensure_spare_row()
        for name in ("date", "description", "comment"):
            self.query_one(f"#post-{name}", EntryField).put(getattr(draft, name))
        await self._fit_rows()

    async def _fit_rows(self) -> None:
        """As many rows on screen as the draft has, with its text."""
        rows, area = self.entry_rows(), self.query_one("#post-rows")
        if len(rows) < len(self.draft.rows):
            await area.mount_all(EntryRow(number) for number in range(len(rows), len(self.draft.rows)))
        elif len(rows) > len(self.draft.rows):
            await area.remove_children(rows[len(self.draft.rows) :])
        for shown, row in zip(self.entry_rows(), self.draft.rows, strict=True):
            shown.account.put(row.account)
            shown.debit.put(row.debit)
            shown.credit.put(row.credit)

    def _collect(self) -> None:
        """Take what is in the fields into the draft."""
        draft = self.draft
        for name in ("date", "description", "comment"):
            setattr(draft, name, self.query_one(f"#post-{name}", EntryField).value)
        for shown in self.entry_rows():
            if shown.number < len(draft.rows):
                row = draft.rows[shown.number]
                row.account, row.debit, row.credit = (
                    shown.account.value,
                    shown.debit.value,
                    shown.credit.value,
                )

    def read(self) -> Assessment:
        return assess(self.draft, self.accounts, self.precisions, self.today)

    def _show(self) -> None:
        """Draw everything that follows from the draft."""
        closed = self.query_one("#post-closed", Label)
        closed.display = self._book is None
        self.query_one("#post-form").display = self._book is not None
        if self._book is None:
            closed.update(Content("There is no book to post to yet: press 1, then n to begin one."))
            return
        assessment = self.read()
        self._show_head(assessment)
        self._show_rows(assessment)
        self._show_bar(assessment)
        self.refresh_chrome()

    def _show_head(self, assessment: Assessment) -> None:
        place = f" · draft {len(self.drafts)} of {len(self.drafts)}" if len(self.drafts) > 1 else ""
        title = f"Post to {self._book}{place}"
        self.query_one("#post-title", PaneTitle).show(title, f"key {self.draft.key[:8]}… (kept on retry)")
        day = self.query_one("#post-day", Label)
        if assessment.day is not None:
            ago = format_days_ago(assessment.day, self.today)
            day.update(Content(f"{format_weekday(assessment.day)} {format_date(assessment.day)}, {ago}"))
        else:
            day.update(Content("✗ no date"))
        use = self.usage.description(self.draft.description)
        hint = f"last used {format_days_ago(use.last_day, self.today)}" if use else ""
        self.query_one("#post-use", Label).update(Content(hint))
        problem = self._problem_at(DATE, assessment) or self._problem_at(DESCRIPTION, assessment)
        label = self.query_one("#post-problem", Label)
        label.update(Content(f"  ✗ {printable(problem, 500)}" if problem else ""))
        label.display = bool(problem)

    def _problem_at(self, at: Field, assessment: Assessment) -> str:
        """What to say at a field: the store's refusal, else what is wrong; not while one still types there."""
        if at in self.refusals:
            return self.refusals[at]
        problem = assessment.problem_at(at)
        if problem is None or (at == self._focused_field() and at not in self._insisted):
            return ""
        return problem.sentence if not problem.later or at in self._insisted else ""

    def _show_rows(self, assessment: Assessment) -> None:
        amounts = [
            format_amount(reading.minor, reading.precision)
            for reading in assessment.rows
            if reading.minor is not None
        ] + [row.hint for row in self.draft.rows if row.hint]
        point_room = fraction_cells(r.precision for r in assessment.rows if r.asset is not None)
        widest = max((len(text) for text in amounts), default=0) + 2
        room = max(AMOUNT_WIDTH, (self.size.width - 24 - BALANCE_WIDTH) // 2)
        width = max(AMOUNT_WIDTH, min(widest, room))
        for label in self.query("#post-head .entry--amount"):
            label.styles.width = width
        for shown in self.entry_rows():
            number = shown.number
            if number >= len(self.draft.rows):
                continue
            self._show_row(shown, number, assessment)
            shown.set_amount_room(width, point_room)

    def _show_row(self, shown: EntryRow, number: int, assessment: Assessment) -> None:
        row, reading = self.draft.rows[number], assessment.rows[number]
        offered = {"debit": "", "credit": ""}
        if not row.amount and not row.blank:
            missing = missing_amount(assessment, number)
            if missing is not None and waits_for_missing(self.draft, assessment, number):
                offered[missing[0].value] = format_amount(missing[1], reading.precision)
            elif row.hint and row.hint_side is not None:
                offered[row.hint_side.value] = row.hint
        shown.debit.placeholder, shown.credit.placeholder = offered["debit"], offered["credit"]
        if reading.account is not None and reading.balance_after is not None:
            text = format_amount(self._signed(reading.account, reading.balance_after), reading.precision)
            shown.show_balance(f"{text} {printable(reading.asset or '', 12)}", warning=reading.below_minimum)
        else:
            shown.show_balance("", warning=False)
        problems = (
            self._problem_at(Field(name, number), assessment) for name in ("account", "debit", "credit")
        )
        shown.show_problem(next(filter(None, problems), ""))

    def _signed(self, account: AccountInfo, effective: int) -> int:
        """An effective balance with the sign that the other screens show it with."""
        if self.app.natural_signs or account.config.normal_side is not Direction.CREDIT:
            return effective
        return -effective

    def _show_bar(self, assessment: Assessment) -> None:
        lines = [(d.sentence, _tone(d)) for d in assessment.differences]
        why = self.app.why_read_only(self._book)
        if FORM in self.refusals:
            lines.append((f"✗ {printable(self.refusals[FORM], 500)}", "$error"))
        elif why is not None:
            lines.append((f"■ {printable(why, 500)}", "$warning"))
        elif self.posting:
            lines.append(("posting…", "$accent"))
        elif assessment.ready:
            lines.append(("enter posts this entry", "bold $accent"))
        elif self.receipt and self.draft.blank:
            lines.append((f"✓ {self.receipt}", "$success"))
        self.bar.say(lines or [("name two accounts and an amount", "$dim")])

    # Typing

    def _focused_field(self) -> Field | None:
        focused = self.focused
        if isinstance(focused, EntryField) and focused.name is not None:
            return Field(focused.name, focused.row)
        return None

    def _widget_at(self, at: Field) -> Widget:
        if at.row is None:
            return self.query_one(f"#post-{at.name}") if at.name != "form" else self.bar
        return self.entry_rows()[at.row].field(at.name)

    @on(Input.Changed)
    async def take_typing(self, event: Input.Changed) -> None:
        if self._book is None or not isinstance(event.input, EntryField):
            return
        field = event.input
        at = Field(field.name or "", field.row)
        if self._text_at(at) == field.value:
            return
        self._collect()
        self._insisted.discard(at)
        for place in (at, FORM, *(place for place in self.refusals if place.row == at.row)):
            self.refusals.pop(place, None)
        spare = len(self.draft.rows)
        if field.row == spare - 1 and spare < ROWS_MAX:
            self.draft.ensure_spare_row()
            await self._fit_rows()
        self._show()
        self._offer(at)
        self._save_soon()

    def _text_at(self, at: Field) -> str:
        """What the draft holds for a field."""
        if at.row is None:
            return str(getattr(self.draft, at.name))
        return str(getattr(self.draft.rows[at.row], at.name)) if at.row < len(self.draft.rows) else ""

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        at = self._focused_field()
        self.offers.hide()
        if self._book is not None and self.drafts:
            self._show()
            if at is not None and at.name == "account" and not self._text_at(at):
                self._offer(at)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        widget = event.widget
        if isinstance(widget, AmountField) and widget.row is not None and widget.row < len(self.draft.rows):
            work_out(self.draft, self.read(), widget.row)
            self._put_row(widget.row)

    def _put_row(self, number: int) -> None:
        shown, row = self.entry_rows()[number], self.draft.rows[number]
        shown.account.put(row.account)
        shown.debit.put(row.debit)
        shown.credit.put(row.credit)

    def _offer(self, at: Field) -> None:
        """Float what the focused field could become."""
        if at != self._focused_field():
            return
        offers: list[Offer] = []
        typed = self._text_at(at)
        if at.name == "description" and typed.strip():
            self._uses = self.usage.complete_description(typed)
            offers = [Offer(use.text, use.text, self._use_aside(use)) for use in self._uses]
            if len(offers) == 1 and offers[0].value.casefold() == typed.strip().casefold():
                offers = []
        elif at.name == "account" and typed.strip() not in self.accounts:
            info = self.app.books.get(self._book or "")
            last_seq = info.last_seq if info is not None else 0
            matches = complete_account(typed, self.accounts, self.usage, last_seq)
            offers = [Offer(match.path, match.path, self._balance_aside(match.path)) for match in matches]
            if typed.strip() and len(offers) < 8:
                offers.append(Offer("", f"open “{printable(typed.strip(), 60)}” as a new account"))
        self._offered_for = at
        self.offers.show(offers, self._widget_at(at).region, self.screen.region)

    def _use_aside(self, use: DescriptionUse) -> str:
        other = next((row.path for row in use.rows), "").rpartition(":")[2]
        return f"{other} · {format_days_ago(use.last_day, self.today)}"

    def _balance_aside(self, path: str) -> str:
        info = self.accounts[path]
        asset = info.definition.asset
        text = format_amount(self._signed(info, info.balance.amount.minor), self.app.precision(asset))
        return f"{text} {asset}"

    @on(Offers.Picked)
    async def pick(self, event: Offers.Picked) -> None:
        self.offers.chosen = event.index
        await self._take_offered()

    async def _take_offered(self) -> None:
        """Take the offer under the cursor, else the first, and go on to what is wanted next."""
        offer, at = self.offers.offered, self._offered_for
        chosen = max(0, self.offers.chosen)
        self.offers.hide()
        if offer is None or at is None:
            return
        if at.name == "description":
            self.draft.description = offer.value
            await self._prefill(self._uses[chosen])
            self._go_on(at)
        elif at.row is not None:
            if not offer.value:
                self._open_account(at)
                return
            self.draft.rows[at.row].account = offer.value
            self._put_row(at.row)
            self._show()
            self._go_on(at, same_row=True)
        self._save_soon()

    async def _prefill(self, use: DescriptionUse) -> None:
        if prefill(self.draft, use, self.precisions):
            await self._show_draft()
        else:
            self.query_one("#post-description", EntryField).put(self.draft.description)
        self._show()

    def _go_on(self, at: Field, *, same_row: bool = False) -> None:
        """Focus whatever is wanted after `at`; the bar when nothing is."""
        assessment = self.read()
        if same_row and at.row is not None and assessment.rows[at.row].minor is None:
            side = expected_side(self.draft, assessment, at.row, self.usage)
            self._widget_at(Field(side.value, at.row)).focus()
            return
        following = next_field(self.draft, assessment, self.usage, at)
        if following is None or (following.row or 0) >= len(self.draft.rows):
            self.bar.focus()
        else:
            self._widget_at(following).focus()

    # Enter, tab, =

    @on(Input.Submitted)
    async def enter_in_field(self, event: Input.Submitted) -> None:
        if self._book is None or not isinstance(event.input, EntryField):
            return
        self._collect()
        field = event.input
        at = Field(field.name or "", field.row)
        self._insisted.add(at)
        if at.name == "description":
            if self.offers.is_shown and self.offers.chosen >= 0:
                await self._take_offered()
                return
            self.offers.hide()
            use = self.usage.description(self.draft.description)
            if use is not None:
                await self._prefill(use)
        elif at.name == "account" and at.row is not None:
            path = self.draft.rows[at.row].account.strip()
            if path not in self.accounts and self.offers.is_shown and (path or self.offers.chosen >= 0):
                await self._take_offered()
                return
            self.offers.hide()
            if path and path not in self.accounts:
                self._open_account(at)
                return
            if path:
                self._go_on(at, same_row=True)
                return
        elif at.name in ("debit", "credit") and at.row is not None:
            if take_offer(self.draft, self.read(), at.row):
                self._put_row(at.row)
            work_out(self.draft, self.read(), at.row)
            self._put_row(at.row)
        self._show()
        self._save_soon()
        if self._problem_at(at, self.read()):
            return
        self._go_on(at)

    @on(AmountField.FillAsked)
    def fill(self, event: AmountField.FillAsked) -> None:
        self._collect()
        row = event.field.row
        if row is not None:
            self._fill_row(row)

    def _fill_row(self, row: int) -> None:
        if fill_missing(self.draft, self.read(), row):
            self._put_row(row)
            side = expected_side(self.draft, self.read(), row, self.usage)
            self._widget_at(Field(side.value, row)).focus()
            self._show()
            self._save_soon()
        elif self.read().rows[row].asset is None:
            self.app.tell("Name the account of this row first; then = puts the missing amount.")
        else:
            self.app.tell("Nothing is missing here.")

    def action_fill(self) -> None:
        waiting = [n for n, row in self.draft.used_rows() if waits_for_missing(self.draft, self.read(), n)]
        if waiting:
            self._fill_row(waiting[-1])

    async def action_accept(self) -> None:
        if self.offers.is_shown and (
            self.offers.chosen >= 0 or (self._typed_something() and self._real_offer())
        ):
            await self._take_offered()
        else:
            self.offers.hide()
            self.focus_next()

    def _typed_something(self) -> bool:
        at = self._focused_field()
        return at is not None and bool(self._text_at(at).strip())

    def _real_offer(self) -> bool:
        offer = self.offers.offered
        return offer is not None and bool(offer.value)

    def action_step(self, by: int) -> None:
        """Up and down: among the offers when there are any, else to the row above or below."""
        if self.offers.is_shown:
            self.offers.step(by)
            return
        at = self._focused_field()
        if at is None or at.row is None:
            (self.focus_next if by > 0 else self.focus_previous)()
        elif 0 <= at.row + by < len(self.entry_rows()):
            self._widget_at(Field(at.name, at.row + by)).focus()
        else:
            (self.bar if by > 0 else self.query_one("#post-comment")).focus()

    def go_back(self) -> bool:
        if self.offers.is_shown:
            self.offers.hide()
            return True
        self._save_now()
        return False

    # Posting

    async def action_post(self) -> None:
        """Post the entry, or go to what keeps it from being posted."""
        if self._book is None or self.posting or not self.drafts:
            return
        self._collect()
        assessment = self.read()
        if not assessment.ready:
            self._insisted.update(problem.field for problem in assessment.problems)
            at = next_field(self.draft, assessment, self.usage, FORM)
            self._show()
            if at is not None and (at.row is None or at.row < len(self.draft.rows)):
                self._widget_at(at).focus()
            return
        if not self.app.may_write(self._book):
            self._show()
            return
        self.posting = True
        self._show()
        self.run_worker(self._commit(self.draft, assessment), group="post")

    async def _commit(self, draft: Draft, assessment: Assessment) -> None:
        try:
            committed = await self.app.store.commit(transaction_of(draft, assessment))
        except StoreError as error:
            self.posting = False
            problem = refusal_at(error, draft, assessment)
            self.refusals[problem.field] = problem.sentence
            self._show()
            self._widget_at(problem.field).focus()
            return
        self.posting = False
        await self._posted(draft, committed, assessment)

    async def _posted(self, draft: Draft, committed: Committed, assessment: Assessment) -> None:
        self.drafts = [kept for kept in self.drafts if kept is not draft]
        self.refusals, self._insisted = {}, set()
        again = " (posted before; nothing was added)" if committed.deduplicated else ""
        amounts = ", ".join(
            f"{format_amount(turned // 2, d.precision)} {printable(d.asset, 20)}"
            for d in assessment.differences
            if (turned := sum(row.minor or 0 for row in assessment.rows if row.asset == d.asset))
        )
        words = printable(draft.description.strip(), 60)
        self.receipt = f"seq {committed.seq:,} posted: {words + ', ' if words else ''}{amounts}{again}"
        if not self.drafts:
            self.drafts = [Draft(book=draft.book, date=draft.date)]
        await self._learn_accounts()
        await self._show_draft()
        self._show()
        self.query_one("#post-description").focus()
        self._save_now()

    async def action_another(self) -> None:
        """A blank entry; this one is kept and comes back when that one is posted."""
        if self._book is None:
            return
        self._collect()
        conflict = FORM in self.refusals and "before" in self.refusals[FORM]
        if conflict:
            self.drafts[-1] = self.draft.with_new_key()
        elif not self.draft.blank:
            self.drafts.append(Draft(book=self._book, date=self.draft.date))
        self.refusals, self._insisted = {}, set()
        await self._show_draft()
        self._show()
        self.query_one("#post-description").focus()
        self._save_now()

    async def action_discard(self) -> None:
        """Throw the entry away; the one before it comes back."""
        if self._book is None or self.draft.blank:
            return
        self.drafts.pop()
        if not self.drafts:
            self.drafts = [Draft(book=self._book)]
        self.refusals, self._insisted = {}, set()
        await self._show_draft()
        self._show()
        self.query_one("#post-description").focus()
        self._save_now()
        self.app.tell("The entry was thrown away; nothing was posted.")

    # Arriving with something

    async def arrive(
        self,
        like: StoredTransaction | None = None,
        account: AccountId | None = None,
        draft: Draft | None = None,
        **arrival: Any,
    ) -> None:
        """Begin with a copy of a transaction, with an account, or with a whole draft; else where one was."""
        book = self.app.book
        await self._use_book(book)
        if self._book is None:
            return
        if not self.accounts:
            await self._learn_accounts()
        if like is not None:
            draft = duplicate_of(like.transaction, self.precisions)
        if account is not None and account.book == self._book:
            draft = Draft(book=self._book, rows=[Row(account.path), Row()])
        if draft is not None:
            if len(draft.rows) > ROWS_MAX:
                self.app.refuse(f"An entry of more than {ROWS_MAX} rows is too long for this form.")
                return
            self._collect()
            if self.draft.blank:
                self.drafts.pop()
            self.drafts.append(draft)
            self.refusals, self._insisted, self.receipt = {}, set(), ""
            await self._show_draft()
            self._save_now()
        self._show()
        if self.focused is None or draft is not None or not isinstance(self.focused, EntryField):
            self.query_one("#post-description").focus()

    def _open_account(self, at: Field) -> None:
        self.run_worker(self._open_account_at(at), group="question", exclusive=True)

    async def _open_account_at(self, at: Field) -> None:
        from .open_account import OpenAccountScreen

        assert at.row is not None
        if not self.app.may_write(self._book):
            return
        path = self.draft.rows[at.row].account.strip()
        assets = [reading.asset for reading in self.read().rows if reading.asset is not None]
        opened = await self.app.push_screen_wait(OpenAccountScreen(path=path, form_assets=assets))
        if isinstance(opened, AccountId) and opened.book == self._book:
            self.draft.rows[at.row].account = opened.path
            await self._learn_accounts()
            self._put_row(at.row)
            self._show()
            self._go_on(at, same_row=True)
        else:
            self._widget_at(at).focus()

    # Keeping drafts

    def _save_soon(self) -> None:
        if self.shelf is not None and self._saving is None:
            self._saving = self.set_timer(SAVE_SECONDS, self._save_behind)

    async def _save_behind(self) -> None:
        """Write the drafts without holding the loop."""
        self._saving = None
        if self.shelf is not None:
            try:
                await asyncio.to_thread(self.shelf.write, self.shelf.prepare(self.drafts))
            except OSError as error:
                logger.warning("The draft cannot be kept on disk: %s", error)

    def _save_now(self) -> None:
        """Write the drafts; a disk that refuses costs the draft's safety, not the entry."""
        if self._saving is not None:
            self._saving.stop()
            self._saving = None
        if self.shelf is not None:
            try:
                self.shelf.save(self.drafts)
            except OSError as error:
                logger.warning("The draft cannot be kept on disk: %s", error)

    def on_unmount(self) -> None:
        self._save_now()
