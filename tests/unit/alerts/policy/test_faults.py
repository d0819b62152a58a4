"""A wrong policy is refused with every fault at once: its key, its line, its rule, and what was probably meant."""

from __future__ import annotations

import pytest

from alerts.policy.file import InvalidPolicy, default_text, parse

RULE = '[[rules]]\nname = "r"\n'


def faults(text: str) -> list[tuple[str, int | None, str | None]]:
    with pytest.raises(InvalidPolicy) as refused:
        parse(text)
    return [(fault.key, fault.line, fault.rule) for fault in refused.value.faults]


def message(text: str) -> str:
    with pytest.raises(InvalidPolicy) as refused:
        parse(text)
    (fault,) = refused.value.faults
    return fault.message


def test_all_faults_are_told_by_line_not_only_the_first() -> None:
    text = (
        'name = "p"\n[notices]\nper_rond = 3\nper_round = "x"\n[costs.parts.battery]\nfailur = 1\n'
        + RULE
        + 'modes = [\n  "overheating",\n  "overheatin",\n]\n[[rules]]\nticket = true\nnotise = "fax"\n'
    )
    assert faults(text) == [
        ("notices.per_rond", 3, None),
        ("notices.per_round", 4, None),
        ("costs.parts.battery.failur", 6, None),
        ("rules.0.modes.1", 11, "r"),
        ("rules.1.name", 13, "number 2"),
        ("rules.1.notise", 15, "number 2"),
    ]


def test_the_error_itself_names_key_line_and_rule() -> None:
    with pytest.raises(
        InvalidPolicy, match=r"line 4, rules\.0\.severity \(rule 'r'\): must be .* did you mean 'critical'"
    ):
        parse('name = "p"\n' + RULE + 'severity = "criticl"')


@pytest.mark.parametrize(
    ("lines", "meant"),
    [
        ("[notices]\nper_household_and_mouth = 1", "per_household_and_month"),
        ("[quiet_hours]\nform = '21:00'", "from"),
        ("[costs.parts.relay]\nvisits = 3", "visit"),
        ("[costs.assumed]\ncritcal = 0.5", "critical"),
        ("[suppresion]\nwait_for_fix_days = 1", "suppression"),
    ],
)
def test_a_key_nobody_knows_comes_with_the_nearest_known_one(lines: str, meant: str) -> None:
    assert f"did you mean {meant!r}" in message(f'name = "p"\n{lines}\n{RULE}')


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("warranty = ['inside']", "'in', 'out' or 'unknown'"),
        ("safety_classes = ['injured']", "did you mean 'injury'"),
        ("groups = ['=x']", "no device group"),
        ("worth_it = true\npurpose = 'safety'", "not weighed against costs"),
        ("act_within_days = 0", "greater than 0"),
    ],
)
def test_a_rule_takes_no_nonsense(rule: str, what: str) -> None:
    assert what in message(f'name = "p"\n{RULE}{rule}')


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("[holidays]\ncountry = 'XX'", "no holidays are known of 'XX'"),
        ("[holidays.regions]\nnorth = 'DE-QQ'", "no holidays are known of 'DE-QQ'"),
        ("[costs]\nfailure = -1", "greater than or equal to 0"),
        ("[costs]\nfailure = inf", "finite"),
        ("[hysteresis]\nprobability = 1.0", "less than 1"),
        ("[notices]\nper_1000_devices_and_week = -1", "greater than or equal to 0"),
    ],
)
def test_limits_take_no_nonsense(lines: str, what: str) -> None:
    assert what in message(f'name = "p"\n{lines}\n{RULE}')


def test_what_is_not_toml_is_told_by_its_line() -> None:
    assert faults('name = "p"\n[notices\n') == [("", 2, None)]
    assert faults('name = "p"\n' + RULE + 'x = """') == [("", 4, None)]


def test_a_policy_without_rules_is_told_so_once() -> None:
    assert faults('name = "p"\nrules = []') == [("rules", 2, None)]
    assert faults('name = "p"\n' + RULE + "ticket = 1") == [("rules.0.ticket", 4, "r")]


def test_two_rules_of_one_name_are_refused_at_the_second() -> None:
    assert faults('name = "p"\n' + RULE + RULE) == [("rules.1.name", 5, "r")]


def test_very_many_faults_are_counted_in_the_message() -> None:
    with pytest.raises(InvalidPolicy, match="and 4 more"):
        parse('name = "p"\n' + RULE + "\n".join(f"key{number} = 1" for number in range(9)))


def test_the_shipped_policy_has_no_faults() -> None:
    assert parse(default_text()).rules
