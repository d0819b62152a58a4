"""A device leaves its owner: what was theirs ends, nothing of it reaches the next owner, and the device's own fault goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.customers import erasure, transfer
from alerts.customers.transfer import NewOwner, Transferred
from alerts.intake import reporting
from alerts.intake.report import Report
from alerts.tickets import acts, approvals, conversation, ending, repairs
from alerts.tickets.requests import request_visit
from hearthwatch.errors import Conflict, Denied, Invalid, Missing
from hearthwatch.records import (
    audit,
    commands,
    consents,
    customer_links,
    customers,
    devices,
    notices,
    personal,
    ticket_approvals,
    ticket_messages,
    tickets,
)
from hearthwatch.records.devices import Sighting
from tests.unit.alerts.world import GOOD, World


def told(world: World) -> str:
    """A customer with two locks who got a letter about one; returns the token of its link."""
    world.home(devices_=("lock-1", "lock-2"))
    world.policy()
    world.stand(mode="wifi_failing")
    world.run()
    return world.token()


def move(world: World, reason: str = "sold", device: str = "lock-1", **more: object) -> Transferred:
    with world.database.transaction() as connection:
        return transfer.transfer(connection, device, reason, actor="ann", now=world.now, **more)  # type: ignore[arg-type]


def test_what_nobody_has_can_not_be_sold(world: World) -> None:
    world.register(["lock-9"])
    with pytest.raises(Conflict, match="nobody"):
        move(world, device="lock-9")
    with pytest.raises(Missing):
        move(world, device="lock-10")


def test_a_transfer_that_makes_no_sense_changes_nothing(world: World) -> None:
    token = told(world)
    with pytest.raises(Invalid, match="reason"):
        move(world, "stolen")
    with pytest.raises(Invalid, match="no new owner"):
        move(world, "decommissioned", to=NewOwner("c-1"))
    with pytest.raises(Conflict, match="theirs already"):
        move(world, to=NewOwner("c-1"))
    with pytest.raises(Missing):
        move(world, to=NewOwner("c-99"))
    with pytest.raises(Invalid, match="swapped"):
        move(world, "sold", replaced_by="lock-3")
    assert world.see(token).actions


def test_the_old_owner_s_page_opens_no_more_and_other_devices_stay_theirs(world: World) -> None:
    token = told(world)
    done = move(world)
    assert (done.owner, done.links) == ("c-1", 1)
    with pytest.raises(Denied, match="withdrawn"):
        world.see(token)
    with world.database.reading() as connection:
        assert customers.devices_of(connection, "c-1", world.now) == ["lock-2"]
        (had,) = customers.ownerships_of(connection, "lock-1")
    assert (had.to_at, had.ended) == (world.now, "sold")


def test_the_new_owner_has_only_what_they_agreed_to_themselves(world: World) -> None:
    told(world)
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="Ben")
    move(world, to=NewOwner("c-2"))
    with world.database.reading() as connection:
        assert not consents.standing(connection, "c-2").allows("service")
        assert customers.devices_of(connection, "c-2", world.now) == ["lock-1"]
        assert consents.standing(connection, "c-1").allows("service"), "they have another device"


def test_with_the_last_device_ends_the_consent_to_service(world: World) -> None:
    told(world)
    with world.database.transaction() as connection:
        consents.record(connection, "c-1", "marketing", True, world.now, "page")
    assert move(world).consents == ()
    assert move(world, "returned", "lock-2").consents == ("service",)
    with world.database.reading() as connection:
        holds = consents.standing(connection, "c-1")
    assert (holds.allows("service"), holds.allows("marketing")) == (False, True)


def test_what_has_not_reached_the_old_owner_does_not(world: World) -> None:
    world.home()
    world.policy()
    world.stand(mode="wifi_failing")
    world.apply()
    assert move(world).notices == 1
    world.deliver()
    assert world.customers_letters() == []
    assert (world.notice().state, world.notice().reason) == ("cancelled", "the device was sold")
    assert [item.state for item in world.outbox() if item.kind == "notice"] == ["cancelled"]


def test_a_question_that_rests_on_the_old_owner_s_consent_is_called_back(world: World) -> None:
    world.home()
    world.policy()
    with world.database.transaction() as connection:
        devices.see(connection, [Sighting("lock-1", world.now, GOOD, convention="native")])
    world.stand(mode="reboots")
    world.apply()
    with world.database.reading() as connection:
        (asked,) = commands.list_commands(connection, device_id="lock-1")
    assert (asked.state, asked.consent) == ("queued", "service:c-1")
    assert move(world).commands == 1
    with world.database.reading() as connection:
        assert commands.get(connection, asked.id).state == "cancelled"


def test_the_device_s_own_ticket_goes_on_without_the_person(world: World) -> None:
    told(world)
    ticket = world.ticket()
    done = move(world)
    assert (done.kept, done.closed) == ((ticket.id,), ())
    after = world.ticket()
    assert (after.customer_id, after.home_id, after.state) == (None, None, ticket.state)
    with world.database.reading() as connection:
        last = tickets.events(connection, ticket.id)[-1]
    assert (last.what, last.detail["wish"]) == ("customer", "ownership_ended")


@pytest.mark.parametrize("reason", ["decommissioned", "swapped", "returned"])
def test_where_the_device_goes_on_with_nobody_its_ticket_ends(world: World, reason: str) -> None:
    told(world)
    assert move(world, reason).closed == (world.ticket().id,)
    assert (world.ticket().state, world.ticket().closing_code) == ("closed", "customer_declined")


def test_what_the_owner_asked_for_ends_with_the_sale(world: World) -> None:
    told(world)
    world.home(3, devices_=("lock-3",))
    finding = world.observe("lock-3", "reboots", severity="info")
    with world.database.transaction() as connection:
        request_visit(
            connection,
            device_id="lock-3",
            customer_id="c-3",
            home_id="h-3",
            finding_id=finding.id,
            actor="customer:c-3",
            now=world.now,
        )
    (request,) = (one for one in world.tickets() if one.kind == "request")
    assert move(world, device="lock-3").closed == (request.id,)


def test_a_swapped_device_is_followed_by_the_one_that_came_for_it(world: World) -> None:
    told(world)
    move(world, "swapped", "lock-2")
    done = move(world, "swapped", replaced_by="lock-7")
    assert done.consents == ()
    with world.database.reading() as connection:
        assert customers.devices_of(connection, "c-1", world.now) == ["lock-7"]
        owner = customers.owner_of(connection, "lock-7", world.now)
    assert owner is not None
    assert owner.home is not None


def test_a_device_out_of_use_leaves_the_fleet(world: World) -> None:
    told(world)
    move(world, "decommissioned", out_of_use=True)
    with world.database.reading() as connection:
        assert devices.get(connection, "lock-1").removed_at == world.now


def test_it_is_audited_who_did_what_to_whose_device(world: World) -> None:
    told(world)
    move(world)
    with world.database.reading() as connection:
        (entry,) = [one for one in audit.list_entries(connection) if one.action == "device.transfer"]
    assert (entry.actor, entry.object, entry.detail["owner"]) == ("ann", "device:lock-1", "c-1")


def test_the_next_owner_hears_of_a_fault_that_still_stands(world: World) -> None:
    told(world)
    world.home(2, devices_=("lock-5",))
    move(world, to=NewOwner("c-2", "h-2"))
    world.pass_time(days=8)
    world.observe(mode="wifi_failing")
    world.run()
    with world.database.reading() as connection:
        told_now = notices.list_notices(connection, customer_id="c-2")
    assert [(one.device_id, one.state) for one in told_now] == [("lock-1", "sent")]


def test_links_to_the_customer_s_own_page_show_what_is_left(world: World) -> None:
    told(world)
    with world.database.transaction() as connection:
        token = customer_links.create(connection, customer_id="c-1", expires_at=world.now.replace(year=2027))
    move(world)
    from alerts.customers import opening

    with world.database.reading() as connection:
        assert opening.opened(connection, token, world.now).device_ids == ("lock-2",)


def under_way(world: World) -> int:
    """A priced visit that the owner agreed to and waits for, and what was written about it; returns the ticket."""
    told(world)
    world.technician()
    number = world.ticket().id
    with world.database.transaction() as connection:
        conversation.message(
            connection, number, text="The key is under the mat", author="customer:c-1", now=world.now, verified=True
        )
        conversation.reply(connection, number, None, "We come to Elm Street 7", "ann", world.now)
        acts.assign(connection, number, None, "t-1", "ann", world.now)
        repairs.choose(connection, number, None, "visit", price=9500, why="no warranty", actor="ann", now=world.now)
        repairs.ask_approval(connection, number, None, "ann", world.now)
        (asked,) = ticket_approvals.of_ticket(connection, number)
        approvals.answer(connection, asked.id, True, customer_id=None, actor="ann", via="phone", now=world.now)
        acts.schedule(connection, number, None, world.now + timedelta(days=3), "ann", world.now)
    world.pass_time(days=1)
    return number


def test_nobody_drives_to_the_old_owner_s_home_and_the_next_one_owes_nothing_they_did_not_agree_to(
    world: World,
) -> None:
    number = under_way(world)
    move(world)
    after = world.ticket()
    assert (after.state, after.visit_at, after.approved_until) == ("assigned", None, None)
    assert world.ticket_events(after)[-3:] == ["customer", "approval_over", "visit_off"]
    with world.database.transaction() as connection, pytest.raises(Conflict, match="has not agreed"):
        acts.start(connection, number, None, "ann", world.now)


def test_a_question_about_a_price_is_taken_back_with_the_sale(world: World) -> None:
    number = under_way(world)
    with world.database.transaction() as connection:
        repairs.choose(connection, number, None, "visit", price=8000, why="less", actor="ann", now=world.now)
        repairs.ask_approval(connection, number, None, "ann", world.now)
    move(world)
    with world.database.reading() as connection:
        assert ticket_approvals.asked(connection, number) is None
    assert world.ticket().state == "assigned"


def test_what_was_written_with_the_old_owner_is_read_by_staff_alone(world: World) -> None:
    number = under_way(world)
    move(world)
    with world.database.transaction() as connection:
        tickets.change(connection, number, None, {"customer_id": "c-2"})  # as a merging or a person makes it
        assert ticket_messages.of_ticket(connection, number, visible=True) == []
        assert [one.text for one in ticket_messages.of_ticket(connection, number)][:2] == [
            "The key is under the mat",
            "We come to Elm Street 7",
        ]


def taken_over(world: World) -> int:
    """The old owner's ticket after the sale, into which the new owner reported surely themselves; returns its number."""
    number = under_way(world)
    world.home(2, devices_=(), consent=())
    move(world, to=NewOwner("c-2", "h-2"))
    with world.database.transaction() as connection:
        done = reporting.report(
            connection,
            Report("page", "It drops out", "offline", device_id="lock-1", customer_id="c-2", verified=True),
            world.now,
        )
    assert (done.ticket.id, done.opened) == (number, False)
    return number


