"""The hold-out: off unless asked for, never where safety is concerned, one draw for each finding, and seen by staff."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import preview
from alerts.notices.issue import Mail
from alerts.policy import hold_out
from alerts.policy import versions as policy
from alerts.policy.file import HoldOut as Terms
from alerts.policy.file import default_text, parse
from alerts.preview import Preview
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import audit, findings, hold_outs, models, outcomes
from hearthwatch.records.hold_outs import HoldOut, JudgedHoldOut
from hearthwatch.records.outcomes import Outcome
from hearthwatch.values import Finding
from tests.unit.alerts.world import BRAND, FIX, MODEL, NOON, World

ALL_HELD = 0.2
DAY = timedelta(days=1)


def text(share: float = ALL_HELD, more: str = "") -> str:
    return f"{default_text()}\n[hold_out]\nshare = {share}\n{more}\n"


def go_live(world: World, share: float = ALL_HELD, more: str = "") -> int:
    with world.database.transaction() as connection:
        added = policy.add_policy(connection, text(share, more), "ann", world.now)
        policy.set_mode(connection, added.version, "live", "ann", world.now)
        return added.version


def drawn(terms: Terms, mode: str = "battery_fade", *, held: bool = True) -> str:
    """A device whose first such finding is held out, or is not."""
    ids = (f"lock-{number}" for number in range(10_000))
    return next(one for one in ids if hold_out.is_drawn(terms, finding(one, mode)) is held)


def finding(device: str, mode: str = "battery_fade", episode: int = 1) -> Finding:
    return Finding(
        1, "anomaly", "device", device, mode, episode, "warning", "open", None, None, {}, NOON, NOON, None, None, 1
    )


UNLUCKY, LUCKY = drawn(Terms(share=ALL_HELD)), drawn(Terms(share=ALL_HELD), held=False)


def held(world: World) -> list[HoldOut]:
    with world.database.reading() as connection:
        return hold_outs.list_hold_outs(connection)


def came_of_it(world: World) -> list[JudgedHoldOut]:
    with world.database.reading() as connection:
        return hold_outs.judged(connection, world.now)


def history(world: World, of: Finding) -> list[str]:
    with world.database.reading() as connection:
        return [event.what for event in findings.events(connection, of.id)]


def seen(world: World, of: Finding) -> Preview:
    with world.database.reading() as connection:
        return preview.preview(connection, of.id, mail=Mail(BRAND, "http://hw.test", 30 * DAY), now=world.now)


# -- what is refused, and what is never held out


@pytest.mark.parametrize("wrong", ["share = 0.21", "share = -0.1", "share = 'many'", "salt = 3", "never = []"])
def test_a_hold_out_of_too_many_or_of_nonsense_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(Invalid, match="hold_out"):
        parse(f"{default_text()}\n[hold_out]\n{wrong}\n")


def test_without_a_word_in_the_policy_nobody_is_held_out(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    world.policy()
    world.stand(UNLUCKY)
    done = world.apply()
    assert (done["tickets"], done["queued"], held(world)) == (1, 1, [])


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("overheating", {"severity": "critical"}),  # an urgent rule for safety
        ("overheating", {"severity": "warning"}),  # a rule for safety
        ("unusual", {"severity": "critical", "part": "brake"}),  # a part that safety depends on
        ("silent", {"severity": "critical"}),  # a fact, no prophecy
    ],
)
def test_what_concerns_safety_or_is_a_fact_is_never_held_out(world: World, mode: str, more: dict[str, str]) -> None:
    would_be = [
        one
        for one in (f"lock-{number}" for number in range(100))
        if hold_out.is_drawn(Terms(share=0.2), finding(one, mode))
    ]
    ids = would_be[:3]
    world.home(devices_=ids, consent=("service", "safety"))
    go_live(world)
    for one in ids:
        world.stand(one, mode, **more)
    world.apply()
    assert held(world) == []
    assert len(world.tickets()) == len(ids)


@pytest.mark.parametrize("named", ["never_models", "never_classes"])
def test_devices_that_safety_depends_on_are_never_held_out(world: World, named: str) -> None:
    with world.database.transaction() as connection:
        models.put(connection, MODEL, device_class="dishwasher")
    world.home(devices_=[UNLUCKY])
    go_live(world, more=f'{named} = ["{MODEL if named == "never_models" else "dishwasher"}"]')
    world.stand(UNLUCKY)
    assert world.apply()["tickets"] == 1
    assert held(world) == []


def test_a_lock_is_a_device_that_safety_depends_on_where_the_maker_says_that_it_is_one(world: World) -> None:
    with world.database.transaction() as connection:
        models.put(connection, MODEL, device_class="lock")
    world.home(devices_=[UNLUCKY])
    go_live(world)
    world.stand(UNLUCKY)
    assert world.apply()["tickets"] == 1


def test_an_owner_is_told_of_a_release_that_mends_it(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    world.release(FIX, fixes=["battery_fade"])
    go_live(world)
    world.stand(UNLUCKY)
    world.apply()
    assert held(world) == []
    assert world.notice().kind == "update"


def test_what_was_told_before_the_hold_out_began_is_not_taken_back(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    world.policy()
    world.stand(UNLUCKY)
    world.apply()
    go_live(world)
    world.pass_time(hours=1)
    world.observe(UNLUCKY)
    assert (world.apply(), held(world)) == ({}, [])
    assert world.ticket().state != "closed"


# -- the draw


@given(st.lists(st.text("abc0123", min_size=1, max_size=8), min_size=1, max_size=30, unique=True), st.floats(0, 0.2))
def test_the_draw_depends_on_the_finding_alone(names: list[str], share: float) -> None:
    terms = Terms(share=share, salt="s")
    one = {name: hold_out.is_drawn(terms, finding(name)) for name in names}
    other = {
        name: hold_out.is_drawn(terms, dataclasses.replace(finding(name), id=7, severity="critical"))
        for name in names[::-1]
    }
    assert one == other
    more = Terms(share=0.2, salt="s")
    assert all(hold_out.is_drawn(more, finding(name)) for name, is_held in one.items() if is_held)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("salt", ["", "another"])
def test_as_many_are_drawn_as_the_share_says(share: float, salt: str) -> None:
    count = 20_000
    terms = Terms(share=share, salt=salt)
    found = sum(hold_out.is_drawn(terms, finding(f"d-{number}", episode=number % 3 + 1)) for number in range(count))
    deviation = (count * share * (1 - share)) ** 0.5
    assert abs(found - count * share) < 4.5 * deviation


def test_another_salt_or_episode_is_another_draw() -> None:
    terms, other = Terms(share=0.2), Terms(share=0.2, salt="b")
    names = [f"d-{number}" for number in range(500)]
    first = [hold_out.is_drawn(terms, finding(name)) for name in names]
    assert first != [hold_out.is_drawn(other, finding(name)) for name in names]
    assert first != [hold_out.is_drawn(terms, finding(name, episode=2)) for name in names]


@pytest.mark.parametrize("order", [1, -1])
def test_who_is_held_out_does_not_depend_on_who_was_found_first(world: World, order: int) -> None:
    ids = [UNLUCKY, *(f"lock-{number}" for number in range(6))]
    world.home(devices_=sorted(set(ids)))
    go_live(world)
    for one in ids[::order]:
        world.stand(one)
        world.apply()
    terms = Terms(share=ALL_HELD)
    assert {one.device_id for one in held(world)} == {one for one in ids if hold_out.is_drawn(terms, finding(one))}


# -- what becomes of it


def test_of_a_held_out_finding_neither_notice_nor_ticket_is_made_and_the_others_are_as_ever(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    world.home(2, devices_=[LUCKY])
    version = go_live(world)
    quiet, loud = world.stand(UNLUCKY, probability=0.4), world.stand(LUCKY)
    done = world.apply()
    assert (done["held_out"], done["tickets"], done["queued"]) == (1, 1, 1)
    assert world.apply() == {}
    (one,) = held(world)
    assert (one.finding_id, one.device_id, one.part, one.probability) == (quiet.id, UNLUCKY, "battery", 0.4)
    assert (one.share, one.policy_version, one.until, one.ended_at) == (ALL_HELD, version, world.now + 30 * DAY, None)
    assert [ticket.finding_id for ticket in world.tickets()] == [loud.id]
    assert "held_out" in history(world, quiet)
    shown = seen(world, quiet)
    assert (shown.held_out, shown.held_out_share, shown.ticket, shown.notices) == (True, ALL_HELD, "none", ())
    assert not seen(world, loud).held_out


def test_while_the_policy_observes_it_says_what_it_would_hold_out_and_holds_out_nothing(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    with world.database.transaction() as connection:
        policy.add_policy(connection, text(), "ann", world.now)
    world.stand(UNLUCKY)
    world.apply()
    assert (world.notice().state, held(world)) == ("observed", [])
    assert "would be held out" in str(world.notice().reason)


def test_engineers_are_told_all_the_same(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    with world.database.transaction() as connection:
        told = text().replace('name = "a wear part is going"', 'name = "a wear part is going"\nengineers = true')
        added = policy.add_policy(connection, told, "ann", world.now)
        policy.set_mode(connection, added.version, "live", "ann", world.now)
    world.stand(UNLUCKY)
    assert dict(world.apply()) == {"held_out": 1, "engineers": 1}


def test_a_person_sends_it_now_and_that_is_in_the_audit_trail(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    go_live(world)
    quiet = world.stand(UNLUCKY)
    world.apply()
    with world.database.transaction() as connection:
        hold_out.send_now(connection, quiet.id, "bo", world.now)
    done = world.apply()
    assert (done["tickets"], done["queued"]) == (1, 1)
    with world.database.reading() as connection:
        trail = [(one.actor, one.action, one.object) for one in audit.list_entries(connection)]
    assert ("bo", "hold_out.end", f"finding:{quiet.id}") in trail
    assert history(world, quiet)[-1] == "hold_out_ended"
    with pytest.raises(Conflict, match="bo"), world.database.transaction() as connection:
        hold_out.send_now(connection, quiet.id, "cy", world.now)
    with pytest.raises(Missing), world.database.transaction() as connection:
        hold_out.send_now(connection, quiet.id + 1, "cy", world.now)


def test_it_ends_when_its_time_is_over_and_then_the_customer_is_told(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    go_live(world)
    world.stand(UNLUCKY)
    world.apply()
    world.pass_time(days=29, hours=23)
    world.observe(UNLUCKY)
    assert world.apply() == {}
    world.pass_time(hours=1)
    done = world.apply()
    assert (done["hold_outs_ended"], done["tickets"]) == (1, 1)
    assert [one.why_ended for one in held(world)] == ["expired"]


def test_one_whose_finding_is_gone_ends_in_its_time_too(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    go_live(world)
    gone = world.stand(UNLUCKY)
    world.apply()
    world.recover(gone)
    world.pass_time(days=31)
    assert dict(world.apply()) == {"hold_outs_ended": 1}
    assert (world.apply(), world.tickets()) == ({}, [])


def test_a_relapse_keeps_its_draw(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    world.home(2, devices_=[LUCKY])
    go_live(world)
    for one in (UNLUCKY, LUCKY):
        found = world.stand(one)
        world.apply()
        world.recover(found)
    world.pass_time(days=2)
    for one in (UNLUCKY, LUCKY):
        world.observe(one)
    world.apply()
    assert [one.device_id for one in held(world)] == [UNLUCKY]
    assert {one.device_id for one in world.tickets()} == {LUCKY}


def test_what_turns_grave_is_told_at_once(world: World) -> None:
    device = drawn(Terms(share=ALL_HELD), "unusual")
    world.home(devices_=[device])
    go_live(world)
    world.stand(device, "unusual", severity="warning", part="brake")
    assert world.apply()["held_out"] == 1
    world.pass_time(hours=1)
    world.observe(device, "unusual", severity="critical", part="brake")
    done = world.apply()
    assert (done["hold_outs_ended"], done["tickets"]) == (1, 1)
    assert [one.why_ended for one in held(world)] == ["grave"]


def test_what_else_is_found_of_the_same_cause_is_held_out_with_it_and_let_go_with_it(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    go_live(world)
    first = world.stand(UNLUCKY)
    world.apply()
    second = world.stand(UNLUCKY, kind="prognosis", probability=0.9)
    assert world.apply()["held_out"] == 1
    assert world.tickets() == []
    with world.database.transaction() as connection:
        hold_out.send_now(connection, second.id, "bo", world.now)
    assert world.apply()["tickets"] >= 1
    assert {one.finding_id: one.why_ended for one in held(world)} == {first.id: "sent_now", second.id: "sent_now"}
    assert len(world.tickets()) == 1


def test_a_policy_without_hold_out_lets_all_go(world: World) -> None:
    world.home(devices_=[UNLUCKY])
    go_live(world)
    world.stand(UNLUCKY)
    world.apply()
    world.policy()
    assert world.apply()["tickets"] == 1
    assert [one.why_ended for one in held(world)] == ["policy"]


# -- what is learned


def fail(world: World, device: str, part: str = "battery") -> None:
    with world.database.transaction() as connection:
        outcomes.add(connection, [Outcome(device, part, world.now, "failure", "ticket:1")])


def test_what_became_of_it_is_known_when_it_failed_or_its_time_is_over(world: World) -> None:
    terms = Terms(share=ALL_HELD)
    ids = [one for one in (f"lock-{number}" for number in range(200)) if hold_out.is_drawn(terms, finding(one))][:4]
    world.home(devices_=ids)
    go_live(world)
    found = [world.stand(one) for one in ids]
    world.apply()
    world.pass_time(days=5)
    failed_at = world.now
    fail(world, ids[0])
    fail(world, ids[1], "relay")  # another part
    with world.database.transaction() as connection:
        hold_out.send_now(connection, found[2].id, "bo", world.now)
    world.pass_time(days=1)
    fail(world, ids[2])  # after its owner was told
    assert {one.hold_out.device_id: (one.failed_at, one.known) for one in came_of_it(world)} == {
        ids[0]: (failed_at, True),
        ids[1]: (None, False),
        ids[2]: (None, False),
        ids[3]: (None, False),
    }
    world.pass_time(days=30)
    world.apply()
    known = {one.hold_out.device_id: one.failed_at is not None for one in came_of_it(world) if one.known}
    assert known == {ids[0]: True, ids[1]: False, ids[3]: False}
