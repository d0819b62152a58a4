"""Ids that are one device, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.context import ApiContext
from hearthwatch.records import aliases, audit, devices
from hearthwatch.telemetry import open_store
from hearthwatch.values import Event, Reading
from tests.unit.api.conftest import Client


@pytest.fixture
def two(context: ApiContext) -> ApiContext:
    """A device that was seen under two ids."""
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": "lamp-1", "model": "Lamp 3"}, {"id": "plug-7", "region": "north"}])
    return context


def test_an_engineer_joins_two_ids_and_a_viewer_sees_it(two: ApiContext, client: Client) -> None:
    assert client("viewer").put("/api/v1/devices/lamp-1/aliases/plug-7").status_code == 403

    joined = client("engineer", name="ann").put("/api/v1/devices/lamp-1/aliases/plug-7")

    assert joined.status_code == 200
    assert (joined.json()["state"], joined.json()["actor"]) == ("joined", "token:ann")
    shown = client("viewer").get("/api/v1/devices/plug-7/aliases").json()["items"]
    assert [(one["alias"], one["device"]) for one in shown] == [("plug-7", "lamp-1")]
    with two.database.reading() as connection:
        assert devices.get(connection, "lamp-1").region == "north"
        assert [entry.action for entry in audit.list_entries(connection)] == ["device.join"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/aliases/plug-7", 404),
        ("lamp-1/aliases/lamp-1", 422),
        ("lamp-1/aliases/plug%207", 422),
    ],
)
def test_a_join_that_cannot_be_is_refused(two: ApiContext, client: Client, path: str, status: int) -> None:
    assert client("engineer").put(f"/api/v1/devices/{path}").status_code == status


def test_an_id_is_no_alias_of_two_devices(two: ApiContext, client: Client) -> None:
    engineer = client("engineer")
    with two.database.transaction() as connection:
        devices.register(connection, [{"id": "lamp-2"}])
    assert engineer.put("/api/v1/devices/lamp-1/aliases/plug-7").status_code == 200

    assert engineer.put("/api/v1/devices/lamp-2/aliases/plug-7").status_code == 409


def test_proposals_are_listed_page_by_page_and_decided(two: ApiContext, client: Client) -> None:
    with two.database.transaction() as connection:
        for number in range(5):
            aliases.propose(
                connection,
                f"d-{number}",
                "lamp-1",
                two.clock.now(),
                convention="native",
                evidence={"mac": "a4cf12d4e5f6"},
            )
    engineer = client("engineer")

    first = engineer.get("/api/v1/aliases", params={"state": "proposed", "limit": 3}).json()
    rest = engineer.get("/api/v1/aliases", params={"state": "proposed", "limit": 3, "cursor": first["next"]}).json()

    assert [one["alias"] for one in (*first["items"], *rest["items"])] == [f"d-{number}" for number in range(5)]
    assert engineer.delete("/api/v1/devices/lamp-1/aliases/d-0").json()["state"] == "separate"
    assert len(engineer.get("/api/v1/aliases", params={"state": "proposed"}).json()["items"]) == 4


def test_what_was_stored_under_the_other_id_is_shown_with_the_device(two: ApiContext, client: Client) -> None:
    now = two.clock.now()
    store = open_store("duckdb://")
    object.__setattr__(two, "store", store)
    store.write(
        [
            Reading("plug-7", "tasmota/STATE", now - timedelta(hours=3), {"power_w": 3.0, "voltage_v": 230.0}),
            Reading("lamp-1", "native", now - timedelta(hours=2), {"power_w": 5.0}),
            Event("plug-7", "tasmota/INFO3", now - timedelta(hours=3), "reboot", "watchdog"),
        ]
    )
    client("engineer").put("/api/v1/devices/lamp-1/aliases/plug-7")
    viewer = client("viewer")

    window = viewer.get("/api/v1/devices/lamp-1/window", params={"metric": "power_w"}).json()["items"]
    latest = viewer.get("/api/v1/devices/lamp-1/latest").json()["items"]
    events = viewer.get("/api/v1/devices/lamp-1/events").json()["items"]
    store.close()

    assert [one["value"] for one in window] == [3.0, 5.0]
    assert {one["metric"]: one["value"] for one in latest} == {"power_w": 5.0, "voltage_v": 230.0}
    assert [(one["device"], one["code"]) for one in events] == [("plug-7", "watchdog")]
