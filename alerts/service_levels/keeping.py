"""One round of the clocks: tickets to which something happened, or whose next instant has come, are folded anew; what is new is written.

The ledger says when it was so, not when the round came: after a day's sleep each breach is written once, with its true time. Who is to
hear of it hears within working hours, all of a round in one letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.policy.file import Policy
from alerts.service_levels import facts, ledgers, letters
from alerts.service_levels.ledgers import Books, Versions
from alerts.service_levels.telling import Telling
from alerts.sla.alarms import alarms, hearing, receivers
from alerts.sla.clocks import Application, Clock, Folded
from alerts.sla.terms import Facts
from hearthwatch.errors import Invalid
from hearthwatch.records import analysis_states, policies, sla_events, sla_states
from hearthwatch.records.database import Database, batched
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.sla_events import SlaEvent
from hearthwatch.records.sla_states import SlaState
from hearthwatch.values import Ticket

STATE = "sla"
OVERLAP = 500
"""So many of the newest events are looked at again: a transaction may take a number and end after others with higher ones."""
SWEEP_EVERY = timedelta(hours=1)
"""How often every ticket is compared with its ledger, whatever numbers its events have."""
AT_ONCE = 1000
MOST = 5000
"""Tickets of one round; a change that concerns more of them takes several."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the last rounds came. ``began`` is the first one: what was closed before it has no clocks."""

    began: datetime
    event: int = 0
    version: int = 0
    live: bool = False
    swept: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "began": self.began.isoformat(), "event": self.event, "version": self.version, "live": self.live,
            "swept": self.swept.isoformat(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Round:
    """One round: at what time, by which policy, and where staff find the tickets."""

    connection: Connection
    version: PolicyVersion
    policy: Policy
    versions: Versions
    public_url: str
    now: datetime

    @property
    def live(self) -> bool:
        """Whether people are told; a policy that observes tells nobody."""
        return self.version.mode == "live"


def keep(database: Database, now: datetime, *, public_url: str) -> Mapping[str, int]:
    """Bring the clocks up to ``now``. Returns counts of what was written, nothing where nothing was to be done."""
    with database.reading() as connection:
        version = policies.current(connection)
        if version is None or _is_idle(connection, version, now):
            return {}
    with database.transaction() as connection:
        version = policies.current(connection)
        return {} if version is None else dict(carry_out(connection, version, now, public_url=public_url))


def carry_out(connection: Connection, version: PolicyVersion, now: datetime, *, public_url: str) -> Counter[str]:
    """Do a round's work."""
    versions = Versions(connection)
    this = Round(connection, version, versions.policy(version.version), versions, public_url, now)
    before, event = _progress(connection, now), sla_states.newest_event(connection)
    if (version.version, this.live) != (before.version, before.live):
        sla_states.look_again(connection, now)
    behind, swept = _behind(connection, before, now)
    done: Counter[str] = Counter()
    tellings: list[Telling] = []
    for some in batched(_first(connection, behind, now), AT_ONCE):
        tellings += _bring_up(this, some, done)
    if tellings:
        language = this.policy.sla.language
        done["letters"] += letters.send(connection, tellings, language=language, public_url=public_url, now=now)
    after = replace(before, version=version.version, live=this.live)
    if len(behind) <= MOST:
        after = replace(after, event=event, swept=now if swept else before.swept)
    analysis_states.save(connection, STATE, {"": after.told()}, now)
    return done


def _is_idle(connection: Connection, version: PolicyVersion, now: datetime) -> bool:
    before = _progress(connection, now)
    if (version.version, version.mode == "live") != (before.version, before.live):
        return False
    behind, swept = _behind(connection, before, now)
    if behind or swept or before.event != sla_states.newest_event(connection):
        return False
    return not sla_states.due(connection, now, limit=1)


def _behind(connection: Connection, before: Progress, now: datetime) -> tuple[list[int], bool]:
    """Tickets to which something happened, and whether all of them were looked through for it."""
    if now - before.swept >= SWEEP_EVERY:
        return sla_states.all_behind(connection, closed_since=before.began), True
    return sla_states.behind(connection, before.event - OVERLAP, closed_since=before.began), False


def _first(connection: Connection, behind: Sequence[int], now: datetime) -> list[int]:
    """As many tickets as one round takes: those to which something happened, then those whose instant has come."""
    first = list(behind[:MOST])
    known = set(first)
    due = sla_states.due(connection, now, limit=MOST)
    return first + [one for one in due if one not in known][: MOST - len(first)]


def _progress(connection: Connection, now: datetime) -> Progress:
    told = analysis_states.load(connection, STATE).get("")
    if told is None:
        return Progress(began=now)
    began, swept = datetime.fromisoformat(told["began"]), datetime.fromisoformat(told["swept"])
    return Progress(began, told["event"], told["version"], told["live"], swept)


def _bring_up(this: Round, ticket_ids: Sequence[int], done: Counter[str]) -> list[Telling]:
    """Fold some tickets, write what is new of them, and give what people are to hear now."""
    found = sla_states.tickets_by_id(this.connection, ticket_ids)
    known = facts.of_tickets(this.connection, list(found.values()), this.now)
    entries: list[SlaEvent] = []
    states: list[SlaState] = []
    due: dict[int, datetime | None] = {}
    tellings: list[Telling] = []
    for ticket_id, books in ledgers.of_tickets(this.connection, ticket_ids).items():
        ticket = found[ticket_id]
        try:
            folded = ledgers.folded(books, _applications(this, ticket, books, known[ticket_id]), this.now)
        except Invalid:  # a version of the policy that can not be read any more: its tickets are left as they are
            done["unreadable"] += 1
            states.append(_left(books, this))
            continue
        new = ledgers.difference(books, folded.entries, this.now)
        waiting, now_told = _alarms(this, ticket, books, folded)
        said = [
            _said(this, books, folded, one, books.next_number + len(new) + place) for place, one in enumerate(now_told)
        ]
        entries += [*new, *said]
        tellings += [one for one in now_told if one.addresses]
        states.append(_state(this, books, folded, waiting, len(new) + len(said)))
        if (changed := _due(ticket, folded.clocks["resolution"])) is not None:
            due[ticket_id] = changed[0]
        done.update(one.what for one in (*new, *said) if one.what in {"breach", "remind", "escalate", "withdraw"})
    done["tickets"] += len(states)
    sla_events.append(this.connection, entries)
    sla_states.put(this.connection, states)
    sla_events.set_due(this.connection, due)
    return tellings


def _applications(this: Round, ticket: Ticket, books: Books, known: Facts) -> list[Application]:
    """What applied, and that this version does from now on where another one did."""
    applied = this.versions.applied(books)
    version = this.version.version
    if not applied:
        first = replace(known, priority=facts.priority_at_opening(ticket, books.happened))
        return [this.versions.application(ticket.opened_at, version, first, "opened")]
    if ticket.state != "closed" and applied[-1].version != version:
        since = this.version.live_since or this.version.created_at
        at = max(min(since, this.now), max(one.at for one in books.standing))
        applied.append(this.versions.application(at, version, known, "policy"))
    return applied


def _alarms(this: Round, ticket: Ticket, books: Books, folded: Folded) -> tuple[datetime | None, list[Telling]]:
    """When people are to hear something next, and what they hear now."""
    if not this.live or ticket.state == "closed":
        return None, []
    told = {
        (one.what, one.clock, one.instance, str(one.detail.get("step")))
        for one in books.written
        if one.what in {"remind", "escalate"}
    }
    now_told: list[Telling] = []
    later: list[datetime] = []
    for alarm in alarms(folded, this.policy.sla, told):
        at = hearing(folded, alarm, this.now)
        if at > this.now:
            later.append(at)
            continue
        to = receivers(alarm.to, this.policy.sla, ticket.technician_id, this.policy.engineers.addresses)
        now_told.append(Telling(ticket, alarm, to, folded.level.calendar))
    return min(later, default=None), now_told


def _said(this: Round, books: Books, folded: Folded, one: Telling, number: int) -> SlaEvent:
    """That people were told, for the ledger: how many, not who."""
    clock, alarm = one.alarm.clock, one.alarm
    detail = {
        "step": alarm.step,
        "since": alarm.at.astimezone(UTC).isoformat(),
        "to": list(alarm.to),
        "receivers": len(one.addresses),
    }
    return SlaEvent(
        books.ticket_id, number, this.now, this.now, alarm.kind, clock.name, clock.instance, _seconds(clock.target), clock.due_at,
        clock.used.total_seconds(), folded.version, folded.level.term, folded.priority, detail,
    )  # fmt: skip


def _state(this: Round, books: Books, folded: Folded, waiting: datetime | None, added: int) -> SlaState:
    soonest = this.now + timedelta(microseconds=1)  # what is due this very instant is late only after it
    instants = [max(one, soonest) for one in (folded.next_at, waiting) if one is not None]
    return SlaState(
        ticket_id=books.ticket_id,
        events=len(books.happened),
        entries=len(books.written) + added,
        policy_version=folded.version,
        term=folded.level.term,
        next_at=min(instants, default=None),
        clocks={
            "zone": folded.level.calendar.zone.key,
            **{one.name: _kept(one) for one in folded.clocks.values() if one.instance},
        },
        updated_at=this.now,
    )


def _left(books: Books, this: Round) -> SlaState:
    version = books.written[-1].policy_version if books.written else this.version.version
    return SlaState(books.ticket_id, len(books.happened), len(books.written), version, "", None, {}, this.now)


def _kept(clock: Clock) -> dict[str, Any]:
    """A clock as lists show it."""
    return {
        "instance": clock.instance,
        "state": clock.state,
        "target_s": _seconds(clock.target),
        "used_s": clock.used.total_seconds(),
        "due_at": clock.due_at.astimezone(UTC).isoformat() if clock.due_at else None,
        "paused_for": clock.paused_for,
    }


def _due(ticket: Ticket, resolution: Clock) -> tuple[datetime | None] | None:
    """When the ticket is due, if that changed; what is closed keeps when it was."""
    if not resolution.instance or resolution.state in {"met", "missed", "cancelled"}:
        return None
    return (resolution.due_at,) if resolution.due_at != ticket.due_at else None


def _seconds(amount: timedelta | None) -> float | None:
    return None if amount is None else amount.total_seconds()
