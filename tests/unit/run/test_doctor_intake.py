"""What the doctor says of reports: a mailbox that does not let us in, mails that wait, codes that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.intake import codes
from hearthwatch.records import devices, inbound_mails
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.inbound_mails import NewMail
from hearthwatch.run.checks import Check
from hearthwatch.run.doctor_intake import check_intake
from hearthwatch.settings import Settings
from tests.imap_server import ScriptedImap, imap_server
from tests.unit.alerts.intake.letters import mail

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/records.sqlite3")
    database.upgrade()
    yield database
    database.close()


def checks(folder: Path, **options: object) -> dict[str, Check]:
    settings = Settings(records=f"sqlite:///{folder}/records.sqlite3", **options)  # type: ignore[arg-type]
    return {check.name: check for check in check_intake(settings)}


def test_where_nothing_is_set_and_nothing_waits_nothing_is_said(tmp_path: Path, records: Database) -> None:
    assert checks(tmp_path) == {}


def test_records_that_are_not_there_yet_are_not_made(tmp_path: Path) -> None:
    assert checks(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_mailbox_that_does_not_let_us_in_is_unfit_and_its_password_is_not_told(tmp_path: Path) -> None:
    script = ScriptedImap({1: mail()})
    with imap_server(script):
        good = checks(tmp_path, inbound_mailbox=script.address)["inbound_mailbox"]
        wrong = checks(tmp_path, inbound_mailbox=script.address.replace("secret%20word", "guess"))["inbound_mailbox"]
    assert (good.level, wrong.level) == ("ok", "no")
    assert "guess" not in f"{wrong.says} {wrong.remedy}"
    assert script.seen == set()


def test_mails_that_wait_and_codes_that_lead_to_this_machine_alone_are_told(tmp_path: Path, records: Database) -> None:
    with records.transaction() as connection:
        inbound_mails.add(connection, NewMail("f", "pipe", "quarantined", "no mail", raw=b"x", size=1), NOW)
        devices.register(connection, [{"id": "lock-1"}])
        codes.make(connection, ["lock-1"], "http://127.0.0.1:8080", "ann", NOW)
    found = checks(tmp_path)
    assert found["inbound_mail"].says.startswith("1 mails")
    assert "--anew" in found["report_codes"].remedy
    assert "report_codes" not in checks(tmp_path, public_url="https://care.acme.example")
