"""Sentences that the records keep in English are read in the reader's language, whatever stands in their places."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.prognosis.remaining import WORDS
from analytics.training.fitting import INTENDED_USE, LIMITS
from api.pages.language import Speaker
from api.pages.retelling import CONTEXT, COUNT, NAME, Retelling, pattern_of
from hearthwatch.catalogues import messages_of_context
from tests.kept_sentences import left_in_english

PATTERNS = {
    ", ": "、",
    "the part was watched too shortly": "观察时间过短",
    "Nothing is said: {why}": "不作判断：{why}",
    "it stood out by {metric_list}": "因{metric_list}突出",
    "it stood out by {metric} alone": "仅因{metric}突出",
}
retell = Retelling(PATTERNS)


def test_a_sentence_nobody_knows_comes_out_as_it_was_kept() -> None:
    assert retell("The dog ate it") == "The dog ate it"
    assert retell("") == ""


@given(st.text(min_size=1))
def test_what_stands_in_a_place_is_kept_as_it_is(why: str) -> None:
    assert retell(f"Nothing is said: {why}") == f"不作判断：{retell(why)}"


def test_what_stands_in_a_place_is_retold_where_it_is_known() -> None:
    assert retell("Nothing is said: the part was watched too shortly") == "不作判断：观察时间过短"


def test_the_pattern_that_says_most_itself_is_the_one_that_counts() -> None:
    assert retell("it stood out by heat alone") == "仅因heat突出"


def test_the_things_of_a_list_are_joined_as_the_language_does() -> None:
    assert retell("it stood out by heat, age") == "因heat、age突出"


def test_an_error_keeps_the_place_it_names() -> None:
    assert retell("--horizon: the part was watched too shortly") == "--horizon: 观察时间过短"
    assert retell("--horizon: nobody knows") == "--horizon: nobody knows"


def test_english_readers_read_what_was_kept() -> None:
    assert Speaker("en").retell("no such device") == "no such device"
    assert Speaker("zh_Hans").retell("no such device") == "没有此设备"


def test_what_models_are_for_and_why_they_are_silent_can_be_read_in_chinese() -> None:
    assert left_in_english([INTENDED_USE, *LIMITS, *WORDS.values()]) == []


def test_no_pattern_takes_the_sentences_of_another() -> None:
    patterns = messages_of_context(resources.files("api") / "locale", "zh_Hans", CONTEXT)
    told, taken = Retelling(patterns), []
    for kept, said in patterns.items():
        held = {name: "7" if name.endswith(COUNT) else f"xq{place}" for place, name in enumerate(NAME.findall(kept))}
        if told(kept.format(**held) if held else kept) != (said.format(**held) if held else said):
            taken.append(kept)
    assert taken == []


def test_a_number_is_what_stands_in_a_place_for_numbers() -> None:
    said = Speaker("zh_Hans").retell(
        "errs adds 9.4 points: 1.876e+08 in the last 7 days (usually nan), 3 deviations above its peers"
    )
    assert said == "errs 增加 9.4 个百分点：最近 7 天为 1.876e+08（通常 nan）、高于同类 3 个标准差"


def test_a_sentence_of_which_words_stay_english_is_found() -> None:
    assert left_in_english(["no such device", "the dog ate it"]) == ["the dog ate it"]


HOSTILE = 4000
"""Characters of a device's text that a reason for quarantine may quote."""


@pytest.mark.parametrize("unit", [": ", "x a value ", "Nothing is said: "])
def test_a_device_s_text_that_nests_without_end_is_shown_and_not_followed_down(unit: str) -> None:
    text = (unit * HOSTILE)[:HOSTILE]
    assert Speaker("zh_Hans").retell(text).endswith(text[-HOSTILE // 2 :])
    assert retell(text).endswith(text[-HOSTILE // 2 :])


def test_no_kept_sentence_is_tried_in_every_way_that_a_text_can_be_divided() -> None:
    """Of a sentence with several gaps one alone may give back what it took: two that do cost the square of the text's length."""
    for kept in messages_of_context(resources.files("api") / "locale", "zh_Hans", CONTEXT):
        gaps = [name for name in NAME.findall(kept) if not name.endswith(COUNT)]
        settled = re.findall(r"\(\?>\(\?P<(\w+)>\.\+\?\)", pattern_of(kept).pattern)
        assert settled == gaps[:-1], kept


@given(st.lists(st.sampled_from(["a", " is ", "; ", "group", "the role ", "x; y is z"]), min_size=1, max_size=12))
def test_gaps_are_filled_as_the_shortest_division_would(pieces: list[str]) -> None:
    kept, text = "this needs {roles}; {who} is {role}", "this needs " + "".join(pieces)
    plain = re.fullmatch("this needs (?P<roles>.+?); (?P<who>.+?) is (?P<role>.+?)", text, re.DOTALL)
    found = pattern_of(kept).fullmatch(text)
    assert (found and found.groupdict()) == (plain and plain.groupdict())
