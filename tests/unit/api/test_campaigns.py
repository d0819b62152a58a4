"""Recalls and security notices over HTTP: who may do what, what is refused and why, and what anybody may read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from httpx2 import Response

from alerts import jobs
from api.app import ApiContext
from api.routes.findings import mail_of
from hearthwatch.records import audit, customers, devices, outbox
from tests.unit.alerts.campaigns.conftest import ADVISORY_TEXTS, RECALL_TEXTS, advisory, recall
from tests.unit.alerts.world import MODEL
from tests.unit.api.conftest import Client

PATH = "/api/v1/campaigns"
RECALL = recall()
SOFT = RECALL_TEXTS | {
    "en": RECALL_TEXTS["en"] | {"hazard": "The lock is safe.\nAs a precaution we ask you to send it back."}
}


@pytest.fixture(autouse=True)
def fleet(context: ApiContext) -> None:
    """Two locks, one of which has an owner."""
    with context.database.transaction() as connection:
        devices.register(
            connection,
            [{"id": f"lock-{n}", "model": MODEL, "firmware": "2.4.1", "serial": f"SN-00{n}"} for n in (1, 2)],
        )
        customers.put_customer(connection, "c-1", name="Kim", channels=["mailbox://c-1"])
        customers.own(connection, "lock-1", "c-1", None, context.clock.now() - timedelta(days=9))


def draft(client: Client, content: Any = RECALL, *, kind: str = "recall", role: str = "agent", **more: Any) -> Response:
    body = {"reference": "R-1", "kind": kind, "title": "Battery fire", "content": content}
    answer: Response = client(role).post(PATH, json=body, **more)
    return answer


def step(client: Client, role: str, name: str, **body: Any) -> Response:
    answer: Response = client(role).post(f"{PATH}/1/{name}", json=body or None)
    return answer


def send(context: ApiContext) -> None:
    mail = mail_of(context.settings)
    jobs.run_campaigns(
        context.database, context.clock.now(), brand=mail.brand, public_url=mail.public_url, link_life=mail.link_life
    )


@pytest.mark.parametrize("role", ["viewer", "technician"])
def test_who_only_looks_begins_no_recall(client: Client, role: str) -> None:
    assert draft(client, role=role).status_code == 403


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"selektion": {}}, "content.selektion"),
        ({"picture_url": "http://x"}, "content.picture_url"),
        ({"remedies": ["hope"]}, "content.remedies.0"),
        ({"repeat_days": 0}, "content.repeat_days"),
        ({"selection": {"made_from": "2026-02-01", "made_to": "2026-01-01"}}, "content.selection"),
        ({"texts": {"../en": {}}}, "content.texts"),
    ],
)
def test_a_content_that_makes_no_sense_is_refused_and_the_place_is_named(
    client: Client, content: dict[str, Any], where: str
) -> None:
    answer = draft(client, content)
    assert answer.status_code == 422
    assert where in answer.text


def test_a_reference_is_given_once(client: Client) -> None:
    assert draft(client).status_code == 201
    assert draft(client).status_code == 409


def test_the_same_request_again_begins_one_recall(client: Client) -> None:
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "k-1"}}
    assert draft(client, **key).json()["id"] == draft(client, **key).json()["id"] == 1
    assert len(client("viewer").get(PATH).json()["items"]) == 1


def test_words_that_soften_keep_it_from_being_submitted_and_are_named_with_their_line(client: Client) -> None:
    draft(client, RECALL | {"texts": SOFT})
    check = client("viewer").get(f"{PATH}/1/check").json()
    (found,) = check["softenings"]
    assert (found["field"], found["line"], found["words"]) == ("texts.en.hazard", 2, "precaution")
    refused = step(client, "agent", "submit")
    assert refused.status_code == 422
    assert "texts.en.hazard, line 2: 'precaution'" in refused.json()["detail"]


def test_what_the_law_wants_is_asked_for(client: Client) -> None:
    draft(client, {"selection": {"models": [MODEL]}, "remedies": ["repair"]})
    problems = {one["field"]: one["law"] for one in client("viewer").get(f"{PATH}/1/check").json()["problems"]}
    assert problems == {
        "product": "Art. 36(2)(b)(i) GPSR",
        "brand": "Art. 36(2)(b)(i) GPSR",
        "picture_url": "Art. 36(2)(b)(i) GPSR",
        "texts.en": "Art. 36(2) GPSR",
        "remedies": "Art. 37(2) GPSR",
        "phone": "Art. 36(2)(f) GPSR",
    }
    assert step(client, "agent", "submit").status_code == 422


def test_a_batch_of_no_model_is_refused_and_what_is_missing_is_said(client: Client) -> None:
    draft(client, RECALL | {"selection": {"attributes": {"batch": ["24-07"]}}})
    (problem,) = client("viewer").get(f"{PATH}/1/check").json()["problems"]
    assert problem["field"] == "selection"
    assert problem["message"] == "it names no model, no serial number and no device"


def test_nobody_approves_what_they_submitted_and_nothing_is_changed_in_between(client: Client) -> None:
    draft(client)
    assert step(client, "agent", "submit").status_code == 200
    assert step(client, "agent", "approve").status_code == 403
    changed = client("engineer").put(f"{PATH}/1", json={"title": "t", "content": {}})
    assert changed.status_code == 409
    assert step(client, "engineer", "approve").json()["state"] == "running"
    assert step(client, "engineer", "approve").status_code == 409


def test_a_change_of_what_somebody_else_changed_is_refused(client: Client) -> None:
    tag = draft(client).headers["ETag"]
    body = {"title": "Fire", "content": RECALL}
    assert client("agent").put(f"{PATH}/1", json=body, headers={"If-Match": tag}).json()["title"] == "Fire"
    assert client("agent").put(f"{PATH}/1", json=body, headers={"If-Match": tag}).status_code == 412


def test_it_is_sent_back_dropped_and_each_step_stands_in_ledger_and_audit_trail(
    client: Client, context: ApiContext
) -> None:
    draft(client)
    step(client, "agent", "submit")
    assert step(client, "engineer", "return", reason="the picture is wrong").json()["state"] == "draft"
    assert step(client, "agent", "drop", reason="a mistake").json()["state"] == "dropped"
    events = client("viewer").get(f"{PATH}/1/events").json()["items"]
    assert [one["what"] for one in events] == ["drafted", "submitted", "returned", "dropped"]
    with context.database.reading() as connection:
        noted = [one.action for one in audit.list_entries(connection, limit=50)]
    assert {"campaign.draft", "campaign.submitted", "campaign.returned", "campaign.dropped"} <= set(noted)


def test_a_running_recall_shows_whom_it_reached_and_what_to_do_about_the_others(
    client: Client, context: ApiContext
) -> None:
    draft(client)
    step(client, "agent", "submit")
    step(client, "engineer", "approve")
    send(context)
    found = client("viewer").get(f"{PATH}/1/progress").json()
    assert (found["affected"], found["waiting"], found["unreached"]) == (2, 1, 1)
    (left,) = client("viewer").get(f"{PATH}/1/devices", params={"unreached": True}).json()["items"]
    assert (left["device_id"], left["state"]) == ("lock-2", "no_owner")
    assert "publish the notice" in left["todo"]


@pytest.mark.parametrize("runs", [False, True])
def test_a_page_of_a_recall_s_devices_asks_nothing_about_those_of_other_pages(
    client: Client, context: ApiContext, runs: bool
) -> None:
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": f"lock-{n}", "model": MODEL} for n in range(3, 8)])
        for n in range(3, 8):
            customers.put_customer(connection, f"c-{n}", name="Kim", channels=[f"mailbox://c-{n}"] if n % 2 else [])
            customers.own(connection, f"lock-{n}", f"c-{n}", None, context.clock.now() - timedelta(days=9))
    draft(client)
    if runs:
        step(client, "agent", "submit")
        step(client, "admin", "approve")
        send(context)
    asked: list[str] = []
    sa.event.listen(context.database.engine, "before_cursor_execute", lambda *given: asked.append(str(given[3])))
    viewer, whole = client("viewer"), {}
    for unreached in (False, True):
        query = {"unreached": unreached}
        whole[unreached] = viewer.get(f"{PATH}/1/devices", params=query).json()["items"]
        paged: list[Any] = []
        cursor = None
        while not paged or cursor:
            part = viewer.get(f"{PATH}/1/devices", params=query | {"limit": 2} | ({"cursor": cursor} if cursor else {}))
            paged, cursor = paged + part.json()["items"], part.json()["next"]
        assert paged == whole[unreached]
    assert [one["device_id"] for one in whole[False]] == [f"lock-{n}" for n in range(1, 8)]
    assert [one["device_id"] for one in whole[True]] == ["lock-2", "lock-4", "lock-6"]
    assert not runs or {one["notice_id"] is not None for one in whole[False] if one["device_id"] == "lock-7"} == {True}
    asked.clear()
    assert len(viewer.get(f"{PATH}/1/devices", params={"limit": 2}).json()["items"]) == 2
    assert "lock-3" in str(asked), "one more than the page tells that there is another"
    assert "lock-4" not in str(asked)


def test_devices_are_settled_once_and_only_those_it_concerns(client: Client) -> None:
    draft(client)
    step(client, "agent", "submit")
    step(client, "engineer", "approve")
    assert step(client, "agent", "remedied", devices=["lock-1"], remedy="refund").json()["settled"] == 1
    assert step(client, "agent", "remedied", devices=["lock-1"], remedy="refund").json()["settled"] == 0
    assert step(client, "agent", "remedied", devices=["other"], remedy="refund").status_code == 422


def test_the_letter_is_shown_in_both_languages_and_a_test_goes_to_a_colleague(
    client: Client, context: ApiContext
) -> None:
    draft(client)
    english = client("agent").get(f"{PATH}/1/letter").json()
    chinese = client("agent").get(f"{PATH}/1/letter", params={"language": "zh-CN"}).json()
    assert "Product safety recall" in english["html"]
    assert "产品安全召回" in chinese["html"]
    assert client("viewer").get(f"{PATH}/1/letter").status_code == 403
    sent = step(client, "agent", "test-letter", address="mailbox://me", language="zh")
    assert sent.status_code == 202
    assert step(client, "agent", "test-letter", address="ftp://x").status_code == 422
    with context.database.reading() as connection:
        (item,) = outbox.list_items(connection, limit=10)
    assert item.payload["subject"].startswith("[TEST] 产品安全召回")


CSAF = {  # what CSAF 2.0 wants of every document (section 3.2) and of this profile (section 4.4)
    "type": "object",
    "required": ["document", "product_tree", "vulnerabilities"],
    "properties": {
        "document": {
            "required": ["category", "csaf_version", "publisher", "title", "tracking"],
            "properties": {
                "category": {"const": "csaf_security_advisory"},
                "csaf_version": {"const": "2.0"},
                "publisher": {"required": ["category", "name", "namespace"]},
                "title": {"minLength": 1},
                "tracking": {
                    "required": [
                        "current_release_date",
                        "id",
                        "initial_release_date",
                        "revision_history",
                        "status",
                        "version",
                    ],
                    "properties": {
                        "status": {"enum": ["draft", "final", "interim"]},
                        "version": {"pattern": "^(0|[1-9][0-9]*)$"},
                        "revision_history": {"minItems": 1, "items": {"required": ["date", "number", "summary"]}},
                    },
                },
            },
        },
        "vulnerabilities": {
            "minItems": 1,
            "items": {
                "required": ["notes", "product_status"],
                "properties": {"cve": {"pattern": "^CVE-[0-9]{4}-[0-9]{4,}$"}, "product_status": {"minProperties": 1}},
            },
        },
    },
}


def products(branch: dict[str, Any]) -> set[str]:
    """The ids of all products in a tree."""
    own = {branch["product"]["product_id"]} if "product" in branch else set()
    return own.union(*(products(one) for one in branch.get("branches", ())))


def test_an_advisory_is_there_for_anybody_as_csaf_once_it_runs(client: Client, context: ApiContext) -> None:
    draft(client, advisory(phone="0800 1", weaknesses=["CVE-2026-12345", "ACME-7"]), kind="advisory")
    stranger = client(None)
    assert stranger.get("/advisories/R-1.json").status_code == 404
    step(client, "agent", "submit")
    step(client, "engineer", "approve")
    answer = stranger.get("/advisories/R-1.json")
    assert answer.status_code == 200
    document = answer.json()
    jsonschema.validate(document, CSAF)
    statuses = [one["product_status"] for one in document["vulnerabilities"]]
    named = {one for status in statuses for ids in status.values() for one in ids}
    assert named <= products({"branches": document["product_tree"]["branches"]})
    assert [one.get("cve") for one in document["vulnerabilities"]] == ["CVE-2026-12345", None]
    assert {one["category"] for one in document["vulnerabilities"][0]["remediations"]} == {"vendor_fix", "mitigation"}
    assert document["document"]["tracking"]["status"] == "final"


def test_a_recall_has_no_csaf(client: Client) -> None:
    draft(client)
    assert client("agent").get(f"{PATH}/1/csaf").status_code == 422
    assert client(None).get("/advisories/R-1.json").status_code == 404


def test_an_advisory_without_an_update_says_what_users_can_do(client: Client) -> None:
    texts = {language: {"what": one["what"]} for language, one in ADVISORY_TEXTS.items()}
    draft(client, advisory(phone="0800 1", fixed_version="", texts=texts), kind="advisory")
    problems = client("viewer").get(f"{PATH}/1/check").json()["problems"]
    assert {one["field"] for one in problems} == {"texts.en.mitigation", "texts.zh_Hans.mitigation"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_notice_can_be_looked_at(client: Client, language: str) -> None:
    kinds = client("viewer").get("/api/v1/notice-kinds").json()["items"]
    assert len(kinds) == 10
    for kind in kinds:
        letter = client("agent").get(f"/api/v1/notice-kinds/{kind['name']}/sample", params={"language": language})
        assert letter.status_code == 200, kind
        assert letter.json()["language"] == ("en" if language == "en" else "zh_Hans")
    assert client("agent").get("/api/v1/notice-kinds/poem/sample").status_code == 404
    tested = client("agent").post("/api/v1/notice-kinds/survey/test", json={"address": "mailbox://me"})
    assert tested.status_code == 202
