"""Laws of the evidence about a release, on arrays alone."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.cohorts.boots import BootSigns
from analytics.cohorts.evidence import Evidence, Memory, Options
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.panel import THIS, UNKNOWN, Panel, Versions
from analytics.cohorts.spec import METRICS, gauge
from analytics.cohorts.streams import LARGE_FLEET, Past, Stream
from analytics.cohorts.weighing import Weight, weigh
from analytics.sequential.cluster import PastSums
from hearthwatch.values import Device, Release
from tests.builders import bare_device

DAY = datetime(2026, 5, 1, tzinfo=UTC)
BEGIN = int(DAY.timestamp()) // 3600
HOURS = 5 * 24
DEVICES = 14
FRAMES = gauge("frame_rate_fps:less")
OPTIONS = Options(margin=1.05, burn_in=6, metrics=(*METRICS, FRAMES))


def device(number: int, *, hardware: str = "A", region: str = "north") -> Device:
    name = f"d{number:03d}"
    return bare_device(name, model="lock", hardware=hardware, region=region, firmware="1.0", version="1.0")


def begun(devices: int = DEVICES, begin: int = BEGIN, options: Options = OPTIONS, past: Past | None = None) -> Evidence:
    """Evidence about 2.0 (1) against 1.0 (0) at its first wave, every second device of hardware B."""
    fleet = Fleet.of([device(number, hardware="AB"[number % 2]) for number in range(devices)])
    release = Release(1, "lock", "2.0", "1.0", "randomised", (), DAY, "rolling", 1)
    streams = tuple(
        replace(
            Stream.begin(metric, past or Past.nothing(devices), options.margin, cap=100.0),
            reported=metric.source in {"reboots", "silence"},
        ).marked(begin)
        for metric in options.metrics
    )
    return Evidence(
        release=release,
        options=options,
        fleet=fleet,
        versions=Versions({"1.0": 0, "2.0": 1}),
        cap=3,
        habit=np.zeros(devices, dtype=bool),
        first_wave=begin,
        until=begin,
        memory=Memory.nothing(devices, options.metrics),
        streams=streams,
        last_arrival=begin,
        pre_hours=0,
    )


def random_panel(seed: int, devices: int = DEVICES, hours: int = HOURS, begin: int = BEGIN) -> Panel:
    """Everything that may happen: gaps, two versions in an hour, updates back and forth, boots of every kind, blind hours."""
    rng = np.random.default_rng(seed)
    shape = (devices, hours)
    version = (np.arange(hours) >= rng.integers(0, 2 * hours, devices)[:, None]).astype(np.int32)
    version = np.where(rng.random(shape) < 0.02, 1 - version, version).astype(np.int32)
    reported = rng.random(shape) < 0.9
    version[~reported | (rng.random(shape) < 0.05)] = UNKNOWN
    other = np.where((version >= 0) & (rng.random(shape) < 0.02), 1 - version, version).astype(np.int32)
    unexpected = rng.poisson(0.1, shape) * reported
    told = rng.random(shape) < 0.8
    count = np.where(told, 7 + np.cumsum(rng.poisson(0.12, shape), axis=1), np.nan)
    signs = replace(BootSigns.nothing(*shape), count=count)
    offered = np.where(rng.random(shape) < 0.005, THIS, 0).astype(np.int8)
    names = [metric.of for metric in OPTIONS.metrics if metric.kind == "mean"]
    gauges = {name: np.where(rng.random(shape) < 0.9, 50 + rng.normal(0, 3, shape), np.nan) for name in names}
    return Panel(
        begin=begin,
        reported=reported,
        version=version,
        other=other,
        unexpected=unexpected.astype(float),
        reboots=(unexpected + rng.poisson(0.05, shape)).astype(float),
        signs=signs,
        told_to_update=offered,
        counter=np.cumsum(rng.poisson(0.05, shape), axis=1).astype(float),
        gauges=gauges,
        blind=rng.random(hours) < 0.03,
    )


def permuted(panel: Panel, order: NDArray[np.int64]) -> Panel:
    """The same devices under other names."""
    signs = BootSigns(*(getattr(panel.signs, one.name)[order] for one in fields(BootSigns)))
    return replace(
        panel,
        reported=panel.reported[order],
        version=panel.version[order],
        other=panel.other[order],
        unexpected=panel.unexpected[order],
        reboots=panel.reboots[order],
        signs=signs,
        told_to_update=panel.told_to_update[order],
        counter=None if panel.counter is None else panel.counter[order],
        gauges={name: values[order] for name, values in panel.gauges.items()},
    )


def assert_same_streams(one: Evidence, other: Evidence, order: NDArray[np.int64] | None = None) -> None:
    places = np.arange(len(one.fleet.ids)) if order is None else order
    assert (one.until, one.last_arrival) == (other.until, other.last_arrival)
    for mine, theirs in zip(one.streams, other.streams, strict=True):
        assert mine.logrank.log_e == pytest.approx(theirs.logrank.log_e, abs=1e-9)
        assert [start.hour for start in mine.starts] == [start.hour for start in theirs.starts]
        pairs = [(mine.everyone, theirs.everyone), (mine.known, theirs.known)]
        pairs += [(a.everyone, b.everyone) for a, b in zip(mine.starts, theirs.starts, strict=True)]
        for left, right in pairs:
            for field in fields(left):
                value = getattr(left, field.name)
                value = value[places] if isinstance(value, np.ndarray) and value.ndim == 1 else value
                np.testing.assert_allclose(value, getattr(right, field.name), rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000), st.lists(st.integers(1, HOURS - 1), min_size=1, max_size=4))
@settings(max_examples=6, deadline=None)
def test_hours_in_any_pieces_give_what_one_reading_gives(seed: int, cuts: list[int]) -> None:
    panel = random_panel(seed)
    pieces = begun()
    edges = [0, *sorted(set(cuts)), HOURS]
    for first, last in pairwise(edges):
        pieces = pieces.add(panel.part(first, last))
    assert_same_streams(pieces, begun().add(panel))


@given(st.integers(0, 10_000))
@settings(max_examples=4, deadline=None)
def test_the_order_of_the_devices_does_not_matter(seed: int) -> None:
    panel = random_panel(seed)
    rng = np.random.default_rng(seed)
    even, odd = np.arange(0, DEVICES, 2), np.arange(1, DEVICES, 2)
    order = np.empty(DEVICES, dtype=np.int64)  # within a hardware revision
    order[even], order[odd] = rng.permutation(even), rng.permutation(odd)
    one, other = begun().add(panel), begun().add(permuted(panel, order))
    assert_same_streams(one, other, order)
    for mine, theirs in zip(one.streams, other.streams, strict=True):
        left, right = (weigh(stream, "randomised", margin=1.05, guard=1) for stream in (mine, theirs))
        assert left.log_e == pytest.approx(right.log_e, abs=1e-9)


@given(st.integers(0, 10_000), st.integers(24, HOURS - 1))
@settings(max_examples=4, deadline=None)
def test_nothing_that_comes_later_changes_what_was_said(seed: int, until: int) -> None:
    known, unknown = random_panel(seed), random_panel(seed + 1)
    said = begun().add(known.part(0, until))
    weights = [weigh(stream, "randomised", margin=1.05, guard=1) for stream in said.streams]
    said.add(unknown.part(until, HOURS))
    again = [weigh(stream, "randomised", margin=1.05, guard=1) for stream in said.streams]
    assert weights == again
    assert_same_streams(said, begun().add(known.part(0, until)))


@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_a_devices_own_level_does_not_change_a_difference_in_differences(seed: int) -> None:
    """Whatever each device's own latency is: if the release makes all of them 1.3 times as slow, the ratio is 1.3."""
    rng = np.random.default_rng(seed)
    devices = 24
    level = rng.lognormal(0.0, 1.0, devices)
    treated = np.arange(devices) < rng.integers(6, 18)
    watched = weigh(_slowed(level, treated, 1.3), "unknown", margin=1.05, guard=3)
    assert _ratio_of(watched) == pytest.approx(1.3, rel=0.02)
    level[0] = 1000.0 * level.max()
    slow_by_itself = weigh(_slowed(level, treated, 1.3), "unknown", margin=1.05, guard=3)
    assert _ratio_of(slow_by_itself) == pytest.approx(1.3, rel=0.02)
    assert slow_by_itself.unadjusted is not None
    assert slow_by_itself.unadjusted.value > 10.0


