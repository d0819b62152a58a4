"""Continue, hold or stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rollouts.judging import Judgement, Known, Tally, judge
from analytics.rollouts.silence import Silence, Standing
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.rollout_steps import WAITING
from hearthwatch.records.rollouts import Rollout, Wave
from tests.records_rows import look_figures

START = datetime(2026, 5, 1, tzinfo=UTC)
GOOD = Tally(devices=100, offered=100, updated=100, due=100, successes=100)
BRICKED = Silence().add([Standing("A", n < 40, n < 6) for n in range(400)])


def rollout(status: str = "running") -> Rollout:
    return Rollout(
        1, 1, "s", (), status, None, 24, 12, 0.02, 0.05, 0.05, "open", None, "none", None, None, None, None, START, None, START, "k", 1,
    )  # fmt: skip


def known(**changes: Any) -> Known:
    waves = (Wave(1, 0.1, 48, 20, 0.9, START), Wave(2, 1.0, 48, 20, 0.9))
    status = changes.pop("status", "running")
    its = Known(rollout(status), waves, "rolling", "2.0", GOOD, Silence(), 100, (), hours=50.0)
    return replace(its, **changes)


def look(verdict: str = "too_early", **detail: Any) -> CohortLook:
    figures = look_figures("unexpected_reboots", START, verdict, e=3.0, devices=(100, 900))
    return CohortLook(release_id=1, ratio=2.1, detail=detail, **figures)


def said(its: Known) -> tuple[str, str]:
    judgement = judge(its)
    assert judgement is not None
    return judgement.decision, judgement.code


@pytest.mark.parametrize("status", ["paused", "stopped", "complete"])
def test_where_a_person_has_the_word_or_it_is_over_the_gate_says_nothing(status: str) -> None:
    assert judge(known(status=status, silence=BRICKED)) is None


def test_a_withdrawn_release_stops_whatever_else_is_known() -> None:
    assert said(known(release_status="withdrawn", blind_hours=5.0)) == ("stop", "withdrawn")


def test_while_nobody_is_heard_nothing_is_judged_and_after_an_hour_it_holds() -> None:
    assert judge(known(blind_hours=0.5, silence=BRICKED)) is None
    assert said(known(blind_hours=1.5, silence=BRICKED)) == ("hold", "blind")


def test_bricked_devices_stop_it() -> None:
    judgement = judge(known(silence=BRICKED, took=34))
    assert judgement is not None
    assert (judgement.decision, judgement.code) == ("stop", "silence")
    assert judgement.evidence["silence"]["silent"] == 6


def test_silence_that_is_proven_but_within_what_is_declared_does_not() -> None:
    assert said(known(silence=BRICKED, took=1000)) == ("continue", "wave_passed")


def test_a_release_that_the_watch_calls_worse_is_stopped_and_one_on_the_watch_list_held() -> None:
    assert said(known(looks=(look("same"), look("worse")))) == ("stop", "worse")
    assert said(known(looks=(look(watch_list=True),))) == ("hold", "watch_list")
    assert said(known(looks=(look(late={"e": 200.0, "alarm": True}),))) == ("hold", "late_alarm")


@pytest.mark.parametrize("verdict", ["too_early", "confounded", "same", "better"])
def test_other_verdicts_hold_nothing_once_the_wave_has_shown_enough(verdict: str) -> None:
    silent = look(verdict, late={"e": 3.0, "alarm": False}, watch_list=False)
    assert said(known(looks=(silent,))) == ("continue", "wave_passed")
    assert said(known(looks=(silent,), hours=10.0)) == ("hold", "min_hours")


def test_failures_that_are_surely_too_many_stop_it_before_the_wave_is_over() -> None:
    failing = replace(GOOD, due=0, successes=0, unhealthy=30)
    assert said(known(tally=failing, hours=5.0)) == ("stop", "failures")
    assert said(known(tally=replace(failing, unhealthy=0, silent=30), hours=5.0)) == ("stop", "failures")
    assert said(known(tally=replace(failing, unhealthy=5), hours=5.0)) == ("hold", "min_hours")


def test_a_wave_passes_only_when_time_successes_and_their_share_are_all_there() -> None:
    assert said(known(hours=47.9)) == ("hold", "min_hours")
    assert said(known(tally=replace(GOOD, due=19, successes=19))) == ("hold", "successes")
    assert said(known(tally=replace(GOOD, due=40, successes=40))) == ("hold", "success_share")
    assert said(known(tally=replace(GOOD, due=100, successes=92))) == ("hold", "success_share")
    passed = judge(known())
    assert passed is not None
    assert (passed.decision, passed.opens) == ("continue", 2)


def test_no_wave_passes_while_the_watch_does_not_look() -> None:
    assert said(known(unlooked_hours=27.0)) == ("hold", "no_look")
    assert said(known(unlooked_hours=25.0)) == ("continue", "wave_passed")


def test_a_wave_too_small_to_show_anything_says_so() -> None:
    small = Tally(devices=12, offered=12, updated=12, due=12, successes=12)
    judgement = judge(known(tally=small))
    assert judgement is not None
    assert "has only 12 devices, and even if all succeed 53 are needed" in judgement.why


def test_the_first_wave_opens_and_the_last_one_completes() -> None:
    none_open = (Wave(1, 0.1, 48, 20, 0.9), Wave(2, 1.0, 48, 20, 0.9))
    first = judge(known(waves=none_open, status="planned", tally=Tally(), hours=0.0))
    assert first is not None
    assert (first.code, first.opens) == ("started", 1)
    last = (Wave(1, 0.1, 48, 20, 0.9, START), Wave(2, 1.0, 48, 20, 0.9, START))
    assert said(known(waves=last)) == ("continue", "complete")


def test_once_the_reason_to_hold_is_gone_it_goes_on() -> None:
    assert said(known(status="held", hours=10.0)) == ("continue", "resumed")
    assert said(known(status="held")) == ("continue", "wave_passed")
    assert said(known(status="held", looks=(look(watch_list=True),))) == ("hold", "watch_list")


def test_what_a_person_has_overruled_counts_no_more_but_everything_else_does() -> None:
    worse = (look("worse"),)
    overruled = frozenset({("worse", "unexpected_reboots")})
    assert said(known(looks=worse, overruled=overruled)) == ("continue", "wave_passed")
    other = (*worse, replace(look("worse"), metric="sync_failures"))
    assert said(known(looks=other, overruled=overruled)) == ("stop", "worse")
    assert said(known(looks=worse, overruled=overruled, silence=BRICKED, took=34)) == ("stop", "silence")
    both = overruled | {("silence", "")}
    assert said(known(looks=worse, overruled=both, silence=BRICKED, took=34)) == ("continue", "wave_passed")


def test_a_release_that_somebody_paused_is_held() -> None:
    assert said(known(release_status="paused")) == ("hold", "release_paused")


@given(
    st.integers(0, 200).flatmap(lambda due: st.tuples(st.just(due), st.integers(0, due))),
    st.floats(0, 100),
    st.sampled_from(["planned", "running", "held"]),
)
def test_whatever_is_known_a_decision_has_a_reason_in_one_piece_and_only_continuing_opens_a_wave(
    counts: tuple[int, int], hours: float, status: str
) -> None:
    due, successes = counts
    tally = Tally(200, 200, 0, 200, due, successes, silent=(due - successes) // 2)
    judgement = judge(known(tally=tally, hours=hours, status=status))
    assert isinstance(judgement, Judgement)
    assert 0 < len(judgement.why) <= 400
    assert judgement.opens is None or judgement.decision == "continue"
    assert judgement.code in {*WAITING, "failures", "wave_passed", "resumed"}
