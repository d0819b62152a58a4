"""Who may do what: tokens, sessions, this machine alone, other sites' pages, and the roles of every endpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import sign_in
from api.app import ApiContext, create_app
from api.security import (
    ADMINS,
    AGENTS,
    COOKIE,
    ENGINEERS,
    EVERYONE,
    FIELD,
    PHOTO_READERS,
    READERS,
    STAFF,
)
from api.sign_in import GUESSES, local_path
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Unavailable
from hearthwatch.records import access
from hearthwatch.settings import Settings
from tests.unit.api.conftest import Client

PASSWORD = "correct horse battery"
HERE = {"base_url": "http://127.0.0.1:8080", "address": "127.0.0.1"}
SIGNED = {("post", "/service-desk/zammad"), ("post", "/service-desk/reports")}
OPEN = {("get", "/health"), ("post", "/session"), ("delete", "/session"), *SIGNED}

MAY: dict[tuple[str, ...], str] = {
    READERS: """
        GET /aliases /articles /articles/search /articles/{slug}/{language} /backtests /backtests/{backtest_id}
            /backtests/{backtest_id}/remarks.csv /blind-spans /campaigns /campaigns/{campaign_id} /campaigns/{campaign_id}/check
            /campaigns/{campaign_id}/csaf /campaigns/{campaign_id}/devices /campaigns/{campaign_id}/events
            /campaigns/{campaign_id}/progress /channels /commands /comparisons /comparisons/values /comparisons/{comparison_id}
            /comparisons/{comparison_id}/looks /comparisons/{comparison_id}/looks.csv /device-models /device-models/{model_id} /devices
            /devices.csv /devices/{device_id} /devices/{device_id}/addresses /devices/{device_id}/aliases /devices/{device_id}/attributes
            /devices/{device_id}/commands /devices/{device_id}/commands/offered /devices/{device_id}/commands/{command_id}
            /devices/{device_id}/events /devices/{device_id}/findings /devices/{device_id}/latest /devices/{device_id}/liveness
            /devices/{device_id}/liveness/changes /devices/{device_id}/owners /devices/{device_id}/parts /devices/{device_id}/presence
            /devices/{device_id}/prognoses /devices/{device_id}/warranty /devices/{device_id}/window /feedback /feedback.csv /findings
            /findings.csv /findings/{finding_id} /findings/{finding_id}/events /findings/{finding_id}/reasons /findings/{finding_id}/why
            /groups /history /hold-outs /hold-outs/result /jobs /jobs/runs /late-days /liveness /looks /mirrors /models /models/decisions
            /models/{version_id} /models/{version_id}/card.md /notice-kinds /notices /notices/{notice_id} /notices/{notice_id}/deliveries
            /notices/{notice_id}/events /notices/{notice_id}/why /outages /outbox /outbox/{item_id}
            /outbox/{item_id}/attempts /policies /policies/replays /policies/replays/{replay_id} /policies/replays/{replay_id}/notices.csv
            /policies/replays/{replay_id}/tickets.csv /policies/{version} /policies/{version}/difference /policies/{version}/explanation
            /processes /prognoses /quarantine /quarantine/counts /releases /releases/{release_id} /releases/{release_id}/looks
            /releases/{release_id}/looks.csv /releases/{release_id}/verdict /reporting-plans /reporting-plans/{scope}/{subject} /rollouts
            /rollouts/{rollout_id} /rollouts/{rollout_id}/assignment /rollouts/{rollout_id}/decisions /rollouts/{rollout_id}/devices
            /rounds /service-desk /service-figures /service-figures.csv /sla /sla/compliance /sla/compliance.csv /spare-parts
            /spare-parts/{part_id} /technicians /technicians/{technician_id} /tickets/{ticket_id}/mirror /vitals
        POST /policies/validate
    """,
    ENGINEERS: """
        POST /backtests /backtests/{backtest_id}/again /comparisons /comparisons/{comparison_id}/end /findings/{finding_id}/expect
            /findings/{finding_id}/mute /models/{version_id}/promote /outages /policies /policies/replays /quarantine/replay /releases
            /rollouts /rollouts/{rollout_id}/deferrals
        PUT /device-models/{model_id} /devices/{device_id}/aliases/{alias_id} /history/{folder}/{name} /releases/{release_id}/image
            /reporting-plans/{scope}/{subject}
        PATCH /devices/{device_id} /devices/{device_id}/attributes /quarantine/{item_id} /releases/{release_id} /rollouts/{rollout_id}
        DELETE /devices/{device_id}/aliases/{alias_id}
    """,
    STAFF: """
        GET /campaigns/{campaign_id}/letter /devices/{device_id}/report-codes /findings/{finding_id}/preview /notice-kinds/{kind}/sample
        POST /campaigns /campaigns/{campaign_id}/approve /campaigns/{campaign_id}/remedied /campaigns/{campaign_id}/submit
            /campaigns/{campaign_id}/test-letter /campaigns/{campaign_id}/{step} /channels/{name}/pause /devices/{device_id}/commands
            /devices/{device_id}/commands/{command_id}/cancel /devices/{device_id}/report-codes /findings/{finding_id}/acknowledge
            /findings/{finding_id}/end-hold-out /outbox/pause
        PUT /articles/{slug}/{language} /campaigns/{campaign_id}
        DELETE /articles/{slug}/{language} /devices/{device_id}/report-codes/{code_id}
    """,
    AGENTS: """
        GET /customers /customers/{customer_id} /customers/{customer_id}/consents /customers/{customer_id}/export /inbound-mail
            /inbound-mail/{mail_id}/raw /mailbox /notices/{notice_id}/html /surveys
        POST /channels/{name}/resume /customers/import /customers/{customer_id}/consents /customers/{customer_id}/links
            /devices/{device_id}/transfer /findings/{finding_id}/test-notice /inbound-mail /inbound-mail/{mail_id}/settle
            /notice-kinds/{kind}/test /outbox/resume /outbox/retry /outbox/{item_id}/cancel /outbox/{item_id}/retry
            /reports/{report_id}/classification /tickets/reports /tickets/{ticket_id}/approvals/{approval_id}/answer
            /tickets/{ticket_id}/assign /tickets/{ticket_id}/correct /tickets/{ticket_id}/diagnosis-permission /tickets/{ticket_id}/merge
            /tickets/{ticket_id}/mirror/retry /tickets/{ticket_id}/reopen /tickets/{ticket_id}/take
        PUT /customers/{customer_id} /devices/{device_id}/warranty /spare-parts/{part_id} /technicians/{technician_id}
        DELETE /report-photos/{photo_id} /reports/{report_id}/person
    """,
    EVERYONE: """
        GET /session /tickets /tickets/{ticket_id} /tickets/{ticket_id}/advice /tickets/{ticket_id}/approvals
            /tickets/{ticket_id}/commands /tickets/{ticket_id}/duplicates /tickets/{ticket_id}/events /tickets/{ticket_id}/remedies
            /tickets/{ticket_id}/reports /tickets/{ticket_id}/sla
    """,
    FIELD: """
        GET /tickets/{ticket_id}/messages
        POST /tickets/{ticket_id}/approvals /tickets/{ticket_id}/close /tickets/{ticket_id}/diagnose /tickets/{ticket_id}/note
            /tickets/{ticket_id}/remedy /tickets/{ticket_id}/reply /tickets/{ticket_id}/resume /tickets/{ticket_id}/schedule
            /tickets/{ticket_id}/start /tickets/{ticket_id}/wait
    """,
    ADMINS: """
        GET /audit /erasures
        POST /backups /customers/{customer_id}/erase /policies/{version}/mode /rounds/{round_id}/release
    """,
    PHOTO_READERS: """
        GET /report-photos/{photo_id}
    """,
}
"""Who may do what: every endpoint stands here once; a new one is put where it belongs."""
DOES = {("POST", "/backups"), ("PUT", "/history/{folder}/{name}")}
"""What writes files even where nothing is there: only that others are refused is tried."""


def endpoints() -> dict[tuple[str, str], tuple[str, ...]]:
    """Who may call each method of each path."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for roles, text in MAY.items():
        method = ""
        for word in text.split():
            method = method if word.startswith("/") else word
            if word.startswith("/"):
                assert (method, word) not in found, f"{method} {word} stands here twice"
                found[method, word] = roles
    return found


