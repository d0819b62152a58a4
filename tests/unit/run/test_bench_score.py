"""`hearthwatch bench score`, small."""

from __future__ import annotations

import json

import pytest

from hearthwatch.run.cli import run


def test_the_report_names_its_reference_and_scales_what_was_measured_to_a_million_devices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = ["--devices", "50", "--minutes", "20", "--minutes-before", "40"]
    assert run(["bench", "score", *sizes, "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert "minute 0: " in captured.err
    assert "running mean and deviation" in report["reference"]
    assert report["cpu_ns_per_value"] > 0
    seconds = report["cpu_seconds_per_minute_of_a_million_devices"]
    assert seconds == pytest.approx(report["cpu_ns_per_value"] * 8e6 / 1e9, rel=0.01, abs=0.01)
    assert report["share_of_one_core"] == pytest.approx(seconds / 60, rel=0.01, abs=0.001)
    assert report["gigabytes_per_million_devices"] == pytest.approx(report["bytes_per_device"] / 1000, abs=0.1)


def test_a_fleet_without_devices_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "score", "--devices", "0"]) == 2
    assert "--devices" in capsys.readouterr().err
