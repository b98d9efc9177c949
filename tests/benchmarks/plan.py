"""What is compared with what, and what it should come to."""

from __future__ import annotations

from typing import NamedTuple

from .cells import Cell, cell


class Sizes(NamedTuple):
    """How large and how long a run is."""

    seconds: float
    ledger: int
    accounts: tuple[int, int, int]
    """Few, usual and many; the usual number is what all other measurements have."""
    calls: int
    """How often each read is timed."""
    idem_hot_cap: int


def full(seconds: float, ledger: int) -> Sizes:
    return Sizes(seconds, ledger, (10, 1000, 100_000), 3000, 20_000)


SMOKE = Sizes(0.15, 20_000, (10, 1000, 2000), 50, 400)


class Of(NamedTuple):
    """A figure of a cell."""

    cell: Cell
    figure: str


class Row(NamedTuple):
    """A line of the table. `target` bounds the ratio of ours to the peer's where there is a peer, else our figure.

    With `worst` it bounds the worst round, else the median. Without a target the line only informs.
    """

    benchmark: str
    what: str
    ours: Of
    unit: str
    peer: Of | None = None
    at_least: float | None = None
    at_most: float | None = None
    bounds_ratio: bool = True
    worst: bool = False


def rows(sizes: Sizes) -> list[Row]:
    return [
        *_commit(sizes),
        *_stalls(sizes),
        *_opening(sizes),
        *_reading(sizes),
        *_watching(sizes),
        *_growth(sizes),
    ]


def _ours(sizes: Sizes, clients: int, **more: object) -> Cell:
    return cell("commit", seconds=sizes.seconds, clients=clients, **more)


def _commit(sizes: Sizes) -> list[Row]:
    seconds = sizes.seconds

    def peer(function: str, clients: int) -> Of:
        return Of(cell(function, seconds=seconds, clients=clients), "rate")

    def rate(clients: int, **more: object) -> Of:
        return Of(_ours(sizes, clients, **more), "rate")

    return [
        Row(
            "commit-1",
            "1 client / bare append and sync",
            rate(1),
            "/s",
            Of(cell("append", seconds=seconds), "rate"),
            0.65,
        ),
        Row("commit-1", "1 client / SQLite grouped", rate(1), "/s", peer("sqlite_grouped", 1)),
        Row("commit-64", "64 clients / SQLite grouped", rate(64), "/s", peer("sqlite_grouped", 64), 1.5),
        Row("commit-64", "64 clients / SQLite one by one", rate(64), "/s", peer("sqlite_single", 64), 8),
        Row("commit-64", "64 clients / PostgreSQL grouped", rate(64), "/s", peer("postgres_grouped", 64), 2),
        Row("commit-64", "64 clients / bare prototype", rate(64), "/s", peer("prototype", 64), 0.6),
        Row(
            "commit-64",
            "64 clients, p99 of a call / SQLite grouped",
            Of(_ours(sizes, 64), "p99_ms"),
            "ms",
            peer("sqlite_grouped", 64)._replace(figure="p99_ms"),
        ),
        Row("commit-128", "128 clients / bare prototype", rate(128), "/s", peer("prototype", 128), 0.6),
        Row(
            "commit-1024",
            "1,024 clients / SQLite grouped",
            rate(1024),
            "/s",
            peer("sqlite_grouped", 1024),
            1.0,
        ),
        Row("batch", "batches of 100, 8 clients / 64 clients", rate(8, per_call=100), "/s", rate(64), 1.3),
        Row("books", "32 books of 4 clients / 1 book of 128", rate(128, books=32), "/s", rate(128), 0.5),
    ]


def _stall(benchmark: str, what: str, of: Cell, sizes: Sizes, max_ms: float | None) -> list[Row]:
    """Lateness of the heartbeat; beside it that of an idle loop in the same run, which is the machine's own."""
    idle = cell("idle", seconds=sizes.seconds)
    bounded = max_ms is not None
    return [
        Row(
            benchmark,
            f"{what}: stall p99 / idle loop",
            Of(of, "stall_p99_ms"),
            "ms",
            Of(idle, "stall_p99_ms"),
            at_most=6 if bounded else None,
            bounds_ratio=False,
        ),
        Row(
            benchmark,
            f"{what}: stall max / idle loop",
            Of(of, "stall_max_ms"),
            "ms",
            Of(idle, "stall_max_ms"),
            at_most=max_ms,
            bounds_ratio=False,
            worst=True,
        ),
    ]


def _stalls(sizes: Sizes) -> list[Row]:
    lines: list[Row] = []
    for clients in (1, 64, 1024):
        lines += _stall(
            "stall-commit",
            f"{clients:,} client{'s' if clients > 1 else ''}",
            _ours(sizes, clients),
            sizes,
            25,
        )
    ledger = sizes.ledger
    for clients in (0, 64):
        amid = f", {clients} clients" if clients else ""
        snapshot = cell("snapshotting", ledger=ledger, clients=clients)
        verify = cell("verifying", ledger=ledger, clients=clients)
        lines += _stall("stall-snapshot", f"snapshot of all{amid}", snapshot, sizes, 50)
        lines += _stall("stall-verify", f"verify{amid}", verify, sizes, 50)
    spill = _ours(sizes, 64, idem_hot_cap=sizes.idem_hot_cap, snapshots=False)
    lines += _stall("stall-spill", "spilling keys, 64 clients", spill, sizes, 50)
    lines.append(Row("stall-spill", "runs spilled and merged into", Of(spill, "runs"), ""))
    for snapshot_too, what in ((True, "open with snapshot"), (False, "open from the log")):
        opening = cell("opening", ledger=ledger, snapshot=snapshot_too)
        lines += _stall("stall-open", what, opening, sizes, 50)
    return lines


