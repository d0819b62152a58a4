"""Mapping files among the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.run.assembly import split_of
from hearthwatch.run.cli import run
from hearthwatch.run.mappings import spoken
from hearthwatch.settings import Settings, load_settings
from tests.mappings import EXAMPLE


def test_a_mapping_is_listened_to_by_the_one_session_that_hears_what_is_not_divided() -> None:
    split = split_of(Settings(mappings=(EXAMPLE,)))
    assert "acme/+/state" in split.alone
    assert not any("acme" in one for one in split.shared)


def test_several_files_are_named_by_commas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(EXAMPLE.read_text(encoding="utf-8").replace("acme", "other"), encoding="utf-8")
    monkeypatch.setenv("HEARTHWATCH_MAPPINGS", f"{EXAMPLE}, {other}")
    monkeypatch.setenv("HEARTHWATCH_CONVENTIONS", "native")
    assert [one.name for one in spoken(load_settings())] == ["native", "acme", "other"]


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="two mappings are called acme"):
        spoken(Settings(mappings=(EXAMPLE, EXAMPLE)))


def test_the_settings_in_force_name_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HEARTHWATCH_MAPPINGS", str(EXAMPLE))
    assert run(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mappings"] == [str(EXAMPLE)]


def test_a_mapping_can_be_tried_before_it_is_among_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = tmp_path / "payload"
    payload.write_text("21.5")
    given = ["decode", "--json", "acme/AABBCC001122/room_temperature", str(payload)]
    assert run(given) == 0
    assert json.loads(capsys.readouterr().out)["convention"] is None
    assert run([*given, "--mapping", str(EXAMPLE)]) == 0
    (value,) = json.loads(capsys.readouterr().out)["values"]
    assert (value["device"], value["metrics"]) == ("aabbcc001122", {"reference_temperature_c": 21.5})
    assert run([*given, "--mapping", str(tmp_path / "gone.toml")]) == 2
    assert "gone.toml: the mapping can not be read" in capsys.readouterr().err
