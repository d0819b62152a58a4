"""Device-months under observation, by what devices have in common, month by month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from alerts.learning.rates import DAYS_PER_MONTH
from alerts.tickets.ending import PUT_IN_BY
from hearthwatch.errors import Invalid
from hearthwatch.firmware import version
from hearthwatch.records import attributes, devices, firmware_changes, parts
from hearthwatch.records.firmware_changes import FirmwareChange
from hearthwatch.values import Device

EVERY = 10_000_000
UNKNOWN = "–"
ALWAYS = datetime.min.replace(tzinfo=UTC)
COLUMNS = ("model", "hardware", "region")
PART = "part:"
SILENT_AFTER = timedelta(days=30)
"""A device that has not been heard for so long is not under observation from its last word on."""


@dataclass(frozen=True, slots=True)
class Span:
    """A device with a value of the dimension, under observation from ``begin`` to ``end``."""

    device_id: str
    model: str
    value: str
    begin: datetime
    end: datetime


def spans(connection: Connection, by: str, since: datetime, until: datetime) -> list[Span]:
    """Every device's time under observation within [since, until), and what it has in common with others then.

    ``by`` is model, hardware, region, firmware, part:NAME (by the part's detail), or the name of an attribute. A device counts from its
    installation, else from when it was first heard, until it was removed; one that fell silent until it was last heard. Devices for tests
    do not count. Raises `Invalid` for what no device has.
    """
    known = [one for one in devices.list_devices(connection, limit=EVERY) if not one.test]
    watched = {one.id: (one, *bounds) for one in known if (bounds := _watched(one, since, until)) is not None}
    if by in COLUMNS:
        return [
            Span(one.id, one.model or UNKNOWN, getattr(one, by) or UNKNOWN, begin, end)
            for one, begin, end in watched.values()
        ]
    values = _values_over_time(connection, by, watched)
    return [span for one in watched.values() for span in _cut(one, values.get(one[0].id, ()))]


def _watched(device: Device, since: datetime, until: datetime) -> tuple[datetime, datetime] | None:
    begin = device.installed_at or device.first_seen or device.made
    if begin is None:
        return None
    end = min(until, device.removed_at or until)
    if device.last_seen is not None and until - device.last_seen > SILENT_AFTER:
        end = min(end, device.last_seen)
    begin = max(begin, since)
    return (begin, end) if begin < end else None


Value = tuple[str, datetime, datetime | None]
Watched = tuple[Device, datetime, datetime]


def _values_over_time(connection: Connection, by: str, watched: Mapping[str, Watched]) -> dict[str, list[Value]]:
    """(value, from, to) of each device; what lies between two of them is unknown."""
    ids = sorted(watched)
    if by == "firmware":
        changes = firmware_changes.of_devices(connection, ids)
        return {one: _firmwares(device, changes.get(one, ())) for one, (device, _, _) in watched.items()}
    found: dict[str, list[Value]] = defaultdict(list)
    if by.startswith(PART):
        name = by.removeprefix(PART)
        for part in parts.over_time(connection, name, ids):
            found[part.device_id].append((_detail(part.detail), part.from_at, part.to_at))
    else:
        attributes.check_name(by)
        for one in attributes.find(connection, by, ids):
            found[one.device_id].append((one.value, one.from_at, one.to_at))
    if not found:
        raise Invalid(
            f"no device has {by!r}; there are {', '.join(COLUMNS)}, firmware, part:NAME, and attributes", where="by"
        )
    return found


def _detail(detail: str | None) -> str:
    """What parts have in common: one that a ticket put in has only the ticket's number, and is of nobody's batch."""
    return UNKNOWN if not detail or detail.startswith(PUT_IN_BY) else detail


def _firmwares(device: Device, changes: Sequence[FirmwareChange]) -> list[Value]:
    """What a device ran and when; before the first change that is kept, what it changed from."""
    if not changes:
        return [(_named(device.firmware), ALWAYS, None)]
    found: list[Value] = [(_named(changes[0].before), ALWAYS, changes[0].at)]
    ends: list[datetime | None] = [*(one.at for one in changes[1:]), None]
    found.extend((_named(one.after), one.at, to) for one, to in zip(changes, ends, strict=True))
    return found


def _named(firmware: str | None) -> str:
    return version(firmware).text or UNKNOWN if firmware else UNKNOWN


def _cut(watched: Watched, values: Sequence[Value]) -> Iterable[Span]:
    device, begin, end = watched
    for value, from_at, to_at in values:
        first, last = max(begin, from_at), min(end, to_at or end)
        if first < last:
            yield Span(device.id, device.model or UNKNOWN, value, first, last)


def months_between(since: datetime, until: datetime) -> list[datetime]:
    """The first instants of the calendar months (UTC) that [since, until) touches."""
    month = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = []
    while month < until:
        found.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return found


def device_months(some: Iterable[Span], since: datetime, until: datetime) -> dict[tuple[str, str], float]:
    """Device-months by (model, value) within [since, until)."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for span in some:
        days = (min(span.end, until) - max(span.begin, since)).total_seconds() / 86_400
        if days > 0:
            found[span.model, span.value] += days / DAYS_PER_MONTH
    return dict(found)


class Whose:
    """Finds the value a device had at a time."""

    def __init__(self, some: Iterable[Span]) -> None:
        self._of: dict[str, list[Span]] = defaultdict(list)
        for span in some:
            self._of[span.device_id].append(span)

    def __call__(self, device_id: str, at: datetime) -> tuple[str, str] | None:
        """(model, value) of a device at a time; None where it was not under observation then.

        What comes to be known after its last word or its removal counts for what it had last: devices that die fall silent, and their
        tickets close later. Leaving those out would make whatever kills devices look harmless.
        """
        mine = self._of.get(device_id, ())
        found = next((one for one in mine if one.begin <= at <= one.end), None)
        if found is None and mine and at > (last := max(mine, key=lambda one: one.end)).end:
            found = last
        return (found.model, found.value) if found is not None else None
