"""The five paths of after-sales, each from its first sign to its end, as the people in it live through them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from device_sim.people.customers import read_form
from hearthwatch.errors import Refused
from hearthwatch.records import outcomes
from tests.e2e.aftersales import House, Plot
from tests.e2e.aftersales_fleet import BAD, FIXED, GOOD, PLUG, RECALLED

FADING, COMPLAINED = "lock-n03", "lock-n07"
CONTENT = {
    "selection": {"models": ["LOCK-2"], "attributes": {"batch": ["24-07"]}},
    "product": "SmartLock 2",
    "brand": "Acme",
    "picture_url": "https://acme.example/lock.png",
    "phone": "0800 123456",
}
TEXTS = {
    "hazard": "The battery can overheat and catch fire.\nYou can be badly burned.",
    "what_to_do": "Take the batteries out and put the lock outdoors.",
    "sold": "March to September 2025, by dealers in Germany",
    "find_number": "On the label inside the battery cover",
}


def battery_fade(house: House) -> Plot:
    """A battery fades: the analytics find it, its owner is offered a replacement, the part is changed, and the models learn of it."""
    owner = house.fleet.things[FADING].customer
    yield
    house.fleet.things[FADING].fades_from = house.now
    finding = yield from house.until(
        lambda: next((one for one in house.items("/findings") if _is_about(one, FADING, "battery_fade")), None),
        "a finding that the battery fades",
    )
    notice = yield from house.until(lambda: _sent(house, finding["id"]), "a notice of it")
    assert (notice["kind"], notice["customer_id"], notice["device_id"]) == ("replacement", owner, FADING)
    ticket = house.one("/tickets", device=FADING)
    assert (ticket["part"], ticket["finding_id"], ticket["state"]) == ("battery", finding["id"], "assigned")
    assert ticket["technician_id"] == "t-1", "given by itself to who has room"
    link = house.link_of(house.letter_about(owner, notice))
    house.press(link, "visit")
    assert house.get(f"/notices/{notice['id']}")["answer"] == "visit"
    yield
    visit = house.now + timedelta(hours=24)
    house.do("agent", f"/tickets/{ticket['id']}/schedule", {"at": visit.isoformat()})
    yield from house.until(lambda: house.now >= visit, "the day of the visit")
    told = Counter(str(one["kind"]) for one in house.items("/notices", device=FADING, state="sent"))
    assert told == {"replacement": 1, "ticket_update": 1}, "what is wrong, and when somebody comes"
    house.fleet.renew_battery(FADING)
    failed = house.now - timedelta(hours=6)
    body = {"code": "confirmed", "part": "battery", "note": "Cells replaced.", "failed_at": failed.isoformat()}
    house.do("technician", f"/tickets/{ticket['id']}/close", body)
    with house.platform.database.reading() as connection:
        (label,) = [one for one in outcomes.list_outcomes(connection, device=FADING) if one.part == "battery"]
    assert (label.outcome, label.at) == ("failure", failed)
    part = house.items(f"/devices/{FADING}/parts")[-1]
    assert (part["part"], part["to_at"]) == ("battery", None), "the new part stands in the device's history"
    survey = yield from house.until(lambda: _notice_of(house, ticket["id"], "survey"), "the question whether it helped")
    page = house.link_of(house.letter_about(owner, survey))
    house.press(page, "survey_send", solved="yes", score="5")
    assert house.get(f"/tickets/{ticket['id']}")["state"] == "closed"
    yield from house.until(
        lambda: house.get(f"/findings/{finding['id']}")["state"] not in {"open", "acknowledged"},
        "the finding to be settled",
    )
    assert house.one("/tickets", device=FADING)["id"] == ticket["id"], "the new battery makes no new case"
    told = Counter(str(one["kind"]) for one in house.items("/notices", device=FADING, state="sent"))
    assert told["replacement"] == 1, "nor another offer"


def bad_release(house: House) -> Plot:
    """A release makes plugs reboot: the gate stops it, one ticket stands for it, the next one mends it, and owners hear of it."""
    yield
    body = {"model": PLUG, "version": BAD, "replaces": GOOD, "assignment": "randomised"}
    release = house.do("engineer", "/releases", body)
    waves = [{"share": share, "min_hours": 48, "min_successes": 5, "success_share": 0.8} for share in (0.65, 1.0)]
    rollout = house.do("engineer", "/rollouts", {"release_id": release["id"], "waves": waves, "salt": "waves"})
    place = f"/rollouts/{rollout['id']}"
    open_now = yield from house.until(lambda: _open_wave(house, place), "the first wave")
    assert 10 <= len(open_now) <= 18, f"some two thirds of 24, by lot: {open_now}"
    for device in open_now:
        house.publish(house.fleet.install(device, BAD, house.now))
    yield from house.until(lambda: house.get(place)["status"] == "stopped", "the gate to stop it")
    assert house.get(f"/releases/{release['id']}")["status"] == "paused"
    assert set(_open_wave(house, place)) <= set(open_now), "nobody further gets it"
    finding = yield from house.until(
        lambda: next(iter(house.items("/findings", kind="cohort", state="open")), None), "the verdict worse"
    )
    parent = yield from house.until(lambda: next(iter(house.items("/tickets", kind="cohort")), None), "its ticket")
    assert finding["subject"] == f"release:{release['id']}"
    assert parent["finding_id"] == finding["id"]
    assert not house.items("/notices", kind="update"), "there is nothing to offer yet"
    image = {"image_url": "https://fw.acme.example/2.4.1.bin"}
    mends: dict[str, Any] = {"model": PLUG, "version": FIXED, "replaces": BAD, "fixes": [BAD, "reboots"]}
    house.do("engineer", "/releases", mends | image)
    house.do("engineer", f"/releases/{release['id']}", {"status": "withdrawn"}, method="PATCH")
    owners = {house.fleet.things[device].customer for device in open_now}
    offers = yield from house.until(lambda: _offers(house, len(owners)), "an offer to every owner")
    assert {one["customer_id"] for one in offers} == owners
    assert len(offers) == len(owners), "one letter for each household"
    for one in offers:
        link = house.link_of(house.letter_about(one["customer_id"], one))
        house.press(link, "accept_update")
    yield from house.until(
        lambda: all(house.fleet.things[device].firmware == FIXED for device in open_now), "the devices to install it"
    )
    told = yield from house.until(
        lambda: _all_told(house, "all_clear", owners), "the all-clear to those who were warned"
    )
    assert len(told) == len(owners)
    over = yield from house.until(
        lambda: _closed(house, parent["id"]), "the problem's ticket to be over by itself", steps=4
    )
    assert over["closing_code"] == "fixed_by_update"
    left = [one for one in house.items("/tickets", parent=str(parent["id"])) if one["state"] != "closed"]
    assert not left, "the problem is over, and its tickets with it"
    own = [one for device in open_now for one in house.items("/tickets", device=device)]
    assert {one["parent_id"] for one in own} <= {parent["id"]}, "a device's trouble belongs to the problem"
    blamed = [one for one in house.items("/findings") if FIXED in one["subject"]]
    assert not blamed, "nobody is told that the fixed release is bad"


def complaint(house: House) -> Plot:
    """A customer complains: the evidence is there by itself, the device answers, it is mended from afar; it did not help after all."""
    customer = house.fleet.things[COMPLAINED].customer
    for _ in range(2):
        yield
    made = house.do("agent", f"/customers/{customer}/links", {})
    page = f"{urlsplit(made['url']).path}/report"
    form = read_form(house.page(page))
    wrong = {"nonce": str(form.nonce), "device": COMPLAINED, "since": "1999-01-01"}
    with pytest.raises(Refused):
        house.desk.submit(page, wrong)
    assert not house.items("/tickets", device=COMPLAINED), "what can not be is not taken"
    said = {"device": COMPLAINED, "complaint": "restarts", "text": "It restarts every night.", "wish": "advice"}
    house.desk.submit(page, {"nonce": str(read_form(house.page(page)).nonce), **said})
    ticket = house.one("/tickets", device=COMPLAINED)
    place = f"/tickets/{ticket['id']}"
    assert (ticket["source"], ticket["customer_id"], ticket["mode"]) == ("page", customer, "reboots")
    (report,) = house.items(f"{place}/reports")
    evidence = str(report)
    assert house.fleet.things[COMPLAINED].firmware in evidence, "nobody has to ask for the firmware"
    asked = {"kind": "diagnostics", "why": "the customer says it restarts", "ticket_id": ticket["id"]}
    house.do("agent", f"/devices/{COMPLAINED}/commands", asked)
    house.minutes(1)
    answers = house.items(f"{place}/commands")
    assert {one["state"] for one in answers} == {"answered"}, answers
    assert "boot_count" in str(answers[0])
    house.do("agent", f"{place}/take")
    house.do("agent", f"{place}/reply", {"text": "We have seen why, and mend it from here."})
    house.minutes(5)
    message = house.one("/notices", customer=customer, kind="ticket_message")
    on_page = house.page(house.link_of(house.letter_about(customer, message)))
    assert "We have seen why" in on_page
    house.do("agent", f"{place}/remedy", {"remedy": "remote_fix", "why": "The access point can be told."})
    house.do("agent", f"{place}/start")
    yield
    house.do("agent", f"{place}/close", {"code": "environment", "note": "Access point told to keep its channel."})
    survey = yield from house.until(lambda: _notice_of(house, ticket["id"], "survey"), "the question whether it helped")
    link = house.link_of(house.letter_about(customer, survey))
    house.press(link, "survey_send", solved="no", score="1", comment="It restarted again.")
    assert house.get(place)["state"] in {"open", "assigned"}, "a bad answer opens it again"
    assert house.one("/tickets", device=COMPLAINED)["id"] == ticket["id"], "the same case"
    house.do("agent", f"{place}/take")
    house.do("agent", f"{place}/close", {"code": "user_error", "note": "Spoke with them: the mains switch."})


def outage(house: House) -> Plot:
    """A provider goes away, and the locks of a region with it: one incident, nobody writes to anybody, no ticket opens."""
    yield
    west = [one.id for one in house.fleet.of(region="west")]
    before = _of_west(house, west)
    house.publish(house.fleet.fall_silent("west"))
    house.minutes(4)
    for _ in range(5):  # what is told of the devices follows into the records after it is stored
        found = [one for one in house.items("/findings", kind="incident") if one["mode"] == "mass_silence"]
        if found:
            break
        house.minutes(1)
    (incident,) = found
    assert (incident["subject"], incident["severity"]) == ("group:region/west", "critical"), incident
    yield
    assert not [one for one in house.items("/findings") if one["mode"] == "silent"], "no device is accused"
    assert _of_west(house, west) == before, "no ticket, and no letter"
    told = [one for one in house.letters("engineers") if "mass" in one["text"] or "silen" in one["text"].lower()]
    assert len(told) == 1, "engineers are told, once"
    yield
    house.publish(house.fleet.come_back("west", house.now))
    house.minutes(2)
    yield from house.until(
        lambda: house.get(f"/findings/{incident['id']}")["state"] == "recovered", "the incident to be over"
    )
    assert _of_west(house, west) == before


def recall(house: House) -> Plot:
    """A batch is called back: linted, approved by a second person, every owner told once by every channel, remedied, closed."""
    for _ in range(6):  # the provider is back by then
        yield
    soft = TEXTS | {"hazard": "The lock is safe.\nAs a precaution we ask you to send it back."}
    drafted = {
        "reference": "R-1",
        "kind": "recall",
        "title": "Battery fire",
        "content": {**CONTENT, "texts": {"en": soft}},
    }
    campaign = house.do("agent", "/campaigns", drafted)
    place = f"/campaigns/{campaign['id']}"
    with pytest.raises(Refused, match="precaution"):
        house.desk.write("agent", "POST", f"{place}/submit", {})
    house.do("agent", place, {"title": "Battery fire", "content": {**CONTENT, "texts": {"en": TEXTS}}}, method="PUT")
    house.do("agent", f"{place}/submit")
    with pytest.raises(Refused, match="403"):
        house.desk.write("agent", "POST", f"{place}/approve", {})
    house.minutes(1)
    assert not house.items("/notices", kind="recall"), "nobody is written to before a second person agreed"
    house.do("second", f"{place}/approve")
    house.minutes(2)
    owners = {house.fleet.things[device].customer for device in RECALLED}
    for owner in owners:
        assert _recalls(house, owner) == (1, 1), f"{owner}: told once by letter and once by phone"
    assert house.get(f"{place}/progress")["reached"] == len(RECALLED)
    yield
    first = RECALLED[0]
    customer = house.fleet.things[first].customer
    link = house.link_of(next(one for one in house.letters(customer) if "Product safety recall" in one["subject"]))
    house.press(link, "campaign_refund")
    ticket = house.one("/tickets", device=first, open="true")
    assert (ticket["priority"], ticket["customer_id"]) == (1, customer)
    yield
    house.do("agent", f"{place}/remedied", {"devices": list(RECALLED), "remedy": "refund"})
    house.do("agent", f"/tickets/{ticket['id']}/close", {"code": "customer_declined", "note": "Paid back."})
    house.minutes(2)
    house.do("agent", f"{place}/close", {"reason": "All are settled."})
    yield
    for owner in owners:
        assert _recalls(house, owner) == (1, 1), f"{owner}: still told once"
    cleared = Counter(one["customer_id"] for one in house.items("/notices", kind="all_clear"))
    assert {owner: cleared[owner] for owner in owners} == dict.fromkeys(owners, 1), "each hears once that it is over"


PATHS = (battery_fade, bad_release, complaint, outage, recall)


def _is_about(finding: Mapping[str, Any], device: str, mode: str) -> bool:
    return (finding["subject"], finding["mode"]) == (device, mode)


def _sent(house: House, finding: int) -> dict[str, Any] | None:
    found = house.items("/notices", finding=str(finding))
    return next((one for one in found if one["state"] == "sent"), None)


def _notice_of(house: House, ticket: int, kind: str) -> dict[str, Any] | None:
    found = house.items("/notices", kind=kind, state="sent")
    return next((one for one in found if one["ticket_id"] == ticket), None)


def _closed(house: House, ticket: int) -> dict[str, Any] | None:
    found: dict[str, Any] = house.get(f"/tickets/{ticket}")
    return found if found["state"] == "closed" else None


def _open_wave(house: House, place: str) -> list[str]:
    return [str(one["device"]) for one in house.items(f"{place}/assignment", role="engineer") if one["open"]]


def _offers(house: House, count: int) -> list[dict[str, Any]] | None:
    found = house.items("/notices", kind="update", state="sent")
    return found if len({one["customer_id"] for one in found}) >= count else None


def _all_told(house: House, kind: str, owners: set[str]) -> list[dict[str, Any]] | None:
    found = [one for one in house.items("/notices", kind=kind, state="sent") if one["customer_id"] in owners]
    return found if {one["customer_id"] for one in found} == owners else None


def _of_west(house: House, west: list[str]) -> tuple[list[int], list[int]]:
    tickets = [int(one["id"]) for one in house.items("/tickets") if one["device_id"] in west]
    written = [int(one["id"]) for one in house.items("/notices") if one["device_id"] in west]
    return tickets, written


def _recalls(house: House, customer: str) -> tuple[int, int]:
    letters = sum("recall" in one["subject"].lower() for one in house.letters(customer))
    return letters, sum("recall" in one.lower() for one in house.texts(customer))
