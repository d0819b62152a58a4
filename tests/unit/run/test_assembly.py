"""What opens the records, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.records import access
from hearthwatch.records.database import open_database
from hearthwatch.run.assembly import open_records
from hearthwatch.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation that nobody has started yet."""
    return load_settings(data_dir=tmp_path / "var", records=f"sqlite:///{tmp_path / 'records.sqlite3'}")


def test_an_older_schema_is_refused_with_the_command_that_helps(settings: Settings) -> None:
    older = open_database(settings.records_address)
    older.upgrade("0001")
    older.close()
    with pytest.raises(Unavailable, match="hearthwatch db upgrade"):
        open_records(settings)


def test_the_first_account_may_be_made_before_the_first_start(settings: Settings) -> None:
    database = open_records(settings)
    with database.reading() as connection:
        assert access.list_users(connection) == []
    database.close()
