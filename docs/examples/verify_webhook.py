"""Verify a webhook of Hearthwatch: copy this file, it needs nothing but Python.

    message = verified(request.headers, request.body, ["whsec_..."])

Signed as Standard Webhooks says (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md); the libraries of that project
do the same in other languages.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

TOLERANCE = 300
"""Seconds between the message's time and ours: an old message may be a recorded one."""


def verified(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float | None = None
) -> dict[str, Any]:
    """The message, where it is signed with one of the secrets and sent just now. Raises `ValueError` where it is not.

    ``headers`` have small letters. Give both secrets while one is replaced. Answer 2xx once you have the message; it comes again until
    you do. Remember ``headers["webhook-id"]`` for a few days and drop a message whose id you know.
    """
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs((time.time() if now is None else now) - int(sent)) > TOLERANCE:
        raise ValueError("the webhook was not sent just now")
    signed = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split(" ")):
            message: dict[str, Any] = json.loads(body)
            return message
    raise ValueError("the webhook is not signed by Hearthwatch")
