"""The reasons of a high risk: the sign that made the device bad comes first, and what is as usual speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from analytics.artifacts import Artifact
from analytics.explanation import typical
from analytics.features import Background, features_of, matrix
from analytics.hazard import Snapshots, fit_hazard
from analytics.panel import Floats, Ints, Panel
from analytics.risk_reasons import (
    MOST_EXPLAINED,
    Around,
    Explained,
    _Telling,
    around,
    contributions,
    explained,
    group_of,
)
from analytics.signals import BY_ID, derived
from analytics.training.names import EDGES, JUDGED_AT
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.values import Device
from tests.builders import bare_device

DEVICES, DAYS, FIRST_DAY = 160, 60, 20_000
METRICS = ("rssi_dbm", "wifi_reconnects_per_day", "log_relay_contact_mohm", "device_temperature_c")
BAD = {"rssi_dbm": -25.0, "wifi_reconnects_per_day": 6.0, "log_relay_contact_mohm": 1.5, "device_temperature_c": 22.0}
FIRMWARE = ["1.0.0"] * 120 + ["1.1.0"] * (DEVICES - 120)


def device_of(name: str, firmware: str | None) -> Device:
    return bare_device(name, model="plug-x", firmware=firmware, version=firmware)


@dataclass(frozen=True)
class Fleet:
    """A fleet some of whose devices failed by one sign each, what was learned from it, and how it is today."""

    artifact: Artifact
    columns: tuple[Any, ...]
    levels: dict[str, Floats]


def values_of(rng: np.random.Generator, levels: dict[str, Floats]) -> dict[str, Floats]:
    """Daily values around each device's own level."""
    scale = {"rssi_dbm": 2.0, "wifi_reconnects": 1.0, "relay_contact_mohm": 0.05, "device_temperature_c": 2.0}
    noise = {name: rng.normal(0, size, (DEVICES, DAYS)) for name, size in scale.items()}
    return {
        "rssi_dbm": levels["rssi_dbm"] + noise["rssi_dbm"],
        "wifi_reconnects": np.maximum(np.round(1 + noise["wifi_reconnects"]), 0) + levels["wifi_reconnects"],
        "relay_contact_mohm": levels["relay_contact_mohm"] * np.exp(noise["relay_contact_mohm"]),
        "device_temperature_c": levels["device_temperature_c"] + noise["device_temperature_c"],
        UNEXPECTED_REBOOTS: np.zeros((DEVICES, DAYS)),
    }


def levels_of(rng: np.random.Generator) -> dict[str, Floats]:
    return {
        "rssi_dbm": rng.normal(-60, 5, (DEVICES, 1)),
        "wifi_reconnects": np.zeros((DEVICES, 1)),
        "relay_contact_mohm": 10 * np.exp(rng.normal(0, 0.15, (DEVICES, 1))),
        "device_temperature_c": rng.normal(35, 3, (DEVICES, 1)),
    }


def panel_of(values: dict[str, Floats]) -> Panel:
    whole = np.ones((DEVICES, DAYS), dtype=bool)
    names = tuple(f"plug-{number}" for number in range(DEVICES))
    return derived(Panel(names, FIRST_DAY, values, {}, np.zeros((DEVICES, DAYS), dtype=np.int64), ("1.0.0",), whole))


def made_bad(values: dict[str, Floats], metric: str, device: int, strength: Floats) -> None:
    """Let one sign of a device go bad, by a strength from 0 to 1 for each of the last days."""
    days = slice(DAYS - len(strength), DAYS)
    raw = BY_ID[metric].metric
    if metric == "log_relay_contact_mohm":
        values[raw][device, days] *= np.exp(BAD[metric] * strength)
    else:
        values[raw][device, days] += BAD[metric] * strength


