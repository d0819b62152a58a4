"""docs/settings.md names every option, its default and its meaning. Run this file to write the table anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from hearthwatch.errors import Invalid
from hearthwatch.settings import Settings, load_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
MARK = "<!-- options:"


def options_table() -> str:
    """The table of options as the settings declare them."""
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = ",".join(default)
    return f"`{default}`" if default not in ("", None) else "empty"


def test_the_settings_page_holds_every_option_with_its_default_and_meaning() -> None:
    table = PAGE.read_text().split(MARK, 1)[1].split("-->\n\n", 1)[1]
    assert table == options_table()


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HEARTHWATCH_PORT", "many", "port"),
        ("HEARTHWATCH_PORT", "70000", "port"),
        ("HEARTHWATCH_LOG_LEVEL", "loud", "log_level"),
        ("HEARTHWATCH_BRAND", "Acme", "HEARTHWATCH_BRAND"),
        ("HEARTHWATCH_CONFIG", "missing.toml", "HEARTHWATCH_CONFIG"),
        ("HEARTHWATCH_SECRETS_DIR", "no/such/folder", "HEARTHWATCH_SECRETS_DIR"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Invalid) as caught:
        load_settings()
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_settings_file_counts_less_than_the_environment_and_more_than_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "h.toml"
    file.write_text('port = 9001\nbrand_name = "Acme"\nconventions = ["native", "tasmota"]\n')
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(file))
    monkeypatch.setenv("HEARTHWATCH_PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.brand_name, settings.conventions) == (9002, "Acme", ("native", "tasmota"))
    assert settings.host == "127.0.0.1"


def test_a_secret_in_a_file_counts_less_than_the_environment_and_more_than_the_settings_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hearthwatch.toml").write_text('secret_key = "from the settings"\nbrand_name = "Acme"\n')
    (tmp_path / "hearthwatch_secret_key").write_text("from the file\n")
    (tmp_path / "hearthwatch_brand_name").write_text("Example\n")
    (tmp_path / "somebody_elses_secret").write_text("not ours")
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(tmp_path / "hearthwatch.toml"))
    monkeypatch.setenv("HEARTHWATCH_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("HEARTHWATCH_BRAND_NAME", "Environment")
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == "from the file"
    assert settings.brand_name == "Environment"


def test_an_unknown_option_in_the_settings_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    file.write_text("prot = 9001\n")
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(file))
    with pytest.raises(Invalid, match="prot: there is no such option"):
        load_settings()


def test_a_settings_file_that_is_not_toml_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    file.write_text("port == 9001\n")
    monkeypatch.setenv("HEARTHWATCH_CONFIG", str(file))
    with pytest.raises(Invalid, match=r"h\.toml"):
        load_settings()


if __name__ == "__main__":
    page = PAGE.read_text()
    PAGE.write_text(page.split("-->\n", 1)[0] + "-->\n\n" + options_table())
