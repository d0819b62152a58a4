"""Reasons of a prognosis in words: every id in every language, and sentences that say what the numbers say."""

from __future__ import annotations

from typing import Any

import pytest

from hearthwatch.failure_modes import FAILURE_MODES
from hearthwatch.metrics import BY_NAME
from hearthwatch.reason_words import KEYS, SENTENCES, decision_sentences, of_evidence, sentence
from hearthwatch.reasons import LANGUAGES, PARTS, REASONS, name_of, part_in_words, reason_of, spoken

RAISES = {
    "text_key": "raises_risk",
    "reason": "contact_resistance",
    "metric": "relay_contact_mohm",
    "values": {
        "points": 41.2,
        "aspect": "level",
        "side": "higher",
        "share": 97,
        "peers": "model_and_firmware",
        "of": 140,
    },
}
COSTS = {"failure": 120.0, "planned": 45.0, "effectiveness": 0.7, "notice": 0.5, "false_alarm": 4.0}
DECISION = {"by": "costs", "threshold": 0.0796, "net_benefit": 31.456, "currency": "EUR", "costs": COSTS}


def raising(**changed: Any) -> dict[str, Any]:
    return {**RAISES, "values": {**RAISES["values"], **changed}}  # type: ignore[dict-item]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_every_part_has_a_name_of_its_own_in_every_language(language: str) -> None:
    names = [reason.names[language] for reason in REASONS]
    assert all(names)
    assert len(set(names)) == len(names)
    assert {mode.part for mode in FAILURE_MODES} <= PARTS.keys()
    assert all(part_in_words(mode.part, language) for mode in FAILURE_MODES)


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.id)
def test_every_reason_makes_a_sentence_in_every_language(reason: Any) -> None:
    for language in LANGUAGES:
        for side, share in (("higher", 97), ("lower", 60), ("higher", 100), ("lower", 100), ("higher", None)):
            told = sentence({**raising(side=side, share=share), "reason": reason.id}, language)
            assert "{" not in told
            assert reason.names[language].lower() in told.lower()
    assert sentence({**RAISES, "reason": reason.id}, "zh") != sentence({**RAISES, "reason": reason.id}, "en")


def test_both_languages_have_the_same_sentences() -> None:
    first, second = (SENTENCES[language] for language in LANGUAGES)
    assert first.keys() == second.keys()
    assert set(KEYS) - {"raises_risk"} <= first.keys()


def test_no_metric_belongs_to_two_reasons_and_every_failure_mode_has_reasons() -> None:
    metrics = [metric for reason in REASONS for metric in reason.metrics]
    assert len(set(metrics)) == len(metrics)
    for mode in FAILURE_MODES:
        assert not any(reason_of(metric).startswith("metric:") for metric in mode.metrics), mode.id


def test_a_metric_that_no_reason_names_keeps_its_own_name() -> None:
    assert "pressure_hpa" in BY_NAME
    assert name_of(reason_of("pressure_hpa"), "zh") == "pressure_hpa"
    assert sentence({**RAISES, "reason": "metric:vibration"}).startswith("Vibration: higher than 97 %")


def test_a_reason_says_the_place_among_the_peers_and_what_it_adds() -> None:
    assert sentence(RAISES) == (
        "Contact resistance: higher than 97 % of the same model and firmware; raises the 30-day risk by 41.2 points"
    )
    assert sentence(RAISES, "zh-CN") == "触点电阻：高于同型号同固件设备中的 97%；使 30 天内的故障风险上升 41.2 个百分点"
    assert "than all 140 others of the same model (few run its firmware)" in sentence(raising(share=100, peers="model"))
    assert sentence(raising(share=None)) == "Contact resistance: raises the 30-day risk by 41.2 points"
    never = {**RAISES, "reason": "service", "values": {"points": 7.8, "aspect": "missing"}}
    assert sentence(never) == "Time since the last service: nothing on record; raises the 30-day risk by 7.8 points"
    assert sentence(raising(aspect="change")).startswith("Contact resistance compared with its first days: higher")


def test_what_speaks_against_it_is_one_line() -> None:
    values = {"reason": "age", "points": 3.0, "none": ["reboots"], "usual": ["radio_signal", "free_memory"]}
    assert sentence({"text_key": "against", "values": values}) == (
        "Speaks against it: age lowers the 30-day risk by 3 points; no unexpected reboots; radio signal, free memory as usual"
    )
    assert sentence({"text_key": "against", "values": values}, "zh_Hans") == (
        "相反的迹象：使用年限使 30 天内的故障风险下降 3 个百分点；意外重启次数为零；无线信号、可用内存正常"
    )
    assert sentence({"text_key": "against", "values": {}}) == "Speaks against it: nothing that is measured"


def test_a_decision_by_costs_says_the_benefit_the_threshold_and_the_costs() -> None:
    assert decision_sentences(DECISION) == (
        "Acting saves about 31.46 EUR on average; flagged from 8 % on",
        "Reckoned with EUR: failure 120, planned repair 45, effectiveness 70 %, notice 0.5, false alarm 4",
    )
    assert decision_sentences({"by": "probability", "threshold": 0.5}, "zh") == ("达到 50% 即标记",)
    assert decision_sentences({}) == ()


def test_evidence_of_other_detectors_is_told_as_it_was_written() -> None:
    evidence = {"reasons": ["It reboots.", {"text_key": "below_own_past", "text": "far below its own past"}]}
    assert of_evidence(evidence, "zh") == ["It reboots.", "far below its own past"]


@pytest.mark.parametrize(
    ("tag", "language"), [("zh_Hans", "zh"), ("zh-TW", "zh"), ("ZH", "zh"), ("de", "en"), ("", "en")]
)
def test_who_reads_neither_language_reads_english(tag: str, language: str) -> None:
    assert spoken(tag) == language
