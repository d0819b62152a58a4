"""Addresses that are burnt into hardware, in one spelling each, however a message spells them."""

from __future__ import annotations

import re

_MAC = re.compile(r"(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{12}", re.IGNORECASE)
_MAC_AFTER_A_NAME = re.compile(r"(?:.*[^0-9a-z])?([0-9a-f]{12})", re.IGNORECASE | re.DOTALL)
_IEEE = re.compile(r"(?:.*[^0-9a-z])?(0x[0-9a-f]{16})", re.IGNORECASE | re.DOTALL)
_LONGEST = 256
_LONGEST_EUI64 = 23


_EUI64 = re.compile(r"(?:0x)?([0-9a-f]{16})|((?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\3){6}[0-9a-f]{2})", re.IGNORECASE)


def address_of(text: object) -> str | None:
    """The hardware address that a text is: a MAC address as `mac_of`, an IEEE address (EUI-64) as ``0x`` and sixteen digits. Else None.

    Addresses of all zeros or all ones are what hardware says that was never given one; they are nobody's.
    """
    address = spelled(text)
    digits = (address or "").removeprefix("0x")
    return address if digits.strip("0") and digits.strip("f") else None


def is_address(serial: object) -> bool:
    """Whether a serial number is a hardware address, as some conventions give it; twelve decimal digits are rather a number."""
    return isinstance(serial, str) and not serial.isdigit() and address_of(serial) is not None


def spelled(text: object) -> str | None:
    """As `address_of`, whether it is somebody's or not."""
    mac = mac_of(text)
    if mac is not None or not isinstance(text, str) or len(text) > _LONGEST_EUI64:
        return mac
    match = _EUI64.fullmatch(text)
    return (
        None if match is None else "0x" + (match.group(1) or match.group(2)).replace(":", "").replace("-", "").lower()
    )


def mac_of(text: object) -> str | None:
    """The MAC address that a text is, as twelve lower-case digits: ``aa:bb:..``, ``AA-BB-..`` and ``AABB..`` are one. Else None."""
    if not isinstance(text, str) or len(text) > 17 or _MAC.fullmatch(text) is None:
        return None
    return text.replace(":", "").replace("-", "").lower()


def mac_within(text: object) -> str | None:
    """The MAC address that a text is or ends with, after a name: ``lamp_AABBCCDDEEFF``. None where there is none."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    match = _MAC_AFTER_A_NAME.fullmatch(text)
    return mac_of(text) or (match.group(1).lower() if match else None)


def ieee_within(text: object) -> str | None:
    """The IEEE address (EUI-64) of a Zigbee device that a text is or ends with, in lower case: ``zigbee2mqtt_0x00158d00018255df``."""
    match = _IEEE.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    return match.group(1).lower() if match else None
