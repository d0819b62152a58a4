"""The watch over releases: one look at each, from its first device on, corrected for the number of comparisons."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection

from analytics.cohorts.evidence import Evidence, Options
from analytics.cohorts.monitor import Monitor
from analytics.cohorts.panel import hour_of, time_of
from analytics.cohorts.spec import (
    BY_NAME,
    CRITICAL_LOW,
    HOURLY_FOR_HOURS,
    WATCH_AFTER_ROLLOUT_HOURS,
    Metric,
)
from analytics.cohorts.verdict import Names, Standing, Verdict, judge
from analytics.cohorts.weighing import NO_EVIDENCE, Ratio, Weight, weigh
from analytics.sequential.ebh import e_bh
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, cohort_looks, devices, findings, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.values import Device, Observation, Release

_LARGEST_E = 700.0  # natural logarithm: what a float still holds
_ALL = 10_000_000

_monitors: weakref.WeakKeyDictionary[TelemetryStore, dict[int, Monitor]] = weakref.WeakKeyDictionary()
"""Evidence kept in memory between looks, for each open store. Losing it costs one full reading, never a number."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One stream at this look."""

    release: Release
    metric: Metric
    weight: Weight
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class _Known:
    """What the records say before the look: releases, their newest looks, which of them some device runs, and when nobody was heard."""

    releases: Sequence[Release]
    latest: Mapping[tuple[int, str], CohortLook]
    running: frozenset[int]
    blind: frozenset[int]


def watch_releases(
    store: TelemetryStore,
    database: Database,
    now: datetime,
    *,
    margin: float,
    guard: int,
    burn_in: timedelta,
    page_fdr: float,
    watch_fdr: float,
    relapse: timedelta,
) -> Mapping[str, Any]:
    """Look at every release that is watched, append the looks, and keep the findings in step. Returns counts.

    A look uses the hours that ended by ``now`` and what of them had arrived; it is written once and never changed, so a second call in the
    same hour adds nothing. ``page_fdr`` and ``watch_fdr`` are the shares of false discoveries allowed among releases called worse and
    on the watch list.
    """
    hour = hour_of(now)
    known = _read(database, now)
    options = Options(margin, round(burn_in.total_seconds() / 3600), known.blind)
    looks = _look(store, database, known, hour, options, guard)
    standings = _stand(looks, known, hour, page_fdr, watch_fdr)
    with database.transaction(alone=False) as connection:
        worse = 0
        for look, standing in zip(looks, standings, strict=True):
            names = _names(look.release)
            verdict = judge(look.metric, look.weight, standing, names, guard=guard, margin=margin)
            cohort_looks.append(connection, [_row(look, verdict, standing, hour)])
            _keep_finding(connection, look, verdict, time_of(hour), relapse)
            worse += verdict.word == "worse"
        _close_withdrawn(connection, known, now)
    return {"releases": len({look.release.id for look in looks}), "looks": len(looks), "worse": worse}


def _read(database: Database, now: datetime) -> _Known:
    with database.reading() as connection:
        listed = releases.list_releases(connection)
        latest = {(look.release_id, look.metric): look for look in cohort_looks.latest(connection)}
        running = frozenset(
            release.id
            for release in listed
            if devices.list_devices(connection, model=release.model, version=release.version, test=False, limit=1)
        )
        spans = blindness.between(connection, time_of(0), now, now)
        return _Known(listed, latest, running, frozenset(blindness.hours_of(spans, now)))


def _look(
    store: TelemetryStore, database: Database, known: _Known, hour: int, options: Options, guard: int
) -> list[_Look]:
    monitors = _monitors.setdefault(store, {})
    looks: list[_Look] = []
    for release in known.releases:
        if release.status == "withdrawn":
            monitors.pop(release.id, None)
            continue
        if not _is_due(release, known, hour):
            continue
        fleet = partial(_fleet, database, release.model)
        evidence = monitors.setdefault(release.id, Monitor()).look(store, release, fleet, hour, options)
        if evidence is None:
            continue
        for stream in evidence.streams:
            weight = weigh(stream, release.assignment, margin=options.margin, guard=guard)
            looks.append(_Look(release, stream.metric, weight, evidence))
    return looks


def _fleet(database: Database, model: str) -> Sequence[Device]:
    with database.reading() as connection:
        return devices.list_devices(connection, model=model, limit=_ALL)


def _mine(release: Release, known: _Known) -> list[CohortLook]:
    return [look for (release_id, _), look in known.latest.items() if release_id == release.id]


def _is_due(release: Release, known: _Known, hour: int) -> bool:
    """Hourly for a fortnight after the first wave, then daily, until a fortnight after the last device got it."""
    mine = _mine(release, known)
    if not mine:
        return release.id in known.running
    newest = max(hour_of(look.at) for look in mine)
    if newest >= hour or _is_over(mine, hour):
        return False
    first_wave = min(int(look.detail.get("first_wave", newest)) for look in mine)
    return hour - first_wave <= HOURLY_FOR_HOURS or hour // 24 > newest // 24


def _is_over(mine: Sequence[CohortLook], hour: int) -> bool:
    last_arrival = max((int(look.detail.get("last_arrival", hour_of(look.at))) for look in mine), default=hour)
    return hour - last_arrival > WATCH_AFTER_ROLLOUT_HOURS


def _may_speak(metric: Metric, release: Release) -> bool:
    """Whether the stream can ever say anything: known from the release's assignment, so it costs the others nothing where it can not."""
    return metric.repeats or release.assignment == "randomised"


