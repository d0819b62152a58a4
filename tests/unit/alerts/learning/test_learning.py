"""What closed cases teach: who is asked whether it helped, what a bad answer leads to, what fails in the field, how the service does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.learning import survey
from alerts.learning.exposure import device_months, months_between, spans
from alerts.learning.feedback import feedback
from alerts.learning.figures import Figures, service_figures
from alerts.tickets import acts, conversation, ending
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import attributes, devices, outcomes, surveys, tickets
from hearthwatch.records.outcomes import Outcome
from hearthwatch.values import Ticket
from tests.unit.alerts.world import MODEL, World


@pytest.fixture
def told(world: World) -> Ticket:
    """A ticket about a fading battery whose customer was sent a notice."""
    world.home()
    world.technician()
    world.policy()
    world.stand()
    world.run()
    return world.ticket()


def close(world: World, ticket: Ticket, code: str = "confirmed", part: str | None = "battery", **more: Any) -> None:
    with world.database.transaction() as connection:
        ending.close(connection, ticket.id, None, code=code, part=part, note=None, actor="ann", now=world.now, **more)


def answer(world: World, ticket: Ticket, *, solved: bool = True, score: int = 5, comment: str = "") -> surveys.Survey:
    with world.database.transaction() as connection:
        fresh = tickets.get(connection, ticket.id)
        return survey.answer(
            connection, fresh, solved=solved, score=score, comment=comment, actor="customer:c-1", now=world.now
        )


def surveyed(world: World) -> list[str]:
    return [one.customer_id for one in world.notices() if one.kind == "survey"]


# -- who is asked


def test_a_customer_is_asked_two_days_after_the_end_once(world: World, told: Ticket) -> None:
    close(world, told)
    world.run()
    assert surveyed(world) == []
    for _ in range(3):
        world.pass_time(days=2, hours=1)
        world.run()
    assert surveyed(world) == ["c-1"]
    letter = [one for one in world.customers_letters() if "helped" in one.text]
    assert len(letter) == 1


@pytest.mark.parametrize("code", ["recovered", "customer_declined", "not_customers_device"])
def test_where_nobody_worked_on_it_there_is_nothing_to_ask(world: World, told: Ticket, code: str) -> None:
    close(world, told, code, None)
    world.pass_time(days=3)
    world.run()
    assert surveyed(world) == []


def test_who_never_heard_of_the_matter_is_not_asked_about_it(world: World) -> None:
    world.home(consent=())
    world.technician()
    world.policy()
    world.stand()
    world.run()
    close(world, world.ticket())
    world.pass_time(days=3)
    world.run()
    assert surveyed(world) == []


def test_nobody_is_asked_again_within_the_quarter(world: World, told: Ticket) -> None:
    close(world, told)
    world.pass_time(days=3)
    world.run()
    world.pass_time(days=10)
    world.stand(mode="motor_wear")
    world.run()
    second = world.tickets()[-1]
    assert second.id != told.id
    close(world, second, part="motor")
    world.pass_time(days=3)
    world.run()
    assert surveyed(world) == ["c-1"]


def test_a_case_that_is_long_over_is_not_asked_about(world: World, told: Ticket) -> None:
    close(world, told)
    world.pass_time(days=20)
    world.run()
    assert surveyed(world) == []


def test_a_survey_that_waits_for_the_morning_is_taken_back_when_the_case_is_open_again(
    world: World, told: Ticket
) -> None:
    world.pass_time(hours=10)  # 22:00 is within quiet hours
    close(world, told)
    world.pass_time(days=2, hours=1)
    world.run()
    (asked,) = [one for one in world.notices() if one.kind == "survey"]
    assert asked.state == "queued"
    with world.database.transaction() as connection:
        ending.reopen(connection, told.id, None, "it failed again", "ann", world.now)
    world.run()
    world.pass_time(hours=12)
    world.run()
    (taken_back,) = [one for one in world.notices() if one.kind == "survey"]
    assert (taken_back.state, taken_back.reason) == (
        "cancelled",
        "overtaken: the case was opened again before its customer was asked about it",
    )
    assert [one for one in world.customers_letters() if "helped" in one.text] == []
    close(world, told)
    for _ in range(2):
        world.pass_time(days=2, hours=1)
        world.run()
    assert [one.state for one in world.notices() if one.kind == "survey"] == ["cancelled", "sent"]


# -- what is answered


def test_a_good_answer_is_kept_and_nothing_follows(world: World, told: Ticket) -> None:
    close(world, told)
    kept = answer(world, told, comment=" thank you ")
    assert (kept.solved, kept.score, kept.comment, kept.follow_up) == (True, 5, "thank you", None)
    assert [one.state for one in world.tickets()] == ["closed"]


def test_what_is_not_solved_is_open_again_with_the_customers_words(world: World, told: Ticket) -> None:
    close(world, told)
    kept = answer(world, told, solved=False, score=1, comment="it stopped after an hour")
    assert (kept.follow_up, kept.follow_up_ticket) == ("reopened", told.id)
    assert world.ticket().state != "closed"


def test_what_was_closed_long_ago_becomes_a_request_to_call(world: World, told: Ticket) -> None:
    close(world, told)
    world.pass_time(days=40)
    kept = answer(world, told, solved=False, score=1)
    assert kept.follow_up == "request"
    assert [one.state for one in world.tickets()] == ["closed", "open"]
    assert world.tickets()[-1].priority == 2


def test_who_is_not_content_is_called_although_it_is_solved(world: World, told: Ticket) -> None:
    close(world, told)
    kept = answer(world, told, score=2, comment="three weeks!")
    assert kept.follow_up == "request"
    called = world.tickets()[-1]
    assert (called.kind, called.customer_id, called.id) == ("request", "c-1", kept.follow_up_ticket)


def test_a_case_is_answered_once_and_only_when_it_is_over(world: World, told: Ticket) -> None:
    with pytest.raises(Conflict, match="not over"):
        answer(world, told)
    close(world, told)
    answer(world, told)
    with pytest.raises(Conflict, match="before"):
        answer(world, told)


@pytest.mark.parametrize(("score", "comment"), [(0, ""), (6, ""), (3, "x" * 2001)])
def test_an_answer_that_is_none_is_refused(world: World, told: Ticket, score: int, comment: str) -> None:
    close(world, told)
    with pytest.raises(Invalid):
        answer(world, told, score=score, comment=comment)


def test_a_persons_words_can_be_taken_away_and_their_marks_stay(world: World, told: Ticket) -> None:
    close(world, told)
    answer(world, told, comment="my neighbour Kim")
    with world.database.transaction() as connection:
        assert surveys.forget_person(connection, "c-1") == 1
        (kept,) = surveys.list_surveys(connection)
    assert (kept.comment, kept.score) == (None, 5)


# -- what fails in the field


def field(
    world: World, count: int, *, model: str = MODEL, since_days: float = 365, batch: str | None = None
) -> list[str]:
    names = [f"{model.lower()}-{batch or 'x'}-{number}" for number in range(count)]
    installed = world.now - timedelta(days=since_days)
    with world.database.transaction() as connection:
        rows = [{"id": one, "model": model, "installed_at": installed, "firmware": "2.4.0"} for one in names]
        devices.register(connection, rows)
        if batch is not None:
            attributes.tell(connection, [(one, "batch", batch) for one in names], installed)
    return names


def fail(world: World, device: str, *, days_ago: float, part: str = "battery", outcome: str = "failure") -> None:
    with world.database.transaction() as connection:
        at = world.now - timedelta(days=days_ago)
        outcomes.add(connection, [Outcome(device, part, at, outcome, f"import:{device}")])


def rows_of(world: World, by: str = "model", what: Any = "failures", days: float = 365, **more: Any) -> Any:
    with world.database.reading() as connection:
        return feedback(connection, by=by, what=what, since=world.now - timedelta(days=days), until=world.now, **more)


def test_failures_stand_with_their_exposure(world: World) -> None:
    names = field(world, 100)
    for place in range(6):
        fail(world, names[place], days_ago=30 + place)
    (row,) = rows_of(world).rows
    assert (row.model, row.mode, row.rate.count, row.devices) == (MODEL, "battery_fade", 6, 6)
    assert row.rate.months == pytest.approx(100 * 365 / (365.25 / 12), rel=1e-3)
    assert row.rate.per_1000 == pytest.approx(6 / row.rate.months * 1000)


def test_a_bad_batch_stands_first(world: World) -> None:
    good, bad = field(world, 80, batch="24-06"), field(world, 20, batch="24-07")
    fail(world, good[0], days_ago=9)
    for one in bad[:5]:
        fail(world, one, days_ago=40)
    found = rows_of(world, by="batch").rows
    assert [(one.value, one.rate.count) for one in found] == [("24-07", 5), ("24-06", 1)]
    assert found[0].rate.low > found[1].rate.per_1000


def test_what_becomes_more_frequent_is_said(world: World) -> None:
    names = field(world, 200)
    fail(world, names[0], days_ago=300)
    for place in range(1, 15):
        fail(world, names[place], days_ago=20 + place)
    (row,) = rows_of(world).rows
    assert row.change.clear
    assert row.change.low > 1
    assert sum(month.rate.count for month in row.months) == 15
    assert len(row.months) == len(months_between(world.now - timedelta(days=365), world.now))


def test_devices_installed_lately_count_from_then(world: World) -> None:
    field(world, 10, since_days=30)
    with world.database.reading() as connection:
        some = spans(connection, "model", world.now - timedelta(days=365), world.now)
        months = device_months(some, world.now - timedelta(days=365), world.now)
    assert months[MODEL, MODEL] == pytest.approx(10 * 30 / (365.25 / 12), rel=1e-6)


def test_an_event_of_a_device_that_was_not_there_yet_is_counted_apart(world: World) -> None:
    names = field(world, 5, since_days=10)
    fail(world, names[0], days_ago=50)
    found = rows_of(world)
    assert (found.rows, found.unplaced) == ((), 1)


def test_no_fault_found_is_no_failure(world: World) -> None:
    names = field(world, 5)
    fail(world, names[0], days_ago=5, outcome="no_fault_found")
    assert rows_of(world).rows == ()
    assert [one.rate.count for one in rows_of(world, what="no_fault_found").rows] == [1]


def test_what_no_device_has_is_refused(world: World) -> None:
    field(world, 2)
    with pytest.raises(Invalid, match="colour"):
        rows_of(world, by="colour")
    with pytest.raises(Invalid):
        rows_of(world, days=-1)


# -- how the service does


def figures(world: World, by: Any = "month") -> list[Figures]:
    with world.database.reading() as connection:
        return service_figures(
            connection, since=world.now - timedelta(days=90), until=world.now + timedelta(seconds=1), by=by
        )


def test_without_cases_there_are_no_figures(world: World) -> None:
    (whole,) = figures(world)
    assert (whole.tickets_closed, whole.notice_precision, whole.first_response.median_h) == (0, None, None)


def test_a_right_notice_has_its_lead_and_a_wrong_one_lowers_the_precision(world: World, told: Ticket) -> None:
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2")
    world.run()
    world.pass_time(days=3)
    close(world, told)
    close(world, world.tickets()[-1], "no_fault_found", None)
    whole = figures(world)[0]
    assert whole.notices_judged == 2
    assert whole.notice_precision is not None
    assert whole.notice_precision[0] == 0.5
    assert whole.no_fault_found is not None
    assert whole.no_fault_found[0] == 0.5
    assert whole.lead_days == pytest.approx(3, abs=0.1)


def test_first_contact_is_one_answer_without_visit_and_without_coming_back(world: World, told: Ticket) -> None:
    with world.database.transaction() as connection:
        conversation.reply(connection, told.id, None, "Put in a fresh battery", "ann", world.now)
    close(world, told)
    first = figures(world)[0].first_contact_resolution
    assert first is not None
    assert first[0] == 1
    with world.database.transaction() as connection:
        ending.reopen(connection, told.id, None, "again", "ann", world.now)
        acts.schedule(connection, told.id, None, world.now + timedelta(days=1), "ann", world.now)
    world.pass_time(days=2)
    close(world, told)
    again = figures(world)[0]
    assert again.first_contact_resolution is not None
    assert again.first_contact_resolution[0] == 0
    assert (again.visits, again.visits_avoided) == (1, 0)
    assert again.reopened is not None
    assert again.reopened[0] == 1


def test_figures_stand_by_month_and_all_together(world: World, told: Ticket) -> None:
    close(world, told)
    answer(world, told, score=4)
    keys = [(one.key, one.tickets_closed, one.surveys, one.score) for one in figures(world)]
    assert keys == [("all", 1, 1, 4), (f"{world.now:%Y-%m}", 1, 1, 4)]
