"""The people of the story use the public API as people would; here a small stand-in of the platform answers them."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from device_sim.fleet import Fleet
from device_sim.people import People
from device_sim.people.customers import read_form
from device_sim.people.desk import Desk
from device_sim.scenario import Scenario
from hearthwatch.errors import Refused, Unavailable

TOKENS = {role: f"hw_{role}" for role in ("engineer", "agent", "technician", "admin", "second")}
PAGE = """<html><body><form method="post" action="/c/{token}">
<input type="hidden" name="nonce" value="n-{token}"><button type="submit" name="action" value="{offer}">yes</button>
<button name="action" value="later">later</button></form></body></html>"""


@dataclass(slots=True)
class Office:
    """A platform that says what it is told to and remembers what was asked of it."""

    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    offer: str = "accept_update"
    refuse: dict[str, int] = field(default_factory=dict)

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        role = request.headers.get("authorization", "").removeprefix("Bearer hw_")
        body = self._body(request)
        self.asked.append((request.method, path, role, body))
        for refused, status in self.refuse.items():
            if refused in path:
                return httpx.Response(status, json={"status": status, "title": "no"})
        if path.startswith("/c/"):
            return self._customer(request, path.removeprefix("/c/"))
        if request.method == "GET":
            return httpx.Response(200, json=self._list(path.removeprefix("/api/v1"), request))
        return httpx.Response(200, json=self._write(path.removeprefix("/api/v1"), body))

    def _body(self, request: httpx.Request) -> Any:
        kind = request.headers.get("content-type", "")
        return json.loads(request.content) if kind.startswith("application/json") else request.content.decode()

    def _customer(self, request: httpx.Request, token: str) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, text=PAGE.format(token=token, offer=self.offer))
        form = parse_qs(request.content.decode())
        self.answers.append((token, form["nonce"][0], form["action"][0]))
        return httpx.Response(303, headers={"location": f"/c/{token}"})

    def _list(self, path: str, request: httpx.Request) -> Any:
        if path == "/mailbox":
            return self._mailbox(request)
        lists = {"/findings": self.findings, "/tickets": self.tickets, "/rounds": self.rounds}
        policies = [{"version": 1}, {"version": 2}]
        return {"items": policies if path == "/policies" else lists[path], "next": None}

    def _mailbox(self, request: httpx.Request) -> Any:
        newest = sorted(self.letters, key=lambda letter: -int(letter["id"]))
        begin, limit = int(request.url.params.get("cursor", 0)), int(request.url.params["limit"])
        more = str(begin + limit) if begin + limit < len(newest) else None
        return {"items": newest[begin : begin + limit], "next": more}

    def _write(self, path: str, body: Any) -> Any:
        if path == "/releases":
            self.releases.append({"id": len(self.releases) + 1, **body})
            return self.releases[-1]
        return {}

    def writes(self, ending: str) -> list[tuple[str, Any]]:
        """Role and body of every write to paths that end so."""
        return [(role, body) for method, path, role, body in self.asked if method != "GET" and path.endswith(ending)]


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def fleet(small: Scenario) -> Fleet:
    return Fleet(small, 5)


@pytest.fixture
def people(fleet: Fleet, office: Office) -> People:
    return People(fleet, "http://platform", TOKENS, 5, transport=httpx.MockTransport(office.handle))


def live(people: People, fleet: Fleet, days: float, each: Callable[[datetime], None] = lambda _now: None) -> datetime:
    """Let the fleet live and its people act."""
    now = fleet.now
    for _ in range(round(days * 12)):
        now += fleet.scenario.step
        fleet.step(now)
        each(now)
        people.act(now)
    return now


def letter(number: int, text: str | None = None) -> dict[str, Any]:
    link = f"Hello\n\nhttp://elsewhere:8080/c/token{number}\n\nGoodbye"
    return {"id": number, "address": f"mailbox://c-{number:04d}", "text": text or link, "at": "2026-03-02T00:00:00Z"}


def ticket(number: int, device: str, **changes: Any) -> dict[str, Any]:
    return {"id": number, "kind": "device", "parent_id": None, "device_id": device, "technician_id": "t-1", "part": None,
            "state": "assigned", **changes}  # fmt: skip


# -- what goes wrong


@pytest.mark.parametrize(("status", "error"), [(401, Refused), (403, Refused), (422, Refused), (500, Unavailable)])
def test_an_answer_that_nobody_foresaw_ends_the_story(office: Office, status: int, error: type[Exception]) -> None:
    office.refuse = {"/policies": status}
    desk = Desk("http://platform", TOKENS, httpx.MockTransport(office.handle))
    with pytest.raises(error, match=str(status)):
        desk.read("admin", "/policies")


def test_a_platform_that_is_away_is_unavailable() -> None:
    def nobody(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    desk = Desk("http://platform", TOKENS, httpx.MockTransport(nobody))
    with pytest.raises(Unavailable, match="refused"):
        desk.page("/c/x")


@pytest.mark.parametrize("status", [404, 409, 412])
def test_what_moved_on_meanwhile_is_left_alone(people: People, fleet: Fleet, office: Office, status: int) -> None:
    device = next(device for device, _, _ in fleet.devices())
    office.tickets = [ticket(1, device)]
    office.refuse = {"/schedule": status, "/close": status}
    live(people, fleet, 4)
    assert not office.writes("/close")


def test_a_letter_without_a_link_and_a_page_without_a_form_are_put_away(
    people: People, fleet: Fleet, office: Office
) -> None:
    office.letters = [letter(1, "To the engineers: look at this."), letter(2)]
    office.offer = "unheard_of"
    live(people, fleet, 2)
    assert not office.answers
    assert read_form("<p>nothing <b").nonce is None


def test_a_dead_link_is_put_away(people: People, fleet: Fleet, office: Office) -> None:
    office.letters = [letter(1)]
    office.refuse = {"/c/": 404}
    live(people, fleet, 2)
    assert not office.answers


def test_a_ticket_of_a_device_that_is_not_ours_is_closed(people: People, fleet: Fleet, office: Office) -> None:
    office.tickets = [ticket(1, "stranger")]
    live(people, fleet, 4)
    assert [body["code"] for _, body in office.writes("/close")][:1] == ["duplicate"]


# -- what they do


def test_everything_is_prepared_through_the_api(people: People, fleet: Fleet, office: Office) -> None:
    people.prepare(fleet.now)
    assert office.writes("/policies/2/mode") == [("admin", {"mode": "live"})]
    technicians = [body for method, path, _, body in office.asked if method == "PUT" and "/technicians/" in path]
    regions = Counter(region for body in technicians for region in body["regions"])
    assert set(regions) == {region.name for region in fleet.scenario.regions}
    ((role, sheet),) = office.writes("/customers/import")
    rows = list(csv.DictReader(io.StringIO(sheet)))
    assert role == "agent"
    assert {row["device_id"] for row in rows} == {device for device, _, _ in fleet.devices()}
    assert {row["language"] for row in rows} == {"en", "zh-Hans"}
    assert all(row["channels"] == f"mailbox://{row['customer_id']}" for row in rows)
    assert any("service" in row["consents"].split(";") for row in rows)


def test_each_release_is_announced_as_randomised_before_its_first_wave(
    people: People, fleet: Fleet, office: Office
) -> None:
    announced: dict[str, datetime] = {}

    def note(now: datetime) -> None:
        for release in office.releases:
            announced.setdefault(release["version"], now)

    people.prepare(fleet.now)
    live(people, fleet, 4, note)
    assert {(body["model"], body["version"], body["replaces"], body["assignment"]) for body in office.releases} == {
        ("camera-4", "4.2.0", "4.1.0", "randomised"),
        ("plug-2", "2.4.0", "2.3.1", "randomised"),
    }
    for rollout in fleet.rollouts:
        first = datetime.fromtimestamp(rollout.offers[0].at, UTC)
        assert announced[rollout.version] - fleet.scenario.step <= first


def test_a_release_that_is_really_worse_is_stopped_withdrawn_and_repaired(
    people: People, fleet: Fleet, office: Office
) -> None:
    def find(_now: datetime) -> None:
        numbers = [release["id"] for release in office.releases if release["version"] == "4.2.0"]
        office.findings = [{"id": 9, "subject": f"release:{number}"} for number in numbers]

    live(people, fleet, 5, find)
    repair = next(release for release in office.releases if release["version"] == "4.2.1")
    assert repair["fixes"] == ["4.2.0", "reboots"]
    assert repair["replaces"] == "4.2.0"
    bad = next(release for release in office.releases if release["version"] == "4.2.0")
    assert office.writes(f"/releases/{bad['id']}") == [("engineer", {"status": "withdrawn"})]
    assert [release["version"] for release in office.releases].count("4.2.1") == 1
    running = Counter(fleet.firmware(device) for device, _, _ in fleet.devices() if device.startswith("cam-"))
    assert running["4.2.0"] < 8, "the second wave was stopped"


def test_a_release_that_was_blamed_without_cause_is_marked_as_expected(
    people: People, fleet: Fleet, office: Office
) -> None:
    def find(_now: datetime) -> None:
        numbers = [release["id"] for release in office.releases if release["version"] == "2.4.0"]
        office.findings = [{"id": 4, "subject": f"release:{number}"} for number in numbers]

    live(people, fleet, 5, find)
    assert len(office.writes("/findings/4/expect")) == 1
    assert not [release for release in office.releases if release["fixes"]]


def test_a_technician_finds_what_is_really_wrong_and_repairs_it(people: People, fleet: Fleet, office: Office) -> None:
    fault = next(fault for fault in fleet.planted if fault.mode == "relay_wear")
    device = fleet.device_id(fault.kind, fault.index)

    def report(now: datetime) -> None:
        if now.timestamp() > fault.onset + 3600 and not office.tickets:
            office.tickets = [ticket(3, device, part="relay")]

    live(people, fleet, 7, report)
    ((role, body),) = office.writes("/tickets/3/close")[:1]
    assert (role, body["code"], body["part"]) == ("technician", "confirmed", "relay")
    assert fleet.wrong_part(device) is None


def test_a_wrong_guess_is_corrected_in_the_ticket(people: People, fleet: Fleet, office: Office) -> None:
    fault = fleet.planted[0]
    device = fleet.device_id(fault.kind, fault.index)

    def report(now: datetime) -> None:
        if now.timestamp() > fault.onset + 3600 and not office.tickets:
            office.tickets = [ticket(3, device, part="radio")]

    live(people, fleet, 7, report)
    body = office.writes("/tickets/3/close")[0][1]
    assert (body["code"], body["part"]) == ("different_fault", fault.part)


def test_a_healthy_device_is_closed_as_no_fault_found(people: People, fleet: Fleet, office: Office) -> None:
    planted = {fleet.device_id(fault.kind, fault.index) for fault in fleet.planted}
    device = next(device for device, _, _ in fleet.devices() if device not in planted)
    office.tickets = [ticket(3, device, technician_id=None)]
    live(people, fleet, 4)
    assert office.writes("/tickets/3/assign"), "somebody has to go"
    assert office.writes("/tickets/3/close")[0][1]["code"] == "no_fault_found"


def test_a_visit_is_agreed_before_it_is_made(people: People, fleet: Fleet, office: Office) -> None:
    device = next(device for device, _, _ in fleet.devices())
    office.tickets = [ticket(3, device)]
    closed: list[datetime] = []

    def watch(now: datetime) -> None:
        if office.writes("/tickets/3/close") and not closed:
            closed.append(now)
            office.tickets = []

    live(people, fleet, 5, watch)
    ((_, agreed),) = office.writes("/tickets/3/schedule")
    assert datetime.fromisoformat(agreed["at"]) <= closed[0]
    assert closed[0] - fleet.scenario.start > timedelta(hours=20)


def test_tickets_below_another_and_of_releases_are_not_visited(people: People, fleet: Fleet, office: Office) -> None:
    device = next(device for device, _, _ in fleet.devices())
    office.tickets = [ticket(3, device, parent_id=1), ticket(1, device, kind="cohort", device_id=None)]
    live(people, fleet, 4)
    assert not office.writes("/schedule")


def test_most_customers_accept_an_update_on_their_page(people: People, fleet: Fleet, office: Office) -> None:
    office.letters = [letter(number) for number in range(1, 251)]  # more than fit on one page of the list
    live(people, fleet, 2)
    actions = Counter(action for _, _, action in office.answers)
    assert all(nonce == f"n-{token}" for token, nonce, _ in office.answers)
    assert 190 < actions["accept_update"] < 240
    assert len({token for token, _, _ in office.answers}) == len(office.answers)
    pages = [path for method, path, _, _ in office.asked if path.startswith("/c/") and method == "GET"]
    assert len(set(pages)) == len(pages)


def test_a_customer_asks_for_one_visit_only(people: People, fleet: Fleet, office: Office) -> None:
    office.offer = "visit"
    office.letters = [{**letter(number), "address": "mailbox://c-0001"} for number in range(1, 30)]
    live(people, fleet, 2)
    assert Counter(action for _, _, action in office.answers)["visit"] == 1


def test_a_held_round_is_released_by_the_second_person(people: People, fleet: Fleet, office: Office) -> None:
    office.rounds = [{"name": "round:20260302T080000000000Z", "on": True}]
    live(people, fleet, 0.5)
    assert office.writes("/rounds/20260302T080000000000Z/release")[0][0] == "second"


def test_when_nothing_is_new_few_requests_are_made(people: People, fleet: Fleet, office: Office) -> None:
    live(people, fleet, 1)
    assert len(office.asked) <= 12 * 4
    people.close()
