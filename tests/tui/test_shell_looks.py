"""How the screens look: as text at three sizes, some as pictures in light and dark, and readable in every theme.

`pytest --snapshot-update tests/tui/test_shell_looks.py` writes the pictures anew; look at the difference.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot

from store import AccountKind
from talea_tui.events.rate import RateMeter
from talea_tui.posting.draft import Draft, Row
from talea_tui.screens.storage import StorageScreen
from talea_tui.screenshots import drawn_with, plain_svg
from talea_tui.themes import THEMES
from tests.support.build import account, asset, credit, debit, open_accounts, posted, txid
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.tui.conftest import OpenApp, screen_text, settle

K = AccountKind
BOOK = "hackerspace"
KINDS = {
    "Assets:Checking": K.ASSET,
    "Assets:Savings": K.ASSET,
    "Liabilities:Credit card": K.LIABILITY,
    "Equity:Opening": K.EQUITY,
    "Revenue:Dues": K.INCOME,
    "Revenue:Donations": K.INCOME,
    "Expenses:Rent": K.EXPENSE,
    "Expenses:Supplies": K.EXPENSE,
    "Expenses:Supplies:Wood shop": K.EXPENSE,
    "Expenses:電気代": K.EXPENSE,
}
ENTRIES = (
    ("Expenses:Rent", "Assets:Checking", "Zelle BUBBLY DYNAMICS", 146_600),
    ("Assets:Checking", "Revenue:Dues", "STRIPE TRANSFER", 53_614),
    ("Assets:Checking", "Revenue:Donations", "PAYPAL TRANSFER", 3_381),
    ("Expenses:Supplies", "Assets:Checking", "HOME DEPOT #1901", 1_536),
    ("Expenses:電気代", "Liabilities:Credit card", "ComEd [bold]August[/]", 8_812),
    ("Expenses:Supplies:Wood shop", "Assets:Checking", "Bits & blades", 2_899),
)
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
SIZES = ((60, 20), (80, 24), (160, 48))
SCREENS = {
    "books": ["1"],
    "accounts": ["2"],
    "branch": ["2", "home"],
    "register": ["2", "right"],
    "transaction": ["2", "right", "right"],
    "past": ["2", "at", *"#20", "enter"],
    "trial balance": ["6"],
    "balance sheet": ["6", "v"],
    "income statement": ["6", "v", "v"],
    "assets": ["8"],
    "help": ["2", "question_mark"],
    "palette": ["2", "colon", *"sup"],
}


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(FakeClock(step_micros=60_000_000))
    await store.register_asset(asset("USD"))
    await store.register_asset(asset("ETH", 18))
    await open_accounts(store, KINDS, asset="USD", book=BOOK)
    await open_accounts(
        store, {"Assets:Wallet": K.ASSET, "Equity:Opening:ETH": K.EQUITY}, asset="ETH", book=BOOK
    )
    await open_accounts(store, {"Assets:Till": K.ASSET}, asset="USD", book="bar", min_balance=0)
    chance, day = random.Random(4), datetime(2024, 6, 1, tzinfo=UTC)
    rows = [("Assets:Checking", "Equity:Opening", "Opening balance", 1_250_000, "USD")]
    rows.append(("Assets:Wallet", "Equity:Opening:ETH", "Genesis", 120 * 10**18 + 1, "ETH"))
    for _ in range(60):
        to, source, words, around = chance.choice(ENTRIES)
        rows.append((to, source, words, round(around * chance.uniform(0.6, 1.4)), "USD"))
    for number, (to, source, words, minor, held) in enumerate(rows):
        await store.commit(
            posted(
                debit(to, minor, held, BOOK),
                credit(source, minor, held, BOOK),
                book=BOOK,
                key=f"entry-{number}",
                id=txid(number),
                metadata={"description": words},
                occurred_at=day + timedelta(days=number // 2),
            )
        )
    return store


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_a_screen_looks_as_it_did(store, open_app: OpenApp, snapshot: SnapshotAssertion, screen, size):
    async with open_app(store, size=size) as pilot:
        await pilot.press("end")
        await settle(pilot)
        for key in SCREENS[screen]:
            await pilot.press(key)
            await settle(pilot)
        assert screen_text(pilot.app) == snapshot


class Picture(SingleFileSnapshotExtension):
    """One SVG a snapshot, to be looked at."""

    _write_mode = WriteMode.TEXT
    _file_extension = "svg"


async def begin_entry(pilot: Pilot[int]) -> None:
    """Half an entry, under a key that stays the same."""
    rows = [Row("Expenses:Supplies", "12.5*3+4", ""), Row("Expenses:電気代", "", ""), Row()]
    entry = Draft(book=BOOK, key="5f0c2a91", date="2024-07-01", description="Bits [/] & blades", rows=rows)
    await pilot.app.go("post", draft=entry)
    await settle(pilot)
    await pilot.press("down", "down", "tab")


async def stop_following(pilot: Pilot[int]) -> None:
    await pilot.press("5", "a")
    await settle(pilot)
    await pilot.press("up", "up")


async def look_at_storage(pilot: Pilot[int]) -> None:
    await pilot.press("7")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, StorageScreen)
    for _ in range(5):
        await screen.sample()


PICTURES = {"post": begin_entry, "tail": stop_following, "storage": look_at_storage}


@pytest.mark.skipif(
    not any(drawn_with() in path.read_text("utf-8") for path in SCREENSHOTS.glob("*.svg")),
    reason="the pictures were drawn with other versions",
)
@pytest.mark.parametrize("theme", ["talea-dark", "talea-light"])
@pytest.mark.parametrize("screen", PICTURES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_a_picture_is_as_it_was(store, open_app: OpenApp, snapshot, monkeypatch, screen, size, theme):
    monkeypatch.setattr("talea_tui.screens.storage.SAMPLE_SECONDS", 3_600.0)
    for module in ("storage", "event_stream"):  # a bar a second: as many as the machine is slow
        monkeypatch.setattr(f"talea_tui.screens.{module}.RateMeter", lambda *_: RateMeter(3_600.0))
    async with open_app(store, size=size) as pilot:
        pilot.app.theme = theme
        pilot.app.choose_book(BOOK)
        await PICTURES[screen](pilot)
        await settle(pilot)
        picture = plain_svg(pilot.app.export_screenshot(title="talea"), screen)
        assert picture == snapshot(extension_class=Picture)


def _luminance(red: float, green: float, blue: float) -> float:
    parts = [part / 255 for part in (red, green, blue)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """How far two colours stand apart, from 1 to 21."""
    light, dark = sorted((_luminance(*one.triplet), _luminance(*other.triplet)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def contrast_of(style: Style, terminal: TerminalTheme) -> float:
    """As `contrast`, of a text and its ground."""
    word = (style.color or Color.default()).get_truecolor(terminal)
    ground = (style.bgcolor or Color.default()).get_truecolor(terminal, foreground=False)
    return contrast(Color.from_triplet(word), Color.from_triplet(ground))


def is_uncoloured(colour: Color) -> bool:
    """Whether it is the terminal's own, or a grey."""
    return colour.is_default or (colour.triplet is not None and len(set(colour.triplet)) == 1)


