"""What stands for a finding, so that its device's owner is not written to and no ticket opens: and safety, which nothing stands for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.notices.issue import Mail
from alerts.preview import preview
from hearthwatch.records import campaigns, outages, policy_decisions, rollouts, tickets
from hearthwatch.records.rollouts import Plan, Wave
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Finding
from tests.unit.alerts.policy.texts import CHECK_UP, SAFETY, keep
from tests.unit.alerts.world import BRAND, MODEL, World

MAIL = Mail(BRAND, "http://hw.test", timedelta(days=30))
WAIT = "[suppression]\nwait_for_fix_days = 5\n"


def outcome(world: World, finding: Finding) -> str | None:
    with world.database.reading() as connection:
        decision = policy_decisions.find(connection, finding.id)
    return decision.outcome if decision else None


def remark(world: World, finding: Finding) -> str | None:
    with world.database.reading() as connection:
        decision = policy_decisions.find(connection, finding.id)
    return decision.why.get("notice") if decision else None


def roll_out(world: World, *, fixes: str) -> None:
    release = world.release("2.4.2", fixes=[fixes])
    waves = (Wave(1, 0.001, 1, 1, 0.5), Wave(2, 1.0, 1, 1, 0.5))
    with world.database.transaction() as connection:
        rollouts.create(
            connection,
            release_id=release.id,
            salt="s",
            plan=Plan(waves=waves),
            status="running",
            by="ann",
            now=world.now,
        )


@pytest.fixture
def home(world: World) -> World:
    world.home()
    return world


def test_what_a_release_mends_that_is_on_its_way_waits_for_it_so_many_days(home: World) -> None:
    keep(home, WAIT + CHECK_UP)
    roll_out(home, fixes="wifi_failing")
    finding = home.stand(mode="wifi_failing", severity="warning")
    home.run()
    assert (home.notices(), home.tickets(), outcome(home, finding)) == ([], [], "waits_for_fix")
    home.pass_time(days=4)
    home.observe(mode="wifi_failing", severity="warning")
    home.run()
    assert home.notices() == []
    home.pass_time(days=1, hours=1)
    home.observe(mode="wifi_failing", severity="warning")
    home.run()
    assert (home.notice().kind, len(home.tickets()), outcome(home, finding)) == ("check_up", 1, "acts")


def test_what_is_critical_or_another_fault_does_not_wait_for_a_fix(home: World) -> None:
    keep(home, WAIT + CHECK_UP)
    roll_out(home, fixes="wifi_failing")
    assert outcome_after(home, home.stand(mode="wifi_failing", severity="critical")) == "acts"
    assert outcome_after(home, home.stand(mode="relay_wear", severity="warning")) == "acts"


def outcome_after(world: World, finding: Finding) -> str | None:
    world.run()
    return outcome(world, finding)


def test_a_recall_stands_for_other_notices_about_its_devices_but_not_for_danger(home: World) -> None:
    keep(home, SAFETY + CHECK_UP)
    with home.database.transaction() as connection:
        made = campaigns.create(
            connection, reference="R-1", kind="recall", title="Recall", content={}, actor="ann", now=home.now
        )
        running = {"state": "running", "submitted_by": "ann", "approved_by": "bob", "approved_at": home.now}
        campaigns.change(connection, made.id, None, running)
        campaigns.join(connection, made.id, ["lock-1"], home.now)
    finding = home.stand()
    home.run()
    assert (home.notices(), len(home.tickets()), remark(home, finding)) == ([], 1, "campaign")
    home.stand(mode="overheating")
    home.run()
    assert home.notice().state == "sent"


def test_a_planned_outage_silences_its_region_but_not_danger(home: World) -> None:
    keep(home, SAFETY + CHECK_UP)
    with home.database.transaction() as connection:
        until = home.now + timedelta(days=1)
        outages.plan(connection, model=None, region="north", from_at=home.now, to_at=until, reason="works")
    quiet = home.stand(mode="relay_wear")
    hot = home.stand(mode="overheating")
    home.run()
    assert (outcome(home, quiet), outcome(home, hot)) == ("silent", "acts")
    assert home.notice().finding_id == hot.id


def test_a_customer_who_wrote_about_the_part_is_not_written_to_about_it(home: World) -> None:
    keep(home, CHECK_UP)
    with home.database.transaction() as connection:
        new = NewTicket(
            cause="request:lock-1/battery/1",
            kind="request",
            title="The lock is dead",
            priority=3,
            due_at=None,
            device_id="lock-1",
            customer_id="c-1",
            model=MODEL,
            part="battery",
        )
        tickets.open_once(connection, new, actor="customer:c-1", now=home.now, detail={})
    finding = home.stand()
    home.run()
    assert (home.notices(), remark(home, finding)) == ([], "told")
    other = home.stand(mode="relay_wear")
    home.run()
    assert home.notice().finding_id == other.id


def test_a_finding_that_becomes_nothing_says_which_key_of_every_rule_it_does_not_fit(home: World) -> None:
    keep(home, '[[rules]]\nname = "hot"\nmodes = ["overheating"]\n[[rules]]\nname = "grave"\nseverity = "critical"\n')
    finding = home.stand(mode="relay_wear", severity="warning")
    home.run()
    with home.database.reading() as connection:
        decision = policy_decisions.find(connection, finding.id)
    assert decision is not None
    assert (decision.outcome, decision.why) == ("no_rule", {"tried": [["hot", "modes"], ["grave", "severity"]]})


def test_a_finding_that_hovers_around_a_line_is_told_once(home: World) -> None:
    rules = (
        '[[rules]]\nname = "sure"\nprobability = 0.8\nnotice = "replacement"\n'
        '[[rules]]\nname = "maybe"\nprobability = 0.5\nnotice = "check_up"\n'
    )
    keep(home, "[notices]\ngroup_hours = 0\n" + rules)
    for likely in (0.82, 0.78, 0.83, 0.75, 0.81, 0.79):
        home.observe(kind="prognosis", probability=likely, severity="warning")
        home.run()
        home.pass_time(days=1)
    assert [notice.kind for notice in home.notices()] == ["replacement"]


def test_a_preview_says_why_nothing_would_come_of_a_finding(home: World) -> None:
    keep(home, '[[rules]]\nname = "it"\nworth_it = true\nnotice = "check_up"\nticket = true\n', "observe")
    finding = home.stand(kind="prognosis", probability=0.01, severity="warning")
    with home.database.reading() as connection:
        shown = preview(connection, finding.id, mail=MAIL, now=home.now)
    assert (shown.rule, shown.outcome, shown.ticket, shown.notices) == ("it", "costs", "none", ())
    assert shown.why["cost"]["failure"] == 150


def test_who_knows_of_a_lesser_matter_is_still_warned_of_danger_but_of_one_danger_once(home: World) -> None:
    hot = SAFETY.replace('modes = ["overheating"]', 'modes = ["overheating"]\nseverity = "critical"')
    keep(home, "[notices]\ngroup_hours = 0\n" + hot + CHECK_UP)
    home.stand(mode="overheating", severity="warning")
    home.run()
    home.pass_time(hours=1)
    home.stand(mode="overheating", kind="prognosis", probability=0.9, severity="critical")
    home.run()
    assert [bool(notice.why and notice.why["passes"]) for notice in home.notices()] == [False, True]
    home.pass_time(hours=1)
    home.observe(mode="overheating", kind="prognosis", probability=0.95, severity="critical")
    home.run()
    assert len(home.notices()) == 2
