"""What came of devices of which something was said: failure, no failure, or nobody knows.

A window of ``horizon`` days is judged when it has passed and, beyond it, the time in which labels still come in: nine in ten tickets that
end as a failure are closed within that time of being opened. Unknown, and left out, are: a part that was renewed without having
failed, a device that was removed or fell silent before the window's end, and one with a ticket about the part that is still open, or was
closed without anybody having looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from analytics.labels import EVERYTHING, Labels
from analytics.panel import Floats, Ints, day_number
from hearthwatch.records import tickets
from hearthwatch.values import Ticket

USUAL_LAG, LEAST_LAG, LONGEST_LAG = 7, 2, 30
"""Days; the first where fewer than `ENOUGH_TICKETS` tell."""
ENOUGH_TICKETS = 10
YEAR = timedelta(days=365)
FAILURES = frozenset({"confirmed", "different_fault"})
NOBODY_LOOKED = frozenset({"customer_declined", "fixed_by_update", "not_customers_device", "duplicate"})
NEVER = 10**9

Spans = Mapping[tuple[str, str], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Truth:
    """``failures`` and ``renewed`` by (device, part) as in `Labels`; ``last_known`` is the last day of a device of which anything is known;
    ``in_doubt`` are the days from the opening of a ticket that settled nothing to its end; ``lag`` is in days."""

    labels: Labels
    last_known: Mapping[str, int]
    in_doubt: Spans
    lag: int

    def answers(self, devices: Sequence[str], part: str, day: int, horizon: int) -> tuple[Floats, Ints]:
        """For each device 1 (failed within the horizon after the day), 0 or NaN; and the day of the failure, -1 without one."""
        end = day + horizon
        answer = np.where(np.array([self.last_known.get(one, -1) for one in devices]) >= end, 0.0, np.nan)
        failed_on = np.full(len(devices), -1, dtype=np.int64)
        for row, device in enumerate(devices):
            key = (device, part)
            renewed = min((one for one in self.labels.renewed.get(key, ()) if one > day), default=NEVER)
            failure = min((one for one in self.labels.failures.get(key, ()) if one > day), default=NEVER)
            somehow = min((one for one in self.labels.failures.get((device, ""), ()) if one > day), default=NEVER)
            if failure <= min(end, renewed):
                answer[row], failed_on[row] = 1.0, failure
            elif min(renewed, somehow) <= end or any(
                opened <= end and closed > day for opened, closed in self.in_doubt.get(key, ())
            ):
                answer[row] = np.nan
        return answer, failed_on


def read_truth(connection: Connection, labels: Labels, now: datetime) -> Truth:
    """What is known by now."""
    known = {}
    for device in (one for some in labels.by_model.values() for one in some):
        last = device.last_seen if device.removed_at is None else min(device.removed_at, device.last_seen or now)
        known[device.id] = day_number(last) if last is not None else -1
    every = tickets.list_tickets(connection, limit=EVERYTHING)
    return Truth(labels, known, _in_doubt(every), label_lag(every, now))


def label_lag(every: Sequence[Ticket], now: datetime) -> int:
    """Days within which nine in ten of the last year's tickets about failures were closed."""
    took = [
        (one.closed_at - one.opened_at) / timedelta(days=1)
        for one in every
        if one.closing_code in FAILURES and one.closed_at is not None and now - one.closed_at <= YEAR
    ]
    if len(took) < ENOUGH_TICKETS:
        return USUAL_LAG
    return int(np.clip(np.ceil(np.quantile(took, 0.9)), LEAST_LAG, LONGEST_LAG))


def _in_doubt(every: Sequence[Ticket]) -> Spans:
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in every:
        if (
            one.device_id is None
            or not one.part
            or (one.closed_at is not None and one.closing_code not in NOBODY_LOOKED)
        ):
            continue
        end = NEVER if one.closed_at is None else day_number(one.closed_at)
        found.setdefault((one.device_id, one.part), []).append((day_number(one.opened_at), end))
    return found
