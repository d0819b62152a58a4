"""The laws of the intake, in worlds where everything fails at random. A failing seed replays its failure."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest.world import KINDS, World


def live(
    world: World,
    steps: int,
    *,
    crashes: bool = False,
    sessions_are_lost: bool = False,
    breaks: bool = True,
    outages: bool = False,
) -> None:
    """Let a world run for some steps."""
    chance = world.random
    for _ in range(steps):
        if outages and chance.random() < 0.06:
            world.away ^= {chance.choice(("telemetry", "records"))}
        roll = chance.random()
        if roll < 0.35:
            for _ in range(chance.randint(1, 6)):
                world.publish(chance.choice(KINDS))
        elif roll < 0.65:
            world.deliver(chance.randint(1, 12))
        elif roll < 0.85:
            world.wait(chance.choice((0.01, 0.1, 0.3, 2.0)))
        elif roll < 0.9 and world.broker.up and breaks:
            world.disconnect()
        elif roll < 0.97 and not world.broker.up:
            world.connect(not sessions_are_lost or chance.random() > 0.3)
        elif roll >= 0.97 and crashes:
            world.crash()
        world.check()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from((0.0, 0.05, 0.3)))
def test_nothing_is_lost_or_stored_twice_whatever_fails(seed: int, faults: float) -> None:
    world = World(seed, faults=faults)
    world.connect(session_present=False)
    live(world, 120, crashes=True)
    world.finish()
    world.check_the_end()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from((0.0, 0.05, 0.3)), st.sampled_from((0, 1, 3, 1000)))
def test_with_a_spool_of_any_size_nothing_is_lost_or_stored_twice_whatever_fails(
    seed: int, faults: float, room: int
) -> None:
    world = World(seed, faults=faults, spool=room)
    world.connect(session_present=False)
    live(world, 160, crashes=True, outages=True)
    world.finish()
    world.check_the_end()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_when_the_broker_forgets_the_session_what_is_spooled_is_still_kept(seed: int) -> None:
    world = World(seed, faults=0.1, spool=5)
    world.connect(session_present=False)
    live(world, 160, sessions_are_lost=True, outages=True)
    world.finish()
    world.check_the_end()


def test_an_outage_of_hours_is_spooled_and_everything_is_acknowledged_meanwhile() -> None:
    world = World(1, spool=100_000)
    world.connect(session_present=False)
    world.away.add("telemetry")
    for _ in range(500):
        for _ in range(10):
            world.publish("reading")
        world.deliver()
        world.wait(10.0)
    assert world.spooled_at_all == 5000
    assert not world.broker.in_flight
    assert not world.rows
    assert world.ledger.snapshot()["spooled"] == 5000
    world.finish()
    world.check_the_end()
    assert world.ledger.snapshot()["stored"] == 5000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_when_the_broker_forgets_the_session_what_reached_us_is_still_kept(seed: int) -> None:
    world = World(seed, faults=0.1)
    world.connect(session_present=False)
    live(world, 120, sessions_are_lost=True)
    world.finish()
    world.check_the_end()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_on_an_unbroken_connection_every_sample_is_counted_once(seed: int) -> None:
    world = World(seed)
    world.connect(session_present=False)
    live(world, 60, breaks=False)
    world.finish()
    world.check_the_end()
    counts = world.ledger.snapshot()
    samples = {"batch": 3, "partly": 2, "poison": 2}
    distinct = sum(samples.get(kind, 1) for kind in world.kinds.values())
    assert counts["stored"] + counts["quarantined"] + counts["ignored"] == distinct
