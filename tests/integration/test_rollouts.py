"""Whole roll-outs in the real stores, in virtual time: the fleet, the watch, the gate, the outbox, and a scripted hawkBit."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alerts import delivery
from alerts.rollouts.announce import Announcing
from alerts.rollouts.channel import RolloutChannel
from alerts.rollouts.hawkbit import HawkbitRollouts
from analytics.rollouts import gate
from analytics.rollouts.gate import keep_gate
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Stale
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import findings, outbox, releases, rollout_devices, rollouts
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.rollout_steps import Taken
from hearthwatch.values import Finding
from tests.hawkbit_server import Hawkbit, hawkbit
from tests.rolled_fleet import NEVER, NEW, RolledFleet, plan

THREE = (0.25, 0.5, 1.0)
BEFORE = 2
"""Hours in which the fleet is known before the roll-out begins."""
TO_THE_END = 36
"""More hours than three waves take."""
FAILURES = {"silent", "unhealthy"}


@pytest.fixture
def server() -> Iterator[Hawkbit]:
    with hawkbit() as its:
        yield its
        assert its.wrong == []


def deliver(fleet: RolledFleet, its: Hawkbit, later: timedelta = timedelta(0)) -> dict[str, int]:
    """What the job that sends does."""
    clock = SteppedClock(fleet.now + later)
    channel = RolloutChannel(HawkbitRollouts(its.address), fleet.database, clock)
    return dict(delivery.deliver(fleet.database, {channel.name: channel}, clock.now(), worker="test"))


def begun(store: TelemetryStore, database: Database, **given: float) -> RolledFleet:
    """A fleet whose roll-out has been planned."""
    fleet = RolledFleet(store, database, **given)  # type: ignore[arg-type]
    fleet.live(BEFORE, every=NEVER)
    fleet.roll_out(plan(*THREE))
    return fleet


def test_a_good_release_passes_all_waves_and_leads_hawkbit_from_group_to_group(
    store: TelemetryStore, database: Database, server: Hawkbit
) -> None:
    fleet = RolledFleet(store, database, offline=0.0005)
    fleet.live(BEFORE, every=NEVER)
    server.plan(6)
    fleet.roll_out(plan(*THREE), service="hawkbit", service_id="6")

    def hourly() -> None:
        deliver(fleet, server)
        server.tick()

    fleet.live(TO_THE_END, after=hourly)
    assert fleet.rollout().status == "complete"
    continued = [(code, wave) for decision, code, wave in fleet.said() if decision == "continue"]
    assert continued == [("started", 0), ("wave_passed", 1), ("wave_passed", 2), ("complete", 3)]
    assert all(decision != "stop" for decision, _, _ in fleet.said())
    alive = {name for name in fleet.version if name not in fleet.dead}
    assert {fleet.version[name] for name in alive} == {NEW}
    assert server.changes == ["start 6", "triggerNextGroup 6", "triggerNextGroup 6"]
    assert (fleet.rollout().service_state, fleet.rollout().claim) == ("running", "followed")
    release_id = fleet.rollout().release_id
    with fleet.database.reading() as connection:
        release = releases.get(connection, release_id)
    assert (release.assignment, release.status) == ("randomised", "complete")


def bricking_release_is_stopped(store: TelemetryStore, database: Database) -> None:
    fleet = begun(store, database, bricks=0.25)
    fleet.live(12)
    last = fleet.decisions()[-1]
    assert (last.decision, last.code, last.wave, last.by) == ("stop", "silence", 1, "gate")
    assert last.evidence["silence"]["e"] >= 20 > last.evidence["silence"]["expected"]
    assert fleet.rollout().status == "stopped"
    took = {name for name, version in fleet.version.items() if version == NEW} | fleet.dead
    members = fleet.members()
    assert {members[name].wave for name in took} == {1}
    fleet.live(3)
    assert {name for name, version in fleet.version.items() if version == NEW} | fleet.dead == took
    finding = the_finding(fleet)
    assert (finding.state, finding.severity, finding.evidence["metrics"]) == ("open", "critical", ["went_silent"])
    assert finding.evidence["reasons"] == [last.why]


def the_finding(fleet: RolledFleet) -> Finding:
    """What stands about the release: tickets, offers and the all-clear hang on it, whoever found it out."""
    subject = f"release:{fleet.rollout().release_id}"
    with fleet.database.reading() as connection:
        (found,) = findings.list_findings(connection, kind="cohort", subject=subject)
    return found


def test_a_release_that_bricks_devices_is_stopped_in_its_first_wave(store: TelemetryStore, database: Database) -> None:
    bricking_release_is_stopped(store, database)


def test_the_same_holds_with_the_records_in_postgresql(store: TelemetryStore, postgresql_database: Database) -> None:
    bricking_release_is_stopped(store, postgresql_database)


def test_a_release_that_bricks_only_the_last_devices_is_stopped_by_those_who_took_it_before(
    store: TelemetryStore, database: Database
) -> None:
    fleet = RolledFleet(store, database)
    fleet.live(BEFORE, every=NEVER)
    fleet.roll_out(plan(0.5, 1.0))
    members = fleet.members()
    last = [name for name, one in members.items() if one.wave == 2]
    fleet.fate.update(dict.fromkeys(last[: len(last) // 4], "bricks"))
    fleet.live(20)
    assert ("continue", "wave_passed", 1) in fleet.said()
    assert fleet.said()[-1] == ("stop", "silence", 2)


def test_a_release_that_makes_devices_loop_is_stopped_in_its_first_wave(
    store: TelemetryStore, database: Database
) -> None:
    fleet = begun(store, database, crashes=0.7)
    fleet.live(10)
    last = fleet.decisions()[-1]
    assert (last.decision, last.wave) == ("stop", 1)
    assert last.code in {"failures", "worse"}
    assert last.evidence["unhealthy"] > last.evidence["silent"] == 0
    assert (the_finding(fleet).mode, the_finding(fleet).severity) == ("reboots", "critical")


def test_devices_that_are_just_offline_stop_nothing(store: TelemetryStore, database: Database) -> None:
    fleet = begun(store, database, offline=0.008)
    fleet.live(20)
    assert fleet.dead
    assert "silent" in fleet.outcomes()
    assert all(decision != "stop" for decision, _, _ in fleet.said())


def test_an_owner_who_puts_it_off_is_neither_a_success_nor_a_failure(store: TelemetryStore, database: Database) -> None:
    fleet = begun(store, database, defers=0.3)
    fleet.live(2)
    owners = {name for name, fate in fleet.fate.items() if fate == "defers"}
    rollout = fleet.rollout()
    with fleet.database.transaction() as connection:
        noted = rollout_devices.deferred(connection, rollout.id, dict.fromkeys(owners, fleet.now))
    members = fleet.members()
    theirs = {name for name in owners if members[name].wave == 1}
    assert noted == len(theirs) > 0
    fleet.live(14)
    passed = next(one for one in fleet.decisions() if one.code == "wave_passed")
    assert passed.evidence["deferred"] == len(theirs)
    assert passed.evidence["due"] == passed.evidence["successes"] + passed.evidence["silent"]
    assert {fleet.members()[name].outcome for name in theirs} == {"deferred"}
    fleet.fate = dict.fromkeys(fleet.fate, "")  # they change their minds
    fleet.live(10)
    assert {fleet.members()[name].outcome for name in theirs} <= {"updated", "success"}


def test_our_own_outage_holds_the_roll_out_judges_nobody_and_stops_the_clock(
    store: TelemetryStore, database: Database
) -> None:
    fleet = begun(store, database)
    fleet.live(5)
    hours_before = fleet.waves()[0].opened_at
    fleet.live(10, heard=False)  # longer than the silence that counts as a failure
    assert fleet.said()[-1] == ("hold", "blind", 1)
    assert fleet.rollout().status == "held"
    assert not fleet.outcomes() & FAILURES
    fleet.live(1)
    assert fleet.said()[-1] == ("continue", "resumed", 1)
    assert not fleet.outcomes() & FAILURES
    assert not [one for one in fleet.decisions() if one.code == "wave_passed"]
    fleet.live(6)
    passed = next(one for one in fleet.decisions() if one.code == "wave_passed")
    assert hours_before is not None
    assert passed.at - hours_before >= timedelta(hours=8 + 10)
    assert passed.evidence["hours"] < 11


def test_a_short_blindness_only_delays_the_judgement(store: TelemetryStore, database: Database) -> None:
    fleet = begun(store, database)
    fleet.live(4)
    said = fleet.said()
    for minutes in (2, 30, 59):
        at = fleet.now + timedelta(minutes=minutes)
        keep_gate(fleet.store, fleet.database, at, announce=Announcing())
    assert fleet.said() == said


def test_looking_twice_at_the_same_time_is_looking_once(store: TelemetryStore, database: Database) -> None:
    fleet = begun(store, database, bricks=0.1, crashes=0.1)
    for _ in range(7):
        fleet.live(1)
        before = (fleet.decisions(), fleet.members(), fleet.rollout(), fleet.waves())
        fleet.look()
        assert (fleet.decisions(), fleet.members(), fleet.rollout(), fleet.waves()) == before


def test_of_two_that_look_at_once_one_decides_and_the_other_writes_nothing(
    store: TelemetryStore, database: Database
) -> None:
    fleet = begun(store, database)
    fleet.live(9)
    both: list[Taken] = []

    def meanwhile(_connection: object, taken: Taken) -> None:
        both.append(taken)

    number = fleet.rollout().id
    with database.reading() as connection:
        read = gate._read(connection, number, fleet.now + timedelta(hours=1))
    looked = gate._look_at(store, read, fleet.now + timedelta(hours=1))
    keep_gate(store, database, fleet.now + timedelta(hours=1), announce=meanwhile)
    before = (fleet.decisions(), fleet.members())
    with pytest.raises(Stale), database.transaction() as connection:
        gate._write(connection, read, looked, fleet.now + timedelta(hours=1), meanwhile)
    assert (fleet.decisions(), fleet.members()) == before
    assert len(both) <= 1


def test_who_gets_it_without_being_drawn_ends_the_claim_that_it_was_randomised(
    store: TelemetryStore, database: Database
) -> None:
    fleet = begun(store, database)
    fleet.live(3)
    assert fleet.rollout().claim == "followed"
    members = fleet.members()
    for name in [name for name, one in members.items() if one.wave > 1][:12]:
        fleet.version[name] = NEW
    fleet.live(3)
    rollout = fleet.rollout()
    assert rollout.claim == "withdrawn"
    assert "12 were not drawn" in (rollout.claim_why or "")
    with fleet.database.reading() as connection:
        assert releases.get(connection, rollout.release_id).assignment == "staged"
    fleet.live(2)
    assert fleet.rollout().claim == "withdrawn"


DELIVER_AND_DIE = """
import sys
from datetime import datetime
from alerts import delivery
from alerts.rollouts.channel import RolloutChannel
from alerts.rollouts.hawkbit import HawkbitRollouts
from hearthwatch.clock import SteppedClock
from hearthwatch.records.database import open_database

