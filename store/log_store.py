"""LogTaleaStore: the directory, the lock, the registry, the public calls."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncGenerator, Container, Coroutine, Sequence
from pathlib import Path
from typing import IO, Any

from .account import Account
from .backup import BackupProgress, copy_ledger
from .clock import Clock, system_clock
from .definitions import account_fault, checked_asset
from .errors import (
    AlreadyExists,
    CorruptLog,
    HeadMismatch,
    InvalidBook,
    InvalidDefinition,
    InvalidTransaction,
    StoreClosed,
    StoreError,
    StoreIOError,
    UnknownAccount,
    UnknownAsset,
)
from .files import UNREADABLE, Files, reason
from .lock import BOOKS_NAME, locked, release
from .model import (
    AccountCfg,
    AccountDef,
    AccountId,
    AccountOpened,
    AssetDef,
    BookInfo,
    Committed,
    Transaction,
)
from .names import SYSTEM_BOOK, check_book_name, differs_only_by_case, folded, refuse_reserved
from .offload import Pace, to_end
from .options import LogStoreOptions
from .protocol import Progress
from .reading import LedgerReads
from .recovery import Examined, examine
from .requests import Definition, EncodedMetadata, Job, check_transaction, encode_metadata
from .segments import SegmentLog
from .state import BookState
from .subscriptions import Signal, Watchers
from .verification import Extent, check_continues, scrub, verify_book
from .workshop import Workshop
from .writer import Batch, BookWriter

logger = logging.getLogger("store")

_NO_ACCOUNTS: dict[str, Account] = {}
_LARGE_BYTES = 1024
"""After a transaction of so many bytes, as some dozens of postings take, the loop is looked after at once."""


class LogTaleaStore(LedgerReads):
    """The ledger in one directory. Made by `open` or `open_with`; ends with `shutdown`, or `async with`.

    It belongs to the event loop on which it was opened: another thread calls through
    `asyncio.run_coroutine_threadsafe`, and it ends before that loop does.
    """

    def __init__(self, directory: Path, shop: Workshop, watchers: Watchers, lock: IO[str]) -> None:
        super().__init__()
        self._directory, self._shop, self._watchers, self._lock = directory, shop, watchers, lock
        self._options = shop.options
        self._books: dict[str, BookWriter] = {}
        self._damaged: dict[str, CorruptLog] = {}
        self._folded: dict[str, str] = {}
        self._born = Signal()
        self._reopening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # ------------------------------------------------------------ opening and closing

    @classmethod
    async def open(cls, directory: str | os.PathLike[str]) -> LogTaleaStore:
        """With default options. Raises StoreIOError and its kinds."""
        return await cls.open_with(directory, LogStoreOptions())

    @classmethod
    async def open_with(
        cls,
        directory: str | os.PathLike[str],
        options: LogStoreOptions,
        progress: Progress | None = None,
        *,
        files: Files | None = None,
        clock: Clock = system_clock,
    ) -> LogTaleaStore:
        """Open or create the ledger in `directory`.

        `progress(book, seq, last_seq)` is told how far reading has come. Raises StoreLocked, UnsupportedFormat,
        CorruptLog, StoreIOError; nothing under `books/` has changed then, and the lock is free.
        """
        path = Path(directory)
        watchers = Watchers()
        shop = Workshop(asyncio.get_running_loop(), files or Files(), clock, options, watchers.changed)
        lock: IO[str] | None = None
        try:
            path = await shop.reads.run(path.absolute)  # the process may change its directory
            lock = await shop.reads.run_to_end(locked, shop.files, path, undo=release)
            store = cls(path, shop, watchers, lock)
            await store._open_books(progress)
        except BaseException as e:
            shop.close()
            if lock is not None:
                release(lock)
            if isinstance(e, OSError):
                why = reason(e, "see that you may read and write there, or only follow the ledger")
                raise StoreIOError(f"The ledger at {path} cannot be opened: {why}.") from e
            raise
        return store

    async def _open_books(self, progress: Progress | None) -> None:
        shop = self._shop
        root = self._directory / BOOKS_NAME
        opened: list[Examined] = []
        damaged: list[CorruptLog] = []
        for entry in await shop.reads.run(shop.files.entries, root):
            try:
                check_book_name(entry.name)
                if not entry.is_directory and not entry.is_link:
                    raise InvalidBook(entry.name, "it is a file")
            except InvalidBook as e:
                logger.warning("%s is left alone: %s", root / entry.name, e)
                continue
            try:
                book = await self._examine(entry.name, entry.is_link, progress)
            except (CorruptLog, OSError) as e:
                damage = _damage(entry.name, e)
                if damage is None or not self._options.skip_damaged:
                    raise
                damaged.append(damage)
            else:
                if book is not None:
                    opened.append(book)
        if all(damage.book != SYSTEM_BOOK for damage in damaged):
            assets = {id for book in opened if book.name == SYSTEM_BOOK for id in book.state.assets}
            for book in tuple(opened):
                fault = await _unregistered(book, assets)
                if fault is not None:
                    if not self._options.skip_damaged:
                        raise fault
                    damaged.append(fault)
                    opened.remove(book)
        for damage in damaged:
            logger.info("%s", damage)  # `books` tells it
            self._damaged[damage.book] = damage
            self._folded[folded(damage.book)] = damage.book
        for book in opened:
            await book.mend(shop.files, shop.writes)
        writers = []
        try:
            for book in opened:
                if book.segments:
                    writers.append(self._made(book))
                    await writers[-1].settle_in()
        except BaseException:
            for writer in writers:
                writer.leave()
            raise
        # nothing is awaited from here on: tasks are begun only once opening cannot fail
        for writer in writers:
            self._add(writer)
        if SYSTEM_BOOK not in self._books and SYSTEM_BOOK not in self._damaged:
            self._add(BookWriter(self._shop, self._blank(SYSTEM_BOOK)))
        self._begin(self._scrub_all(), "scrub")

    async def _examine(self, name: str, is_link: bool, progress: Progress | None) -> Examined | None:
        """What a book's directory holds. Raises CorruptLog, UnsupportedFormat, OSError."""
        if is_link:
            raise CorruptLog(name, None, None, "its directory is a symbolic link")
        shop, path = self._shop, self._directory / BOOKS_NAME / name
        return await examine(shop.files, shop.reads, path, name, self._options.idem_hot_cap, progress)

    def _made(self, book: Examined) -> BookWriter:
        for repair in book.repairs:
            level = logging.INFO if book.is_as_a_kill_leaves_it else logging.WARNING
            logger.log(level, "Book %r: %s", book.name, repair)
        return BookWriter(self._shop, book)

    def _blank(self, name: str) -> Examined:
        shop, path = self._shop, self._directory / BOOKS_NAME / name
        return Examined.blank(shop.files, shop.writes, path, name, self._options.idem_hot_cap)

    def _add(self, writer: BookWriter) -> None:
        self._books[writer.name] = writer
        self._folded[folded(writer.name)] = writer.name
        writer.start()
        self._born.fire()

    async def _scrub_all(self) -> None:
        for writer in list(self._books.values()):
            await self._scrub_book(writer)

    async def _scrub_book(self, writer: BookWriter) -> None:
        try:
            await scrub(self._shop.files, self._shop.reads, writer.state, writer.log, writer.unchecked)
        except CorruptLog as e:
            writer.stop(e)
        except OSError as e:
            logger.warning("Book %r: its older segments could not be checked: %s", writer.name, e)

    async def _close(self) -> None:
        """Answer what was accepted, let a snapshot or spill that has begun finish, stop, release the lock."""
        try:
            await self._end_long_work()
            await asyncio.gather(*[writer.close() for writer in self._books.values()])
        finally:
            # also when the loop ends and cancels this, as `asyncio.run` does
            await asyncio.gather(*[writer.end() for writer in self._books.values()])
            self._shop.close()
            release(self._lock)
            self._born.fire()
            self._watchers.close()

    # ------------------------------------------------------------ names

    def _find(self, name: str) -> BookWriter | None:
        """The book, or None when it was never written. Raises StoreClosed, InvalidBook, CorruptLog."""
        if self._closed:
            raise StoreClosed
        writer = self._books.get(name) if type(name) is str else None
        if writer is not None and writer.exists:
            return writer
        check_book_name(name)
        damaged = self._damaged.get(name)
        if damaged is not None:
            raise CorruptLog(damaged.book, damaged.segment, damaged.offset, damaged.reason)
        other = self._folded.get(folded(name), name)
        if other != name and (other in self._damaged or self._books[other].exists):
            raise differs_only_by_case(name, other)
        return writer

    def _names(self) -> list[str]:
        return sorted(name for name, writer in self._books.items() if writer.exists)

    def _assets(self) -> dict[str, AssetDef]:
        self._refuse_if_closed()
        return self._system.state.assets

    def _writable(self, name: str) -> BookWriter | None:
        writer = self._books.get(name) if type(name) is str else None
        if writer is None or not writer.state.transactions or self._closed:
            writer = self._find(name)
            refuse_reserved(name)
        return writer

    @property
    def _system(self) -> BookWriter:
        writer = self._find(SYSTEM_BOOK)
        assert writer is not None
        return writer

    # ------------------------------------------------------------ writing

    async def register_asset(self, asset: AssetDef) -> None:
        self._refuse_if_closed()
        checked_asset(asset)
        system = self._system
        known = system.state.assets.get(asset.id)
        if known is None:
            await _queued(system, asset)
        elif known != asset:
            raise AlreadyExists(f"Asset {asset.id!r}")

    async def open_account(self, definition: AccountDef, config: AccountCfg) -> None:
        self._refuse_if_closed()
        if type(definition) is not AccountDef or type(definition.id) is not AccountId:
            raise InvalidDefinition("it is not an AccountDef with an AccountId")
        book = definition.id.book
        writer = self._writable(book)
        fault = account_fault(definition, config)
        if fault is not None:
            raise InvalidDefinition(fault)
        if definition.asset not in self._system.state.assets:
            raise UnknownAsset(definition.asset)
        side = config.normal_side if config.normal_side is not None else definition.kind.normal_side
        resolved = AccountCfg(normal_side=side, min_balance=config.min_balance)
        if writer is None:
            writer = BookWriter(self._shop, self._blank(book))
            self._add(writer)
        else:
            self._folded[folded(book)] = book
        known = writer.state.accounts.get(definition.id.path)
        if known is None:
            await _queued(writer, AccountOpened(definition=definition, config=resolved))
        elif (known.definition, known.config) != (definition, resolved):
            raise AlreadyExists(f"Account {definition.id.path!r} in book {book!r}")

    def commit(self, transaction: Transaction) -> Coroutine[Any, Any, Committed]:
        # not awaited yet, perhaps: what the caller changes from here on has no effect
        return self._commit(transaction, _encoded_metadata(transaction))

    async def _commit(
        self, transaction: Transaction, metadata: EncodedMetadata | InvalidTransaction
    ) -> Committed:
        if type(transaction) is not Transaction:
            self._refuse_if_closed()
            raise InvalidTransaction(f"it is of type {type(transaction).__name__}, not a Transaction")
        writer = self._writable(transaction.book)
        if writer is None:
            check_transaction(transaction, _NO_ACCOUNTS, metadata)
            raise UnknownAccount(transaction.postings[0].account)
        request = check_transaction(transaction, writer.state.accounts, metadata)
        while (answer := writer.submit(request)) is None:
            await writer.wait_for_room()
        # else a refusal's frames would hold them, out of sight of the collector of cycles
        del request, transaction, metadata
        return await answer  # type: ignore[no-any-return]

    def commit_batch(
        self, transactions: Sequence[Transaction]
    ) -> Coroutine[Any, Any, list[Committed | StoreError]]:
        transactions = list(transactions)
        return self._commit_batch(transactions, [*map(_encoded_metadata, transactions)])

    async def _commit_batch(
        self, transactions: list[Transaction], metadata: list[EncodedMetadata | InvalidTransaction]
    ) -> list[Committed | StoreError]:
        self._refuse_if_closed()
        if not transactions:
            return []
        batch = Batch(len(transactions), self._shop.loop.create_future())
        jobs: defaultdict[BookWriter, list[Job]] = defaultdict(list)
        book, writer = "", None
        pace, large = Pace(), False
        for place, (transaction, encoded) in enumerate(zip(transactions, metadata, strict=True)):
            if (large or place % 16 == 15) and pace.due:
                await pace.rest()
                writer = None  # the book may have been reopened meanwhile
            try:
                if type(transaction) is not Transaction:
                    raise InvalidTransaction(f"it is of type {type(transaction).__name__}, not a Transaction")
                if writer is None or transaction.book is not book:
                    writer = self._writable(transaction.book)
                    if writer is None:
                        check_transaction(transaction, _NO_ACCOUNTS, encoded)
                        raise UnknownAccount(transaction.postings[0].account)
                    book, accounts, queued = transaction.book, writer.state.accounts, jobs[writer]
                request = check_transaction(transaction, accounts, encoded)
            except StoreError as e:
                # its frames hold the requests made so far, which the collector of cycles does not see
                batch.put(place, e.with_traceback(None))
                continue
            request.sink, request.place = batch, place
            queued.append(request)
            large = len(request.body) > _LARGE_BYTES
        await asyncio.gather(*[writer.submit_many(queued) for writer, queued in jobs.items()])
        await batch.complete
        return batch.results

    # ------------------------------------------------------------ books

    async def books(self) -> list[BookInfo]:
        self._refuse_if_closed()
        infos = [
            writer.info()
            for name, writer in self._books.items()
            if name != SYSTEM_BOOK and (writer.state.last_seq or writer.error is not None)
        ]
        infos += [_damaged_info(name, error) for name, error in self._damaged.items() if name != SYSTEM_BOOK]
        return sorted(infos, key=lambda info: info.name)

    async def book(self, name: str) -> BookInfo | None:
        self._refuse_if_closed()
        if name in self._damaged:
            return _damaged_info(name, self._damaged[name])
        writer = self._find(name)
        if writer is None or not (writer.state.last_seq or writer.error is not None):
            return None
        return writer.info()

    def watch(self) -> AsyncGenerator[frozenset[str], None]:
        self._refuse_if_closed()
        return self._watchers.watch()

    # ------------------------------------------------------------ files

    async def snapshot_now(self, book: str, progress: Progress | None = None) -> None:
        """Write a snapshot that covers at least what is applied now. Raises StoreIOError.

        `progress(book, events written, events in all)`: what it raises ends the work, and nothing half stays.
        """
        writer = self._find(book)
        if writer is None or (not writer.state.last_seq and book != SYSTEM_BOOK):
            raise StoreIOError(f"Book {book!r} does not exist, so there is nothing to take a snapshot of.")
        async with self._reopening[book]:
            self._refuse_if_closed()
            writer = self._books[book]
        await writer.housekeeping.snapshot_now(progress)

    async def reopen(self, book: str, progress: Progress | None = None) -> None:
        self._refuse_if_closed()
        if book not in self._damaged and self._find(book) is None:
            raise StoreIOError(f"Book {book!r} does not exist, so there is nothing to reopen.")
        async with self._reopening[book]:
            self._refuse_if_closed()
            stopped = self._books.get(book)
            if stopped is not None and stopped.error is None:
                return
            try:
                await self._until_closed(self._reopen(book, stopped, progress), f"reopen:{book}")
            except CorruptLog as e:
                if stopped is not None:
                    stopped.error = e
                else:
                    self._damaged[book] = e
                raise
            except OSError as e:
                why = reason(e, "see that you may read and write there")
                raise StoreIOError(f"Book {book!r} cannot be reopened: {why}.") from e
            finally:
                self._watchers.changed(book)

    async def _reopen(self, name: str, stopped: BookWriter | None, progress: Progress | None) -> None:
        """Put a writer made anew from the files in the place of one that stopped. Raises StoreIOError, OSError."""
        shop, path = self._shop, self._directory / BOOKS_NAME / name
        if stopped is not None:
            await stopped.close()  # its housekeeping ends; reads go on
        is_link = await shop.reads.run(os.path.islink, path)
        examined = await self._examine(name, is_link, progress)
        if examined is None:
            examined = self._blank(name)
        fault = await _unregistered(examined, self._assets())
        if fault is not None:
            raise fault
        if stopped is not None:
            log = SegmentLog(shop.files, path, name, 0, examined.segments)
            await check_continues(shop.reads, stopped.state, examined.state, log)
        mending = shop.loop.create_task(examined.mend(shop.files, shop.writes), name=f"talea-mend:{name}")
        await to_end(mending)
        writer = self._made(examined)
        try:
            if stopped is None or type(stopped.error) is CorruptLog:
                # what was damaged is taken back only when all of it is whole
                await scrub(shop.files, shop.reads, writer.state, writer.log, writer.unchecked)
            await writer.settle_in()
        except BaseException:
            writer.leave()
            raise
        self._damaged.pop(name, None)
        self._add(writer)
        self._begin(self._scrub_book(writer), f"scrub:{name}")

    async def backup(
        self, target: str | os.PathLike[str], progress: BackupProgress | None = None
    ) -> dict[str, Any]:
        """Copy what is durable now to a new directory, while writing goes on; the manifest of the copy.

        The copy opens as a ledger. `progress(bytes copied, bytes in all)`. Raises StoreIOError, also where a book
        is known to be damaged, and CorruptLog where copying shows it. Cancelled or failed before it is whole, it leaves
        nothing behind.
        """
        self._refuse_if_closed()
        self._refuse_to_copy_damage(target)
        books = []
        # the registry last, so that it knows every asset of the accounts in the copy
        for name in sorted(self._names(), key=lambda name: name == SYSTEM_BOOK):
            writer = self._books[name]
            async with writer.settled:
                if writer.state.last_seq:
                    books.append((name, writer.log, Extent(writer.state, writer.log)))
        copying = copy_ledger(self._shop.files, self._shop.reads, Path(target), books, progress)
        try:
            return await self._until_closed(copying, "backup")
        except CorruptLog as e:
            self._books[e.book].stop(e)
            raise
        except OSError as e:
            raise StoreIOError(f"The backup to {target} failed: {e.strerror or e}.") from e

    def _refuse_to_copy_damage(self, target: str | os.PathLike[str]) -> None:
        found = [writer.error for writer in self._books.values() if type(writer.error) is CorruptLog]
        for error in (*self._damaged.values(), *found):
            raise StoreIOError(f"The backup to {target} would not be whole: {error}")

    async def verify(
        self, book: str, against: tuple[int, str] | None = None, progress: Progress | None = None
    ) -> None:
        """Read the whole log again and compare it with memory, and with a head noted earlier.

        Raises CorruptLog, HeadMismatch, StoreIOError. An unknown book passes.
        """
        writer = self._find(book)
        if writer is None:
            if against is not None and against[0] > 0:
                raise HeadMismatch(book, against[0], against[1], "")
            return
        await self._until_closed(self._verify(writer, against, progress), f"verify:{book}")

    async def _verify(
        self, writer: BookWriter, against: tuple[int, str] | None, progress: Progress | None
    ) -> None:
        try:
            async with writer.settled:
                extent = Extent(writer.state, writer.log)
            await verify_book(
                self._shop.files, self._shop.reads, writer.state, writer.log, extent, against, progress
            )
        except CorruptLog as e:
            writer.stop(e)
            raise
        except OSError as e:
            raise StoreIOError(f"Book {writer.name!r} cannot be read: {e.strerror or e}.") from e


