"""Times in requests: always with an offset, as the stores have them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime

from api.context import Context
from hearthwatch.errors import Invalid
from hearthwatch.values import Span

LONGEST = timedelta(days=800)


class _Asked:
    """A dependency: the span of ``?since=&until=``, by default the last ``days``."""

    def __init__(self, days: float) -> None:
        self._default = timedelta(days=days)

    def __call__(
        self,
        context: Context,
        since: Annotated[AwareDatetime | None, Query(description="From when on, ISO 8601 with an offset.")] = None,
        until: Annotated[AwareDatetime | None, Query(description="Until before when.")] = None,
    ) -> Span:
        end: datetime = until or context.clock.now()
        begin: datetime = since or end - self._default
        if begin > end:
            raise Invalid("`since` lies after `until`", where="since")
        if end - begin > LONGEST:
            raise Invalid(f"a span has at most {LONGEST.days} days", where="since")
        return Span(begin, end)


LastYear = Annotated[Span, Depends(_Asked(365))]
LastDay = Annotated[Span, Depends(_Asked(1))]
LastMonth = Annotated[Span, Depends(_Asked(30))]
LastWeek = Annotated[Span, Depends(_Asked(7))]
