"""The devices of the five paths: locks that tell of their battery, plugs that tell of their reboots, and what happens to some of them.

They speak the native convention and know nothing of the platform. Everything is drawn from one seed: the same steps give the same bytes.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.values import Event, Identity, Presence, Reply
from hearthwatch.wire import native

LOCK, PLUG = "LOCK-2", "PLUG-1"
GOOD, BAD, FIXED = "2.3.1", "2.4.0", "2.4.1"
LOCK_FIRMWARE = "1.8.0"
HOUR = timedelta(hours=1)
REBOOTS_A_DAY, REBOOTS_OF_THE_BAD = 0.004, 14.0
WELL_FOR = timedelta(hours=26)
"""So long the bad release is well: what happens at once shows too, but to the gate alone, for the cohort watch leaves the first day out."""
LOSS_A_DAY, FADING_LOSS_A_DAY = 0.06, 4.5
MAPPING = """
[source]
files = "readings.csv"
[columns]
device = "device"
at = "at"
model = "model"
hardware = "hardware"
firmware = "firmware"
[metrics]
battery_pct = "battery_pct"
battery_v = "battery_v"
rssi_dbm = "rssi_dbm"
[devices]
files = "devices.csv"
device = "device"
model = "model"
hardware = "hardware"
firmware = "firmware"
region = "region"
installed = "installed"
[events]
files = "events.csv"
device = "device"
at = "at"
kind = "kind"
code = "code"
firmware = "firmware"
"""

CUSTOMER_COLUMNS = (
    *("customer_id", "name", "language", "email", "phone", "channels", "home_id", "address", "city", "region"),
    *("timezone", "device_id", "from", "consents", "attribute:batch"),
)

Encoded = tuple[str, bytes, bool]


@dataclass
class Thing:
    """A device. ``silent``: its provider is away."""

    id: str
    model: str
    region: str
    home: str
    customer: str
    firmware: str
    rng: random.Random
    charge: float = 92.0
    rssi: float = -58.0
    fades_from: datetime | None = None
    installed_at: datetime | None = None
    silent: bool = False
    boots: int = 1
    answered: dict[str, Sequence[Encoded]] = field(default_factory=dict)

    @property
    def boot(self) -> str:
        """The name of the boot it is in."""
        return f"b{self.boots}"

    def sample(self, at: datetime) -> Mapping[str, float]:
        """What it measures after one more hour."""
        told = {"rssi_dbm": round(self.rssi + self.rng.gauss(0.0, 1.5), 1)}
        if self.model == LOCK:
            fading = self.fades_from is not None and at >= self.fades_from
            loss = FADING_LOSS_A_DAY if fading else LOSS_A_DAY
            self.charge = max(3.0, self.charge - loss / 24 * self.rng.uniform(0.7, 1.3))
            told["battery_pct"] = round(self.charge, 2)
            told["battery_v"] = round(4.4 + 0.018 * self.charge + self.rng.gauss(0.0, 0.01), 3)
        return told

    def reboots(self, at: datetime) -> Iterator[Event]:
        """Reboots that nobody asked for in the hour before ``at``; only plugs have them."""
        if self.model != PLUG:
            return
        bad = self.firmware == BAD and self.installed_at is not None and at > self.installed_at + WELL_FOR
        rate = REBOOTS_OF_THE_BAD if bad else REBOOTS_A_DAY
        if self.rng.random() < rate / 24:
            self.boots += 1
            yield Event(self.id, native.STREAM, at - HOUR * self.rng.uniform(0.1, 0.9), "reboot", "watchdog",
                        {}, self.firmware, self.boot, 0)  # fmt: skip

    def identity(self, at: datetime) -> list[Encoded]:
        """Who it is, and that it is there."""
        told = Identity(
            device=self.id,
            at=at,
            model=self.model,
            hardware="r1",
            firmware=self.firmware,
            serial=f"SN-{self.id}",
            made=None,
            parts={},
        )
        here = Presence(self.id, native.STREAM, at, True, self.boot, self.firmware)
        return [(*native.identity(told, boot=self.boot), True), (*native.presence(here), True)]


def phone_of(customer: str) -> str:
    """A customer's number."""
    return f"+4477009000{customer[-2:]}"


