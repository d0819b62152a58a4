"""A ticket's clocks: a pure fold of what happened to it and of the terms that applied from when on.

The vocabulary is that of Zendesk's ticket metric events (developer.zendesk.com, "Ticket metric event types"): a clock is activated, paused
and fulfilled, terms are applied to it, it is breached, and its status is updated; an instance is one run of it. ``resume`` says of an
activation that it ends a pause; ``cancel`` ends the clocks of a duplicate. The same events and terms always give the same entries, and
what comes later only adds to them.

- ``first_response`` runs from the first word of a customer until somebody answers them. A ticket that nobody asked for has none.
- ``update`` runs from the customer's first unanswered message after that until it is answered, never beside ``first_response`` where
  that is promised.
- ``periodic_update`` runs from our last answer to the next, where that is promised.
- ``resolution`` runs from the opening until the ticket is closed; a reopened ticket begins its next instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts.sla.calendar import BusinessCalendar
from alerts.sla.terms import CLOCKS, ClockName, Facts, Level, SlaTerms

NOTHING = timedelta(0)
ANSWERS = frozenset({"replied", "scheduled", "approval_asked"})
"""What the customer hears of, besides the closing. Notes are internal and answer nobody."""
CONTACTS = frozenset({"message", "customer"})
"""What comes from the customer."""
WORKED_ON = frozenset({"resumed", "started", "reopened", "visit_off"})
DUPLICATE = "duplicate"
BY_ITSELF = "policy"
"""The source of tickets that nobody asked for."""

What = Literal[
    "apply_sla", "activate", "pause", "resume", "fulfil", "breach", "cancel", "update_status", "remind", "escalate", "withdraw"
]  # fmt: skip
State = Literal["idle", "running", "paused", "breached", "met", "missed", "cancelled"]
"""``breached`` is late and still runs, ``missed`` was fulfilled late."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a ticket's ledger. ``id`` orders what happened at the same instant."""

    id: int
    at: datetime
    what: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Application:
    """From when on a policy version's terms apply to a ticket, and what was known of it then."""

    at: datetime
    version: int
    terms: SlaTerms
    due_days: Sequence[float]
    facts: Facts
    cause: str = "opened"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger: ``used`` is business time on the clock at ``at``. ``clock`` is empty where it is about all of them."""

    at: datetime
    what: What
    clock: str
    instance: int
    target: timedelta | None
    due_at: datetime | None
    used: timedelta
    version: int
    term: str
    priority: int
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clock:
    """How a clock stands. ``due_at`` is None while it is paused, ended, or nothing is promised; ``used`` is as of the fold's ``now``."""

    name: ClockName
    instance: int
    state: State
    target: timedelta | None
    used: timedelta
    due_at: datetime | None
    started_at: datetime | None
    paused_for: str | None
    breached_at: datetime | None
    ended_at: datetime | None
    settled: timedelta
    running_since: datetime | None

    @property
    def left(self) -> timedelta | None:
        """Business time left; negative where it is late."""
        return None if self.target is None else self.target - self.used


@dataclass(frozen=True, slots=True)
class Folded:
    """The clocks of a ticket, the ledger that led there, and when the next of them changes by itself."""

    clocks: Mapping[ClockName, Clock]
    entries: Sequence[Entry]
    next_at: datetime | None
    level: Level
    version: int
    priority: int


def fold(events: Iterable[Happening], applications: Sequence[Application], now: datetime) -> Folded:
    """What became of a ticket's clocks until ``now``. The first application holds from the opening on."""
    folding = _Folding(applications[0])
    timeline: list[tuple[datetime, int, int, Happening | Application]] = [
        *((one.at, 0, number, one) for number, one in enumerate(applications[1:])),
        *((one.at, 1, one.id, one) for one in events),
    ]
    for at, _, _, item in sorted(timeline, key=lambda one: one[:3]):
        if at > now:
            break
        folding.advance(at)
        if isinstance(item, Application):
            folding.apply(item)
        else:
            folding.take(item)
    folding.advance(now)
    return folding.result(now)