def test_a_case_that_the_new_owner_reports_into_is_theirs_from_then_on(world: World) -> None:
    number = taken_over(world)
    after = world.ticket()
    assert (after.customer_id, after.home_id) == ("c-2", "h-2")
    with world.database.reading() as connection:
        (known,) = [one for one in tickets.events(connection, number) if one.what == "owner_known"]
        shown = [one.text for one in ticket_messages.of_ticket(connection, number, visible=True)]
    assert known.actor == "intake"
    assert known.detail["customer_id"] == "c-2"
    assert [("drops out" in one, "mat" in one) for one in shown] == [(True, False)]


def test_the_new_owner_hears_how_the_case_they_reported_into_goes_on_and_nothing_of_what_was_before(
    world: World,
) -> None:
    number = taken_over(world)
    with world.database.transaction() as connection:
        conversation.reply(connection, number, None, "We look at it", "ann", world.now)
        ending.close(connection, number, None, code="confirmed", part="radio", note=None, actor="ann", now=world.now)
    world.follow_up()
    with world.database.reading() as connection:
        told_now = notices.list_notices(connection, customer_id="c-2")
    assert {(one.kind, one.ticket_id, one.state) for one in told_now} == {
        ("ticket_update", number, "queued"),
        ("ticket_message", number, "queued"),
    }
    words = "".join(one.body for one in told_now)
    assert ("We look at it" in words, "Elm Street" in words) == (True, False)


