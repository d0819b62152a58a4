"""How the most pressing clock of each ticket stands, for lists of many tickets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from alerts.sla.clocks import State
from hearthwatch.records import sla_states
from hearthwatch.records.sla_states import SlaState

FAR = "9999"
Pressing = Literal["breached", "running", "paused", "met", "missed", "cancelled", "none"]
_ORDER: tuple[Pressing, ...] = ("breached", "running", "paused", "missed", "met", "cancelled", "none")


@dataclass(frozen=True, slots=True)
class Standing:
    """The clock that presses most: late ones first, then the one due next, then a paused one; of ended ones a missed one.

    ``due_at`` is when it was or is due, ``zone`` whose wall clock its calendar goes by.
    """

    clock: str
    state: Pressing
    due_at: datetime | None
    paused_for: str | None
    zone: str

    @property
    def sort(self) -> str:
        """Sorts the most pressing first."""
        return f"{_ORDER.index(self.state)}{self.due_at.isoformat() if self.due_at else FAR}"


NONE = Standing("", "none", None, None, "UTC")


def of_tickets(connection: Connection, ticket_ids: Iterable[int], now: datetime) -> dict[int, Standing]:
    """How each of some tickets stands, in one query; every one that is asked for is answered."""
    ids = list(ticket_ids)
    found = sla_states.of_tickets(connection, ids)
    return {one: _pressing(found[one], now) if one in found else NONE for one in ids}


def _pressing(state: SlaState, now: datetime) -> Standing:
    zone = str(state.clocks.get("zone", "UTC"))
    told = [_standing(name, clock, zone, now) for name, clock in state.clocks.items() if isinstance(clock, Mapping)]
    promised = [one for one in told if one is not None]
    return min(promised, key=lambda one: (one.sort, one.clock == "periodic_update"), default=NONE)


def _standing(name: str, clock: Mapping[str, Any], zone: str, now: datetime) -> Standing | None:
    """None where nothing is promised."""
    if clock.get("target_s") is None:
        return None
    due_at = datetime.fromisoformat(clock["due_at"]) if clock.get("due_at") else None
    state: State = clock["state"]
    if state == "running" and due_at is not None and due_at < now:
        state = "breached"  # the round that writes it has not come yet
    pressing: Pressing = "none" if state == "idle" else state
    return Standing(name, pressing, due_at, clock.get("paused_for"), zone)
