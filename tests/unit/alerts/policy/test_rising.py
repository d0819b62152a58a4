"""A finding that becomes a matter of safety is warned of although its owner was told of a lesser one, once; by all channels if asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.policy.file import InvalidPolicy
from alerts.tickets import ending
from hearthwatch.clock import SteppedClock
from hearthwatch.records import consents, findings, models
from hearthwatch.records.database import open_database
from hearthwatch.values import Notice
from tests.conftest import restore
from tests.unit.alerts.policy.texts import keep, policy
from tests.unit.alerts.world import MODEL, NOON, World

MODE = "sensor_drift"
LESSER, GRAVE = "misbehaving", "critical, where a failure may hurt somebody"


def dangerous(world: World) -> None:
    """A live default policy, and a lock whose failure may hurt somebody."""
    world.policy()
    world.home(channels=["mailbox://c-1", "mailbox://c-1-phone"])
    with world.database.transaction() as connection:
        models.put(connection, MODEL, safety_class="injury")


def look(world: World, severity: str) -> None:
    """An hour later it is seen like this, and the jobs have their turn."""
    world.pass_time(hours=1)
    world.stand(mode=MODE, severity=severity)
    world.run()


def told(world: World) -> list[tuple[str, str]]:
    return [(str((one.why or {})["rule"]), one.state) for one in about_faults(world)]


def about_faults(world: World) -> list[Notice]:
    return [one for one in world.notices() if one.kind in {"check_up", "replacement"}]


def test_the_warning_goes_out_although_a_lesser_notice_of_the_finding_did_and_once(world: World) -> None:
    dangerous(world)
    look(world, "warning")
    assert told(world) == [(LESSER, "sent")]
    for _ in range(3):
        world.pass_time(hours=5)
        look(world, "critical")
    assert told(world) == [(LESSER, "sent"), (GRAVE, "sent")]
    assert len(world.tickets()) == 1


def test_a_lesser_letter_that_still_waits_for_the_morning_is_taken_back(world: World) -> None:
    dangerous(world)
    world.pass_time(hours=10)  # 22:00
    look(world, "warning")
    assert told(world) == [(LESSER, "queued")]
    world.pass_time(hours=1)
    look(world, "critical")
    assert told(world) == [(LESSER, "cancelled"), (GRAVE, "sent")]
    assert (
        about_faults(world)[0].reason == "overtaken: it is a matter of safety by now, and the customer is warned of it"
    )
    world.pass_time(hours=12)
    look(world, "warning")
    assert told(world) == [(LESSER, "cancelled"), (GRAVE, "sent")]


def test_a_warning_that_had_no_address_goes_out_when_there_is_one(world: World) -> None:
    dangerous(world)
    look(world, "warning")
    world.home(channels=[])
    look(world, "critical")
    assert told(world) == [(LESSER, "sent"), (GRAVE, "suppressed")]
    world.home(channels=["mailbox://c-1"])
    look(world, "critical")
    assert told(world) == [(LESSER, "sent"), (GRAVE, "sent")]


def test_who_observes_sees_both(world: World) -> None:
    dangerous(world)
    world.set_mode(1, "observe")
    for severity in ("warning", "critical", "critical"):
        look(world, severity)
    assert told(world) == [(LESSER, "observed"), (GRAVE, "observed")]


@given(st.lists(st.tuples(st.sampled_from(["info", "warning", "critical"]), st.sampled_from([1, 7, 26])), max_size=6))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_severity_goes_there_is_one_warning_at_most_and_one_where_it_was_critical(
    migrated: bytes, seen: list[tuple[str, int]]
) -> None:
    database = open_database("sqlite://")
    restore(database, migrated)
    world = World(database, SteppedClock(NOON))
    dangerous(world)
    for severity, hours in seen:
        look(world, severity)
        world.clock.advance(timedelta(hours=hours))
    rules = [rule for rule, state in told(world) if state in {"sent", "queued"}]
    worst = max((["info", "warning", "critical"].index(severity) for severity, _ in seen), default=0)
    assert rules.count(GRAVE) == (worst == 2)
    assert rules.count(LESSER) <= 1
    assert not (rules and worst == 0)
    database.close()


# -- a person had closed its ticket


def close(world: World, code: str = "no_fault_found") -> None:
    world.pass_time(hours=1)
    number = world.ticket().id
    with world.database.transaction() as connection:
        ending.close(connection, number, None, code=code, part=None, note=None, actor="ann", now=world.now)
    world.run()


def steps(world: World) -> list[str]:
    steps = {"opened", "raised", "closed", "reopened"}
    return [one for one in world.ticket_events(world.ticket()) if one in steps]


def of_the_case(world: World) -> list[str]:
    """The news of its ticket that its owner got."""
    news = [one for one in world.notices() if one.kind == "ticket_update" and one.state == "sent"]
    return [str((one.why or {})["event"]) for one in news]


@pytest.mark.parametrize("code", ["no_fault_found", "user_error", "environment", "confirmed"])
def test_what_becomes_dangerous_after_a_person_closed_its_ticket_is_warned_of_once(world: World, code: str) -> None:
    dangerous(world)
    look(world, "warning")
    close(world, code)
    look(world, "warning")
    assert (told(world), steps(world)[-1]) == ([(LESSER, "sent")], "closed")
    for severity in ("critical", "critical", "warning", "critical"):
        look(world, severity)
    assert told(world) == [(LESSER, "sent"), (GRAVE, "sent")]
    assert steps(world) == ["opened", "closed", "reopened", "raised"]
    assert (world.ticket().state, world.ticket().priority) == ("open", 2)
    assert of_the_case(world) == ["closed"]  # the warning says that it goes on


def test_who_closes_the_ticket_of_a_danger_has_decided_about_it(world: World) -> None:
    dangerous(world)
    look(world, "warning")
    close(world)
    look(world, "critical")
    close(world)
    for severity in ("critical", "warning", "critical"):
        look(world, severity)
    assert told(world) == [(LESSER, "sent"), (GRAVE, "sent")]
    assert (steps(world).count("reopened"), world.ticket().state) == (1, "closed")


def test_a_danger_that_nobody_could_be_told_of_opens_its_ticket_again_once(world: World) -> None:
    dangerous(world)
    world.home(channels=[])
    look(world, "warning")
    close(world)
    look(world, "critical")
    assert (about_faults(world)[0].state, world.ticket().state) == ("suppressed", "open")
    close(world)
    for _ in range(3):
        look(world, "critical")
    assert (steps(world).count("reopened"), world.ticket().state) == (1, "closed")


def test_a_ticket_that_was_about_danger_from_the_beginning_stays_closed_although_nobody_could_be_told(
    world: World,
) -> None:
    dangerous(world)
    world.home(channels=[])
    look(world, "critical")
    close(world)
    look(world, "critical")
    assert steps(world) == ["opened", "closed"]


@pytest.mark.parametrize("brake", ["muted", "expected"])
def test_a_finding_that_a_person_muted_or_expects_stays_closed_however_grave(world: World, brake: str) -> None:
    dangerous(world)
    look(world, "warning")
    close(world)
    with world.database.transaction() as connection:
        (finding,) = findings.list_findings(connection, limit=10)
        if brake == "muted":
            findings.mute(connection, finding.id, None, world.now + timedelta(days=9), "ann", world.now)
        else:
            findings.expect(connection, finding.id, None, "ann", world.now)
    look(world, "critical")
    assert (told(world), world.ticket().state) == ([(LESSER, "sent")], "closed")


def test_who_observes_sees_the_warning_and_the_ticket_stays_closed(world: World) -> None:
    dangerous(world)
    look(world, "warning")
    close(world)
    world.set_mode(1, "observe")
    look(world, "critical")
    look(world, "critical")
    assert told(world) == [(LESSER, "sent"), (GRAVE, "observed")]
    assert world.ticket().state == "closed"


def test_an_old_warning_about_another_part_does_not_stand_for_a_new_danger(world: World) -> None:
    dangerous(world)
    look(world, "critical")
    world.pass_time(hours=100)
    for severity in ("warning", "critical"):
        world.pass_time(hours=1)
        world.stand(mode="motor_wear", severity=severity)
        world.run()
    assert told(world)[-2:] == [("a wear part is going", "sent"), (GRAVE, "sent")]


# -- all channels


ALL = '[[rules]]\nname = "danger"\nnotice = "check_up"\npurpose = "{purpose}"\nall_channels = true\n'


def by_all(world: World, purpose: str = "service") -> None:
    """A live policy whose one rule asks for all channels, and an owner with three."""
    keep(world, ALL.format(purpose=purpose))
    world.home(channels=["mailbox://c-1", "mailto:kim@example.org", "mailbox://c-1-phone"])


def sent_to(world: World) -> list[tuple[str, str]]:
    return [(item.address, item.state) for item in world.outbox() if item.kind == "notice"]


def test_all_channels_without_a_notice_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="all_channels is for rules that write a notice"):
        policy('[[rules]]\nname = "x"\nticket = true\nall_channels = true\n')


def test_a_rule_may_ask_for_all_channels_and_it_is_one_notice(world: World) -> None:
    by_all(world)
    world.stand()
    world.run()
    assert sent_to(world) == [
        ("mailbox://c-1", "delivered"), ("mailto:kim@example.org", "delivered"), ("mailbox://c-1-phone", "delivered"),
    ]  # fmt: skip
    assert [one.state for one in world.notices()] == ["sent"]
    assert (world.notice().why or {})["channels"] == ["mailbox", "mail", "mailbox"]
    world.stand(mode="motor_wear")
    world.pass_time(hours=80)
    world.stand(mode="motor_wear")
    world.run()
    assert (world.notices()[-1].why or {})["household"]["spent"] == 1


@pytest.mark.parametrize(("purpose", "by_mail"), [("service", False), ("safety", True)])
def test_a_channel_that_was_not_agreed_to_gets_none_but_for_safety(world: World, purpose: str, by_mail: bool) -> None:
    by_all(world, purpose)
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", False, world.now, "page", channel="mail")
    world.stand()
    world.run()
    addresses = [address for address, _ in sent_to(world)]
    assert ("mailto:kim@example.org" in addresses, len(addresses)) == (by_mail, 3 if by_mail else 2)
