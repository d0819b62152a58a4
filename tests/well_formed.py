"""What every decoded message must be, whatever the bytes were."""

from __future__ import annotations

import msgspec

from hearthwatch.values import DEVICE_ID, METRIC_NAME, Decoded, Event, Identity, Presence, Reading, Reply
from hearthwatch.wire.describe import describe

VALUES = (Reading, Event, Presence, Identity, Reply)


def check_well_formed(answer: Decoded) -> None:
    """Values that every store can take, or rejections, or one reason to ignore the message; all of it can be printed as JSON."""
    assert answer.values or answer.rejected or answer.ignored
    assert not (answer.values and answer.ignored)
    for value in answer.values:
        assert isinstance(value, VALUES)
        assert DEVICE_ID.fullmatch(value.device)
        assert value.at.utcoffset() is not None
        assert not value.at.utcoffset()
        if isinstance(value, Reading):
            _check_metrics(value)
    for rejection in answer.rejected:
        assert rejection.reason
    msgspec.json.encode(describe("any", answer))


def _check_metrics(reading: Reading) -> None:
    assert 1 <= len(reading.metrics) <= 64
    for name, value in reading.metrics.items():
        assert METRIC_NAME.fullmatch(name)
        assert type(value) is float
        assert abs(value) <= 1e15
