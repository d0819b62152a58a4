"""The bounds of taking messages in, as the settings have them."""

from __future__ import annotations

from hearthwatch.settings import Settings
from ingest.limits import Limits


def limits_of(settings: Settings) -> Limits:
    """The bounds of taking messages in, whether they come from the broker or from quarantine."""
    return Limits(
        batch_messages=settings.batch_messages,
        batch_bytes=settings.batch_bytes,
        batch_seconds=settings.batch_seconds,
        receive_maximum=settings.receive_maximum,
        max_payload_bytes=settings.max_payload_bytes,
        metric_budget=settings.metric_budget,
        unknown_devices=settings.unknown_devices,
        device_budget_per_day=settings.device_budget_per_day,
        device_budget=settings.device_budget,
        join_devices=settings.join_devices,
        clock_skew_s=settings.clock_skew_s,
        raw_days=settings.raw_days,
        spool_after_failures=settings.spool_after_failures,
        spool_after_seconds=settings.spool_after_s,
        ask_devices=settings.ask_devices,
    )
