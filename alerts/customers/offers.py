"""The update a notice offers, and what happens when its customer accepts: commands into the outbox, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.campaigns.answers import update_of
from alerts.customers import installs
from alerts.policy import decisions
from alerts.policy.bad_releases import release_of
from hearthwatch.errors import Conflict
from hearthwatch.records import customers, devices, findings, releases, rollouts, ticket_findings, update_installs
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.records.updatable import can_take
from hearthwatch.values import Device, Notice, Release


@dataclass(frozen=True, slots=True)
class Offer:
    """A version, and the customer's devices that it helps and that can be told to install it."""

    version: str
    release_id: int
    devices: tuple[str, ...]


def offer(connection: Connection, notice: Notice, now: datetime) -> Offer | None:
    """What a notice offers at this moment; None where nothing is left to install, or no device's wave is open."""
    fix, concerned = _wanted(connection, notice, now)
    if fix is None:
        return None
    open_to = rollouts.open_to(connection, fix.id, [one.id for one in concerned])
    able = sorted(
        one.id
        for one in concerned
        if decisions.helps(fix, one) and one.id in open_to and can_take(connection, one, fix, now)
    )
    return Offer(fix.version, fix.id, tuple(able)) if able else None


def _wanted(connection: Connection, notice: Notice, now: datetime) -> tuple[Release | None, list[Device]]:
    """The release that a notice is about, and the owner's devices that it is for."""
    theirs = devices.find(connection, customers.devices_of(connection, notice.customer_id, now))
    if notice.kind == "advisory":
        return _of_advisory(connection, notice, theirs)
    if notice.kind != "update" or notice.finding_id is None:
        return None, []
    finding = findings.get(connection, notice.finding_id)
    bad = release_of(connection, finding.kind, finding.subject)
    if bad is not None:
        concerned = [one for one in theirs.values() if (one.model, one.version) == (bad.model, bad.version)]
        return releases.fix_for(connection, bad.model, bad.version), concerned
    concerned = [one for one in theirs.values() if one.id == notice.device_id]
    model = concerned[0].model if concerned else None
    return releases.fix_for(connection, model, finding.mode) if model else None, concerned


def _of_advisory(
    connection: Connection, notice: Notice, theirs: Mapping[str, Device]
) -> tuple[Release | None, list[Device]]:
    """The release that closes a vulnerability; of devices of several models, that of the notice's own device."""
    told = update_of(connection, notice)
    own = theirs.get(notice.device_id)
    if told is None or own is None or own.model is None:
        return None, []
    version, ids = told
    concerned = [one for one in theirs.values() if one.id in ids and one.model == own.model]
    found = releases.by_version(connection, own.model, version)
    return found if found is not None and found.status != "withdrawn" else None, concerned


def accept(connection: Connection, notice: Notice, now: datetime) -> Offer:
    """Have the devices install it, one after another where they have to. Accepting twice tells them once.

    Raises `Conflict` where nothing is left to install.
    """
    offered = offer(connection, notice, now)
    if offered is None:
        raise Conflict("there is nothing left to install")
    for device in offered.devices:
        update_installs.accept(
            connection,
            notice_id=notice.id,
            device_id=device,
            customer_id=notice.customer_id,
            release_id=offered.release_id,
            version=offered.version,
            now=now,
        )
    installs.send_waiting(connection, now)
    about = next(iter(ticket_findings.of_findings(connection, [notice.finding_id or 0]).values()), None)
    if about is not None and about.kind == "device" and about.state != "closed":
        detail = {"wish": "update", "version": offered.version}
        ticket_rows.note(connection, about.id, now, "customer", f"customer:{notice.customer_id}", detail)
    return offered
