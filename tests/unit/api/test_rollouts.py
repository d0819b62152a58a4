"""Roll-outs over HTTP: who may plan and steer them, what is refused, and how they are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response

from alerts.rollouts.announce import Announcing
from analytics.rollouts.gate import keep_gate
from api.app import ApiContext
from hearthwatch.records import audit, devices, releases
from hearthwatch.settings import Settings
from hearthwatch.values import Release
from tests.unit.api.conftest import Client

PATH = "/api/v1/rollouts"
WAVES = [{"share": 0.25}, {"share": 1.0, "min_hours": 1, "min_successes": 5, "success_share": 0.5}]


@pytest.fixture(autouse=True)
def release(context: ApiContext) -> Release:
    """A release of a model with sixty devices."""
    with context.database.transaction() as connection:
        rows = [{"id": f"d{n:02d}", "model": "lock", "hardware": "AB"[n % 2], "region": "north"} for n in range(60)]
        devices.register(connection, [*rows, {"id": "trial", "model": "lock", "test": True}])
        return releases.create(connection, model="lock", version="2.0", released_at=context.clock.now())


def plan(client: Client, role: str = "engineer", **changes: Any) -> Response:
    body = {"release_id": 1, "waves": WAVES, "salt": "s", **changes}
    answer: Response = client(role).post(PATH, json=body)
    return answer


def look(context: ApiContext) -> None:
    """The gate's job, an hour later."""
    from datetime import timedelta

    now = context.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    keep_gate(context.store, context.database, now, announce=Announcing())


@pytest.mark.parametrize("role", ["viewer", "agent", "technician"])
def test_only_engineers_plan_and_steer(client: Client, role: str) -> None:
    assert plan(client, role).status_code == 403
    made = plan(client).json()
    steered = client(role).patch(f"{PATH}/{made['id']}", json={"action": "stop", "reason": "x"})
    assert steered.status_code == 403
    put_off = client(role).post(f"{PATH}/{made['id']}/deferrals", json={"devices": ["d01"]})
    assert put_off.status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"waves": []},
        {"waves": [{"share": 0.5}, {"share": 0.2}]},
        {"waves": [{"share": 1.5}]},
        {"waves": [{"share": 0.5, "success_share": 1.0}]},
        {"strata": ["serial"]},
        {"healthy_hours": 0},
        {"alpha": 0.9},
        {"salt": "ä"},
        {"service_id": "6"},
        {"surprise": 1},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_and_nothing_is_written(client: Client, changes: dict[str, Any]) -> None:
    answer = plan(client, **changes)
    assert answer.status_code == 422, answer.text
    assert client("viewer").get(PATH).json()["items"] == []


def test_a_release_that_does_not_exist_has_no_roll_out(client: Client) -> None:
    assert plan(client, release_id=99).status_code == 404
    assert client("viewer").get(f"{PATH}/99").status_code == 404
    assert client("viewer").get(f"{PATH}/99/decisions").status_code == 404
    assert client("viewer").get(f"{PATH}/99/assignment").status_code == 404


def test_a_second_roll_out_of_a_release_is_a_conflict_but_the_same_request_again_is_one(client: Client) -> None:
    engineer, body = client("engineer"), {"release_id": 1, "waves": WAVES}
    first = engineer.post(PATH, json=body, headers={"Idempotency-Key": "once"})
    again = engineer.post(PATH, json=body, headers={"Idempotency-Key": "once"})
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert plan(client).status_code == 409


def test_a_plan_tells_how_many_devices_each_wave_needs_to_show_anything(client: Client) -> None:
    made = plan(client).json()
    first, last = made["waves"]
    assert (made["status"], made["open_wave"], made["claim"], made["service"]) == ("planned", 0, "open", "none")
    assert first["devices"] + last["devices"] == 60
    assert first["needed"] == 53 > first["devices"]
    assert last["needed"] == 7


def test_every_device_has_its_wave_for_systems_that_deploy_themselves(client: Client) -> None:
    made, viewer = plan(client).json(), client("viewer")
    rows, cursor = [], None
    while True:
        page = viewer.get(
            f"{PATH}/{made['id']}/assignment", params={"limit": 25, "cursor": cursor} if cursor else {"limit": 25}
        ).json()
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [one["device"] for one in rows] == [f"d{n:02d}" for n in range(60)]
    assert {one["stratum"] for one in rows} == {"A / north", "B / north"}
    assert not any(one["open"] for one in rows)
    only_first = viewer.get(f"{PATH}/{made['id']}/assignment", params={"wave": 1}).json()["items"]
    assert only_first == [one for one in rows if one["wave"] == 1]


