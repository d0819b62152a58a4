"""Clocks of tickets, folded from what happened and from the terms that applied."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.sla.clocks import Application, Happening, fold
from alerts.sla.terms import Facts
from tests.unit.alerts.sla.story import DUE_DAYS, HOUR, Story, berlin, sla_terms

ALL = "first_response_hours = 4\nupdate_hours = 4\nupdate_every_hours = 16\nresolution_hours = 40"


def test_a_promise_that_is_not_kept_is_broken_at_its_due_time_and_not_when_somebody_looks() -> None:
    story = Story(sla_terms("resolution_hours = 8")).on("2026-05-04 09:00", "opened")
    entries = story.ledger("resolution", "2026-06-30 03:00")
    breach = next(one for one in entries if one.what == "breach")
    assert breach.at == breach.due_at == berlin("2026-05-04 18:00")
    assert breach.used == breach.target == 8 * HOUR


def test_who_is_done_at_the_very_due_time_is_in_time() -> None:
    story = (
        Story(sla_terms("resolution_hours = 8"))
        .on("2026-05-04 09:00", "opened")
        .on("2026-05-04 18:00", "closed", code="confirmed")
    )
    assert story.clock("resolution", "2026-05-05 12:00").state == "met"


def test_who_is_done_later_missed_it_and_the_ledger_says_by_how_much() -> None:
    story = (
        Story(sla_terms("resolution_hours = 8"))
        .on("2026-05-04 09:00", "opened")
        .on("2026-05-05 10:00", "closed", code="confirmed")
    )
    fulfil = story.ledger("resolution", "2026-05-06 12:00")[-2]
    assert story.clock("resolution", "2026-05-06 12:00").state == "missed"
    assert (fulfil.what, fulfil.used) == ("fulfil", 9 * HOUR)


def test_a_ticket_nobody_asked_for_owes_no_first_response_until_its_customer_writes() -> None:
    story = Story(sla_terms(ALL)).on("2026-05-04 09:00", "opened", source="policy")
    assert story.clock("first_response", "2026-05-04 17:00").state == "idle"
    story.on("2026-05-05 09:00", "customer", wish="visit")
    assert story.clock("first_response", "2026-05-05 10:00").due_at == berlin("2026-05-05 14:00")


def test_the_earliest_message_that_nobody_answered_counts() -> None:
    story = Story(sla_terms(ALL)).on("2026-05-04 09:00", "opened", source="page").on("2026-05-04 09:10", "replied")
    story.on("2026-05-04 10:00", "message").on("2026-05-04 11:00", "message")
    assert story.clock("update", "2026-05-04 11:30").started_at == berlin("2026-05-04 10:00")
    story.on("2026-05-04 11:40", "replied").on("2026-05-04 17:00", "message")
    later = story.clock("update", "2026-05-04 17:30")
    assert (later.instance, later.started_at) == (2, berlin("2026-05-04 17:00"))


def test_our_next_word_is_due_after_our_last_one_where_that_is_promised() -> None:
    story = Story(sla_terms(ALL)).on("2026-05-04 09:00", "opened", source="page").on("2026-05-04 10:00", "replied")
    assert story.clock("periodic_update", "2026-05-04 11:00").due_at == berlin("2026-05-06 10:00")
    story.on("2026-05-05 10:00", "replied")
    assert story.clock("periodic_update", "2026-05-05 11:00").due_at == berlin("2026-05-07 10:00")
    story.on("2026-05-05 12:00", "closed", code="confirmed")
    assert story.clock("periodic_update", "2026-05-20 11:00").state == "cancelled"


def test_a_paused_clock_has_no_due_time_and_goes_on_where_it_stood() -> None:
    story = Story(sla_terms("resolution_hours = 8")).on("2026-05-04 09:00", "opened")
    story.on("2026-05-04 11:00", "waiting", **{"for": "approval"})
    paused = story.clock("resolution", "2026-05-20 11:00")
    assert (paused.state, paused.due_at, paused.left) == ("paused", None, 6 * HOUR)
    story.on("2026-05-20 11:00", "approved")
    assert story.clock("resolution", "2026-05-20 11:30").due_at == berlin("2026-05-20 18:00")
    assert story.whats("resolution", "2026-05-20 12:00") == ["activate", "pause", "resume"]


def test_a_wait_with_an_end_ends_by_itself() -> None:
    story = Story(sla_terms("resolution_hours = 8")).on("2026-05-04 09:00", "opened")
    story.on("2026-05-04 10:00", "waiting", **{"for": "customer", "until": "2026-05-06T09:00:00+02:00"})
    assert story.told("2026-05-04 11:00").next_at == berlin("2026-05-06 09:00")
    assert story.clock("resolution", "2026-05-06 10:00").due_at == berlin("2026-05-06 17:00")
    late = story.ledger("resolution", "2026-05-30 10:00")
    assert [(one.what, one.at) for one in late if one.what in {"resume", "breach"}] == [
        ("resume", berlin("2026-05-06 09:00")),
        ("breach", berlin("2026-05-06 17:00")),
    ]


def test_other_terms_apply_from_then_on_and_the_past_stays_as_it_was() -> None:
    strict, mild = sla_terms("resolution_hours = 8"), sla_terms("resolution_hours = 24")
    story = Story(mild).on("2026-05-04 09:00", "opened").terms_change("2026-05-05 11:00", strict)
    before, after = story.told("2026-05-05 10:59"), story.told("2026-05-05 11:01")
    assert after.entries[: len(before.entries)] == before.entries
    assert after.clocks["resolution"].breached_at == berlin("2026-05-05 11:00"), (
        "late from the new promise on, not before"
    )
    assert [one.version for one in after.entries if one.what == "apply_sla"] == [1, 2, 2]
    broken = Story(strict).on("2026-05-04 09:00", "opened").terms_change("2026-05-06 11:00", mild)
    assert broken.clock("resolution", "2026-05-06 12:00").state == "breached", (
        "a broken promise is not mended by another one"
    )


def test_a_longer_promise_gives_what_is_left_of_it() -> None:
    story = Story(sla_terms("resolution_hours = 8")).on("2026-05-04 09:00", "opened")
    story.terms_change("2026-05-04 17:00", sla_terms("resolution_hours = 24"))
    assert story.clock("resolution", "2026-05-04 17:30").due_at == berlin("2026-05-07 09:00") - 15 * HOUR


def test_a_higher_priority_brings_its_own_target() -> None:
    story = Story(sla_terms("resolution_hours = [2, 8, 16, 40]")).on("2026-05-04 09:00", "opened")
    story.on("2026-05-04 10:00", "raised", **{"from": 2, "to": 1})
    clock = story.clock("resolution", "2026-05-04 10:30")
    assert (clock.target, clock.due_at) == (2 * HOUR, berlin("2026-05-04 11:00"))
    assert story.told("2026-05-04 10:30").priority == 1


def test_without_terms_a_ticket_is_due_by_the_days_of_the_policy() -> None:
    told = fold(
        [Happening(1, berlin("2026-05-04 09:00"), "opened")],
        [
            Application(
                berlin("2026-05-04 09:00"), 1, sla_terms("").model_copy(update={"terms": ()}), DUE_DAYS, Facts(2)
            )
        ],
        berlin("2026-05-04 10:00"),
    )
    assert told.clocks["resolution"].due_at == berlin("2026-05-07 09:00")
    assert told.level.term == "due_days"


def test_a_stranger_s_message_does_not_end_the_wait_for_the_customer() -> None:
    story = Story(sla_terms(ALL)).on("2026-05-04 09:00", "opened", source="qr").on("2026-05-04 09:10", "replied")
    story.on("2026-05-04 10:00", "waiting", **{"for": "customer"}).on("2026-05-04 11:00", "message", verified=False)
    assert story.clock("resolution", "2026-05-04 12:00").state == "paused"
    assert story.clock("update", "2026-05-04 12:00").state == "running", "somebody has to answer all the same"


# -- laws -------------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(0, 60 * 40),
        st.sampled_from(
            [
                ("message", {}), ("replied", {}), ("note", {}), ("started", {}), ("resumed", {}), ("reopened", {}),
                ("waiting", {"for": "customer"}), ("waiting", {"for": "part"}), ("scheduled", {}), ("approved", {}),
                ("closed", {"code": "confirmed"}), ("raised", {"to": 1}), ("waiting", {"for": "approval", "until": "2026-05-07T10:00:00Z"}),
            ]
        ),
    ),
    max_size=12,
)  # fmt: skip


def drawn(steps: list[tuple[int, tuple[str, dict[str, object]]]]) -> Story:
    story = Story(sla_terms(ALL)).on("2026-05-04 09:00", "opened", source="page")
    at = story.events[0].at
    for minutes, (what, detail) in steps:
        at += timedelta(minutes=minutes)
        story.events.append(Happening(len(story.events) + 1, at, what, detail))
    return story


@given(STEPS, st.integers(0, 60 * 24 * 30), st.integers(0, 60 * 24 * 30))
@settings(max_examples=80, deadline=None)
def test_what_is_written_never_changes_later(
    steps: list[tuple[int, tuple[str, dict[str, object]]]], one: int, other: int
) -> None:
    story = drawn(steps)
    begin = story.events[0].at
    first = Application(begin, 1, story.terms, DUE_DAYS, story.facts)
    early, late = sorted((one, other))
    seen = fold(story.events, [first], begin + timedelta(minutes=early)).entries
    assert fold(story.events, [first], begin + timedelta(minutes=late)).entries[: len(seen)] == seen


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_a_clock_is_started_and_ended_in_turn_and_broken_at_most_once_in_between(
    steps: list[tuple[int, tuple[str, dict[str, object]]]],
) -> None:
    story = drawn(steps)
    for name in ("first_response", "update", "periodic_update", "resolution"):
        entries = story.ledger(name, "2026-09-01 09:00")
        assert [one.at for one in entries] == sorted(one.at for one in entries)
        for instance in {one.instance for one in entries}:
            whats = [one.what for one in entries if one.instance == instance]
            assert whats.count("activate") == 1
            assert whats.count("fulfil") + whats.count("cancel") <= 1
            assert whats.count("breach") <= 1
            assert 0 <= whats.count("pause") - whats.count("resume") <= 1
        used = [one.used for one in entries if one.instance == 1]
        assert used == sorted(used), "time on a clock never runs back"


@given(STEPS, st.integers(0, 60 * 24 * 20))
@settings(max_examples=60, deadline=None)
def test_a_round_that_comes_at_the_next_instant_misses_nothing(
    steps: list[tuple[int, tuple[str, dict[str, object]]]], minutes: int
) -> None:
    """Between now and the next instant nothing is added unless something happens."""
    story = drawn(steps)
    begin = story.events[0].at
    now = max(begin + timedelta(minutes=minutes), story.events[-1].at)
    first = Application(begin, 1, story.terms, DUE_DAYS, story.facts)
    told = fold(story.events, [first], now)
    until = told.next_at or now + timedelta(days=400)
    assert until >= now
    assert fold(story.events, [first], until).entries == told.entries or told.next_at == until
    if told.next_at is not None:
        assert len(fold(story.events, [first], until + timedelta(seconds=1)).entries) > len(told.entries)
