"""What a rule may ask about the device of a finding, beside the finding itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from hearthwatch.records import attributes, models, warranties
from hearthwatch.records.models import Model, SafetyClass
from hearthwatch.records.warranties import Warranty
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
NO_GROUPS: frozenset[str] = frozenset()
Question = Literal["model", "warranty", "groups"]
"""What has to be looked up: the registered model's classes, the warranty, further attributes."""
QUESTIONS: tuple[Question, ...] = ("model", "warranty", "groups")


def of_device(connection: Connection, device: Device | None, now: datetime) -> Facts:
    """What is known of one device."""
    return of_devices(connection, [device], now)[device.id] if device is not None else NOTHING


def of_devices(
    connection: Connection, devices: Iterable[Device], now: datetime, asked: Collection[Question] = QUESTIONS
) -> dict[str, Facts]:
    """What is known of some devices, by id; looked up is only what is asked."""
    found = list(devices)
    ids = [one.id for one in found]
    sold = models.find(connection, {one.model for one in found if one.model}) if "model" in asked else {}
    ends = warranties.of_devices(connection, ids) if "warranty" in asked else {}
    told = attributes.present(connection, ids) if "groups" in asked else {}
    known: dict[Facts, Facts] = {}  # like devices share theirs: what is decided by them is found again by identity
    made = {one.id: _facts(one, sold.get(one.model or ""), ends.get(one.id), told.get(one.id), now) for one in found}
    return {device: known.setdefault(about, about) for device, about in made.items()}


def _facts(
    device: Device, model: Model | None, warranty: Warranty | None, told: Mapping[str, str] | None, now: datetime
) -> Facts:
    covers = warranty.covers(now) if warranty else None
    return Facts(
        device.model,
        device.region,
        model.device_class if model else None,
        model.safety_class if model else "none",
        "unknown" if covers is None else "in" if covers else "out",
        frozenset(f"{name}={value}" for name, value in told.items()) if told else NO_GROUPS,
    )
