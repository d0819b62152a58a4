"""Second step of ``docker compose up``, once the stores answer: schema, first account, and read-only access for the dashboards.

Every part looks first and does nothing where it was done before, so it also runs at each upgrade.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import httpx
from places import ROOT, Places

from hearthwatch.clock import SystemClock
from hearthwatch.records import access
from hearthwatch.records.database import Database, open_database
from hearthwatch.settings import load_settings

ADMIN = "admin"
GRANTS = Path(__file__).with_name("grafana.sql")
SECONDS = 30


def main() -> None:
    """Do what was not done yet and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="Folder that holds one folder of secrets for each service."
    )
    parser.add_argument("--influxdb", default="http://influxdb:8086")
    arguments = parser.parse_args()
    places = Places(arguments.root)
    database = open_database(load_settings().records_address)
    database.upgrade()
    made = [*_first_account(places, database), *_scrape_token(places, database)]
    _grant(database)
    database.close()
    made += _read_token(places, arguments.influxdb)
    print("setup: the schema is current" + "".join(f"; made {what}" for what in made))  # noqa: T201 - a command's answer


def _first_account(places: Places, database: Database) -> list[str]:
    password = places.read("hearthwatch", "admin_password") or ""
    with database.transaction() as connection:
        if access.any_account(connection):
            return []
        access.create_user(connection, ADMIN, password, "admin", SystemClock().now())
    return [f"the account {ADMIN}"]


def _scrape_token(places: Places, database: Database) -> list[str]:
    """The token with which Prometheus reads ``/metrics``."""
    if places.read("prometheus", "metrics_token"):
        return []
    with database.transaction() as connection:
        token = access.create_token(connection, "prometheus", "viewer", SystemClock().now())
    places.write("prometheus", "metrics_token", token, 0o444)
    return ["a token for Prometheus"]


def _grant(database: Database) -> None:
    """What Grafana may read of the records: no customers, no passwords, no payloads."""
    statements = re.sub(r"--.*", "", GRANTS.read_text()).split(";")
    with database.transaction() as connection:
        for statement in statements:
            if statement.strip():
                connection.exec_driver_sql(statement)


def _read_token(places: Places, influxdb: str) -> list[str]:
    """A token for Grafana that reads every bucket and writes none."""
    held = places.read("grafana", "influxdb_token")
    if held and _ask(influxdb, held, "GET", "/api/v2/buckets").status_code == httpx.codes.OK:
        return []
    token = places.read("hearthwatch", "influxdb_token") or ""
    organisation = _ask(influxdb, token, "GET", "/api/v2/orgs").raise_for_status().json()["orgs"][0]["id"]
    wish = {
        "orgID": organisation,
        "description": "Grafana, reads only",
        "permissions": [{"action": "read", "resource": {"type": "buckets", "orgID": organisation}}],
    }
    made = _ask(influxdb, token, "POST", "/api/v2/authorizations", wish).raise_for_status().json()["token"]
    places.write("grafana", "influxdb_token", made, 0o444)
    return ["a token for Grafana"]


def _ask(influxdb: str, token: str, method: str, path: str, body: object = None) -> httpx.Response:
    return httpx.request(
        method, influxdb + path, json=body, headers={"Authorization": f"Token {token}"}, timeout=SECONDS
    )


if __name__ == "__main__":
    main()
