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
from typing import Any
from uuid import UUID

from .account import Account
from .codec import (
    AccountTable,
    encode_account,
    encode_asset,
    from_micros,
    pack_seq,
    transaction_prefix,
)
from .columns import CHUNK_EVENTS, Chunk
from .errors import (
    AlreadyExists,
    AmountOverflow,
    ConstraintViolation,
    IdempotencyConflict,
    StoreError,
)
from .frames import FRAME_HEAD_BYTES
from .model import (
    AMOUNT_LIMIT,
    AccountCfg,
    AccountDef,
    AccountInfo,
    AccountOpened,
    Amount,
    AssetDef,
    BalanceSnapshot,
    BookInfo,
    Committed,
    Direction,
    PostingRecord,
    TrialBalanceRow,
)
from .requests import Definition, Job, Request

MARK_ROWS = 512
"""How many rows lie between two marks of cumulated turnover; more when there are many assets."""


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
        self._pending_keys: dict[str, Request] = {}
        self._pending_txids: set[bytes] = set()
        self._pending_accounts: dict[str, Definition] = {}
        self._pending_assets: dict[str, Definition] = {}

    # ------------------------------------------------------------ decide

    def begin_batch(self, salt: bytes, at: int) -> None:
        """What is decided from here on will carry this salt and commit time (never before the last one)."""
        self._salt, self._at = salt, max(at, self.last_at)
        self._before_seq, self._after_seq = transaction_prefix(salt, self.last_seq, self._at)
        self._tip_seq, self._tip_head = self.last_seq, self.head

    @property
    def batch_at(self) -> int:
        return self._at

    def decide_definition(self, definition: Definition) -> Definition | None:
        """`definition`, now an event; this batch's earlier one that it repeats; None when it is there already.

        Raises AlreadyExists.
        """
        wanted = definition.wanted
        if type(wanted) is AssetDef:
            return self._decide_asset(definition, wanted)
        assert type(wanted) is AccountOpened
        return self._decide_account(definition, wanted)

    def _decide_asset(self, definition: Definition, asset: AssetDef) -> Definition | None:
        pending = self._pending_assets.get(asset.id)
        known = pending.event if pending is not None else self.assets.get(asset.id)
        if known is not None:
            if known != asset:
                raise AlreadyExists(f"Asset {asset.id!r}")
            return pending
        seq = definition.seq = self._tip_seq = self._tip_seq + 1
        definition.payload = encode_asset(self._salt, self.last_seq, seq, self._at, asset)
        definition.event = asset
        self._pending_assets[asset.id] = definition
        return definition

    def _decide_account(self, definition: Definition, wanted: AccountOpened) -> Definition | None:
        path = wanted.definition.id.path
        pending = self._pending_accounts.get(path)
        account = self.accounts.get(path)
        facts = (account.definition, account.config) if account is not None else None
        if pending is not None:
            facts = pending.event[1:]
        if facts is not None:
            if facts != (wanted.definition, wanted.config):
                raise AlreadyExists(f"Account {path!r} in book {self.name!r}")
            return pending
        seq = definition.seq = self._tip_seq = self._tip_seq + 1
        index = len(self.by_index) + len(self._pending_accounts)
        definition.event = index, wanted.definition, wanted.config
        definition.payload = encode_account(self._salt, self.last_seq, seq, self._at, *definition.event)
        self._pending_accounts[path] = definition
        return definition

    def decide_transaction(self, request: Request, known: int | None, id_used: bool) -> Request | Committed:
        """What becomes of a transaction, after everything this batch accepted before it.

        `known` is the seq at which an index knows its key, `id_used` says whether one knows its id. Returns
        `request`, now an event; or this batch's earlier one under the same key; or the receipt of its key's first
        commit. Raises IdempotencyConflict, AlreadyExists, UnknownAccount, AssetMismatch, AmountOverflow,
        ConstraintViolation.
        """
        fault = request.resolve(self.accounts) if request.unresolved is not None else None
        key = request.key
        pending = self._pending_keys.get(key)
        if pending is not None:
            return pending  # whether it is the same, `repeated` tells once that is durable
        if known is not None:
            return self.repeated(request, known)
        if id_used or request.txid in self._pending_txids:
            raise AlreadyExists(f"Transaction id {request.id} in book {self.name!r}")
        if fault is not None:
            raise fault
        by_index = self.by_index
        within = True
        legs = iter(request.legs)
        for index, signed in zip(legs, legs):  # noqa: B905 - it would cost as much again
            account = by_index[index]
            tip = account.tip = account.tip + signed
            if not account.lowest <= tip <= account.highest:
                within = False
        if not within:
            self._refuse_unless_within_in_the_end(
                [by_index[i] for i in request.legs[::2]], request.legs[1::2]
            )
        seq = request.seq = self._tip_seq = self._tip_seq + 1
        request.payload = b"".join((self._before_seq, pack_seq(seq), self._after_seq, request.body))
        self._pending_keys[key] = request
        self._pending_txids.add(request.txid)
        return request

    @staticmethod
    def _refuse_unless_within_in_the_end(accounts: Sequence[Account], amounts: Sequence[int]) -> None:
        """Amounts have been carried into the tips and broke a rule at least on the way: take them back if it holds.

        Raises AmountOverflow, ConstraintViolation.
        """
        fault: StoreError | None = None
        for account, signed in zip(accounts, amounts, strict=True):
            account.tip -= signed
        moved = 0
        for account, signed in zip(accounts, amounts, strict=True):
            account.tip += signed
            moved += 1
            if not -AMOUNT_LIMIT < account.tip < AMOUNT_LIMIT:
                fault = AmountOverflow(account.id)
                break
        else:
            for account in accounts:
                would_be = account.sign * account.tip
                if account.floor is not None and would_be < account.floor:
                    fault = ConstraintViolation(account.id, account.floor, would_be)
                    break
        if fault is not None:
            for account, signed in zip(accounts[:moved], amounts, strict=False):
                account.tip -= signed
            raise fault

    @property
    def defining(self) -> bool:
        """Whether this batch registers an asset or opens an account."""
        return bool(self._pending_accounts or self._pending_assets)

    @property
    def opening(self) -> bool:
        """Whether this batch opens an account, which its later transactions cannot use yet."""
        return bool(self._pending_accounts)

    def link(self, batch: Sequence[Job]) -> None:
        """Continue the chain of digests over the next of a batch: work for while the disk syncs."""
        head = self._tip_head
        for event in batch:
            head = sha256(head + event.payload).digest()
        self._tip_head = head

    def forget_batch(self, batch: Sequence[Job]) -> None:
        """Nothing of `batch` was written: take back what its decisions changed."""
        for event in batch:
            if type(event) is Request:
                for index in event.legs[::2]:
                    account = self.by_index[index]
                    account.tip = account.net
        self._end_batch()

    def _end_batch(self) -> None:
        self._pending_keys.clear()
        self._pending_txids.clear()
        self._pending_accounts.clear()
        self._pending_assets.clear()

    # ------------------------------------------------------------ apply

    def apply(self, batch: Sequence[Job], offset: int) -> int:
        """The next of a batch are durable, the first frame at byte `offset` of its segment; where the last ends."""
        if len(batch) > self.room:
            room = self.room
            return self.apply(batch[room:], self.apply(batch[:room], offset))
        place = self.last_seq % CHUNK_EVENTS
        offsets: list[int] = []
        places: list[int] = []
        legs: list[int] = []
        for event in batch:
            offsets.append(offset)
            offset += len(event.payload) + FRAME_HEAD_BYTES
            if type(event) is Definition:
                self.define(event.event, event.seq)
            legs += event.legs
            places += [place] * (len(event.legs) >> 1)
            place += 1
        txids = b"".join([event.txid for event in batch])
        prints = b"".join([event.print8 for event in batch])
        self.extend([self._at] * len(batch), offsets, txids, prints, places, legs[::2], legs[1::2])
        return offset

    def end_batch(self) -> None:
        """All of a batch has been applied."""
        self.head, self.head_seq = self._tip_head, self._tip_seq
        self._end_batch()

    @property
    def room(self) -> int:
        """How many events fit into the chunk that grows."""
        return CHUNK_EVENTS - self.last_seq % CHUNK_EVENTS

    def extend(
        self,
        times: list[int],
        offsets: list[int],
        txids: bytes,
        prints: bytes,
        places: list[int],
        indexes: list[int],
        amounts: list[int],
    ) -> None:
        """Add events, for which there is `room`, in columns; the chain of digests is left to the caller.

        Of each event its commit time, the byte where its frame begins, 16 bytes of id and 8 of fingerprint, zeros
        for what is no transaction; of each posting its event's place in the chunk, its account's index and its
        signed amount.
        """
        if self.room == CHUNK_EVENTS:
            self.chunks.append(Chunk(self.last_seq + 1, self.rows))
            self.chunk_rows.append(self.rows)
        chunk = self.chunks[-1]
        by_index = self.by_index
        accounts = list(map(by_index.__getitem__, indexes))
        number = self.rows
        nets: list[int] = []
        debits: list[int] = []
        debited = 0
        for account, signed in zip(accounts, amounts, strict=True):
            net = account.net = account.net + signed
            if signed > 0:
                account.debits += signed
                debited += signed
            account.rows.append(number)
            number += 1
            nets.append(net)
            debits.append(account.debits)
        chunk.at.fromlist(times)
        chunk.offset.fromlist(offsets)
        chunk.add_ids(txids, prints)
        chunk.row_event.fromlist(places)
        chunk.row_account.fromlist(indexes)
        chunk.row_net.extend(nets)
        chunk.row_debits.extend(debits)
        if len(self.turnover) == 2:  # one asset, by far the commonest book
            self.turnover[0] += debited
            self.turnover[1] += debited - sum(amounts)
        else:
            self._turn_over(accounts, amounts)
        self.transactions += len(set(places))
        self.last_seq += len(times)
        self.last_at = times[-1]
        if number > self.rows and number >= self._next_mark:
            self.add_mark(number, tuple(self.turnover))
        self.rows = number

    def _turn_over(self, accounts: list[Account], amounts: list[int]) -> None:
        turnover = self.turnover
        for account, signed in zip(accounts, amounts, strict=True):
            if signed > 0:
                turnover[2 * account.asset_index] += signed
            else:
                turnover[2 * account.asset_index + 1] -= signed

    def define(self, event: AssetDef | tuple[int, AccountDef, AccountCfg], seq: int) -> None:
        if isinstance(event, AssetDef):
            self.assets[event.id] = event
        else:
            index, definition, config = event
            self.open(index, definition, config, seq)

    def add_mark(self, row: int, turnover: tuple[int, ...]) -> None:
        """Note the cumulated turnover of all assets after the first `row` rows."""
        self.mark_rows.append(row)
        self.marks.append(turnover)
        self._next_mark = row + MARK_ROWS * max(1, len(turnover) // 16)

    def open(self, index: int, definition: AccountDef, config: AccountCfg, seq: int) -> Account:
        asset_index = self.asset_index.setdefault(definition.asset, len(self.asset_index))
        if 2 * asset_index == len(self.turnover):
            self.turnover += [0, 0]
        account = Account(index, asset_index, definition, config, seq)
        self.accounts[definition.id.path] = account
        self.by_index.append(account)
        self.table.ids.append(definition.id)
        self.table.assets.append(definition.asset)
        return account

    def settle(self) -> None:
        """All has been read back; the next may be decided."""
        for account in self.by_index:
            account.tip = account.net

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

    def is_transaction(self, seq: int) -> bool:
        chunk, i = self.chunk_of(seq)
        return bool(chunk.print8[i] or chunk.txid_of(i))

    def repeated(self, request: Request, seq: int) -> Committed:
        """The first commit's answer, for a key that was committed at `seq`. Raises IdempotencyConflict."""
        chunk, i = self.chunk_of(seq)
        if request.unresolved is not None or int.from_bytes(request.print8, "big") != chunk.print8[i]:
            raise IdempotencyConflict(request.key, seq)
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
        # of chunks that share a first row, as those without rows do, the last one has it
        chunk = self.chunks[bisect_right(self.chunk_rows, row) - 1]
        return chunk, row - chunk.base_row

    def _row_seq(self, row: int) -> int:
        chunk, i = self._row(row)
        return chunk.base_seq + chunk.row_event[i]

    def balance_at(self, account: Account, seq: int | None) -> BalanceSnapshot:
        """The balance after all events up to `seq`; None for now."""
        _, net, _, _, updated = self.standing_at(account, seq)
        return BalanceSnapshot(Amount(account.sign * net, account.asset), updated)

    def standing_at(self, account: Account, seq: int | None) -> tuple[int, int, int, int, int]:
        """(rows, net, debits, credits, updated seq) after all events up to `seq`; None for now."""
        rows = account.rows
        n = len(rows) if seq is None else bisect_left(rows, self.rows_at(seq))
        if n == len(rows):
            # what decides and what later rows build on, so that `verify` looks at it, too
            updated = self._row_seq(rows[-1]) if n else 0
            return n, account.net, account.debits, account.debits - account.net, updated
        if n == 0:
            return 0, 0, 0, 0, 0
        chunk, i = self._row(rows[n - 1])
        net, debits = chunk.row_net[i], chunk.row_debits[i]
        return n, net, debits, debits - net, chunk.base_seq + chunk.row_event[i]

    def info_at(self, account: Account, seq: int | None) -> AccountInfo:
        rows, net, debits, credits, updated = self.standing_at(account, seq)
        return AccountInfo(
            definition=account.definition,
            config=account.config,
            balance=BalanceSnapshot(Amount(account.sign * net, account.asset), updated),
            postings=rows,
            debits=debits,
            credits=credits,
            opened_seq=account.seq,
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
