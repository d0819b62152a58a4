"""Product models and warranties over HTTP, and warranties in the customers' file."""

from __future__ import annotations

from typing import Any

import pytest

from api.app import ApiContext
from hearthwatch.records import devices, models
from tests.unit.api.conftest import Client

LOCK = "/api/v1/device-models/LOCK/2"
WARRANTY = "/api/v1/devices/d-1/warranty"


def put(client: Client, path: str, body: dict[str, Any], role: str = "engineer", **headers: str) -> Any:
    return client(role).put(path, json=body, headers=headers)


@pytest.fixture
def device(context: ApiContext) -> None:
    with context.database.transaction() as connection:
        models.put(connection, "LOCK/2", warranty_months=24)
        devices.register(
            connection, [{"id": "d-1", "model": "LOCK/2", "installed_at": context.clock.now().replace(year=2025)}]
        )


def test_a_model_nobody_registered_is_missing(client: Client) -> None:
    assert client("viewer").get(LOCK).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"safety_class": "dangerous"}, {"warranty_months": -1}, {"name": ""}, {"colour": "red"}],
)
def test_a_model_takes_no_nonsense(client: Client, body: dict[str, Any]) -> None:
    assert put(client, LOCK, body).status_code == 422


def test_only_engineers_say_what_a_model_is(client: Client) -> None:
    assert put(client, LOCK, {"name": "Lock"}, role="viewer").status_code == 403


def test_a_model_keeps_what_is_not_said_again_and_gives_back_what_is_null(client: Client) -> None:
    first = put(client, LOCK, {"name": "Lock", "safety_class": "injury", "warranty_months": 36}).json()
    assert (first["id"], first["name"], first["safety_class"], first["warranty_months"]) == (
        "LOCK/2",
        "Lock",
        "injury",
        36,
    )
    second = put(client, LOCK, {"device_class": "lock", "warranty_months": None}).json()
    assert (second["name"], second["device_class"], second["safety_class"]) == ("Lock", "lock", "injury")
    assert second["warranty_months"] is None
    assert [one["id"] for one in client("viewer").get("/api/v1/device-models").json()["items"]] == ["LOCK/2"]


def test_a_model_that_changed_meanwhile_is_not_overwritten(client: Client) -> None:
    tag = put(client, LOCK, {"name": "Lock"}).headers["ETag"]
    assert put(client, LOCK, {"name": "Bolt"}, **{"If-Match": tag}).status_code == 200
    assert put(client, LOCK, {"name": "Late"}, **{"If-Match": tag}).status_code == 412
    assert client("viewer").get(LOCK).json()["name"] == "Bolt"


def test_a_warranty_of_an_unknown_device_is_missing(client: Client) -> None:
    assert client("viewer").get(WARRANTY).status_code == 404
    assert put(client, WARRANTY, {"until": "2027-01-01T00:00:00Z"}, role="agent").status_code == 404


def test_a_warranty_counts_from_installation_then_purchase_then_as_told(client: Client, device: None) -> None:
    assert client("viewer").get(WARRANTY).json()["basis"] == "installation"
    bought = put(client, WARRANTY, {"purchased_at": "2024-01-31T00:00:00Z"}, role="agent").json()
    assert (bought["basis"], bought["until"]) == ("purchase", "2026-01-31T00:00:00Z")
    told = put(client, WARRANTY, {"until": "2036-01-01T00:00:00Z"}, role="agent").json()
    assert (told["basis"], told["covers"], told["purchased_at"]) == ("told", True, None)
    assert put(client, WARRANTY, {}, role="agent").json()["basis"] == "installation"


def test_the_customers_file_tells_warranties(client: Client, device: None) -> None:
    lines = ["customer_id,name,device_id,warranty_until,purchased", "c-1,Ann,d-1,2024-06-01,2022-06-01"]
    headers = {"Content-Type": "text/csv"}
    answer = client("agent").post("/api/v1/customers/import", content="\n".join(lines).encode(), headers=headers)
    assert answer.status_code == 200
    known = client("viewer").get(WARRANTY).json()
    assert (known["until"], known["purchased_at"], known["covers"]) == (
        "2024-06-01T00:00:00Z",
        "2022-06-01T00:00:00Z",
        False,
    )


@pytest.mark.parametrize(
    ("cells", "where"), [("c-1,Ann,d-1,soon,", "row 2, warranty_until"), ("c-1,Ann,,,2026-01-01", "row 2, purchased")]
)
def test_a_wrong_warranty_in_the_file_is_named(client: Client, cells: str, where: str) -> None:
    text = f"customer_id,name,device_id,warranty_until,purchased\n{cells}"
    answer = client("agent").post(
        "/api/v1/customers/import", content=text.encode(), headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["errors"]] == [where]
