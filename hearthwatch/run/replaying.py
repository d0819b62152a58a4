"""Replays quarantine as the settings say: their conventions and mapping files as they are now, their limits."""

from __future__ import annotations

from datetime import datetime

from hearthwatch.ports import TelemetryStore
from hearthwatch.records import admissions, decoder_states
from hearthwatch.records.database import Database
from hearthwatch.run.intake_limits import limits_of
from hearthwatch.run.mappings import spoken
from hearthwatch.settings import Settings
from hearthwatch.wire.registry import Decoder
from ingest.admission import AdmissionPolicy
from ingest.directory import Directory
from ingest.identity import IdentifyingDecoder
from ingest.quarantine import replay


def replay_held(settings: Settings, store: TelemetryStore, database: Database, now: datetime) -> dict[str, int]:
    """Try held messages again, with all that was learned since. Raises `Invalid` for a mapping file, `Unavailable` for a store."""
    understood = spoken(settings)
    with database.reading() as connection:
        states = decoder_states.load(connection)
        limits = limits_of(settings)
        # A replay refuses nobody: what is not taken in stays held, all of it.
        policy = limits.admission if limits.unknown_devices != "refuse" else AdmissionPolicy("quarantine")
        directory = Directory(policy, held_a_day=None)
        directory.load(connection, now)
    decoder = Decoder(understood, states)
    identifying = IdentifyingDecoder(decoder, decoder.forget, directory, name="replay")
    answer = replay(store, database, identifying, now, limits=limits)
    with database.transaction(alone=False) as connection:
        admissions.count(connection, now, admitted=directory.newcomers)
    return answer
