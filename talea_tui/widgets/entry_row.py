"""A row of the posting form: account, debit, credit, the balance it leaves, and what is wrong with it."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Label

from ..formatting import ELLIPSIS, align_point, fit_amount, printable
from .entry_field import EntryField, RowField
from .hanging import ProblemLabel


class AccountField(RowField):
    """While it has not the focus, the end of a long path is shown: that is what tells accounts apart."""

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        text = printable(self.value)
        if self.has_focus or y or cell_len(text) < width:  # one cell is for the cursor
            return super().render_line(y)
        if cell_len(text) > width:
            while text and cell_len(text) > width - 1:
                text = text[max(1, (cell_len(text) - width) // 2) :]
            text = ELLIPSIS + text
        return Strip([Segment(set_cell_size(text, width), self.rich_style)], width)


class MoneyField(RowField):
    """While it has not the focus, the amount stands right, its point under the others'.

    While it has, an ellipsis stands where more of it is beyond the edge.
    """

    point_room = 0
    """Cells from the decimal point to the end, of the widest amount of the form."""

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self.has_focus or y or width < 3:
            return self._with_ends(super().render_line(y), width)
        text, style = printable(self.value, 200).strip(), self.rich_style
        if not text:
            text = self.placeholder
            style = self.get_component_rich_style("input--placeholder")
        shown = align_point(text, self.point_room) if text else ""
        if cell_len(shown) > width - 1:
            shown = fit_amount(text, width - 1)
        padding = " " * max(0, width - 1 - cell_len(shown))
        return Strip([Segment(padding + shown + " ", style)]).adjust_cell_length(width, style)

    def _with_ends(self, strip: Strip, width: int) -> Strip:
        """Mark where the value goes on to the left and to the right."""
        begin, strip = self.scroll_offset.x, strip.crop(0, width)
        for place, cut in ((0, begin > 0), (width - 1, cell_len(self.value) > begin + width)):
            cell = strip.crop(place, place + 1)
            if cut and cell.cell_length == 1:
                mark = Strip([Segment(ELLIPSIS, next(iter(cell)).style)])
                strip = Strip.join([strip.crop(0, place), mark, strip.crop(place + 1)])
        return strip


class EntryRow(Vertical):
    """`number` is the row of the draft that it shows."""

    DEFAULT_CSS = """
    EntryRow { height: auto; }
    EntryRow Horizontal { height: 1; }
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.account = AccountField(name="account", row=number, classes="entry--account")
        self.debit = MoneyField(name="debit", row=number, classes="entry--amount")
        self.credit = MoneyField(name="credit", row=number, classes="entry--amount")
        self.balance = Label("", classes="entry--balance", markup=False)
        self.problem = ProblemLabel(classes="entry--problem")

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self.account
            yield self.debit
            yield self.credit
            yield self.balance
        yield self.problem

    def field(self, name: str) -> EntryField:
        return {"account": self.account, "debit": self.debit, "credit": self.credit}[name]

    def show_balance(self, text: str, *, warning: bool) -> None:
        self.balance.update(Content(text))
        self.balance.set_class(warning, "-warning")

    def set_amount_room(self, width: int, point_room: int) -> None:
        for field in (self.debit, self.credit):
            field.styles.width = width
            if field.point_room != point_room:
                field.point_room = point_room
                field.refresh()
