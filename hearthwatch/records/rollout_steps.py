"""What a decision does to a roll-out, in the transaction that takes it: the ledger, the status, the waves, the release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hearthwatch.records import audit, releases, rollout_decisions, rollouts
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollouts import Rollout
from hearthwatch.values import Release

WAITING = ("min_hours", "no_look", "successes", "success_share")
"""Codes of holds for which a wave goes on as it is, and only the next one does not open yet."""
PAUSED, STOPPED, OVERRIDDEN, RESUMED, COMPLETE = "paused", "stopped", "overridden", "resumed", "complete"
OPENS = "opens"
"""In the evidence of a decision: the wave that it opened."""
SAID = "said"
"""In the evidence of a decision: the sentences of ``why`` with their figures (`hearthwatch.said`)."""
OVERRULES = "overrules"
"""In the evidence of a person's decision: the code of the gate's hold or stop that does not count any more, and what it was about."""


@dataclass(frozen=True, slots=True)
class Step:
    """A decision about to be taken; ``opens`` is the wave that it opens."""

    decision: str
    code: str
    why: str
    by: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    opens: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision that was taken, and the roll-out and its release as they are now."""

    rollout: Rollout
    release: Release
    decision: Decision


def take(connection: Connection, rollout: Rollout, step: Step, now: datetime) -> Taken:
    """Take a decision. Raises `Stale` where the roll-out changed since it was read, `Conflict` where another decides at this moment."""
    waves = rollouts.waves(connection, rollout.id)
    standing = rollouts.open_wave(waves)
    last = rollout_decisions.newest(connection, rollout.id)
    number = last.number + 1 if last is not None else 1
    evidence = {**step.evidence, **({OPENS: step.opens} if step.opens is not None else {})}
    decision = Decision(number, now, standing, step.decision, step.code, step.why, step.by, evidence)
    rollout_decisions.append(connection, rollout.id, decision)
    if standing and (step.opens is not None or step.code == COMPLETE):
        rollouts.mark_wave(connection, rollout.id, standing, passed_at=now)
    if step.opens is not None:
        rollouts.mark_wave(connection, rollout.id, step.opens, opened_at=now)
    changed = rollouts.change(connection, rollout.id, rollout.revision, _changes(rollout, step, now))
    release = _release_follows(connection, changed, step, now)
    return Taken(changed, release, decision)


def halts(decision: Decision) -> bool:
    """Whether nobody further gets the release for now."""
    return decision.decision == "stop" or (decision.decision == "hold" and decision.code not in WAITING)


def _changes(rollout: Rollout, step: Step, now: datetime) -> dict[str, Any]:
    if step.decision == "stop":
        return {"status": "stopped", "reason": step.why, "ended_at": now}
    if step.decision == "hold" and step.code not in WAITING:
        return {"status": "paused" if step.code == PAUSED else "held", "reason": step.why}
    if step.code == COMPLETE:
        return {"status": "complete", "reason": None, "ended_at": now}
    return {"status": "running", "reason": None, "started_at": rollout.started_at or now, "ended_at": None}


def _release_follows(connection: Connection, rollout: Rollout, step: Step, now: datetime) -> Release:
    """A stopped roll-out's release is paused, one that goes on rolls again, a complete one's is complete; a withdrawn one stays."""
    release = releases.get(connection, rollout.release_id)
    wanted = {"stopped": "paused", "running": "rolling", "complete": "complete"}.get(rollout.status)
    if wanted is None or release.status in {"withdrawn", wanted} or (step.decision == "hold" and wanted == "rolling"):
        return release
    detail = {"rollout_id": rollout.id, "why": step.why}
    subject = f"release:{release.id}"
    audit.note(connection, at=now, actor=step.by, action=f"release.{wanted}", object=subject, detail=detail)
    return releases.set_status(connection, release.id, None, wanted)