class _Running:
    """One clock while it is folded."""

    def __init__(self, name: ClockName) -> None:
        self.name = name
        self.instance = 0
        self.target: timedelta | None = None
        self.settled = NOTHING
        self.running_since: datetime | None = None
        self.started_at: datetime | None = None
        self.paused_for: str | None = None
        self.breached_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.outcome: Literal["fulfilled", "cancelled"] | None = None
        self._reckoned: tuple[tuple[object, ...], datetime] | None = None

    @property
    def ticks(self) -> bool:
        """Whether it was started and did not end."""
        return self.instance > 0 and self.outcome is None

    @property
    def state(self) -> State:
        if not self.instance:
            return "idle"
        if self.outcome == "cancelled":
            return "cancelled"
        if self.outcome == "fulfilled":
            return "missed" if self.breached_at else "met"
        if self.paused_for:
            return "paused"
        return "breached" if self.breached_at else "running"

    def begin(self, at: datetime) -> None:
        """A new instance."""
        self.instance += 1
        self.settled, self.started_at = NOTHING, at
        self.paused_for = self.breached_at = self.ended_at = self.outcome = None
        self.running_since = at

    def settle(self, at: datetime, calendar: BusinessCalendar) -> None:
        """Put the time that has passed on the clock."""
        if self.running_since is not None:
            self.settled += calendar.between(self.running_since, at)
            self.running_since = at

    def used(self, at: datetime, calendar: BusinessCalendar) -> timedelta:
        return self.settled + (calendar.between(self.running_since, at) if self.running_since else NOTHING)

    def forget_due(self) -> None:
        """Another calendar counts, maybe of the same name."""
        self._reckoned = None

    def due(self, calendar: BusinessCalendar) -> datetime | None:
        """When the target is used up; None while it is not running, is late already, or nothing is promised."""
        if self.target is None or self.running_since is None or self.breached_at is not None:
            return None
        asked = (self.target, self.settled, self.running_since)
        if self._reckoned is None or self._reckoned[0] != asked:
            self._reckoned = asked, _due(calendar, self.running_since, self.target - self.settled)
        return self._reckoned[1]


def _due(calendar: BusinessCalendar, since: datetime, left: timedelta) -> datetime:
    if left > NOTHING:
        return calendar.add(since, left)
    return since if left < NOTHING else calendar.next_opening(since)


