"""Addresses of stores and brokers: what of them may be shown."""

from __future__ import annotations

import re

_SECRET_OPTION = re.compile(r"([?&](?:token|password)=)[^&]*")


def masked(address: str) -> str:
    """An address without its password and token."""
    scheme, separator, rest = address.partition("://")
    credentials, at, place = rest.rpartition("@")
    if at:
        user = credentials.split(":", 1)[0]
        address = f"{scheme}{separator}{user}:***@{place}"
    return _SECRET_OPTION.sub(r"\1***", address)
