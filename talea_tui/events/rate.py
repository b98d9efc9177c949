"""How many events a second, over time; fed with running totals, never with single events."""

from __future__ import annotations

from collections import deque


class RateMeter:
    """Event counts in buckets of `bucket_seconds`, the newest `buckets` of them kept.

    Times are seconds of any steady clock and never decrease.
    """

    def __init__(self, bucket_seconds: float = 1.0, buckets: int = 120) -> None:
        self._bucket_seconds = bucket_seconds
        self._counts: deque[int] = deque(maxlen=buckets)
        self._current: int | None = None
        self._total = 0
        self._recent: deque[tuple[float, int]] = deque()

    def observe(self, now: float, total: int) -> None:
        """`total` events have been seen up to `now`; the first call only sets the start.

        Over buckets in which nobody looked, what came meanwhile is spread evenly.
        """
        bucket = int(now // self._bucket_seconds)
        if self._current is None:
            self._current, self._total = bucket, total
            self._counts.append(0)
            self._recent.append((now, total))
            return
        came, steps = total - self._total, bucket - self._current
        if steps > 0:
            for step in range(max(0, steps - (self._counts.maxlen or 0)), steps):
                self._counts.append(came * (step + 1) // steps - came * step // steps)
            self._current = bucket
        else:
            self._counts[-1] += came
        self._total = total
        self._recent.append((now, total))
        while len(self._recent) > 2 and self._recent[1][0] <= now - 2.0:
            self._recent.popleft()

    def per_second(self) -> float:
        """The mean over about the last two seconds, one at the least: an event just after the start is no burst."""
        if len(self._recent) < 2:
            return 0.0
        (start, before), (end, after) = self._recent[0], self._recent[-1]
        return (after - before) / max(1.0, end - start)

    def counts(self, width: int) -> list[int]:
        """The newest `width` buckets, oldest first, the one under way included; fewer soon after the start."""
        return list(self._counts)[-width:]