@pytest.mark.parametrize(
    "stranger", [{"customer_id": None, "verified": False}, {"customer_id": "c-3", "verified": True}]
)
def test_a_report_of_anybody_but_the_owner_makes_the_case_nobody_s(world: World, stranger: dict[str, object]) -> None:
    under_way(world)
    world.home(2, devices_=())
    world.home(3, devices_=())
    move(world, to=NewOwner("c-2", "h-2"))
    with world.database.transaction() as connection:
        reporting.report(connection, Report("qr", "It drops out", "offline", device_id="lock-1", **stranger), world.now)  # type: ignore[arg-type]
    assert {one.id: one.customer_id for one in world.tickets()}[1] is None


def test_each_owner_s_copy_holds_their_own_words_and_their_erasure_takes_no_others(world: World) -> None:
    number = under_way(world)
    world.home(2, devices_=())
    move(world, to=NewOwner("c-2"))
    with world.database.transaction() as connection:
        tickets.change(connection, number, None, {"customer_id": "c-2"})
        world.pass_time(days=1)
        conversation.message(
            connection, number, text="It squeaks at night", author="customer:c-2", now=world.now, verified=True
        )
    first, second = copy_of(world, "c-1"), copy_of(world, "c-2")
    assert ("The key is under the mat" in first, "We come to Elm Street 7" in first) == (True, True)
    assert "squeaks" not in first
    assert ("squeaks" in second, "under the mat" in second, "Elm Street" in second) == (True, False, False)
    with world.database.transaction() as connection:
        erasure.erase(connection, "c-1", reason="asked for it", by="ann", now=world.now)
        left = [one.text for one in ticket_messages.of_ticket(connection, number) if one.text]
    assert left == ["It squeaks at night"]


def copy_of(world: World, customer_id: str) -> str:
    """The texts of tickets in the copy that a person may ask for."""
    with world.database.reading() as connection:
        query = personal.parts(personal.person(connection, customer_id))["ticket_messages"]
        return b"".join(personal.lines(connection, query)).decode()
