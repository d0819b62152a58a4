"""A server that others use too: a token may see buckets of other organisations, also of the same names as ours."""

from __future__ import annotations

import itertools
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading, WriteResult
from tests.influxdb_server import Influxd

_numbers = itertools.count(1)


class Administration:
    """What an administrator does on the server."""

    def __init__(self, server: Influxd) -> None:
        self._server = server

    def organisation(self) -> str:
        """The id of a new organisation."""
        return str(self._ask("POST", "/api/v2/orgs", {"name": f"neighbours-{next(_numbers)}"})["id"])

    def our_organisation(self) -> str:
        """The id of the organisation that the addresses name."""
        return str(self._ask("GET", f"/api/v2/orgs?org={self._server.org}")["orgs"][0]["id"])

    def create_bucket(self, organisation: str, name: str) -> None:
        """Create a bucket that keeps everything."""
        self._ask("POST", "/api/v2/buckets", {"orgID": organisation, "name": name, "retentionRules": []})

    def retention(self, organisation: str, bucket: str) -> float:
        """Days that a bucket keeps; 0 is for ever."""
        (found,) = self._ask("GET", f"/api/v2/buckets?orgID={organisation}&name={bucket}")["buckets"]
        return float(sum(rule["everySeconds"] for rule in found["retentionRules"])) / 86_400

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self._server.token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._server.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())


@pytest.fixture
def administration(influxd: Influxd) -> Administration:
    """The administrator of the running server."""
    return Administration(influxd)


def test_our_buckets_are_created_beside_those_of_the_same_names(
    influxd: Influxd, administration: Administration
) -> None:
    theirs, name = administration.organisation(), f"shared-{next(_numbers)}"
    for bucket in (name, f"{name}_rollups", f"{name}_state"):
        administration.create_bucket(theirs, bucket)
    store = open_store(influxd.address(name))
    assert store.write([Reading("d", "native", datetime.now(UTC), {"x": 1.0})]) == WriteResult(1, 0)
    store.close()


@pytest.mark.parametrize("theirs_first", [True, False])
def test_our_retention_is_set_on_our_buckets_alone(
    influxd: Influxd, administration: Administration, *, theirs_first: bool
) -> None:
    theirs, name, now = administration.organisation(), f"shared-{next(_numbers)}", datetime.now(UTC)
    buckets = (name, f"{name}_rollups")
    store = open_store(influxd.address(name))
    if not theirs_first:
        store.write([Reading("d", "native", now, {"x": 1.0})])
    for bucket in buckets:
        administration.create_bucket(theirs, bucket)
    store.write([Reading("d", "native", now, {"x": 1.0})])
    store.expire(raw_before=now - timedelta(days=30), rollups_before=now - timedelta(days=300))
    store.close()
    assert [administration.retention(theirs, bucket) for bucket in buckets] == [0, 0]
    ours = administration.our_organisation()
    assert [round(administration.retention(ours, bucket)) for bucket in buckets] == [32, 302]


def test_an_address_may_name_the_organisation_by_its_id(influxd: Influxd, administration: Administration) -> None:
    address = influxd.address().replace(f"/{influxd.org}/", f"/{administration.our_organisation()}/")
    store = open_store(address)
    assert store.write([Reading("d", "native", datetime.now(UTC), {"x": 1.0})]) == WriteResult(1, 0)
    store.close()
