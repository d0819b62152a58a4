from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from analytics.model_life import job
from api.pages.models import MACHINES
from hearthwatch.records import (
    findings,
    model_decisions,
    model_looks,
    model_versions,
    outcomes,
    said_days,
    ticket_findings,
    tickets,
)
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import Because
from hearthwatch.records.tables import findings as findings_table
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Observation
from tests.kept_sentences import left_in_english
from tests.unit.analytics.fleets import MODEL
from tests.unit.analytics.model_life.worlds import (
    DEVICES,
    NAME,
    add_version,
    at,
    fail,
    judge,
    names,
    roles,
    say,
    write_fleet,
)

LOW = np.full(DEVICES, 0.02)


def decided(database: Database) -> list[tuple[int, str, str]]:
    """Version, what became of it and by whom, oldest first, without that it was registered."""
    with database.reading() as connection:
        told = model_decisions.list_decisions(connection, name=NAME)[::-1]
    assert left_in_english(one.why for one in told if one.by in MACHINES) == []
    return [(one.version_id, one.what, one.by) for one in told if one.what != "registered"]


def incidents(database: Database) -> list[str]:
    with database.reading() as connection:
        found = findings.list_findings(connection, kind="incident", limit=100)
    told = [str(reason) for one in found for reason in one.evidence["reasons"]]
    assert left_in_english(told) == []
    return told


def many_fail(database: Database, start: int = 0, every: int = 8) -> None:
    """Of 400 devices of which 2 % were to fail within 30 days, an eighth does."""
    fail(database, {device: start + 1 + device % 28 for device in range(0, DEVICES, every)})


def test_without_a_model_at_work_there_is_nothing_to_judge(database: Database) -> None:
    add_version(database, role="challenger")
    assert judge(database, 5) == {"judged": 0, "promoted": [], "demoted": [], "retired": [], "alarms": []}


