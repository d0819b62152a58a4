"""Late data over HTTP: how much of the fleet, and which days of one device."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.context import ApiContext
from hearthwatch.records import late_days
from hearthwatch.records.late_days import LateDay, day_of
from tests.unit.api.conftest import Client

DAY = timedelta(days=1)


@pytest.mark.parametrize("days", ["0", "-3", "many", "1e9"])
def test_a_period_that_is_none_is_refused(client: Client, days: str) -> None:
    assert client("viewer").get("/api/v1/late-days", params={"days": days}).status_code == 422


def test_late_days_are_counted_and_those_of_a_device_listed(context: ApiContext, client: Client) -> None:
    now = context.clock.now()
    today = day_of(now)
    with context.database.transaction() as connection:
        marks = [
            LateDay(device, today - ago * DAY, now, now) for device, ago in (("a", 2), ("a", 3), ("b", 3), ("b", 50))
        ]
        late_days.mark(connection, marks)
    every = client("viewer").get("/api/v1/late-days").json()
    assert (every["days"], every["late_days"], every["devices"], every["items"]) == (30, 3, 2, [])
    of_one = client("viewer").get("/api/v1/late-days", params={"device": "a", "days": 3}).json()
    assert [one["day"][:10] for one in of_one["items"]] == [(today - ago * DAY).date().isoformat() for ago in (2, 3)]
    assert of_one["last_at"] == now.isoformat().replace("+00:00", "Z")
