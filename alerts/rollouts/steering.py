"""What people do to a roll-out: pause, resume, stop, continue against the gate; with a reason, in the ledger and the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.rollouts.announce import Announcing
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import audit, releases, rollout_decisions, rollout_steps, rollouts
from hearthwatch.records.rollout_decisions import GATE, Decision
from hearthwatch.records.rollout_steps import COMPLETE, OVERRIDDEN, OVERRULES, PAUSED, RESUMED, STOPPED, Step, Taken
from hearthwatch.records.rollouts import Rollout

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

    ``continue`` also opens the next wave at once. Raises `Missing`, `Stale`, `Invalid` without a reason, `Conflict` where its state does
    not allow it.
    """
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON:
        raise Invalid(f"say why, in 1 to {LONGEST_REASON} letters", where="reason")
    rollout = rollouts.get(connection, rollout_id)
    if revision is not None and revision != rollout.revision:
        rollouts.change(connection, rollout_id, revision, {})  # says that it is stale
    _check(connection, rollout, action)
    taken = rollout_steps.take(connection, rollout, _step(connection, rollout, action, said, actor), now)
    announce(connection, taken)
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
            f"a roll-out that is {rollout.status} can not be told to {action}", where=f"rollout:{rollout.id}"
        )
    release = releases.get(connection, rollout.release_id)
    if action in {"resume", "continue"} and release.status == "withdrawn":
        raise Conflict(f"{release.version} was withdrawn", where=f"release:{release.id}")


def _step(connection: Connection, rollout: Rollout, action: str, reason: str, actor: str) -> Step:
    if action == "pause":
        return Step("hold", PAUSED, f"Paused: {reason}", actor)
    if action == "stop":
        return Step("stop", STOPPED, f"Stopped: {reason}", actor)
    waves = rollouts.waves(connection, rollout.id)
    newest = rollouts.open_wave(waves)
    last = _halted_by(rollout_decisions.list_decisions(connection, rollout.id, limit=50), newest)
    numbers = {OVERRULES: [last.code, str(last.evidence.get("about", ""))]} if last is not None else {}
    if action == "resume" and newest:
        return Step("continue", RESUMED, f"Resumed: {reason}", actor, numbers)
    if newest == len(waves):
        return Step("continue", COMPLETE, f"Complete: {reason}", actor, numbers)
    return Step("continue", OVERRIDDEN, f"Wave {newest + 1} opens: {reason}", actor, numbers, opens=newest + 1)


def _halted_by(decisions: list[Decision], wave: int) -> Decision | None:
    """The gate's newest hold or stop of this wave."""
    return next((one for one in decisions if one.wave == wave and one.by == GATE and rollout_steps.halts(one)), None)
