"""The dashboards: that they hold together, and that their numbers are the right ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from hearthwatch.records import devices, findings, vitals
from hearthwatch.records.database import Database, open_database
from hearthwatch.records.vitals import VitalsRow
from hearthwatch.values import Observation
from tests.dashboards import DASHBOARDS, FOLDER, dashboard, panels, sql_of

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)
SECRETS_MADE = {"admin_password", "postgres_password", "influxdb_token"}


@pytest.fixture
def records(postgresql: str) -> Iterator[Database]:
    opened = open_database(postgresql)
    yield opened
    opened.close()


def asked(records: Database, title: str, number: int = 0, **variables: str) -> list[dict[str, Any]]:
    """What a panel's query answers."""
    (panel,) = [panel for panel in panels() if panel.title == title]
    with records.engine.connect() as connection:
        rows = connection.exec_driver_sql(sql_of(panel.targets[number], **variables)).mappings().all()
    return [dict(row) for row in rows]


def sources() -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = yaml.safe_load((FOLDER / "provisioning/datasources/stores.yaml").read_text())[
        "datasources"
    ]
    return read


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_asks_a_source_that_is_provisioned(name: str) -> None:
    known = {(source["type"], source["uid"]) for source in sources()}
    board = dashboard(name)
    asks = [panel["datasource"] for panel in board["panels"]]
    asks += [target["datasource"] for panel in board["panels"] for target in panel["targets"]]
    asks += [variable["datasource"] for variable in board["templating"]["list"]]

    assert {(one["type"], one["uid"]) for one in asks} <= known


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard(name)["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_that_a_query_uses_is_one_of_its_dashboard(name: str) -> None:
    board = dashboard(name)
    known = {variable["name"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        for target in panel["targets"]:
            text = target.get("rawSql") or target.get("query") or target.get("expr")
            used = set(re.findall(r"\$\{?([a-z]\w*)\}?", text))
            assert used <= known, panel["title"]


def test_secrets_of_the_sources_are_files_that_are_made() -> None:
    text = (FOLDER / "provisioning/datasources/stores.yaml").read_text()

    named = re.findall(r"\$__file\{/run/secrets/(\w+)\}", text)
    assert named
    assert set(named) <= SECRETS_MADE
    for source in sources():
        assert all(str(value).startswith("$__file{") for value in source.get("secureJsonData", {}).values())


def test_devices_are_counted_without_test_devices_and_removed_ones(records: Database) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "model": "m"},
        {"id": "b", "model": "m"},
        {"id": "t", "model": "m", "test": True},
        {"id": "gone", "model": "m", "removed_at": NOW - timedelta(days=1)},
    ]
    with records.transaction() as connection:
        devices.register(connection, rows)
        devices.see(
            connection,
            [devices.Sighting("a", NOW, online=True), devices.Sighting("b", NOW - timedelta(days=2), online=False)],
        )

    assert asked(records, "Devices") == [{"devices": 2}]
    assert asked(records, "Online") == [{"online": 1}]
    assert asked(records, "Silent for a day") == [{"silent": 1}]


def test_crash_free_hours_are_a_ratio_of_sums_over_hardware(records: Database) -> None:
    sums = ({"hours": 100.0, "crash_free_hours": 99.0}, {"hours": 10.0, "crash_free_hours": 5.0})
    with records.transaction() as connection:
        vitals.put(
            connection,
            [VitalsRow(TODAY - timedelta(days=1), "m", f"r{n}", "2.0.0", 5, one) for n, one in enumerate(sums)],
        )

    (row,) = asked(records, "Crash-free hours, by model and firmware", model="m")

    assert row["metric"] == "m 2.0.0"
    assert row["share"] == pytest.approx(104 / 110)
    assert asked(records, "Crash-free hours, by model and firmware", model="other") == []


def test_open_findings_are_counted_by_the_model_of_their_subject(records: Database) -> None:
    def observation(subject_type: Any, subject: str, severity: Any) -> Observation:
        evidence: dict[str, Any] = {"metrics": [], "reasons": []}
        return Observation("anomaly", subject_type, subject, "reboots", severity, NOW, evidence)

    with records.transaction() as connection:
        devices.register(connection, [{"id": "a", "model": "lamp"}])
        for one in (
            observation("device", "a", "critical"),
            observation("device", "stranger", "info"),
            observation("group", "group:plug/2.0.1", "warning"),
        ):
            findings.observe(connection, one, relapse=timedelta(days=7))

    counted = {row["model"]: row for row in asked(records, "Open findings by model and severity")}

    assert counted["lamp"]["critical"] == 1
    assert counted["plug"]["warning"] == 1
    assert counted["unknown"]["info"] == 1
    assert asked(records, "Open findings") == [{"findings": 3}]
    shown = asked(records, "New findings a day, by severity")
    assert {row["metric"]: row["findings"] for row in shown} == {"critical": 1, "info": 1, "warning": 1}
