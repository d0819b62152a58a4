"""Brakes on reports: so many by one code or customer, so many from one place."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hearthwatch.errors import Throttled
from hearthwatch.records import report_codes

WINDOW = timedelta(hours=1)
BY_CODE = 6
FROM_PLACE = 10
KEPT = timedelta(days=2)
"""How long attempts are remembered."""

_IPV6_SITE = 64  # a home or a phone has a whole network of addresses


def place_of(address: str, secret_key: str) -> str:
    """An address of the network as it is counted: a keyed hash, of which nobody reads the address."""
    try:
        parsed = ipaddress.ip_address(address)
        site = str(ipaddress.ip_network((parsed, _IPV6_SITE), strict=False)) if parsed.version == 6 else str(parsed)
    except ValueError:
        site = address
    return hmac.new(secret_key.encode(), f"report-place:{site}".encode(), hashlib.sha256).hexdigest()


def count(connection: Connection, code: str, place: str, now: datetime) -> None:
    """Count one more report. Raises `Throttled` where there were too many; that one is not counted."""
    check(connection, code, place, now)
    report_codes.note_attempt(connection, code, place, now)


def check(connection: Connection, code: str, place: str, now: datetime) -> None:
    """Raise `Throttled` where there were too many reports by a code or from a place."""
    by_code, from_place = report_codes.attempts(connection, code, place, now - WINDOW)
    if by_code >= BY_CODE or from_place >= FROM_PLACE:
        raise Throttled("too many reports; try again later", retry_after=WINDOW.total_seconds())
