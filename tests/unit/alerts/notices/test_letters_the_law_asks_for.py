"""Each element that the law wants in a recall notice and in a security notice is in the letter, in its order, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from alerts.notices.campaign_letters import Advised, Recalled, write
from alerts.notices.speech import Brand, Reader
from alerts.notices.wording import Letter
from tests.unit.alerts.campaigns.conftest import ADVISORY_TEXTS, RECALL_TEXTS

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
PICTURE = "https://acme.example/lock.png"

# Article 36(2) of Regulation (EU) 2023/988, by its letters; order and labels as in Implementing Regulation (EU) 2024/1435.
RECALL_ELEMENTS = {
    "en": {
        "(a) headline": ("Product safety recall",),
        "(b) product": ("SmartLock 2", "Acme", "LOCK-2", "serial number SN-0017", "On the label inside the battery cover"),
        "(b) where and when sold": ("March to September 2025, by dealers in Germany",),
        "(c) hazard": ("The battery can overheat and catch fire.", "You can be badly burned."),
        "(d) stop using it, and what to do": ("Stop using your SmartLock 2 immediately.", "Unplug the charger"),
        "(e) remedies, free": ("costs you nothing", "a repair", "your money back"),
        "(f) free phone or online service": ("Free of charge: 0800 123456", "Online: https://acme.example/recall"),
        "(g) share it": ("Please tell everybody who may have this product of its recall.",),
    },
    "zh_Hans": {
        "(a) headline": ("产品安全召回",),
        "(b) product": ("SmartLock 2", "Acme", "LOCK-2", "序列号 SN-0017", "电池盖内侧的标签上"),
        "(b) where and when sold": ("2025年3月至9月由德国经销商销售",),
        "(c) hazard": ("电池可能过热并起火。", "您可能被严重烧伤。"),
        "(d) stop using it, and what to do": ("请立即停止使用您的SmartLock 2。", "拔下充电器"),
        "(e) remedies, free": ("全部免费", "维修", "退款"),
        "(f) free phone or online service": ("免费电话：0800 123456", "在线咨询：https://acme.example/recall"),
        "(g) share it": ("请将此次召回告知所有可能拥有该产品的人。",),
    },
}  # fmt: skip

# Article 14(8) of Regulation (EU) 2024/2847: the vulnerability or incident, what mitigates or corrects it, also for computers.
ADVISORY_ELEMENTS = {
    "en": {
        "what it is": ("Anybody on the same network can open the lock.", "Attackers are using this weakness"),
        "what corrects it": ("Please install version 2.4.2",),
        "what helps until then": ("Switch off remote access.",),
        "which weakness": ("CVE-2026-12345",),
        "for computers": ("https://hw.example/advisories/A-1.json",),
    },
    "zh_Hans": {
        "what it is": ("同一网络中的任何人都可以打开门锁。", "攻击者目前正在利用这一漏洞。"),
        "what corrects it": ("安装 2.4.2 版本",),
        "what helps until then": ("请关闭远程访问。",),
        "which weakness": ("CVE-2026-12345",),
        "for computers": ("https://hw.example/advisories/A-1.json",),
    },
}


def recalled(language: str) -> Recalled:
    texts = RECALL_TEXTS[language]
    return Recalled(
        reference="R-1", product="SmartLock 2", model="LOCK-2", brand="Acme", devices=("lock-1",), serials=("SN-0017",),
        remedies=("repair", "refund"), picture_url=PICTURE, phone="0800 123456", url="https://acme.example/recall",
        hazard=texts["hazard"], what_to_do=texts["what_to_do"], sold=texts["sold"], find_number=texts["find_number"],
    )  # fmt: skip


def advised(language: str) -> Advised:
    texts = ADVISORY_TEXTS[language]
    return Advised(
        reference="A-1", product="SmartLock 2", devices=("lock-1",), version="2.4.2", exploited=True,
        weaknesses=("CVE-2026-12345",), machine_url="https://hw.example/advisories/A-1.json", what=texts["what"],
        mitigation=texts["mitigation"],
    )  # fmt: skip


def letter(told: Recalled | Advised, language: str) -> Letter:
    reader, brand = Reader("Kim", language, UTC), Brand("Acme", "+49 30 1")
    return write(told, reader, brand, public_url="https://hw.example", link_until=UNTIL)


def in_order(text: str, elements: dict[str, tuple[str, ...]]) -> None:
    """Every element stands in a text, none before the one that goes before it."""
    place = 0
    for element, words in elements.items():
        for one in words:
            assert one in text, f"{element}: {one!r} is missing"
            assert text.index(one, place) >= place, f"{element}: {one!r} stands too early"
        place = text.index(words[0], place)


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
def test_a_recall_holds_each_element_of_article_36_in_its_order(language: str) -> None:
    written = letter(recalled(language), language)
    for text in (written.text, unescape(written.html)):
        in_order(text, RECALL_ELEMENTS[language])
    assert written.subject.startswith(RECALL_ELEMENTS[language]["(a) headline"][0])
    assert PICTURE in written.html
    assert PICTURE in written.text


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
def test_a_security_notice_says_what_it_is_and_what_users_can_do(language: str) -> None:
    written = letter(advised(language), language)
    for text in (written.text, unescape(written.html)):
        in_order(text, ADVISORY_ELEMENTS[language])


@pytest.mark.parametrize(("language", "free"), [("en", "Free of charge"), ("zh_Hans", "免费电话")])
def test_the_maker_s_usual_number_is_not_said_to_be_free(language: str, free: str) -> None:
    told = replace(recalled(language), phone="", usual_phone="+49 30 1234")
    for text in (letter(told, language).text, letter(told, language).html):
        assert free not in text
        assert "+49 30 1234" in text
