"""Signed webhooks: JSON posted to a system of the maker's own. Where it leads stands in the settings, never in an address."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.channels.http import SECONDS, ask
from alerts.channels.outcomes import Busy
from alerts.channels.signing import headers
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.ports import Clock

TOO_MANY = 429
_TRY_AGAIN = frozenset({401, 403, 404, 408, 409, 425})
"""What the other side's operator can put right, or passes; the specification wants other answers of 4xx retried no more than 410."""


class WebhookChannel:
    """Posts messages to one endpoint: those of one address of the outbox, signed with every key."""

    def __init__(
        self, name: str, url: str, keys: Sequence[bytes], clock: Clock, *, address: str, seconds: float = SECONDS
    ) -> None:
        self._name = name
        self._url = url
        self._keys = tuple(keys)
        self._clock = clock
        self._address = address
        self._seconds = seconds

    @property
    def name(self) -> str:
        """The channel's name in the outbox."""
        return self._name

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Post ``text``. Raises `Unavailable` where it was not taken, `Refused` where it will never be."""
        if address != self._address:
            raise Refused("this webhook takes no such message")
        body = text.encode()
        signed = headers(self._keys, key, self._clock.now(), body)
        answer = ask(
            "POST",
            self._url,
            who="the webhook",
            headers={"Content-Type": "application/json", "Idempotency-Key": key, **signed},
            content=body,
            seconds=self._seconds,
        )
        if answer.ok:
            return
        if answer.status == TOO_MANY:
            raise Busy(f"the webhook answered {answer.status}", retry_after=answer.retry_after)
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            raise Unavailable(f"the webhook answered {answer.status}", retry_after=answer.retry_after)
        raise Refused(f"the webhook answered {answer.status}")
