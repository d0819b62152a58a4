"""The pages as people meet them: a real browser, a real server, stores in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from analytics.liveness import watch_liveness
from hearthwatch.records import (
    access,
    asking,
    blindness,
    cohort_looks,
    commands,
    devices,
    liveness,
    policies,
    ticket_messages,
)
from hearthwatch.records.asking import Heard
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading, Release, Reply
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, PHONE, Server, opened
from tests.unit.alerts.world import NOON, World

PAGES = (
    *("/", "/releases", "/devices", "/findings", "/quality"),
    *(
        "/tickets",
        "/tickets/1",
        "/sla",
        "/mail",
        "/knowledge",
        "/knowledge/battery-fade",
        "/feedback",
        "/service-figures",
    ),
    *("/notices", "/notices/1", "/notice-kinds", "/campaigns", "/outbox", "/policy", "/policy/replay"),
)


@dataclass(frozen=True)
class Site:
    """A served world."""

    world: World
    url: str


@pytest.fixture
def site(server: Server) -> Site:
    """A household whose lock fades and whose firmware was called worse, and the pages that show it."""
    restore(server.database, server.empty)
    world = World(server.database, server.clock)
    world.home(devices_=("lock-1", "lock-2"), version="2.4.1")
    world.technician(skills=("battery",), regions=("north",))
    world.policy("live")
    with server.database.transaction() as connection:
        devices.register(connection, [{"id": "odd-1", "model": HOSTILE, "hardware": HOSTILE}])
    reasons = [{"text_key": "below_own_past", "values": {"metric": "battery_pct", "z": -6.2}}, HOSTILE]
    world.stand(evidence={"metrics": ["battery_pct"], "reasons": reasons})
    looked_at(server.database, world.release("2.4.1", replaces="2.4.0"))
    world.run()
    server.store.write(
        [Reading("lock-1", "native", NOON - timedelta(days=n), {"battery_pct": 40.0 + n}) for n in range(5)]
    )
    server.store.rollup(NOON + timedelta(hours=1))
    return Site(world, server.url)


def looked_at(database: Database, release: Release) -> None:
    looks = [
        CohortLook(
            release_id=release.id,
            metric="unexpected_reboots",
            at=NOON - timedelta(hours=hours),
            verdict="worse" if hours < 5 else "too_early",
            why="Reboots more often than its control.",
            e=10.0 ** (6 - hours),
            e_rate=None,
            e_first=None,
            ratio=2.4,
            low=1.8 - hours / 20,
            high=3.1 + hours / 20,
            devices_treatment=200,
            devices_control=210,
            hours_treatment=4000.0,
            hours_control=4200.0,
            events_treatment=90.0,
            events_control=39.0,
            detail={},
        )
        for hours in range(8, -1, -1)
    ]
    with database.transaction() as connection:
        cohort_looks.append(connection, looks)


def test_the_fleet_page_shows_groups_and_what_needs_attention(site: Site, browser: Browser) -> None:
    page = opened(browser, site.url)
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    expect(page.get_by_role("cell", name="LOCK-2").first).to_be_visible()
    expect(page.get_by_role("link", name="The battery holds less than it did").first).to_be_visible()


def test_what_a_device_calls_itself_harms_nobody(site: Site, browser: Browser) -> None:
    page = opened(browser, site.url)
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.goto(f"{site.url}/findings")
    page.get_by_role("link", name="The battery holds less than it did").first.click()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert "harmed" not in page.title()


def test_a_finding_is_acknowledged_with_a_click(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/findings")
    page.get_by_role("link", name="The battery holds less than it did").first.click()
    page.get_by_label("Note").fill("seen it")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("acknowledged by local")).to_be_visible()


def test_the_device_page_shows_its_telemetry_and_its_ticket(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/devices/lock-1")
    expect(page.get_by_text("Kim 1 (c-1)")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_role("cell", name="assigned")).to_be_visible()


def test_a_device_is_asked_from_its_page_and_what_it_answers_harms_nobody(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/devices/lock-2")
    page.get_by_label("Why").fill("the customer says it is slow")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("waiting to leave")).to_be_visible()
    expect(page.get_by_text("the customer says it is slow")).to_be_visible()
    with site.world.database.transaction() as connection:
        (asked,) = commands.list_commands(connection, device_id="lock-2")
        reply = Reply("lock-2", NOON, asked.request_id, True, {"rssi_dbm": -61, "note": HOSTILE})
        asking.hear(connection, [Heard(reply, NOON)])
    page.reload()
    expect(page.get_by_text("Signal -61 dBm")).to_be_visible()
    page.get_by_text("Answer of").click()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert "harmed" not in page.title()


def test_devices_are_found_by_their_state_and_each_says_why(site: Site, browser: Browser) -> None:
    with site.world.database.transaction() as connection:
        devices.see(connection, [Sighting("lock-1", NOON), Sighting("lock-2", NOON - timedelta(hours=1), online=False)])
    watch_liveness(open_store("duckdb://"), site.world.database, NOON)
    page = opened(browser, f"{site.url}/")
    page.get_by_role("button", name="offline 1").click()
    page.get_by_role("link", name="lock-2").click()
    expect(page.get_by_text("It left, or the broker gave it up, at 2026-05-01 11:00 UTC").first).to_be_visible()
    page.get_by_label("Minutes between messages").fill("0.01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("an interval is 60 to 604800 seconds")).to_be_visible()
    page.get_by_label("Minutes between messages").fill("240")
    with page.expect_navigation():  # the page is read anew once it is done
        page.get_by_role("button", name="Save").click()
    with site.world.database.reading() as connection:
        assert liveness.plan(connection, "device", "lock-2").interval_s == 14_400


def test_while_nobody_is_heard_the_fleet_page_says_so(site: Site, browser: Browser) -> None:
    with site.world.database.transaction() as connection:
        blindness.beat(connection, "one", NOON - timedelta(hours=1), receiving=True)
    page = opened(browser, f"{site.url}/")
    expect(page.get_by_role("alert").get_by_text("Nobody is heard since 2026-05-01 11:00 UTC")).to_be_visible()


def test_a_device_that_does_not_exist_is_a_sentence_not_a_crash(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/devices/nobody")
    expect(page.get_by_text("nobody: no such device")).to_be_visible()


def test_the_firmware_page_shows_the_verdict_and_its_evidence(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/releases")
    expect(page.get_by_role("cell", name="worse")).to_be_visible()
    page.get_by_role("link", name="LOCK-2 2.4.1").click()
    expect(page.get_by_text("× 2.40 the rate of the control (1.80 to 3.10)")).to_be_visible()
    expect(page.locator("canvas")).to_have_count(2)


def test_a_technician_closes_a_ticket_with_what_was_really_wrong(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/tickets")
    page.get_by_role("link", name="lock-1").first.wait_for()
    page.locator("tbody tr").first.get_by_role("link").first.click()
    page.get_by_role("button", name="Close it").click()
    page.get_by_label("Closing note").fill("cell was dry")
    page.get_by_role("button", name="Close ticket").click()
    expect(page.get_by_text("closed as confirmed")).to_be_visible()
    assert site.world.ticket().closing_note == "cell was dry"


def test_an_agent_asks_for_a_price_and_notes_and_answers_stay_apart(site: Site, browser: Browser) -> None:
    ticket = site.world.ticket()
    page = opened(browser, f"{site.url}/tickets/{ticket.id}")
    page.get_by_label("Internal note").fill("second call this week")
    page.get_by_role("button", name="Keep as an internal note").click()
    expect(page.get_by_text("Internal: no customer sees this")).to_be_visible()
    page.get_by_label("Answer to the customer").fill("Which light does it show?")
    page.get_by_role("button", name="Send to the customer").click()
    expect(page.get_by_text("Which light does it show?")).to_be_visible()
    page.get_by_role("button", name="Choose a remedy").click()
    page.get_by_label("The customer pays (EUR)").fill("20.00")
    page.get_by_label("Why, where it is not what is proposed (internal)").fill("agreed on the phone")
    page.get_by_role("button", name="Choose", exact=True).click()
    page.get_by_role("button", name="Ask the customer whether they agree").click()
    expect(page.get_by_text("waits for the customer's approval").first).to_be_visible()
    asked = site.world.ticket()
    assert (asked.waiting_for, asked.remedy_price, asked.remedy_currency) == ("approval", 2000, "EUR")
    with site.world.database.reading() as connection:
        said = ticket_messages.of_ticket(connection, ticket.id)
    assert [one.direction for one in said] == ["internal", "out", "internal"]


def test_an_article_is_written_on_its_page_once_nothing_of_it_is_empty(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/knowledge/new")
    page.get_by_label("Name in addresses").fill("lock-stuck")
    for label in ("Title", "Probable cause", "Next step"):
        page.get_by_label(label, exact=True).fill("The bolt rubs")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("body: it is empty")).to_be_visible()
    page.get_by_label("For staff").fill("Look at the strike plate.")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(f"{site.url}/knowledge/lock-stuck?language=en")
    expect(page.get_by_text("Probable cause: The bolt rubs")).to_be_visible()


def test_two_tickets_become_one_only_after_a_question(site: Site, browser: Browser) -> None:
    site.world.stand("lock-1", "motor_wear", part="motor")
    site.world.run()
    first, second = site.world.tickets()
    page = opened(browser, f"{site.url}/tickets/{first.id}")
    page.get_by_role("button", name="Merge it into this one").first.click()
    expect(page.get_by_text(f"Merge ticket {second.id} into this one?")).to_be_visible()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_text(f"Merge ticket {second.id} into this one?")).not_to_be_visible()
    assert site.world.tickets()[1].merged_into is None
    page.get_by_role("button", name="Merge it into this one").first.click()
    page.get_by_role("button", name="Yes", exact=True).click()
    expect(page.get_by_role("button", name="Merge it into this one")).to_have_count(0)
    assert site.world.tickets()[1].merged_into == first.id


def test_the_policy_is_switched_only_after_a_question(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/policy")
    page.get_by_role("button", name="Set to observe").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("button", name="Set to live")).to_be_visible()
    with site.world.database.reading() as connection:
        current = policies.current(connection)
    assert current is not None
    assert current.mode == "observe"


def test_the_second_page_of_devices_comes_from_the_server(site: Site, browser: Browser) -> None:
    site.world.register([f"many-{number:03}" for number in range(60)])
    page = opened(browser, f"{site.url}/devices?search=many")
    expect(page.get_by_text("1-25 of 60")).to_be_visible()
    page.get_by_label("Next page").click()
    expect(page.get_by_role("link", name="many-025")).to_be_visible()


def test_with_an_account_the_pages_ask_who_you_are(site: Site, browser: Browser) -> None:
    with site.world.database.transaction() as connection:
        access.create_user(connection, "ann", "right horse", "admin", NOON)
    page = opened(browser, f"{site.url}/tickets")
    expect(page).to_have_url(f"{site.url}/login?next=/tickets")
    page.locator("input[name=name]").fill("ann")
    page.locator("input[name=password]").fill("wrong horse")
    page.locator("button[type=submit]").click()
    expect(page.locator("input[name=password]")).to_be_visible()
    page.locator("input[name=name]").fill("ann")
    page.locator("input[name=password]").fill("right horse")
    page.locator("button[type=submit]").click()
    expect(page).to_have_url(f"{site.url}/tickets")
    expect(page.get_by_text("ann · admin")).to_be_visible()


def test_no_page_is_wider_than_a_phone_in_either_language(site: Site, browser: Browser) -> None:
    wide = {}
    for language in ("en", "zh_Hans"):
        page = opened(browser, f"{site.url}/language/{language}?to=/", PHONE)
        for path in PAGES:
            page.goto(f"{site.url}{path}")
            page.get_by_role("heading").first.wait_for()
            wide[language, path] = page.evaluate("document.documentElement.scrollWidth")
    assert {where: width for where, width in wide.items() if width > PHONE["width"]} == {}


def test_a_customer_asks_for_a_visit_without_javascript(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/c/{site.world.token()}", PHONE, javascript=False)
    before = site.world.notice()
    expect(page.get_by_text("lock-1").first).to_be_visible()
    page.reload()
    assert site.world.notice() == before, "opening the link must change nothing"
    page.locator("button[value=visit]").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert site.world.notice().answer == "visit"


def test_a_customer_reads_the_page_in_chinese(site: Site, browser: Browser) -> None:
    page = opened(browser, f"{site.url}/c/{site.world.token()}", PHONE, javascript=False)
    page.get_by_role("link", name="简体中文").click()
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert "电池" in page.locator("main").inner_text()
