"""What the records know of failures and renewals, as days per device: the labels of a model and the ends of its lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from analytics.panel import day_number
from analytics.service import renewals
from hearthwatch.records import devices, outcomes
from hearthwatch.values import Device

FAILURE = "failure"
EVERYTHING = 10_000_000


@dataclass(frozen=True, slots=True)
class Labels:
    """``failures`` and ``renewed`` by (device, part); ``by_model`` holds every device that is no test device, with its model."""

    by_model: Mapping[str, Sequence[Device]]
    failures: Mapping[tuple[str, str], Sequence[int]]
    renewed: Mapping[tuple[str, str], Sequence[int]]

    def parts_of(self, model: str) -> dict[str, int]:
        """How many failures of each part the devices of a model have had."""
        mine = {device.id for device in self.by_model.get(model, ())}
        counts: dict[str, int] = {}
        for (device, part), days in self.failures.items():
            if device in mine and part:
                counts[part] = counts.get(part, 0) + len(days)
        return dict(sorted(counts.items()))


def read_labels(connection: Connection, until: datetime) -> Labels:
    """What is known by ``until``."""
    by_model: dict[str, list[Device]] = {}
    for device in devices.list_devices(connection, test=False, limit=EVERYTHING):
        if device.model is not None:
            by_model.setdefault(device.model, []).append(device)
    failures: dict[tuple[str, str], list[int]] = {}
    for outcome in outcomes.list_outcomes(connection, until=until):
        if outcome.outcome == FAILURE:
            failures.setdefault((outcome.device_id, outcome.part), []).append(day_number(outcome.at))
    return Labels(by_model, failures, renewals(connection))


def born(device: Device) -> float:
    """The day a device came to its home, else was made, else was first seen; NaN where nobody knows."""
    at = device.installed_at or device.made or device.first_seen
    return float("nan") if at is None else float(day_number(at))
