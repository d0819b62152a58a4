from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analytics.labels import Labels
from analytics.model_life.truth import LEAST_LAG, LONGEST_LAG, USUAL_LAG, Truth, label_lag, read_truth
from hearthwatch.records import devices, tickets
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Ticket
from tests.unit.analytics.fleets import MODEL, START

DAY = timedelta(days=1)


def truth(**given: Any) -> Truth:
    labels = Labels({}, given.get("failures", {}), given.get("renewed", {}))
    return Truth(labels, {"d": given.get("last_known", 200)}, given.get("in_doubt", {}), 7)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({}, 0.0),
        ({"failures": {("d", "relay"): [130]}}, 1.0),
        ({"failures": {("d", "relay"): [131]}}, 0.0),
        ({"failures": {("d", "relay"): [100]}}, 0.0),
        ({"failures": {("d", "relay"): [105, 120]}}, 1.0),
        ({"failures": {("d", "battery"): [110]}}, 0.0),
        ({"failures": {("d", ""): [110]}}, np.nan),
        ({"last_known": 129}, np.nan),
        ({"last_known": 110, "failures": {("d", "relay"): [110]}}, 1.0),
        ({"renewed": {("d", "relay"): [110]}}, np.nan),
        ({"renewed": {("d", "relay"): [110]}, "failures": {("d", "relay"): [110]}}, 1.0),
        ({"renewed": {("d", "relay"): [110]}, "failures": {("d", "relay"): [120]}}, np.nan),
        ({"in_doubt": {("d", "relay"): [(120, 10**9)]}}, np.nan),
        ({"in_doubt": {("d", "relay"): [(131, 10**9)]}}, 0.0),
        ({"in_doubt": {("d", "relay"): [(90, 100)]}}, 0.0),
    ],
)
def test_what_came_of_a_device_within_thirty_days_of_day_100(given: dict[str, Any], answer: float) -> None:
    found, failed_on = truth(**given).answers(["d"], "relay", 100, 30)
    np.testing.assert_array_equal(found, [answer])
    assert (failed_on[0] > 0) == (answer == 1.0)


def test_of_a_device_that_nobody_knows_nothing_is_known() -> None:
    assert np.isnan(truth().answers(["stranger"], "relay", 100, 30)[0][0])


def closed(days: float, code: str = "confirmed") -> Ticket:
    given: dict[str, Any] = dict.fromkeys(Ticket.__dataclass_fields__)
    return Ticket(**{**given, "opened_at": START - days * DAY, "closed_at": START, "closing_code": code})


def test_labels_are_waited_for_as_long_as_nine_in_ten_tickets_took() -> None:
    now = START + DAY
    assert label_lag([closed(3)] * 9, now) == USUAL_LAG
    assert label_lag([closed(float(days)) for days in range(1, 21)], now) == 19
    assert label_lag([closed(0.1)] * 20, now) == LEAST_LAG
    assert label_lag([closed(90)] * 20, now) == LONGEST_LAG
    assert label_lag([closed(20, "no_fault_found")] * 20, now) == USUAL_LAG


def test_a_ticket_that_nobody_has_closed_leaves_its_device_in_doubt(database: Database) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d", "model": MODEL, "installed_at": START}])
        devices.see(connection, [Sighting("d", START + 100 * DAY)])
        new = NewTicket("c", "device", "t", 2, None, None, None, "d", None, None, MODEL, "relay")
        tickets.open_once(connection, new, actor="policy", now=START + 10 * DAY, detail={})
        labels = Labels({MODEL: list(devices.list_devices(connection))}, {}, {})
        found = read_truth(connection, labels, START + 100 * DAY)
    day = found.last_known["d"] - 98
    assert np.isnan(found.answers(["d"], "relay", day, 30)[0][0])
    assert found.answers(["d"], "battery", day, 30)[0][0] == 0.0


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("no_fault_found", 0.0),
        ("user_error", 0.0),
        ("environment", 0.0),
        ("customer_declined", np.nan),
        ("not_customers_device", np.nan),
        ("duplicate", np.nan),
    ],
)
def test_where_somebody_looked_and_the_part_was_sound_it_did_not_fail(
    database: Database, code: str, answer: float
) -> None:
    with database.transaction() as connection:
        devices.register(connection, [{"id": "d", "model": MODEL, "installed_at": START}])
        devices.see(connection, [Sighting("d", START + 100 * DAY)])
        new = NewTicket("c", "device", "t", 2, None, device_id="d", model=MODEL, part="relay")
        ticket, _ = tickets.open_once(connection, new, actor="policy", now=START + 10 * DAY, detail={})
        ended = {"state": "closed", "closed_at": START + 12 * DAY, "closing_code": code}
        tickets.change(connection, ticket.id, None, ended)
        labels = Labels({MODEL: list(devices.list_devices(connection))}, {}, {})
        found = read_truth(connection, labels, START + 100 * DAY)
    day = found.last_known["d"] - 95
    np.testing.assert_array_equal(found.answers(["d"], "relay", day, 30)[0], [answer])
