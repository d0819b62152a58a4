"""Replays quarantine as the settings say: their conventions and mapping files as they are now, their limits."""

from __future__ import annotations

from datetime import datetime

from hearthwatch.ports import TelemetryStore
from hearthwatch.records import decoder_states
from hearthwatch.records.database import Database
from hearthwatch.run.assembly import limits_of
from hearthwatch.run.mappings import spoken
from hearthwatch.settings import Settings
from hearthwatch.wire.registry import Decoder
from ingest.quarantine import replay


def replay_held(settings: Settings, store: TelemetryStore, database: Database, now: datetime) -> dict[str, int]:
    """Try held messages again, with all that was learned since. Raises `Invalid` for a mapping file, `Unavailable` for a store."""
    understood = spoken(settings)
    with database.reading() as connection:
        states = decoder_states.load(connection)
    return replay(store, database, Decoder(understood, states), now, limits=limits_of(settings))
