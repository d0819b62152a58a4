"""The mapping file: how a maker's own tables become readings, devices, failures, events and repairs.

A TOML file with the sections ``[source]``, ``[columns]``, ``[metrics]``, ``[failures]``, ``[devices]``, ``[events]``, ``[service]``
and ``[cohorts]``; ``docs/examples`` holds some. Every key is checked, and a wrong one is named.
"""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hearthwatch.errors import Invalid
from hearthwatch.values import METRIC_NAME

TIME_ATTRIBUTES = ("made", "installed", "removed")
"""Master data that are times; the other attributes are text."""

RESERVED = frozenset({"device", "at", "firmware", "first_at", "last_at", *TIME_ATTRIBUTES})
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone of the IANA list") from None
    return name


def _inside(pattern: str) -> str:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ValueError("a pattern is relative to the history's folder and stays inside it")
    return pattern


def _long_form(given: object) -> object:
    return {"column": given} if isinstance(given, str) else given


ColumnName = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_inside)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _OpenSection(_Section):
    """A section in which further columns may be named, for comparisons by them."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, ColumnName]

    @property
    def further(self) -> Mapping[str, str]:
        """The columns that were named beyond the known ones."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="after")
    def _names(self) -> _OpenSection:
        for name in self.__pydantic_extra__:
            if not _ATTRIBUTE_NAME.fullmatch(name) or name in RESERVED:
                raise ValueError(f"a further column may not be called {name!r}")
        return self


class Source(_Section):
    """``[source]``: which files hold the readings, the time zone of times without an offset, and the decimal sign of numbers."""

    files: Pattern | None = None
    decimal: Literal[".", ","] = "."
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"


class Columns(_OpenSection):
    """``[columns]``: the columns of the readings. ``at_format``: absent for ISO 8601, ``epoch_s``, ``epoch_ms`` or a strptime pattern."""

    device: ColumnName
    at: ColumnName
    at_format: ColumnName | None = None
    model: ColumnName | None = None
    hardware: ColumnName | None = None
    firmware: ColumnName | None = None
    region: ColumnName | None = None
    made: ColumnName | None = None
    installed: ColumnName | None = None
    removed: ColumnName | None = None


class MetricColumn(_Section):
    """One entry of ``[metrics]``: a gauge, or a counter that only grows; ``direction`` is the one that worries an engineer.

    ``measure`` says what of a gauge is compared: its ``level`` (the day's mean) or its ``fall`` from day to day (a battery's drain), for
    which a rise of more than ``largest_rise`` is something else (charged) and leaves the day out.
    """

    column: ColumnName
    kind: Literal["gauge", "counter"] = "gauge"
    unit: str | None = None
    direction: Literal["high", "low", "both", "none"] | None = None
    measure: Literal["level", "fall"] = "level"
    largest_rise: Annotated[float, Field(ge=0, strict=False)] | None = None

    @model_validator(mode="after")
    def _of_gauges(self) -> MetricColumn:
        if self.measure == "fall" and self.kind != "gauge":
            raise ValueError("measure is of gauges; of a counter the days on which it grew are compared")
        if self.largest_rise is not None and self.measure != "fall":
            raise ValueError('largest_rise belongs to measure = "fall"')
        return self


class Failures(_Section):
    """``[failures]``: a 0/1 column beside the reading, or a table of its own with device, time and (optional) part.

    ``part`` names a column; ``part_value`` is one part for all rows. Without either the part is ``device``.
    """

    column: ColumnName | None = None
    files: Pattern | None = None
    device: ColumnName | None = None
    at: ColumnName | None = None
    at_format: ColumnName | None = None
    part: ColumnName | None = None
    part_value: ColumnName | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Failures:
        if (self.column is None) == (self.files is None):
            raise ValueError("give either column (beside the reading) or files (a table of its own)")
        if self.files is not None and (self.device is None or self.at is None):
            raise ValueError("a table of its own needs device and at")
        if self.column is not None and (self.device or self.at or self.at_format):
            raise ValueError(
                "device, at and at_format belong to a table of its own, not to a column beside the reading"
            )
        return self


