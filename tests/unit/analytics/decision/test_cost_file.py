from __future__ import annotations

from pathlib import Path

import pytest

from analytics.decision.cost_file import CostSheet, parse_costs, read_costs
from hearthwatch.errors import Invalid

DEFAULT = """
currency = "EUR"

[default]
failure = 90
planned = 35
effectiveness = 0.7
notice = 0.5
false_alarm = 12
"""
EXAMPLE = Path("docs/examples/costs.toml")


def parsed(text: str) -> CostSheet:
    return parse_costs(text, "costs.toml")


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (DEFAULT + "[parts.relais]\nfailure = 100", "parts.relais", "no such part; there are battery"),
        (DEFAULT + '[models."lock-3".batery]\nfailure = 100', "models.lock-3.batery", "no such part"),
        (DEFAULT + "[parts.relay]\nnotice = -1", "parts.relay.notice", "greater than or equal to 0 (given: -1)"),
        (DEFAULT + "[parts.relay]\nfailure = nan", "parts.relay.failure", "finite number (given: nan)"),
        (DEFAULT + "[parts.relay]\nplanned = inf", "parts.relay.planned", "finite number (given: inf)"),
        (DEFAULT + "[parts.relay]\nplanned = 1e300", "parts.relay.planned", "less than 1000000000000"),
        (
            DEFAULT + "[parts.relay]\nfailure = 30",
            "parts.relay.failure",
            "30 is no more than a planned repair costs (35)",
        ),
        (DEFAULT + "[models.x.relay]\nplanned = 95", "models.x.relay.failure", "90 is no more than a planned repair"),
        (DEFAULT + '[parts.relay]\nfailure = "much"', "parts.relay.failure", "valid number (given: 'much')"),
        (DEFAULT + "[parts.relay]\nfailure = true", "parts.relay.failure", "valid number (given: True)"),
        (DEFAULT + "[parts.relay]\nfailures = 80", "parts.relay.failures", "there is no such key"),
        (DEFAULT + "[parts.relay]\neffectiveness = 70", "parts.relay.effectiveness", "less than or equal to 1"),
        (DEFAULT + "[parts.relay]\neffectiveness = 0", "parts.relay.effectiveness", "greater than 0"),
        (DEFAULT + "[parts.relay]\nnotice = 0\nfalse_alarm = 0", "parts.relay.notice", "every device would be flagged"),
        (DEFAULT + "[parts.relay]\nnotice = 40", "parts.relay.notice", "40 is no less than what acting saves (38.5)"),
        (DEFAULT + "[parts]\nrelay = 3", "parts.relay", "(given: 3)"),
        (DEFAULT.replace("notice = 0.5\n", ""), "default.notice", "is missing"),
        ('currency = "EUR"', "default", "Field required"),
        (DEFAULT.replace('"EUR"', "978"), "currency", "valid string (given: 978)"),
        (DEFAULT.replace('"EUR"', '"E U R"'), "currency", "match pattern"),
        (DEFAULT.replace('currency = "EUR"', ""), "currency", "Field required"),
        ("other_parts = 3\n" + DEFAULT, "other_parts", "(given: 3)"),
        ("curency = 3\n" + DEFAULT, "curency", "there is no such key"),
    ],
)
def test_a_mistake_is_named_with_its_key(text: str, key: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(text)
    assert caught.value.where == f"costs.toml: {key}"
    assert said in caught.value.message


def test_what_is_not_toml_is_told_with_its_line() -> None:
    with pytest.raises(Invalid, match=r"at line 10, column 13"):
        parsed(DEFAULT + "[parts.relay\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file") as caught:
        read_costs(tmp_path / "none.toml")
    assert caught.value.where == str(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'currency = "\xe9"')
    with pytest.raises(Invalid, match="not UTF-8"):
        read_costs(tmp_path / "latin.toml")


def test_a_section_needs_only_what_differs_from_the_one_above_it() -> None:
    sheet = parsed(DEFAULT + '[parts.relay]\nfailure = 120\n[models."plug-x".relay]\nplanned = 20')
    assert sheet.of("plug-y", "battery") == sheet.default
    assert (sheet.of("plug-y", "relay").failure, sheet.of("plug-y", "relay").planned) == (120, 35)
    assert (sheet.of("plug-x", "relay").failure, sheet.of("plug-x", "relay").planned) == (120, 20)
    assert sheet.of("plug-x", "relay").currency == "EUR"


def test_a_makers_own_part_is_known_once_it_is_listed() -> None:
    section = "[parts.compressor]\nfailure = 400"
    with pytest.raises(Invalid, match="Name parts of your own in other_parts"):
        parsed(DEFAULT + section)
    assert parsed('other_parts = ["compressor"]\n' + DEFAULT + section).of("fridge", "compressor").failure == 400


def test_the_example_says_what_its_comments_say() -> None:
    sheet = read_costs(EXAMPLE)
    assert f"{100 * sheet.of('any', 'relay').threshold:.1f} %" == "8.0 %"
    assert "8.0 %" in EXAMPLE.read_text(encoding="utf-8")
    assert sheet.of("lock-3", "battery").threshold < sheet.of("sensor-2", "battery").threshold
