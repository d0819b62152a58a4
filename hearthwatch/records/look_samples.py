"""A sample of the looks at a release, for pictures: as many as a picture can show, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.tables import cohort_looks

_COLUMNS = tuple(cohort_looks.c[name] for name in CohortLook.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class SampledLooks:
    """Looks at one metric, oldest first, evenly chosen among ``total``; the first, the newest and the first that said `worse` are there."""

    looks: Sequence[CohortLook]
    total: int

    @property
    def newest(self) -> CohortLook:
        """The newest look."""
        return self.looks[-1]


def sampled_looks(connection: Connection, release_id: int, *, most: int) -> dict[str, SampledLooks]:
    """About ``most`` looks at each metric of a release, by metric."""
    mine = cohort_looks.c.release_id == release_id
    told = sa.select(cohort_looks.c.metric, cohort_looks.c.at, cohort_looks.c.verdict).where(mine)
    times: dict[str, list[datetime]] = {}
    worse: dict[str, datetime] = {}
    for metric, at, verdict in connection.execute(told.order_by(cohort_looks.c.at)):
        times.setdefault(metric, []).append(at)
        if verdict == "worse":
            worse.setdefault(metric, at)
    found: dict[str, SampledLooks] = {}
    for metric, known in times.items():
        chosen = sample_times(known, worse.get(metric), most)
        query = sa.select(*_COLUMNS).where(mine, cohort_looks.c.metric == metric, cohort_looks.c.at.in_(chosen))
        rows = connection.execute(query.order_by(cohort_looks.c.at)).mappings()
        found[metric] = SampledLooks([CohortLook(**row) for row in rows], len(known))
    return found


def sample_times(times: Sequence[datetime], first_worse: datetime | None, most: int) -> list[datetime]:
    """Evenly chosen among ``times`` (in order, at least one), at most ``most`` and two more: the first, the last, ``first_worse``."""
    step = max(1, -(-len(times) // most))
    return sorted({*times[::step], times[-1], first_worse or times[-1]})
