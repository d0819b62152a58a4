"""The form of reports: a code opens an empty one that tells nothing, what is wrong is said beside its field, sent twice it is once."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from jinja2 import Environment

from alerts.intake import brakes, codes, reporting
from alerts.intake.report import Report
from api.app import ApiContext
from api.report import form
from hearthwatch.catalogues import read_catalogues
from hearthwatch.clock import SteppedClock
from hearthwatch.records import customer_links, models, report_codes, report_photos, reports, ticket_messages
from hearthwatch.records.database import Database
from hearthwatch.records.reports import TicketReport
from tests.unit.alerts.intake.pictures import HEIC, picture
from tests.unit.alerts.world import MODEL, World
from tests.unit.api.conftest import Client
from tests.unit.api.test_customer import everything

API = Path(__file__).resolve().parents[3] / "api"


class Page(HTMLParser):
    """The fields and words of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.fields: set[str] = set()
        self.tags: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        name = given.get("name")
        if name and tag in {"input", "textarea", "select"}:
            self.fields.add(name)
            if given.get("type") not in {"radio", "file"} or "checked" in given:
                self.values[name] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """One home with a lock; its battery fades."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home()
    with database.transaction() as connection:
        models.put(connection, MODEL, name="Front Door Lock", device_class="lock")
    return world


@pytest.fixture
def code(world: World) -> str:
    with world.database.transaction() as connection:
        (label,) = codes.make(connection, ["lock-1"], "http://hw.test", "ann", world.now)
    return label.code


@pytest.fixture
def page(client: Client) -> TestClient:
    return client()


def opened(page: TestClient, address: str, **more: Any) -> Page:
    answer = page.get(address, **more)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def send(page: TestClient, address: str, *, files: Any = None, nonce: str | None = None, **fields: str) -> Response:
    given = {"nonce": opened(page, address).values["nonce"] if nonce is None else nonce, **fields}
    answer: Any = page.post(address, data=given, files=files)
    return answer  # type: ignore[no-any-return]


def kept(world: World) -> list[TicketReport]:
    ids = [one.id for one in world.tickets()]
    with world.database.reading() as connection:
        return reports.of_tickets(connection, ids)


def letters(world: World) -> list[dict[str, Any]]:
    return [dict(item.payload) | {"to": item.address} for item in world.outbox() if item.kind == "letter"]


# -- codes


def test_a_code_that_never_was_looks_like_one_that_was_revoked(page: TestClient, world: World, code: str) -> None:
    with world.database.transaction() as connection:
        assert report_codes.revoke(connection, "lock-1", "ann", world.now) == 1
    gone, never = page.get(f"/r/{code}"), page.get("/r/AAAAAAAAAAAAAAAAAAAAAA")
    assert (gone.status_code, gone.text) == (404, never.text)
    assert "This code is no longer valid" in never.text
    assert page.post(f"/r/{code}", data={"text": "x"}).status_code == 404
    assert page.get(f"/r/{code}/sent?n=1").text == never.text


def test_a_code_opens_an_empty_form_that_tells_the_product_and_nothing_else(
    page: TestClient, world: World, code: str
) -> None:
    world.stand(part="battery")
    world.run()
    html = page.get(f"/r/{code}").text
    shown = Page(html)
    assert "Product: Front Door Lock" in shown.words
    for secret in ("lock-1", "Kim", "h-1", "north", "c-1", "Service case", "2.4.0"):
        assert secret not in html, secret
    assert not shown.tags & {"script", "img", "iframe", "link"}
    assert {name for name, value in shown.values.items() if value} == {"nonce"}
    assert 'accept="image/*" capture' in html
    assert "missing, jerky" not in shown.words, "a lock has no picture"


def test_opening_a_form_changes_nothing(page: TestClient, world: World, code: str) -> None:
    before = everything(world.database)
    for _ in range(2):
        opened(page, f"/r/{code}")
        assert page.head(f"/r/{code}").status_code == 200
    assert everything(world.database) == before


def test_the_code_is_not_kept(world: World, code: str) -> None:
    assert code not in str(everything(world.database))


# -- what is refused


@pytest.mark.parametrize(
    ("fields", "files", "status", "key"),
    [
        ({"wish": "none"}, None, 422, "text"),
        ({"text": "hot"}, None, 422, "contact"),
        ({"text": "hot", "wish": "call", "email": "kim"}, None, 422, "contact.email"),
        ({"text": "hot", "wish": "none", "since": "2031-01-01"}, None, 422, "since"),
        ({"text": "hot", "wish": "none", "since": "yesterday"}, None, 422, "since"),
        ({"text": "hot", "wish": "none"}, [("photos", ("a.jpg", HEIC, "image/jpeg"))], 422, "photos.heic"),
        ({"text": "hot", "wish": "none"}, [("photos", ("a.jpg", b"MZ", "image/jpeg"))], 422, "photos.kind"),
        ({"text": "hot", "wish": "none"}, [("photos", ("a.jpg", picture(), "image/jpeg"))] * 6, 422, "photos.many"),
        ({"text": "hot", "wish": "none", "nonce": "x"}, None, 403, "nonce"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    page: TestClient, world: World, code: str, fields: dict[str, str], files: Any, status: int, key: str
) -> None:
    answer = send(page, f"/r/{code}", files=files, **fields)
    assert answer.status_code == status
    shown = Page(answer.text)
    assert form.SENTENCES[key] in " ".join(shown.words.split())
    assert fields.get("text", "") in shown.words
    assert shown.values.get("since", "") == fields.get("since", "")
    assert shown.values["nonce"], "it can be sent again at once"
    assert world.tickets() == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(page: TestClient, world: World, code: str) -> None:
    huge = page.post(
        f"/r/{code}",
        content=b"x",
        headers={"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(form.LARGEST_FORM + 1)},
    )
    assert huge.status_code == 413
    assert form.SENTENCES["form"] in Page(huge.text).words


def test_a_form_of_another_code_or_of_yesterday_is_not_taken(page: TestClient, world: World, code: str) -> None:
    world.home(2, devices_=("lock-2",))
    with world.database.transaction() as connection:
        (other,) = codes.make(connection, ["lock-2"], "http://hw.test", "ann", world.now)
    nonce = opened(page, f"/r/{code}").values["nonce"]
    assert send(page, f"/r/{other.code}", nonce=nonce, text="x", wish="none").status_code == 403
    world.pass_time(hours=25)
    assert send(page, f"/r/{code}", nonce=nonce, text="x", wish="none").status_code == 403


def test_what_a_program_fills_in_is_thanked_for_and_thrown_away(page: TestClient, world: World, code: str) -> None:
    answer = send(page, f"/r/{code}", text="Buy now", wish="none", website="http://spam.example")
    assert answer.status_code == 303
    assert world.tickets() == []


def test_a_code_and_a_place_take_so_many_reports_an_hour(client: Client, world: World, code: str) -> None:
    page = client()
    for number in range(brakes.BY_CODE):
        assert send(page, f"/r/{code}", text=f"It is odd {number}", wish="none").status_code == 303
    refused = send(page, f"/r/{code}", text="again", wish="none")
    assert refused.status_code == 429
    assert form.SENTENCES["often"] in Page(refused.text).words
    assert "203.0.113.7" not in str(everything(world.database))
    world.pass_time(hours=2)
    assert send(page, f"/r/{code}", text="later", wish="none").status_code == 303


def test_a_customer_s_links_take_so_many_reports_an_hour_whichever_of_them_it_is(
    client: Client, world: World, code: str
) -> None:
    page = client()
    with world.database.transaction() as connection:
        first, second = (
            customer_links.create(connection, customer_id="c-1", expires_at=world.now + timedelta(days=9))
            for _ in range(2)
        )
    for number in range(brakes.BY_CODE):
        token = first if number % 2 else second
        assert send(page, f"/c/{token}/report", text=f"It is odd {number}", wish="none").status_code == 303
    for token in (first, second):
        refused = send(page, f"/c/{token}/report", text="again", wish="none")
        assert refused.status_code == 429
        assert form.SENTENCES["often"] in Page(refused.text).words
    assert len(kept(world)) == brakes.BY_CODE
    assert send(page, f"/r/{code}", text="a neighbour", wish="none").status_code == 303, "others at the place may"
    world.pass_time(hours=2)
    assert send(page, f"/c/{first}/report", text="later", wish="none").status_code == 303


# -- what is taken


def test_a_report_is_taken_with_photos_and_its_number_is_told(page: TestClient, world: World, code: str) -> None:
    answer = send(
        page,
        f"/r/{code}",
        complaint="battery",
        text="Empty after a day",
        since="2026-04-28",
        wish="call",
        phone="+49 30 1",
        files=[("photo", ("a.jpg", picture(gps=True), "image/jpeg")), ("photos", ("", b"", "image/jpeg"))],
    )
    assert answer.status_code == 303
    (one,) = kept(world)
    assert (one.source, one.device_id, one.verified, one.customer_id) == ("qr", "lock-1", False, None)
    assert (one.since, one.wish, one.contact_phone, one.mode) == ("2026-04-28", "call", "+49 30 1", "battery_fade")
    assert one.snapshot["device"]["firmware"] == "2.4.0"
    thanks = opened(page, answer.headers["location"])
    assert f"Your report has the number {one.id}." in thanks.words
    assert "lock-1" not in thanks.words
    with world.database.reading() as connection:
        assert len(report_photos.photos_of(connection, [one.id])[one.id]) == 1


def test_the_same_form_sent_twice_is_one_report(page: TestClient, world: World, code: str) -> None:
    nonce = opened(page, f"/r/{code}").values["nonce"]
    first = send(page, f"/r/{code}", nonce=nonce, text="hums", wish="none")
    again = send(page, f"/r/{code}", nonce=nonce, text="hums", wish="none")
    assert first.headers["location"] == again.headers["location"]
    assert len(kept(world)) == 1


def test_danger_is_answered_with_what_to_do_now(page: TestClient, world: World, code: str) -> None:
    answer = send(page, f"/r/{code}", text="It smokes!", wish="none")
    shown = opened(page, answer.headers["location"])
    assert "get to safety" in shown.words
    assert world.ticket().priority == 1


def test_the_form_speaks_chinese(page: TestClient, world: World, code: str) -> None:
    shown = opened(page, f"/r/{code}", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert "出现了什么问题？" in shown.words
    assert "电池消耗太快" in shown.words
    assert "What is wrong" not in shown.words
    answer = send(page, f"/r/{code}?lang=zh_Hans", text="", complaint="other", wish="none")
    assert "请说明出现了什么问题" in answer.text


# -- following


def follow_path(world: World) -> str:
    (letter,) = letters(world)
    (token,) = re.findall(r"/r/follow/(\w+)", letter["text"])
    return f"/r/follow/{token}"


def test_who_leaves_a_mail_address_gets_the_link_and_sees_only_what_is_theirs(
    page: TestClient, world: World, code: str
) -> None:
    with world.database.transaction() as connection:
        own = Report("page", "The owner's own words", "battery", device_id="lock-1", customer_id="c-1", verified=True)
        reporting.report(connection, own, world.now)
    send(page, f"/r/{code}", complaint="battery", text="I rent this flat", wish="none", email="tenant@example.org",
         files=[("photo", ("a.jpg", picture(), "image/jpeg"))])  # fmt: skip
    (letter,) = letters(world)
    assert letter["to"] == "mailto:tenant@example.org"
    for secret in ("lock-1", "Kim", "owner's own words", "I rent"):
        assert secret not in letter["text"]
    answer = page.get(follow_path(world))
    assert "I rent this flat" in answer.text
    for secret in ("owner&#39;s own words", "owner's own words", "lock-1", "Kim", "c-1"):
        assert secret not in answer.text
    (small,) = re.findall(r'src="([^"]+)"', answer.text)
    shown = page.get(small.replace("&amp;", "&"))
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert shown.headers["content-disposition"].startswith("inline; filename=")


def test_a_reporter_adds_to_their_report_and_others_do_not(page: TestClient, world: World, code: str) -> None:
    send(page, f"/r/{code}", text="It hums", wish="none", email="t@example.org")
    path = follow_path(world)
    nonce = opened(page, path).values["nonce"]
    assert page.post(path, data={"nonce": "x", "text": "more"}).status_code == 403
    assert page.post(path, data={"nonce": nonce, "text": " "}).status_code == 422
    assert page.post(path, data={"nonce": nonce, "text": "It smells of gas"}).status_code == 303
    assert "It smells of gas" in page.get(path).text
    assert world.ticket().priority == 1
    assert page.get(path[:-1] + ("0" if path[-1] != "0" else "1")).status_code == 404
    world.pass_time(days=91)
    assert page.get(path).status_code == 404
    ticket = world.ticket()
    with world.database.reading() as connection:
        assert ticket_messages.of_ticket(connection, ticket.id, visible=True) == []


# -- by a customer's link


def test_a_customer_reports_from_their_page_without_being_asked_who_they_are(page: TestClient, world: World) -> None:
    world.stand(part="battery")
    world.run()
    token = world.token()
    assert f"/c/{token}/report" in page.get(f"/c/{token}").text
    shown = opened(page, f"/c/{token}/report")
    assert not shown.fields & {"email", "phone", "name", "website"}
    answer = send(page, f"/c/{token}/report", complaint="battery", text="It is empty again")
    assert answer.status_code == 303
    (one,) = kept(world)
    assert (one.source, one.verified, one.customer_id, one.device_id) == ("page", True, "c-1", "lock-1")
    assert len(world.tickets()) == 1, "it went into the ticket of the finding"
    assert "need not send it" in opened(page, answer.headers["location"]).words
    assert page.get("/c/x/report").status_code == 404


# -- words


def test_every_sentence_of_the_form_has_its_chinese() -> None:
    said: set[str] = set()
    for path in (API / "report").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                if name in {"say", "phrase"}:
                    said.add(str(node.args[0].value))
    templates: Any = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    for path in (API / "templates").glob("report*.html"):
        for _, _, message in templates.extract_translations(path.read_text(encoding="utf-8"), ("say",)):
            said.add(message if isinstance(message, str) else str(message[0]))
    assert "What is wrong?" in said
    catalogue = read_catalogues(API / "locale", "zh_Hans")
    assert sorted(one for one in said if catalogue.gettext(one) == one) == []


def test_a_code_is_a_picture_that_leads_to_its_form(world: World, context: ApiContext) -> None:
    with world.database.transaction() as connection:
        (label,) = codes.make(connection, ["lock-1"], "https://care.acme.example/", "ann", world.now)
    assert label.url == f"https://care.acme.example/r/{label.code}"
    assert codes.png(label).startswith(b"\x89PNG")
    assert b"<svg" in codes.svg(label)
    assert "lock-1" in codes.sheet([label])
    assert len(label.code) >= 22
