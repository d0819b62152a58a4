"""What becomes of an update that its owner accepted, until it is known whether it worked.

A device's answer decides nothing: it ran the version when it reported it, and it worked when the release's gate says so (or, without a
staged roll-out, when the device has been heard of and well for a day on it). Devices of one Zigbee network are updated one after another:
an update fills their radio for minutes (www.zigbee2mqtt.io, OTA updates).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.customers.failed_updates import tell_staff
from hearthwatch.errors import HearthwatchError
from hearthwatch.firmware import version as normalised
from hearthwatch.records import (
    asking,
    command_routes,
    commands,
    devices,
    findings,
    outbox,
    releases,
    rollout_devices,
    rollouts,
    update_installs,
)
from hearthwatch.records.asking import Question
from hearthwatch.records.database import Database
from hearthwatch.records.rollout_devices import Member
from hearthwatch.records.update_installs import UpdateInstall
from hearthwatch.values import Device
from hearthwatch.wire.commands.requests import UPDATE

UNDER_WAY = 100
"""Updates that are on their way at a time: images are fetched from one server."""
AFTER_NO = timedelta(hours=2)
"""How long after an answer that says no, or none, a device may still report the version."""
AFTER_YES = timedelta(hours=24)
HEALTHY = timedelta(hours=24)
SILENT = timedelta(hours=72)
HEARD_LATELY = timedelta(hours=6)
ENDED = frozenset({"failed", "timed_out", "refused"})


def tend(database: Database, now: datetime) -> Mapping[str, int]:
    """Look at every accepted update that is not settled, and let those leave whose turn has come. Returns counts of what happened."""
    with database.reading() as connection:
        if not update_installs.unsettled(connection):
            return {}
    with database.transaction() as connection:
        done: Counter[str] = Counter()
        unsettled = update_installs.unsettled(connection)
        round_ = _Round(connection, unsettled)
        for install in unsettled:
            after = _step(round_, install, now)
            done[after.state] += after.state != install.state
        done["sent"] += send_waiting(connection, now)
    return {name: count for name, count in done.items() if count}


def send_waiting(connection: Connection, now: datetime) -> int:
    """Tell devices to install what their owners accepted, as far as it is their turn. Returns how many."""
    unsettled = update_installs.unsettled(connection)
    sent = [one for one in unsettled if one.state == "sent"]
    busy = {place for one in sent if (place := _place(connection, one)) is not None}
    done = 0
    for install in (one for one in unsettled if one.state == "waiting"):
        if len(sent) + done >= UNDER_WAY:
            break
        place = _place(connection, install)
        if place in busy:
            continue
        if _send(connection, install, now):
            done += 1
            busy |= {place} if place is not None else set()
    return done


def _place(connection: Connection, install: UpdateInstall) -> str | None:
    """The radio network that an update would fill; None where it is no matter of anybody else's."""
    device = devices.find(connection, [install.device_id]).get(install.device_id)
    route = command_routes.route_to(connection, device) if device is not None else None
    return route.place if route is not None and route.family == "zigbee2mqtt" else None


def _send(connection: Connection, install: UpdateInstall, now: datetime) -> bool:
    """Tell one device. An update to another version that still waits is called back."""
    device = devices.get(connection, install.device_id)
    waits = commands.pending(connection, device.id, UPDATE)
    if waits is not None and waits.parameters.get("version") != install.version:
        why = f"the update to {install.version} was accepted instead"
        commands.end(connection, waits.id, "cancelled", why)
        outbox.cancel_key(connection, commands.key_of(waits.id), why)
    release = releases.get(connection, install.release_id)
    image = {"url": release.image_url, "sha256": release.image_sha256}
    key = hashlib.sha256(f"update:{install.id}:{install.revision}:{device.id}:{install.version}".encode()).hexdigest()
    question = Question(
        UPDATE,
        f"customer:{install.customer_id}",
        f"its owner accepted the update to {install.version}",
        f"acceptance:{install.notice_id}",
        {"version": install.version, **{name: value for name, value in image.items() if value}},
        notice_id=install.notice_id,
        request_id=key[:32],
    )
    try:
        command, new = asking.ask(connection, device, question, now)
    except HearthwatchError as error:
        _fail(connection, install, error.message, now)
        return False
    if new:
        asking.dispatch_if_there(connection, command, now)
    changes = {"state": "sent", "command_id": command.id, "tries": install.tries + 1, "sent_at": now}
    update_installs.change(connection, install, changes)
    return True


# -- how it goes


