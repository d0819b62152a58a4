"""When we could not hear the fleet: no ingestor ran, none had the broker, or what they received waited for a store.

Every ingestor says every few seconds whether it receives. The fleet is heard while one at least does. A span in which none did is written
down by whoever receives next, so that the gap of a killed ingestor is found at its next start. Data of such a span may still come, from
the broker's queue or the spool: the span says that silence in it means nothing, not that data was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing, replace_rows
from hearthwatch.records.tables import blind_spans, receivers

BEAT = timedelta(seconds=5)
BLIND_AFTER = timedelta(seconds=30)
"""So long nobody has to say that they receive before we are blind: a busy machine is no outage."""
FORGOTTEN_AFTER = timedelta(days=7)
NO_INGESTOR, BROKER_AWAY, STORE_AWAY = "no_ingestor", "broker_away", "store_away"


@dataclass(frozen=True, slots=True)
class BlindSpan:
    """[since, until) without hearing; ``until`` is None while it lasts. ``reason``: no_ingestor, broker_away, store_away."""

    since: datetime
    until: datetime | None
    reason: str


def beat(connection: Connection, holder: str, now: datetime, *, receiving: bool, reason: str = "") -> BlindSpan | None:
    """An ingestor says how it is. Returns the span of blindness that it ends, if it does."""
    ended = _ended(connection, now) if receiving else None
    if ended is not None:
        row = {"since": ended.since, "until": now, "reason": ended.reason}
        insert_missing(connection, blind_spans, [row])
    own = connection.execute(
        sa.select(receivers.c.received_at).where(receivers.c.holder == holder)
    ).scalar_one_or_none()
    row = {
        "holder": holder,
        "receiving": receiving,
        "reason": "" if receiving else reason,
        "seen_at": now,
        "received_at": now if receiving else own,
    }
    replace_rows(connection, receivers, [row])
    newest = sa.select(sa.func.max(receivers.c.received_at)).scalar_subquery()
    connection.execute(
        sa.delete(receivers).where(
            receivers.c.seen_at < now - FORGOTTEN_AFTER,
            sa.or_(receivers.c.received_at.is_(None), receivers.c.received_at < newest),
        )
    )
    return ended


def _ended(connection: Connection, now: datetime) -> BlindSpan | None:
    standing = current(connection, now)
    return None if standing is None else BlindSpan(standing.since, now, standing.reason)


def current(connection: Connection, now: datetime) -> BlindSpan | None:
    """The blindness that lasts, if one does. None too where no ingestor ever received: then nobody knows."""
    last: datetime | None = connection.execute(sa.select(sa.func.max(receivers.c.received_at))).scalar_one()
    if last is None or now - last <= BLIND_AFTER:
        return None
    query = sa.select(receivers.c.reason).where(receivers.c.seen_at > now - BLIND_AFTER, receivers.c.reason != "")
    told = connection.execute(query.order_by(receivers.c.seen_at.desc()).limit(1)).scalar_one_or_none()
    return BlindSpan(last, None, told or NO_INGESTOR)


def between(connection: Connection, since: datetime, until: datetime, now: datetime) -> list[BlindSpan]:
    """The spans that touch [since, until), oldest first, the one that lasts included."""
    query = (
        sa.select(blind_spans.c.since, blind_spans.c.until, blind_spans.c.reason)
        .where(blind_spans.c.since < until, blind_spans.c.until > since)
        .order_by(blind_spans.c.since)
    )
    found = [BlindSpan(row.since, row.until, row.reason) for row in connection.execute(query)]
    standing = current(connection, now)
    return [*found, standing] if standing is not None and standing.since < until else found


def list_spans(connection: Connection, now: datetime, *, limit: int = 100) -> list[BlindSpan]:
    """The newest spans, the one that lasts first."""
    columns = (blind_spans.c.since, blind_spans.c.until, blind_spans.c.reason)
    rows = connection.execute(sa.select(*columns).order_by(blind_spans.c.since.desc()).limit(limit))
    standing = current(connection, now)
    found = [BlindSpan(row.since, row.until, row.reason) for row in rows]
    return [standing, *found][:limit] if standing is not None else found


def hours_of(spans: Sequence[BlindSpan], now: datetime) -> set[int]:
    """The hours (since 1970) of which at least half was blind."""
    seconds: dict[int, float] = {}
    for one in spans:
        at, end = one.since.timestamp(), (one.until or now).timestamp()
        while at < end:
            hour = int(at // 3600)
            upto = min(end, (hour + 1) * 3600.0)
            seconds[hour] = seconds.get(hour, 0.0) + upto - at
            at = upto
    return {hour for hour, blind in seconds.items() if blind >= 1800.0}


def forget(connection: Connection, before: datetime) -> int:
    """Delete spans that ended before a time. Returns how many."""
    return connection.execute(sa.delete(blind_spans).where(blind_spans.c.until < before)).rowcount
