"""The release a cohort's finding is about, and whether it is still out there."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records import devices, releases
from hearthwatch.values import Device, Release

PREFIX = "release:"
SEEN_LATELY = timedelta(days=14)
PAGE = 200


def release_of(connection: Connection, kind: str, subject: str) -> Release | None:
    """The release that a finding of kind cohort names as its subject; None for any other finding, or a release that is gone."""
    number = subject.removeprefix(PREFIX)
    if kind != "cohort" or not subject.startswith(PREFIX) or not number.isdecimal():
        return None
    try:
        return releases.get(connection, int(number))
    except Missing:
        return None


def still_runs(connection: Connection, bad: Release, now: datetime) -> bool:
    """Whether any device that is in use and was seen lately runs a release."""
    after: str | None = None
    while True:
        page = devices.list_devices(
            connection, model=bad.model, version=bad.version, test=False, after=after, limit=PAGE
        )
        if any(_is_about(device, now) for device in page):
            return True
        if len(page) < PAGE:
            return False
        after = page[-1].id


def _is_about(device: Device, now: datetime) -> bool:
    removed = device.removed_at is not None and device.removed_at <= now
    return not removed and device.last_seen is not None and device.last_seen > now - SEEN_LATELY
