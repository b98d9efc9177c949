"""A ledger in which one book is damaged: the others work, and the damaged one says so wherever one meets it."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.support.disk import book_directory, flip, frames, segments
from tests.support.ledgers import written
from tests.support.observe import tree
from tests.tui.conftest import app_on_directory, screen_text, settle, shows, until

app_at = partial(app_on_directory, book="beta", screen="accounts")

SENTENCE = "Book 'beta' is damaged, segment-00000000000000000001.log at byte"


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Books alpha, beta and gamma; in beta a byte of an event that had been synced is wrong."""
    directory = await written(tmp_path / "ledger", books=("alpha", "beta", "gamma"))
    shutil.copytree(directory, tmp_path / "backup")
    damage(directory, "beta")
    return directory


def damage(directory: Path, book: str) -> None:
    segment = segments(directory, book)[0]
    flip(segment, frames(segment.read_bytes())[3].offset + 20)


def text(pilot: Pilot[int]) -> str:
    return screen_text(pilot.app)


async def clear(pilot: Pilot[int]) -> None:
    pilot.app.clear_notifications()
    await until(pilot, lambda: "▌ Damaged" not in text(pilot) and "▌ Not done" not in text(pilot))


@pytest.mark.parametrize("follow", [False, True])
async def test_the_ledger_opens_at_once_and_a_notice_names_book_file_and_what_to_do(
    directory: Path, follow: bool
) -> None:
    async with app_at(directory, follow=follow, screen="books") as pilot:
        await shows(pilot, "▌ Damaged", "alpha", "gamma", "■ damaged")
        [notice] = pilot.app._notifications
        assert SENTENCE in notice.message
        assert "restore it from a backup" in notice.message
        assert "The other books are open" in notice.message
        await clear(pilot)
        await shows(pilot, SENTENCE)


@pytest.mark.parametrize("follow", [False, True])
async def test_no_figure_is_told_of_what_could_not_be_read(directory: Path, follow: bool) -> None:
    shutil.rmtree(directory)
    await written(directory, books=("alpha", "beta"))
    segment = segments(directory, "beta")[0]
    flip(segment, frames(segment.read_bytes())[1].offset + 20)
    async with app_at(directory, follow=follow, screen="books") as pilot:
        await shows(pilot, "■ damaged")
        await clear(pilot)
        [row] = [line[1:].split() for line in text(pilot).splitlines() if "■ damaged" in line]
        assert row == ["beta", "–", "–", "–", "■", "damaged"]
        await pilot.press("7")
        await shows(pilot, "Storage", "why")
        rows = [line[1:].split() for line in text(pilot).splitlines()]
        [row] = [row for row in rows if row[:2] == ["beta", "damaged"]]
        assert set(row[2:]) == {"–"}
        assert "whole when it was opened" not in text(pilot)
        assert "head" not in text(pilot)


async def test_the_other_books_are_read_and_posted_to(directory: Path) -> None:
    async with app_at(directory) as pilot:
        await shows(pilot, "■ damaged")
        await pilot.press("1", "home", "2")
        await shows(pilot, "alpha › Accounts", "● live", "0.21")
        await pilot.press("p")
        await shows(pilot, "Post to alpha")


async def test_every_screen_of_the_damaged_book_tells_why_it_shows_nothing(directory: Path) -> None:
    before = tree(book_directory(directory, "beta"))
    async with app_at(directory) as pilot:
        await shows(pilot, "■ damaged")
        await pilot.press("1", "home", "2")
        await shows(pilot, "alpha › Accounts", "0.21")
        await pilot.press("1", "down", "enter")
        await clear(pilot)
        await shows(pilot, "■ beta cannot be read", SENTENCE, "■ read only", "restore it from a backup")
        assert "0.21" not in text(pilot)
        assert "assets" not in text(pilot)
        await pilot.press("slash", "o", "w", "enter")
        await settle(pilot)
        assert "■ beta cannot be read" in text(pilot)
        assert not pilot.app._notifications
        await pilot.press("6")
        await shows(pilot, "Trial balance", "■ beta cannot be read", SENTENCE)
        await pilot.press("v", "d", "plus")
        await settle(pilot)
        assert "■ beta cannot be read" in text(pilot)
        await pilot.press("5")
        await shows(pilot, "beta › Tail", "writer damaged", SENTENCE)
        await pilot.press("a")
        await shows(pilot, "events 28")
        await pilot.press("p")
        await shows(pilot, "▌ Not done", "Then reopen it on")
        assert pilot.app.current_mode == "tail"
    assert tree(book_directory(directory, "beta")) == before


