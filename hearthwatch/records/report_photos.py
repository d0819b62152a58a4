"""Photos of reports: the bytes as they were made harmless, a small picture of each, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched
from hearthwatch.records.tables import report_photos


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of a kept photo without its bytes."""

    id: int
    report_id: int
    at: datetime
    mime: str
    width: int
    height: int
    sha256: str


_FACTS = tuple(report_photos.c[name] for name in PhotoFacts.__dataclass_fields__)


def add_photo(
    connection: Connection,
    report_id: int,
    *,
    mime: str,
    width: int,
    height: int,
    picture: bytes,
    thumbnail: bytes,
    now: datetime,
) -> PhotoFacts:
    """Keep a photo with its report."""
    row = {
        "report_id": report_id,
        "at": now,
        "mime": mime,
        "width": width,
        "height": height,
        "sha256": hashlib.sha256(picture).hexdigest(),
        "picture": picture,
        "thumbnail": thumbnail,
    }
    insert = sa.insert(report_photos).values(row).returning(*_FACTS)
    return PhotoFacts(**connection.execute(insert).mappings().one())


def photos_of(connection: Connection, report_ids: Iterable[int]) -> dict[int, list[PhotoFacts]]:
    """The photos of some reports, in the order they came."""
    found: dict[int, list[PhotoFacts]] = {}
    for some in batched(report_ids):
        query = sa.select(*_FACTS).where(report_photos.c.report_id.in_(some)).order_by(report_photos.c.id)
        for row in connection.execute(query).mappings():
            found.setdefault(row["report_id"], []).append(PhotoFacts(**row))
    return found


def photo(connection: Connection, photo_id: int, *, thumbnail: bool = False) -> tuple[PhotoFacts, bytes]:
    """A photo and its bytes. Raises `Missing`."""
    content = report_photos.c.thumbnail if thumbnail else report_photos.c.picture
    query = sa.select(*_FACTS, content.label("content")).where(report_photos.c.id == photo_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such photo", where=f"photo {photo_id}")
    return PhotoFacts(**{name: row[name] for name in PhotoFacts.__dataclass_fields__}), bytes(row["content"])


def forget_photo(connection: Connection, photo_id: int) -> bool:
    """Delete a photo. Returns whether it was there."""
    return connection.execute(sa.delete(report_photos).where(report_photos.c.id == photo_id)).rowcount == 1
