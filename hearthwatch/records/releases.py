"""Firmware releases, as the maker's build pipeline announces them: the one place that knows whether a fix exists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.firmware import version as normalised
from hearthwatch.records import models
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import releases
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Release
from hearthwatch.wire.commands.requests import image_url

ASSIGNMENTS = ("randomised", "staged", "unknown")
STATUSES = ("rolling", "paused", "complete", "withdrawn")

_COLUMNS = tuple(releases.c[name] for name in Release.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Image:
    """Where devices fetch a release, and the SHA-256 digest that they check it by."""

    url: str
    sha256: str | None = None

    def checked(self) -> dict[str, str | None]:
        """As columns. Raises `Invalid` for an address that no device could be told, or a digest that is none."""
        if self.sha256 is not None and _DIGEST.fullmatch(self.sha256) is None:
            raise Invalid("a SHA-256 digest has 64 hexadecimal digits", where="image_sha256")
        return {"image_url": image_url(self.url), "image_sha256": self.sha256.lower() if self.sha256 else None}


_DIGEST = re.compile("[0-9a-fA-F]{64}")


def create(
    connection: Connection,
    *,
    model: str,
    version: str,
    replaces: str | None = None,
    assignment: str = "unknown",
    fixes: Sequence[str] = (),
    released_at: datetime,
    notes: str | None = None,
    image: Image | None = None,
) -> Release:
    """Announce a release. Versions are normalised as those of devices are. Raises `Conflict` when it was announced before, or `Invalid`."""
    known = normalised(version)
    if not model or not known.text:
        raise Invalid("a release needs a model and a version", where=f"{model} {version}")
    if assignment not in ASSIGNMENTS:
        raise Invalid(f"assignment is one of {', '.join(ASSIGNMENTS)}", where=assignment)
    row = {
        "model": model,
        "version": fitted(releases.c.version, known.text),
        "version_key": fitted(releases.c.version_key, known.key),
        "replaces": fitted(releases.c.replaces, normalised(replaces).text) if replaces else None,
        "assignment": assignment,
        "fixes": list(fixes),
        "released_at": released_at,
        "notes": notes,
        **(image.checked() if image is not None else {}),
    }
    if not insert_missing(connection, releases, [row]):
        raise Conflict("this release is known already", where=f"{model} {known.text}")
    models.add_missing(connection, [model])
    created = by_version(connection, model, version)
    assert created is not None
    return created


def get(connection: Connection, release_id: int) -> Release:
    """One release. Raises `Missing`."""
    found = _select(connection, releases.c.id == release_id)
    if not found:
        raise Missing("no such release", where=str(release_id))
    return found[0]


def by_version(connection: Connection, model: str, version: str) -> Release | None:
    """A model's release of a version in any spelling, if it was announced."""
    found = _select(connection, releases.c.model == model, releases.c.version == _spelling(version))
    return found[0] if found else None


def list_releases(connection: Connection, *, model: str | None = None) -> list[Release]:
    """Releases by model, then newest version first."""
    return _select(connection, *([releases.c.model == model] if model is not None else []))


def notes_of(connection: Connection, release_id: int) -> str | None:
    """What the maker wrote about a release. Raises `Missing`."""
    get(connection, release_id)
    notes: str | None = connection.execute(sa.select(releases.c.notes).where(releases.c.id == release_id)).scalar_one()
    return notes


def set_image(connection: Connection, release_id: int, revision: int | None, image: Image) -> Release:
    """Say where devices fetch a release. Raises `Missing`, `Stale` or `Invalid`."""
    update_at_revision(connection, releases, {"id": release_id}, revision, image.checked())
    return get(connection, release_id)


def set_status(connection: Connection, release_id: int, revision: int | None, status: str) -> Release:
    """Set a release's status: rolling, paused, complete, withdrawn. Raises `Missing`, `Stale` or `Invalid`."""
    if status not in STATUSES:
        raise Invalid(f"status is one of {', '.join(STATUSES)}", where=status)
    update_at_revision(connection, releases, {"id": release_id}, revision, {"status": status})
    return get(connection, release_id)


def set_assignment(connection: Connection, release_id: int, assignment: str) -> Release:
    """Say how devices came by a release: randomised, staged, unknown. Raises `Missing` or `Invalid`."""
    if assignment not in ASSIGNMENTS:
        raise Invalid(f"assignment is one of {', '.join(ASSIGNMENTS)}", where=assignment)
    update_at_revision(connection, releases, {"id": release_id}, None, {"assignment": assignment})
    return get(connection, release_id)


def fix_for(connection: Connection, model: str, what: str) -> Release | None:
    """The newest release of a model, not withdrawn, that says it fixes ``what``: a failure mode or a version in any spelling."""
    for release in _releases(connection.execute(_STANDING, {"model": model})):
        if what in release.fixes or _spelling(what) in {_spelling(fixed) for fixed in release.fixes}:
            return release
    return None


def mended_models(connection: Connection) -> list[str]:
    """The models with a release, not withdrawn, that says it fixes something."""
    query = sa.select(releases.c.model, releases.c.fixes).where(releases.c.status != "withdrawn")
    return sorted({model for model, fixes in connection.execute(query) if fixes})


def _spelling(version: str) -> str | None:
    return fitted(releases.c.version, normalised(version).text)


def _select(connection: Connection, *where: sa.ColumnElement[bool]) -> list[Release]:
    return _releases(connection.execute(sa.select(*_COLUMNS).where(*where).order_by(*_NEWEST)))


def _releases(found: sa.CursorResult[Any]) -> list[Release]:
    return [Release(**{**row, "fixes": tuple(row["fixes"])}) for row in found.mappings()]


_NEWEST = (releases.c.model, releases.c.version_key.desc(), releases.c.id.desc())
_STANDING = (
    sa.select(*_COLUMNS)
    .where(releases.c.model == sa.bindparam("model"), releases.c.status != "withdrawn")
    .order_by(*_NEWEST)
)
