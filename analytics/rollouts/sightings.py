"""What the telemetry tells of updated devices: when they first reported the release, and in which hours they rebooted unexpectedly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from analytics.rollouts.outcomes import Course, Seen
from hearthwatch.firmware import version as normalised
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.rollout_devices import Candidate, Member

_LOOKS_BACK = timedelta(days=14)
_AN_HOUR = timedelta(hours=1)


def sightings(
    store: TelemetryStore,
    members: Mapping[str, Member],
    candidates: Mapping[str, Candidate],
    deferred: Mapping[str, datetime],
    intervals: Mapping[str, float],
    course: Course,
) -> dict[str, Seen]:
    """What is known of each device beside the registry. Two questions to the store, about devices on the release alone."""
    on_it = [
        name
        for name, member in members.items()
        if member.outcome not in {"success", "unhealthy", "left"}
        and (device := candidates.get(name)) is not None
        and device.version == course.version
    ]
    new = [name for name in on_it if members[name].updated_at is None]
    first = _first_reports(store, new, course)
    known = {name: members[name].updated_at or first.get(name) or course.now for name in on_it}
    bad = _bad_hours(store, known, course)
    return {
        name: Seen(
            updated_at=first.get(name),
            bad_hours=bad.get(name, 0),
            interval_s=intervals.get(name, 0.0),
            deferred_at=deferred.get(name),
        )
        for name in members
    }


def _first_reports(store: TelemetryStore, devices: list[str], course: Course) -> dict[str, datetime]:
    """The end of the first hour in which each device reported the release (it is known to the hour), or now where that comes first."""
    if not devices:
        return {}
    table = store.exposure(course.now - _LOOKS_BACK, course.now, devices=devices)
    columns = (table.column(name).to_pylist() for name in ("device", "firmware", "hour"))
    first: dict[str, datetime] = {}
    spelled: dict[str | None, bool] = {}
    for device, firmware, hour in zip(*columns, strict=True):
        if firmware not in spelled:
            spelled[firmware] = firmware is not None and normalised(firmware).text == course.version
        if spelled[firmware]:
            first[device] = min(first.get(device, hour), hour)
    return {device: min(hour + _AN_HOUR, course.now) for device, hour in first.items()}


def _bad_hours(store: TelemetryStore, updated: Mapping[str, datetime], course: Course) -> dict[str, int]:
    """Hours since its update in which each device rebooted unexpectedly."""
    if not updated:
        return {}
    table = store.events(min(updated.values()), course.now, devices=sorted(updated), kinds=["reboot"])
    columns = (table.column(name).to_pylist() for name in ("device", "at", "code"))
    hours: dict[str, set[int]] = {}
    for device, at, code in zip(*columns, strict=True):
        if code not in REBOOT_CODES_EXPECTED and at >= updated[device]:
            hours.setdefault(device, set()).add(int(at.timestamp() // 3600))
    return {device: len(of_it) for device, of_it in hours.items()}
