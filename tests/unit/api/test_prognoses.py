"""What the API says of a device's parts, and of the device as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.context import ApiContext
from hearthwatch.records import devices, prognoses
from hearthwatch.records.prognoses import Prognosis
from tests.unit.api.conftest import Client

AT = datetime(2026, 6, 1, 2, tzinfo=UTC)
RELAY = Prognosis(
    "d-1",
    "relay",
    AT,
    4,
    0.05,
    0.2,
    0.5,
    None,
    [{"text_key": "high", "text": "Its contact resistance is high"}],
    method="hazard",
    rul_method="wear",
    rul_p10=20.0,
    rul_p50=60.0,
    rul_p90=150.0,
    rul_cap=150.0,
)
MOTOR = Prognosis("d-1", "motor", AT, None, 0.01, 0.04, None, None, [], method="survival", clock="lock_cycles")
RADIO = Prognosis("d-1", "radio", AT, None, None, None, None, "too few failures to learn from", [], method="survival")


@pytest.fixture(autouse=True)
def known(context: ApiContext) -> None:
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": "d-1", "model": "M"}, {"id": "d-2", "model": "M"}])


def say(context: ApiContext, rows: Sequence[Prognosis]) -> None:
    with context.database.transaction() as connection:
        prognoses.put(connection, rows)


def test_of_a_device_that_nobody_knows_nothing_is_said(client: Client) -> None:
    assert client("viewer").get("/api/v1/devices/nobody/prognoses").status_code == 404


def test_without_prognoses_there_is_no_probable_part(client: Client) -> None:
    assert client("viewer").get("/api/v1/devices/d-1/prognoses").json() == {"items": [], "next": None, "device": None}


def test_where_every_part_abstains_there_is_no_probable_part(client: Client, context: ApiContext) -> None:
    say(context, [RADIO])
    answer = client("viewer").get("/api/v1/devices/d-1/prognoses").json()
    assert answer["device"] is None
    assert answer["items"][0]["abstained"] == "too few failures to learn from"


def test_each_part_says_by_which_method_and_clock_and_how_long_it_lasts(client: Client, context: ApiContext) -> None:
    say(context, [RELAY, MOTOR, RADIO])
    by_part = {row["part"]: row for row in client("viewer").get("/api/v1/devices/d-1/prognoses").json()["items"]}
    assert (by_part["relay"]["method"], by_part["motor"]["method"]) == ("hazard", "survival")
    assert by_part["motor"]["clock"] == "lock_cycles"
    assert [by_part["relay"][f"rul_{name}"] for name in ("p10", "p50", "p90", "cap")] == [20.0, 60.0, 150.0, 150.0]
    assert by_part["motor"]["rul_p50"] is None


def test_the_device_fails_by_any_part_and_the_likeliest_first_is_the_probable_one(
    client: Client, context: ApiContext
) -> None:
    say(context, [RELAY, MOTOR, RADIO])
    device = client("viewer").get("/api/v1/devices/d-1/prognoses").json()["device"]
    assert device["probable_part"] == "relay"
    assert device["p30"] == pytest.approx(1 - 0.8 * 0.96, abs=1e-6)
    assert sum(one["p30"] for one in device["first"]) == pytest.approx(device["p30"], abs=2e-6)
    assert device["p90"] is None  # of the motor nothing is known so far ahead
    assert device["unsaid"] == ["radio"]


def test_a_part_that_was_told_of_earlier_and_not_since_is_gone(client: Client, context: ApiContext) -> None:
    say(context, [replace(RELAY, at=AT - timedelta(days=1)), MOTOR])
    items = client("viewer").get("/api/v1/devices/d-1/prognoses").json()["items"]
    assert [row["part"] for row in items] == ["motor"]


def test_the_riskiest_come_first_with_their_method(client: Client, context: ApiContext) -> None:
    say(context, [replace(MOTOR, device_id="d-2"), RELAY, RADIO])
    items = client("viewer").get("/api/v1/prognoses").json()["items"]
    assert [(row["device_id"], row["method"]) for row in items] == [("d-1", "hazard"), ("d-2", "survival")]


def test_a_device_that_has_gone_is_no_longer_among_the_riskiest(client: Client, context: ApiContext) -> None:
    say(context, [RELAY, replace(RELAY, device_id="d-2", at=context.clock.now() - timedelta(days=30))])
    items = client("viewer").get("/api/v1/prognoses").json()["items"]
    assert [row["device_id"] for row in items] == ["d-1"]


def test_every_field_is_described(client: Client) -> None:
    schemas = client("viewer").get("/api/v1/openapi.json").json()["components"]["schemas"]
    told = schemas["PartPrognosis"]["properties"]
    assert [name for name, one in told.items() if name != "device_id" and not one.get("description")] == []
    assert {"probable_part", "first", "unsaid"} <= schemas["WholeDevice"]["properties"].keys()


def test_who_waits_for_the_weeks_budget_can_be_asked(client: Client, context: ApiContext) -> None:
    waiting = {"by": "costs", "state": "waiting", "threshold": 0.08, "net_benefit": 12.5, "currency": "EUR"}
    say(context, [replace(RELAY, decision=waiting, at=context.clock.now()), replace(MOTOR, at=context.clock.now())])
    caller = client("viewer")
    (item,) = caller.get("/api/v1/prognoses", params={"state": "waiting"}).json()["items"]
    assert (item["part"], item["decision"]["net_benefit"]) == ("relay", 12.5)
    assert caller.get("/api/v1/prognoses", params={"state": "flagged"}).json()["items"] == []
    assert caller.get("/api/v1/prognoses", params={"state": "forgotten"}).status_code == 422
