"""The daily search for anomalies: what the stores know in, findings and the next day's memory out.

Once a day, for every complete day since the last run. A second run on the same day finds nothing left to do and changes nothing.
Devices without data on a day keep their evidence; days that nobody worked on are caught up with, as far as a month back. An hour counts
as it was known when its day was worked: what arrives later is part of what is learned from afterwards, and changes nothing said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from analytics.anomaly.known import Known
from analytics.anomaly.model_days import MODEL_PREFIX, ModelDays
from analytics.panel import Panel, day_number, day_start, panel_of
from analytics.service import renewals
from analytics.signals import HOURLY_METRICS, METRICS
from analytics.silence import blind_days
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import analysis_states, devices, findings, outages
from hearthwatch.records.database import Database
from hearthwatch.values import Device

NAME = "anomaly"
HOURS_NAME = "anomaly-hours"
CATCH_UP_DAYS = 28
EVERYTHING = 10_000_000


def find_anomalies(
    store: TelemetryStore, database: Database, now: datetime, *, rate: float, relapse: timedelta
) -> dict[str, Any]:
    """Work every complete day that is not worked yet. ``rate``: false alarms per 1,000 device-days, over all modes of a device."""
    last = day_number(now) - 1
    known = _load(database, last)
    begins = {model: _first_day(known.states.get(MODEL_PREFIX + model), last) for model in known.by_model}
    due = sorted(model for model, first in begins.items() if first <= last)
    works: list[ModelDays] = []
    if due:
        panel = _read(store, min(begins[model] for model in due), last, known)
        works = [ModelDays(known, panel, model, begins[model], last, rate) for model in due]
        works = [work for work in works if work.is_watched]
        _live(store, works, last)
    days_states: dict[str, Any] = {}
    hours_states: dict[str, Any] = {}
    for work in works:
        of_days, of_hours = work.states()
        days_states |= of_days
        hours_states |= of_hours
    observations = [observation for work in works for observation in work.observations(now)]
    with database.transaction(alone=False) as connection:
        for observation in observations:
            findings.observe(connection, observation, relapse=relapse)
        analysis_states.save(connection, NAME, days_states, now)
        analysis_states.save(connection, HOURS_NAME, hours_states, now)
    incidents = sum(observation.kind == "incident" for observation in observations)
    return {
        "day": day_start(last).date().isoformat(),
        "days": max((last - work.first + 1 for work in works), default=0),
        "device_days": sum(work.device_days for work in works),
        "raised": sum(work.raised for work in works),
        "in_alarm": len(observations) - incidents,
        "incidents": incidents,
        "forgotten": sorted(work.model for work in works if work.forgotten),
    }


def _live(store: TelemetryStore, works: Sequence[ModelDays], last: int) -> None:
    """Day by day, so that no more than a day's hours are in memory."""

    def read(first: int, until: int, names: Sequence[str] | None = None) -> pa.Table:
        return store.hourly(day_start(first), day_start(until), devices=names, metrics=HOURLY_METRICS)

    for day in range(min((work.first for work in works), default=last + 1), last + 1):
        hourly = read(day, day + 1)
        for work in works:
            if work.first <= day:
                work.work(day, hourly, read)


def _load(database: Database, last: int) -> Known:
    since, until = day_start(last - CATCH_UP_DAYS), day_start(last + 2)
    with database.reading() as connection:
        by_model: dict[str, list[Device]] = {}
        for device in devices.list_devices(connection, test=False, limit=EVERYTHING):
            if device.model is not None and device.removed_at is None:
                by_model.setdefault(device.model, []).append(device)
        return Known(
            by_model,
            analysis_states.load(connection, NAME),
            analysis_states.load(connection, HOURS_NAME),
            renewals(connection, since=since),
            outages.between(connection, since, until),
            {
                (finding.subject, finding.mode): finding
                for finding in findings.list_findings(
                    connection, kind="anomaly", states=findings.UNRECOVERED, limit=EVERYTHING
                )
            },
            blind_days(connection, day_start(last + 1)),
        )


def _first_day(state: Any, last: int) -> int:
    oldest = last - CATCH_UP_DAYS + 1
    return oldest if state is None else max(oldest, state["day"] + 1)


def _read(store: TelemetryStore, first: int, last: int, known: Known) -> Panel:
    since, until = day_start(first - 1), day_start(last + 1)
    names = [device.id for members in known.by_model.values() for device in members]
    return panel_of(
        store.daily(since, until, metrics=sorted(METRICS)),
        store.events(since, until, kinds=["reboot"]),
        first_day=first - 1,
        days=last - first + 2,
        devices=names,
    )
