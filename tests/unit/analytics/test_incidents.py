from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.anomaly.incidents import INCIDENT_GROUP, Incident, incidents_of

FIRMWARE = np.repeat([0, 1], 30)
REGION = np.tile([0, 1, 2], 20)


def far(*devices: int) -> np.ndarray:
    score = np.zeros(60)
    score[list(devices)] = 9.0
    return score


def test_a_fifth_of_a_group_is_not_yet_an_incident_and_more_is() -> None:
    groups = {"firmware": FIRMWARE}
    assert incidents_of({0: [far(*range(6))]}, groups)[0] == ()
    found, held = incidents_of({0: [far(*range(7))]}, groups)
    assert found == (Incident("firmware", 0, 0, 7 / 30, 30),)
    assert held[:30, 0].all()
    assert not held[30:].any()


def test_a_region_in_trouble_is_told_once_as_the_region() -> None:
    hit = np.flatnonzero(REGION == 2).tolist()
    found, held = incidents_of({0: [far(*hit)]}, {"firmware": FIRMWARE, "region": REGION})
    assert found == (Incident("region", 2, 0, 1.0, 20),)
    assert np.flatnonzero(held[:, 0]).tolist() == hit


def test_a_firmware_in_trouble_is_told_once_as_the_firmware() -> None:
    found, _ = incidents_of({0: [far(*range(30))]}, {"firmware": FIRMWARE, "region": REGION})
    assert found == (Incident("firmware", 0, 0, 1.0, 30),)


def test_two_troubles_at_once_are_two_incidents() -> None:
    hit = [*range(30), *np.flatnonzero((REGION == 1) & (FIRMWARE == 1)).tolist()]
    found, _ = incidents_of({0: [far(*hit)]}, {"firmware": FIRMWARE, "region": REGION})
    assert [(one.by, one.code) for one in found] == [("firmware", 0), ("region", 1)]


def test_modes_are_told_apart_and_any_stream_of_a_mode_counts() -> None:
    found, held = incidents_of({0: [far(), far(*range(10))], 1: [far()]}, {"firmware": FIRMWARE})
    assert [one.mode for one in found] == [0]
    assert not held[:, 1].any()


def test_a_handful_of_devices_or_unknown_values_are_no_group() -> None:
    few = np.repeat([0, -1], [INCIDENT_GROUP - 1, 60 - INCIDENT_GROUP + 1])
    assert incidents_of({0: [far(*range(60))]}, {"firmware": few})[0] == ()
    unknown = far(*range(60))
    unknown[INCIDENT_GROUP - 1 :] = np.nan
    assert incidents_of({0: [unknown]}, {"firmware": np.zeros(60, dtype=np.int64)})[0] == ()


@given(st.lists(st.sampled_from([0.0, 9.0, np.nan]), min_size=60, max_size=60))
def test_nobody_is_held_for_two_incidents_and_every_one_is_more_than_a_fifth(scores: list[float]) -> None:
    score = np.array(scores)
    found, held = incidents_of({0: [score]}, {"firmware": FIRMWARE, "region": REGION})
    assert all(one.share > 0.2 for one in found)
    assert held.sum() <= 60
    assert bool(found) == bool(held.any())
