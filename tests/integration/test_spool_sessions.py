"""Several ingestors on one machine: what waits in the spool of one that does not come back is stored by another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Event, Presence, Reading, WriteResult
from ingest.spool import Spool, SpoolBounds
from ingest.spools import folder_of, survey
from tests.integration.house import House, in_a_hurry, names, wait


class Away:
    """A telemetry store that can be away."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real
        self.away = False

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        if self.away:
            raise Unavailable("away", retry_after=0.2)
        return self._real.write(values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Machine(House):
    """Where several ingestors keep their spools beside one another; the store can be away."""

    def __init__(self, broker: str, store: Away, records: str, data: Path) -> None:
        super().__init__(broker, cast("TelemetryStore", store), records, spools=data)
        self.away = store
        self.data = data


@pytest.fixture
def machine(
    mosquitto: str, store: TelemetryStore, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    in_a_hurry(monkeypatch)
    made = Machine(mosquitto, Away(store), postgresql, tmp_path)
    yield made
    made.close()


def test_what_waits_for_an_ingestor_that_is_gone_for_good_is_stored_by_another_on_its_machine(
    machine: Machine,
) -> None:
    first = machine.ingestor("first")
    wait(lambda: names(first) >= {"house-0", "house-solo"})
    second = machine.ingestor("second")
    wait(lambda: names(second) >= {"house-1"})
    wait(lambda: bool(first.health()["connected"] and second.health()["connected"]))
    machine.away.away = True
    machine.send(400)
    wait(lambda: machine.spooled() == 400)
    waiting = survey(machine.data)
    assert waiting["house-0"].messages > 0
    assert waiting["house-1"].messages > 0
    machine.stop(second)
    machine.away.away = False
    wait(lambda: machine.spooled() == 0)
    assert machine.stored() == [float(number) for number in range(400)]
    wait(lambda: names(first) == {"house-0", "house-solo"})


def test_an_ingestor_takes_the_session_first_of_which_messages_wait_on_its_machine(machine: Machine) -> None:
    with_three = Spool(folder_of(machine.data, "house-3"), SpoolBounds(free_share=0.0, free_bytes=0))
    with_three.close()
    first = machine.ingestor("first")
    wait(lambda: "house-0" in names(first))  # an empty spool is no reason
    wait(lambda: bool(first.health()["connected"]))
    machine.away.away = True
    machine.send(50)
    wait(lambda: machine.spooled() == 50)
    machine.stop(first)
    shutil.rmtree(machine.data / "spool" / "house-3")
    (machine.data / "spool" / "house-0").rename(machine.data / "spool" / "house-3")
    machine.away.away = False
    again = machine.ingestor("again")
    wait(lambda: "house-3" in names(again))
    wait(lambda: machine.spooled() == 0)
    assert machine.stored() == [float(number) for number in range(50)]