def features_on(panel: Panel, columns: tuple[Any, ...], device: Ints, day: Ints) -> np.ndarray[Any, Any]:
    background = Background(np.zeros(DEVICES, dtype=np.int64), np.full(DEVICES, FIRST_DAY - 100.0))
    return matrix(panel, background, columns, device, day)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    rng = np.random.default_rng(5)
    levels = levels_of(rng)
    values = values_of(rng, levels)
    failing = {device: METRICS[device % 4] for device in range(0, DEVICES, 3)}
    for device, metric in failing.items():
        made_bad(values, metric, device, np.linspace(0.1, 1, 12))
    columns = features_of(METRICS, [])
    panel = panel_of(values)
    day = np.tile(np.arange(20, DAYS), DEVICES)
    of_row = np.repeat(np.arange(DEVICES), DAYS - 20)
    features = features_on(panel, columns, of_row, day)
    left = np.full(len(day), 90.0)
    fails = np.isin(of_row, list(failing))
    to_failure = np.where(fails, DAYS - day, np.inf).astype(np.float64)
    rows = Snapshots(features, to_failure, np.where(fails, to_failure, left), left, np.ones(len(day)))
    hazard = fit_hazard(rows, EDGES, of_row // 3 % 3, near_days=12)
    unused = np.zeros(features.shape[1], dtype=np.float32)
    artifact = Artifact(hazard, columns, typical(features), unused, unused, unused)
    return Fleet(artifact, columns, levels)


def today(fleet: Fleet, *bad: tuple[int, str]) -> tuple[np.ndarray[Any, Any], Around, Floats]:
    """The fleet today, with some devices gone bad by one sign each: features, what surrounds them, and the risk of each."""
    values = values_of(np.random.default_rng(77), fleet.levels)
    for device, metric in bad:
        made_bad(values, metric, device, np.linspace(0.1, 1, 12))
    panel = panel_of(values)
    last = np.full(DEVICES, DAYS - 1)
    features = features_on(panel, fleet.columns, np.arange(DEVICES), last)
    devices = [device_of(f"plug-{number}", firmware) for number, firmware in enumerate(FIRMWARE)]
    risk = fleet.artifact.hazard.probabilities(features, (JUDGED_AT,))[:, 0]
    return features, around(panel, devices, last), risk


def told(fleet: Fleet, *bad: tuple[int, str], near_from: float = 0.3) -> dict[int, Explained]:
    features, nearby, risk = today(fleet, *bad)
    return explained(fleet.artifact, features, np.arange(DEVICES), risk, nearby, near_from)


@pytest.mark.parametrize("metric", METRICS)
def test_a_device_made_bad_by_one_sign_has_that_sign_as_its_first_reason(fleet: Fleet, metric: str) -> None:
    explanation = told(fleet, (7, metric))[7]
    first = explanation.reasons[0]
    group = {
        "rssi_dbm": "radio_signal",
        "wifi_reconnects_per_day": "connection_breaks",
        "log_relay_contact_mohm": "contact_resistance",
        "device_temperature_c": "heat",
    }
    assert first["reason"] == group[metric]
    assert first["values"]["share"] >= 95
    assert first["values"]["side"] == ("lower" if metric == "rssi_dbm" else "higher")
    assert (first["values"]["peers"], first["values"]["of"]) == ("model_and_firmware", 119)
    assert first["text"].startswith(first["text"][0].upper())
    assert len(explanation.reasons) <= 4
    if metric == "log_relay_contact_mohm":
        assert first["metric"] == "relay_contact_mohm"
        milliohms = float(first["values"]["value"].removesuffix(" mΩ"))
        assert 1.5 < milliohms / fleet.levels["relay_contact_mohm"][7, 0] < 4.5
    assert "reboots" in explanation.against["values"]["none"]  # type: ignore[index]
    assert set(explanation.against["values"]["usual"]) & set(group.values()) - {group[metric]}  # type: ignore[index]


def test_what_is_a_reason_is_never_said_to_speak_against_it(fleet: Fleet) -> None:
    for explanation in told(fleet, *[(device, METRICS[device % 4]) for device in range(0, 40, 5)]).values():
        values = explanation.against["values"]  # type: ignore[index]
        named = {reason["reason"] for reason in explanation.reasons}
        assert named.isdisjoint({values.get("reason"), *values["none"], *values["usual"]})


def test_the_points_of_all_reasons_make_up_the_risk_above_the_usual(fleet: Fleet) -> None:
    features, _, risk = today(fleet, (7, "rssi_dbm"))
    names, weights = contributions(fleet.artifact, features[[7, 20]])
    usual = fleet.artifact.hazard.probabilities(fleet.artifact.typical[None, :], (JUDGED_AT,))[0, 0]
    np.testing.assert_allclose(weights.sum(axis=1), risk[[7, 20]] - usual, atol=1e-9)
    assert set(names) == {"radio_signal", "connection_breaks", "contact_resistance", "heat", "age", "service"}


def test_what_is_near_its_line_is_explained_however_many_there_are(fleet: Fleet) -> None:
    features, nearby, _ = today(fleet)
    high = np.full(DEVICES, 0.02)
    high[: MOST_EXPLAINED + 20] = 0.2
    far = explained(fleet.artifact, features, np.arange(DEVICES), high, nearby, 0.5)
    near = explained(fleet.artifact, features, np.arange(DEVICES), high, nearby, 0.01)
    assert (len(far), len(near)) == (MOST_EXPLAINED, DEVICES)
    assert explained(fleet.artifact, features, np.arange(DEVICES), np.zeros(DEVICES), nearby, 0.5) == {}


def test_a_device_without_a_value_has_a_reason_without_a_place_that_says_so(fleet: Fleet) -> None:
    features, nearby, _ = today(fleet, (7, "rssi_dbm"))
    blank = features.copy()
    blank[7, [column.metric == "rssi_dbm" for column in fleet.columns]] = np.nan
    high = np.where(np.arange(DEVICES) == 7, 0.9, 0)
    told = _Telling(fleet.columns, blank, nearby).of(7, {"radio_signal": 0.3, "age": -0.1}, 0.9)
    assert told.reasons[0]["text"] == "Radio signal: nothing on record; raises the 30-day risk by 30 points"
    assert told.against["values"]["reason"] == "age"  # type: ignore[index]
    assert explained(fleet.artifact, blank, np.arange(DEVICES), high, nearby, 0.3)[7].against is not None


def test_a_signal_with_words_of_its_own_is_not_its_metric() -> None:
    names = {column.metric: group_of(column) for column in features_of(["battery_loss", "battery_v", "vibration"], [])}
    assert names["battery_loss"] == "charge_loss"
    assert names["battery_v"] == "battery_level"
    assert names["vibration"] == "metric:vibration"
    assert names["age"] == "age"


def test_days_before_the_panel_begins_count_for_nothing(fleet: Fleet) -> None:
    panel = panel_of(values_of(np.random.default_rng(1), fleet.levels))
    devices = [device_of("d", None)] * DEVICES
    first = around(panel, devices, np.zeros(DEVICES, dtype=np.int64))
    np.testing.assert_allclose(first.signals["rssi_dbm"], panel.values["rssi_dbm"][:, 0])
