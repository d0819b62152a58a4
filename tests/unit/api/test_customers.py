"""Customers over HTTP, and their import from CSV."""

from __future__ import annotations

from typing import Any

import pytest

from api.app import ApiContext
from hearthwatch.records import customers, devices
from tests.unit.api.conftest import Client

HEADER = "customer_id,name,language,email,phone,channels,home_id,address,city,region,timezone,device_id,from,consents"
ANN = "c-1,Ann,zh-CN,ann@example.org,,mailbox://c-1;mailto://ann@example.org,h-1,,Oslo,north,Europe/Oslo,d-1,2026-01-01,service;safety"
IMPORT = "/api/v1/customers/import"


def send(client: Client, *lines: str) -> tuple[int, dict[str, Any]]:
    answer = client("agent").post(IMPORT, content="\n".join(lines).encode(), headers={"Content-Type": "text/csv"})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("line", "where", "message"),
    [
        (",Ann", "row 2, customer_id", "empty"),
        ("c-1,", "row 2, name", "empty"),
        ("c-1,Ann,,,,,h-1,,,,Mars/Olympus", "row 2, timezone", "IANA"),
        ("c-1,Ann,,,,,,Street 1", "row 2, home_id", "needs an id"),
        ("c-1,Ann,,,,,,,,,,<script>", "row 2, device_id", "device id"),
        ("c-1,Ann,,,,,,,,,,d-1,yesterday", "row 2, from", "ISO 8601"),
        ("c-1,Ann,,,,,,,,,,d-1,,spam", "row 2, consents", "purpose"),
        (f"c-1,{'x' * 201}", "row 2, name", "longer"),
    ],
)
def test_a_fault_is_named_by_row_and_column(client: Client, line: str, where: str, message: str) -> None:
    padded = line + "," * (HEADER.count(",") - line.count(","))
    status, answer = send(client, HEADER, padded)
    assert status == 422
    (fault,) = answer["errors"]
    assert fault["where"] == where
    assert message in fault["message"]


@pytest.mark.parametrize(
    "lines",
    [("",), ("name,customer_id,colour",), ("name",), ("name,customer_id,name",), (HEADER, "c-1,Ann"), (HEADER, '"c-1')],
)
def test_a_file_that_is_no_such_table_is_refused(client: Client, lines: tuple[str, ...]) -> None:
    status, answer = send(client, *lines)
    assert status == 422
    assert answer["errors"]


def test_a_file_that_is_not_utf8_is_refused(client: Client) -> None:
    assert client("agent").post(IMPORT, content=b"customer_id,name\nc-1,\xff").status_code == 422


def test_one_bad_row_keeps_all_out(client: Client) -> None:
    status, answer = send(client, HEADER, ANN, ANN.replace("Europe/Oslo", "Nowhere"))
    assert status == 422
    assert [fault["where"] for fault in answer["errors"]] == ["row 3, timezone"]
    assert client("agent").get("/api/v1/customers").json()["items"] == []


def test_an_import_given_twice_changes_nothing_the_second_time(client: Client, context: ApiContext) -> None:
    expected = {"customers": 1, "homes": 1, "devices": 2, "consents": 2, "withdrawn": 0, "erased": 0}
    for _ in range(2):
        assert send(client, "\ufeff" + HEADER, ANN, ANN.replace("d-1", "d-2")) == (200, expected)
    caller = client("agent")
    (ann,) = caller.get("/api/v1/customers?q=ann@").json()["items"]
    assert (ann["id"], ann["channels"]) == ("c-1", ["mailbox://c-1", "mailto://ann@example.org"])
    file = caller.get("/api/v1/customers/c-1").json()
    assert file["devices"] == ["d-1", "d-2"]
    assert [home["timezone"] for home in file["homes"]] == ["Europe/Oslo"]
    assert file["consents"] == {"service": True, "safety": True}
    assert len(caller.get("/api/v1/customers/c-1/consents").json()["history"]) == 2
    with context.database.reading() as connection:
        assert devices.get(connection, "d-1").region == "north"
        assert len(customers.ownerships_of(connection, "d-1")) == 1


def test_a_consent_is_withdrawn(client: Client) -> None:
    send(client, HEADER, ANN)
    caller = client("agent", name="bea")
    answer = caller.post("/api/v1/customers/c-1/consents", json={"purpose": "service", "granted": False})
    assert answer.status_code == 201
    assert answer.json()["current"] == {"service": False, "safety": True}
    last = answer.json()["history"][-1]
    assert (last["source"], last["by"], last["channel"]) == ("agent", "token:bea", None)
    assert (
        caller.post("/api/v1/customers/c-9/consents", json={"purpose": "service", "granted": True}).status_code == 404
    )
    assert caller.post("/api/v1/customers/c-1/consents", json={"purpose": "spam", "granted": True}).status_code == 422


def test_a_customer_is_put_and_not_overwritten_unseen(client: Client) -> None:
    caller = client("agent")
    body = {"name": "Ann", "channels": ["mailbox://c-1"]}
    made = caller.put("/api/v1/customers/c-1", json=body)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    changed = caller.put("/api/v1/customers/c-1", json={**body, "name": "Bea"}, headers={"If-Match": '"1"'})
    assert changed.json()["name"] == "Bea"
    assert caller.put("/api/v1/customers/c-1", json=body, headers={"If-Match": '"1"'}).status_code == 412
    assert caller.put("/api/v1/customers/c-2", json=body, headers={"If-Match": '"1"'}).status_code == 412
    assert caller.get("/api/v1/customers/c-2").status_code == 404


def test_technicians_and_spare_parts_are_kept(client: Client) -> None:
    caller = client("agent")
    made = caller.put("/api/v1/technicians/t-1", json={"name": "Tom", "skills": ["battery"], "regions": ["north"]})
    assert (made.status_code, made.json()["capacity"]) == (200, 8)
    assert caller.put("/api/v1/technicians/t-1", json={"name": "Tim"}, headers={"If-Match": '"9"'}).status_code == 412
    assert [one["id"] for one in caller.get("/api/v1/technicians").json()["items"]] == ["t-1"]
    assert caller.get("/api/v1/technicians/t-1").headers["etag"] == '"1"'
    assert caller.put("/api/v1/spare-parts/p-1", json={"name": "Cell", "stock": -1}).status_code == 422
    assert caller.put("/api/v1/spare-parts/p-1", json={"name": "Cell", "stock": 4}).json()["stock"] == 4
    assert caller.get("/api/v1/spare-parts/p-1").json()["name"] == "Cell"
    assert len(caller.get("/api/v1/spare-parts").json()["items"]) == 1
