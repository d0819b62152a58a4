"""Which findings a rule fits, by what they are and what their device is; and rules that do not flutter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import decisions, judgement
from alerts.policy.facts import Facts
from alerts.policy.judgement import Around, Judgement
from hearthwatch.records.policy_decisions import Prior
from hearthwatch.values import Finding
from tests.unit.alerts.policy.texts import policy

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
FINDING = Finding(
    id=1,
    kind="prognosis",
    subject_type="device",
    subject="d-1",
    mode="battery_fade",
    episode=1,
    severity="warning",
    state="open",
    part=None,
    probability=0.5,
    evidence={},
    first_seen=NOW - timedelta(days=2),
    last_seen=NOW,
    recovered_at=None,
    muted_until=None,
    revision=1,
)
LOCK = Facts("LOCK-2", "north", "lock", "injury", "in", frozenset({"group=pilot", "batch=24-07"}))
OTHER = '[[rules]]\nname = "other"\nticket = true\n'


def rule(text: str, finding: Finding = FINDING, about: Facts = LOCK, held: str | None = None) -> str | None:
    found = decisions.rule_for(policy(f'[[rules]]\nname = "it"\n{text}\n{OTHER}'), finding, about, held)
    return found.name if found else None


@pytest.mark.parametrize(
    "text",
    [
        'kinds = ["anomaly", "prognosis"]',
        'parts = ["battery"]',
        'models = ["LOCK-2"]',
        'regions = ["south", "north"]',
        'device_classes = ["lock"]',
        'safety_classes = ["injury"]',
        'warranty = ["in"]',
        'groups = ["pilot"]',
        'groups = ["batch=24-07"]',
        'groups = ["nobody", "pilot"]',
        'severity = "warning"',
        "probability = 0.5",
        'kinds = ["prognosis"]\nregions = ["north"]\nwarranty = ["in", "unknown"]\ngroups = ["pilot"]',
    ],
)
def test_a_rule_fits_what_it_names(text: str) -> None:
    assert rule(text) == "it"


@pytest.mark.parametrize(
    "text",
    [
        'kinds = ["anomaly"]',
        'parts = ["relay"]',
        'models = ["PLUG-1"]',
        'regions = ["south"]',
        'device_classes = ["plug"]',
        'safety_classes = ["none", "property"]',
        'warranty = ["out"]',
        'warranty = ["unknown"]',
        'groups = ["24-07"]',
        'groups = ["batch=24-08"]',
        'severity = "critical"',
        "probability = 0.51",
        'regions = ["north"]\nwarranty = ["out"]',
    ],
)
def test_a_rule_leaves_what_it_does_not_name_to_the_next(text: str) -> None:
    assert rule(text) == "other"


def test_a_device_nobody_knows_anything_of_fits_no_rule_that_asks() -> None:
    for text in (
        'regions = ["north"]',
        'device_classes = ["lock"]',
        'safety_classes = ["injury"]',
        'groups = ["pilot"]',
    ):
        assert rule(text, about=Facts()) == "other"
    assert rule('warranty = ["unknown"]', about=Facts()) == "it"


def test_a_finding_that_hovers_around_a_line_stays_with_the_rule_that_held_it() -> None:
    line = "probability = 0.8"
    assert rule(line, replace(FINDING, probability=0.79)) == "other"
    assert rule(line, replace(FINDING, probability=0.79), held="it") == "it"
    assert rule(line, replace(FINDING, probability=0.69), held="it") == "other"


@given(st.lists(st.floats(0.72, 0.88), min_size=2, max_size=40))
def test_within_the_margin_a_rule_takes_over_once_and_never_lets_go(likely: list[float]) -> None:
    terms = policy(f'[hysteresis]\nprobability = 0.1\n[[rules]]\nname = "it"\nprobability = 0.8\n{OTHER}')
    held, names = None, []
    for probability in likely:
        found = decisions.rule_for(terms, replace(FINDING, probability=probability), LOCK, held)
        held = found.name if found else None
        names.append(held)
    assert sum(before != after for before, after in pairwise(names)) <= 1


# -- costs

WEIGHED = (
    "[costs]\nfailure = 100\nnotice = 5\nvisit = 0\nfalse_alarm = 15\n{more}\n"
    '[[rules]]\nname = "it"\nworth_it = true\nnotice = "check_up"\n'
)


def judged(finding: Finding, *, more: str = "", prior: Prior | None = None) -> Judgement:
    terms = policy(WEIGHED.format(more=more))
    return judgement.judge(terms, finding, terms.rules[0], Around(None, LOCK, None, None, prior), NOW)


def test_a_rule_acts_only_where_acting_costs_less_than_the_failure() -> None:
    # p * 100 > 5 + (1 - p) * 15, so from p = 20 / 115 on
    assert judged(replace(FINDING, probability=0.18)).outcome == "acts"
    held_back = judged(replace(FINDING, probability=0.16))
    assert (held_back.outcome, held_back.why["cost"]["loss"]) == ("costs", 16)


def test_costs_of_a_part_count_before_the_common_ones() -> None:
    finding = replace(FINDING, probability=0.3)
    assert judged(finding, more="parts.battery = { failure = 20 }").outcome == "costs"
    assert judged(finding, more="parts.relay = { failure = 20 }").outcome == "acts"


def test_a_finding_without_a_probability_is_weighed_by_its_severity_and_says_so() -> None:
    for severity, outcome in (("info", "costs"), ("critical", "acts")):
        told = judged(replace(FINDING, probability=None, severity=severity))
        assert (told.outcome, told.why["cost"]["assumed"]) == (outcome, True)


def test_what_was_worth_it_stays_so_until_it_is_well_below_the_line() -> None:
    prior = Prior("it", True, "", NOW)
    assert judged(replace(FINDING, probability=0.12), prior=prior).outcome == "acts"
    assert judged(replace(FINDING, probability=0.05), prior=prior).outcome == "costs"
    assert judged(replace(FINDING, probability=0.12), prior=Prior("other", True, "", NOW)).outcome == "costs"


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_pays_for_a_likely_failure_pays_for_a_likelier_one(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert judged(replace(FINDING, probability=low)).pays <= judged(replace(FINDING, probability=high)).pays
