"""Tickets and their mirrors in an outside desk: what happens on one side happens on the other, whatever breaks on the way."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.channels.signing import headers as signed
from alerts.channels.signing import key_of
from alerts.mirrors import told
from alerts.mirrors.case import Terms, reference, ticket_of
from alerts.mirrors.desks import open_desk
from alerts.mirrors.job import mirror_tickets, show_again
from alerts.mirrors.reports import report, zammad_says
from alerts.mirrors.signed import check_standard, check_zammad
from alerts.notices.catalogue import translations
from alerts.tickets import acts, conversation, ending
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, Denied, Invalid, Missing
from hearthwatch.ports import ServiceDesk
from hearthwatch.records import mirrors, outcomes, ticket_messages, tickets
from hearthwatch.records.mirrors import DeskHealth, Mirror
from hearthwatch.values import Ticket
from tests.conftest import records_in_memory
from tests.desk_webhook import SECRET, OwnDesk, own_desk
from tests.unit.alerts.world import NOON, World
from tests.zammad_server import AGENT, PERSON, Zammad, zammad

URL = "https://hw.example.com"
TERMS = Terms(URL)


@pytest.fixture
def server() -> Iterator[Zammad]:
    with zammad() as its:
        yield its
        assert its.wrong == []


@pytest.fixture
def desk(server: Zammad, world: World) -> ServiceDesk:
    opened = open_desk(server.address, "", world.clock)
    assert opened is not None
    return opened


@pytest.fixture
def ticket(world: World) -> Ticket:
    """An open ticket about a fading battery, assigned to somebody."""
    world.home()
    world.technician()
    world.policy()
    world.stand(evidence={"metrics": ["battery_v"], "reasons": ["the battery lost 0.4 V in a week"]})
    world.apply()
    return world.ticket()


def turn(world: World, desk: ServiceDesk, terms: Terms = TERMS) -> Mapping[str, int]:
    world.pass_time(minutes=1)
    return mirror_tickets(world.database, desk, terms, world.now)


def mirror_of(world: World, ticket: Ticket) -> Mirror:
    with world.database.reading() as connection:
        found = mirrors.find(connection, ticket.id)
    assert found is not None
    return found


def health(world: World, name: str = "zammad") -> DeskHealth:
    with world.database.reading() as connection:
        found = mirrors.desk(connection, name)
    assert found is not None
    return found


def fresh(world: World, ticket: Ticket) -> Ticket:
    with world.database.reading() as connection:
        return tickets.get(connection, ticket.id)


def written(world: World, ticket: Ticket) -> list[tuple[str, str]]:
    with world.database.reading() as connection:
        return [(one.direction, one.text) for one in ticket_messages.of_ticket(connection, ticket.id)]


def there(server: Zammad) -> list[str]:
    return [body.splitlines()[0] for body in server.bodies()]


# -- what happens here is told there


def test_a_ticket_that_opens_by_itself_stands_in_the_desk_with_its_evidence(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (shown,) = server.tickets.values()
    assert shown["title"] == f"{ticket.title} [{reference(ticket.id, URL)}]"
    assert shown["customer"] == "care@example.com"
    assert "the battery lost 0.4 V in a week" in server.bodies()[0]
    assert f"{URL}/tickets/{ticket.id}" in server.bodies()[0]
    assert there(server)[1:] == ["Assigned to t-1"]
    assert mirror_of(world, ticket).number == shown["number"]


def test_what_was_told_is_not_told_again(world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket) -> None:
    turn(world, desk)
    before = list(server.requests)
    turn(world, desk)
    assert not [one for one in server.requests[len(before) :] if not one.startswith("GET")]


def test_notes_replies_and_steps_follow(world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket) -> None:
    turn(world, desk)
    with world.database.transaction() as connection:
        conversation.note(connection, ticket.id, None, "has ordered a battery", "ann", world.now)
        conversation.reply(connection, ticket.id, None, "A battery is on its way", "ann", world.now)
        acts.wait(connection, ticket.id, None, "part", world.now + timedelta(days=3), "ann", world.now)
    turn(world, desk)
    assert there(server)[2:] == ["has ordered a battery", "A battery is on its way", "Waits for: part"]
    assert [one["internal"] for one in server.articles][2:] == [True, False, True]
    assert [one["state"] for one in server.tickets.values()] == ["pending reminder"]


def test_closing_here_closes_there_and_reopening_opens(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    with world.database.transaction() as connection:
        ending.close(
            connection, ticket.id, None, code="no_fault_found", part=None, note=None, actor="ann", now=world.now
        )
    turn(world, desk)
    assert [one["state"] for one in server.tickets.values()] == ["closed"]
    assert there(server)[-1] == "Closed as no fault found (–)"
    with world.database.transaction() as connection:
        ending.reopen(connection, ticket.id, None, "it is back", "ann", world.now)
    turn(world, desk)
    assert [one["state"] for one in server.tickets.values()] == ["open"]
    assert fresh(world, ticket).state != "closed"


def test_tickets_that_were_over_before_there_was_a_desk_are_not_shown(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code="recovered", part=None, note=None, actor="ann", now=world.now)
    turn(world, desk)
    assert server.tickets == {}


def test_the_desk_reads_chinese_where_it_is_to(world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket) -> None:
    turn(world, desk, replace(TERMS, language="zh_Hans"))
    assert there(server) == [f"由 policy 创建：{ticket.title}", "已分配给 t-1"]


def test_every_sentence_has_its_chinese_with_the_same_names() -> None:
    chinese = translations("zh_Hans").gettext
    assert [one for one in told.every() if chinese(one) == one] == []


# -- what happens there is heard here


def test_what_the_desks_people_write_stands_on_the_ticket_once(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.write(number, "Called, no answer", by=AGENT)
    server.write(number, "We send you a battery", by=AGENT, internal=False)
    server.write(number, "Thank you", by=PERSON, internal=False, sender="Customer")
    turn(world, desk)
    turn(world, desk)
    assert written(world, ticket) == [
        ("internal", "Chris Chrispresso: Called, no answer"),
        ("out", "We send you a battery"),
        ("in", "Thank you"),
    ]
    assert len(server.articles) == 5, "what came from the desk is not told back to it"


def test_closing_there_with_an_outcome_closes_here_and_is_a_label(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.tags[number] += ["outcome:confirmed", "part:battery"]
    server.set_state(number, "closed")
    turn(world, desk)
    closed = fresh(world, ticket)
    assert (closed.state, closed.closing_code, closed.closing_part, closed.closed_by) == (
        "closed",
        "confirmed",
        "battery",
        "desk:zammad",
    )
    with world.database.reading() as connection:
        assert [(one.part, one.outcome) for one in outcomes.list_outcomes(connection)] == [("battery", "failure")]


def test_closing_there_without_an_outcome_stays_open_here_and_says_once_what_is_missing(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.set_state(number, "closed")
    for _ in range(3):
        turn(world, desk)
    assert fresh(world, ticket).state == "assigned"
    ((direction, text),) = written(world, ticket)
    assert direction == "internal"
    assert "nobody said there how it ended" in text
    assert server.tickets[number]["state"] == "closed", "the desk is not fought"
    server.tags[number] += ["outcome:user_error"]
    turn(world, desk)
    assert fresh(world, ticket).closing_code == "user_error"


def test_an_outcome_that_is_none_is_named(world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.tags[number] += ["outcome:whatever"]
    server.set_state(number, "closed")
    turn(world, desk)
    ((_, text),) = written(world, ticket)
    assert "'whatever' is no outcome" in text
    assert mirror_of(world, ticket).outcome_missing


def test_a_customer_who_answers_there_opens_it_again(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.tags[number] += ["outcome:no_fault_found"]
    server.set_state(number, "closed")
    turn(world, desk)
    server.write(number, "It stopped again", by=PERSON, internal=False, sender="Customer")
    server.set_state(number, "open")
    turn(world, desk)
    assert fresh(world, ticket).state != "closed"
    assert ("in", "It stopped again") in written(world, ticket)


def test_waiting_there_waits_here_and_goes_on_here(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    server.set_state(number, "pending reminder")
    turn(world, desk)
    assert (fresh(world, ticket).state, fresh(world, ticket).waiting_for) == ("waiting", "third_party")
    server.set_state(number, "open")
    turn(world, desk)
    assert fresh(world, ticket).state == "assigned"
    assert server.tickets[number]["state"] == "open"


def test_a_desk_that_waits_for_the_day_of_the_visit_does_not_call_it_off(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    day = world.now + timedelta(days=3)
    with world.database.transaction() as connection:
        acts.schedule(connection, ticket.id, None, day, "ann", world.now)
    turn(world, desk)
    server.set_state(number, "pending reminder")
    turn(world, desk)
    assert (fresh(world, ticket).state, fresh(world, ticket).visit_at) == ("scheduled", day)
    assert [text for kind, text in written(world, ticket) if kind == "internal"] == [
        "It waits there; the visit that is agreed here stays."
    ]
    server.set_state(number, "open")
    turn(world, desk)
    assert fresh(world, ticket).visit_at == day


@pytest.mark.parametrize("how", ["merged", "deleted"])
def test_what_the_desk_merged_or_deleted_is_followed_no_more_and_goes_on_here(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket, how: str
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    if how == "merged":
        server.set_state(number, "merged")
    else:
        del server.tickets[number]
    turn(world, desk)
    assert mirror_of(world, ticket).state == "ended"
    assert fresh(world, ticket).state == "assigned"
    with world.database.transaction() as connection:
        conversation.note(connection, ticket.id, None, "goes on", "ann", world.now)
    assert turn(world, desk).get("told", 0) == 0


# -- faults


def test_an_outage_of_the_desk_loses_nothing_and_asks_once_for_many(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2")
    world.apply()
    server.faults += [503] * 3
    assert turn(world, desk) == {"away": 1}
    assert len(server.requests) == 1
    assert health(world).away_since is not None
    with world.database.transaction() as connection:
        conversation.note(connection, ticket.id, None, "written while it was away", "ann", world.now)
    while server.faults:
        turn(world, desk)
    for _ in range(20):
        turn(world, desk)
    assert "written while it was away" in there(server)
    assert len(server.tickets) == 2
    assert health(world).away_since is None


def test_pauses_grow_and_a_wait_that_is_asked_for_is_kept(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    server.faults += [503, 503, 503]
    waits = []
    for _ in range(3):
        turn(world, desk)
        wait = health(world).next_at
        assert wait is not None
        waits.append(wait - world.now)
        world.pass_time(hours=1)
    assert waits == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]


def test_what_the_desk_refuses_stops_no_other_and_can_be_tried_again(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2")
    world.apply()
    server.faults += [422]
    assert turn(world, desk)["refused"] == 1
    assert len(server.tickets) == 1
    assert "422" in (mirror_of(world, ticket).why or "")
    with world.database.transaction() as connection:
        show_again(connection, ticket.id, world.now)
    turn(world, desk)
    assert len(server.tickets) == 2
    with world.database.transaction() as connection, pytest.raises(Conflict):
        show_again(connection, ticket.id, world.now)


@settings(max_examples=12, deadline=None)
@given(what=st.lists(st.sampled_from(["deaf", 503, 500, 429, "note", "turn"]), max_size=12))
def test_whatever_fails_in_whatever_order_each_word_arrives_once(what: list[object]) -> None:
    with zammad() as its, records_in_memory() as database:
        world = World(database, SteppedClock(NOON))
        desk = open_desk(its.address, "", world.clock)
        assert desk is not None
        world.home()
        world.policy()
        world.stand()
        world.apply()
        ticket, notes = world.ticket(), 0
        for one in what:
            if one == "deaf":
                its.deaf = 1
            elif one == "note":
                notes += 1
                with world.database.transaction() as connection:
                    conversation.note(connection, ticket.id, None, f"note {notes}", "ann", world.now)
            elif one == "turn":
                turn(world, desk)
            else:
                its.faults.append(int(str(one)))
        for _ in range(len(what) + 8):  # a round that the desk refuses makes the next one wait
            world.pass_time(hours=1)
            turn(world, desk)
        assert len(its.tickets) == 1
        assert [one for one in there(its) if one.startswith("note ")] == [f"note {n + 1}" for n in range(notes)]


# -- what desks post


def hub(body: bytes, secret: str = SECRET) -> str:
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def test_zammads_webhook_lets_its_ticket_be_looked_at_next(
    world: World, desk: ServiceDesk, server: Zammad, ticket: Ticket
) -> None:
    turn(world, desk)
    (number,) = server.tickets
    body = json.dumps({"ticket": {"id": number, "state": "closed"}}).encode()
    check_zammad(body, hub(body), SECRET)
    with world.database.transaction() as connection:
        assert zammad_says(connection, body, world.now)
        assert not zammad_says(connection, b'{"ticket": {"id": 999}}', world.now)
    assert mirror_of(world, ticket).looked_at is None
    assert fresh(world, ticket).state == "assigned", "what it says is not trusted, only looked at"


@pytest.mark.parametrize("header", [None, "", "sha1=00", "sha256=00"])
def test_a_webhook_that_is_not_signed_by_the_desk_is_refused(header: str | None) -> None:
    with pytest.raises(Denied):
        check_zammad(b"{}", header, SECRET)
    with pytest.raises(Denied):
        check_zammad(b"{}", hub(b"{}", ""), "")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ticket": 5}', b'{"ticket": {"id": "x"}}', b"[]"])
def test_a_webhook_without_a_ticket_says_so(world: World, body: bytes) -> None:
    with world.database.transaction() as connection, pytest.raises(Invalid):
        zammad_says(connection, body, world.now)


@pytest.fixture
def own(world: World, ticket: Ticket) -> Iterator[OwnDesk]:
    with own_desk() as its:
        desk = open_desk(its.address, SECRET, world.clock)
        assert desk is not None
        turn(world, desk)
        yield its


def reported(world: World, ticket: Ticket, message: str = "m-1", **said: object) -> Mirror:
    body = json.dumps({"reference": reference(ticket.id, URL), "state": "open", **said}).encode()
    with world.database.transaction() as connection:
        return report(connection, message, body, URL, world.now)


def test_a_desk_of_ones_own_reports_words_and_the_end(world: World, own: OwnDesk, ticket: Ticket) -> None:
    word = {"id": 1, "at": "2026-05-01T12:00:00Z", "author": "Kim", "text": "Battery put in"}
    for _ in range(2):  # a message that comes twice is one
        reported(world, ticket, words=[word], state="closed", outcome="confirmed", part="battery")
    assert written(world, ticket) == [("internal", "Kim: Battery put in")]
    assert fresh(world, ticket).closing_code == "confirmed"
    assert mirror_of(world, ticket).number == "5"


def test_a_report_about_anothers_ticket_is_refused(world: World, own: OwnDesk, ticket: Ticket) -> None:
    with world.database.transaction() as connection, pytest.raises(Missing):
        report(connection, "m", b'{"reference": "HW-1-ffffff", "state": "open"}', URL, world.now)


def test_a_message_is_the_desks_when_it_is_signed_in_these_minutes(world: World) -> None:
    body = b"{}"
    given = dict(signed([key_of(SECRET, where="test")], "m-1", world.now, body))
    assert check_standard(body, given, SECRET, world.now + timedelta(minutes=4)) == "m-1"
    for wrong in (
        {"webhook-signature": "v1,AAAA"},
        {"webhook-timestamp": "1"},
        {"webhook-id": "m-2"},
        {"webhook-id": ""},
    ):
        with pytest.raises(Denied):
            check_standard(body, {**given, **wrong}, SECRET, world.now)
    with pytest.raises(Denied, match="too long ago"):
        check_standard(body, given, SECRET, world.now + timedelta(minutes=6))
    with pytest.raises(Denied):
        check_standard(b"{ }", given, SECRET, world.now)


@given(st.integers(1, 10**12), st.text(max_size=40))
def test_a_reference_names_its_ticket_and_no_other_installations(number: int, other: str) -> None:
    assert ticket_of(reference(number, URL), URL) == number
    assert ticket_of(reference(number, URL + "/"), URL) == number
    assert ticket_of(reference(number, "https://other.example.com"), URL) is None
    assert ticket_of(other, URL) is None or other.startswith("HW-")
