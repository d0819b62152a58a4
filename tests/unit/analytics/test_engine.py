from __future__ import annotations

import numpy as np
import pytest

from analytics.anomaly.engine import CALM_DAYS, Day, Seen, State, Watch
from analytics.panel import Flags, Floats, increases
from analytics.scorers.past import WARM_UP_DAYS
from analytics.signals import BY_ID, DAY_PEAKS, signals_for
from tests.unit.analytics.fleets import Values, burnt, healthy

RATE = 0.5 / 1000


class Story:
    """A fleet watched from its first day on; ``raised`` are (day, device, mode) of all alarms."""

    def __init__(
        self, values: Values, *, firmware: np.ndarray | None = None, renewed: dict[int, list[int]] | None = None
    ) -> None:
        daily = {name: increases(array) if name == "wifi_reconnects" else array for name, array in values.items()}
        self.watch = Watch(signals_for(daily), RATE)
        every = np.stack([signal.over(daily) for signal in self.watch.signals], axis=2)
        devices, days, _ = every.shape
        self.state: State = self.watch.begin(devices)
        self.raised: list[tuple[int, int, str]] = []
        self.alarmed: list[Flags] = []
        self.days: list[Seen] = []
        for day in range(days):
            fresh = np.zeros((devices, len(self.watch.modes)), dtype=bool)
            fresh[(renewed or {}).get(day, [])] = True
            codes = np.zeros(devices, dtype=np.int64) if firmware is None else firmware[:, day]
            self.state, seen = self.watch.step(self.state, Day(every[:, day], codes, fresh))
            self.days.append(seen)
            self.alarmed.append(self.state.alarmed)
            rows, modes = np.nonzero(seen.raised)
            self.raised += [(day, int(row), self.watch.modes[mode]) for row, mode in zip(rows, modes, strict=True)]


def test_false_alarms_of_clean_fleets_stay_within_the_declared_rate() -> None:
    alarms = sum(len(Story(healthy(seed, 150, 60)).raised) for seed in range(4))
    expected = RATE * 4 * 150 * 60
    assert alarms <= expected + 2.33 * np.sqrt(expected)


def test_nothing_is_said_before_a_device_has_a_week_of_its_own() -> None:
    values = healthy(1, 60, 14)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 3, 1, days=4)
    story = Story(values)
    assert all(np.isnan(seen.p).all() for seen in story.days[:WARM_UP_DAYS])


@pytest.mark.parametrize("seed", range(5))
def test_a_burning_contact_is_found_days_before_it_fails(seed: int) -> None:
    values = healthy(seed, 60, 32)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 7, 14)
    found = [day for day, device, mode in Story(values).raised if (device, mode) == (7, "relay_wear")]
    assert found
    assert 14 <= found[0] <= 14 + 12 - 4


def test_a_signal_that_falls_is_found_and_one_that_rises_is_none() -> None:
    values = healthy(2, 60, 32)
    values["rssi_dbm"][5, 14:] -= np.linspace(2, 20, 18)
    values["rssi_dbm"][6, 14:] += np.linspace(2, 20, 18)
    found = {device for _, device, mode in Story(values).raised if mode == "wifi_failing"}
    assert 5 in found
    assert 6 not in found


def test_the_order_of_devices_changes_nothing() -> None:
    values = healthy(3, 40, 30)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 4, 14)
    order = np.random.default_rng(1).permutation(40)
    one, other = Story(values), Story({name: array[order] for name, array in values.items()})
    assert {(day, order[device], mode) for day, device, mode in other.raised} == set(one.raised)
    np.testing.assert_allclose(other.state.evidence, one.state.evidence[order], atol=1e-9)


def test_a_naturally_strange_device_is_not_flagged_for_ever() -> None:
    values = healthy(4, 60, 40)
    values["relay_contact_mohm"][9] *= 3
    values["rssi_dbm"][9] -= 20
    assert not [one for one in Story(values).raised if one[1] == 9]


def test_one_wild_day_is_no_alarm() -> None:
    values = healthy(5, 60, 30)
    values["rssi_dbm"][8, 20] -= 60
    values["relay_contact_mohm"][8, 20] *= 30
    assert not [one for one in Story(values).raised if one[1] == 8]


