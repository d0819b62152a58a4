"""A ticket closed with a wrong outcome is corrected: ledger, label, part, figures and what the customer hears follow."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from alerts.learning.cases import cases_closed, notices_judged
from alerts.tickets import correcting
from analytics.labels import read_labels
from hearthwatch.errors import Conflict, Denied, Invalid, Stale
from hearthwatch.records import field_events, outcomes, parts
from hearthwatch.records.tables import outcomes as rows
from hearthwatch.values import Ticket
from tests.unit.alerts.tickets.desk import Desk
from tests.unit.alerts.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def labels(desk: Desk) -> list[tuple[str, str]]:
    return [(one.part, one.outcome) for one in desk.do(outcomes.list_outcomes)]


def kept(desk: Desk) -> list[tuple[str, bool]]:
    """Every label there ever was, and whether it holds."""
    query = sa.select(rows.c.outcome, outcomes.HOLDS).order_by(rows.c.id)
    return [(outcome, bool(holds)) for outcome, holds in desk.do(lambda c: c.execute(query).all())]


def batteries(desk: Desk) -> list[tuple[object, object]]:
    installed = desk.do(lambda c: parts.parts_of(c, "lock-1"))
    return [(one.from_at, one.to_at) for one in installed if one.part == "battery"]


def closed(desk: Desk) -> Ticket:
    ticket = desk.close(desk.ticket(), "confirmed")
    desk.world.pass_time(hours=1)
    return ticket


def test_what_can_not_be_corrected_says_why(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(Conflict, match="it is open"):
        desk.correct(ticket)
    desk.close(ticket, "confirmed")
    wrong = (("magic", "an outcome is"), ("duplicate", "an outcome is"), ("different_fault", "which part"))
    for code, why in wrong:
        with pytest.raises(Invalid, match=why):
            desk.correct(ticket, code)
    with pytest.raises(Invalid, match="1 to"):
        desk.correct(ticket, why="  ")
    with pytest.raises(Conflict, match="it was closed as confirmed"):
        desk.correct(ticket, "confirmed", "battery")
    with pytest.raises(Invalid, match="after the ticket is closed"):
        desk.correct(ticket, "confirmed", "motor", failed_at=desk.later())
    assert desk.whats(ticket)[-1] == "closed"
    assert kept(desk) == [("failure", True)]


def test_a_stale_revision_and_a_robot_are_refused(desk: Desk) -> None:
    ticket = closed(desk)
    told = {"code": "user_error", "part": None, "why": "x", "now": desk.now}
    with pytest.raises(Stale):
        desk.do(lambda c: correcting.correct(c, ticket.id, ticket.revision - 1, actor="ann", **told))  # type: ignore[arg-type]
    with pytest.raises(Denied):
        desk.do(lambda c: correcting.correct(c, ticket.id, None, actor="policy", **told))  # type: ignore[arg-type]


def test_the_label_follows_and_the_old_one_is_superseded_but_not_deleted(desk: Desk) -> None:
    ticket = closed(desk)
    corrected = desk.correct(ticket, "no_fault_found")
    assert (corrected.state, corrected.closing_code, corrected.closed_at) == (
        "closed",
        "no_fault_found",
        ticket.closed_at,
    )
    assert labels(desk) == [("battery", "no_fault_found")]
    assert kept(desk) == [("failure", False), ("no_fault_found", True)]
    event = desk.events(ticket)[-1]
    assert (event.what, event.actor, event.detail["was"], event.detail["code"]) == (
        "corrected",
        "ann",
        "confirmed",
        "no_fault_found",
    )
    assert [one.text for one in desk.texts(ticket)][-1] == "the workshop's report"
    desk.correct(ticket, "confirmed", "battery")
    assert kept(desk) == [("failure", True), ("no_fault_found", False)]


def test_the_part_that_was_not_replaced_is_as_old_as_it_was(desk: Desk) -> None:
    first = desk.now - timedelta(days=90)
    desk.do(lambda c: parts.install(c, "lock-1", "battery", first))
    ticket = closed(desk)
    assert batteries(desk) == [(first, ticket.closed_at), (ticket.closed_at, None)]
    desk.correct(ticket, "user_error")
    assert batteries(desk) == [(first, None)]
    desk.correct(ticket, "confirmed", "battery")
    assert batteries(desk) == [(first, ticket.closed_at), (ticket.closed_at, None)]


def test_learning_and_figures_use_the_corrected_outcome(desk: Desk) -> None:
    ticket = closed(desk)
    span = (desk.now - timedelta(days=1), desk.later())

    def learned() -> tuple[int, int, list[str], list[str]]:
        return (
            len(desk.do(lambda c: read_labels(c, desk.later())).failures),
            len(desk.do(lambda c: field_events.labelled(c, "no_fault_found", *span))),
            [str(one.ticket.closing_code) for one in desk.do(lambda c: cases_closed(c, *span))],
            [one.code for one in desk.do(lambda c: notices_judged(c, [ticket.id]))],
        )

    desk.world.run()
    assert learned() == (1, 0, ["confirmed"], ["confirmed"])
    desk.correct(ticket, "no_fault_found")
    assert learned() == (0, 1, ["no_fault_found"], ["no_fault_found"])


def test_nobody_is_asked_whether_we_helped_where_the_corrected_outcome_is_that_nobody_did(desk: Desk) -> None:
    desk.correct(closed(desk), "customer_declined")
    desk.world.pass_time(days=3)
    desk.world.run()
    assert [one.kind for one in desk.world.notices() if one.kind == "survey"] == []


def test_the_customer_who_has_not_heard_yet_hears_the_corrected_outcome_alone(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.world.pass_time(hours=10)  # 22:00: it waits for the morning
    desk.close(ticket, "confirmed")
    desk.world.run()
    desk.correct(ticket, "no_fault_found")
    desk.world.run()
    desk.world.pass_time(hours=12)
    desk.world.run()
    news = [(one.state, one.reason) for one in desk.world.notices() if one.kind == "ticket_update"]
    assert news == [("cancelled", "overtaken: the outcome was corrected before this was sent"), ("sent", None)]
    assert "We had a look and found no fault." in desk.world.customers_letters()[-1].text


def test_the_customer_who_heard_it_is_over_is_not_written_to_again(desk: Desk) -> None:
    ticket = closed(desk)
    desk.world.run()
    before = len(desk.world.letters())
    desk.correct(ticket, "no_fault_found")
    desk.world.run()
    assert len(desk.world.letters()) == before
    assert (
        desk.world.notices()[-1].reason
        == "no news: its customer heard that the case is over before the outcome was corrected"
    )
