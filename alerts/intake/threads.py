"""Which ticket a mail belongs to: by a signed tag in its subject or in the address it was sent to, or by the letters it answers.

A tag says: whoever writes has had a letter about this ticket. It lets a person add to a ticket; it never lets them read one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

_TAG = re.compile(r"\bT(\d{1,15})-([A-Z2-7]{12})\b", re.IGNORECASE)


def tag(ticket_id: int, secret_key: str) -> str:
    """The tag of a ticket: ``T12-`` and twelve signs (60 bits) that nobody guesses."""
    return f"T{ticket_id}-{_signature(ticket_id, secret_key)}"


def in_subject(subject: str, ticket_id: int, secret_key: str) -> str:
    """A subject with its ticket's tag behind it."""
    return f"{subject} [#{tag(ticket_id, secret_key)}]"


def reply_address(address: str, ticket_id: int, secret_key: str) -> str:
    """Where answers about a ticket go: ``care@example.com`` becomes ``care+T12-...@example.com`` (RFC 5233)."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{tag(ticket_id, secret_key)}@{domain}"


def ticket_in(texts: Iterable[str], secret_key: str) -> int | None:
    """The ticket of the first good tag in some texts; forged ones count for nothing."""
    for text in texts:
        for number, signature in _TAG.findall(text):
            if hmac.compare_digest(signature.upper().encode(), _signature(int(number), secret_key).encode()):
                return int(number)
    return None


def _signature(ticket_id: int, secret_key: str) -> str:
    digest = hmac.new(secret_key.encode(), f"ticket-thread:{ticket_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest)[:12].decode()
