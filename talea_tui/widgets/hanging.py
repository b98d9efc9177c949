"""Paragraphs that wrap under their own text, with the mark they begin with alone in the margin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from textual.content import Content
from textual.visual import RenderOptions, Visual

if TYPE_CHECKING:
    from textual.css.styles import RulesMap
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

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self._wrapped(width).render_strips(width, height, style, options)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self._wrapped(width).get_height(rules, width)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return Content("\n").join(self._paragraphs).get_optimal_width(rules, container_width)