def _ratio_of(weight: Weight) -> float:
    assert weight.rate is not None
    return weight.rate.value


def _slowed(level: NDArray[np.float64], treated: NDArray[np.bool_], ratio: float) -> Stream:
    """Four days of latencies after the same before."""
    devices, days = level.size, 4
    shape = (devices, days * 24)
    metric = next(one for one in METRICS if one.name == "actuation_latency")
    fleet = Fleet.of([device(number) for number in range(devices)])
    before = PastSums.nothing(devices).add(
        np.full((devices, days), 24.0), np.repeat(level[:, None], days, 1), fleet.strata
    )
    past = Past(before, before, metric.known_past_hours)
    version = np.repeat(treated[:, None], shape[1], axis=1).astype(np.int32)
    jitter = np.random.default_rng(1).normal(1.0, 0.01, shape)
    panel = replace(
        random_panel(0, devices, shape[1]),
        reported=np.ones(shape, dtype=bool),
        version=version,
        other=version,
        blind=np.zeros(shape[1], dtype=bool),
        gauges={"actuation_s": level[:, None] * np.where(version > 0, ratio, 1.0) * jitter},
    )
    options = replace(OPTIONS, metrics=(metric,))
    evidence = begun(devices, options=options, past=past)
    uncapped = replace(evidence, fleet=fleet, streams=(replace(evidence.streams[0], cap=float("inf")),))
    return uncapped.add(panel).streams[0]


