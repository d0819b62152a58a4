"""When people are to hear of a clock: before it is late, and after. Pure; whoever tells them keeps what was told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.sla.clocks import NOTHING, Clock, Folded
from alerts.sla.terms import LEAD, TEAM, TECHNICIAN, SlaTerms

AlarmKind = Literal["remind", "escalate"]
Told = tuple[str, str, int, str]
"""Kind, clock, instance and step of what was told."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to tell: a reminder at a share of the target (``step`` 0.8), an escalation so many hours after a breach (``step`` 8)."""

    kind: AlarmKind
    clock: Clock
    step: str
    at: datetime
    to: tuple[str, ...]

    @property
    def key(self) -> Told:
        """What tells it apart from the others of its ticket."""
        return self.kind, self.clock.name, self.clock.instance, self.step


def alarms(folded: Folded, terms: SlaTerms, told: Collection[Told]) -> list[Alarm]:
    """What is still to be told of a ticket's clocks, as they stand: nothing of what is paused, kept, or over."""
    found: list[Alarm] = []
    for clock in folded.clocks.values():
        if clock.state == "running":
            found.extend(_reminders(clock, folded, terms))
        elif clock.state == "breached":
            found.extend(_escalations(clock, folded, terms))
    return [one for one in found if one.key not in told]


def hearing(folded: Folded, alarm: Alarm, now: datetime) -> datetime:
    """When people hear of it: within working hours, now or at the next opening."""
    return folded.level.told_in.next_opening(max(alarm.at, now))


def receivers(to: tuple[str, ...], terms: SlaTerms, technician: str | None, engineers: Collection[str]) -> list[str]:
    """The addresses behind roles and addresses, each once. A technician without an address, or nobody yet, is the team's matter."""
    own = terms.technicians.get(technician or "", ())
    people = {TECHNICIAN: own or terms.team, TEAM: terms.team, LEAD: terms.lead, "engineers": tuple(engineers)}
    return list(dict.fromkeys(address for one in to for address in people.get(one, (one,))))


def _reminders(clock: Clock, folded: Folded, terms: SlaTerms) -> Iterator[Alarm]:
    if clock.target is None or clock.running_since is None:
        return
    for share in sorted(terms.reminders):
        left = clock.target * share - clock.settled
        at = folded.level.calendar.add(clock.running_since, max(left, NOTHING))
        yield Alarm("remind", clock, f"{share:g}", at, (TECHNICIAN,))


def _escalations(clock: Clock, folded: Folded, terms: SlaTerms) -> Iterator[Alarm]:
    if clock.breached_at is None:
        return
    for step in terms.escalations:
        if clock.name in step.clocks and folded.priority in step.priorities:
            at = folded.level.calendar.add(clock.breached_at, timedelta(hours=step.after_hours))
            yield Alarm("escalate", clock, f"{step.after_hours:g}>{'+'.join(step.to)}"[:120], at, step.to)
