"""What the policy makes of findings: what must not happen first, then what must."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.policy import brakes
from hearthwatch.errors import Conflict, Denied, Missing
from hearthwatch.records import brakes as brake_rows
from hearthwatch.records import consents, customers, findings, liveness, notices, outages, outbox, releases
from hearthwatch.records.liveness import Liveness
from tests.unit.alerts.world import BAD, FIX, GOOD, MODEL, World

# -- what must not happen ----------------------------------------------------------------------------------------------


def test_without_a_policy_nothing_happens(world: World) -> None:
    world.home()
    world.stand()
    assert world.apply() == {}
    assert (world.notices(), world.tickets()) == ([], [])


def test_a_policy_that_observes_sends_nothing_and_opens_nothing(world: World) -> None:
    world.home()
    world.policy("observe")
    world.stand()
    world.run()
    assert world.notice().state == "observed"
    assert (world.tickets(), world.outbox(), world.letters()) == ([], [], [])


def test_an_observed_notice_is_sent_once_the_policy_is_live_and_the_finding_still_stands(world: World) -> None:
    world.home()
    version = world.policy("observe")
    world.stand()
    world.run()
    world.set_mode(version, "live")
    world.run()
    assert world.notice().state == "sent"
    assert len(world.customers_letters()) == 1
    assert world.ticket().state == "open"


def test_what_was_only_observed_and_is_over_is_never_sent(world: World) -> None:
    world.home()
    version = world.policy("observe")
    finding = world.stand()
    world.run()
    world.recover(finding)
    world.set_mode(version, "live")
    world.run()
    assert world.notice().state == "observed"
    assert world.letters() == []


def test_without_consent_nothing_is_sent_and_the_reason_is_kept(world: World) -> None:
    world.home(consent=())
    world.policy()
    world.stand()
    world.run()
    assert (world.notice().state, world.notice().reason) == ("suppressed", "no consent to service notices")
    assert world.outbox() == []
    assert world.ticket().device_id == "lock-1"


def test_a_notice_held_back_for_want_of_consent_goes_out_when_consent_is_given(world: World) -> None:
    world.home(consent=())
    world.policy()
    world.stand()
    world.run()
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "service", True, world.now, "page")
    world.run()
    assert world.notice().state == "sent"


@pytest.mark.parametrize("listed", ['["safety"]', '["service"]', "[]"])
def test_a_safety_notice_needs_no_consent_whatever_the_policy_lists(world: World, listed: str) -> None:
    world.home(consent=())
    world.policy(without_consent=f"without_consent = {listed}")
    world.observe(mode="overheating")
    world.run()
    assert world.notice().state == "sent"
    assert (world.notice().why or {})["consent"]["needed"] is False


def test_no_mail_program_offers_to_silence_a_warning_of_danger(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    world.policy()
    world.observe("lock-1", "overheating")
    world.stand("lock-2")
    world.apply()
    offers = {item.payload["subject"]: bool(item.payload["unsubscribe"]) for item in world.outbox(kind="notice")}
    assert sorted(offers.values()) == [False, True]


@pytest.mark.parametrize("channels", [[], ["file:///etc/passwd"], ["json://10.0.0.1/"], ["pigeon://x"]])
def test_an_address_no_channel_may_serve_is_not_used(world: World, channels: list[str]) -> None:
    world.home(channels=channels)
    world.policy()
    world.stand()
    world.run()
    assert (world.notice().state, world.notice().reason) == ("suppressed", "no address that a channel serves")


def test_a_finding_that_has_not_stood_long_enough_makes_nothing(world: World) -> None:
    world.home()
    world.policy()
    world.observe()
    assert world.apply() == {}
    world.pass_time(hours=23)
    assert world.apply() == {}
    world.pass_time(hours=1)
    assert world.apply() == {"tickets": 1, "queued": 1}


def test_muted_and_expected_findings_make_nothing(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    world.policy()
    muted, expected = world.stand("lock-1"), world.stand("lock-2")
    with world.database.transaction() as connection:
        findings.mute(connection, muted.id, None, world.now + timedelta(days=1), "eve", world.now)
        findings.expect(connection, expected.id, None, "eve", world.now)
    assert world.apply() == {}
    world.pass_time(days=1, minutes=1)
    assert world.apply()["tickets"] == 1
    assert world.ticket().device_id == "lock-1"


def test_an_acknowledged_finding_still_reaches_its_customer(world: World) -> None:
    world.home()
    world.policy()
    finding = world.stand()
    with world.database.transaction() as connection:
        findings.acknowledge(connection, finding.id, None, "eve", world.now)
    assert world.apply() == {"tickets": 1, "queued": 1}


def test_during_a_planned_outage_its_devices_are_left_alone(world: World) -> None:
    world.home()
    world.policy()
    world.stand()
    with world.database.transaction() as connection:
        outages.plan(
            connection,
            model=None,
            region="north",
            from_at=world.now - timedelta(hours=1),
            to_at=world.now + timedelta(hours=1),
            reason="works",
        )
    assert world.apply() == {}
    world.pass_time(hours=1)
    assert world.apply()["tickets"] == 1


def part_of(world: World, device: str, incident: int | None) -> None:
    """The device is part of a mass silence, or of none."""
    known = Liveness(
        device, "offline", world.now, None, {"text_key": "silent"}, "mains", "metrics", 300.0, 9, None, None, False, incident, {}, world.now
    )  # fmt: skip
    with world.database.transaction() as connection:
        liveness.put(connection, [known])


def test_what_a_mass_silence_does_to_a_device_makes_nothing_until_it_is_over(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2", "lock-3"))
    world.policy()
    incident = world.stand("group:region/north", kind="incident", mode="mass_silence")
    assert world.apply() == {"engineers": 1}
    world.stand("lock-1", mode="silent")
    world.stand("lock-2", mode="wifi_failing")
    world.stand("lock-3", mode="relay_wear")
    for device in ("lock-1", "lock-2", "lock-3"):
        part_of(world, device, incident.id)
    world.pass_time(days=2)
    world.apply()
    assert {ticket.device_id for ticket in world.tickets()} == {"lock-3"}, "a worn relay is no matter of the network"
    for device in ("lock-1", "lock-2", "lock-3"):
        part_of(world, device, None)
    world.apply()
    assert {ticket.device_id for ticket in world.tickets()} == {"lock-1", "lock-2", "lock-3"}


def test_test_devices_and_removed_devices_make_nothing(world: World) -> None:
    world.policy()
    world.register(["bench-1"], test=True)
    world.register(["gone-1"], removed_at=world.now - timedelta(days=1))
    world.stand("bench-1")
    world.stand("gone-1")
    assert world.apply() == {}


def test_a_device_without_an_owner_gets_a_ticket_and_nobody_a_notice(world: World) -> None:
    world.policy()
    world.register(["lock-9"])
    world.stand("lock-9")
    assert world.apply() == {"tickets": 1}
    assert world.ticket().customer_id is None


def test_a_household_that_had_its_notices_of_the_month_gets_no_more(world: World) -> None:
    locks = [f"lock-{number}" for number in range(3)]
    world.home(devices_=locks)
    world.policy(per_household_and_month="per_household_and_month = 2")
    for lock in locks:
        world.stand(lock)
        world.run()
        world.pass_time(minutes=5)
    assert [notice.state for notice in world.notices()] == ["sent", "sent", "suppressed"]
    assert len(world.tickets()) == 3
    world.pass_time(days=31)
    for lock in locks:
        world.observe(lock)
    world.run()
    assert [notice.state for notice in world.notices()] == ["sent"] * 3


def test_urgent_notices_go_beyond_the_budget_and_through_the_night(world: World) -> None:
    world.home()
    world.policy(per_household_and_month="per_household_and_month = 0")
    world.pass_time(hours=11)
    world.observe(mode="overheating")
    world.run()
    assert world.notice().state == "sent"
    assert world.ticket().priority == 1


def test_quiet_hours_are_kept_in_the_home_s_time_zone(world: World) -> None:
    world.home(timezone="Asia/Shanghai")
    world.policy()
    world.pass_time(hours=2)  # 14:00 UTC is 22:00 there
    world.stand()
    world.run()
    assert world.notice().state == "queued"
    assert world.notice().send_after.isoformat() == "2026-05-02T00:00:00+00:00"
    world.pass_time(hours=9, minutes=59)
    world.run()
    assert world.letters() == []
    world.pass_time(minutes=1)
    world.run()
    assert world.notice().state == "sent"


def test_two_findings_about_one_device_are_one_notice(world: World) -> None:
    world.home()
    world.policy()
    world.stand(mode="battery_fade")
    world.stand(mode="wifi_failing")
    world.run()
    assert len(world.notices()) == 1
    assert len(world.tickets()) == 2


def test_a_notice_waiting_for_morning_is_cancelled_when_the_fault_is_gone_and_comes_back_with_it(world: World) -> None:
    world.home(timezone="Asia/Shanghai")
    world.policy()
    world.pass_time(hours=2)
    finding = world.stand()
    world.run()
    world.recover(finding)
    world.run()
    assert world.notice().state == "cancelled"
    assert [item.state for item in world.outbox()] == ["cancelled"]
    world.pass_time(hours=12)
    world.observe()
    world.run()
    assert world.notice().state == "sent"
    assert len(world.letters()) == 1


def test_more_notices_in_one_round_than_allowed_wait_for_a_second_person(world: World) -> None:
    for number in range(3):
        world.home(number, devices_=(f"lock-{number}",))
        world.stand(f"lock-{number}")
    world.policy(per_round="per_round = 2", actor="ann")
    world.run()
    assert {notice.state for notice in world.notices()} == {"held"}
    assert world.letters() == []
    with world.database.transaction() as connection:
        (held,) = brake_rows.rounds(connection, on=True)
    with pytest.raises(Denied, match="second person"), world.database.transaction() as connection:
        brakes.release_round(connection, held.name, "ann", world.now)
    world.run()
    assert world.letters() == []
    with world.database.transaction() as connection:
        brakes.release_round(connection, held.name.removeprefix("round:"), "bob", world.now)
    with pytest.raises(Conflict, match="bob"), world.database.transaction() as connection:
        brakes.release_round(connection, held.name, "carl", world.now)
    world.run()
    assert {notice.state for notice in world.notices()} == {"sent"}
    assert len(world.customers_letters()) == 3


def test_a_round_that_never_was_can_not_be_released(world: World) -> None:
    with pytest.raises(Missing), world.database.transaction() as connection:
        brakes.release_round(connection, "20260101T000000Z", "bob", world.now)


def test_a_customer_who_said_it_is_not_their_device_is_not_written_to_again(world: World) -> None:
    world.home()
    world.policy()
    first = world.stand()
    world.run()
    told = world.notice()
    with world.database.transaction() as connection:
        notices.change(connection, told.id, None, {"answer": "not_mine"})
    world.recover(first)
    world.pass_time(days=2)
    world.run()
    world.pass_time(days=8)
    world.stand()
    world.run()
    assert [notice.state for notice in world.notices()] == ["sent", "suppressed", "suppressed"]
    assert len(world.customers_letters()) == 1


def test_a_new_owner_is_told_and_the_old_one_is_not(world: World) -> None:
    world.home(1)
    world.home(2, devices_=("lock-2",))
    world.policy()
    world.stand()
    world.run()
    world.pass_time(days=4)
    with world.database.transaction() as connection:
        customers.own(connection, "lock-1", "c-2", "h-2", world.now)
    world.observe()
    world.run()
    assert [(notice.customer_id, notice.state) for notice in world.notices()] == [("c-1", "sent"), ("c-2", "sent")]


# -- what must happen --------------------------------------------------------------------------------------------------


def test_a_second_round_without_news_does_nothing(world: World) -> None:
    world.home()
    world.policy()
    world.stand()
    assert world.apply() == {"tickets": 1, "queued": 1}
    assert world.apply() == {}


def test_a_letter_says_what_to_do_by_when_in_the_customer_s_language(world: World) -> None:
    world.home(language="zh-CN")
    world.policy()
    world.stand()
    world.run()
    (letter,) = world.customers_letters()
    assert letter.subject == f"您的{MODEL}电池电量越来越弱"
    assert "请在2026年5月15日之前完成。" in letter.text
    assert letter.text.count("http://hw.test/c/") == 1
    assert letter.html.count("http://hw.test/c/") == 1
    assert world.notice().language == "zh_Hans"


def test_the_kept_notice_does_not_hold_the_customer_s_link(world: World) -> None:
    world.home()
    world.policy()
    world.stand()
    world.run()
    token = world.token()
    notice = world.notice()
    with world.database.reading() as connection:
        html = notices.html(connection, notice.id)
    assert token not in notice.body + html
    assert all(token not in str(item.payload) for item in world.outbox())


def test_notice_event_link_and_outbox_row_are_written_together_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.home()
    world.policy()
    world.stand()

    def fail(*args: object, **more: object) -> bool:
        raise Conflict("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "put", fail)
        with pytest.raises(Conflict):
            world.apply()
    assert (world.notices(), world.tickets(), world.outbox()) == ([], [], [])
    world.run()
    assert world.notice().state == "sent"


def test_a_known_fix_for_a_device_s_fault_is_offered_as_an_update(world: World) -> None:
    world.home()
    world.policy()
    world.release(FIX, fixes=["memory_leak"])
    world.stand(mode="memory_leak")
    world.run()
    assert world.notice().kind == "update"
    assert FIX in world.notice().body


def test_a_fix_the_device_already_runs_is_not_offered(world: World) -> None:
    world.home(version=FIX)
    world.policy()
    world.release(FIX, fixes=["memory_leak"])
    world.stand(mode="memory_leak")
    world.run()
    assert world.notice().kind == "check_up"


def test_engineers_hear_of_a_mismatch_once(world: World) -> None:
    world.home()
    world.policy()
    world.observe(mode="serial", kind="mismatch", severity="warning")
    assert world.apply() == {"engineers": 1}
    assert world.apply() == {}
    world.deliver()
    assert [letter.address for letter in world.letters()] == ["mailbox://engineers"]


def test_engineers_are_told_of_a_release_by_its_name_and_why(world: World) -> None:
    world.policy()
    release = world.release(BAD, replaces=GOOD)
    said = f"Devices on {BAD} reboot unexpectedly 2.50 times as often."
    evidence = {"model": MODEL, "version": BAD, "metrics": ["unexpected_reboots"], "reasons": [said]}
    world.observe(f"release:{release.id}", "reboots", kind="cohort", evidence=evidence)
    world.apply()
    world.deliver()
    letter = next(letter for letter in world.letters() if letter.address == "mailbox://engineers")
    assert letter.subject == f"cohort reboots of {MODEL} {BAD}: critical"
    assert said in letter.text


def test_engineers_are_told_why_a_part_will_fail_what_speaks_against_it_and_what_was_weighed(world: World) -> None:
    world.home()
    world.policy()
    values = {"points": 41.2, "side": "higher", "share": 97, "peers": "model_and_firmware", "of": 80}
    evidence = {
        "metrics": ["device_temperature_c"],
        "reasons": [{"text_key": "raises_risk", "reason": "heat", "values": values}],
        "against": {"text_key": "against", "values": {"none": ["reboots"], "usual": []}},
        "probable_part": "housing",
        "decision": {"by": "probability", "threshold": 0.5},
    }
    world.stand(mode="overheating", kind="prognosis", probability=0.7, part="housing", evidence=evidence)
    world.apply()
    world.deliver()
    letter = next(letter for letter in world.letters() if letter.address == "mailbox://engineers")
    assert "Device temperature: higher than 97 % of the same model and firmware" in letter.text
    assert "Speaks against it: no unexpected reboots\nProbable part: housing\nFlagged from 50 % on" in letter.text


# -- a release that is worse -------------------------------------------------------------------------------------------


def worse(world: World, version: str = BAD, mode: str = "reboots") -> int:
    """A release called worse; returns its id."""
    with world.database.reading() as connection:
        known = releases.by_version(connection, MODEL, version)
    release = known or world.release(version, replaces=GOOD)
    world.observe(f"release:{release.id}", mode, kind="cohort", evidence={"verdict": "worse", "metrics": [mode]})
    return release.id


def test_a_worse_release_pauses_its_rollout_once_and_opens_one_ticket(world: World) -> None:
    world.policy()
    release_id = worse(world)
    assert world.apply() == {"tickets": 1, "rollouts_paused": 1, "engineers": 1}
    assert (world.ticket().kind, world.ticket().priority) == ("cohort", 1)
    with world.database.transaction() as connection:
        assert releases.get(connection, release_id).status == "paused"
        releases.set_status(connection, release_id, None, "rolling")
    assert world.apply() == {}
    with world.database.reading() as connection:
        assert releases.get(connection, release_id).status == "rolling"


def test_while_the_policy_observes_no_rollout_is_paused(world: World) -> None:
    world.policy("observe")
    release_id = worse(world)
    world.apply()
    with world.database.reading() as connection:
        assert releases.get(connection, release_id).status == "rolling"


def test_a_release_that_is_worse_in_two_ways_has_one_ticket_and_one_notice_per_owner(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    worse(world, mode="reboots")
    worse(world, mode="wifi_failing")
    world.release(FIX, fixes=[BAD])
    world.run()
    assert len(world.tickets()) == 1
    assert len(world.customers_letters()) == 1
    world.run()
    assert len(world.customers_letters()) == 1


def test_without_a_fix_customers_are_left_in_peace_and_told_when_it_is_published(world: World) -> None:
    world.home(1, devices_=("lock-1", "lock-2"), version=BAD)
    world.home(2, devices_=("lock-3",), version=GOOD)
    world.policy()
    worse(world)
    world.run()
    assert world.customers_letters() == []
    world.pass_time(days=2)
    world.release(FIX, fixes=[BAD], replaces=BAD)
    world.run()
    (letter,) = world.customers_letters()
    assert letter.address == "mailbox://c-1"
    assert "lock-1, lock-2" in letter.text
    assert FIX in letter.text
    assert world.notice().kind == "update"
    assert world.apply() == {}


def test_a_device_that_comes_onto_the_bad_release_later_is_offered_the_update_too(world: World) -> None:
    world.home(1, devices_=("lock-1",), version=BAD)
    world.policy()
    worse(world)
    world.release(FIX, fixes=[BAD])
    world.run()
    world.home(2, devices_=("lock-2",), version=BAD)
    world.run()
    assert [letter.address for letter in world.customers_letters()] == ["mailbox://c-1", "mailbox://c-2"]


def test_reboots_on_a_worse_release_go_into_its_ticket_and_trouble_no_customer(world: World) -> None:
    for number in range(3):
        world.home(number, devices_=(f"lock-{number}",), version=BAD)
        world.stand(f"lock-{number}", "reboots")
    world.policy()
    worse(world)
    world.run()
    assert [ticket.kind for ticket in world.tickets()] == ["cohort"]
    assert world.notices() == []
    assert world.ticket_events(world.ticket()).count("joined") == 3
    assert world.apply() == {}


def test_other_faults_of_devices_on_a_worse_release_stand_for_themselves(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    worse(world)
    world.stand("lock-1", "battery_fade")
    world.run()
    assert sorted(ticket.kind for ticket in world.tickets()) == ["cohort", "device"]
    assert [notice.kind for notice in world.notices()] == ["replacement"]


def test_a_device_ticket_opened_before_the_release_was_called_worse_becomes_its_child(world: World) -> None:
    world.home(version=BAD)
    world.policy()
    world.stand("lock-1", "reboots")
    world.run()
    worse(world)
    world.run()
    child, parent = world.tickets()
    assert (parent.kind, child.parent_id) == ("cohort", parent.id)
    assert world.apply() == {}
