"""Every read of the `Store` protocol, over books that are open: by their writer, or by a follower."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID
from zlib import crc32

from .account import Account
from .codec import EPOCH, decode_event, from_micros, read_prefix, to_micros
from .definitions import text_fault
from .errors import CorruptLog, StoreClosed, StoreIOError, UnknownAccount
from .lifetime import OpenLedger
from .model import (
    AccountId,
    AccountInfo,
    AssetDef,
    BalanceSnapshot,
    PostingRecord,
    Sequenced,
    StoredFrame,
    StoredTransaction,
    TransactionPosted,
    TrialBalanceRow,
)
from .offload import Pace
from .protocol import AsOf, Sieve, Sifted, Store
from .segments import SegmentLog, segment_name
from .sieve import Strainer
from .state import BookState
from .subscriptions import Signal

_READ_GROUP = 256
_STRETCH_GROUP = 1024
_DECODE_GROUP_BYTES = 4096
"""How much is decoded before a look at the clock."""


class OpenBook(Protocol):
    """What reading needs of a book."""

    name: str
    state: BookState
    log: SegmentLog
    news: Signal
    """Fires when events were applied, and when the book stops or closes."""
    error: StoreIOError | None
    closed: bool

    @property
    def ended(self) -> bool:
        """Whether nothing can become durable any more."""

    async def payloads(self, from_seq: int, count: int) -> Sequence[bytes]: ...
    async def find_key(self, key: str) -> int | None: ...
    async def find_txid(self, txid: bytes) -> int | None: ...
    def stopped_error(self) -> StoreIOError: ...


class LedgerReads(OpenLedger, Store):
    """Reads see exactly what is durable and applied."""

    _books: Mapping[str, OpenBook]
    _born: Signal
    """Fires when there is a new book, and at the end."""

    def _find(self, name: str) -> OpenBook | None:
        """The book, or None when it was never written. Raises StoreClosed, InvalidBook, CorruptLog."""
        raise AssertionError("a subclass knows its books")

    def _names(self) -> list[str]:
        """The names of all books, in order."""
        raise AssertionError("a subclass knows its books")

    def _assets(self) -> dict[str, AssetDef]:
        """The registry."""
        raise AssertionError("a subclass knows its books")

    # ------------------------------------------------------------ reading balances

    @staticmethod
    def _seq_of(state: BookState | None, as_of: AsOf) -> int | None:
        """The last seq that an instant includes; None for now. Raises ValueError for a naive time."""
        if as_of is None:
            return None
        if isinstance(as_of, datetime):
            if as_of.utcoffset() is None:
                raise ValueError("as_of is a time without a time zone")
            return state.seq_at(to_micros(as_of)) if state is not None else 0
        return as_of

    def _account(self, id: AccountId) -> tuple[BookState, Account]:
        opened = self._find(id.book)
        account = opened.state.accounts.get(id.path) if opened is not None else None
        if opened is None or account is None:
            raise UnknownAccount(id)
        return opened.state, account

    async def balance(self, account: AccountId, as_of: AsOf = None) -> BalanceSnapshot:
        state, found = self._account(account)
        return state.balance_at(found, self._seq_of(state, as_of))

    async def account(self, id: AccountId, as_of: AsOf = None) -> AccountInfo | None:
        opened = self._find(id.book)
        found = opened.state.accounts.get(id.path) if opened is not None else None
        seq = self._seq_of(opened.state if opened is not None else None, as_of)
        return opened.state.info_at(found, seq) if opened is not None and found is not None else None

    async def accounts(self, book: str, as_of: AsOf = None) -> list[AccountInfo]:
        opened = self._find(book)
        if opened is None:
            self._seq_of(None, as_of)
            return []
        state = opened.state
        seq = self._seq_of(state, as_of)
        if seq is None:
            seq = state.last_seq  # one instant for all of them, whatever is committed meanwhile
        infos = []
        pace = Pace()
        for path in sorted(state.accounts):
            infos.append(state.info_at(state.accounts[path], seq))
            if pace.due:
                await pace.rest()
        return infos

    async def trial_balance(self, book: str, as_of: AsOf = None) -> list[TrialBalanceRow]:
        opened = self._find(book)
        if opened is None:
            self._seq_of(None, as_of)
            return []
        state = opened.state
        pace = Pace()
        sums: list[int] | None = None
        for sums in state.turnover_at(self._seq_of(state, as_of)):
            if sums is None and pace.due:
                await pace.rest()
        assert sums is not None
        return state.trial_balance(sums)

    async def account_history(
        self, account: AccountId, after_seq: int | None = None, limit: int = 100
    ) -> list[PostingRecord]:
        state, found = self._account(account)
        _refuse_negative("limit", limit)
        start, stop = state.history_bounds(found, after_seq or 0, limit)
        return await self._records(state, found, start, stop)

    async def posting_rows(self, account: AccountId, start: int, limit: int) -> list[PostingRecord]:
        state, found = self._account(account)
        _refuse_negative("limit", limit)
        _refuse_negative("start", start)
        return await self._records(state, found, start, min(start + limit, len(found.rows)))

    @staticmethod
    async def _records(state: BookState, account: Account, start: int, stop: int) -> list[PostingRecord]:
        records: list[PostingRecord] = []
        pace = Pace()
        for at in range(start, stop, _READ_GROUP):
            records += state.records(account, at, min(at + _READ_GROUP, stop))
            if pace.due:
                await pace.rest()
        return records

    # ------------------------------------------------------------ reading events

    async def read_events(self, book: str, from_seq: int = 1, limit: int = 100) -> list[Sequenced]:
        opened = self._find(book)
        _refuse_negative("limit", limit)
        events: list[Sequenced] = []
        if opened is not None:
            first = max(1, from_seq)
            await _each(
                opened, first, first + limit - 1, lambda _, payload: events.append(_decode(opened, payload))
            )
        return events

    async def events_at(self, book: str, seqs: Sequence[int]) -> list[Sequenced]:
        opened = self._find(book)
        events: list[Sequenced] = []
        if opened is None:
            return events
        known: dict[int, bytes] = {}
        for seq in seqs:
            if not 1 <= seq <= opened.state.last_seq:
                continue
            if seq not in known:
                # neighbours are often asked for together
                span = 1
                while span < _READ_GROUP and seq + span in seqs:
                    span += 1
                for n, payload in enumerate(await opened.payloads(seq, span)):
                    known[seq + n] = payload
            events.append(_decode(opened, known[seq]))
        return events

    async def sift(self, book: str, sieve: Sieve, from_seq: int, to_seq: int) -> list[Sifted]:
        opened = self._find(book)
        found: list[Sifted] = []
        if opened is None:
            return found
        strainer = Strainer(sieve, opened.state.table)
        micros, at = 0, EPOCH

        def take(seq: int, payload: bytes) -> None:
            nonlocal micros, at
            try:
                is_wanted = strainer.judge(payload)
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                is_wanted = None  # no event of this format, or a strange one: decoding it will tell
            if is_wanted is False:
                return
            committed = opened.state.at_of(seq)
            if committed != micros:  # a whole batch shares it
                micros, at = committed, from_micros(committed)
            found.append(Sifted(seq, at, is_wanted is True, partial(_decode, opened, payload)))

        await _each(opened, max(1, from_seq), to_seq, take)
        return found

    async def frame_of(self, book: str, seq: int) -> StoredFrame | None:
        opened = self._find(book)
        if opened is None or not 1 <= seq <= opened.state.last_seq:
            return None
        segment, offset = opened.log.segment_of(seq), opened.state.offset_of(seq)
        payload = (await opened.payloads(seq, 1))[0]
        return StoredFrame(segment_name(segment.base_seq), offset, len(payload), crc32(payload))

    async def transaction(self, txid: UUID, book: str | None = None) -> StoredTransaction | None:
        self._refuse_if_closed()
        for name in self._names() if book is None else [book]:
            opened = self._find(name)
            if opened is None:
                continue
            seq = await _found_in(opened.find_txid(txid.bytes))
            if seq is not None:
                return await self._stored(opened, seq)
        return None

    async def by_key(self, book: str, key: str) -> StoredTransaction | None:
        opened = self._find(book)
        if opened is None or text_fault(key) is not None:
            return None
        seq = await _found_in(opened.find_key(key))
        return await self._stored(opened, seq) if seq is not None else None

    @staticmethod
    async def _stored(opened: OpenBook, seq: int) -> StoredTransaction:
        (payload,) = await opened.payloads(seq, 1)
        sequenced = _decode(opened, payload)
        assert isinstance(sequenced.event, TransactionPosted)
        return StoredTransaction(transaction=sequenced.event.transaction, seq=seq, at=sequenced.at)

    def subscribe(self, book: str, from_seq: int = 1) -> AsyncGenerator[Sequenced, None]:
        return self._subscribed(book, from_seq, self._closed)

    async def _subscribed(self, book: str, from_seq: int, too_late: bool) -> AsyncGenerator[Sequenced, None]:
        if too_late:
            raise StoreClosed
        # who asked before the end is given all that was durable at the end
        while (opened := self._books.get(book) if self._closed else self._find(book)) is None:
            if self._closed:
                return
            await self._born.wait()
        next_seq = max(1, from_seq)
        pace, size = Pace(), 0
        while True:
            payloads = await opened.payloads(next_seq, _READ_GROUP)
            for payload in payloads:
                size += len(payload)
                if size >= _DECODE_GROUP_BYTES:
                    size = 0
                    if pace.due:
                        await pace.rest()
                yield _decode(opened, payload)
            next_seq += len(payloads)
            if payloads:
                continue
            current = self._books.get(book, opened)
            if current is not opened:
                opened = current  # it was reopened
                continue
            if opened.error is not None and opened.ended:
                raise opened.stopped_error()
            if opened.closed:
                return
            await opened.news.wait()

    # ------------------------------------------------------------ registry and books

    async def asset(self, id: str) -> AssetDef | None:
        return self._assets().get(id)

    async def assets(self) -> list[AssetDef]:
        assets = self._assets()
        return [assets[id] for id in sorted(assets)]

    async def seq_at(self, book: str, t: datetime) -> int:
        opened = self._find(book)
        seq = self._seq_of(opened.state if opened is not None else None, t)
        return seq or 0


async def _each(opened: OpenBook, from_seq: int, to_seq: int, take: Callable[[int, bytes], None]) -> None:
    """Hand over (seq, payload) of the events between two seqs, both inclusive, as far as they are there now."""
    to_seq = min(to_seq, opened.state.last_seq)
    seq = from_seq
    pace, size = Pace(), 0
    while seq <= to_seq:
        payloads = await opened.payloads(seq, min(_STRETCH_GROUP, to_seq - seq + 1))
        if not payloads:
            break
        for payload in payloads:
            take(seq, payload)
            seq += 1
            size += len(payload)
            if size >= _DECODE_GROUP_BYTES:
                size = 0
                if pace.due:
                    await pace.rest()


def _decode(opened: OpenBook, payload: bytes) -> Sequenced:
    """Raises CorruptLog for what has a right checksum and yet is no event."""
    try:
        return decode_event(opened.name, payload, opened.state.table)
    except (ValueError, TypeError, OverflowError) as e:
        prefix = read_prefix(payload)
        seq = prefix.seq if prefix is not None else 1
        segment = segment_name(opened.log.segment_of(seq).base_seq)
        raise CorruptLog(
            opened.name, segment, opened.state.offset_of(seq), f"a frame is no event: {e}"
        ) from e


async def _found_in(lookup: Awaitable[int | None]) -> int | None:
    try:
        return await lookup
    except OSError as e:
        raise StoreIOError(f"A run of keys cannot be read: {e}.") from e


def _refuse_negative(what: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{what} is {value}, but cannot be negative")
