"""The desktop's clipboard: which program takes the text, and that none can do harm."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from talea_tui.widgets.clipboard import copy_natively, native_command


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs that write what they are given to a file."""
    for name in ("wl-copy", "xclip", "pbcopy"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nexec /bin/cat > "{tmp_path}/{name}.got"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "broken").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "broken").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("programs")
def test_the_desktop_decides_which_program_takes_the_text():
    assert native_command({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux") == ["wl-copy"]
    assert native_command({"DISPLAY": ":0"}, "linux") == ["xclip", "-selection", "clipboard"]
    assert native_command({}, "darwin") == ["pbcopy"]
    assert native_command({}, "linux") is None


async def test_text_arrives_whole(programs: Path):
    text = "電気代\t−1,466.00\n" * 1_000
    assert await copy_natively(text, ["wl-copy"])
    assert (programs / "wl-copy.got").read_text("utf-8") == text


async def test_a_program_that_fails_or_is_not_there_is_told_and_nothing_more(programs: Path):
    assert not await copy_natively("text", [str(programs / "broken")])
    assert not await copy_natively("text", [str(programs / "missing")])
