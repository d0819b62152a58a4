"""Texts of any kind survive the way into line protocol and back, and cannot end a line early."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.telemetry import influxdb_lines as lines
from hearthwatch.telemetry.influxdb_known import Runs
from hearthwatch.telemetry.influxdb_server import parse
from hearthwatch.values import Event, Reading

START = datetime(2026, 5, 1, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(text=texts.filter(bool))
def test_a_tag_comes_back_and_holds_nothing_that_ends_it(text: str) -> None:
    encoded = lines.tag(text)
    assert lines.untag(encoded) == text
    assert not set(encoded) & set(" ,=\n\\\"'/|()*+$?[]{}^")


@given(text=st.none() | texts)
def test_a_firmware_in_a_packed_text_comes_back(text: str | None) -> None:
    encoded = lines.packed(text)
    assert lines.unpacked(encoded) == text
    assert not set(encoded) & set(';|"\\\n\r')


@given(text=st.none() | texts)
def test_a_text_field_comes_back_and_holds_no_control_character(text: str | None) -> None:
    stored = lines.stored_text(text)
    assert lines.text_of(stored) == text
    assert "\n" not in stored
    assert "\r" not in stored


@given(firmware=texts, boot=texts, kind=texts)
def test_a_value_is_one_line(firmware: str, boot: str, kind: str) -> None:
    reading = Reading("d", "native", START, {"x": 1.0}, firmware=firmware, boot=boot, seq=1)
    event = Event("d", "native", START, kind, boot, {"text": kind}, firmware)
    assert b"\n" not in lines.line("readings", "d", "native", lines.reading(reading), 0)
    assert b"\n" not in lines.line("events", "d", "native", lines.event(event), 0)


def test_numbers_are_floats_and_counts_are_not() -> None:
    value = Reading("d", "native", START, {"a": 1, "b": True, "c": 1e-9, "d": 2**60}, seq=7)
    assert lines.reading(value) == 'Firmware="",Seq=7i,a=1.0,b=1.0,c=1e-09,d=1.152921504606847e+18'


@pytest.mark.parametrize("wrong", ["", "\ud800", "x" * 2000])
def test_a_device_that_no_tag_can_hold_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        lines.tag(wrong)


def test_a_text_that_no_field_can_hold_is_refused() -> None:
    with pytest.raises(Invalid, match="bytes"):
        lines.event(Event("d", "native", START, "fault", detail={"text": "x" * 2_000_000}))


@given(numbers=st.lists(st.integers(-20, 20)))
def test_runs_hold_what_was_added(numbers: list[int]) -> None:
    runs = Runs()
    for number in numbers:
        runs.add(number)
    assert [number for number in range(-25, 25) if number in runs] == sorted(set(numbers))


@pytest.mark.parametrize(
    "address",
    [
        "influxdb://host:8086/org?token=t",
        "influxdb:///org/bucket?token=t",
        "influxdb://host:8086/org/bucket",
        "influxdb://host:8086/org/bucket?token=t&tokn=x",
        "influxdb://host:8086/org/bucket?token_file=/nowhere/token",
        "influxdb://host:port/org/bucket?token=t",
    ],
)
def test_an_address_that_lacks_something_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="telemetry"):
        parse(address)


def test_the_parts_of_an_address_are_found() -> None:
    address = parse("influxdbs://[::1]:8087/my%20org/telemetry?token=t")
    assert (address.url, address.org, address.raw) == ("https://[::1]:8087", "my org", "telemetry")
    assert parse("influxdb://host/org/b?token=t").url == "http://host:8086"
