"""What of an address may be shown."""

from __future__ import annotations

import pytest

from hearthwatch.addresses import masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mqtts://ann:se@cret@broker.example:8883", "mqtts://ann:***@broker.example:8883"),
        ("postgresql://ann:secret@db.example/hw?sslmode=require", "postgresql://ann:***@db.example/hw?sslmode=require"),
        (
            "influxdb://db.example:8086/org/bucket?token=secret==&x=1",
            "influxdb://db.example:8086/org/bucket?token=***&x=1",
        ),
        ("influxdb://db.example/org/bucket?token_file=/run/t", "influxdb://db.example/org/bucket?token_file=/run/t"),
        ("sqlite:///var/records.sqlite3", "sqlite:///var/records.sqlite3"),
        ("local://demo", "local://demo"),
    ],
)
def test_a_password_and_a_token_are_never_shown(address: str, shown: str) -> None:
    assert masked(address) == shown
