"""Replays over HTTP: what is refused first, then asking, reading, and the files for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from alerts.policy.file import default_text
from alerts.policy.versions import add_policy
from alerts.replay.trial import Candidate, try_policy
from hearthwatch.clock import SteppedClock
from hearthwatch.records import policy_replays
from hearthwatch.records.database import Database
from hearthwatch.values import Span
from tests.unit.alerts.world import World

Client = Callable[..., TestClient]
URL = "/api/v1/policies/replays"
SINCE = "2026-05-01T00:00:00Z"


@pytest.fixture
def version(database: Database, clock: SteppedClock) -> int:
    """The policy that comes with Hearthwatch, kept as a version; a day has passed since."""
    with database.transaction() as connection:
        added = add_policy(connection, default_text(), "ann", clock.now())
    clock.advance(timedelta(days=1))
    return added.version


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"since": SINCE}, "text of a policy"),
        ({"version": 1, "text": "x", "since": SINCE}, "text of a policy"),
        ({"version": 1, "since": "2026-06-01T00:00:00Z"}, "before it ends"),
        ({"version": 1, "since": "2019-01-01T00:00:00Z"}, "spans at most"),
        ({"version": 1, "since": "yesterday"}, "since"),
        ({"text": "rules = []\nname = 'x'\nlouder = 1\n", "since": SINCE}, "louder"),
    ],
)
def test_what_can_not_be_replayed_is_refused_with_the_reason(
    client: Client, version: int, asked: dict[str, object], where: str
) -> None:
    answer = client("engineer").post(URL, json=asked)
    assert answer.status_code == 422
    assert where in answer.text


def test_a_version_that_does_not_exist_is_missing(client: Client, version: int) -> None:
    assert client("engineer").post(URL, json={"version": version + 7, "since": SINCE}).status_code == 404


@pytest.mark.parametrize("role", ["viewer", "agent", "technician"])
def test_only_engineers_and_admins_ask(client: Client, version: int, role: str) -> None:
    assert client(role).post(URL, json={"version": version, "since": SINCE}).status_code == 403


def test_the_same_question_is_asked_once(client: Client, version: int) -> None:
    engineer = client("engineer")
    first = engineer.post(URL, json={"version": version, "since": SINCE})
    again = engineer.post(URL, json={"version": version, "since": SINCE})
    assert (first.status_code, first.json()["state"]) == (201, "waiting")
    assert first.json()["id"] == again.json()["id"]
    assert [one["id"] for one in client("viewer").get(URL).json()["items"]] == [first.json()["id"]]


def test_a_replay_that_is_done_can_be_read_and_taken_into_a_spreadsheet(
    client: Client, database: Database, clock: SteppedClock, version: int
) -> None:
    world = World(database, clock)
    world.home()
    since = clock.now()
    clock.advance(timedelta(hours=1))
    world.stand()
    clock.advance(timedelta(hours=2))
    number = client("engineer").post(URL, json={"text": default_text(), "since": since.isoformat()}).json()["id"]
    with database.transaction() as connection:
        taken = policy_replays.take(connection, clock.now(), "me")
        assert taken is not None
        report = try_policy(connection, Candidate(taken.text), Span(taken.since, taken.until))
        policy_replays.finish(connection, taken.id, "me", clock.now(), report=report)
    told = client("viewer").get(f"{URL}/{number}").json()
    assert (told["state"], told["report"]["answer"]["notices"], told["report"]["answer"]["tickets"]) == ("done", 1, 1)
    lines = client("viewer").get(f"{URL}/{number}/notices.csv").text.splitlines()
    assert lines[0].startswith("at,customer,device")
    assert ("c-1,lock-1" in lines[1], len(lines)) == (True, 2)
    assert "device:lock-1/battery/1" in client("viewer").get(f"{URL}/{number}/tickets.csv").text
