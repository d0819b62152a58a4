r"""Values as line protocol, and texts back from it.

Nothing a device says can end a field, a tag or a line early: tag values keep only harmless characters and percent-encode the others, and
a text that would not survive the way through CSV (empty, with control characters) is stored as its JSON, which begins with ``"``. Absent is
the empty string. Numbers are always floats, counts always ``i``: a field never changes its type.

Names of our own fields begin with a capital letter, because no metric's name does. A metric's field has the metric's name, but for the
few names that mean something else to the server: ``Metric_time`` holds the metric ``time``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.checks import (
    encoded_names,
    firmware,
    json_text,
    metric_name,
    metrics_of,
    number,
    stamps_of,
)
from hearthwatch.telemetry.metric_columns import metric_columns
from hearthwatch.values import Event, Presence, Reading

READINGS, EVENTS, PRESENCE = "readings", "events", "presence"
MAX_TEXT = 1_000_000
"""Bytes of a text; the server refuses fields of more than a MiB."""
MAX_TAG = 1_000
SHORT = 64

OF_METRIC = "Metric_"
_TAKEN = frozenset(("device", "name", "stream", "tags", "time"))

_UNSAFE_IN_TAG = re.compile(r"""[\x00-\x20\x7f,=\\"'%/()|;*+$?\[\]{}^]""")
_UNSAFE_IN_PACK = re.compile(r"""[\x00-\x1f\x7f\\"%|;]""")
_NEEDS_JSON = re.compile(r'^"|[\x00-\x1f\x7f]')


@lru_cache(maxsize=200_000)
def tag(text: str) -> str:
    """A device or stream as a tag's value. Raises `Invalid` for what is empty, no text or too long."""
    if not text:
        raise Invalid("a value needs a device and a stream", where="device")
    encoded = _UNSAFE_IN_TAG.sub(_percent, text)
    if len(_utf8(encoded, "device")) > MAX_TAG:
        raise Invalid(f"longer than {MAX_TAG} bytes: {text:.40}...", where="device")
    return encoded


def untag(encoded: str) -> str:
    """What `tag` was given."""
    return _unpercent(encoded) if "%" in encoded else encoded


def packed(text: str | None) -> str:
    """A firmware as a part of a packed text: ``=`` and the text, or nothing for None."""
    return "" if text is None else "=" + _UNSAFE_IN_PACK.sub(_percent, text)


def unpacked(encoded: str) -> str | None:
    """What `packed` was given."""
    return _unpercent(encoded[1:]) if encoded else None


def stored_text(text: str | None) -> str:
    """A text as a string field holds it."""
    if text is None:
        return ""
    return json.dumps(text, ensure_ascii=False) if not text or _NEEDS_JSON.search(text) else text


def text_of(stored: str | None) -> str | None:
    """What `stored_text` was given."""
    if not stored:
        return None
    return str(json.loads(stored)) if stored[0] == '"' else stored


def texts_of(column: Any) -> pa.Array:
    """`text_of` for a column."""
    return mapped(column, text_of)


def names_of(column: Any) -> pa.Array:
    """`untag` for a column."""
    return mapped(column, untag)