def test_a_champion_that_keeps_its_word_stays(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    say(database, 0, [version.id], [LOW])
    fail(database, {device: 3 * device + 1 for device in range(8)})
    assert judge(database, 60)["demoted"] == []
    assert roles(database) == {version.id: "champion"}
    with database.reading() as connection:
        (look,) = model_looks.list_looks(connection, version.id, "calibration")
    assert (look.detail["horizons"]["30"]["labels"], look.detail["horizons"]["30"]["observed"]) == (DEVICES, 8)
    assert look.detail["horizons"]["30"]["expected"] == pytest.approx(8)
    assert look.detail["by_firmware"] == [{"firmware": "1.0.0", "labels": DEVICES, "observed": 8, "expected": 8.0}]


def test_before_labels_can_be_in_nothing_is_judged(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    say(database, 0, [version.id], [LOW])
    many_fail(database)
    assert judge(database, 14)["demoted"] == []  # 7 days of the shorter horizon, and 7 in which labels still come in
    assert judge(database, 15)["demoted"] == [NAME]


def test_a_champion_whose_devices_fail_far_more_often_falls_back_to_the_last_good_version_then_to_none(
    database: Database,
) -> None:
    write_fleet(database)
    good, bad = add_version(database), add_version(database, day=1)
    assert roles(database) == {good.id: "retired", bad.id: "champion"}
    say(database, 1, [bad.id], [LOW])
    many_fail(database)
    assert judge(database, 50)["demoted"] == [NAME]
    assert roles(database) == {good.id: "champion", bad.id: "retired"}
    assert "more devices fail than it said" in incidents(database)[0]
    assert f"now version {good.id} speaks" in incidents(database)[0]
    # the one restored does no better: nothing is left, and the demoted one does not come back
    say(database, 52, [good.id], [LOW])
    fail(database, {device: 53 + device % 28 for device in range(3, DEVICES, 8)})
    assert judge(database, 100)["demoted"] == [NAME]
    assert roles(database) == {good.id: "retired", bad.id: "retired"}
    assert decided(database)[-3:] == [
        (bad.id, "demoted", "watch"),
        (good.id, "restored", "watch"),
        (good.id, "demoted", "watch"),
    ]
    assert judge(database, 101)["judged"] == 0


def test_a_person_may_bring_a_demoted_version_back_and_that_is_written_down(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    say(database, 0, [version.id], [LOW])
    many_fail(database)
    judge(database, 50)
    with database.transaction() as connection:
        model_versions.promote(connection, version.id, Because(at(51), "ann", "the labels were wrong"))
    assert decided(database)[-1] == (version.id, "promoted", "ann")
    assert judge(database, 52)["demoted"] == []  # what it said before does not count again


def test_a_job_killed_in_between_leaves_the_day_before_and_can_be_run_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fleet(database)
    good, bad = add_version(database), add_version(database, day=1)
    say(database, 1, [bad.id], [LOW])
    many_fail(database)
    before = decided(database)
    with monkeypatch.context() as patched:
        patched.setattr(findings, "observe", lambda *_, **__: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            judge(database, 50)
    assert roles(database) == {good.id: "retired", bad.id: "champion"}
    assert decided(database) == before
    judge(database, 50)
    judge(database, 50)
    assert roles(database) == {good.id: "champion", bad.id: "retired"}
    assert [what for _, what, _ in decided(database)].count("demoted") == 1
    with database.reading() as connection:
        assert len(model_looks.list_looks(connection, bad.id, "calibration")) == 1


def test_a_challenger_that_knows_better_takes_over(database: Database) -> None:
    write_fleet(database)
    champion, challenger = add_version(database), add_version(database, role="challenger", day=1)
    failing = list(range(0, DEVICES, 16))
    sure = np.full(DEVICES, 0.01)
    sure[failing] = 0.6
    for week in range(3):
        say(database, 2 + 7 * week, [champion.id, challenger.id], [np.full(DEVICES, 0.0625), sure])
    fail(database, {device: 18 + device % 14 for device in failing})
    assert judge(database, 60, no_fault_allowed=0.9)["promoted"] == [NAME]
    assert roles(database) == {champion.id: "retired", challenger.id: "champion"}
    assert decided(database)[-1] == (challenger.id, "promoted", "race")
    with database.reading() as connection:
        (look,) = model_looks.list_looks(connection, challenger.id, "race")
    assert look.detail["loss_challenger"] < look.detail["loss_champion"]
    assert look.detail["failing"] == len(failing)


def test_a_challenger_that_knows_worse_makes_room(database: Database) -> None:
    write_fleet(database)
    champion, challenger = add_version(database), add_version(database, role="challenger", day=1)
    failing = list(range(0, DEVICES, 16))
    sure = np.full(DEVICES, 0.01)
    sure[failing] = 0.6
    say(database, 2, [champion.id, challenger.id], [sure, np.full(DEVICES, 0.0625)])
    fail(database, {device: 4 + device % 26 for device in failing})
    assert judge(database, 60)["retired"] == [NAME]
    assert roles(database) == {champion.id: "champion", challenger.id: "retired"}


def test_a_challenger_that_says_the_same_wins_nothing_and_makes_room_after_half_a_year(database: Database) -> None:
    write_fleet(database)
    champion, challenger = add_version(database), add_version(database, role="challenger", day=1)
    say(database, 2, [champion.id, challenger.id], [LOW, LOW])
    fail(database, {device: 4 + device for device in range(8)})
    assert judge(database, 60)["promoted"] == []
    assert roles(database)[challenger.id] == "challenger"
    assert judge(database, 1 + job.RACE_DAYS + 1)["retired"] == [NAME]
    assert roles(database) == {champion.id: "champion", challenger.id: "retired"}


def visit(database: Database, version: int, number: int, code: str, probability: float = 0.8) -> None:
    """A finding of a version, its ticket, and how that was closed."""
    device, when = names()[number], at(10) + timedelta(hours=number)
    evidence = {"metrics": [], "reasons": [], "model_version": version}
    seen = Observation("prognosis", "device", device, "relay_wear", "warning", when, evidence, probability, "relay")
    with database.transaction() as connection:
        finding = findings.observe(connection, seen, relapse=timedelta(days=7))
        new = NewTicket(f"c{number}", "device", "t", 2, None, finding.id, None, device, None, None, MODEL, "relay")
        ticket, _ = tickets.open_once(connection, new, actor="policy", now=when, detail={})
        ticket_findings.join(connection, finding.id, ticket.id, when)
        changes = {"state": "closed", "closed_at": when + timedelta(days=2), "closing_code": code}
        tickets.change(connection, ticket.id, None, changes)


def test_a_champion_whose_visits_find_nothing_is_demoted(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    for number in range(12):
        visit(database, version.id, number, "no_fault_found" if number else "confirmed")
    assert judge(database, 30)["demoted"] == [NAME]
    assert "11 of 12 visits found no fault" in incidents(database)[0]


def test_visits_that_were_to_find_nothing_now_and_then_are_no_complaint(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    for number in range(12):
        visit(database, version.id, number, "no_fault_found" if number % 5 else "confirmed", probability=0.2)
    assert judge(database, 30)["demoted"] == []


@pytest.mark.parametrize("code", ["user_error", "environment", "fixed_by_update"])
def test_what_was_neither_the_parts_fault_nor_the_models_speaks_neither_for_nor_against_it(
    database: Database, code: str
) -> None:
    write_fleet(database)
    version = add_version(database)
    for number in range(12):
        visit(database, version.id, number, code)
    assert judge(database, 30)["demoted"] == []
    for number in range(12, 24):
        visit(database, version.id, number, "no_fault_found")
    assert judge(database, 31)["demoted"] == [NAME]
    assert "12 of 12 visits found no fault" in incidents(database)[0]


def test_visits_about_another_version_do_not_count(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    for number in range(12):
        visit(database, version.id + 7, number, "no_fault_found")
    assert judge(database, 30)["demoted"] == []


def test_scores_that_move_are_told_once_and_take_nobody_out_of_work(database: Database) -> None:
    version = add_version(database)
    random = np.random.default_rng(3)
    for week in range(12):
        logit = -4 + random.normal(size=DEVICES) + (2.5 if week > 1 else 0.0)
        say(database, 7 * week, [version.id], [1 / (1 + np.exp(-logit))])
    assert judge(database, 80)["alarms"] == [NAME]
    assert judge(database, 81)["alarms"] == []
    assert roles(database) == {version.id: "champion"}
    assert "scores no longer look like those of its first days" in incidents(database)[0]
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(findings_table)).scalar_one() == 1


def test_what_was_said_is_forgotten_when_no_label_can_come_any_more(database: Database) -> None:
    version = add_version(database)
    say(database, 0, [version.id], [LOW[:5]])
    judge(database, 399)
    with database.reading() as connection:
        assert len(said_days.list_days(connection, NAME)) == 1
    judge(database, 402)
    with database.reading() as connection:
        assert said_days.list_days(connection, NAME) == []


def test_no_fault_found_is_no_failure_for_calibration(database: Database) -> None:
    write_fleet(database)
    version = add_version(database)
    say(database, 0, [version.id], [LOW])
    with database.transaction() as connection:
        rows = [outcomes.Outcome(name, "relay", at(5), "no_fault_found", "t") for name in names()[::8]]
        outcomes.add(connection, rows)
    assert judge(database, 60)["demoted"] == []
