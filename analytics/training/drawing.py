"""Of a large fleet, the devices that a model learns from: those that failed, and as many others as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from analytics.labels import Labels
from analytics.panel import Floats
from hearthwatch.values import Device

MOST_DEVICE_DAYS = 4_000_000
"""About a gigabyte of daily values. 5,479 devices over two years."""


def drawn(devices: Sequence[Device], labels: Labels, days: int) -> tuple[Sequence[Device], Floats]:
    """The devices to learn from over so many days, and how many of the fleet each stands for.

    Devices that failed come first and take at most half of the places; the lot depends on a device's name alone, so that the same fleet
    gives the same draw, and a device that was drawn stays so while the fleet grows little.
    """
    places = max(2, MOST_DEVICE_DAYS // max(days, 1))
    if len(devices) <= places:
        return devices, np.ones(len(devices))
    failing = {device for device, _ in labels.failures}
    order = sorted(devices, key=lambda device: (crc32(b"learn " + device.id.encode()), device.id))
    failed = [device for device in order if device.id in failing]
    others = [device for device in order if device.id not in failing]
    first = min(len(failed), max(places // 2, places - len(others)))
    second = min(len(others), places - first)
    weight = {device.id: len(failed) / first for device in failed[:first]}
    weight |= {device.id: len(others) / second for device in others[:second]}
    kept = [device for device in devices if device.id in weight]
    return kept, np.array([weight[device.id] for device in kept])
