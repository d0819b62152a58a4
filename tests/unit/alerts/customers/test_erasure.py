"""A person is forgotten: no word of them is left in any table or in the file; what was learnt about the devices is."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.customers import erasure
from alerts.customers.erasure import Forgotten
from alerts.tickets import conversation
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Denied, Invalid, Missing
from hearthwatch.records import (
    attributes,
    consents,
    customers,
    devices,
    erasures,
    idempotency,
    inbound_mails,
    mailbox,
    outbox,
    tickets,
)
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.inbound_mails import NewMail
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.records.tables import metadata
from tests.conftest import records_in_memory
from tests.unit.alerts.world import NOON, World

NAME, MAIL, PHONE, STREET, CITY = (
    "Zoë Quillfeather",
    "zoe.quill@example.org",
    "+44 7700 900123",
    "7 Larkspur Mews",
    "Ambleford",
)
WRITTEN = "my cat Bartholomew sleeps on it"
PERSONAL = (NAME, "Quillfeather", MAIL, PHONE, STREET, CITY, WRITTEN, "Bartholomew")


def lived(world: World, said: str = WRITTEN) -> None:
    """A customer with a home, a letter, a ticket with a message, and an answer of the API that was kept."""
    world.home(channels=["mailbox://c-1", f"mailto:{MAIL}"])
    with world.database.transaction() as connection:
        customers.put_customer(
            connection, "c-1", name=NAME, email=MAIL, phone=PHONE, channels=["mailbox://c-1", f"mailto:{MAIL}"]
        )
        customers.put_home(connection, "h-1", address=STREET, city=CITY, region="north")
    world.policy()
    world.stand(mode="wifi_failing")
    world.run()
    with world.database.transaction() as connection:
        conversation.message(
            connection,
            world_ticket(world, connection),
            text=said,
            author="customer:c-1",
            now=world.now,
            verified=True,
            detail={},
        )
        idempotency.keep(
            connection, "k", "ann", "d", status=200, response={"id": "c-1", "name": NAME, "phone": PHONE}, at=world.now
        )
        mailbox.put(
            connection,
            key="staff:1",
            address="mailbox://ann",
            subject="a visit",
            text=f"{NAME} waits at {STREET}",
            html="",
            at=world.now,
        )


def world_ticket(world: World, connection: sa.Connection) -> int:
    return tickets.list_tickets(connection)[0].id


def forget(world: World, reason: str = "they asked for it") -> Forgotten:
    with world.database.transaction() as connection:
        return erasure.erase(connection, "c-1", reason=reason, by="ann", now=world.now)


def everything(database: Database) -> str:
    """All that stands in any table, as text."""
    with database.reading() as connection:
        rows = [
            [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in row]
            for table in metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        ]
    return json.dumps(rows, default=str, ensure_ascii=False)


# -- what is refused


def test_nobody_is_forgotten_without_a_reason_or_with_one_that_names_them(world: World) -> None:
    lived(world)
    for reason in ("", "  ", f"{NAME} asked", f"mail of {MAIL.upper()}", "x" * 401):
        with pytest.raises(Invalid):
            forget(world, reason)
    with pytest.raises(Missing), world.database.transaction() as connection:
        erasure.erase(connection, "c-9", reason="x", by="ann", now=world.now)
    assert NAME in everything(world.database)


# -- what is gone


def test_before_it_all_of_it_is_there(world: World) -> None:
    lived(world)
    text = everything(world.database)
    assert [word for word in PERSONAL if word not in text] == []


def test_no_word_of_the_person_is_left_in_any_table(world: World) -> None:
    lived(world)
    forget(world)
    text = everything(world.database)
    assert [word for word in PERSONAL if word in text] == []


@given(said=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=6, max_size=60))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_person_wrote_is_gone(said: str) -> None:
    with records_in_memory() as database:
        world = World(database, SteppedClock(NOON))
        said = f"<{said.strip()}>~"
        lived(world, said)
        forget(world)
        with database.reading() as connection:
            texts = [
                str(value)
                for table in metadata.sorted_tables
                for row in connection.execute(sa.select(table))
                for value in row
            ]
        assert not any(said in text for text in texts)


def test_the_file_itself_holds_no_word_of_the_person(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite3"
    database = open_database(f"sqlite:///{path}")
    database.upgrade()
    world = World(database, SteppedClock(NOON))
    lived(world)
    words = [word.encode() for word in PERSONAL]
    before = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(word in before for word in words)
    forget(world)
    erasures.sweep(database)
    database.close()
    after = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [word for word in words if word in after] == []


def test_links_open_nothing_and_nothing_more_is_sent(world: World) -> None:
    lived(world)
    token = world.token()
    forget(world)
    with pytest.raises((Missing, Denied)):
        world.see(token)
    world.pass_time(days=10)
    world.observe(mode="wifi_failing")
    before = len(world.letters())
    world.run()
    assert len(world.letters()) == before
    assert not [item for item in world.outbox() if item.state in {"pending", "failed"}]


def test_what_is_open_with_the_person_ends(world: World) -> None:
    lived(world)
    done = forget(world)
    assert done.closed == (world.ticket().id,)
    with world.database.reading() as connection:
        assert customers.devices_of(connection, "c-1", world.now) == []
        assert not consents.standing(connection, "c-1").allows("service")


# -- what stays


def test_statistics_stay_without_the_person(world: World) -> None:
    lived(world)
    with world.database.transaction() as connection:
        attributes.tell(connection, [("lock-1", "batch", "24-07")], world.now)
    before = count(world)
    forget(world)
    after = count(world)
    assert after == before
    with world.database.reading() as connection:
        assert devices.get(connection, "lock-1").model == "LOCK-2"
        assert customers.get_home(connection, "h-1").region == "north"
    assert world.ticket().customer_id == "c-1", "the pseudonym"
    assert world.notice().kind == "check_up"


def count(world: World) -> dict[str, int]:
    names = ("findings", "tickets", "notices", "ownerships", "devices", "outcomes")
    with world.database.reading() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in names
        }


def test_somebody_else_in_the_same_home_keeps_address_letters_and_devices(world: World) -> None:
    lived(world)
    world.register(["lock-8"])
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="Ines", channels=["mailbox://c-2"])
        consents.record(connection, "c-2", "service", True, world.now, "test")
        customers.own(connection, "lock-8", "c-2", "h-1", world.now - timedelta(days=9))
    forget(world)
    with world.database.reading() as connection:
        assert customers.get_home(connection, "h-1").address == STREET
        assert customers.devices_of(connection, "c-2", world.now) == ["lock-8"]
        assert consents.standing(connection, "c-2").allows("service")


def test_a_letter_to_a_namesake_stays(world: World) -> None:
    lived(world)
    with world.database.transaction() as connection:
        mailbox.put(
            connection,
            key="notice:99:1",
            address="mailbox://c-77",
            subject="x",
            text=f"Hello {NAME}",
            html="",
            at=world.now,
        )
    forget(world)
    assert [letter.text for letter in world.letters("mailbox://c-77")] == [f"Hello {NAME}"]


def test_what_a_person_wrote_before_they_sold_the_device_is_gone_too(world: World) -> None:
    from alerts.customers import transfer

    lived(world)
    with world.database.transaction() as connection:
        transfer.transfer(connection, "lock-1", "sold", actor="ann", now=world.now)
    assert world.ticket().customer_id is None
    world.pass_time(days=1)
    forget(world)
    text = everything(world.database)
    assert [word for word in PERSONAL if word in text] == []


# -- that it was done


def test_the_ledger_keeps_that_it_was_done_without_the_person(world: World) -> None:
    lived(world)
    done = forget(world)
    with world.database.reading() as connection:
        (kept,) = erasures.list_erasures(connection)
        assert erasures.is_erased(connection, "c-1")
    assert (kept.customer_id, kept.by, kept.reason, dict(kept.counts)) == (
        "c-1",
        "ann",
        "they asked for it",
        done.counts,
    )


def test_what_came_back_with_a_backup_is_erased_again(world: World) -> None:
    lived(world)
    forget(world)
    with world.database.transaction() as connection:  # as a restored backup would hold it
        customers.put_customer(connection, "c-1", name=NAME, email=MAIL, phone=PHONE)
        told: list[Any] = erasures.list_erasures(connection)
        assert erasure.erase_again(connection, told, world.now, "restore") == 1
        assert erasure.erase_again(connection, told, world.now, "restore") == 0
    assert NAME not in everything(world.database)


# -- who is named how


def test_letters_to_an_address_that_was_given_up_since_are_gone_too(world: World) -> None:
    lived(world)
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name=NAME, email=MAIL, channels=["mailbox://c-1-new"])
    assert world.letters("mailbox://c-1")
    forget(world)
    assert world.letters("mailbox://c-1") == []


def test_what_they_sent_from_their_address_is_gone_however_it_is_spelled(world: World) -> None:
    lived(world)
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name=NAME, email="Zoe.Quill@Example.ORG", channels=["mailbox://c-1"])
        new = NewMail("f", "imap", "taken", sender=MAIL, subject="It squeaks", text=WRITTEN)
        inbound_mails.add(connection, new, world.now)
    forget(world)
    with world.database.reading() as connection:
        (mail,) = inbound_mails.list_mails(connection)
    assert (mail.sender, mail.subject, mail.text) == (None, "", None)


def engineers_letter(world: World, text: str) -> OutboxItem:
    with world.database.transaction() as connection:
        outbox.put(
            connection,
            kind="engineer",
            channel="mail",
            address="mailto:care@maker.example",
            payload={"subject": text, "text": text, "html": ""},
            key="engineer:1",
            now=world.now,
        )
    return world.outbox(kind="engineer")[0]


@pytest.mark.parametrize(
    ("name", "text", "gone"),
    [
        ("李明", "客户李明来电", True),
        ("Ann", "Ann called", True),
        ("Ann", "the channel was planned", False),
        ("Bo", "Bo called", True),
        ("Bo", "the Boot loader", False),
    ],
)
def test_a_letter_to_staff_goes_where_it_names_the_person_and_not_where_a_word_holds_their_name(
    world: World, name: str, text: str, gone: bool
) -> None:
    lived(world)
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name=name, channels=["mailbox://c-1"])
    before = engineers_letter(world, text)
    forget(world)
    after = world.outbox(kind="engineer")[0]
    assert (after.state, after.payload == {}) == (("cancelled", True) if gone else (before.state, False))
