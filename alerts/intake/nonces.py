"""Nonces of forms that anybody may open: they say when and for what a form was opened, and let it be sent once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from hearthwatch.errors import Denied

LIFE = timedelta(hours=24)
_CLOCKS_DIFFER = timedelta(minutes=5)


def make(door: str, now: datetime, secret_key: str) -> str:
    """A nonce for a form that is opened now. ``door`` is what it was opened by (``code:7``, ``link:12``)."""
    stem = f"{int(now.timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stem}.{_signature(door, stem, secret_key)}"


def check(door: str, nonce: str, now: datetime, secret_key: str) -> str:
    """What tells this form from all others, to be kept with what it sent. Raises `Denied` for one of another door, or too old a one."""
    stem, _, signature = nonce.rpartition(".")
    if not stem or not hmac.compare_digest(signature.encode(), _signature(door, stem, secret_key).encode()):
        raise Denied("this form is not from this page", where="nonce")
    opened = datetime.fromtimestamp(int(stem.partition(".")[0]), tz=UTC)
    if not opened <= now + _CLOCKS_DIFFER or now - opened > LIFE:
        raise Denied("this form is too old; open it again", where="nonce")
    return hashlib.sha256(f"{door}:{nonce}".encode()).hexdigest()


def _signature(door: str, stem: str, secret_key: str) -> str:
    return hmac.new(secret_key.encode(), f"report-form:{door}:{stem}".encode(), hashlib.sha256).hexdigest()
