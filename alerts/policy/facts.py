"""What a rule may ask about the device of a finding, beside the finding itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from hearthwatch.records import attributes, models, warranties
from hearthwatch.records.models import SafetyClass
from hearthwatch.values import Device

WarrantyState = Literal["in", "out", "unknown"]
GROUP = "group"
"""The attribute of a device that a rule's ``groups`` mean where they name none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A device as a rule sees it. ``groups`` are its further attributes as ``name=value``."""

    model: str | None = None
    region: str | None = None
    device_class: str | None = None
    safety_class: SafetyClass = "none"
    warranty: WarrantyState = "unknown"
    groups: frozenset[str] = frozenset()


NOTHING = Facts()


def of_device(connection: Connection, device: Device | None, now: datetime) -> Facts:
    """What is known of one device."""
    return of_devices(connection, [device], now)[device.id] if device is not None else NOTHING


def of_devices(connection: Connection, devices: Iterable[Device], now: datetime) -> dict[str, Facts]:
    """What is known of some devices, by id."""
    found = list(devices)
    sold = models.find(connection, {one.model for one in found if one.model})
    ends = warranties.of_devices(connection, [one.id for one in found])
    told = attributes.present(connection, [one.id for one in found])
    facts = {}
    for one in found:
        model = sold.get(one.model or "")
        covers = ends[one.id].covers(now)
        facts[one.id] = Facts(
            one.model,
            one.region,
            model.device_class if model else None,
            model.safety_class if model else "none",
            "unknown" if covers is None else "in" if covers else "out",
            frozenset(f"{name}={value}" for name, value in told.get(one.id, {}).items()),
        )
    return facts
