"""Keeps the evidence about a release up to date, reading only what is new.

Hours older than `OPEN_DAYS` are closed: their sums are kept in memory. The open ones are read again at every look, so that data that
arrived late counts from the next look on. At the first look of a UTC day everything since the first wave is read anew, which also takes
in data that was later than that; when the registry says something new, so is the past. Means are read then alone: they have one value a
day. All ways give the same numbers (incremental = batch).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from analytics.cohorts.evidence import Evidence, Offers, Options, advance
from analytics.cohorts.fleet import Fleet
from analytics.cohorts.past import begin
from analytics.cohorts.streams import Stream
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Release

OPEN_DAYS = 2


@dataclass(slots=True)
class Monitor:
    """The evidence about one release: as it ``begun`` at the first wave, and what is ``closed``.

    ``read_on`` is the day everything was read on, ``means`` the streams of means as they stood then; up to the hour ``searched`` no
    device was found to run the release.
    """

    begun: Evidence | None = None
    closed: Evidence | None = None
    read_on: int = -1
    searched: int = 0
    means: Mapping[str, Stream] | None = None

    def look(
        self,
        store: TelemetryStore,
        release: Release,
        fleet: Callable[[], Fleet],
        now: int,
        options: Options,
        offers: Offers = (),
    ) -> Evidence | None:
        """The evidence up to the hour ``now``, or None while no device has run the release, or was told to.

        ``fleet`` reads the registry; ``offers`` are all that devices of the model were told to install.
        """
        boundary = (now // 24 - OPEN_DAYS) * 24
        if (
            self.closed is None
            or self.read_on != now // 24
            or self.closed.until > now
            or self._differs(release, options)
        ):
            self._read(store, release, fleet(), now, options, offers)
            self.means = None
        if self.begun is None or self.closed is None:
            self.searched = (
                boundary  # what is older will hardly arrive any more; a restart searches from the announcement
            )
            return None
        closed = replace(self.closed, release=release, offers=offers)
        if self.means is not None:
            return advance(store, closed, now, gauges=False).with_means(self.means)
        found = advance(store, closed, now)
        self.means = found.means
        return found

    def _read(
        self, store: TelemetryStore, release: Release, fleet: Fleet, now: int, options: Options, offers: Offers
    ) -> None:
        """Read everything, but the past only when it is not known or the registry has changed."""
        if self.begun is None or self._differs(release, options) or not self.begun.fleet.is_like(fleet):
            self.begun = begin(store, release, fleet, now, options, search_from=self.searched, offers=offers)
        if self.begun is not None:
            boundary = (now // 24 - OPEN_DAYS) * 24
            begun = replace(self.begun, offers=offers)
            self.closed = advance(store, begun, max(begun.until, boundary))
        self.read_on = now // 24

    def _differs(self, release: Release, options: Options) -> bool:
        """Whether the evidence is about another question."""
        if self.begun is None:
            return False
        asked = self.begun.release
        return self.begun.options != options or (asked.version, asked.replaces) != (release.version, release.replaces)
