"""The webhook: decisions as signed requests to a system of the maker's own.

Signed as the Standard Webhooks specification says (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): the headers
``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``, which is ``v1,`` and the base64 of HMAC-SHA256 over
``id.timestamp.body``. The id is the idempotency key: the same for every try.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from alerts.rollouts.announce import WEBHOOK_ADDRESS, WEBHOOK_CHANNEL
from alerts.rollouts.http import SECONDS, ask
from hearthwatch.errors import Invalid, Refused, Unavailable
from hearthwatch.ports import Clock

PREFIX = "whsec_"
LEAST_KEY = 24
"""Bytes of a key, as the specification wants at least."""
_TRY_AGAIN = frozenset({401, 403, 404, 408, 409, 425, 429})
"""What the other side's operator can put right, or passes; the specification wants other answers of 4xx retried no more than 410."""


class WebhookChannel:
    """Posts messages to one address."""

    name = WEBHOOK_CHANNEL

    def __init__(self, url: str, secret: str, clock: Clock, *, seconds: float = SECONDS) -> None:
        """Raises `Invalid` for a secret that is too short."""
        self._url = url
        self._key = key_of(secret)
        self._clock = clock
        self._seconds = seconds

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Post ``text``. Raises `Unavailable` where it was not taken, `Refused` where it will never be."""
        if address != WEBHOOK_ADDRESS:
            raise Refused("nothing but decisions about roll-outs leaves by the webhook")
        body = text.encode()
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(self._key, key, stamp, body),
        }
        answer = ask("POST", self._url, who="the webhook", headers=headers, content=body, seconds=self._seconds)
        if answer.ok:
            return
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            raise Unavailable(f"the webhook answered {answer.status}", retry_after=answer.retry_after)
        raise Refused(f"the webhook answered {answer.status}")


def key_of(secret: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else its bytes. Raises `Invalid` for one that is too short to sign with."""
    key = secret.encode()
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise Invalid("what follows whsec_ is base64", where="rollout_webhook_secret") from None
    if len(key) < LEAST_KEY:
        raise Invalid(
            f"a key has at least {LEAST_KEY} bytes (make one with: openssl rand -hex 32)",
            where="rollout_webhook_secret",
        )
    return key


def signature(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """The signature of a message at a time, as its header."""
    signed = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()
