"""A case on the customer's page: the price they are asked about, and what is written both ways."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from hearthwatch.clock import SteppedClock
from hearthwatch.records import customer_links, ticket_approvals
from hearthwatch.records.database import Database
from hearthwatch.records.ticket_approvals import Approval
from tests.unit.alerts.tickets.desk import Desk
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client


@pytest.fixture
def desk(database: Database, clock: SteppedClock) -> Desk:
    """A case about a lock whose warranty is over."""
    clock.advance(timedelta(hours=12))
    desk = Desk(World(database, clock))
    desk.assign(desk.ticket())
    desk.warranty(days=-10)
    return desk


@pytest.fixture
def token(desk: Desk) -> str:
    """A link to the case."""
    ticket = desk.world.ticket()
    until = desk.later(days=60)
    return desk.do(lambda c: customer_links.create(c, customer_id="c-1", ticket_id=ticket.id, expires_at=until))


@pytest.fixture
def page(client: Client) -> TestClient:
    """A browser somewhere, without any session."""
    return client()


def shown(page: TestClient, token: str, lang: str = "en") -> str:
    answer = page.get(f"/c/{token}?lang={lang}")
    assert answer.status_code == 200
    return html.unescape(answer.text)


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found, name
    return found.group(1)


def press(page: TestClient, token: str, action: str, **fields: str) -> int:
    data = {"nonce": hidden(shown(page, token), "nonce"), "action": action, **fields}
    return page.post(f"/c/{token}", data=data, follow_redirects=False).status_code


def asked(desk: Desk) -> Approval:
    ticket = desk.choose(desk.world.ticket(), "ship_part")
    return desk.ask(ticket)


def test_nobody_agrees_to_a_price_they_have_not_seen(desk: Desk, page: TestClient, token: str) -> None:
    asked(desk)
    seen = hidden(shown(page, token), "approval")
    assert press(page, token, "approval_agree") == 409
    desk.choose(desk.world.ticket(), "ship_part", 9900, "dearer after all")
    desk.ask(desk.world.ticket())
    assert press(page, token, "approval_agree", approval=seen) == 409
    assert desk.world.ticket().approved_until is None


def test_a_question_that_is_over_offers_no_button(desk: Desk, page: TestClient, token: str) -> None:
    seen = hidden((asked(desk), shown(page, token))[1], "approval")
    desk.world.pass_time(days=15)
    text = shown(page, token)
    assert "approval_agree" not in text
    assert "could be answered until" in text
    assert press(page, token, "approval_agree", approval=seen) == 409


@pytest.mark.parametrize(("lang", "words"), [("en", "I agree to pay €20.00"), ("zh_Hans", "我同意支付 €20.00")])
def test_the_price_is_said_and_agreeing_is_kept_with_what_was_read(
    desk: Desk, page: TestClient, token: str, lang: str, words: str
) -> None:
    one = asked(desk)
    text = shown(page, token, lang)
    assert words in text
    nonce, approval = hidden(text, "nonce"), hidden(text, "approval")
    data = {"nonce": nonce, "action": "approval_agree", "approval": approval}
    assert page.post(f"/c/{token}?lang={lang}", data=data, follow_redirects=False).status_code == 303
    kept = desk.do(lambda c: ticket_approvals.get(c, one.id))
    assert (kept.state, kept.via, kept.decided_by, kept.language) == ("approved", "link", "customer:c-1", lang)
    assert kept.link_id is not None
    assert "€20.00" in (kept.wording or "")
    assert desk.start(desk.world.ticket()).state == "in_progress"
    assert "approval_agree" not in shown(page, token)


def test_who_declines_pays_nothing(desk: Desk, page: TestClient, token: str) -> None:
    asked(desk)
    approval = hidden(shown(page, token), "approval")
    assert press(page, token, "approval_decline", approval=approval) == 303
    assert "You declined on" in shown(page, token)
    assert desk.world.ticket().state == "assigned"


def test_what_is_written_goes_both_ways_and_notes_do_not(desk: Desk, page: TestClient, token: str) -> None:
    ticket = desk.world.ticket()
    desk.note(ticket, "a difficult customer")
    desk.message(ticket, "call 0900", verified=False)
    desk.reply(ticket, "Which light does it show?", wait_until=desk.later(days=3))
    text = shown(page, token)
    assert "Which light does it show?" in text
    assert f"Service case {ticket.id}: We are waiting for your answer." in text
    assert text.index("conversation_send") < text.index("How it is going"), "what we wait for comes first"
    assert "difficult" not in text
    assert "0900" not in text
    assert "We heard from you" not in text, "a stranger wrote, not they"
    assert press(page, token, "conversation_send", text="") == 422
    assert press(page, token, "conversation_send", text="A <b>red</b> one.") == 303
    assert "&lt;b&gt;red" in page.get(f"/c/{token}").text
    assert desk.world.ticket().state == "assigned"
    assert [one.direction for one in desk.texts(ticket)] == ["internal", "unverified", "out", "in"]


def test_a_visit_that_nobody_needs_is_told_and_a_person_calls_it_off(desk: Desk, page: TestClient, token: str) -> None:
    assert press(page, token, "conversation_no_visit") == 409
    desk.warranty(days=100)
    desk.schedule(desk.world.ticket())
    assert press(page, token, "conversation_no_visit") == 303
    assert desk.world.ticket().state == "scheduled"
    assert desk.events(desk.world.ticket())[-1].detail == {"wish": "no_visit"}


def test_a_merged_case_is_followed_to_where_it_goes_on(desk: Desk, page: TestClient, token: str) -> None:
    ticket = desk.world.ticket()
    desk.world.home(1, devices_=("lock-7",))
    other = desk.request("lock-7")
    desk.merge(other, ticket)
    desk.reply(other, "We go on here.")
    assert "We go on here." in shown(page, token)


def test_the_letter_about_a_price_leads_to_the_page_where_it_is_agreed_to(desk: Desk, page: TestClient) -> None:
    asked(desk)
    desk.world.follow_up()
    desk.world.deliver()
    (letter,) = [one for one in desk.world.letters("mailbox://c-1") if "€20.00" in one.text]
    (own,) = re.findall(r"http://hw\.test/c/(\S+)", letter.text)
    assert "warranty ended" in letter.text
    text = shown(page, own)
    assert text.count("The price is €20.00") == 1, "it is asked once, however it was come to"
    assert "We are waiting for your answer about the price." in text
    assert 'value="visit"' not in text
    approval = hidden(shown(page, own), "approval")
    assert press(page, own, "approval_agree", approval=approval) == 303
    assert desk.start(desk.world.ticket()).state == "in_progress"
    desk.world.follow_up()
    desk.world.deliver()
    assert len([one for one in desk.world.letters("mailbox://c-1") if "€20.00" in one.text]) == 1


def test_an_answer_of_the_service_reaches_the_customer_once_and_a_note_never(desk: Desk, page: TestClient) -> None:
    ticket = desk.world.ticket()
    desk.note(ticket, "a difficult customer")
    desk.reply(ticket, "Which light does it show?")
    for _ in range(2):
        desk.world.follow_up()
        desk.world.deliver()
    texts = [one.text for one in desk.world.letters()]
    assert sum("Which light does it show?" in text for text in texts) == 1
    assert not any("difficult" in text for text in texts)
    text = shown(page, desk.world.token())
    assert 'value="visit"' not in text, "the letter asks for an answer, not for a visit"
    assert text.index("conversation_send") < text.index("How it is going")
