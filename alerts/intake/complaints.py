"""What people complain of, in their words: the choices of every form, and the failure mode that each speaks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hearthwatch.reasons import CHINESE, ENGLISH, spoken

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A choice. ``mode`` is the failure mode it speaks for, if one; ``classes`` are the kinds of device that can have it, all where empty.

    ``words`` recognise it in a text: English ones as regular expressions between word boundaries, Chinese ones as they stand.
    """

    id: str
    mode: str | None
    names: Mapping[str, str]
    english: tuple[str, ...] = ()
    chinese: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def name(self, language: str) -> str:
        """The choice as a reader of some language sees it."""
        return self.names[spoken(language)]


def _complaint(
    identifier: str,
    mode: str | None,
    english: str,
    chinese: str,
    words: tuple[str, ...] = (),
    zh: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
) -> Complaint:
    return Complaint(identifier, mode, {ENGLISH: english, CHINESE: chinese}, words, zh, classes)


COMPLAINTS: tuple[Complaint, ...] = (
    _complaint(
        "battery",
        "battery_fade",
        "The battery runs down too fast",
        "电池消耗太快",
        (r"batter(?:y|ies)", r"(?:does ?n[o']?t|won'?t) (?:charge|hold (?:a|its) charge)", r"recharg\w*"),
        ("电池", "电量", "没电", "充不进电", "充电"),
    ),
    _complaint(
        "offline",
        "wifi_failing",
        "It is offline or cannot be reached",
        "设备离线或无法连接",
        (r"off ?line", r"wi-?fi", r"disconnect\w*", r"connection", r"unreachable", r"(?:can'?t|cannot|does not|won'?t) connect"),
        ("离线", "掉线", "断网", "连不上", "无法连接", "断开", "信号"),
    ),
    _complaint(
        "restarts",
        "reboots",
        "It restarts by itself",
        "设备自动重启",
        (r"re-?starts?", r"restarting", r"re-?boots?", r"rebooting", r"(?:turns|switches) (?:itself )?off and on"),
        ("重启", "自动关机"),
    ),
    _complaint(
        "no_switch",
        "relay_wear",
        "It does not switch on or off",
        "无法打开或关闭",
        (r"(?:does not|doesn'?t|won'?t|will not) (?:switch|turn) (?:on|off)", r"relay", r"click(?:s|ing)"),
        ("打不开", "关不掉", "关不上", "继电器", "开关失灵"),
        ("plug", "switch", "light", "thermostat", "heater", "relay"),
    ),
    _complaint(
        "wrong_values",
        "sensor_drift",
        "It shows wrong values",
        "显示的数值不准",
        (r"wrong (?:value|reading|temperature|humidity)s?", r"inaccurate", r"(?:reads|shows) (?:too (?:high|low)|wrong)"),
        ("不准", "数值错误", "温度不对", "湿度不对", "偏高", "偏低"),
        ("thermostat", "sensor", "meter", "detector", "weather_station"),
    ),
    _complaint(
        "jams",
        "motor_wear",
        "It is stuck, slow to move, or noisy",
        "卡住、动作缓慢或有异响",
        (r"stuck", r"jam(?:s|med|ming)?", r"nois(?:e|y)", r"grind\w*", r"motor"),
        ("卡住", "卡死", "异响", "噪音", "电机", "转不动"),
        ("lock", "blind", "valve", "vacuum", "fan", "garage_door"),
    ),
    _complaint(
        "picture",
        "video_degraded",
        "The picture is missing, jerky or blurred",
        "画面缺失、卡顿或模糊",
        (r"picture", r"video", r"image", r"blurr\w*", r"frames?"),
        ("画面", "视频", "图像", "模糊", "卡顿"),
        ("camera", "doorbell"),
    ),
    _complaint(
        "slow",
        "memory_leak",
        "It reacts slowly or freezes",
        "反应迟缓或死机",
        (r"(?:reacts?|responds?|response) (?:very |too |so )?slow\w*", r"freez\w+", r"frozen", r"hangs?", r"unresponsive"),
        ("反应慢", "反应迟缓", "死机", "没反应", "无响应"),
    ),
    _complaint(
        "hot",
        "overheating",
        "It gets hot",
        "设备发烫",
        (r"(?:too |very |so )?hot", r"over-?heat\w*", r"heats? up"),
        ("发烫", "过热", "很烫", "太热"),
    ),
    _complaint(
        "update",
        None,
        "Something is worse since an update, or an update failed",
        "更新失败，或更新后出现问题",
        (r"updat(?:e|ed|es|ing)", r"firmware", r"upgrad\w+"),
        ("更新", "升级", "固件"),
    ),
    _complaint(
        "damaged",
        None,
        "It is damaged",
        "设备损坏",
        (r"broken", r"cracked", r"damaged?", r"fell (?:down|off)"),
        ("破损", "碎", "损坏", "摔"),
    ),
    _complaint(OTHER, None, "Something else", "其他问题"),
)  # fmt: skip
BY_ID = {one.id: one for one in COMPLAINTS}

WISHES: Mapping[str, Mapping[str, str]] = {
    "advice": {ENGLISH: "Advice on what I can do", CHINESE: "告诉我可以怎么做"},
    "call": {ENGLISH: "Please call me", CHINESE: "请给我打电话"},
    "visit": {ENGLISH: "Somebody should come", CHINESE: "希望有人上门"},
    "replacement": {ENGLISH: "A replacement", CHINESE: "更换设备"},
    "none": {ENGLISH: "Nothing, I only want to tell you", CHINESE: "没有，只是告知"},
}
"""What the person would like, by language."""

_ENGLISH = {one.id: re.compile(rf"\b(?:{'|'.join(one.english)})\b", re.IGNORECASE) for one in COMPLAINTS if one.english}


def offered(device_class: str | None) -> tuple[Complaint, ...]:
    """The choices of a form about a kind of device; all where the kind is not known."""
    return tuple(one for one in COMPLAINTS if not (one.classes and device_class) or device_class in one.classes)


def in_words(text: str) -> dict[str, str]:
    """Which complaints a text speaks of: the first word that says so, by complaint."""
    found: dict[str, str] = {}
    for one in COMPLAINTS:
        match = _ENGLISH[one.id].search(text) if one.id in _ENGLISH else None
        word = match.group() if match else next((word for word in one.chinese if word in text), None)
        if word is not None:
            found[one.id] = word.lower()
    return found
