"""Whether what is posted to us comes from the desk: both ways of signing that desks have."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from alerts.channels import signing
from hearthwatch.errors import Denied

TOLERANCE = timedelta(minutes=5)
"""How far a message's time may lie from ours: what is older may be somebody's repetition."""
SECRET = "service_desk_secret"  # noqa: S105, the setting's name


def check_zammad(body: bytes, header: str | None, secret: str) -> None:
    """Zammad's ``X-Hub-Signature``: ``sha1=`` and the HMAC-SHA1 of the body (zammad-admin-documentation, manage/webhook/payload.rst).

    Raises `Denied` where it is not that, or no secret is set.
    """
    expected = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    if not secret or not hmac.compare_digest((header or "").encode(), expected.encode()):
        raise Denied("the signature is not the desk's", where="X-Hub-Signature")


def check_standard(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> str:
    """A message signed as Standard Webhooks says; returns its id. Raises `Denied` where it is not, or not of these minutes."""
    message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message or not stamp.isdecimal() or len(stamp) > 12 or not secret:
        raise Denied("it is not signed: webhook-id, webhook-timestamp and webhook-signature are needed")
    given = headers.get("webhook-signature", "").split(" ")
    expected = [signing.signature(key, message, stamp, body) for key in signing.keys_of(secret, where=SECRET)]
    if not any(hmac.compare_digest(one.encode(), right.encode()) for one in given for right in expected):
        raise Denied("the signature is not the desk's", where="webhook-signature")
    if abs(now - datetime.fromtimestamp(int(stamp), tz=UTC)) > TOLERANCE:
        raise Denied("it was signed too long ago, or by a clock that is wrong", where="webhook-timestamp")
    return message[:160]
