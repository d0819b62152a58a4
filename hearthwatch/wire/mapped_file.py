"""The mapping file: what a maker's own topics and payloads mean, as TOML. docs/wire.md describes it.

Every key is checked when it is read; all that is wrong is named at once, in one line. Nothing here reads a file: it is given its text.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, ValidationError
from pydantic import model_validator as checked

from hearthwatch.errors import Invalid
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.wire.limits import MAX_METRICS, MAX_NUMBER, MAX_TEXT, is_metric, is_wholesome, shown
from hearthwatch.wire.mapped_path import BatchPath, Path, parse_batch, parse_path
from hearthwatch.wire.mapped_topics import CHANNEL, DEVICE, NAME, TopicFilter, parse_filter
from hearthwatch.wire.naming import UNITS, conversion

REBOOT_CODES = REBOOT_CODES_EXPECTED | {"watchdog", "panic", "brownout", "unknown"}
"""What a reboot may be caused by."""
MAX_TOPICS = 64
"""Tables of one file."""
MAX_FILE_BYTES = 262_144
MAX_SHOWN = 12
"""How many wrong keys of a file are named."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_OFFSET = re.compile(r"([+-])(\d{2}):([0-5]\d)", re.ASCII)
_KINDS = ("telemetry", "event", "presence", "identity", "ignore")
_FORMATS = ("iso8601", "epoch_s", "epoch_ms", "epoch_us")