def _opening(sizes: Sizes) -> list[Row]:
    ledger = sizes.ledger
    build = cell("build", transactions=ledger)
    with_snapshot = cell("opening", ledger=ledger, snapshot=True)
    from_log = cell("opening", ledger=ledger, snapshot=False)
    from_small_log = cell("opening", ledger=ledger // 10, snapshot=False)
    return [
        Row("open", f"snapshot and a tail of {ledger // 10:,}", Of(with_snapshot, "seconds"), "s", at_most=1),
        Row("open", f"{ledger:,} from the log alone", Of(from_log, "seconds"), "s", at_most=6),
        Row(
            "open",
            f"a transaction of {ledger:,} / of {ledger // 10:,}",
            Of(from_log, "micros_per_transaction"),
            "µs",
            Of(from_small_log, "micros_per_transaction"),
            at_most=1.3,
        ),
        Row(
            "memory",
            "a transaction, while it was posted",
            Of(build, "bytes_per_transaction"),
            "B",
            at_most=350,
        ),
        Row(
            "memory",
            "a transaction, opened with snapshot",
            Of(with_snapshot, "bytes_per_transaction"),
            "B",
            at_most=350,
        ),
        Row(
            "memory",
            "a transaction, opened from the log",
            Of(from_log, "bytes_per_transaction"),
            "B",
            at_most=350,
        ),
    ]


def _reading(sizes: Sizes) -> list[Row]:
    reading = cell("reading", ledger=sizes.ledger, calls=sizes.calls)
    catching_up = cell("catching_up", ledger=sizes.ledger, events=min(sizes.ledger, 300_000))

    def read(what: str, figure: str, at_most: float) -> Row:
        return Row("reads", what, Of(reading, f"{figure}_p50_us"), "µs", at_most=at_most)

    return [
        read("balance at a past instant, p50", "balance", 50),
        read("the same of the account with most postings", "bank_balance", 50),
        read("trial balance at a past instant, p50", "trial_balance", 1000),
        read("100 events from any seq, p50", "read_events", 2000),
        read(f"100 of {sizes.ledger:,} postings of an account, p50", "account_history", 1000),
        Row("subscribe", "events/s while catching up", Of(catching_up, "rate"), "/s", at_least=100_000),
    ]


def _watching(sizes: Sizes) -> list[Row]:
    ledger = sizes.ledger
    some = cell("scanning", ledger=ledger, filter="customers:00004", one_in=100)
    all_of_them = cell("scanning", ledger=ledger, filter="order", one_in=1)
    start = cell("following", ledger=ledger)
    opening = cell("opening", ledger=ledger, snapshot=True)
    return [
        Row(
            "filter",
            "first screen of matches, 1 event in 100",
            Of(some, "first_screen_ms"),
            "ms",
            at_most=300,
        ),
        Row("filter", f"scan of {ledger:,}, 1 in 100 matches", Of(some, "seconds"), "s", at_most=10),
        *_stall("filter", "scan, 1 in 100 matches", some, sizes, 50),
        Row(
            "filter",
            "first screen of matches, every event",
            Of(all_of_them, "first_screen_ms"),
            "ms",
            at_most=300,
        ),
        Row("filter", f"scan of {ledger:,}, all match", Of(all_of_them, "seconds"), "s", at_most=10),
        *_stall("filter", "scan, all match", all_of_them, sizes, 50),
        Row("filter", "memory for a match", Of(all_of_them, "bytes_per_match"), "B", at_most=50),
        Row(
            "follow",
            f"start with snapshot and a tail of {ledger // 10:,} / open",
            Of(start, "seconds"),
            "s",
            Of(opening, "seconds"),
        ),
        *_stall("follow", "start of a follower", start, sizes, 50),
    ]


def _growth(sizes: Sizes) -> list[Row]:
    few, usual, many = sizes.accounts
    build = cell("build", transactions=sizes.ledger)

    def cost(**more: object) -> Of:
        return Of(_ours(sizes, 64, snapshots=False, **more), "micros_per_commit")

    new = cost(accounts=usual)
    return (
        [
            Row("growth", f"a commit after {n:,} / 0 events", cost(ledger=n), "µs", new, at_most=1.25)
            for n in (sizes.ledger // 10, sizes.ledger)
        ]
        + [
            Row(
                "growth",
                f"a commit with {n:,} / {few:,} accounts",
                cost(accounts=n),
                "µs",
                cost(accounts=few),
                at_most=1.25,
            )
            for n in (usual, many)
        ]
        + [
            Row(
                "growth",
                "building: last / first ninth of its rate",
                Of(build, "last_rate"),
                "/s",
                Of(build, "first_rate"),
                0.8,
            ),
        ]
    )
