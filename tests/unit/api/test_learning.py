"""What closed cases teach, over HTTP: feedback, figures and surveys; and the survey on the customer's page."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from alerts.tickets import ending
from api.pages.feedback import dimensions
from api.pages.language import Speaker
from hearthwatch.clock import SteppedClock
from hearthwatch.records import attributes, customer_links, parts, surveys
from hearthwatch.records.database import Database
from hearthwatch.values import Ticket
from tests.unit.alerts.world import MODEL, World
from tests.unit.api.conftest import Client


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """A lock of a batch that was installed a year ago, whose battery fades."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.home()
    world.technician()
    world.register(["lock-1"], installed_at=world.now - timedelta(days=300))
    with database.transaction() as connection:
        attributes.tell(connection, [("lock-1", "batch", "=26-03")], world.now - timedelta(days=300))
    world.policy()
    world.stand()
    world.run()
    return world


@pytest.fixture
def closed(world: World) -> Ticket:
    ticket = world.ticket()
    with world.database.transaction() as connection:
        ended = ending.close(
            connection, ticket.id, None, code="confirmed", part="battery", note=None, actor="ann", now=world.now
        )
    world.pass_time(hours=1)  # the period asked for ends now, exclusively
    return ended


@pytest.fixture
def token(world: World, closed: Ticket) -> str:
    until = world.now + timedelta(days=60)
    with world.database.transaction() as connection:
        return customer_links.create(connection, customer_id="c-1", ticket_id=closed.id, expires_at=until)


def test_feedback_tells_what_failed_with_its_rate(client: Client, closed: Ticket) -> None:
    answer = client("viewer").get("/api/v1/feedback", params={"by": "batch"})
    assert answer.status_code == 200
    (row,) = answer.json()["rows"]
    assert (row["model"], row["value"], row["mode"], row["rate"]["count"]) == (MODEL, "=26-03", "battery_fade", 1)
    assert row["rate"]["low"] < row["rate"]["per_1000"] < row["rate"]["high"]


@pytest.mark.parametrize(("language", "name"), [("en", "Part: battery"), ("zh_Hans", "部件：电池")])
def test_the_page_offers_every_kind_of_part_that_devices_have(
    closed: Ticket, world: World, language: str, name: str
) -> None:
    with world.database.reading() as connection:
        kinds = parts.kinds(connection)
    assert kinds == ["battery"]
    assert dimensions(Speaker(language), kinds, "model")["part:battery"] == name
    assert dimensions(Speaker(language), kinds, "colour")["colour"] == "colour"


def test_feedback_as_csv_has_the_same_rows_and_no_formula(client: Client, closed: Ticket) -> None:
    answer = client("viewer").get("/api/v1/feedback.csv", params={"by": "batch"})
    head, row = list(csv.reader(io.StringIO(answer.text)))
    assert head[:4] == ["model", "batch", "failure_mode", "count"]
    assert row[:4] == [MODEL, "'=26-03", "battery_fade", "1"]
    assert 'filename="feedback-failures.csv"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("query", "where"), [({"by": "colour"}, "by"), ({"what": "wishes"}, "what"), ({"since": "yesterday"}, "since")]
)
def test_a_question_that_is_none_says_what_is_wrong(
    client: Client, closed: Ticket, query: dict[str, str], where: str
) -> None:
    answer = client("viewer").get("/api/v1/feedback", params=query)
    assert answer.status_code == 422
    assert where in answer.text


def test_figures_stand_all_together_and_by_month(client: Client, world: World, closed: Ticket) -> None:
    items = client("viewer").get("/api/v1/service-figures", params={"by": "month"}).json()["items"]
    assert [(one["key"], one["tickets_closed"]) for one in items] == [("all", 1), (f"{world.now:%Y-%m}", 1)]
    lines = list(csv.reader(io.StringIO(client("agent").get("/api/v1/service-figures.csv").text)))
    assert lines[0][:2] == ["policy_version", "tickets_closed"]
    assert [len(line) for line in lines] == [len(lines[0])] * len(lines)


def test_answers_of_customers_are_for_agents_alone(client: Client, closed: Ticket) -> None:
    assert client("viewer").get("/api/v1/surveys").status_code == 403
    assert client("agent").get("/api/v1/surveys").json()["items"] == []


# -- on the customer's page


def shown(page: TestClient, token: str, lang: str = "en") -> str:
    answer = page.get(f"/c/{token}?lang={lang}")
    assert answer.status_code == 200
    return html.unescape(answer.text)


def send(page: TestClient, token: str, **fields: str) -> int:
    nonce = re.search(r'name="nonce" value="([^"]*)"', shown(page, token))
    assert nonce
    data = {"nonce": nonce.group(1), "action": "survey_send", **fields}
    return page.post(f"/c/{token}", data=data, follow_redirects=False).status_code


def test_a_customer_says_once_whether_it_helped(client: Client, world: World, token: str) -> None:
    page = client()
    assert "Did we help you?" in shown(page, token)
    assert "我们是否帮到了您？" in shown(page, token, "zh_Hans")
    assert send(page, token, solved="yes", score="4", comment="<b>fine</b>") == 303
    assert "You have answered" in shown(page, token)
    with world.database.reading() as connection:
        (kept,) = surveys.list_surveys(connection)
    assert (kept.solved, kept.score, kept.comment) == (True, 4, "<b>fine</b>")


def test_an_answer_that_is_not_whole_is_not_taken(client: Client, world: World, token: str) -> None:
    page = client()
    assert send(page, token, solved="yes") == 422
    assert send(page, token, solved="yes", score="9") == 422
    with world.database.reading() as connection:
        assert surveys.list_surveys(connection) == []


def test_what_is_not_solved_is_open_again(client: Client, world: World, token: str) -> None:
    assert send(client(), token, solved="no", score="1", comment="still dead") == 303
    assert world.ticket().state != "closed"
