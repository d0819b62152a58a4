"""What the records and the store hold when prognoses are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.artifacts import Artifact, load
from analytics.features import WINDOW_DAYS
from analytics.labels import EVERYTHING, Labels, read_labels
from analytics.panel import Panel, day_number, day_start, panel_of
from analytics.signals import raw_metrics
from analytics.silence import blind_days
from analytics.training.names import FAMILY
from analytics.training.remaining_life import FAMILY as WEAR_FAMILY
from analytics.training.remaining_life import WearModel
from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import findings, model_versions, prognoses
from hearthwatch.records.database import Database
from hearthwatch.records.model_versions import ModelVersion
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device, Finding

ACTIVE = timedelta(days=7)
CONFIRMED = ("flagged", "waiting")
"""States of what was above its line on two runs in a row."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the records hold: labels, champions by (device model, part), open findings by (device, mode), the last 30-day probabilities.

    ``blind`` are the days on which nobody could be heard. ``wear`` are the champions that tell remaining life.
    """

    labels: Labels
    champions: Mapping[Key, ModelVersion]
    wear: Mapping[Key, ModelVersion]
    open: Mapping[Key, Finding]
    before: Mapping[Key, float]
    blind: AbstractSet[int]


def is_active(device: Device, now: datetime) -> bool:
    """Whether a device is in service and was heard of in the last week."""
    return device.removed_at is None and device.last_seen is not None and now - device.last_seen <= ACTIVE


def load_known(database: Database, now: datetime) -> Known:
    with database.reading() as connection:
        working = model_versions.champions(connection)
        standing = findings.list_findings(connection, kind="prognosis", states=findings.UNRECOVERED, limit=EVERYTHING)
        today = day_start(day_number(now))
        before = {
            (row.device_id, row.part): row.p30
            for row in prognoses.riskiest(connection, limit=EVERYTHING)
            if row.p30 is not None and row.method == "hazard" and _counts_as_before(row, today)
        }
        labels = read_labels(connection, now)
        blind = blind_days(connection, now)
    return Known(
        labels,
        _by_part(working, FAMILY),
        _by_part(working, WEAR_FAMILY),
        {(one.subject, one.mode): one for one in standing},
        before,
        blind,
    )


def _counts_as_before(row: Prognosis, today: datetime) -> bool:
    """Whether a row stands for the days before today: it is of one of them, or of today's first run, which had confirmed it by them."""
    confirmed = (row.decision or {}).get("state") in CONFIRMED
    return today - timedelta(days=3) <= row.at < today or (row.at >= today and confirmed)


def _by_part(versions: Sequence[ModelVersion], family: str) -> dict[Key, ModelVersion]:
    return {(one.card["model"], one.card["part"]): one for one in versions if one.name.startswith(family)}


def loaded_wear(version: ModelVersion) -> WearModel | str:
    """The wear model, or why it cannot be used."""
    try:
        return load(version, WearModel)
    except Invalid as error:
        return error.message


def loaded(version: ModelVersion) -> Artifact | str:
    """The model, or why it cannot be used."""
    try:
        return load(version)
    except Invalid as error:
        return error.message


def read_panel(
    store: TelemetryStore,
    known: Known,
    artifacts: Mapping[Key, Artifact | str],
    now: datetime,
    further: AbstractSet[str] = frozenset(),
) -> Panel:
    """The last `WINDOW_DAYS` of what the champions look at, and of ``further`` metrics, of the devices they speak about."""
    first, last = day_number(now) - 1 - WINDOW_DAYS, day_number(now) - 1
    since, until = day_start(first), day_start(last + 1)
    spoken_for = {model for model, _ in known.champions}
    devices = [device for model in spoken_for for device in known.labels.by_model.get(model, ())]
    names = sorted(device.id for device in devices if is_active(device, now))
    columns = {column.metric for one in artifacts.values() if isinstance(one, Artifact) for column in one.columns}
    columns |= further
    return panel_of(
        store.daily(since, until if names else since, metrics=raw_metrics(columns)),
        store.events(since, until if names else since, kinds=["reboot"]),
        first_day=first,
        days=last - first + 1,
        devices=names,
    )
