"""Lives of the parts of a fleet's devices, as histories: from the day a part was put in until it failed, was replaced, or was last seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.panel import Floats, Ints, Panel
from analytics.remaining_life.histories import History
from hearthwatch.errors import Invalid

_OPEN = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class PartLife:
    """One life: of the part in the device in row ``device`` of the panel. ``at_work``: it is the one in there now, as far as is known."""

    device: int
    history: History
    at_work: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """What tells how worn a part is: ``metrics`` (a gauge's mean of the day, a counter's increase), ``usage``, counters of use that are
    summed from the day the part came in, and ``settings``, the operating conditions under which all of it is read."""

    metrics: tuple[str, ...]
    usage: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The signals of a history, in its order."""
        return (*self.metrics, *(f"{name}_since_new" for name in self.usage))


def part_lives(
    panel: Panel,
    watched: Watched,
    born: Floats,
    failures: Mapping[int, Sequence[int]],
    renewed: Mapping[int, Sequence[int]],
    *,
    ended: Mapping[int, int] | None = None,
) -> list[PartLife]:
    """All lives of one part in the devices of a panel, with ages in days since it came in.

    ``born`` is the day each device came into service (NaN: unknown, then its first day here counts). ``failures``, ``renewed`` and
    ``ended`` (the day a device was removed) hold days since 1970 by row, as for `analytics.lives.lives_of`. A part that was replaced
    while it worked, a device that was removed and one that vanished are censored on their last day. Days without data are no rows;
    neither are days at or after a failure until a new part is in. The part that came with its device has been used as much as its
    counters show on their first day here (``totals`` of the panel). Raises `Invalid` for a metric that the panel does not have.
    """
    lacking = sorted({*watched.metrics, *watched.usage, *watched.settings} - panel.values.keys())
    if lacking:
        raise Invalid(f"there is no metric {', '.join(lacking)} to tell remaining life from")
    lives = []
    for device in range(len(panel.devices)):
        renewals = sorted(renewed.get(device, ()))
        removed = (ended or {}).get(device, _OPEN)
        for place, begin in enumerate((None, *renewals)):
            end = renewals[place] if place < len(renewals) else _OPEN
            failure = next((day for day in sorted(failures.get(device, ())) if _within(day, begin, end)), None)
            stop = min(end if failure is None else failure - 1, removed)
            came = born[device] if begin is None else float(begin)
            since = came if begin is None else begin + 1
            history = _history(panel, watched, device, came, since, stop, failure, before=begin is None)
            if history is not None:
                lives.append(PartLife(device, history, failure is None and end == _OPEN and removed == _OPEN))
    return lives


def _within(day: int, begin: int | None, end: int) -> bool:
    """Whether a failure on that day ended the life between two renewals; on the day of a renewal it is what was renewed that failed."""
    return (begin is None or day > begin) and day <= end


def _history(
    panel: Panel,
    watched: Watched,
    device: int,
    came: float,
    first: float,
    stop: int,
    failure: int | None,
    *,
    before: bool,
) -> History | None:
    """The life of a part that came on the day ``came`` (NaN: unknown), from ``first`` to ``stop``; None where no day of it was seen.
    ``before``: what its counters showed at first was its own use."""
    days = np.arange(panel.first_day, panel.first_day + panel.days)
    rows = np.flatnonzero(panel.present[device] & (days <= stop) & ~(days < first))
    for name in watched.settings:  # without its conditions a day cannot be compared
        rows = rows[np.isfinite(panel.values[name][device, rows])]
    if not len(rows):
        return None
    origin = came if np.isfinite(came) else float(days[rows[0]])
    return History(
        name=panel.devices[device],
        age=days[rows].astype(np.float64) - origin,
        settings=_columns(panel, watched.settings, device, rows),
        signals=np.column_stack(
            [_columns(panel, watched.metrics, device, rows), _summed(panel, watched.usage, device, rows, before)]
        ),
        failed_at=None if failure is None else failure - origin,
    )


def _columns(panel: Panel, names: Sequence[str], device: int, rows: Ints) -> Floats:
    return np.array([panel.values[name][device, rows] for name in names]).reshape(len(names), len(rows)).T


def _summed(panel: Panel, names: Sequence[str], device: int, rows: Ints, before: bool) -> Floats:
    """Use up to each row of the part; a day whose count is unknown adds nothing."""
    use = np.cumsum(np.nan_to_num(_columns(panel, names, device, rows)), axis=0)
    if before:
        use = use + np.array([_first_total(panel, name, device) for name in names])
    return np.asarray(use, dtype=np.float64)


def _first_total(panel: Panel, counter: str, device: int) -> float:
    """What a counter showed when it was first read; 0 where only its increases are known."""
    told = panel.totals.get(counter)
    known = np.zeros(0) if told is None else told[device][np.isfinite(told[device])]
    return float(known[0]) if len(known) else 0.0