def mapped(column: Any, function: Callable[[str], str | None]) -> pa.Array:
    """A function of texts for a column, called once for each distinct one."""
    coded = pc.dictionary_encode(column)
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    if len(coded) == 0:
        return pa.array([], pa.string())
    return pa.array([function(one or "") for one in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def field_of(metric: str) -> str:
    """The field that holds a metric."""
    return OF_METRIC + metric if metric in _TAKEN else metric


def metric_of(field: str) -> str:
    """The metric that a field holds."""
    return field.removeprefix(OF_METRIC)


def reading(value: Reading) -> str:
    """The fields of a reading. Raises `Invalid`."""
    parts = [f"Firmware={_firmware(value.firmware)}"]
    if value.boot is not None:
        parts.append(f"Boot={_quoted(value.boot)}")
    if value.seq is not None:
        parts.append(f"Seq={_whole(value.seq)}")
    if clockless(value):
        parts.append("Clockless=true")
    parts += [f"{_field(name)}={_number(one, name)}" for name, one in value.metrics.items()]
    return ",".join(parts)


def event(value: Event) -> str:
    """The fields of an event. Raises `Invalid`."""
    parts = [
        f"Firmware={_firmware(value.firmware)}",
        f"Kind={_quoted(value.kind)}",
        f"Code={_quoted(value.code)}",
        f"Detail={_quoted(json_text(value.detail))}",
    ]
    if value.boot is not None:
        parts.append(f"Boot={_quoted(value.boot)}")
    if value.seq is not None:
        parts.append(f"Seq={_whole(value.seq)}")
    return ",".join(parts)


def presence(value: Presence) -> str:
    """The fields of a coming or going. Raises `Invalid`."""
    boot = "" if value.boot is None else f",Boot={_quoted(value.boot)}"
    return f"Firmware={_firmware(value.firmware)},Online={'true' if value.online else 'false'}{boot}"


def clockless(value: Reading) -> bool:
    """Whether boot and count are the key of a reading, not its time."""
    return value.clockless and value.boot is not None and value.seq is not None


def line(measurement: str, device: str, stream: str, fields: str, ns: int) -> bytes:
    """One line; device and stream as `tag` made them."""
    return f"{measurement},device={device},stream={stream} {fields} {ns}".encode()


class Bulk:
    """A table of readings, checked, as columns of text. Raises `Invalid` naming the column."""

    def __init__(self, stream: str, table: pa.Table) -> None:
        self.stamps = stamps_of(stream, table)
        self.stream = tag(stream)
        devices = encoded_names(table["device"], "device")
        self.devices = _renamed(devices, [tag(one) for one in devices.dictionary.to_pylist()])
        firmwares = encoded_names(table["firmware"], "firmware")
        self._firmwares = _renamed(firmwares, [_quoted(one) for one in firmwares.dictionary.to_pylist()])
        self._metrics = metrics_of(table)
        self.names = list(self._metrics)

    def __len__(self) -> int:
        return len(self.stamps)

    def lines(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> list[bytes]:
        """The lines of some rows."""
        place = pa.array(rows)
        fields = [
            pc.binary_join_element_wise(f"{field_of(name)}=", _as_text(numbers.take(place)), "")
            for name, numbers in self._metrics.items()
        ]
        firmware = pc.binary_join_element_wise("Firmware=", self._firmwares.take(place), "")
        joined = pc.binary_join_element_wise(firmware, *fields, ",", null_handling="skip")
        times = pc.cast(pa.array(self.stamps[rows] * 1000), pa.string())
        heads = pc.binary_join_element_wise(
            f"{READINGS},device=", self.devices.take(place), f",stream={self.stream} ", joined, " ", times, ""
        )
        lines: list[bytes] = pc.cast(heads, pa.binary()).to_pylist()
        return lines


class Rows:
    """Readings with a time of their own, checked, as columns of text. ``stamps`` are their microseconds. Raises `Invalid`.

    Boot and count are the key of a reading without a clock; of these nobody asks for them, and each field costs the server a sixth.
    """

    def __init__(self, readings: Sequence[Reading], stamps: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        self.stamps = stamps
        self.devices = [tag(one.device) for one in readings]
        self.streams = [tag(one.stream) for one in readings]
        self._heads = [_head(one.device, one.stream, one.firmware) for one in readings]
        self._metrics = metric_columns(readings)
        self.names = list(self._metrics)

    def __len__(self) -> int:
        return len(self.stamps)

    def lines(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> list[bytes]:
        """The lines of some rows."""
        rows = pa.array(places)
        fields = [
            pc.binary_join_element_wise(f"{field_of(name)}=", _as_text(numbers.take(rows)), "")
            for name, numbers in self._metrics.items()
        ]
        heads = pa.array(self._heads, pa.string()).take(rows)
        joined = pc.binary_join_element_wise(heads, *fields, ",", null_handling="skip")
        times = _as_text(pa.array(self.stamps[places] * 1000))
        lines: list[bytes] = pc.cast(pc.binary_join_element_wise(joined, times, " "), pa.binary()).to_pylist()
        return lines


@lru_cache(maxsize=50_000)
def _head(device: str, stream: str, firmware_: str | None) -> str:
    """A line up to what differs from reading to reading."""
    return f"{READINGS},device={tag(device)},stream={tag(stream)} Firmware={_firmware(firmware_)}"


def _as_text(numbers: Any) -> Any:
    return pc.cast(numbers, pa.string())


def _renamed(coded: pa.DictionaryArray, names: Sequence[str]) -> pa.Array:
    return pa.array(list(names), pa.string()).take(coded.indices) if len(coded) else pa.array([], pa.string())


def _quoted(text: str | None) -> str:
    if text is None:
        return '""'
    if not isinstance(text, str):
        raise Invalid(f"not text: {text!r:.80}", where="text")
    return _short(text) if len(text) <= SHORT else _escaped(text)


def _firmware(text: str | None) -> str:
    return _quoted(text if not isinstance(text, str) or len(text) <= SHORT else firmware(text))


def _escaped(text: str) -> str:
    stored = stored_text(text)
    if len(_utf8(stored, "text")) > MAX_TEXT:
        raise Invalid(f"a text of more than {MAX_TEXT} bytes", where="text")
    return '"' + stored.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=20_000)
def _short(text: str) -> str:
    return _escaped(text)


def _whole(number: Any) -> str:
    if not isinstance(number, int) or not -(2**63) <= number < 2**63:
        raise Invalid("is not a whole number of 64 bits", where="seq")
    return f"{int(number)}i"


@lru_cache(maxsize=10_000)
def _field(name: str) -> str:
    return field_of(metric_name(name))


def _number(value: Any, name: str) -> str:
    if type(value) is not float:
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError):
            raise Invalid("is not a number", where=name) from None
    return repr(number(value, name))


def _utf8(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"not text: {error}", where=where) from None


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):x}%"


_ENCODED = re.compile(r"%([0-9a-f]+)%")


def _unpercent(encoded: str) -> str:
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), encoded)
