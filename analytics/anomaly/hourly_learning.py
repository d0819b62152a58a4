"""How a model's hours belong together is learned anew every week, from some of its devices that nothing is held against."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

import numpy as np

from analytics.anomaly.hourly import HOURS, WARM_UP_HOURS, Hours, in_single
from analytics.panel import Floats, Ints
from analytics.scorers.novelty_state import state_arranged
from analytics.scorers.structure import Memory, learned
from analytics.scorers.structure_relearned import carried

FIRST_AFTER_DAYS = 7
EVERY_DAYS = 7
LOOK_BACK_DAYS = 14
SAMPLE = 60
"""Devices to learn from: their hours are read again, and a few tens of thousands of them are enough for a dozen metrics."""
FORGOTTEN_DAYS = 60


def is_due(state: Hours, day: int) -> bool:
    """Whether the structure is to be learned after a day."""
    if state.structure is None:
        return state.days >= FIRST_AFTER_DAYS
    return day - state.learned_on >= EVERY_DAYS


def drawn(state: Hours, suspects: Collection[str], day: int) -> Ints:
    """The rows of the devices to learn from: heard that day, known for long enough, above suspicion; by lot, the same lot every time."""
    known = (state.known >= WARM_UP_HOURS).any(axis=1) & (state.heard == day)
    rows = [row for row in np.flatnonzero(known).tolist() if state.devices[row] not in suspects]
    rows.sort(key=lambda row: blake2b(f"{day}/{state.devices[row]}".encode(), digest_size=8).digest())
    return np.array(sorted(rows[:SAMPLE]), dtype=np.int64)


def learn(state: Hours, rows: Ints, past: Floats, day: int) -> None:
    """Learn from the past (hours, devices of ``rows``, metrics), that ends with ``day``; the memory of all devices is carried over."""
    ready = state.known[rows] >= WARM_UP_HOURS
    placed = np.where(ready, past - state.origin[rows], np.nan)
    model, _ = learned(placed, season=HOURS)
    if state.structure is None or state.memory is None:
        memory = Memory.empty(model, len(state.devices))
    else:
        memory = carried(state.memory, state.structure, model)
    state.structure, state.memory, state.learned_on = model, in_single(memory), day


def arranged(state: Hours, devices: tuple[str, ...], metrics: tuple[str, ...]) -> Hours:
    """The same of other devices, in another order; ``metrics`` are the old ones and more behind them."""
    if devices == state.devices and metrics == state.metrics:
        return state
    place = {name: row for row, name in enumerate(state.devices)}
    rows = np.array([place.get(name, -1) for name in devices], dtype=np.int64)
    old, width = len(state.metrics), len(metrics)
    column = np.where(np.arange(width) < old, np.arange(width), -1)
    series = np.where((rows[:, None] >= 0) & (column[None, :] >= 0), rows[:, None] * old + column[None, :], -1)
    result = Hours.empty(devices, metrics)
    result.novelty = state_arranged(state.novelty, series.reshape(-1))
    had = np.flatnonzero(rows >= 0)
    for name in ("known", "origin", "blame"):
        getattr(result, name)[had, :old] = getattr(state, name)[rows[had]]
    for name in ("followed", "settling", "heard"):
        getattr(result, name)[had] = getattr(state, name)[rows[had]]
    result.firmware = tuple(state.firmware[row] if row >= 0 else "" for row in rows.tolist())
    result.usual[:, :old] = state.usual
    result.days, result.learned_on, result.structure = state.days, state.learned_on, state.structure
    if state.structure is not None and state.memory is not None:
        result.memory = _memory_arranged(state.memory, Memory.empty(state.structure, len(devices)), rows, had)
    return result


def _memory_arranged(memory: Memory, fresh: Memory, rows: Ints, had: Ints) -> Memory:
    for name in ("level", "recent", "absent", "contribution"):
        getattr(fresh, name)[had] = getattr(memory, name)[rows[had]]
    fresh.profile[:, had] = memory.profile[:, rows[had]]
    return Memory(memory.step, fresh.level, fresh.recent, fresh.absent, fresh.profile, fresh.contribution)


def standing(state: Hours, members: Collection[str], today: Collection[str], day: int) -> tuple[str, ...]:
    """The devices to remember: those there today, and those of the model that were heard in the last two months."""
    kept = {
        name for name, heard in zip(state.devices, state.heard.tolist(), strict=True) if day - heard < FORGOTTEN_DAYS
    }
    return tuple(sorted(kept & set(members) | set(today)))
