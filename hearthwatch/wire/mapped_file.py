"""The mapping file: what a maker's own topics and payloads mean, as TOML. docs/wire.md describes it.

Every key is checked when it is read; all that is wrong is named at once, in one line. Nothing here reads a file: it is given its text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import is_metric, shown
from hearthwatch.wire.mapped_path import Path
from hearthwatch.wire.mapped_tables import (
    KINDS,
    REBOOT_CODES,
    Comings,
    Happening,
    Ignored,
    MappingFile,
    Metric,
    ReadingTable,
    Telemetry,
    Text,
    is_sane,
    kinds_of,
    paths_of,
)
from hearthwatch.wire.mapped_topics import CHANNEL, DEVICE, NAME
from hearthwatch.wire.naming import conversion

MAX_FILE_BYTES = 262_144
MAX_SHOWN = 12
"""How many wrong keys of a file are named."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TAKEN = frozenset({"identity", "ingest", "mapped"})
"""Names under which something else is saved beside the states of conventions."""


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
    rest = loc[3:] if loc[2:3] and loc[2] in KINDS else loc[2:]
    key = f" {'.'.join(str(part) for part in rest)}" if rest else ""
    return f"topics[{loc[1] + 1}]" + (f" ({named[:60]})" if isinstance(named, str) else "") + key


def _said(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key"
    if error["type"] == "missing":
        return "it is missing"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"kind is one of {', '.join(KINDS)}"
    return str(error["msg"]).removeprefix("Value error, ")


def _contradictions(mapping: MappingFile) -> Iterator[tuple[str, str]]:
    """What each key alone does not show: (where, what is wrong)."""
    if _NAME.fullmatch(mapping.name) is None:
        yield "name", f"expected {_NAME.pattern}, not {shown(mapping.name)}"
    if mapping.name in _TAKEN:
        yield "name", f"a mapping can not be called {mapping.name}"
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
            if not is_sane(amount):
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
    if "reboot" in kinds_of(table.event) and table.code is not None:
        yield from _of_reboot_codes("code", table.code)


def _of_reboot_codes(key: str, code: Text) -> Iterator[tuple[str, str]]:
    for given in (code.value, code.otherwise, *(code.values or {}).values()):
        if given is not None and given not in REBOOT_CODES:
            yield key, f"{shown(given)} is no cause of a reboot that is known: {', '.join(sorted(REBOOT_CODES))}"