def test_every_endpoint_says_who_may_call_it(client: Client) -> None:
    described = {
        (method.upper(), path)
        for path, methods in client().get("/api/v1/openapi.json").json()["paths"].items()
        for method in methods
        if (method, path) not in {*OPEN, ("get", "/metrics")}
    }
    assert described == set(endpoints())


@pytest.mark.parametrize("role", EVERYONE)
def test_each_role_may_do_its_own_work_and_nothing_else(client: Client, role: str) -> None:
    """What a role may do is tried for two of them; the others' own work is what all tests of the API do."""
    caller = client(role)
    for (method, path), allowed in endpoints().items():
        if role in allowed and ((method, path) in DOES or role not in {"admin", "technician"}):
            continue
        status = caller.request(method, "/api/v1" + re.sub(r"\{\w+\}", "1", path)).status_code
        assert (status == 403) == (role not in allowed), f"{role}: {method} {path} gave {status}"


def test_nothing_is_open_to_strangers_but_what_is_meant_to_be(client: Client) -> None:
    stranger = client()
    closed = 0
    for path, methods in stranger.get("/api/v1/openapi.json").json()["paths"].items():
        for method in methods:
            answer = stranger.request(method, "/api/v1" + path.replace("{", "").replace("}", ""))
            if (method, path) in OPEN:
                assert answer.status_code != 401, f"{method} {path}"
                continue
            assert answer.status_code == 401, f"{method} {path} gave {answer.status_code}"
            assert answer.headers["www-authenticate"] == 'Bearer realm="hearthwatch"'
            closed += 1
    assert closed > 40


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic aaaa", "Bearer hw_wrong", "hw_x", "Bearer hw_x y"])
def test_a_token_that_is_none_of_ours_opens_nothing(client: Client, header: str) -> None:
    answer = client().get("/api/v1/devices", headers={"Authorization": header})
    assert answer.status_code == 401
    local = client(**HERE).get("/api/v1/devices", headers={"Authorization": header})
    assert local.status_code == 401, "a wrong token is not better than none"


