"""Entity tags: the revision of a mutable thing, so that nobody overwrites what they have not seen."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header

from hearthwatch.errors import Stale

_TAG = re.compile(r'(?:W/)?"(\d{1,12})"')


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


def expected_revision(
    if_match: Annotated[
        str | None, Header(description='The ETag you read (`"3"`); the write is refused with 412 when it has changed.')
    ] = None,
) -> int | None:
    """The revision a write is meant for; None for any. Raises `Stale` for a tag that can be none of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _TAG.fullmatch(if_match.strip())
    if match is None:
        raise Stale("no revision has this entity tag", where="If-Match")
    return int(match.group(1))


def check_revision(current: int, expected: int | None, where: str) -> None:
    """Raise `Stale` where a write was meant for another revision than the present one."""
    if expected is not None and expected != current:
        raise Stale(f"it changed since you read it (revision {expected}, now {current})", where=where)


IfMatch = Annotated[int | None, Depends(expected_revision)]
