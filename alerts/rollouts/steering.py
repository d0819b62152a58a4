"""What people do to a roll-out: pause, resume, stop, continue against the gate; with a reason, in the ledger and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from alerts.rollouts.announce import Announcing
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import audit, findings, releases, rollout_decisions, rollout_steps, rollouts
from hearthwatch.records.rollout_decisions import GATE, Decision
from hearthwatch.records.rollout_steps import (
    COMPLETE,
    OVERRIDDEN,
    OVERRULES,
    PAUSED,
    RESUMED,
    SAID,
    STOPPED,
    Step,
    Taken,
)
from hearthwatch.records.rollouts import Rollout
from hearthwatch.said import Said, all_told

ACTIONS = ("pause", "resume", "stop", "continue")
LONGEST_REASON = 300
ALLOWED = {
    "pause": ("planned", "running", "held"),
    "resume": ("held", "paused", "stopped"),
    "stop": ("planned", "running", "held", "paused"),
    "continue": ("planned", "running", "held", "paused", "stopped"),
}


def steer(
    connection: Connection,
    rollout_id: int,
    revision: int | None,
    action: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    announce: Announcing,
) -> Taken:
    """Do what a person says. ``resume`` and ``continue`` overrule what the gate last held or stopped for, while this wave is the newest.

    ``continue`` also opens the next wave at once. What the gate alone found out (its own stop) is expected from then on, by this person and
    for this reason; the watch's findings stay. Raises `Missing`, `Stale`, `Invalid` without a reason, `Conflict` where its state does
    not allow it.
    """
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON:
        raise Invalid(Said("say why, in 1 to {most} letters", most=LONGEST_REASON), where="reason")
    rollout = rollouts.get(connection, rollout_id)
    if revision is not None and revision != rollout.revision:
        rollouts.change(connection, rollout_id, revision, {})  # says that it is stale
    _check(connection, rollout, action)
    taken = rollout_steps.take(connection, rollout, _step(connection, rollout, action, said, actor), now)
    announce(connection, taken)
    if OVERRULES in taken.decision.evidence:
        _expect(connection, rollout, said, actor, now)
    detail = {"reason": said, "decision": taken.decision.number, "wave": taken.decision.wave}
    audit.note(
        connection, at=now, actor=actor, action=f"rollout.{action}", object=f"rollout:{rollout_id}", detail=detail
    )
    return taken


def _check(connection: Connection, rollout: Rollout, action: str) -> None:
    if action not in ACTIONS:
        raise Invalid(f"an action is one of {', '.join(ACTIONS)}", where="action")
    if rollout.status not in ALLOWED[action]:
        raise Conflict(
            Said("a roll-out that is {status} can not be told to {action}", status=Said(rollout.status), action=action),
            where=f"rollout:{rollout.id}",
        )
    release = releases.get(connection, rollout.release_id)
    if action in {"resume", "continue"} and release.status == "withdrawn":
        raise Conflict(Said("{version} was withdrawn", version=release.version), where=f"release:{release.id}")


def _step(connection: Connection, rollout: Rollout, action: str, reason: str, actor: str) -> Step:
    if action == "pause":
        return _said("hold", PAUSED, Said("Paused: {reason}", reason=reason), actor)
    if action == "stop":
        return _said("stop", STOPPED, Said("Stopped: {reason}", reason=reason), actor)
    waves = rollouts.waves(connection, rollout.id)
    newest = rollouts.open_wave(waves)
    last = _halted_by(rollout_decisions.list_decisions(connection, rollout.id, limit=50), newest)
    numbers = {OVERRULES: [last.code, str(last.evidence.get("about", ""))]} if last is not None else {}
    if action == "resume" and newest:
        return _said("continue", RESUMED, Said("Resumed: {reason}", reason=reason), actor, numbers)
    if newest == len(waves):
        return _said("continue", COMPLETE, Said("Complete: {reason}", reason=reason), actor, numbers)
    says = Said("Wave {wave} opens: {reason}", wave=newest + 1, reason=reason)
    return _said("continue", OVERRIDDEN, says, actor, numbers, opens=newest + 1)


def _said(
    decision: str,
    code: str,
    says: Said,
    actor: str,
    numbers: Mapping[str, Any] = MappingProxyType({}),
    opens: int | None = None,
) -> Step:
    return Step(decision, code, says, actor, {**numbers, SAID: all_told([says])}, opens)


def _expect(connection: Connection, rollout: Rollout, reason: str, actor: str, now: datetime) -> None:
    """Mark the findings of the gate's own stops of this roll-out as expected; what the watch has seen since is no longer the gate's."""
    for state in ("open", "acknowledged"):
        found = findings.list_findings(
            connection, subject=f"release:{rollout.release_id}", kind="cohort", state=state, limit=100
        )
        for finding in found:
            if finding.evidence.get("rollout") == rollout.id:
                findings.expect(connection, finding.id, None, actor, now, reason)


def _halted_by(decisions: list[Decision], wave: int) -> Decision | None:
    """The gate's newest hold or stop of this wave."""
    return next((one for one in decisions if one.wave == wave and one.by == GATE and rollout_steps.halts(one)), None)
