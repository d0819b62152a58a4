"""Customers, homes, ownership and consents from a CSV file: all of it or nothing, every fault named by row and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from api.errors import InvalidRows
from hearthwatch.errors import Invalid
from hearthwatch.records import attributes, consents, customers, devices, erasures, warranties
from hearthwatch.records.customers import Ownership
from hearthwatch.records.warranties import Told
from hearthwatch.values import DEVICE_ID

COLUMNS = (
    "customer_id", "name", "language", "email", "phone", "channels", "home_id", "address", "city", "region", "timezone",
    "device_id", "from", "consents", "warranty_until", "purchased",
)  # fmt: skip
ATTRIBUTE = "attribute:"
"""How the columns of a device's further attributes begin: ``attribute:batch``."""
TIMES = ("from", "warranty_until", "purchased")
FAULTS_SHOWN = 100
LONGEST = {"customer_id": 64, "home_id": 64, "name": 200, "language": 16, "email": 320, "phone": 40, "address": 400,
           "city": 120, "region": 64, "timezone": 64, "channels": 4000}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file, checked."""

    cells: Mapping[str, str]
    from_at: datetime
    warranty_until: datetime | None = None
    purchased_at: datetime | None = None

    def text(self, column: str) -> str | None:
        """A cell, None where it is empty."""
        return self.cells[column] or None

    def many(self, column: str) -> list[str]:
        """The parts of a cell between semicolons."""
        return [part.strip() for part in self.cells[column].split(";") if part.strip()]


@dataclass(frozen=True, slots=True)
class Imported:
    """How many of each the file held."""

    customers: int
    homes: int
    devices: int
    consents: int
    withdrawn: int
    """Of the consents: those the customer had withdrawn, which a list does not overrule."""
    erased: int
    """Customers of the file who were erased, and are left out."""


def read_rows(text: str, now: datetime) -> list[Row]:
    """The lines of a file. A line without ``from`` counts from now. Raises `InvalidRows` that names every fault, row 1 being the header."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    faults: list[dict[str, object]] = []
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if cells:
                _read_line(reader.line_num, header, cells, now, rows, faults)
    except csv.Error as error:
        faults.append({"row": reader.line_num, "where": f"row {reader.line_num}", "message": f"not CSV: {error}"})
    if faults:
        raise InvalidRows(f"{len(faults)} faults; nothing was imported", faults[:FAULTS_SHOWN])
    return rows


def _check_header(header: Sequence[str]) -> None:
    missing = [name for name in ("customer_id", "name") if name not in header]
    unknown = [name for name in header if name not in COLUMNS and not _is_attribute(name)]
    twice = sorted({name for name in header if header.count(name) > 1})
    for names, message in ((missing, "missing"), (unknown, "unknown"), (twice, "named twice")):
        if names:
            faults = [{"row": 1, "where": f"row 1, {name}", "message": f"{message} column"} for name in names]
            raise InvalidRows(f"{message} columns: {', '.join(names)}", faults[:FAULTS_SHOWN])


def _is_attribute(name: str) -> bool:
    if not name.startswith(ATTRIBUTE):
        return False
    attributes.check_name(name.removeprefix(ATTRIBUTE))
    return True


def _read_line(
    number: int,
    header: Sequence[str],
    cells: Sequence[str],
    now: datetime,
    rows: list[Row],
    faults: list[dict[str, object]],
) -> None:
    if len(cells) != len(header):
        message = f"{len(cells)} cells under {len(header)} columns"
        faults.append({"row": number, "where": f"row {number}", "message": message})
        return
    found = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    wrong = _faults_of(found)
    times: dict[str, datetime | None] = {}
    for column in TIMES:
        try:
            times[column] = _time(found[column]) if found[column] else None
        except ValueError:
            wrong.append((column, f"not an ISO 8601 time: {found[column]!r:.60}"))
    faults.extend({"row": number, "where": f"row {number}, {column}", "message": message} for column, message in wrong)
    rows.append(Row(found, times.get("from") or now, times.get("warranty_until"), times.get("purchased")))


