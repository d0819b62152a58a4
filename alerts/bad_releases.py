"""The release a cohort's finding is about."""

from __future__ import annotations

from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records import releases
from hearthwatch.values import Release

PREFIX = "release:"


def release_of(connection: Connection, kind: str, subject: str) -> Release | None:
    """The release that a finding of kind cohort names as its subject; None for any other finding, or a release that is gone."""
    number = subject.removeprefix(PREFIX)
    if kind != "cohort" or not subject.startswith(PREFIX) or not number.isdecimal():
        return None
    try:
        return releases.get(connection, int(number))
    except Missing:
        return None
