"""The configuration file: what it changes, and what is said when it cannot be followed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store import LogStoreOptions
from talea_tui.app import TaleaApp
from talea_tui.config import Config, ConfigError
from tests.support.build import household
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import screen_text, settle

REPOSITORY = Path(__file__).parents[2]

EVERYTHING = """
theme = "talea-light"
directory = "~/books"

[keys]
"app.post" = "P"
events.follow = ["F", "f7"]

[store]
snapshot_every = 5_000
segment_max = 1_000_000
idem_hot_cap = 10
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def talea(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALEA_")}
    environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "talea_tui", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    config = Config.load(tmp_path / "config.toml")
    assert (config.theme, config.directory, dict(config.keys), dict(config.store)) == (None, None, {}, {})


def test_a_byte_order_mark_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('theme = "talea-light"', "utf-8-sig")
    assert Config.load(path).theme == "talea-light"


def test_every_documented_key_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDEM_HOT_CAP", "SNAPSHOT_EVERY", "SEGMENT_MAX"):
        monkeypatch.delenv(f"TALEA_LOG_{name}", raising=False)
    config = Config.load(written(tmp_path, EVERYTHING))
    assert config.theme == "talea-light"
    assert config.directory == Path("~/books").expanduser()
    assert config.keys == {"app.post": ("P",), "events.follow": ("F", "f7")}
    assert config.store_options() == LogStoreOptions(
        snapshot_every=5_000, segment_max=1_000_000, idem_hot_cap=10
    )


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.load(written(tmp_path, EVERYTHING))
    monkeypatch.setenv("TALEA_LOG_SNAPSHOT_EVERY", "7")
    monkeypatch.setenv("TALEA_DIR", "/elsewhere")
    assert config.store_options().snapshot_every == 7
    assert config.ledger_directory() == Path("/elsewhere")
    monkeypatch.delenv("TALEA_DIR")
    assert config.ledger_directory() == Path("~/books").expanduser()


def test_a_variable_without_a_value_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.load(written(tmp_path, EVERYTHING))
    monkeypatch.setenv("TALEA_LOG_SNAPSHOT_EVERY", "")
    monkeypatch.setenv("TALEA_DIR", "")
    assert config.store_options().snapshot_every == 5_000
    assert config.ledger_directory() == Path("~/books").expanduser()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('thema = "x"', ["'thema'", "'theme'"]),
        ('[keys]\n"app.pots" = "x"', ["'app.pots'", "'app.post'"]),
        ("[store]\nsnapshots_every = 3", ["'snapshots_every'", "'snapshot_every'"]),
        ("[store]\nzzz = 3", ["'zzz'", "segment_max"]),
        ("[store]\nsegment_max = 0", ["'segment_max'", "at least 1"]),
        ("[store]\nsegment_max = true", ["'segment_max'", "whole number"]),
        ("theme = 3", ["'theme'", "text"]),
        ("store = 3", ["'store'", "[store]"]),
        ('[keys]\n"app.post" = []', ["'app.post'"]),
        ('[keys]\n"app.post" = "the p key"', ["'the p key'", "'app.post'"]),
        ('[keys]\n"app.post" = ["bogus"]', ["'bogus'", "'app.post'"]),
        ('[keys]\n"app.post" = "f99"', ["'f99'", "'app.post'"]),
        ('[keys]\n"app.post" = "shift+1"', ["'shift+1'", "'app.post'"]),
        ('[keys]\n"app.post" = ["1"]', ["'1'", "'app.post'", "'app.books'"]),
        ('[keys]\n"books.new" = "p"', ["'p'", "'books.new'", "'app.post'"]),
        ('[keys]\n"table.open" = "n"', ["'n'", "'table.open'", "'books.new'"]),
        ('[keys]\n"app.as_of" = "x"\n"app.theme" = "x"', ["'x'", "'app.as_of'", "'app.theme'"]),
        ('[keys]\n"app.as_of" = "?"', ["'?'", "'app.as_of'", "'app.help'"]),
        ('[keys]\n"app.live" = "L"', ["'app.live'", "palette"]),
        ("theme = =", ["not TOML", "line 1"]),
        ('directory = "~nosuch/x"', ["'directory'", "'~nosuch'", "no home directory"]),
    ],
)
def test_what_cannot_be_followed_is_named_with_what_is_nearest(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        Config.load(path)
    assert str(path) in str(refused.value)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('"app.books" = "2"\n"app.accounts" = "1"', {"app.books": ("2",), "app.accounts": ("1",)}),
        ('"books.new" = "x"\n"storage.cancel" = "x"', {"books.new": ("x",), "storage.cancel": ("x",)}),
        ('"account_tree.toggle" = ["space", "x"]', {"account_tree.toggle": ("space", "x")}),
        ('"app.help" = ["!", "ctrl+X", "shift+u"]', {"app.help": ("exclamation_mark", "ctrl+x", "U")}),
    ],
    ids=["swapped", "never both at work", "shared by default", "as people write them"],
)
def test_keys_that_take_no_other_actions_are_taken(
    tmp_path: Path, text: str, keys: dict[str, object]
) -> None:
    assert Config.load(written(tmp_path, f"[keys]\n{text}")).keys == keys