def test_a_revoked_token_opens_nothing_any_more(client: Client, context: ApiContext) -> None:
    caller = client("viewer")
    assert caller.get("/api/v1/devices").status_code == 200
    with context.database.transaction() as connection:
        (token,) = access.list_tokens(connection)
        assert token.last_used_at == context.clock.now()
        access.revoke_token(connection, token.id, context.clock.now())
    assert caller.get("/api/v1/devices").status_code == 401


# -- this machine


def test_without_accounts_this_machine_needs_no_token(client: Client) -> None:
    assert client(**HERE).get("/api/v1/session").json() == {"name": "local", "role": "admin"}


def test_with_an_account_this_machine_needs_a_token_as_well(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "admin", context.clock.now())
    assert client(**HERE).get("/api/v1/devices").status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"address": "192.0.2.1", "base_url": "http://127.0.0.1:8080"},
        {"address": "127.0.0.1", "base_url": "http://rebound.example"},
        {"address": "127.0.0.1", "base_url": "http://127.0.0.1.example"},
        {"address": "testclient", "base_url": "http://localhost"},
    ],
)
def test_a_name_that_was_rebound_to_this_machine_is_not_this_machine(client: Client, elsewhere: dict[str, str]) -> None:
    assert client(**elsewhere).get("/api/v1/devices").status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_a_proxy_hands_on_does_not_come_from_this_machine(client: Client, header: str) -> None:
    assert client(**HERE).get("/api/v1/devices", headers={header: "127.0.0.1"}).status_code == 401


def test_a_server_that_others_can_reach_has_no_local_administrator(context: ApiContext) -> None:
    open_to_all = ApiContext(
        database=context.database,
        store=context.store,
        clock=context.clock,
        settings=Settings(host="0.0.0.0"),
        registry=context.registry,
        secret_key="k",
    )
    app = create_app(open_to_all, with_pages=False)
    with TestClient(app, base_url=HERE["base_url"], client=("127.0.0.1", 1)) as caller:
        assert caller.get("/api/v1/devices").status_code == 401


RELEASE = {"model": "M", "version": "1.0.0"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_can_not_write_through_a_browser(client: Client, headers: dict[str, str]) -> None:
    here = client(**HERE)
    assert here.post("/api/v1/releases", json=RELEASE, headers=headers).status_code == 403
    assert here.get("/api/v1/releases", headers=headers).json()["items"] == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:8080"}, {"Sec-Fetch-Site": "same-origin"}])
def test_our_own_pages_can_write(client: Client, headers: dict[str, str]) -> None:
    assert client(**HERE).post("/api/v1/releases", json=RELEASE, headers=headers).status_code == 201


def test_a_program_with_a_token_may_come_from_anywhere(client: Client) -> None:
    answer = client("engineer").post("/api/v1/releases", json=RELEASE, headers={"Origin": "http://ci.example"})
    assert answer.status_code == 201


def test_health_and_metrics_tell_strangers_little(client: Client) -> None:
    stranger, here = client(), client(**HERE)
    assert stranger.get("/health").json() == {"status": "ok"}
    told = here.get("/api/v1/health").json()
    assert told["parts"] == {"records": "ok", "telemetry": "ok", "ingest": {"connected": True}, "version": "1"}
    assert stranger.get("/metrics").status_code == 401
    assert here.get("/metrics").status_code == 200
    assert client("viewer").get("/api/v1/metrics").headers["content-type"].startswith("text/plain")
    assert client("technician").get("/metrics").status_code == 403


# -- sessions


def signed_in(client: Client, context: ApiContext, role: str = "engineer") -> TestClient:
    with context.database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, role, context.clock.now())
    caller = client()
    answer = caller.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 201
    return caller


def test_a_wrong_password_opens_no_session(client: Client, context: ApiContext) -> None:
    signed_in(client, context)
    for name, password in (("ann", "wrong"), ("bob", PASSWORD)):
        answer = client().post("/api/v1/session", json={"name": name, "password": password})
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


