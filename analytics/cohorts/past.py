"""What came before a release: its first wave, and each device's own past in the pre-period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.cohorts.arms import Carry
from analytics.cohorts.evidence import Evidence, Fleet, Options, counts, panels
from analytics.cohorts.panel import Panel, Versions, hour_of, time_of
from analytics.cohorts.spec import (
    CAP_QUANTILE,
    LEAST_CAP,
    LEAST_PRE_HOURS,
    METRICS,
    PRE_HOURS,
    SYNC_COUNTER,
    WASHOUT_HOURS,
    Metric,
)
from analytics.cohorts.streams import Past, Stream
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Release


def begin(
    store: TelemetryStore, release: Release, fleet: Fleet, now: int, options: Options, *, search_from: int = 0
) -> Evidence | None:
    """The evidence at the release's first wave: none yet, but each device's own past. None when no device runs it before ``now``.

    The first wave is looked for from the release's announcement on, or from the hour ``search_from`` where that is later.
    """
    versions = Versions()
    target = versions.number(release.version)
    if release.replaces:
        versions.number(release.replaces)
    announced = max(hour_of(release.released_at), search_from)
    first_wave = _first_hour(store, fleet, versions, target, announced, now)
    if first_wave is None:
        return None
    start, end = _pre_period(store, fleet, first_wave)
    metrics = [metric for metric in METRICS if metric.source != "counter" or SYNC_COUNTER in store.metrics()]
    cap = _cap(store, fleet, start, end)
    nobody = Carry.nothing(len(fleet.ids))
    empty = Evidence(release, options, fleet, versions, cap, first_wave, start, nobody, (), first_wave, end - start)
    pasts, evidence = _read_past(store, empty, metrics, _Edges(start, (start + end) // 2, end))
    streams = tuple(Stream.begin(metric, past, options.margin) for metric, past in zip(metrics, pasts, strict=True))
    return replace(evidence, streams=streams)


def _first_hour(
    store: TelemetryStore, fleet: Fleet, versions: Versions, target: int, announced: int, now: int
) -> int | None:
    """The first hour since the announcement in which a counted device ran the release."""
    for begins in range(announced, now, 24):
        ends = min(now, begins + 24)
        rows = store.exposure(time_of(begins), time_of(ends), devices=fleet.ids)
        words = [word for word in pc.unique(rows["firmware"]).to_pylist() if word and versions.number(word) == target]
        if words:
            mine = rows.filter(pc.is_in(rows["firmware"], value_set=pa.array(words, pa.string())))
            return hour_of(pc.min(mine["hour"]).as_py())
    return None


def _pre_period(store: TelemetryStore, fleet: Fleet, first_wave: int) -> tuple[int, int]:
    """The pre-period in hours, [start, end): a fortnight, with a wash-out before the first wave where the past is long enough."""
    start = _first_report(store, fleet, first_wave - PRE_HOURS - WASHOUT_HOURS, first_wave)
    end = first_wave - WASHOUT_HOURS
    if end - start >= LEAST_PRE_HOURS:
        return max(start, end - PRE_HOURS), end
    return max(start, first_wave - PRE_HOURS), first_wave


def _first_report(store: TelemetryStore, fleet: Fleet, begin: int, end: int) -> int:
    """The first hour of [begin, end) in which the fleet reported, or ``end``; from its first day on it is taken to report every day."""

    def first_of(begins: int) -> int | None:
        rows = store.exposure(time_of(begins), time_of(min(begins + 24, end)), devices=fleet.ids)
        return hour_of(pc.min(rows["hour"]).as_py()) if rows.num_rows else None

    low, high, first = 0, (end - begin) // 24, end
    middle = 0  # usually there is data from the very beginning
    while low < high:
        found = first_of(begin + 24 * middle)
        if found is None:
            low = middle + 1
        else:
            high, first = middle, found
        middle = (low + high) // 2
    return first


def _cap(store: TelemetryStore, fleet: Fleet, start: int, end: int) -> int:
    """The most reboots of a device and UTC day that count: the 99.5 % quantile of the pre-period's device-days, at least 3."""
    events = store.events(time_of(start), time_of(end), devices=fleet.ids, kinds=["reboot"])
    events = events.filter(pc.invert(pc.is_in(events["code"], value_set=pa.array(sorted(REBOOT_CODES_EXPECTED)))))
    if events.num_rows == 0:
        return LEAST_CAP
    days = pa.table({"device": events["device"], "day": pc.floor_temporal(events["at"], unit="day")})
    numbers = days.group_by(["device", "day"]).aggregate([([], "count_all")])["count_all"].to_numpy()
    beyond = int((1.0 - CAP_QUANTILE) * len(fleet.ids) * (end - start) / 24)
    return max(LEAST_CAP, int(np.sort(numbers)[::-1][beyond])) if beyond < numbers.size else LEAST_CAP


@dataclass(frozen=True, slots=True)
class _Edges:
    """Where the halves of the pre-period begin and end, in hours since 1970; after ``end`` comes the wash-out."""

    start: int
    middle: int
    end: int

    def cut(self, panel: Panel) -> list[tuple[str, Panel]]:
        """The panel's parts, each with the half it belongs to (empty: none)."""
        edges = [panel.begin, self.middle, self.end, panel.begin + panel.hours]
        places = [min(max(edge - panel.begin, 0), panel.hours) for edge in edges]
        spans = zip(("early", "late", ""), places[:-1], places[1:], strict=True)
        return [(half, panel.part(first, last)) for half, first, last in spans if last > first]


def _read_past(
    store: TelemetryStore, evidence: Evidence, metrics: Sequence[Metric], edges: _Edges
) -> tuple[list[Past], Evidence]:
    """The past of each metric in two halves, and the evidence carried on to the first wave.

    The wash-out counts nowhere, but it tells which firmware ran.
    """
    nothing = Past.nothing(len(evidence.fleet.ids))
    pasts = dict.fromkeys(metrics, nothing)
    counters = any(metric.source == "counter" for metric in metrics)
    for panel in panels(store, evidence, evidence.first_wave, counters=counters):
        for half, part in edges.cut(panel):
            arms, carry = evidence.arms(part)
            before = arms.counted & ~arms.treated  # a device that ran the release early has no past in those hours
            for metric in metrics:
                if half and metric.repeats:
                    events = np.where(before, counts(metric, part, arms, evidence.cap).events, 0.0)
                    past = pasts[metric]
                    longer = getattr(past, half).add(before.astype(np.float64), events, evidence.fleet.strata)
                    pasts[metric] = replace(past, **{half: longer})
            evidence = evidence.moved(carry, part)
    return [pasts[metric] for metric in metrics], evidence
