"""What the posting form makes of what was typed, without a screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path

import pytest

from store import (
    AccountId,
    AccountKind,
    AlreadyExists,
    ConstraintViolation,
    Direction,
    ExternalRef,
    IdempotencyConflict,
    StoreIOError,
    UnknownAccount,
)
from talea_tui.posting.assessment import (
    FORM,
    Assessment,
    Field,
    assess,
    missing_amount,
    refusal_at,
    transaction_of,
)
from talea_tui.posting.draft import Draft, Row
from talea_tui.posting.drafts import DRAFTS_MAX, DraftShelf, DraftStack
from talea_tui.posting.editing import (
    expected_side,
    fill_missing,
    guess_asset,
    guess_kind,
    next_field,
    take_offer,
    work_out,
)
from talea_tui.posting.usage import UsageIndex
from tests.support.forms import ACCOUNTS, BOOK, PRECISIONS, SUNDAY


def draft(*rows: tuple[str, str, str], **fields: str) -> Draft:
    made = Draft(book=BOOK, rows=[Row(*row) for row in rows], **fields)
    made.ensure_spare_row()
    return made


def read(made: Draft) -> Assessment:
    return assess(made, ACCOUNTS, PRECISIONS, SUNDAY)


def test_a_balanced_draft_can_be_posted_with_its_day_at_midnight_utc() -> None:
    made = draft(
        ("Expenses:Rent", "14.66", ""),
        ("Assets:Checking", "", "14.66"),
        description=" Rent ",
        date="2026-11-01",
        comment="late",
    )
    assessment = read(made)
    assert assessment.ready
    transaction = transaction_of(made, assessment)
    assert transaction.idempotency_key == made.key
    assert transaction.metadata == {"description": "Rent", "date": "2026-11-01", "comment": "late"}
    assert transaction.occurred_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert [(p.account.path, p.amount.minor, p.direction.value) for p in transaction.postings] == [
        ("Expenses:Rent", 1466, "debit"),
        ("Assets:Checking", 1466, "credit"),
    ]


def test_a_retry_of_the_same_draft_posts_the_same_content_under_the_same_key() -> None:
    made = draft(("Expenses:Rent", "1", ""), ("Assets:Checking", "", "1"), description="x")
    first, second = (transaction_of(made, read(made)) for _ in range(2))
    assert (first.idempotency_key, first.postings, first.metadata, first.external_refs) == (
        second.idempotency_key,
        second.postings,
        second.metadata,
        second.external_refs,
    )


def test_the_difference_of_each_asset_is_told_as_it_stands() -> None:
    made = draft(("Expenses:Rent", "5", ""), ("Wallet:Hot", "1.5", ""), ("Wallet:Cold", "", "1.5"))
    assert [difference.sentence for difference in read(made).differences] == [
        "USD 5.00 to credit ✗",
        "ETH  balanced ✓",
    ]
    assert not read(made).ready
    with pytest.raises(ValueError, match="not ready"):
        transaction_of(made, read(made))


def test_an_entry_is_not_called_balanced_while_an_amount_is_of_no_open_account() -> None:
    made = draft(("Expenses:Coffee", "5", ""), ("Expenses:Rent", "4", ""), ("Assets:Checking", "", "4"))
    assessment = read(made)
    assert [one.sentence for one in assessment.differences] == ["USD  balanced so far"]
    assert not assessment.whole
    assert missing_amount(assessment, 2) is None
    made.rows[0].account = "Expenses:Supplies"
    assert [one.sentence for one in read(made).differences] == ["USD 5.00 to credit ✗"]
    assert missing_amount(read(made), 2) == (Direction.CREDIT, 900)


def test_a_negative_amount_stands_on_the_other_side() -> None:
    made = draft(("Expenses:Rent", "-5", ""), ("Assets:Checking", "5", ""))
    assessment = read(made)
    assert assessment.ready
    assert assessment.rows[0].side is Direction.CREDIT
    work_out(made, assessment, 0)
    assert (made.rows[0].debit, made.rows[0].credit) == ("", "5.00")


def test_sums_are_replaced_by_their_result_when_the_field_is_left() -> None:
    made = draft(("Expenses:Rent", "12.5*3+1000", ""))
    work_out(made, read(made), 0)
    assert made.rows[0].debit == "1,037.50"


def test_balances_after_run_down_the_rows_on_the_accounts_own_side() -> None:
    made = draft(
        ("Assets:Checking", "", "30"),
        ("Liabilities:Card", "10", ""),
        ("Assets:Checking", "", "20"),
        ("Expenses:Rent", "40", ""),
    )
    assert [row.balance_after for row in read(made).rows[:4]] == [70_00, 10_00, 50_00, 540_00]


def test_a_balance_below_the_minimum_is_told_before_the_store_refuses_it() -> None:
    made = draft(("Expenses:Rent", "100.01", ""), ("Assets:Checking", "", "100.01"))
    problem = read(made).problem_at(Field("account", 1))
    assert problem is not None
    assert "−0.01 USD" in problem.sentence
    assert not read(made).ready


def test_only_what_the_whole_entry_leaves_counts_against_the_minimum() -> None:
    made = draft(
        ("Assets:Checking", "", "150"), ("Expenses:Rent", "150", ""), ("Assets:Checking", "60", ""),
        ("Expenses:Rent", "", "60"),
    )  # fmt: skip
    assert read(made).ready


def test_what_falls_below_the_minimum_is_told_at_the_last_row_that_moves_the_account() -> None:
    made = draft(
        ("Assets:Checking", "", "60"),
        ("Assets:Checking", "", "50"),
        ("Expenses:Rent", "110", ""),
        ("Assets:Checking", "", ""),
    )
    told = [read(made).problem_at(Field("account", number)) for number in range(4)]
    assert [problem is not None for problem in told] == [False, True, False, False]


def test_every_field_says_what_is_wrong_with_it() -> None:
    made = draft(
        ("", "5", ""),
        ("Nowhere", "", "5"),
        ("Expenses:Rent", "1", "2"),
        ("Expenses:Rent", "0", ""),
        ("Expenses:Rent", "1.005", ""),
        ("Expenses:Rent", "", "12,5"),
        date="someday",
    )
    assessment = read(made)
    wrong = {(problem.field.name, problem.field.row) for problem in assessment.problems}
    assert wrong >= {
        ("date", None),
        ("account", 0),
        ("account", 1),
        ("credit", 2),
        ("debit", 3),
        ("debit", 4),
        ("credit", 5),
    }


def test_the_missing_amount_is_put_on_the_side_that_lacks_it() -> None:
    made = draft(("Expenses:Rent", "14.66", ""), ("Assets:Checking", "", ""))
    assert missing_amount(read(made), 1) == (Direction.CREDIT, 1466)
    assert fill_missing(made, read(made), 1)
    assert made.rows[1].credit == "14.66"
    assert read(made).ready
    assert not fill_missing(made, read(made), 2)


def test_the_missing_amount_replaces_what_a_row_holds_already() -> None:
    made = draft(("Expenses:Rent", "14.66", ""), ("Assets:Checking", "", "99"))
    assert fill_missing(made, read(made), 1)
    assert made.rows[1].credit == "14.66"


def test_an_empty_amount_takes_what_is_missing_only_where_it_alone_is_empty() -> None:
    made = draft(("Expenses:Rent", "10", ""), ("Expenses:Supplies", "", ""), ("Assets:Checking", "", ""))
    made.rows[1].hint, made.rows[1].hint_side = "4.00", Direction.DEBIT
    assert take_offer(made, read(made), 1)
    assert made.rows[1].debit == "4.00"
    assert take_offer(made, read(made), 2)
    assert made.rows[2].credit == "14.00"
    assert not take_offer(made, read(made), 2)


def test_enter_leads_to_what_is_still_wanted_and_then_posts() -> None:
    usage = UsageIndex()
    made = draft(("Expenses:Rent", "", ""), ("Assets:Checking", "", ""))
    made.rows[0].hint_side = Direction.DEBIT
    assert next_field(made, read(made), usage, Field("description")) == Field("debit", 0)
    made.rows[0].debit = "10"
    assert next_field(made, read(made), usage, Field("debit", 0)) == Field("credit", 1)
    made.rows[1].credit = "10"
    assert next_field(made, read(made), usage, Field("credit", 1)) is None
    made.rows[1].credit = "9"
    assert next_field(made, read(made), usage, Field("credit", 1)) == Field("account", 2)


def test_an_amount_is_expected_where_the_account_had_it_last() -> None:
    made = draft(("Assets:Checking", "", ""))
    assert expected_side(made, read(made), 0, UsageIndex()) is Direction.DEBIT


def test_refusals_of_the_store_land_on_the_row_they_concern() -> None:
    made = draft(("Expenses:Rent", "10", ""), ("Assets:Checking", "", "10"))
    assessment = read(made)
    checking = AccountId(book=BOOK, path="Assets:Checking")
    refused = refusal_at(ConstraintViolation(checking, 0, -250), made, assessment)
    assert refused.field == Field("account", 1)
    assert "−2.50" in refused.sentence
    assert refusal_at(UnknownAccount(checking), made, assessment).field == Field("account", 1)
    assert "seq 1,234" in refusal_at(IdempotencyConflict(made.key, 1234), made, assessment).sentence
    for error in (StoreIOError("The disk is full."), AlreadyExists("Transaction 5")):
        assert refusal_at(error, made, assessment).field == FORM


def test_a_refusal_lands_on_the_last_of_the_rows_of_its_account() -> None:
    made = draft(("Assets:Checking", "", "5"), ("Expenses:Rent", "10", ""), ("Assets:Checking", "", "5"))
    refused = ConstraintViolation(AccountId(book=BOOK, path="Assets:Checking"), 0, -250)
    assert refusal_at(refused, made, read(made)).field == Field("account", 2)


def test_what_is_typed_into_the_same_text_as_another_entry_is_not_typed_into_the_first() -> None:
    made = draft(("Expenses:Rent", "10", ""))
    other = made.with_new_key()
    other.rows[0].debit = "20"
    other.rows.append(Row())
    assert made.rows == draft(("Expenses:Rent", "10", "")).rows
    assert other.key != made.key


def test_a_blank_draft_does_not_wait_under_the_one_that_is_begun() -> None:
    stack = DraftStack(BOOK, None)
    first, second = (draft(("Expenses:Rent", amount, "")) for amount in ("1", "2"))
    stack.begin(first)
    assert (len(stack), stack.current) == (1, first)
    stack.begin(second)
    assert (len(stack), stack.current) == (2, second)


def test_a_draft_that_is_begun_again_comes_back_as_it_was_left() -> None:
    stack = DraftStack(BOOK, None)
    stack.begin(draft(key="correct:1", description="half typed"))
    stack.another()
    stack.begin(draft(key="correct:1", description="as it was posted"))
    assert (stack.current.description, stack.waiting, len(stack)) == ("half typed", 1, 1)


def test_another_entry_is_for_the_day_that_was_meant_whatever_day_it_is_by_now() -> None:
    stack = DraftStack(BOOK, None)
    stack.current.description = "Rent"
    stack.current.date_typed("-1", SUNDAY)
    stack.another()
    assert stack.current.day(SUNDAY + timedelta(days=3)) == SUNDAY - timedelta(days=1)


def test_a_draft_that_was_posted_under_another_one_is_dropped_alone() -> None:
    stack = DraftStack(BOOK, None)
    first, second = (draft(("Expenses:Rent", amount, "")) for amount in ("1", "2"))
    stack.begin(first)
    stack.begin(second)
    stack.drop(first)
    assert (len(stack), stack.current) == (1, second)


def test_of_many_drafts_the_latest_are_kept(tmp_path) -> None:
    shelf = DraftShelf(tmp_path, "ledger", BOOK)
    shelf.save([draft(description=f"entry {n}") for n in range(DRAFTS_MAX + 5)])
    assert [kept.description for kept in shelf.load()] == [f"entry {n}" for n in range(5, DRAFTS_MAX + 5)]


def test_a_draft_survives_being_written_and_read(tmp_path) -> None:
    shelf = DraftShelf(tmp_path, "/ledgers/a", BOOK)
    made = draft(("Expenses:Rent", "12.5*", ""), description="[/] \x1b", date="-1")
    made.refs = (ExternalRef(kind="corrects", value="5"),)
    made.carried = {"code": 10**30}
    made.rows[0].hint_side = Direction.CREDIT
    shelf.save([Draft(book=BOOK), made])
    assert shelf.load() == [made]
    assert shelf.path.stat().st_mode & 0o077 == 0
    assert DraftShelf(tmp_path, "/ledgers/b", BOOK).load() == []
    assert DraftShelf(tmp_path, "/ledgers/a", "other").load() == []
    shelf.save([])
    assert list(tmp_path.rglob("*.json*")) == []


def test_a_draft_keeps_a_long_integer_of_the_transaction_it_corrects(tmp_path) -> None:
    shelf = DraftShelf(tmp_path, "/ledgers/a", BOOK)
    made = draft(("Expenses:Rent", "5", ""))
    made.carried = {"code": 10**5_000 + 7}
    shelf.save([made])
    assert shelf.load() == [made]


def test_a_stack_says_that_drafts_are_not_kept_until_they_are(tmp_path) -> None:
    (tmp_path / "drafts").write_text("no directory")
    stack = DraftStack(BOOK, DraftShelf(tmp_path, "/ledgers/a", BOOK))
    stack.begin(draft(("Expenses:Rent", "5", "")))
    stack.save()
    assert str(tmp_path / "drafts") in stack.trouble
    (tmp_path / "drafts").unlink()
    stack.save()
    assert stack.trouble == ""
    stack.current.carried = {"code": 10**60_000}
    stack.save()
    assert "60,001 digits" in stack.trouble


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version":1}', '{"version":1,"drafts":[{}]}', "[" * 9999]
)
def test_a_damaged_drafts_file_is_no_draft_and_no_crash(tmp_path, text: str) -> None:
    shelf = DraftShelf(tmp_path, "/ledgers/a", BOOK)
    shelf.path.parent.mkdir()
    shelf.path.write_text(text)
    assert shelf.load() == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Expenses:Rent", AccountKind.EXPENSE),
        ("revenue:sales", AccountKind.INCOME),
        ("liabilities:card", AccountKind.LIABILITY),
        ("Equity", AccountKind.EQUITY),
        ("clearing:stripe", AccountKind.CLEARING),
        ("Wallet:Hot", AccountKind.ASSET),
        ("nonsense", AccountKind.ASSET),
    ],
)
def test_the_kind_of_a_new_account_is_guessed_from_its_name(path: str, kind: AccountKind) -> None:
    assert guess_kind(path) is kind


def test_the_asset_of_a_new_account_is_guessed_from_name_form_and_kin() -> None:
    kin = {"wallet:hot": "ETH", "expenses:rent": "USD", "expenses:food": "USD"}
    assets = ["ETH", "JPY", "USD"]
    assert guess_asset("wallet:jpy", kin, assets, ["USD"]) == "JPY"
    assert guess_asset("wallet:new", kin, assets, ["USD"]) == "USD"
    assert guess_asset("wallet:new", kin, assets, []) == "ETH"
    assert guess_asset("new", kin, assets, []) == "USD"
    assert guess_asset("new", {}, assets, []) == "ETH"
    assert guess_asset("new", {}, [], []) is None


def test_a_second_expense_is_expected_on_its_own_side_and_the_payment_on_the_other() -> None:
    made = draft(("Expenses:Rent", "14.66", ""), ("Expenses:Supplies", "", ""), ("Assets:Checking", "", ""))
    assert expected_side(made, read(made), 1, UsageIndex()) is Direction.DEBIT
    assert expected_side(made, read(made), 2, UsageIndex()) is Direction.CREDIT


def test_a_draft_that_was_posted_while_it_was_being_saved_does_not_come_back(tmp_path) -> None:
    shelf = DraftShelf(tmp_path, "/ledgers/a", BOOK)
    being_saved = shelf.prepare([draft(("Expenses:Rent", "14.66", ""), description="Rent")])
    shelf.save([Draft(book=BOOK)])
    shelf.write(*being_saved)
    assert shelf.load() == []
    assert not shelf.path.exists()


def test_a_draft_that_cannot_be_saved_leaves_the_one_before_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = DraftShelf(tmp_path, "/ledgers/a", BOOK)
    kept = draft(("Expenses:Rent", "14.66", ""), description="Rent")
    shelf.save([kept])

    def refused(descriptor: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refused)
    with pytest.raises(OSError, match="No space"):
        shelf.save([draft(("Expenses:Food", "3", ""), description="Bread")])
    assert [made.description for made in shelf.load()] == ["Rent"]
    assert list(shelf.path.parent.iterdir()) == [shelf.path]
