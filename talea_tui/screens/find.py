"""Finding a transaction by seq, idempotency key or id."""

from __future__ import annotations

from uuid import UUID

from store import StoreError, TransactionPosted

from ..formatting import format_count
from ..widgets.shell import Shell
from .ask import Ask


async def find_transaction(app: Shell) -> None:
    """Ask what to look for until it is found, and show it."""
    if not app.books:
        app.tell(app.nothing_posted(None))
        return
    found: tuple[str, int] | None = None

    async def check(answer: str) -> str | None:
        nonlocal found
        sought = answer.strip()
        try:
            found = await locate(app, sought) if sought else None
            return None if found is not None or not sought else await _missed(app, sought)
        except StoreError as error:
            app.refuse(error)
            return None

    hint = "Its seq, its idempotency key or its id."
    answer = await app.push_screen_wait(
        Ask("Open a transaction", hint=hint, placeholder="1,247", does="open it", check=check)
    )
    if answer is None or found is None:
        return
    try:
        last_seq = await app.last_seq(found[0])
    except StoreError as error:
        app.refuse(error)
        return
    if found[1] > last_seq:
        app.refuse(app.later_text(found[1]))
    else:
        await app.open_transaction(*found)


async def _missed(app: Shell, sought: str) -> str:
    """That nothing is called so, and how far the current book goes."""
    book, last = app.book, ""
    if book is not None and app.why_unreadable() is None:
        last = f"; the last seq of {book} is {format_count(await app.last_seq(book))}"
    return f"No transaction has the seq, key or id {sought}{last}."


async def locate(app: Shell, text: str) -> tuple[str, int] | None:
    """(book, seq) of the transaction that `text` names: a seq or key of the current book, or an id of any."""
    digits = text.lstrip("#").replace(",", "")
    book = app.book if app.why_unreadable() is None else None
    if book is not None and digits.isascii() and digits.isdigit() and len(digits) <= 18:
        found = await app.store.events_at(book, [int(digits)])
        if found and isinstance(found[0].event, TransactionPosted):
            return book, found[0].seq
    if book is not None:
        by_key = await app.store.by_key(book, text)
        if by_key is not None:
            return book, by_key.seq
    try:
        txid = UUID(text)
    except ValueError:
        return None
    by_id = await app.store.transaction(txid)
    return (by_id.transaction.book, by_id.seq) if by_id is not None else None