def spelled(value: Any) -> str | None:
    """A JSON value as a key of TOML spells it: ``true``, ``1``, ``on``. None for lists, objects and null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) <= MAX_NUMBER else None
    return repr(int(value) if value.is_integer() else value) if isinstance(value, float) and _is_sane(value) else None


def _is_sane(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= MAX_NUMBER


# -- what the values of keys are -------------------------------------------------------------------------------------------


def _as_value_error(read: Any) -> Any:
    """Pydantic collects ValueErrors with the key they belong to."""

    def tried(given: Any) -> Any:
        try:
            return read(given)
        except Invalid as error:
            raise ValueError(error.message) from None

    return tried


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise Invalid(f"expected a text, not {shown(given)}")
    return given


def _is_path(given: object) -> bool:
    return isinstance(given, str) and given[:1] in ("$", "@")


def _offset(text: str) -> str:
    match = _OFFSET.fullmatch(text)
    if match is None or int(match.group(2)) > 14:
        raise ValueError(f"an offset from UTC is written like +02:00, not {text!r}")
    return text


def _time_format(text: str) -> str:
    if text in _FORMATS:
        return text
    if "%" not in text:
        raise ValueError(f"{text!r} is none of {', '.join(_FORMATS)}, and no pattern of strptime (%Y-%m-%d %H:%M:%S)")
    try:
        datetime.strptime(datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007 - a try
    except (ValueError, re.error):
        raise ValueError(f"{text!r} is no pattern of strptime") from None
    return text


def _scalars(given: Sequence[Any]) -> frozenset[str]:
    if not isinstance(given, list) or not given:
        raise ValueError("expected a list of texts, numbers or booleans")
    spellings = [spelled(one) for one in given]
    if None in spellings:
        raise ValueError("expected texts, numbers or booleans")
    return frozenset(one.casefold() for one in spellings if one is not None)


def _short(text: str) -> str:
    if not text or len(text) > MAX_TEXT or not is_wholesome(text):
        raise ValueError(f"expected a text of 1 to {MAX_TEXT} characters")
    return text


def _unit(text: str) -> str:
    if conversion(text) is None:
        raise ValueError(f"{shown(text)} is none of {' '.join(UNITS)}; or use scale and offset")
    return text


PathKey = Annotated[InstanceOf[Path], BeforeValidator(_as_value_error(lambda given: parse_path(_text(given))))]
BatchKey = Annotated[InstanceOf[BatchPath], BeforeValidator(_as_value_error(lambda given: parse_batch(_text(given))))]
FilterKey = Annotated[
    InstanceOf[TopicFilter], BeforeValidator(_as_value_error(lambda given: parse_filter(_text(given))))
]
Scalars = Annotated[frozenset[str], BeforeValidator(_scalars)]
Short = Annotated[str, AfterValidator(_short)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Metric(_Table):
    """Where a metric stands, and how its unit is reached: ``(value * scale + offset)``, then the conversion of ``unit``.

    ``values`` gives numbers for texts, ``missing`` names values that say nothing, such as those of a broken sensor.
    """

    path: PathKey
    unit: Annotated[str, AfterValidator(_unit)] | None = None
    scale: float = 1.0
    offset: float = 0.0
    values: dict[str, float | bool] | None = None
    missing: Scalars = frozenset()
    required: bool = False

    @property
    def factors(self) -> tuple[float, float]:
        """(factor, offset) of all that is done to a number."""
        return _factors(self.unit, self.scale, self.offset)


@lru_cache(maxsize=4096)
def _factors(unit: str | None, scale: float, shift: float) -> tuple[float, float]:
    _, factor, offset = (conversion(unit) if unit else None) or ("", 1.0, 0.0)
    return scale * factor, shift * factor + offset


class Text(_Table):
    """A text: one that stands in the payload (``path``), with other words for some (``values``), or one that is always the same."""

    path: PathKey | None = None
    value: Short | None = None
    values: dict[str, Short] | None = None
    otherwise: Short | None = None

    @checked(mode="after")
    def _one_source(self) -> Text:
        if (self.path is None) == (self.value is None):
            raise ValueError("give either path or value")
        if self.value is not None and (self.values or self.otherwise):
            raise ValueError("values and otherwise belong to a path")
        return self


def _long_metric(given: object) -> object:
    return {"path": given} if isinstance(given, str) else given


def _long_text(given: object) -> object:
    return ({"path": given} if _is_path(given) else {"value": given}) if isinstance(given, str) else given


MetricKey = Annotated[Metric, BeforeValidator(_long_metric)]
TextKey = Annotated[Text, BeforeValidator(_long_text)]


# -- the tables ------------------------------------------------------------------------------------------------------------


class _Reading(_Table):
    """What every table but ``ignore`` may say."""

    filter: FilterKey
    device: PathKey | None = None
    at: PathKey | None = None
    at_format: Annotated[str, AfterValidator(_time_format)] = "iso8601"
    at_offset: Annotated[str, AfterValidator(_offset)] | None = None
    firmware: TextKey | None = None
    boot: PathKey | None = None
    seq: PathKey | None = None

    @property
    def zone(self) -> timezone | None:
        """The offset of times that carry none."""
        match = _OFFSET.fullmatch(self.at_offset or "")
        if match is None:
            return None
        sign, hours, minutes = match.groups()
        return timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes)))


class Telemetry(_Reading):
    """``kind = "telemetry"``: metrics of one sample, or of each sample of a batch."""

    kind: Literal["telemetry"]
    samples: BatchKey | None = None
    main_channel: str | None = None
    reboot: TextKey | None = None
    metrics: Annotated[dict[str, MetricKey], Field(min_length=1, max_length=MAX_METRICS)]


class Happening(_Reading):
    """``kind = "event"``: something that happened."""

    kind: Literal["event"]
    event: TextKey
    code: TextKey | None = None
    detail: Annotated[dict[str, PathKey], Field(max_length=16)] = {}


class Comings(_Reading):
    """``kind = "presence"``: the device came or went."""

    kind: Literal["presence"]
    path: PathKey
    online: Scalars = frozenset()
    offline: Scalars = frozenset()


class Claims(_Reading):
    """``kind = "identity"``: what the device says it is."""

    kind: Literal["identity"]
    model: TextKey | None = None
    hardware: TextKey | None = None
    serial: TextKey | None = None
    made: TextKey | None = None
    parts: Annotated[dict[str, TextKey], Field(max_length=32)] = {}


class Ignored(_Table):
    """``kind = "ignore"``: topics that hold nothing; only for those that no other table reads."""

    kind: Literal["ignore"]
    filter: FilterKey
    reason: Short = "the mapping says that it holds nothing"


ReadingTable = Telemetry | Happening | Comings | Claims


class MappingFile(_Table):
    """A whole file. ``name`` is the convention's."""

    name: str
    topics: Annotated[
        list[Annotated[ReadingTable | Ignored, Field(discriminator="kind")]],
        Field(min_length=1, max_length=MAX_TOPICS),
    ]

    @property
    def readings(self) -> tuple[ReadingTable, ...]:
        """The tables that read something."""
        return tuple(table for table in self.topics if not isinstance(table, Ignored))

    @property
    def ignored(self) -> tuple[Ignored, ...]:
        """The tables that read nothing."""
        return tuple(table for table in self.topics if isinstance(table, Ignored))

    @property
    def by_topic(self) -> bool:
        """Whether every topic names its device, so that a device's memory can be found without reading a payload."""
        return all(DEVICE in table.filter.levels for table in self.readings)

    def tells(self, event: str) -> bool:
        """Whether a table gives events of this kind, so that they need not be concluded from anything else."""
        return any(event in _kinds(table.event) for table in self.topics if isinstance(table, Happening))


