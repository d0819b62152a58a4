"""Tickets: one per cause, given to who can, closed by people and by themselves, reopened by a relapse."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.tickets import acts as tickets
from alerts.tickets import assignment, conversation, ending
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, HearthwatchError, Invalid, Missing, Stale
from hearthwatch.records import devices, outcomes, parts
from hearthwatch.records import tickets as rows
from hearthwatch.records.database import open_database
from hearthwatch.records.technicians import Technician
from hearthwatch.values import Ticket
from tests.conftest import records_in_memory
from tests.unit.alerts.test_rounds import worse
from tests.unit.alerts.world import BAD, FIX, NOON, World


def opened(world: World, mode: str = "battery_fade", **more: Any) -> Ticket:
    """A live policy and one ticket about lock-1."""
    world.home()
    world.policy()
    world.stand(mode=mode, **more)
    world.run()
    return world.ticket()


def close(world: World, ticket: Ticket, code: str, part: str | None = None, revision: int | None = None) -> Ticket:
    with world.database.transaction() as connection:
        return ending.close(
            connection, ticket.id, revision, code=code, part=part, note="looked", actor="tom", now=world.now
        )


# -- what is refused -----------------------------------------------------------------------------------------------------


def test_a_ticket_closes_only_by_a_known_code_and_only_once(world: World) -> None:
    ticket = opened(world)
    with pytest.raises(Invalid, match="code"):
        close(world, ticket, "done")
    with pytest.raises(Invalid, match="part"):
        close(world, ticket, "different_fault")
    close(world, ticket, "confirmed")
    with pytest.raises(Conflict, match="confirmed"):
        close(world, ticket, "confirmed")


def test_a_ticket_changed_since_it_was_read_is_stale(world: World) -> None:
    ticket = opened(world)
    world.technician()
    with world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, ticket.revision, "t-1", "ann", world.now)
    with pytest.raises(Stale):
        close(world, ticket, "confirmed", revision=ticket.revision)
    assert world.ticket().state == "assigned"


def test_a_visit_needs_a_technician_and_a_time_to_come(world: World) -> None:
    ticket = opened(world)
    soon = world.now + timedelta(days=1)
    with pytest.raises(Conflict, match="assign"), world.database.transaction() as connection:
        tickets.schedule(connection, ticket.id, None, soon, "ann", world.now)
    with pytest.raises(Missing), world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)
    world.technician()
    with world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)
        with pytest.raises(Invalid, match="future"):
            tickets.schedule(connection, ticket.id, None, world.now, "ann", world.now)
        assert tickets.schedule(connection, ticket.id, None, soon, "ann", world.now).state == "scheduled"


def test_an_empty_or_endless_note_is_refused(world: World) -> None:
    ticket = opened(world)
    for text in ("", "  \n", "x" * 4001):
        with pytest.raises(Invalid), world.database.transaction() as connection:
            conversation.note(connection, ticket.id, None, text, "ann", world.now)


def test_a_closed_ticket_is_not_assigned(world: World) -> None:
    ticket = opened(world)
    world.technician()
    close(world, ticket, "duplicate")
    with pytest.raises(Conflict), world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)


# -- one per cause -------------------------------------------------------------------------------------------------------


def test_anomaly_and_prognosis_of_one_part_share_a_ticket(world: World) -> None:
    world.home()
    world.policy()
    world.stand(mode="battery_fade", severity="warning")
    world.run()
    assert world.ticket().priority == 3
    world.stand(mode="battery_fade", kind="prognosis", part="battery", probability=0.9, severity="warning")
    world.run()
    assert world.ticket().priority == 2
    assert world.ticket_events(world.ticket()) == ["opened", "joined", "raised"]
    for _ in range(6):
        world.pass_time(days=1)
        world.observe(mode="battery_fade", severity="warning")
        world.observe(mode="battery_fade", kind="prognosis", part="battery", probability=0.9, severity="warning")
        world.run()
    assert len(world.customers_letters()) == 1


def test_another_cause_on_the_same_device_is_told_of_when_some_days_have_passed(world: World) -> None:
    opened(world)
    for day in range(5):
        world.pass_time(days=1)
        world.observe()
        if day:
            world.observe(mode="wifi_failing")
        world.run()
    assert [notice.kind for notice in world.notices()] == ["replacement", "check_up"]


def test_four_threads_open_one_ticket_for_a_cause(tmp_path: Path, clock: SteppedClock) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    database.upgrade()
    clock.advance(timedelta(hours=12))
    worlds = [World(database, clock) for _ in range(4)]
    names = [f"lock-{number}" for number in range(6)]
    worlds[0].home(devices_=names)
    worlds[0].policy(per_household_and_month="per_household_and_month = 9")
    for name in names:
        worlds[0].stand(name, "battery_fade")
        worlds[0].stand(name, "battery_fade", kind="prognosis", part="battery", probability=0.7)
    errors: list[HearthwatchError] = []
    start = threading.Barrier(4)

    def work(world: World) -> None:
        start.wait()
        try:
            world.apply()
        except HearthwatchError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    opened_now = worlds[0].tickets()
    assert sorted(ticket.cause for ticket in opened_now) == [f"device:{name}/battery/1" for name in names]
    assert len(worlds[0].notices()) == 1  # one letter to the household
    database.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["observe", "recover", "close", "run", "days"]),
        st.sampled_from(["anomaly", "prognosis"]),
        st.sampled_from(["confirmed", "no_fault_found", "recovered", "fixed_by_update", "different_fault"]),
    ),
    max_size=14,
)


@given(STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_there_are_never_two_open_tickets_for_one_cause(steps: list[tuple[str, str, str]]) -> None:
    with records_in_memory() as database:
        world = World(database, SteppedClock(NOON))
        world.home()
        world.policy()
        for what, kind, code in steps:
            take(world, what, kind, code)
            world.run()
            now_open = [ticket.cause.rpartition("/")[0] for ticket in world.tickets(open_only=True)]
            assert len(now_open) == len(set(now_open))
        assert len({ticket.cause for ticket in world.tickets()}) == len(world.tickets())


def take(world: World, what: str, kind: Any, code: str) -> None:
    if what == "observe":
        world.stand("lock-1", "battery_fade", kind=kind, part="battery", probability=0.6)
    elif what == "recover":
        finding = world.observe("lock-1", "battery_fade", kind=kind, part="battery")
        world.recover(finding)
    elif what == "close":
        for ticket in world.tickets(open_only=True):
            close(world, ticket, code, "battery")
    world.pass_time(days=9 if what == "days" else 1)


# -- who gets it -----------------------------------------------------------------------------------------------------------


def technician(name: str, skills: tuple[str, ...] = (), regions: tuple[str, ...] = (), capacity: int = 2) -> Technician:
    return Technician(name, name, skills, regions, capacity, True, 1)


def test_nobody_gets_what_they_can_not_do_where_they_do_not_go_or_beyond_their_capacity() -> None:
    people = [
        technician("a", ("relay",), ("north",)),
        technician("b", ("battery",), ("south",)),
        technician("c", capacity=0),
    ]
    assert assignment.best(people, {}, skills=["battery"], region="north") is None


def test_of_those_who_can_the_least_busy_gets_it() -> None:
    people = [
        technician("a", ("battery",), ("north",)),
        technician("b", ("*",), ("north", "south")),
        technician("c", ("relay",)),
    ]
    assert assignment.best(people, {"a": 1}, skills=["battery", "lock"], region="north") == people[1]
    assert assignment.best(people, {"a": 1, "b": 1}, skills=["battery"], region="north") == people[0]
    assert assignment.best(people, {"a": 2, "b": 2}, skills=["battery"], region="north") is None


def test_a_new_ticket_goes_to_the_technician_of_its_place(world: World) -> None:
    world.technician("t-north", regions=["north"], skills=["battery"])
    world.technician("t-south", regions=["south"], skills=["battery"])
    assert opened(world).technician_id == "t-north"
    assert world.ticket().state == "assigned"


# -- how it ends -----------------------------------------------------------------------------------------------------------


def test_confirmed_is_a_label_and_a_new_part_and_the_end_of_the_finding(world: World) -> None:
    ticket = opened(world)
    close(world, ticket, "confirmed")
    with world.database.reading() as connection:
        labels = outcomes.list_outcomes(connection)
        installed = parts.parts_of(connection, "lock-1")
    assert [(one.device_id, one.part, one.outcome, one.source) for one in labels] == [
        ("lock-1", "battery", "failure", f"ticket:{ticket.id}")
    ]
    assert [(one.part, one.from_at) for one in installed] == [("battery", world.now)]
    assert ticket.finding_id is not None
    world.run()
    assert [one.state for one in world.tickets()] == ["closed"]


@pytest.mark.parametrize(
    ("code", "part", "label"),
    [
        ("no_fault_found", None, ("battery", "no_fault_found")),
        ("different_fault", "motor", ("motor", "failure")),
        ("customer_declined", None, None),
        ("duplicate", None, None),
    ],
)
def test_every_closing_code_has_its_label_or_none(
    world: World, code: str, part: str | None, label: tuple[str, str] | None
) -> None:
    close(world, opened(world), code, part)
    with world.database.reading() as connection:
        labels = [(one.part, one.outcome) for one in outcomes.list_outcomes(connection)]
    assert labels == ([label] if label else [])


def test_what_a_person_closed_without_a_repair_stays_closed_while_the_finding_goes_on(world: World) -> None:
    close(world, opened(world), "no_fault_found")
    for _ in range(10):
        world.pass_time(days=1)
        world.observe()
        world.run()
    assert world.ticket().state == "closed"


def test_old_signs_after_a_repair_do_not_reopen_but_a_relapse_does(world: World) -> None:
    ticket = opened(world)
    close(world, ticket, "confirmed")
    world.pass_time(days=1)
    world.observe()
    world.run()
    assert world.ticket().state == "closed"
    world.pass_time(days=3)
    world.observe()
    world.run()
    assert world.ticket().state == "open"
    assert world.ticket().closing_code is None
    assert "reopened" in world.ticket_events(ticket)


def test_a_ticket_closes_by_itself_when_its_finding_stays_away(world: World) -> None:
    opened(world, severity="warning")
    world.recover(world.observe())
    world.pass_time(hours=23)
    world.run()
    assert world.ticket().state == "open"
    world.pass_time(hours=1)
    world.run()
    ticket = world.ticket()
    assert (ticket.state, ticket.closing_code, ticket.closed_by) == ("closed", "recovered", "policy")
    with world.database.reading() as connection:
        assert outcomes.list_outcomes(connection) == []


def test_nothing_closes_while_somebody_is_on_the_way(world: World) -> None:
    world.technician()
    ticket = opened(world)
    with world.database.transaction() as connection:
        tickets.schedule(connection, ticket.id, None, world.now + timedelta(days=9), "ann", world.now)
    world.recover(world.observe())
    world.pass_time(days=3)
    world.run()
    assert world.ticket().state == "scheduled"


def test_a_likely_failure_stays_open_although_the_prognosis_fell_silent(world: World) -> None:
    opened(world, kind="prognosis", part="battery", probability=0.95)
    world.recover(world.observe(kind="prognosis", part="battery", probability=0.95))
    world.pass_time(days=3)
    world.run()
    assert world.ticket().state == "open"


def test_a_relapse_within_a_week_reopens_the_same_ticket_and_later_it_is_a_new_one(world: World) -> None:
    ticket = opened(world)
    world.recover(world.observe())
    world.pass_time(days=2)
    world.run()
    assert world.ticket().state == "closed"
    world.pass_time(days=3)
    world.observe()
    world.run()
    assert (world.ticket().id, world.ticket().state) == (ticket.id, "open")
    world.recover(world.observe())
    world.pass_time(days=2)
    world.run()
    world.pass_time(days=8)
    world.stand()
    world.run()
    assert [one.cause for one in world.tickets()] == ["device:lock-1/battery/1", "device:lock-1/battery/2"]


def install(world: World, device: str, version: str) -> None:
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting(device, world.now, firmware=version)])


def test_the_update_that_fixes_it_closes_the_ticket_and_a_return_reopens_it(world: World) -> None:
    world.release(FIX, fixes=["memory_leak"])
    opened(world, "memory_leak")
    world.pass_time(days=1)
    install(world, "lock-1", FIX)
    world.observe(mode="memory_leak")
    world.run()
    assert (world.ticket().state, world.ticket().closing_code) == ("closed", "fixed_by_update")
    world.pass_time(days=1)
    world.observe(mode="memory_leak")
    world.run()
    assert world.ticket().state == "closed"
    world.pass_time(days=3)
    world.observe(mode="memory_leak")
    world.run()
    world.run()
    assert world.ticket().state == "open"


def test_a_device_that_ran_the_fix_all_along_is_not_fixed_by_it(world: World) -> None:
    world.release(FIX, fixes=["memory_leak"])
    world.home(version=FIX)
    world.policy()
    world.stand(mode="memory_leak")
    world.run()
    assert world.ticket().state == "open"


def test_the_ticket_of_a_release_closes_when_nobody_runs_it_any_more(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    install(world, "lock-1", BAD)
    worse(world)
    world.release(FIX, fixes=[BAD])
    world.run()
    assert world.ticket().state == "open"
    world.pass_time(days=1)
    install(world, "lock-1", FIX)
    world.run()
    assert (world.ticket().kind, world.ticket().closing_code) == ("cohort", "fixed_by_update")


def test_the_child_of_a_release_s_ticket_closes_with_the_update(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    install(world, "lock-1", BAD)
    world.stand("lock-1", "reboots")
    world.run()
    worse(world)
    world.release(FIX, fixes=[BAD])
    world.run()
    world.pass_time(hours=1)
    install(world, "lock-1", FIX)
    world.run()
    assert [one.closing_code for one in world.tickets()] == ["fixed_by_update", "fixed_by_update"]


def test_a_release_nobody_runs_does_not_reopen_its_ticket(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    install(world, "lock-1", BAD)
    worse(world)
    world.release(FIX, fixes=[BAD])
    world.run()
    install(world, "lock-1", FIX)
    for _ in range(6):
        world.pass_time(days=1)
        worse(world)
        world.run()
    assert world.ticket_events(world.ticket()) == ["opened", "closed"]


def test_a_symptom_that_outlasts_its_release_s_ticket_stands_for_itself(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    install(world, "lock-1", BAD)
    worse(world)
    world.stand("lock-1", "reboots")
    world.run()
    close(world, world.ticket(), "no_fault_found")
    for _ in range(4):
        world.pass_time(days=1)
        world.observe("lock-1", "reboots")
        world.run()
    assert [(one.kind, one.state) for one in world.tickets()] == [("cohort", "closed"), ("device", "open")]
    assert [notice.kind for notice in world.notices()] == ["check_up"]


def test_a_ticket_s_ledger_tells_who_did_what(world: World) -> None:
    world.technician()
    ticket = opened(world)
    with world.database.transaction() as connection:
        conversation.note(connection, ticket.id, None, "called them", "ann", world.now)
        tickets.schedule(connection, ticket.id, None, world.now + timedelta(days=1), "ann", world.now)
    close(world, ticket, "confirmed")
    with world.database.reading() as connection:
        told = [(event.what, event.actor) for event in rows.events(connection, ticket.id)]
    assert told == [
        ("opened", "policy"),
        ("assigned", "policy"),
        ("note", "ann"),
        ("scheduled", "ann"),
        ("closed", "tom"),
    ]