def test_what_shifts_all_devices_at_once_is_one_incident_and_no_devices_fault() -> None:
    values = healthy(6, 60, 30)
    values["rssi_dbm"][:25, 20:23] -= 30
    story = Story(values)
    assert not [one for one in story.raised if one[0] >= 20 and one[2] == "wifi_failing"]
    incidents = story.days[20].incidents
    assert [(one.by, one.code, story.watch.modes[one.mode]) for one in incidents] == [("firmware", 0, "wifi_failing")]
    assert incidents[0].share == pytest.approx(25 / 60, abs=0.02)
    assert not story.days[19].incidents


def test_a_firmware_that_shifts_a_metric_for_all_its_devices_alarms_for_none() -> None:
    values = healthy(7, 100, 40)
    firmware = np.zeros((100, 40), dtype=np.int64)
    firmware[:50, 20:] = 1
    values["free_heap_bytes"][:50, 20:] *= 0.93
    assert len([one for one in Story(values, firmware=firmware).raised if one[2] == "memory_leak"]) <= 1


def test_days_without_data_keep_the_evidence_and_bring_no_alarm() -> None:
    values = healthy(8, 60, 40)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 2, 14)
    gone = {name: array.copy() for name, array in values.items()}
    for array in gone.values():
        array[2, 14:18] = np.nan
    with_gap = [one for one in Story(gone).raised if one[1] == 2]
    assert with_gap
    assert with_gap[0][0] >= 18


def test_an_alarm_ends_after_calm_days_and_begins_from_nothing() -> None:
    values = healthy(9, 60, 45)
    values["relay_contact_mohm"][3, 15:22] *= 4
    story = Story(values)
    mode = story.watch.modes.index("relay_wear")
    on = [day for day, alarmed in enumerate(story.alarmed) if alarmed[3, mode]]
    assert on
    assert on[-1] <= 22 + CALM_DAYS
    stream = int(np.flatnonzero(story.watch.mode_of_stream == mode)[0])
    assert story.state.evidence[3, stream] < story.watch.thresholds[stream]


def test_a_new_part_ends_the_alarm_and_begins_a_past_of_its_own() -> None:
    values = healthy(10, 60, 45)
    values["relay_contact_mohm"] = burnt(values["relay_contact_mohm"], 3, 14)
    values["relay_contact_mohm"][3, 28:] = 6.0
    story = Story(values, renewed={28: [3]})
    mode = story.watch.modes.index("relay_wear")
    assert story.alarmed[27][3, mode]
    assert not any(alarmed[3, mode] for alarmed in story.alarmed[28:])
    assert np.isnan(story.days[30].p[3, story.watch.mode_of_stream == mode]).all()


def test_every_mode_has_its_share_of_the_false_alarms() -> None:
    watch = Story(healthy(11, 20, 3)).watch
    assert set(watch.modes) == {"relay_wear", "wifi_failing", "memory_leak"}
    two = [
        level
        for level, mode in zip(watch.thresholds, watch.mode_of_stream, strict=True)
        if watch.modes[mode] == "wifi_failing"
    ]
    one = [
        level
        for level, mode in zip(watch.thresholds, watch.mode_of_stream, strict=True)
        if watch.modes[mode] == "relay_wear"
    ]
    assert two[0] - one[0] == pytest.approx(np.log(2), abs=0.05)


def cut(values: Values, device: int) -> dict[str, Floats]:
    return {name: np.delete(array, device, axis=0) for name, array in values.items()}


def test_no_day_looks_ahead() -> None:
    values = healthy(12, 40, 30)
    whole, half = Story(values), Story({name: array[:, :18] for name, array in values.items()})
    np.testing.assert_array_equal(whole.days[17].p, half.days[17].p)


def test_two_views_of_one_event_share_one_evidence_and_one_share_of_the_false_alarms() -> None:
    values = np.abs(np.random.default_rng(14).normal(size=(30, 2)))
    watch = Watch((BY_ID["log_relay_contact_mohm"], *DAY_PEAKS), RATE)
    assert watch.modes == ("relay_wear", "unusual")
    assert len(set(watch.thresholds.tolist())) == 1
    state, nobody = watch.begin(30), np.zeros((30, 2), dtype=bool)
    for day in range(15):
        own = np.concatenate([np.full((30, 1), 2.0), values + 0.01 * day], axis=1)
        own[4, 1] += 3.0 * (day > 12)
        state, seen = watch.step(state, Day(own, np.zeros(30, dtype=np.int64), nobody))
    assert state.evidence[4, 1] == state.evidence[4, 2] > 0
    assert seen.p[4, 1] < seen.p[4, 2]
    assert seen.bets[4, 1] == seen.bets[4, 2]
