from __future__ import annotations

import copy
import pickle

import pytest

from store.errors import (
    AlreadyExists,
    AmountOverflow,
    AssetMismatch,
    ConstraintViolation,
    CorruptLog,
    HeadMismatch,
    IdempotencyConflict,
    InvalidBook,
    InvalidDefinition,
    InvalidTransaction,
    StoreClosed,
    StoreError,
    StoreIOError,
    StoreLocked,
    Unbalanced,
    UnknownAccount,
    UnknownAsset,
    UnsupportedFormat,
    WriterStopped,
)
from store.model import AccountId

CASH = AccountId(book="home", path="assets:cash")

EXAMPLES: list[tuple[StoreError, type[StoreError], dict[str, object]]] = [
    (InvalidBook("a/b", "it holds a slash"), StoreError, {"book": "a/b", "reason": "it holds a slash"}),
    (InvalidDefinition("its id is empty"), StoreError, {"reason": "its id is empty"}),
    (InvalidTransaction("it has no postings"), StoreError, {"reason": "it has no postings"}),
    (Unbalanced("EUR", 5, 6), InvalidTransaction, {"asset": "EUR", "debits": 5, "credits": 6}),
    (AmountOverflow(CASH), InvalidTransaction, {"account": CASH}),
    (UnknownAsset("EUR"), StoreError, {"asset": "EUR"}),
    (UnknownAccount(CASH), StoreError, {"account": CASH}),
    (
        AssetMismatch(CASH, "EUR", "USD"),
        StoreError,
        {"account": CASH, "account_asset": "EUR", "asset": "USD"},
    ),
    (AlreadyExists("Asset 'EUR'"), StoreError, {"what": "Asset 'EUR'"}),
    (ConstraintViolation(CASH, 0, -1), StoreError, {"account": CASH, "min_balance": 0, "would_be": -1}),
    (IdempotencyConflict("k", 4), StoreError, {"key": "k", "seq": 4}),
    (
        HeadMismatch("home", 3, "aa", "bb"),
        StoreError,
        {"book": "home", "seq": 3, "expected": "aa", "found": "bb"},
    ),
    (StoreIOError("no room"), StoreError, {}),
    (StoreLocked("/ledger", 12), StoreIOError, {"directory": "/ledger", "holder": 12}),
    (StoreLocked("/ledger", None), StoreIOError, {"holder": None}),
    (StoreClosed(), StoreIOError, {}),
    (WriterStopped("home", "no disk"), StoreIOError, {"book": "home", "cause": "no disk"}),
    (UnsupportedFormat("/ledger", 9), StoreIOError, {"directory": "/ledger", "version": 9}),
    (
        CorruptLog("home", "segment-1.log", 8, "a bad frame"),
        StoreIOError,
        {"book": "home", "segment": "segment-1.log", "offset": 8, "reason": "a bad frame"},
    ),
    (CorruptLog("home", None, None, "no segments"), StoreIOError, {"segment": None, "offset": None}),
]


@pytest.mark.parametrize(
    ("error", "parent", "facts"), EXAMPLES, ids=[type(error).__name__ for error, _, _ in EXAMPLES]
)
def test_an_error_keeps_its_facts_and_its_place_in_the_tree(
    error: StoreError, parent: type[StoreError], facts: dict[str, object]
) -> None:
    assert type(error).__bases__ == (parent,)
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize("error", [error for error, _, _ in EXAMPLES], ids=lambda e: type(e).__name__)
def test_an_error_comes_back_whole_from_another_process_or_a_copy(error: StoreError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    "error", [error for error, _, _ in EXAMPLES if error.args != ("no room",)], ids=lambda e: type(e).__name__
)
def test_a_message_is_one_sentence(error: StoreError) -> None:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert text[0].isupper() or text[0] in "'\""


def test_why_a_writer_stopped_is_told_once() -> None:
    cause = StoreIOError("Book 'home': Input/output error; its storage failed.")
    assert str(WriterStopped("home", cause)) == (
        "Book 'home' takes no more postings (Input/output error; its storage failed); "
        "reopen the book to see what was kept."
    )


def test_messages_show_hostile_text_escaped_and_clipped() -> None:
    text = str(InvalidBook("\x1b[31m\n\ud800" + "x" * 10_000, "it holds a control character"))
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 300
    text.encode()


def test_a_corrupt_log_names_file_and_offset() -> None:
    assert "segment-1.log at byte 8" in str(CorruptLog("home", "segment-1.log", 8, "a bad frame"))
