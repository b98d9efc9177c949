"""The demo: its year of history, its traffic, its directory, its tour, and the demo in a browser."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import UUID

import pytest

from store import (
    AccountCfg,
    Direction,
    LogStoreOptions,
    LogTaleaStore,
    Sequenced,
    StoreError,
    Transaction,
    TransactionPosted,
)
from store.files import Files
from talea_tui.config import Config
from talea_tui.demo.app import DemoApp
from talea_tui.demo.bookkeeper import DemoBook
from talea_tui.demo.history import ASSETS, BOOKS, DAYS, DemoClock, Marker, NotADemo, open_demo, write_history
from talea_tui.demo.tour import character_of, steps
from talea_tui.demo.traffic import RATES, Traffic
from tests.support.build import BOOK, definition, household, transfer
from tests.support.disk import flip
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import screen_text, settle, until

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 14, 2, 11, tzinfo=UTC)


def told(days: int, of: int) -> None:
    """What the demo says while it is made goes nowhere here."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a whole demo, to be copied."""
    directory = tmp_path_factory.mktemp("demo") / "ledger"

    async def make() -> None:
        store, _ = await open_demo(directory, 7, NOW, told)
        await store.shutdown()

    asyncio.run(make())
    return directory


@pytest.fixture
def made(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "made"))


async def everything(directory: Path) -> dict[str, list[Sequenced]]:
    store = await LogTaleaStore.open(directory)
    async with store:
        names = ["_system", *(book.NAME for book in BOOKS)]
        return {name: await store.read_events(name, 1, 1_000_000) for name in names}


async def test_the_same_seed_makes_the_same_year_to_the_last_id(made: Path, tmp_path: Path) -> None:
    store, _ = await open_demo(tmp_path / "again", 7, NOW, told)
    await store.shutdown()
    assert await everything(tmp_path / "again") == await everything(made)


def test_another_seed_makes_another_year() -> None:
    first, second = (BOOKS[0](seed).day(date(2026, 3, 2), NOW) for seed in (7, 8))
    assert [one.id for one in first] != [one.id for one in second]


@pytest.mark.parametrize("seed", [1, 99])
async def test_the_books_know_their_balances_through_a_whole_year(seed: int, tmp_path: Path) -> None:
    clock, books = DemoClock(), [make(seed) for make in BOOKS]
    async with await LogTaleaStore.open_with(tmp_path, LogStoreOptions(), clock=clock) as store:
        refused: list[StoreError] = []
        commit_batch = store.commit_batch

        async def watched(transactions):  # type: ignore[no-untyped-def]
            answers = await commit_batch(transactions)
            refused.extend(answer for answer in answers if isinstance(answer, StoreError))
            return answers

        store.commit_batch = watched  # type: ignore[method-assign]
        await write_history(store, clock, books, NOW, told)
        assert not refused
        for book in books:
            for info in await store.accounts(book.NAME):
                effective = info.balance.amount.minor
                credit = info.config.normal_side is Direction.CREDIT
                assert book.balance(info.definition.id.path) == (-effective if credit else effective)


async def test_the_year_ends_now_and_every_entry_says_what_it_is_for(made: Path) -> None:
    for name, events in (await everything(made)).items():
        posted = [one for one in events if isinstance(one.event, TransactionPosted)]
        if name == "_system":
            assert len(events) == len(ASSETS)
            continue
        assert all(one.event.transaction.metadata["description"] for one in posted)
        assert all(one.event.transaction.occurred_at <= NOW and one.at <= NOW for one in posted)
        assert posted[-1].at > NOW - timedelta(days=1)
        assert posted[0].at < NOW - timedelta(days=DAYS - 1)


async def test_clients_never_pay_more_than_they_owe_and_each_coin_balances(made: Path) -> None:
    async with await LogTaleaStore.open(made) as store:
        studio = {info.definition.id.path: info for info in await store.accounts("studio")}
        assert all(info.balance.amount.minor >= 0 for path, info in studio.items() if "Receivable" in path)
        rows = await store.trial_balance("crypto-desk")
        assert {row.asset for row in rows} == {"BTC", "ETH", "USDC"}
        assert all(row.debits == row.credits for row in rows)


async def test_a_demo_that_was_kept_goes_on_where_it_ended(made: Path) -> None:
    before = {name: len(events) for name, events in (await everything(made)).items()}
    store, books = await open_demo(made, 1, NOW + timedelta(days=3), told)
    async with store:
        traffic = Traffic(store, books, 50)
        await traffic.post(300)
        assert traffic.posted + traffic.refused == 300
        assert traffic.stopped is None
        after = {info.name: info.last_seq for info in await store.books()}
        assert sum(after.values()) - sum(before[name] for name in after) == traffic.posted


