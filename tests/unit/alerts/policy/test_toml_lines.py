"""Where the keys of a TOML text stand."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy.file import default_text
from alerts.policy.toml_lines import Place, line_of, lines_of

KEYS = st.text("abcxyz_-019", min_size=1, max_size=6)
NASTY = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("# c = 0\n\nc = 1", ("c",), 3),
        ('a = "# not = a comment"\nb = 1', ("b",), 2),
        ('a = """\nb = 2\n"""\nb = 1', ("b",), 4),
        ("a = '''\nb = 2''''\nb = 1", ("b",), 3),
        ('a = "\\""\nb = 1', ("b",), 2),
        ("a = [\n  1,\n  # two\n  2,\n]\nb = 1", ("a", 1), 4),
        ("a = [{ x = 1 },\n{ x = 2 }]", ("a", 1, "x"), 2),
        ("[t]\na.b.c = 1", ("t", "a", "b", "c"), 2),
        ('[t."u v"]\n"w.x" = 1', ("t", "u v", "w.x"), 2),
        ("[[r]]\na = 1\n[[r]]\na = 2\n[r.s]\nb = 3", ("r", 1, "s", "b"), 6),
        ("[[r]]\n[[r.q]]\na = 1\n[[r.q]]\na = 2", ("r", 0, "q", 1, "a"), 5),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("[t]\r\na = [1, 2]", ("t", "a", 1), 2),
    ],
)
def test_a_key_is_found_on_its_line(text: str, place: Place, line: int) -> None:
    tomllib.loads(text)
    assert lines_of(text)[place] == line


def test_what_is_missing_is_looked_for_in_what_holds_it() -> None:
    found = lines_of("[[rules]]\nname = 'a'\n[[rules]]\nticket = true")
    assert line_of(found, ("rules", 1, "name")) == 3
    assert line_of(found, ("costs", "failure")) is None


def places(value: Any, here: Place = ()) -> list[Place]:
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    return [*([here] if here else []), *(one for key, child in children for one in places(child, (*here, key)))]


def test_every_value_of_the_shipped_policy_has_a_line_that_names_it() -> None:
    text = default_text()
    found, lines = lines_of(text), text.splitlines()
    for place in places(tomllib.loads(text)):
        key = next(step for step in reversed(place) if isinstance(step, str))
        assert key in lines[found[place] - 1]


@given(st.lists(st.tuples(KEYS, NASTY, st.booleans()), unique_by=lambda one: one[0], max_size=6))
def test_texts_and_comments_never_lead_astray(pairs: list[tuple[str, str, bool]]) -> None:
    lines: list[str] = []
    expected: dict[Place, int] = {}
    for key, text, commented in pairs:
        if commented:
            lines.append(f"# {text}")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'"{key}" = ["{escaped}", \'x\'] # {text}')
        expected[(key,)] = expected[key, 0] = expected[key, 1] = len(lines)
    document = "\n".join(lines)
    tomllib.loads(document)
    assert lines_of(document) == expected
