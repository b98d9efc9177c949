"""Journals that were edited after they were imported: nothing is counted twice without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from store import Amount, ExternalRef, Posting, Transaction, TransactionPosted
from talea_tui.events.text import description_of
from talea_tui.interop.hledger_export import export_hledger
from talea_tui.interop.importing import ImportReport
from talea_tui.interop.mapping import Rules
from talea_tui.posting.correction import corrected_id, correction_of, reversal_of

from ..support.memory_store import MemoryStore
from .support import book_balances, hledger_balances, import_file, needs_hledger, needs_ledger, talea

ONE = "2024-01-01 one\n  expenses:food  $5\n  assets:cash\n\n"
TWO = "2024-01-02 two\n  expenses:food  $6\n  assets:cash\n\n"
RENT = "2024-{:02}-01 rent\n  expenses:rent  $900\n  assets:cash\n\n"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    async with MemoryStore() as store:
        yield store


class Book:
    """A journal that is edited and imported again and again."""

    def __init__(self, store: MemoryStore, directory: Path) -> None:
        self.store, self.directory = store, directory

    async def take(
        self, text: str, name: str = "a.journal", *, post_edited: bool = False, program: str = "hledger"
    ) -> ImportReport:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return await import_file(self.store, path, "b", post_edited=post_edited, program=program)

    async def posted(self) -> list[TransactionPosted]:
        events = await self.store.read_events("b", 1, 10_000)
        return [one.event for one in events if isinstance(one.event, TransactionPosted)]


@pytest.fixture
def book(store: MemoryStore, tmp_path: Path) -> Book:
    return Book(store, tmp_path)


@needs_hledger
@needs_ledger
@pytest.mark.parametrize("program", ["hledger", "ledger"])
@pytest.mark.parametrize(
    ("edited", "told"),
    [
        (ONE + TWO.replace("01-02", "01-03"), "2024-01-03 two"),
        (ONE + TWO.replace("01-02", "01-01"), "2024-01-01 two"),
        (ONE + TWO.replace("two", "zwei"), "2024-01-02 zwei"),
        (ONE + TWO.replace("two", "(17) two"), "2024-01-02 two"),
        (ONE + TWO.replace("$6", "$7"), "2024-01-02 two"),
        (ONE + TWO.replace("food", "fun"), "2024-01-02 two"),
    ],
)
async def test_an_edited_date_description_code_amount_or_account_is_held_back_and_told_with_both_versions(
    book: Book, program: str, edited: str, told: str
) -> None:
    await book.take(ONE + TWO, program=program)
    report = await book.take(edited, program=program)
    assert (report.posted, report.already, report.gone) == (0, 1, [])
    assert [one.replace(" (a.journal:5)", "") for one in report.held] == [
        f"{told}, in the book 2024-01-02 two (seq 4)"
    ]
    assert (await book_balances(book.store, "b"))[("expenses:food", "$")] == Decimal(11)


@needs_hledger
@pytest.mark.parametrize("edited", [ONE.replace("01-01", "01-05") + TWO, ONE.replace("2024", "2023") + TWO])
async def test_the_first_transaction_of_a_file_may_have_its_date_edited_too(book: Book, edited: str) -> None:
    await book.take(ONE + TWO)
    report = await book.take(edited)
    assert (report.posted, len(report.held)) == (0, 1)


@needs_hledger
async def test_several_edited_dates_are_each_told_with_the_nearest(book: Book) -> None:
    await book.take("".join(RENT.format(month) for month in range(1, 5)))
    moved = [RENT.format(month).replace("-01 rent", "-03 rent") for month in (2, 4)]
    report = await book.take(RENT.format(1) + moved[0] + RENT.format(3) + moved[1])
    assert report.held == [
        "2024-02-03 rent (a.journal:5), in the book 2024-02-01 rent (seq 4)",
        "2024-04-03 rent (a.journal:13), in the book 2024-04-01 rent (seq 6)",
    ]


@needs_hledger
async def test_what_recurs_is_posted_while_its_earlier_ones_are_in_the_file(book: Book) -> None:
    for months in range(1, 7):
        report = await book.take("".join(RENT.format(month) for month in range(1, months + 1)))
        assert (report.posted, report.held, report.gone) == (1, [], [])


@needs_hledger
async def test_files_of_other_years_and_accounts_hold_nothing_back_in_one_book(book: Book) -> None:
    for year in ("2022", "2023", "2024"):
        year_of_rents = "".join(RENT.format(month) for month in range(1, 13)).replace("2024", year)
        for name in (f"{year}/main.journal", f"{year}.journal"):
            text = year_of_rents.replace("cash", "bank") if name.startswith(f"{year}.") else year_of_rents
            first = await book.take(text[: len(text) // 2], name)
            rest = await book.take(text, name)
            assert (first.posted, rest.posted, first.held, rest.held) == (6, 6, [], [])
            assert first.gone == rest.gone == []


@needs_hledger
async def test_a_file_of_the_same_name_for_the_months_after_is_no_edited_one(book: Book) -> None:
    await book.take("".join(RENT.format(month) + TWO for month in (1, 2)))
    report = await book.take("".join(RENT.format(month) for month in (3, 4)))
    assert (report.posted, report.held, report.gone) == (2, [], [])


@needs_hledger
async def test_an_edit_is_found_after_the_file_was_renamed_or_included(book: Book) -> None:
    await book.take(ONE + TWO)
    edited = ONE + TWO.replace("01-02", "01-03")
    renamed = await book.take(edited, "renamed.journal")
    assert (renamed.posted, renamed.already, len(renamed.held)) == (0, 1, 1)
    included = await book.take("include renamed.journal\n", "all.journal")
    assert (included.posted, included.already, len(included.held)) == (0, 1, 1)


@needs_hledger
async def test_an_edited_version_is_posted_as_one_when_asked_and_its_next_ones_recur_freely(
    book: Book,
) -> None:
    await book.take(RENT.format(1) + RENT.format(2))
    edited = RENT.format(1) + RENT.format(2).replace("-01 rent", "-02 rent")
    assert (await book.take(edited, post_edited=True)).posted == 1
    _, earlier, version = [one.transaction for one in await book.posted()]
    assert corrected_id(version) == earlier.id
    report = await book.take(edited + RENT.format(3))
    assert (report.posted, report.already, report.held, report.gone) == (1, 2, [], [])
    again = await book.take(edited.replace("$900", "$950") + RENT.format(3))
    assert (again.posted, len(again.held)) == (0, 2)


@needs_hledger
async def test_an_edited_comment_of_what_the_book_has_with_other_amounts_is_refused(
    book: Book, tmp_path: Path
) -> None:
    await book.take(ONE)
    (event,) = await book.posted()
    imported = event.transaction
    doubled = Transaction(
        book="b",
        postings=tuple(
            Posting(
                account=one.account,
                amount=Amount(minor=2 * one.amount.minor, asset=one.amount.asset),
                direction=one.direction,
            )
            for one in imported.postings
        ),
        idempotency_key=imported.idempotency_key,
        metadata=imported.metadata,
        occurred_at=imported.occurred_at,
    )
    async with MemoryStore() as other:
        for asset in await book.store.assets():
            await other.register_asset(asset)
        for info in await book.store.accounts("b"):
            await other.open_account(info.definition, info.config)
        await other.commit(doubled)
        report = await Book(other, tmp_path).take(ONE.replace("one", "one  ; twice?"))
    assert (report.posted, report.already, report.edited) == (0, 0, [])
    assert len(report.refused) == 1


@needs_hledger
async def test_what_is_gone_from_a_file_is_told_until_it_is_reversed(book: Book) -> None:
    await book.take(ONE + TWO)
    report = await book.take(ONE)
    assert (report.posted, report.already, report.gone) == (0, 1, ["2024-01-02 two (seq 4)"])
    stored = await book.store.by_key("b", (await book.posted())[1].transaction.idempotency_key)
    assert stored is not None
    undo = reversal_of(stored, stored.transaction.occurred_at.date())
    assert undo.external_refs == (ExternalRef(kind="reverses", value=str(stored.transaction.id)),)
    await book.store.commit(undo)
    assert (await book.take(ONE)).gone == []
    later = await book.take(ONE + TWO.replace("01-02", "01-03"))
    assert later.held == ["2024-01-03 two (a.journal:5), in the book 2024-01-02 two (seq 4), reversed since"]


async def corrected(book: Book, mistaken: Transaction, text: str) -> Transaction:
    """What the app posts when `mistaken` is corrected to $`text`: a reversal and another entry."""
    stored = await book.store.by_key("b", mistaken.idempotency_key)
    assert stored is not None
    await book.store.commit(reversal_of(stored, None))
    right = Transaction(
        book="b",
        idempotency_key=f"by hand: {text}",
        external_refs=(ExternalRef(kind="corrects", value=str(mistaken.id)),),
        metadata={"description": description_of(mistaken)},
        occurred_at=mistaken.occurred_at,
        postings=tuple(
            Posting(
                account=posting.account,
                amount=Amount(minor=int(text) * 100, asset="$"),
                direction=posting.direction,
            )
            for posting in mistaken.postings
        ),
    )
    await book.store.commit(right)
    return right


@needs_hledger
@pytest.mark.parametrize("post_edited", [False, True])
async def test_a_mistake_that_was_corrected_in_the_app_and_in_the_file_is_there_already(
    book: Book, post_edited: bool
) -> None:
    await book.take(ONE + TWO)
    _, mistaken = [one.transaction for one in await book.posted()]
    wrong = await corrected(book, mistaken, "70")
    assert (await book.take(ONE + TWO)).already == 2
    await corrected(book, wrong, "7")
    report = await book.take(ONE + TWO.replace("$6", "$7"), post_edited=post_edited)
    assert (report.posted, report.already, report.held, report.gone) == (0, 2, [], [])
    assert (await book_balances(book.store, "b"))[("expenses:food", "$")] == Decimal(12)


@needs_hledger
async def test_a_mistake_that_was_corrected_to_something_else_is_held_back_beside_its_correction(
    book: Book,
) -> None:
    await book.take(ONE + TWO)
    _, mistaken = [one.transaction for one in await book.posted()]
    await corrected(book, mistaken, "7")
    report = await book.take(ONE + TWO.replace("$6", "$8"))
    assert report.held == ["2024-01-02 two (a.journal:5), in the book 2024-01-02 two (seq 6)"]


@needs_hledger
async def test_what_was_reversed_by_a_reversal_that_was_reversed_is_in_force(book: Book) -> None:
    await book.take(ONE + TWO)
    undone = (await book.posted())[1].transaction
    for _ in range(2):
        stored = await book.store.by_key("b", undone.idempotency_key)
        assert stored is not None
        undone = reversal_of(stored, None)
        await book.store.commit(undone)
    assert (await book.take(ONE)).gone == ["2024-01-02 two (seq 4)"]
    report = await book.take(ONE + TWO.replace("$6", "$8"))
    assert report.held == ["2024-01-02 two (a.journal:5), in the book 2024-01-02 two (seq 4)"]


@needs_hledger
async def test_with_another_asset_for_its_commodity_a_file_is_held_back_and_defines_nothing(
    book: Book,
) -> None:
    await book.take(ONE + TWO)
    euros = Rules(assets={"$": "USD"}, kinds={}, precisions={})
    report = await import_file(book.store, book.directory / "a.journal", "b", euros)
    assert (report.posted, len(report.held)) == (0, 2)
    assert report.new_assets == report.new_accounts == report.moved == []
    assert [asset.id for asset in await book.store.assets()] == ["$"]
    assert len(await book.store.accounts("b")) == 2


@needs_hledger
async def test_the_file_is_noted_but_not_in_what_is_entered_by_hand_or_exported(book: Book) -> None:
    await book.take(ONE, "2024/main.journal")
    (posted,) = [one.transaction for one in await book.posted()]
    assert isinstance(posted.metadata, dict)
    assert posted.metadata["file"] == "2024/main.journal"
    assert "file" not in correction_of(posted, {"$": 2}).carried
    exported = "".join([text async for text, _ in export_hledger(book.store, "b")])
    assert "main.journal" not in exported


@needs_hledger
def test_the_command_tells_which_entries_are_taken_for_equal_ones_of_another_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.journal", tmp_path / "b.journal"
    first.write_text(ONE)
    second.write_text(ONE + TWO)
    words = ("--book", "b", "--dir", tmp_path / "ledger")
    talea("import", first, *words)
    told = (
        f"of these, 1 came from another file ({tmp_path.name}/a.journal): "
        "equal entries of two files are taken for one\n"
    )
    again = [talea("import", path, *words) for path in (first, second, second)]
    assert [told in done.stdout for done in again] == [False, True, True]
    assert [done.returncode for done in again] == [0, 0, 0]
    export = tmp_path / "out.journal"
    export.write_text(talea("export", *words).stdout)
    assert "taken for one" not in talea("import", export, *words).stdout


@needs_hledger
def test_the_command_tells_held_back_and_gone_ones_and_exits_1_for_the_held_back(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    words = ["import", path, "--book", "b", "--dir", tmp_path / "ledger"]
    path.write_text(ONE + TWO + RENT.format(1))
    assert talea(*words).returncode == 0
    path.write_text(ONE + TWO.replace("two", "zwei"))
    done = talea(*words)
    assert done.returncode == 1
    assert "  0 transactions posted, 1 was there already\n" in done.stdout
    assert done.stderr.splitlines()[1] == (
        "  2024-01-02 zwei (a.journal:5), in the book 2024-01-02 two (seq 6)"
    )
    assert done.stderr.startswith("1 transaction looks like an edited version of one that the book has, ")
    assert "\n1 transaction was imported from this file and is not in it any more; " in done.stderr
    path.write_text(ONE + TWO)
    assert (talea(*words).returncode, hledger_balances(path)[("expenses:food", "$")]) == (0, Decimal(11))
