"""What speaks for and against a prognosis, in words: the one table of reasons, their metrics, and their names in every language.

Ids are stable: findings keep them, and other systems may rely on them. A metric that no reason of the table names is a reason of its own,
with the id ``metric:<name>`` and its own name in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearthwatch.failure_modes import UNEXPECTED_REBOOTS

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
AGE, SERVICE = "age", "service"
OWN = "metric:"


@dataclass(frozen=True, slots=True)
class Reason:
    """A group of metrics that a person thinks of as one thing. ``names`` are by language."""

    id: str
    metrics: tuple[str, ...]
    names: Mapping[str, str]


def _reason(identifier: str, english: str, chinese: str, *metrics: str) -> Reason:
    return Reason(identifier, metrics, {ENGLISH: english, CHINESE: chinese})


REASONS: tuple[Reason, ...] = (
    _reason("charge_loss", "charge lost per day", "每日电量损耗", "battery_loss"),
    _reason("battery_level", "battery level", "电池电量", "battery_pct", "battery_v", "battery_low"),
    _reason("contact_resistance", "contact resistance", "触点电阻", "relay_contact_mohm"),
    _reason("sensor_error", "distance from the second sensor", "与参照传感器的偏差", "temperature_error_c"),
    _reason(
        "sensor_reading",
        "sensor reading",
        "传感器读数",
        "temperature_c",
        "reference_temperature_c",
        "humidity_pct",
        "heating_on",
    ),
    _reason("radio_signal", "radio signal", "无线信号", "rssi_dbm", "link_quality_pct"),
    _reason(
        "connection_breaks",
        "lost connections",
        "断线次数",
        "wifi_reconnects",
        "wifi_downtime_s",
        "mqtt_connects",
        "sync_failed",
    ),
    _reason("free_memory", "free memory", "可用内存", "free_heap_bytes", "fs_free_bytes"),
    _reason("reboots", "unexpected reboots", "意外重启次数", UNEXPECTED_REBOOTS, "boot_count"),
    _reason("drive_effort", "effort of the drive", "电机负荷", "actuation_s", "motor_current_a"),
    _reason("picture_rate", "frames per second", "视频帧率", "frame_rate_fps"),
    _reason("heat", "device temperature", "设备温度", "device_temperature_c"),
    _reason("flash_wear", "wear of the flash memory", "闪存磨损", "flash_wear_pct", "flash_written_mb"),
    _reason(
        "electric_load",
        "electric load",
        "用电负荷",
        "power_w",
        "apparent_power_va",
        "reactive_power_var",
        "power_factor",
        "current_a",
        "energy_kwh",
    ),
    _reason("use", "use so far", "累计使用量", "relay_cycles", "lock_cycles", "operating_h"),
    _reason(AGE, "age", "使用年限", AGE),
    _reason(SERVICE, "time since the last service", "距上次维修的时间", SERVICE),
)
BY_ID = {reason.id: reason for reason in REASONS}
_OF_METRIC = {metric: reason.id for reason in REASONS for metric in reason.metrics}

PARTS: Mapping[str, Mapping[str, str]] = {
    part: {ENGLISH: english, CHINESE: chinese}
    for part, english, chinese in (
        ("battery", "battery", "电池"),
        ("relay", "relay", "继电器"),
        ("sensor", "sensor", "传感器"),
        ("radio", "radio", "无线模块"),
        ("controller", "controller", "控制器"),
        ("motor", "motor", "电机"),
        ("camera", "camera", "摄像头"),
        ("housing", "housing", "外壳"),
        ("flash", "flash memory", "闪存"),
    )
}


def reason_of(metric: str) -> str:
    """The id of the reason that a metric belongs to."""
    return _OF_METRIC.get(metric, f"{OWN}{metric}")


def name_of(reason: str, language: str) -> str:
    """What people call a reason; one that is a metric of its own has the metric's name."""
    known = BY_ID.get(reason)
    return known.names[language] if known else reason.removeprefix(OWN)


def part_in_words(part: str, language: str) -> str:
    """What people call a part; a part of the maker's own has its own name."""
    return PARTS.get(part, {}).get(language, part)


def spoken(language: str) -> str:
    """The language of this table in which a reader of some language is told: Chinese, else English."""
    return CHINESE if language.lower().startswith(CHINESE) else ENGLISH