async def test_the_instant_of_the_other_books_can_be_chosen_meanwhile(directory: Path) -> None:
    async with app_at(directory) as pilot:
        await shows(pilot, "■ damaged")
        await pilot.press("at")
        await shows(pilot, "Show the ledger as of")
        await pilot.press(*"2030-01-01", "enter")
        await shows(pilot, "AS OF 2026-11-22")
        await pilot.press("5", "a")
        await shows(pilot, "all books › Tail", "as of")
        assert "▌ Not done" not in text(pilot)


async def test_a_new_book_can_be_begun_beside_a_damaged_one(directory: Path) -> None:
    async with app_at(directory) as pilot:
        await shows(pilot, "■ damaged")
        assert pilot.app.book == "beta"
        await pilot.press("n")
        await settle(pilot)
        assert "▌ Not done" not in text(pilot)
        await shows(pilot, "normal side")


async def test_a_restored_book_comes_back_and_every_screen_shows_it(directory: Path) -> None:
    async with app_at(directory) as pilot:
        await shows(pilot, "■ damaged")
        await pilot.press("2")
        await shows(pilot, "■ beta cannot be read")
        await pilot.press("7", "r")
        await shows(pilot, "✗ Book 'beta' is damaged", "r reads it again once its files are restored")
        broken = book_directory(directory, "beta")
        shutil.rmtree(broken)
        shutil.copytree(directory.with_name("backup") / "books" / "beta", broken)
        await clear(pilot)
        await pilot.press("r")
        await shows(pilot, "✓ beta takes postings again; everything up to seq 13 was there", "● live")
        await pilot.press("2")
        await clear(pilot)
        await shows(pilot, "beta › Accounts", "0.21")
        assert "cannot be read" not in text(pilot)
        await pilot.press("down")
        assert pilot.app.focused is not None
        assert pilot.app.focused.id == "tree"


async def test_a_backup_without_the_damaged_book_is_refused(directory: Path, tmp_path: Path) -> None:
    async with app_at(directory, screen="storage") as pilot:
        await shows(pilot, "■ damaged")
        await clear(pilot)
        await pilot.press("7", "B")
        await shows(pilot, "Copy the ledger")
        await pilot.press("enter")
        await shows(pilot, "would not be whole")
    assert not list(tmp_path.glob("ledger-backup*"))


async def test_what_a_follower_had_read_before_the_damage_is_shown_as_of_a_damaged_book(
    directory: Path,
) -> None:
    async with app_at(directory, follow=True) as pilot:
        await clear(pilot)
        await shows(pilot, "beta › Accounts", "2 accounts", "■ following · damaged · read only")
        await pilot.press("1")
        await shows(pilot, "■ damaged", SENTENCE)
        await pilot.press("home", "2")
        await shows(pilot, "alpha › Accounts", "◉ following", "0.21")


async def test_the_last_screen_is_not_shown_of_a_book_that_cannot_be_read(directory: Path) -> None:
    async with app_at(directory, screen="trial_balance") as pilot:
        await shows(pilot, "■ damaged")
        assert pilot.app.current_mode == "books"


async def test_several_damaged_books_are_told_by_name(directory: Path) -> None:
    damage(directory, "alpha")
    async with app_at(directory, book="gamma", screen="books") as pilot:
        await shows(pilot, "2 books are damaged: alpha, beta.")
        assert pilot.app.book == "gamma"


async def test_a_ledger_begins_with_a_book_that_can_be_read(directory: Path) -> None:
    damage(directory, "alpha")
    async with app_at(directory, book="none", screen="books") as pilot:
        await shows(pilot, "■ damaged")
        assert pilot.app.book == "gamma"


@pytest.mark.parametrize("follow", [False, True])
async def test_without_its_registry_a_ledger_is_not_shown(directory: Path, follow: bool) -> None:
    segment = segments(directory, "_system")[0]
    flip(segment, frames(segment.read_bytes())[1].offset + 20)
    async with app_at(directory, follow=follow) as pilot:
        await shows(pilot, "Book '_system' is damaged", "r to try again")
        assert pilot.app.current_mode == "opening"
        await pilot.press("r")
        await shows(pilot, "Book '_system' is damaged", "r to try again")
