"""Policy files and versions: what is refused, and which one counts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import versions as policy
from alerts.policy.file import default_text, digest
from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import audit, policies
from tests.unit.alerts.world import World

NAME = 'name = "p"\n'
RULE = '[[rules]]\nname = "r"\n'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("oops = ", "policy"),
        ("", "rules"),
        ("rules = []", "rules"),
        (RULE + "notise = 'update'", "rules.0.notise"),
        (RULE + "notice = 'fax'", "rules.0.notice"),
        (RULE + "kinds = ['anomoly']", "rules.0.kinds.0"),
        (RULE + "modes = ['battery']", "rules.0.modes"),
        (RULE + "severity = 'bad'", "rules.0.severity"),
        (RULE + "probability = 1.5", "rules.0.probability"),
        (RULE + "hold_hours = -1", "rules.0.hold_hours"),
        (RULE + "ticket = 'yes'", "rules.0.ticket"),
        (RULE + "kinds = ['anomaly']\npause_rollout = true", "rules.0"),
        ("[quiet_hours]\nfrom = '25:00'\n" + RULE, "quiet_hours.from"),
        ("[quiet_hours]\ntimezone = 'Mars/Base'\n" + RULE, "quiet_hours.timezone"),
        ("[engineers]\naddresses = ['exec://rm']\n" + RULE, "engineers.addresses"),
        ("[notices]\nper_round = 0\n" + RULE, "notices.per_round"),
        ("[tickets]\ndue_days = [1, 2]\n" + RULE, "tickets.due_days"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_name_of_the_key(text: str, key: str) -> None:
    with pytest.raises(Invalid) as refused:
        policy.parse(NAME + text)
    assert key in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_invalid(text: str) -> None:
    with suppress(Invalid):
        policy.parse(text)


def test_a_policy_file_that_can_not_be_read_is_named(world: World, tmp_path: Path) -> None:
    binary = tmp_path / "policy.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.toml", binary):
        with pytest.raises(Invalid, match=path.name), world.database.transaction() as connection:
            policy.ensure_policy(connection, path, world.now)


def test_the_mode_of_a_policy_that_is_not_there_can_not_be_set(world: World) -> None:
    with pytest.raises(Missing), world.database.transaction() as connection:
        policy.set_mode(connection, 7, "live", "ann", world.now)


def test_a_policy_has_no_other_modes(world: World) -> None:
    version = world.policy("observe")
    with pytest.raises(Invalid), world.database.transaction() as connection:
        policy.set_mode(connection, version, "on", "ann", world.now)
    with pytest.raises(Conflict), world.database.transaction() as connection:
        policy.set_mode(connection, version, "observe", "ann", world.now)


def test_the_shipped_policy_is_valid_and_observes_until_a_person_sets_it_live(world: World) -> None:
    with world.database.transaction() as connection:
        added = policy.ensure_policy(connection, None, world.now)
        assert policy.ensure_policy(connection, None, world.now) == added
    assert (added.mode, added.live_by) == ("observe", None)
    with world.database.transaction() as connection:
        live = policy.set_mode(connection, added.version, "live", "ann", world.now)
        trail = [(entry.action, entry.actor) for entry in audit.list_entries(connection)]
    assert (live.live_by, live.live_since) == ("ann", world.now)
    assert trail == [("policy.live", "ann"), ("policy.add", "settings")]


def test_a_changed_file_waits_as_a_new_version_while_the_live_one_counts(world: World, tmp_path: Path) -> None:
    live = world.policy()
    file = tmp_path / "policy.toml"
    file.write_text(default_text().replace("per_round = 250", "per_round = 9"))
    with world.database.transaction() as connection:
        added = policy.ensure_policy(connection, file, world.now)
        current = policies.current(connection)
    assert added.version != live
    assert current is not None
    assert current.version == live
    world.set_mode(added.version, "live")
    with world.database.reading() as connection:
        assert [(one.version, one.mode) for one in policies.list_versions(connection)] == [
            (added.version, "live"),
            (live, "retired"),
        ]


def test_trailing_blanks_and_line_ends_make_no_new_version() -> None:
    assert digest("a = 1\nb = 2\n") == digest("a = 1  \r\nb = 2")
    assert digest("a = 1") != digest("a = 2")


def test_the_first_rule_that_fits_decides() -> None:
    parsed = policy.parse(default_text())
    assert [rule.name for rule in parsed.rules][:2] == ["a release is worse", "dangerously hot"]