def _encoded_metadata(transaction: Transaction) -> EncodedMetadata | InvalidTransaction:
    try:
        return encode_metadata(transaction.metadata if type(transaction) is Transaction else None)
    except InvalidTransaction as e:
        return e


async def _queued(writer: BookWriter, wanted: AssetDef | AccountOpened) -> None:
    definition = Definition(wanted)
    while (answer := writer.submit(definition)) is None:
        await writer.wait_for_room()
    del definition  # as in `commit`
    await answer


async def _unregistered(book: Examined, assets: Container[str]) -> CorruptLog | None:
    """What is wrong with a book that has accounts of unknown assets: the registry has lost events, or is another's."""
    pace = Pace()
    for account in book.state.by_index:
        if account.asset not in assets:
            path = account.definition.id.path
            reason = f"its account {path!r} holds {account.asset!r}, which the registry of assets has lost"
            return CorruptLog(book.name, None, None, reason)
        if pace.due:
            await pace.rest()
    return None


def _damage(name: str, error: CorruptLog | OSError) -> CorruptLog | None:
    """What is wrong with a book; a disk that cannot read it any more has damaged it. None for other trouble."""
    if isinstance(error, CorruptLog):
        return error
    if error.errno in UNREADABLE:
        return CorruptLog(name, None, None, f"the disk cannot read it ({error.strerror})")
    return None


def _damaged_info(name: str, error: CorruptLog) -> BookInfo:
    return BookState(name).info(bytes_on_disk=0, segments=0, writer="damaged", error=str(error))
