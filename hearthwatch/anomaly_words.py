"""The reasons of an anomaly in Chinese.

In English they stand in the evidence as they are (``text``, ``values``); here the same is said from ``text_key``, ``about``, ``values``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hearthwatch.reasons import CHINESE, name_of, reason_of, spoken

_SENTENCES: Mapping[str, str] = {
    "hours_apart": "{who}：一天中的走势或彼此之间的关系与以往不同；同型号的其他 {others} 台则照旧",
    "hours_new": "{who}：出现了本设备从未有过的情况",
    "hours_before": "{who}：前几天与本设备平常不同",
    "above_peers": "{who}远高于本设备相对同型号另外 {others} 台的通常水平",
    "below_peers": "{who}远低于本设备相对同型号另外 {others} 台的通常水平",
    "incident": "{devices} 台设备中有 {share} 在同一天偏离了自身过去",
    "silent": "此后再无消息",
}
_VALUES: Mapping[str, str] = {
    "deviations from peers": "与同类设备相差 {value} 个标准差",
    "deviations from its own past": "与自身过去相差 {value} 个标准差",
    "most at (UTC)": "以 {value}（UTC）最为明显",
    "last seen": "最后一次出现于 {value}",
}


def anomaly_sentence(reason: Mapping[str, Any], language: str, *, brief: bool = False) -> str | None:
    """The reason in the reader's language with its numbers, without them where ``brief``; None where its own text is to be read."""
    key = str(reason.get("text_key", ""))
    kind = next((known for known in _SENTENCES if key == known or key.endswith("_" + known)), None)
    about = reason.get("about")
    if spoken(language) != CHINESE or kind is None or (about is None and kind != "silent"):
        return None
    told = dict(about or {})
    names = dict.fromkeys(name_of(reason_of(one), CHINESE) for one in told.pop("metrics", ()))
    text = _SENTENCES[kind].format(who="、".join(names) or "各项指标", **told)
    return text if brief else text + _numbers(reason.get("values") or {})


def _numbers(values: Mapping[str, Any]) -> str:
    said = [
        _VALUES[name].format(value=value) if name in _VALUES else f"{name.removesuffix(' that day')}当天为 {value}"
        for name, value in values.items()
        if value is not None
    ]
    return f"（{'，'.join(said)}）" if said else ""
