"""The outbox over HTTP: who may act on it, what was changed meanwhile, and that no address leaves it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.records.database import Database
from tests.unit.alerts.world import RecordingChannel, World
from tests.unit.api.conftest import Client

API = "/api/v1"


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Two customers: a letter that was refused and went to the mailbox, and one that waits for a channel nobody has."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(1, devices_=("lock-1",), channels=["mailto:kim@home.example", "mailbox://c-1"])
    world.home(2, devices_=("lock-2",), channels=["pigeon:+4917012345"])
    for device in ("lock-1", "lock-2"):
        world.stand(device)
    world.channels["mail"] = RecordingChannel("mail", [Refused("550 no such user")])
    world.apply()
    world.deliver()
    return world


def dead(world: World) -> int:
    (item,) = world.outbox(state="failed")
    return item.id


def test_what_does_not_exist_is_missing(client: Client, world: World) -> None:
    agent = client("agent")
    assert agent.get(f"{API}/outbox/99").status_code == 404
    assert agent.get(f"{API}/outbox/99/attempts").status_code == 404
    assert agent.post(f"{API}/outbox/99/retry").status_code == 404
    assert agent.post(f"{API}/channels/fax/pause", json={"reason": "x"}).status_code == 404
    assert agent.get(f"{API}/notices/99/deliveries").status_code == 404


def test_only_agents_send_again_cancel_and_resume(client: Client, world: World) -> None:
    for role in ("viewer", "engineer", "technician"):
        caller = client(role)
        assert caller.post(f"{API}/outbox/{dead(world)}/retry").status_code == 403
        assert caller.post(f"{API}/outbox/{dead(world)}/cancel", json={"reason": "x"}).status_code == 403
        assert caller.post(f"{API}/outbox/retry", json={}).status_code == 403
        assert caller.post(f"{API}/channels/mailbox/resume").status_code == 403


def test_a_dead_letter_is_sent_again_once_and_not_by_who_saw_it_before(client: Client, world: World) -> None:
    agent, path = client("agent"), f"{API}/outbox/{dead(world)}"
    seen = agent.get(path)
    assert (seen.json()["state"], seen.json()["outcome"]) == ("failed", "refused")
    again = agent.post(f"{path}/retry", headers={"If-Match": seen.headers["ETag"]})
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert agent.post(f"{path}/retry", headers={"If-Match": seen.headers["ETag"]}).status_code == 409
    assert (
        agent.post(f"{path}/cancel", json={"reason": "x"}, headers={"If-Match": seen.headers["ETag"]}).status_code
        == 412
    )
    world.deliver()
    assert [one["outcome"] for one in agent.get(f"{path}/attempts").json()["items"]] == ["refused", "delivered"]
    assert agent.post(f"{path}/retry").status_code == 409


def test_to_cancel_needs_a_reason(client: Client, world: World) -> None:
    agent, path = client("agent"), f"{API}/outbox/{dead(world)}/cancel"
    assert agent.post(path, json={"reason": " "}).status_code == 422
    assert agent.post(path, json={"reason": "he moved"}).json()["state"] == "cancelled"


def test_all_dead_letters_of_a_channel_go_again(client: Client, world: World) -> None:
    agent = client("agent")
    assert agent.post(f"{API}/outbox/retry", json={"channel": "sms"}).json() == {"items": 0}
    assert agent.post(f"{API}/outbox/retry", json={"since": "2026-05-01T00:00:00"}).status_code == 422
    assert agent.post(f"{API}/outbox/retry", json={"channel": "mail"}).json() == {"items": 1}


def test_a_list_is_found_by_state_channel_and_kind_and_shows_no_address(client: Client, world: World) -> None:
    viewer = client("viewer")
    page = viewer.get(f"{API}/outbox", params={"state": "failed", "channel": "mail", "kind": "notice"})
    assert [one["channel"] for one in page.json()["items"]] == ["mail"]
    assert viewer.get(f"{API}/outbox", params={"channel": "sms"}).json()["items"] == []
    everything = viewer.get(f"{API}/outbox").text + viewer.get(f"{API}/notices/1/deliveries").text
    assert "home.example" not in everything
    assert "+4917012345" not in everything


def test_a_notice_tells_how_it_left_by_each_channel(client: Client, world: World) -> None:
    viewer = client("viewer")
    (first,) = viewer.get(f"{API}/notices", params={"channel": "mail"}).json()["items"]
    told = viewer.get(f"{API}/notices/{first['id']}/deliveries").json()["items"]
    assert [(one["channel"], one["state"]) for one in told] == [("mail", "failed"), ("mailbox", "delivered")]
    assert told[0]["attempts_made"][0]["reason"] == "550 no such user"


def test_channels_tell_how_they_do(client: Client, world: World) -> None:
    agent = client("agent")
    world.channels["mailbox"] = RecordingChannel("mailbox", [Unavailable("no route")])
    found = {one["name"]: one for one in agent.get(f"{API}/channels").json()["items"]}
    assert found["mailbox"]["health"] == "well"
    assert (found["pigeon"]["health"], found["pigeon"]["attempts"]) == ("unknown", {"nomatch": 1})
    assert found["mail"]["dead"] == 1
    assert agent.post(f"{API}/channels/mailbox/pause", json={}).status_code == 422
    paused = agent.post(f"{API}/channels/mailbox/pause", json={"reason": "wrong sender"}).json()
    assert (paused["health"], paused["paused_by"], paused["paused_reason"]) == ("paused", "token:agent", "wrong sender")
    assert agent.post(f"{API}/channels/mailbox/resume").json()["health"] == "well"
