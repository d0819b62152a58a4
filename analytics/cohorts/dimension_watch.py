"""The watch over standing comparisons: looked at with the releases, by the same tests, corrected together with them."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.cohorts.dimension_evidence import DimensionEvidence, adopted_by, begin
from analytics.cohorts.dimension_values import Members, members_of
from analytics.cohorts.dimension_words import basis_of, named, with_basis
from analytics.cohorts.evidence import Options, advance
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.judging import Judged, Rules, judged, live_evidence, may_speak, recorded_evidence, stand
from analytics.cohorts.look_findings import Subject, keep_findings, recover
from analytics.cohorts.look_rows import Look
from analytics.cohorts.monitor import OPEN_DAYS
from analytics.cohorts.panel import hour_of, time_of
from analytics.cohorts.spec import HOURLY_FOR_HOURS, watched_metrics
from analytics.cohorts.verdict import Standing
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import weigh
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, comparison_looks, comparisons, devices, liveness
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.comparisons import Comparison
from hearthwatch.records.database import Database
from hearthwatch.said import Said, all_told
from hearthwatch.values import Device

_ALL = 10_000_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """The evidence of a comparison between looks: as it begun, what is closed, and the day everything was read on."""

    options: Options
    begun: DimensionEvidence
    closed: DimensionEvidence
    read_on: int


_kept: weakref.WeakKeyDictionary[TelemetryStore, dict[int, _Kept]] = weakref.WeakKeyDictionary()
"""Evidence kept in memory between looks, for each open store. Losing it costs one full reading, never a number."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the comparisons that are due amount to at an hour, not judged yet; ``elsewhere`` are the newest log e-values of the others."""

    hour: int
    looks: Sequence[tuple[Comparison, Look]]
    elsewhere: Sequence[float]
    latched: frozenset[tuple[int, str]]
    ended: Sequence[Comparison]

    @property
    def log_e(self) -> list[float]:
        """Natural logarithms of the e-values of all live streams, for e-BH."""
        return [*live_evidence(look for _, look in self.looks), *self.elsewhere]


def weigh_comparisons(
    store: TelemetryStore,
    database: Database,
    now: datetime,
    *,
    margin: float,
    guard: int,
    burn_in: timedelta,
    gauges: Sequence[str] = (),
) -> Weighed:
    """Weigh every comparison that is due: hourly for a fortnight after it was asked for, then daily. Writes nothing."""
    hour = hour_of(now)
    with database.reading() as connection:
        asked = comparisons.list_comparisons(connection)
        latest = comparison_looks.latest(connection)
        blind = frozenset(blindness.hours_of(blindness.between(connection, time_of(0), now, now), now))
    standing = [one for one in asked if one.ended_at is None]
    metrics = watched_metrics(gauges)
    looks: list[tuple[Comparison, Look]] = []
    for comparison in standing:
        mine = [look for look in latest if look.comparison_id == comparison.id]
        if not _is_due(comparison, mine, hour):
            continue
        wanted = tuple(metric for metric in metrics if comparison.metric in {None, metric.name})
        options = Options(margin, round(burn_in.total_seconds() / 3600), blind, wanted)
        evidence = _evidence(store, database, comparison, hour, options)
        if evidence is None:
            continue
        for stream in evidence.live:
            weight = weigh(stream, evidence.release.assignment, margin=margin, guard=guard)
            looks.append((comparison, Look(replace(evidence.release, id=comparison.id), stream, weight, evidence)))
    _forget(store, {one.id for one in standing})
    here = {comparison.id for comparison, _ in looks}
    live = {one.id for one in standing} - here
    others = [look for look in latest if look.comparison_id in live and look.detail.get("may_speak", True)]
    return Weighed(
        hour=hour,
        looks=looks,
        elsewhere=[recorded_evidence(look.e) for look in others],
        latched=frozenset((look.comparison_id, look.metric) for look in latest if look.verdict == "worse"),
        ended=[one for one in asked if one.ended_at is not None],
    )


def judge_comparisons(
    database: Database,
    weighed: Weighed,
    *,
    margin: float,
    guard: int,
    page_fdr: float,
    watch_fdr: float,
    relapse: timedelta,
    beside: Sequence[float] = (),
) -> Mapping[str, Any]:
    """Judge what was weighed by e-BH together with the streams ``beside`` (of releases), append the looks and keep the findings in step.

    Returns counts. A second call in the same hour adds nothing.
    """
    rules = Rules(margin, guard, page_fdr, watch_fdr)
    latched = [(comparison.id, look.metric.name) in weighed.latched for comparison, look in weighed.looks]
    looks = [look for _, look in weighed.looks]
    standings = stand(looks, latched, [*weighed.elsewhere, *beside], rules)
    found = [
        (comparison, _judged(comparison, look, standing, weighed.hour, rules))
        for (comparison, look), standing in zip(weighed.looks, standings, strict=True)
    ]
    rows = [ComparisonLook(comparison_id=comparison.id, **one.row.figures()) for comparison, one in found]
    with database.transaction(alone=False) as connection:
        comparison_looks.append(connection, rows)
        told = [(_subject(comparison), one) for comparison, one in found]
        keep_findings(connection, told, time_of(weighed.hour), relapse)
        _close_ended(connection, weighed)
    worse = sum(one.verdict.word == "worse" for _, one in found)
    return {"comparisons": len({one.id for one, _ in weighed.looks}), "looks": len(rows), "worse": worse}


