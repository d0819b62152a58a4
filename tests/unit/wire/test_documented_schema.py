"""docs/wire.md, the encoders and the decoder say the same: the schemas are read from the document itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import Event, Identity, Message, Presence, Reading, Reply
from hearthwatch.wire import native, shelly_components, shelly_gen1, tasmota_sensors
from hearthwatch.wire.native import Native
from tests.strategies import START, events, identities, metrics, presences, readings, replies

DOCUMENT = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
SCHEMAS = {
    schema["title"]: schema
    for schema in (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
}


def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMAS[kind], format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def check(encoded: tuple[str, bytes]) -> None:
    topic, payload = encoded
    validator(topic.rsplit("/", 1)[1]).validate(json.loads(payload))


def accepted(kind: str, payload: Any) -> bool:
    message = Message(f"hearthwatch/v1/dev-1/{kind}", json.dumps(payload).encode(), START)
    try:
        return not Native().decode(None, message)[0].rejected
    except Invalid:
        return False


def test_every_native_payload_has_a_schema_that_is_one() -> None:
    assert set(SCHEMAS) == {"telemetry", "event", "presence", "identity", "command", "reply"}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@given(reading=readings())
def test_encoded_telemetry_fits_the_schema(reading: Reading) -> None:
    check(
        native.telemetry(
            reading.device, [(reading.at, reading.metrics)], fw=reading.firmware, boot=reading.boot, seq=reading.seq
        )
    )


@given(samples=st.lists(metrics, min_size=1, max_size=4))
def test_encoded_telemetry_without_a_clock_fits_the_schema(samples: list[dict[str, float]]) -> None:
    check(native.telemetry("dev-1", [(None, one) for one in samples], boot="b1", seq=3))


@given(event=events(), presence=presences(), identity=identities(), reply=replies())
def test_encoded_messages_fit_their_schemas(event: Event, presence: Presence, identity: Identity, reply: Reply) -> None:
    check(native.event(event))
    check(native.presence(presence))
    check(native.will("dev-1", "b1"))
    check(native.identity(identity))
    check(native.reply(reply))
    check(native.command("dev-1", "c1", "update", version="2.5.0"))


_word = st.sampled_from(["a", "B", "", "2.4.1", "b71", "dev-1", "dev-2", "x" * 257])
_number = st.sampled_from([0, 1, -1, 1.5, True, 10**15, 10**15 + 1, 2**53 + 1])
_time = st.sampled_from(["2026-05-01T12:00:00Z", "2026-05-01T12:00:00.5+02:00"])
_sample = st.fixed_dictionaries(
    {"m": st.dictionaries(st.sampled_from(["a", "b2", "B", "1"]), _number, max_size=2)},
    optional={"at": _time, "seq": _number},
)
_telemetry = st.fixed_dictionaries(
    {},
    optional={
        "samples": st.lists(_sample, max_size=2),
        "fw": _word | _number,
        "boot": _word | _number,
        "seq": _number,
        "more": _word,
    },
)
_event = st.fixed_dictionaries(
    {}, optional={"at": _time, "kind": _word | _number, "code": _word | _number, "boot": _word, "seq": _number}
)


@given(payload=_telemetry)
def test_what_fits_the_telemetry_schema_is_accepted_whole(payload: dict[str, Any]) -> None:
    # Which samples need a seq of their own is more than the schema says: all but the first.
    keyless = [one for one in payload.get("samples", [])[1:] if "at" not in one]
    if validator("telemetry").is_valid(payload) and not keyless:
        assert accepted("telemetry", payload)


@given(payload=_telemetry)
def test_what_is_accepted_whole_fits_the_telemetry_schema(payload: dict[str, Any]) -> None:
    empty = any(payload.get(key) == "" for key in ("fw", "boot"))  # an empty text counts as absent
    numbered = "seq" not in payload and any("at" not in one for one in payload.get("samples", []))
    if accepted("telemetry", payload) and not empty and not numbered:
        validator("telemetry").validate(payload)


@given(payload=_event)
def test_the_event_schema_and_the_decoder_agree(payload: dict[str, Any]) -> None:
    if payload.get("boot") != "":  # an empty text counts as absent
        assert accepted("event", payload) == validator("event").is_valid(payload)


@pytest.mark.parametrize("kind", ["presence", "identity", "reply"])
def test_the_schema_refuses_what_the_decoder_refuses(kind: str) -> None:
    wrong: tuple[Any, ...] = ({"online": 1, "ok": 1, "id": 1, "model": 1}, [])
    for bad in wrong:
        assert not validator(kind).is_valid(bad)
        assert not accepted(kind, bad)


def test_the_table_of_metric_names_knows_only_names_of_the_catalogue() -> None:
    section = DOCUMENT.split("## Metric names")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)}
    assert names <= set(BY_NAME)
    assert mapped_names() <= names


def mapped_names() -> set[str]:
    """The plain names that the conventions' own tables map to."""
    paired = [
        *shelly_gen1._SCALARS.values(),
        *shelly_gen1._PER_CHANNEL.values(),
        *(pair for fields in shelly_components._FIELDS.values() for pair in fields.values()),
    ]
    plain = [tasmota_sensors._PLAIN, tasmota_sensors._ADDED, tasmota_sensors._SHARED]
    names = {name for name, _ in paired} | {name for table in plain for name in table.values()}
    return {re.sub(r"^phase\d_", "", name) for name in names}