def _stand(looks: Sequence[_Look], known: _Known, hour: int, page_fdr: float, watch_fdr: float) -> list[Standing]:
    """e-BH over all streams of releases being watched: those of this look, and the last e-values of those that are not due."""
    speaking = [look for look in looks if _may_speak(look.metric, look.release)]
    log_e = np.array([look.weight.log_e for look in speaking] + _elsewhere(looks, known, hour))
    paged, watched = e_bh(log_e, page_fdr), e_bh(log_e, watch_fdr)
    chosen = {
        (look.release.id, look.metric.name): (bool(paged[index]), bool(watched[index]))
        for index, look in enumerate(speaking)
    }
    standings = []
    for look in looks:
        key = look.release.id, look.metric.name
        pages, watches = chosen.get(key, (False, False))
        latched = key in known.latest and known.latest[key].verdict == "worse"
        standings.append(Standing(pages, watches, latched, needed=log_e.size / page_fdr))
    return standings


def _elsewhere(looks: Sequence[_Look], known: _Known, hour: int) -> list[float]:
    """The last e-values of releases that are watched but not looked at now."""
    here = {look.release.id for look in looks}
    values: list[float] = []
    for release in known.releases:
        mine = _mine(release, known)
        if release.status == "withdrawn" or release.id in here or _is_over(mine, hour):
            continue
        spoken = (look.e for look in mine if look.metric in BY_NAME and _may_speak(BY_NAME[look.metric], release))
        values.extend(float(np.log(e)) if e > 0 else NO_EVIDENCE for e in spoken)
    return values


def _names(release: Release) -> Names:
    return Names(release.version, release.replaces or "earlier firmware")


def _row(look: _Look, verdict: Verdict, standing: Standing, hour: int) -> CohortLook:
    weight, ratio = look.weight, verdict.ratio
    return CohortLook(
        release_id=look.release.id,
        metric=look.metric.name,
        at=time_of(hour),
        verdict=verdict.word,
        why=verdict.why,
        e=_finite_e(weight.log_e),
        devices_treatment=weight.devices[0],
        devices_control=weight.devices[1],
        hours_treatment=weight.hours[0],
        hours_control=weight.hours[1],
        events_treatment=weight.events[0],
        events_control=weight.events[1],
        e_rate=None if weight.log_e_rate is None else _finite_e(weight.log_e_rate),
        e_first=None if weight.log_e_first is None else _finite_e(weight.log_e_first),
        ratio=ratio.value if ratio and np.isfinite(ratio.value) else None,
        low=ratio.low if ratio else None,
        high=ratio.high if ratio and np.isfinite(ratio.high) else None,
        detail={
            "first_wave": look.evidence.first_wave,
            "last_arrival": look.evidence.last_arrival,
            "pre_hours": look.evidence.pre_hours,
            "cap": look.evidence.cap,
            "assignment": weight.assignment,
            "devices_with_events": list(weight.devices_with_events),
            "unadjusted": _as_list(weight.unadjusted),
            "first": _as_list(weight.first),
            "before": weight.before,
            "arms_differed": weight.arms_differed,
            "arms_drifted": weight.arms_drifted,
            "beta": weight.beta,
            "needed": standing.needed,
            "watch_list": standing.watched,
        },
    )


def _as_list(ratio: Ratio | None) -> list[float | None] | None:
    if ratio is None:
        return None
    return [value if np.isfinite(value) else None for value in (ratio.value, ratio.low, ratio.high)]


def _finite_e(log_e: float) -> float:
    return float(np.exp(min(log_e, _LARGEST_E)))


def _keep_finding(connection: Connection, look: _Look, verdict: Verdict, at: datetime, relapse: timedelta) -> None:
    """`worse` is a finding; `same` or `better` ends it; anything else leaves it as it is."""
    subject = f"release:{look.release.id}"
    if verdict.word == "worse":
        findings.observe(connection, _observation(subject, look, verdict, at), relapse=relapse)
    elif verdict.word in {"same", "better"}:
        _recover(connection, subject, at, f"the evidence turned: {verdict.word}", look.metric.mode)


def _observation(subject: str, look: _Look, verdict: Verdict, at: datetime) -> Observation:
    ratio, weight = verdict.ratio, look.weight
    sure = ratio is not None and ratio.low > CRITICAL_LOW
    return Observation(
        kind="cohort",
        subject_type="release",
        subject=subject,
        mode=look.metric.mode,
        severity="critical" if sure else "warning",
        at=at,
        evidence={
            "model": look.release.model,
            "version": look.release.version,
            "replaces": look.release.replaces,
            "ratio": ratio.value if ratio and np.isfinite(ratio.value) else None,
            "low": ratio.low if ratio else None,
            "high": ratio.high if ratio and np.isfinite(ratio.high) else None,
            "e": _finite_e(weight.log_e),
            "devices": weight.devices[0],
            "control_devices": weight.devices[1],
            "events": weight.events[0],
            "control_events": weight.events[1],
            "hours": weight.hours[0],
            "assignment": weight.assignment,
            "metrics": [look.metric.name],
            "reasons": [verdict.why],
        },
    )


def _close_withdrawn(connection: Connection, known: _Known, now: datetime) -> None:
    """The finding of a withdrawn release ends when no device runs it any more."""
    for release in known.releases:
        if release.status != "withdrawn" or not _mine(release, known):
            continue
        running = devices.list_devices(connection, model=release.model, version=release.version, test=False, limit=1)
        if not running:
            _recover(connection, f"release:{release.id}", now, "withdrawn, and no device runs it any more")


def _recover(connection: Connection, subject: str, now: datetime, reason: str, mode: str | None = None) -> None:
    mine = findings.list_findings(connection, subject=subject, kind="cohort", mode=mode)
    for finding in mine:
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, reason)
