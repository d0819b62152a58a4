"""What the platform titles and notes in English is read in the language of the page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.answers import headlines
from api.pages.language import Speaker
from api.pages.tickets import titled
from hearthwatch.values import Ticket

AT = datetime(2026, 5, 1, tzinfo=UTC)
EN, ZH = Speaker("en"), Speaker("zh_Hans")


def ticket(title: str, *, kind: str = "request", source: str = "page", mode: str | None = None) -> Ticket:
    named = dict.fromkeys(Ticket.__dataclass_fields__)
    told = {
        "id": 1,
        "kind": kind,
        "source": source,
        "title": title,
        "mode": mode,
        "device_id": "lock-1",
        "model": "LOCK-2",
    }
    return Ticket(**{**named, **told})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "chinese"),
    [
        (ticket("lock-1 (LOCK-2): The battery runs down too fast"), "lock-1 (LOCK-2): 电池消耗太快"),
        (ticket("A report without a device: Something else"), "未注明设备的反馈: 其他问题"),
        (ticket("lock-1: the customer asks for a visit"), "lock-1: 客户希望上门服务"),
        (ticket("lock-1: speak with the customer about ticket 21"), "lock-1: 就服务单 21 与客户沟通"),
        (ticket("LOCK-2 2.4.1 is worse than 2.4.0: reboots", kind="cohort"), "LOCK-2 2.4.1 比 2.4.0 表现更差: 重启"),
        (ticket("anything", kind="device", source="policy", mode="motor_wear"), "lock-1 (LOCK-2): 电机磨损"),
        (ticket("lock-1: 2026-R1, Battery fire"), "lock-1: 2026-R1, Battery fire"),
    ],
)
def test_a_title_of_the_platform_s_own_is_in_the_page_s_language(one: Ticket, chinese: str) -> None:
    assert titled(EN, one) == one.title
    assert titled(ZH, one) == chinese


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (59, "0 h 0 min", "0 小时 0 分钟"),
        (3 * 3600 + 120, "3 h 2 min", "3 小时 2 分钟"),
        (90_000, "1 d 1 h", "1 天 1 小时"),
    ],
)
def test_how_long_a_device_is_up_is_a_span_of_time(seconds: int, english: str, chinese: str) -> None:
    told = headlines({"uptime_s": seconds, "rssi_dbm": -88})
    assert told == {"Up for": english, "Signal": "-88 dBm"}
    assert ZH.retell(told["Up for"]) == chinese
