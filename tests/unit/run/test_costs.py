"""The costs file among the settings: refused at the start when it is wrong, told by the doctor when it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.run.assembly import open_platform
from hearthwatch.run.checks import guarded
from hearthwatch.run.doctor_costs import check_costs
from hearthwatch.settings import Settings

EXAMPLE = Path("docs/examples/costs.toml")


def test_a_wrong_costs_file_stops_the_start_with_the_key_and_not_a_job_every_night(tmp_path: Path) -> None:
    wrong = tmp_path / "costs.toml"
    wrong.write_text(EXAMPLE.read_text(encoding="utf-8").replace("[parts.relay]", "[parts.relais]"), encoding="utf-8")
    settings = Settings(data_dir=tmp_path / "var", prognosis_costs_file=wrong)
    with pytest.raises(Invalid, match=r"costs.toml: parts.relais: no such part"):
        open_platform(settings, SystemClock())
    assert not (tmp_path / "var").exists(), "nothing was begun"
    (said,) = guarded("costs", lambda: check_costs(settings), "mend the file")
    assert (said.level, said.remedy) == ("no", "mend the file")


def test_the_doctor_says_from_where_on_each_part_is_flagged() -> None:
    (said,) = check_costs(Settings(prognosis_costs_file=EXAMPLE))
    assert "other parts from 24.8 %" in said.says
    assert "relay from 8.0 %" in said.says
    assert "lock-3 battery from " in said.says


def test_without_costs_the_doctor_names_the_one_probability() -> None:
    (said,) = check_costs(Settings())
    assert said.says == "none: a probability of 50 % decides for all parts"
