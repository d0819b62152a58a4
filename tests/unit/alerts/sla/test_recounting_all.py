"""`hearthwatch ticket sla`: every ledger of clocks against what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearthwatch.records import sla_events
from hearthwatch.records.database import Database
from hearthwatch.run.sla_cli import audit
from tests.unit.alerts.sla.desk import Desk
from tests.unit.alerts.sla.story import berlin


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_a_ledger_that_was_tampered_with_is_named_and_the_others_agree(desk: Desk) -> None:
    desk.policy("first_response_hours = 2\nresolution_hours = 8")
    honest, tampered = desk.open("2026-05-04 09:00"), desk.open("2026-05-04 09:00")
    desk.rounds("2026-05-04 09:00", "2026-05-05 10:00")
    assert audit(desk.database, berlin("2026-05-05 10:00")).disagreeing == {}
    breach = next(one for one in desk.ledger(tampered) if one.what == "breach")
    forged = replace(breach, number=desk.ledger(tampered)[-1].number + 1, what="fulfil", at=berlin("2026-05-04 10:00"))
    with desk.database.transaction() as connection:
        sla_events.append(connection, [forged])
    found = audit(desk.database, berlin("2026-05-05 10:00"))
    assert found.tickets == 2
    assert found.disagreeing == {tampered: [forged.number]}
    assert honest not in found.disagreeing
