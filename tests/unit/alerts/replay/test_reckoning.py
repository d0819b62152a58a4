"""What a policy would have been worth: what was wrong counts against it, what failed untold is missed, what came earlier is ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.policy.file import default_text, parse
from alerts.replay.reckoning import answer, difference, reckon
from alerts.replay.truth import Failure, Truth
from alerts.replay.written import OpenedTicket, Written, WrittenNotice
from hearthwatch.values import Span
from tests.unit.alerts.world import NOON

DAY = timedelta(days=1)
SPAN = Span(NOON - 30 * DAY, NOON + 30 * DAY)
POLICY = parse(default_text())


def notice(finding: int = 1, *, at: datetime = NOON, state: str = "sent", **more: object) -> WrittenNotice:
    known = WrittenNotice(
        cause=f"finding:{finding}", finding_id=finding, device=f"d-{finding}", customer=f"c-{finding}", kind="replacement",
        occasion="", state=state, reason=None if state == "sent" else "no consent to service notices", written_at=at,
        leaves_at=at if state == "sent" else None, sent_at=at if state == "sent" else None, rule="a wear part is going",
    )  # fmt: skip
    return replace(known, **more)  # type: ignore[arg-type]


def ticket(finding: int = 1, *, at: datetime = NOON) -> OpenedTicket:
    return OpenedTicket(
        cause=f"device:d-{finding}/battery/1", kind="device", finding_id=finding, device=f"d-{finding}", customer=None, model=None,
        part="battery", priority=3, opened_at=at, closed_at=None, closing_code=None, closed_by=None, reopened=0,
    )  # fmt: skip


def told(
    written: Written, *, closings: dict[int, tuple[str, datetime]] | None = None, failed: list[Failure] | None = None
) -> dict[str, object]:
    by_device: dict[str, list[Failure]] = {}
    for one in failed or []:
        by_device.setdefault(one.device, []).append(one)
    truth = Truth(closings or {}, by_device, {1: "battery", 2: "battery"})
    return answer(POLICY, reckon(written, truth, SPAN))


@pytest.mark.parametrize(
    ("code", "confirmed", "refuted", "unknown"),
    [
        ("no_fault_found", 0, 1, 0),
        ("user_error", 0, 1, 0),
        ("customer_declined", 0, 0, 1),
        ("confirmed", 1, 0, 0),
        ("fixed_by_update", 1, 0, 0),
    ],
)
def test_a_closing_code_says_whether_a_notice_was_right(code: str, confirmed: int, refuted: int, unknown: int) -> None:
    found = told(Written((notice(),), (), 0), closings={1: (code, NOON + 3 * DAY)})
    assert (found["confirmed"], found["refuted"], found["unknown"]) == (confirmed, refuted, unknown)
    assert found["lead_days_median"] == (3 if confirmed else None)


def test_a_failure_of_another_part_or_long_after_confirms_nothing() -> None:
    for failure in (Failure("d-1", "motor", NOON + DAY), Failure("d-1", "battery", NOON + 31 * DAY)):
        assert told(Written((notice(),), (), 0), failed=[failure])["confirmed"] == 0
    assert told(Written((notice(),), (), 0), failed=[Failure("d-1", "", NOON + DAY)])["confirmed"] == 1


def test_a_failure_that_nobody_was_told_of_before_is_missed_and_costs() -> None:
    failed = [Failure("d-1", "battery", NOON + DAY), Failure("d-2", "battery", NOON + DAY)]
    found = told(Written((notice(1), notice(2, state="suppressed")), (), 0), failed=failed)
    assert (found["failures"], found["failures_acted_on"], found["failures_missed"]) == (2, 1, 1)
    cost = found["cost"]
    assert isinstance(cost, dict)
    assert (cost["failures_missed"], cost["notices"]) == (POLICY.costs.failure, POLICY.costs.notice)
    assert cost["total"] == POLICY.costs.failure + POLICY.costs.notice


def test_a_notice_and_a_ticket_about_one_false_alarm_are_one_false_alarm() -> None:
    found = told(Written((notice(),), (ticket(),), 0), closings={1: ("no_fault_found", NOON + DAY)})
    cost = found["cost"]
    assert isinstance(cost, dict)
    assert cost["false_alarms"] == POLICY.costs.false_alarm


def test_what_is_held_back_is_counted_by_reason_without_its_numbers() -> None:
    spent = [
        notice(number, state="suppressed", reason=f"the household had {number} notices within 30 days")
        for number in (4, 5)
    ]
    found = told(Written(tuple(spent), (), 0))
    assert found["held_back_why"] == {"the household had as many notices as it may within 30 days": 2}


def test_the_difference_tells_what_both_do_and_what_only_one_does() -> None:
    truth = Truth({}, {}, {})
    this = reckon(Written((notice(1, at=NOON - DAY), notice(2)), (ticket(1),), 0), truth, SPAN)
    today = reckon(Written((notice(1), notice(3)), (ticket(1), ticket(2)), 0), truth, SPAN)
    assert difference(this, today) == {
        "notices": {"both": 1, "only_this": 1, "only_today": 1, "earlier": 1, "later": 0},
        "tickets": {"both": 1, "only_this": 0, "only_today": 1, "earlier": 0, "later": 0},
    }
