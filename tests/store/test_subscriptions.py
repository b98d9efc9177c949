from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from store import AccountCfg, Sequenced, StoreClosed
from store.protocol import Store
from store.subscriptions import Signal
from tests.support.build import BOOK, account, asset, definition, household, transfer

CASH = account("assets:cash")


async def pay(store: Store, count: int = 1, book: str = BOOK) -> None:
    await store.commit_batch([transfer("assets:cash", "income:salary", 1, book=book) for _ in range(count)])


async def take(events: AsyncGenerator[Sequenced, None], count: int) -> list[int]:
    async with asyncio.timeout(30):
        return [(await anext(events)).seq for _ in range(count)]


async def drained(events: AsyncGenerator[Sequenced, None]) -> list[Sequenced]:
    async with asyncio.timeout(30):
        return [event async for event in events]


async def test_a_subscriber_catches_up_and_then_follows(home: Store) -> None:
    async with aclosing(home.subscribe(BOOK)) as events:
        assert await take(events, 7) == list(range(1, 8))
        later = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert not later.done()
        await pay(home)
        assert (await asyncio.wait_for(later, 30)).seq == 8
        await pay(home, 50)
        assert await take(events, 50) == list(range(9, 59))


async def test_a_subscriber_sees_what_readers_see(home: Store) -> None:
    await pay(home, 20)
    async with aclosing(home.subscribe(BOOK)) as events:
        seen = [await anext(events) for _ in range(27)]
    assert seen == await home.read_events(BOOK)


@pytest.mark.parametrize(("from_seq", "first"), [(-4, 1), (0, 1), (1, 1), (5, 5), (8, 8), (20, 20)])
async def test_a_subscription_starts_at_its_seq_inclusive(home: Store, from_seq: int, first: int) -> None:
    async with aclosing(home.subscribe(BOOK, from_seq)) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await pay(home, 20)
        assert (await asyncio.wait_for(waiting, 30)).seq == first


async def test_a_book_that_does_not_exist_yet_is_waited_for(store: Store) -> None:
    async with aclosing(store.subscribe("company")) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await household(store, "company")
        assert (await asyncio.wait_for(waiting, 30)).seq == 1
        assert await take(events, 6) == [2, 3, 4, 5, 6, 7]


async def test_waiting_for_a_book_does_not_make_it(store: Store) -> None:
    await store.register_asset(asset("EUR"))
    async with aclosing(store.subscribe("company")) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        assert await store.books() == []
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_the_system_book_can_be_subscribed(store: Store) -> None:
    async with aclosing(store.subscribe("_system")) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await store.register_asset(asset("EUR"))
        assert (await asyncio.wait_for(waiting, 30)).seq == 1


async def test_fast_and_slow_readers_each_see_every_event_once(home: Store) -> None:
    async def read(pause: int) -> list[int]:
        seqs = []
        async with aclosing(home.subscribe(BOOK)) as events:
            async for event in events:
                seqs.append(event.seq)
                if event.seq == 307:
                    return seqs
                for _ in range(pause):
                    await asyncio.sleep(0)
        return seqs

    readers = [asyncio.ensure_future(read(pause)) for pause in (0, 0, 1, 7, 30)]
    for _ in range(30):
        await pay(home, 10)
    async with asyncio.timeout(60):
        for seqs in await asyncio.gather(*readers):
            assert seqs == list(range(1, 308))


async def test_a_reader_that_stopped_long_ago_misses_nothing(home: Store) -> None:
    async with aclosing(home.subscribe(BOOK)) as events:
        assert await take(events, 2) == [1, 2]
        for _ in range(20):
            await pay(home, 25)
        assert await take(events, 505) == list(range(3, 508))


async def test_an_event_is_readable_when_a_subscriber_has_it(home: Store) -> None:
    async def check() -> None:
        async with aclosing(home.subscribe(BOOK, 8)) as events:
            async for event in events:
                info = await home.account(CASH)
                assert info is not None
                assert info.balance.updated_seq >= event.seq
                if event.seq == 37:
                    return

    reader = asyncio.ensure_future(check())
    for _ in range(30):
        await pay(home)
    await asyncio.wait_for(reader, 30)


async def test_a_subscription_ends_at_shutdown_after_every_durable_event(home: Store) -> None:
    fresh, old = home.subscribe(BOOK), home.subscribe(BOOK, 7)
    assert await take(old, 1) == [7]
    waiting = asyncio.ensure_future(drained(old))
    assert await take(fresh, 1) == [1]
    await pay(home, 40)
    await home.shutdown()
    assert [event.seq for event in await waiting] == list(range(8, 48))
    assert [event.seq for event in await drained(fresh)] == list(range(2, 48))


async def test_a_subscription_that_waits_ends_at_shutdown(home: Store) -> None:
    subscriptions = home.subscribe("nowhere"), home.subscribe(BOOK, 100), home.subscribe("_system", 3)
    waiting = [asyncio.ensure_future(drained(events)) for events in subscriptions]
    await asyncio.sleep(0)
    await home.shutdown()
    assert await asyncio.gather(*waiting) == [[], [], []]


async def test_a_subscription_made_before_shutdown_is_given_everything_though_it_begins_after(
    home: Store,
) -> None:
    subscription = home.subscribe(BOOK)
    await home.shutdown()
    assert [sequenced.seq async for sequenced in subscription] == list(range(1, 8))


async def test_who_waits_for_a_book_that_begins_at_shutdown_is_given_its_events(store: Store) -> None:
    await store.register_asset(asset("EUR"))

    async def read() -> list[int]:
        return [sequenced.seq async for sequenced in store.subscribe("new")]

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    opening = asyncio.ensure_future(store.open_account(definition("cash", book="new"), AccountCfg()))
    await asyncio.sleep(0)
    await asyncio.gather(opening, store.shutdown())
    assert await reading == [1]


