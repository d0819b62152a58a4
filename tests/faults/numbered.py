"""Numbered messages, as fast as asked, and what became of them: nothing may be missing, nothing stored twice."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from hearthwatch.messaging import open_publisher
from hearthwatch.ports import TelemetryStore

METRIC = "number_n"
PACE_S = 0.005
AT_ONCE = 200
FLUSH_S = 120.0
_SLICE = timedelta(hours=1)
_TICK = timedelta(microseconds=1)


class Load:
    """Message n is number n // devices of device n % devices, and holds n. Each carries the time at which it was sent.

    What a lost connection left unacknowledged is sent again, so that in the end every number was acknowledged by the broker.
    """

    def __init__(self, broker: str, *, devices: int = 200, boot: str = "b1") -> None:
        self.devices = devices
        self.sent = 0
        self.began = datetime.now(UTC)
        self._boot = boot
        self._publisher = open_publisher(broker, client_id="numbered")
        self._last = self.began
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def send(self, count: int) -> None:
        """Send so many now."""
        for number in range(self.sent, self.sent + count):
            self._publisher.publish(
                f"hearthwatch/v1/{device_name(number % self.devices)}/telemetry", self._payload(number)
            )
            self.sent = number + 1

    def start(self, rate: float) -> None:
        """Send so many a second, in the background, until `stop`."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, args=(rate,), name="load")
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began, and wait until the broker has all."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything."""
        self._publisher.flush(FLUSH_S)

    def close(self) -> None:
        """Disconnect."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._publisher.close()

    def _run(self, rate: float) -> None:
        try:
            self._pace(rate)
        except Exception as error:  # noqa: BLE001 - raised again by `stop`
            self._error = error

    def _pace(self, rate: float) -> None:
        """A machine that stood still is not made up for in one burst: at most ``AT_ONCE`` go together."""
        owed, last = 0.0, time.monotonic()
        while not self._ending.wait(PACE_S):
            now = time.monotonic()
            owed = min(owed + (now - last) * rate, max(AT_ONCE, rate * 0.1))
            last = now
            self.send(int(owed))
            owed -= int(owed)

    def _payload(self, number: int) -> bytes:
        at = max(datetime.now(UTC), self._last + _TICK)
        self._last = at
        seq = number // self.devices
        metrics = f'"{METRIC}":{number},"temperature_c":{20 + number % 150 / 10:.1f},"rssi_dbm":-{40 + number % 50}'
        sample = f'{{"at":"{at.strftime("%Y-%m-%dT%H:%M:%S.%f")}Z","m":{{{metrics}}}}}'
        return f'{{"fw":"2.4.1","boot":"{self._boot}","seq":{seq},"samples":[{sample}]}}'.encode()


def device_name(place: int) -> str:
    """A device of the load."""
    return f"load-{place:04d}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the store of the numbers that were sent."""

    sent: int
    stored: int
    missing: int
    twice: int


def check(store: TelemetryStore, load: Load) -> Found:
    """Look for every number, device by device."""
    stored = missing = twice = 0
    until = datetime.now(UTC) + timedelta(hours=1)
    for device in range(min(load.devices, load.sent)):
        numbers = _numbers(store, device_name(device), load.began - timedelta(seconds=1), until)
        expected = np.arange(device, load.sent, load.devices)
        distinct = np.unique(numbers)
        stored += len(numbers)
        twice += len(numbers) - len(distinct)
        missing += len(np.setdiff1d(expected, distinct, assume_unique=True))
    return Found(load.sent, stored, missing, twice)


def _numbers(store: TelemetryStore, device: str, since: datetime, until: datetime) -> np.ndarray:
    """The numbers in the store, hour by hour, so that a day's need not be held as a table."""
    parts = []
    while since < until:
        table = store.window(device, since, min(until, since + _SLICE), metrics=[METRIC])
        parts.append(table["value"].to_numpy().astype(np.int64))
        since += _SLICE
    return np.concatenate(parts)
