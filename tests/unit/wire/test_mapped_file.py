"""What is wrong in a mapping file is named by table and key, all of it at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.run.mappings import read_mapping, read_mappings
from hearthwatch.wire.mapped_file import parse_mapping
from hearthwatch.wire.mapped_path import MISSING, parse_batch, parse_path
from hearthwatch.wire.mapped_tables import Claims, Comings, Happening, Ignored, Telemetry
from hearthwatch.wire.mapped_topics import overlap, parse_filter
from tests.mappings import EXAMPLE

STATE = """
name = "acme"
[[topics]]
filter = "acme/{device}/state"
kind = "telemetry"
at = "$.ts"
at_format = "epoch_ms"
[topics.metrics]
temperature_c = { path = "$.t", unit = "°F" }
"""
EVENT = """
name = "acme"
[[topics]]
filter = "acme/{device}/event"
kind = "event"
event = "reboot"
code = { path = "$.why", values = { W = "watchdog" } }
"""
PRESENCE = """
name = "acme"
[[topics]]
filter = "acme/{device}/lwt"
kind = "presence"
path = "$"
online = ["on"]
offline = ["off"]
"""


def refusal(text: str, old: str = "", new: str = "") -> str:
    assert old in text
    with pytest.raises(Invalid) as wrong:
        parse_mapping(text.replace(old, new), "maker/acme.toml")
    said = str(wrong.value)
    assert said.startswith("maker/acme.toml: ")
    assert "\n" not in said
    return said


def test_a_file_that_is_no_toml_says_where() -> None:
    assert "line 2" in refusal("name = 'acme'\n[[topics]\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("acme/{device}/state", "acme//state", "topics[1] (acme//state) filter: an empty level"),
        ("acme/{device}/state", "acme/#/state", "filter: # is only the last level"),
        ("acme/{device}/state", "acme/x{device}", "filter: a level is a text"),
        ("acme/{device}/state", "acme/{home}", "filter: a level is a text"),
        ("acme/{device}/state", "{device}/{device}/x", "filter: {device} stands twice"),
        ("acme/{device}/state", "{device}/{name}/x", "filter: either {device} or {name}"),
        ("acme/{device}/state", "+/{device}/#", "filter: no level of it is a text"),
        ("acme/{device}/state", "$SYS/{device}", "filter: topics that begin with $"),
        ("acme/{device}/state", "acme/state", "device: no level of the filter is {device}"),
        ("acme/{device}/state", "acme/{name}/state", "filter: no table with {name} has a path `device`"),
        ('kind = "telemetry"', 'kind = "telemetri"', "topics[1] (acme/{device}/state): kind is one of telemetry"),
        ('kind = "telemetry"', "", "topics[1] (acme/{device}/state): kind is one of telemetry"),
        ('kind = "telemetry"', 'kind = "telemetry"\nfirmwear = "$.fw"', "firmwear: there is no such key"),
        ('kind = "telemetry"', 'kind = "telemetry"\nseq = "$.s"', "seq: it counts the messages of a boot"),
        ('kind = "telemetry"', 'kind = "telemetry"\nboot = "b"', "boot: a path begins with $"),
        ('kind = "telemetry"', 'kind = "telemetry"\nsamples = "$.d"', "samples: the path of a batch"),
        ('kind = "telemetry"', 'kind = "telemetry"\nsamples = "$.d[*]"', "metrics: no metric stands in a sample"),
        ('kind = "telemetry"', 'kind = "telemetry"\nreboot = "$.r"', "reboot: the cause of a reboot needs the metric"),
        ("epoch_ms", "epoch_min", "at_format: 'epoch_min' is none of iso8601, epoch_s"),
        ("epoch_ms", "%Q", "at_format: '%Q' is no pattern"),
        ('at = "$.ts"', "", "at_format: there is no path `at`"),
        ('"$.ts"', '"$.ts[*]"', "at: [*] stands for several values"),
        ('"$.ts"', '"$"', "at: $ is a payload that is no JSON"),
        ('"$.t"', '"$.t..x"', "metrics.temperature_c.path: not a path from"),
        ('"$.t"', '"@.t"', "metrics.temperature_c.path: @ is a sample of a batch"),
        ('"$.t"', "7", "metrics.temperature_c.path: expected a text"),
        ("°F", "furlong", "metrics.temperature_c.unit: 'furlong' is none of °C"),
        ("°F", "dBm", "metrics.temperature_c.unit: dBm is stored in the unit of a name that ends in _dbm"),
        ("temperature_c", "Temp", "metrics.Temp: a metric's name"),
        ('unit = "°F"', "scale = inf", "metrics.temperature_c.scale: not a finite number"),
        ('unit = "°F"', 'values = { on = "x" }', "metrics.temperature_c.values.on"),
        ('unit = "°F"', "missing = []", "metrics.temperature_c.missing: expected a list"),
        ('name = "acme"', 'name = "Acme!"', "name: expected"),
        ('name = "acme"', "", "name: it is missing"),
        ('name = "acme"', 'name = "identity"', "name: a mapping can not be called identity"),
        ("[topics.metrics]", "[topics.metrix]", "metrics: it is missing"),
    ],
)
def test_a_wrong_key_is_named_with_its_table(old: str, new: str, said: str) -> None:
    assert said in refusal(STATE, old, new)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    said = refusal(STATE, '"$.t", unit = "°F"', '"t", unti = "°F"')
    assert "metrics.temperature_c.path" in said
    assert "metrics.temperature_c.unti: there is no such key" in said


def test_of_very_many_wrong_keys_the_rest_is_counted() -> None:
    wrong = "\n".join(f'm{n}_c = {{ path = "t" }}' for n in range(40))
    assert refusal(STATE + wrong).endswith("and 28 more")


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (EVENT, '"watchdog"', '"woof"', "code: 'woof' is no cause of a reboot that is known: brownout"),
        (EVENT, "{device}", "{channel}", "filter: {channel} belongs to telemetry"),
        (EVENT, '"$.why"', '"@.why"', "code.path: @ is a sample of a batch, and only telemetry"),
        (EVENT, '"reboot"', '{ path = "$.k", value = "reboot" }', "event: give either path or value"),
        (EVENT, '"reboot"', '{ value = "reboot", otherwise = "x" }', "event: values and otherwise belong to a path"),
        (PRESENCE, '["off"]', '["ON"]', "offline: 'on' means both"),
        (PRESENCE, 'online = ["on"]\noffline = ["off"]', "", "online: name the values"),
        (PRESENCE, '["off"]', "[[1]]", "offline: expected texts, numbers or booleans"),
        (
            PRESENCE,
            '"presence"\npath = "$"\nonline = ["on"]\noffline = ["off"]',
            '"identity"',
            "model: an identity that",
        ),
        (PRESENCE, '"presence"\npath = "$"\nonline = ["on"]\noffline = ["off"]', '"ignore"', "every table is of kind"),
    ],
)
def test_so_is_what_only_some_kinds_can_have_wrong(text: str, old: str, new: str, said: str) -> None:
    assert said in refusal(text, old, new)


def test_two_tables_can_not_count_the_samples_of_one_topic() -> None:
    counted = (
        '[[topics]]\nfilter = "a/{device}"\nkind = "telemetry"\nboot = "$.b"\nseq = "$.s"\nmetrics = { x = "$.x" }\n'
    )
    assert "topics[2] (a/{device}) seq" in refusal('name = "a"\n' + counted * 2)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"gone\.toml: the mapping can not be read"):
        read_mapping(tmp_path / "gone.toml")
    odd, huge = tmp_path / "odd.toml", tmp_path / "huge.toml"
    odd.write_bytes(b"\xff")
    huge.write_bytes(b"#" * 300_000)
    with pytest.raises(Invalid, match="not UTF-8"):
        read_mapping(odd)
    with pytest.raises(Invalid, match="more than 262144 bytes"):
        read_mapping(huge)


def test_the_documented_example_is_read() -> None:
    (example,) = read_mappings([EXAMPLE])
    assert example.name == "acme"
    assert "acme/+/state" in example.filters
    assert not any("debug" in one for one in example.filters), "what is ignored is not asked for"


@given(data=st.data())
def test_any_change_of_a_file_gives_a_mapping_or_says_what_is_wrong(data: st.DataObject) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        keep = data.draw(st.integers(0, len(lines[place])))
        put = data.draw(
            st.sampled_from(["", "[", "]", '"', "=", "{", "x = 1", '"$"', "[[topics]]", "nan", "1e400", "\x00", "é"])
        )
        lines[place] = lines[place][:keep] + put + data.draw(st.sampled_from(["", lines[place][keep:]]))
    said = "acme.toml: it is right"
    try:
        parse_mapping("\n".join(lines), "acme.toml")
    except Invalid as wrong:
        said = str(wrong)
    assert said.startswith("acme.toml: ")
    assert len(said.splitlines()) == 1


def test_a_file_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Invalid):
        parse_mapping("a = " + "[" * 5000 + "]" * 5000, "deep.toml")


# -- paths and filters


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", {"a": [{"b c": 1}, 2], "d-e": None}),
        ("$.a[0]['b c']", 1),
        ('$["a"][-1]', 2),
        ("$.d-e", None),
        ("$.a.b", MISSING),
        ("$.a[7]", MISSING),
        ("$[0]", MISSING),
        ("$.a[0].b", MISSING),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, value: object) -> None:
    payload = {"a": [{"b c": 1}, 2], "d-e": None}
    assert parse_path(path).of(payload) == value


@pytest.mark.parametrize(
    "path", ["", "a", "$a", "$.", "$[", "$['a", "$[1.5]", "$.a b", "$..a", "$" + ".a" * 17, "$." + "a" * 300]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        parse_path(path)


@pytest.mark.parametrize("path", ["$.a", "@[*]", "$[*][*]", "[*]", "$[*]x"])
def test_what_is_no_path_of_a_batch_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        parse_batch(path)


def test_a_batch_is_a_list() -> None:
    assert parse_batch("$.a[*].b").of({"a": [{"b": 1}, {}, 3]}) == [1, MISSING, MISSING]
    with pytest.raises(Invalid, match="no list"):
        parse_batch("$.a[*]").of({"a": {"b": 1}})


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("a/+/c", "a/b/+", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/b/#", "a", False),
        ("a/#", "+/b/c", True),
        ("a/+/x", "a/b/y", False),
        ("a", "b/#", False),
        ("+/+/+/state", "acme/+/x/state", True),
    ],
)
def test_filters_share_topics_or_do_not(one: str, other: str, share: bool) -> None:
    assert overlap(one, other) is share
    assert overlap(other, one) is share


def test_a_filter_says_what_the_levels_of_a_topic_are() -> None:
    wanted = parse_filter("acme/{device}/out/{channel}/#")
    place = wanted.match("acme/d 1/out/2/x/y")
    assert place is not None
    assert (place.device, place.channel, place.name) == ("d 1", "2", None)
    assert wanted.stream(place, 1) == "out/2/x/y"
    assert wanted.match("acme/d/out") is None
    assert wanted.match("acme//out/2") is None, "an empty level is no device"


def test_the_mapping_in_the_document_is_read_and_every_key_is_described() -> None:
    document = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
    section = document.split("(`mapped`)")[1].split("\n## ")[0]
    parse_mapping(section.split("```toml\n")[1].split("```")[0], "docs/wire.md")
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    tables = (Telemetry, Happening, Comings, Claims, Ignored)
    assert described == {name for table in tables for name in table.model_fields}
