"""The mapping file: what it may say, and that a wrong key is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.history import parse_mapping, read_mapping

COLUMNS = {"device": "d", "at": "t"}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({}, "columns"),
        ({"colums": COLUMNS}, "colums"),
        ({"columns": {"device": "d"}}, "columns.at"),
        ({"columns": {"device": "", "at": "t"}}, "columns.device"),
        ({"columns": {"device": 1, "at": "t"}}, "columns.device"),
        ({"columns": {**COLUMNS, "batch": 7}}, "columns.batch"),
        ({"columns": {**COLUMNS, "bad name": "x"}}, "bad name"),
        ({"columns": {**COLUMNS, "last_at": "x"}}, "last_at"),
        ({"columns": COLUMNS, "source": {"timezone": "Mars/Olympus"}}, "source.timezone"),
        ({"columns": COLUMNS, "source": {"file": "x"}}, "source.file"),
        ({"columns": COLUMNS, "source": {"files": "../x.csv"}}, "source.files"),
        ({"columns": COLUMNS, "source": {"files": "/etc/passwd"}}, "source.files"),
        ({"columns": COLUMNS, "metrics": {"Temp": "x"}}, "Temp"),
        ({"columns": COLUMNS, "metrics": {"device": "x"}}, "device"),
        ({"columns": {**COLUMNS, "model": "m"}, "metrics": {"model": "x"}}, "model"),
        ({"columns": COLUMNS, "metrics": {"x": {"column": "x", "kind": "meter"}}}, "metrics.x.kind"),
        ({"columns": COLUMNS, "metrics": {"x": {"kind": "gauge"}}}, "metrics.x"),
        ({"columns": COLUMNS, "failures": {}}, "failures"),
        ({"columns": COLUMNS, "failures": {"column": "f", "files": "f.csv"}}, "failures"),
        ({"columns": COLUMNS, "failures": {"files": "f.csv", "device": "d"}}, "failures"),
        ({"columns": COLUMNS, "failures": {"column": "f", "at": "t"}}, "failures"),
        ({"columns": COLUMNS, "events": {"files": "e.csv", "device": "d"}}, "events.at"),
        ({"columns": COLUMNS, "service": {"files": "e.csv", "device": "d", "at": "t", "parts": "x"}}, "service.parts"),
        ({"devices": {"files": "d.csv", "device": "d"}}, "installed"),
        ({"devices": {"files": "d.csv", "device": "d", "installed": "i"}, "failures": {"column": "f"}}, "failures"),
        ({"devices": {"files": "d.csv", "device": "d", "installed": "i"}, "metrics": {"x": "x"}}, "metrics"),
    ],
)
def test_a_wrong_key_is_named(given: dict[str, Any], key: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_mapping(given, where="fleet.toml")
    assert "fleet.toml" in str(raised.value)
    assert key in str(raised.value)


@pytest.mark.parametrize("content", [b"[columns", b"\xff\xfe", b"columns = 3"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=r"fleet\.toml"):
        read_mapping(path)
    with pytest.raises(Invalid, match=r"nowhere\.toml"):
        read_mapping(tmp_path / "nowhere.toml")


def test_the_smallest_mapping_names_device_and_time() -> None:
    mapping = parse_mapping({"columns": COLUMNS})
    assert mapping.metrics is None
    assert mapping.attributes == {}
    assert mapping.source.timezone == "UTC"


def test_further_columns_are_attributes_and_times_are_not() -> None:
    columns = {**COLUMNS, "model": "m", "made": "born", "supplier": "s", "firmware": "f"}
    mapping = parse_mapping({"columns": columns})
    assert mapping.attributes == {"model": "m", "supplier": "s"}
    assert mapping.times == {"made": "born"}


def test_a_metric_is_a_column_or_says_more_about_it() -> None:
    mapping = parse_mapping(
        {"columns": COLUMNS, "metrics": {"x": "a", "y": {"column": "b", "kind": "counter", "unit": "h"}}}
    )
    assert mapping.metrics is not None
    assert (mapping.metrics["x"].column, mapping.metrics["x"].kind) == ("a", "gauge")
    assert (mapping.metrics["y"].column, mapping.metrics["y"].kind) == ("b", "counter")


@pytest.mark.parametrize("name", ["backblaze", "machines"])
def test_the_examples_are_mappings(name: str) -> None:
    read_mapping(Path(__file__).parents[3] / "docs" / "examples" / f"{name}.toml")
