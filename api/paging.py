"""Pages of lists: ``?cursor=&limit=`` in, ``{"items": [...], "next": cursor or null}`` out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from hearthwatch.errors import Invalid

LARGEST_PAGE = 1000

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A part of a list. ``next`` is the cursor of the part that follows, null at the end."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What part of a list was asked for."""

    limit: int
    cursor: str | None

    @property
    def after(self) -> str | None:
        """The last key of the page before. Raises `Invalid` for a cursor that is none of ours."""
        if self.cursor is None:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise Invalid("not a cursor of this list", where="cursor") from None

    @property
    def after_id(self) -> int | None:
        """As `after`, where keys are numbers."""
        key = self.after
        if key is None:
            return None
        if not key.isascii() or not key.isdigit() or len(key) > 18:
            raise Invalid("not a cursor of this list", where="cursor")
        return int(key)

    @property
    def after_look(self) -> tuple[datetime, str] | None:
        """As `after`, where keys are those of `look_key`."""
        key = self.after
        if key is None:
            return None
        at, _, metric = key.partition(" ")
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise Invalid("not a cursor of this list", where="cursor") from None
        if moment.tzinfo is None or not metric:
            raise Invalid("not a cursor of this list", where="cursor")
        return moment, metric

    def page(self, fetch: Callable[[int], Sequence[T]], key: Callable[[T], object]) -> Page[T]:
        """The page: ``fetch`` gives up to so many items after the cursor, ``key`` what the next page goes on from."""
        found = list(fetch(self.limit + 1))
        items = found[: self.limit]
        more = len(found) > self.limit
        return Page(items=items, next=_cursor(str(key(items[-1]))) if more else None)


def look_key(at: datetime, metric: str) -> str:
    """The key of a look in a list of looks at one subject."""
    return f"{at.isoformat()} {metric}"


def asked(
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Items on a page.")] = 100,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
) -> Asked:
    """The part of a list that a request asks for."""
    return Asked(limit, cursor)


Paging = Annotated[Asked, Depends(asked)]


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
