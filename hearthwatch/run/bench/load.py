"""The messages of the ingest benchmark, as PUBLISH packets that are made before the clock runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hearthwatch.messaging import packets

DEVICES = 1000
FILTER = "hearthwatch/v1/+/telemetry"
PACKET_IDS = 65_535
_METRICS = '"temperature_c":{0:.1f},"rssi_dbm":-{1},"power_w":{0:.2f},"uptime_s":{2}'
_PADDED = 200
"""Bytes of a payload with one sample."""


def payload(number: int, samples: int, at: datetime) -> bytes:
    """A native telemetry message; with one sample 200 bytes, with ten about 1,100.

    Its samples are a millisecond apart and end at ``at``.
    """
    metrics = _METRICS.format(20 + number % 150 / 10, 40 + number % 50, number)
    times = [_spelled(at - timedelta(milliseconds=back)) for back in range(samples - 1, -1, -1)]
    told = ",".join(f'{{"at":"{one}","m":{{{metrics}}}}}' for one in times)
    boot = f"b{number % DEVICES:03d}"
    text = f'{{"fw":"2.4.1","boot":"{boot}","seq":{number // DEVICES},"samples":[{told}]}}'
    return text.ljust(_PADDED).encode()


def topic(number: int) -> str:
    """The topic of a message's device."""
    return f"hearthwatch/v1/dev-{number % DEVICES:04d}/telemetry"


def packet(number: int, samples: int, at: datetime, *, properties: bool = False) -> bytes:
    """A message as a PUBLISH packet at QoS 1; ``properties`` for MQTT 5."""
    packet_id = number % PACKET_IDS + 1
    return packets.publish(topic(number), payload(number, samples, at), packet_id, retain=False, properties=properties)


def ready_packets(count: int, samples: int, *, properties: bool = False) -> list[bytes]:
    """Messages with numbers 0, 1, ...: no two of one device carry the same time."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    step = timedelta(milliseconds=20)
    return [packet(one, samples, began + one // DEVICES * step, properties=properties) for one in range(count)]


def _spelled(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