class Fleet:
    """24 locks, half of them in each of two regions, and 24 plugs in the first."""

    def __init__(self, seed: int, start: datetime) -> None:
        self._start = start
        self.now = start
        self.things: dict[str, Thing] = {}
        for number in range(1, 13):
            self._add(seed, f"lock-n{number:02d}", LOCK, "north", f"n{number:02d}", LOCK_FIRMWARE)
            self._add(seed, f"lock-w{number:02d}", LOCK, "west", f"w{number:02d}", LOCK_FIRMWARE)
        for number in range(1, 25):
            self._add(seed, f"plug-{number:02d}", PLUG, "north", f"n{(number + 1) // 2:02d}", GOOD)

    def _add(self, seed: int, id_: str, model: str, region: str, home: str, firmware: str) -> None:
        rng = random.Random(f"{seed}/{id_}")
        charge, rssi = rng.uniform(70.0, 97.0), rng.uniform(-66.0, -50.0)
        self.things[id_] = Thing(id_, model, region, f"h-{home}", f"c-{home}", firmware, rng, charge, rssi)

    def of(self, *, model: str | None = None, region: str | None = None) -> list[Thing]:
        """Some of the devices."""
        return [one for one in self.things.values() if model in {None, one.model} and region in {None, one.region}]

    # -- before the story

    def write_history(self, folder: Path, days: int) -> Path:
        """Their past by the hour, as a maker's own CSV files; returns the mapping file."""
        folder.mkdir()
        since = self._start - timedelta(days=days)
        with (folder / "readings.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("device", "at", "model", "hardware", "firmware", "battery_pct", "battery_v", "rssi_dbm"))
            for number in range(1, days * 24 + 1):
                at = since + number * HOUR - timedelta(minutes=30)
                for thing in self.things.values():
                    told = thing.sample(at)
                    values = [told.get(name, "") for name in ("battery_pct", "battery_v", "rssi_dbm")]
                    rows.writerow((thing.id, at.isoformat(), thing.model, "r1", thing.firmware, *values))
        with (folder / "events.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("device", "at", "kind", "code", "firmware"))
            for number in range(1, days * 24 + 1):
                for thing in self.of(model=PLUG):
                    for one in thing.reboots(since + number * HOUR):
                        rows.writerow((one.device, one.at.isoformat(), one.kind, one.code, one.firmware))
        with (folder / "devices.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("device", "model", "hardware", "firmware", "region", "installed"))
            installed = (since - timedelta(days=100)).isoformat()
            for thing in self.things.values():
                rows.writerow((thing.id, thing.model, "r1", thing.firmware, thing.region, installed))
        mapping = folder.with_suffix(".toml")
        mapping.write_text(MAPPING)
        return mapping

    def customers_csv(self) -> str:
        """Who owns them. Those in the west have a phone, too."""
        lines = [",".join(CUSTOMER_COLUMNS)]
        since = (self._start - timedelta(days=90)).date().isoformat()
        for one in self.things.values():
            letters = [f"mailbox://{one.customer}"]
            if one.region == "west":
                letters.append(f"sms:{phone_of(one.customer)}")
            batch = "24-07" if one.id in RECALLED else "24-06"
            lines.append(
                f"{one.customer},Kim {one.customer},en,,,{';'.join(letters)},{one.home},1 Elm Rd,Leeds,{one.region},"
                f"UTC,{one.id},{since},service,{batch}"
            )
        return "\n".join(lines) + "\n"

    # -- the story

    def hello(self) -> list[Encoded]:
        """What everybody says at first."""
        return [told for one in self.things.values() for told in one.identity(self.now)]

    def live(self, until: datetime) -> list[Encoded]:
        """Whole hours pass up to ``until``; what the devices send of them. Who is silent measures, and tells nobody."""
        told: list[Encoded] = []
        begun = self.now.replace(minute=0, second=0, microsecond=0)
        hours = int((until - begun) / HOUR)
        for one in self.things.values():
            samples = []
            for number in range(1, hours + 1):
                at = begun + number * HOUR
                samples.append((at, one.sample(at)))
                told += [(*native.event(event), False) for event in one.reboots(at) if not one.silent]
            if samples and not one.silent:
                told.append((*native.telemetry(one.id, samples, fw=one.firmware, boot=one.boot), False))
        self.now = begun + hours * HOUR
        return told

    def install(self, id_: str, version: str, at: datetime) -> list[Encoded]:
        """A device installs a version and starts again."""
        one = self.things[id_]
        before, one.firmware, one.installed_at = one.firmware, version, at
        one.boots += 1
        detail = {"from": before, "to": version}
        installed = Event(id_, native.STREAM, at, "update", "installed", detail, version, one.boot, 0)
        started = Event(id_, native.STREAM, at, "reboot", "update", {}, version, one.boot, 1)
        return [*one.identity(at), (*native.event(installed), False), (*native.event(started), False)]

    def fall_silent(self, region: str) -> list[Encoded]:
        """The provider of a region goes away: the broker sends the last wills of all its devices."""
        for one in self.of(region=region):
            one.silent = True
        return [(*native.will(one.id, one.boot), True) for one in self.of(region=region)]

    def come_back(self, region: str, at: datetime) -> list[Encoded]:
        """The provider is back; the devices connect anew."""
        for one in self.of(region=region):
            one.silent = False
        return [told for one in self.of(region=region) for told in one.identity(at)]

    def renew_battery(self, id_: str) -> None:
        """Somebody puts new cells in."""
        one = self.things[id_]
        one.charge, one.fades_from = 100.0, None

    def obey(self, topic: str, payload: bytes, at: datetime) -> list[Encoded]:
        """What a device answers to a command. One that comes twice is answered again and obeyed once."""
        command = native.parse_command(topic, payload)
        one = self.things[command.device]
        if command.id in one.answered:
            return list(one.answered[command.id])
        detail: dict[str, Any] = {"firmware": one.firmware, "rssi_dbm": one.rssi, "boot_count": one.boots}
        more: list[Encoded] = []
        if command.kind == "update":
            version = str(command.fields["version"])
            detail = {"version": version, "state": "accepted"}
            more = self.install(one.id, version, at)
        reply = Reply(device=one.id, at=at, id=command.id, ok=True, detail=detail)
        answer: list[Encoded] = [(*native.reply(reply), False)]
        one.answered[command.id] = answer
        return [*answer, *more]


RECALLED = ("lock-w03", "lock-w04", "lock-w05", "lock-w06")
"""Their batch is the one that is called back."""
