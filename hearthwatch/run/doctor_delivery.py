"""Delivery, as the doctor sees it: whether every channel can be, answers, and is the one that letters wait for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from alerts.channels.addresses import channel_of, scheme
from alerts.delivery.overview import UNKNOWN, Standing, overview
from hearthwatch.clock import SystemClock
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import customers
from hearthwatch.records.database import open_database
from hearthwatch.run.channels import endpoints, event_channels, letter_channels
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.settings import Settings

SAMPLE = 5000
"""Customers whose addresses are looked at."""


def check_delivery(settings: Settings) -> Iterator[Check]:
    """The channels of the settings, and how what is in the outbox stands; nothing is sent."""
    try:
        named = [
            one.name for one in (*letter_channels(settings, SystemClock()), *event_channels(settings, SystemClock()))
        ]
        endpoints(settings)
    except HearthwatchError as error:
        yield unfit("channels", str(error), "see docs/delivery.md for the form of each service")
        return
    yield well("channels", f"{', '.join(sorted(named))} (nothing was sent)")
    yield from _standing(settings)


def _standing(settings: Settings) -> Iterator[Check]:
    """What the records say; where there are none yet, nothing."""
    address = settings.records_address
    if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).exists():
        return
    database = open_database(address)
    try:
        if not database.schema_is_current():
            return
        with database.reading() as connection:
            found = overview(connection, settings.channel_names, datetime.now(UTC))
            some = customers.list_customers(connection, limit=SAMPLE)
    finally:
        database.close()
    known = set(settings.channel_names)
    lost = sorted({channel_of(one) or f"{scheme(one)}:" for customer in some for one in customer.channels} - known)
    if lost:
        says = f"customers are to be reached by {', '.join(lost)}, which the settings do not have"
        yield advice(
            "channels.customers", says, "name these channels in the settings, or correct the customers' addresses"
        )
    yield from (check for one in found if (check := _told(one)) is not None)


def _told(one: Standing) -> Check | None:
    name = f"channels.{one.name}"
    if one.health == UNKNOWN and (one.waiting or one.attempts.get("nomatch")):
        says = f"{one.waiting} things wait for a channel that the settings do not have"
        return unfit(
            name,
            says,
            f"put {one.name} into channels, or cancel what waits (hearthwatch outbox list --channel {one.name})",
        )
    if one.health in {"open", "probing"}:
        return unfit(name, f"its provider is down: {one.last_error}; {one.waiting} things wait", "see the message")
    if one.health == "paused":
        return advice(
            name, f"paused by {one.paused_by}: {one.paused_reason}", f"hearthwatch outbox resume --channel {one.name}"
        )
    if one.dead:
        return advice(name, f"{one.dead} dead letters", f"hearthwatch outbox list --state failed --channel {one.name}")
    return None