class Devices(_OpenSection):
    """``[devices]``: master data, one row for each device."""

    files: Pattern
    device: ColumnName
    at_format: ColumnName | None = None
    model: ColumnName | None = None
    hardware: ColumnName | None = None
    firmware: ColumnName | None = None
    region: ColumnName | None = None
    made: ColumnName | None = None
    installed: ColumnName | None = None
    removed: ColumnName | None = None


class Events(_Section):
    """``[events]``: what happened. ``kind`` names a column, ``kind_value`` is one kind for all rows; without either it is ``fault``."""

    files: Pattern
    device: ColumnName
    at: ColumnName
    at_format: ColumnName | None = None
    kind: ColumnName | None = None
    kind_value: ColumnName | None = None
    code: ColumnName | None = None
    firmware: ColumnName | None = None


class Service(_Section):
    """``[service]``: parts replaced and repaired."""

    files: Pattern
    device: ColumnName
    at: ColumnName
    at_format: ColumnName | None = None
    part: ColumnName | None = None


class Cohorts(_Section):
    """``[cohorts]``: how devices came to the values that are compared. ``randomised``: the maker drew by lot who changed."""

    assignment: Literal["randomised", "staged", "unknown"] = "unknown"


class HistoryMapping(_Section):
    """A whole mapping file. Without ``[columns]`` there are no readings, and exposure is installed..removed of ``[devices]``."""

    source: Source = Source()
    columns: Columns | None = None
    metrics: dict[str, Annotated[MetricColumn, BeforeValidator(_long_form)]] | None = None
    failures: Failures | None = None
    devices: Devices | None = None
    events: Events | None = None
    service: Service | None = None
    cohorts: Cohorts = Cohorts()

    @model_validator(mode="after")
    def _agrees(self) -> HistoryMapping:
        if self.columns is None:
            if self.devices is None or self.devices.installed is None:
                raise ValueError(
                    "give [columns] for readings, or [devices] with installed for a history without readings"
                )
            if self.failures is not None and self.failures.column is not None:
                raise ValueError("failures.column is a column beside the reading, and there are no readings")
            if self.metrics is not None:
                raise ValueError("[metrics] without [columns]: there are no readings to take them from")
        taken = RESERVED | set(self.attributes)
        for name in self.metrics or {}:
            if not METRIC_NAME.fullmatch(name) or name in taken:
                raise ValueError(
                    f"a metric may not be called {name!r}: small letters, digits and _, and no other column's name"
                )
        return self

    @property
    def attributes(self) -> Mapping[str, str]:
        """Text attributes of the readings (model, hardware, region and further columns) and the column each stands in."""
        if self.columns is None:
            return {}
        known = {name: getattr(self.columns, name) for name in ("model", "hardware", "region")}
        return {name: column for name, column in {**known, **self.columns.further}.items() if column is not None}

    @property
    def times(self) -> Mapping[str, str]:
        """Master data of the readings that are times (made, installed, removed) and the column each stands in."""
        found = {name: getattr(self.columns, name) for name in TIME_ATTRIBUTES} if self.columns else {}
        return {name: column for name, column in found.items() if column is not None}


def read_mapping(path: Path) -> HistoryMapping:
    """Read a mapping file. Raises `Invalid` naming the file and the key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise Invalid("is not UTF-8 text", where=str(path)) from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"is not TOML: {error}", where=str(path)) from None
    return parse_mapping(given, where=str(path))


def parse_mapping(given: Mapping[str, Any], *, where: str = "mapping") -> HistoryMapping:
    """Check a mapping that was read from TOML. Raises `Invalid` naming the key that is wrong."""
    try:
        return HistoryMapping.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = {
            "extra_forbidden": "there is no such key",
            "missing": "is required",
        }.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise Invalid(message, where=f"{where}: {key}" if key else where) from None
