"""What the customer agrees to, chosen on their page or by the button of their mail program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from hearthwatch.clock import SteppedClock
from hearthwatch.records import consents
from hearthwatch.records.consents import Standing
from hearthwatch.records.database import Database
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client


class Boxes(HTMLParser):
    """The check boxes of a page, and whether each is ticked; its nonce; its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ticked: dict[str, bool] = {}
        self.nonce = ""
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("type") == "checkbox":
            self.ticked[given["name"] or ""] = "checked" in given
        if given.get("name") == "nonce":
            self.nonce = given["value"] or ""

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """A customer who is reached by mail and in the app, and got a letter."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(channels=["mailbox://c-1", "mailto:kim@example.org"])
    world.stand(part="battery")
    world.run()
    return world


@pytest.fixture
def page(client: Client) -> TestClient:
    return client()


def holds(world: World) -> Standing:
    with world.database.reading() as connection:
        return consents.standing(connection, "c-1")


def boxes(page: TestClient, token: str) -> Boxes:
    answer = page.get(f"/c/{token}", params={"step": "choices"})
    assert answer.status_code == 200
    return Boxes(answer.text)


def save(page: TestClient, token: str, *ticked: str) -> str:
    """Save these ticks and nothing else; the page that follows."""
    sent: Mapping[str, str] = {
        "nonce": boxes(page, token).nonce,
        "action": "save_choices",
        **dict.fromkeys(ticked, "yes"),
    }
    answer = page.post(f"/c/{token}", data=sent)
    assert answer.status_code == 303, answer.text
    return page.get(answer.headers["location"]).text


def press(page: TestClient, token: str, body: str = "List-Unsubscribe=One-Click") -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return page.post(f"/c/{token}/unsubscribe", content=body, headers=form).status_code


# -- by the button of a mail program


def test_opening_the_address_of_the_button_withdraws_nothing(page: TestClient, world: World) -> None:
    token = world.token()
    for answer in (page.get(f"/c/{token}/unsubscribe"), page.head(f"/c/{token}/unsubscribe")):
        assert answer.status_code == 200
    assert "Warnings of dangers" in page.get(f"/c/{token}/unsubscribe").text
    assert holds(world).allows("service", "mail")


@pytest.mark.parametrize("body", ["", "List-Unsubscribe=Two", "x=One-Click"])
def test_what_is_no_one_click_request_withdraws_nothing(page: TestClient, world: World, body: str) -> None:
    assert press(page, world.token(), body) == 422
    assert holds(world).allows("service", "mail")


def test_a_link_that_never_was_withdraws_nothing(page: TestClient, world: World) -> None:
    assert press(page, "x") == 404
    assert holds(world).allows("service", "mail")


def test_the_button_ends_mail_but_not_what_comes_another_way(page: TestClient, world: World) -> None:
    token = world.token()
    assert [press(page, token), press(page, token)] == [200, 200]
    assert not holds(world).allows("service", "mail")
    assert holds(world).allows("service", "app")
    assert holds(world).allows("safety", "mail")
    with world.database.reading() as connection:
        (_, last) = consents.history(connection, "c-1")
    assert (last.source, last.by, last.channel) == ("unsubscribe", "customer:c-1", "mail")


def test_the_button_of_an_old_letter_works_although_its_link_opens_nothing_any_more(
    page: TestClient, world: World
) -> None:
    token = world.token()
    world.pass_time(days=60)
    assert page.get(f"/c/{token}").status_code == 404
    assert press(page, token) == 200
    assert not holds(world).allows("service", "mail")


# -- on the page


def test_a_letter_s_page_shows_the_choices_only_when_they_are_asked_for(page: TestClient, world: World) -> None:
    token = world.token()
    assert Boxes(page.get(f"/c/{token}").text).ticked == {}
    chosen = boxes(page, token)
    assert chosen.ticked == {
        "service.app": True,
        "service.mail": True,
        "marketing.app": False,
        "marketing.mail": False,
        "analytics": False,
    }
    assert "kim@example.org" not in chosen.words, "a forwarded link shows no address"
    assert "can not be turned off" in chosen.words


def test_withdrawing_everything_is_one_form(page: TestClient, world: World) -> None:
    shown = save(page, world.token())
    assert "From now on we will keep to what you chose" in shown
    assert not any(holds(world).allows("service", way) for way in (None, *consents.CHANNELS))
    with world.database.reading() as connection:
        words = [(one.purpose, one.granted, one.channel) for one in consents.history(connection, "c-1")]
    assert words == [("service", True, None), ("service", False, None)], "what was never agreed to needs no word"


def test_one_way_can_be_left_out_and_taken_up_again(page: TestClient, world: World) -> None:
    token = world.token()
    save(page, token, "service.app", "analytics")
    assert not holds(world).allows("service", "mail")
    assert holds(world).allows("service", "app")
    assert holds(world).allows("analytics")
    assert boxes(page, token).ticked["service.mail"] is False
    save(page, token, "service.app", "service.mail")
    assert holds(world).allows("service", "mail")
    assert not holds(world).allows("analytics")


def test_saving_what_holds_already_writes_nothing(page: TestClient, world: World) -> None:
    save(page, world.token(), "service.app", "service.mail")
    with world.database.reading() as connection:
        assert len(consents.history(connection, "c-1")) == 1


def test_a_form_sent_twice_or_from_elsewhere_changes_nothing(page: TestClient, world: World) -> None:
    token = world.token()
    nonce = boxes(page, token).nonce
    form = {"nonce": nonce, "action": "save_choices", "service.app": "yes", "service.mail": "yes"}
    assert page.post(f"/c/{token}", data=form).status_code == 303
    assert page.post(f"/c/{token}", data={"nonce": nonce, "action": "save_choices"}).status_code == 409
    assert page.post(f"/c/{token}", data={"nonce": "x", "action": "save_choices"}).status_code == 403
    assert holds(world).allows("service", "mail")


# -- the customer's own page


def test_the_own_page_shows_devices_and_choices_in_both_languages(
    page: TestClient, world: World, client: Client
) -> None:
    made = client("agent").post("/api/v1/customers/c-1/links", json={})
    assert made.status_code == 201
    path = made.json()["url"].split("8080")[1]
    assert "Your devices and your choices" in page.get(path).text
    assert "lock-1" in page.get(path).text
    assert "Warnings of dangers" in page.get(path).text
    assert "危险警告" in page.get(path, params={"lang": "zh-CN"}).text


def test_a_link_for_somebody_else_s_ticket_is_not_made(world: World, client: Client) -> None:
    world.home(2, devices_=("lock-2",))
    caller = client("agent")
    assert caller.post("/api/v1/customers/c-2/links", json={"ticket_id": world.ticket().id}).status_code == 409
    assert caller.post("/api/v1/customers/c-9/links", json={}).status_code == 404
    assert client("viewer").post("/api/v1/customers/c-1/links", json={}).status_code == 403


def test_a_link_to_a_ticket_shows_how_it_goes(page: TestClient, world: World, client: Client) -> None:
    number = world.ticket().id
    made = client("agent").post("/api/v1/customers/c-1/links", json={"ticket_id": number}).json()
    shown = page.get(made["url"].split("8080")[1]).text
    assert f"Service case {number}" in shown
    assert "planning what to do" in shown