def _kinds(event: Text) -> frozenset[str]:
    said = {event.value, event.otherwise, *(event.values or {}).values()}
    return frozenset(kind for kind in said if kind) or frozenset({"reboot", "update"})


def paths_of(table: ReadingTable) -> Mapping[str, Path]:
    """Every path of a table, by its key."""
    return {key: path for key, path in _paths(table, "") if key != "samples"}


def _paths(value: Any, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield key, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name), f"{key}.{name}" if key else name)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, f"{key}.{name}")


# -- reading ---------------------------------------------------------------------------------------------------------------


def parse_mapping(text: str, where: str) -> MappingFile:
    """A mapping file. Raises `Invalid` with everything that is wrong in it; ``where`` is the name of the file."""
    try:
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Invalid(f"not TOML: {error}", where=where) from None
    try:
        mapping = MappingFile.model_validate(given)
    except ValidationError as error:
        wrong = [f"{_place(one['loc'], given)}: {_said(one)}" for one in error.errors()]
    else:
        wrong = [f"{place}: {said}" for place, said in _contradictions(mapping)]
        if not wrong:
            return mapping
    more = f"; and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
    raise Invalid("; ".join(wrong[:MAX_SHOWN]) + more, where=where)


def _place(loc: Sequence[str | int], given: Mapping[str, Any]) -> str:
    """Where a key stands: ``topics[2] (acme/{device}/state) metrics.temperature_c.unit``."""
    if len(loc) < 2 or loc[0] != "topics" or not isinstance(loc[1], int):
        return ".".join(str(part) for part in loc) or "the file"
    tables = given.get("topics")
    table = tables[loc[1]] if isinstance(tables, list) and loc[1] < len(tables) else None
    named = table.get("filter") if isinstance(table, dict) else None
    rest = loc[3:] if loc[2:3] and loc[2] in _KINDS else loc[2:]
    key = f" {'.'.join(str(part) for part in rest)}" if rest else ""
    return f"topics[{loc[1] + 1}]" + (f" ({named[:60]})" if isinstance(named, str) else "") + key


