"""Why a device is held to be in a state, in the reader's language: one sentence with the times and durations it is about.

A further language is a further entry; a language without one reads English.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

ENGLISH, CHINESE = "en", "zh"

SENTENCES: Mapping[str, Mapping[str, str]] = {
    ENGLISH: {
        "never_heard": "Nothing was ever heard of it.",
        "heard": "Heard as often as usual, about every {interval_s}; last at {heard}.",
        "asleep": "It sleeps between its messages, which come about every {interval_s}; last heard at {heard}.",
        "flapping": "It comes and goes: it went away {goings} times within two hours and was heard again each time, last at {heard}.",
        "left": "It left, or the broker gave it up, at {at}; until {back_by} it may still come back.",
        "gone": "It left, or the broker gave it up, at {at}, and did not come back.",
        "late": "Its message is overdue: silent for {silent_s}, expected about every {interval_s}.",
        "silent": "Silent for {silent_s}, expected about every {interval_s}; last heard at {heard}.",
        "blind": "We cannot hear it ourselves since {since} ({by}).",
        "blind_before": "We could not hear it ourselves from {since} to {until} ({by}); it has one interval to be heard again.",
        "behind_bridge": "The bridge it depends on, {bridge}, is away since {since}.",
        "bridge_back": "The bridge it depends on, {bridge}, was away from {since} to {until}; it has one interval to be heard again.",
        "no_ingestor": "no ingestor was running",
        "broker_away": "the broker was away",
        "store_away": "a store was away, data waits",
    },
    CHINESE: {
        "never_heard": "从未收到过它的消息。",
        "heard": "消息正常，约每 {interval_s}一次；最近一次在 {heard}。",
        "asleep": "它在两次消息之间休眠，约每 {interval_s}一次；最近一次在 {heard}。",
        "flapping": "它时断时续：两小时内离线 {goings} 次，每次都又恢复，最近一次在 {heard}。",
        "left": "它于 {at} 断开，或被代理判定断开；在 {back_by} 之前仍可能恢复。",
        "gone": "它于 {at} 断开，或被代理判定断开，此后没有恢复。",
        "late": "消息已逾期：已静默 {silent_s}，预期约每 {interval_s}一次。",
        "silent": "已静默 {silent_s}，预期约每 {interval_s}一次；最近一次在 {heard}。",
        "blind": "自 {since} 起我们自己无法接收（{by}）。",
        "blind_before": "从 {since} 到 {until} 我们自己无法接收（{by}）；给它一个周期重新出现。",
        "behind_bridge": "它所依赖的网桥 {bridge} 自 {since} 起不在线。",
        "bridge_back": "它所依赖的网桥 {bridge} 从 {since} 到 {until} 不在线；给它一个周期重新出现。",
        "no_ingestor": "没有接收进程在运行",
        "broker_away": "消息代理不可用",
        "store_away": "存储不可用，数据在等待",
    },
}
_UNITS: Mapping[str, tuple[tuple[timedelta, str], ...]] = {
    ENGLISH: ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")),
    CHINESE: ((timedelta(days=1), "天"), (timedelta(hours=1), "小时"), (timedelta(minutes=1), "分钟")),
}


def sentence(why: Mapping[str, Any], language: str = ENGLISH) -> str:
    """The sentence for a reason; what has no words is told by its key and values."""
    spoken = CHINESE if language.lower().startswith("zh") else ENGLISH
    words = SENTENCES[spoken]
    key, values = str(why.get("text_key", "")), dict(why.get("values") or {})
    if key not in words:
        return str(why.get("text") or key)
    told = {name: _told(name, value, spoken) for name, value in values.items()}
    return words[key].format_map(_Known(told))


class _Known(dict[str, str]):
    """A value that is not there is a dash."""

    def __missing__(self, name: str) -> str:
        return "–"


def _told(name: str, value: Any, language: str) -> str:
    if name.endswith("_s") and isinstance(value, int | float):
        return _lasting(timedelta(seconds=value), language)
    if name == "by":
        return SENTENCES[language].get(str(value), str(value))
    if name in ("bridge", "goings"):
        return str(value)
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return str(value)


def _lasting(much: timedelta, language: str) -> str:
    for unit, name in _UNITS[language]:
        if much >= 2 * unit or unit == timedelta(minutes=1):
            return f"{max(1, round(much / unit))} {name}"
    raise AssertionError("the last unit fits everything")
