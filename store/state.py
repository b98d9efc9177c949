"""One book in memory: decide what a request means, apply what became durable, answer reads. Pure.

A posting is a row of columns, not an object. Rows and events live in chunks of `CHUNK_EVENTS` events, so that
no array ever grows large enough for its growth to be felt, and sealed chunks can be written once as index files.
Each account keeps the numbers of its rows, which makes every read at a past instant a binary search.

Amounts and balances are debit-positive here; `effective` turns them into what callers see.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from .account import Account
from .codec import (
    KIND_ACCOUNT,
    KIND_ASSET,
    MICROS_END,
    AccountTable,
    BatchPrefix,
    Malformed,
    checked_postings,
    decode_account,
    decode_asset,
    encode_account,
    encode_asset,
    from_micros,
)
from .columns import CHUNK_EVENTS, INT64_END, MASK64, Chunk
from .errors import (
    AlreadyExists,
    AmountOverflow,
    ConstraintViolation,
    IdempotencyConflict,
)
from .frames import FRAME_HEAD_BYTES
from .model import (
    AMOUNT_LIMIT,
    AccountCfg,
    AccountDef,
    AccountInfo,
    Amount,
    AssetDef,
    BalanceSnapshot,
    BookInfo,
    Committed,
    Direction,
    PostingRecord,
    TrialBalanceRow,
)
from .requests import Request

MARK_ROWS = 512
"""How many rows lie between two marks of cumulated turnover; more when there are many assets."""

Row: TypeAlias = "tuple[Account, int, int]"
"""An account, the amount it moves by, and its balance after that; debit-positive."""


class Accepted(msgspec.Struct, gc=False, eq=False):
    """An event that was decided and encoded, on its way to the disk.

    `event` is the asset, or the account's (index, definition, configuration); None for a transaction, which has
    `key`, `txid`, `print8` and `rows` instead.
    """

    seq: int
    payload: bytes
    event: Any = None
    key: str = ""
    txid: int = 0
    print8: int = 0
    rows: Sequence[Row] = ()


class Known(NamedTuple):
    """Where a key was committed first; `print8` is its fingerprint."""

    seq: int
    print8: int


class BookState:
    """Everything about one book that is answered from memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last_seq = 0
        self.last_at = 0
        self.head = sha256(name.encode()).digest()
        self.head_seq = 0
        self.accounts: dict[str, Account] = {}
        self.by_index: list[Account] = []
        self.table = AccountTable()
        self.assets: dict[str, AssetDef] = {}
        """Assets registered in this book: only `_system` has any."""
        self.transactions = 0
        self.chunks: list[Chunk] = []
        self.chunk_rows: list[int] = []
        """The first row number of each chunk."""
        self.rows = 0
        self.asset_index: dict[str, int] = {}
        self.turnover: list[int] = []
        """Cumulated debits and credits, two numbers an asset."""
        self.marks: list[tuple[int, ...]] = []
        self.mark_rows: list[int] = []
        self._next_mark = MARK_ROWS
        # decided, not yet durable
        self._tip_seq = 0
        self._tip_head = self.head
        self._pending_keys: dict[str, Accepted] = {}
        self._pending_txids: set[int] = set()
        self._pending_accounts: dict[str, Accepted] = {}
        self._pending_assets: dict[str, Accepted] = {}

    # ------------------------------------------------------------ decide

    def begin_batch(self, salt: bytes, at: int) -> None:
        """What is decided from here on will carry this salt and commit time (never before the last one)."""
        self._salt, self._at = salt, max(at, self.last_at)
        self._prefix = BatchPrefix(salt, self.last_seq, self._at)
        self._tip_seq, self._tip_head = self.last_seq, self.head

    @property
    def batch_at(self) -> int:
        return self._at

    def decide_asset(self, asset: AssetDef) -> Accepted | None:
        """The event that registers it, this batch's earlier one included; None when it is registered already.

        Raises AlreadyExists.
        """
        pending = self._pending_assets.get(asset.id)
        known = pending.event if pending is not None else self.assets.get(asset.id)
        if known is not None:
            if known != asset:
                raise AlreadyExists(f"Asset {asset.id!r}")
            return pending
        seq = self._tip_seq + 1
        payload = encode_asset(self._salt, self.last_seq, seq, self._at, asset)
        accepted = self._pending_assets[asset.id] = Accepted(seq, payload, asset)
        self._tip_seq = seq
        return accepted

    def decide_account(self, definition: AccountDef, config: AccountCfg) -> Accepted | None:
        """The event that opens it, this batch's earlier one included; None when it is open already.

        `config` is resolved. Raises AlreadyExists.
        """
        path = definition.id.path
        pending = self._pending_accounts.get(path)
        account = self.accounts.get(path)
        facts = (account.definition, account.config) if account is not None else None
        if pending is not None:
            facts = pending.event[1:]
        if facts is not None:
            if facts != (definition, config):
                raise AlreadyExists(f"Account {path!r} in book {self.name!r}")
            return pending
        seq = self._tip_seq + 1
        index = len(self.by_index) + len(self._pending_accounts)
        payload = encode_account(self._salt, self.last_seq, seq, self._at, index, definition, config)
        accepted = self._pending_accounts[path] = Accepted(seq, payload, (index, definition, config))
        self._tip_seq = seq
        return accepted

    def decide_transaction(self, request: Request, known: Known | None, id_used: bool) -> Accepted | Known:
        """What becomes of a transaction, after everything this batch accepted before it.

        `known` and `id_used` say what the indexes know of its key and id. Returns the event that posts it, this
        batch's earlier one under the same key included; or where its key was committed before this batch. Raises
        IdempotencyConflict, AlreadyExists, UnknownAccount, AssetMismatch, AmountOverflow, ConstraintViolation.
        """
        fault = request.resolve(self.accounts) if request.legs is None else None
        key, txid = request.transaction.idempotency_key, request.transaction.id.int
        pending = self._pending_keys.get(key)
        if pending is not None:
            known = Known(pending.seq, pending.print8)
        if known is not None:
            if fault is not None or request.print8 != known.print8:
                raise IdempotencyConflict(key, known.seq)
            return known if pending is None else pending
        if id_used or txid in self._pending_txids:
            raise AlreadyExists(f"Transaction id {request.transaction.id} in book {self.name!r}")
        if fault is not None:
            raise fault
        assert request.legs is not None
        rows = self._move(request.legs)
        seq = self._tip_seq = self._tip_seq + 1
        accepted = Accepted(
            seq, self._prefix.payload(seq, request.body), None, key, txid, request.print8, rows
        )
        self._pending_keys[key] = accepted
        self._pending_txids.add(txid)
        return accepted

    def _move(self, legs: list[tuple[Account, int]]) -> list[Row]:
        """Carry the legs into the tips, or raise and leave them as they were."""
        rows: list[Row] = []
        for account, signed in legs:
            after = account.tip = account.tip + signed
            rows.append((account, signed, after))
            if not -AMOUNT_LIMIT < after < AMOUNT_LIMIT:
                self._undo(rows)
                raise AmountOverflow(account.definition.id)
        for account, _, _ in rows:
            if account.floor is not None and account.sign * account.tip < account.floor:
                would_be = account.sign * account.tip
                self._undo(rows)
                raise ConstraintViolation(account.definition.id, account.floor, would_be)
        return rows

    @staticmethod
    def _undo(rows: list[Row]) -> None:
        for account, signed, _ in rows:
            account.tip -= signed

    @property
    def opening(self) -> bool:
        """Whether this batch opens an account, which its later transactions cannot use yet."""
        return bool(self._pending_accounts)

    def link(self, batch: Sequence[Accepted]) -> None:
        """Continue the chain of digests over the next of a batch: work for while the disk syncs."""
        head = self._tip_head
        for accepted in batch:
            head = sha256(head + accepted.payload).digest()
        self._tip_head = head

    def forget_batch(self, batch: list[Accepted]) -> None:
        """Nothing of `batch` was written: take back what its decisions changed."""
        for accepted in batch:
            for account, _, _ in accepted.rows:
                account.tip = account.net
        self._end_batch()

    def _end_batch(self) -> None:
        self._pending_keys.clear()
        self._pending_txids.clear()
        self._pending_accounts.clear()
        self._pending_assets.clear()

    # ------------------------------------------------------------ apply

    def apply(self, batch: Sequence[Accepted], offset: int) -> int:
        """A stretch of the batch is durable, its first frame at byte `offset` of its segment; where its last ends."""
        at = self._at
        for accepted in batch:
            chunk = self._place(accepted.seq, offset, at, accepted.txid, accepted.print8)
            offset += len(accepted.payload) + FRAME_HEAD_BYTES
            if accepted.event is None:
                self._apply_rows(chunk, accepted.rows)
            elif type(accepted.event) is AssetDef:
                self.assets[accepted.event.id] = accepted.event
            else:
                index, definition, config = accepted.event
                self._open(index, definition, config, accepted.seq)
        return offset

    def end_batch(self) -> None:
        """All of a batch has been applied."""
        self.head, self.head_seq = self._tip_head, self._tip_seq
        self._end_batch()

    def _place(self, seq: int, offset: int, at: int, txid: int, print8: int) -> Chunk:
        i = (seq - 1) % CHUNK_EVENTS
        if i == 0:
            chunk = Chunk(seq, self.rows)
            self.chunks.append(chunk)
            self.chunk_rows.append(self.rows)
        else:
            chunk = self.chunks[-1]
        chunk.at.append(at)
        chunk.offset.append(offset)
        chunk.txid.append(txid >> 64)
        chunk.txid.append(txid & MASK64)
        chunk.print8.append(print8)
        self.last_seq, self.last_at = seq, at
        return chunk

    def _apply_rows(self, chunk: Chunk, rows: Sequence[Row]) -> None:
        self.transactions += 1
        seq, number, turnover = self.last_seq, self.rows, self.turnover
        event = seq - chunk.base_seq
        nets, debit_sums = chunk.row_net, chunk.row_debits
        for account, signed, after in rows:
            account.net = after
            account.updated = seq
            debits = account.debits
            if signed > 0:
                account.debits = debits = debits + signed
                turnover[2 * account.asset_index] += signed
            else:
                account.credits -= signed
                turnover[2 * account.asset_index + 1] -= signed
            chunk.row_event.append(event)
            chunk.row_account.append(account.index)
            if nets.high is None and -INT64_END <= after < INT64_END:
                nets.low.append(after)
            else:
                nets.append_wide(after)
            if debit_sums.high is None and debits < INT64_END:
                debit_sums.low.append(debits)
            else:
                debit_sums.append_wide(debits)
            account.rows.append(number)
            number += 1
        self.rows = number
        if number >= self._next_mark:
            self.add_mark(number, tuple(turnover))

    def add_mark(self, row: int, turnover: tuple[int, ...]) -> None:
        """Note the cumulated turnover of all assets after the first `row` rows."""
        self.mark_rows.append(row)
        self.marks.append(turnover)
        self._next_mark = row + MARK_ROWS * max(1, len(turnover) // 16)

    def _open(self, index: int, definition: AccountDef, config: AccountCfg, seq: int) -> Account:
        asset_index = self.asset_index.setdefault(definition.asset, len(self.asset_index))
        if 2 * asset_index == len(self.turnover):
            self.turnover += [0, 0]
        account = Account.opened(index, asset_index, definition, config, seq)
        self.accounts[definition.id.path] = account
        self.by_index.append(account)
        self.table.ids.append(definition.id)
        self.table.assets.append(definition.asset)
        return account

    restore_account = _open

    # ------------------------------------------------------------ replay

    def fold(self, items: list[Any], payload: bytes, offset: int) -> tuple[str, int] | None:
        """Apply one event read back from the log; the key and txid of a transaction. Raises Malformed."""
        seq, at, kind = items[2], items[3], items[4]
        if not self.last_at <= at < MICROS_END:
            raise Malformed("its time runs backwards")
        found: tuple[str, int] | None = None
        if kind == KIND_ACCOUNT:
            index, definition, config = decode_account(self.name, items)
            if index != len(self.by_index) or definition.id.path in self.accounts:
                raise Malformed("an account opened twice or out of order")
            self._place(seq, offset, at, 0, 0)
            self._open(index, definition, config, seq)
        elif kind == KIND_ASSET:
            asset = decode_asset(items)
            self._place(seq, offset, at, 0, 0)
            self.assets[asset.id] = asset
        else:
            rows: list[Row] = []
            by_index = self.by_index
            for index, signed in checked_postings(items, len(by_index)):
                account = by_index[index]
                after = account.tip = account.tip + signed
                rows.append((account, signed, after))
            txid = int.from_bytes(items[5], "big")
            chunk = self._place(seq, offset, at, txid, int.from_bytes(items[7], "big"))
            self._apply_rows(chunk, rows)
            found = items[8], txid
        self.head, self.head_seq = sha256(self.head + payload).digest(), seq
        return found

    # ------------------------------------------------------------ reads by seq

    def chunk_of(self, seq: int) -> tuple[Chunk, int]:
        """The chunk that holds an event, and the event's place in it."""
        i, j = divmod(seq - 1, CHUNK_EVENTS)
        return self.chunks[i], j

    def at_of(self, seq: int) -> int:
        chunk, i = self.chunk_of(seq)
        return chunk.at[i]

    def offset_of(self, seq: int) -> int:
        chunk, i = self.chunk_of(seq)
        return chunk.offset[i]

    def txid_of(self, seq: int) -> int:
        chunk, i = self.chunk_of(seq)
        return chunk.txid_of(i)

    def is_transaction(self, seq: int) -> bool:
        chunk, i = self.chunk_of(seq)
        return bool(chunk.print8[i] or chunk.txid_of(i))

    def known(self, seq: int) -> Known:
        chunk, i = self.chunk_of(seq)
        return Known(seq, chunk.print8[i])

    def receipt(self, seq: int) -> Committed:
        """The first commit's answer, for a key that comes again."""
        chunk, i = self.chunk_of(seq)
        return Committed(UUID(int=chunk.txid_of(i)), seq, from_micros(chunk.at[i]), True)

    def seq_at(self, micros: int) -> int:
        """The last seq committed at or before a time, else 0."""
        i = bisect_right(self.chunks, micros, key=lambda chunk: chunk.at[0]) - 1
        if i < 0:
            return 0
        return i * CHUNK_EVENTS + bisect_right(self.chunks[i].at, micros)

    def rows_at(self, seq: int) -> int:
        """How many rows the events up to `seq` have."""
        if seq >= self.last_seq:
            return self.rows
        if seq <= 0:
            return 0
        chunk, i = self.chunk_of(seq)
        return chunk.base_row + bisect_right(chunk.row_event, i)

    # ------------------------------------------------------------ reads by account

    def _row(self, row: int) -> tuple[Chunk, int]:
        i = bisect_right(self.chunk_rows, row) - 1
        chunk = self.chunks[i]
        while row - chunk.base_row >= len(chunk.row_event):  # chunks without rows share a first row
            i -= 1
            chunk = self.chunks[i]
        return chunk, row - chunk.base_row

    def _row_seq(self, row: int) -> int:
        chunk, i = self._row(row)
        return chunk.base_seq + chunk.row_event[i]

    def balance_at(self, account: Account, seq: int | None) -> BalanceSnapshot:
        """The balance after all events up to `seq`; None for now."""
        if seq is None or account.updated <= seq:
            return account.balance
        n = bisect_left(account.rows, self.rows_at(seq))
        if n == 0:
            return BalanceSnapshot(Amount(0, account.asset), 0)
        chunk, i = self._row(account.rows[n - 1])
        return BalanceSnapshot(
            Amount(account.sign * chunk.row_net[i], account.asset), chunk.base_seq + chunk.row_event[i]
        )

    def standing_at(self, account: Account, seq: int) -> tuple[int, int, int, int, int]:
        """(rows, net, debits, credits, updated seq) after all events up to `seq`."""
        if account.updated <= seq:
            return len(account.rows), account.net, account.debits, account.credits, account.updated
        n = bisect_left(account.rows, self.rows_at(seq))
        if n == 0:
            return 0, 0, 0, 0, 0
        chunk, i = self._row(account.rows[n - 1])
        net, debits = chunk.row_net[i], chunk.row_debits[i]
        return n, net, debits, debits - net, chunk.base_seq + chunk.row_event[i]

    def info_at(self, account: Account, seq: int | None) -> AccountInfo:
        rows, net, debits, credits, updated = self.standing_at(account, self.last_seq if seq is None else seq)
        return AccountInfo(
            definition=account.definition,
            config=account.config,
            balance=BalanceSnapshot(Amount(account.sign * net, account.asset), updated),
            postings=rows,
            debits=debits,
            credits=credits,
        )

    def records(self, account: Account, start: int, stop: int) -> list[PostingRecord]:
        """Rows of an account's register, by row number from 0; `stop` is exclusive and may lie beyond the end."""
        rows = account.rows
        stop = min(stop, len(rows))
        if start >= stop:
            return []
        id, asset, sign = account.definition.id, account.asset, account.sign
        net = 0
        if start > 0:
            chunk, i = self._row(rows[start - 1])
            net = chunk.row_net[i]
        found = []
        for row in rows[start:stop]:
            chunk, i = self._row(row)
            event = chunk.row_event[i]
            after = chunk.row_net[i]
            signed, net = after - net, after
            found.append(
                PostingRecord(
                    seq=chunk.base_seq + event,
                    txid=UUID(int=chunk.txid_of(event)),
                    account=id,
                    amount=Amount(abs(signed), asset),
                    direction=Direction.DEBIT if signed > 0 else Direction.CREDIT,
                    at=from_micros(chunk.at[event]),
                    balance_after=Amount(sign * after, asset),
                )
            )
        return found

    def history_bounds(self, account: Account, after_seq: int, limit: int) -> tuple[int, int]:
        """The rows (start, stop) of the first `limit` transactions after `after_seq`, none of them split."""
        rows = account.rows
        start = bisect_left(rows, self.rows_at(after_seq))
        stop, last, seqs = start, 0, 0
        while stop < len(rows):
            seq = self._row_seq(rows[stop])
            if seq != last:
                seqs, last = seqs + 1, seq
                if seqs > limit:
                    break
            stop += 1
        return start, stop

    # ------------------------------------------------------------ turnover

    def turnover_at(self, seq: int | None) -> Iterator[list[int] | None]:
        """Yields None after each stretch of work, and last the cumulated debits and credits, two numbers an asset."""
        if seq is None or seq >= self.last_seq:
            yield list(self.turnover)
            return
        stop = self.rows_at(seq)
        mark = bisect_right(self.mark_rows, stop) - 1
        start = self.mark_rows[mark] if mark >= 0 else 0
        sums = list(self.marks[mark]) if mark >= 0 else []
        sums += [0] * (len(self.turnover) - len(sums))
        before: dict[int, int] = {}
        row = start
        while row < stop:
            chunk, i = self._row(row)
            until = min(len(chunk.row_event), i + stop - row, i + MARK_ROWS)
            row += until - i
            for j in range(i, until):
                index = chunk.row_account[j]
                after = chunk.row_net[j]
                net = before.get(index)
                if net is None:
                    net = self._net_before(self.by_index[index], chunk.base_row + j)
                before[index] = after
                signed = after - net
                asset = self.by_index[index].asset_index
                if signed > 0:
                    sums[2 * asset] += signed
                else:
                    sums[2 * asset + 1] -= signed
            if row < stop:
                yield None
        yield sums

    def _net_before(self, account: Account, row: int) -> int:
        n = bisect_left(account.rows, row)
        if n == 0:
            return 0
        chunk, i = self._row(account.rows[n - 1])
        return chunk.row_net[i]

    def trial_balance(self, sums: list[int]) -> list[TrialBalanceRow]:
        rows = [
            TrialBalanceRow(asset=asset, debits=sums[2 * i], credits=sums[2 * i + 1])
            for asset, i in self.asset_index.items()
            if 2 * i < len(sums) and (sums[2 * i] or sums[2 * i + 1])
        ]
        return sorted(rows, key=lambda row: row.asset)

    # ------------------------------------------------------------ the book itself

    def info(self, **around: Any) -> BookInfo:
        """What is known of the book; `around` says what only those know who keep its files."""
        unknown: dict[str, Any] = {
            "snapshots": 0,
            "runs": 0,
            "repairs": (),
            "queued": 0,
            "batch_size": 0.0,
            "sync_micros": 0.0,
        }
        return BookInfo(
            name=self.name,
            last_seq=self.last_seq,
            head=(self.head_seq, self.head.hex()),
            last_at=from_micros(self.last_at) if self.last_seq else None,
            accounts=len(self.by_index),
            transactions=self.transactions,
            **{**unknown, **around},
        )
