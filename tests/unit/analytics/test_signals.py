from __future__ import annotations

import numpy as np

from analytics.panel import Panel
from analytics.signals import METRICS, SIGNALS, derived, metrics_of_part, raw_metrics, signals_for, streams_of
from hearthwatch.failure_modes import FAILURE_MODES, MODES, UNEXPECTED_REBOOTS
from hearthwatch.metrics import BY_NAME


def test_every_signal_speaks_for_a_failure_mode_and_is_made_of_known_metrics() -> None:
    for signal in SIGNALS:
        assert signal.mode in MODES
        assert all(name in BY_NAME or name == UNEXPECTED_REBOOTS for name in signal.needs)


def test_a_signal_watches_the_side_that_the_catalogue_calls_bad() -> None:
    for signal in SIGNALS:
        if signal.id == signal.metric:
            assert signal.bad == BY_NAME[signal.metric].bad


def test_the_better_signal_takes_the_place_of_the_raw_metric() -> None:
    ids = {signal.id for signal in signals_for({"temperature_c", "reference_temperature_c", "humidity_pct"})}
    assert ids == {"temperature_error_c"}
    assert {signal.id for signal in signals_for({"temperature_c"})} == {"temperature_c"}


def test_what_may_go_wrong_to_both_sides_has_two_streams() -> None:
    streams = streams_of(signals_for({"temperature_c"}))
    assert [stream.sign for stream in streams] == [1, -1]


def test_a_battery_that_was_charged_lost_nothing_that_counts() -> None:
    signal = next(one for one in SIGNALS if one.id == "battery_loss")
    lost = signal.over({"battery_pct": np.array([[50.0, 48.5, 100.0, 99.5]])})[0]
    assert np.isnan(lost[[0, 2]]).all()
    assert lost[[1, 3]].tolist() == [1.5, 0.5]


def test_how_a_device_is_used_is_no_signal() -> None:
    assert METRICS.isdisjoint({"power_w", "energy_kwh", "motion_events", "setpoint_c", "relay_on", "lock_cycles"})


def test_derived_quantities_stand_beside_the_metrics_of_a_panel() -> None:
    shape = (2, 3)
    values = {"battery_pct": np.full(shape, 50.0)}
    panel = Panel(("a", "b"), 0, values, {}, np.zeros(shape, dtype=np.int64), (), np.ones(shape, dtype=bool))
    assert set(derived(panel).values) == {"battery_pct", "battery_loss"}


def test_a_part_of_the_list_is_foretold_by_its_own_metrics_and_any_other_by_all() -> None:
    known = ("battery_pct", "battery_loss", "lock_cycles", "actuation_s", "rssi_dbm")
    assert metrics_of_part("battery", known) == (("battery_loss",), ())
    assert metrics_of_part("motor", known) == (("log_actuation_s",), ("lock_cycles",))
    assert metrics_of_part("drive", known)[0] == tuple(sorted(set(known) - {"battery_loss"}))


def test_a_store_is_asked_for_what_derived_quantities_are_made_of() -> None:
    assert raw_metrics({"battery_loss", "rssi_dbm", UNEXPECTED_REBOOTS}) == ["battery_pct", "rssi_dbm"]


def test_every_failure_mode_with_a_watched_metric_has_a_signal() -> None:
    spoken_for = {signal.mode for signal in SIGNALS}
    assert spoken_for == {mode.id for mode in FAILURE_MODES}
