"""The application around its screens: opening, moving, the past, telling, leaving."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from textual.events import MouseScrollUp

from store import AccountCfg, LogStoreOptions, LogTaleaStore, StoreClosed, StoreLocked, WriterStopped
from store.files import Files
from talea_tui.app import TaleaApp
from talea_tui.screens.base import Dialog
from talea_tui.screens.help import HelpScreen
from talea_tui.screens.opening import OpeningScreen
from talea_tui.screens.palette import Palette
from talea_tui.settings import Settings
from talea_tui.themes import THEMES
from talea_tui.widgets.virtual_table import VirtualTable
from tests.support.build import BOOK, account, definition, household, transfer
from tests.support.ledgers import written
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, keys, screen_text, settle, shows, until


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await household(store)
    await store.commit(
        transfer("assets:bank", "equity:opening", 100_000, metadata={"description": "Opening"})
    )
    await store.commit(transfer("expenses:food", "assets:bank", 1_234, metadata={"description": "Groceries"}))
    return store


def notices(app: TaleaApp) -> str:
    return "\n".join(notice.message for notice in app._notifications)


# Opening


async def test_the_first_frame_does_not_wait_for_the_store(store):
    gate = asyncio.Event()

    async def slowly(progress):
        progress("hackerspace", 40_000, 100_000)
        await gate.wait()
        return store

    app = TaleaApp(store_factory=slowly)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Reading hackerspace: 40,000 of about 100,000 events" in screen_text(app)
        assert "opening" in screen_text(app)
        gate.set()
        await pilot.pause()
        await settle(pilot)
        assert app.current_mode == "books"
        assert BOOK in screen_text(app)


async def test_how_fast_a_long_book_is_read_and_how_long_that_will_take_is_told(store):
    gate = asyncio.Event()
    now = [datetime(2026, 11, 22, tzinfo=UTC)]

    async def slowly(progress):
        progress("hackerspace", 40_000, 100_000)
        now[0] += timedelta(seconds=2)
        progress("hackerspace", 60_000, 100_000)
        await gate.wait()
        return store

    app = TaleaApp(store_factory=slowly, clock=lambda: now[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "10,000/s  4 s left" in screen_text(app)
        gate.set()
        await settle(pilot)


async def test_a_ledger_that_cannot_be_opened_says_why_and_can_be_tried_again(store):
    attempts = []

    async def locked_once(progress):
        attempts.append(1)
        if len(attempts) == 1:
            raise StoreLocked("/ledgers/[/]", 4711)
        return store

    app = TaleaApp(store_factory=locked_once)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, OpeningScreen)
        assert "process 4711" in screen_text(app).replace("\n", " ")
        assert "try again" in screen_text(app)
        await pilot.press("2", "p", "at", "colon", "question_mark", "escape")
        await settle(pilot)
        assert isinstance(app.screen, OpeningScreen)
        await pilot.press("r")
        await settle(pilot)
        assert app.current_mode == "books"


class NotOurs(Files):
    """Segments that this user may not open for writing, as another's are."""

    def open(self, path: Path, write: bool = False) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


async def test_a_file_that_may_not_be_opened_is_named_and_the_ledger_can_be_followed_instead(tmp_path: Path):
    directory = await written(tmp_path / "ledger")

    async def refused(progress):
        return await LogTaleaStore.open_with(directory, LogStoreOptions(), files=NotOurs())

    app = TaleaApp(directory, store_factory=refused)
    async with app.run_test(size=(120, 24)) as pilot:
        await settle(pilot)
        said = "".join(screen_text(app).split())
        assert "segment-00000000000000000001.log:Permissiondenied;seethatyoumayreadandwritethere" in said
        assert "ftofollowitreadonly" in said
        assert "■ not open" in screen_text(app)
        assert "opening" not in screen_text(app)
        await pilot.press("f")
        await settle(pilot)
        assert "following" in screen_text(app)
        assert "not open" not in screen_text(app)


async def test_an_empty_ledger_greets_with_what_to_press(open_app: OpenApp):
    async with open_app(MemoryStore()) as pilot:
        assert "Press n to begin a book" in screen_text(pilot.app)
        await pilot.press("2")
        await settle(pilot)
        assert "Press o to open a first account" in screen_text(pilot.app)


