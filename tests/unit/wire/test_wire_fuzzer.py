"""The fuzzer of the conventions finds what is broken, and prints what replays it."""

from __future__ import annotations

import io
import json

import pytest

from hearthwatch.ports import State
from hearthwatch.run.decoding import decode_lines
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.homie import Homie
from tests.simulation.fuzz_wire import main


@pytest.fixture
def documented_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEARTHWATCH_DATA", raising=False)


def test_a_thousand_wrong_messages_give_values_or_invalid(
    documented_only: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--cases", "1000"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["cases"] == 1000
    assert figures["outcomes"]["values"] > 50
    assert figures["outcomes"]["invalid"] > 50


def test_a_decoder_that_breaks_is_found_and_its_messages_are_printed(
    documented_only: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = Homie.decode

    def careless(self: Homie, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        if state and message.topic.endswith("$datatype"):
            raise KeyError("broken")
        return spoken(self, state, message)

    monkeypatch.setattr(Homie, "decode", careless)
    assert main(["--cases", "1000"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, "the one that makes a state, and the one that trips over it"
    with pytest.raises(KeyError, match="broken"):
        decode_lines(io.BytesIO("\n".join(lines).encode()), (Homie(),), io.StringIO())
