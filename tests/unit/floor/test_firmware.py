"""Firmware strings become comparable versions, whoever wrote them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.firmware import version


@pytest.mark.parametrize(
    ("verbatim", "text"),
    [
        ("14.2.0(release-tasmota)", "14.2.0"),
        ("8.4.0.2", "8.4.0.2"),
        ("20220209-092750/v1.11.8-g8c7bb8d", "1.11.8"),
        ("20200827-065456/v1.8.3@4a8bc427", "1.8.3"),
        ("2.4.1", "2.4.1"),
        ("v2.4.1", "2.4.1"),
        ("2.4.1-beta2", "2.4.1-beta2"),
        ("1.0", "1.0"),
        ("nightly", "nightly"),
        ("", ""),
    ],
)
def test_the_version_inside_a_firmware_string_is_found(verbatim: str, text: str) -> None:
    assert version(verbatim).text == text


def test_versions_sort_as_an_engineer_would_sort_them() -> None:
    ordered = [
        "",
        "nightly",
        "1.9.9",
        "1.10.0",
        "2.4.1-dev",
        "2.4.1-beta2",
        "2.4.1-beta10",
        "2.4.1-rc1",
        "2.4.1",
        "2.4.1.1",
        "10.0.0",
    ]
    assert sorted(random.Random(1).sample(ordered, len(ordered)), key=lambda text: version(text).key) == ordered


def test_the_same_version_written_by_two_conventions_is_one_version() -> None:
    assert version("v1.11.8").key == version("20220209-092750/v1.11.8-g8c7bb8d").key


@given(st.text(max_size=200))
def test_any_text_gives_a_version_that_fits_its_column(verbatim: str) -> None:
    found = version(verbatim)
    assert len(found.key) <= 96
    assert len(found.text) <= 64
