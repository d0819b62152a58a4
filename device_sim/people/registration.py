"""Before the story begins: the policy is set live, technicians and spare parts are known, customers are imported."""

from __future__ import annotations

import csv
import io
from datetime import UTC

from device_sim.fleet import Fleet
from device_sim.people.desk import Desk

_TECHNICIANS_PER_REGION = 2
_CAPACITY = 12
_PARTS = {
    "battery": "Battery set 4 x LR6",
    "motor": "Bolt motor M14",
    "relay": "Plug with relay 16A",
    "sensor": "Sensor board T40",
    "radio": "Radio module W60",
    "controller": "Main board",
}
_COLUMNS = (
    "customer_id",
    "name",
    "language",
    "email",
    "phone",
    "channels",
    "home_id",
    "address",
    "city",
    "region",
    "timezone",
    "device_id",
    "from",
    "consents",
)


def set_policy_live(desk: Desk) -> None:
    """The administrator sets the newest policy live."""
    versions = desk.read("admin", "/policies")["items"]
    newest = max(int(version["version"]) for version in versions)
    desk.write("admin", "POST", f"/policies/{newest}/mode", {"mode": "live"})


def technician_ids(fleet: Fleet) -> dict[str, list[str]]:
    """The technicians of each region."""
    return {
        region.name: [f"t-{region.name}-{number + 1}" for number in range(_TECHNICIANS_PER_REGION)]
        for region in fleet.scenario.regions
    }


def register_field_service(desk: Desk, fleet: Fleet) -> None:
    """Technicians, each for one region and every skill, and the spare parts they carry."""
    for region, ids in technician_ids(fleet).items():
        for number, id_ in enumerate(ids):
            body = {
                "name": f"Technician {number + 1}, {region}",
                "skills": [],
                "regions": [region],
                "capacity": _CAPACITY,
            }
            desk.write("agent", "PUT", f"/technicians/{id_}", body)
    for part, name in _PARTS.items():
        desk.write("agent", "PUT", f"/spare-parts/{part}", {"name": name, "models": [], "stock": 50})


def import_customers(desk: Desk, fleet: Fleet) -> None:
    """All customers, their homes, devices and consents, as one CSV file."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for device, home, installed in fleet.devices():
        region = fleet.scenario.regions[home.region]
        writer.writerow(
            (
                home.customer_id,
                home.name,
                home.language,
                home.email,
                home.phone,
                f"mailbox://{home.customer_id}",
                home.id,
                home.address,
                region.city,
                region.name,
                region.timezone,
                device,
                installed.astimezone(UTC).isoformat(),
                ";".join(home.consents),
            )
        )
    desk.upload("agent", "/customers/import", file.getvalue())
