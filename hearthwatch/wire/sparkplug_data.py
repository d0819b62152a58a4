"""Readings and claims out of the metrics of one Sparkplug message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.claims import claim
from hearthwatch.wire.draft import Draft
from hearthwatch.wire.instants import EARLIEST, LATEST
from hearthwatch.wire.limits import MAX_METRICS, MAX_SAMPLES
from hearthwatch.wire.reset_reasons import hear_reason, learn_boot
from hearthwatch.wire.sparkplug_births import REASON, STANDS_FOR, name_of, quantity_of, worth
from hearthwatch.wire.sparkplug_payload import Metric, Payload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS = int(EARLIEST.timestamp() * 1000)
_LATEST_MS = int(LATEST.timestamp() * 1000)
_COMPOUND = "templates, data sets, arrays and files are not read"

Sample = tuple[datetime, bool]
"""(when, whether it is told afterwards)."""


def take(draft: Draft, kind: str, payload: Payload) -> str | None:
    """Everything that a message measures, or the reason why that is nothing.

    Metrics of one instant are one reading. What is null, of bad quality, or meant for the moment alone (transient) is no measurement.
    """
    samples: dict[Sample, dict[str, float]] = {}
    said: dict[str, str] = {}
    compound = False
    is_birth = kind.endswith("BIRTH")
    for metric in payload.metrics:
        found = name_of(draft, metric)
        if metric.compound:
            compound = True
            if found and is_birth:  # told once per session, not with every message
                draft.refuse(found[0], _COMPOUND)
        elif found is None and not is_birth:  # what a certificate has that cannot be declared was refused there
            part = metric.name or f"alias {metric.alias}"
            draft.refuse(part, "not in the birth certificate: ask the edge node for a rebirth")
        elif found and not (metric.null or metric.transient) and metric.good:
            _take_one(draft, payload, metric, found, samples, said)
    if said:
        claim(draft, kind, {STANDS_FOR.get(role, role): text for role, text in said.items()})
    for (at, historical), metrics in sorted(samples.items()):
        if "uptime_s" in metrics and not historical:
            learn_boot(draft, kind, at, metrics["uptime_s"])
        _read(draft, kind, at, metrics)
    return _COMPOUND if compound else None


def _take_one(
    draft: Draft,
    payload: Payload,
    metric: Metric,
    found: tuple[str, Mapping[str, Any]],
    samples: dict[Sample, dict[str, float]],
    said: dict[str, str],
) -> None:
    name, entry = found
    try:
        value = worth(entry["t"], metric)
    except Invalid as error:
        return draft.refuse(name, str(error))
    if isinstance(value, str):
        if entry.get("r") == REASON:
            hear_reason(draft, value, _at(draft, payload, metric))
        elif "r" in entry:
            said[entry["r"]] = value
        return None
    quantity = quantity_of(name, entry)
    if value is None or quantity is None:
        return None
    at = _at(draft, payload, metric)
    if at is None:
        return draft.refuse(name, "told afterwards, without a time")
    if (at, metric.historical) not in samples and len(samples) >= MAX_SAMPLES:
        return draft.refuse(name, f"more than {MAX_SAMPLES} instants in one message")
    return draft.measure(samples.setdefault((at, metric.historical), {}), quantity.metric, quantity.of(value), name)


def _at(draft: Draft, payload: Payload, metric: Metric) -> datetime | None:
    """When it was measured: the metric's own time, the message's, or that of arrival where the clock was never set.

    Times are whole milliseconds. ``seq`` stands in the microseconds, so that two messages of one millisecond are two readings, and
    one that comes twice is one.
    """
    own = _instant(metric.timestamp, payload.seq)
    if own is not None or metric.historical:
        return own
    return _instant(payload.timestamp, payload.seq) or draft.message.received_at


def _instant(millis: int | None, seq: int | None) -> datetime | None:
    if millis is None or not _EARLIEST_MS <= millis < _LATEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=millis, microseconds=seq or 0)


def _read(draft: Draft, kind: str, at: datetime, metrics: dict[str, float]) -> None:
    """A reading, or several where a certificate names more than one may hold."""
    names = list(metrics)
    for start in range(0, len(names), MAX_METRICS):
        stream = kind if not start else f"{kind}.{start // MAX_METRICS + 1}"
        draft.reading(stream, at, {name: metrics[name] for name in names[start : start + MAX_METRICS]})
