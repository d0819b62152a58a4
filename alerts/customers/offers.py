"""The update a notice offers, and what happens when its customer accepts: commands into the outbox, in the same transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy import decisions
from alerts.policy.bad_releases import release_of
from hearthwatch.errors import Conflict
from hearthwatch.records import asking, commands, customers, devices, findings, outbox, releases, rollouts
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.records.asking import Question
from hearthwatch.values import DEVICE_ID, Device, Notice
from hearthwatch.wire.commands.requests import UPDATE

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Offer:
    """A version, and the customer's devices that it helps and that can be told to install it."""

    version: str
    devices: tuple[str, ...]


def offer(connection: Connection, notice: Notice, now: datetime) -> Offer | None:
    """What a notice of kind update offers at this moment; None where nothing is left to install, or no device's wave is open."""
    if notice.kind != "update" or notice.finding_id is None:
        return None
    finding = findings.get(connection, notice.finding_id)
    theirs = devices.find(connection, customers.devices_of(connection, notice.customer_id, now))
    bad = release_of(connection, finding.kind, finding.subject)
    if bad is not None:
        fix = releases.fix_for(connection, bad.model, bad.version)
        concerned = [one for one in theirs.values() if (one.model, one.version) == (bad.model, bad.version)]
    else:
        concerned = [one for one in theirs.values() if one.id == notice.device_id]
        model = concerned[0].model if concerned else None
        fix = releases.fix_for(connection, model, finding.mode) if model else None
    if fix is None:
        return None
    open_to = rollouts.open_to(connection, fix.id, [one.id for one in concerned])
    able = sorted(one.id for one in concerned if decisions.helps(fix, one) and _can_be_told(one) and one.id in open_to)
    return Offer(fix.version, tuple(able)) if able else None


def accept(connection: Connection, notice: Notice, now: datetime) -> Offer:
    """Tell the devices to install it. Accepting twice tells them once. Raises `Conflict` where nothing is left to install."""
    offered = offer(connection, notice, now)
    if offered is None:
        raise Conflict("there is nothing left to install")
    for device in offered.devices:
        _tell(connection, notice, devices.get(connection, device), offered.version, now)
    about = next(iter(ticket_rows.of_findings(connection, [notice.finding_id or 0]).values()), None)
    if about is not None and about.kind == "device" and about.state != "closed":
        detail = {"wish": "update", "version": offered.version}
        ticket_rows.note(connection, about.id, now, "customer", f"customer:{notice.customer_id}", detail)
    return offered


def _tell(connection: Connection, notice: Notice, device: Device, version: str, now: datetime) -> None:
    """Tell a device to install a version, once for this acceptance. An update to another version that still waits is called back."""
    key = hashlib.sha256(f"update:{notice.id}:{device.id}:{version}".encode()).hexdigest()
    waits = commands.pending(connection, device.id, UPDATE)
    if waits is not None and waits.parameters.get("version") != version:
        commands.end(connection, waits.id, "cancelled", f"the update to {version} was accepted instead")
        outbox.cancel_key(connection, commands.key_of(waits.id), f"the update to {version} was accepted instead")
    question = Question(
        UPDATE,
        f"customer:{notice.customer_id}",
        f"its owner accepted the update to {version}",
        f"acceptance:{notice.id}",
        {"version": version},
        finding_id=notice.finding_id,
        notice_id=notice.id,
        request_id=key[:32],
    )
    command, new = asking.ask(connection, device, question, now)
    if new:
        asking.dispatch_if_there(connection, command, now)


def _can_be_told(device: Device) -> bool:
    """Only devices of the native convention have a command topic of ours."""
    return device.convention in {None, NATIVE} and DEVICE_ID.fullmatch(device.id) is not None
