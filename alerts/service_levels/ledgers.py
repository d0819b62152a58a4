"""Between the ledgers and the fold: reading what applied and what happened, and writing what is new of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from alerts.policy.file import Policy, parse
from alerts.sla.clocks import Application, Entry, Folded, Happening, fold
from alerts.sla.terms import Facts
from hearthwatch.records import policies, sla_events
from hearthwatch.records.sla_events import LedgerLine, SlaEvent

INPUTS = frozenset({"opened", "policy"})
"""Causes of applications that were decided by a round; that of a raised priority follows from the ticket's own ledger."""
ACTS = frozenset({"remind", "escalate", "withdraw"})
"""Entries that say what was done, and do not follow from what happened."""


@dataclass(frozen=True, slots=True)
class Books:
    """The two ledgers of one ticket."""

    ticket_id: int
    happened: Sequence[LedgerLine]
    written: Sequence[SlaEvent]

    @property
    def standing(self) -> list[SlaEvent]:
        """The entries about the clocks that were not withdrawn, in their order."""
        withdrawn = {one.detail.get("number") for one in self.written if one.what == "withdraw"}
        return [one for one in self.written if one.what not in ACTS and one.number not in withdrawn]

    @property
    def next_number(self) -> int:
        """The number of the next entry."""
        return max((one.number for one in self.written), default=0) + 1


def of_tickets(connection: Connection, ticket_ids: Sequence[int]) -> dict[int, Books]:
    """The ledgers of some tickets."""
    happened = sla_events.ledgers_of(connection, ticket_ids)
    written = sla_events.of_tickets(connection, ticket_ids)
    return {one: Books(one, happened.get(one, ()), written.get(one, ())) for one in ticket_ids}


class Versions:
    """The policies that apply or applied, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, Policy] = {}

    def policy(self, version: int) -> Policy:
        """A version's policy. Raises `Missing`, or `Invalid` where it can not be read any more."""
        if version not in self._known:
            self._known[version] = parse(policies.get(self._connection, version).text)
        return self._known[version]

    def application(self, at: datetime, version: int, facts: Facts, cause: str) -> Application:
        """That a version applies to a ticket from a time on."""
        policy = self.policy(version)
        return Application(at, version, policy.sla, policy.tickets.due_days, facts, cause)

    def applied(self, books: Books) -> list[Application]:
        """What applied to a ticket, as its ledger says."""
        rows = (one for one in books.standing if one.what == "apply_sla" and not one.clock)
        return [
            self.application(one.at, one.policy_version, _facts(one.detail["facts"]), one.detail["cause"])
            for one in rows
            if one.detail.get("cause") in INPUTS
        ]


def folded(books: Books, applications: Sequence[Application], now: datetime) -> Folded:
    """The clocks of a ticket by its ledgers."""
    return fold((Happening(one.id, one.at, one.what, one.detail) for one in books.happened), applications, now)


def difference(books: Books, entries: Sequence[Entry], now: datetime, *, thorough: bool = False) -> list[SlaEvent]:
    """What has to be written so that a ticket's ledger says what ``entries`` say.

    Usually the new ones at the end. Where something came to be known late (a message that was mirrored an hour after it was written),
    entries that are not so any more are withdrawn: they stay, and are said not to hold. ``thorough`` compares their details, too.
    """
    standing = books.standing
    keys = [_key_of_row(one, thorough) for one in standing]
    wanted = [_key_of_entry(one, thorough) for one in entries]
    number = books.next_number
    if keys == wanted[: len(keys)]:
        return [_row(books.ticket_id, number + place, one, now) for place, one in enumerate(entries[len(keys) :])]
    surplus, lacking = Counter(keys) - Counter(wanted), Counter(wanted) - Counter(keys)
    changes: list[SlaEvent] = []
    for row, key in zip(standing, keys, strict=True):
        if surplus[key] > 0:
            surplus[key] -= 1
            changes.append(_withdrawn(row, number + len(changes), now))
    for entry, key in zip(entries, wanted, strict=True):
        if lacking[key] > 0:
            lacking[key] -= 1
            changes.append(_row(books.ticket_id, number + len(changes), entry, now))
    return changes


def _row(ticket_id: int, number: int, entry: Entry, now: datetime) -> SlaEvent:
    return SlaEvent(
        ticket_id=ticket_id,
        number=number,
        at=entry.at,
        written_at=now,
        what=entry.what,
        clock=entry.clock,
        instance=entry.instance,
        target_s=_seconds(entry.target),
        due_at=entry.due_at,
        used_s=entry.used.total_seconds(),
        policy_version=entry.version,
        term=entry.term,
        priority=entry.priority,
        detail=dict(entry.detail),
    )


def _withdrawn(row: SlaEvent, number: int, now: datetime) -> SlaEvent:
    detail = {"number": row.number, "what": row.what, "why": "something that happened before it came to be known later"}
    return SlaEvent(
        row.ticket_id, number, row.at, now, "withdraw", row.clock, row.instance, row.target_s, row.due_at, row.used_s,
        row.policy_version, row.term, row.priority, detail,
    )  # fmt: skip


Key = tuple[Any, ...]


def _key_of_row(row: SlaEvent, thorough: bool) -> Key:
    return (
        row.at, row.what, row.clock, row.instance, row.target_s, row.due_at, round(row.used_s, 3), row.policy_version, row.term,
        row.priority, _frozen(row.detail) if thorough else None,
    )  # fmt: skip


def _key_of_entry(entry: Entry, thorough: bool) -> Key:
    return (
        entry.at, entry.what, entry.clock, entry.instance, _seconds(entry.target), entry.due_at,
        round(entry.used.total_seconds(), 3), entry.version, entry.term, entry.priority, _frozen(entry.detail) if thorough else None,
    )  # fmt: skip


def _frozen(detail: Any) -> Any:
    """A detail as something that compares and hashes, the same before and after it was kept as JSON."""
    if isinstance(detail, Mapping):
        return tuple(sorted((str(key), _frozen(value)) for key, value in detail.items()))
    if isinstance(detail, list | tuple):
        return tuple(_frozen(one) for one in detail)
    return float(detail) if isinstance(detail, int) and not isinstance(detail, bool) else detail


def _seconds(amount: timedelta | None) -> float | None:
    return None if amount is None else amount.total_seconds()


@lru_cache(maxsize=1)
def _fact_names() -> tuple[str, ...]:
    return tuple(Facts.__dataclass_fields__)


def _facts(told: Mapping[str, Any]) -> Facts:
    known = {name: told[name] for name in _fact_names() if name in told}
    return Facts(**known | {"groups": tuple(told.get("groups", ()))})