def _judged(comparison: Comparison, look: Look, standing: Standing, hour: int, rules: Rules) -> Judged:
    """As any look, and what it rests on: that no device changed the value makes it an association."""
    names = Names(named(comparison.by, comparison.treatment), _control(comparison))
    one = judged(look, standing, names, hour, rules)
    adopted = isinstance(look.evidence, DimensionEvidence) and look.evidence.adopted
    basis = basis_of(adopted=adopted, randomised=False)
    verdict = with_basis(one.verdict, basis, comparison.by)
    detail = {**one.row.detail, "basis": basis, "may_speak": may_speak(look), "said": all_told(verdict.said)}
    return replace(one, row=replace(one.row, why=verdict.why, detail=detail))


def _subject(comparison: Comparison) -> Subject:
    about = {
        "model": comparison.model,
        "by": comparison.by,
        "treatment": comparison.treatment,
        "control": list(comparison.control),
        "name": f"{comparison.model}, {named(comparison.by, comparison.treatment)}",
    }
    return Subject(f"comparison:{comparison.id}", "group", about)


def _control(comparison: Comparison) -> str:
    if not comparison.control:
        return Said("all {which}", which=Said("others"))  # of the model; tickets have others, too
    return named(comparison.by, f"{' or '.join(comparison.control[:3])}{' …' if len(comparison.control) > 3 else ''}")


def _is_due(comparison: Comparison, mine: Sequence[ComparisonLook], hour: int) -> bool:
    if not mine:
        return hour > hour_of(comparison.since)
    newest = max(hour_of(look.at) for look in mine)
    if newest >= hour:
        return False
    return hour - hour_of(comparison.created_at) <= HOURLY_FOR_HOURS or hour // 24 > newest // 24


def _evidence(
    store: TelemetryStore, database: Database, comparison: Comparison, hour: int, options: Options
) -> DimensionEvidence | None:
    """The evidence up to the hour, reading only what is new; None while the registry knows no such device.

    Once a UTC day, and when nobody was heard for longer than was known, everything is read anew, with the registry as it is then.
    """
    kept = _kept.setdefault(store, {}).get(comparison.id)
    if kept is None or kept.read_on != hour // 24 or kept.options != options or kept.closed.until > hour:
        kept = _read(store, database, comparison, hour, options, kept)
        if kept is None:
            return None
        _kept[store][comparison.id] = kept
    return advance(store, kept.closed, hour)


def _read(
    store: TelemetryStore,
    database: Database,
    comparison: Comparison,
    hour: int,
    options: Options,
    kept: _Kept | None,
) -> _Kept | None:
    members, fleet = _registry(database, comparison)
    if not members.ids:
        return None
    since = hour_of(comparison.since)
    begun = kept.begun if kept is not None else None
    if begun is None or not _still_holds(begun, members, fleet, options, since, hour):
        begun = begin(store, members, fleet, comparison.model, since, hour, options)
    closed = advance(store, begun, max(begun.until, (hour // 24 - OPEN_DAYS) * 24))
    return _Kept(options, begun, closed, hour // 24)


def _still_holds(
    begun: DimensionEvidence, members: Members, fleet: Fleet, options: Options, since: int, hour: int
) -> bool:
    """Whether the past that was read is that of the same question about the same devices."""
    return (
        begun.options == options
        and begun.adopted == adopted_by(members, since, hour)
        and begun.members.is_like(members)
        and begun.fleet.is_like(fleet)
    )


def _registry(database: Database, comparison: Comparison) -> tuple[Members, Fleet]:
    """Who is in which arm, and the strata. What is compared is no stratum, nor is age where the value comes with it."""
    with database.reading() as connection:
        members = members_of(connection, comparison)
        found = devices.list_devices(connection, model=comparison.model, limit=_ALL)
        there = liveness.find(connection, [device.id for device in found])
    power = {device: row.power for device, row in there.items()}
    at = comparison.since if comparison.by == "region" else None
    return members, Fleet.of([_without(device, comparison.by) for device in found], power=power, at=at)


def _without(device: Device, by: str) -> Device:
    if by == "hardware":
        return replace(device, hardware=None)
    return replace(device, region=None) if by == "region" else device


def _forget(store: TelemetryStore, standing: set[int]) -> None:
    mine = _kept.get(store, {})
    for comparison in set(mine) - standing:
        del mine[comparison]


def _close_ended(connection: Connection, weighed: Weighed) -> None:
    """The finding of a comparison that nobody asks any more ends."""
    for comparison in weighed.ended:
        if any(number == comparison.id for number, _ in weighed.latched):
            recover(connection, _subject(comparison).key, time_of(weighed.hour), "the comparison was ended")
