"""Values for tests, of which a test says only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hearthwatch.values import Device

_BARE = Device(
    id="",
    model=None,
    hardware=None,
    firmware=None,
    version=None,
    serial=None,
    made=None,
    installed_at=None,
    removed_at=None,
    region=None,
    convention=None,
    test=False,
    online=None,
    boot=None,
    first_seen=None,
    last_seen=None,
    revision=1,
)


def bare_device(device_id: str, **known: Any) -> Device:
    """A device of which nothing is known but what is said here."""
    return replace(_BARE, id=device_id, **known)