def _faults_of(found: Mapping[str, str]) -> list[tuple[str, str]]:
    wrong = [(name, "must not be empty") for name in ("customer_id", "name") if not found[name]]
    wrong += [(name, f"longer than {most} characters") for name, most in LONGEST.items() if len(found[name]) > most]
    wrong += [(name, "a NUL character") for name in found if "\x00" in found[name]]
    told = [name for name in found if name.startswith(ATTRIBUTE) and found[name]]
    wrong += [(name, "longer than 128 characters") for name in told if len(found[name]) > 128]
    wrong += [(name, "whose attribute? device_id is empty") for name in told if not found["device_id"]]
    bought = [name for name in ("warranty_until", "purchased") if found[name] and not found["device_id"]]
    wrong += [(name, "whose warranty? device_id is empty") for name in bought]
    if found["device_id"] and not DEVICE_ID.fullmatch(found["device_id"]):
        wrong.append(("device_id", "a device id is 1 to 64 of A-Z a-z 0-9 . _ -"))
    if found["timezone"] and not customers.is_timezone(found["timezone"]):
        wrong.append(("timezone", "not an IANA time zone"))
    if any(found[name] for name in ("address", "city", "timezone")) and not found["home_id"]:
        wrong.append(("home_id", "a home needs an id"))
    for given in (one.strip() for one in found["consents"].split(";")):
        try:
            consents.check(*_consent(given or consents.SAFETY))
        except Invalid as error:
            wrong.append(("consents", f"{given!r:.60}: {error.message}"))
    return wrong


def _consent(text: str) -> tuple[str, str | None]:
    """Purpose and channel of ``service`` (all channels) or ``service:mail``."""
    purpose, _, channel = text.partition(":")
    return purpose.strip(), channel.strip() or None


def _time(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def store_rows(connection: Connection, rows: Sequence[Row], now: datetime, source: str) -> Imported:
    """Write all lines; a later line about the same customer or home counts. Given twice, the file changes nothing the second time."""
    gone = erasures.erased_among(connection, (row.cells["customer_id"] for row in rows))
    rows = [row for row in rows if row.cells["customer_id"] not in gone]
    people = {row.cells["customer_id"]: row for row in rows}
    houses = {row.cells["home_id"]: row for row in rows if row.cells["home_id"]}
    owned = [row for row in rows if row.cells["device_id"]]
    customers.put_customers(connection, [_customer(customer_id, row) for customer_id, row in people.items()])
    customers.put_homes(connection, [_home(home_id, row) for home_id, row in houses.items()])
    devices.register(connection, sorted((_device(row) for row in owned), key=len), now)
    attributes.tell(connection, (told for row in owned for told in _attributes(row)), now)
    customers.own_many(
        connection,
        [
            Ownership(row.cells["device_id"], row.cells["customer_id"], row.text("home_id"), row.from_at, None)
            for row in owned
        ],
    )
    warranties.tell(connection, [told for row in owned if (told := _warranty(row)) is not None], source, now)
    granted = [(row.cells["customer_id"], *_consent(one)) for row in rows for one in row.many("consents")]
    withdrawn = consents.grant_many(connection, granted, now, source)
    return Imported(
        customers=len(people),
        homes=len(houses),
        devices=len({row.cells["device_id"] for row in owned}),
        consents=len(set(granted)),
        withdrawn=withdrawn,
        erased=len(gone),
    )


def _customer(customer_id: str, row: Row) -> dict[str, object]:
    return {
        "id": customer_id,
        "name": row.cells["name"],
        "language": row.text("language") or "en",
        "email": row.text("email"),
        "phone": row.text("phone"),
        "channels": row.many("channels"),
    }


def _home(home_id: str, row: Row) -> dict[str, object]:
    place = {name: row.text(name) for name in ("address", "city", "region")}
    return {"id": home_id, **place, "timezone": row.text("timezone") or "UTC"}


def _device(row: Row) -> dict[str, str]:
    region = row.text("region")
    return {"id": row.cells["device_id"]} | ({"region": region} if region else {})


def _warranty(row: Row) -> Told | None:
    if row.warranty_until is None and row.purchased_at is None:
        return None
    return Told(row.cells["device_id"], row.warranty_until, row.purchased_at)


def _attributes(row: Row) -> list[tuple[str, str, str]]:
    """What the line says of its device; an empty cell says nothing."""
    names = [name for name, cell in row.cells.items() if name.startswith(ATTRIBUTE) and cell]
    return [(row.cells["device_id"], name.removeprefix(ATTRIBUTE), row.cells[name]) for name in names]


def decoded(body: bytes) -> str:
    """The text of an upload. Raises `Invalid` for what is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("the file is not UTF-8", where=f"byte {error.start}") from None