LEAST_CONTRAST, LEAST_CONTRAST_OF_A_TERMINAL = 4.5, 2.5
"""A terminal's own colours are as good as they are: only what vanishes among them is ours."""

DRAWN = " ─━│╭╮╰╯▁▂▃▄▅▆▇█▌▎▊"
"""What is no text."""

WRITTEN = {
    **SCREENS,
    "offers": ["2", "p", "enter"],
    "offer": ["2", "p", "enter", "down"],
    "entry": ["2", "p", "tab", "tab", "tab", *"rent", "enter", *"12"],
    "draft": ["2", "p", "down", "down", "down", *"rent"],
    "bar": ["2", "p", "up"],
    "tail": ["5", "a", "up", "up"],
    "tail filter": ["5", "slash"],
    "account filter": ["2", "slash"],
    "storage": ["7"],
    "question": ["3"],
    "form": ["1", "n"],
}


@pytest.mark.parametrize("screen", WRITTEN)
async def test_every_word_stands_out_from_its_ground_in_every_theme(store, open_app: OpenApp, screen):
    async with open_app(store, size=(120, 40)) as pilot:
        for key in WRITTEN[screen]:
            await pilot.press(key)
            await settle(pilot)
        top = pilot.app.screen
        seen = next((dialog.region for dialog in top.query(".dialog")), top.region)
        for theme in THEMES:
            pilot.app.theme = theme
            await settle(pilot)
            least = LEAST_CONTRAST_OF_A_TERMINAL if pilot.app.native_ansi_color else LEAST_CONTRAST
            faint = {
                (text.strip(), str(style))
                for strip in top._compositor.render_strips()[seen.y : seen.bottom]
                for text, style, _ in strip.crop(seen.x, seen.right)
                if text.strip(DRAWN) and style and contrast_of(style, pilot.app.ansi_theme) < least
            }
            assert not faint, theme


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
@pytest.mark.parametrize("screen", ["draft", "tail filter", "account filter", "question", "form"])
async def test_without_colours_a_line_tells_a_field_and_the_cursor_is_reversed(
    store, open_app: OpenApp, monkeypatch, screen, theme
):
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app(store, size=(120, 40)) as pilot:
        pilot.app.theme = theme
        for key in [*WRITTEN[screen], *"xyz"]:
            await pilot.press(key)
            await settle(pilot)
        field = pilot.app.focused
        assert field is not None
        row = pilot.app.screen._compositor.render_strips()[field.region.y]
        drawn = [(text, style) for text, style, _ in row.crop(field.region.x, field.region.right) if style]
        assert [text for text, style in drawn if style.reverse] == [" "]
        assert "".join(text for text, style in drawn if style.underline).strip().endswith("xyz")


@pytest.mark.parametrize("screen", ["books", "past"])
async def test_without_colours_every_word_can_be_seen_in_every_theme_one_changes_to(
    store, open_app: OpenApp, monkeypatch, screen
):
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app(store, size=(120, 40)) as pilot:
        for key in SCREENS[screen]:
            await pilot.press(key)
            await settle(pilot)
        for theme in THEMES:
            pilot.app.theme = theme
            await settle(pilot)
            drawn = {
                (text, style.color, style.bgcolor)
                for strip in pilot.app.screen._compositor.render_strips()
                for text, style, _ in strip
                if style is not None and text.strip(DRAWN)
            }
            coloured = {each for each in drawn if not all(map(is_uncoloured, each[1:]))}
            assert not coloured, theme
            own = {each for each in drawn if any(colour.is_default for colour in each[1:])}
            assert own == (drawn if pilot.app.native_ansi_color else set()), theme
            assert not {each for each in drawn - own if contrast(*each[1:]) < LEAST_CONTRAST}, theme


async def test_the_register_of_the_picture_is_the_stores(store, open_app: OpenApp):
    async with open_app(store, size=(160, 48)) as pilot:
        await pilot.app.go("accounts", account=account("Assets:Checking", BOOK))
        await settle(pilot)
        minor = (await store.account(account("Assets:Checking", BOOK))).balance.amount.minor
        assert f"{minor / 100:,.2f}".replace("-", "−") in screen_text(pilot.app)
