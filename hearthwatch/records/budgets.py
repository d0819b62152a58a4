"""What was spent of the budgets for notices: counted by when a notice was sent, and while it waits to leave, whenever that is.

So counted, no order of rounds and deliveries lets more leave within a span than its budget: whatever was sent in the span before a notice
leaves was, when that notice was decided, either sent within the span or still on its way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.notices import ASKING
from hearthwatch.records.tables import devices, notices

LEAVING = ("queued", "held")
"""States of notices that are on their way."""


def _spent_since(since: datetime) -> sa.ColumnElement[bool]:
    """First notices that ask for something; reminders and news are what the customer waits for."""
    of_the_span = sa.and_(notices.c.state == "sent", notices.c.sent_at > since)
    return sa.and_(
        notices.c.kind.in_(ASKING), notices.c.occasion == "", sa.or_(notices.c.state.in_(LEAVING), of_the_span)
    )


def of_households(
    connection: Connection, since: datetime, *, home_ids: Iterable[str], customer_ids: Iterable[str]
) -> dict[str, int]:
    """How many notices households got after a time, or are about to get.

    By home, and by customer for those notices that name no home; those without any are absent.
    """
    found: dict[str, int] = {}
    homeless = notices.c.home_id.is_(None)
    for column, ids, extra in (
        (notices.c.home_id, home_ids, sa.true()),
        (notices.c.customer_id, customer_ids, homeless),
    ):
        for some in batched(ids):
            query = sa.select(column, sa.func.count()).where(column.in_(some), extra, _spent_since(since))
            found.update((household, count) for household, count in connection.execute(query.group_by(column)))
    return found


def of_fleet(connection: Connection, since: datetime) -> int:
    """How many notices left after a time, or are about to leave, over all."""
    query = sa.select(sa.func.count()).select_from(notices).where(_spent_since(since))
    return int(connection.execute(query).scalar_one())


def fleet_size(connection: Connection, now: datetime) -> int:
    """Devices in use: neither removed nor for tests."""
    in_use = sa.or_(devices.c.removed_at.is_(None), devices.c.removed_at > now)
    query = sa.select(sa.func.count()).select_from(devices).where(devices.c.test.is_(False), in_use)
    return int(connection.execute(query).scalar_one())
