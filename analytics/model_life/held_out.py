"""How often a version was right where nobody acted upon it: by its findings that the policy held out (docs/policy.md).

A failure that a notice prevented looks like a false alarm. What came of held-out findings is free of that, whoever answers notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from analytics.model_life.complaints import opened_findings
from hearthwatch.records import hold_outs


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Of a version's findings that were held out, ``known`` is of how many the answer counts, ``failed`` how many of these failed within
    the horizon, and ``expected`` how many it had said (the sum of the probabilities at the draw)."""

    known: int
    failed: int
    expected: float


def held_out(connection: Connection, version_id: int, now: datetime) -> HeldOut | None:
    """What the hold-out tells of a version; None where none of its findings was held out for its whole time."""
    mine = {one.id for one in opened_findings(connection).get(version_id, ())}
    known = [one for one in hold_outs.judged(connection, now) if one.known and one.hold_out.finding_id in mine]
    if not known:
        return None
    expected = sum(one.hold_out.probability or 0.0 for one in known)
    return HeldOut(len(known), sum(one.failed_at is not None for one in known), expected)