def test_guessing_is_slowed_down(client: Client, context: ApiContext, clock: SteppedClock) -> None:
    caller = signed_in(client, context)
    guess: dict[str, Any] = {"json": {"name": "ann", "password": "wrong"}}
    assert {caller.post("/api/v1/session", **guess).status_code for _ in range(GUESSES)} == {401}
    slowed = caller.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "300")
    right: dict[str, Any] = {"json": {"name": "ann", "password": PASSWORD}}
    assert client(address="198.51.100.9").post("/api/v1/session", **right).status_code == 201, (
        "others are not locked out"
    )
    clock.advance(timedelta(minutes=5))
    assert caller.post("/api/v1/session", **right).status_code == 201


def test_a_session_opens_what_its_role_may_and_ends(client: Client, context: ApiContext) -> None:
    caller = signed_in(client, context)
    assert caller.get("/api/v1/session").json() == {"name": "ann", "role": "engineer"}
    assert caller.get("/api/v1/customers").status_code == 403
    assert caller.post("/api/v1/releases", json=RELEASE).status_code == 201
    assert caller.post("/api/v1/releases", json=RELEASE, headers={"Origin": "http://evil.example"}).status_code == 403
    assert caller.delete("/api/v1/session").status_code == 204
    assert caller.get("/api/v1/session").status_code == 401


def test_a_session_ends_after_its_hours_and_with_its_account(
    client: Client, context: ApiContext, clock: SteppedClock
) -> None:
    caller = signed_in(client, context)
    clock.advance(timedelta(hours=11))
    assert caller.get("/api/v1/session").status_code == 200
    clock.advance(timedelta(hours=1))
    assert caller.get("/api/v1/session").status_code == 401
    caller.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    with context.database.transaction() as connection:
        access.set_active(connection, "ann", active=False)
        access.create_user(connection, "eve", PASSWORD, "admin", context.clock.now())
    assert caller.get("/api/v1/session").status_code == 401


def test_a_forged_session_is_nobodys(client: Client, context: ApiContext) -> None:
    caller = signed_in(client, context)
    cookie = caller.cookies[COOKIE]
    for forged in (cookie[:-2], "x" + cookie, "", "e30.x"):
        stranger = client()
        stranger.cookies.set(COOKIE, forged)
        assert stranger.get("/api/v1/session").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "viewer", context.clock.now())
    answer = client().post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_the_form_signs_in_and_goes_on_to_the_page_that_was_wanted(client: Client, context: ApiContext) -> None:
    with context.database.transaction() as connection:
        access.create_user(connection, "ann", PASSWORD, "viewer", context.clock.now())
    caller = client()
    form = caller.get("/login", params={"next": '/findings?x="><script>'})
    assert "<script>" not in form.text
    assert "default-src 'none'" in form.headers["content-security-policy"]
    wrong = caller.post("/login", data={"name": "ann", "password": "x", "next": "/findings"})
    assert (wrong.status_code, "wrong" in wrong.text) == (401, True)
    right = caller.post("/login", data={"name": "ann", "password": PASSWORD, "next": "/findings"})
    assert (right.status_code, right.headers["location"]) == (303, "/findings")
    assert caller.get("/api/v1/session").status_code == 200
    assert (
        caller.post("/login", data={"name": "ann", "password": PASSWORD}, headers={"Origin": "http://x"}).status_code
        == 403
    )
    assert caller.post("/logout").headers["location"] == "/login"
    assert caller.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(
    "target", ["http://evil.example", "//evil.example", "/\\evil", "javascript:x", "", "/a\nb", "x"]
)
def test_signing_in_leads_nowhere_else(target: str) -> None:
    assert local_path(target) == "/"


def test_health_tells_when_a_part_or_a_store_is_away(
    client: Client, app: FastAPI, context: ApiContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.state.context = replace(context, health={"ingest": lambda: {"ok": False}})
    degraded = client().get("/health")
    assert (degraded.status_code, degraded.json()) == (200, {"status": "degraded"})

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the store is away at influxdb://secret")

    monkeypatch.setattr(context.store, "events", away)
    unavailable = client(**HERE).get("/health")
    assert (unavailable.status_code, unavailable.json()["parts"]["telemetry"]) == (503, "unavailable")
    assert "secret" not in unavailable.text


def test_guesses_at_ever_new_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "NAMES_REMEMBERED", 5)
    brake, now = sign_in.GuessBrake(), SteppedClock(datetime(2026, 5, 1, tzinfo=UTC)).now()
    for number in range(50):
        brake.check(f"name {number}", now)
        brake.note_wrong(f"name {number}", now)
    assert len(brake._wrong) == 5
