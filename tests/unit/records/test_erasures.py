"""Whatever database holds the records: everything about a person is found, and then taken out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hearthwatch.errors import Conflict
from hearthwatch.records import (
    commands,
    customer_links,
    customers,
    devices,
    erasures,
    idempotency,
    mailbox,
    outbox,
    personal,
)
from hearthwatch.records.commands import NewCommand
from hearthwatch.records.database import Database
from hearthwatch.records.tables import erasures as table
from hearthwatch.records.tables import metadata

AT = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PERSONAL = ("Zoë Quillfeather", "zoe@example.org", "7 Larkspur Mews", "+44 7700 900123")


@pytest.fixture
def lived(database: Database) -> Database:
    """A customer with a home, a device, a letter, a command with an answer and an answer of the API that was kept."""
    with database.transaction() as connection:
        customers.put_customer(
            connection, "c-1", name=PERSONAL[0], email=PERSONAL[1], phone=PERSONAL[3], channels=["mailbox://c-1"]
        )
        customers.put_home(connection, "h-1", address=PERSONAL[2], region="north")
        devices.register(connection, [{"id": "d-1", "model": "M"}])
        customers.own(connection, "d-1", "c-1", "h-1", AT - DAY)
        customer_links.create(connection, customer_id="c-1", expires_at=AT + DAY)
        letter = {"subject": "x", "text": f"Hello {PERSONAL[0]}", "html": ""}
        mailbox.put(connection, key="notice:1:1", address="mailbox://c-1", at=AT, **letter)
        outbox.put(
            connection,
            kind="engineer",
            channel="mailbox",
            address="mailbox://ann",
            payload={"subject": "x", "text": f"{PERSONAL[0]}, {PERSONAL[2]}", "html": ""},
            key="staff:1",
            now=AT,
        )
        asked = NewCommand(
            "d-1", "diagnostics", "native", "r", ("d-1",), "ann", PERSONAL[0], "service:c-1", AT, AT + DAY
        )
        command, _ = commands.put(connection, asked, AT)
        commands.answered(connection, command.id, ok=True, answer={"who": PERSONAL[0]}, reason=None, at=AT)
        kept = {"id": "c-1", "name": PERSONAL[0]}
        idempotency.keep(connection, "k", "ann", "d", status=200, response=kept, at=AT)
    return database


def texts(database: Database) -> str:
    with database.reading() as connection:
        rows = [[*row] for one in metadata.sorted_tables for row in connection.execute(sa.select(one))]
    return json.dumps(rows, default=str, ensure_ascii=False)


def test_everything_is_found(lived: Database) -> None:
    with lived.reading() as connection:
        person = personal.person(connection, "c-1")
        found = {
            name: b"".join(personal.lines(connection, query)).decode() for name, query in personal.parts(person).items()
        }
    assert [name for name in ("homes", "ownerships", "mailbox", "commands") if not found[name]] == []
    assert PERSONAL[2] in found["homes"]
    assert PERSONAL[0] in found["mailbox"]
    assert '"answer": {"who": "Zoë Quillfeather"}' in found["commands"]


def test_everything_is_taken_out_and_the_files_are_swept(lived: Database) -> None:
    assert [word for word in PERSONAL if word not in texts(lived)] == []
    with lived.transaction() as connection:
        counts = erasures.take_out(connection, personal.person(connection, "c-1"), AT)
        erasures.note(connection, "c-1", by="ann", reason="asked", counts=counts, at=AT)
    erasures.sweep(lived)
    assert [word for word in PERSONAL if word in texts(lived)] == []
    with lived.reading() as connection:
        assert customers.get_home(connection, "h-1").region == "north"
        assert [one.device_id for one in customers.ownerships_by(connection, "c-1")] == ["d-1"]
        assert erasures.erased_among(connection, ["c-1", "c-2"]) == {"c-1"}


def test_the_ledger_of_erasures_is_not_rewritten(database: Database) -> None:
    with database.transaction() as connection:
        erasures.note(connection, "c-1", by="ann", reason="asked", counts={}, at=AT)
        erasures.remember(connection, erasures.list_erasures(connection))
        assert len(erasures.list_erasures(connection)) == 1
    with pytest.raises(Conflict, match="append-only"), database.transaction() as connection:
        connection.execute(sa.delete(table))


LINKS = ("customer_id", "notice_id", "ticket_id", "report_id")
TAKEN_OUT = frozenset(
    {
        "commands", "customer_links", "inbound_mails", "notices", "outbox", "report_photos", "surveys", "ticket_approvals",
        "ticket_messages", "ticket_reports", "tickets",
    }
)  # fmt: skip
"""Tables with what a person wrote or may be known by: `erasures.take_out` empties their rows."""
IDS_AND_CODES = frozenset(
    {
        "article_answers", "consent_events", "erasures", "mirrors", "notice_events", "notice_findings",
        "ownerships", "sla_events", "sla_states", "ticket_events", "ticket_findings", "update_installs",
    }
)  # fmt: skip
"""Tables that name a person's things by ids, codes and times alone, under the pseudonym."""


def test_every_table_about_a_person_is_known_to_the_erasure() -> None:
    about = {table.name for table in metadata.sorted_tables if any(name in table.c for name in LINKS)}
    assert about == TAKEN_OUT | IDS_AND_CODES, "say in hearthwatch/records/erasures.py what becomes of it, and here"
