"""Sentences that records keep with their figures: in English as they were written, and in the language of whoever opens a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy.file import InvalidPolicy, parse
from alerts.rollouts.announce import Announcing
from alerts.rollouts.steering import steer
from analytics.cohorts.decision import Decision
from analytics.cohorts.dimension_words import named, with_basis
from analytics.cohorts.spec import METRICS
from analytics.cohorts.verdict import Standing, Verdict, judge
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import Late, Ratio, Weight
from api.pages.language import Speaker
from api.pages.policy_form import faults_of
from api.pages.rollouts import why_decided
from hearthwatch.errors import Invalid
from hearthwatch.records import releases, rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.database import Database
from hearthwatch.records.rollouts import Plan, Wave
from hearthwatch.said import Said, all_told, as_told, of_told
from tests.kept_sentences import ENGLISH as LITTLE_WORDS

ENGLISH, CHINESE = Speaker("en"), Speaker("zh_Hans")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
QUOTED = re.compile(r"'[^']*'")
RULE = '[[rules]]\nname = "r"\n'

words = st.text(st.characters(exclude_characters="{}", codec="utf-8"))
sentences = st.recursive(
    st.builds(Said, words),
    lambda inner: st.builds(lambda a, b: Said("{a} and {b}", a=a, b=b), inner | words, inner | st.integers()),
)


def english_left(text: str) -> list[str]:
    """Words of a text that a Chinese reader would have to translate."""
    return re.findall(r"[A-Za-z]?[a-z]{2,}", text)


@given(sentences)
def test_a_record_gives_a_sentence_back_as_it_was_written(said: Said) -> None:
    kept = json.loads(json.dumps(as_told(said)))
    assert of_told(kept) == said
    assert ENGLISH.told([kept], "") == said


def test_what_was_written_before_figures_were_kept_is_read_as_it_was_written() -> None:
    assert CHINESE.told(None, "It was worse, somehow.") == "It was worse, somehow."


def test_a_sentence_nobody_translated_is_read_in_english_with_its_figures() -> None:
    assert CHINESE.said(Said("{count} owls came", count=3)) == "3 owls came"


def test_chinese_words_stand_close_and_latin_ones_apart() -> None:
    told = Said("The release {version} is paused.", version="2.0")
    assert CHINESE.said(told) == "固件版本 2.0 已暂停。"
    worse = "{version} is worse than {control}: {metrics}{remainder}."
    names = {"version": "2.0", "metrics": "x", "remainder": ""}
    assert CHINESE(worse, control="此前的固件", **names) == "2.0 比此前的固件更差：x。"


# -- the watch

WEIGHT = Weight(
    assignment="unknown",
    log_e=8.0,
    log_e_rate=8.7,
    log_e_first=None,
    rate=Ratio(2.4, 1.8, 3.2),
    first=None,
    unadjusted=Ratio(2.4, 1.8, float("inf")),
    before=1.4,
    arms_differed=False,
    arms_drifted=False,
    past_known=True,
    devices=(200, 200),
    hours=(9000.0, 9000.0),
    events=(80.0, 75.0),
    devices_with_events=(60, 55),
)
QUIET = Standing(paged=False, watched=True, latched=False, needed=40.0)
CASES: tuple[tuple[dict[str, object], dict[str, object]], ...] = (
    ({}, {"paged": True}),
    ({}, {"latched": True}),
    ({}, {}),
    ({"rate": Ratio(1.0, 0.95, 1.05)}, {}),
    ({"rate": Ratio(0.5, 0.4, 0.6)}, {}),
    ({"arms_drifted": True}, {}),
    ({"arms_differed": True}, {}),
    ({"arms_differed": True, "before": 0.4}, {}),
    ({"devices": (0, 9)}, {}),
    ({"devices_with_events": (3, 9)}, {}),
    ({"devices_with_events": (3, 9), "assignment": "randomised"}, {}),
    ({"past_known": False, "rate": None}, {}),
    ({"late": Late(12.0, 400_000, 2.0, whole=False)}, {"late_needed": 1000.0}),
    ({"suspicion": Ratio(2.0, 1.1, 3.0)}, {}),
)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize(("weight", "standing"), CASES)
def test_whatever_the_watch_says_can_be_read_in_chinese(
    metric: object, weight: dict[str, object], standing: dict[str, object]
) -> None:
    wanted = Decision(4.2, 600, Said("More time will not decide it; waves drawn by lot would."))
    verdict = judge(
        metric,  # type: ignore[arg-type]
        replace(WEIGHT, **weight),  # type: ignore[arg-type]
        replace(QUIET, **standing),  # type: ignore[arg-type]
        Names(named("part:battery", "9"), Said("all {which}", which=Said("others"))),
        guard=30,
        margin=1.05,
        decision=wanted,
    )
    verdict = with_basis(verdict, "exchangeable", "made")
    assert verdict.said
    assert english_left(CHINESE.told(all_told(verdict.said), verdict.why)) == []
    assert ENGLISH.told(all_told(verdict.said), "").startswith(verdict.why[:300])


def test_a_verdict_that_is_cut_keeps_all_its_sentences() -> None:
    said = [Said("{version} was withdrawn.", version="v" * 500), Said("It was the last.")]
    verdict = Verdict.of("worse", None, *said)
    assert verdict.why.endswith("…")
    assert ENGLISH.told(all_told(verdict.said), "").endswith("It was the last.")


# -- a roll-out


def test_what_a_person_decided_is_told_in_chinese_and_their_own_words_stay(database: Database) -> None:
    with database.transaction() as connection:
        release = releases.create(connection, model="lock", version="2.0", released_at=NOW)
        made = rollouts.create(
            connection, release_id=release.id, salt="s", plan=Plan((Wave(1, 1.0, 1.0, 1, 0.5),)), by="kim", now=NOW
        )
        rollout_devices.draw(connection, made, "lock", NOW)

        def act(action: str) -> None:
            later = NOW + timedelta(hours=1)
            given = {"reason": "door {stuck}", "actor": "kim", "now": later, "announce": Announcing()}
            steer(connection, made.id, None, action, **given)  # type: ignore[arg-type]

        for action in ("pause", "continue", "stop"):
            act(action)
        told = [why_decided(CHINESE, one) for one in rollout_decisions.list_decisions(connection, made.id)]
        with pytest.raises(Invalid) as refused:
            steer(connection, made.id, None, "pause", reason=" ", actor="kim", now=NOW, announce=Announcing())
    assert told == ["已停止：door {stuck}", "第 1 波次开放：door {stuck}", "已暂停：door {stuck}"]
    assert CHINESE.said(refused.value.message) == "请说明原因，1 至 300 个字符"


@pytest.mark.parametrize(
    "why",
    [
        "of 18 devices that have it 0 were not drawn; 2 that were drawn did not take it",
        "of 18 devices that have it 4 were not drawn, and 2 that were drawn did not take it: more than 5 %",
        "it fell silent before it told of the release",
        "it rebooted unexpectedly in 14 hours after the update",
        "its owner put it off",
    ],
)
def test_what_became_of_devices_can_be_read_in_chinese(why: str) -> None:
    assert english_left(CHINESE.retell(why)) == []


# -- the text of a policy

WRONG = (
    'name = "p"\n[notices]\nper_rond = 3\nper_round = "x"\n' + RULE + 'severity = "criticl"\nmodes = ["overheatin"]\n',
    'name = "p"\n' + RULE + 'act_within_days = 0\nprobability = 2\nworth_it = "yes"\nticket = 1\n' + RULE,
    'name = "p"\n' + RULE + "groups = ['=x']\n",
    'name = "p"\n' + RULE + "pause_rollout = true\n",
    'name = "p"\n' + RULE + "worth_it = true\npurpose = 'safety'\n",
    'name = "p"\n' + RULE + RULE,
    'name = "p"\n[[rules]]\nticket = true\nnotise = "fax"\n',
    'name = ""\nrules = []\n[tickets]\ndue_days = [1, 2]\n[quiet_hours]\nfrom = "25:00"\ntimezone = "Mars"\n',
    'name = "p"\nrules = [1]\n[sla]\nreminders = [1, 2, 3, 4, 5, 6]\nteam = ["exec://rm"]\n[survey]\nask = "yes"\n',
    'name = "p"\n[costs]\nfailure = inf\n[holidays]\ncountry = "XX"\n[remedies]\ncurrency = "XXQ"\n' + RULE,
    'name = "p"\n[sla.calendars.o]\nworkdays = ["9-1"]\n[sla.calendars.n]\nworkdays = ["09:00-13:00", "12:00-17:00"]\n' + RULE,
    'name = "p"\n[sla.calendars.o]\nsubdivision = "BY"\n[sla.calendars.n]\ncountry = "XX"\nworkdays = ["09:00-13:00"]\n' + RULE,
    'name = "p"\n[sla]\ntold_in = "x"\n[sla.calendars.o]\n' + RULE,
    'name = "p"\n[sla]\n[[sla.terms]]\nname = "a"\n[[sla.terms]]\nname = "b"\n' + RULE,
    'name = "p"\n[[rules]\n',
    'name = "p"\nx = """',
    'name "p"',
    "name = [1, 2",
    "name = 1\nname = 2",
    "name = 2026-13-45",
    'name = "a\\qb"',
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_every_fault_of_a_policy_is_told_in_chinese_with_key_line_and_rule(text: str) -> None:
    faults = faults_of(text)
    assert faults
    for fault in faults:
        told = CHINESE.said(fault.message)
        assert told != fault.message
        assert not LITTLE_WORDS.search(QUOTED.sub("", told)), told
    with pytest.raises(InvalidPolicy) as refused:
        parse(text)
    flash = CHINESE.said(refused.value.message)
    assert all(f"第 {fault.line} 行" in flash for fault in faults[:5])
    assert all(fault.key in flash for fault in faults[:5])
    assert all(str(fault.rule) in flash for fault in faults[:5] if fault.rule == "r")


def test_programs_are_told_of_faults_in_english() -> None:
    (fault,) = faults_of('name = "p"\n' + RULE + "act_within_days = 0")
    assert str(fault) == "line 4, rules.0.act_within_days (rule 'r'): must be greater than 0, not 0"
