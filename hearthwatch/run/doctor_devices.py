"""Devices, as the doctor sees them: how much of their budget is used, who was turned away, which ids wait for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hearthwatch.records import admissions, aliases
from hearthwatch.records.database import open_database
from hearthwatch.run.checks import Check, advice, well
from hearthwatch.settings import Settings

NEARLY = 0.8
"""Share of a budget from which on it is said."""


def check_devices(settings: Settings) -> Iterator[Check]:
    """What becomes of devices that nobody registered, and what people have to decide. Says nothing of records that are not ready."""
    address = settings.records_address
    if address.startswith("sqlite:") and not Path(address.partition("?")[0].removeprefix("sqlite:///")).is_file():
        return  # opening it would make it
    database = open_database(address)
    try:
        if database.is_fresh() or not database.schema_is_current():
            return
        with database.reading() as connection:
            stands = admissions.today(connection, datetime.now(UTC))
            waiting = len(aliases.list_aliases(connection, state=aliases.PROPOSED, limit=1000))
    finally:
        database.close()
    yield _budget(settings, stands)
    if waiting:
        yield advice(
            "devices.aliases",
            f"{waiting} pairs of ids tell one hardware address, and may be one device or an imposter",
            "hearthwatch device alias list --state proposed, then device alias join or separate",
        )


def _budget(settings: Settings, stands: admissions.Intake) -> Check:
    today = f"{stands.admitted:,} came unregistered today, {stands.turned_away:,} samples of others were turned away"
    says = f"{stands.known:,} devices; {today}"
    remedy = "enroll those that are yours (hearthwatch device enroll), find out who the others are in quarantine"
    if stands.turned_away:
        return advice("devices", says, remedy)
    if settings.unknown_devices == "register" and (
        stands.admitted >= NEARLY * settings.device_budget_per_day or stands.known >= NEARLY * settings.device_budget
    ):
        return advice(
            "devices",
            f"{says}: the budget is nearly used",
            f"{remedy}, or raise device_budget_per_day or device_budget",
        )
    return well("devices", says)
