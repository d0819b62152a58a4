"""What is said about a release, and when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.cohorts.decision import Decision
from analytics.cohorts.spec import BY_NAME, Metric, gauge
from analytics.cohorts.verdict import WHY_LENGTH, Standing, Verdict, judge
from analytics.cohorts.verdict_words import Names
from analytics.cohorts.weighing import NO_EVIDENCE, Late, Ratio, Weight
from hearthwatch.said import Said

REBOOTS = BY_NAME["unexpected_reboots"]
NAMES = Names("2.5.0", "2.4.1")
QUIET = Standing(paged=False, watched=False, latched=False, needed=40.0)
PAGED = replace(QUIET, paged=True, watched=True)
LATCHED = replace(QUIET, latched=True)

OPEN = Weight(
    assignment="randomised",
    log_e=0.0,
    log_e_rate=0.0,
    log_e_first=0.0,
    rate=Ratio(1.1, 0.7, 1.7),
    first=Ratio(1.1, 0.6, 1.9),
    unadjusted=Ratio(1.1, 0.6, 1.9),
    before=1.0,
    arms_differed=False,
    arms_drifted=False,
    past_known=True,
    devices=(200, 200),
    hours=(9000.0, 9000.0),
    events=(80.0, 75.0),
    devices_with_events=(60, 55),
)
BAD = replace(OPEN, log_e=8.0, log_e_rate=8.7, rate=Ratio(2.4, 1.8, 3.2))
CHOSEN = replace(OPEN, assignment="unknown", log_e_first=None, first=None)


def say(weight: Weight, standing: Standing = QUIET, *, final: bool = False) -> Verdict:
    return judge(REBOOTS, weight, standing, NAMES, guard=30, margin=1.05, final=final)


def test_strong_evidence_that_e_bh_did_not_choose_is_not_enough() -> None:
    assert say(BAD).word == "too_early"


def test_a_chosen_release_whose_interval_reaches_one_is_not_called_worse() -> None:
    assert say(replace(BAD, rate=Ratio(1.4, 0.99, 2.0)), PAGED).word == "too_early"


def test_a_chosen_release_is_worse_and_says_how_much_and_how_sure() -> None:
    verdict = say(BAD, PAGED)
    assert verdict.word == "worse"
    assert "reboot unexpectedly 2.40 times as often as on 2.4.1" in verdict.why
    assert "1.80 to 3.20" in verdict.why
    assert verdict.ratio == Ratio(2.4, 1.8, 3.2)


def test_once_worse_it_stays_so_while_the_evidence_fades() -> None:
    assert say(OPEN, LATCHED).word == "worse"


@pytest.mark.parametrize(("rate", "word"), [(Ratio(1.0, 0.9, 1.1), "same"), (Ratio(0.5, 0.3, 0.8), "better")])
def test_once_worse_it_stays_so_until_the_interval_says_otherwise(rate: Ratio, word: str) -> None:
    assert say(replace(OPEN, rate=rate), LATCHED).word == word


def test_an_interval_within_the_bounds_is_the_same() -> None:
    assert say(replace(OPEN, rate=Ratio(1.0, 0.81, 1.24))).word == "same"
    assert say(replace(OPEN, rate=Ratio(1.0, 0.79, 1.24))).word == "too_early"


def test_where_the_waves_were_not_randomised_better_has_to_pass_the_margin() -> None:
    rate = Ratio(0.7, 0.5, 0.98)
    assert say(replace(OPEN, rate=rate)).word == "better"
    assert say(replace(CHOSEN, rate=rate)).word == "too_early"


def test_first_events_alone_settle_nothing_but_may_say_worse() -> None:
    small = replace(OPEN, rate=None, log_e_rate=None, unadjusted=None, devices_with_events=(12, 30))
    assert say(replace(small, first=Ratio(0.3, 0.1, 0.7))).word == "too_early"
    worse = say(replace(small, first=Ratio(5.0, 2.0, 11.0), log_e=6.0), PAGED)
    assert worse.word == "worse"
    assert "by first events" in worse.why


def test_below_the_guard_the_reason_names_the_devices_that_are_missing() -> None:
    verdict = say(replace(OPEN, rate=None, first=None, unadjusted=None, devices_with_events=(12, 40)))
    assert verdict.word == "too_early"
    assert "on 12 devices" in verdict.why
    assert "30" in verdict.why


def test_without_a_past_and_without_randomised_waves_it_is_too_early() -> None:
    lacking = replace(CHOSEN, rate=None, past_known=False, unadjusted=Ratio(2.5, 1.9, 3.4))
    assert say(lacking).word == "too_early"
    assert "who updated first" in say(lacking).why


def test_a_history_without_a_past_is_confounded_for_good() -> None:
    lacking = replace(CHOSEN, rate=None, past_known=False, log_e=NO_EVIDENCE, unadjusted=Ratio(2.5, 1.9, 3.4))
    assert say(lacking, final=True).word == "confounded"
    assert say(replace(lacking, unadjusted=Ratio(1.5, 0.9, 2.4)), final=True).word == "too_early"


def test_devices_that_were_drifting_away_before_confound_whatever_they_do_now() -> None:
    drifting = replace(CHOSEN, arms_drifted=True, log_e=NO_EVIDENCE, rate=Ratio(3.0, 2.0, 4.0))
    assert say(drifting).word == "confounded"


def test_adopters_that_were_worse_before_are_confounded_until_their_own_past_decides() -> None:
    frail = replace(CHOSEN, arms_differed=True, before=1.8)
    verdict = say(frail)
    assert verdict.word == "confounded"
    assert "1.80 times" in verdict.why
    assert say(replace(frail, rate=Ratio(1.0, 0.9, 1.1))).word == "same"
    assert say(replace(frail, rate=Ratio(2.5, 1.9, 3.3), log_e=9.0), PAGED).word == "worse"


DRAIN, FRAMES = BY_NAME["battery_drain"], gauge("frame_rate_fps:less")


def say_of(metric: Metric, weight: Weight, standing: Standing = QUIET, decision: Decision | None = None) -> Verdict:
    return judge(metric, weight, standing, NAMES, guard=30, margin=1.05, decision=decision)


def test_means_are_the_same_only_within_closer_bounds_than_rates() -> None:
    close = replace(OPEN, rate=Ratio(1.0, 0.85, 1.15), log_e_first=None, first=None)
    assert say(close).word == "same"
    assert say_of(DRAIN, close).word == "too_early"
    closer = say_of(DRAIN, replace(close, rate=Ratio(1.0, 0.93, 1.07)))
    assert closer.word == "same"
    assert "within 0.91 to 1.10" in closer.why


def test_of_a_metric_of_which_less_is_worse_a_small_ratio_is_worse_and_a_large_one_better() -> None:
    fewer = replace(OPEN, log_e=9.0, log_e_rate=9.0, log_e_first=None, first=None, rate=Ratio(0.6, 0.5, 0.7))
    worse = say_of(FRAMES, fewer, PAGED)
    assert worse.word == "worse"
    assert "show frame_rate_fps 0.60 times as high as on 2.4.1" in worse.why
    more = replace(fewer, log_e=NO_EVIDENCE, rate=Ratio(1.5, 1.2, 1.9))
    assert say_of(FRAMES, more).word == "better"
    assert say_of(FRAMES, more, PAGED).word == "better"


LATE = Late(log_e=float(np.log(400.0)), since=24 * 20_000, ratio=2.5)
LATELY = replace(OPEN, rate=Ratio(1.05, 0.9, 1.2), late=LATE)


def test_a_late_change_below_the_threshold_of_all_streams_is_on_the_watch_list_and_not_called_the_same() -> None:
    verdict = say(LATELY, replace(QUIET, late_needed=1000.0))
    assert verdict.word == "too_early"
    assert "Since 2024-10-04 devices on 2.5.0 reboot unexpectedly 2.50 times as often" in verdict.why
    assert "watch list" in verdict.why
    assert say(replace(LATELY, late=replace(LATE, log_e=float(np.log(170.0))))).word == "same"


def test_a_late_change_beyond_the_threshold_of_all_streams_is_worse_without_e_bh_and_says_by_which_rule() -> None:
    verdict = say(LATELY, replace(QUIET, late_needed=399.0))
    assert verdict.word == "worse"
    assert "it began late" in verdict.why
    assert "once in 180 days" in verdict.why
    assert "Evidence" not in verdict.why


def test_what_was_so_from_the_beginning_is_not_called_late() -> None:
    verdict = say(replace(LATELY, late=replace(LATE, whole=True)), replace(QUIET, late_needed=399.0))
    assert verdict.word == "worse"
    assert "late" not in verdict.why


def test_a_late_change_for_the_better_is_not_worse() -> None:
    better = replace(LATELY, late=replace(LATE, ratio=0.5))
    assert say(better, replace(QUIET, late_needed=399.0)).word != "worse"


def test_once_worse_it_stays_so_while_a_late_change_is_seen_whatever_the_whole_interval_says() -> None:
    assert say(LATELY, replace(LATCHED, late_needed=1000.0)).word == "worse"
    assert say(replace(LATELY, late=None), LATCHED).word == "same"


def test_what_would_be_needed_is_part_of_the_reason_until_it_is_decided() -> None:
    wanted = Decision(4.2, 600, Said("About 4 more days at this pace, or 600 devices instead of 200, would do."))
    assert wanted.says in say_of(REBOOTS, OPEN, decision=wanted).why
    assert wanted.says not in say_of(REBOOTS, BAD, PAGED, decision=wanted).why


def test_the_watch_list_is_named_in_the_reason() -> None:
    assert "watch list" in say(replace(OPEN, log_e=3.0), replace(QUIET, watched=True)).why
    assert "watch list" not in say(OPEN).why


def test_first_events_of_self_chosen_arms_are_not_compared() -> None:
    silent = replace(CHOSEN, rate=None, unadjusted=None, past_known=False, log_e=NO_EVIDENCE)
    verdict = judge(BY_NAME["went_silent"], silent, QUIET, NAMES, guard=30, margin=1.05)
    assert verdict.word == "too_early"
    assert "randomised" in verdict.why


def test_an_arm_without_hours_is_named() -> None:
    assert "No hours on 2.5.0" in say(replace(OPEN, rate=None, first=None, unadjusted=None, devices=(0, 100))).why


def test_a_reason_fits_into_its_column_whatever_the_numbers_and_names() -> None:
    names = Names("9" * 300, "8" * 300)
    wild = replace(BAD, rate=Ratio(1e300, 1e299, np.inf), log_e=690.0)
    assert len(judge(REBOOTS, wild, PAGED, names, guard=30, margin=1.05).why) <= WHY_LENGTH
