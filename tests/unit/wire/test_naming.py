"""What free names and units mean, as docs/wire.md says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.metrics import BY_NAME
from hearthwatch.values import METRIC_NAME
from hearthwatch.wire.naming import Quantity, apart, identity_role, measured, switched, wholesome, words

DOCUMENT = Path(__file__).parents[3] / "docs" / "wire.md"


def documented() -> Iterator[tuple[str, str, str]]:
    """(unit, word, metric) of the table in the documentation."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## Names that makers choose")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or not cells[2].startswith("`"):
            continue
        for unit in cells[0].split(", "):
            said = cells[1].split("; ")[0].replace(" or ", ", ").replace("pressure, and ", "pressure ")
            for word in said.split(", "):
                yield unit, f"pressure {word}" if unit in ("Pa", "kPa", "bar", "psi") else word, cells[2].strip("`")


def test_every_row_of_the_documented_table_holds() -> None:
    rows = list(documented())
    assert len(rows) > 60
    for unit, word, metric in rows:
        assert metric in BY_NAME
        if unit == "yes or no":
            assert switched(f"x/{word}", settable=False).metric == metric, word
        else:
            assert measured(f"x/{word}", None if unit == "none" else unit).metric == metric, (unit, word)


@pytest.mark.parametrize("word", ["limit", "max", "min", "nominal", "rated", "threshold", "average", "today"])
def test_a_limit_of_a_quantity_is_another_quantity(word: str) -> None:
    assert measured(f"mains/power-{word}", "W").metric == f"mains_power_{word}_w"


@pytest.mark.parametrize(
    ("unit", "value", "converted"),
    [("°F", 212.0, 100.0), ("°F", -40.0, -40.0), ("psi", 1.0, 68.947572932), ("mA", 5.0, 0.005), ("min", 2.0, 120.0)],
)
def test_units_are_converted(unit: str, value: float, converted: float) -> None:
    assert measured("x", unit).of(value) == pytest.approx(converted, rel=1e-9)


def test_words_do_not_depend_on_how_they_are_joined() -> None:
    spellings = ("SupplyVoltage", "supply-voltage", "Supply Voltage", "supply_voltage", "Supply/Voltage")
    assert {words(one) for one in spellings} == {("supply", "voltage")}


def test_texts_that_say_what_a_device_is() -> None:
    assert [
        identity_role(name) for name in ("FW", "Firmware Version", "serialNumber", "MAC Address", "hw-version")
    ] == [
        "firmware",
        "firmware",
        "serial",
        "serial",
        "hardware",
    ]
    assert identity_role("firmware url") is None


@given(st.text(max_size=200), st.text(max_size=4) | st.sampled_from(["°C", "W", "km/h"]))
def test_any_name_and_unit_make_a_metric_name(source: str, unit: str) -> None:
    assert METRIC_NAME.fullmatch(measured(source, unit).metric)
    assert METRIC_NAME.fullmatch(switched(source, settable=True).metric)
    assert METRIC_NAME.fullmatch(wholesome(source, "m_per_s"))


@given(st.lists(st.text("aB1_/ °", max_size=90), max_size=20, unique=True))
def test_different_sources_never_share_a_name(sources: list[str]) -> None:
    owned: dict[str, str] = {}
    for source in sources:
        name = apart(Quantity("temperature_c"), source, owned).metric
        assert METRIC_NAME.fullmatch(name)
        assert name not in owned
        owned[name] = source
    for name, source in owned.items():
        assert apart(Quantity(name), source, owned).metric == name
