"""Reports, photos, mail, codes and duplicates by API: who may do what, and that a repeated request is one."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.intake.report import Report
from api.app import ApiContext
from api.pages import callers
from hearthwatch.clock import SteppedClock
from hearthwatch.records import audit, customers
from hearthwatch.records.database import Database
from hearthwatch.run.cli import run
from tests.unit.alerts.intake.letters import mail
from tests.unit.alerts.intake.pictures import HEIC, picture
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client

REPORTS = "/api/v1/tickets/reports"
TOLD = {"device_id": "lock-1", "customer_id": "c-1", "complaint": "battery", "text": "Empty after a day"}


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(devices_=("lock-1", "lock-2"))
    with database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="Lee", email="lee@example.org")
    return world


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"text": "", "complaint": "other"}, "text"),
        ({"complaint": "nonsense"}, "complaint"),
        ({"customer_id": "c-2"}, "customer_id"),
        ({"photos": ["%%%"]}, "photos"),
        ({"photos": [base64.b64encode(HEIC).decode()]}, "photos.heic"),
        ({"contact": {"email": "no address"}}, "contact.email"),
    ],
)
def test_a_report_that_can_not_be_is_refused_by_name(
    client: Client, world: World, wrong: dict[str, object], where: str
) -> None:
    answer = client("agent").post(REPORTS, json=TOLD | wrong)
    assert (answer.status_code, answer.json()["where"]) == (422, where)
    assert world.tickets() == []


def test_only_agents_take_reports_mail_and_erase(client: Client, world: World) -> None:
    for role in ("viewer", "engineer", "technician"):
        caller = client(role)
        assert caller.post(REPORTS, json=TOLD).status_code == 403
        assert caller.post("/api/v1/inbound-mail", content=mail()).status_code == 403
        assert caller.delete("/api/v1/reports/1/person").status_code == 403
    assert client().post(REPORTS, json=TOLD).status_code == 401
    assert client("agent").post(REPORTS, json={**TOLD, "device_id": "lock-9"}).status_code == 404


def test_a_report_of_the_makers_app_is_its_customers_and_carries_the_device(client: Client, world: World) -> None:
    agent = client("agent")
    photo = base64.b64encode(picture(gps=True)).decode()
    taken = agent.post(REPORTS, json={**TOLD, "photos": [photo]}, headers={"Idempotency-Key": "k1"})
    again = agent.post(REPORTS, json={**TOLD, "photos": [photo]}, headers={"Idempotency-Key": "k1"})
    assert taken.status_code == 201
    assert again.json() == taken.json()
    body = taken.json()
    assert body["opened"]
    assert body["report"]["verified"]
    assert body["report"]["snapshot"]["device"]["firmware"] == "2.4.0"
    (listed,) = agent.get(f"/api/v1/tickets/{body['ticket']['id']}/reports").json()["items"]
    (kept,) = listed["photos"]
    shown = agent.get(f"/api/v1/report-photos/{kept['id']}")
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert b"SECRETPHONE" not in shown.content
    assert client("viewer").get(f"/api/v1/report-photos/{kept['id']}").status_code == 403
    assert client("technician", name="t-9").get(f"/api/v1/report-photos/{kept['id']}").status_code == 403
    assert agent.delete(f"/api/v1/report-photos/{kept['id']}").json() == {"deleted": True}
    assert agent.get(f"/api/v1/report-photos/{kept['id']}").status_code == 404


def test_duplicates_are_offered_and_a_classification_is_changed(client: Client, world: World) -> None:
    agent = client("agent")
    first = agent.post(REPORTS, json=TOLD).json()
    second = agent.post(REPORTS, json=TOLD | {"complaint": "jams", "text": "stuck"}).json()
    found = agent.get(f"/api/v1/tickets/{first['ticket']['id']}/duplicates").json()["items"]
    assert [(one["ticket"]["id"], one["why"]) for one in found] == [(second["ticket"]["id"], ["same_device"])]
    changed = agent.post(f"/api/v1/reports/{second['report']['id']}/classification", json={"mode": "relay_wear"})
    assert changed.json()["mode"] == "relay_wear"
    wrong = agent.post(f"/api/v1/reports/{second['report']['id']}/classification", json={"mode": "magic"})
    assert wrong.status_code == 422


def test_a_stranger_is_erased_and_what_it_was_about_stays(client: Client, world: World) -> None:
    agent = client("agent")
    told = {"text": "I am Lee, it hums", "contact": {"email": "lee@example.net"}}
    report = agent.post(REPORTS, json=told).json()["report"]
    erased = agent.delete(f"/api/v1/reports/{report['id']}/person").json()
    assert (erased["text"], erased["contact_email"], erased["complaint"]) == ("", None, "other")
    events = agent.get(f"/api/v1/tickets/{report['ticket_id']}/events").text
    assert "Lee" not in events


def test_mail_by_a_providers_webhook_and_the_quarantine(client: Client, world: World) -> None:
    agent = client("agent")
    taken = agent.post("/api/v1/inbound-mail", content=mail("lock-1 is empty"))
    assert (taken.status_code, taken.json()["state"]) == (201, "taken")
    assert agent.post("/api/v1/inbound-mail", content=mail("lock-1 is empty")).json()["id"] == taken.json()["id"]
    held = agent.post("/api/v1/inbound-mail", content=b"<script>alert(1)</script>").json()
    assert held["state"] == "quarantined"
    raw = agent.get(f"/api/v1/inbound-mail/{held['id']}/raw")
    assert raw.content == b"<script>alert(1)</script>"
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["content-disposition"].startswith("attachment")
    assert agent.post(f"/api/v1/inbound-mail/{held['id']}/settle").json()["settled_by"] == "token:agent"
    listed = agent.get("/api/v1/inbound-mail", params={"state": "quarantined"}).json()["items"]
    assert [one["id"] for one in listed] == [held["id"]]


def test_a_code_is_made_listed_by_its_beginning_and_withdrawn(client: Client, world: World) -> None:
    engineer = client("engineer")
    made = engineer.post("/api/v1/devices/lock-1/report-codes").json()
    code = made["url"].rsplit("/", 1)[1]
    assert "<svg" in made["svg"]
    (listed,) = engineer.get("/api/v1/devices/lock-1/report-codes").json()["items"]
    assert listed["hint"] == code[:4]
    assert code not in str(listed)
    assert client().get(f"/r/{code}").status_code == 200
    assert engineer.delete(f"/api/v1/devices/lock-1/report-codes/{listed['id']}").json() == {"revoked": 1}
    assert client().get(f"/r/{code}").status_code == 404
    assert engineer.post("/api/v1/devices/lock-9/report-codes").status_code == 404


def test_the_command_takes_a_mail_and_prints_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "message.eml").write_bytes(mail())
    for _ in range(2):
        assert run(["ticket", "mail", str(tmp_path / "message.eml")]) == 0
        assert capsys.readouterr().out.startswith("mail 1: taken")
    assert run(["ticket", "mail", str(tmp_path / "nothing.eml")]) == 2
    assert run(["device", "enroll", "lock-1", "--has-access"]) == 0
    assert run(["device", "qr", "lock-1", "--out", str(tmp_path / "labels")]) == 0
    assert {one.name for one in (tmp_path / "labels").iterdir()} == {"lock-1.svg", "lock-1.png", "labels.html"}
    assert run(["device", "qr", "lock-9", "--out", str(tmp_path / "labels")]) == 2
    assert "no such device" in capsys.readouterr().err


def test_a_call_taken_down_on_the_page_is_audited_as_the_api_s_report_is(
    client: Client, context: ApiContext, world: World
) -> None:
    told = Report("staff", "Empty after a day", "battery", device_id="lock-1", actor="ann")
    with world.database.transaction() as connection:
        callers.take_down(context, connection, told, "ann")
    assert client("agent").post(REPORTS, json=TOLD | {"device_id": "lock-2"}).status_code == 201
    with world.database.reading() as connection:
        api, page = [one for one in audit.list_entries(connection) if one.action == "report.take"]
    assert (page.actor, page.object, api.object, page.detail) == ("ann", "ticket:1", "ticket:2", api.detail)
