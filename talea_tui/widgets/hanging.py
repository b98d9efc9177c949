"""Paragraphs that wrap under their own text, with the mark they begin with alone in the margin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from textual.content import Content
from textual.visual import RenderOptions, Visual
from textual.widgets import Label

from ..formatting import printable

if TYPE_CHECKING:
    from textual.css.styles import RulesMap
    from textual.selection import Selection
    from textual.strip import Strip
    from textual.style import Style

MARK = re.compile(r" *(?:[✗■✓] )?")


class Hanging(Visual):
    """`✗ a sentence that is longer` / `  than its line`."""

    def __init__(self, *paragraphs: Content) -> None:
        self._paragraphs = paragraphs

    def _wrapped(self, width: int) -> Content:
        lines: list[Content] = []
        for paragraph in self._paragraphs:
            found = MARK.match(paragraph.plain)
            margin = found.end() if found is not None else 0
            first, *more = paragraph[margin:].wrap(max(1, width - margin))
            lines += [paragraph[:margin] + first, *(Content(" " * margin) + line for line in more)]
        return Content("\n").join(lines)

    def selected(self, selection: Selection, width: int) -> tuple[str, str]:
        """What was selected with the mouse, its lines joined to paragraphs again."""
        return re.sub(r"\n +", " ", selection.extract(self._wrapped(width).plain)), "\n"

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self._wrapped(width).render_strips(width, height, style, options)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._wrapped(width).get_height(rules, width)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return Content("\n").join(self._paragraphs).get_optimal_width(rules, container_width)


class ProblemLabel(Label):
    """What is wrong with a field, under it; an empty sentence takes it away."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._shown = Hanging()
        self.display = False

    def show(self, sentence: str) -> None:
        self._shown = Hanging(Content(f"  ✗ {printable(sentence, 500)}"))
        self.update(self._shown)
        self.display = bool(sentence)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return self._shown.selected(selection, self.content_size.width)
