"""Preview shows what would happen and changes nothing; a test letter reaches a colleague and opens nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import preview
from alerts.notices.issue import Mail
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import findings
from tests.unit.alerts.test_rounds import worse
from tests.unit.alerts.world import BAD, BRAND, FIX, World

MAIL = Mail(BRAND, "http://hw.test", timedelta(days=30))


def look(world: World, finding_id: int) -> preview.Preview:
    with world.database.reading() as connection:
        return preview.preview(connection, finding_id, mail=MAIL, now=world.now)


def send(world: World, finding_id: int, address: str = "mailbox://ann", kind: str = "check_up") -> None:
    with world.database.transaction() as connection:
        preview.test_send(
            connection, finding_id, address, mail=MAIL, language="zh", kind=kind, actor="ann", now=world.now
        )


def test_without_a_policy_or_a_finding_there_is_no_preview(world: World) -> None:
    world.home()
    finding = world.observe()
    with pytest.raises(Missing, match="policy"):
        look(world, finding.id)
    world.policy("observe")
    with pytest.raises(Missing):
        look(world, 99)


def test_a_test_letter_goes_nowhere_else(world: World) -> None:
    world.home()
    finding = world.observe()
    for address, kind in (("exec://rm", "check_up"), ("mailbox://ann", "ticket_update")):
        with pytest.raises(Invalid):
            send(world, finding.id, address, kind)
    assert world.outbox() == []


def test_a_preview_of_an_observing_policy_shows_what_a_live_one_would_do_and_changes_nothing(world: World) -> None:
    world.home(language="zh-CN")
    world.policy("observe")
    finding = world.stand()
    shown = look(world, finding.id)
    assert (shown.rule, shown.ticket, shown.priority, shown.held_until) == ("a wear part is going", "open", 2, None)
    (notice,) = shown.notices
    assert (notice.customer_id, notice.kind, notice.state, notice.letter.language) == (
        "c-1",
        "replacement",
        "queued",
        "zh_Hans",
    )
    assert (world.notices(), world.tickets(), world.outbox()) == ([], [], [])


def test_a_preview_says_until_when_a_finding_is_held_and_why_it_is_silent(world: World) -> None:
    world.home(consent=())
    world.policy()
    finding = world.observe()
    shown = look(world, finding.id)
    assert shown.held_until == world.now + timedelta(hours=24)
    assert shown.notices[0].reason == "no consent to service notices"
    with world.database.transaction() as connection:
        findings.mute(connection, finding.id, None, world.now + timedelta(days=9), "ann", world.now)
    muted = look(world, finding.id)
    assert (muted.silent, muted.ticket, muted.notices) == ("muted", "none", ())


def test_a_preview_of_a_worse_release_counts_its_owners(world: World) -> None:
    for number in range(3):
        world.home(number, devices_=(f"lock-{number}",), version=BAD)
    world.policy("observe")
    worse(world)
    world.release(FIX, fixes=[BAD])
    with world.database.reading() as connection:
        (finding,) = findings.list_findings(connection)
    shown = look(world, finding.id)
    assert (shown.count, shown.pause_rollout, shown.engineers, shown.ticket) == (3, True, True, "open")


def test_a_test_letter_is_marked_and_its_link_opens_nothing(world: World) -> None:
    world.home()
    world.policy("observe")
    send(world, world.stand().id)
    world.deliver()
    (letter,) = world.letters("mailbox://ann")
    assert letter.subject.startswith("[TEST] 您的LOCK-2")
    assert "http://hw.test/c/test" in letter.text
    with pytest.raises(Missing):
        world.see("test")


def test_a_model_that_claims_to_be_a_web_address_is_no_link(world: World) -> None:
    world.policy()
    world.home()
    world.register(["lock-1"], model="Win at https://evil.example/x")
    world.stand()
    world.run()
    (letter,) = world.customers_letters()
    assert "https://evil" not in letter.text + letter.html
