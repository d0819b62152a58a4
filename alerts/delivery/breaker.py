"""A breaker for each channel: a provider that is down is asked by one probe at a time, and the other letters wait without an attempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.channels.outcomes import is_of_provider
from hearthwatch.records.delivery_channels import ChannelState

BREAK_AFTER = 3
"""Failures of the provider in a row."""
FIRST_OPEN = timedelta(seconds=30)
LONGEST_OPEN = timedelta(minutes=10)
LONGEST_ASKED = timedelta(hours=6)
"""The longest a provider may ask us to wait."""
_ALIVE = frozenset({"delivered", "refused", "later", "partial"})
"""Outcomes that only a provider gives that does its work."""


def after(
    state: ChannelState, outcome: str, now: datetime, *, reason: str = "", retry_after: float | None = None
) -> ChannelState:
    """How the channel stands after an attempt."""
    if outcome in _ALIVE:
        return replace(state, failures=0, openings=0, failing_since=None, open_until=None, last_ok_at=now)
    if not is_of_provider(outcome):
        return state
    failed = replace(
        state,
        failures=state.failures + 1,
        failing_since=state.failing_since or now,
        last_failed_at=now,
        last_error=reason,
    )
    if not state.is_open and failed.failures < BREAK_AFTER and not (outcome == "busy" and retry_after):
        return failed
    asked = min(timedelta(seconds=retry_after or 0.0), LONGEST_ASKED)
    openings = state.openings + 1
    wait = max(min(FIRST_OPEN * 2 ** min(openings - 1, 20), LONGEST_OPEN), asked)
    return replace(failed, openings=openings, open_until=now + wait)


def may_send(state: ChannelState, now: datetime) -> int | None:
    """How many letters may be sent now: None for any number, 1 for a probe, 0 while the channel is paused or its breaker open."""
    if state.paused or (state.open_until is not None and now < state.open_until):
        return 0
    return 1 if state.is_open else None


def health(state: ChannelState, now: datetime) -> str:
    """A word for people: well, failing, open (probe later), probing (probe due), paused."""
    if state.paused:
        return "paused"
    if state.open_until is not None:
        return "open" if now < state.open_until else "probing"
    return "failing" if state.failures else "well"