def test_a_metric_nobody_tells_has_no_live_stream() -> None:
    panel = replace(random_panel(3), counter=None, gauges={})
    assert [stream.metric.name for stream in begun().add(panel).live] == ["unexpected_reboots", "went_silent"]


def test_devices_on_mains_power_have_no_battery_drain() -> None:
    names = [device(number) for number in range(DEVICES)]
    power = {f"d{number:03d}": "mains" if number < 7 else "battery" for number in range(DEVICES)}
    evidence = replace(begun(), fleet=Fleet.of(names, power=power)).add(random_panel(5))
    streams = {stream.metric.name: stream.everyone for stream in evidence.streams}
    drained = streams["battery_drain"].hours_treated + streams["battery_drain"].hours_control
    assert not drained[:7].any()
    assert drained[7:].all()
    slow = streams["actuation_latency"].hours_treated + streams["actuation_latency"].hours_control
    assert slow.all()


def test_blind_hours_are_neither_exposure_nor_do_their_events_count() -> None:
    panel = random_panel(11)
    blind = replace(panel, blind=np.ones(HOURS, dtype=bool))
    evidence = begun().add(blind)
    for stream in evidence.streams:
        assert stream.everyone.hours_treated.sum() + stream.everyone.hours_control.sum() == 0.0
        assert stream.everyone.events_treated.sum() + stream.everyone.events_control.sum() == 0.0


@pytest.mark.parametrize(("devices", "most"), [(10, 30), (LARGE_FLEET + 1, 8 + 4 + 5)])
def test_day_ends_to_restart_from_are_kept_for_four_weeks_and_thinned_for_large_fleets(devices: int, most: int) -> None:
    metric = METRICS[0]
    stream = Stream.begin(metric, Past.nothing(devices), 1.05).marked(BEGIN + 5)
    for day in range(1, 60):
        stream = stream.marked(BEGIN + 24 * day)
        ages = [(BEGIN + 24 * day - start.hour) // 24 for start in stream.starts]
        assert len(ages) <= most
        assert stream.starts[0].hour == BEGIN + 5, "the first wave always stays"
        assert set(range(min(8, day))) <= set(ages)
        assert all(age <= 28 for age in ages[1:])


def test_devices_that_are_offered_a_release_and_put_it_off_do_not_make_it_look_deadly() -> None:
    """Silence that has nothing to do with the release; half of the fleet is offered it by lot, and nobody takes it."""
    log_e = np.array([_silence_beside_an_offer(seed) for seed in range(40)])
    assert (log_e >= np.log(20.0)).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / log_e.size)
    assert log_e.mean() < 0.0


def _silence_beside_an_offer(seed: int) -> float:
    rng = np.random.default_rng(seed)
    shape = (300, 4 * 24)
    hours = np.arange(shape[1])
    gone = rng.exponential(20 * 24.0, shape[0])
    reported = hours < gone[:, None]
    version = np.where(reported, 0, UNKNOWN).astype(np.int32)
    offered = np.zeros(shape, dtype=np.int8)
    offered[rng.permutation(shape[0])[:150], 3] = THIS
    panel = replace(
        random_panel(0, *shape),
        reported=reported,
        version=version,
        other=version,
        told_to_update=offered,
        blind=np.zeros(shape[1], dtype=bool),
    )
    silence = next(metric for metric in METRICS if metric.name == "went_silent")
    found = begun(shape[0], options=replace(OPTIONS, metrics=(silence,))).add(panel)
    return weigh(found.streams[0], "randomised", margin=1.05, guard=30).log_e
