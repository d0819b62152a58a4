"""Decisions on their way out: messages in the outbox, in the transaction that decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.policy.file import parse
from alerts.rollouts.services import NONE
from hearthwatch.records import commands, outbox, policies, rollout_devices, rollout_steps
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_steps import COMPLETE, OPENS, RESUMED, Taken
from hearthwatch.wire.commands.requests import UPDATE

KIND = "rollout"
SERVICE_CHANNEL, WEBHOOK_CHANNEL = "rollouts", "webhook"
WEBHOOK_ADDRESS = "webhook:rollout-decisions"
"""Where it leads is a setting: an address may hold a secret, and the outbox is shown to people."""
EVENT = "rollout.decision"


@dataclass(frozen=True, slots=True)
class Announcing:
    """Who hears of decisions besides the service: ``webhook`` says whether one is configured."""

    webhook: bool = False

    def __call__(self, connection: Connection, taken: Taken) -> None:
        """Write the messages of a decision, and call back what may not leave any more."""
        if rollout_steps.halts(taken.decision):
            _call_back(connection, taken)
        _to_service(connection, taken)
        if self.webhook:
            _to_webhook(connection, taken)
        _to_engineers(connection, taken)


def key_of(rollout_id: int, number: int, channel: str) -> str:
    """The idempotency key of a decision's message."""
    return f"rollout:{rollout_id}:{number}:{channel}"


def service_act(decision: Decision) -> tuple[str, int] | None:
    """What the service has to do about a decision, and up to which group; None where nothing."""
    if rollout_steps.halts(decision):
        return "pause", decision.wave
    if decision.decision != "continue" or decision.code == COMPLETE:
        return None
    opens = decision.evidence.get(OPENS)
    if isinstance(opens, int):
        return "advance", opens
    return ("resume" if decision.code == RESUMED else "advance"), decision.wave


def as_json(taken: Taken) -> dict[str, Any]:
    """A decision as the maker's own systems read it: type, timestamp and data, as Standard Webhooks recommends."""
    rollout, release, decision = taken.rollout, taken.release, taken.decision
    data = {
        "rollout": rollout.id,
        "release": {"id": release.id, "model": release.model, "version": release.version},
        "number": decision.number,
        "at": decision.at.isoformat(),
        "decision": decision.decision,
        "code": decision.code,
        "why": decision.why,
        "by": decision.by,
        "wave": decision.wave,
        "opens": decision.evidence.get(OPENS),
        "status": rollout.status,
        "evidence": dict(decision.evidence),
    }
    return {"type": EVENT, "timestamp": decision.at.isoformat(), "data": data}


def _to_service(connection: Connection, taken: Taken) -> None:
    rollout, decision = taken.rollout, taken.decision
    act = service_act(decision)
    if rollout.service == NONE or rollout.service_id is None or act is None:
        return
    for number in range(1, decision.number):  # what still waits has been overtaken
        key = key_of(rollout.id, number, SERVICE_CHANNEL)
        outbox.cancel_key(connection, key, f"decision {decision.number} came after it")
    what = {"rollout": rollout.id, "number": decision.number, "act": act[0], "group": act[1]}
    _put(connection, taken, SERVICE_CHANNEL, f"{KIND}:{rollout.id}", f"{act[0]} {rollout.service}", what)


def _to_webhook(connection: Connection, taken: Taken) -> None:
    _put(connection, taken, WEBHOOK_CHANNEL, WEBHOOK_ADDRESS, EVENT, as_json(taken))


def _put(
    connection: Connection, taken: Taken, channel: str, address: str, subject: str, what: Mapping[str, Any]
) -> None:
    outbox.put(
        connection,
        kind=KIND,
        channel=channel,
        address=address,
        payload={"subject": subject, "text": json.dumps(what, separators=(",", ":")), "html": ""},
        key=key_of(taken.rollout.id, taken.decision.number, channel),
        now=taken.decision.at,
    )


def _to_engineers(connection: Connection, taken: Taken) -> None:
    """Engineers hear of what halts a roll-out, where the policy in force names their addresses and may send."""
    version = policies.current(connection)
    if version is None or version.mode != "live" or not rollout_steps.halts(taken.decision):
        return
    release, decision = taken.release, taken.decision
    subject = f"roll-out of {release.model} {release.version}: {decision.decision}"
    text = f"{decision.why}\n\nwave {decision.wave}, decided by {decision.by}, roll-out {taken.rollout.id}"
    for number, address in enumerate(parse(version.text).engineers.addresses):
        outbox.put(
            connection,
            kind="engineer",
            channel=channel_of(address) or "",
            address=address,
            payload={"subject": subject, "text": text, "html": ""},
            key=f"{key_of(taken.rollout.id, decision.number, 'engineer')}:{number}",
            now=decision.at,
        )


def _call_back(connection: Connection, taken: Taken) -> None:
    """Updates to this release that were accepted and have not left are called back; the owner may accept again later."""
    reason = f"the roll-out of {taken.release.version} is {taken.rollout.status}"
    for command in _waiting_updates(connection, taken):
        if command.outbox_at is None or outbox.cancel_key(connection, commands.key_of(command.id), reason):
            commands.end(connection, command.id, "cancelled", reason)


def _waiting_updates(connection: Connection, taken: Taken) -> list[commands.Command]:
    waiting = commands.list_commands(connection, kind=UPDATE, state="queued", limit=_ALL)
    theirs = rollout_devices.among(connection, taken.rollout.id, [one.device_id for one in waiting])
    return [one for one in waiting if one.device_id in theirs and _is_for(one.parameters, taken.release.version)]


def _is_for(parameters: Mapping[str, Any], version: str) -> bool:
    return parameters.get("version") in {None, version}


_ALL = 1_000_000
