"""The spool, as the doctor sees it: whether there is room for it, and what waits in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.settings import Settings
from ingest.durable_files import room
from ingest.spool import DAMAGED, SpoolState
from ingest.spools import folder_of, survey

_MIB = 1 << 20


def check_spool(settings: Settings) -> Iterator[Check]:
    """Whether an outage of a store could be bridged, and which sessions have messages waiting on this machine."""
    if not settings.spool_max_bytes:
        yield advice(
            "spool",
            "it is turned off: while a store is away nothing is acknowledged, and the broker has to keep it all",
            "set spool_max_bytes",
        )
        return
    states = survey(settings.data_dir)
    yield _room(settings, states)
    for session, state in states.items():
        yield from _session(settings, session, state)


def _room(settings: Settings, states: dict[str, SpoolState]) -> Check:
    folder = settings.data_dir.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    size, free = room(there)
    usable = free - max(settings.spool_free_bytes, int(settings.spool_free_share * size))
    used = sum(state.bytes for state in states.values())
    left = min(usable, settings.spool_max_bytes - used)
    says = f"{used / _MIB:,.0f} MiB are in use, {max(0, left) / _MIB:,.0f} MiB more may be"
    if left <= 0:
        return unfit(
            "spool",
            f"{says}: when a store is away, nothing will be acknowledged",
            "bring the store back, free space on the disk of data_dir, or change spool_max_bytes, spool_free_share"
            " or spool_free_bytes",
        )
    if left < settings.spool_max_bytes - used:
        return advice("spool", f"{says}: the disk has no room for all of spool_max_bytes", "free space, or lower it")
    return well("spool", says)


def _session(settings: Settings, session: str, state: SpoolState) -> Iterator[Check]:
    name = f"spool.{session}"
    if state.damaged_bytes:
        yield advice(
            name,
            f"{state.damaged_bytes:,} bytes of damaged segments were set aside",
            f"look at the disk; what cannot be read is kept in {folder_of(settings.data_dir, session) / DAMAGED}",
        )
    if not state.messages:
        return
    age = 0.0 if state.oldest_at is None else (datetime.now(UTC) - state.oldest_at).total_seconds()
    says = f"{state.messages:,} messages wait ({state.bytes / _MIB:,.1f} MiB), the oldest for {age:,.0f} s"
    remedy = "bring the store back that is away; an ingestor on this machine that has this session stores them"
    too_old = age > settings.spool_max_age_s
    yield unfit(name, says, remedy) if too_old else advice(name, says, remedy)