def test_a_theme_that_does_not_exist_is_named_with_the_nearest(tmp_path: Path) -> None:
    config = Config.load(written(tmp_path, 'theme = "talea-lite"'))
    with pytest.raises(ConfigError, match=r"talea-lite.*'talea-light'"):
        config.check_theme(TaleaApp(store=MemoryStore()).available_themes)


async def test_remapped_keys_act_and_are_what_the_screens_say(tmp_path: Path) -> None:
    config = Config.load(written(tmp_path, '[keys]\n"app.assets" = ["A"]\n"app.as_of" = "W"'))
    app = TaleaApp(store=MemoryStore(), config=config)
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        assert "W as of" in screen_text(app)
        await pilot.press("A")
        await settle(pilot)
        assert app.current_mode == "assets"
        await pilot.press("1")
        await pilot.press("8")
        await settle(pilot)
        assert app.current_mode == "books"
        await pilot.press("question_mark", "end")
        await settle(pilot)
        (line,) = [line for line in screen_text(app).splitlines() if "As of" in line]
        assert "W" in line.partition("As of")[0]


async def test_what_screens_say_to_press_is_the_key_of_the_file(tmp_path: Path) -> None:
    config = Config.load(written(tmp_path, '[keys]\n"app.post" = "P"\n"books.new" = "x"'))
    store = MemoryStore()
    await household(store)
    app = TaleaApp(store=store, config=config)
    async with app.run_test(size=(100, 40)) as pilot:
        for screen in ("2", "6"):
            await pilot.press(screen)
            await settle(pilot)
            assert "Press P to post" in screen_text(app)
    app = TaleaApp(store=MemoryStore(), config=config)
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        assert "Press x to begin a book" in screen_text(app)


async def test_the_theme_of_the_file_goes_before_the_one_remembered(tmp_path: Path) -> None:
    app = TaleaApp(store=MemoryStore(), config=Config.load(written(tmp_path, 'theme = "talea-light"')))
    assert app.theme == "talea-light"


def test_paths_and_keys_show_what_the_file_says(tmp_path: Path) -> None:
    path = written(tmp_path / "config" / "talea", EVERYTHING)
    paths = json.loads(talea("paths", "--json", home=tmp_path).stdout)
    assert paths["config"] == str(path)
    assert paths["ledger"] == str(tmp_path / "books")
    (line,) = [
        line for line in talea("keys", "--ids", home=tmp_path).stdout.splitlines() if "app.post " in line
    ]
    assert line.split()[0] == "P"


def test_a_broken_file_stops_commands_with_a_sentence_but_paths_still_says_where_it_is(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "config" / "talea", "nonsense = 1")
    done = talea("stats", home=tmp_path)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert talea("completion", "bash", home=tmp_path).returncode == 0
    shown = talea("paths", home=tmp_path)
    assert str(path) in shown.stdout
    assert "nonsense" in shown.stderr


@pytest.mark.parametrize(
    "words",
    [["stats", "--dir", "~nosuch/x"], ["backup", "~nosuch/x"], ["~nosuch/x"], ["demo", "--dir", "~nosuch/x"]],
)
def test_a_home_directory_that_nobody_has_is_refused_with_a_sentence(
    tmp_path: Path, words: list[str]
) -> None:
    done = talea(*words, home=tmp_path)
    assert done.returncode == 2
    assert "'~nosuch' is no home directory known here; write ./~nosuch/x" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_that_names_no_home_is_told_and_the_other_paths_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALEA_DIR", "~nosuch/x")
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    for words, printed in ((["paths"], "config "), (["stats"], "")):
        command = [sys.executable, "-m", "talea_tui", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False)
        assert "$TALEA_DIR: '~nosuch' is no home directory known here" in done.stderr
        assert printed in done.stdout


def test_paths_prints_a_place_that_cannot_be_looked_at_with_the_reason(tmp_path: Path) -> None:
    done = talea("paths", "--dir", f"/{'x' * 300}", home=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("x   (File name too long)")
