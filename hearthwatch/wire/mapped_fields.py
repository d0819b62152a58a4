"""Reads single values of a payload as a mapping file says: numbers, texts, times, ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.values import Message
from hearthwatch.wire.hardware_address import mac_of
from hearthwatch.wire.home_assistant_template import numeric
from hearthwatch.wire.instants import EARLIEST, LATEST, parse_instant
from hearthwatch.wire.limits import MAX_TEXT, check_device, is_wholesome, number, optional_count, shown
from hearthwatch.wire.mapped_path import MISSING, Path
from hearthwatch.wire.mapped_tables import Metric, ReadingTable, Text, spelled
from hearthwatch.wire.mapped_topics import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}


@dataclass(frozen=True, slots=True)
class Given:
    """A message, or one sample of it, as a table reads it."""

    message: Message
    place: Place
    payload: Any
    sample: Any = MISSING

    def at(self, path: Path | None) -> Any:
        """The value behind a path; `MISSING` where there is none, or null."""
        if path is None:
            return MISSING
        value = path.of(self.payload, self.sample)
        return MISSING if value is None else value


def own_id(text: Any) -> str:
    """The id a device has here: the address of its hardware where the text is one, else the text. Raises `Invalid`."""
    said = str(text) if isinstance(text, int) and not isinstance(text, bool) and abs(text) < 10**18 else text
    if not isinstance(said, str):
        raise Invalid(f"not a device id: {shown(text)}")
    return mac_of(said) or check_device(said)


def quantity(metric: Metric, value: Any) -> float | None:
    """A metric's value in its unit, None where the value says nothing. Raises `Invalid`."""
    spelling = spelled(value) if metric.missing or metric.values is not None else None
    if spelling is not None and spelling.casefold() in metric.missing:
        return None
    if metric.values is not None and spelling in metric.values:
        taken: float | None = float(metric.values[spelling])
    else:
        taken = number(value) if isinstance(value, bool) else numeric(value)
    if taken is None:
        known = f", and none of {', '.join(list(metric.values)[:8])}" if metric.values else ""
        raise Invalid(f"not a finite number{known}: {shown(value)}")
    factor, offset = metric.factors
    if factor != 1.0 or offset:
        taken = number(round(taken * factor + offset, 9))
    if taken is None:
        raise Invalid(f"beyond what a metric can be: {shown(value)}")
    return taken


def text(spec: Text | None, given: Given) -> str | None:
    """A text, or None where the payload has none, or ``values`` has no word for it. Raises `Invalid` for what is no short text."""
    if spec is None or spec.value is not None:
        return None if spec is None else spec.value
    value = given.at(spec.path)
    if value is MISSING or value == "":
        return None
    said = spelled(value) if not isinstance(value, float) or value.is_integer() else None
    if said is None or len(said) > MAX_TEXT or not is_wholesome(said):
        raise Invalid(f"not a text of at most {MAX_TEXT} characters: {shown(value)}")
    if spec.values is None:
        return said
    return spec.values.get(said, spec.otherwise)


def instant(table: ReadingTable, given: Given) -> datetime | None:
    """The time of a sample; None where it has none, or its clock was never set. Raises `Invalid` for what is no time."""
    value = given.at(table.at)
    if value is MISSING:
        return None
    if table.at_format in _PER_SECOND:
        return _of_epoch(value, _PER_SECOND[table.at_format])
    if table.at_format != "iso8601":
        return _set(_by_pattern(value, table))
    return _set(_iso(value, table))


def _of_epoch(value: Any, per_second: int) -> datetime | None:
    taken = None if isinstance(value, bool) else numeric(value)
    if taken is None or taken < 0 or taken / per_second >= LATEST.timestamp():
        raise Invalid(f"at: not a time since 1970: {shown(value)}")
    return _set(_EPOCH + timedelta(microseconds=round(taken * 1_000_000 / per_second)))


def _iso(value: Any, table: ReadingTable) -> datetime:
    if table.zone is not None and isinstance(value, str):
        try:
            naive = datetime.fromisoformat(value)
        except ValueError:
            raise Invalid(f"at: not a time in ISO 8601: {shown(value)}") from None
        return naive if naive.tzinfo is not None else naive.replace(tzinfo=table.zone)
    try:
        return parse_instant(value)
    except Invalid as error:
        if "no set clock" in error.message:
            return EARLIEST - timedelta(days=1)
        raise Invalid(f"at: {error.message}") from None


def _by_pattern(value: Any, table: ReadingTable) -> datetime:
    try:
        taken = datetime.strptime(str(spelled(value)), table.at_format)  # noqa: DTZ007 - it gets its zone below
    except (ValueError, OverflowError):
        raise Invalid(f"at: not a time like {table.at_format}: {shown(value)}") from None
    return taken if taken.tzinfo is not None else taken.replace(tzinfo=table.zone or UTC)


def _set(taken: datetime) -> datetime | None:
    """The time in UTC, None for a clock that was never set. Raises `Invalid` for a time that no store can hold."""
    try:
        moved = taken.astimezone(UTC)
    except OverflowError:
        raise Invalid("at: no such time in UTC") from None
    if moved >= LATEST:
        raise Invalid(f"at: no set clock shows {moved.isoformat()}")
    return moved if moved >= EARLIEST else None


def boot_of(table: ReadingTable, given: Given) -> tuple[str | None, int | None]:
    """(boot, seq) of a message; None for what it does not say. Raises `Invalid`."""
    said, seq = given.at(table.boot), given.at(table.seq)
    boot = None if said is MISSING else spelled(said)
    if boot is not None and (not boot or len(boot) > MAX_TEXT or not is_wholesome(boot)):
        raise Invalid(f"boot is not a text of 1 to {MAX_TEXT} characters")
    return boot, None if seq is MISSING else optional_count(seq, "seq")