async def test_what_the_traffic_is_refused_is_told_in_the_words_of_the_form() -> None:
    class Overdrawing:
        NAME = BOOK
        doomed: ClassVar[set[UUID]] = set()

        def live(self, now: datetime) -> Transaction:
            return transfer("expenses:food", "assets:till", 500)

    store = MemoryStore()
    await household(store)
    await store.open_account(definition("assets:till"), AccountCfg(min_balance=0))
    traffic = Traffic(store, [cast(DemoBook, Overdrawing())], 0)
    await traffic.post(1)
    assert traffic.last_refusal == "This would leave −5.00 EUR, below the account's minimum of 0.00."


async def test_half_of_a_demo_is_made_whole(made: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(days: int, of: int) -> None:
        if days > of // 3:
            raise Killed

    half = tmp_path / "half"
    with pytest.raises(Killed):
        await open_demo(half, 7, NOW, kill)
    store, _ = await open_demo(half, 5, NOW + timedelta(days=2), told)
    await store.shutdown()
    assert ids(await everything(half)) == ids(await everything(made))


def ids(books: dict[str, list[Sequenced]]) -> dict[str, list[UUID]]:
    return {
        name: [one.event.transaction.id for one in events if isinstance(one.event, TransactionPosted)]
        for name, events in books.items()
    }


async def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    async with await LogTaleaStore.open(tmp_path / "books"):
        pass
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mother.txt").write_text("Dear Mother")
    (tmp_path / "file").write_text("")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "demo.json").write_text("[]")
    for name in ("books", "letters", "file", "odd"):
        with pytest.raises(NotADemo, match=name):
            Marker.read(tmp_path / name)
    assert Marker.read(tmp_path / "new") is None


async def test_a_demo_that_cannot_be_marked_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "demo.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        Marker(1, datetime.now(UTC)).write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


# Traffic


async def test_the_keyboard_steps_through_the_rates() -> None:
    traffic = Traffic(MemoryStore(), [], 2.0)
    traffic.step(1)
    assert traffic.rate == 5.0
    traffic.step(-1)
    traffic.step(-1)
    assert traffic.rate == 1.0
    for _ in RATES:
        traffic.step(1)
    assert traffic.rate == 10_000
    for _ in RATES:
        traffic.step(-1)
    assert traffic.rate == RATES[0]


async def test_another_rate_leaves_paused_traffic_paused() -> None:
    traffic = Traffic(MemoryStore(), [], 2.0)
    traffic.paused = True
    traffic.step(1)
    assert (traffic.rate, traffic.paused) == (5.0, True)


async def test_ten_thousand_a_second_go_in_batches_and_never_in_tasks(made: Path) -> None:
    store, books = await open_demo(made, 7, NOW, told)
    async with store:
        batches: list[int] = []
        commit_batch = store.commit_batch

        async def counted(transactions):  # type: ignore[no-untyped-def]
            batches.append(len(transactions))
            return await commit_batch(transactions)

        store.commit_batch = counted  # type: ignore[method-assign]
        before = len(asyncio.all_tasks())
        traffic = Traffic(store, books, 10_000)
        running = asyncio.ensure_future(traffic.run())
        while traffic.posted < 2_000:
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) <= before + 10
        traffic.paused = True
        running.cancel()
        assert max(batches) <= 2_500
        assert sum(batches) / len(batches) > 20


async def test_a_book_that_takes_nothing_rests_alone_and_goes_on_once_it_takes_postings_again(
    made: Path,
) -> None:
    files = FullDisk()
    store, books = await open_demo(made, 7, NOW, told)
    await store.shutdown()
    async with await LogTaleaStore.open_with(made, LogStoreOptions(), files=files) as store:
        traffic = Traffic(store, books, 50)
        await traffic.post(100)
        before = traffic.posted
        files.full = "payments"
        await traffic.post(100)
        assert list(traffic.halted) == ["payments"]
        assert "No space left" in traffic.halted["payments"]
        assert before < traffic.posted < before + 60
        assert traffic.stopped is None
        files.full = "books"
        await traffic.post(500)
        assert "No space left" in str(traffic.stopped)
        files.full = ""
        traffic.paused = False  # as the key that lets it go on
        posted = traffic.posted
        await traffic.post(100)
        assert (traffic.halted, traffic.stopped) == ({}, None)
        assert traffic.posted + traffic.refused >= posted + 100


