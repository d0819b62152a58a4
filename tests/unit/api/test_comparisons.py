"""Standing comparisons, and the attributes of devices they go by, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.context import ApiContext
from hearthwatch.clock import SteppedClock
from hearthwatch.records import attributes, audit, comparison_looks, devices
from hearthwatch.records.comparison_looks import ComparisonLook
from tests.records_rows import look_figures
from tests.unit.api.conftest import Client

ASK: dict[str, Any] = {"model": "Lamp 3", "by": "batch", "treatment": "B7"}


@pytest.fixture
def lamps(context: ApiContext) -> ApiContext:
    """Three lamps, two of them of batch B7."""
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": f"lamp-{n}", "model": "Lamp 3", "region": "north"} for n in (1, 2, 3)])
        told = [("lamp-1", "batch", "B7"), ("lamp-2", "batch", "B7"), ("lamp-3", "batch", "B8")]
        attributes.tell(connection, told, context.clock.now())
    return context


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"by": "firmware"}, "by"),
        ({"by": "<script>"}, "script"),
        ({"metric": "happiness"}, "metric"),
        ({"control": ["B7"]}, "control"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"model": ""}, "model"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_question_without_an_answer_is_refused_by_name(
    lamps: ApiContext, client: Client, changes: dict[str, Any], where: str
) -> None:
    answer = client("engineer").post("/api/v1/comparisons", json=ASK | changes)

    assert answer.status_code == 422
    assert where in answer.text


def test_a_viewer_may_look_but_not_ask(lamps: ApiContext, client: Client) -> None:
    assert client("viewer").post("/api/v1/comparisons", json=ASK).status_code == 403
    assert client("viewer").get("/api/v1/comparisons").json() == {"items": [], "next": None}
    assert client("viewer").get("/api/v1/comparisons/7").status_code == 404
    assert client("viewer").get("/api/v1/comparisons/7/looks").status_code == 404


def test_an_engineer_asks_once_looks_and_ends_it(lamps: ApiContext, client: Client) -> None:
    engineer = client("engineer", name="ann")
    asked = engineer.post("/api/v1/comparisons", json=ASK, headers={"Idempotency-Key": "k"})
    assert asked.status_code == 201
    made = asked.json()
    assert (made["control"], made["ended_at"], made["created_by"]) == ([], None, "token:ann")
    assert engineer.post("/api/v1/comparisons", json=ASK, headers={"Idempotency-Key": "k"}).json() == made
    assert engineer.post("/api/v1/comparisons", json=ASK).status_code == 409

    with lamps.database.transaction() as connection:
        look = ComparisonLook(
            comparison_id=made["id"],
            **look_figures("sync_failures", lamps.clock.now(), "too_early", "w", devices=(2, 1)),
        )
        comparison_looks.append(connection, [look])
    path = f"/api/v1/comparisons/{made['id']}"
    assert [one["metric"] for one in engineer.get(f"{path}/looks").json()["items"]] == ["sync_failures"]
    assert engineer.get(f"{path}/looks?metric=other").json()["items"] == []
    table = engineer.get(f"{path}/looks.csv").text.splitlines()
    assert table[0].startswith("comparison_id,metric,at,verdict")
    assert len(table) == 2

    assert engineer.post(f"{path}/end", headers={"If-Match": '"9"'}).status_code == 412
    ended = engineer.post(f"{path}/end", headers={"If-Match": engineer.get(path).headers["ETag"]})
    assert ended.status_code == 200
    assert ended.json()["ended_at"] is not None
    assert engineer.post(f"{path}/end").status_code == 409
    assert engineer.get("/api/v1/comparisons?ended=false").json()["items"] == []
    with lamps.database.reading() as connection:
        assert [one.action for one in audit.list_entries(connection)][::-1] == ["comparison.create", "comparison.end"]


def test_comparisons_come_page_by_page(lamps: ApiContext, client: Client) -> None:
    engineer = client("engineer")
    for value in ("B1", "B2", "B3"):
        assert engineer.post("/api/v1/comparisons", json=ASK | {"treatment": value}).status_code == 201
    first = engineer.get("/api/v1/comparisons?limit=2&model=Lamp%203").json()
    assert [one["treatment"] for one in first["items"]] == ["B3", "B2"]
    rest = engineer.get(f"/api/v1/comparisons?limit=2&cursor={first['next']}").json()
    assert [one["treatment"] for one in rest["items"]] == ["B1"]


@pytest.mark.parametrize(
    ("by", "values"),
    [("batch", [("B7", 2), ("B8", 1)]), ("region", [("north", 3)]), ("hardware", []), ("made", []), ("part:fan", [])],
)
def test_the_values_that_can_be_compared_are_told(
    lamps: ApiContext, client: Client, by: str, values: list[tuple[str, int]]
) -> None:
    answer = client("viewer").get("/api/v1/comparisons/values", params={"model": "Lamp 3", "by": by})

    assert [(one["value"], one["devices"]) for one in answer.json()["items"]] == values


def test_attributes_of_a_device_are_told_and_kept_with_their_time(
    lamps: ApiContext, client: Client, clock: SteppedClock
) -> None:
    engineer, path = client("engineer"), "/api/v1/devices/lamp-1/attributes"
    assert client("viewer").patch(path, json={"batch": "B9"}).status_code == 403
    assert engineer.patch("/api/v1/devices/nobody/attributes", json={"batch": "B9"}).status_code == 404
    assert engineer.patch(path, json={"serial": "1"}).status_code == 422
    assert engineer.patch(path, json={"batch": ""}).status_code == 422

    clock.advance(timedelta(hours=1))
    assert engineer.patch(path, json={"supplier": "ACME", "batch": "B9"}).status_code == 200
    assert engineer.patch("/api/v1/devices/lamp-1", json={"region": "south"}).status_code == 200

    kept = client("viewer").get(path).json()["items"]
    assert [(one["name"], one["value"], one["to_at"] is None) for one in kept] == [
        ("batch", "B7", False),
        ("batch", "B9", True),
        ("region", "north", False),
        ("region", "south", True),
        ("supplier", "ACME", True),
    ]


def test_a_file_of_customers_may_tell_the_batch_of_their_devices(lamps: ApiContext, client: Client) -> None:
    agent = client("agent")
    wrong = agent.post("/api/v1/customers/import", content="customer_id,name,attribute:model\nc,C,x\n")
    assert wrong.status_code == 422
    lost = agent.post("/api/v1/customers/import", content="customer_id,name,attribute:batch\nc,C,B1\n")
    assert "device_id" in lost.text

    file = "customer_id,name,device_id,attribute:batch\nc-1,Ada,lamp-9,B9\nc-2,Bo,lamp-8,\n"
    assert agent.post("/api/v1/customers/import", content=file).status_code == 200
    with lamps.database.reading() as connection:
        assert attributes.present(connection, ["lamp-8", "lamp-9"]) == {"lamp-9": {"batch": "B9"}}
