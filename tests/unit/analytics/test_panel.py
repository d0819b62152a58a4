from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from analytics.panel import day_number, day_start, encoded, increases, panel_of
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def daily(rows: list[tuple[str, int, str, float, float]]) -> pa.Table:
    device, day, metric, mean, last = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "device": device,
            "firmware": pa.array(["1.0"] * len(rows)),
            "day": pa.array([DAY + timedelta(days=int(number)) for number in day], pa.timestamp("us", "UTC")),
            "metric": metric,
            "mean": pa.array(mean, pa.float64()),
            "last": pa.array(last, pa.float64()),
        }
    )


def reboots(rows: list[tuple[str, int, str]]) -> pa.Table:
    return pa.table(
        {
            "device": pa.array([row[0] for row in rows], pa.string()),
            "at": pa.array([DAY + timedelta(days=row[1], hours=3) for row in rows], pa.timestamp("us", "UTC")),
            "kind": pa.array(["reboot"] * len(rows), pa.string()),
            "code": pa.array([row[2] for row in rows], pa.string()),
        }
    )


def test_a_counter_that_was_reset_counts_from_zero() -> None:
    assert increases(np.array([[100.0, 104.0, 3.0]])).tolist()[0][1:] == [4.0, 3.0]


def test_what_a_counter_grew_over_a_gap_is_spread_over_its_days() -> None:
    grown = increases(np.array([[10.0, np.nan, np.nan, 16.0]]))[0]
    assert np.isnan(grown[:3]).all()
    assert grown[3] == 2.0


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20))
def test_daily_increases_add_up_to_the_counter(steps: list[int]) -> None:
    totals = np.cumsum([float(step) for step in steps])[None, :]
    assert np.nansum(increases(totals)) == totals[0, -1] - totals[0, 0]


def test_a_gauge_shows_its_mean_and_a_counter_its_daily_increase() -> None:
    rows = [("a", 0, "rssi_dbm", -60.0, -50.0), ("a", 0, "sync_failed", 5.0, 7.0), ("a", 1, "sync_failed", 8.0, 9.0)]
    panel = panel_of(daily(rows), None, first_day=day_number(DAY), days=2, devices=["a"])
    assert panel.values["rssi_dbm"][0, 0] == -60.0
    assert panel.values["sync_failed"][0, 1] == 2.0
    assert panel.totals["sync_failed"].tolist() == [[7.0, 9.0]]
    assert panel.present.tolist() == [[True, True]]


def test_rows_of_other_devices_and_days_are_left_out() -> None:
    rows = [("a", 0, "rssi_dbm", -60.0, -60.0), ("b", 0, "rssi_dbm", -70.0, -70.0), ("a", 5, "rssi_dbm", -80.0, -80.0)]
    panel = panel_of(daily(rows), None, first_day=day_number(DAY), days=2, devices=["a"])
    assert np.nansum(panel.values["rssi_dbm"]) == -60.0


def test_a_day_with_readings_and_no_reboot_has_none_and_a_day_without_readings_is_unknown() -> None:
    rows = [("a", 0, "rssi_dbm", -60.0, -60.0)]
    events = reboots([("a", 2, "watchdog"), ("a", 2, "power_on"), ("a", 2, "panic")])
    panel = panel_of(daily(rows), events, first_day=day_number(DAY), days=3, devices=["a"])
    counts = panel.values[UNEXPECTED_REBOOTS][0]
    assert counts[0] == 0
    assert np.isnan(counts[1])
    assert counts[2] == 2


def test_codes_do_not_depend_on_the_order_of_rows() -> None:
    one, texts = encoded(pa.chunked_array([["b", "a", None], ["c"]]))
    assert texts == ("a", "b", "c")
    assert one.tolist() == [1, 0, -1, 2]


def test_days_and_instants_agree() -> None:
    assert day_start(day_number(DAY + timedelta(hours=23))) == DAY
