"""Tries again what was held back, after a decoder was mended, a limit was raised or a clock was set right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, findings, late_days, metric_names, quarantine
from hearthwatch.records.database import Database
from hearthwatch.records.quarantine import HeldItem
from hearthwatch.values import Message, Reading, WriteResult
from ingest.batch import SOURCE, Batch, BatchBuilder, MessageDecoder
from ingest.lateness import Lateness
from ingest.limits import Limits

OF_ANOTHER = "sent by another user"
"""How the reason of a message under a false name begins. Who sent it is not kept, so it never becomes good."""
LATE = "/late"
PAGE = 500
"""Items replayed together; the payload kept of each is at most 64 KiB."""
_METRIC = re.compile(r"[ .]")  # the last word of a part is the metric, where a part is one
MISMATCH_RELAPSE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Held:
    """A held message with the items its parts made."""

    message: Message
    items: tuple[HeldItem, ...]


def replay(
    store: TelemetryStore,
    database: Database,
    decoder: MessageDecoder,
    now: datetime,
    *,
    limits: Limits,
) -> dict[str, int]:
    """Decode held messages anew, oldest first, and store what is good now; whatever of them was stored before is a duplicate.

    Returns the items that are good now (``replayed``) and those that are not (``still_bad``), and samples ``stored`` and
    ``duplicate``. May be run twice. Raises `Unavailable` when a store is away; what was replayed by then stays replayed.
    """
    builder = BatchBuilder(decoder, limits)
    answer = dict.fromkeys(("replayed", "stored", "duplicate", "still_bad"), 0)
    for page in _pages(database):
        _replay_page(page, builder, limits, store, database, now, answer)
    return answer


def _replay_page(
    page: Sequence[_Held],
    builder: BatchBuilder,
    limits: Limits,
    store: TelemetryStore,
    database: Database,
    now: datetime,
    answer: dict[str, int],
) -> None:
    with database.reading() as connection:
        names = metric_names.load(connection)
    batch = builder.build([(held.message, None) for held in page], 0.0, now, names, lambda _message: None)
    if batch.unknown:
        with database.transaction() as connection:
            admitted = metric_names.admit(connection, batch.unknown, None, now, limits.metric_budget)
        batch.drop_metrics(frozenset(batch.unknown) - admitted)
    _add_late_metrics(batch, page)
    written = _write(store, batch)
    good = [item.id for item in _good(page, batch)]
    with database.transaction() as connection:
        devices.see(connection, batch.sightings)
        late_days.mark(connection, Lateness().news(batch.values, batch.not_new, now))
        for observation in devices.apply_identities(connection, batch.identities):
            findings.observe(connection, observation, relapse=MISMATCH_RELAPSE)
        quarantine.mark(connection, good, "replayed")
    answer["replayed"] += len(good)
    answer["still_bad"] += sum(len(held.items) for held in page) - len(good)
    answer["stored"] += written.stored + batch.identified
    answer["duplicate"] += written.duplicate + batch.duplicate


def _good(page: Sequence[_Held], batch: Batch) -> Iterator[HeldItem]:
    """Items of which nothing was held again; one that stands for a whole message is good when all of the message is."""
    parts: dict[tuple[str, bytes], set[str]] = {}
    for again in batch.held:
        parts.setdefault((again.topic, again.payload), set()).add(again.part)
    for held in page:
        bad = parts.get((held.message.topic, held.message.payload), set())
        yield from (item for item in held.items if item.part not in bad and not (bad and not item.part))


def _add_late_metrics(batch: Batch, page: Sequence[_Held]) -> None:
    """A reading that was stored without some metric stays as it is, so the metric becomes a reading on a stream of its own."""
    for place in range(len(batch.values)):
        value, origin = batch.values[place], batch.origins[place]
        held_alone = {_METRIC.split(item.part)[-1] for item in page[origin].items if item.samples == 0}
        if isinstance(value, Reading) and not held_alone.isdisjoint(value.metrics):
            late = {name: number for name, number in value.metrics.items() if name in held_alone}
            batch.values.append(msgspec.structs.replace(value, stream=value.stream + LATE, metrics=late))
            batch.origins.append(origin)


def _write(store: TelemetryStore, batch: Batch) -> WriteResult:
    """Store a batch, value by value where the store does not take it as a whole; what it does not take is held again."""
    try:
        result = store.write(batch.values)
        batch.not_new.update(result.repeated)
        return result
    except Invalid:
        stored = duplicate = 0
        for place, value in enumerate(batch.values):
            try:
                result = store.write([value])
            except Invalid as error:
                batch.hold_value(place, error)
            else:
                stored += result.stored
                duplicate += result.duplicate
        return WriteResult(stored, duplicate)


def _pages(database: Database) -> Iterator[list[_Held]]:
    """Held messages of the broker, oldest first, each once with all its parts. Payloads are read page by page."""
    with database.reading() as connection:
        marks = quarantine.held_marks(connection, SOURCE)
    together: dict[tuple[str, datetime], list[int]] = {}
    for mark in marks:  # the parts of a message came in one moment, under one topic
        together.setdefault((mark.topic, mark.received_at), []).append(mark.id)
    ids: list[int] = []
    for group in together.values():
        ids += group
        if len(ids) >= PAGE:
            yield _messages(database, ids)
            ids = []
    if ids:
        yield _messages(database, ids)


def _messages(database: Database, ids: Sequence[int]) -> list[_Held]:
    with database.reading() as connection:
        items = quarantine.load(connection, ids)
    groups: dict[tuple[str, bytes], list[HeldItem]] = {}
    for item in items:
        groups.setdefault((item.topic, item.payload), []).append(item)
    return [_held(topic, payload, parts) for (topic, payload), parts in groups.items()]


def _held(topic: str, payload: bytes, parts: Sequence[HeldItem]) -> _Held:
    # A false name that the payload does not show must not pass the second time.
    false_name = any(part.reason.startswith(OF_ANOTHER) for part in parts)
    user = "?" if false_name else None
    return _Held(Message(topic, payload, parts[0].received_at, user=user), tuple(parts))
