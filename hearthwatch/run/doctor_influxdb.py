"""InfluxDB, as the doctor sees it: does it answer, may our token read and write, and how long does it keep what we write?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from hearthwatch.errors import Unavailable
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.settings import Settings
from hearthwatch.telemetry.influxdb_server import Address, parse

_SECONDS = 5.0
_HOUR = 3_600
_DAY = 24 * _HOUR


def check_influxdb(settings: Settings) -> Iterator[Check]:
    """Everything about an InfluxDB. Raises `Unavailable` when it is away, `Invalid` for its address."""
    place = parse(settings.telemetry_address)
    with _asking(place) as client:
        health = client.get("/health")
        told = health.json() if health.headers.get("content-type", "").startswith("application/json") else {}
        if told.get("status") != "pass":
            yield unfit("telemetry", f"{place.url}: {told.get('message', health.status_code)}", "see the server's log")
            return
        yield well("telemetry", f"{place.url} answers: InfluxDB {told.get('version', '?')}, {told.get('message', '')}")
        for bucket, days, option in (
            (place.bucket, settings.raw_days, "raw_days"),
            (place.rollups, settings.rollup_days, "rollup_days"),
        ):
            yield _bucket(client, place, bucket, days, option)
        yield _bucket(client, place, place.state, None, "")


def influxdb_time(address: str) -> datetime | None:
    """The server's own time, to the second. Raises `Unavailable`."""
    with _asking(parse(address)) as client:
        told = client.get("/ping").headers.get("date")
        return parsedate_to_datetime(told) if told else None


@contextmanager
def _asking(place: Address) -> Iterator[httpx.Client]:
    try:
        with httpx.Client(
            base_url=place.url, headers={"Authorization": f"Token {place.token}"}, timeout=_SECONDS
        ) as client:
            yield client
    except httpx.HTTPError as error:
        raise Unavailable(f"{error}" or type(error).__name__, where=place.url) from error


def _bucket(client: httpx.Client, place: Address, bucket: str, days: int | None, option: str) -> Check:
    name = f"telemetry.{bucket}"
    found = client.get("/api/v2/buckets", params={"org": place.org, "name": bucket})
    if found.status_code == 401:
        return unfit(
            name, "the token is not known to the server", "make one (influx auth create) and name it in the address"
        )
    buckets = found.json().get("buckets", []) if found.status_code == 200 else []
    if not buckets:
        return unfit(
            name,
            "there is no such bucket that this token may see",
            "start hearthwatch up once: it makes its buckets when the token may; else: influx bucket create",
        )
    # A write without a line stores nothing and is refused like any other.
    written = client.post("/api/v2/write", params={"org": place.org, "bucket": bucket, "precision": "us"}, content=b"")
    if written.status_code >= 300:
        return unfit(name, f"writing is refused: {_message(written)}", "give the token write access to the bucket")
    question = {"query": f'from(bucket: "{bucket}") |> range(start: -1s) |> limit(n: 1)', "type": "flux"}
    read = client.post("/api/v2/query", params={"org": place.org}, json=question)
    if read.status_code >= 300:
        return unfit(name, "reading is refused", "give the token read access to the bucket")
    return _retention(name, buckets[0], days, option)


def _retention(name: str, bucket: Mapping[str, Any], days: int | None, option: str) -> Check:
    seconds = next((rule["everySeconds"] for rule in bucket["retentionRules"] if rule["type"] == "expire"), 0)
    kept = f"{seconds / _DAY:g} days" if seconds else "for ever"
    if days is None:
        if seconds:
            return unfit(name, f"it keeps data {kept}", f"influx bucket update --id {bucket['id']} --retention 0")
        return well(name, "read and write")
    remedy = f"influx bucket update --id {bucket['id']} --retention {days}d, or change {option}"
    if seconds and seconds < days * _DAY:
        return unfit(name, f"it keeps data {kept}, but {option} is {days}", remedy)
    # `expire` leaves two days for late data, counts from the hour before it runs, and does not mend what is a day off.
    if not seconds or seconds > (days + 3) * _DAY + _HOUR:
        return advice(name, f"read and write; it keeps data {kept}, although {option} is {days}", remedy)
    return well(name, f"read and write; it keeps data {kept} ({option})")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json().get("message", response.status_code))
    except ValueError:
        return str(response.status_code)
