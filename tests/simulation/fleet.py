"""Devices that publish, and what each message of theirs must become.

- ``says``: names its firmware in every message. ``boots``: names it once a boot.
- ``plain``: names it once a boot, and no boot in its readings.
- ``clockless``: no clock, so boot and count are the key. ``shelly``: a foreign convention whose messages have no time and no count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from hearthwatch.values import Event, Identity, Presence
from hearthwatch.wire import native
from tests.simulation.faults import Faults
from tests.simulation.timeline import Timeline
from tests.simulation.told import EXPIRED, POISON, STOLEN, Sent, Told, name_of

KINDS: Final = ("says", "boots", "plain", "clockless", "shelly")


@dataclass(slots=True)
class Device:
    """A device. What it sends is spelled by the encoders of the wire, or by hand where that is a foreign one."""

    id: str
    kind: str
    chance: random.Random
    boot: int = 0
    seq: int = 0
    firmware: str = "1.0.0"
    last_at: datetime | None = None
    relies_on: Sent | None = None
    earlier: list[tuple[str, str, Sent | None]] = field(default_factory=list)
    updates: int = 0

    @property
    def boot_id(self) -> str:
        """The name of this boot."""
        return f"b{self.boot}"

    def next_seq(self) -> int:
        """Counts the messages of a boot."""
        self.seq += 1
        return self.seq


class Fleet:
    """All devices; `publish` hands their messages to the broker. ``faults`` may change between phases."""

    def __init__(
        self,
        timeline: Timeline,
        chance: random.Random,
        publish: Callable[[Sent], None],
        faults: Callable[[], Faults],
        count: int,
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._publish = publish
        self._faults = faults
        self._devices = [Device(f"{KINDS[n % len(KINDS)]}{n}", KINDS[n % len(KINDS)], chance) for n in range(count)]
        self._number = 0
        self._novel = 0
        self._steady = True

    def begin(self) -> None:
        """Every device boots."""
        for device in self._devices:
            self._boots(device)

    def act(self) -> None:
        """Some device does something."""
        device, roll = self._chance.choice(self._devices), self._chance.random()
        if roll < 0.05:
            self._updates(device)
        elif roll < 0.12:
            self._dies(device)
        elif roll < 0.2 and device.kind != "shelly":
            self._tells_event(device)
        else:
            self._measures(device)

    def speak(self) -> list[Sent]:
        """Every device measures and reports once more; what must be stored in the end."""
        sent = []
        self._steady = False
        for device in self._devices:
            sent.append(self._measures(device))
            if device.kind != "shelly":
                sent.append(self._tells_event(device))
        return sent

    # -- what devices do

    def _boots(self, device: Device, firmware: str | None = None) -> None:
        if device.boot:
            device.earlier.append((device.boot_id, device.firmware, device.relies_on))
        device.firmware = firmware or device.firmware
        device.boot += 1
        device.seq = 0
        if device.kind == "shelly":
            self._announces(device)
            return
        self._identifies(device)
        at = self._instant(device)
        online = Presence(device.id, "native", at, True, device.boot_id, device.firmware)
        told = Told(name_of(online), device.firmware)
        self._send(*native.presence(online), told=(told,), retain=True)

    def _updates(self, device: Device) -> None:
        device.updates += 1
        firmware = f"1.{device.updates}.0"
        if device.kind == "shelly":
            device.firmware = firmware
            self._announces(device, updated=True)
        else:
            self._boots(device, firmware)

    def _dies(self, device: Device) -> None:
        """It vanishes; its last will comes soon, or only after it is back."""
        if device.kind == "shelly":
            self._boots(device)
            return
        late = self._chance.random() < 0.3
        topic, payload = native.will(device.id, device.boot_id)
        expected = device.firmware, device.relies_on
        gone = Presence(device.id, "native", self._timeline.true_now(), False, device.boot_id)
        if late:
            self._boots(device)
        # A device that names no firmware in its presence relies on what was heard of it; `says` is sure by its other messages only.
        told = Told(
            name_of(gone),
            expected[0],
            may_be_ignored=late or (device.kind == "says" and self._faults().qos_0 > 0),  # QoS 0 overtakes
            relies_on=expected[1],
            firmware_is_sure=device.kind in ("boots", "clockless") and not late,
        )
        self._send(topic, payload, told=(told,), retain=True)
        if not late:
            self._boots(device)

    def _identifies(self, device: Device) -> None:
        stolen = self._chance.random() < self._faults().poison
        claim = Identity(
            device.id,
            self._instant(device),
            model="m1",
            firmware=device.firmware,
            serial=STOLEN if stolen else device.id,
        )
        boot = None if device.kind == "plain" else device.boot_id
        device.relies_on = self._send(*native.identity(claim, boot=boot), retain=True)

    def _announces(self, device: Device, *, updated: bool = False) -> None:
        payload = msgspec.json.encode({"id": device.id, "model": "SHSW-1", "mac": device.id, "fw_ver": device.firmware})
        told: tuple[Told, ...] = ()
        if updated:
            told = (Told(f"{device.id} update", device.firmware, may_be_ignored=True, firmware_is_sure=False),)
        device.relies_on = self._send(f"shellies/{device.id}/announce", payload, told=told)

    def _tells_event(self, device: Device) -> Sent:
        seq = device.next_seq()
        event = Event(
            device.id,
            "native",
            self._instant(device),
            "reboot",
            "watchdog",
            firmware=device.firmware if device.kind == "says" else None,
            boot=device.boot_id,
            seq=seq,
        )
        told = Told(name_of(event), device.firmware, relies_on=None if device.kind == "says" else device.relies_on)
        topic, payload = native.event(event, clockless=device.kind == "clockless")
        if device.kind == "plain":  # its event names a boot, which it does not tell with its firmware
            told = Told(told.name, None, firmware_is_sure=False)
        return self._send(topic, payload, told=(told,))

    def _measures(self, device: Device) -> Sent:
        roll, faults = self._chance.random(), self._faults()
        if roll < faults.malformed:
            return self._babbles(device)
        if device.kind == "shelly":
            return self._measures_as_shelly(device)
        if device.kind == "clockless":
            return self._measures_without_clock(device)
        return self._measures_with_clock(device)

    def _measures_as_shelly(self, device: Device) -> Sent:
        alike = self._steady and self._chance.random() < 0.6
        watts = 12.5 if alike else float(self._number)
        name = f"{device.id} shelly_gen1/relay/0/power {[('power_w', watts)]}"
        told = Told(name, device.firmware, relies_on=device.relies_on)
        return self._send(f"shellies/{device.id}/relay/0/power", str(watts).encode(), told=(told,))

    def _measures_without_clock(self, device: Device) -> Sent:
        count = self._chance.randint(1, 3)
        first = device.seq + 1
        device.seq += count
        metrics = [self._metrics() for _ in range(count)]
        samples = [(None, one) for one in metrics]
        told = tuple(
            self._told(f"{device.id} clockless {device.boot_id} {first + n}", device, metrics[n]) for n in range(count)
        )
        topic, payload = native.telemetry(device.id, samples, boot=device.boot_id, seq=first)
        return self._send_measured(topic, payload, told)

    def _measures_with_clock(self, device: Device) -> Sent:
        faults = self._faults()
        boot, firmware, relies_on = device.boot_id, device.firmware, device.relies_on
        if device.kind != "plain" and device.earlier and self._chance.random() < faults.out_of_order:
            boot, firmware, relies_on = device.earlier[-1]  # what it kept over its last boot
        instants = [self._instant(device) for _ in range(self._chance.randint(1, 3))]
        if self._chance.random() < faults.out_of_order:
            self._chance.shuffle(instants)
        samples = [(at, self._metrics()) for at in instants]
        says = device.kind == "says"
        told = tuple(
            Told(
                f"{device.id} reading {at.isoformat()}",
                firmware,
                frozenset(metrics),
                bad=_is_bad(metrics),
                relies_on=None if says else relies_on,
            )
            for at, metrics in samples
        )
        topic, payload = native.telemetry(
            device.id,
            samples,
            fw=firmware if says else None,
            boot=None if device.kind == "plain" else boot,
            seq=device.next_seq(),
        )
        if says and self._chance.random() < faults.qos_0:
            return self._send(topic, payload, told=told, qos=0)
        if self._chance.random() < faults.wrong_device_clock:
            return self._measures_at_a_wrong_time(device)
        return self._send_measured(topic, payload, told)

    def _measures_at_a_wrong_time(self, device: Device) -> Sent:
        days = self._chance.choice((-20_000, -400, 400))
        at = self._timeline.true_now() + timedelta(days=days, seconds=self._number)
        topic, payload = native.telemetry(device.id, [(at, {"value": 1.0})], fw=device.firmware, boot=device.boot_id)
        return self._send(topic, payload, malformed=True)

    def _babbles(self, device: Device) -> Sent:
        topic = f"hearthwatch/v1/{device.id}/telemetry"
        number = self._number
        payload = self._chance.choice(
            (
                b"",
                b"\xff\xfe" + str(number).encode(),
                b'{"samples":[]}',
                b'{"samples":[{"m":{"value":1}}]}',
                b'{"samples":[{"at":"2026-05-01T12:00:00Z","m":{"value":NaN}}]}',
                b'{"device":"another","samples":[{"at":"2026-05-01T12:00:00Z","m":{"value":1}}]}',
                b"[" * 5000,
                b"{" + b" " * 3000 + b"}",
            )
        )
        return self._send(topic, payload, malformed=True)

    # -- inside

    def _told(self, name: str, device: Device, metrics: dict[str, float]) -> Told:
        return Told(name, device.firmware, frozenset(metrics), _is_bad(metrics), relies_on=device.relies_on)

    def _metrics(self) -> dict[str, float]:
        faults, roll = self._faults(), self._chance.random()
        metrics = {"value": float(self._number)}
        if roll < faults.poison:
            metrics[self._chance.choice((POISON, EXPIRED))] = 1.0
        elif roll > 1 - faults.novel_metric:
            self._novel += 1
            metrics[f"novel_{self._novel}"] = 2.0
        return metrics

    def _instant(self, device: Device) -> datetime:
        """The device's time, which is right to a second and never the same twice."""
        at = self._timeline.true_now() + timedelta(seconds=self._chance.uniform(-1, 0))
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        if device.last_at is not None and at <= device.last_at:
            at = device.last_at + timedelta(milliseconds=1)
        device.last_at = at
        return at

    def _send_measured(self, topic: str, payload: bytes, told: tuple[Told, ...]) -> Sent:
        sent = self._send(topic, payload, told=told)
        if self._chance.random() < self._faults().published_twice:  # it did not see the broker's PUBACK
            self._send(topic, payload, told=told)
        return sent

    def _send(self, topic: str, payload: bytes, **further: Any) -> Sent:
        self._number += 1
        sent = Sent(self._number, topic, payload, **further)
        self._timeline.tell("device", f"publishes {sent.number}: {topic} {payload[:100]!r}")
        self._publish(sent)
        return sent


def _is_bad(metrics: Sequence[str] | dict[str, float]) -> bool:
    return POISON in metrics or EXPIRED in metrics
