from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from analytics.model_life.report import as_markdown, read_report
from hearthwatch.errors import Missing
from hearthwatch.records import model_looks
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.run.cli import app
from tests.unit.analytics.model_life.worlds import NAME, add_version, at


def test_a_version_that_does_not_exist_has_no_report(database: Database) -> None:
    with database.reading() as connection, pytest.raises(Missing):
        read_report(connection, 1)


def test_a_card_with_nothing_but_its_part_is_still_a_page(database: Database) -> None:
    version = add_version(database, failures="<b>|")
    with database.reading() as connection:
        text = as_markdown(read_report(connection, version.id))
    assert text.startswith(f"# {NAME}, version {version.id}")
    assert "It cannot be used" in text
    assert "registered by training: trained" in text
    assert "<b>" not in text


def test_the_newest_look_of_each_kind_is_told(database: Database) -> None:
    version = add_version(database)
    looks = [ModelLook(NAME, version.id, "scores", at(day), e) for day, e in ((1, 3.0), (2, 7.5))]
    with database.transaction() as connection:
        model_looks.append(connection, looks)
        assert model_looks.append(connection, looks) == 0
        text = as_markdown(read_report(connection, version.id))
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
