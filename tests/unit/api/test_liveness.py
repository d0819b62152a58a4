"""Liveness over HTTP: what a device's state is and why, in two languages; filters, timelines, blindness, and what a person says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.liveness.job import watch_liveness
from analytics.liveness.reasons import TEXTS
from api.app import ApiContext
from api.liveness_words import SENTENCES, sentence
from hearthwatch.clock import SteppedClock
from hearthwatch.records import blindness, devices
from hearthwatch.records.devices import Sighting
from tests.unit.api.conftest import Client

HOUR = timedelta(hours=1)


@pytest.fixture
def fleet(context: ApiContext, clock: SteppedClock) -> None:
    """``here`` was heard just now, ``gone`` sent its last will hours ago, ``new`` was never heard."""
    now = clock.now()
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": "plug"} for name in ("here", "gone", "new")])
        devices.see(connection, [Sighting("here", now), Sighting("gone", now - 3 * HOUR, online=False)])
    watch_liveness(context.store, context.database, now)


def test_a_state_that_there_is_none_of_is_refused(client: Client, fleet: None) -> None:
    answer = client("viewer").get("/api/v1/devices?state=asleeep")
    assert answer.status_code == 422
    assert answer.json()["where"] == "query.state"


def test_a_device_nobody_looked_at_yet_has_no_liveness(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": "d"}])
    assert client("viewer").get("/api/v1/devices/d").json()["liveness"] is None
    assert client("viewer").get("/api/v1/devices/d/liveness").json() is None
    assert client("viewer").get("/api/v1/devices/nobody/liveness").status_code == 404


def test_a_device_says_its_state_and_why(client: Client, fleet: None) -> None:
    body = client("viewer").get("/api/v1/devices/gone").json()["liveness"]
    assert (body["state"], body["until"], body["power"], body["flapping"]) == ("offline", None, "unknown", False)
    assert body["reason"]["text_key"] == "gone"
    assert body["why"] == "It left, or the broker gave it up, at 2026-04-30 21:00 UTC, and did not come back."
    chinese = client("viewer").get("/api/v1/devices/gone/liveness?lang=zh-Hans").json()
    assert chinese["why"].startswith("它于 2026-04-30 21:00 UTC 断开")


def test_devices_are_filtered_by_state(client: Client, fleet: None) -> None:
    for state, names in (("online", ["here"]), ("offline", ["gone"]), ("unknown", ["new"]), ("late", [])):
        items = client("viewer").get("/api/v1/devices", params={"state": state}).json()["items"]
        assert [item["id"] for item in items] == names
        assert all(item["liveness"]["state"] == state for item in items)


def test_the_devices_of_an_incident_are_listed(client: Client, context: ApiContext, clock: SteppedClock) -> None:
    names = [f"plug-{number}" for number in range(8)]
    for _ in range(2):
        with context.database.transaction() as connection:
            devices.see(connection, [Sighting(name, clock.now()) for name in (*names, "other")])
        watch_liveness(context.store, context.database, clock.advance(timedelta(minutes=5)))
    for _ in range(12):
        with context.database.transaction() as connection:
            devices.see(connection, [Sighting("other", clock.now())])
        watch_liveness(context.store, context.database, clock.advance(timedelta(minutes=20)))
    (incident,) = client("viewer").get("/api/v1/findings?kind=incident").json()["items"]
    items = client("viewer").get("/api/v1/devices", params={"incident": incident["id"]}).json()["items"]
    assert [item["id"] for item in items] == names
    assert {item["liveness"]["incident_id"] for item in items} == {incident["id"]}


def test_the_timeline_comes_in_pages_newest_first(
    client: Client, context: ApiContext, clock: SteppedClock, fleet: None
) -> None:
    for _ in range(8):
        watch_liveness(context.store, context.database, clock.advance(HOUR))
    first = client("viewer").get("/api/v1/devices/here/liveness/changes?limit=2").json()
    assert [step["state"] for step in first["items"]] == ["offline", "late"]
    rest = client("viewer").get("/api/v1/devices/here/liveness/changes", params={"cursor": first["next"]}).json()
    assert [(step["state"], step["before"]) for step in rest["items"]] == [("online", None)]


def test_the_overview_counts_states_and_says_whether_we_hear_anything(
    client: Client, context: ApiContext, clock: SteppedClock, fleet: None
) -> None:
    answer = client("viewer").get("/api/v1/liveness").json()
    assert answer == {"states": {"online": 1, "asleep": 0, "late": 0, "offline": 1, "unknown": 1}, "blind": None}
    with context.database.transaction() as connection:
        blindness.beat(connection, "one", clock.now(), receiving=True)
    clock.advance(HOUR)
    assert client("viewer").get("/api/v1/liveness").json()["blind"]["reason"] == "no_ingestor"
    (span,) = client("viewer").get("/api/v1/blind-spans").json()["items"]
    assert span["until"] is None


def test_what_a_person_says_of_reporting_is_kept_with_a_revision_and_may_be_read_by_all(
    client: Client, context: ApiContext, clock: SteppedClock, fleet: None
) -> None:
    path = "/api/v1/reporting-plans/model/plug"
    assert client("viewer").put(path, json={"power": "sleepy"}).status_code == 403
    assert client("engineer").put(path, json={"power": "solar"}).status_code == 422
    assert client("engineer").put(path, json={"interval_s": 1}).status_code == 422
    assert client("engineer").put("/api/v1/reporting-plans/home/x", json={}).status_code == 422
    made = client("engineer").put(path, json={"power": "sleepy", "interval_s": 3600})
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"')
    stale = client("engineer").put(path, json={"power": "mains"}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert client("viewer").get(path).json()["interval_s"] == 3600
    watch_liveness(context.store, context.database, clock.now())
    body = client("viewer").get("/api/v1/devices/here").json()["liveness"]
    assert (body["power"], body["power_from"], body["interval_s"]) == ("sleepy", "registry", 3600.0)


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_every_reason_has_a_sentence_in_every_language(language: str) -> None:
    assert set(TEXTS) <= set(SENTENCES[language])
    for key in TEXTS:
        assert "{" not in sentence({"text_key": key, "values": {}}, language)


def test_a_reason_of_a_later_version_is_told_as_it_is() -> None:
    assert sentence({"text_key": "abducted", "text": "It was abducted"}) == "It was abducted"
