from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from analytics.anomaly.hourly_rows import hours_of, reporting

START = datetime(2026, 3, 2, tzinfo=UTC)
FIRST = int(START.timestamp()) // 3600


def table(*rows: tuple[str, int, str, int, float]) -> pa.Table:
    devices, hours, metrics, counts, means = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return pa.table(
        {
            "device": pa.array(devices, pa.string()),
            "hour": pa.array([START + timedelta(hours=hour) for hour in hours], pa.timestamp("us", "UTC")),
            "metric": pa.array(metrics, pa.string()),
            "n": pa.array(counts, pa.int64()),
            "mean": pa.array(means, pa.float64()),
        }
    )


def test_rows_find_their_places_and_what_was_not_told_is_unknown() -> None:
    told = table(("b", 1, "y", 2, 5.0), ("a", 0, "x", 1, 3.0))
    values = hours_of(told, ("a", "b"), ("x", "y"), FIRST, 2)
    assert values[0, 0, 0] == 3.0
    assert values[1, 1, 1] == 5.0
    assert np.isnan(values).sum() == 6


def test_other_devices_metrics_and_hours_are_left_out() -> None:
    told = table(("c", 0, "x", 1, 1.0), ("a", 0, "z", 1, 1.0), ("a", -1, "x", 1, 1.0), ("a", 2, "x", 1, 1.0))
    assert np.isnan(hours_of(told, ("a",), ("x",), FIRST, 2)).all()


def test_an_hour_with_two_firmwares_has_the_mean_of_its_readings() -> None:
    told = table(("a", 0, "x", 1, 1.0), ("a", 0, "x", 3, 5.0))
    assert hours_of(told, ("a",), ("x",), FIRST, 1)[0, 0, 0] == 4.0


def test_no_rows_at_all_are_no_values() -> None:
    assert np.isnan(hours_of(table(), ("a",), ("x",), FIRST, 3)).all()
    assert reporting(table(), ("a",), 1) == []


def test_a_metric_counts_as_reported_once_enough_devices_of_the_model_report_it() -> None:
    told = table(("a", 0, "x", 1, 1.0), ("b", 0, "x", 1, 1.0), ("a", 1, "x", 1, 1.0), ("a", 0, "y", 1, 1.0))
    assert reporting(told, ("a", "b"), 2) == ["x"]
    assert reporting(told, ("a",), 2) == []
