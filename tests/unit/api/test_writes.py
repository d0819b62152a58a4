"""Releases, findings, outages and the rest of the writes: once per key, audited, refused when malformed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from api import guard
from api.app import ApiContext
from hearthwatch.errors import Invalid
from hearthwatch.records import audit, decoder_states, findings, job_runs, model_versions, prognoses, quarantine
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import Message, Observation
from hearthwatch.wire.registry import Decoder, conventions
from tests.unit.api.conftest import Client

AT = datetime(2026, 5, 1, tzinfo=UTC)
RELEASE = {"model": "HW-LOCK", "version": "v2.4.1", "replaces": "2.4.0", "assignment": "staged", "fixes": ["reboots"]}


def finding(context: ApiContext, subject: str = "d-1") -> int:
    evidence = {"metrics": ["rssi_dbm"], "reasons": ["=cmd()"], "score": float("inf")}
    seen = Observation("anomaly", "device", subject, "wifi_failing", "warning", AT, evidence, part="radio")
    with context.database.transaction() as connection:
        return findings.observe(connection, seen, relapse=timedelta(days=7)).id


# -- releases


def test_a_release_is_announced_once(client: Client) -> None:
    caller = client("engineer")
    made = caller.post("/api/v1/releases", json=RELEASE)
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    assert made.json() == {
        "id": 1,
        "model": "HW-LOCK",
        "version": "2.4.1",
        "replaces": "2.4.0",
        "assignment": "staged",
        "fixes": ["reboots"],
        "released_at": "2026-05-01T00:00:00Z",
        "status": "rolling",
        "revision": 1,
        "image_url": None,
        "image_sha256": None,
    }
    image = {"image_url": "https://fw.example.org/2.4.1.bin", "image_sha256": "AB" * 32}
    told = caller.put("/api/v1/releases/1/image", json=image).json()
    assert (told["image_url"], told["image_sha256"]) == (image["image_url"], "ab" * 32)
    assert caller.put("/api/v1/releases/1/image", json={"image_url": "ftp://x"}).status_code == 422
    assert caller.post("/api/v1/releases", json=RELEASE).status_code == 409
    assert [one["id"] for one in caller.get("/api/v1/releases?model=HW-LOCK").json()["items"]] == [1]
    assert caller.get("/api/v1/releases/1/looks").json()["items"] == []
    assert caller.get("/api/v1/looks").json()["items"] == []
    assert caller.get("/api/v1/releases/2/looks").status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"version": ""},
        {"assignment": "guess"},
        {"fixes": "reboots"},
        {"released_at": "today"},
        {"extra": 1},
        {"model": None},
    ],
)
def test_a_malformed_release_names_what_is_wrong(client: Client, change: dict[str, object]) -> None:
    answer = client("engineer").post("/api/v1/releases", json={**RELEASE, **change})
    assert answer.status_code == 422
    assert answer.json()["where"] == f"body.{next(iter(change))}"


def test_a_body_that_is_no_json_is_malformed(client: Client) -> None:
    answer = client("engineer").post("/api/v1/releases", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_a_release_read_before_another_change_is_stale(client: Client) -> None:
    caller = client("engineer")
    tag = caller.post("/api/v1/releases", json=RELEASE).headers["etag"]
    paused = caller.patch("/api/v1/releases/1", json={"status": "paused"}, headers={"If-Match": tag})
    assert paused.json()["status"] == "paused"
    assert caller.patch("/api/v1/releases/1", json={"status": "rolling"}, headers={"If-Match": tag}).status_code == 412
    assert caller.get("/api/v1/releases/1").headers["etag"] == paused.headers["etag"]


# -- idempotency


def test_the_same_key_does_the_work_once(client: Client) -> None:
    caller = client("engineer")
    key = {"Idempotency-Key": "build-118"}
    first = caller.post("/api/v1/releases", json=RELEASE, headers=key)
    second = caller.post("/api/v1/releases", json=RELEASE, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["idempotent-replayed"] == "true"
    assert len(caller.get("/api/v1/releases").json()["items"]) == 1


def test_a_key_is_not_good_for_another_request_but_for_another_caller(client: Client) -> None:
    caller = client("engineer", name="ci")
    key = {"Idempotency-Key": "k"}
    caller.post("/api/v1/releases", json=RELEASE, headers=key)
    other = {**RELEASE, "version": "3.0.0"}
    assert caller.post("/api/v1/releases", json=other, headers=key).status_code == 409
    assert client("engineer", name="other").post("/api/v1/releases", json=other, headers=key).status_code == 201


def test_a_failed_request_uses_no_key_up(client: Client) -> None:
    caller = client("engineer")
    key = {"Idempotency-Key": "k"}
    acknowledge = "/api/v1/findings/1/acknowledge"
    assert caller.post(acknowledge, json={}, headers=key).status_code == 404
    assert caller.post("/api/v1/releases", json=RELEASE, headers=key).status_code == 201
    assert caller.post("/api/v1/releases", json=RELEASE, headers={"Idempotency-Key": "k" * 129}).status_code == 422


# -- findings


def test_a_decision_about_a_finding_is_noted_with_who_made_it(client: Client, context: ApiContext) -> None:
    number = finding(context)
    caller = client("engineer", name="ann")
    assert (
        caller.post(f"/api/v1/findings/{number}/acknowledge", json={"note": "seen"}).json()["state"] == "acknowledged"
    )
    until = (AT + timedelta(days=3)).isoformat()
    muted = caller.post(f"/api/v1/findings/{number}/mute", json={"until": until})
    assert muted.json()["muted_until"] == "2026-05-04T00:00:00Z"
    expected = caller.post(f"/api/v1/findings/{number}/expect", json={}, headers={"If-Match": muted.headers["etag"]})
    assert expected.json()["state"] == "expected"
    events = caller.get(f"/api/v1/findings/{number}/events").json()["items"]
    assert [(one["what"], one["actor"]) for one in events] == [
        ("opened", "detector"),
        ("acknowledged", "token:ann"),
        ("muted", "token:ann"),
        ("expected", "token:ann"),
    ]
    with context.database.reading() as connection:
        trail = audit.list_entries(connection, about=f"finding:{number}")
    assert [(one.action, one.actor) for one in trail] == [
        ("finding.expect", "token:ann"),
        ("finding.mute", "token:ann"),
        ("finding.acknowledge", "token:ann"),
    ]


def test_a_refused_write_leaves_no_trace(client: Client, context: ApiContext) -> None:
    number = finding(context)
    caller = client("engineer")
    assert caller.post(f"/api/v1/findings/{number}/mute", json={"until": "2020-01-01T00:00:00Z"}).status_code == 422
    stale = caller.post(f"/api/v1/findings/{number}/acknowledge", json={}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    assert client("admin").get("/api/v1/audit").json()["items"] == []


def test_findings_are_filtered_paged_and_exported(client: Client, context: ApiContext) -> None:
    ids = [finding(context, f"d-{number}") for number in range(3)]
    caller = client("viewer")
    page = caller.get("/api/v1/findings?state=open&kind=anomaly&limit=2").json()
    assert [one["id"] for one in page["items"]] == ids[:0:-1]
    rest = caller.get("/api/v1/findings", params={"limit": 2, "cursor": page["next"]}).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (ids[:1], None)
    assert caller.get("/api/v1/findings?severity=critical").json()["items"] == []
    assert caller.get("/api/v1/findings?state=strange").status_code == 422
    assert caller.get(f"/api/v1/findings/{ids[0]}").json()["evidence"]["score"] is None
    exported = caller.get("/api/v1/findings.csv").text.splitlines()
    assert len(exported) == 4
    assert "evidence" not in exported[0]
    assert [one["id"] for one in caller.get("/api/v1/devices?q=d-").json()["items"]] == []


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30])
def test_a_number_that_no_finding_has_is_malformed(client: Client, number: str) -> None:
    assert client("viewer").get(f"/api/v1/findings/{number}").status_code == 422


# -- outages, quarantine, models, jobs


def test_an_outage_is_planned(client: Client) -> None:
    caller = client("engineer")
    body = {
        "region": "north",
        "from_at": "2026-05-02T00:00:00Z",
        "to_at": "2026-05-02T02:00:00+01:00",
        "reason": "works",
    }
    planned = caller.post("/api/v1/outages", json=body)
    assert planned.status_code == 201
    assert planned.json()["to_at"] == "2026-05-02T01:00:00Z"
    assert caller.get("/api/v1/outages").json()["items"] == [planned.json()]
    assert caller.post("/api/v1/outages", json={**body, "to_at": body["from_at"]}).status_code == 422


def test_what_is_in_quarantine_is_shown_whatever_it_is_made_of(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        items = [
            QuarantineItem(AT, "mqtt", "t", b'{"x": "<script>"}', "d-1", "", "odd"),
            QuarantineItem(AT, "mqtt", "t", b"\xff\x00", "d-1", "", "not JSON"),
        ]
        quarantine.hold(connection, items)
    caller = client("engineer")
    binary, text = caller.get("/api/v1/quarantine").json()["items"]
    assert (binary["payload"], binary["encoding"]) == ("/wA=", "base64")
    assert (text["payload"], text["encoding"]) == ('{"x": "<script>"}', "text")
    gone = caller.patch(f"/api/v1/quarantine/{text['id']}", json={"state": "discarded"})
    assert gone.json()["state"] == "discarded"
    assert caller.get("/api/v1/quarantine/counts").json() == {"counts": {"held": 1, "discarded": 1}}
    assert caller.patch("/api/v1/quarantine/99", json={"state": "discarded"}).status_code == 404
    assert caller.patch(f"/api/v1/quarantine/{text['id']}", json={"state": "replayed"}).status_code == 422


def test_what_waited_for_its_description_is_replayed_with_what_the_ingestor_learned_since(
    client: Client, context: ApiContext
) -> None:
    decoder = Decoder(conventions(["zigbee2mqtt"]))
    sensor = {"ieee_address": "0x00158d0001a2b3c4", "type": "EndDevice", "friendly_name": "hall"}
    with pytest.raises(Invalid, match="hall"):
        decoder.decode(Message("zigbee2mqtt/hall", b'{"temperature": 21.5}', AT))
    listed = Message("zigbee2mqtt/bridge/devices", json.dumps([sensor]).encode(), AT, retain=True)
    decoder.decode(listed)
    held = QuarantineItem(AT, "mqtt", "zigbee2mqtt/hall", b'{"temperature": 21.5}', None, "", "not described yet")
    with context.database.transaction() as connection:
        quarantine.hold(connection, [held])
        decoder_states.save(connection, decoder.changed(), AT)
    answer = client("engineer").post("/api/v1/quarantine/replay").json()["counts"]
    assert (answer["replayed"], answer["still_bad"], answer["stored"]) == (1, 0, 1)


def test_models_are_shown_without_what_was_saved_and_promoted(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        for role in ("champion", "challenger"):
            model_versions.register(
                connection, "other/M", trained_at=AT, card={"auc": 0.9}, artifact=b"secret", role=role
            )
        prognoses.put(connection, [Prognosis("d-1", "battery", AT, 1, 0.1, 0.6, 0.9, None, [])])
        job_runs.claim(connection, "vitals", AT, AT, "here")
    caller = client("engineer")
    listed = caller.get("/api/v1/models")
    assert "secret" not in listed.text
    assert [one["role"] for one in listed.json()["items"]] == ["challenger", "champion"]
    assert caller.post("/api/v1/models/2/promote", json={"why": "it is right"}).json()["role"] == "champion"
    decisions = caller.get("/api/v1/models/2").json()["decisions"]
    assert [(one["version_id"], one["what"], one["why"]) for one in decisions[:2]] == [
        (2, "promoted", "it is right"),
        (1, "retired", "version 2 took its place"),
    ]
    assert decisions == caller.get("/api/v1/models/decisions?name=other/M").json()["items"]
    assert caller.get("/api/v1/models/2/card.md").text.startswith("# other/M, version 2")
    assert caller.get("/api/v1/models/1").json()["role"] == "retired"
    assert [one["p30"] for one in caller.get("/api/v1/prognoses").json()["items"]] == [0.6]
    assert [one["job"] for one in caller.get("/api/v1/jobs").json()["items"]] == ["vitals"]
    assert [one["state"] for one in caller.get("/api/v1/jobs/runs?job=vitals").json()["items"]] == ["running"]


def test_a_hazard_that_cannot_be_used_is_not_made_champion(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        model_versions.register(connection, "hazard/M/relay", trained_at=AT, card={}, artifact=b"\x80\x05.")
    caller = client("engineer")
    answer = caller.post("/api/v1/models/1/promote")
    assert answer.status_code == 409
    assert "stored as a pickle by an earlier version" in answer.json()["detail"]
    assert "train again" in caller.get("/api/v1/models/1").json()["unreadable"]
    assert caller.get("/api/v1/models/1").json()["role"] == "challenger"


# -- the brakes


def test_sending_stops_and_goes_on(client: Client) -> None:
    caller = client("agent")
    assert caller.get("/api/v1/outbox").json()["sending"]["paused"] is False
    assert caller.post("/api/v1/outbox/pause", json={"reason": "wrong text"}).json()["detail"]["reason"] == "wrong text"
    assert caller.get("/api/v1/outbox").json()["sending"]["paused"] is True
    assert caller.post("/api/v1/outbox/resume").json()["paused"] is False
    trail = client("admin").get("/api/v1/audit?about=outbox").json()["items"]
    assert [one["action"] for one in trail] == ["outbox.resume", "outbox.pause"]


def test_a_policy_observes_until_somebody_sets_it_live(client: Client, context: ApiContext) -> None:
    from alerts.policy.file import default_text

    engineer, admin = client("engineer"), client("admin")
    assert engineer.post("/api/v1/policies", json={"text": "nonsense"}).status_code == 422
    added = engineer.post("/api/v1/policies", json={"text": default_text()})
    assert (added.status_code, added.json()["mode"]) == (201, "observe")
    version = added.json()["version"]
    assert engineer.post(f"/api/v1/policies/{version}/mode", json={"mode": "live"}).status_code == 403
    assert admin.post(f"/api/v1/policies/{version}/mode", json={"mode": "live"}).json()["mode"] == "live"
    assert admin.get(f"/api/v1/policies/{version}").json()["live_by"] == "token:admin"
    assert admin.post("/api/v1/policies/99/mode", json={"mode": "live"}).status_code == 404
    assert admin.get("/api/v1/rounds").json() == {"items": []}
    assert admin.post("/api/v1/rounds/20260501/release").status_code == 404


# -- the frame


def test_an_unknown_route_and_a_wrong_method_are_problems_as_well(client: Client) -> None:
    caller = client("viewer")
    for method, path, status in (("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/devices", 405)):
        answer = caller.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_without_end_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LARGEST_BODY", 1000)
    caller = client("admin")
    for path in ("/api/v1/customers/import", "/api/v1/releases"):
        answer = caller.post(path, content=(b"x" * 100 for _ in range(100)))
        assert answer.status_code == 413, path
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_description_of_the_api_is_complete(client: Client) -> None:
    described = client().get("/api/v1/openapi.json").json()
    assert described["servers"] == [{"url": "/api/v1"}]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], f"{method} {path}"
            assert operation["tags"], f"{method} {path}"
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["security"] == [{"token": []}]
