"""Which device an entity of Home Assistant belongs to: its hardware, not the name somebody gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import text_or_none
from hearthwatch.wire.hardware_address import address_of, ieee_within, mac_of, mac_within
from hearthwatch.wire.limits import is_device

_SHELLY = re.compile(r"shelly[a-z0-9]*-[0-9a-f]{6,16}", re.IGNORECASE)
"""An id as Shelly gives it; devices of that maker are known by it in Shelly's own topics."""
_SERIAL = re.compile(r"(?=.*[0-9]).{5,}", re.DOTALL)
"""A serial number and not ``0`` or ``unknown``."""
_ESPHOME_ID = re.compile(r"[0-9a-f]{12}-[a-z_]+-[0-9a-f]{8}")
"""A unique id as ESPHome makes it of a MAC address, a component and a digest. Its firmware string does not always hold its name."""
_MAX_IDENTIFIERS = 32


@dataclass(frozen=True, slots=True)
class Claim:
    """What a description says of its device. ``esphome``: its firmware is ESPHome's. ``bridge``: the device that it speaks through.

    ``hardware_address``: the first MAC or IEEE address among its connections and identifiers.
    """

    device: str
    model: str | None
    hardware: str | None
    firmware: str | None
    serial: str | None
    esphome: bool
    bridge: str | None
    hardware_address: str | None = None


def claim_of(given: Any, origin: Any) -> Claim:
    """The device of a description. Raises `Invalid` where nothing says which hardware it is."""
    if not isinstance(given, dict):
        raise Invalid("describes no device, so nobody knows which hardware this is")
    identifiers = list(_identifiers(given.get("identifiers")))
    connections = list(_connections(given.get("connections")))
    serial = text_or_none(given.get("serial_number"))
    mac = next((mac for kind, one in connections if kind == "mac" and (mac := mac_of(one))), None)
    mac = mac or next((mac for one in identifiers if (mac := mac_within(one))), None)
    places = [one for _, one in connections]
    device = _device_id(identifiers, places, mac, serial)
    firmware = text_or_none(given.get("sw_version"))
    maker = origin.get("name") if isinstance(origin, dict) else None
    return Claim(
        device=device,
        model=text_or_none(given.get("model")),
        hardware=text_or_none(given.get("hw_version")),
        firmware=firmware,
        serial=serial or (mac.upper() if mac else None) or ieee_within(device),
        esphome="esphome" in f"{maker} {firmware}".lower(),
        bridge=_bridge(text_or_none(given.get("via_device"))),
        hardware_address=address_of(mac) or _ieee(identifiers, places),
    )


def is_of_esphome(unique_id: Any, kind: str, name: str) -> bool:
    """Whether a unique id is one that ESPHome gives to an entity of this kind and name, new (with the MAC address) or old."""
    if not isinstance(unique_id, str):
        return False
    return _ESPHOME_ID.fullmatch(unique_id) is not None or unique_id == f"ESP{kind}{name}"


def _device_id(identifiers: list[str], connections: list[str], mac: str | None, serial: str | None) -> str:
    shelly = next((one for one in identifiers if _SHELLY.fullmatch(one)), None)
    ieee = _ieee(identifiers, connections)
    own = serial if serial and _SERIAL.fullmatch(serial) else None
    named = shelly or ieee or mac or own or next(iter(identifiers), None)
    if named is None:
        raise Invalid("describes a device without identifiers, connections or serial number")
    return named if is_device(named) else _as_id(named)


def _ieee(identifiers: Iterable[str], connections: Iterable[str]) -> str | None:
    return next((ieee for one in (*identifiers, *connections) if (ieee := ieee_within(one))), None)


def _bridge(via: str | None) -> str | None:
    """The id of the device behind ``via_device``, which is one of its identifiers; only an address in it is sure to be its id."""
    if via is None:
        return None
    return via if _SHELLY.fullmatch(via) else ieee_within(via) or mac_within(via)


def _as_id(text: str) -> str:
    """An id for a text that is none; the digest keeps apart what becomes alike."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text[:48])
    return f"{letters}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _identifiers(given: Any) -> Iterator[str]:
    for one in given[:_MAX_IDENTIFIERS] if isinstance(given, list) else [given]:
        if isinstance(one, int) and not isinstance(one, bool) and abs(one) < 2**63:
            yield str(one)
        elif text_or_none(one):
            yield one


def _connections(given: Any) -> Iterator[tuple[str, str]]:
    for pair in given[:_MAX_IDENTIFIERS] if isinstance(given, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(text_or_none(one) for one in pair):
            yield pair[0], pair[1]


def claimed(claim: Claim) -> list[str | None]:
    """The claim as JSON, to see whether it was made before."""
    return [claim.model, claim.hardware, claim.firmware, claim.serial]
