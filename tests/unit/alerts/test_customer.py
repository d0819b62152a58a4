"""The customer's page: whom it refuses, what it shows, what its buttons do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.tickets import acts as tickets
from alerts.tickets import conversation, ending
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Missing
from hearthwatch.records import customer_links, customers, devices, findings, notices
from tests.unit.alerts.test_rounds import worse
from tests.unit.alerts.world import BAD, FIX, World


def told(world: World, mode: str = "wifi_failing") -> str:
    """A customer who got a letter; returns the token of its link."""
    world.home()
    world.policy()
    world.stand(mode=mode)
    world.run()
    return world.token()


def offered(world: World, *names: str) -> str:
    """A customer who was offered an update of all their devices; returns the token."""
    world.home(devices_=names or ("lock-1",), version=BAD)
    world.policy()
    worse(world)
    world.release(FIX, fixes=[BAD])
    world.run()
    return world.token()


# -- who is refused ------------------------------------------------------------------------------------------------------


def test_a_token_that_never_was_opens_nothing(world: World) -> None:
    told(world)
    for token in ("", "x", "../../etc/passwd", "é" * 40):
        with pytest.raises(Missing):
            world.see(token)


def test_a_link_expires(world: World) -> None:
    token = told(world)
    world.pass_time(days=29, hours=23)
    world.see(token)
    world.pass_time(hours=1)
    with pytest.raises(Denied, match="expired"):
        world.see(token)


def test_a_link_can_be_withdrawn(world: World) -> None:
    token = told(world)
    with world.database.transaction() as connection:
        assert customer_links.revoke(connection, notice_id=1, now=world.now) == 1
    with pytest.raises(Denied, match="withdrawn"):
        world.see(token)


def test_who_sold_the_device_sees_nothing_of_the_new_owner(world: World) -> None:
    token = told(world)
    world.home(2, devices_=("lock-2",))
    with world.database.transaction() as connection:
        customers.own(connection, "lock-1", "c-2", "h-2", world.now)
    with pytest.raises(Denied, match="somebody else"):
        world.see(token)


def test_a_form_sent_twice_acts_once(world: World) -> None:
    token = told(world)
    nonce = world.nonce(token)
    world.press(token, "visit", nonce)
    with pytest.raises(Conflict, match="before"):
        world.press(token, "visit", nonce)
    assert world.ticket_events(world.ticket()).count("customer") == 1


def test_a_nonce_of_another_link_an_old_one_or_an_invented_one_is_refused(world: World) -> None:
    token = told(world)
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2")
    world.run()
    theirs = world.nonce(world.token("c-2"))
    own = world.nonce(token)
    stem, _, signature = own.rpartition(".")
    for nonce in (theirs, "", "a.b.c", f"9{stem}.{signature}", f"{stem}.{signature[:-1]}", f"{stem}.é"):
        with pytest.raises(Denied):
            world.press(token, "visit", nonce)
    world.pass_time(hours=25)
    with pytest.raises(Denied, match="too old"):
        world.press(token, "visit", own)


@given(nonce=st.text(max_size=80), action=st.text(max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_posted_is_answered_with_an_error_of_ours(world: World, nonce: str, action: str) -> None:
    if not world.letters():
        told(world)
    with pytest.raises(HearthwatchError):
        world.press(world.token(), action, nonce)


def test_an_action_the_page_does_not_offer_is_refused(world: World) -> None:
    token = told(world)
    with pytest.raises(Conflict):
        world.press(token, "accept_update")
    world.press(token, "not_mine")
    with pytest.raises(Conflict):
        world.press(token, "visit")


# -- what it shows -------------------------------------------------------------------------------------------------------


def test_opening_the_page_changes_nothing(world: World) -> None:
    token = told(world)
    before = world.notice(), world.ticket(), world.ticket_events(world.ticket())
    for _ in range(3):
        world.see(token)
    assert (world.notice(), world.ticket(), world.ticket_events(world.ticket())) == before


def test_the_page_has_the_letter_s_words_without_its_link(world: World) -> None:
    shown = world.see(told(world))
    assert shown.greeting == "Hello Kim 1,"
    assert shown.paragraphs[0].startswith("Its wireless connection")
    assert shown.devices_line == "This is about: lock-1"
    assert "/c/" not in " ".join(shown.paragraphs)
    assert shown.actions == ("visit", "later", "not_mine")


def test_the_page_follows_the_ticket_but_not_what_staff_wrote(world: World) -> None:
    token = told(world)
    world.technician()
    ticket = world.ticket()
    visit = world.now + timedelta(days=1)
    with world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)
        conversation.note(connection, ticket.id, None, "a difficult customer", "ann", world.now)
        tickets.schedule(connection, ticket.id, None, visit, "ann", world.now)
    shown = world.see(token).ticket
    assert shown is not None
    assert (shown.state, shown.visit_at, shown.technician) == ("scheduled", visit, "T-1")
    assert [step.what for step in shown.steps] == ["opened", "assigned", "scheduled"]
    assert "difficult" not in repr(shown)


def test_when_it_is_over_there_is_nothing_left_to_do(world: World) -> None:
    token = told(world)
    world.recover(world.observe(mode="wifi_failing"))
    world.pass_time(hours=25)
    world.run()
    shown = world.see(token)
    assert shown.actions == ()
    assert shown.ticket is not None
    assert shown.ticket.closing_code == "recovered"


# -- what it does --------------------------------------------------------------------------------------------------------


def test_accepting_sends_one_command_to_each_device_in_the_same_transaction(world: World) -> None:
    token = offered(world, "lock-1", "lock-2")
    shown = world.see(token)
    assert (shown.version, shown.actions[0]) == (FIX, "accept_update")
    after = world.press(token, "accept_update")
    assert (after.answered, after.actions) == ("accept_update", ("visit", "not_mine"))
    commands = [item for item in world.outbox() if item.kind == "command"]
    assert [(item.channel, item.address) for item in commands] == [
        ("mqtt", "hearthwatch/v1/lock-1/command"),
        ("mqtt", "hearthwatch/v1/lock-2/command"),
    ]
    world.deliver()
    assert len(world.commands.sent) == 2
    assert f'"kind":"update","version":"{FIX}"' in world.commands.sent[0]["text"]


def test_a_device_that_has_the_update_or_can_not_be_told_is_not_sent_a_command(world: World) -> None:
    token = offered(world, "lock-1", "lock-2", "lock-3")
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("lock-1", world.now, firmware=FIX)])
        devices.see(connection, [devices.Sighting("lock-2", world.now, convention="tasmota")])
    world.press(token, "accept_update")
    assert [item.address for item in world.outbox() if item.kind == "command"] == ["hearthwatch/v1/lock-3/command"]


def test_when_all_devices_have_the_update_there_is_none_to_accept(world: World) -> None:
    token = offered(world)
    nonce = world.nonce(token)
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting("lock-1", world.now, firmware=FIX)])
    with pytest.raises(Conflict):
        world.press(token, "accept_update", nonce)


def test_a_withdrawn_fix_is_not_installed(world: World) -> None:
    from hearthwatch.records import releases

    token = offered(world)
    with world.database.transaction() as connection:
        fix = releases.by_version(connection, "LOCK-2", FIX)
        assert fix is not None
        releases.set_status(connection, fix.id, None, "withdrawn")
    assert "accept_update" not in world.see(token).actions


def test_asking_for_a_visit_about_a_release_opens_a_request_of_this_customer(world: World) -> None:
    token = offered(world)
    shown = world.press(token, "visit")
    cohort, request = world.tickets()
    assert (cohort.kind, request.kind, request.customer_id) == ("cohort", "request", "c-1")
    assert shown.ticket is not None
    assert shown.ticket.id == request.id
    world.press(token, "accept_update")
    assert len(world.tickets()) == 2


def test_a_ticket_with_a_customer_who_waits_does_not_close_by_itself(world: World) -> None:
    token = told(world)
    world.press(token, "visit")
    world.recover(world.observe(mode="wifi_failing"))
    world.pass_time(days=5)
    world.run()
    assert world.ticket().state == "open"


def test_not_my_device_takes_nothing_from_anybody_but_staff_learn_of_it(world: World) -> None:
    token = told(world)
    shown = world.press(token, "not_mine")
    assert shown.actions == ()
    with world.database.reading() as connection:
        owner = customers.owner_of(connection, "lock-1", world.now)
    assert owner is not None
    assert owner.customer.id == "c-1"
    assert "customer" in world.ticket_events(world.ticket())


def test_answers_are_in_the_notice_s_ledger_with_who_gave_them(world: World) -> None:
    token = told(world)
    world.press(token, "later")
    notice = world.notice()
    with world.database.reading() as connection:
        last = notices.events(connection, notice.id)[-1]
    assert (last.what, last.actor) == ("later", "customer:c-1")


def test_who_asked_to_be_reminded_is_reminded_twice_at_most(world: World) -> None:
    token = told(world)
    world.press(token, "later")
    letters = [len(world.customers_letters())]
    for _ in range(4):
        for _ in range(8):
            world.pass_time(days=1)
            world.observe(mode="wifi_failing")
            world.run()
        letters.append(len(world.customers_letters()))
        if "later" in world.see(world.token()).actions:
            world.press(world.token(), "later")
    assert letters == [1, 2, 3, 3, 3]
    assert "You asked us to remind you of this." in world.customers_letters()[1].text


def test_nobody_is_reminded_of_what_is_over_or_was_answered(world: World) -> None:
    token = told(world)
    world.press(token, "later")
    world.press(token, "visit")
    for _ in range(9):
        world.pass_time(days=1)
        world.observe(mode="wifi_failing")
        world.run()
    assert len(world.customers_letters()) == 1
    with world.database.reading() as connection:
        assert findings.list_findings(connection, state="open")


def test_a_customer_is_told_when_somebody_comes_and_when_it_is_settled(world: World) -> None:
    told(world)
    world.technician()
    ticket = world.ticket()
    with world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)
        tickets.schedule(connection, ticket.id, None, world.now + timedelta(days=1), "ann", world.now)
    world.run()
    world.pass_time(days=1, hours=1)
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code="confirmed", part=None, note=None, actor="tom", now=world.now)
    world.run()
    world.run()
    assert [letter.subject for letter in world.customers_letters()][1:] == [
        "Our visit for your LOCK-2",
        "Your LOCK-2: this is settled",
    ]
    assert world.see(world.token()).actions == ()


def test_who_was_never_told_of_a_ticket_is_not_told_that_it_closed(world: World) -> None:
    world.home(consent=())
    world.policy()
    world.stand()
    world.run()
    with world.database.transaction() as connection:
        ending.close(connection, 1, None, code="confirmed", part=None, note=None, actor="tom", now=world.now)
    world.run()
    assert world.customers_letters() == []


def test_a_duplicate_is_nothing_a_customer_hears_of(world: World) -> None:
    told(world)
    with world.database.transaction() as connection:
        ending.close(connection, 1, None, code="duplicate", part=None, note=None, actor="tom", now=world.now)
    world.run()
    assert len(world.customers_letters()) == 1
