"""Signatures of webhooks, as the Standard Webhooks specification says
(github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).

The headers are ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: for each secret ``v1,`` and the base64
of HMAC-SHA256 over ``id.timestamp.body``, separated by spaces. Two secrets at once are how one is replaced by another: the receiver takes
a message when one signature is right. The id is the idempotency key: the same for every try.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from hearthwatch.errors import Invalid

PREFIX = "whsec_"
LEAST_KEY = 24
"""Bytes of a key, as the specification wants at least."""
MOST_SECRETS = 2


def keys_of(secrets: str, *, where: str) -> tuple[bytes, ...]:
    """The keys of one secret, or of two separated by a space while one is replaced. Raises `Invalid` as `key_of`, or for a third."""
    given = secrets.split(" ") if secrets.startswith(PREFIX) else [secrets]
    if len(given) > MOST_SECRETS:
        raise Invalid(f"at most {MOST_SECRETS} secrets sign at once", where=where)
    return tuple(key_of(secret, where=where) for secret in given)


def key_of(secret: str, *, where: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else its bytes. Raises `Invalid` for one that is too short to sign with."""
    key = secret.encode()
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise Invalid("what follows whsec_ is base64", where=where) from None
    if len(key) < LEAST_KEY:
        raise Invalid(
            f"a key has at least {LEAST_KEY} bytes (make one with: openssl rand -hex 32)",
            where=where,
        )
    return key


def signature(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """The signature of a message at a time."""
    signed = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def headers(keys: Sequence[bytes], message: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of a signed message that is sent now; the newest key signs first."""
    stamp = str(int(now.timestamp()))
    return {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signature(key, message, stamp, body) for key in keys),
    }