# Leaving


@pytest.mark.parametrize("keys", [["q"], ["ctrl+q"], ["ctrl+c", "ctrl+c"]])
async def test_leaving_shuts_the_store_down(store, open_app: OpenApp, keys):
    async with open_app(store) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
    assert pilot.app.return_value == 0
    with pytest.raises(StoreClosed):
        await store.books()


@pytest.mark.parametrize("keys", [["at"], ["colon"], ["question_mark"], ["8", "n"], ["5", "H"]])
async def test_ctrl_q_leaves_from_every_dialog(store, open_app: OpenApp, keys):
    async with open_app(store) as pilot:
        await pilot.press(*keys)
        await settle(pilot)
        assert pilot.app.screen.is_modal
        await pilot.press("ctrl+q")
        await pilot.pause()
    assert pilot.app.return_value == 0


async def test_ctrl_c_twice_leaves_from_a_dialog_and_while_opening(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("at", "ctrl+c")
        assert pilot.app.return_value is None
        await pilot.press("ctrl+c")
        await pilot.pause()
    assert pilot.app.return_value == 0

    async def never(progress):
        await asyncio.Event().wait()
        return store

    app = TaleaApp(store_factory=never)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await pilot.pause()
    assert app.return_value == 0


async def test_a_store_that_does_not_close_does_not_keep_the_user(store, open_app: OpenApp):
    async def stuck():
        await asyncio.Event().wait()

    store.shutdown = stuck
    async with open_app(store) as pilot:
        await pilot.press("q")
    assert pilot.app.return_value == 0


async def test_no_task_outlives_the_application(store, open_app: OpenApp):
    before = asyncio.all_tasks()
    async with open_app(store) as pilot:
        await pilot.press("2", "enter")
        await settle(pilot)
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_an_application_that_is_left_alone_is_woken_by_its_clocks_only(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        screens = [screen for stack in pilot.app._screen_stacks.values() for screen in stack]
        pumps = [pilot.app, *(node for screen in screens for node in screen.walk_children(with_self=True))]
        timers = [timer for pump in pumps for timer in pump._timers if timer._active.is_set()]
        assert [timer for timer in timers if timer._interval < 0.5] == []


# Moving


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("1", "books"),
        ("2", "accounts"),
        ("5", "tail"),
        ("6", "trial_balance"),
        ("7", "storage"),
        ("8", "assets"),
    ],
)
async def test_number_keys_jump_between_the_modes(store, open_app: OpenApp, key, mode):
    async with open_app(store) as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert pilot.app.current_mode == mode


