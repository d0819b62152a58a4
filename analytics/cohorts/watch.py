"""The watch over releases: one look at each, from its first device on, corrected for the number of comparisons."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from analytics.cohorts.evidence import FAR, Offers, Options
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.judging import Rules, judged, recorded_evidence, stand
from analytics.cohorts.look_findings import Subject, keep_findings, recover
from analytics.cohorts.look_rows import Look
from analytics.cohorts.monitor import Monitor
from analytics.cohorts.panel import hour_of, time_of
from analytics.cohorts.spec import (
    BY_NAME,
    HOURLY_FOR_HOURS,
    WATCH_AFTER_ROLLOUT_HOURS,
    watched_metrics,
)
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import weigh
from hearthwatch.firmware import version
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, cohort_looks, commands, devices, liveness, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.said import Said
from hearthwatch.values import Release

_ALL = 10_000_000
_OFFERS_KEPT = timedelta(days=90)

_monitors: weakref.WeakKeyDictionary[TelemetryStore, dict[int, Monitor]] = weakref.WeakKeyDictionary()
"""Evidence kept in memory between looks, for each open store. Losing it costs one full reading, never a number."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the records say before the look: releases, their newest looks, which of them some device runs or was told to install, when
    nobody was heard, and all that devices were told to install."""

    releases: Sequence[Release]
    latest: Mapping[tuple[int, str], CohortLook]
    running: frozenset[int]
    blind: frozenset[int]
    offers: Offers


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
    gauges: Sequence[str] = (),
    beside: Sequence[float] = (),
) -> Mapping[str, Any]:
    """Look at every release that is watched, append the looks, and keep the findings in step. Returns counts.

    A look uses the hours that ended by ``now`` and what of them had arrived; it is written once and never changed, so a second call in the
    same hour adds nothing. ``page_fdr`` and ``watch_fdr`` are the shares of false discoveries allowed among releases called worse and
    on the watch list. ``gauges`` are a maker's own (see `analytics.cohorts.spec.gauge`; raises `Invalid`); ``beside`` are natural
    logarithms of e-values of further streams that are watched at the same time and decided elsewhere.
    """
    hour = hour_of(now)
    metrics = watched_metrics(gauges)
    known = _read(database, now)
    rules = Rules(margin, guard, page_fdr, watch_fdr)
    options = Options(margin, round(burn_in.total_seconds() / 3600), known.blind, metrics)
    looks = _look(store, database, known, hour, options, guard)
    standings = stand(looks, _latched(looks, known), [*_elsewhere(looks, known, hour), *beside], rules)
    found = [
        judged(look, standing, _names(look.release), hour, rules)
        for look, standing in zip(looks, standings, strict=True)
    ]
    rows = [CohortLook(release_id=one.look.release.id, **one.row.figures()) for one in found]
    with database.transaction(alone=False) as connection:
        cohort_looks.append(connection, rows)
        keep_findings(connection, [(_subject(one.look.release), one) for one in found], time_of(hour), relapse)
        _close_withdrawn(connection, known, now)
    worse = sum(one.verdict.word == "worse" for one in found)
    return {"releases": len({look.release.id for look in looks}), "looks": len(looks), "worse": worse}


def live_log_e(database: Database, now: datetime) -> list[float]:
    """Natural logarithms of the newest e-values of all streams of releases that are being watched."""
    return _elsewhere([], _read(database, now), hour_of(now))


def _read(database: Database, now: datetime) -> _Known:
    with database.reading() as connection:
        listed = releases.list_releases(connection)
        latest = {(look.release_id, look.metric): look for look in cohort_looks.latest(connection)}
        offers = _offers(connection, listed, now)
        told = {version(asked).text for _, _, asked in offers}
        running = frozenset(
            release.id
            for release in listed
            if version(release.version).text in told
            or devices.list_devices(connection, model=release.model, version=release.version, test=False, limit=1)
        )
        spans = blindness.between(connection, time_of(0), now, now)
        return _Known(listed, latest, running, frozenset(blindness.hours_of(spans, now)), offers)


def _offers(connection: Connection, listed: Sequence[Release], now: datetime) -> Offers:
    """What devices were told to install since the oldest release that is watched, of the last `_OFFERS_KEPT`."""
    watched = [release.released_at for release in listed if release.status != "withdrawn"]
    if not watched:
        return ()
    sent = commands.updates_sent(connection, max(min(watched), now - _OFFERS_KEPT))
    return tuple((device, hour_of(at), asked) for device, asked, at in sent)


def _look(
    store: TelemetryStore, database: Database, known: _Known, hour: int, options: Options, guard: int
) -> list[Look]:
    monitors = _monitors.setdefault(store, {})
    looks: list[Look] = []
    for release in known.releases:
        if release.status == "withdrawn" or _is_over(_mine(release, known), hour):
            monitors.pop(release.id, None)
            continue
        if not _is_due(release, known, hour):
            continue
        fleet = partial(_fleet, database, release)
        asked = replace(options, superseded_at=_superseded_at(release, known.releases))
        evidence = monitors.setdefault(release.id, Monitor()).look(store, release, fleet, hour, asked, known.offers)
        if evidence is None:
            continue
        for stream in evidence.live:
            weight = weigh(stream, release.assignment, margin=options.margin, guard=guard)
            looks.append(Look(release, stream, weight, evidence))
    return looks


def _fleet(database: Database, release: Release) -> Fleet:
    with database.reading() as connection:
        found = devices.list_devices(connection, model=release.model, limit=_ALL)
        there = liveness.find(connection, [device.id for device in found])
    power = {device: row.power for device, row in there.items()}
    return Fleet.of(found, power=power, at=release.released_at)


def _superseded_at(release: Release, listed: Sequence[Release]) -> int:
    """The hour from which on another release is the newest of the model."""
    own = release.released_at
    later = [
        hour_of(other.released_at)
        for other in listed
        if other.model == release.model and other.id != release.id and other.released_at > own
    ]
    return min(later, default=FAR)


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


_FIRST_ONLY = frozenset(name for name, metric in BY_NAME.items() if not metric.repeats)


def _latched(looks: Sequence[Look], known: _Known) -> list[bool]:
    """Which of them were called worse at the look before."""
    before = [known.latest.get((look.release.id, look.metric.name)) for look in looks]
    return [one is not None and one.verdict == "worse" for one in before]


def _elsewhere(looks: Sequence[Look], known: _Known, hour: int) -> list[float]:
    """The last e-values of releases that are watched but not looked at now."""
    here = {look.release.id for look in looks}
    values: list[float] = []
    for release in known.releases:
        mine = _mine(release, known)
        if release.status == "withdrawn" or release.id in here or _is_over(mine, hour):
            continue
        spoken = (look.e for look in mine if look.metric not in _FIRST_ONLY or release.assignment == "randomised")
        values.extend(recorded_evidence(e) for e in spoken)
    return values


def _names(release: Release) -> Names:
    return Names(release.version, release.replaces or Said("earlier firmware"))


def _subject(release: Release) -> Subject:
    about = {"model": release.model, "version": release.version, "replaces": release.replaces}
    return Subject(_key(release), "release", about)


def _key(release: Release) -> str:
    return f"release:{release.id}"


def _close_withdrawn(connection: Connection, known: _Known, now: datetime) -> None:
    """The finding of a withdrawn release ends when no device runs it any more."""
    for release in known.releases:
        if release.status != "withdrawn" or not _mine(release, known):
            continue
        running = devices.list_devices(connection, model=release.model, version=release.version, test=False, limit=1)
        if not running:
            recover(connection, _key(release), now, "withdrawn, and no device runs it any more")
