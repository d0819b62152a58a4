"""The benchmark of looks at many releases."""

from __future__ import annotations

import os

import pytest

from hearthwatch.run.bench.cohorts import Options, one_core, run_cohorts


def test_both_ways_find_the_same_and_the_ratio_is_told() -> None:
    said: list[str] = []
    options = Options(streams=20, devices=60, looks=2, reference_streams=20, block_devices=50, block_hours=24)
    report = run_cohorts(options, said.append)
    assert report["largest_difference"] < 1e-9
    assert report["cpu_seconds_per_look"] >= 0.0
    assert (report["streams"], report["devices"], report["looks"]) == (20, 60, 2)
    assert len(said) == 2
    assert report["block"] == "24 hourly looks at 50 devices"
    assert report["block_cpu_seconds"] > 0.0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not tie a process to a core")
def test_it_runs_on_one_core_and_gives_the_others_back() -> None:
    before = os.sched_getaffinity(0)
    with one_core() as cores:
        assert cores == 1
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
