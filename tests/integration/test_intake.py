"""Reports as people make them: on a phone without scripts, by mail there and back, and by two hands at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from alerts import jobs
from alerts.channels.mail import MailChannel
from alerts.channels.mail_server import mail_server as address_of
from alerts.intake import codes, reporting
from alerts.intake.answers import Desk
from alerts.intake.mail.receiving import Incoming, receive
from alerts.intake.report import Report
from hearthwatch.records import inbound_mails, models, reports
from hearthwatch.records.database import Database
from hearthwatch.records.reports import TicketReport
from tests.conftest import restore
from tests.integration.conftest import PHONE, Server, opened
from tests.smtp_server import mail_server
from tests.unit.alerts.intake.letters import bounce, mail
from tests.unit.alerts.intake.pictures import picture
from tests.unit.alerts.world import MODEL, NOON, World

DESK = Desk("Acme", "https://acme.example", "care@acme.example", "a key of this test")
PIPE = Incoming("pipe", DESK)


@pytest.fixture
def world(server: Server) -> World:
    restore(server.database, server.empty)
    world = World(server.database, server.clock)
    world.policy()
    world.home()
    with server.database.transaction() as connection:
        models.put(connection, MODEL, name="Front Door Lock", device_class="lock")
    return world


def told(database: Database) -> list[TicketReport]:
    with database.reading() as connection:
        return reports.of_contact(connection, "tenant@example.org", NOON - timedelta(days=1))


def test_a_tenant_reports_on_a_phone_without_scripts_and_staff_see_photo_and_device(
    server: Server, world: World, browser: Browser, tmp_path: Path
) -> None:
    with server.database.transaction() as connection:
        (label,) = codes.make(connection, ["lock-1"], server.url, "ann", server.clock.now())
    (tmp_path / "photo.jpg").write_bytes(picture(1200, 800, gps=True))
    page = opened(browser, label.url, PHONE, javascript=False)
    expect(page.get_by_text("Product: Front Door Lock")).to_be_visible()
    page.get_by_label("The battery runs down too fast").check()
    page.get_by_label("Tell us more").fill("Empty after two days")
    page.get_by_label("Take a picture").set_input_files(tmp_path / "photo.jpg")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("alert")).to_contain_text("Please leave a mail address or a phone number")
    expect(page.get_by_label("Tell us more")).to_have_value("Empty after two days")
    page.get_by_label("Take a picture").set_input_files(tmp_path / "photo.jpg")
    page.get_by_label("Mail address").fill("tenant@example.org")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_text("We have your report and will look into it.")).to_be_visible()
    (report,) = told(server.database)
    agent = opened(browser, f"{server.url}/tickets/{report.ticket_id}", language="zh-CN")
    expect(agent.get_by_text("Empty after two days").first).to_be_visible()
    expect(agent.get_by_text("未核实").first).to_be_visible()
    shown = agent.get_by_alt_text("照片 1")
    expect(shown).to_be_visible()
    expect(shown).to_have_js_property("naturalWidth", 320)


def test_a_stranger_is_answered_by_mail_and_their_answer_finds_its_ticket(server: Server, world: World) -> None:
    with server.database.transaction() as connection:
        first = receive(connection, mail("lock-1 beeps", sender="tenant@example.org"), PIPE, server.clock.now())
    with mail_server() as smtp:
        address = f"mailto://127.0.0.1:{smtp.port}?from=care@acme.example"
        channels = {"mail": MailChannel(address_of(address), server.clock, brand="Acme")}
        jobs.deliver(server.database, channels, server.clock.now(), worker="test")
        (letter,) = smtp.letters
    assert letter["Auto-Submitted"] == "auto-replied"
    assert letter["In-Reply-To"] == "<m1@example.org>"
    assert str(letter["Reply-To"]).startswith("care+T")
    answer = mail("Still.", sender="tenant@example.org", message_id="<m2@x>", In_Reply_To=str(letter["Message-ID"]))
    returned = bounce(str(letter["Message-ID"])[len("<hw.") :].partition("@")[0])
    with server.database.transaction() as connection:
        second = receive(connection, answer, PIPE, server.clock.now())
        back = receive(connection, returned, PIPE, server.clock.now())
        ours = receive(connection, letter.as_bytes(), PIPE, server.clock.now())
    assert (back.state, ours.state) == ("bounce", "ignored")
    tickets = {one.ticket_id for one in told(server.database)}
    assert len(tickets) == 1
    assert {first.state, second.state} == {"taken"}


def test_one_form_sent_by_two_hands_at_once_is_one_report(postgresql_database: Database, server: Server) -> None:
    world = World(postgresql_database, server.clock)
    world.home()
    one = Report("page", "hums", "jams", device_id="lock-1", customer_id="c-1", verified=True, once="the same form")
    gate, done = threading.Barrier(2, timeout=20), []

    def send() -> None:
        gate.wait()
        done.append(
            postgresql_database.retrying(lambda connection: reporting.report(connection, one, server.clock.now()))
        )

    hands = [threading.Thread(target=send) for _ in range(2)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(timeout=60)
    assert len({one.report.id for one in done}) == 1
    assert sorted(one.again for one in done) == [False, True]


def test_one_mail_by_two_ways_at_once_is_one(postgresql_database: Database, server: Server) -> None:
    gate, done = threading.Barrier(2, timeout=20), []

    def take() -> None:
        gate.wait()
        done.append(
            postgresql_database.retrying(lambda connection: receive(connection, mail(), PIPE, server.clock.now()))
        )

    hands = [threading.Thread(target=take) for _ in range(2)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join(timeout=60)
    with postgresql_database.reading() as connection:
        assert len(inbound_mails.list_mails(connection)) == 1
        assert len(reports.of_contact(connection, "kim@example.org", NOON - timedelta(days=1))) == 1
    assert len({one.id for one in done}) == 1
