"""How often technicians found no fault where a champion had said there would be one.

Each device counts once for a version, by its first closed ticket. Hypothesis: a visit finds nothing no more often than is allowed, or than
the version itself announced (a finding opened at 30 per cent is wrong in 70 per cent of the cases, and that is no complaint).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from analytics.labels import EVERYTHING
from analytics.model_life.betting import log_bets, log_e
from analytics.model_life.race import e_value
from hearthwatch.records import findings, ticket_findings
from hearthwatch.values import Finding

DEMOTE_AT = 20.0
NOTHING, FOUND = "no_fault_found", frozenset({"confirmed", "different_fault"})


@dataclass(frozen=True, slots=True)
class Complaints:
    """Closed visits of a version's findings: how many there were, how many found nothing, how many might have, and the evidence (log e)."""

    visits: int
    no_fault: int
    allowed: float
    log_e: float

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "visits": self.visits,
            "no_fault": self.no_fault,
            "allowed": round(self.allowed, 2),
            "e": e_value(self.log_e),
        }


def weigh(nothing: np.ndarray, probability: np.ndarray, allowed: float) -> Complaints:
    """Visits in the order in which they were closed: whether each found ``nothing``, and what probability had been said."""
    may = np.maximum(allowed, 1 - probability)
    log = float(log_e(log_bets(may, nothing, 1.0)[0])) if len(may) else 0.0
    return Complaints(len(may), int(nothing.sum()), float(may.sum()), log)


def opened_findings(connection: Connection) -> dict[int, list[Finding]]:
    """All prognoses that became findings, by the version that they come from."""
    found: dict[int, list[Finding]] = {}
    for one in findings.list_findings(connection, kind="prognosis", limit=EVERYTHING):
        version = one.evidence.get("model_version")
        if isinstance(version, int):
            found.setdefault(version, []).append(one)
    return found


def complaints(connection: Connection, opened: Sequence[Finding], since: datetime, *, allowed: float) -> Complaints:
    """The visits about the findings ``opened`` by a version, of those since it works."""
    mine = {one.id: one for one in opened if one.first_seen >= since}
    closed: dict[str, tuple[datetime, bool, float]] = {}
    for finding_id, ticket in ticket_findings.of_findings(connection, mine).items():
        if ticket.closed_at is None or ticket.closing_code not in {NOTHING, *FOUND}:
            continue
        finding = mine[finding_id]
        visit = (ticket.closed_at, ticket.closing_code == NOTHING, finding.probability or 0.0)
        if finding.subject not in closed or visit < closed[finding.subject]:
            closed[finding.subject] = visit
    visits = [closed[device] for device in sorted(closed)]
    return weigh(
        np.array([one[1] for one in visits], dtype=bool),
        np.array([one[2] for one in visits], dtype=np.float64),
        allowed,
    )
