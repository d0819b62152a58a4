"""How devices fail: each mode with the part it belongs to and the metrics that show it. The one list every stage uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureMode:
    """A failure mode: ``part`` is what is replaced or repaired, ``metrics`` what moves while it develops."""

    id: str
    part: str
    metrics: tuple[str, ...]
    meaning: str


UNEXPECTED_REBOOTS = "unexpected_reboots"
"""A daily count derived from reboot events, used beside the metrics of the catalogue."""

FAILURE_MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "battery_fade", "battery", ("battery_pct", "battery_v", "battery_low"), "The battery holds less than it did."
    ),
    FailureMode("relay_wear", "relay", ("relay_contact_mohm",), "The relay's contact resistance grows."),
    FailureMode(
        "sensor_drift",
        "sensor",
        ("temperature_c", "reference_temperature_c", "humidity_pct", "heating_on"),
        "A sensor's reading leaves the truth.",
    ),
    FailureMode(
        "wifi_failing",
        "radio",
        ("rssi_dbm", "link_quality_pct", "wifi_reconnects", "sync_failed"),
        "The radio link gets worse or breaks off.",
    ),
    FailureMode("memory_leak", "controller", ("free_heap_bytes",), "Free memory shrinks from boot to reboot."),
    FailureMode("reboots", "controller", (UNEXPECTED_REBOOTS, "boot_count"), "The device reboots without being asked."),
    FailureMode("motor_wear", "motor", ("actuation_s", "motor_current_a"), "The drive labours."),
    FailureMode(
        "flash_wear",
        "flash",
        ("flash_wear_pct",),
        "The flash memory has been written to nearly as often as it bears.",
    ),
    FailureMode("video_degraded", "camera", ("frame_rate_fps",), "The camera delivers fewer frames."),
    FailureMode("overheating", "housing", ("device_temperature_c",), "The device runs hotter than it should."),
)

MODES = {mode.id: mode for mode in FAILURE_MODES}
_BY_METRIC = {metric: mode for mode in FAILURE_MODES for metric in mode.metrics}
_BY_PART = {mode.part: mode for mode in reversed(FAILURE_MODES)}
UNUSUAL = FailureMode("unusual", "", (), "The device behaves unlike its past and its peers.")


def mode_of_metric(metric: str) -> FailureMode:
    """The failure mode a metric speaks for; `UNUSUAL` where it speaks for none."""
    return _BY_METRIC.get(metric, UNUSUAL)


def mode_of_part(part: str) -> str:
    """Id of the failure mode a part fails by; for a part outside the list, its own name and ``_failure``."""
    mode = _BY_PART.get(part)
    return mode.id if mode else f"{part}_failure" if part else "failure"


SILENT, FLAPPING, MASS_SILENCE = "silent", "flapping", "mass_silence"
LIVENESS_MODES: dict[str, FailureMode] = {
    mode.id: mode
    for mode in (
        FailureMode(SILENT, "", (), "The device is not heard any more."),
        FailureMode(FLAPPING, "", (), "The device comes and goes."),
        FailureMode(MASS_SILENCE, "", (), "Many devices fell silent at once."),
    )
}
"""Found by whether devices are there, not by what they measure (docs/liveness.md)."""