class _Folding:
    """The state of the fold."""

    def __init__(self, first: Application) -> None:
        self.clocks: dict[ClockName, _Running] = {name: _Running(name) for name in CLOCKS}
        self.entries: list[Entry] = []
        self.waiting_for: str | None = None
        self.waiting_until: datetime | None = None
        self.application = first
        self.level = first.terms.level(first.facts, first.due_days)
        self._say_applied(first.at, first.cause)

    # -- time

    def advance(self, to: datetime) -> None:
        """Let time pass: what is not done by its due time is breached, and a wait with an end ends."""
        while True:
            due = [(at, clock) for clock in self.clocks.values() if (at := clock.due(self.level.calendar)) and at < to]
            at, late = min(due, key=lambda one: (one[0], CLOCKS.index(one[1].name)), default=(to, None))
            if self.waiting_until is not None and self.waiting_until <= at:
                self._wait(None, None, self.waiting_until)
            elif late is not None:
                late.breached_at = at
                self._say(at, "breach", late)
                self._status(at, late)
            else:
                return

    # -- what happens

    def apply(self, application: Application) -> None:
        """Other terms from now on; what is on the clocks stays on them."""
        for clock in self.clocks.values():
            clock.settle(application.at, self.level.calendar)
        self.application = application
        self.level = application.terms.level(application.facts, application.due_days)
        for clock in self.clocks.values():
            clock.forget_due()
        self._say_applied(application.at, application.cause)
        self._pause_as_needed(application.at)

    def take(self, event: Happening) -> None:
        """One event of the ticket."""
        if event.what in CONTACTS:
            self._hear(event)
        elif event.what in ANSWERS:
            self._answer(event)
        elif event.what in {"approved", "declined"}:
            self._lift("approval", event.at)
        elif event.what in WORKED_ON:
            self._wait(None, None, event.at)
            if event.what == "reopened":
                self._reopen(event.at)
        else:
            self._take_rarer(event)

    def _take_rarer(self, event: Happening) -> None:
        if event.what == "opened":
            self._open(event)
        elif event.what == "waiting":
            self._wait(str(event.detail.get("for") or "customer"), _instant(event.detail.get("until")), event.at)
        elif event.what == "raised":
            self._raise(event)
        elif event.what == "closed":
            self._close(event)
        elif event.what == "merged" and event.detail.get("into") is not None:
            self._cancel(event.at)

    def _open(self, event: Happening) -> None:
        self._begin(self.clocks["resolution"], event.at)
        if event.detail.get("source", BY_ITSELF) != BY_ITSELF:
            self._contact(event.at)

    def _contact(self, at: datetime) -> None:
        first, update = self.clocks["first_response"], self.clocks["update"]
        if not first.instance:
            self._begin(first, at)
            if first.target is not None or update.target is None:
                return
        if not update.ticks and (not first.ticks or first.target is None):
            self._begin(update, at)

    def _hear(self, event: Happening) -> None:
        if event.detail.get("verified", True):  # a stranger may ask; only the customer ends the wait for them
            self._lift("customer", event.at)
        self._contact(event.at)

    def _answer(self, event: Happening) -> None:
        at = event.at
        for name in ("first_response", "update", "periodic_update"):
            self._fulfil(self.clocks[name], at)
        if self.clocks["resolution"].ticks and self.clocks["periodic_update"].target is not None:
            self._begin(self.clocks["periodic_update"], at)
        if event.what == "scheduled":
            self._wait("scheduled", _instant(event.detail.get("at")), at)

    def _close(self, event: Happening) -> None:
        self.waiting_for = self.waiting_until = None
        if event.detail.get("code") == DUPLICATE:
            self._cancel(event.at)
            return
        for name in ("first_response", "update", "resolution"):
            self._fulfil(self.clocks[name], event.at, code=event.detail.get("code"))
        self._end(self.clocks["periodic_update"], event.at, "cancel")

    def _reopen(self, at: datetime) -> None:
        resolution = self.clocks["resolution"]
        if resolution.ticks:
            return
        if self.level.afresh or not resolution.instance:
            self._begin(resolution, at)
            return
        resolution.outcome = resolution.ended_at = None
        resolution.running_since = at
        self._say(at, "activate", resolution, reopened=True)

    def _raise(self, event: Happening) -> None:
        try:
            priority = min(4, max(1, int(event.detail["to"])))
        except (KeyError, TypeError, ValueError):
            return
        facts = replace(self.application.facts, priority=priority)
        if facts != self.application.facts:
            self.apply(replace(self.application, at=event.at, facts=facts, cause="raised"))

    def _cancel(self, at: datetime) -> None:
        for clock in self.clocks.values():
            self._end(clock, at, "cancel")

    # -- clocks

    def _begin(self, clock: _Running, at: datetime) -> None:
        clock.target = self.level.targets.get(clock.name)
        clock.begin(at)
        self._say(at, "activate", clock)
        self._pause_as_needed(at)

    def _fulfil(self, clock: _Running, at: datetime, **detail: Any) -> None:
        self._end(clock, at, "fulfil", **detail)

    def _end(self, clock: _Running, at: datetime, what: Literal["fulfil", "cancel"], **detail: Any) -> None:
        if not clock.ticks:
            return
        clock.settle(at, self.level.calendar)
        clock.running_since = clock.paused_for = None
        clock.outcome, clock.ended_at = ("fulfilled" if what == "fulfil" else "cancelled"), at
        self._say(at, what, clock, **{key: value for key, value in detail.items() if value is not None})
        self._status(at, clock)

    def _wait(self, waiting_for: str | None, until: datetime | None, at: datetime) -> None:
        self.waiting_for = waiting_for
        self.waiting_until = until if until is not None and until > at else None
        self._pause_as_needed(at)

    def _lift(self, waiting_for: str, at: datetime) -> None:
        if self.waiting_for == waiting_for:
            self._wait(None, None, at)

    def _pause_as_needed(self, at: datetime) -> None:
        """Let each clock stand still or go on, as what the ticket waits for asks."""
        for clock in self.clocks.values():
            paused = self.waiting_for if self.waiting_for in self.level.pauses[clock.name] else None
            if not clock.ticks or paused == clock.paused_for:
                continue
            if clock.paused_for is not None:
                clock.paused_for, clock.running_since = None, at
                self._say(at, "resume", clock)
            if paused is not None:
                clock.settle(at, self.level.calendar)
                clock.paused_for, clock.running_since = paused, None
                self._say(at, "pause", clock, waiting_for=paused)
                self._status(at, clock)

    # -- the ledger

    def _say_applied(self, at: datetime, cause: str) -> None:
        targets = {name: target.total_seconds() for name, target in self.level.targets.items() if target is not None}
        facts = self.application.facts
        told = {
            "cause": cause,
            "calendar": self.level.calendar.name,
            "targets": targets,
            "facts": {name: getattr(facts, name) for name in Facts.__dataclass_fields__}
            | {"groups": list(facts.groups)},
        }
        self.entries.append(self._entry(at, "apply_sla", "", 0, None, None, NOTHING, told))
        for clock in self.clocks.values():
            clock.target = clock.target if clock.outcome else self.level.targets.get(clock.name)
            if clock.ticks:
                self._say(at, "apply_sla", clock, cause=cause)

    def _say(self, at: datetime, what: What, clock: _Running, **detail: Any) -> None:
        calendar = self.level.calendar
        due = clock.breached_at if what == "breach" else clock.due(calendar)
        used = clock.used(at, calendar)
        self.entries.append(self._entry(at, what, clock.name, clock.instance, clock.target, due, used, detail))

    def _status(self, at: datetime, clock: _Running) -> None:
        elapsed = (at - clock.started_at).total_seconds() if clock.started_at else 0.0
        self._say(at, "update_status", clock, status=clock.state, elapsed_s=elapsed)

    def _entry(
        self,
        at: datetime,
        what: What,
        clock: str,
        instance: int,
        target: timedelta | None,
        due: datetime | None,
        used: timedelta,
        detail: Mapping[str, Any],
    ) -> Entry:
        version, priority = self.application.version, self.application.facts.priority
        return Entry(at, what, clock, instance, target, due, used, version, self.level.term, priority, detail)

    # -- the result

    def result(self, now: datetime) -> Folded:
        """How it all stands."""
        clocks = {name: self._clock(one, now) for name, one in self.clocks.items()}
        instants = [one.due_at for one in clocks.values() if one.due_at and not one.breached_at]
        if self.waiting_until is not None and any(clock.state == "paused" for clock in self.clocks.values()):
            instants.append(self.waiting_until)
        version, priority = self.application.version, self.application.facts.priority
        return Folded(clocks, tuple(self.entries), min(instants, default=None), self.level, version, priority)

    def _clock(self, clock: _Running, now: datetime) -> Clock:
        calendar = self.level.calendar
        return Clock(
            name=clock.name,
            instance=clock.instance,
            state=clock.state,
            target=clock.target,
            used=clock.used(now, calendar),
            due_at=(clock.breached_at if clock.ticks and not clock.paused_for else None) or clock.due(calendar),
            started_at=clock.started_at,
            paused_for=clock.paused_for,
            breached_at=clock.breached_at,
            ended_at=clock.ended_at,
            settled=clock.settled,
            running_since=clock.running_since,
        )


def _instant(told: Any) -> datetime | None:
    """A time out of a ledger's detail; None where there is none."""
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