def _said(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key"
    if error["type"] == "missing":
        return "it is missing"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"kind is one of {', '.join(_KINDS)}"
    return str(error["msg"]).removeprefix("Value error, ")


def _contradictions(mapping: MappingFile) -> Iterator[tuple[str, str]]:
    """What each key alone does not show: (where, what is wrong)."""
    if _NAME.fullmatch(mapping.name) is None:
        yield "name", f"expected {_NAME.pattern}, not {shown(mapping.name)}"
    if not mapping.readings:
        yield "topics", "every table is of kind ignore"
    for number, filter_ in _counted_twice(mapping):
        yield f"topics[{number}] ({filter_}) seq", "a table before it counts the samples of the same topics by seq too"
    named = any(NAME in table.filter.levels and table.device is not None for table in mapping.readings)
    for number, table in enumerate(mapping.topics, start=1):
        if isinstance(table, Ignored):
            continue
        where = f"topics[{number}] ({table.filter.text})"
        for key, said in _of_table(table, named=named):
            yield f"{where} {key}", said


def _counted_twice(mapping: MappingFile) -> Iterator[tuple[int, str]]:
    """Tables that would give a sample without a clock the key that another table gives it: the store keeps one of them."""
    counted: set[str] = set()
    for number, table in enumerate(mapping.topics, start=1):
        if isinstance(table, Telemetry) and table.seq is not None and table.at is None:
            if table.filter.subscription in counted:
                yield number, table.filter.text
            counted.add(table.filter.subscription)


def _of_table(table: ReadingTable, *, named: bool) -> Iterator[tuple[str, str]]:
    yield from _of_filter(table, named=named)
    if table.at is None and (table.at_offset is not None or table.at_format != "iso8601"):
        yield "at_format", "there is no path `at` that it would be of"
    if table.seq is not None and table.boot is None:
        yield "seq", "it counts the messages of a boot, so it needs `boot`"
    paths = paths_of(table)
    plain = [key for key, path in paths.items() if path.is_plain]
    if plain and len(plain) < len(paths):
        yield plain[0], "$ is a payload that is no JSON; it can not stand beside paths into one"
    if isinstance(table, Telemetry):
        yield from _of_telemetry(table, paths)
        return
    for key, path in paths.items():
        if path.of_sample:
            yield key, "@ is a sample of a batch, and only telemetry has `samples`"
    if isinstance(table, Happening):
        yield from _of_codes(table)
    elif isinstance(table, Comings):
        yield from _of_presence(table)
    elif not any((table.model, table.hardware, table.firmware, table.serial, table.made, table.parts)):
        yield "model", "an identity that says nothing: give model, hardware, firmware, serial, made or parts"


def _of_filter(table: ReadingTable, *, named: bool) -> Iterator[tuple[str, str]]:
    levels = table.filter.levels
    if table.device is None and DEVICE not in levels and NAME not in levels:
        yield "device", "no level of the filter is {device}, so it needs the path of the device's id"
    if NAME in levels and not named:
        yield "filter", "no table with {name} has a path `device`, so nobody learns whose name it is"
    if CHANNEL in levels and not isinstance(table, Telemetry):
        yield "filter", "{channel} belongs to telemetry"


def _of_presence(table: Comings) -> Iterator[tuple[str, str]]:
    if not (table.online or table.offline):
        yield "online", "name the values that mean online, offline or both"
    if both := table.online & table.offline:
        yield "offline", f"{shown(min(both))} means both online and offline"


def _of_telemetry(table: Telemetry, paths: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, metric in table.metrics.items():
        if not is_metric(name):
            yield f"metrics.{name}", "a metric's name is [a-z][a-z0-9_]{0,62}"
        yield from _of_unit(name, metric)
        for key, amount in (("scale", metric.scale), ("offset", metric.offset), *_amounts(metric)):
            if not _is_sane(amount):
                yield f"metrics.{name}.{key}", "not a finite number"
    if table.reboot is not None:
        if "uptime_s" not in table.metrics:
            yield "reboot", "the cause of a reboot needs the metric `uptime_s`, whose fall shows that there was one"
        yield from _of_reboot_codes("reboot", table.reboot)
    of_sample = [key for key, path in paths.items() if path.of_sample]
    if table.samples is None and of_sample:
        yield of_sample[0], "@ is a sample of a batch, and there is no `samples`"
    if table.samples is not None:
        if not any(key.startswith("metrics.") for key in of_sample):
            yield "metrics", "no metric stands in a sample of the batch (a path that begins with @)"
        if not any(path is not None and path.of_sample for path in (table.at, table.seq)):
            yield "samples", "the samples of a batch need a time each (`at` with @), or boot and a `seq` with @"


def _amounts(metric: Metric) -> Iterator[tuple[str, float]]:
    for text, value in (metric.values or {}).items():
        yield f"values.{text}", float(value)


def _of_unit(name: str, metric: Metric) -> Iterator[tuple[str, str]]:
    if metric.unit is None:
        return
    known = conversion(metric.unit)
    key = f"metrics.{name}.unit"
    if known is not None and not name.endswith(f"_{known[0]}"):
        yield key, f"{metric.unit} is stored in the unit of a name that ends in _{known[0]}, which {name} does not"


def _of_codes(table: Happening) -> Iterator[tuple[str, str]]:
    if "reboot" in _kinds(table.event) and table.code is not None:
        yield from _of_reboot_codes("code", table.code)


def _of_reboot_codes(key: str, code: Text) -> Iterator[tuple[str, str]]:
    for given in (code.value, code.otherwise, *(code.values or {}).values()):
        if given is not None and given not in REBOOT_CODES:
            yield key, f"{shown(given)} is no cause of a reboot that is known: {', '.join(sorted(REBOOT_CODES))}"
