"""How long between two attempts, and when something is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from hearthwatch.records.outbox import OutboxItem

LEAST_PAUSE = timedelta(seconds=5)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
FEWEST_TRIES = 3
"""Nothing is given up for its age after fewer attempts: it may have lain while we were away."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is tried: where its customer has no other address, and where one is left."""

    give_up: timedelta = timedelta(hours=36)
    fall_back: timedelta = timedelta(hours=6)

    def limit(self, item: OutboxItem) -> timedelta:
        """How long this one is tried."""
        return min(self.give_up, self.fall_back) if item.payload.get("others") else self.give_up

    def until(self, item: OutboxItem) -> datetime:
        """When it is given up."""
        return (item.due_at or item.created_at) + self.limit(item)

    def is_over(self, item: OutboxItem, now: datetime) -> bool:
        """Whether it has been tried long enough and often enough."""
        return item.attempts >= FEWEST_TRIES and now >= self.until(item)

    def next_at(self, item: OutboxItem, now: datetime, retry_after: float | None) -> datetime:
        """When to try again: after a pause, and once more when its time is over."""
        asked = now + timedelta(seconds=retry_after or 0.0)
        again = now + pause(item.idempotency_key, item.attempts, retry_after)
        last = max(self.until(item), asked)
        return min(again, last) if last > now else again


def pause(key: str, attempt: int, retry_after: float | None = None) -> timedelta:
    """The pause after an attempt (from 1): a random share of a bound that doubles, and never less than the provider asked for.

    Full jitter, as in "Exponential Backoff And Jitter" (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), from
    `LEAST_PAUSE` on: letters that failed together do not come back together. Drawn from key and attempt, so that it can be repeated.
    """
    bound = min(FIRST_PAUSE * 2 ** min(attempt - 1, 30), LONGEST_PAUSE)
    drawn = random.Random(f"{key}:{attempt}").uniform(LEAST_PAUSE.total_seconds(), bound.total_seconds())  # noqa: S311 - no secret
    return max(timedelta(seconds=drawn), timedelta(seconds=retry_after or 0.0))