async def test_a_demo_book_that_was_damaged_and_reopened_gets_its_traffic_again(made: Path) -> None:
    app = DemoApp(made, seed=7, rate=200)
    async with app.run_test(size=(160, 30)) as pilot:
        await until(pilot, lambda: app.traffic is not None and app.traffic.posted > 20)
        traffic = app.traffic
        assert traffic is not None
        (segment,) = (made / "books" / "crypto-desk").glob("segment-*.log")
        flip(segment, 5_000)
        await pilot.press("7", "V")
        await until(pilot, lambda: "crypto-desk stopped" in screen_text(app).splitlines()[-2])
        await pilot.resize_terminal(80, 30)
        await until(
            pilot,
            lambda: re.search(
                r"■ crypto-desk stopped: .*…   0 .*\) faster$", screen_text(app).splitlines()[-2]
            ),
        )
        await pilot.resize_terminal(160, 30)
        posted = traffic.posted
        await until(pilot, lambda: traffic.posted > posted + 20)
        flip(segment, 5_000)
        await until(pilot, lambda: app.screen.under_way is None)  # type: ignore[attr-defined]
        await pilot.press("home", "r", "0", "0")
        await until(pilot, lambda: "crypto-desk takes postings again" in screen_text(app))
        await until(pilot, lambda: "stopped" not in screen_text(app).splitlines()[-2])
        assert not traffic.halted


class FullDisk(Files):
    """No room for books whose path holds `full`, unless that is empty."""

    full = ""

    def __init__(self) -> None:
        self._paths: dict[int, Path] = {}

    def open(self, path: Path, write: bool = False) -> int:
        fd = super().open(path, write)
        self._paths[fd] = path
        return fd

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if self.full and self.full in self._paths[fd].parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data, offset)


# The application


async def test_the_demo_opens_with_its_books_and_its_traffic_obeys_the_keyboard(made: Path) -> None:
    app = DemoApp(made, seed=7, rate=0)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and "payments" in screen_text(app))
        traffic = app.traffic
        assert traffic is not None
        await pilot.press("right_parenthesis")
        assert traffic.rate == RATES[0]
        traffic.rate = 500
        await until(pilot, lambda: traffic.posted > 20)
        await pilot.press("0")
        assert traffic.paused
        await until(pilot, lambda: "paused" in screen_text(app))
        await pilot.press("5")
        await settle(pilot)
        assert "demo" in screen_text(app).splitlines()[-2]
        await pilot.press("0")
        assert not traffic.paused


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_the_line_on_the_traffic_names_its_keys_whole_whatever_it_counts(
    made: Path, size: tuple[int, int]
) -> None:
    app = DemoApp(made, seed=7, rate=0)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and app.traffic is not None)
        traffic = app.traffic
        assert traffic is not None
        traffic.paused, traffic.rate, traffic.posted, traffic.refused = True, 10_000, 1_234_567, 76_543
        await until(pilot, lambda: "10,000/s" in screen_text(app))
        assert ") faster" in screen_text(app)


@pytest.mark.parametrize("halted", [BOOKS[:1], BOOKS])
async def test_the_line_on_the_traffic_cuts_why_something_stopped_and_not_its_keys(
    made: Path, halted: tuple[type[DemoBook], ...]
) -> None:
    app = DemoApp(made, seed=7, rate=0)
    async with app.run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and app.traffic is not None)
        assert app.traffic is not None
        app.traffic.halted = {
            book.NAME: "No space left on device: free some, then reopen it." for book in halted
        }
        await until(
            pilot,
            lambda: re.search(r"■ .*…   0 pause  \( slower  \) faster$", screen_text(app).splitlines()[-2]),
        )


async def test_the_line_on_the_traffic_offers_the_keys_that_were_chosen(made: Path) -> None:
    app = DemoApp(made, seed=7, rate=0, config=Config(keys={"demo.pause": ("f9",)}))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.current_mode == "books" and "f9 pause" in screen_text(app))
        line = screen_text(app).splitlines()[-2]
        assert app.traffic is not None
        assert not app.traffic.paused
        await pilot.click(offset=(line.index("f9 pause"), 28))
        await until(pilot, lambda: app.traffic is not None and app.traffic.paused)


async def test_leaving_amid_heavy_traffic_loses_nothing_that_was_confirmed(made: Path) -> None:
    before = sum(len(events) for events in (await everything(made)).values())
    app = DemoApp(made, seed=7, rate=10_000, store_options=LogStoreOptions(snapshot_every=500))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.traffic is not None and app.traffic.posted > 2_000)
        await pilot.press("5", "q")
    assert app.return_value == 0
    for task in asyncio.all_tasks():
        if task.get_name() == "talea-shutdown":
            await task  # a busy machine may take longer than a user is kept waiting
    assert app.traffic is not None
    assert app.traffic.stopped is None
    after = sum(len(events) for events in (await everything(made)).values())
    assert after - before >= app.traffic.posted
    async with await LogTaleaStore.open(made) as store:
        for book in BOOKS:
            await store.verify(book.NAME)


async def test_another_ledger_is_refused_where_the_demo_opens(tmp_path: Path) -> None:
    async with await LogTaleaStore.open(tmp_path):
        pass
    app = DemoApp(tmp_path, seed=7)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "something else" in screen_text(app))


