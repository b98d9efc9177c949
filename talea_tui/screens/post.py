"""The posting form: date, description and rows of account, debit and credit, read as one types.

Enter goes to whatever is still wanted and posts when nothing is; tab takes what is offered. The logic is in
`talea_tui.posting`, the fields in `widgets/entry_form.py`. A day is `occurred_at` at 00:00 UTC; `today` is
the day it is here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from textual import events, getters, on
from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Label

from store import SYSTEM_BOOK, AccountId, StoredTransaction, StoreError

from ..posting.assessment import (
    DESCRIPTION,
    FORM,
    Assessment,
    Field,
    Problem,
    assess,
    receipt_of,
    refusal_at,
    transaction_of,
    waits_for_missing,
)
from ..posting.correction import duplicate_of
from ..posting.draft import ROWS_MAX, TOO_LONG, Draft
from ..posting.drafts import DraftStack, shelf_beside
from ..posting.editing import expected_side, fill_missing, next_field, prefill, take_offer, text_at, work_out
from ..posting.history import BookHistory
from ..posting.standing import what_stays
from ..posting.usage import DescriptionUse
from ..widgets.entry_field import EntryField, RowField
from ..widgets.entry_form import AMOUNTS, EntryForm, EntryView, PostBar, bar_lines, offer_line
from ..widgets.entry_offers import Surroundings, offers_of_account, offers_of_description
from ..widgets.keys import bindings_for
from ..widgets.offers import Offer, Offers
from .base import TaleaScreen

logger = logging.getLogger(__name__)
SAVE_SECONDS = 0.4


class PostScreen(TaleaScreen):
    SHOWS_BOOK = True
    BINDINGS = bindings_for("post")
    TITLE = "Post"
    AUTO_FOCUS = "#post-description"

    form = getters.query_one(EntryForm)
    offers = getters.query_one(Offers)

    def __init__(self) -> None:
        super().__init__()
        self.histories: dict[str, BookHistory] = {}
        self.stacks: dict[str, DraftStack] = {}
        self.stack: DraftStack | None = None
        """That of the book posted to."""
        self.refusals: dict[Field, str] = {}
        self.receipt = ""
        self.posting = False
        self._insisted: set[Field] = set()
        self._was_closed = False
        self._offered_for: Field | None = None
        self._uses: list[DescriptionUse] = []
        self._saving: Timer | None = None
        self._changing = asyncio.Lock()

    # What is shown

    def compose_body(self) -> ComposeResult:
        yield Label("", id="post-closed", markup=False)
        yield EntryForm(id="post-form")
        yield Offers(id="post-offers")

    def on_mount(self) -> None:
        self.form.display = False

    @property
    def book(self) -> str | None:
        """The book posted to, once its drafts are in the form."""
        return self.stack.book if self.stack is not None else None

    @property
    def draft(self) -> Draft:
        assert self.stack is not None
        return self.stack.current

    @property
    def history(self) -> BookHistory:
        return self.histories.setdefault(self.book or "", BookHistory(self.book or "", self.app.zone))

    def crumbs(self) -> list[str]:
        return [self.book, "Post"] if self.book else ["Post"]

    def status(self) -> str:
        waiting = self.stack.waiting if self.stack is not None else 0
        kept = ", not kept" if self.stack is not None and self.stack.trouble else ""
        return f"{waiting} draft{'s' * (waiting > 1)}{kept}" if waiting else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.stack is not None and super().check_action(action, parameters)

    def read(self) -> Assessment:
        is_live = self.app.instant is None  # the balances that are known are those of now
        return assess(
            self.draft, self.history.accounts, self.app.precisions, self.app.today, balances=is_live
        )

    def minute_passed(self) -> None:
        if self.stack is not None:
            self._show()  # an entry without a date is for another day after midnight

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self.minute_passed()

    async def refresh_data(self, changed: frozenset[str] | None) -> None:
        await self._use_book(self.app.book)
        book = self.book
        if book is not None and (changed is None or book in changed or SYSTEM_BOOK in changed):
            self.history.fresh.clear()
            await self.history.learn_accounts(self.app.store, self._named)
            self.run_worker(self._learn_usage(self.history), group="usage")
        self._show()

    async def _use_book(self, book: str | None) -> None:
        """Put the drafts of `book` into the form; refreshing and arriving may both ask for it."""
        async with self._changing:
            if book == self.book:
                return
            await self._save()
            self.refusals, self.receipt = {}, ""
            self._insisted.clear()
            if book is not None and book not in self.stacks:
                shelf = shelf_beside(self.app.settings.path, self.app.directory, book)
                self.stacks[book] = DraftStack(book, shelf)
            self.stack = self.stacks[book] if book is not None else None
            if book is not None:
                await self._put_draft()

    @property
    def _named(self) -> set[str]:
        return {row.account.strip() for row in self.draft.rows}

    async def _learn_accounts(self) -> None:
        """What the accounts of the entry hold; where that cannot be read the form goes on without it."""
        try:
            await self.history.learn_accounts(self.app.store, self._named)
        except StoreError as error:
            logger.warning("The accounts of a book cannot be read: %s", error)

    async def _learn_balances(self) -> None:
        await self._learn_accounts()
        self._show()

    async def _learn_usage(self, history: BookHistory) -> None:
        try:
            await history.learn_usage(self.app.store)
        except StoreError as error:
            logger.warning("The history of a book cannot be read for completion: %s", error)
        if self.is_mounted and history.book == self.book:
            self._show()

    async def _put_draft(self) -> None:
        self.draft.ensure_spare_row()
        await self.form.put(self.draft)

    def _show(self) -> None:
        """Draw everything that follows from the draft."""
        closed, form = self.query_one("#post-closed", Label), self.form
        closed.display = self.book is None
        form.display = self.book is not None
        form.disabled = self.book is None  # what is not to be seen takes no keys
        if self.book is None:
            closed.update(Content(self.app.nothing_posted(None)))
            return
        assessment = self.read()
        assert self.stack is not None
        use = self.history.usage.description(self.draft.description)
        form.show(
            EntryView(
                draft=self.draft,
                assessment=assessment,
                problem_at=lambda at: self._problem_at(at, assessment),
                title=f"Post to {self.book}",
                waiting=len(self.stack) - 1,
                today=self.app.today,
                last_used=use.last_day if use is not None else None,
                natural_signs=self.app.natural_signs,
            )
        )
        self._show_bar(assessment)
        self.refresh_chrome()
        if self._named & self.history.accounts.keys() - self.history.fresh:
            self.run_worker(self._learn_balances(), group="balances")

    def _problem_at(self, at: Field, assessment: Assessment) -> str:
        """What to say at a field: the store's refusal, else what is wrong, not while one types there."""
        if at in self.refusals:
            return self.refusals[at]
        problem = assessment.problem_at(at)
        if problem is None or (at == self._focused_field() and at not in self._insisted):
            return ""
        return problem.sentence if not problem.later or at in self._insisted else ""

    def _show_bar(self, assessment: Assessment) -> None:
        why = self.app.why_read_only(self.book)
        if self._was_closed and why is None:
            self.refusals.pop(FORM, None)  # it can be tried again
        self._was_closed = why is not None
        at = self._focused_field()
        lines = bar_lines(
            assessment,
            refusal=self.refusals.get(FORM, ""),
            closed=why or "",
            posting=self.posting,
            enter_posts=at is None or at.name in AMOUNTS,
            offer=offer_line(self.draft, assessment, at),
            receipt=self.receipt if self.draft.blank else "",
            trouble=self.stack.trouble if self.stack is not None else "",
        )
        self.form.bar.say(lines)

    # Typing

    def _focused_field(self) -> Field | None:
        return self.form.field_of(self.focused)

    @on(Input.Changed)
    async def take_typing(self, event: Input.Changed) -> None:
        at = self.form.field_of(event.input)
        if self.book is None or at is None or not event.input.is_attached:
            return
        if text_at(self.draft, at) == event.input.value:
            return
        self.form.collect(self.draft, self.app.today)
        self._insisted.discard(at)
        for place in [place for place in self.refusals if place in (at, FORM) or place.row == at.row]:
            del self.refusals[place]
        last = len(self.draft.rows) - 1
        if at.row == last and last + 1 < ROWS_MAX:
            self.draft.ensure_spare_row()
            await self.form.fit_rows(self.draft)
        self._show()
        self._offer(at)
        self._save_soon()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.offers.hide()
        if self.book is not None:
            at = self._focused_field()
            problem = self.read().problem_at(at) if at is not None else None
            if at is not None and problem is not None and not problem.later:
                self._insisted.add(at)  # what was told from elsewhere stays until one types here
            self._show()
            if at is not None and at.name == "account" and not text_at(self.draft, at):
                self._offer(at)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        field, at = event.widget, self.form.field_of(event.widget)
        if self.book is None or not isinstance(field, RowField) or at is None or at.row is None:
            return
        typed = at.name in AMOUNTS and at.row < len(self.draft.rows)
        if typed and text_at(self.draft, at) == field.value:
            self._work_out(at.row)

    def _work_out(self, row: int) -> None:
        work_out(self.draft, self.read(), row)
        self.form.put_row(self.draft, row)

    # Offers

    def _offer(self, at: Field) -> None:
        """Float what the focused field could become."""
        if at != self._focused_field() or self.app.instant is not None:
            return
        typed = text_at(self.draft, at).strip()
        offers: list[Offer] = []
        if at.name == "description" and typed:
            self._uses = self.history.usage.complete_description(typed)
            offers = offers_of_description(self._uses, typed, self.app.today)
        elif at.name == "account":
            signs = self.app.natural_signs
            around = Surroundings(self.draft, self.history, self.read(), self.app.precisions, signs)
            offers = offers_of_account(typed, around)
        self._offered_for = at
        field = self.form.widget_at(at).region
        self.offers.show(offers, field, self.screen.region, self.form.sentences)

    @on(Offers.Picked)
    async def pick(self, event: Offers.Picked) -> None:
        self.offers.chosen = event.index
        await self._take_offered()

    async def _take_offered(self) -> None:
        """Take the offer under the cursor, else the first, and go on to what is wanted next."""
        offer, at, chosen = self.offers.offered, self._offered_for, max(0, self.offers.chosen)
        self.offers.hide()
        if offer is None or at is None:
            return
        if at.name == "description":
            self.draft.description = offer.value
            await self._prefill(self._uses[chosen])
            self._go_on(at)
        elif at.row is not None and offer.value:
            self.draft.rows[at.row].account = offer.value
            await self._put_draft()
            self._go_on(at)
        elif at.row is not None:
            self._open_account(at.row)
        self._save_soon()

    async def _prefill(self, use: DescriptionUse) -> None:
        prefill(self.draft, use, self.app.precisions)
        await self._put_draft()
        self._show()

    # Enter, tab, =

    def _go_on(self, at: Field) -> None:
        """Focus whatever is wanted after `at`: this row's amount, the next row, at last the bar."""
        assessment = self.read()
        self._show()
        if at.name == "account" and at.row is not None:
            side = expected_side(self.draft, assessment, at.row, self.history.usage)
            self.set_focus(self.form.widget_at(Field(side.value, at.row)))  # selected: one may type another
            return
        self.form.lead_to(next_field(self.draft, assessment, self.history.usage, at))

    @on(Input.Submitted)
    async def enter_in_field(self, event: Input.Submitted) -> None:
        at = self.form.field_of(event.input)
        if self.book is None or at is None:
            return
        self.form.collect(self.draft, self.app.today)
        self._insisted.add(at)
        picked = self.offers.is_shown and self.offers.chosen >= 0
        if at.name == "description" and not picked:
            use = self.history.usage.description(self.draft.description)
            if use is not None:
                await self._prefill(use)
        elif at.name == "account" and at.row is not None:
            path = self.draft.rows[at.row].account.strip()
            picked = picked or (bool(path) and path not in self.history.accounts and self.offers.is_shown)
            if path and path not in self.history.accounts and not picked:
                self._open_account(at.row)
                return
        elif at.name in AMOUNTS and at.row is not None:
            if self.read().ready:  # as the bar says; where enter completes the entry, one sees it first
                await self.action_post()
                return
            take_offer(self.draft, self.read(), at.row)
            self._work_out(at.row)
        if picked:
            await self._take_offered()
            return
        self.offers.hide()
        self._save_soon()
        self._show()
        if not self._problem_at(at, self.read()):
            self._go_on(at)

    @on(PostBar.Typed)
    def begin_row(self, event: PostBar.Typed) -> None:
        """Type on in the account of the row that is still blank."""
        if self.book is not None and self.form.rows:
            field = self.form.rows[-1].account
            self.set_focus(field)
            field.call_later(field.insert_text_at_cursor, event.letter)

    @on(RowField.FillAsked)
    def fill(self, event: RowField.FillAsked) -> None:
        if self.book is not None and event.field.row is not None:
            self.form.collect(self.draft, self.app.today)
            self._fill_row(event.field.row)

    def _fill_row(self, row: int) -> None:
        if fill_missing(self.draft, self.read(), row) or take_offer(self.draft, self.read(), row):
            self.form.put_row(self.draft, row)
            side = expected_side(self.draft, self.read(), row, self.history.usage)
            self.set_focus(self.form.widget_at(Field(side.value, row)))
            self._show()
            self._save_soon()
        elif self.read().rows[row].asset is None:
            why = "Name the account of this row first; then {post.fill} puts the missing amount."
            self.app.tell(self.app.with_keys(why))
        elif not self.read().whole:
            why = "An amount is of an account that is not open: open that first; then {post.fill} counts it."
            self.app.tell(self.app.with_keys(why))
        else:
            self.app.tell("Nothing is missing here.")

    def action_fill(self) -> None:
        if self.book is not None:
            assessment = self.read()
            waiting = [n for n, _ in self.draft.used_rows() if waits_for_missing(self.draft, assessment, n)]
            if waiting:
                self._fill_row(waiting[-1])

    async def action_accept(self) -> None:
        """Tab: take what is offered for what was typed, else go to the next field."""
        at, offer = self._focused_field(), self.offers.offered
        typed = at is not None and self.book is not None and bool(text_at(self.draft, at).strip())
        if offer is not None and (self.offers.chosen >= 0 or (typed and offer.value)):
            await self._take_offered()
            return
        self.offers.hide()
        use = self.history.usage.description(self.draft.description) if typed and at == DESCRIPTION else None
        if at is not None and use is not None and not self.draft.used_rows():
            await self._prefill(use)
            self._go_on(at)
        else:
            self.focus_next()

    def action_step(self, by: int) -> None:
        """Up and down: among the offers when there are any, else to the row above or below."""
        if self.offers.is_shown:
            self.offers.step(by)
        elif self.book is not None:
            self.form.step(by)

    def go_back(self) -> bool:
        if self.offers.is_shown:
            self.offers.hide()
            return True
        self._save_at_once()
        return False

    # Posting

    async def action_post(self) -> None:
        """Post the entry, or go to what keeps it from being posted."""
        if self.book is None or self.posting:
            return
        self.form.collect(self.draft, self.app.today)
        assessment = self.read()
        if not assessment.ready:
            self._insisted.update(problem.field for problem in assessment.problems)
            self._show()
            self.form.lead_to(next_field(self.draft, assessment, self.history.usage, FORM))
            return
        if self.app.why_read_only(self.book) is not None:
            self._show()
            self.set_focus(self.form.bar)
            return
        self.posting = True
        self._show()
        self.run_worker(self._commit(self.draft, assessment), group="post")

    async def _commit(self, draft: Draft, assessment: Assessment) -> None:
        try:
            committed = await self.app.store.commit(transaction_of(draft, assessment))
        except StoreError as error:
            self.posting = False
            self._refused(draft, refusal_at(error, draft, assessment))
        else:
            self.posting = False
            await self._posted(draft, receipt_of(draft, committed, assessment))

    def _is_in_form(self, draft: Draft) -> bool:
        return self.stack is not None and self.draft.key == draft.key

    def _refused(self, draft: Draft, problem: Problem) -> None:
        sentence = f"{problem.sentence} {self.app.with_keys(problem.way)}".rstrip()
        if self._is_in_form(draft):
            self.refusals[problem.field] = sentence
            self._show()
            self.form.lead_to(problem.field)
        else:
            self._show()
            self.app.refuse(f"An entry of {draft.book} was not posted and waits there as a draft: {sentence}")

    async def _posted(self, draft: Draft, receipt: str) -> None:
        in_form, stack = self._is_in_form(draft), self.stacks[draft.book]
        stack.drop(draft, date=draft.whole_date)
        if in_form:
            self.receipt = receipt
            await self._begin_anew()
            if not self.draft.blank:  # the bar speaks of the entry that waited
                self.app.tell_done(receipt)
        else:
            self._show()
            self.app.tell_done(f"{draft.book}: {receipt}")
            await stack.save_behind()

    async def _begin_anew(self) -> None:
        """Show the draft that is current now, the cursor at its beginning."""
        self.refusals = {}
        self._insisted.clear()
        self.offers.hide()
        await self._learn_accounts()
        await self._put_draft()
        self._show()
        self.set_focus(self.form.head("description"))
        self._save_at_once()

    async def action_another(self) -> None:
        """A blank entry, while this one waits; from a blank one round those that wait."""
        if self.stack is None:
            return
        self.form.collect(self.draft, self.app.today)
        if self.refusals.get(FORM, "").startswith("This entry was posted before"):
            self.stack.renew_key()
        else:
            self.stack.another()
        await self._begin_anew()

    async def action_discard(self) -> None:
        """Throw the entry away; the one before it comes back."""
        if self.stack is None:
            return
        if self.draft.blank:
            return self.app.tell("There is nothing to throw away.")
        thrown = self.draft
        self.stack.drop(thrown)
        await self._begin_anew()
        self.app.tell_done(f"The entry was thrown away; {await what_stays(self.app.store, thrown)}.")

    # Arriving with something

    async def arrive(
        self, like: StoredTransaction | None = None, draft: Draft | None = None, **arrival: Any
    ) -> None:
        """Begin with a copy of a transaction or with a whole draft; else where one was."""
        await self._use_book(self.app.book)
        if self.stack is None:
            self._show()
            return
        if like is not None:
            draft = duplicate_of(like.transaction, self.app.precisions)
        if draft is not None and len(draft.used_rows()) > ROWS_MAX:
            self.app.refuse(TOO_LONG)
            draft = None
        if draft is not None:
            self.form.collect(self.draft, self.app.today)
            self.stack.begin(draft)
            self.receipt = ""
            return await self._begin_anew()
        await self._learn_accounts()
        self._show()
        if not isinstance(self.focused, EntryField):
            self.set_focus(self.form.head("description"))

    def _open_account(self, row: int) -> None:
        self.run_worker(self._open_account_at(row), group="question", exclusive=True)

    async def _open_account_at(self, row: int) -> None:
        from .open_account import OpenAccountScreen

        if not self.app.may_write(self.book):
            return
        at = Field("account", row)
        assets = [reading.asset for reading in self.read().rows if reading.asset is not None]
        form = OpenAccountScreen(path=text_at(self.draft, at).strip(), form_assets=assets)
        opened = await self.app.push_screen_wait(form)
        if isinstance(opened, AccountId) and opened.book == self.book:
            self.draft.rows[row].account = opened.path
            await self._learn_accounts()
            await self._put_draft()
            self._go_on(at)
        else:
            self.set_focus(self.form.widget_at(at))

    # Keeping drafts

    def _save_soon(self) -> None:
        if self.stack is not None and self.stack.is_kept and self._saving is None:
            self._saving = self.set_timer(SAVE_SECONDS, self._save_at_once)

    def _save_at_once(self) -> None:
        self.run_worker(self._save(), group="drafts")

    async def _save(self) -> None:
        """Write what waits for the timer too, without holding the loop: the disk may take long."""
        if self._saving is not None:
            self._saving.stop()
            self._saving = None
        stack = self.stack
        if stack is not None:
            before = stack.trouble
            await stack.save_behind()
            if stack.trouble != before and stack is self.stack:
                self._show()

    def on_unmount(self) -> None:
        if self.stack is not None:
            self.stack.save()  # nothing runs behind an application that leaves
