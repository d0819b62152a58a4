"""Whether a device can be told to install a release: by its convention, and as it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from hearthwatch.errors import HearthwatchError
from hearthwatch.records import asking
from hearthwatch.values import DEVICE_ID, Device, Release
from hearthwatch.wire.commands.requests import UPDATE

NEEDS_IMAGE = frozenset({"tasmota"})
"""Conventions that load whatever lies at an address: without the release's own, another firmware might come."""


def can_take(connection: Connection, device: Device, release: Release, now: datetime) -> bool:
    """Whether a device is in use, is reached by a convention that takes updates, and there is what that convention needs."""
    if device.removed_at is not None and device.removed_at <= now:
        return False
    try:
        route = asking.route_for(connection, device, UPDATE)
    except HearthwatchError:
        return False
    if route.family == "native" and DEVICE_ID.fullmatch(device.id) is None:
        return False
    return release.image_url is not None or route.family not in NEEDS_IMAGE
