"""What becomes a finding: by costs, twice in a row, within a week's budget, and the same however often a day is worked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.decision.cost_file import parse_costs
from analytics.decision.rule import Rule
from analytics.labels import Labels
from analytics.panel import day_number
from analytics.prognosis.alarms import Decided, Said, decide, openings
from analytics.prognosis.known import Known, load_known
from hearthwatch.failure_modes import mode_of_part
from hearthwatch.records import findings, prognoses
from hearthwatch.records.database import Database
from hearthwatch.records.prognoses import Prognosis
from tests.conftest import records_in_memory
from tests.unit.analytics.fleets import START

NOW = START + timedelta(hours=4)
WEEK = timedelta(days=7)
SHEET = parse_costs(
    """
currency = "EUR"
[default]
failure = 110
planned = 10
effectiveness = 1
notice = 1
false_alarm = 9
[parts.battery]
failure = 1010
""",
    "costs.toml",
)
LINE = SHEET.default.threshold
DEVICES = [f"d-{number}" for number in range(6)]
EMPTY = Known(Labels({}, {}, {}), {}, {}, {}, {}, frozenset())

Risks = Mapping[str, float]


def said(risks: Risks, part: str = "relay") -> list[Said]:
    return [Said(device, "plug", part, (p / 2, p, min(1.0, p * 1.5)), 1) for device, p in risks.items()]


def after(risks: Risks, part: str = "relay") -> Known:
    """What is known the day after some risks were told, with nothing open."""
    return replace(EMPTY, before={(device, part): p for device, p in risks.items()})


def flagged(decided: Decided) -> set[str]:
    return {one.subject for one in decided.observations}


def states(decided: Decided) -> dict[str, str]:
    return {device: told["state"] for (device, _), told in decided.states.items()}


def test_a_probability_opens_a_finding_from_its_parts_threshold_on() -> None:
    assert LINE == 10 / 109
    risks = {"d-0": LINE - 0.001, "d-1": LINE + 0.001}
    assert flagged(decide(after(risks), said(risks), Rule(0.5, SHEET), (), NOW)) == {"d-1"}
    dear = decide(after(risks, "battery"), said(risks, "battery"), Rule(0.5, SHEET), (), NOW)
    assert flagged(dear) == {"d-0", "d-1"}, "a failure of a battery costs ten times as much"


def test_without_costs_the_one_probability_holds() -> None:
    risks = {"d-0": 0.49, "d-1": 0.5}
    decided = decide(after(risks), said(risks), Rule(0.5), (), NOW)
    assert flagged(decided) == {"d-1"}
    assert decided.observations[0].evidence["decision"] == {"by": "probability", "threshold": 0.5}
    assert decided.account()["price"] == {}


def test_the_evidence_says_what_was_weighed() -> None:
    risks = {"d-0": 0.3}
    (finding,) = decide(after(risks), said(risks), Rule(0.5, SHEET), (), NOW).observations
    assert finding.evidence["decision"] == {
        "by": "costs",
        "threshold": round(LINE, 4),
        "net_benefit": round(0.3 * 100 - 1 - 0.7 * 9, 2),
        "currency": "EUR",
        "costs": {"failure": 110, "planned": 10, "effectiveness": 1, "notice": 1, "false_alarm": 9},
    }
    assert finding.evidence["probable_part"] == "relay"
    assert finding.severity == "warning"


def test_a_finding_is_critical_when_a_failure_is_likely_within_a_week_whatever_it_costs() -> None:
    soon, later = replace(said({"d-0": 0.7})[0], p=(0.5, 0.7, 0.8)), replace(said({"d-1": 0.7})[0], p=(0.4, 0.7, 0.8))
    for rule in (Rule(0.5), Rule(0.5, SHEET)):
        decided = decide(after({"d-0": 0.7, "d-1": 0.7}), [soon, later], rule, (), NOW)
        assert [one.severity for one in decided.observations] == ["critical", "warning"]


def test_the_first_day_above_the_line_opens_nothing_and_says_so() -> None:
    risks = {"d-0": 0.4}
    decided = decide(after({"d-0": 0.5 * LINE}), said(risks), Rule(0.5, SHEET), (), NOW)
    assert flagged(decided) == set()
    assert states(decided) == {"d-0": "unconfirmed"}


def test_an_open_finding_stays_down_to_six_tenths_of_the_line_whatever_the_budget(database: Database) -> None:
    first = dict.fromkeys(DEVICES, 0.4)
    keep(database, decide(after(first), said(first), Rule(0.5, SHEET), (), NOW), NOW)
    later = NOW + timedelta(days=1)
    risks = {"d-0": 0.61 * LINE, "d-1": 0.59 * LINE, "d-2": LINE}
    decided = decide(
        known(database, first), said(risks), Rule(0.5, SHEET, per_1000_and_week=1), openings(database, later), later
    )
    assert flagged(decided) == {"d-0", "d-2"}
    assert decided.waiting == 0


def test_the_best_go_first_and_the_others_are_seen_to_wait() -> None:
    risks = {"d-0": 0.2, "d-1": 0.6, "d-2": 0.4, "d-3": 0.05}
    decided = decide(after(risks), said(risks), Rule(0.5, SHEET, per_1000_and_week=2), (), NOW)
    assert flagged(decided) == {"d-1", "d-2"}
    assert states(decided) == {"d-1": "flagged", "d-2": "flagged", "d-0": "waiting"}
    assert decided.account() == {
        "waiting": 1,
        "week": {"opened": 2, "limit": 2},
        "price": {"EUR": round(0.4 * 100 - 1 - 0.6 * 9, 2)},
    }


def test_a_dear_part_goes_before_a_likelier_cheap_one() -> None:
    both = [*said({"d-0": 0.5}), *said({"d-1": 0.2}, "battery")]
    seen = replace(EMPTY, before={("d-0", "relay"): 0.5, ("d-1", "battery"): 0.2})
    assert flagged(decide(seen, both, Rule(0.5, SHEET, per_1000_and_week=1), (), NOW)) == {"d-1"}


def test_a_device_is_flagged_once_for_each_of_its_parts() -> None:
    both = [*said({"d-0": 0.5}), *said({"d-0": 0.5}, "battery")]
    seen = replace(EMPTY, before={("d-0", "relay"): 0.5, ("d-0", "battery"): 0.5})
    decided = decide(seen, both, Rule(0.5, SHEET), (), NOW)
    assert sorted(one.mode for one in decided.observations) == ["battery_fade", "relay_wear"]


def keep(database: Database, decided: Decided, now: datetime) -> None:
    with database.transaction() as connection:
        for observation in decided.observations:
            findings.observe(connection, observation, relapse=WEEK)
        findings.recover(connection, now, quiet=timedelta(hours=24))


def known(database: Database, before: Risks) -> Known:
    with database.reading() as connection:
        standing = findings.list_findings(connection, states=findings.UNRECOVERED, limit=1000)
    return replace(after(before), open={(one.subject, one.mode): one for one in standing})


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.02, 0.07, 0.3, 0.6]), min_size=6, max_size=6), min_size=3, max_size=16),
    st.integers(1, 3),
)
def test_no_week_opens_more_than_its_budget_and_a_day_worked_twice_is_the_same(
    days: list[list[float]], budget: int
) -> None:
    with records_in_memory() as database:
        rule, before = Rule(0.5, SHEET, per_1000_and_week=budget), dict.fromkeys(DEVICES, 0.0)
        opened: list[int] = []
        for number, values in enumerate(days):
            now, risks = NOW + timedelta(days=number), dict(zip(DEVICES, values, strict=True))
            decided = decide(known(database, before), said(risks), rule, openings(database, now), now)
            keep(database, decided, now)
            again = decide(
                known(database, before), said(risks), rule, openings(database, now + timedelta(hours=3)), now
            )
            assert flagged(again) == flagged(decided)
            assert states(again) == states(decided)
            assert again.account() == decided.account()
            opened = [day for _, day in every_opening(database)]
            today = day_number(now)
            assert sum(today - 7 < day <= today for day in opened) <= budget
            assert decided.waiting == 0 or decided.opened_in_week == budget, "nobody waits while there is room"
            before = risks


def every_opening(database: Database) -> list[tuple[str, int]]:
    with database.reading() as connection:
        return [
            (subject, day_number(at))
            for subject, _, at in findings.openings(connection, kind="prognosis", since=START - WEEK)
        ]


def test_the_finding_of_a_part_is_known_by_its_failure_mode() -> None:
    assert said({"d-0": 0.1})[0].finding == ("d-0", mode_of_part("relay"))


def test_a_second_run_on_a_day_knows_what_the_first_had_confirmed(database: Database) -> None:
    def row(device: str, state: str | None, ago: timedelta = timedelta(0)) -> Prognosis:
        decision = None if state is None else {"state": state, "threshold": LINE}
        return Prognosis(device, "relay", NOW - ago, None, 0.1, 0.4, 0.6, None, (), method="hazard", decision=decision)

    rows = [row("d-0", "waiting"), row("d-1", "unconfirmed"), row("d-2", None), row("d-3", None, timedelta(days=1))]
    with database.transaction() as connection:
        prognoses.put(connection, rows)
    assert load_known(database, NOW + timedelta(hours=2)).before == {("d-0", "relay"): 0.4, ("d-3", "relay"): 0.4}