async def test_subscribing_after_shutdown_is_refused(home: Store) -> None:
    await home.shutdown()
    with pytest.raises(StoreClosed):
        await anext(home.subscribe(BOOK))


async def test_a_subscription_that_is_dropped_harms_nobody(home: Store) -> None:
    for _ in range(50):
        events = home.subscribe(BOOK)
        await anext(events)
        await events.aclose()
    waiting = asyncio.ensure_future(anext(home.subscribe(BOOK, 8)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await pay(home, 3)
    async with aclosing(home.subscribe(BOOK, 8)) as events:
        assert await take(events, 3) == [8, 9, 10]


async def test_an_event_that_is_waited_for_with_a_time_limit_is_not_lost(home: Store) -> None:
    """Cancelling the wait ends that generator; a new one from the next seq goes on without a gap."""
    async with aclosing(home.subscribe(BOOK, 8)) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await pay(home, 2)
    async with aclosing(home.subscribe(BOOK, 8)) as events:
        assert await take(events, 2) == [8, 9]


# watch


async def changes_until(changes: AsyncGenerator[frozenset[str], None], wanted: set[str]) -> set[str]:
    seen: set[str] = set()
    async with asyncio.timeout(30):
        while not wanted <= seen:
            seen |= await anext(changes)
    return seen


async def test_a_watcher_is_told_the_books_that_changed(home: Store) -> None:
    await household(home, "company")
    async with aclosing(home.watch()) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await pay(home)
        assert await asyncio.wait_for(first, 30) == {BOOK}
        await pay(home, book="company")
        assert await changes_until(changes, {"company"}) <= {BOOK, "company"}


async def test_a_watcher_is_told_of_a_new_book(home: Store) -> None:
    async with aclosing(home.watch()) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await home.open_account(definition("cash", book="new"), AccountCfg())
        assert await asyncio.wait_for(first, 30) == {"new"}


async def test_changes_between_looks_are_told_together(home: Store) -> None:
    await household(home, "company")
    async with aclosing(home.watch()) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await pay(home)
        await first
        for _ in range(10):
            await pay(home, 3)
            await pay(home, 3, book="company")
        assert await asyncio.wait_for(anext(changes), 30) == {BOOK, "company"}
        quiet = asyncio.ensure_future(anext(changes))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not quiet.done()
        await pay(home)
        assert await asyncio.wait_for(quiet, 30) == {BOOK}


async def test_a_refused_commit_is_no_change(home: Store) -> None:
    async with aclosing(home.watch()) as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await home.commit_batch([transfer("assets:cash", "nope", 1)])
        await asyncio.sleep(0)
        assert not waiting.done()
        await pay(home)
        assert await asyncio.wait_for(waiting, 30) == {BOOK}


async def test_a_watcher_is_told_what_changed_since_it_was_asked_for(home: Store) -> None:
    async with aclosing(home.watch()) as changes:
        await pay(home)
        assert await asyncio.wait_for(anext(changes), 30) == {BOOK}


async def test_whoever_stops_waiting_for_news_leaves_nothing_behind() -> None:
    signal = Signal()
    waiting = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.wait(waiting[1:2])
    assert len(signal._waiting) == 2
    signal.fire()
    await asyncio.gather(waiting[0], waiting[2])


async def test_watchers_end_at_shutdown(home: Store) -> None:
    async def all_changes() -> list[frozenset[str]]:
        return [names async for names in home.watch()]

    watching = [asyncio.ensure_future(all_changes()) for _ in range(3)]
    await asyncio.sleep(0)
    await home.shutdown()
    async with asyncio.timeout(30):
        assert await asyncio.gather(*watching) == [[], [], []]


async def test_what_a_watcher_is_told_is_readable(home: Store) -> None:
    async with aclosing(home.watch()) as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        committing = asyncio.ensure_future(home.commit(transfer("assets:cash", "income:salary", 1)))
        await asyncio.wait_for(waiting, 30)
        assert (await home.balance(CASH)).amount.minor == 1
        await committing


# shutdown


async def test_every_call_after_shutdown_is_refused(home: Store) -> None:
    await home.shutdown()
    paid = transfer("assets:cash", "income:salary", 1)
    for call in (
        home.register_asset(asset("EUR")),
        home.open_account(definition("cash"), AccountCfg()),
        home.commit(paid),
        home.commit_batch([paid]),
        home.balance(CASH),
        home.asset("EUR"),
        home.account_history(CASH),
        home.transaction(paid.id),
        home.trial_balance(BOOK),
        home.read_events(BOOK),
        home.assets(),
        home.books(),
        home.book(BOOK),
        home.accounts(BOOK),
        home.account(CASH),
        home.posting_rows(CASH, 0, 1),
        home.by_key(BOOK, "k"),
        home.events_at(BOOK, [1]),
        home.seq_at(BOOK, paid.occurred_at),
    ):
        with pytest.raises(StoreClosed):
            await call
    with pytest.raises(StoreClosed):
        await anext(home.watch())


async def test_closed_is_told_before_a_bad_book_name(home: Store) -> None:
    await home.shutdown()
    with pytest.raises(StoreClosed):
        await home.commit(transfer("a", "b", 1, book="_system"))
    with pytest.raises(StoreClosed):
        await home.read_events("../outside")


async def test_shutting_down_twice_is_fine(home: Store) -> None:
    await asyncio.gather(home.shutdown(), home.shutdown())
    await home.shutdown()
