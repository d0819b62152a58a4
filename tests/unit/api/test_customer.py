"""The customer's page: looking changes nothing, a button acts once, a bad link tells nothing, everything is plain and escaped."""

from __future__ import annotations

import ast
import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from jinja2 import Environment

from alerts.customers import progress
from api.app import ApiContext
from api.customer.sections import SAID
from api.customer.sections.progress import STATES, STEPS
from hearthwatch.catalogues import read_catalogues
from hearthwatch.clock import SteppedClock
from hearthwatch.records import customer_links, customers, devices, models, notices, warranties
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.tables import metadata
from hearthwatch.records.warranties import Told
from hearthwatch.values import CLOSING_CODES
from tests.unit.alerts.world import BAD, FIX, GOOD, MODEL, World
from tests.unit.api.conftest import Client

API = Path(__file__).resolve().parents[3] / "api"


class Shown(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.nonce = ""
        self.actions: list[str] = []
        self.tags: set[str] = set()
        self.target = ""
        self.language: str | None = None
        self.loads: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.loads += [name for name in given if name in {"src", "srcset"} or name.startswith("on")]
        if given.get("name") == "nonce":
            self.nonce = given["value"] or ""
        if given.get("name") == "action":
            self.actions.append(given["value"] or "")
        if tag == "form":
            self.target = given["action"] or ""
        if tag == "html":
            self.language = given["lang"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Noon; one home, whose lock's battery fades, and the letter about it delivered."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home()
    world.stand(part="battery")
    world.run()
    return world


@pytest.fixture
def page(client: Client) -> TestClient:
    """A browser somewhere, without any session."""
    return client()


def look(page: TestClient, token: str, **more: Any) -> Shown:
    answer = page.get(f"/c/{token}", **more)
    assert answer.status_code == 200, answer.text
    return Shown(answer.text)


def press(page: TestClient, token: str, action: str, nonce: str | None = None) -> int:
    own = look(page, token).nonce if nonce is None else nonce
    return page.post(f"/c/{token}", data={"nonce": own, "action": action}).status_code


def everything(database: Database) -> dict[str, list[Any]]:
    with database.reading() as connection:
        return {name: [*connection.execute(sa.select(table))] for name, table in metadata.tables.items()}


def answers(world: World) -> str | None:
    return world.notice().answer


# -- links that are not good


def test_a_link_that_never_was_tells_nothing(page: TestClient, world: World) -> None:
    for token in ("x", "x" * 200, world.token()[:-1], "%3Cscript%3E"):
        answer = page.get(f"/c/{token}")
        assert answer.status_code == 404
        assert "no longer valid" in answer.text
        assert "lock-1" not in answer.text
        assert page.post(f"/c/{token}", data={"nonce": "x", "action": "visit"}).status_code == 404


def test_an_expired_link_looks_like_one_that_never_was(page: TestClient, world: World) -> None:
    token = world.token()
    never = page.get("/c/x").text
    world.pass_time(days=31)
    assert (page.get(f"/c/{token}").status_code, page.get(f"/c/{token}").text) == (404, never)
    assert page.post(f"/c/{token}", data={"nonce": "x", "action": "visit"}).status_code == 404


def test_a_revoked_link_opens_nothing_and_does_nothing(page: TestClient, world: World) -> None:
    token = world.token()
    nonce, notice = look(page, token).nonce, world.notice()
    with world.database.transaction() as connection:
        customer_links.revoke(connection, notice_id=notice.id, now=world.now)
    assert page.get(f"/c/{token}").status_code == 404
    assert press(page, token, "visit", nonce) == 404
    assert answers(world) is None


def test_a_link_to_a_device_that_was_sold_on_opens_nothing(page: TestClient, world: World) -> None:
    token = world.token()
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="New owner")
        customers.own(connection, "lock-1", "c-2", None, world.now)
    assert page.get(f"/c/{token}").status_code == 404


# -- looking


def test_looking_changes_nothing(page: TestClient, world: World, context: ApiContext) -> None:
    token, before = world.token(), everything(world.database)
    for _ in range(3):
        look(page, token)
        assert page.head(f"/c/{token}").status_code == 200
        page.get(f"/c/{token}", params={"action": "not_mine", "nonce": look(page, token).nonce, "lang": "zh"})
    assert everything(world.database) == before


def test_the_page_says_what_is_wrong_with_which_device_and_what_to_do_by_when(page: TestClient, world: World) -> None:
    shown = look(page, world.token())
    for words in ("battery", "lock-1", "Kim 1", "Please do this by May 15, 2026", "Below you can also ask"):
        assert words in shown.words, words
    assert shown.actions == ["visit", "later", "not_mine", "conversation_send"]
    assert "link below" not in shown.words


def test_the_page_needs_no_script_and_loads_nothing(page: TestClient, world: World) -> None:
    answer = page.get(f"/c/{world.token()}")
    shown = Shown(answer.text)
    assert not shown.tags & {"script", "iframe", "img", "link", "object"}
    assert shown.loads == []
    assert "meta" in shown.tags
    assert 'name="viewport"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


def test_a_hostile_name_is_text_on_the_page(page: TestClient, world: World) -> None:
    with world.database.transaction() as connection:
        models.put(connection, MODEL, name="<img src=x onerror=alert(1)>")
        devices.update(connection, "lock-1", None, {"firmware": '"><script>alert(2)</script>'})
    html = page.get(f"/c/{world.token()}").text
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


# -- languages


def test_the_page_speaks_the_customers_language(page: TestClient, database: Database, clock: SteppedClock) -> None:
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(language="zh-CN", timezone="Asia/Shanghai")
    world.stand(part="battery")
    world.pass_time(hours=12)
    world.stand(part="battery")
    world.run()
    shown = look(page, world.token())
    assert shown.language == "zh-Hans"
    assert "电池" in shown.words
    assert "预约上门服务" in shown.words
    assert "链接见下方" not in shown.words
    english = look(page, world.token(), params={"lang": "en"})
    assert english.language == "en"
    assert "battery" in english.words
    assert "电池" not in english.words


def test_the_switch_writes_the_whole_notice_in_the_other_language(page: TestClient, world: World) -> None:
    token = world.token()
    chinese = look(page, token, params={"lang": "zh-CN"})
    assert (chinese.language, chinese.actions) == ("zh-Hans", ["visit", "later", "not_mine", "conversation_send"])
    assert "battery" not in chinese.words.replace("battery_fade", "")
    assert "2026年5月15日" in chinese.words
    assert chinese.target == f"/c/{token}?lang=zh-CN"
    answer = page.post(chinese.target, data={"nonce": chinese.nonce, "action": "later"})
    assert (answer.status_code, answer.headers["location"]) == (303, chinese.target)
    assert "好的，我们会再提醒您。" in page.get(answer.headers["location"]).text


def test_the_other_language_says_the_same_part_and_cost_though_the_warranty_was_extended_since(
    page: TestClient, world: World
) -> None:
    token = world.token()
    with world.database.transaction() as connection:
        warranties.tell(connection, [Told("lock-1", world.now + timedelta(days=900))], "test", world.now)
    english, chinese = look(page, token).words, look(page, token, params={"lang": "zh-CN"}).words
    assert "What needs replacing: the battery." in english
    assert "需要更换的部件：电池。" in chinese
    assert "We do not know when you bought the device." in english
    assert "我们不知道您购买设备的时间。" in chinese


@pytest.mark.parametrize("lang", ["xx", "", "../../etc", "en_US.UTF-8", "<script>", "x" * 35])
def test_a_language_that_does_not_exist_is_english(page: TestClient, world: World, lang: str) -> None:
    assert look(page, world.token(), params={"lang": lang}).language == "en"


def test_a_bad_link_speaks_the_browsers_language(page: TestClient) -> None:
    assert "此链接已失效" in page.get("/c/x", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text


def sentences() -> set[str]:
    """Every sentence that a section or a template of the page may say."""
    found: set[str] = set()
    for path in (API / "customer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                function = node.func
                name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
                if name in {"say", "phrase"}:
                    found.add(str(node.args[0].value))
    templates: Any = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    for path in [*(API / "templates" / "customer").glob("*.html"), *(API / "templates").glob("customer*.html")]:
        for _, _, message in templates.extract_translations(path.read_text(encoding="utf-8"), ("say",)):
            found.add(message if isinstance(message, str) else str(message[0]))
    return found - {""}


def test_every_sentence_of_the_page_has_its_chinese() -> None:
    said = sentences() | set(SAID.values())
    assert "Ask for a visit" in said
    catalogue = read_catalogues(API / "locale", "zh_Hans")
    assert sorted(one for one in said if catalogue.gettext(one) == one) == []
    for one in said:
        assert sorted(re.findall(r"\{\w+\}", one)) == sorted(re.findall(r"\{\w+\}", catalogue.gettext(one))), one


def test_every_state_of_a_ticket_has_a_sentence() -> None:
    assert set(STATES) == {"open", "assigned", "in_progress", "scheduled", "waiting", "closed"}
    assert set(STEPS) == progress.STEPS


# -- acting


def test_a_button_acts_once(page: TestClient, world: World) -> None:
    token = world.token()
    nonce = look(page, token).nonce
    assert press(page, token, "later", nonce) == 303
    again = page.post(f"/c/{token}", data={"nonce": nonce, "action": "later"})
    assert again.status_code == 409
    assert "was sent before" in again.text
    notice = world.notice()
    with world.database.reading() as connection:
        assert [event.what for event in notices.events(connection, notice.id)].count("later") == 1


@pytest.mark.parametrize("nonce", ["", "x", "1.x.y", "9999999999.abc.0000", "\u00e9" * 10])
def test_a_nonce_that_is_not_from_this_page_does_nothing(page: TestClient, world: World, nonce: str) -> None:
    answer = page.post(f"/c/{world.token()}", data={"nonce": nonce, "action": "visit"})
    assert answer.status_code == 403
    assert Shown(answer.text).nonce, "the page can be used again at once"
    assert answers(world) is None


def test_a_nonce_of_another_link_does_nothing(page: TestClient, world: World) -> None:
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2", part="battery")
    world.run()
    foreign = look(page, world.token("c-2")).nonce
    assert press(page, world.token("c-1"), "visit", foreign) == 403


def test_a_page_that_was_open_for_days_has_to_be_opened_again(page: TestClient, world: World) -> None:
    nonce = look(page, world.token()).nonce
    world.pass_time(hours=25)
    assert press(page, world.token(), "visit", nonce) == 403


@pytest.mark.parametrize("action", ["", "close", "accept_update; drop", "<script>"])
def test_a_button_that_is_not_there_does_nothing(page: TestClient, world: World, action: str) -> None:
    answer = page.post(f"/c/{world.token()}", data={"nonce": look(page, world.token()).nonce, "action": action})
    assert answer.status_code == 422
    assert "<script" not in answer.text
    assert answers(world) is None


def test_nothing_to_install_can_not_be_installed(page: TestClient, world: World) -> None:
    assert press(page, world.token(), "accept_update") == 409
    assert world.outbox(state="pending") == []


def test_asking_for_a_visit_is_noted_in_the_ticket_and_shown(page: TestClient, world: World) -> None:
    assert press(page, world.token(), "visit") == 303
    shown = look(page, world.token())
    assert "We know that you would like a visit" in shown.words
    assert "visit" not in shown.actions
    assert "We heard from you" in shown.words
    assert world.ticket_events(world.ticket())[-1] == "customer"


def test_not_my_device_ends_the_matter_for_this_customer(page: TestClient, world: World) -> None:
    assert press(page, world.token(), "not_mine") == 303
    shown = look(page, world.token())
    assert shown.actions == []
    assert "Thank you for telling us" in shown.words
    assert press(page, world.token(), "visit", "x") == 403


def test_accepting_an_update_sends_the_command_to_the_device(
    page: TestClient, database: Database, clock: SteppedClock
) -> None:
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(version=GOOD)
    with database.transaction() as connection:
        devices.see(connection, [Sighting("lock-1", world.now, GOOD, convention="native")])
    world.release(FIX, fixes=["reboots"])
    world.stand(mode="reboots", part="controller")
    world.run()
    token = world.token()
    shown = look(page, token)
    assert shown.actions[0] == "accept_update"
    assert f"Install version {FIX}" in shown.words
    assert press(page, token, "accept_update") == 303
    (command,) = [item for item in world.outbox() if item.kind == "command"]
    assert command.address == "hearthwatch/v1/lock-1/command"
    assert json.loads(command.payload["said"])["version"] == FIX
    assert "update is on its way" in look(page, token).words


def test_the_way_of_the_ticket_is_told_in_plain_words(page: TestClient, world: World) -> None:
    from alerts.tickets import acts as tickets
    from alerts.tickets import conversation, ending

    world.technician()
    ticket, token = world.ticket(), world.token()
    assert "planning what to do" in look(page, token).words
    with world.database.transaction() as connection:
        tickets.assign(connection, ticket.id, None, "t-1", "ann", world.now)
        conversation.note(connection, ticket.id, None, "customer is difficult", "ann", world.now)
        tickets.schedule(connection, ticket.id, None, world.now + timedelta(days=1), "ann", world.now)
    shown = look(page, token)
    for words in ("A visit is arranged", "Visit: Saturday, May 2, 2026 12:00", "Technician: T-1"):
        assert words in shown.words.replace("\u202f", " ")
    assert "difficult" not in shown.words
    with world.database.transaction() as connection:
        ending.close(
            connection, ticket.id, None, code=CLOSING_CODES[0], part="battery", note="x", actor="ann", now=world.now
        )
    settled = look(page, token)
    assert "This is settled." in settled.words
    assert settled.words.index("This is over for your device.") < settled.words.index("Please do this by")
    assert settled.actions == ["survey_send", "conversation_send"]


def test_a_notice_about_several_devices_names_them_in_both_languages(page: TestClient, world: World) -> None:
    world.home(2, devices_=("lock-2", "lock-3"), version=BAD)
    bad = world.release(BAD, replaces=GOOD)
    world.release(FIX, fixes=[BAD])
    world.stand(f"release:{bad.id}", "reboots", kind="cohort")
    world.run()
    for lang, words in (("en", "This is about: lock-2, lock-3"), ("zh-CN", "涉及设备：lock-2, lock-3")):
        assert words in look(page, world.token("c-2"), params={"lang": lang}).words
