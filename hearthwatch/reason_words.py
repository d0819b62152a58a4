"""Sentences about a prognosis: its reasons, what speaks against it, and what was decided, in the reader's language.

A finding keeps ids and numbers (``text_key``, ``reason``, ``values``); sentences are made of them when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.anomaly_words import anomaly_sentence
from hearthwatch.reasons import CHINESE, ENGLISH, name_of, part_in_words, spoken

RAISES, AGAINST, SMALL_SIGNS = "raises_risk", "against", "many_small_signs"
KEYS = (RAISES, AGAINST, SMALL_SIGNS)

SENTENCES: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        "level": "{name}: {place}; raises the 30-day risk by {points} points",
        "change": "{name} compared with its first days: {place}; raises the 30-day risk by {points} points",
        "bare": "{name}: raises the 30-day risk by {points} points",
        "missing": "{name}: nothing on record; raises the 30-day risk by {points} points",
        "higher": "higher than {share} % of {peers}",
        "lower": "lower than {share} % of {peers}",
        "highest": "higher than all {of} others of {peers}",
        "lowest": "lower than all {of} others of {peers}",
        "model_and_firmware": "the same model and firmware",
        "model": "the same model (few run its firmware)",
        "lowers": "{name} lowers the 30-day risk by {points} points",
        "usual": "{names} as usual",
        "none": "no {name}",
        "nothing": "nothing that is measured",
        "between": "; ",
        "and": ", ",
        SMALL_SIGNS: "The sum of many small signs",
        AGAINST: "Speaks against it: {what}",
        "part": "Probable part: {part}",
        "worth": "Acting saves about {net_benefit} {currency} on average; flagged from {threshold} % on",
        "reckoned": "Reckoned with {currency}: failure {failure}, planned repair {planned}, effectiveness {effectiveness} %,"
        " notice {notice}, false alarm {false_alarm}",
        "by_probability": "Flagged from {threshold} % on",
    },
    CHINESE: {
        "level": "{name}：{place}；使 30 天内的故障风险上升 {points} 个百分点",
        "change": "{name}（与最初几天相比）：{place}；使 30 天内的故障风险上升 {points} 个百分点",
        "bare": "{name}：使 30 天内的故障风险上升 {points} 个百分点",
        "missing": "{name}：没有记录；使 30 天内的故障风险上升 {points} 个百分点",
        "higher": "高于{peers}中的 {share}%",
        "lower": "低于{peers}中的 {share}%",
        "highest": "高于{peers}中其他全部 {of} 台",
        "lowest": "低于{peers}中其他全部 {of} 台",
        "model_and_firmware": "同型号同固件设备",
        "model": "同型号设备（运行该固件的很少）",
        "lowers": "{name}使 30 天内的故障风险下降 {points} 个百分点",
        "usual": "{names}正常",
        "none": "{name}为零",
        "nothing": "没有测到相反的迹象",
        "between": "；",
        "and": "、",
        SMALL_SIGNS: "许多细小迹象的总和",
        AGAINST: "相反的迹象：{what}",
        "part": "可能的部件：{part}",
        "worth": "采取行动平均约可节省 {net_benefit} {currency}；达到 {threshold}% 即标记",
        "reckoned": "计算依据（{currency}）：故障 {failure}，计划维修 {planned}，有效率 {effectiveness}%，"
        "通知 {notice}，误报 {false_alarm}",
        "by_probability": "达到 {threshold}% 即标记",
    },
}


def is_worded(reason: Mapping[str, Any]) -> bool:
    """Whether a reason is told by this module's sentences."""
    return reason.get("text_key") in KEYS


def sentence(reason: Mapping[str, Any], language: str = ENGLISH) -> str:
    """One reason, or what speaks against it, as a sentence."""
    words, values = SENTENCES[spoken(language)], dict(reason.get("values") or {})
    key = reason.get("text_key")
    if key == RAISES:
        return _raises(str(reason.get("reason", "")), values, spoken(language))
    if key == AGAINST:
        return words[AGAINST].format(what=_against(values, spoken(language)))
    if key == SMALL_SIGNS:
        return words[SMALL_SIGNS]
    return anomaly_sentence(reason, language) or str(reason.get("text") or key)


def _raises(reason: str, values: Mapping[str, Any], language: str) -> str:
    words, name = SENTENCES[language], _first_upper(name_of(reason, language))
    points = _number(values.get("points"))
    if values.get("share") is None:
        bare = "missing" if values.get("aspect") == "missing" else "bare"
        return words[bare].format(name=name, points=points)
    peers = words[str(values["peers"])]
    all_of_them = values["share"] >= 100
    side = {"higher": "highest", "lower": "lowest"}[values["side"]] if all_of_them else str(values["side"])
    place = words[side].format(share=_number(values["share"]), peers=peers, of=values.get("of"))
    return words[str(values.get("aspect", "level"))].format(name=name, place=place, points=points)


def _against(values: Mapping[str, Any], language: str) -> str:
    words = SENTENCES[language]
    said = []
    if values.get("reason"):
        name = name_of(str(values["reason"]), language)
        said.append(words["lowers"].format(name=name, points=_number(values.get("points"))))
    said += [words["none"].format(name=name_of(one, language)) for one in values.get("none", ())]
    usual = [name_of(one, language) for one in values.get("usual", ())]
    if usual:
        said.append(words["usual"].format(names=words["and"].join(usual)))
    return words["between"].join(said) or words["nothing"]


def reason_sentences(evidence: Mapping[str, Any], language: str = ENGLISH) -> list[str]:
    """The reasons in a finding's evidence as sentences; those of other detectors as they were written."""
    return [sentence(one, language) if isinstance(one, Mapping) else str(one) for one in evidence.get("reasons", ())]


def of_evidence(evidence: Mapping[str, Any], language: str = ENGLISH) -> list[str]:
    """What a finding's evidence says in sentences, line by line: reasons, counter-evidence, probable part, decision."""
    lines = reason_sentences(evidence, language)
    if evidence.get("against"):
        lines.append(sentence(evidence["against"], language))
    if evidence.get("probable_part"):
        lines.append(part_sentence(str(evidence["probable_part"]), language))
    return [*lines, *decision_sentences(evidence.get("decision") or {}, language)]


def part_sentence(part: str, language: str = ENGLISH) -> str:
    """The part that probably fails."""
    return SENTENCES[spoken(language)]["part"].format(part=part_in_words(part, spoken(language)))


def decision_sentences(decision: Mapping[str, Any], language: str = ENGLISH) -> Sequence[str]:
    """Why a probability was worth a finding: by money and what it was reckoned with, or by its size."""
    words = SENTENCES[spoken(language)]
    if not decision:
        return ()
    threshold = _number(100 * float(decision["threshold"]))
    if decision.get("by") != "costs":
        return (words["by_probability"].format(threshold=threshold),)
    costs = {name: _number(value) for name, value in dict(decision["costs"]).items()}
    costs["effectiveness"] = _number(100 * float(decision["costs"]["effectiveness"]))
    currency = str(decision["currency"])
    return (
        words["worth"].format(net_benefit=f"{decision['net_benefit']:,.2f}", currency=currency, threshold=threshold),
        words["reckoned"].format(currency=currency, **costs),
    )


def _number(value: Any) -> str:
    return "–" if value is None else f"{float(value):,.1f}".removesuffix(".0")


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