async def test_the_number_of_the_mode_one_is_in_comes_back_to_its_first_screen(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2")
        await pilot.app.open_transaction(BOOK, 8)
        await pilot.press("1", "2")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("2")
        await settle(pilot)
        assert pilot.app.current_mode == "accounts"
        assert len(pilot.app.screen_stack) == 1
        assert "food" in screen_text(pilot.app)


async def test_a_book_that_is_opened_shows_its_accounts_not_what_was_open_before(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("2")
        await pilot.app.open_transaction(BOOK, 8)
        await pilot.press("1", "enter")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 1


async def test_deeper_and_back_comes_to_the_same_cursor(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        app = pilot.app
        await pilot.press("enter")
        await settle(pilot)
        assert app.current_mode == "accounts"
        tree = app.screen.query_one("#tree")
        assert tree.go_to("expenses:food")
        at = tree.cursor
        await pilot.press("right")
        await settle(pilot)
        await pilot.press("home", "enter")
        await settle(pilot)
        assert type(app.screen).__name__ == "TransactionScreen"
        await pilot.press("left")
        await settle(pilot)
        assert app.screen.query_one("#register").has_focus
        assert app.screen.query_one("#register").cursor == 0
        await pilot.press("escape")
        assert tree.has_focus
        assert tree.cursor == at
        await pilot.press("escape")
        await settle(pilot)
        assert app.current_mode == "books"


async def test_help_shows_the_keys_of_the_focused_pane(store, open_app: OpenApp):
    async with open_app(store, size=(100, 40)) as pilot:
        await pilot.press("2", "question_mark")
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        text = screen_text(pilot.app)
        assert "Fold or unfold the account" in text
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.current_mode == "accounts"


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
@pytest.mark.parametrize("screen", ["2", "5", "6"])
async def test_help_tells_what_each_key_does_on_narrow_terminals_too(
    store, open_app: OpenApp, size: tuple[int, int], screen
):
    async with open_app(store, size=size) as pilot:
        await pilot.press(screen)
        await settle(pilot)
        await pilot.press("question_mark")
        await settle(pilot)
        table = pilot.app.screen.query_one("#help", VirtualTable)
        assert [at for at, _ in table.column_layout()] == [0, 1, 2]


async def test_the_palette_finds_actions_books_and_accounts(store, open_app: OpenApp):
    async with open_app(store, size=(100, 40)) as pilot:
        await pilot.press("colon")
        await settle(pilot)
        assert isinstance(pilot.app.screen, Palette)
        await pilot.press(*"foo", "enter")
        await settle(pilot)
        assert pilot.app.current_mode == "accounts"
        assert pilot.app.screen.query_one("#tree").path_under_cursor() == "expenses:food"
        await pilot.press("ctrl+p", *"trial", "enter")
        await settle(pilot)
        assert pilot.app.current_mode == "trial_balance"


async def test_the_palette_offers_every_action_of_the_pane(store, open_app: OpenApp):
    async with open_app(store, size=(100, 40)) as pilot:
        await pilot.press("2", "colon")
        await settle(pilot)
        offered = {offer.name for offer in pilot.app.screen.offers}
        assert {
            "Filter",
            "Tree or flat",
            "Collapse all",
            "Copy row",
            "Export",
            "As of",
            "Theme",
            "Quit",
        } <= offered


@pytest.mark.parametrize(
    ("typed", "found", "mode"), [("snapshot", "Snapshot now", "storage"), ("reverse", "Reverse", "accounts")]
)
async def test_an_action_of_another_screen_leads_there_from_the_palette(
    store, open_app: OpenApp, typed: str, found: str, mode: str
):
    async with open_app(store, size=(100, 40)) as pilot:
        await keys(pilot, "colon", *typed)
        assert pilot.app.screen.found[0].name == found
        await keys(pilot, "enter")
        assert pilot.app.current_mode == mode


async def test_the_palette_tells_the_balances_of_accounts(store, open_app: OpenApp):
    async with open_app(store, size=(100, 40)) as pilot:
        await keys(pilot, "colon", *"food")
        assert "expense, 12.34 " in screen_text(pilot.app)


async def test_the_palette_leads_to_an_account_of_another_book(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await household(store, "studio")
    async with open_app(store, size=(100, 40), settings=Settings(screen="books", book=BOOK)) as pilot:
        await keys(pilot, "colon", *"food")
        assert [offer.name for offer in pilot.app.screen.found] == ["expenses:food", "studio › expenses:food"]
        assert (
            "expense, 0.00 EUR" in screen_text(pilot.app).split("studio › expenses:food")[1].splitlines()[0]
        )
        await keys(pilot, *" studio", "enter")
        assert (pilot.app.current_mode, pilot.app.book) == ("accounts", "studio")
        assert pilot.app.screen.query_one("#tree").path_under_cursor() == "expenses:food"


async def test_the_palette_tells_what_is_here_before_the_accounts_of_other_books(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    await household(store, "a")
    async with open_app(store, size=(100, 40), settings=Settings(screen="books", book=BOOK)) as pilot:
        await keys(pilot, "colon", "a")
        names = [offer.name for offer in pilot.app.screen.found]
        beyond = [name.startswith("a › ") for name in names]
        assert any(beyond)
        assert beyond == sorted(beyond)


async def test_an_action_from_the_palette_reaches_the_pane_under_it(store, open_app: OpenApp):
    async with open_app(store, size=(100, 40)) as pilot:
        await pilot.press("2", "colon", *"flat", "enter")
        await settle(pilot)
        assert pilot.app.screen.query_one("#tree").view.flat


@pytest.mark.parametrize("by", ["3", "seq", "key", "id"])
async def test_a_transaction_is_found_by_seq_key_or_id(store, open_app: OpenApp, by):
    stored = await store.by_key(
        BOOK, (await store.read_events(BOOK, 8, 1))[0].event.transaction.idempotency_key
    )
    words = {
        "3": "8",
        "seq": "#8",
        "key": stored.transaction.idempotency_key,
        "id": str(stored.transaction.id),
    }
    async with open_app(store) as pilot:
        await pilot.press("3")
        await settle(pilot)
        for character in words[by]:
            await pilot.press({"#": "number_sign", "-": "minus"}.get(character, character))
        await pilot.press("enter")
        await settle(pilot)
        assert "Opening" in screen_text(pilot.app)
        assert pilot.app.screen.seq == 8


async def test_a_transaction_that_is_not_found_is_refused_where_it_was_asked_for(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("3", *"900", "enter")
        last = pilot.app.books[BOOK].last_seq
        await shows(pilot, "✗ No transaction has the seq, key or id 900", f"{BOOK} is {last}.")
        await pilot.press("backspace", "backspace", "backspace", "8", "enter")
        await shows(pilot, "Opening")
        assert pilot.app.screen.seq == 8


async def test_an_empty_ledger_is_not_asked_for_a_transaction(open_app: OpenApp):
    async with open_app(MemoryStore()) as pilot:
        await keys(pilot, "3")
        assert "There is no book yet: press 1, then n to begin one." in notices(pilot.app)
        assert not isinstance(pilot.app.screen, Dialog)


# The past


async def test_as_of_shows_every_pane_at_that_instant_and_escape_is_now(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        app = pilot.app
        await pilot.press("2", "at", *"seq", "space", "8", "enter")
        await settle(pilot)
        text = screen_text(app)
        assert "AS OF" in text
        assert "seq 8 · read only" in text
        assert "1,000.00" in text
        assert "12.34" not in text
        await store.commit(transfer("expenses:food", "assets:bank", 777))
        await settle(pilot)
        assert "7.77" not in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.instant is None
        assert "12.34" in screen_text(app) or "20.11" in screen_text(app)
        assert "● live" in screen_text(app)


async def test_in_the_past_posting_is_refused_with_a_sentence(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("at", "8", "enter")
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert pilot.app.current_mode == "books"
        assert "press esc to come back to now" in notices(pilot.app)


async def test_in_the_past_nothing_is_offered_that_would_be_refused(store, open_app: OpenApp):
    async with open_app(store, size=(120, 24)) as pilot:
        for screen in ("1", "2", "6", "8"):
            await pilot.press(screen)
            await settle(pilot)
            assert "p post" in screen_text(pilot.app)
        await pilot.press("at", *"1", "enter")
        await until(pilot, lambda: pilot.app.instant is not None)
        for screen in ("1", "2", "6", "8"):
            await pilot.press(screen)
            await settle(pilot)
            text = screen_text(pilot.app)
            for words in ("p post", "to post", "new book", "open account", "new asset"):
                assert words not in text
        await pilot.press("escape")
        await settle(pilot)
        assert "p post" in screen_text(pilot.app)


async def test_a_bad_instant_is_refused_where_it_was_typed(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await pilot.press("at", *"tomorrowish", "enter")
        await settle(pilot)
        assert "✗" in screen_text(pilot.app)
        assert pilot.app.instant is None
        await pilot.press("escape")
        await settle(pilot)
        assert "● live" in screen_text(pilot.app)


# Live


async def test_what_is_committed_elsewhere_shows_without_reloading(store, open_app: OpenApp):
    async with open_app(store, size=(120, 30)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        await store.commit(transfer("expenses:food", "assets:bank", 500_000))
        await until(pilot, lambda: "5,012.34" in screen_text(pilot.app))
        await until(pilot, lambda: "seq 10" in screen_text(pilot.app))


async def test_a_book_begun_elsewhere_shows_in_the_list_of_books(store, open_app: OpenApp):
    async with open_app(store) as pilot:
        await store.open_account(definition("assets:till", book="shop"), AccountCfg())
        await until(pilot, lambda: "shop" in screen_text(pilot.app))


# Looks and memory


async def test_themes_go_round_and_are_remembered(store, open_app: OpenApp, tmp_path: Path):
    settings = Settings.load(tmp_path / "state" / "settings.json")
    async with open_app(store, settings=settings) as pilot:
        first = pilot.app.theme
        await pilot.press("T")
        second = pilot.app.theme
        assert first != second
        await pilot.press("2")
        await settle(pilot)
    again = Settings.load(tmp_path / "state" / "settings.json")
    assert (again.theme, again.screen, again.book) == (second, "accounts", "")
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["settings.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"theme": 3, "layout": []}', "\x00\x01", "[" * 100_000])
def test_settings_that_cannot_be_read_are_the_defaults(tmp_path: Path, content):
    path = tmp_path / "settings.json"
    path.write_text(content)
    assert Settings.load(path) == Settings(path)


def test_settings_that_cannot_be_written_stop_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    Settings(tmp_path / "file" / "settings.json").save()


def test_settings_keep_what_they_were_told(tmp_path: Path):
    settings = Settings(tmp_path / "settings.json", book="[/]", layout={"flat": True})
    settings.save()
    assert json.loads((tmp_path / "settings.json").read_text())["book"] == "[/]"
    assert Settings.load(settings.path) == settings


@pytest.mark.parametrize("size", [(59, 24), (80, 19), (20, 5), (1, 1)])
async def test_a_terminal_that_is_too_small_is_told_so_and_nothing_is_lost(store, open_app: OpenApp, size):
    async with open_app(store) as pilot:
        await pilot.press("2", "down", "down")
        await settle(pilot)
        cursor = pilot.app.screen.query_one("#tree").cursor
        await pilot.resize_terminal(*size)
        await settle(pilot)
        if size[0] >= 20:
            assert "talea needs" in screen_text(pilot.app)
        assert not any(pilot.app.screen.scrollbars_enabled)
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert "talea needs" not in screen_text(pilot.app)
        assert pilot.app.screen.query_one("#tree").cursor == cursor
        assert pilot.app.screen.query_one("#tree").has_focus


# Mouse


async def test_the_footers_hints_can_be_clicked(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        last = screen_text(pilot.app).splitlines()[-1]
        await pilot.click(offset=(last.index("? help") + 3, 29))
        await settle(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)


async def test_the_wheel_scrolls_without_moving_the_cursor(open_app: OpenApp):
    store = MemoryStore()
    await household(store)
    for number in range(100):
        await store.commit(transfer("assets:bank", "income:salary", number + 1))
    async with open_app(store, size=(100, 30)) as pilot:
        await pilot.app.go("accounts", account=account("assets:bank"))
        await settle(pilot)
        register = pilot.app.screen.query_one("#register")
        top, cursor = register.scroll_top, register.cursor
        await pilot._post_mouse_events([MouseScrollUp], register, offset=(5, 5))
        await until(pilot, lambda: register.scroll_top < top)
        assert register.cursor == cursor
        first = register.scroll_top + 1
        await until(pilot, lambda: f"{first}–" in screen_text(pilot.app))


async def test_a_writer_that_stops_is_told_as_soon_as_something_was_refused(store, open_app: OpenApp):
    async with open_app(store, size=(100, 30)) as pilot:
        books = store.books

        async def stopped():
            return [
                msgspec.structs.replace(info, writer="stopped", error="I/O error") for info in await books()
            ]

        store.books = stopped
        pilot.app.refuse(WriterStopped(BOOK, "I/O error"))
        await until(pilot, lambda: "■ read only" in screen_text(pilot.app))
        assert "■ stopped" in screen_text(pilot.app)


@pytest.mark.parametrize("theme", THEMES)
async def test_a_dialog_leaves_the_header_to_be_seen_in_every_theme(store, open_app: OpenApp, theme):
    async with open_app(store) as pilot:
        pilot.app.theme = theme
        await pilot.press("question_mark")
        await settle(pilot)
        text = screen_text(pilot.app)
        assert "Keys of this pane" in text
        assert "● live" in text.splitlines()[0]
