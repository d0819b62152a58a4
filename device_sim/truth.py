"""The truth of a fleet, written for the demo's final comparison, which is its only reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device_sim.fleet import Fleet
from device_sim.rollout import Rollout


def write_truth(fleet: Fleet, path: Path) -> None:
    """Write what was planted: faults with onset and failure, the bad release with its devices, the good release.

    ``devices`` are those the roll-out's waves offer the release to, whether or not it is stopped before it reaches them all.
    """
    bad = [rollout for rollout in fleet.rollouts if fleet.is_bad(rollout)]
    good = [rollout for rollout in fleet.rollouts if not fleet.is_bad(rollout)]
    truth = {
        "planted": [
            {
                "device": fleet.device_id(fault.kind, fault.index),
                "fault": fault.mode,
                "part": fault.part,
                "at": _instant(fault.onset),
                "fails_at": _instant(fault.fails_at),
            }
            for fault in sorted(fleet.planted, key=lambda fault: fault.onset)
        ],
        "bad_release": _release(fleet, bad[0]) if bad else None,
        "good_release": _release(fleet, good[0]) if good else None,
    }
    path.write_text(json.dumps(truth, indent=1))


def _release(fleet: Fleet, rollout: Rollout) -> dict[str, Any]:
    devices = sorted(fleet.device_id(rollout.kind, offer.index) for offer in rollout.offers)
    return {"model": rollout.model, "version": rollout.version, "devices": devices}


def _instant(at: float) -> str:
    return datetime.fromtimestamp(round(at), UTC).isoformat().replace("+00:00", "Z")