clock = SteppedClock(datetime.fromisoformat(sys.argv[3]))
database = open_database(sys.argv[1])
channel = RolloutChannel(HawkbitRollouts(sys.argv[2]), database, clock)
print("delivering", flush=True)
delivery.deliver(database, {channel.name: channel}, clock.now(), worker="child")
print("delivered", flush=True)
"""


def test_hawkbit_is_paused_exactly_once_although_the_job_is_killed_between_the_decision_and_its_delivery(
    store: TelemetryStore, migrated: bytes, tmp_path: Path, server: Hawkbit
) -> None:
    path = tmp_path / "records.sqlite3"
    path.write_bytes(migrated)
    database = open_database(f"sqlite:///{path}")
    fleet = RolledFleet(store, database, bricks=0.3)
    fleet.live(BEFORE, every=NEVER)
    server.plan(6, status="running", started=1)
    fleet.roll_out(plan(*THREE), service="hawkbit", service_id="6")
    fleet.live(12)
    assert fleet.rollout().status == "stopped"
    assert server.requests == []  # the process that decided has not delivered: it might have been killed here

    child: list[subprocess.Popen[str]] = []
    server.before_answer = lambda act: child[0].send_signal(signal.SIGKILL) if act == "pause" else None
    arguments = [f"sqlite:///{path}", server.address, fleet.now.isoformat()]
    child.append(
        subprocess.Popen([sys.executable, "-c", DELIVER_AND_DIE, *arguments], stdout=subprocess.PIPE, text=True)
    )
    said, _ = child[0].communicate(timeout=60)
    assert (child[0].returncode, said) == (-signal.SIGKILL, "delivering\n")  # killed before it knew that it was done
    server.before_answer = lambda _act: None
    assert deliver(fleet, server) == {}  # the claim of the killed one still holds
    assert deliver(fleet, server, later=delivery.LEASE) == {"delivered": 1}
    assert deliver(fleet, server, later=2 * delivery.LEASE) == {}
    assert server.changes == ["pause 6"]
    assert server.rollouts[6] == "paused"
    rollout = fleet.rollout()
    assert (rollout.service_state, rollout.service_said) == ("paused", "pause: done")
    database.close()


def test_a_pause_waits_for_hawkbit_to_come_back_and_what_a_person_decided_since_goes_before_it(
    store: TelemetryStore, database: Database, server: Hawkbit
) -> None:
    fleet = RolledFleet(store, database, bricks=0.3)
    fleet.live(BEFORE, every=NEVER)
    server.plan(6, status="running", started=1)
    fleet.roll_out(plan(*THREE), service="hawkbit", service_id="6")
    fleet.live(12)
    server.faults = [(503, b"")]
    assert deliver(fleet, server) == {"retried": 1}
    rollout = fleet.rollout()
    assert rollout.service_said == "hawkBit failed (503)"
    with database.reading() as connection:
        (waiting,) = outbox.list_items(connection, state="pending")
    assert waiting.last_error == "hawkBit failed (503)"
    assert deliver(fleet, server, later=delivery.FIRST_PAUSE) == {"delivered": 1}
    assert server.changes == ["pause 6"]


def test_a_message_that_a_later_decision_has_overtaken_does_nothing(
    store: TelemetryStore, database: Database, server: Hawkbit
) -> None:
    from alerts.rollouts.steering import steer

    fleet = RolledFleet(store, database)
    server.plan(6, status="running", started=1)
    made = fleet.roll_out(plan(*THREE), service="hawkbit", service_id="6")
    fleet.live(2)
    for action in ("pause", "resume", "pause", "resume"):
        with database.transaction() as connection:
            steer(
                connection, made.id, None, action, reason="to see", actor="kim", now=fleet.now, announce=fleet.announce
            )
    assert deliver(fleet, server) == {"delivered": 1}
    assert server.changes == []  # it runs, and is to run
    with database.reading() as connection:
        states = {one.state for one in outbox.list_items(connection)}
        assert rollouts.get(connection, made.id).status == "running"
    assert states == {"cancelled", "delivered"}
