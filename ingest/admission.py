"""Whether a device that nobody knows is taken in: by policy, and within a budget of new devices for a day and in all. Pure; no I/O.

Each new id costs for ever: a row of the registry, a series in the telemetry store, a decoder's state. A flood of them must leave these as
they are, so what is turned away is held back in quarantine only in part, as evidence; the rest is counted and let go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Literal

UnknownDevices = Literal["register", "quarantine", "refuse"]

HELD_A_DAY = 1000
"""Messages of devices that were turned away which quarantine keeps, for a day and session: enough to see who they are."""


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """What becomes of devices that nobody registered; the budgets are of new ids a day, and of devices in all."""

    unknown: UnknownDevices = "register"
    per_day: int = 10_000
    in_all: int = 1_000_000


class Turn(Enum):
    """What becomes of a message of an unknown device."""

    ADMIT = "admit"
    HOLD = "hold"
    REFUSE = "refuse"


class Admission:
    """Decides about one unknown device after the other.

    `learn` tells what the records say; until the next time it counts what it admitted itself. Ingestors that run at once do not see what
    the others admitted in between, so together they may exceed a budget by that. ``held_a_day``: None holds every message.
    """

    def __init__(self, policy: AdmissionPolicy, *, held_a_day: int | None = HELD_A_DAY) -> None:
        self.policy = policy
        self._held_a_day = held_a_day
        self._day: date | None = None
        self._admitted = self._known = self._held = 0

    def learn(self, now: datetime, admitted_today: int, known: int) -> None:
        """What is in the records at ``now``: unregistered devices admitted on this day, and devices in all."""
        self._begin(now.date())
        self._admitted, self._known = admitted_today, known

    def ask(self, now: datetime) -> Turn:
        """Whether one more device may come in."""
        self._begin(now.date())
        if self.policy.unknown == "refuse":
            return Turn.REFUSE
        if self.reason() is None:
            self._admitted += 1
            self._known += 1
            return Turn.ADMIT
        return Turn.HOLD

    def may_hold(self) -> bool:
        """Whether quarantine takes one more message of today; counts it."""
        self._held += 1
        return self._held_a_day is None or self._held <= self._held_a_day

    def reason(self) -> str | None:
        """Why no device is admitted now, as quarantine and people read it; None while there is room."""
        policy = self.policy
        if policy.unknown == "refuse":
            return "the device is not registered, and unknown devices are refused"
        if policy.unknown == "quarantine":
            return "the device is not registered"
        if self._admitted >= policy.per_day:
            return f"a new device beyond the budget of {policy.per_day} a day (device_budget_per_day)"
        if self._known >= policy.in_all:
            return f"a new device beyond the budget of {policy.in_all} in all (device_budget)"
        return None

    def _begin(self, day: date) -> None:
        if day != self._day:
            self._day = day
            self._admitted = self._held = 0
