"""The registry of what is watched about a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.cohorts.spec import METRICS, watched_metrics
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import MODES, UNUSUAL
from hearthwatch.metrics import BY_NAME as CATALOGUE
from hearthwatch.run.assembly import open_platform
from hearthwatch.settings import Settings


@pytest.mark.parametrize(
    ("gauges", "says"),
    [
        (["motor_current_a"], "name:more or name:less"),
        (["motor_current_a:up"], "name:more or name:less"),
        (["Motor:more"], "name:more or name:less"),
        (["energy_kwh:more"], "counter"),
        (["actuation_s:more"], "watched already"),
        (["battery_drain:less"], "watched already"),
        (["load_average:more", "load_average:less"], "named twice"),
    ],
)
def test_a_gauge_that_can_not_be_watched_is_refused_with_the_reason(gauges: list[str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        watched_metrics(gauges)


def test_a_platform_with_a_gauge_that_can_not_be_watched_does_not_start(tmp_path: Path, clock: SteppedClock) -> None:
    settings = Settings(data_dir=tmp_path / "data", cohort_gauges=("energy_kwh:more",))
    with pytest.raises(Invalid, match="counter"):
        open_platform(settings, clock)
    assert not (tmp_path / "data").exists()


def test_a_gauge_of_a_maker_keeps_its_name_and_its_side() -> None:
    *_, own = watched_metrics([" weight_g:less "])
    assert (own.name, own.of, own.direction, own.kind, own.unit) == ("weight_g", "weight_g", "less", "mean", "")
    *_, known = watched_metrics(["motor_current_a:more"])
    assert (known.unit, known.mode) == ("A", "motor_wear")


def test_every_metric_says_all_that_a_verdict_needs() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.mode in {*MODES, UNUSUAL.id}
        assert metric.says
        assert metric.unit
        low, high = metric.bounds
        assert low * high == pytest.approx(1.0)
        assert (high == pytest.approx(1.10)) == (metric.kind == "mean")
        assert metric.tau == pytest.approx(0.10 if metric.kind == "mean" else 0.405, abs=1e-3)
        assert not metric.of or metric.of in CATALOGUE
