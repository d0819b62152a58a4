"""What is remembered under one structure, in the units of the next: a model learned again begins where the last one was."""

from __future__ import annotations

import numpy as np

from analytics.panel import Floats
from analytics.scorers.structure import Memory, Structure
from hearthwatch.errors import Invalid


def carried(memory: Memory, old: Structure, new: Structure) -> Memory:
    """The memory for ``new``, whose first metrics are those of ``old`` in their order; of further ones nothing is known yet.

    Values are remembered in deviations from the model's centre, which are an affine function of those from another centre. A metric
    that did not move in one of the two pasts begins afresh. Raises `Invalid` for models whose day has another length.
    """
    width, devices = len(old.centre), memory.level.shape[0]
    if old.season != new.season or len(new.centre) < width:
        raise Invalid(
            "a memory can only be carried over to a structure of the same season, with the same metrics first"
        )
    fresh = Memory.empty(new, devices)
    moves = (old.scale > 0) & (new.scale[:width] > 0)
    factor = np.where(moves, old.scale, 0.0) / np.where(moves, new.scale[:width], 1.0)
    shift = np.where(moves, old.centre - new.centre[:width], 0.0) / np.where(moves, new.scale[:width], 1.0)

    def moved(array: Floats, into: Floats) -> Floats:
        into[..., :width] = np.where(moves, array * factor + shift, into[..., :width])
        return into

    absent, contribution = fresh.absent, fresh.contribution
    absent[:, :width] = memory.absent
    contribution[:, :width] = np.where(moves, memory.contribution, 0.0)
    return Memory(
        memory.step,
        moved(memory.level, fresh.level),
        moved(memory.recent, fresh.recent),
        absent,
        moved(memory.profile, fresh.profile),
        contribution,
    )
