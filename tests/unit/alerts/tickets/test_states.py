"""The states of a ticket: which event may happen when and by whom, and that a row is what its ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.tickets import states
from alerts.tickets.states import EVENTS, STATES, Standing
from hearthwatch.errors import Conflict, Denied, HearthwatchError, Invalid
from tests.unit.alerts.world import NOON

LATER = (NOON + timedelta(days=1)).isoformat()
PAID = {"remedy": "swap", "price": 4900, "currency": "EUR"}
DETAILS: dict[str, dict[str, Any]] = {
    "opened": {"priority": 3, "part": "battery"},
    "assigned": {"technician_id": "t-1"},
    "scheduled": {"at": LATER},
    "waiting": {"for": "part", "until": LATER},
    "raised": {"from": 3, "to": 1},
    "remedy_chosen": PAID,
    "approved": {**PAID, "until": LATER},
    "diagnosed": {"part": "motor", "mode": "motor_wear"},
    "merged": {"into": 7},
    "closed": {"code": "confirmed", "part": "battery"},
    "corrected": {"code": "user_error", "part": None},
}


@dataclass(frozen=True)
class Entry:
    what: str
    actor: str
    at: datetime
    detail: dict[str, Any]


def actor_for(what: str) -> str:
    by = EVENTS[what].by
    return next(name for kind, name in ACTORS.items() if kind in by)


ACTORS = {"staff": "ann", "policy": "policy", "customer": "customer:c-1", "desk": "desk:zammad", "device": "device:d-1"}


def happen(now: Standing | None, *whats: str, on: datetime = NOON, **detail: Any) -> Standing:
    for what in whats:
        told = {**DETAILS.get(what, {}), **{"for" if name == "whom" else name: value for name, value in detail.items()}}
        now = states.after(now, what, actor=actor_for(what), at=on, detail=told)
    assert now is not None
    return now


def in_state(state: str) -> Standing:
    ways = {
        "open": ("opened",),
        "assigned": ("opened", "assigned"),
        "in_progress": ("opened", "assigned", "started"),
        "scheduled": ("opened", "assigned", "scheduled"),
        "waiting": ("opened", "assigned", "waiting"),
        "closed": ("opened", "closed"),
    }
    return happen(None, *ways[state])


# -- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "state"), list(product(EVENTS, STATES)))
def test_an_event_happens_where_the_table_says_so_and_nowhere_else(what: str, state: str) -> None:
    before = in_state(state)
    if what == "approved":
        before = happen(before, "remedy_chosen") if state != "closed" else before
    if state in EVENTS[what].within and not (what == "scheduled" and before.technician_id is None):
        assert isinstance(happen(before, what), Standing)
    else:
        with pytest.raises(Conflict):
            happen(before, what)


@pytest.mark.parametrize(("what", "party"), list(product(EVENTS, ACTORS)))
def test_who_may_not_do_a_thing_is_told_so(what: str, party: str) -> None:
    before = None if what == "opened" else in_state(next(iter(sorted(EVENTS[what].within))))
    if party in EVENTS[what].by:
        return
    with pytest.raises(Denied, match=what.replace("_", " ")):
        states.after(before, what, actor=ACTORS[party], at=NOON, detail=DETAILS.get(what, {}))


def test_what_nobody_knows_does_not_happen_and_nothing_happens_before_the_opening() -> None:
    with pytest.raises(Invalid, match="vanished"):
        states.after(in_state("open"), "vanished", actor="ann", at=NOON, detail={})
    with pytest.raises(Conflict, match="opened first"):
        happen(None, "assigned")
    with pytest.raises(Conflict):
        states.fold([])


def test_a_ticket_waits_for_somebody_we_know() -> None:
    with pytest.raises(Invalid, match="customer, part, approval, third_party"):
        happen(in_state("open"), "waiting", whom="godot")


@pytest.mark.parametrize("what", ["started", "scheduled"])
def test_a_paid_remedy_does_not_begin_before_the_customer_agreed(what: str) -> None:
    chosen = happen(in_state("assigned"), "remedy_chosen")
    with pytest.raises(Conflict, match="has not agreed"):
        happen(chosen, what)
    agreed = happen(chosen, "approved")
    assert happen(agreed, what).state in {"in_progress", "scheduled"}
    with pytest.raises(Conflict, match="too long ago"):
        happen(agreed, what, on=NOON + timedelta(days=2))


def test_another_price_or_remedy_has_to_be_agreed_to_again() -> None:
    agreed = happen(in_state("assigned"), "remedy_chosen", "approved")
    for other in ({"price": 5900}, {"remedy": "return"}, {"currency": "USD"}):
        changed = happen(agreed, "remedy_chosen", **other)
        with pytest.raises(Conflict, match="has not agreed"):
            happen(changed, "started")
        with pytest.raises(Conflict, match="asked again"):
            happen(changed, "approved")
    assert happen(happen(agreed, "remedy_chosen"), "started").state == "in_progress"


def test_what_costs_nothing_needs_nobodys_agreement() -> None:
    assert happen(happen(in_state("open"), "remedy_chosen", price=0), "started").state == "in_progress"


def test_who_declines_or_lets_the_time_pass_has_not_agreed() -> None:
    for what in ("declined", "approval_over"):
        with pytest.raises(Conflict, match="has not agreed"):
            happen(in_state("assigned"), "remedy_chosen", "approved", what, "started")


def test_a_merged_ticket_does_not_open_again() -> None:
    merged = happen(in_state("open"), "merged")
    assert (merged.state, merged.closing_code, merged.merged_into) == ("closed", "duplicate", 7)
    with pytest.raises(Conflict, match="ticket 7"):
        happen(merged, "reopened")


# -- what comes of it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [("open", "open"), ("assigned", "assigned"), ("in_progress", "in_progress"), ("scheduled", "assigned")],
)
def test_after_a_wait_a_ticket_is_what_it_was_but_a_visit_is_agreed_anew(before: str, after: str) -> None:
    waiting = happen(in_state(before), "waiting")
    assert (waiting.state, waiting.waiting_for, waiting.visit_at) == ("waiting", "part", None)
    again = happen(happen(waiting, "waiting", whom="customer"), "resumed")
    assert (again.state, again.waiting_for, again.waiting_until) == (after, None, None)


def test_who_gets_a_ticket_while_it_waits_has_it_afterwards() -> None:
    assert happen(in_state("open"), "waiting", "assigned", "resumed").state == "assigned"


def test_a_wait_for_approval_that_did_not_come_does_not_resume_into_work() -> None:
    waiting = happen(in_state("in_progress"), "remedy_chosen", "waiting")
    assert happen(waiting, "resumed").state == "assigned"


LEDGERS = st.lists(
    st.tuples(st.sampled_from(sorted(EVENTS)), st.sampled_from(sorted(ACTORS.values())), st.integers(0, 5)), max_size=25
)


@given(LEDGERS)
@settings(max_examples=200, deadline=None)
def test_whatever_people_try_a_ticket_never_contradicts_itself(tries: list[tuple[str, str, int]]) -> None:
    ledger = [Entry("opened", "policy", NOON, DETAILS["opened"])]
    for what, actor, days in tries:
        entry = Entry(what, actor, ledger[-1].at + timedelta(days=days), DETAILS.get(what, {}))
        try:
            states.after(states.fold(ledger), what, actor=actor, at=entry.at, detail=entry.detail)
        except HearthwatchError:
            continue
        ledger.append(entry)
    now = states.fold(ledger)
    assert (now.state == "closed") == (now.closing_code is not None)
    assert (now.state == "waiting") == (now.waiting_for is not None)
    assert now.merged_into is None or now.state == "closed"
    assert now.state != "scheduled" or (now.technician_id is not None and now.visit_at is not None)
    assert (now.remedy_price is None) == (now.remedy_currency is None)
