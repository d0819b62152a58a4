"""The metric catalogue: the one meaning of every name that a convention, the simulator or an analysis uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: ``kind`` gauge or counter (since boot or since made); ``bad`` is the direction that worries an engineer."""

    name: str
    unit: str
    kind: Literal["gauge", "counter"]
    bad: Literal["high", "low", "both", "none"]
    meaning: str


CATALOGUE: tuple[Metric, ...] = (
    Metric("battery_pct", "%", "gauge", "low", "Charge left, as the device estimates it."),
    Metric("battery_v", "V", "gauge", "low", "Battery voltage under the device's usual load."),
    Metric("battery_low", "0/1", "gauge", "high", "The device itself says its battery is low."),
    Metric("supply_v", "V", "gauge", "both", "Supply voltage of the processor."),
    Metric("temperature_c", "°C", "gauge", "both", "Temperature the device measures for its user."),
    Metric("device_temperature_c", "°C", "gauge", "high", "Temperature inside the device."),
    Metric("humidity_pct", "%", "gauge", "both", "Relative humidity."),
    Metric("pressure_hpa", "hPa", "gauge", "both", "Air pressure."),
    Metric("illuminance_lux", "lx", "gauge", "both", "Light level."),
    Metric("setpoint_c", "°C", "gauge", "none", "Temperature the user asked for."),
    Metric("reference_temperature_c", "°C", "gauge", "none", "A second, independent temperature near the sensor."),
    Metric("heating_on", "share", "gauge", "both", "Share of the hour in which heat was called for."),
    Metric("rssi_dbm", "dBm", "gauge", "low", "Received Wi-Fi signal strength."),
    Metric("link_quality_pct", "%", "gauge", "low", "Signal quality, where the device gives only a percentage."),
    Metric("wifi_reconnects", "count", "counter", "high", "Times the device lost and regained its network."),
    Metric("wifi_downtime_s", "s", "counter", "high", "Seconds without a network since the last boot."),
    Metric("mqtt_connects", "count", "counter", "high", "Connections to the broker since the last boot."),
    Metric("free_heap_bytes", "B", "gauge", "low", "Free heap memory."),
    Metric("fs_free_bytes", "B", "gauge", "low", "Free space of the device's file system."),
    Metric(
        "flash_wear_pct", "%", "gauge", "high", "Share of the flash memory's endurance that is used up, as it says."
    ),
    Metric("flash_written_mb", "MB", "counter", "none", "Written to the flash memory since made."),
    Metric("uptime_s", "s", "counter", "none", "Seconds since the last boot."),
    Metric("operating_h", "h", "counter", "none", "Hours the device has been on since made."),
    Metric("boot_count", "count", "counter", "high", "Boots since made, as the device counts them."),
    Metric("power_w", "W", "gauge", "both", "Active power."),
    Metric("apparent_power_va", "VA", "gauge", "both", "Apparent power."),
    Metric("reactive_power_var", "var", "gauge", "both", "Reactive power."),
    Metric("power_factor", "1", "gauge", "both", "Power factor."),
    Metric("voltage_v", "V", "gauge", "both", "Mains voltage."),
    Metric("current_a", "A", "gauge", "both", "Load current."),
    Metric("frequency_hz", "Hz", "gauge", "both", "Mains frequency."),
    Metric("energy_kwh", "kWh", "counter", "none", "Energy delivered since made or reset."),
    Metric("relay_on", "0/1", "gauge", "none", "The relay is closed."),
    Metric("relay_cycles", "count", "counter", "none", "Switching cycles since made."),
    Metric("relay_contact_mohm", "mΩ", "gauge", "high", "Contact resistance of the closed relay."),
    Metric("lock_cycles", "count", "counter", "none", "Bolt movements since made."),
    Metric("actuation_s", "s", "gauge", "high", "Mean time to move the bolt."),
    Metric("motor_current_a", "A", "gauge", "high", "Mean motor current while the bolt moves."),
    Metric("sync_ok", "count", "counter", "none", "Cloud or hub synchronisations that succeeded."),
    Metric("sync_failed", "count", "counter", "high", "Cloud or hub synchronisations that failed."),
    Metric("frame_rate_fps", "1/s", "gauge", "low", "Video frames per second delivered."),
    Metric("motion_events", "count", "counter", "none", "Motion events reported."),
    Metric("alarm_on", "0/1", "gauge", "none", "The device raises its alarm: smoke, water."),
    Metric("load_average", "1", "gauge", "high", "Processor load, 1 is full."),
)

BY_NAME = {metric.name: metric for metric in CATALOGUE}

REBOOT_CODES_EXPECTED = frozenset({"power_on", "update", "user", "deep_sleep"})
"""Causes of a reboot that are no fault; every other code counts as an unexpected reboot."""
