"""Sentences and figures of the gate that several of its decisions share."""

from __future__ import annotations

from hearthwatch.records.rollouts import Wave
from hearthwatch.said import Said


def opens_with(wave: Wave) -> Said:
    """That a wave opens, and for whom."""
    return Said("Wave {wave} opens: {share} of every stratum.", wave=wave.number, share=percent(wave.share))


def too_small(devices: int, needed: int) -> Said:
    """That a wave can not pass by itself, whatever happens."""
    return Said(
        "It has only {devices} devices, and even if all succeed {needed} are needed: a person has to let it continue, or stop it.",
        devices=devices,
        needed=needed,
    )


def percent(share: float) -> str:
    """A share with three digits."""
    return f"{100 * share:.3g} %"


def number(e: float) -> str:
    """An e-value."""
    return f"{e:.3g}" if e < 1e6 else Said("more than a million")
