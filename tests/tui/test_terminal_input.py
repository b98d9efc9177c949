"""What terminals send: bytes that are no text, and pastes."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.message import Message

from talea_tui.widgets.entry_field import EntryField
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, settle

pytest.importorskip("pty")

from tests.support.terminals import GIVEN_BACK, running

START, END = "\x1b[200~", "\x1b[201~"


def messages(*pieces: str) -> list[Message]:
    from talea_tui.terminal import InputParser

    parser = InputParser()
    return [message for piece in pieces for message in parser.feed(piece)]


def said(found: list[Message]) -> list[str]:
    return [
        f"paste {one.text}" if isinstance(one, events.Paste) else one.key
        for one in found
        if isinstance(one, events.Paste | events.Key)
    ]


def test_bytes_that_are_no_text_leave_the_application_running(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as application:
        application.press(b"\xff\x9b\x1b[1114112u\x1b[99999999999u\x1b[56448u8")
        application.wait_for(b"No asset is registered")
        application.press(b"q")
        application.wait_for(GIVEN_BACK)
        assert application.process.wait(30) == 0
        assert b"Traceback" not in application.screen


@pytest.mark.parametrize(
    "number",
    ["1114112", "99999999999", "56448", "97:65", "97;2:3", "97;1;1114112", "97;1;56448", "97;1;99999999999"],
)
def test_a_key_whose_number_is_no_character_is_no_key(number: str) -> None:
    assert said(messages(f"k\x1b[{number}uj")) == ["k", "j"]


@pytest.mark.parametrize("size", ["0;0;0;0", "0;0;9;9", "24;80;0;0"])
def test_a_mouse_counted_in_pixels_where_there_are_none_is_no_mouse(size: str) -> None:
    assert said(messages(f"k\x1b[48;{size}t\x1b[<0;5;5Mj")) == ["k", "j"]


def test_escape_characters_in_a_paste_are_part_of_it_and_press_no_key() -> None:
    assert said(messages(f"k{START}a\x1b[31m8\x1b{END}j")) == ["k", "paste a\x1b[31m8\x1b", "j"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_a_paste_may_come_in_pieces(size: int) -> None:
    sent = f"\x1b[A{START}a\x1b[Bb\n{END}{START}c{END}\x1b[B"
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert said(messages(*pieces)) == ["up", "paste a\x1b[Bb\n", "paste c", "down"]


@pytest.mark.parametrize(
    ("pasted", "value"),
    [("one\r\n\ntwo\tthree\n\x1b[31mfour\n", "one two three ␛[31mfour"), ("a\ud800b\udfff", "a�b�")],
    ids=["several lines", "no characters"],
)
async def test_a_paste_comes_into_a_field_as_one_line_of_what_can_be_shown(
    open_app: OpenApp, pasted: str, value: str
) -> None:
    async with open_app(MemoryStore()) as pilot:
        await pilot.press("8", "n")
        await settle(pilot)
        field = pilot.app.focused
        assert isinstance(field, EntryField)
        pilot.app.post_message(events.Paste(pasted))
        await settle(pilot)
        assert field.value == value
