"""Why notices were written and findings became nothing, over HTTP and in words; policies checked and explained without being kept."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from alerts.tickets import ending
from api.app import ApiContext
from hearthwatch.catalogues import read_catalogues
from hearthwatch.records import policies, tickets
from tests.unit.alerts.policy.texts import HEAD, keep
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client

ROOT = Path(__file__).resolve().parents[3]
WORDED = ("api/policy_words.py", "api/policy_explained.py")
RULES = (
    "[costs]\nfailure = 100\nnotice = 5\nvisit = 0\nfalse_alarm = 15\n"
    '[[rules]]\nname = "worn"\nkinds = ["prognosis"]\nparts = ["battery"]\nworth_it = true\nnotice = "replacement"\n'
)


@pytest.fixture
def world(context: ApiContext) -> World:
    world = World(context.database, context.clock)  # type: ignore[arg-type]
    world.home(channels=["mailbox://c-1"])
    return world


def words(answer: Any) -> dict[str, str]:
    return {one["about"]: one["text"] for one in answer.json()["words"]}


def test_what_is_not_there_has_no_reasons(client: Client) -> None:
    assert client("viewer").get("/api/v1/notices/9/why").status_code == 404
    assert client("viewer").get("/api/v1/findings/9/why").status_code == 404
    assert client().get("/api/v1/findings/9/why").status_code == 401


def test_a_notice_tells_its_rule_its_sums_its_consent_and_its_budget(client: Client, world: World) -> None:
    keep(world, RULES)
    world.stand(kind="prognosis", probability=0.5, severity="warning")
    world.run()
    answer = client("viewer").get(f"/api/v1/notices/{world.notice().id}/why")
    told = words(answer)
    assert told["Rule"] == "Rule 1 of policy version 1: worn"
    assert told["What fitted"] == "kind: prognosis; part: battery"
    assert "50.00 EUR (50% of 100), acting 12.50 EUR" in told["Expected cost"]
    assert told["Consent"] == "Given for service."
    assert told["Household"] == "0 of 4 notices within 30 days before this one"
    assert answer.json()["why"]["cost"]["loss"] == 50


def test_what_follows_from_a_ticket_has_its_reasons_without_a_rule(client: Client, world: World) -> None:
    keep(world, RULES.replace("\nworth_it", "\nticket = true\nworth_it"))
    world.stand(kind="prognosis", probability=0.9)
    world.run()
    with world.database.transaction() as connection:
        closing = tickets.list_tickets(connection)[0]
        ending.close(connection, closing.id, None, code="confirmed", part=None, note=None, actor="ann", now=world.now)
    world.run()
    (news,) = [one for one in world.notices() if one.kind == "ticket_update"]
    told = words(client("viewer").get(f"/api/v1/notices/{news.id}/why"))
    assert told["Rule"].startswith("Policy version")
    assert "Mode" not in told


def test_the_same_is_told_in_chinese(client: Client, world: World) -> None:
    keep(world, RULES)
    world.stand(kind="prognosis", probability=0.5, severity="warning")
    world.run()
    told = words(client("viewer").get(f"/api/v1/notices/{world.notice().id}/why?language=zh-CN"))
    assert told["规则"] == "策略第 1 版的规则 1：worn"
    assert told["匹配条件"] == "类别：预测；部件：电池"


def test_a_finding_that_became_nothing_says_why_not(client: Client, world: World) -> None:
    keep(world, RULES)
    unfit = world.stand(mode="wifi_failing")
    cheap = world.stand(kind="prognosis", probability=0.1, severity="warning")
    unseen = f"/api/v1/findings/{cheap.id}/why"
    assert client("viewer").get(unseen).json()["decision"] is None
    world.run()
    told = words(client("viewer").get(f"/api/v1/findings/{unfit.id}/why"))
    assert told == {"Outcome": "No rule of the policy fits it.", "worn": "The kind does not fit."}
    assert words(client("viewer").get(unseen))["Outcome"] == "Acting costs more than the failure is expected to."


def test_a_text_is_checked_line_by_line_and_not_kept(client: Client, context: ApiContext) -> None:
    def check(text: str) -> Any:
        return client("viewer").post("/api/v1/policies/validate", json={"text": text}).json()

    wrong = check(HEAD + RULES + "notise = 1\nseverity = 'bad'")
    assert wrong["valid"] is False
    assert [(one["where"], one["rule"]) for one in wrong["faults"]] == [
        ("rules.0.notise", "worn"),
        ("rules.0.severity", "worn"),
    ]
    assert wrong["faults"][1]["line"] - wrong["faults"][0]["line"] == 1
    right = check(HEAD + RULES)
    assert (right["valid"], right["name"], right["rules"], right["known_as"]) == (True, "p", 1, None)
    with context.database.reading() as connection:
        assert policies.list_versions(connection) == []


def test_a_wrong_policy_that_is_sent_is_a_problem_with_all_its_faults(client: Client) -> None:
    answer = client("engineer").post("/api/v1/policies", json={"text": HEAD + RULES + "notise = 1"})
    assert answer.status_code == 422
    assert [one["where"] for one in answer.json()["errors"]] == ["rules.0.notise"]


def test_a_version_is_explained_and_compared(client: Client, world: World) -> None:
    first = keep(world, RULES)
    second = keep(world, RULES.replace("failure = 100", "failure = 200"), "observe")
    told = client("viewer").get(f"/api/v1/policies/{first}/explanation").json()
    (rule,) = told["rules"]
    assert rule["conditions"][:2] == ["kind is prognosis", "part is battery"]
    assert "acting is expected to cost less than the failure" in rule["conditions"]
    lines = client("viewer").get(f"/api/v1/policies/{second}/difference").json()["lines"]
    assert "-failure = 100" in lines
    assert "+failure = 200" in lines
    assert client("viewer").get("/api/v1/policies/9/explanation").status_code == 404


def test_every_sentence_about_policies_has_its_chinese() -> None:
    chinese = read_catalogues(ROOT / "api" / "locale", "zh_Hans")
    said = {
        str(call.args[0].value)
        for path in WORDED
        for call in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert len(said) > 100
    assert not {one for one in said if chinese.gettext(one) == one}
