"""Releases roll out in waves to randomly chosen devices; the bad one multiplies reboots, the harmless one does not."""

from __future__ import annotations

import numpy as np
import pytest

from device_sim.fleet import Fleet
from device_sim.randomness import stream
from device_sim.rollout import Rollout, plan_rollout
from device_sim.scenario import ReleasePlan, Scenario, load_scenario
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.values import Event
from tests.unit.device_sim.conftest import Heard, live

DAY = 86_400.0


@pytest.fixture(scope="module")
def plan() -> ReleasePlan:
    return load_scenario(None).releases[0]


def rolled(plan: ReleasePlan, seed: int, spared: set[int] | None = None) -> Rollout:
    return plan_rollout(plan, "camera-4", "4.1.0", 400, spared or set(), 0.0, stream(seed, "r"))


def test_spared_devices_are_offered_nothing(plan: ReleasePlan) -> None:
    spared = set(range(0, 400, 3))
    assert spared.isdisjoint(offer.index for offer in rolled(plan, 1, spared).offers)


def test_each_wave_brings_the_release_to_its_share(plan: ReleasePlan) -> None:
    rollout = rolled(plan, 1)
    for wave in plan.waves:
        closed = rollout.begins + wave.day * DAY + 6 * 3600
        assert sum(offer.at <= closed for offer in rollout.offers) == round(wave.share * 400)
    assert rollout.offers[0].at >= rollout.begins


def test_no_device_is_offered_a_release_twice(plan: ReleasePlan) -> None:
    indices = [offer.index for offer in rolled(plan, 2).offers]
    assert len(set(indices)) == len(indices)


def test_waves_are_drawn_at_random(plan: ReleasePlan) -> None:
    early = np.zeros(400)
    for seed in range(200):
        early[[offer.index for offer in rolled(plan, seed).offers[:80]]] += 1
    # Binomial(200, 0.2) for every device: mean 40, standard deviation 5.7.
    assert abs(early.mean() - 40) < 1
    assert early.std() == pytest.approx(5.7, abs=1.0)


def test_a_halted_release_reaches_nobody_else(small: Scenario) -> None:
    fleet, heard = Fleet(small, 3), Heard()
    bad = next(rollout for rollout in fleet.rollouts if fleet.is_bad(rollout))
    for now, messages in live(fleet):
        heard.take(messages, now)
        if now.timestamp() < bad.begins + 0.5 * DAY:
            continue
        fleet.halt(bad.kind, bad.version)
    installed = [value for value in heard.values if isinstance(value, Event) and value.detail.get("to") == bad.version]
    assert 0 < len(installed) <= round(0.1 * 30)


def rates(scenario: Scenario, seed: int) -> tuple[float, float, float]:
    """Unexpected reboots per device-day of the model with the bad release: without it, with it; and of the harmless one's ratio."""
    fleet, heard = Fleet(scenario, seed), Heard()
    for now, messages in live(fleet):
        heard.take(messages, now)
    end = scenario.start.timestamp() + scenario.days * DAY
    result = []
    for rollout in fleet.rollouts:
        since = {fleet.device_id(rollout.kind, offer.index): offer.at for offer in rollout.offers}
        leaking = {fleet.device_id(fault.kind, fault.index) for fault in fleet.planted}
        prefix = fleet.device_id(rollout.kind, 0).split("-")[0]
        events = [
            (value.device, value.at.timestamp())
            for value in heard.values
            if isinstance(value, Event) and value.kind == "reboot" and value.code not in REBOOT_CODES_EXPECTED
            if value.device.startswith(prefix) and value.device not in leaking
        ]
        with_it = sum(at > since.get(device, np.inf) for device, at in events)
        exposed = sum((end - at) / DAY for at in since.values())
        devices = scenario.model(rollout.kind).devices - len([one for one in leaking if one.startswith(prefix)])
        without = len(events) - with_it
        result.append((without / (devices * scenario.days - exposed), with_it / exposed))
    (base, bad), (quiet, good) = result
    return base, bad, good / quiet


def test_the_bad_release_reboots_two_and_a_half_times_as_often_and_the_harmless_one_as_often(small: Scenario) -> None:
    quick = small.wire.model_copy(update={"home_outages_per_day": 0.0, "malformed_devices": 0})
    models = tuple(
        model.model_copy(update={"devices": {"camera": 200, "plug": 100}.get(model.kind, 4), "reboots_per_day": 0.3})
        for model in small.models
    )
    scenario = small.model_copy(
        update={"models": models, "faults": (), "wire": quick, "sample_minutes": 120, "devices_per_home": 1.0}
    )
    measured = np.array([rates(scenario, seed) for seed in (1, 2)])
    base, bad, harmless = measured.mean(axis=0)
    assert base == pytest.approx(0.3, rel=0.15)
    assert bad / base == pytest.approx(2.5, rel=0.2)
    assert harmless == pytest.approx(1.0, rel=0.3)
