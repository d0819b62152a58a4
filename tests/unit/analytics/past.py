"""A year of plugs whose relays burn: written into the stores as an import would, for training."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from analytics.panel import Floats
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import devices, outcomes, parts
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from hearthwatch.records.outcomes import Outcome
from tests.unit.analytics.fleets import MODEL, START, healthy

FLEET, DAYS, FAILURES = 70, 200, 36


def write_past(store: TelemetryStore, database: Database, seed: int = 1, *, failures: int = FAILURES) -> None:
    """`FLEET` plugs over the `DAYS` before `START`; some relays burn within 12 days and are replaced three days after."""
    rng = np.random.default_rng(seed)
    values = healthy(seed, FLEET, DAYS)
    fails = {int(device): int(rng.integers(30, DAYS - 6)) for device in rng.permutation(FLEET)[:failures]}
    contact = values["relay_contact_mohm"]
    for device, day in fails.items():
        contact[device, day - 12 : day] *= 1 + 11 * ((np.arange(12) + 1) / 12) ** 1.5
        contact[device, day : day + 3] = np.nan
    _write(store, values)
    with database.transaction() as connection:
        first, last = START - timedelta(days=DAYS), START - timedelta(hours=1)
        known = [{"id": name, "model": MODEL, "installed_at": first} for name in _names()]
        devices.register(connection, known)
        devices.see(connection, [Sighting(name, at) for name in _names() for at in (first, last)])
        outcomes.add(
            connection,
            [Outcome(_names()[device], "relay", _noon(day), "failure", "import:past") for device, day in fails.items()],
        )
        for device, day in fails.items():
            parts.install(connection, _names()[device], "relay", _noon(day + 3))


def _names() -> list[str]:
    return [f"past-{number:03d}" for number in range(FLEET)]


def _noon(day: int) -> datetime:
    return START - timedelta(days=DAYS - day, hours=-12)


def _write(store: TelemetryStore, values: dict[str, Floats]) -> None:
    at = [START - timedelta(days=DAYS - day, hours=-23) for day in range(DAYS)]
    table = {
        "device": np.repeat(_names(), DAYS),
        "at": pa.array(at * FLEET, pa.timestamp("us", "UTC")),
        "firmware": np.repeat("1.0.0", FLEET * DAYS),
        **{name: pa.array(array.reshape(-1), from_pandas=True) for name, array in values.items()},
    }
    store.write_table("import:past", pa.table(table))
    store.rollup(START)
