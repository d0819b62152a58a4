"""Native telemetry: a typed reader for the usual message, a patient one that tells good parts from bad for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Reading, Rejection
from hearthwatch.wire.instants import EARLIEST, LATEST, in_utc, parse_instant
from hearthwatch.wire.limits import (
    MAX_COUNT,
    MAX_METRICS,
    MAX_NUMBER,
    MAX_SAMPLES,
    MAX_TEXT,
    are_metrics,
    is_metric,
    is_wholesome,
    number,
    optional_count,
    optional_text,
    shown,
)
from hearthwatch.wire.native_memory import firmware_of, remember
from hearthwatch.wire.payload import parse_object
from hearthwatch.wire.rejections import bounded

STREAM = "native"

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
_Number = Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
_Metrics = Annotated[dict[str, _Number], msgspec.Meta(min_length=1, max_length=MAX_METRICS)]


class _Sample(msgspec.Struct, gc=False):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    m: _Metrics
    seq: _Count | None = None


class _Telemetry(msgspec.Struct, gc=False):
    samples: Annotated[list[_Sample], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]
    fw: _Text | None = None
    boot: _Text | None = None
    seq: _Count | None = None
    device: str | None = None


_read = msgspec.json.Decoder(_Telemetry).decode


def decode_telemetry(device: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    """Readings of one telemetry message. Raises `Invalid` when all of it is malformed."""
    try:
        given = _read(message.payload)
        readings = _readings(device, state, given)
    except (ValueError, RecursionError, Invalid):
        return _decode_patiently(device, state, message)
    if given.fw is not None or given.boot is not None:
        state = remember(state, firmware=given.fw, boot=given.boot)
    return Decoded(readings), state


def _readings(device: str, state: State | None, given: _Telemetry) -> tuple[Reading, ...]:
    """The readings of a message that is right in every part; raises `Invalid` where any is not."""
    boot, seq = given.boot, given.seq
    if given.device is not None and given.device != device:
        raise Invalid("the payload names another device than the topic")
    if (given.fw and not is_wholesome(given.fw)) or (boot and not is_wholesome(boot)):
        raise Invalid("holds characters that cannot be stored")
    firmware = given.fw or firmware_of(state, boot)
    readings = []
    for sample in given.samples:
        at, metrics, own = sample.at, sample.m, sample.seq
        if not are_metrics(metrics):
            raise Invalid("not a metric name")
        if at.tzinfo is not UTC or not EARLIEST <= at < LATEST:
            at = in_utc(at)
        readings.append(Reading(device, STREAM, at, metrics, firmware, boot, seq if own is None else own))
    return tuple(readings)


def _decode_patiently(device: str, state: State | None, message: Message) -> tuple[Decoded, State | None]:
    """The same message part by part: what is good is kept, what is not is named."""
    given = parse_object(message.payload)
    if given.get("device", device) not in (device, None):
        raise Invalid("the payload names another device than the topic")
    said, boot = optional_text(given.get("fw"), "fw"), optional_text(given.get("boot"), "boot")
    seq = optional_count(given.get("seq"), "seq")
    samples = _samples(given)
    if len(samples) > MAX_SAMPLES:
        reason = f"{len(samples)} samples in one message, at most {MAX_SAMPLES} are taken"
        return Decoded(rejected=(Rejection(reason, "samples", device, len(samples)),)), state
    shared = Reading(device, STREAM, message.received_at, {}, said or firmware_of(state, boot), boot, seq)
    readings: list[Reading] = []
    rejected: list[Rejection] = []
    for place, sample in enumerate(samples):
        part = f"samples[{place}]"
        try:
            readings.append(_reading(shared, sample, part, rejected, first=place == 0))
        except Invalid as error:
            rejected.append(Rejection(error.message, part, device))
    return Decoded(tuple(readings), bounded(rejected)), remember(state, firmware=said, boot=boot)


def _samples(given: Mapping[str, Any]) -> list[Any]:
    """The list of samples; one sample may also stand in the message itself, without a list."""
    samples = given.get("samples")
    if samples is None and "m" in given:
        return [{"at": given.get("at"), "m": given["m"]}]
    if not isinstance(samples, list) or not samples:
        raise Invalid("no samples")
    return samples


def _reading(shared: Reading, sample: Any, part: str, rejected: list[Rejection], *, first: bool) -> Reading:
    """One sample; raises `Invalid` where nothing of it can be kept, and appends its metrics that cannot."""
    if not isinstance(sample, dict):
        raise Invalid("a sample is not an object")
    at, seq = sample.get("at"), optional_count(sample.get("seq"), "seq")
    clockless = at is None
    if clockless and (shared.boot is None or (shared.seq is None and seq is None)):
        raise Invalid("a sample without a time needs boot and seq")
    if clockless and seq is None and not first:
        raise Invalid("samples without a time need a seq each, but for the first of a message")
    return Reading(
        device=shared.device,
        stream=shared.stream,
        at=shared.at if clockless else parse_instant(at),
        metrics=_metrics(shared.device, sample.get("m"), part, rejected),
        firmware=shared.firmware,
        boot=shared.boot,
        seq=shared.seq if seq is None else seq,
        clockless=clockless,
    )


def _metrics(device: str, given: Any, part: str, rejected: list[Rejection]) -> dict[str, float]:
    if not isinstance(given, dict) or not given:
        raise Invalid("m is not an object with metrics")
    if len(given) > MAX_METRICS:
        raise Invalid(f"{len(given)} metrics in one sample, at most {MAX_METRICS} are taken")
    metrics = {}
    for name, value in given.items():
        taken = number(value)
        if not is_metric(name):
            rejected.append(Rejection(f"not a metric name: {shown(name)}", f"{part}.m", device, samples=0))
        elif taken is None:
            reason = f"not a finite number or boolean: {shown(value)}"
            rejected.append(Rejection(reason, f"{part}.m.{name}", device, samples=0))
        else:
            metrics[name] = taken
    if not metrics:
        raise Invalid("no metric of the sample can be taken")
    return metrics
