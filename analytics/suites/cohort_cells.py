"""The cells of the suite `cohorts`: which fleets are simulated, how they are watched, and what is to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from analytics.suites.cohort_trials import Watch

CONTROL = 4000
PER_DAY, RARE = 0.5, 0.02
ALPHA = 0.05
HORIZON = 14.0
BURN_IN_HOURS = 24.0
UNKNOWN_MARGIN = 1.05


@dataclass(frozen=True, slots=True)
class Goal:
    """What a cell is to reach: shares of replications, and mean days with 14 for a miss. None asks for nothing."""

    detected_at_most: float | None = None
    detected_at_least: float | None = None
    mean_days_at_most: float | None = None
    false_discovery_rate_at_most: float | None = None

    def judged(self, *, detected: float, mean_days: float, false_discovery_rate: float = 0.0) -> dict[str, Any]:
        """The goal as asked, whether it is met, and by how much each part is missed."""
        asked = {name: value for name, value in asdict(self).items() if value is not None}
        if not asked:
            return {"goal": None, "met": None, "missed_by": {}}
        reached = {
            "detected_at_most": detected,
            "detected_at_least": detected,
            "mean_days_at_most": mean_days,
            "false_discovery_rate_at_most": false_discovery_rate,
        }
        missed = {}
        for name, value in asked.items():
            lacking = value - reached[name] if name.endswith("least") else reached[name] - value
            if lacking > 1e-12:
                missed[name] = round(lacking, 4)
        return {"goal": asked, "met": not missed, "missed_by": missed}


NO_GOAL = Goal()
SELDOM = Goal(detected_at_most=0.03)
SELDOM_IF_BIASED = Goal(detected_at_most=0.05)


@dataclass(frozen=True, slots=True)
class Cell:
    """One simulated situation. ``maker`` names a function of `cohort_fleets`, ``fleet`` its arguments beside those named here."""

    scenario: str
    maker: str
    devices: int
    ratio: float
    frailty: float
    plan: Watch
    fleet: Mapping[str, Any] = field(default_factory=dict)
    goal: Goal = NO_GOAL

    share: float = 1.0

    @property
    def name(self) -> str:
        """What `--only` matches: scenario, devices, ratio, frailty."""
        return f"{self.scenario}, {self.devices} devices, ratio {self.ratio:g}, frailty {self.frailty:g}"

    @property
    def counted(self) -> bool:
        """Whether the fleet has counts, not amounts."""
        return self.maker != "drains"


@dataclass(frozen=True, slots=True)
class DiscoveryCell:
    """Many releases at once; ``share`` of the replications of other cells are run, because each is as long as 200 of theirs."""

    cohorts: int
    bad: int
    goal: Goal
    share: float = 0.1
    scenario: str = "latched false discoveries"
    devices: int = 1000  # the largest release
    ratio: float = 1.5  # of the streams that are to be found: at least this
    frailty: float = 1.0

    @property
    def name(self) -> str:
        """What `--only` matches."""
        return f"{self.scenario}, {4 * self.cohorts} streams"


def cells() -> Iterator[Cell | DiscoveryCell]:
    """All cells in the order in which they are run: those with a goal first."""
    many = DiscoveryCell(cohorts=50, bad=10, goal=Goal(detected_at_least=0.97, false_discovery_rate_at_most=0.05))
    everything: list[Cell | DiscoveryCell] = [*_false_alarms(), *_waves(), *_power(), *_means(), many]
    return iter(sorted(everything, key=lambda cell: cell.goal == NO_GOAL))


def _false_alarms() -> Iterator[Cell]:
    for frailty in (1.0, 0.5, 1.5):
        for devices in (200, 1000, 50, 4000):
            yield _parallel("false alarms", devices, 1.0, PER_DAY, frailty, SELDOM)
    for devices in (200, 1000, 4000):
        yield _parallel("false alarms, rare events", devices, 1.0, RARE, 1.0, SELDOM)


def _parallel(
    scenario: str, devices: int, ratio: float, per_day: float, frailty: float, goal: Goal, **options: Any
) -> Cell:
    fleet = {"control": CONTROL, "per_day": per_day, **options}
    return Cell(scenario, "parallel_arms", devices, ratio, frailty, Watch(), fleet, goal)


def _waves() -> Iterator[Cell]:
    for frailty in (1.0, 0.5, 1.5):
        yield _staged("randomised waves", 1.0, frailty, "randomised", SELDOM)
    yield _staged("randomised waves, rare events", 1.0, 1.0, "randomised", SELDOM, per_day=RARE)
    outages: dict[str, Any] = {"outages": True}
    hardware = {**outages, "new_hardware_first": True}
    frail = {**hardware, "bias": 1.0}
    yield _staged("waves with regional outages", 1.0, 1.0, "randomised", SELDOM_IF_BIASED, **outages)
    yield _staged("waves, new hardware first", 1.0, 1.0, "staged", SELDOM_IF_BIASED, **hardware)
    yield _staged("waves, frail devices first", 1.0, 1.0, "unknown", SELDOM_IF_BIASED, **frail)
    yield _staged("waves, after recent trouble", 1.0, 1.0, "unknown", SELDOM_IF_BIASED, **frail, trouble=True)
    yield _staged("waves, frail devices first, said to be randomised", 1.0, 1.0, "randomised", NO_GOAL, **frail)
    yield _staged("randomised waves", 1.3, 1.0, "randomised", NO_GOAL)
    yield _staged("randomised waves of which nobody says so", 1.3, 1.0, "unknown", NO_GOAL)
    yield _staged("waves, frail devices first", 1.3, 1.0, "unknown", NO_GOAL, **frail)
    yield _staged("waves, after recent trouble", 1.3, 1.0, "unknown", NO_GOAL, **frail, trouble=True)


def _staged(scenario: str, ratio: float, frailty: float, assignment: Any, goal: Goal, **options: Any) -> Cell:
    margin = 1.0 if assignment == "randomised" else UNKNOWN_MARGIN
    plan = Watch(assignment=assignment, margin=margin, burn_in_hours=BURN_IN_HOURS)
    return Cell(scenario, "staged", CONTROL, ratio, frailty, plan, {"per_day": PER_DAY, **options}, goal)


def _power() -> Iterator[Cell]:
    found_in_time = Goal(detected_at_least=0.98, mean_days_at_most=4.0)
    yield _parallel("power", 200, 1.3, PER_DAY, 1.0, found_in_time)
    yield _parallel("power", 200, 2.0, PER_DAY, 1.0, Goal(mean_days_at_most=0.5))
    yield _parallel("power", 1000, 2.0, PER_DAY, 1.0, Goal(mean_days_at_most=0.125))
    yield _parallel("power, rare events", 1000, 2.0, RARE, 1.0, Goal(mean_days_at_most=2.0))
    yield _parallel("power", 50, 2.0, PER_DAY, 1.0, NO_GOAL)
    yield _parallel("power", 200, 3.0, PER_DAY, 1.0, NO_GOAL)
    yield _parallel("power", 1000, 1.3, PER_DAY, 1.0, NO_GOAL)
    yield _parallel("power, rare events", 200, 2.0, RARE, 1.0, NO_GOAL)
    for devices, ratio in ((200, 1.3), (200, 2.0), (1000, 1.3)):
        scenario = "power, all of it in a tenth of the devices"
        yield _parallel(scenario, devices, ratio, PER_DAY, 1.0, NO_GOAL, concentrated=0.1)


def _means() -> Iterator[Cell]:
    for devices, ratio in ((200, 1.0), (1000, 1.0), (200, 1.1), (200, 1.3), (1000, 1.05)):
        plan = Watch(kind="mean")
        goal = SELDOM if ratio == 1.0 else NO_GOAL
        yield Cell("battery drain", "drains", devices, ratio, 0.5, plan, {"control": 2000}, goal)
