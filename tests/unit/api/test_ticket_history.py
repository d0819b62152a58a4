"""Every entry of a ticket's ledger is a sentence on its page, in both languages, and not a row of codes."""

from __future__ import annotations

import pytest

from alerts.tickets.opening import WARNS
from alerts.tickets.recalls import SETTLED
from alerts.tickets.states import EVENTS
from api.pages.language import Speaker
from api.pages.ticket_history import told_of
from hearthwatch.records.tickets import TicketEvent
from tests.unit.alerts.world import NOON

DETAIL = {
    "code": "no_fault_found", "was": "confirmed", "part": "motor", "technician_id": "t-1", "at": NOON.isoformat(), "for": "part",
    "from": 3, "to": 1, "remedy": "swap", "price": 4900, "currency": "EUR", "until": NOON.isoformat(), "mode": "motor_wear",
    "wish": "visit",
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
@pytest.mark.parametrize("what", sorted(EVENTS))
def test_every_event_has_words(what: str, language: str) -> None:
    told = told_of(Speaker(language), TicketEvent(1, 1, NOON, what, "ann", DETAIL))
    assert "{" not in told
    assert language == "en" or any("\u4e00" <= char <= "\u9fff" for char in told)


def test_a_correction_says_both_outcomes_and_a_closing_that_it_settled_a_recall() -> None:
    say = Speaker("en")
    assert (
        told_of(say, TicketEvent(1, 1, NOON, "corrected", "ann", DETAIL))
        == "outcome corrected: no fault found, not confirmed · motor"
    )
    closed = TicketEvent(
        1, 1, NOON, "closed", "ann", {"code": "confirmed", SETTLED: [{"campaign_id": 1, "remedy": "repair"}]}
    )
    assert told_of(say, closed) == "closed as confirmed · the device is settled in its recall"


@pytest.mark.parametrize(("language", "words"), [("en", "a matter of safety"), ("zh_Hans", "涉及安全")])
def test_what_danger_opened_again_says_so(language: str, words: str) -> None:
    assert words in told_of(Speaker(language), TicketEvent(1, 1, NOON, "reopened", "policy", {WARNS: True}))
