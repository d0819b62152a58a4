"""Feedback to the product: what fails and what is complained about, by what devices have in common, with rates, cost and trend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from alerts.learning.exposure import Whose, device_months, months_between, spans
from alerts.learning.rates import Change, Rate, change, rate
from hearthwatch.errors import Invalid
from hearthwatch.records import field_events
from hearthwatch.records.field_events import FieldEvent

What = Literal["failures", "complaints", "tickets", "no_fault_found"]
WHATS: tuple[What, ...] = ("failures", "complaints", "tickets", "no_fault_found")


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month (UTC), begun at ``begin``."""

    begin: datetime
    rate: Rate


@dataclass(frozen=True, slots=True)
class Row:
    """What happened to devices of a model with one value of the dimension, of one failure mode (or part).

    ``devices`` are those it happened to. ``change`` compares the later half of the time with the earlier. ``cost`` is what the remedies
    that were chosen on their tickets cost, each ticket once, in minor units of ``currency``; None where nobody chose one, or where they are
    in two currencies.
    """

    model: str
    value: str
    mode: str
    rate: Rate
    devices: int
    change: Change
    cost: int | None
    currency: str | None
    months: tuple[Month, ...]


@dataclass(frozen=True, slots=True)
class Feedback:
    """All rows, those that happened most often first; ``unplaced`` are events of devices that were not under observation then."""

    by: str
    what: What
    since: datetime
    until: datetime
    rows: tuple[Row, ...]
    unplaced: int


def feedback(
    connection: Connection, *, by: str, what: What, since: datetime, until: datetime, model: str | None = None
) -> Feedback:
    """What happened in [since, until), by a dimension of `alerts.learning.exposure`. Raises `Invalid`."""
    if since >= until:
        raise Invalid("the time ends before it begins", where="since")
    observed = [one for one in spans(connection, by, since, until) if model in {None, one.model}]
    whose = Whose(observed)
    placed: dict[tuple[str, str, str], list[FieldEvent]] = defaultdict(list)
    unplaced = 0
    for event in _events(connection, what, since, until):
        at = whose(event.device_id, event.at)
        if at is None:
            unplaced += model is None
        else:
            placed[(*at, event.mode)].append(event)
    middle = since + (until - since) / 2
    whole, before, after = (
        device_months(observed, begin, end) for begin, end in ((since, until), (since, middle), (middle, until))
    )
    begins = months_between(since, until)
    monthly = [device_months(observed, begin, end) for begin, end in zip(begins, [*begins[1:], until], strict=True)]
    rows = []
    for (of, value, mode), events in placed.items():
        key = (of, value)
        cost, currency = _cost(events)
        early = sum(one.at < middle for one in events)
        counted = Counter(max(number for number, begin in enumerate(begins) if begin <= one.at) for one in events)
        rows.append(
            Row(
                model=of,
                value=value,
                mode=mode,
                rate=rate(len(events), whole.get(key, 0.0)),
                devices=len({one.device_id for one in events}),
                change=change(rate(early, before.get(key, 0.0)), rate(len(events) - early, after.get(key, 0.0))),
                cost=cost,
                currency=currency,
                months=tuple(
                    Month(begin, rate(counted[number], monthly[number].get(key, 0.0)))
                    for number, begin in enumerate(begins)
                ),
            )
        )
    return Feedback(by, what, since, until, tuple(sorted(rows, key=_order)), unplaced)


def _events(connection: Connection, what: What, since: datetime, until: datetime) -> Iterable[FieldEvent]:
    if what == "complaints":
        return field_events.complaints(connection, since, until)
    if what == "tickets":
        return field_events.tickets_opened(connection, since, until)
    return field_events.labelled(connection, "failure" if what == "failures" else "no_fault_found", since, until)


def _cost(events: Sequence[FieldEvent]) -> tuple[int | None, str | None]:
    by_ticket = {one.ticket_id: (one.cost, one.currency) for one in events if one.cost is not None}
    currencies = {currency for _, currency in by_ticket.values()}
    if len(currencies) != 1:
        return None, None
    return sum(cost for cost, _ in by_ticket.values()), currencies.pop()


def _order(row: Row) -> tuple[float, str, str, str]:
    return -(row.rate.per_1000 or 0.0), row.model, row.value, row.mode
