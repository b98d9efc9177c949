"""The plain commands as a shell sees them: stdout, stderr, exit codes."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from store import LogTaleaStore
from talea_tui import commands
from talea_tui.cli import COMMANDS
from tests.support.build import BOOK
from tests.support.ledgers import opened, pay, written
from tests.support.observe import tree

from .support import DATA, HACKERSPACE, hledger_balances, needs_hledger, talea

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the book `hackerspace`, made without any accounting program."""
    directory = tmp_path_factory.mktemp("ledger") / "books-of-2024"
    done = talea("import", HACKERSPACE / "fy2024.jsonl", "--book", "hackerspace", "--dir", directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "268 transactions posted, 0 were there already" in done.stdout
    return directory


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refusal."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("talea-tui: ")
    return done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command: str) -> None:
    done = talea(*command.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: talea-tui")


def test_the_table_of_commands_names_every_module_that_runs_one() -> None:
    modules = {found.name for found in pkgutil.iter_modules(commands.__path__)}
    runs = {name for name in modules if hasattr(importlib.import_module(f"talea_tui.commands.{name}"), "run")}
    assert sorted(command.module for command in COMMANDS.values()) == sorted(runs)


def test_help_is_printed_whatever_the_locale_can_say() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "talea_tui", "--help"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "latin-1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "talea-tui COMMAND …" in done.stdout


def test_wrong_usage_exits_with_2() -> None:
    for words in (["import"], ["tail"], ["--nonsense"], ["import", "x", "--book", "b", "--kind", "a=gold"]):
        assert talea(*words).returncode == 2


@needs_hledger
def test_a_journal_comes_in_and_goes_out_with_the_balances_that_hledger_tells(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    for year in ("fy2021", "fy2024"):
        path = HACKERSPACE / f"{year}.journal"
        words = ("import", path, "--book", year, "--dir", directory)
        first, again = talea(*words), talea(*words)
        assert (first.returncode, first.stderr) == (0, "")
        assert "asset $: fiat, 2 decimals" in first.stdout or year == "fy2024"
        assert "  0 transactions posted" in again.stdout
        out = tmp_path / f"{year}.out.journal"
        out.write_text(talea("export", "--book", year, "--dir", directory).stdout, encoding="utf-8")
        assert hledger_balances(out) == hledger_balances(path)


@needs_hledger
def test_the_summary_tells_what_was_mapped_and_what_was_dropped(tmp_path: Path) -> None:
    done = talea("import", DATA / "everything.journal", "--book", "b", "--dir", tmp_path / "ledger")
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "  11 transactions posted, 0 were there already",
        "  asset BTC: crypto, 8 decimals",
        "    assets:broker in BTC → assets:broker:BTC",
        "    budget:v",
        "  3 virtual postings posted like any other",
        "  not carried over: 1 zero posting, 1 balance assertion, 1 market price, 1 periodic rule",
    ):
        assert line in done.stdout.splitlines()


@needs_hledger
def test_what_is_held_back_is_told_on_stderr_and_exits_with_1(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    words = ("import", path, "--book", "b", "--dir", tmp_path / "ledger")
    path.write_text("2024-01-01 \x1b[31mcoffee\n  expenses  $3\n  assets\n")
    assert talea(*words).returncode == 0
    path.write_text("2024-01-01 \x1b[31mcoffee\n  expenses  $4\n  assets\n")
    done = talea(*words)
    assert done.returncode == 1
    assert "1 transaction looks like an edited version" in done.stderr
    assert "␛[31mcoffee (a.journal:1)" in done.stderr
    assert talea(*words, "--post-edited").returncode == 0


def test_json_lines_go_round_through_another_ledger(ledger: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(
        talea("export", "--book", "hackerspace", "--format", "json", "--dir", ledger).stdout, "utf-8"
    )
    words = ("import", out, "--book", "copy", "--dir", tmp_path / "other")
    assert "268 transactions posted" in talea(*words).stdout
    assert "  0 transactions posted, 268 were there already" in talea(*words).stdout


def test_verify_tells_each_book_and_its_head_and_proves_an_earlier_one(ledger: Path) -> None:
    done = talea("verify", "--dir", ledger)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", "'_system'"], ["ok", "'hackerspace'"]]
    head = lines[1].split()[-1]
    assert talea("verify", "--book", "hackerspace", "--against", head, "--dir", ledger).returncode == 0
    other = head.partition(":")[0] + ":" + "0" * 64
    done = talea("verify", "--book", "hackerspace", "--against", other, "--dir", ledger)
    assert done.returncode == 1
    assert "has changed" in done.stderr
    for digits in ("z" * 64, "0" * 63, "٠" * 64):
        assert talea("verify", "--against", f"1:{digits}", "--dir", ledger).returncode == 2


def test_a_noted_head_is_held_against_the_only_book_and_of_several_one_must_be_named(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    for book in ("one", "two"):
        talea("import", HACKERSPACE / "fy2024.jsonl", "--book", book, "--dir", directory)
        done = talea("verify", "--dir", directory)
        head = done.stdout.splitlines()[1].split()[-1]
        against = talea("verify", "--against", head, "--dir", directory)
        if book == "one":
            assert (against.returncode, against.stderr, against.stdout) == (0, "", done.stdout)
            other = head.partition(":")[0] + ":" + "0" * 64
            assert "'one' has changed" in talea("verify", "--against", other, "--dir", directory).stderr
        else:
            assert "it has 'one', 'two'; name the book with --book" in refused(against)


def test_a_damaged_book_is_told_by_verify_and_the_others_are_still_checked(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    for book in ("bad", "good"):
        talea("import", HACKERSPACE / "fy2024.jsonl", "--book", book, "--dir", directory)
    (segment,) = (directory / "books" / "bad").glob("segment-*.log")
    content = bytearray(segment.read_bytes())
    content[1_000] ^= 0xFF  # among the accounts, which later frames prove to have been synced
    segment.write_bytes(content)
    done = talea("verify", "--dir", directory)
    assert done.returncode == 1
    assert "'bad' is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ok  'good'" in done.stdout
    assert talea("verify", "--book", "good", "--dir", directory).returncode == 0
    assert talea("verify", "--book", "bad", "--dir", directory).returncode == 1
    for words in (
        ("export", "--book", "bad"),
        ("tail", "--book", "bad"),
        ("tail", "--book", "bad", "--follow"),
        ("import", HACKERSPACE / "fy2024.jsonl", "--book", "bad"),
        ("backup", tmp_path / "copy"),
    ):
        assert "'bad' is damaged" in refused(talea(*words, "--dir", directory))
    assert not (tmp_path / "copy").exists()
    for words in (
        ("export", "--book", "good"),
        ("tail", "--book", "good"),
        ("import", HACKERSPACE / "fy2024.jsonl", "--book", "good"),
    ):
        done = talea(*words, "--dir", directory)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    listed = talea("stats", "--dir", directory)
    assert listed.returncode == 1
    bad, good, why = listed.stdout.splitlines()[1:]
    assert bad.split() == ["bad", "–", "–", "–", "–", "damaged", "–"]
    assert good.split()[0] == "good"
    assert why.startswith(f"Book 'bad' is damaged, {segment.name} at byte ")
    figures = json.loads(talea("stats", "--json", "--dir", directory).stdout)
    assert [(one["name"], one["last_seq"] is None, one["head"] is None) for one in figures] == [
        ("bad", True, True),
        ("good", False, False),
    ]


def test_a_damaged_registry_is_told_by_stats(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    talea("import", HACKERSPACE / "fy2024.jsonl", "--book", "b", "--dir", directory)
    (segment,) = (directory / "books" / "_system").glob("segment-*.log")
    segment.rename(segment.with_name("snapshot-00000000000000000001.snap"))  # and no log beside it
    done = talea("stats", "--dir", directory)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Book '_system' is damaged: " in done.stdout
    assert "b  " in done.stdout


def test_tail_refuses_to_begin_at_a_seq_of_another_book(ledger: Path) -> None:
    words = ("tail", "--book", "hackerspace", "--dir", ledger, "--from")
    assert "'studio' is not in book 'hackerspace'" in refused(talea(*words, "studio#5"))
    assert talea(*words, "hack#5").stdout == talea(*words, "5").stdout


def test_tail_prints_the_last_events_or_from_a_seq_or_a_time(ledger: Path) -> None:
    words = ("tail", "--book", "hackerspace", "--dir", ledger)
    assert len(talea(*words).stdout.splitlines()) == 10
    from_one = [json.loads(line) for line in talea(*words, "--from", "1", "--json").stdout.splitlines()]
    assert [one["seq"] for one in from_one] == list(range(1, len(from_one) + 1))
    assert len(talea(*words, "--from", str(len(from_one))).stdout.splitlines()) == 1
    assert len(talea(*words, "--from", "1970-01-01").stdout.splitlines()) == len(from_one)
    filtered = talea(*words, "--from", "1", "--filter", "account:*Rent kind:tx").stdout.splitlines()
    assert len(filtered) == 12
    assert "amount" in refused(talea(*words, "--filter", "amount>x"))


def test_tail_begins_some_time_ago_as_its_own_refusal_suggests(ledger: Path) -> None:
    words = ("tail", "--book", "hackerspace", "--dir", ledger)
    assert " -2h," in refused(talea(*words, "--from", "then"))
    assert talea(*words, "--from", "-2h").stdout == talea(*words, "--from", "1").stdout
    assert talea(*words, "--from", "--json").returncode == 2


def test_stats_and_paths_print_json(ledger: Path) -> None:
    (book,) = json.loads(talea("stats", "--json", "--dir", ledger).stdout)
    assert (book["name"], book["transactions"], book["writer"]) == ("hackerspace", 268, "running")
    assert "hackerspace" in talea("stats", "--dir", ledger).stdout
    assert json.loads(talea("paths", "--json", TALEA_DIR=str(ledger)).stdout)["ledger"] == str(ledger)


async def test_what_writes_is_refused_with_one_sentence_that_says_who_has_the_ledger(ledger: Path) -> None:
    async with await LogTaleaStore.open(ledger):
        for words in (
            ["import", str(HACKERSPACE / "fy2024.jsonl"), "--book", "hackerspace"],
            ["verify"],
        ):
            assert f"process {os.getpid()}" in refused(talea(*words, "--dir", ledger))


async def test_what_only_reads_reads_a_ledger_that_another_process_has_open(
    ledger: Path, tmp_path: Path
) -> None:
    book = ["--book", "hackerspace"]
    commands = [
        ["stats"],
        ["export", *book],
        ["export", *book, "--format", "json"],
        ["tail", *book, "--from", "1", "--json"],
    ]
    alone = [talea(*words, "--dir", ledger) for words in commands]
    before = tree(ledger)
    async with await LogTaleaStore.open(ledger):
        beside = [talea(*words, "--dir", ledger) for words in commands]
        (figures,) = json.loads(talea("stats", "--json", "--dir", ledger).stdout)
    assert [(done.returncode, done.stderr) for done in beside] == [(0, "")] * len(commands)
    assert [done.stdout for done in beside[1:]] == [done.stdout for done in alone[1:]]
    assert "hackerspace" in beside[0].stdout
    assert (figures["transactions"], figures["queued"], figures["batch_size"]) == (268, None, None)
    assert tree(ledger) == before


async def test_tail_follows_a_ledger_without_keeping_others_from_posting(tmp_path: Path) -> None:
    directory = await written(tmp_path / "ledger")
    command = [sys.executable, "-m", "talea_tui", "tail", "--book", BOOK, "--follow", "--json"]
    follower = await asyncio.create_subprocess_exec(
        *(*command, "--dir", str(directory)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        # a shell has what it runs in the background ignore this signal
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert follower.stdout is not None
        assert follower.stderr is not None
        seqs = [json.loads(await follower.stdout.readline())["seq"] for _ in range(10)]
        async with opened(directory) as store:
            await pay(store, 20, start=6)
            seqs += [json.loads(await follower.stdout.readline())["seq"] for _ in range(20)]
        assert seqs == list(range(4, 34))
        follower.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(follower.wait(), 30) == 130
        assert await follower.stderr.read() == b""
    finally:
        if follower.returncode is None:
            follower.kill()


@pytest.mark.parametrize(("words", "imported"), [((), "textual"), (("stats",), "msgspec")])
def test_an_interrupt_while_it_is_still_being_loaded_ends_it_without_a_word(
    tmp_path: Path, words: tuple[str, ...], imported: str
) -> None:
    (tmp_path / imported).mkdir()
    (tmp_path / imported / "__init__.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "talea_tui", *words],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "TEXTUAL_DRIVER": "none"},
        capture_output=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


async def test_backup_copies_a_ledger_in_use_or_not_and_refuses_a_used_target(
    ledger: Path, tmp_path: Path
) -> None:
    done = talea("backup", tmp_path / "copy", "--dir", ledger)
    assert (done.returncode, done.stderr) == (0, "")
    async with await LogTaleaStore.open(ledger) as store:
        info = await store.book("hackerspace")
        assert info is not None
        assert f"head {info.head[0]}:{info.head[1]}" in done.stdout
        beside = talea("backup", tmp_path / "beside", "--dir", ledger)
        assert (beside.returncode, beside.stderr) == (0, "")
        assert beside.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    manifests = [(tmp_path / name / "MANIFEST.json").read_text() for name in ("copy", "beside")]
    assert manifests[0] == manifests[1]
    assert talea("verify", "--dir", tmp_path / "beside").stdout == talea("verify", "--dir", ledger).stdout
    assert "not empty" in refused(talea("backup", tmp_path / "copy", "--dir", ledger))
    assert talea("backup", "--dir", ledger).returncode == 2


def test_a_closed_pipe_is_quiet(ledger: Path) -> None:
    command = (
        f"{sys.executable} -m talea_tui tail --book hackerspace --from 1 --json --dir '{ledger}' | head -n 1"
    )
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "words",
    [
        "stats",
        "tail --book hackerspace --from 1",
        "export --book hackerspace",
        "import fy2024.jsonl --book hackerspace",
        "tail --book nowhere",
    ],
)
def test_a_closed_stream_changes_no_exit_code_and_goes_to_no_file_of_the_ledger(
    ledger: Path, words: str, closed: str
) -> None:
    command = f"{sys.executable} -m talea_tui {words} --dir '{ledger}'"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done, expected = (
        subprocess.run(
            f"{command} {how}",
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=HACKERSPACE,
        )
        for how in (closed, "")
    )
    assert done.returncode == expected.returncode
    assert done.stdout == ""
    assert done.stderr == ("" if "2>&-" in closed else expected.stderr)
    assert talea("verify", "--dir", ledger).returncode == 0


def test_what_is_not_there_is_refused_by_name(ledger: Path, tmp_path: Path) -> None:
    assert "There is no ledger at" in refused(talea("stats", "--dir", tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    sentence = refused(talea("export", "--book", "nope", "--dir", ledger))
    assert "no book 'nope'" in sentence
    assert "'hackerspace'" in sentence
    sentence = refused(talea("import", tmp_path / "nope.jsonl", "--book", "b", "--dir", tmp_path / "none"))
    assert "There is no file" in sentence
    assert not (tmp_path / "none").exists()
    file = tmp_path / "file"
    file.write_text("")
    refused(talea("import", HACKERSPACE / "fy2024.jsonl", "--book", "b", "--dir", file))


def test_a_misspelt_command_is_wrong_usage_and_no_new_ledger(tmp_path: Path) -> None:
    done = talea("verfy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the nearest is 'verify'" in done.stderr
    assert "./verfy" in done.stderr
    assert "terminal" in refused(talea("./verfy"))
    assert "terminal" in refused(talea("household"))
    done = talea("impot", tmp_path / "year.journal", "--book", "mine")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the nearest is 'import'" in done.stderr


def test_help_is_no_ledger(tmp_path: Path) -> None:
    assert talea("help").stdout == talea("--help").stdout
    assert talea("help", "import").stdout == talea("import", "--help").stdout


def test_a_journal_in_place_of_the_ledger_is_refused_with_the_command_that_imports_it(tmp_path: Path) -> None:
    journal = tmp_path / "year.journal"
    journal.write_text("")
    assert f"talea-tui import {journal} --book NAME" in refused(talea(journal))


def test_a_file_in_place_of_the_ledger_is_called_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = talea("import", HACKERSPACE / "fy2024.jsonl", "--book", "b", "--dir", tmp_path / "file")
    assert "it is a file, not a directory" in refused(done)


def test_without_a_terminal_the_application_is_refused(ledger: Path) -> None:
    assert "needs a terminal" in refused(talea(ledger))


def test_an_unsafe_book_name_is_refused(ledger: Path) -> None:
    for name in ("../x", "_system", "a/b", ""):
        refused(talea("import", HACKERSPACE / "fy2024.jsonl", "--book", name, "--dir", ledger))
    assert "'_system' is the ledger's register of assets" in refused(
        talea("export", "--book", "_system", "--dir", ledger)
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [["export", "--book", "hackerspace"], ["--help"], ["--version"], ["tail", "--help"]]
)
def test_a_full_disk_behind_stdout_is_told_in_a_sentence(
    ledger: Path, words: list[str], unbuffered: str
) -> None:
    directory = ["--dir", str(ledger)] if words[0] == "export" else []
    command = [sys.executable, "-m", "talea_tui", *words, *directory]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": unbuffered},
        )
    sentence = refused(subprocess.CompletedProcess(command, done.returncode, "", done.stderr))
    assert "the output is not whole, it could not be written: No space left" in sentence


@pytest.mark.parametrize(
    "words", [["keys"], ["paths"], ["stats"], ["verify"], ["tail"], ["export"], ["backup"]]
)
def test_plain_commands_load_no_terminal_library(ledger: Path, tmp_path: Path, words: list[str]) -> None:
    book = ["--book", "hackerspace"] if words[0] in ("tail", "export") else []
    if words == ["backup"]:
        words = [*words, str(tmp_path / "copy")]
    directory = [] if words == ["keys"] else ["--dir", str(ledger)]
    program = (
        "import sys; from talea_tui.cli import main; code = main(sys.argv[1:])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules} & {'textual', 'rich'}\n"
        "print(code, sorted(loaded), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words, *book, *directory],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stderr == "0 []\n"


def test_version_and_help_load_neither_the_store_nor_a_terminal_library() -> None:
    program = (
        "import sys\nfrom talea_tui.cli import main\n"
        "try:\n    main([sys.argv[1]])\nexcept SystemExit:\n    pass\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "heavy = {'asyncio', 'textual', 'rich', 'store', 'msgspec', 'platformdirs'}\n"
        "print(sorted(loaded & heavy), file=sys.stderr)"
    )
    for option in ("--version", "--help"):
        done = subprocess.run(
            [sys.executable, "-c", program, option],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        )
        assert done.stderr == "[]\n"
