"""The tables of a mapping file, and what the values of their keys may be. `mapped_file` reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf
from pydantic import model_validator as checked

from hearthwatch.errors import Invalid
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.wire.limits import MAX_METRICS, MAX_NUMBER, MAX_TEXT, is_wholesome, shown
from hearthwatch.wire.mapped_path import BatchPath, Path, parse_batch, parse_path
from hearthwatch.wire.mapped_topics import DEVICE, TopicFilter, parse_filter
from hearthwatch.wire.naming import UNITS, conversion

REBOOT_CODES = REBOOT_CODES_EXPECTED | {"watchdog", "panic", "brownout", "unknown"}
"""What a reboot may be caused by."""
MAX_TOPICS = 64
"""Tables of one file."""

_OFFSET = re.compile(r"([+-])(\d{2}):([0-5]\d)", re.ASCII)
KINDS = ("telemetry", "event", "presence", "identity", "ignore")
_FORMATS = ("iso8601", "epoch_s", "epoch_ms", "epoch_us")


def spelled(value: Any) -> str | None:
    """A JSON value as a key of TOML spells it: ``true``, ``1``, ``on``. None for lists, objects and null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) <= MAX_NUMBER else None
    return repr(int(value) if value.is_integer() else value) if isinstance(value, float) and is_sane(value) else None


def is_sane(value: float) -> bool:
    """Whether a number is finite and within the bounds of a metric."""
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
        return any(event in kinds_of(table.event) for table in self.topics if isinstance(table, Happening))


def kinds_of(event: Text) -> frozenset[str]:
    """The kinds of event that a text may give; any of those that are concluded otherwise, where it may be anything."""
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


def is_plain(table: ReadingTable) -> bool:
    """Whether a table reads payloads that are no JSON."""
    paths = paths_of(table).values()
    return bool(paths) and all(path.is_plain for path in paths)
