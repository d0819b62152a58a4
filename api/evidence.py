"""What goes along with a report: the device's last days as the telemetry store has them, and who answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from alerts.intake.answers import Desk
from api.context import ApiContext
from hearthwatch.errors import Unavailable
from hearthwatch.values import Event

LOG = logging.getLogger(__name__)
EVIDENCE = timedelta(days=7)


def recent_events(context: ApiContext, ids: Sequence[str]) -> list[Event]:
    """What the telemetry store has of a device's last days; nothing while it is away: a report does not wait for it."""
    now = context.clock.now()
    try:
        found = context.store.events(now - EVIDENCE, now + timedelta(hours=1), devices=list(ids))
    except Unavailable as away:
        LOG.warning("a report is taken without the device's events: %s", away)
        return []
    return [
        Event(one["device"], "", one["at"], one["kind"], one["code"] or "", firmware=one["firmware"])
        for one in found.to_pylist()
    ]


def desk(context: ApiContext) -> Desk:
    """Who answers to reports."""
    options = context.settings
    return Desk(options.brand_name, options.public_url, options.brand_reply_to, context.secret_key)
