"""Many that fall silent at once: more than chance, and which group explains it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from analytics.liveness.mass import ALL, Group, Member, Rate, dump, load, outbreak, subject


def fleet(sizes: dict[str, int], silent: dict[str, int], *, per_home: int = 1) -> list[Member]:
    """Devices by region, of which some fell silent within the hour."""
    return [
        Member(
            f"{region}-{number}",
            f"{region}-home-{number // per_home}",
            [("region", region)],
            number < silent.get(region, 0),
            1.0,
        )
        for region, size in sizes.items()
        for number in range(size)
    ]


def test_nobody_silent_is_no_incident() -> None:
    assert outbreak(fleet({"north": 50}, {}), {}, minimum=5) is None
    assert outbreak([], {}, minimum=5) is None


def test_a_provider_that_is_away_is_found_by_its_region() -> None:
    found = outbreak(fleet({"north": 40, "south": 60}, {"north": 38, "south": 1}), {}, minimum=5)
    assert found is not None
    assert (found.group, found.silent, found.units) == (("region", "north"), 38, 40)
    assert found.severity == "critical"
    assert found.elsewhere == pytest.approx(1 / 60)
    assert len(found.devices) == 38


def test_when_everybody_is_silent_it_is_the_whole_fleet_and_no_region() -> None:
    found = outbreak(fleet({"north": 40, "south": 60}, {"north": 40, "south": 60}), {}, minimum=5)
    assert found is not None
    assert found.group == ALL


def test_a_smaller_share_is_less_severe() -> None:
    found = outbreak(fleet({"north": 100, "south": 400}, {"north": 30}), {}, minimum=5)
    assert found is not None
    assert (found.group, found.severity) == (("region", "north"), "warning")


def test_fewer_than_the_minimum_is_never_an_incident() -> None:
    assert outbreak(fleet({"north": 4, "south": 500}, {"north": 4}), {}, minimum=5) is None


def test_a_house_without_electricity_is_one_and_not_five() -> None:
    assert outbreak(fleet({"north": 60}, {"north": 6}, per_home=6), {}, minimum=5) is None


def test_a_group_that_falls_silent_often_needs_more_of_it() -> None:
    members = fleet({"north": 100}, {"north": 12})
    unsteady: dict[Group, Rate] = {ALL: Rate(500.0, 10_000.0), ("region", "north"): Rate(500.0, 10_000.0)}
    assert outbreak(members, {}, minimum=5) is not None
    assert outbreak(members, unsteady, minimum=5) is None


def test_chance_alone_raises_hardly_ever_an_incident() -> None:
    rng = np.random.default_rng(7)
    rate = 1 / 300  # a third more often than the prior expects
    raised = 0
    for _ in range(400):
        silent = {region: int(rng.binomial(200, rate)) for region in ("a", "b", "c", "d")}
        raised += outbreak(fleet(dict.fromkeys(silent, 200), silent), {}, minimum=5) is not None
    assert raised == 0


def test_rates_fade_and_survive_as_json() -> None:
    rate = Rate().after(10, 1000, 1)
    assert rate.per_hour == pytest.approx(11 / 1400)
    assert rate.after(0, 0, 14 * 24).events == pytest.approx(5)
    rates: dict[Group, Rate] = {ALL: rate, ("region", "x/y"): Rate(1.0, 2.0)}
    told: Sequence[Sequence[object]] = dump(rates)
    assert load(told) == rates


def test_a_group_has_a_name_of_its_own_in_findings() -> None:
    assert (subject(ALL), subject(("region", "gb-london"))) == ("group:all", "group:region/gb-london")
