"""The webhook of decisions about roll-outs: a signed webhook with one address of its own."""

from __future__ import annotations

from alerts.channels.http import SECONDS
from alerts.channels.signing import keys_of
from alerts.channels.webhook import WebhookChannel
from alerts.rollouts.announce import WEBHOOK_ADDRESS, WEBHOOK_CHANNEL
from hearthwatch.ports import Clock

SETTING = "rollout_webhook_secret"


def decisions_webhook(url: str, secrets: str, clock: Clock, *, seconds: float = SECONDS) -> WebhookChannel:
    """Where decisions about roll-outs are posted. ``secrets``: one, or two separated by a space while one replaces the other.

    Raises `Invalid` for a secret that is too short.
    """
    keys = keys_of(secrets, where=SETTING)
    return WebhookChannel(WEBHOOK_CHANNEL, url, keys, clock, address=WEBHOOK_ADDRESS, seconds=seconds)
