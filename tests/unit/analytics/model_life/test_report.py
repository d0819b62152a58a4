from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from analytics.model_life.held_out import HeldOut
from analytics.model_life.report import as_markdown, read_report
from hearthwatch.errors import Missing
from hearthwatch.records import findings, hold_outs, model_looks, outcomes
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.records.outcomes import Outcome
from hearthwatch.run.cli import app
from hearthwatch.values import Observation
from tests.unit.analytics.model_life.worlds import LATER, NAME, add_version, at, names, write_fleet


def test_a_version_that_does_not_exist_has_no_report(database: Database) -> None:
    with database.reading() as connection, pytest.raises(Missing):
        read_report(connection, 1, LATER)


def test_a_card_with_nothing_but_its_part_is_still_a_page(database: Database) -> None:
    version = add_version(database, failures="<b>|")
    with database.reading() as connection:
        text = as_markdown(read_report(connection, version.id, LATER))
    assert text.startswith(f"# {NAME}, version {version.id}")
    assert "It cannot be used" in text
    assert "registered by training: trained" in text
    assert "<b>" not in text


def test_a_wear_model_tells_how_far_its_lives_were_off_and_of_no_test_it_never_had(database: Database) -> None:
    lives = {"left_out_units": 156, "left_out_failures": 47, "rmse_days": 21.5, "rmse_days_by_age_alone": 40.25}
    shares = {"p10_to_p90_holds": 0.8, "sooner_than_p10": 0.125, "later_than_p90": 0.075}
    version = add_version(database, evaluation=lives | shares)
    with database.reading() as connection:
        text = as_markdown(read_report(connection, version.id, LATER))
    assert "| Tested on | 156 lives left out, 47 of which ended |" in text
    assert "| Root mean square error | 21.5 days (age alone 40.25) |" in text
    assert "| Within P10 to P90 | 80% (sooner 12%, later 8%) |" in text


def test_the_newest_look_of_each_kind_is_told(database: Database) -> None:
    version = add_version(database)
    looks = [ModelLook(NAME, version.id, "scores", at(day), e) for day, e in ((1, 3.0), (2, 7.5))]
    with database.transaction() as connection:
        model_looks.append(connection, looks)
        assert model_looks.append(connection, looks) == 0
        text = as_markdown(read_report(connection, version.id, LATER))
    assert "e = 7.5" in text
    assert "e = 3" not in text


def test_the_command_shows_a_card_as_markdown_and_as_json(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"sqlite:///{tmp_path}/records.sqlite3?synchronous=off"
    database = open_database(address)
    database.upgrade()
    version = add_version(database)
    database.close()
    monkeypatch.setenv("HEARTHWATCH_RECORDS", address)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    runner = CliRunner()
    assert runner.invoke(app, ["models", "show", str(version.id)]).stdout.startswith(f"# {NAME}")
    told = json.loads(runner.invoke(app, ["models", "show", str(version.id), "--json"]).stdout)
    assert (told["name"], told["role"], told["card"]["part"]) == (NAME, "champion", "relay")
    assert [one["what"] for one in told["decisions"]] == ["promoted", "registered"]
    answer = runner.invoke(app, ["models", "promote", str(version.id), "--why", "it is right"])
    assert answer.exit_code != 0
    assert "it cannot be used" in str(answer.exception)


def test_what_came_of_held_out_findings_is_told_of_the_version_they_come_from(database: Database) -> None:
    write_fleet(database, 4)
    version, other = add_version(database), add_version(database)
    with database.transaction() as connection:
        for device in names(4):
            of = other if device == names(4)[3] else version
            seen = Observation(
                "prognosis", "device", device, "relay_wear", "warning", at(1), {"model_version": of.id}, 0.5
            )
            finding = findings.observe(connection, seen, relapse=timedelta(days=7))
            assert hold_outs.begin(connection, finding, "relay", share=0.1, policy_version=1, now=at(1))
        outcomes.add(connection, [Outcome(names(4)[0], "relay", at(9), "failure", "ticket:1")])
        hold_outs.end(connection, finding_of(connection, names(4)[1]), "sent_now", "ann", at(5))
        told = read_report(connection, version.id, at(20)).held_out
        later = read_report(connection, version.id, at(32))
    assert told == HeldOut(known=1, failed=1, expected=0.5)  # the others may still fail, or were told
    assert later.held_out == HeldOut(known=2, failed=1, expected=1.0)
    assert "Of 2 findings that were held out, 1 failed without a notice; it had said 1.0." in as_markdown(later)


def finding_of(connection: Connection, device: str) -> int:
    return next(
        one.id for one in findings.list_findings(connection, kind="prognosis", limit=10) if one.subject == device
    )
