"""The pictures in `screenshots/` are what the application shows today."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from talea_tui.screenshots import PICTURES, changed, draw_all, drawn_with

REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = REPOSITORY / "screenshots"


async def test_the_pictures_are_what_the_application_shows() -> None:
    """If they changed on purpose: `python -m talea_tui.screenshots`, and look at each."""
    for path in SCREENSHOTS.glob("*.svg"):
        if drawn_with() not in path.read_text("utf-8"):
            pytest.skip(f"{path.name} was drawn with other versions than {drawn_with()}")
    assert changed(SCREENSHOTS, await draw_all()) == []


def test_every_picture_is_in_the_readme_and_the_other_way_round() -> None:
    named = re.findall(r"\(screenshots/([\w-]+)\.svg\)", (REPOSITORY / "README.md").read_text("utf-8"))
    assert sorted(named) == sorted(picture.name for picture in PICTURES)


def test_pictures_are_whole_and_tell_no_path_of_a_machine() -> None:
    for path in SCREENSHOTS.glob("*.svg"):
        text = path.read_text("utf-8")
        ElementTree.fromstring(text)
        assert "this&#160;terminal&#160;has" not in text
        assert "/tmp" not in text
        assert str(Path.home()) not in text
