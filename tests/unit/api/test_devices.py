"""Devices over HTTP: hostile names, pages, entity tags, what the stores know of one device."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from api.app import ApiContext
from api.csv_tables import defused
from hearthwatch.records import devices, vitals
from hearthwatch.records.devices import Sighting
from hearthwatch.records.vitals import VitalsRow
from hearthwatch.values import Event, Presence, Reading
from tests.unit.api.conftest import Client

HOUR = timedelta(hours=1)


@pytest.fixture
def fleet(context: ApiContext) -> list[str]:
    """Seven devices of two models, one of them with a name that a page or a spreadsheet could trip over."""
    ids = [f"d-{number}" for number in range(7)]
    now = context.clock.now()
    with context.database.transaction() as connection:
        devices.register(
            connection,
            [{"id": one, "model": "HW-LOCK" if one != "d-6" else "<img src=x onerror=alert(1)>"} for one in ids]
            + [{"id": "d-0", "serial": '=HYPERLINK("http://evil")'}],
        )
        devices.see(connection, [Sighting(one, now, "1.0.0", online=True) for one in ids])
    return ids


def test_a_device_that_does_not_exist_is_a_problem_document(client: Client) -> None:
    answer = client("viewer").get("/api/v1/devices/nobody")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:hearthwatch:error:missing",
        "title": "Not Found",
        "status": 404,
        "detail": "no such device",
        "where": "nobody",
    }


@pytest.mark.parametrize("cursor", ["%%%", "ZZZ", "x" * 399, "\u00e9"])
def test_a_cursor_that_is_none_of_ours_is_malformed(client: Client, cursor: str) -> None:
    for path in ("/api/v1/devices", "/api/v1/findings"):
        answer = client("viewer").get(path, params={"cursor": cursor})
        assert answer.status_code in {200, 422}, answer.text
        assert answer.status_code == 422 or path.endswith("devices")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "online=perhaps"])
def test_a_malformed_query_names_what_is_wrong(client: Client, query: str) -> None:
    answer = client("viewer").get(f"/api/v1/devices?{query}")
    assert answer.status_code == 422
    assert answer.json()["where"] == f"query.{query.partition('=')[0]}"


def test_pages_neither_repeat_nor_skip(client: Client, fleet: list[str]) -> None:
    caller, cursor = client("viewer"), None
    seen: list[str] = []
    for _ in range(10):
        answer = caller.get("/api/v1/devices", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen.extend(item["id"] for item in answer["items"])
        cursor = answer["next"]
        if cursor is None:
            break
    assert seen == fleet


def test_devices_are_filtered(client: Client, fleet: list[str]) -> None:
    caller = client("viewer")
    for query, count in (
        ("model=HW-LOCK", 6),
        ("version=v1.0.0", 7),
        ("q=%3Cimg", 1),
        ("online=false", 0),
        ("test=true", 0),
    ):
        assert len(caller.get(f"/api/v1/devices?{query}").json()["items"]) == count, query


def test_a_hostile_name_comes_out_as_data(client: Client, fleet: list[str]) -> None:
    answer = client("viewer").get("/api/v1/devices/d-6")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["model"] == "<img src=x onerror=alert(1)>"


def test_a_formula_in_a_cell_is_defused(client: Client, fleet: list[str]) -> None:
    answer = client("viewer").get("/api/v1/devices.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["serial"] == '\'=HYPERLINK("http://evil")'
    assert rows[1]["id"] == "d-1"
    assert len(rows) == 7


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1"])
def test_a_text_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert defused(text) == "'" + text


@pytest.mark.parametrize("text", ["", "d-1", "a=b", "1"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


def test_a_change_of_what_was_changed_meanwhile_is_refused(client: Client, fleet: list[str]) -> None:
    caller = client("engineer")
    tag = caller.get("/api/v1/devices/d-1").headers["etag"]
    first = caller.patch("/api/v1/devices/d-1", json={"region": "north"}, headers={"If-Match": tag})
    assert (first.status_code, first.json()["region"]) == (200, "north")
    assert first.headers["etag"] != tag
    second = caller.patch("/api/v1/devices/d-1", json={"region": "south"}, headers={"If-Match": tag})
    assert second.status_code == 412
    assert second.json()["type"] == "urn:hearthwatch:error:stale"
    for other, status in (("*", 200), (first.headers["etag"], 412), ('"x"', 412), ("7", 412)):
        assert (
            caller.patch("/api/v1/devices/d-1", json={"region": "east"}, headers={"If-Match": other}).status_code
            == status
        )


@pytest.mark.parametrize("body", [{"online": True}, {"made": "2026-05-01"}, {"made": "2026-05-01T00:00:00"}, []])
def test_what_may_not_be_changed_is_refused(client: Client, fleet: list[str], body: object) -> None:
    assert client("engineer").patch("/api/v1/devices/d-1", json=body).status_code == 422


def test_a_field_that_is_left_out_stays(client: Client, fleet: list[str]) -> None:
    caller = client("engineer")
    caller.patch("/api/v1/devices/d-1", json={"region": "north", "serial": "S"})
    changed = caller.patch("/api/v1/devices/d-1", json={"serial": None, "test": True}).json()
    assert (changed["region"], changed["serial"], changed["test"], changed["model"]) == ("north", None, True, "HW-LOCK")


def test_the_stores_tell_what_a_device_did(client: Client, context: ApiContext, fleet: list[str]) -> None:
    now = context.clock.now()
    context.store.write(
        [
            Reading("d-1", "native", now - HOUR, {"rssi_dbm": -61.0, "battery_v": 3.1}, "1.0.0"),
            Reading("d-1", "native", now - 30 * HOUR, {"rssi_dbm": -62.0}, "1.0.0"),
            Event("d-1", "native", now - HOUR, "reboot", "watchdog", {"n": 1}, "1.0.0"),
            Event("d-1", "native", now - HOUR, "update", "installed"),
            Presence("d-1", "native", now - HOUR, online=True),
        ]
    )
    caller = client("viewer")
    day = caller.get("/api/v1/devices/d-1/window").json()
    assert {(one["metric"], one["value"]) for one in day["items"]} == {("rssi_dbm", -61.0), ("battery_v", 3.1)}
    assert day["truncated"] is False
    since = (now - 48 * HOUR).isoformat()
    longer = caller.get("/api/v1/devices/d-1/window", params={"since": since, "metric": "rssi_dbm"}).json()
    assert [one["value"] for one in longer["items"]] == [-62.0, -61.0]
    assert {one["metric"] for one in caller.get("/api/v1/devices/d-1/latest").json()["items"]} == {
        "rssi_dbm",
        "battery_v",
    }
    reboots = caller.get("/api/v1/devices/d-1/events?kind=reboot").json()["items"]
    assert [(one["kind"], one["code"]) for one in reboots] == [("reboot", "watchdog")]
    assert [one["online"] for one in caller.get("/api/v1/devices/d-1/presence").json()["items"]] == [True]
    for nothing in ("prognoses", "findings", "parts", "owners"):
        assert caller.get(f"/api/v1/devices/d-1/{nothing}").json()["items"] == []


@pytest.mark.parametrize("what", ["window", "latest", "events", "presence", "prognoses", "findings", "parts", "owners"])
def test_nothing_is_told_of_a_device_that_does_not_exist(client: Client, what: str) -> None:
    assert client("viewer").get(f"/api/v1/devices/nobody/{what}").status_code == 404


@pytest.mark.parametrize(
    "span",
    [
        {"since": "2026-05-01T00:00:00"},
        {"since": "2030-01-01T00:00:00Z"},
        {"since": "1970-01-01T00:00:00Z"},
        {"until": "soon"},
    ],
)
def test_a_span_that_makes_no_sense_is_malformed(client: Client, fleet: list[str], span: dict[str, str]) -> None:
    assert client("viewer").get("/api/v1/devices/d-1/window", params=span).status_code == 422


def test_groups_count_the_fleet_and_add_up_its_vitals(client: Client, context: ApiContext, fleet: list[str]) -> None:
    now = context.clock.now()
    with context.database.transaction() as connection:
        days = [now - timedelta(days=days) for days in (1, 2, 9)]
        vitals.put(
            connection,
            [VitalsRow(day, "HW-LOCK", "unknown", "1.0.0", 6, {"hours": 144.0, "crashes": 1}) for day in days],
        )
    groups = client("viewer").get("/api/v1/groups").json()["items"]
    assert [(one["model"], one["devices"], one["online"]) for one in groups] == [
        ("<img src=x onerror=alert(1)>", 1, 1),
        ("HW-LOCK", 6, 6),
    ]
    assert [one["vitals"] for one in groups] == [{}, {"hours": 288.0, "crashes": 2.0}]
    daily = client("viewer").get("/api/v1/vitals?model=HW-LOCK").json()["items"]
    assert [one["sums"]["hours"] for one in daily] == [144.0, 144.0]
    assert [one["id"] for one in client("viewer").get("/api/v1/device-models").json()["items"]][-1] == "HW-LOCK"
