"""The fields of the posting form and what stands beside them; the screen decides what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import cast

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.selection import Selection
from textual.widget import Widget
from textual.widgets import Label

from store import Direction

from ..actions import POST
from ..formatting import (
    fit_amount,
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
    missing_amount,
    offered_amount,
    waits_for_missing,
)
from ..posting.draft import Draft
from .chart import shown_sign
from .entry_field import EntryField
from .entry_row import EntryRow
from .hanging import Hanging, ProblemLabel
from .offers import OFFERS_MAX
from .pane_title import PaneTitle
from .shell import Shell

AMOUNT_WIDTH = 13
BALANCE_WIDTH = 20
ACCOUNT_WIDTH = 26
FORM_WIDTH = 116
HEAD_FIELDS = ("date", "description", "comment")
AMOUNTS = ("debit", "credit")
"""Where enter posts an entry that is ready; from the other fields it leads to the bar first."""


@dataclass(frozen=True, slots=True)
class EntryView:
    """What the form shows. `problem_at` gives the sentence to show at a field, or nothing.

    `waiting` counts other drafts, `last_used` is when the description was used last.
    """

    draft: Draft
    assessment: Assessment
    problem_at: Callable[[Field], str]
    title: str
    waiting: int
    today: date
    last_used: date | None
    natural_signs: bool


def tone_of(difference: Difference) -> str:
    if not difference.begun:
        return "$dim"
    return "bold $warning" if difference.minor or not difference.whole else "bold $success"


def offer_line(draft: Draft, assessment: Assessment, at: Field | None) -> str:
    """Which keys take the amount that is offered at `at`; empty where none is."""
    if at is None or at.name not in AMOUNTS or at.row is None or at.row >= len(draft.rows):
        return ""
    offered = offered_amount(draft, assessment, at.row)
    if offered is None:
        return ""
    if missing_amount(assessment, at.row) is None:
        return f"enter or = takes {offered[1]}, as last time"
    if waits_for_missing(draft, assessment, at.row):
        return f"enter or = takes the missing {offered[1]}"
    return f"enter takes {offered[1]}, as last time; = takes what is missing"


def bar_lines(
    assessment: Assessment,
    *,
    refusal: str,
    closed: str,
    posting: bool,
    enter_posts: bool,
    offer: str,
    receipt: str,
    trouble: str,
) -> list[tuple[str, str]]:
    """Where the entry stands, as `PostBar.say` takes it. Empty texts tell nothing.

    `closed` says why nothing can be posted, `trouble` why no draft can be kept.
    """
    lines = [(difference.sentence, tone_of(difference)) for difference in assessment.differences]
    if not assessment.whole:
        lines.append(("an amount is not counted: its account is not open yet", "bold $warning"))
    if refusal:
        lines.append((f"✗ {printable(refusal, 500)}", "$error"))
    if closed:
        lines.append((f"■ {printable(closed, 500)}", "$warning"))
    elif posting:
        lines.append(("posting…", "$accent"))
    elif assessment.ready and not refusal:
        enter = "enter" if enter_posts else "enter twice"
        lines.append((f"{enter} posts this entry   esc keeps it as a draft", "bold $accent"))
    elif offer:
        lines.append((offer, "bold $accent"))
    elif receipt:
        lines.append((f"✓ {receipt}", "$success"))
    if trouble:
        lines.append((f"■ {printable(trouble, 500)}", "$warning"))
    return lines or [("name two accounts and an amount", "$dim")]


class PostBar(Widget, can_focus=True):
    """Where the entry stands, and where enter posts it."""

    DEFAULT_CSS = "PostBar { height: auto; }"

    class Typed(Message):
        """A letter or digit that is no key of the form: the beginning of another row."""

        def __init__(self, letter: str) -> None:
            super().__init__()
            self.letter = letter

    def __init__(self) -> None:
        super().__init__(id="post-bar")
        self._lines: list[tuple[str, str]] = []

    def render(self) -> Hanging:
        return Hanging(*(Content.styled(text, style) for text, style in self._lines))

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return self.render().selected(selection, self.content_size.width)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """The letters and digits that one goes on typing are no keys of the application."""
        shell = cast(Shell, self.app)
        return (character or "").isalnum() and all(key not in shell.keys_of(action) for action in POST)

    def on_key(self, event: events.Key) -> None:
        if event.character is not None and self.check_consume_key(event.key, event.character):
            event.stop()
            event.prevent_default()
            self.post_message(self.Typed(event.character))

    def say(self, lines: list[tuple[str, str]]) -> None:
        """Lines of (plain text, style)."""
        if lines != self._lines:
            self._lines = lines
            self.refresh(layout=True)


class EntryForm(Vertical):
    """Shows a draft's text and takes it back; everything else it is told."""

    shown: Draft | None = None
    """Whose text stands in the fields."""

    def compose(self) -> ComposeResult:
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
        yield ProblemLabel(id="post-problem", classes="entry--problem")
        with Horizontal(id="post-head", classes="post--line"):
            yield Label("account", classes="entry--account")
            yield Label("debit ", classes="entry--amount")
            yield Label("credit ", classes="entry--amount")
            yield Label("balance after", classes="entry--balance")
        yield VerticalScroll(id="post-rows", can_focus=False)
        yield PostBar()

    @property
    def bar(self) -> PostBar:
        return self.query_one(PostBar)

    @property
    def rows(self) -> list[EntryRow]:
        return list(self.query(EntryRow))

    def head(self, name: str) -> EntryField:
        return self.query_one(f"#post-{name}", EntryField)

    def widget_at(self, at: Field) -> Widget:
        """The widget of a field; the bar for the form as a whole and for rows that are not there."""
        rows = self.rows
        if at.row is None:
            return self.head(at.name) if at.name in HEAD_FIELDS else self.bar
        return rows[at.row].field(at.name) if at.row < len(rows) else self.bar

    def lead_to(self, at: Field | None) -> None:
        """Focus what is wanted, else the bar. What stands there is not selected: no key is to replace it."""
        widget = self.widget_at(at or FORM)
        self.screen.set_focus(widget)
        if isinstance(widget, EntryField):
            widget.call_later(widget.action_end)

    def step(self, by: int) -> None:
        """Focus the field above or below; nothing is above the first, least of all the last."""
        screen, at = self.screen, self.field_of(self.screen.focused)
        if at is None:
            if by < 0:
                screen.set_focus(self.rows[-1].account)
        elif at.row is None:
            if by > 0 or at != DATE:
                (screen.focus_next if by > 0 else screen.focus_previous)()
        elif at.row + by < 0:
            screen.set_focus(self.head("comment"))
        else:
            screen.set_focus(self.widget_at(Field(at.name, at.row + by)))

    @property
    def sentences(self) -> list[Region]:
        """Where something is said of a field, in screen cells."""
        return [label.region for label in self.query(".entry--problem") if label.display]

    def field_of(self, widget: Widget | None) -> Field | None:
        if isinstance(widget, EntryField) and widget.name is not None:
            return Field(widget.name, widget.row)
        return None

    async def put(self, draft: Draft) -> None:
        """Show the draft's text, in as many rows as it has."""
        await self.fit_rows(draft)
        for name in HEAD_FIELDS:
            self.head(name).put(getattr(draft, name))
        for number in range(len(draft.rows)):
            self.put_row(draft, number)
        self.shown = draft

    async def fit_rows(self, draft: Draft) -> None:
        """Have as many rows as the draft, and leave alone what is being typed."""
        rows = self.rows
        if len(rows) < len(draft.rows):
            added = [EntryRow(number) for number in range(len(rows), len(draft.rows))]
            await self.query_one("#post-rows").mount_all(added)
        elif len(rows) > len(draft.rows):
            await self.query_one("#post-rows").remove_children(rows[len(draft.rows) :])

    def put_row(self, draft: Draft, number: int) -> None:
        shown, row = self.rows[number], draft.rows[number]
        shown.account.put(row.account)
        shown.debit.put(row.debit)
        shown.credit.put(row.credit)

    def collect(self, draft: Draft, today: date) -> None:
        """Take what is in the fields into the draft; nothing while another draft's text still stands there."""
        if draft is not self.shown:
            return
        draft.date_typed(self.head("date").value, today)
        draft.description, draft.comment = self.head("description").value, self.head("comment").value
        for shown, row in zip(self.rows, draft.rows, strict=False):
            row.account, row.debit, row.credit = shown.account.value, shown.debit.value, shown.credit.value

    def show(self, view: EntryView) -> None:
        """Draw what follows from the draft: day, problems, offered amounts, balances."""
        self._show_head(view)
        readings = view.assessment.rows
        amounts = [format_amount(row.minor, row.precision) for row in readings if row.minor is not None]
        widest = max(map(len, [*amounts, *(row.hint for row in view.draft.rows)]), default=0) + 2
        room = (min(self.app.size.width, FORM_WIDTH) - ACCOUNT_WIDTH - BALANCE_WIDTH) // 2
        width = max(AMOUNT_WIDTH, min(widest, room))
        point_room = fraction_cells(row.precision for row in readings if row.asset is not None)
        for label in self.query("#post-head .entry--amount"):
            label.styles.width = width
        for shown, number in zip(self.rows, range(len(view.draft.rows)), strict=False):
            self._show_row(shown, number, view)
            shown.set_amount_room(width, point_room)
        self.call_after_refresh(self._place_bar)

    def on_resize(self) -> None:
        self.call_after_refresh(self._place_bar)

    def _place_bar(self) -> None:
        """Have the bar as near under the last row as leaves room for its offers between them."""
        if not self.rows:
            return
        rows = self.query_one("#post-rows")
        room = self.size.height - (rows.region.y - self.region.y) - self.bar.outer_size.height
        rows.styles.height = max(1, min(room, self.rows[-1].virtual_region.bottom + OFFERS_MAX))

    def _show_head(self, view: EntryView) -> None:
        waiting = f" · {view.waiting} more waiting" if view.waiting else ""
        key = f"key {view.draft.key[:8]}… (kept on retry)"
        self.query_one("#post-title", PaneTitle).show(view.title + waiting, key)
        day, text = view.assessment.day, "  ✗ no date"
        if day is not None:
            text = f"  {format_weekday(day)} {format_date(day)}, {format_days_ago(day, view.today)}"
        self.query_one("#post-day", Label).update(Content(text))
        last_used = f"  last used {format_days_ago(view.last_used, view.today)}" if view.last_used else ""
        self.query_one("#post-use", Label).update(Content(last_used))
        problem = view.problem_at(DATE) or view.problem_at(DESCRIPTION)
        self.query_one("#post-problem", ProblemLabel).show(problem)

    def _show_row(self, shown: EntryRow, number: int, view: EntryView) -> None:
        reading = view.assessment.rows[number]
        side, offered = offered_amount(view.draft, view.assessment, number) or (None, "")
        shown.debit.placeholder = offered if side is Direction.DEBIT else ""
        shown.credit.placeholder = offered if side is Direction.CREDIT else ""
        balance = ""
        if reading.account is not None and reading.balance_after is not None:
            after = reading.balance_after * shown_sign(reading.account, natural=view.natural_signs)
            asset = printable(reading.asset or "", 8)
            text = fit_amount(format_amount(after, reading.precision), BALANCE_WIDTH - len(asset) - 1)
            balance = f"{text} {asset}"
        shown.show_balance(balance, warning=reading.below_minimum)
        sentences = (view.problem_at(Field(name, number)) for name in ("account", "debit", "credit"))
        shown.problem.show(next(filter(None, sentences), ""))
