"""Keeps the evidence about a release up to date, reading only what is new.

Hours older than `OPEN_DAYS` are closed: their sums are kept in memory. The open ones are read again at every look, so that data that
arrived late counts from the next look on. At the first look of a UTC day everything since the first wave is read anew, which also takes
in data that was later than that; when the registry says something new, so is the past. All ways give the same numbers
(incremental = batch).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analytics.cohorts.evidence import Evidence, Fleet, Options, advance
from analytics.cohorts.past import begin
from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Device, Release

OPEN_DAYS = 2


@dataclass(slots=True)
class Monitor:
    """The evidence about one release: as it ``begun`` at the first wave, and what is ``closed``.

    ``read_on`` is the day everything was read on; up to the hour ``searched`` no device was found to run the release.
    """

    begun: Evidence | None = None
    closed: Evidence | None = None
    read_on: int = -1
    searched: int = 0

    def look(
        self,
        store: TelemetryStore,
        release: Release,
        devices: Callable[[], Sequence[Device]],
        now: int,
        options: Options,
    ) -> Evidence | None:
        """The evidence up to the hour ``now``, or None while no device has run the release. ``devices`` reads the model's registry."""
        boundary = (now // 24 - OPEN_DAYS) * 24
        if (
            self.closed is None
            or self.read_on != now // 24
            or self.closed.until > now
            or self._differs(release, options)
        ):
            self._read(store, release, Fleet.of(devices()), now, options)
        if self.begun is None or self.closed is None:
            self.searched = (
                boundary  # what is older will hardly arrive any more; a restart searches from the announcement
            )
            return None
        return advance(store, self.closed, now)

    def _read(self, store: TelemetryStore, release: Release, fleet: Fleet, now: int, options: Options) -> None:
        """Read everything, but the past only when it is not known or the registry has changed."""
        if self.begun is None or self._differs(release, options) or not self.begun.fleet.is_like(fleet):
            self.begun = begin(store, release, fleet, now, options, search_from=self.searched)
        if self.begun is not None:
            boundary = (now // 24 - OPEN_DAYS) * 24
            self.closed = advance(store, self.begun, max(self.begun.until, boundary))
        self.read_on = now // 24

    def _differs(self, release: Release, options: Options) -> bool:
        """Whether the evidence is about another question."""
        if self.begun is None:
            return False
        asked = self.begun.release
        return self.begun.options != options or (asked.version, asked.replaces) != (release.version, release.replaces)
