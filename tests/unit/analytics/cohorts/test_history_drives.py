"""Forty days of a real fleet of disk drives by model, held against what became of the models."""

from __future__ import annotations

import csv
from pathlib import Path

from analytics.cohorts.history import compare_history

MAPPING = Path(__file__).parents[4] / "docs" / "examples" / "backblaze.toml"


def survived(folder: Path) -> dict[str, float]:
    """The share of each model's drives that survived five years, as known eleven years later, by the last word of its name."""
    with (folder / "survival_by_model_to_2024q2.csv").open() as file:
        return {row["model"].split()[-1]: float(row["surv_5yr"]) for row in csv.DictReader(file)}


def test_of_the_models_called_worse_none_turned_out_well_and_the_worst_is_among_them(third_party_data: Path) -> None:
    folder = third_party_data / "backblaze-2013q2"
    later = survived(folder)
    said: dict[str, set[str]] = {
        "worse": set(),
        "better": set(),
        "too_early": set(),
        "same": set(),
        "confounded": set(),
    }
    for one in compare_history(folder, MAPPING, "model")["comparisons"]:
        said[one["verdict"]].add(one["treatment"].split()[-1].lower())
        assert one["basis"] == "exchangeable"
    assert "st3000dm001" in said["worse"]
    assert later["st3000dm001"] < 0.2
    known = {model: later[model] for model in said["worse"] & later.keys()}
    assert max(known.values()) < 0.8
    assert min(later[model] for model in said["better"] & later.keys()) > 0.9
    assert not said["confounded"]