def test_every_key_of_the_tour_is_one_that_types_or_acts() -> None:
    for step in steps(date(2026, 11, 22)):
        assert step.caption
        for key in step.keys:
            assert len(character_of(key) or key) >= 1


class Walked(DemoApp):
    """Remembers which screen each step of the tour came to."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.walked: dict[str, str] = {}

    def _say(self, caption: str) -> None:
        self.walked[caption] = type(self.screen).__name__  # said again once the step's keys are pressed
        super()._say(caption)


async def test_the_tour_waits_for_what_each_key_leads_to_and_ends(made: Path) -> None:
    app = Walked(made, seed=7, rate=0, tour=True, pace=0)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.touring)
        (tour,) = [worker for worker in app.workers if worker.name == "tour"]
        await tour.wait()
        assert not app.touring
        del app.walked[""]
        assert " ".join(app.walked.values()).replace("Screen", "") == (
            "Books Accounts Accounts Ask TrialBalance TrialBalance TrialBalance Post Books "
            "Tail Tail Tail Event Storage Books"
        )
        assert app.instant is None
        assert app.is_running


async def test_any_key_takes_over_from_the_tour_and_does_nothing_else(made: Path) -> None:
    app = DemoApp(made, seed=7, rate=0, tour=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.touring and "append-only" in screen_text(app))
        await pilot.press("q")
        await until(pilot, lambda: "append-only" not in screen_text(app))
        assert not app.touring
        assert app.is_running


# The command


def talea(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", "talea_tui", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def test_without_a_terminal_the_demo_says_what_it_needs() -> None:
    done = talea("demo")
    assert (done.returncode, done.stdout) == (1, "")
    assert "terminal" in done.stderr


@pytest.mark.parametrize("words", [["--rate", "10001"], ["--rate", "fast"], ["--seed", "x"], ["--port", "0"]])
def test_wrong_options_are_wrong_usage(words: list[str]) -> None:
    done = talea("demo", *words)
    assert done.returncode == 2
    assert words[1] in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_the_options_of_each(shell: str) -> None:
    script = talea("completion", shell).stdout
    for word in ("demo", "import", "export", "verify", "tour", "follow", "hledger"):
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("talea-tui im", "import"),
        ("talea-tui --f", "--follow"),
        ("talea-tui import --with ", "hledger ledger json"),
        ("talea-tui export --format j", "json"),
        ("talea-tui completion ", "bash zsh fish"),
        ("talea-tui keys --", "--help --ids"),
        ("talea-tui import jour", "journal"),
    ],
)
def test_bash_offers_what_fits_and_files_only_where_they_do(line: str, offered: str, tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    ask = 'read -ra COMP_WORDS <<<"$2"; [ "$2" = "${2% }" ] || COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]}-1))'
    script = f'eval "$1"; {ask}; _talea_tui; echo "${{COMPREPLY[*]}}"'
    words = ["bash", "--norc", "-c", script, "bash", talea("completion", "bash").stdout, line]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(done.stdout.split()) - {"-h"} == set(offered.split())


def test_bash_offers_a_file_whose_name_has_spaces_as_one_word(tmp_path: Path) -> None:
    for name in ("my books.journal", "my *.journal", "other"):
        (tmp_path / name).write_text("")
    ask = "COMP_WORDS=(talea-tui import my); COMP_CWORD=2"
    script = f'eval "$1"; {ask}; _talea_tui; printf "%s\\n" "${{COMPREPLY[@]}}"'
    words = ["bash", "--norc", "-c", script, "bash", talea("completion", "bash").stdout]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert sorted(done.stdout.splitlines()) == ["my *.journal", "my books.journal"]


def test_a_port_that_is_taken_is_named() -> None:
    pytest.importorskip("textual_serve")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = talea("demo", "--serve", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert port in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_demo_is_served_on_this_machine_alone() -> None:
    pytest.importorskip("textual_serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "talea_tui", "demo", "--serve", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
    ) as serving:
        try:
            assert serving.stdout is not None
            assert f"http://127.0.0.1:{port}" in serving.stdout.readline()
            for line in serving.stdout:
                if "Ctrl+C" in line:
                    break
            page = _page(port)
            assert "talea demo" in page
            assert f"ws://127.0.0.1:{port}" in page
        finally:
            serving.send_signal(signal.SIGINT)
            serving.wait(10)


def _page(port: int) -> str:
    """The first page; it may take some tries until the server listens."""
    refused: OSError | None = None
    for _ in range(2_000):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return str(answer.read().decode())
        except ConnectionRefusedError as error:
            refused = error
        except urllib.error.URLError as error:
            refused = error
    raise AssertionError(refused)
