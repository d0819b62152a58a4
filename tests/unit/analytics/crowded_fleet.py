"""Fleets whose failures come in crowds: on some days many devices fail, each crowd for passing causes of its own.

What a crowd had in common (a model, an age, a level of something) is a strong sign on its day and none on another; only part of the
causes last. A model that learns from few such days must not be sure of what it saw there. Not the simulator, on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from analytics.backtest.case import CUT_SHARE, FOLDS, Case
from analytics.features import Background, features_of
from analytics.lives import lives_of
from analytics.panel import Floats, Ints, Panel, increases

MODELS = 8
NEVER = 10**6
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class World:
    """``failures`` in all, on average; ``dispersion``: variance over mean of their daily counts. ``passing``, ``lasting``: strength of
    the causes of one crowd and of all. ``signs``: share of failures with signs in the days before, which differs from crowd to crowd
    with ``waver``. ``meeting``: strength of causes that are two things together; signs then mean nothing on half of the models."""

    devices: int = 6000
    days: int = 40
    failures: float = 120.0
    dispersion: float = 7.0
    passing: float = 1.0
    lasting: float = 0.7
    signs: float = 0.5
    waver: float = 1.0
    meeting: float = 0.0


WORLDS: Mapping[str, World] = {
    "independent": World(dispersion=1.0, passing=0.0, waver=0.0),
    "mild": World(dispersion=3.0, passing=0.5, waver=0.5),
    "crowds": World(),
    "meeting": World(dispersion=4.0, passing=0.5, lasting=0.4, meeting=0.8, signs=0.7, failures=150.0),
    "many": World(failures=700.0, dispersion=1.5, passing=0.3, lasting=0.4, signs=0.7, waver=0.3, meeting=0.8),
}


@dataclass(slots=True)
class _Fleet:
    """What the devices are (``known``: what causes act on) and show; ``waiting`` and ``errors`` hold the signs."""

    model: Ints
    age: Floats
    traits: Floats
    known: Floats
    waiting: Floats
    errors: Floats
    fails: Ints


def case(seed: int, world: World, horizon: int = 7) -> Case:
    """A fleet as the backtest takes it, cut at the usual place."""
    random = np.random.default_rng(seed)
    fleet = _fleet(random, world)
    lasting = _lasting(random, world, fleet)
    for day in range(2, world.days):
        _crowd(random, world, fleet, day, lasting)
    panel = _panel(random, world, fleet)
    failures = {int(who): [int(fleet.fails[who])] for who in np.flatnonzero(fleet.fails < NEVER)}
    cut = int(world.days * CUT_SHARE)
    return Case(
        panel,
        Background(fleet.model, -700.0 - 430.0 * fleet.age, {}),
        lives_of(panel, failures, {}),
        lives_of(panel, failures, {}, last_day=cut),
        features_of(list(panel.values), list(panel.totals)),
        np.array([crc32(name.encode()) % FOLDS for name in panel.devices], dtype=np.int64),
        horizon,
        cut,
        tuple(f"model {number}" for number in range(MODELS)),
        {(who, days[0]): "device" for who, days in failures.items()},
    )


def _fleet(random: Random, world: World) -> _Fleet:
    number, days = world.devices, world.days
    traits = random.normal(size=(number, 5))
    model = random.integers(0, MODELS, number)
    age = random.uniform(-1.6, 1.7, number)
    waiting = np.where(random.random(number) < 0.03, random.integers(1, 30, number), 0)[:, None] * np.ones(days)
    errors = random.poisson(0.3 * np.exp(traits[:, 3:4]), (number, days)).astype(np.float64)
    known = np.column_stack([traits, age, *(model == one for one in range(MODELS))])
    fleet = _Fleet(model, age, traits, known, waiting, errors, np.full(number, NEVER))
    if world.meeting:  # what is a sign on other models comes and goes on these
        for who in np.flatnonzero(random.random(number) < 0.25):
            begin = int(random.integers(0, days))
            end = begin + int(random.integers(2, 12))
            _show(
                random,
                fleet,
                who,
                np.arange(begin, min(end, days)),
                model[who] >= MODELS // 2,
            )
    return fleet


def _lasting(random: Random, world: World, fleet: _Fleet) -> Floats:
    strength: Floats = world.lasting * random.normal(size=(fleet.known.shape[1],))
    z, age = fleet.traits, fleet.age
    together = z[:, 0] * z[:, 1] + age * z[:, 2] - z[:, 3] * (fleet.model % 2 * 2 - 1)
    return fleet.known @ strength + world.meeting * together


def _crowd(random: Random, world: World, fleet: _Fleet, day: int, lasting: Floats) -> None:
    """Those that fail on a day, for causes that last and for causes of this day."""
    mean, spare = world.failures / world.days, world.dispersion - 1
    number = random.poisson(random.gamma(mean / spare, spare) if spare > 0 else mean)
    passing = fleet.known @ random.normal(size=(fleet.known.shape[1],))
    odds = np.where(fleet.fails > day, np.exp(np.clip(lasting + world.passing * passing, -6, 6)), 0.0)
    share = (
        float(random.beta(world.signs / world.waver, (1 - world.signs) / world.waver)) if world.waver else world.signs
    )
    kind = random.random() if world.waver else 0.5
    chosen = random.choice(world.devices, min(number, world.devices // 50), replace=False, p=odds / odds.sum())
    fleet.fails[chosen] = day
    for who in chosen[random.random(len(chosen)) < share]:
        on = np.arange(max(day - int(random.integers(1, 12)), 0), day + 1)
        _show(random, fleet, who, on, fleet.model[who] < MODELS // 2 if world.meeting else random.random() < kind)


def _show(random: Random, fleet: _Fleet, who: np.intp, on: Ints, waits: bool) -> None:
    if waits:
        fleet.waiting[who, on] += np.cumsum(random.poisson(3, len(on)))
    else:
        fleet.errors[who, on] += random.poisson(8, len(on))


def _panel(random: Random, world: World, fleet: _Fleet) -> Panel:
    number, days, z = world.devices, world.days, fleet.traits
    weather = np.cumsum(random.normal(0, 0.5, days))
    values: dict[str, Floats] = {
        "level": z[:, :1]
        + 0.5 * random.normal(size=MODELS)[fleet.model][:, None]
        + 0.3 * random.normal(size=(number, days)),
        "heat": 25 + 3 * z[:, 1:2] + random.normal(size=(number, days)) + weather,
        "load": np.exp(z[:, 2:3] + 0.3 * random.normal(size=(number, days))),
        "waiting": fleet.waiting,
    }
    total = np.cumsum(fleet.errors, axis=1) + random.integers(0, 300, (number, 1))
    present = np.arange(days)[None, :] <= fleet.fails[:, None]
    for array in (*values.values(), total):
        array[~present] = np.nan
    values["errors"] = increases(total)
    names = tuple(f"m{one:05d}" for one in range(number))
    return Panel(names, 0, values, {"errors": total}, np.full(present.shape, -1, dtype=np.int64), (), present)
