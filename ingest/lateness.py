"""Which days of which devices a batch told of too late: after the morning that judged them. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from hearthwatch.records.late_days import LateDay, unjudged_since
from hearthwatch.values import Event, Presence, Reading

REMEMBERED = 200_000
"""Device-days that are remembered as written down; beyond it all are forgotten, which only writes some once more."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Lateness:
    """Names the late days of batches, each once until the next morning judges: what comes meanwhile changes no row of any morning."""

    def __init__(self) -> None:
        self._morning: datetime | None = None
        self._told: set[tuple[str, int]] = set()

    def news(
        self, values: Sequence[Reading | Event | Presence], left_out: Collection[int], now: datetime
    ) -> tuple[LateDay, ...]:
        """The late days that are to be written down now that ``values`` can be read. Those ``left_out`` (places) were not stored now.

        Presence is not looked at: no daily value comes from it.
        """
        limit = unjudged_since(now)
        late = [place for place, value in enumerate(values) if value.at < limit]
        if not late:
            return ()
        if self._morning != limit or len(self._told) > REMEMBERED:
            self._morning = limit
            self._told.clear()
        if left_out:
            late = [place for place in late if place not in left_out]
        told = self._told
        new: set[tuple[str, int]] = set()
        for place in late:
            value = values[place]
            key = (value.device, (value.at - _EPOCH).days)
            if key not in told and type(value) is not Presence:
                new.add(key)
        told |= new
        return tuple(LateDay(device, _EPOCH + timedelta(days=day), now, now) for device, day in sorted(new))