class _Round:
    """What one look at all of them needs, read once: devices, and what the gates say of those in a roll-out."""

    def __init__(self, connection: Connection, unsettled: Sequence[UpdateInstall]) -> None:
        self.connection = connection
        self.devices = devices.find(connection, sorted({one.device_id for one in unsettled}))
        self._waiting = [one for one in unsettled if one.state == "waiting"]
        self._members: dict[int, Mapping[str, Member]] = {}
        self._open: dict[int, set[str]] = {}

    def member(self, install: UpdateInstall) -> Member | None:
        """The device in the roll-out of its release, if there is one."""
        if install.release_id not in self._members:
            rollout = rollouts.of_release(self.connection, install.release_id)
            members = rollout_devices.load(self.connection, rollout.id) if rollout is not None else {}
            self._members[install.release_id] = members
        return self._members[install.release_id].get(install.device_id)

    def is_open(self, install: UpdateInstall) -> bool:
        """Whether the roll-out of its release is open to a device that waits."""
        if install.release_id not in self._open:
            ids = [one.device_id for one in self._waiting if one.release_id == install.release_id]
            self._open[install.release_id] = rollouts.open_to(self.connection, install.release_id, ids)
        return install.device_id in self._open[install.release_id]


def _step(this: _Round, install: UpdateInstall, now: datetime) -> UpdateInstall:
    connection, device = this.connection, this.devices.get(install.device_id)
    if device is None:
        return _cancel(connection, install, "the device is not known any more", now)
    if device.removed_at is not None and device.removed_at <= now:
        return _cancel(connection, install, "the device is not in use any more", now)
    if install.state == "running":
        return _judge(this, install, device, now)
    if device.version == normalised(install.version).text:
        return update_installs.change(connection, install, {"state": "running", "reason": None, "reported_at": now})
    if install.state == "sent":
        return _follow(connection, install, now)
    if not this.is_open(install):
        return _cancel(connection, install, "the roll-out of this release is not open to it now", now)
    return install


def _follow(connection: Connection, install: UpdateInstall, now: datetime) -> UpdateInstall:
    """What the answer, or none, leaves to hope for."""
    command = commands.find(connection, install.command_id) if install.command_id is not None else None
    if command is None:
        return _fail(connection, install, "nothing was heard of it", now)
    if command.state == "cancelled":
        return _cancel(connection, install, command.reason or "it was called back", now)
    told = command.sent_at or command.created_at
    if command.state in ENDED and (command.sent_at is None or now - told >= AFTER_NO):
        return _fail(connection, install, command.reason or "the device could not", now)
    if command.state == "answered" and now - told >= AFTER_YES:
        return _fail(connection, install, f"it said yes, but never reported {install.version}", now)
    return install


def _judge(this: _Round, install: UpdateInstall, device: Device, now: datetime) -> UpdateInstall:
    """Whether it works on the device: the gate's word where the release is rolled out in waves, else a day of being well."""
    connection, member = this.connection, this.member(install)
    if member is not None and member.outcome == "success":
        return _settle(connection, install, "healthy", None, now)
    if member is not None and member.outcome in {"unhealthy", "silent"}:
        return _fail(connection, install, member.why or f"it is {member.outcome} on it", now)
    runs, wanted = normalised(device.version or ""), normalised(install.version)
    if runs.text != wanted.text:
        if runs.key > wanted.key:
            return _settle(connection, install, "healthy", None, now)
        return _fail(connection, install, f"it went back to {device.version}", now)
    if member is not None and member.outcome == "updated":
        return install
    return _alone(connection, install, device, now)


def _alone(connection: Connection, install: UpdateInstall, device: Device, now: datetime) -> UpdateInstall:
    """A device on a release that no roll-out watches."""
    since = install.reported_at or now
    heard = device.last_seen or since
    if now - max(heard, since) >= SILENT:
        return _fail(connection, install, "it has not been heard of since", now)
    if now - since < HEALTHY or now - heard > HEARD_LATELY:
        return install
    for finding in findings.list_findings(connection, subject=device.id, state="open"):
        if finding.severity == "critical" and finding.first_seen >= since:
            return _fail(connection, install, f"since then: {finding.mode}", now)
    return _settle(connection, install, "healthy", None, now)


def _fail(connection: Connection, install: UpdateInstall, reason: str, now: datetime) -> UpdateInstall:
    failed = _settle(connection, install, "failed", reason, now)
    tell_staff(connection, failed, now)
    return failed


def _cancel(connection: Connection, install: UpdateInstall, reason: str, now: datetime) -> UpdateInstall:
    return _settle(connection, install, "cancelled", reason, now)


def _settle(
    connection: Connection, install: UpdateInstall, state: str, reason: str | None, now: datetime
) -> UpdateInstall:
    return update_installs.change(connection, install, {"state": state, "reason": reason, "settled_at": now})
