from __future__ import annotations

from typing import Any

import pytest

from hearthwatch.anomaly_words import anomaly_sentence
from hearthwatch.reason_words import of_evidence

APART: dict[str, Any] = {
    "text_key": "hours_apart",
    "text": "supply_v and free_heap_bytes: ...",
    "values": {"deviations from peers": 7.0, "deviations from its own past": None},
    "about": {"metrics": ["free_heap_bytes", "rssi_dbm"], "others": 59},
}


def test_an_english_reader_reads_what_the_evidence_says() -> None:
    assert anomaly_sentence(APART, "en") is None
    assert of_evidence({"reasons": [APART]}, "de") == [APART["text"]]


def test_a_chinese_reader_is_told_the_metrics_and_the_numbers() -> None:
    told = of_evidence({"reasons": [APART]}, "zh-CN")[0]
    assert told.startswith("可用内存、无线信号：")
    assert "59 台" in told
    assert told.endswith("（与同类设备相差 7.0 个标准差）")
    assert anomaly_sentence(APART, "zh", brief=True) == told.split("（")[0]


@pytest.mark.parametrize(
    ("key", "about", "words"),
    [
        ("log_relay_contact_mohm_above_peers", {"metrics": ["relay_contact_mohm"], "others": 3}, "触点电阻远高于"),
        ("rssi_dbm_below_peers", {"metrics": ["rssi_dbm"], "others": 3}, "无线信号远低于"),
        ("hours_new", {"metrics": ["supply_v"], "others": 3}, "supply_v：出现了"),
        ("hours_before", {"metrics": [], "others": 3}, "各项指标：前几天"),
        ("incident", {"share": "37%", "devices": 40}, "40 台设备中有 37%"),
    ],
)
def test_every_reason_of_an_anomaly_has_its_words(key: str, about: dict[str, Any], words: str) -> None:
    assert words in str(anomaly_sentence({"text_key": key, "about": about, "values": {}}, "zh"))


def test_silence_needs_nothing_but_its_key() -> None:
    silent = {"text_key": "silent", "text": "It has told nothing more since", "values": {"last seen": "2026-03-02"}}
    assert anomaly_sentence(silent, "zh") == "此后再无消息（最后一次出现于 2026-03-02）"


def test_reasons_of_before_and_of_others_are_read_as_they_were_written() -> None:
    assert anomaly_sentence({"text_key": "rssi_dbm_below_peers", "text": "rssi"}, "zh") is None
    assert anomaly_sentence({"text_key": "device_silent_for_long", "about": {}}, "zh") is None
    assert of_evidence({"reasons": [{"text_key": "rssi_dbm_below_peers", "text": "rssi"}]}, "zh") == ["rssi"]
