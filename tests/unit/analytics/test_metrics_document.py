from __future__ import annotations

from pathlib import Path

from analytics.signals import SIGNALS
from analytics.vital_ratios import VITALS
from hearthwatch.failure_modes import FAILURE_MODES
from hearthwatch.metrics import CATALOGUE, REBOOT_CODES_EXPECTED

DOCUMENT = (Path(__file__).parents[3] / "docs/metrics.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Rows of the first table below a heading, as cells."""
    section = DOCUMENT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set(cells[0]) <= {"-"}:
            break
        rows.append(cells)
    return rows


def test_the_catalogue_stands_in_the_document_word_for_word() -> None:
    expected = [[f"`{metric.name}`", metric.unit, metric.kind, metric.bad, metric.meaning] for metric in CATALOGUE]
    assert table("Catalogue") == expected


def test_the_failure_modes_stand_in_the_document() -> None:
    expected = [
        [f"`{mode.id}`", mode.part, ", ".join(f"`{name}`" for name in mode.metrics), mode.meaning]
        for mode in FAILURE_MODES
    ]
    assert table("Failure modes") == expected


def test_the_signals_stand_in_the_document() -> None:
    expected = [
        [f"`{signal.id}`", ", ".join(f"`{name}`" for name in signal.needs), signal.bad, f"{signal.floor:g}"]
        for signal in SIGNALS
    ]
    assert table("What is watched for anomalies") == expected


def test_every_sum_of_a_vital_is_defined() -> None:
    for vital in VITALS:
        for name in (vital.numerator, *vital.denominator):
            assert f"`{name}`" in DOCUMENT


def test_the_expected_reboots_are_named() -> None:
    for code in REBOOT_CODES_EXPECTED:
        assert f"`{code}`" in DOCUMENT