def test_once_the_gate_has_opened_a_wave_its_devices_are_open_until_somebody_pauses(
    client: Client, context: ApiContext
) -> None:
    made = plan(client).json()
    look(context)
    viewer = client("viewer")

    def opened() -> set[int]:
        rows = viewer.get(f"{PATH}/{made['id']}/assignment").json()["items"]
        return {one["wave"] for one in rows if one["open"]}

    assert opened() == {1}
    client("engineer").patch(f"{PATH}/{made['id']}", json={"action": "pause", "reason": "support is busy"})
    assert opened() == set()


def test_steering_takes_a_reason_and_the_latest_revision(client: Client, context: ApiContext) -> None:
    made, engineer = plan(client).json(), client("engineer")
    look(context)
    path = f"{PATH}/{made['id']}"
    assert engineer.patch(path, json={"action": "stop"}).status_code == 422
    assert engineer.patch(path, json={"action": "stop", "reason": "  "}).status_code == 422
    assert engineer.patch(path, json={"action": "explode", "reason": "x"}).status_code == 422
    old = engineer.patch(path, json={"action": "stop", "reason": "x"}, headers={"If-Match": '"1"'})
    assert old.status_code == 412
    tag = engineer.get(path).headers["ETag"]
    stopped = engineer.patch(path, json={"action": "stop", "reason": "dead locks"}, headers={"If-Match": tag})
    assert (stopped.status_code, stopped.json()["status"]) == (200, "stopped")
    assert stopped.headers["ETag"] != tag
    assert engineer.patch(path, json={"action": "pause", "reason": "x"}).status_code == 409
    ledger = client("viewer").get(f"{path}/decisions").json()["items"]
    assert [(one["decision"], one["code"], one["by"]) for one in ledger] == [
        ("stop", "stopped", "token:engineer"),
        ("continue", "started", "gate"),
    ]
    with context.database.reading() as connection:
        noted = audit.list_entries(connection, about=f"rollout:{made['id']}")
    assert [one.action for one in noted] == ["rollout.stop", "rollout.plan"]


def test_a_roll_out_may_wait_for_a_person(client: Client, context: ApiContext) -> None:
    made = plan(client, start=False).json()
    look(context)
    path = f"{PATH}/{made['id']}"
    assert client("viewer").get(path).json()["status"] == "paused"
    begun = client("engineer").patch(path, json={"action": "resume", "reason": "go"}).json()
    assert (begun["status"], begun["open_wave"]) == ("running", 1)


def test_decisions_come_in_pages_and_roll_outs_by_status(client: Client, context: ApiContext) -> None:
    made, engineer = plan(client).json(), client("engineer")
    path = f"{PATH}/{made['id']}"
    for action in ("pause", "resume", "pause"):
        assert engineer.patch(path, json={"action": action, "reason": "x"}).status_code == 200
    first = engineer.get(f"{path}/decisions", params={"limit": 2}).json()
    rest = engineer.get(f"{path}/decisions", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["number"] for one in first["items"] + rest["items"]] == [3, 2, 1]
    assert [one["id"] for one in engineer.get(PATH, params={"status": "paused"}).json()["items"]] == [made["id"]]
    assert engineer.get(PATH, params={"status": "running"}).json()["items"] == []
    assert engineer.get(PATH, params={"release_id": 1}).json()["items"][0]["id"] == made["id"]


def test_deferrals_are_noted_of_devices_that_were_offered_it(client: Client, context: ApiContext) -> None:
    made, engineer = plan(client).json(), client("engineer")
    path = f"{PATH}/{made['id']}"
    everyone = [f"d{n:02d}" for n in range(60)]
    assert engineer.post(f"{path}/deferrals", json={"devices": everyone}).json() == {"noted": 0}
    assert engineer.post(f"{path}/deferrals", json={"devices": ["no/device"]}).status_code == 422
    look(context)
    first = [one["device"] for one in engineer.get(f"{path}/assignment", params={"wave": 1}).json()["items"]]
    noted = engineer.post(f"{path}/deferrals", json={"devices": everyone}).json()["noted"]
    assert noted == len(first)
    look(context)
    assert engineer.get(path).json()["waves"][0]["counts"]["deferred"] == noted
    listed = engineer.get(f"{path}/devices", params={"outcome": "deferred"}).json()["items"]
    assert [one["device_id"] for one in listed] == first


def test_a_roll_out_of_hawkbit_names_its_id_there_and_never_the_password(
    client: Client, context: ApiContext, app: Any
) -> None:
    secret = "hawkbits://gate:hunter2@updates.example"
    app.state.context = replace(context, settings=Settings(rollout_service=secret))
    made = plan(client, service_id="6")
    assert (made.status_code, made.json()["service"], made.json()["service_id"]) == (201, "hawkbit", "6")
    assert "hunter2" not in made.text
