"""What the README says is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from talea_tui import __version__
from talea_tui.app import TaleaApp
from talea_tui.cli import COMMANDS
from talea_tui.config import Config

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")


def test_the_first_two_commands_start_the_application_and_the_tests_from_nothing() -> None:
    start, tests = re.findall(r"^```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)[:2]
    for command in (start, tests):
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert "talea-tui" in start
    assert tests.endswith("-m pytest -q -n auto")


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"talea-tui ([a-z]+)", README))
    assert named == {*COMMANDS, "demo"}


def test_every_option_that_the_readme_names_exists() -> None:
    source = (REPOSITORY / "talea_tui" / "cli.py").read_text("utf-8")
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - {"--help"}:
        assert f'"{option}"' in source, option


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"(?:tests|talea_tui|store)/[\w./-]+\w", README):
        assert (REPOSITORY / name).exists(), name


def test_the_wheel_ships_the_two_packages_alone_and_the_changelog_knows_what_is_coming() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["store", "talea_tui"]
    assert project["project"]["scripts"] == {"talea-tui": "talea_tui.__main__:main"}
    for package in ("store", "talea_tui"):
        assert (REPOSITORY / package / "py.typed").exists()
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{__version__}]" in changelog


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_lines_about_the_library_run_twice_and_print_what_is_said(tmp_path: Path) -> None:
    (program,) = blocks("python")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        assert (done.stdout, done.stderr) == ("3 250\n", "")
    assert "`3 250`" in README


def test_the_configuration_that_is_shown_is_understood(tmp_path: Path) -> None:
    (shown,) = blocks("toml")
    path = tmp_path / "config.toml"
    path.write_text(shown, "utf-8")
    config = Config.load(path)
    assert config.keys == {"app.post": ("P", "f2")}
    config.check_theme(TaleaApp().available_themes)


def test_the_benchmarks_that_the_readme_names_are_there() -> None:
    assert (REPOSITORY / "tests" / "benchmarks" / "__main__.py").exists()
