"""What the gate finds out by itself, and what becomes of it when a person lets the roll-out go on all the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from analytics.rollouts.judging import Judgement, Known, Tally, judge
from analytics.rollouts.silence import Silence
from analytics.rollouts.stop_findings import note_stop
from hearthwatch.records import findings, rollouts
from hearthwatch.values import Finding, Observation, Release
from tests.unit.alerts.test_rollouts import act, decide, planned, start
from tests.unit.alerts.world import FIX, World

WEEK = timedelta(days=7)
LOOPING = Tally(devices=50, offered=50, updated=40, due=40, successes=5, silent=5, unhealthy=30)


@dataclass
class Stopped:
    """A roll-out whose first wave loops, and its gate."""

    world: World
    release: Release
    rollout: int

    def judged(self, tally: Tally = LOOPING) -> tuple[Known, Judgement]:
        with self.world.database.reading() as connection:
            rollout, waves = rollouts.get(connection, self.rollout), rollouts.waves(connection, self.rollout)
        known = Known(rollout, waves, "rolling", FIX, tally, Silence(), tally.updated, (), hours=31.0)
        judgement = judge(known)
        assert judgement is not None
        return known, judgement

    def stop(self) -> None:
        known, judgement = self.judged()
        with self.world.database.reading() as connection:
            rollout = rollouts.get(connection, self.rollout)
        decide(self.world, rollout, "stop", judgement.code, judgement.why, "gate", {"about": judgement.about})
        self.note(known, judgement)

    def note(self, known: Known, judgement: Judgement) -> None:
        with self.world.database.transaction() as connection:
            note_stop(connection, self.release, judgement, known, self.world.now, WEEK)

    def finding(self) -> Finding:
        with self.world.database.reading() as connection:
            (found,) = findings.list_findings(connection, kind="cohort")
        return found


@pytest.fixture
def stopped(world: World) -> Stopped:
    world.home()
    world.policy()
    release = world.release(FIX)
    made = planned(world, release, 0.5, 1.0)
    start(world, made)
    its = Stopped(world, release, made.id)
    its.stop()
    return its


def test_the_finding_says_how_many_of_how_many_failed_in_which_hours_of_which_roll_out(stopped: Stopped) -> None:
    told = stopped.finding().evidence
    assert (told["events"], told["devices"], told["silent"], told["unhealthy"]) == (35, 40, 5, 30)
    assert told["share"] == pytest.approx(35 / 40, abs=1e-4)
    assert told["share"] > told["allowed"]
    assert (told["hours"], told["rollout"], told["wave"]) == (31.0, stopped.rollout, 1)
    assert "35 of 40 updated devices failed" in told["reasons"][0]


def test_whoever_lets_it_go_on_expects_what_the_gate_found(stopped: Stopped) -> None:
    act(stopped.world, _rollout(stopped), "resume", "the bench reboots them on purpose")
    finding = stopped.finding()
    assert finding.state == "expected"
    with stopped.world.database.reading() as connection:
        last = findings.events(connection, finding.id)[-1]
    assert (last.what, last.actor, last.detail) == ("expected", "kim", {"note": "the bench reboots them on purpose"})


def test_a_further_stop_opens_it_again(stopped: Stopped) -> None:
    act(stopped.world, _rollout(stopped), "continue")
    stopped.world.pass_time(hours=2)
    stopped.stop()
    finding = stopped.finding()
    assert finding.state == "open"
    with stopped.world.database.reading() as connection:
        assert findings.events(connection, finding.id)[-1].what == "reopened"


def test_what_the_watch_has_seen_since_is_not_overruled_with_the_gate(stopped: Stopped) -> None:
    stopped.world.pass_time(hours=2)
    subject, mode = f"release:{stopped.release.id}", stopped.finding().mode
    seen = Observation("cohort", "release", subject, mode, "critical", stopped.world.now, {"ratio": 4.0})
    with stopped.world.database.transaction() as connection:
        findings.observe(connection, seen, relapse=WEEK)
    act(stopped.world, _rollout(stopped), "resume")
    assert stopped.finding().state == "open"


def test_a_stop_of_the_watch_opens_again_what_was_expected_of_the_gate(stopped: Stopped) -> None:
    act(stopped.world, _rollout(stopped), "resume")
    known, _ = stopped.judged(Tally())
    metric = stopped.finding().evidence["metrics"][0]
    stopped.note(known, Judgement("stop", "worse", [], about=metric))
    assert stopped.finding().state == "open"


def _rollout(stopped: Stopped) -> rollouts.Rollout:
    with stopped.world.database.reading() as connection:
        return rollouts.get(connection, stopped.rollout)
