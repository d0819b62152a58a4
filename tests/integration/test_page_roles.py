"""Who sees which of the staff's pages, and what of people on them: the pages give nothing that the API would refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from playwright.sync_api import Browser, expect

from alerts.intake import reporting
from alerts.intake.report import Contact, Report
from alerts.tickets import acts, conversation
from api.pages.frame import PAGE_ROLES
from api.security import AGENTS, EVERYONE, READERS, TICKET_READERS
from hearthwatch.records import access, audit, ticket_messages, tickets
from hearthwatch.records.tables import users
from tests.conftest import restore
from tests.integration.conftest import Server, opened
from tests.unit.alerts.world import World

PASSWORD = "correct horse battery"
NOT_YOURS = "This page is not for your role"
PAGES = {
    "/": READERS,
    "/releases": READERS,
    "/rollouts": READERS,
    "/comparisons": READERS,
    "/backtests": READERS,
    "/devices": READERS,
    "/findings": READERS,
    "/tickets": TICKET_READERS,
    "/sla": READERS,
    "/notices": READERS,
    "/notice-kinds": READERS,
    "/campaigns": READERS,
    "/outbox": READERS,
    "/mail": AGENTS,
    "/feedback": READERS,
    "/service-figures": READERS,
    "/knowledge": READERS,
    "/policy": READERS,
    "/policy/replay": READERS,
    "/models": READERS,
    "/quality": READERS,
}


@pytest.fixture
def world(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two tickets: of the first the technician is `technician`, of the other nobody; somebody wrote on both."""
    monkeypatch.setattr(access, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    restore(server.database, server.empty)
    world = World(server.database, server.clock)
    for number in (1, 2):
        world.home(number, devices_=(f"lock-{number}",))
    world.technician("technician")
    with world.database.transaction() as connection:
        for role in EVERYONE:
            access.create_user(connection, role, PASSWORD, role, world.now)
        for number in (1, 2):
            told = Report("page", f"The door {number} stays open", "battery", device_id=f"lock-{number}", customer_id=f"c-{number}",
                          verified=True, contact=Contact("Kim Li", "kim@mail.example", "+49 30 7777777"))  # fmt: skip
            ticket = reporting.report(connection, told, world.now).ticket
            conversation.reply(connection, ticket.id, None, f"We come to door {number}", "agent", world.now)
        acts.assign(connection, 1, None, "technician", "agent", world.now)
        assert [one.technician_id for one in tickets.list_tickets(connection)] == [None, "technician"]
    yield world
    with world.database.transaction() as connection:
        connection.execute(sa.delete(users))


def seen(server: Server, role: str, *paths: str) -> list[str]:
    """The text of pages as a person of a role gets them."""
    with httpx.Client(base_url=server.url, timeout=30) as browser:
        assert browser.post("/api/v1/session", json={"name": role, "password": PASSWORD}).status_code == 201
        return [browser.get(path).text for path in paths]


def test_every_page_says_who_may_see_it(server: Server) -> None:
    listed = {path: roles for path, roles in PAGE_ROLES.items() if "{" not in path}
    assert listed == {path: frozenset(roles) for path, roles in PAGES.items()}
    for path, roles in PAGE_ROLES.items():
        assert roles == PAGE_ROLES.get(path.partition("/{")[0], frozenset(READERS)), f"{path}: one of what a list shows"


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        ("technician", ("/tickets", "/", "/notices", "/mail")),
        ("viewer", ("/tickets", "/mail")),
        ("agent", ("/mail",)),
    ],
)
def test_each_role_sees_its_pages_and_no_others(
    server: Server, world: World, role: str, paths: tuple[str, ...]
) -> None:
    for path, page in zip(paths, seen(server, role, *paths), strict=True):
        refused = NOT_YOURS in page or (path == "/" and not page)
        assert refused == (role not in PAGES[path]), f"{role}: {path}"
        led = [address for address in PAGES if f'"href":"{address}"' in page]
        assert all(role in PAGES[address] for address in led), f"{path} leads {role} to {led}"
        assert "/tickets" in led or not page


def test_a_technician_sees_the_tickets_that_are_theirs_alone(server: Server, world: World) -> None:
    listed, own, other = seen(server, "technician", "/tickets", "/tickets/1", "/tickets/2")
    assert "lock-1" in listed
    assert "lock-2" not in listed
    assert "The door 1 stays open" in own
    assert "this ticket is not assigned to you" in other
    assert "door 2" not in other


def test_a_notice_s_page_names_its_customer_to_those_alone_who_serve_customers(server: Server, world: World) -> None:
    world.policy()
    world.stand(mode="wifi_failing")
    world.apply()
    paths = ("/notices", "/notices/1", "/notices?customer=c-9")
    listed, one, _ = seen(server, "agent", *paths)
    assert ("c-1" in listed, "c-1" in one, "Kim 1" in one) == (True, True, True)
    for role in ("viewer", "engineer"):
        listed, one, sought = seen(server, role, *paths)
        assert ("lock-1" in listed, "lock-1" in one, "lock-1" in sought) == (True, True, True)
        assert not re.search(
            r"(?<![0-9a-f])c-1(?![0-9a-f])|Kim", listed + one
        )  # a page's own random id may hold c-1, too


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_who_only_reads_tickets_sees_neither_names_nor_words_nor_how_to_reach_people(
    server: Server, world: World, role: str
) -> None:
    page, device = seen(server, role, "/tickets/1", "/devices/lock-1")
    assert "lock-1" in page
    assert ("c-1" in device, "Kim" in device) == (True, False)
    for private in ("Kim", "The door 1 stays open", "kim@mail.example", "7777777", "We come to door 1"):
        assert private not in page, private


def test_an_open_page_acts_no_more_when_its_person_may_not(server: Server, world: World, browser: Browser) -> None:
    page = opened(browser, f"{server.url}/login")
    page.get_by_label("Name").fill("agent")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").first.click()
    page.goto(f"{server.url}/tickets/1")
    page.get_by_role("button", name="Begin work").click()
    expect(page.get_by_text("work has begun")).to_be_visible()
    assert world.tickets()[0].state == "in_progress"
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text("it is said to be").first).to_be_visible()
    with world.database.transaction() as connection:
        noted = [one.action for one in audit.list_entries(connection, about="report:1")]
        access.set_active(connection, "agent", active=False)
    assert noted == ["report.classify"]
    page.get_by_label("Internal note").fill("I was dismissed")
    page.get_by_role("button", name="Keep as an internal note").click()
    expect(page.get_by_label("Password")).to_be_visible()
    with world.database.reading() as connection:
        assert "I was dismissed" not in [one.text for one in ticket_messages.of_ticket(connection, 1)]


def test_an_agent_sees_them(server: Server, world: World) -> None:
    (page,) = seen(server, "agent", "/tickets/1")
    for needed in ("Kim 1", "The door 1 stays open", "kim@mail.example", "We come to door 1"):
        assert needed in page, needed
