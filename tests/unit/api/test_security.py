"""Who may do what: tokens, sessions, this machine alone, other sites' pages, and the roles of every endpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import sign_in
from api.app import ApiContext, create_app
from api.security import COOKIE, EVERYONE
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

VIEWER, ENGINEER, AGENT, TECHNICIAN, ADMIN = EVERYONE
READ = {VIEWER, ENGINEER, AGENT, ADMIN}
MATRIX: dict[tuple[str, str], set[str]] = {
    ("GET", "/devices"): READ,
    ("GET", "/groups"): READ,
    ("GET", "/findings"): READ,
    ("GET", "/releases"): READ,
    ("GET", "/policies"): READ,
    ("GET", "/notices"): READ,
    ("GET", "/outbox"): READ,
    ("GET", "/jobs"): READ,
    ("GET", "/quarantine"): READ,
    ("GET", "/models"): READ,
    ("GET", "/models/1"): READ,
    ("GET", "/models/1/card.md"): READ,
    ("GET", "/models/decisions"): READ,
    ("GET", "/prognoses"): READ,
    ("GET", "/vitals"): READ,
    ("GET", "/outages"): READ,
    ("GET", "/technicians"): READ,
    ("GET", "/customers"): {AGENT, ADMIN},
    ("GET", "/customers/c-1"): {AGENT, ADMIN},
    ("PUT", "/customers/c-1"): {AGENT, ADMIN},
    ("POST", "/customers/c-1/consents"): {AGENT, ADMIN},
    ("POST", "/customers/import"): {AGENT, ADMIN},
    ("GET", "/mailbox"): {AGENT, ADMIN},
    ("GET", "/audit"): {ADMIN},
    ("PATCH", "/devices/d-1"): {ENGINEER, ADMIN},
    ("POST", "/releases"): {ENGINEER, ADMIN},
    ("PATCH", "/releases/1"): {ENGINEER, ADMIN},
    ("POST", "/outages"): {ENGINEER, ADMIN},
    ("POST", "/findings/1/acknowledge"): {ENGINEER, AGENT, ADMIN},
    ("GET", "/findings/1/preview"): {ENGINEER, AGENT, ADMIN},
    ("POST", "/findings/1/test-notice"): {AGENT, ADMIN},
    ("GET", "/findings/1"): READ,
    ("POST", "/findings/1/mute"): {ENGINEER, ADMIN},
    ("POST", "/findings/1/expect"): {ENGINEER, ADMIN},
    ("POST", "/policies"): {ENGINEER, ADMIN},
    ("POST", "/policies/1/mode"): {ADMIN},
    ("POST", "/outbox/pause"): {ENGINEER, AGENT, ADMIN},
    ("POST", "/outbox/resume"): {AGENT, ADMIN},
    ("POST", "/rounds/1/release"): {ADMIN},
    ("PUT", "/technicians/t-1"): {AGENT, ADMIN},
    ("PUT", "/spare-parts/p-1"): {AGENT, ADMIN},
    ("PATCH", "/quarantine/1"): {ENGINEER, ADMIN},
    ("POST", "/models/1/promote"): {ENGINEER, ADMIN},
}


@pytest.mark.parametrize("role", EVERYONE)
def test_each_role_may_do_its_own_work_and_nothing_else(client: Client, role: str) -> None:
    caller = client(role)
    for (method, path), allowed in MATRIX.items():
        status = caller.request(method, f"/api/v1{path}").status_code
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
