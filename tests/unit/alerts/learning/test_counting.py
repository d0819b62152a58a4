"""Feedback and figures count each thing once: whatever is reported twice, closed twice, replaced, called off, or never heard of again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.intake import reporting
from alerts.intake.report import Report
from alerts.tickets import acts, conversation, ending
from alerts.tickets.ledger import record
from hearthwatch.records import devices, outcomes, parts, tickets
from hearthwatch.values import Ticket
from tests.unit.alerts.learning.test_learning import close, fail, field, figures, rows_of
from tests.unit.alerts.world import World


@pytest.fixture
def told(world: World) -> Ticket:
    """A ticket about a fading battery whose customer was sent a notice."""
    world.home()
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": "lock-1", "installed_at": world.now - timedelta(days=300)}])
    world.technician()
    world.policy()
    world.stand()
    world.run()
    return world.ticket()


def note_remedy(world: World, ticket: Ticket, cost: int, currency: str = "EUR") -> None:
    with world.database.transaction() as connection:
        detail = {"remedy": "visit", "price": 0, "currency": currency, "covered": True, "cost": cost}
        record(connection, tickets.get(connection, ticket.id), "remedy_chosen", "ann", world.now, detail)


def complain(world: World, times: int) -> None:
    for number in range(times):
        world.pass_time(minutes=1)
        with world.database.transaction() as connection:
            said = Report(
                "page",
                f"It is empty ({number})",
                device_id="lock-1",
                customer_id="c-1",
                verified=True,
                complaint="battery",
            )
            reporting.report(connection, said, world.now)


def test_what_a_part_was_replaced_with_by_tickets_is_no_batch_of_its_own(world: World) -> None:
    names = field(world, 40)
    for number, name in enumerate(names):
        with world.database.transaction() as connection:
            at = world.now - timedelta(days=200)
            parts.install(connection, name, "battery", at, f"ticket {number}" if number < 20 else "CELL-A")
    for name in (names[0], names[1], names[30]):
        fail(world, name, days_ago=20)
    found = rows_of(world, by="part:battery").rows
    assert {(one.value, one.rate.count) for one in found} == {("–", 2), ("CELL-A", 1)}


def test_a_device_that_died_and_was_never_heard_again_counts_with_its_failure(world: World) -> None:
    names = field(world, 10)
    with world.database.transaction() as connection:
        devices.see(connection, [devices.Sighting(names[0], world.now - timedelta(days=90))])
    fail(world, names[0], days_ago=80)  # the ticket closed ten days after its last word
    found = rows_of(world)
    assert ([one.rate.count for one in found.rows], found.unplaced) == ([1], 0)
    assert found.rows[0].rate.months == pytest.approx((9 * 365 + 275) / (365.25 / 12), rel=1e-3)


def test_a_case_that_is_closed_again_as_it_was_is_one_failure(world: World, told: Ticket) -> None:
    close(world, told)
    world.pass_time(days=2)
    with world.database.transaction() as connection:
        conversation.message(
            connection, told.id, text="Thank you!", author="customer:c-1", now=world.now, verified=True
        )
    world.pass_time(days=1)
    close(world, told)
    world.pass_time(days=1)
    assert [one.rate.count for one in rows_of(world).rows] == [1]


def test_of_a_case_that_turned_out_otherwise_the_last_outcome_counts(world: World, told: Ticket) -> None:
    close(world, told)
    with world.database.transaction() as connection:
        ending.reopen(connection, told.id, None, "it was not the battery", "ann", world.now)
    world.pass_time(days=1)
    close(world, told, "user_error", None)
    world.pass_time(days=1)
    assert rows_of(world).rows == ()
    with world.database.reading() as connection:
        assert [one.outcome for one in outcomes.list_outcomes(connection)] == ["user_error"]


def test_what_a_case_cost_counts_once_however_often_was_complained(world: World, told: Ticket) -> None:
    note_remedy(world, told, 4900)
    complain(world, 3)
    world.pass_time(hours=1)
    (row,) = rows_of(world, what="complaints").rows
    assert (row.rate.count, row.cost, row.currency) == (3, 4900, "EUR")


def test_sums_of_two_currencies_are_not_added(world: World, told: Ticket) -> None:
    world.home(2, devices_=("lock-2",))
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": "lock-2", "installed_at": world.now - timedelta(days=300)}])
    world.stand("lock-2")
    world.run()
    note_remedy(world, told, 4900)
    note_remedy(world, world.tickets()[-1], 35000, "CNY")
    world.pass_time(hours=1)
    (row,) = rows_of(world, what="tickets").rows
    assert (row.rate.count, row.cost, row.currency) == (2, None, None)


def test_a_visit_that_was_called_off_or_moved_is_no_further_visit(world: World, told: Ticket) -> None:
    with world.database.transaction() as connection:
        acts.schedule(connection, told.id, None, world.now + timedelta(days=1), "ann", world.now)
        acts.wait(connection, told.id, None, "customer", world.now + timedelta(days=9), "ann", world.now)
        record(connection, tickets.get(connection, told.id), "customer", "customer:c-1", world.now, {"wish": "visit"})
    close(world, told)
    whole = figures(world)[0]
    assert (whole.visits, whole.visits_avoided) == (0, 1)


def test_the_warning_of_a_household_s_letter_counts_for_each_of_its_devices(world: World) -> None:
    world.home(devices_=("lock-1", "lock-2"))
    world.policy()
    for name in ("lock-1", "lock-2"):
        world.stand(name)
    world.run()
    assert [one.kind for one in world.notices() if one.state == "sent"] == ["replacement"]
    for one in world.tickets():
        close(world, one)
    assert figures(world)[0].notices_judged == 2


def test_the_precision_of_notices_stands_by_the_policy_that_sent_them(world: World, told: Ticket) -> None:
    world.policy(more="\n# another text\n")
    close(world, told)
    shown = {one.key: one.notices_judged for one in figures(world, "policy_version")}
    assert shown == {"all": 1, "–": 0, "1": 1}
