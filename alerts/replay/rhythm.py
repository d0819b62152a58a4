"""When the jobs look: what becomes due is decided at the next of these instants, live and in a replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the policy and what follows it are looked at, counted from the epoch as the table of jobs does."""

    policy: timedelta = timedelta(minutes=1)
    follow_up: timedelta = timedelta(minutes=5)


def at_or_after(every: timedelta, at: datetime) -> datetime:
    """The first look at or after an instant."""
    return EPOCH - ((EPOCH - at) // every) * every


def after(every: timedelta, at: datetime) -> datetime:
    """The first look after an instant."""
    return EPOCH + ((at - EPOCH) // every + 1) * every
