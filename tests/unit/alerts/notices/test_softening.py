"""Words that make a hazard sound smaller are found in both languages, inflected or hidden, with the line they stand on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.notices.softening import lint
from tests.unit.alerts.campaigns.conftest import ADVISORY_TEXTS, RECALL_TEXTS

ENGLISH = (
    "voluntary", "Voluntarily", "VOLUNTARINESS", "precaution", "precautions", "precautionary", "discretionary", "at your discretion",
    "optional", "in rare situations", "rarely", "in specific situations", "in certain cases", "under some circumstances",
    "in a limited number of cases", "in very exceptional circumstances", "no accidents have been reported", "No reported injuries",
    "we have not received any reports", "without incident", "nobody has been hurt", "unlikely", "a very low risk", "small hazards",
    "theoretically", "potentially", "out of an abundance of caution", "there is no need to worry", "don’t panic", "rest assured",
    "a handful of devices", "isolated cases", "merely", "harmless",
)  # fmt: skip
CHINESE = (
    "自愿召回", "主动召回", "酌情处理", "预防性措施", "以防万一", "出于谨慎起见", "罕见情况", "极少数",
    "个别产品", "在特定情况下", "某些条件下",
    "尚未收到任何事故报告", "没有发生人身伤害", "无人受伤", "可能性很低", "小概率",
    "不太可能", "轻微", "无需担心", "不必过分惊慌", "请您放心", "潜在",
)  # fmt: skip
HARD = (
    "The battery can catch fire and burn you.",
    "Stop using the lock. Children can be killed by the gas.",
    "The magnets hold rare earths.",
    "Minors must not touch it.",
    "It can involuntarily open the door.",
    "电池可能起火，造成严重烧伤或死亡。",
    "请立即停止使用，并拔下电源。",
)


@pytest.mark.parametrize("words", [*ENGLISH, *CHINESE])
def test_a_softening_word_is_found_in_any_form(words: str) -> None:
    (first, *_) = lint({"hazard": f"It burns.\nNote: {words}."})
    assert (first.field, first.line) == ("hazard", 2)
    assert first.why


@pytest.mark.parametrize("text", [*HARD, *(one for texts in RECALL_TEXTS.values() for one in texts.values())])
def test_plain_words_about_a_hazard_pass(text: str) -> None:
    assert lint({"hazard": text}) == []


def test_the_texts_of_these_tests_pass_all() -> None:
    for language, texts in ADVISORY_TEXTS.items():
        assert lint({f"{language}.{name}": text for name, text in texts.items()}) == []


@pytest.mark.parametrize(
    "hidden",
    [
        "vol\u00aduntary",
        "volun\u200btary",
        "ｖｏｌｕｎｔａｒｙ",
        "in\nrare\n  situations",
        "自 愿",
        "自\n愿",
        "请\u200b您放心",
        "don't worry",
    ],
)
def test_a_word_is_found_however_it_is_written(hidden: str) -> None:
    assert lint({"hazard": hidden})


def test_the_place_is_where_a_person_finds_it() -> None:
    (found,) = lint({"texts.en.hazard": "It burns.\n\nThis is a purely  precautionary\nmeasure."})
    assert (found.line, found.column, found.words) == (3, 19, "precautionary")
    assert str(found) == ("texts.en.hazard, line 3: 'precautionary' (it sounds as if there were no hazard yet)")


def test_both_lists_are_looked_at_in_every_text() -> None:
    assert [one.words for one in lint({"a": "自愿 voluntary"})] == ["自愿", "voluntary"]


@given(st.text(max_size=200), st.sampled_from([*ENGLISH, *CHINESE]), st.text(max_size=200))
def test_nothing_around_a_word_hides_it(before: str, words: str, after: str) -> None:
    found = lint({"x": f"{before}\n\n{words}\n\n{after}"})
    line = (before + "\n\n").count("\n") + 1
    assert any(one.line <= line + words.count("\n") for one in found)
    for one in found:
        assert 1 <= one.line <= f"{before}\n\n{words}\n\n{after}".count("\n") + 1
        assert one.column >= 1
