"""How an update stands that its owner accepted: told as it is, device by device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers import offers
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Conflict
from hearthwatch.records import commands, notices, update_installs
from hearthwatch.records.update_installs import UpdateInstall

SENTENCES: Mapping[str, str] = {
    "waiting": phrase(
        "{device}: version {version} waits for its turn. Devices of one network are updated one after another."
    ),
    "offline": phrase(
        "{device}: we send version {version} as soon as the device can be reached. Please leave it switched on."
    ),
    "sent": phrase(
        "{device}: the update is on its way to your device. It installs version {version} by itself and restarts once; please leave it "
        "switched on."
    ),
    "running": phrase(
        "{device} has been running version {version} since {when}. We are keeping an eye on whether all is well."
    ),
    "healthy": phrase("{device} has been running version {version} since {when}, and all is well."),
    "failed": phrase(
        "{device}: the update to version {version} did not work. Our service knows and looks into it; you can also try it once more."
    ),
    "cancelled": phrase("{device}: version {version} is not installed for now. We write to you when it is ready."),
}
"""By how it stands; ``offline``: the device has not been reached yet."""


def show(look: Look) -> Mapping[str, Any] | None:
    """The updates that were accepted: of the link's notice, or of the devices the link is about."""
    found = _installs(look)
    offered = offers.offer(look.connection, look.notice, look.now) if look.notice is not None else None
    if not found:
        return None
    return {
        "told": [_told(look, install) for install in found],
        "again": offered is not None and any(install.state == "failed" for install in found),
    }


def _installs(look: Look) -> list[UpdateInstall]:
    if look.notice is not None:
        return update_installs.of_notice(look.connection, look.notice.id)
    newest = {one.device_id: one for one in update_installs.of_devices(look.connection, look.device_ids)}
    return [one for one in newest.values() if one.customer_id == look.customer.id]


def _told(look: Look, install: UpdateInstall) -> str:
    when = look.say.date(install.reported_at) if install.reported_at else ""
    sentence = SENTENCES[_standing(look, install)]
    return look.say(sentence, device=install.device_id, version=install.version, when=when)


def _standing(look: Look, install: UpdateInstall) -> str:
    if install.state == "sent" and install.command_id is not None:
        command = commands.find(look.connection, install.command_id)
        if command is not None and command.state == "queued" and command.outbox_at is None:
            return "offline"
    return install.state


def again(pressed: Press) -> str | None:
    """Try once more where it failed."""
    look = pressed.look
    if look.notice is None or not any(one.state == "failed" for one in _installs(look)):
        raise Conflict("there is nothing to try again")
    offers.accept(look.connection, look.notice, look.now)
    return "again"


def install(pressed: Press) -> str | None:
    """Accept the version that a security notice asks for; its button stands with the notice, as those of other notices do."""
    look = pressed.look
    if look.notice is None or look.notice.kind != "advisory":
        raise Conflict("this link offers nothing to install")
    offers.accept(look.connection, look.notice, look.now)
    notices.note(look.connection, look.notice.id, look.now, "accept_update", pressed.actor, {})
    return None  # how it stands is shown from now on


SECTION = Section(
    "update",
    show,
    {"update_again": again, "update_install": install},
    {"again": phrase("All right. We will try it once more.")},
)
