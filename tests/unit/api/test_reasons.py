"""Why a prognosis was made, over HTTP and in the language of a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import Request

from api.app import ApiContext
from api.pages.language import language_of
from hearthwatch.records import findings
from hearthwatch.values import Observation
from tests.unit.api.conftest import Client
from tests.unit.floor.test_reason_words import DECISION, RAISES

AT = datetime(2026, 5, 1, tzinfo=UTC)


def finding(context: ApiContext, **evidence: object) -> int:
    seen = Observation(
        "prognosis", "device", "d-1", "relay_wear", "warning", AT, {"metrics": [], **evidence}, 0.4, "relay"
    )
    with context.database.transaction() as connection:
        return findings.observe(connection, seen, relapse=timedelta(days=7)).id


def test_the_reasons_of_a_finding_that_does_not_exist_are_missing(client: Client) -> None:
    assert client("viewer").get("/api/v1/findings/77/reasons").status_code == 404


def test_a_call_centre_reads_the_reasons_in_its_language(client: Client, context: ApiContext) -> None:
    against = {"text_key": "against", "values": {"none": ["reboots"], "usual": []}}
    number = finding(context, reasons=[RAISES], against=against, probable_part="relay", decision=DECISION)
    told = client("viewer").get(f"/api/v1/findings/{number}/reasons", params={"language": "zh-CN"}).json()
    assert told["language"] == "zh"
    assert told["reasons"][0].startswith("触点电阻：高于同型号同固件设备中的 97%")
    assert told["against"] == "相反的迹象：意外重启次数为零"
    assert told["probable_part"] == "继电器"
    assert told["decision"][0] == "采取行动平均约可节省 31.46 EUR；达到 8% 即标记"
    english = client("viewer").get(f"/api/v1/findings/{number}/reasons").json()
    assert english["probable_part"] == "relay"


def test_a_finding_of_another_kind_has_reasons_and_no_decision(client: Client, context: ApiContext) -> None:
    number = finding(context, reasons=["It reboots."])
    told = client("viewer").get(f"/api/v1/findings/{number}/reasons").json()
    assert told == {
        "language": "en",
        "reasons": ["It reboots."],
        "against": None,
        "probable_part": None,
        "decision": [],
    }


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        ("", "en"),
        ("fr-FR,fr;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de, zh;q=0.7, en;q=0.3", "zh"),
        ("zh;q=much, en", "en"),
    ],
)
def test_the_browsers_first_wish_that_has_words_is_taken(wishes: str, language: str) -> None:
    scope = {"type": "http", "headers": [(b"accept-language", wishes.encode())] if wishes else []}
    assert language_of(Request(scope)) == language
