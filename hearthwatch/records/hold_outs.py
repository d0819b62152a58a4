"""Findings of which the customer is not told, by a draw, to learn what happens without a notice; and what did happen.

A failure that a notice prevented looks like a false alarm afterwards. Only where nobody acted is it seen how often a finding was right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import findings, outcomes
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import hold_outs
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Finding

HORIZON = timedelta(days=30)
"""How long a notice is held out: the horizon at which a prognosis becomes a finding."""
HELD_OUT, ENDED = "held_out", "hold_out_ended"
"""What a finding's history says of it."""
POLICY = "policy"

Why = Literal["expired", "sent_now", "grave", "explained", "policy"]
"""Why a hold-out ended: its time was over; a person sent the notice; it became grave and concerns safety; a release that is worse or mended
explains it, so it is no longer the customer's alone; the policy holds nothing out any more."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """One finding that is or was held out. ``severity`` and ``probability`` are those of the draw; ``share`` the policy's then.

    ``ended_at`` is None while it lasts, ``part`` empty where the finding is about none.
    """

    id: int
    finding_id: int
    device_id: str
    part: str
    kind: str
    mode: str
    severity: str
    probability: float | None
    share: float
    policy_version: int
    drawn_at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str | None
    why_ended: Why | None
    revision: int


@dataclass(frozen=True, slots=True)
class JudgedHoldOut:
    """What came of a hold-out: ``failed_at`` is the device's first failure of that part while it lasted, None where there was none.

    ``known``: the answer counts, because it failed, or its whole horizon passed without anybody being told.
    """

    hold_out: HoldOut
    failed_at: datetime | None
    known: bool


def begin(
    connection: Connection, finding: Finding, part: str, *, share: float, policy_version: int, now: datetime
) -> bool:
    """Hold a finding out from now on. False where it is or was held out before: a draw is made once."""
    until = now + HORIZON
    row = {
        "finding_id": finding.id,
        "device_id": finding.subject,
        "part": fitted(hold_outs.c.part, part),
        "kind": finding.kind,
        "mode": finding.mode,
        "severity": finding.severity,
        "probability": finding.probability,
        "share": share,
        "policy_version": policy_version,
        "drawn_at": now,
        "until": until,
    }
    if not insert_missing(connection, hold_outs, [row]):
        return False
    findings.add_event(connection, finding.id, now, HELD_OUT, POLICY, {"share": share, "until": until.isoformat()})
    return True


def end(connection: Connection, finding_id: int, why: Why, actor: str, now: datetime) -> HoldOut:
    """End a hold-out: from now on the policy treats its finding like any other.

    Raises `Missing` where the finding was never held out, `Conflict` where that has ended.
    """
    standing = of_findings(connection, [finding_id]).get(finding_id)
    if standing is None:
        raise Missing("the finding is not held out", where=f"finding {finding_id}")
    if standing.ended_at is not None:
        raise Conflict(f"its hold-out was ended by {standing.ended_by}", where=f"finding {finding_id}")
    changes = {"ended_at": now, "ended_by": actor[:120], "why_ended": why}
    update_at_revision(connection, hold_outs, {"id": standing.id}, standing.revision, changes)
    findings.add_event(connection, finding_id, now, ENDED, actor, {"why": why})
    return of_findings(connection, [finding_id])[finding_id]


def of_findings(connection: Connection, finding_ids: Sequence[int]) -> Mapping[int, HoldOut]:
    """The hold-outs of some findings, by finding, those that ended included."""
    found: dict[int, HoldOut] = {}
    for some in batched(finding_ids):
        query = sa.select(hold_outs).where(hold_outs.c.finding_id.in_(some))
        found.update((row["finding_id"], HoldOut(**row)) for row in connection.execute(query).mappings())
    return found


def any_standing(connection: Connection) -> bool:
    """Whether anything is held out now."""
    query = sa.select(sa.literal(1)).select_from(hold_outs).where(hold_outs.c.ended_at.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def overdue(connection: Connection, now: datetime) -> list[int]:
    """The findings whose hold-out lasts longer than it should."""
    query = sa.select(hold_outs.c.finding_id).where(hold_outs.c.ended_at.is_(None), hold_outs.c.until <= now)
    return list(connection.execute(query.order_by(hold_outs.c.finding_id)).scalars())


def list_hold_outs(
    connection: Connection,
    *,
    standing: bool | None = None,
    device: str | None = None,
    after: int | None = None,
    limit: int = 1_000_000,
) -> list[HoldOut]:
    """Hold-outs, newest first; only those that last (``standing``) or have ended; ``after`` is the last id of the page before."""
    query = sa.select(hold_outs).order_by(hold_outs.c.id.desc()).limit(limit)
    if standing is not None:
        query = query.where(hold_outs.c.ended_at.is_(None) if standing else hold_outs.c.ended_at.is_not(None))
    if device is not None:
        query = query.where(hold_outs.c.device_id == device)
    if after is not None:
        query = query.where(hold_outs.c.id < after)
    return [HoldOut(**row) for row in connection.execute(query).mappings()]


def judged(connection: Connection, now: datetime) -> list[JudgedHoldOut]:
    """What came of every hold-out so far, oldest first: of those whose answer is ``known``, the share that failed is how often such
    findings are right, and no notice has changed it.
    """
    found = list_hold_outs(connection)[::-1]
    failures: dict[str, list[outcomes.Outcome]] = {}
    if found:
        for outcome in outcomes.list_outcomes(connection, until=now):
            if outcome.outcome == "failure":
                failures.setdefault(outcome.device_id, []).append(outcome)
    return [_judged(one, failures.get(one.device_id, ()), now) for one in found]


def _judged(one: HoldOut, failures: Sequence[outcomes.Outcome], now: datetime) -> JudgedHoldOut:
    end_of_it = min(one.until, one.ended_at or one.until)
    its = (
        outcome.at
        for outcome in failures
        if one.drawn_at < outcome.at <= end_of_it and ("" in {outcome.part, one.part} or outcome.part == one.part)
    )
    failed_at = min(its, default=None)
    whole = now >= one.until and end_of_it == one.until
    return JudgedHoldOut(one, failed_at, failed_at is not None or whole)
