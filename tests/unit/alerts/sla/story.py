"""A ticket's story in wall-clock times of Berlin, told event by event."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from alerts.sla.clocks import Application, Clock, Entry, Folded, Happening, fold
from alerts.sla.terms import ClockName, Facts, SlaTerms

BERLIN = ZoneInfo("Europe/Berlin")
DUE_DAYS = (1.0, 3.0, 7.0, 14.0)
HOUR = timedelta(hours=1)
OFFICE = """
[calendars.office]
timezone = "Europe/Berlin"
workdays = ["09:00-12:00", "13:00-18:00"]
"""


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@lru_cache
def sla_terms(promises: str, more: str = "") -> SlaTerms:
    """Terms of one promise to everyone, in office hours with lunch; ``more`` stands at the section's top."""
    return SlaTerms.model_validate(
        tomllib.loads(f'{more}\n{OFFICE}\n[[terms]]\nname = "everyone"\ncalendar = "office"\n{promises}')
    )


@dataclass
class Story:
    """Times are given by the wall clock of Berlin."""

    terms: SlaTerms
    facts: Facts = field(default_factory=lambda: Facts(2))
    events: list[Happening] = field(default_factory=list)
    changes: list[Application] = field(default_factory=list)

    def on(self, when: str, what: str, **detail: Any) -> Story:
        self.events.append(Happening(len(self.events) + 1, berlin(when), what, detail))
        return self

    def terms_change(self, at: str, terms: SlaTerms, facts: Facts | None = None) -> Story:
        version = len(self.changes) + 2
        self.changes.append(Application(berlin(at), version, terms, DUE_DAYS, facts or self.facts, "policy"))
        return self

    def told(self, at: str) -> Folded:
        first = Application(self.events[0].at, 1, self.terms, DUE_DAYS, self.facts)
        return fold(self.events, [first, *self.changes], berlin(at))

    def clock(self, name: ClockName, at: str) -> Clock:
        return self.told(at).clocks[name]

    def ledger(self, name: str, at: str) -> list[Entry]:
        return [one for one in self.told(at).entries if one.clock == name]

    def whats(self, name: str, at: str) -> list[str]:
        return [one.what for one in self.ledger(name, at) if one.what != "update_status"]
